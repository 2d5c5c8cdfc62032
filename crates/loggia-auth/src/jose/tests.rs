//! Tokens that should be believed, and many that should not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::*;
use crate::restricted_http::{FetchPolicy, RestrictedHttpClient};
use crate::testing::{answer, serve};

const RSA: &str = include_str!("../../tests/data/rsa-test-only.pem");
const EC: &str = include_str!("../../tests/data/ec-test-only.pem");

fn key_for(algorithm: Algorithm) -> SigningKey {
    match algorithm {
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => SigningKey::generate(algorithm).unwrap(),
        _ => SigningKey::from_pem(RSA, Some(algorithm)).unwrap(),
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Returns a token with the given header and an invalid signature.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", encode(header.to_string()), encode(claims.to_string()))
}

#[test]
fn what_is_signed_is_verified_by_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let key = key_for(*algorithm);
        let token = key.sign("at+jwt", &json!({"sub": "ada"})).unwrap();
        let published = serde_json::to_vec(&JwkSet { keys: vec![key.public().clone()] }).unwrap();
        let keys = JwkSet::parse(&published).unwrap();
        assert_eq!(keys.keys, [key.public().clone()], "{algorithm}: what is published is read back");

        let jwt = Jwt::parse(&token).unwrap();
        jwt.expect_type("at+jwt").unwrap();
        let claims: Claims = jwt.verify_with(&keys, Algorithm::ALL).unwrap().claims().unwrap();
        assert_eq!(claims.sub.as_deref(), Some("ada"), "{algorithm}");

        let kept = SigningKey::from_pkcs8(key.to_pkcs8(), Some(*algorithm)).unwrap();
        assert_eq!(kept.public(), key.public(), "{algorithm}: a kept key is the same key");
    }
}

#[test]
fn keys_made_elsewhere_are_read() {
    assert_eq!(SigningKey::from_pem(EC, None).unwrap().algorithm(), Algorithm::Es256);
    assert_eq!(SigningKey::from_pem(RSA, None).unwrap().algorithm(), Algorithm::Rs256);
    assert!(SigningKey::from_pem(EC, Some(Algorithm::Rs256)).is_err());
    assert!(SigningKey::from_pem("-----BEGIN RSA PRIVATE KEY-----", None).is_err());
    assert!(!format!("{:?}", SigningKey::from_pem(EC, None).unwrap()).contains("pkcs8"));
}

/// The example of RFC 7638, section 3.1.
#[test]
fn the_thumbprint_is_that_of_the_rfc() {
    let key = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
    let key: Jwk = serde_json::from_str(key).unwrap();
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/// The example of RFC 8037, appendix A.4.
#[test]
fn the_signature_of_the_rfc_is_right() {
    let key: Jwk = serde_json::from_str(
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    )
    .unwrap();
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(Jwt::parse(token).unwrap().verify(&key, &[Algorithm::EdDsa]).is_ok());
}

/// Each line is a forged token, which was not signed with the issuer's key.
#[test]
fn forged_tokens_are_refused() {
    let key = key_for(Algorithm::Rs256);
    let other = key_for(Algorithm::Es256);
    let keys = JwkSet { keys: vec![key.public().clone()] };
    let claims = json!({"sub": "root"});
    let kid = key.public().kid.clone().unwrap();
    let good = key.sign("at+jwt", &claims).unwrap();
    let (message, signature) = good.rsplit_once('.').unwrap();
    // Key confusion: the text of the public key used as a shared secret.
    let public = serde_json::to_vec(key.public()).unwrap();
    let hmac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public);
    let unsigned = forged(&json!({"alg": "HS256", "kid": kid}), &claims, "");
    let tag = encode(ring::hmac::sign(&hmac, unsigned.trim_end_matches('.').as_bytes()));
    let embedded = other.sign_with_key("at+jwt", &claims).unwrap();
    let renamed = SigningKey::generate(Algorithm::Es256).unwrap().named(kid.clone());
    let table = [
        ("none", forged(&json!({"alg": "none"}), &claims, "")),
        ("None", forged(&json!({"alg": "None"}), &claims, "")),
        ("nOnE with a signature", forged(&json!({"alg": "nOnE", "kid": kid}), &claims, signature)),
        ("no algorithm", forged(&json!({"kid": kid}), &claims, signature)),
        ("key confusion", format!("{unsigned}{tag}")),
        ("no signature", format!("{message}.")),
        ("two parts", message.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("its own key in the header", embedded),
        ("another key of the same name", renamed.sign("at+jwt", &claims).unwrap()),
        ("a key that is not published", other.sign("at+jwt", &claims).unwrap()),
        (
            "critical extensions",
            forged(&json!({"alg": "RS256", "kid": kid, "crit": ["exp"]}), &claims, signature),
        ),
        ("other claims", forged(&json!({"alg": "RS256", "kid": kid}), &json!({"sub": "eve"}), signature)),
        (
            "algorithm named twice",
            format!(
                "{}.{signature}",
                message.replacen(
                    message.split_once('.').unwrap().0,
                    &encode(format!(r#"{{"alg":"none","alg":"RS256","kid":"{kid}"}}"#)),
                    1,
                )
            ),
        ),
        ("padded base64", format!("{good}=")),
        ("too long", "a".repeat(MAX_BYTES + 1)),
    ];
    for (what, token) in table {
        let outcome = Jwt::parse(&token).and_then(|jwt| jwt.verify_with(&keys, Algorithm::ALL));
        assert!(outcome.is_err(), "{what}");
    }
    assert!(Jwt::parse(&good).unwrap().verify_with(&keys, Algorithm::ALL).is_ok());
    let narrow = Jwt::parse(&good).unwrap().verify_with(&keys, &[Algorithm::Es256]);
    assert_eq!(narrow.unwrap_err(), JoseError::Algorithm("RS256".to_owned()));
}

#[test]
fn keys_that_are_not_for_signatures_are_passed_over() {
    let good = serde_json::to_value(key_for(Algorithm::Es256).public()).unwrap();
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let table = [
        ("private", with("d", json!("AAAA"))),
        ("for encryption", with("use", json!("enc"))),
        ("for signing only", with("key_ops", json!(["sign"]))),
        ("unknown curve", with("crv", json!("P-521"))),
        ("shared secret", json!({"kty": "oct", "k": "c2VjcmV0"})),
        ("short", with("x", json!("AAAA"))),
        ("for HMAC", with("alg", json!("HS256"))),
        ("small RSA", json!({"kty": "RSA", "n": encode([255; 128]), "e": "AQAB"})),
        ("a text", json!("key")),
    ];
    for (what, key) in table {
        let set = json!({"keys": [key, good]}).to_string();
        assert_eq!(JwkSet::parse(set.as_bytes()).unwrap().keys.len(), 1, "{what}");
    }
    for wrong in ["", "[]", "{}", r#"{"keys":{}}"#] {
        assert!(JwkSet::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn claims_are_held_against_the_rules() {
    let rules = ClaimRules {
        issuer: "https://id.example",
        audiences: &["https://mcp.example/mcp"],
        now: at(1000),
        skew: Duration::from_secs(10),
    };
    let good = json!({"iss": "https://id.example", "aud": "https://mcp.example/mcp", "exp": 1100});
    let table = [
        (json!({}), Ok(())),
        (json!({"aud": ["a", "https://mcp.example/mcp"]}), Ok(())),
        (json!({"exp": 991}), Ok(())),
        (json!({"exp": 1100.5}), Ok(())),
        (json!({"nbf": 1010}), Ok(())),
        (json!({"exp": 990}), Err(JoseError::Expired)),
        (json!({"exp": null}), Err(JoseError::Missing("exp"))),
        (json!({"nbf": 1011}), Err(JoseError::TooEarly)),
        (json!({"iat": 1011}), Err(JoseError::TooEarly)),
        (json!({"iss": "https://id.example/"}), Err(JoseError::Issuer)),
        (json!({"iss": null}), Err(JoseError::Missing("iss"))),
        (json!({"aud": "https://mcp.example/mcp/"}), Err(JoseError::Audience)),
        (json!({"aud": []}), Err(JoseError::Audience)),
    ];
    for (change, expected) in table {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let claims: Claims = serde_json::from_value(claims).unwrap();
        assert_eq!(claims.check(&rules), expected, "{change}");
    }
    for wrong in [
        json!({"exp": "soon"}),
        json!({"exp": -1}),
        json!({"exp": 1e300}),
        json!({"aud": 1}),
        json!({"aud": [1]}),
    ] {
        assert!(serde_json::from_value::<Claims>(wrong.clone()).is_err(), "{wrong}");
    }
}

/// An issuer changes its key; another party sends tokens with keys that do not exist.
#[tokio::test]
async fn keys_are_fetched_again_but_not_too_often() {
    let (first, second) = (key_for(Algorithm::Es256), key_for(Algorithm::Es256));
    let kid = |key: &SigningKey| key.public().kid.clone().unwrap();
    let published = Arc::new(Mutex::new(vec![first.public().clone()]));
    let fetched = Arc::new(AtomicUsize::new(0));
    let (keys, count) = (published.clone(), fetched.clone());
    let server = serve(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let keys = keys.lock().unwrap().clone();
        if keys.is_empty() {
            answer(500, "")
        } else {
            answer(200, &serde_json::to_string(&JwkSet { keys }).unwrap())
        }
    })
    .await;
    let now = Arc::new(Mutex::new(at(0)));
    let clock = now.clone();
    let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
    let remote = RemoteKeys::new(server.url("/jwks"), http).clock(Arc::new(move || *clock.lock().unwrap()));
    let ask = async |seconds: u64, kid: &str| {
        *now.lock().unwrap() = at(seconds);
        let found = remote.keys(Some(kid), Algorithm::Es256).await;
        let found = found.is_ok_and(|keys| keys.candidates(Some(kid), Algorithm::Es256).next().is_some());
        (found, fetched.load(Ordering::SeqCst))
    };
    assert_eq!(ask(100, &kid(&first)).await, (true, 1), "fetched at first");
    assert_eq!(ask(101, &kid(&first)).await, (true, 1), "kept");
    for n in 0..20 {
        assert_eq!(ask(102, &format!("no-{n}")).await, (false, 1), "not again within the pause");
    }
    *published.lock().unwrap() = vec![second.public().clone()];
    assert_eq!(ask(106, &kid(&second)).await, (true, 2), "a new key is found");
    assert_eq!(ask(112, &kid(&first)).await, (false, 3), "a withdrawn key is not");
    published.lock().unwrap().clear();
    assert_eq!(ask(2000, &kid(&second)).await, (true, 4), "what is known is used while the issuer is down");
    assert_eq!(ask(112 + 24 * 60 * 60, &kid(&second)).await, (false, 5), "but not for ever");
}

/// If the keys of an issuer cannot be fetched, its tokens are not reported as invalid.
#[tokio::test]
async fn keys_that_cannot_be_had_are_not_the_tokens_fault() {
    let server = serve(|_| answer(500, "")).await;
    let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
    let remote = RemoteKeys::new(server.url("/jwks"), http);
    for n in 0..3 {
        let error = remote.keys(Some("a"), Algorithm::Es256).await.unwrap_err();
        assert!(error.is_unavailable(), "{n}: {error}");
    }
}
