//! The token endpoint: codes, refresh tokens and assertions become access tokens; and revocation, where they
//! end.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use loggia::transport::http::Body;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use url::Url;

use super::Shared;
use super::authorize::Code;
use super::clients::{Client, JWT_BEARER, Proves, Refused};
use super::family::{self, Families, Granted};
use super::http::{OAuthError, Params, json};
use super::records::{Found, Records};
use crate::clock;
use crate::error::AuthError;
use crate::jose::{Algorithm, ClaimRules, Claims, JoseError, Jwt, KeySource, NumericDate, random, sha256};
use crate::resource::{ProofError, Proofs};
use crate::secret::Secret;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest life of an assertion that is taken: it is remembered as long.
const LONGEST_ASSERTION: Duration = Duration::from_secs(60 * 60);

/// The claims of our access tokens (RFC 9068).
#[derive(Serialize)]
struct AccessToken<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    scope: String,
    iat: NumericDate,
    exp: NumericDate,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
}

#[derive(Serialize)]
struct Confirmation<'a> {
    jkt: &'a str,
}

fn error(code: &'static str, why: &str) -> OAuthError {
    OAuthError::new(code, why)
}

impl Shared {
    /// `POST token`.
    pub(super) async fn token(&self, headers: &HeaderMap, params: &Params) -> Response<Body> {
        let mut response = match self.try_token(headers, params).await {
            Ok(response) => response,
            Err(error) => error.response(),
        };
        let nonce = self.proofs.nonce(self.now()).and_then(|nonce| HeaderValue::from_str(&nonce).ok());
        if let Some(nonce) = nonce.filter(|_| Proofs::is_present(headers)) {
            response.headers_mut().insert(HeaderName::from_static("dpop-nonce"), nonce);
        }
        response
    }

    async fn try_token(&self, headers: &HeaderMap, params: &Params) -> Result<Response<Body>, OAuthError> {
        let client = self.authenticate(headers, params).await?;
        let grant = params.need("grant_type")?;
        if !matches!(grant, "authorization_code" | "refresh_token" | JWT_BEARER) {
            return Err(error("unsupported_grant_type", "There is no such grant here"));
        }
        let key = self.proof(headers, &client).await?;
        match grant {
            "authorization_code" => self.by_code(&client, params, key).await,
            "refresh_token" => self.by_refresh_token(&client, params, key).await,
            _ => self.by_assertion(&client, params, key).await,
        }
    }

    /// The key that a request proves to have (RFC 9449, section 5).
    async fn proof(&self, headers: &HeaderMap, client: &Client) -> Result<Option<String>, OAuthError> {
        let url = Url::parse(&format!("{}{}", self.origin, self.path("token")));
        let url = url.map_err(|_| error("server_error", "The issuer is not a URL"))?;
        match self.proofs.check(headers, &Method::POST, &[&url], None, self.now()) {
            Ok(proof) if self.records.is_new(&proof, self.now()).await? => Ok(Some(proof.key)),
            Ok(_) => Err(error("invalid_dpop_proof", "The proof was used before (jti)")),
            Err(ProofError::Missing) if !client.always_bound => Ok(None),
            Err(ProofError::Missing) => {
                Err(error("invalid_dpop_proof", "This client said it always sends a proof"))
            }
            Err(ProofError::Invalid(why)) => Err(OAuthError::new("invalid_dpop_proof", why)),
            Err(ProofError::Nonce(nonce)) => Err(OAuthError {
                nonce: Some(nonce),
                ..error("use_dpop_nonce", "The proof must hold the nonce in the DPoP-Nonce header")
            }),
        }
    }

    /// RFC 6749, section 4.1.3, with PKCE (RFC 7636, section 4.6).
    async fn by_code(
        &self,
        client: &Client,
        params: &Params,
        key: Option<String>,
    ) -> Result<Response<Body>, OAuthError> {
        let invalid = |why: &str| error("invalid_grant", why);
        let code = params.need("code")?;
        let verifier = params.need("code_verifier")?;
        let name = Records::named("code", code);
        let unknown = || invalid("The code is not valid");
        let Found { value, revision } = self.records.get::<Code>(&name).await?.ok_or_else(unknown)?;
        let (request, subject, seed, until) = match value {
            Code::Fresh { request, subject, seed, until } => (request, subject, seed, until),
            Code::Used { family } => {
                tracing::warn!(client = client.id, "an authorization code was used twice: the sign-in ends");
                self.families.end(&family, self.now()).await?;
                return Err(invalid("The code was used before"));
            }
        };
        if request.client != client.id {
            return Err(unknown());
        }
        // Whatever comes of it, a code is used once.
        let family = family::named(&seed);
        let used = Code::Used { family: family.clone() };
        let until_kept = Some(self.now() + LONGEST_ASSERTION);
        if !self.records.replace(&name, &used, revision, until_kept).await? {
            self.families.end(&family, self.now()).await?;
            return Err(invalid("The code was used before"));
        }
        if clock::seconds(self.now()) >= until {
            return Err(invalid("The code has expired"));
        }
        if params.need("redirect_uri")? != request.redirect_uri {
            return Err(invalid("The redirect_uri is not the one of the authorization request"));
        }
        if !(43..=128).contains(&verifier.len()) || !same(&sha256(verifier), &request.challenge) {
            return Err(invalid("The code_verifier is wrong"));
        }
        if request.key.is_some() && request.key != key {
            return Err(error(
                "invalid_dpop_proof",
                "The proof is not of the key of the authorization request (dpop_jkt)",
            ));
        }
        self.check_target(params, &request.resource)?;
        let refreshes =
            client.may("refresh_token") || request.scopes.iter().any(|scope| scope == "offline_access");
        let bound = key.clone().filter(|_| client.is_public());
        let granted = Granted {
            subject,
            client: client.id.clone(),
            scopes: request.scopes,
            resource: request.resource,
            key: bound,
        };
        let refresh = match refreshes {
            true => {
                let begun = self.families.begin(&seed, granted.clone(), self.now()).await?;
                Some(begun.ok_or_else(|| invalid("The code was used before"))?)
            }
            false => None,
        };
        self.answer(&family, &granted, &granted.scopes, key, refresh).await
    }

    /// A token request may name the resource again, and no other.
    fn check_target(&self, params: &Params, granted: &str) -> Result<(), OAuthError> {
        match params.resources() {
            [] => Ok(()),
            _ if self.resource(params)?.0 == granted => Ok(()),
            _ => Err(error("invalid_target", "The person allowed another resource")),
        }
    }

    /// RFC 6749, section 6.
    async fn by_refresh_token(
        &self,
        client: &Client,
        params: &Params,
        key: Option<String>,
    ) -> Result<Response<Body>, OAuthError> {
        let token = params.need("refresh_token")?;
        let (family, granted) = self.families.look(token).await?;
        if granted.client != client.id {
            return Err(error("invalid_grant", "The refresh token is another client's"));
        }
        if granted.key.is_some() && granted.key != key {
            return Err(error(
                "invalid_grant",
                "The refresh token is bound to another key: send a proof with that",
            ));
        }
        self.check_target(params, &granted.resource)?;
        let scopes = match params.get("scope") {
            Some(asked) => {
                let asked: Vec<String> =
                    asked.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
                match asked.iter().all(|scope| granted.scopes.contains(scope)) {
                    true => asked,
                    false => return Err(error("invalid_scope", "The person allowed less than that")),
                }
            }
            None => granted.scopes.clone(),
        };
        let next = self.families.rotate(token, self.now()).await?;
        self.answer(&family, &granted, &scopes, key, Some(next)).await
    }

    /// An assertion of an identity provider that we trust (RFC 7523, and the Enterprise-Managed Authorization
    /// extension, section 5.1). It leads to no refresh token: the provider decides anew each time.
    async fn by_assertion(
        &self,
        client: &Client,
        params: &Params,
        key: Option<String>,
    ) -> Result<Response<Body>, OAuthError> {
        #[derive(Deserialize)]
        struct IdJag {
            client_id: Option<String>,
            resource: Option<String>,
            scope: Option<String>,
        }
        let invalid = |why: String| OAuthError::new("invalid_grant", why);
        if client.is_public() || !client.may(JWT_BEARER) {
            return Err(error(
                "unauthorized_client",
                "Assertions are taken from clients that show who they are, and registered for it",
            ));
        }
        let assertion = params.need("assertion")?;
        let refused = |error: JoseError| match error.is_unavailable() {
            true => OAuthError::new("temporarily_unavailable", error.to_string()),
            false => invalid(format!("The assertion is refused: {error}")),
        };
        let jwt = Jwt::parse(assertion).map_err(refused)?;
        jwt.expect_type("oauth-id-jag+jwt").map_err(refused)?;
        let claims: Claims = jwt.unverified().map_err(refused)?;
        let trusted =
            self.assertions.iter().find(|trusted| claims.iss.as_deref() == Some(trusted.issuer.as_str()));
        let trusted = trusted
            .ok_or_else(|| invalid("Assertions of that identity provider are not taken here".to_owned()))?;
        let keys = trusted.keys.keys(jwt.header().kid.as_deref(), jwt.algorithm()).await.map_err(refused)?;
        let verified = jwt.verify_with(&keys, Algorithm::ALL).map_err(refused)?;
        let claims: Claims = verified.claims().map_err(refused)?;
        let rules = ClaimRules {
            issuer: &trusted.issuer,
            audiences: &[&self.issuer],
            now: self.now(),
            skew: self.skew,
        };
        claims.check(&rules).map_err(refused)?;
        let own: IdJag = verified.claims().map_err(refused)?;
        if own.client_id.as_deref() != Some(&client.id) {
            return Err(invalid("The assertion is for another client".to_owned()));
        }
        let resource = own
            .resource
            .as_deref()
            .and_then(|resource| self.resources.iter().find(|known| known.is(resource)));
        let resource = resource
            .ok_or_else(|| invalid("The assertion is for a resource that is not known here".to_owned()))?;
        self.check_target(params, &resource.identifier)?;
        self.use_once("assertion", &claims).await?;
        let document: serde_json::Value = verified.claims().map_err(refused)?;
        let subject = (trusted.admit)(&document)
            .ok_or_else(|| invalid("The person may not come in here".to_owned()))?;
        let asked = params.get("scope").or(own.scope.as_deref());
        let within = |scope: &&str| {
            own.scope.as_deref().is_none_or(|given| given.split(' ').any(|given| given == *scope))
        };
        let scopes: Vec<String> = match asked {
            Some(asked) => asked
                .split(' ')
                .filter(within)
                .filter(|scope| resource.scopes.iter().any(|known| known == scope))
                .map(str::to_owned)
                .collect(),
            None => resource.scopes.clone(),
        };
        let granted = Granted {
            subject,
            client: client.id.clone(),
            scopes,
            resource: resource.identifier.clone(),
            key: None,
        };
        self.answer(&family::named(&Families::seed()), &granted, &granted.scopes, key, None).await
    }

    /// Remembers an assertion until it ends: it counts once.
    async fn use_once(&self, kind: &str, claims: &Claims) -> Result<(), OAuthError> {
        let (Some(iss), Some(jti), Some(exp)) = (&claims.iss, &claims.jti, claims.exp) else {
            return Err(error("invalid_grant", "The assertion needs iss, jti and exp"));
        };
        // One that is for others too could be shown here by any of them.
        if claims.aud.0.len() != 1 {
            return Err(error("invalid_grant", "The assertion has to be for this server alone (aud)"));
        }
        if exp.time() > self.now() + LONGEST_ASSERTION + self.skew || jti.len() > 512 {
            return Err(error(
                "invalid_grant",
                "The assertion lasts longer than an hour, or its jti is too long",
            ));
        }
        let name = Records::named(kind, &format!("{iss}\n{jti}"));
        match self.records.add(&name, &true, Some(exp.time() + self.skew)).await? {
            true => Ok(()),
            false => Err(error("invalid_grant", "The assertion was used before")),
        }
    }

    async fn answer(
        &self,
        family: &str,
        granted: &Granted,
        scopes: &[String],
        key: Option<String>,
        refresh: Option<String>,
    ) -> Result<Response<Body>, OAuthError> {
        let now = self.now();
        // Refresh tokens are not the resource's business.
        let of_resource: Vec<&str> =
            scopes.iter().map(String::as_str).filter(|scope| *scope != "offline_access").collect();
        let claims = AccessToken {
            iss: &self.issuer,
            sub: &granted.subject,
            aud: &granted.resource,
            client_id: &granted.client,
            scope: of_resource.join(" "),
            iat: NumericDate::of(now),
            exp: NumericDate::of(now + self.token_life),
            jti: format!("{family}.{}", random(12)),
            cnf: key.as_deref().map(|jkt| Confirmation { jkt }),
        };
        let signing = self.signing.key().await?;
        let token = signing.sign("at+jwt", &claims).map_err(AuthError::from)?;
        let mut document = serde_json::json!({
            "access_token": token,
            "token_type": if key.is_some() { "DPoP" } else { "Bearer" },
            "expires_in": self.token_life.as_secs(),
            "scope": scopes.join(" "),
        });
        if let Some(refresh) = refresh {
            document["refresh_token"] = refresh.into();
        }
        Ok(json(StatusCode::OK, &document))
    }

    /// `POST revoke` (RFC 7009). A token that is not known is as good as revoked.
    pub(super) async fn revoke(&self, headers: &HeaderMap, params: &Params) -> Response<Body> {
        match self.try_revoke(headers, params).await {
            Ok(()) => json(StatusCode::OK, &serde_json::json!({})),
            Err(error) => error.response(),
        }
    }

    async fn try_revoke(&self, headers: &HeaderMap, params: &Params) -> Result<(), OAuthError> {
        let client = self.authenticate(headers, params).await?;
        let token = params.need("token")?;
        if family::name_of(token).is_some() {
            return match self.families.look(token).await {
                Ok((family, granted)) if granted.client == client.id => {
                    Ok(self.families.end(&family, self.now()).await?)
                }
                Ok(_) => Err(error("invalid_grant", "The token is another client's")),
                // A client that is told so believes that the token is revoked.
                Err(failure) if failure.status.is_server_error() => Err(failure),
                Err(_) => Ok(()),
            };
        }
        #[derive(Deserialize)]
        struct Ours {
            client_id: String,
            jti: String,
        }
        let published = self.signing.published().await?;
        let ours: Option<Ours> = Jwt::parse(token)
            .and_then(|jwt| jwt.verify_with(&published, &[Algorithm::Es256]))
            .and_then(|verified| verified.claims())
            .ok();
        match ours.as_ref().and_then(|ours| Some((ours.client_id == client.id, ours.jti.split_once('.')?.0)))
        {
            Some((true, family)) => Ok(self.families.end(family, self.now()).await?),
            Some((false, _)) => Err(error("invalid_grant", "The token is another client's")),
            None => Ok(()),
        }
    }

    /// Finds out which client asks. It shows who it is in one way, and in the way it registered.
    async fn authenticate(&self, headers: &HeaderMap, params: &Params) -> Result<Client, OAuthError> {
        let basic = basic(headers)?;
        let assertion = params.get("client_assertion");
        let ways = [basic.is_some(), params.get("client_secret").is_some(), assertion.is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            return Err(error("invalid_request", "Show who you are in one way only"));
        }
        let refused = |why: &str| OAuthError { basic: basic.is_some(), ..error("invalid_client", why) };
        let asserted =
            assertion.map(|assertion| Jwt::parse(assertion).and_then(|jwt| jwt.unverified::<Claims>()));
        let asserted =
            asserted.transpose().map_err(|why| refused(&why.to_string()))?.and_then(|claims| claims.sub);
        let named = [basic.as_ref().map(|(id, _)| id.as_str()), params.get("client_id"), asserted.as_deref()];
        let mut named = named.into_iter().flatten();
        let id = named.next().ok_or_else(|| refused("The client_id is missing"))?;
        if named.any(|other| other != id) {
            return Err(error("invalid_request", "Two different clients are named"));
        }
        let client = match self.clients.find(id, self.now()).await? {
            Ok(client) => client,
            Err(Refused(_, why)) => return Err(refused(&why)),
        };
        let secret = basic.as_ref().map(|(_, secret)| secret.expose()).or(params.get("client_secret"));
        match (&client.proves, secret, assertion) {
            (Proves::Nothing, None, None) => Ok(client),
            // Some clients send an empty secret, or one they were given long ago: it proves nothing.
            (Proves::Nothing, Some(_), None) => Ok(client),
            (Proves::Secret(digest), Some(secret), None) if same(&sha256(secret), digest) => Ok(client),
            (Proves::Keys { published, at }, None, Some(assertion)) => {
                if params.get("client_assertion_type") != Some(ASSERTION) {
                    return Err(error("invalid_request", "The client_assertion_type is not the one of JWTs"));
                }
                let keys = self.clients.keys(published.as_deref(), at.as_ref());
                self.check_assertion(&client.id, assertion, &*keys).await?;
                Ok(client)
            }
            _ => Err(refused("The client did not show who it is, or not in the way it registered")),
        }
    }

    /// RFC 7523, section 3.
    async fn check_assertion(
        &self,
        id: &str,
        assertion: &str,
        keys: &dyn KeySource,
    ) -> Result<(), OAuthError> {
        let refused = |why: JoseError| {
            if why.is_unavailable() {
                // Why it failed stays here: the client chose the address.
                tracing::info!(%why, "a client's keys could not be fetched");
                return error("invalid_client", "The client's keys cannot be had at its jwks_uri");
            }
            OAuthError::new("invalid_client", why.to_string())
        };
        let jwt = Jwt::parse(assertion).map_err(refused)?;
        let kid = jwt.header().kid.clone();
        let keys = keys.keys(kid.as_deref(), jwt.algorithm()).await.map_err(refused)?;
        let claims: Claims =
            jwt.verify_with(&keys, Algorithm::ALL).and_then(|verified| verified.claims()).map_err(refused)?;
        let endpoint = format!("{}{}", self.origin, self.path("token"));
        let audiences = [self.issuer.as_str(), &endpoint];
        claims
            .check(&ClaimRules { issuer: id, audiences: &audiences, now: self.now(), skew: self.skew })
            .map_err(refused)?;
        if claims.sub.as_deref() != Some(id) {
            return Err(error("invalid_client", "The assertion is about another client"));
        }
        self.use_once("client-assertion", &claims)
            .await
            .map_err(|why| OAuthError { code: "invalid_client", ..why })
    }
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The name and secret of HTTP's own authentication (RFC 6749, section 2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, OAuthError> {
    let wrong = || error("invalid_request", "The Authorization header cannot be read");
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = given.next() else { return Ok(None) };
    let text = header.to_str().map_err(|_| wrong())?;
    let (scheme, encoded) = text.split_once(' ').ok_or_else(wrong)?;
    if given.next().is_some() || !scheme.eq_ignore_ascii_case("basic") {
        return Err(wrong());
    }
    let pair = STANDARD
        .decode(encoded.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(wrong)?;
    let (id, secret) = pair.split_once(':').ok_or_else(wrong)?;
    let plain = |text: &str| -> Option<String> {
        let pair = format!("v={text}");
        let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
        Some(value.into_owned())
    };
    // A bare `&` would split the pair: whoever sends one does not encode at all.
    let decoded =
        |text: &str| if text.contains('&') { text.to_owned() } else { plain(text).unwrap_or_default() };
    Ok(Some((decoded(id), Secret::new(decoded(secret)))))
}
