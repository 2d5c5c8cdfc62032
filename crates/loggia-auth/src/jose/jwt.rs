//! Verification of tokens: first the form, then the signature, then the claims.
//!
//! Invariant: the claims of [`VerifiedJwt`] have a valid signature.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::algorithm::Algorithm;
use super::encoding::decode;
use super::error::JoseError;
use super::jwk::{Jwk, JwkSet};
use crate::clock;

/// The longest token that is read.
pub const MAX_BYTES: usize = 16 << 10;

/// The protected header.
#[derive(Debug, Clone, Deserialize)]
pub struct JoseHeader {
    /// The name of the algorithm.
    pub alg: String,
    /// The type of the token.
    #[serde(default)]
    pub typ: Option<String>,
    /// The name of the key.
    #[serde(default)]
    pub kid: Option<String>,
    /// The public key itself.
    #[serde(default)]
    pub jwk: Option<Jwk>,
    /// Critical extensions. None is supported.
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

/// A parsed token that is not verified.
#[derive(Debug)]
pub struct Jwt<'a> {
    header: JoseHeader,
    algorithm: Algorithm,
    message: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// A token with a valid signature.
#[derive(Debug)]
pub struct VerifiedJwt {
    payload: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Parses a token.
    pub fn parse(token: &'a str) -> Result<Jwt<'a>, JoseError> {
        if token.len() > MAX_BYTES {
            return Err(JoseError::Malformed("it is too long"));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(JoseError::Malformed("it does not have three parts"));
        };
        let header: JoseHeader = serde_json::from_slice(&decode(header)?)
            .map_err(|_| JoseError::Malformed("its header cannot be read"))?;
        if header.crit.is_some() {
            return Err(JoseError::Malformed("it demands extensions that are not known"));
        }
        let message = &token[..token.len() - signature.len() - 1];
        let algorithm = header.alg.parse()?;
        Ok(Jwt { header, algorithm, message, payload: decode(payload)?, signature: decode(signature)? })
    }

    /// Returns the header.
    pub fn header(&self) -> &JoseHeader {
        &self.header
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks the type of the token. The names are compared as in RFC 7515, section 4.1.9: case-insensitively, and
    /// with or without `application/`.
    pub fn expect_type(&self, expected: &str) -> Result<(), JoseError> {
        let typ = self.header.typ.as_deref().unwrap_or_default();
        let short = match typ.get(..12) {
            Some(start) if start.eq_ignore_ascii_case("application/") => &typ[12..],
            _ => typ,
        };
        match short.eq_ignore_ascii_case(expected) {
            true => Ok(()),
            false => Err(JoseError::Type(typ.chars().filter(|c| c.is_ascii_graphic()).take(40).collect())),
        }
    }

    /// Returns the claims without verification, to find the issuer whose keys to fetch.
    pub fn unverified<T: DeserializeOwned>(&self) -> Result<T, JoseError> {
        serde_json::from_slice(&self.payload).map_err(|_| JoseError::Malformed("its claims cannot be read"))
    }

    /// Verifies the signature with one key.
    pub fn verify(self, key: &Jwk, allowed: &[Algorithm]) -> Result<VerifiedJwt, JoseError> {
        self.check(key, allowed)?;
        Ok(VerifiedJwt { payload: self.payload })
    }

    /// Verifies the signature with the matching keys of a set.
    pub fn verify_with(self, keys: &JwkSet, allowed: &[Algorithm]) -> Result<VerifiedJwt, JoseError> {
        let mut outcome = Err(JoseError::UnknownKey);
        for key in keys.candidates(self.header.kid.as_deref(), self.algorithm) {
            outcome = self.check(key, allowed);
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map(|()| VerifiedJwt { payload: self.payload })
    }

    fn check(&self, key: &Jwk, allowed: &[Algorithm]) -> Result<(), JoseError> {
        if !allowed.contains(&self.algorithm) {
            return Err(JoseError::Algorithm(self.algorithm.to_string()));
        }
        key.verify(self.algorithm, self.message.as_bytes(), &self.signature)
    }
}

impl VerifiedJwt {
    /// Returns the claims.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, JoseError> {
        serde_json::from_slice(&self.payload).map_err(|_| JoseError::Malformed("its claims cannot be read"))
    }
}

/// The registered claims (RFC 7519, section 4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// The issuer.
    pub iss: Option<String>,
    /// The subject.
    pub sub: Option<String>,
    /// The audience.
    pub aud: Audience,
    /// The expiry.
    pub exp: Option<NumericDate>,
    /// The start of validity.
    pub nbf: Option<NumericDate>,
    /// The time of issue.
    pub iat: Option<NumericDate>,
    /// The token id.
    pub jti: Option<String>,
}

/// The rules for the registered claims.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRules<'a> {
    /// The required issuer.
    pub issuer: &'a str,
    /// The audiences. The token must name one of them.
    pub audiences: &'a [&'a str],
    /// The current time.
    pub now: SystemTime,
    /// The allowed clock difference.
    pub skew: Duration,
}

impl Claims {
    /// Checks issuer, audience and time.
    pub fn check(&self, rules: &ClaimRules<'_>) -> Result<(), JoseError> {
        if self.iss.as_deref().ok_or(JoseError::Missing("iss"))? != rules.issuer {
            return Err(JoseError::Issuer);
        }
        if !rules.audiences.iter().any(|audience| self.aud.contains(audience)) {
            return Err(JoseError::Audience);
        }
        self.check_time(rules.now, rules.skew)
    }

    /// Checks that the token is valid at the given time.
    pub fn check_time(&self, now: SystemTime, skew: Duration) -> Result<(), JoseError> {
        let (now, skew) = (clock::seconds(now), skew.as_secs());
        let expires = self.exp.ok_or(JoseError::Missing("exp"))?;
        if now >= expires.0.saturating_add(skew) {
            return Err(JoseError::Expired);
        }
        let too_early =
            |date: Option<NumericDate>| date.is_some_and(|date| date.0 > now.saturating_add(skew));
        if too_early(self.nbf) || too_early(self.iat) {
            return Err(JoseError::TooEarly);
        }
        Ok(())
    }
}

/// A time in seconds since 1970 (RFC 7519, section 2). Fractions are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate(pub u64);

impl NumericDate {
    /// Converts a time.
    pub fn of(time: SystemTime) -> NumericDate {
        NumericDate(clock::seconds(time))
    }

    /// Returns the time.
    pub fn time(self) -> SystemTime {
        clock::from_seconds(self.0)
    }
}

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NumericDate, D::Error> {
        let number = f64::deserialize(deserializer)?;
        // Numbers beyond 2^53 are not exact.
        match (0.0..9_007_199_254_740_992.0).contains(&number) {
            true => Ok(NumericDate(number as u64)),
            false => Err(serde::de::Error::custom("not a date")),
        }
    }
}

/// The audience of a token: one or several identifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience(pub Vec<String>);

impl Audience {
    /// Returns whether `audience` is one of them.
    pub fn contains(&self, audience: &str) -> bool {
        self.0.iter().any(|own| own == audience)
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => serializer.serialize_str(one),
            several => serializer.collect_seq(several),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Audience, D::Error> {
        deserializer.deserialize_any(AudienceVisitor)
    }
}

struct AudienceVisitor;

impl<'de> Visitor<'de> for AudienceVisitor {
    type Value = Audience;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: serde::de::Error>(self, one: &str) -> Result<Audience, E> {
        Ok(Audience(vec![one.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Audience, A::Error> {
        let mut several = Vec::new();
        while let Some(one) = seq.next_element()? {
            several.push(one);
        }
        Ok(Audience(several))
    }
}
