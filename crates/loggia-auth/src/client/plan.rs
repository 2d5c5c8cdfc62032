//! The plan of a token request: the authorization server to ask, the scopes to ask for, and the key to bind the token
//! to.
//!
//! All grant types need the same decisions. Invariant: scopes follow the "Scope Selection Strategy" of the
//! specification.

use super::credential::Credential;
use super::settings::{ClientSettings, DpopUse};
use crate::discovery::{BearerChallenge, DiscoveryResult};
use crate::dpop::DpopSigner;
use crate::error::AuthError;
use crate::scope::Scopes;

const OFFLINE: &str = "offline_access";

/// The plan of a request for a new token.
pub(super) struct TokenRequestPlan {
    pub(super) discovery: DiscoveryResult,
    pub(super) scopes: Scopes,
    pub(super) signer: Option<DpopSigner>,
}

impl TokenRequestPlan {
    /// Plans a request with the scopes that a challenge demands. `earlier_scopes` were requested before; `current` is
    /// the current credential; `has_user` is true if a user consents to the scopes.
    pub(super) async fn new(
        settings: &ClientSettings,
        challenge: &BearerChallenge,
        earlier_scopes: &Scopes,
        current: Option<&Credential>,
        has_user: bool,
    ) -> Result<TokenRequestPlan, AuthError> {
        let preregistered = settings.identity.preregistered().find_map(|client| client.issuer.as_deref());
        let known = current.map(|credential| credential.issuer.as_str());
        let preferred = settings.issuer.as_deref().or(known).or(preregistered);
        let discovery = settings.discover(challenge, preferred, settings.issuer.as_deref()).await?;
        let scopes = select_scopes(challenge, &discovery, earlier_scopes, &settings.extra_scopes, has_user);
        let signer =
            wants_dpop(settings.dpop, challenge, &discovery).then(DpopSigner::generate).transpose()?;
        Ok(TokenRequestPlan { discovery, scopes, signer })
    }
}

/// Selects the scopes to request ("Scope Selection Strategy").
fn select_scopes(
    challenge: &BearerChallenge,
    discovery: &DiscoveryResult,
    earlier: &Scopes,
    extra: &Scopes,
    has_user: bool,
) -> Scopes {
    let published = || discovery.resource.as_ref().and_then(|resource| resource.scopes());
    let wanted = match &challenge.scope {
        Some(scope) => scope.clone(),
        None if earlier.is_empty() => published().unwrap_or_default(),
        None => Scopes::new(),
    };
    let scopes = wanted.union(earlier).union(extra);
    let is_supported = discovery.server.features.scopes_supported.iter().any(|scope| scope == OFFLINE);
    let offline: Scopes = [OFFLINE].into_iter().collect();
    if is_supported && has_user && !scopes.is_empty() {
        scopes.union(&offline)
    } else if !is_supported && earlier.contains(OFFLINE) {
        // It was requested from another authorization server.
        scopes.without(&offline)
    } else {
        scopes
    }
}

/// Returns whether the token is to be bound to a key.
fn wants_dpop(dpop: DpopUse, challenge: &BearerChallenge, discovery: &DiscoveryResult) -> bool {
    let resource = discovery.resource.as_ref();
    let is_required = resource.is_some_and(|resource| resource.dpop_bound_access_tokens_required);
    let is_offered = challenge.dpop || resource.is_some_and(|resource| resource.supports_dpop());
    match dpop {
        DpopUse::Never => false,
        DpopUse::WhenAsked => is_required || (is_offered && discovery.server.supports_dpop()),
        DpopUse::Always => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::testing::discovery;

    #[test]
    fn scopes_are_selected_in_the_order_of_the_specification() {
        // The scopes of the challenge, of the resource, of the authorization server, requested earlier, configured;
        // whether a user consents; the selection.
        let table = [
            (None, "", "", "", "", true, ""),
            (None, "read", "", "", "", true, "read"),
            (Some("write"), "read", "", "", "", true, "write"),
            (None, "read", "", "mail", "", true, "mail"),
            (Some("write"), "read", "", "mail", "extra", true, "extra mail write"),
            (None, "read", OFFLINE, "", "", true, "offline_access read"),
            (None, "read", OFFLINE, "", "", false, "read"),
            (None, "", OFFLINE, "", "", true, ""),
            (None, "", "", "mail offline_access", "", true, "mail"),
            (None, "", OFFLINE, "mail offline_access", "", false, "mail offline_access"),
        ];
        for (challenge, resource, server, earlier, extra, has_user, expected) in table {
            let found = discovery(
                serde_json::json!({ "scopes_supported": resource.split_whitespace().collect::<Vec<_>>() }),
                serde_json::json!({ "scopes_supported": server.split_whitespace().collect::<Vec<_>>() }),
            );
            let scope = challenge.map(Scopes::parse);
            let challenge = BearerChallenge { scope, ..BearerChallenge::default() };
            let (earlier, extra) = (Scopes::parse(earlier), Scopes::parse(extra));
            let selected = select_scopes(&challenge, &found, &earlier, &extra, has_user);
            assert_eq!(selected.to_string(), expected, "{challenge:?} {earlier} {extra}");
        }
    }

    #[test]
    fn tokens_are_bound_to_a_key_if_both_servers_support_it() {
        use DpopUse::{Always, Never, WhenAsked};
        let es256 = || serde_json::json!({ "dpop_signing_alg_values_supported": ["ES256"] });
        let (none, required) =
            (serde_json::json!({}), serde_json::json!({ "dpop_bound_access_tokens_required": true }));
        // The setting, whether the challenge asks, the resource, the authorization server, and the result.
        let table = [
            (Never, true, required.clone(), es256(), false),
            (Always, false, none.clone(), none.clone(), true),
            (WhenAsked, false, none.clone(), es256(), false),
            (WhenAsked, true, none.clone(), none.clone(), false),
            (WhenAsked, true, none.clone(), es256(), true),
            (WhenAsked, false, es256(), es256(), true),
            (WhenAsked, false, required, none, true),
        ];
        for (dpop, asks, resource, server, expected) in table {
            let challenge = BearerChallenge { dpop: asks, ..BearerChallenge::default() };
            let shown = format!("{dpop:?} {asks} {resource} {server}");
            assert_eq!(wants_dpop(dpop, &challenge, &discovery(resource, server)), expected, "{shown}");
        }
    }
}
