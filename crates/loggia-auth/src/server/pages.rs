//! The few pages that people see. They are plain HTML without a script; the browser is told to load nothing,
//! to be framed by nobody, and to send forms only where they belong.

use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use loggia::transport::http::Body;
use loggia::wire::text::is_unsafe;
use ring::digest::{SHA256, digest};

use super::http::TRY_AGAIN;
use crate::error::AuthError;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1rem;\
color:#1c1c1e;background:#fff}h1{font-size:1.4rem}.box{border:1px solid #c7c7cc;border-radius:8px;padding:.8rem 1rem;\
margin:1rem 0}.warn{border-color:#b25000}code,b{overflow-wrap:anywhere}button,input{font:inherit;padding:.5rem 1rem;\
border-radius:6px;border:1px solid #8e8e93}button.go{background:#0a5bd3;border-color:#0a5bd3;color:#fff}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#1c1c1e}input,button{background:#2c2c2e;color:#eee}}";

/// A text as it stands in a page, between tags or in quotes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push(' '),
            c if is_unsafe(c) => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A page. `sends_to` are the places, besides this server, that its form may end up at.
pub fn page(status: StatusCode, title: &str, content: &str, sends_to: Option<&str>) -> Response<Body> {
    let title = escape(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><h1>{title}</h1>{content}</body></html>"
    );
    let mut response = Response::new(Body::full(html));
    *response.status_mut() = status;
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    // Browsers hold the redirect after a form against this list too.
    let sends_to = sends_to.map(|place| format!(" {place}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'{sends_to}; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Without any referrer browsers would not say either where a form comes from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// A page that says what went wrong, and with whom.
pub fn problem(status: StatusCode, title: &str, what: &str) -> Response<Body> {
    page(status, title, &format!("<p>{}</p>", escape(what)), None)
}

/// Something failed here. Trying again helps only where the failure passes; nothing else is told.
pub fn failed(error: &AuthError) -> Response<Body> {
    if !error.is_unavailable() {
        let what = "It was not your fault. The administrator of this server finds the reason in its log.";
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", what);
    }
    let what = "It was not your fault. Wait a moment, then try again.";
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "Something went wrong", what);
    response.headers_mut().insert(RETRY_AFTER, TRY_AGAIN);
    response
}

/// Too many requests came from one address.
pub(super) fn too_many(wait: Duration) -> Response<Body> {
    let what = "Too many requests come from this address. Wait a moment, then load this page again.";
    super::http::retry_after(problem(StatusCode::TOO_MANY_REQUESTS, "Not so fast", what), wait)
}

/// A problem that the program which sent the person here should hear of. The person decides whether to go
/// back: where that leads was not vouched for by anybody.
pub(super) fn way_back(what: &str, host: &str, url: &str) -> Response<Body> {
    let (what, host, url) = (escape(what), escape(host), escape(url));
    let content = format!("<p>{what}</p><p><a href=\"{url}\" rel=\"noreferrer\">Go back to {host}</a></p>");
    page(StatusCode::BAD_REQUEST, "This cannot be done", &content, None)
}

/// What the page that asks for consent shows.
pub(super) struct Asking<'a> {
    pub(super) action: &'a str,
    pub(super) request: &'a str,
    pub(super) ticket: &'a str,
    pub(super) client: &'a str,
    /// The host that vouches for the client's name, where one does.
    pub(super) vouched: Option<&'a str>,
    pub(super) redirect_host: &'a str,
    pub(super) is_local: bool,
    pub(super) resource: &'a str,
    pub(super) scopes: &'a [String],
    pub(super) person: &'a str,
    pub(super) sends_to: &'a str,
}

pub(super) fn consent(asking: &Asking<'_>) -> Response<Body> {
    let mut content = String::new();
    let client = escape(asking.client);
    let _ = write!(
        content,
        "<p><b>{client}</b> wants to use <b>{}</b> in your name.</p>",
        escape(asking.resource)
    );
    content.push_str("<div class=\"box\">");
    match asking.vouched {
        Some(host) => {
            let _ = write!(content, "<p>It is the program described at <b>{}</b>.</p>", escape(host));
        }
        None => content.push_str("<p>It chose its name itself; nobody has checked it.</p>"),
    }
    let _ =
        write!(content, "<p>Afterwards you are sent to <b>{}</b>.</p></div>", escape(asking.redirect_host));
    if asking.is_local {
        content.push_str(
            "<div class=\"box warn\"><p>That is a program on this computer. Go on only if you started signing in \
             from there just now: any program here can pretend to be this one.</p></div>",
        );
    }
    if !asking.scopes.is_empty() {
        content.push_str("<p>It asks for:</p><ul>");
        for scope in asking.scopes {
            let _ = write!(content, "<li><code>{}</code></li>", escape(scope));
        }
        content.push_str("</ul>");
    }
    let _ = write!(
        content,
        "<form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"request\" value=\"{}\">\
         <input type=\"hidden\" name=\"ticket\" value=\"{}\">\
         <button class=\"go\" name=\"decision\" value=\"allow\">Allow</button> \
         <button name=\"decision\" value=\"deny\">Do not allow</button></form><p>You are signed in as {}.</p>",
        escape(asking.action),
        escape(asking.request),
        escape(asking.ticket),
        escape(asking.person),
    );
    page(StatusCode::OK, "Allow this?", &content, Some(asking.sends_to))
}

/// Asks for the code that was shown where Loggia runs.
pub(super) fn enter_code(action: &str, request: Option<&str>, wrong: bool) -> Response<Body> {
    let wrong = if wrong {
        "<p class=\"box warn\">That code does not count, or does not count any more.</p>"
    } else {
        ""
    };
    let content = format!(
        "{wrong}<p>Loggia has shown a link where it was started. Open that link in this browser, or enter the code \
         at its end here.</p><form method=\"post\" action=\"{}\">{}<input name=\"code\" autocomplete=\"off\" required \
         autofocus aria-label=\"Code\"> <button class=\"go\">Sign in</button></form>",
        escape(action),
        hidden(request),
    );
    page(if wrong.is_empty() { StatusCode::OK } else { StatusCode::FORBIDDEN }, "Sign in", &content, None)
}

/// Confirms a link. Opening it must not use it up: programs that look at links before people do open them.
pub(super) fn confirm_link(action: &str, request: Option<&str>, code: &str) -> Response<Body> {
    let content = format!(
        "<p>Sign in to Loggia in this browser?</p><form method=\"post\" action=\"{}\">{}\
         <input type=\"hidden\" name=\"code\" value=\"{}\"><button class=\"go\">Sign in</button></form>",
        escape(action),
        hidden(request),
        escape(code),
    );
    page(StatusCode::OK, "Sign in", &content, None)
}

fn hidden(request: Option<&str>) -> String {
    let field = |request| format!("<input type=\"hidden\" name=\"request\" value=\"{}\">", escape(request));
    request.map(field).unwrap_or_default()
}
