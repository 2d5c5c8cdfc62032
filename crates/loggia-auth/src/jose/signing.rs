//! Private keys, and signing with them (RFC 7515).
//!
//! Clients sign assertions and DPoP proofs, the authorization server signs tokens. Invariant: a private key is never
//! formatted, and is wiped on drop.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
};
use serde::Serialize;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::encoding::encode;
use super::error::JoseError;
use super::jwk::Jwk;
use super::jwk::KeyMaterial;

/// A private key with its public half.
pub struct SigningKey {
    pair: PrivateKey,
    algorithm: Algorithm,
    public: Jwk,
    pkcs8: Zeroizing<Vec<u8>>,
}

enum PrivateKey {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// The protected header of a token.
#[derive(Serialize)]
struct ProtectedHeader<'a> {
    alg: Algorithm,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<&'a Jwk>,
}

impl SigningKey {
    /// Generates a key. RSA keys cannot be generated, only read.
    pub fn generate(algorithm: Algorithm) -> Result<SigningKey, JoseError> {
        let random = SystemRandom::new();
        let made = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            Algorithm::Es384 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random),
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
            _ => return Err(JoseError::Key("RSA keys are made elsewhere")),
        };
        let made = made.map_err(|_| JoseError::Key("the operating system gave no random numbers"))?;
        SigningKey::from_pkcs8(made.as_ref(), Some(algorithm))
    }

    /// Reads a PKCS #8 key. An RSA key signs with `algorithm`, or with RS256 if that is `None`; the other keys have
    /// only one algorithm each.
    pub fn from_pkcs8(der: &[u8], algorithm: Option<Algorithm>) -> Result<SigningKey, JoseError> {
        let made = ec(der, &ECDSA_P256_SHA256_FIXED_SIGNING, Algorithm::Es256)
            .or_else(|| ec(der, &ECDSA_P384_SHA384_FIXED_SIGNING, Algorithm::Es384))
            .or_else(|| ed(der))
            .or_else(|| rsa(der, algorithm.unwrap_or(Algorithm::Rs256)));
        let (pair, own, material) =
            made.ok_or(JoseError::Key("it is not a PKCS #8 key of a kind that is known"))?;
        let public = Jwk::new(material, own);
        if algorithm.is_some_and(|wanted| wanted != own) || !public.fits(own) {
            return Err(JoseError::Key("it is not for the algorithm that is wanted"));
        }
        Ok(SigningKey { pair, algorithm: own, public, pkcs8: Zeroizing::new(der.to_vec()) })
    }

    /// Reads a key in PEM: `BEGIN PRIVATE KEY`.
    pub fn from_pem(pem: &str, algorithm: Option<Algorithm>) -> Result<SigningKey, JoseError> {
        const WRONG: JoseError = JoseError::Key("it is not PEM text with a PRIVATE KEY (PKCS #8)");
        let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----").ok_or(WRONG)?;
        let (body, _) = rest.split_once("-----END PRIVATE KEY-----").ok_or(WRONG)?;
        let body = Zeroizing::new(body.split_ascii_whitespace().collect::<String>());
        let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).map_err(|_| WRONG)?);
        SigningKey::from_pkcs8(&der, algorithm)
    }

    /// Returns the private key in PKCS #8.
    pub fn to_pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Sets a key id (`kid`) other than the thumbprint.
    pub fn named(mut self, kid: impl Into<String>) -> SigningKey {
        self.public.kid = Some(kid.into());
        self
    }

    /// Returns the public key.
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Signs claims. The header names the key.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        self.compact(
            &ProtectedHeader { alg: self.algorithm, typ, kid: self.public.kid.as_deref(), jwk: None },
            claims,
        )
    }

    /// Signs claims. The header contains the public key, as in a DPoP proof.
    pub fn sign_with_key(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        let bare = Jwk { kid: None, alg: None, ..self.public.clone() };
        self.compact(&ProtectedHeader { alg: self.algorithm, typ, kid: None, jwk: Some(&bare) }, claims)
    }

    fn compact(&self, header: &ProtectedHeader<'_>, claims: &impl Serialize) -> Result<String, JoseError> {
        let json = |_| JoseError::Malformed("the claims cannot be written");
        let header = encode(serde_json::to_vec(header).map_err(json)?);
        let claims = encode(serde_json::to_vec(claims).map_err(json)?);
        let message = format!("{header}.{claims}");
        let signature = encode(self.sign_bytes(message.as_bytes())?);
        Ok(format!("{message}.{signature}"))
    }

    fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        const FAILED: JoseError = JoseError::Key("it did not sign");
        let random = SystemRandom::new();
        match &self.pair {
            PrivateKey::Ec(pair) => Ok(pair.sign(&random, message).map_err(|_| FAILED)?.as_ref().to_vec()),
            PrivateKey::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            PrivateKey::Rsa(pair) => {
                let padding: &dyn ring::signature::RsaEncoding = match self.algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_SHA512,
                    Algorithm::Rs384 => &RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signature).map_err(|_| FAILED)?;
                Ok(signature)
            }
        }
    }
}

/// A parsed key with its algorithm and its public half, or `None` if the key has another type.
type ParsedKey = Option<(PrivateKey, Algorithm, KeyMaterial)>;

fn ec(der: &[u8], kind: &'static EcdsaSigningAlgorithm, algorithm: Algorithm) -> ParsedKey {
    let pair = EcdsaKeyPair::from_pkcs8(kind, der, &SystemRandom::new()).ok()?;
    // An uncompressed point: one byte for the form, then the two coordinates.
    let (x, y) = pair.public_key().as_ref()[1..].split_at((pair.public_key().as_ref().len() - 1) / 2);
    let (x, y) = (x.to_vec(), y.to_vec());
    let material =
        if algorithm == Algorithm::Es256 { KeyMaterial::P256 { x, y } } else { KeyMaterial::P384 { x, y } };
    Some((PrivateKey::Ec(pair), algorithm, material))
}

fn ed(der: &[u8]) -> ParsedKey {
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
    let material = KeyMaterial::Ed25519 { x: pair.public_key().as_ref().to_vec() };
    Some((PrivateKey::Ed(pair), Algorithm::EdDsa, material))
}

fn rsa(der: &[u8], algorithm: Algorithm) -> ParsedKey {
    let pair = RsaKeyPair::from_pkcs8(der).ok()?;
    let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
    Some((PrivateKey::Rsa(Box::new(pair)), algorithm, KeyMaterial::Rsa { n: public.n, e: public.e }))
}
