//! Reading a token: first its form, then its signature, and only then what it claims.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Algorithm, JoseError, Jwk, JwkSet, decode};
use crate::clock;

/// Longest token that is looked at.
pub const MOST_BYTES: usize = 16 << 10;

/// The protected header.
#[derive(Debug, Clone, Deserialize)]
pub struct Header {
    /// The algorithm's name.
    pub alg: String,
    /// What kind of token it is.
    #[serde(default)]
    pub typ: Option<String>,
    /// The name of the key.
    #[serde(default)]
    pub kid: Option<String>,
    /// The public key itself.
    #[serde(default)]
    pub jwk: Option<Jwk>,
    /// Extensions that must be understood; none is.
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

/// A token whose form was read. Nothing it says is known to be true.
#[derive(Debug)]
pub struct Jwt<'a> {
    header: Header,
    algorithm: Algorithm,
    message: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// A token whose signature is right.
#[derive(Debug)]
pub struct Verified {
    payload: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Reads the form of a token.
    pub fn parse(token: &'a str) -> Result<Jwt<'a>, JoseError> {
        if token.len() > MOST_BYTES {
            return Err(JoseError::Malformed("it is too long"));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(JoseError::Malformed("it does not have three parts"));
        };
        let header: Header = serde_json::from_slice(&decode(header)?)
            .map_err(|_| JoseError::Malformed("its header cannot be read"))?;
        if header.crit.is_some() {
            return Err(JoseError::Malformed("it demands extensions that are not known"));
        }
        let message = &token[..token.len() - signature.len() - 1];
        let algorithm = header.alg.parse()?;
        Ok(Jwt { header, algorithm, message, payload: decode(payload)?, signature: decode(signature)? })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Demands a kind of token. The names are compared as RFC 7515, section 4.1.9, says: without regard to
    /// case, and with or without `application/`.
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

    /// What the token claims, before it is known whether that is true: to find out whose keys to ask for.
    pub fn unverified<T: DeserializeOwned>(&self) -> Result<T, JoseError> {
        serde_json::from_slice(&self.payload).map_err(|_| JoseError::Malformed("its claims cannot be read"))
    }

    /// Checks the signature with one key.
    pub fn verify(self, key: &Jwk, allowed: &[Algorithm]) -> Result<Verified, JoseError> {
        self.check(key, allowed)?;
        Ok(Verified { payload: self.payload })
    }

    /// Checks the signature with the keys of a set that it can be of.
    pub fn verify_with(self, keys: &JwkSet, allowed: &[Algorithm]) -> Result<Verified, JoseError> {
        let mut outcome = Err(JoseError::UnknownKey);
        for key in keys.candidates(self.header.kid.as_deref(), self.algorithm) {
            outcome = self.check(key, allowed);
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map(|()| Verified { payload: self.payload })
    }

    fn check(&self, key: &Jwk, allowed: &[Algorithm]) -> Result<(), JoseError> {
        if !allowed.contains(&self.algorithm) {
            return Err(JoseError::Algorithm(self.algorithm.to_string()));
        }
        key.verify(self.algorithm, self.message.as_bytes(), &self.signature)
    }
}

impl Verified {
    /// What the token claims.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, JoseError> {
        serde_json::from_slice(&self.payload).map_err(|_| JoseError::Malformed("its claims cannot be read"))
    }
}

/// The registered claims (RFC 7519, section 4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// Who issued the token.
    pub iss: Option<String>,
    /// Whom it is about.
    pub sub: Option<String>,
    /// Whom it is meant for.
    pub aud: Audience,
    /// When it ends.
    pub exp: Option<NumericDate>,
    /// When it begins.
    pub nbf: Option<NumericDate>,
    /// When it was issued.
    pub iat: Option<NumericDate>,
    /// Its own name.
    pub jti: Option<String>,
}

/// What registered claims are held against.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The issuer it must have.
    pub issuer: &'a str,
    /// Audiences, one of which it must name.
    pub audiences: &'a [&'a str],
    /// The time.
    pub now: SystemTime,
    /// How far the issuer's clock may be off.
    pub skew: Duration,
}

impl Claims {
    /// Checks issuer, audience and time.
    pub fn check(&self, rules: &Rules<'_>) -> Result<(), JoseError> {
        if self.iss.as_deref().ok_or(JoseError::Missing("iss"))? != rules.issuer {
            return Err(JoseError::Issuer);
        }
        if !rules.audiences.iter().any(|audience| self.aud.contains(audience)) {
            return Err(JoseError::Audience);
        }
        self.check_time(rules.now, rules.skew)
    }

    /// Checks that the token is valid now.
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

/// Seconds since 1970. A fraction is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate(pub u64);

impl NumericDate {
    /// The date of a time.
    pub fn of(time: SystemTime) -> NumericDate {
        NumericDate(clock::seconds(time))
    }

    /// The time it stands for.
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
        // Beyond 2^53 a number is not a date any more, and arithmetic on it goes wrong.
        match (0.0..9_007_199_254_740_992.0).contains(&number) {
            true => Ok(NumericDate(number as u64)),
            false => Err(serde::de::Error::custom("not a date")),
        }
    }
}

/// Whom a token is meant for: one or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience(pub Vec<String>);

impl Audience {
    /// Whether it names `audience`.
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
        deserializer.deserialize_any(OneOrMany)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
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
