//! The layers before an endpoint with authorization: the check of tokens and the authorization server that issues them.

use std::sync::Arc;

use loggia::transport::http::SessionKey;
use loggia_auth::remote_issuer::RemoteIssuer;
use loggia_auth::resource::{
    DpopPolicy, IntrospectionEndpoint, ResourceServer, ResourceServerLayer, ScopePolicy, TrustedIssuer,
};
use loggia_auth::restricted_http::{FetchPolicy, IpNetwork, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use loggia_auth::server::{
    AdmitFn, AuthorizationServer, OAuthClient, OpenIdProvider, RateLimit, SignInLink, SignInMethod,
};
use loggia_connect::builtin::files;
use loggia_connect::manifest::{self, Admitted, AuthSection, PublicUrl, Scopes, SubjectClaim};
use loggia_connect::secret::Template;
use loggia_store::Vault;
use serde_json::Value;
use url::Url;

use super::banner;
use super::people::Accounts;
use crate::config::{Config, environment};
use crate::credentials::Credentials;
use crate::exit::{Failure, Outcome};
use crate::{user, vault};

/// Where the authorization server keeps its records.
pub(crate) const AUTHORIZATION: &str = "authorization-server";

/// The layers.
pub(crate) struct AuthStack {
    pub(crate) resource: ResourceServerLayer,
    pub(crate) server: AuthorizationServer,
    pub(crate) accounts: Accounts,
    pub(crate) vault: Vault,
    pub(crate) sessions: SessionKey,
}

impl AuthStack {
    /// For the endpoint at `url`, whose URL without a path is `base`.
    pub(crate) async fn open(
        base: &str,
        url: &str,
        config: &Config,
        credentials: &Credentials,
        proxies: &[IpNetwork],
    ) -> Outcome<AuthStack> {
        let server = &config.server;
        let vault = vault::open(credentials, &server.vault_key).await?;
        // Clients of a server on this machine may be on this machine.
        let local = base.parse::<PublicUrl>().is_ok_and(|url| url.is_local());
        let policy = credentials.policy(local);
        let auth = server.auth.clone().unwrap_or_default();
        let issuer = embedded(base, url, &auth, &vault, &policy, proxies.to_vec())?;
        let mut resource = ResourceServer::new(url.parse().map_err(Failure::usage)?)
            .map_err(Failure::usage)?
            .title("Loggia")
            .api_keys(Arc::new(vault::api_keys(&vault)))
            .scopes(scope_policy(&auth.scopes, config))
            .dpop(DpopPolicy::accepted())
            .message_bytes(server.limits.message_bytes)
            .resources_per_request(server.limits.subscriptions);
        if auth.embedded {
            resource = resource.issuer(issuer.issuer());
        }
        for other in &auth.issuers {
            resource = resource.issuer(other_issuer(other, &policy)?);
            resource = other.audience.iter().fold(resource, |resource, audience| resource.audience(audience));
        }
        let accounts = Accounts::new(base, same_people(&auth), &vault, credentials);
        let sessions = vault::session_key(&vault).await?;
        Ok(AuthStack { resource: resource.layer(), server: issuer, accounts, vault, sessions })
    }
}

/// The authorization server in this process.
fn embedded(
    base: &str,
    url: &str,
    auth: &AuthSection,
    vault: &Vault,
    policy: &FetchPolicy,
    proxies: Vec<IpNetwork>,
) -> Outcome<AuthorizationServer> {
    let guard = RestrictedHttpClient::new(policy.clone()).map_err(Failure::usage)?;
    let sign_in = match &auth.openid {
        Some(provider) => SignInMethod::OpenId(Arc::new(openid_at(provider, policy)?)),
        None => SignInMethod::Link { subject: user::name(), show: Arc::new(show) },
    };
    let store = Arc::new(vault.internal(AUTHORIZATION));
    let mut builder =
        AuthorizationServer::builder(base, store, guard).resource(url, auth.scopes.all()).sign_in(sign_in);
    builder = builder.rate_limit(Some(RateLimit { proxies, ..RateLimit::default() }));
    for client in &auth.clients {
        let known = OAuthClient::new(&client.client_id, &client.name, &client.redirect_uris);
        builder = builder.client(match &client.client_secret {
            Some(secret) => known.secret(&filled(secret)?),
            None => known,
        });
    }
    for provider in &auth.assertions {
        let keys = RemoteIssuer::new(&provider.issuer, trusting(&provider.issuer, policy)?);
        let keys = Arc::new(keys.map_err(Failure::usage)?);
        builder =
            builder.assertions(&provider.issuer, keys, admit(provider.admitted.clone(), provider.subject));
    }
    builder.build().map_err(Failure::usage)
}

/// Another authorization server whose tokens are taken.
fn other_issuer(other: &manifest::Issuer, policy: &FetchPolicy) -> Outcome<TrustedIssuer> {
    let guard = trusting(&other.issuer, policy)?;
    let issuer = match &other.introspection {
        Some(asked) => {
            let endpoint: Url = asked.endpoint.parse().map_err(Failure::usage)?;
            let guard =
                RestrictedHttpClient::new(policy.clone().trusting(&endpoint)).map_err(Failure::usage)?;
            let secret = filled(&asked.client_secret)?;
            let introspection = IntrospectionEndpoint::new(endpoint, &asked.client_id, &secret, guard);
            TrustedIssuer::introspecting(&other.issuer, introspection)
        }
        None => {
            let keys = RemoteIssuer::new(&other.issuer, guard).map_err(Failure::usage)?;
            TrustedIssuer::signing(&other.issuer, Arc::new(keys))
        }
    };
    Ok(if other.any_token_type { issuer.any_token_type() } else { issuer })
}

/// Whoever runs us named this issuer: wherever it is, it may be reached.
fn trusting(issuer: &str, policy: &FetchPolicy) -> Outcome<RestrictedHttpClient> {
    let url: Url = issuer.parse().map_err(Failure::usage)?;
    RestrictedHttpClient::new(policy.clone().trusting(&url)).map_err(Failure::usage)
}

fn scope_policy(scopes: &Scopes, config: &Config) -> ScopePolicy {
    let policy = scopes.required.iter().fold(ScopePolicy::new(), ScopePolicy::always);
    let policy = scopes.tools.iter().fold(policy, |policy, (name, scope)| policy.tool(name, scope));
    let policy = scopes.prompts.iter().fold(policy, |policy, (name, scope)| policy.prompt(name, scope));
    let policy = config.qualifiers().into_iter().fold(policy, ScopePolicy::qualifier);
    let roots = config.folders().into_iter().flat_map(|folder| files::root_uris(&folder));
    let policy = roots.fold(policy, |policy, root| policy.alias(&root, "file:///"));
    // After the spellings, so that each rule is compiled once.
    let policy = scopes.resources.iter().fold(policy, |policy, (uri, scope)| policy.resource(uri, scope));
    let pairs = scopes.implies.iter().flat_map(|(broad, all)| all.iter().map(move |narrow| (broad, narrow)));
    pairs.fold(policy, |policy, (broad, narrow)| policy.implies(broad, narrow))
}

/// The issuer whose people are those who sign in here: they come from the same provider, and are known by the
/// same name.
fn same_people(auth: &AuthSection) -> Option<String> {
    let openid = auth.openid.as_ref().filter(|openid| openid.subject == SubjectClaim::Sub)?;
    Some(openid.issuer.clone())
}

/// Prints the link: the person who sees the terminal is the one person of this machine.
fn show(link: &SignInLink) {
    let url = link.url();
    banner::on_stdout(match (link.program(), link.destination()) {
        (Some(program), Some(destination)) => {
            format!("Sign in at {url}\n  for the program {program:?}, which takes you to {destination}")
        }
        _ => format!("Sign in at {url}\n  for a page of this hub"),
    });
}

fn openid_at(provider: &manifest::OpenId, policy: &FetchPolicy) -> Outcome<OpenIdProvider> {
    let guard = trusting(&provider.issuer, policy)?;
    let secret = provider.client_secret.as_ref().map(filled).transpose()?;
    let openid =
        OpenIdProvider::new(&provider.issuer, &provider.client_id, secret, guard).map_err(Failure::usage)?;
    Ok(openid.admit(admit(provider.admitted.clone(), provider.subject)))
}

/// A secret of the file, with the variables filled in.
fn filled(template: &Template) -> Outcome<Secret> {
    let secret = template.expand(&environment).map_err(Failure::usage)?;
    Ok(Secret::new(secret.expose()))
}

/// Who may come in, and under which name.
fn admit(admitted: Admitted, subject: SubjectClaim) -> AdmitFn {
    Arc::new(move |claims: &Value| {
        let email = verified_email(claims);
        let may = match &admitted {
            Admitted::Anyone => true,
            Admitted::Some { emails, domains } => email.as_deref().is_some_and(|email| {
                let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
                emails.iter().any(|known| known == email) || domains.iter().any(|known| known == domain)
            }),
        };
        match subject {
            _ if !may => None,
            SubjectClaim::Sub => claims.get("sub")?.as_str().map(str::to_owned),
            SubjectClaim::Email => email,
        }
    })
}

/// An address that the provider knows to be the person's own: anybody can claim one.
fn verified_email(claims: &Value) -> Option<String> {
    let verified = match claims.get("email_verified")? {
        Value::Bool(verified) => *verified,
        // As some providers write it.
        Value::String(text) => text == "true",
        _ => false,
    };
    verified.then(|| claims.get("email")?.as_str().map(str::to_ascii_lowercase)).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_those_who_are_named_come_in() {
        let some =
            || Admitted::Some { emails: vec!["ada@x.example".into()], domains: vec!["y.example".into()] };
        let claims =
            |email: &str, verified: Value| json!({ "sub": "1", "email": email, "email_verified": verified });
        let (sub, email) = (SubjectClaim::Sub, SubjectClaim::Email);
        for (admitted, subject, claims, expected) in [
            (Admitted::Anyone, sub, json!({ "sub": "1" }), Some("1")),
            (Admitted::Anyone, email, json!({ "sub": "1" }), None),
            (Admitted::Anyone, email, claims("ada@x.example", json!(false)), None),
            (some(), sub, claims("Ada@X.example", json!(true)), Some("1")),
            (some(), email, claims("Ada@X.example", json!("true")), Some("ada@x.example")),
            (some(), sub, claims("eve@x.example", json!(true)), None),
            (some(), sub, claims("eve@y.example", json!(true)), Some("1")),
            (some(), sub, claims("eve@y.example", json!(false)), None),
            (some(), sub, claims("eve@y.example", Value::Null), None),
            (some(), sub, claims("eve@not-y.example", json!(true)), None),
            (some(), sub, claims("eve@y.example@z.example", json!(true)), None),
            (some(), sub, json!({ "sub": "1" }), None),
        ] {
            assert_eq!(admit(admitted, subject)(&claims).as_deref(), expected, "{claims}");
        }
    }
}
