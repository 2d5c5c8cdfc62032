//! Manifests written from the description of an API, for people who then choose and describe its tools.
//!
//! Invariant: what is written is read without a problem, or the error says what is missing.

use std::path::Path;

use loggia::wire::text::redact_url;
use loggia_connect::manifest::ConnectorManifest;
use loggia_openapi::Api;

use crate::api::read_description;
use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};

/// The description that a manifest is written from. Files are found from the current folder.
#[derive(Debug, Clone, Copy)]
pub enum DescribedApi<'s> {
    /// A REST API: the file or URL of its OpenAPI or Swagger description.
    OpenApi {
        /// The file or URL.
        description: &'s str,
        /// The URL that paths are added to, if it is not the one of the description.
        base_url: Option<&'s str>,
    },
    /// A GraphQL API: the file or URL of its schema, as SDL or as the result of an introspection query.
    #[cfg(feature = "graphql")]
    GraphQl {
        /// The file or URL.
        schema: &'s str,
        /// The URL of the endpoint.
        endpoint: &'s str,
        /// The name of the API for people.
        title: &'s str,
        /// The levels of objects that documents select.
        depth: usize,
    },
}

/// Writes a manifest with the tools of these names; without names, with at most 15 that read and write the main objects.
///
/// # Errors
///
/// [`GatewayError::Configuration`] if the description cannot be read, has no tool of a name, or gives no usable manifest.
pub async fn draft_manifest(
    described: DescribedApi<'_>,
    tools: &[&str],
    credentials: &Credentials,
) -> Result<String> {
    let policy = credentials.policy(true);
    let text = match described {
        DescribedApi::OpenApi { description, base_url } => {
            let (text, url) = read_description(Path::new("."), description, &policy).await?;
            let api = Api::read(&text).map_err(GatewayError::configuration)?;
            let base_url = match base_url {
                Some(given) => given.parse().map_err(|_| not_a_url(given))?,
                None => api.base_url_from(url.as_ref()).map_err(GatewayError::configuration)?,
            };
            loggia_openapi::curate(&api, &base_url, tools).map_err(GatewayError::configuration)?
        }
        #[cfg(feature = "graphql")]
        DescribedApi::GraphQl { schema, endpoint, title, depth } => {
            use loggia_openapi::graphql::{GraphqlSchema, SelectionLimits};
            let (text, _) = read_description(Path::new("."), schema, &policy).await?;
            let schema = GraphqlSchema::read(&text).map_err(GatewayError::configuration)?;
            let endpoint = endpoint.parse().map_err(|_| not_a_url(endpoint))?;
            let limits = SelectionLimits { depth, ..SelectionLimits::default() };
            loggia_openapi::curate_graphql(&schema, title, &endpoint, tools, limits)
                .map_err(GatewayError::configuration)?
        }
    };
    ConnectorManifest::parse(&text, "the manifest that was written").map_err(GatewayError::configuration)?;
    Ok(text)
}

fn not_a_url(text: &str) -> GatewayError {
    GatewayError::configuration(format_args!("{:?} is not a URL", redact_url(text)))
}
