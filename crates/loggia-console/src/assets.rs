//! The files of the console. A path without a file is a page of the application, which routes it itself.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use rust_embed::RustEmbed;

/// The policy of all pages: nothing inline, nothing from another host, no frame around them.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The paths of the pages and files. Any other path keeps its meaning for MCP clients, which look for documents of their own.
pub(crate) const PAGES: [&str; 8] = [
    "/",
    "/directory",
    "/directory/{entry}",
    "/connectors/{name}",
    "/add",
    "/settings",
    "/assets/{file}",
    "/icon.svg",
];

/// The first page.
const INDEX: &str = "index.html";
/// The folder of files whose names change with their content.
const HASHED: &str = "assets/";

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/console/"]
struct ConsoleFiles;

/// Answers with a file of the console, or with its first page.
pub(crate) async fn page(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let is_file = !path.is_empty() && ConsoleFiles::get(path).is_some();
    if !is_file && path.starts_with(HASHED) {
        return with_status(
            StatusCode::NOT_FOUND,
            Body::from("there is no such file"),
            "text/plain; charset=utf-8",
        );
    }
    let name = if is_file { path } else { INDEX };
    let accepts_brotli = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|coding| coding.trim().starts_with("br")));
    let compressed = accepts_brotli.then(|| ConsoleFiles::get(&format!("{name}.br"))).flatten();
    let is_compressed = compressed.is_some();
    let Some(file) = compressed.or_else(|| ConsoleFiles::get(name)) else {
        return with_status(
            StatusCode::NOT_FOUND,
            Body::from("there is no console"),
            "text/plain; charset=utf-8",
        );
    };
    let body = match file.data {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let mut response = with_status(StatusCode::OK, body, media_type(name));
    let headers = response.headers_mut();
    if is_compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let caching = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

fn with_status(status: StatusCode, body: Body, media_type: &'static str) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
