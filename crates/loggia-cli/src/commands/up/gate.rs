//! What stands before the endpoint where callers must say who they are: the layer that checks tokens, and the
//! authorization server that gives them.

use std::sync::Arc;

use loggia_auth::client::AuthError;
use loggia_auth::guard::{Guard, Policy};
use loggia_auth::resource::{Resource, ResourceLayer, ScopePolicy};
use loggia_auth::server::{Admit, AuthorizationServer, OpenId, SignIn};
use loggia_connect::manifest::{self, Admitted, PublicUrl, ServerSection, SubjectClaim};
use serde_json::Value;
use url::Url;

use super::banner;
use super::people::Accounts;
use crate::credentials::Credentials;
use crate::exit::{Failure, Outcome};
use crate::{user, vault};

/// What every request needs.
pub(crate) const SCOPE: &str = "mcp";

/// The layers.
pub(crate) struct Gate {
    pub(crate) resource: ResourceLayer,
    pub(crate) server: AuthorizationServer,
    pub(crate) accounts: Accounts,
}

impl Gate {
    /// For the endpoint at `url`, whose URL without a path is `base`.
    pub(crate) async fn open(
        base: &str,
        url: &str,
        server: &ServerSection,
        credentials: &Credentials,
    ) -> Outcome<Gate> {
        let vault = vault::open(credentials, &server.vault_key).await?;
        // Clients of a server on this machine may be on this machine.
        let local = base.parse::<PublicUrl>().is_ok_and(|url| url.is_local());
        let policy = Policy { loopback: local, ..Policy::default() };
        let guard = Guard::new(policy.clone()).map_err(Failure::usage)?;
        let openid = server.auth.as_ref().and_then(|auth| auth.openid.as_ref());
        let sign_in = match openid {
            Some(provider) => SignIn::OpenId(Arc::new(openid_at(provider, policy)?)),
            None => SignIn::Link { subject: user::name(), show: Arc::new(show) },
        };
        let store = Arc::new(vault.internal("authorization-server"));
        let issuer = AuthorizationServer::builder(base, store, guard)
            .resource(url, [SCOPE])
            .sign_in(sign_in)
            .build()
            .map_err(wrong)?;
        let keys = Arc::new(vault::api_keys(&vault));
        let resource = Resource::new(url.parse().map_err(Failure::usage)?)
            .map_err(Failure::usage)?
            .title("Loggia")
            .issuer(issuer.issuer())
            .api_keys(keys)
            .scopes(ScopePolicy::new().always(SCOPE))
            .message_bytes(server.limits.message_bytes);
        Ok(Gate { resource: resource.layer(), server: issuer, accounts: Accounts::new(base, &vault) })
    }
}

/// Whoever sees the terminal is the one person of this machine.
fn show(link: &Url) {
    banner::on_stdout(format!("Sign in at {link}"));
}

fn openid_at(provider: &manifest::OpenId, policy: Policy) -> Outcome<OpenId> {
    let issuer: Url = provider.issuer.parse().map_err(Failure::usage)?;
    // Whoever runs us named it: wherever it is, it may be reached.
    let guard = Guard::new(policy.trusting(&issuer)).map_err(Failure::usage)?;
    let environment = |name: &str| std::env::var(name).ok();
    let secret = provider.client_secret.as_ref().map(|secret| secret.expand(&environment)).transpose();
    let secret = secret.map_err(Failure::usage)?.as_ref().map(vault::secret);
    let openid = OpenId::new(&provider.issuer, &provider.client_id, secret, guard).map_err(Failure::usage)?;
    Ok(openid.admit(admit(provider.admitted.clone(), provider.subject)))
}

/// Who may come in, and under which name.
fn admit(admitted: Admitted, subject: SubjectClaim) -> Admit {
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

fn wrong(error: AuthError) -> Failure {
    Failure::usage(error)
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
