//! Published public keys: JSON Web Keys and sets of them (RFC 7517; RFC 7518, section 6).

use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::algorithm::Algorithm;
use super::encoding::{decode, encode, sha256};
use super::error::JoseError;

/// The maximum number of keys of a set that are read.
const MAX_KEYS: usize = 64;

/// A public key for signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    /// The name of the key in its set.
    pub kid: Option<String>,
    /// The algorithm that the key is for, if it names one.
    pub alg: Option<Algorithm>,
    pub(super) key: KeyMaterial,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyMaterial {
    P256 { x: Vec<u8>, y: Vec<u8> },
    P384 { x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl Jwk {
    pub(super) fn new(key: KeyMaterial, alg: Algorithm) -> Jwk {
        let mut jwk = Jwk { kid: None, alg: Some(alg), key };
        jwk.kid = Some(jwk.thumbprint());
        jwk
    }

    /// Returns the thumbprint of the key (RFC 7638).
    pub fn thumbprint(&self) -> String {
        sha256(match &self.key {
            KeyMaterial::P256 { x, y } => ec_thumbprint("P-256", x, y),
            KeyMaterial::P384 { x, y } => ec_thumbprint("P-384", x, y),
            KeyMaterial::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)),
            KeyMaterial::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n))
            }
        })
    }

    /// Returns whether the key can be used with an algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match &self.key {
            KeyMaterial::P256 { .. } => matches!(algorithm, Algorithm::Es256),
            KeyMaterial::P384 { .. } => matches!(algorithm, Algorithm::Es384),
            KeyMaterial::Ed25519 { .. } => matches!(algorithm, Algorithm::EdDsa),
            KeyMaterial::Rsa { .. } => {
                !matches!(algorithm, Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa)
            }
        };
        kind && self.alg.is_none_or(|own| own == algorithm)
    }

    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signed: &[u8],
    ) -> Result<(), JoseError> {
        if !self.fits(algorithm) {
            return Err(JoseError::Key("it is not for the algorithm of the token"));
        }
        let verified = match &self.key {
            KeyMaterial::P256 { x, y } => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point(x, y))
                    .verify(message, signed)
            }
            KeyMaterial::P384 { x, y } => {
                UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point(x, y))
                    .verify(message, signed)
            }
            KeyMaterial::Ed25519 { x } => {
                UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signed)
            }
            KeyMaterial::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(rsa_parameters(algorithm)?, message, signed)
            }
        };
        verified.map_err(|_| JoseError::Signature)
    }
}

fn ec_thumbprint(curve: &str, x: &[u8], y: &[u8]) -> String {
    format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
}

fn point(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}

fn rsa_parameters(algorithm: Algorithm) -> Result<&'static signature::RsaParameters, JoseError> {
    Ok(match algorithm {
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => {
            return Err(JoseError::Key("it is not for the algorithm of the token"));
        }
    })
}

/// The members of a key of any type.
#[derive(Deserialize, Default)]
#[serde(default)]
struct JwkMembers {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: String,
    x: String,
    y: String,
    n: String,
    e: String,
    /// The private part, or a shared secret. Both are forbidden in a public key.
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl TryFrom<JwkMembers> for Jwk {
    type Error = JoseError;

    fn try_from(members: JwkMembers) -> Result<Jwk, JoseError> {
        if members.d.is_some() || members.k.is_some() {
            return Err(JoseError::Key("it holds a secret"));
        }
        if members.usage.as_deref().is_some_and(|usage| usage != "sig")
            || members.key_ops.as_ref().is_some_and(|ops| ops.iter().all(|op| op != "verify"))
        {
            return Err(JoseError::Key("it is not for signatures"));
        }
        let alg = members.alg.as_deref().map(str::parse).transpose()?;
        let key = members.material()?;
        Ok(Jwk { kid: members.kid, alg, key })
    }
}

impl JwkMembers {
    fn material(&self) -> Result<KeyMaterial, JoseError> {
        let exactly = |text: &str, length: usize| {
            let bytes = decode(text)?;
            if bytes.len() == length {
                Ok(bytes)
            } else {
                Err(JoseError::Key("a coordinate has the wrong length"))
            }
        };
        match (self.kty.as_str(), self.crv.as_str()) {
            ("EC", "P-256") => Ok(KeyMaterial::P256 { x: exactly(&self.x, 32)?, y: exactly(&self.y, 32)? }),
            ("EC", "P-384") => Ok(KeyMaterial::P384 { x: exactly(&self.x, 48)?, y: exactly(&self.y, 48)? }),
            ("OKP", "Ed25519") => Ok(KeyMaterial::Ed25519 { x: exactly(&self.x, 32)? }),
            ("RSA", _) => {
                let n = decode(&self.n)?;
                match n.len() {
                    256..=1024 => Ok(KeyMaterial::Rsa { n, e: decode(&self.e)? }),
                    _ => Err(JoseError::Key("an RSA key must have 2048 to 8192 bits")),
                }
            }
            _ => Err(JoseError::Key("its kind is not known")),
        }
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Jwk, D::Error> {
        JwkMembers::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let (kty, crv, parts): (_, _, &[(&str, &Vec<u8>)]) = match &self.key {
            KeyMaterial::P256 { x, y } => ("EC", Some("P-256"), &[("x", x), ("y", y)]),
            KeyMaterial::P384 { x, y } => ("EC", Some("P-384"), &[("x", x), ("y", y)]),
            KeyMaterial::Ed25519 { x } => ("OKP", Some("Ed25519"), &[("x", x)]),
            KeyMaterial::Rsa { n, e } => ("RSA", None, &[("n", n), ("e", e)]),
        };
        map.serialize_entry("kty", kty)?;
        if let Some(crv) = crv {
            map.serialize_entry("crv", crv)?;
        }
        for (name, bytes) in parts {
            map.serialize_entry(name, &encode(bytes))?;
        }
        if let Some(kid) = &self.kid {
            map.serialize_entry("kid", kid)?;
        }
        if let Some(alg) = self.alg {
            map.serialize_entry("alg", &alg)?;
        }
        map.serialize_entry("use", "sig")?;
        map.end()
    }
}

/// A set of keys that an issuer publishes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// Parses a published set. Keys of unknown types and keys that are not for signatures are ignored (RFC 7517,
    /// section 5).
    pub fn parse(text: &[u8]) -> Result<JwkSet, JoseError> {
        #[derive(Deserialize)]
        struct RawJwkSet<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let set: RawJwkSet<'_> =
            serde_json::from_slice(text).map_err(|_| JoseError::Malformed("it is not a set of keys"))?;
        let keys = set.keys.iter().take(MAX_KEYS);
        Ok(JwkSet { keys: keys.filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect() })
    }

    /// Returns the keys with which a token may be signed: the one that it names, otherwise all that match the
    /// algorithm.
    pub fn candidates<'a>(
        &'a self,
        kid: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a Jwk> {
        let named = move |key: &&Jwk| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        self.keys.iter().filter(named).filter(move |key| key.fits(algorithm))
    }
}
