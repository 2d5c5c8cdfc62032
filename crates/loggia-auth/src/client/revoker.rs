//! The revoker: tells the authorization server that the tokens of a credential are no longer needed (RFC 7009).
//!
//! After a sign-out, the tokens must not be usable. Invariant: the refresh token is revoked first, because new access
//! tokens can be requested with it.

use std::sync::Arc;

use super::credential::Credential;
use super::issuer_cache::IssuerCache;
use super::settings::ClientSettings;
use crate::error::AuthError;

/// The revoker of the tokens of one server.
pub(super) struct Revoker {
    pub(super) settings: Arc<ClientSettings>,
    pub(super) issuers: Arc<IssuerCache>,
}

impl Revoker {
    /// Revokes the tokens, if the authorization server supports that.
    pub(super) async fn revoke(&self, credential: &Credential) -> Result<(), AuthError> {
        let server = self.issuers.metadata(&credential.issuer, credential.is_2025_03_26).await?;
        let Some(url) = &server.revocation_endpoint else { return Ok(()) };
        let client = self.settings.registrar().client_of_record(&server, &credential.client);
        let endpoint = self.settings.endpoint(url, &server, &client, None);
        if let Some(token) = &credential.refresh_token {
            endpoint.request(vec![("token", token.expose()), ("token_type_hint", "refresh_token")]).await?;
        }
        let form = vec![("token", credential.access_token.expose()), ("token_type_hint", "access_token")];
        endpoint.request(form).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::client::testing::{ClientParts, credential};
    use crate::secret::Secret;
    use crate::testing::{answer, serve};

    #[tokio::test]
    async fn the_refresh_token_is_revoked_first() {
        // The columns: there is an endpoint; there is a refresh token; the tokens that are revoked.
        let table: [(bool, bool, &[&str]); 3] =
            [(true, true, &["r", "a"]), (true, false, &["a"]), (false, true, &[])];
        for (has_endpoint, has_refresh_token, expected) in table {
            let revoked = Arc::new(Mutex::new(Vec::new()));
            let heard = revoked.clone();
            let server = serve(move |request| {
                let base = format!("http://{}", request.headers()["host"].to_str().unwrap());
                if request.uri().path() == "/revoke" {
                    let form: Vec<(String, String)> =
                        url::form_urlencoded::parse(request.body()).into_owned().collect();
                    let token = form.into_iter().find(|(name, _)| name == "token");
                    heard.lock().unwrap().extend(token.map(|(_, token)| token));
                    return answer(200, "");
                }
                let endpoint = has_endpoint.then(|| format!("{base}/revoke"));
                let token_endpoint = format!("{base}/token");
                let metadata = json!({
                    "issuer": base, "token_endpoint": token_endpoint, "revocation_endpoint": endpoint,
                });
                answer(200, &metadata.to_string())
            })
            .await;
            let parts = ClientParts::new(&server);
            let refresh_token = has_refresh_token.then(|| Secret::new("r"));
            let credential = Credential { issuer: parts.issuer.clone(), refresh_token, ..credential("a") };
            let revoker = Revoker { settings: parts.settings.clone(), issuers: parts.issuers.clone() };
            revoker.revoke(&credential).await.unwrap();
            assert_eq!(*revoked.lock().unwrap(), expected, "{has_endpoint} {has_refresh_token}");
        }
    }
}
