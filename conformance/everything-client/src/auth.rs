//! The authorization of the client, which depends on the suite's scenario.

use std::error::Error;
use std::sync::Arc;

use loggia_auth::client::OAuth;
use loggia_auth::extensions::{
    ClientCredentialsGrant, EnterpriseGrant, FixedAssertion, GrantType, IdentityProvider, SubjectTokenType,
    WorkloadGrant,
};
use loggia_auth::jose::SigningKey;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::registration::ClientAuth;
use loggia_auth::registration::{ClientIdentity, RegisteredClient};
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use serde::Deserialize;
use url::Url;

/// The Client ID Metadata Document that the suite expects. It is never fetched.
const DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";

/// The values that the suite gives to a client.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Given {
    client_id: Option<String>,
    client_secret: Option<Secret>,
    private_key_pem: Option<Secret>,
    signing_algorithm: Option<String>,
    valid_jwt: Option<Secret>,
    idp_client_id: Option<String>,
    idp_id_token: Option<Secret>,
    idp_issuer: Option<String>,
    idp_token_endpoint: Option<String>,
}

/// Authorization for the server at `url`.
pub(crate) fn oauth(scenario: &str, url: &str) -> Result<OAuth, Box<dyn Error>> {
    let given: Given = match std::env::var("MCP_CONFORMANCE_CONTEXT") {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => Given::default(),
    };
    let mut identity = ClientIdentity::new("everything-client");
    // The suite cannot fetch the document, and looks at what a client registers where it does.
    if scenario != "auth/offline-access-scope" {
        identity = identity.described_by(Url::parse(DOCUMENT)?);
    }
    let grant = match scenario {
        "auth/client-credentials-jwt" | "auth/client-credentials-basic" => {
            GrantType::ClientCredentials(ClientCredentialsGrant { client: given.client()? })
        }
        "auth/enterprise-managed-authorization" => GrantType::Enterprise(given.enterprise()?),
        "auth/wif-jwt-bearer" => {
            let jwt = given.valid_jwt.clone().ok_or("the suite gives no assertion")?;
            GrantType::Workload(WorkloadGrant {
                client: given.client()?,
                assertion: Arc::new(FixedAssertion(jwt)),
            })
        }
        _ => {
            if given.client_id.is_some() {
                identity = identity.registered(given.client()?);
            }
            GrantType::AuthorizationCode(Arc::new(person()?))
        }
    };
    let oauth = OAuth::builder(Url::parse(url)?, identity).policy(FetchPolicy::development()).grant(grant);
    Ok(oauth.build()?)
}

/// A person whose browser goes where it is sent.
fn person() -> Result<LoopbackUserAgent, Box<dyn Error>> {
    let browser = RestrictedHttpClient::new(FetchPolicy::development())?;
    Ok(LoopbackUserAgent::new(move |page| {
        let (browser, page) = (browser.clone(), page.clone());
        tokio::spawn(async move { browser.get(&page).await });
        Ok(())
    }))
}

impl Given {
    fn client(&self) -> Result<RegisteredClient, Box<dyn Error>> {
        let auth = match (&self.private_key_pem, &self.client_secret) {
            (Some(pem), _) => {
                let algorithm = self.signing_algorithm.as_deref().map(str::parse).transpose()?;
                ClientAuth::Key(Arc::new(SigningKey::from_pem(pem.expose(), algorithm)?))
            }
            (None, Some(secret)) => ClientAuth::Secret(secret.clone()),
            (None, None) => ClientAuth::None,
        };
        let client_id = self.client_id.clone().ok_or("the suite gives no client")?;
        Ok(RegisteredClient { issuer: None, client_id, auth })
    }

    fn enterprise(&self) -> Result<EnterpriseGrant, Box<dyn Error>> {
        let missing = "the suite gives no identity provider";
        Ok(EnterpriseGrant {
            provider: IdentityProvider {
                issuer: self.idp_issuer.clone().ok_or(missing)?,
                token_endpoint: self.idp_token_endpoint.as_deref().map(Url::parse).transpose()?,
                client: RegisteredClient::public(self.idp_client_id.clone().ok_or(missing)?),
            },
            subject: Arc::new(FixedAssertion(self.idp_id_token.clone().ok_or(missing)?)),
            subject_type: SubjectTokenType::IdToken,
            client: self.client()?,
        })
    }
}
