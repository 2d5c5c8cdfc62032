//! Connectors of kind `openapi`: a REST API, by its description.

use std::ops::Range;

use http::HeaderName;

use super::OpenApi;
use super::error::Problems;
use super::raw::RawConnector;
use super::url::{URL, is_url};
use crate::secret::Template;

/// Checks the keys of a connector of kind `openapi`.
pub(super) fn openapi(
    raw: RawConnector,
    name: Range<usize>,
    problems: &mut Problems<'_>,
) -> Option<OpenApi<Template>> {
    let Some(description) = raw.description else {
        return problems.add(
            name,
            "a connector of kind \"openapi\" needs a description, for example description = \"openapi.yaml\" or a URL",
        );
    };
    let headers = raw.headers.map(toml::Spanned::into_inner).unwrap_or_default();
    for (header, _) in headers.iter().filter(|(name, _)| name.as_ref().parse::<HeaderName>().is_err()) {
        problems.add::<()>(header.span(), "this cannot be the name of a header");
    }
    let base_url = raw.base_url.and_then(|text| {
        let span = text.span();
        let url = problems.template(text)?;
        match url.is_plain() && !is_url(url.written()) {
            true => problems.add(span, URL),
            false => Some(url),
        }
    });
    Some(OpenApi {
        description: problems.template(description)?,
        base_url,
        credential: raw.credential.and_then(|text| problems.template(text)),
        headers: problems.templates(headers),
    })
}
