//! REST APIs as connectors: reads or fetches the description, and sends requests with the restricted HTTP client. The
//! module is separate from the connector of `loggia-openapi`, which does no I/O.
//!
//! Invariant: a credential is sent only to the API's own origin, and no error contains it or a query.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use loggia::service::BoxFuture;
use loggia::wire::text::redact_url;
use loggia::{Error, Service};
use loggia_auth::restricted_http::{
    FetchError, FetchPolicy, FetchRequest, HostRule, RestrictedHttpClient, is_local,
};
use loggia_connect::config_file::OpenApi;
use loggia_connect::manifest::{ConnectorValues, ManifestBackend, ManifestTransport};
use loggia_connect::openapi::{self, ApiOptions, HttpSender};
use loggia_connect::secret::Secret;
use loggia_openapi::{Api, ResponseLimits};
use url::Url;

use crate::request_header::header;

/// The maximum number of bytes of a description.
const MAX_DESCRIPTION: usize = 32 << 20;
/// The maximum number of bytes of a response.
const MAX_RESPONSE: usize = 16 << 20;
/// The time limit of one HTTP request. A call has the time limit of the connector.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// Opens a REST API as a service. A relative path of its description is relative to `base`.
pub(crate) async fn open(
    base: &Path,
    from: &OpenApi<Secret>,
    limits: ResponseLimits,
    policy: FetchPolicy,
) -> loggia::Result<Arc<dyn Service>> {
    let (text, description_url) = read_description(base, from.description.expose(), &policy).await?;
    let read = tokio::task::spawn_blocking(move || Api::read(&text)).await;
    let api =
        read.map_err(|_| Error::Configuration("the description could not be read".to_owned()))?.map_err(
            |error| Error::Configuration(format!("{}: {error}", redact_url(from.description.expose()))),
        )?;
    let base_url = match &from.base_url {
        Some(url) => uri(url.expose())?,
        None => api
            .base_url_from(description_url.as_ref())
            .map_err(|error| Error::Configuration(error.to_string()))?,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &from.headers {
        let (name, value) = header(name, value.expose())?;
        headers.insert(name, value);
    }
    // A description from the network must not lead into a private network: only its own origin is trusted.
    let origin = |url: &Uri| (url.scheme().cloned(), url.authority().cloned());
    let is_trusted = from.base_url.is_some()
        || description_url.as_ref().is_none_or(|url| origin(url) == origin(&base_url));
    let sender = RestrictedSender::new(&base_url, policy, is_trusted)?;
    let options = ApiOptions { credential: from.credential.clone(), headers, limits };
    Ok(openapi::server(api, base_url, options, Arc::new(sender))?.into_service())
}

/// Reads a description: a file below `base`, or a URL, which is returned with it.
pub(crate) async fn read_description(
    base: &Path,
    description: &str,
    policy: &FetchPolicy,
) -> loggia::Result<(Bytes, Option<Uri>)> {
    let url = Url::parse(description).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        let path = base.join(description);
        let unreadable = |error: &dyn std::fmt::Display| {
            Error::Configuration(format!("the description {} cannot be read: {error}", path.display()))
        };
        let read = tokio::task::spawn_blocking({
            let path = path.clone();
            move || {
                let mut text = Vec::new();
                let file = std::fs::File::open(path)?;
                file.take(MAX_DESCRIPTION as u64 + 1).read_to_end(&mut text).map(|_| text)
            }
        });
        let text = read.await.map_err(|error| unreadable(&error))?.map_err(|error| unreadable(&error))?;
        if text.len() > MAX_DESCRIPTION {
            return Err(unreadable(&"it is longer than 32 MiB"));
        }
        return Ok((text.into(), None));
    };
    let policy = FetchPolicy { most_bytes: MAX_DESCRIPTION, ..policy.clone().trusting(&url) };
    let client =
        RestrictedHttpClient::new(policy).map_err(|error| Error::Configuration(error.to_string()))?;
    let fetched =
        client.get(&url).await.map_err(|error| Error::Io(std::io::Error::other(error.to_string())))?;
    if !fetched.status.is_success() {
        let url = redact_url(url.as_str());
        let why = format!("the description {url} cannot be fetched: the server answers {}", fetched.status);
        return Err(Error::Configuration(why));
    }
    Ok((fetched.body, Some(uri(fetched.url.as_str())?)))
}

fn uri(text: &str) -> loggia::Result<Uri> {
    text.parse().map_err(|_| Error::Configuration(format!("{:?} is not a URL", redact_url(text))))
}

/// Sends requests to one API with the restricted HTTP client.
pub(crate) struct RestrictedSender {
    client: RestrictedHttpClient,
    host: String,
}

impl RestrictedSender {
    /// Sends to the API of a direct backend, and only to the hosts that its manifest allows. The administrator chose the
    /// manifest, so its URL is trusted.
    pub(crate) fn of_backend(
        backend: &ManifestBackend,
        values: &ConnectorValues,
        policy: FetchPolicy,
    ) -> Result<RestrictedSender, String> {
        let url = match &backend.transport {
            ManifestTransport::OpenApi(api) => api.base_url.as_ref(),
            ManifestTransport::GraphQl(api) => Some(&api.url),
            _ => None,
        };
        let url = url.ok_or("its API has no URL")?;
        let url = values.text(url).map_err(|missing| missing.to_string())?;
        let url = url.expose().parse().map_err(|_| "the URL of its API is no URL")?;
        let allowlist = backend.host_allowlist(values).map_err(|missing| missing.to_string())?;
        let hosts = allowlist.map(|list| {
            HostRule::new("network.allow of the manifest", move |url: &Url| list.allows(url.as_str()))
        });
        RestrictedSender::new(&url, FetchPolicy { hosts, ..policy }, true).map_err(|error| match error {
            Error::Configuration(reason) => reason,
            other => other.to_string(),
        })
    }

    /// Sends to the API at `server`. If it is trusted, its address may be private.
    pub(crate) fn new(
        server: &Uri,
        policy: FetchPolicy,
        is_trusted: bool,
    ) -> loggia::Result<RestrictedSender> {
        let wrong =
            |error: &dyn std::fmt::Display| Error::Configuration(format!("the API cannot be used: {error}"));
        let url = Url::parse(&server.to_string()).map_err(|error| wrong(&error))?;
        let policy = if is_trusted { policy.trusting(&url) } else { policy };
        let policy = FetchPolicy { most_bytes: MAX_RESPONSE, timeout: REQUEST_TIMEOUT, ..policy };
        policy.check(&url).map_err(|error| wrong(&error))?;
        if url.scheme() == "http" && !is_local(&url) {
            return Err(wrong(
                &"its URL begins with http, so requests and credentials would be sent unencrypted. Use https",
            ));
        }
        let client = RestrictedHttpClient::new(policy).map_err(|error| wrong(&error))?;
        Ok(RestrictedSender { client, host: url.host_str().unwrap_or_default().to_owned() })
    }
}

impl HttpSender for RestrictedSender {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, String>> {
        Box::pin(async move {
            let failed = |error: FetchError| {
                // The path of the URL may contain an API key.
                tracing::debug!(%error, "a request to an API failed");
                match error {
                    FetchError::Host { host, rule } => {
                        format!("{} redirects to {host}, which is not in {rule}", self.host)
                    }
                    _ => format!("the request to {} failed", self.host),
                }
            };
            let fetched =
                self.client.send(FetchRequest::from_http(request).map_err(failed)?).await.map_err(failed)?;
            let mut response = Response::new(fetched.body);
            *response.status_mut() = fetched.status;
            *response.headers_mut() = fetched.headers;
            Ok(response)
        })
    }
}
