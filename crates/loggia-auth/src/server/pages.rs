//! The HTML pages that users see.
//!
//! They have no script. Their policy forbids browsers to load anything, to show them in a frame, and to send their
//! forms elsewhere.

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

use super::http::{RETRY_SECONDS, with_retry_after};
use crate::error::AuthError;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1rem;\
color:#1c1c1e;background:#fff}h1{font-size:1.4rem}.box{border:1px solid #c7c7cc;border-radius:8px;padding:.8rem 1rem;\
margin:1rem 0}.warn{border-color:#b25000}code,b{overflow-wrap:anywhere}button,input{font:inherit;padding:.5rem 1rem;\
border-radius:6px;border:1px solid #8e8e93}button.go{background:#0a5bd3;border-color:#0a5bd3;color:#fff}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#1c1c1e}input,button{background:#2c2c2e;color:#eee}}";

/// Escapes a text for a page, between tags or in quotes.
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

/// Returns a page. `form_target` is a source, in addition to this server, to which its form may redirect.
pub fn page(status: StatusCode, title: &str, content: &str, form_target: Option<&str>) -> Response<Body> {
    let title = escape(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><h1>{title}</h1>{content}</body></html>"
    );
    let mut response = Response::new(Body::full(html));
    *response.status_mut() = status;
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    // Browsers compare the redirect after a form with this list, too.
    let form_target = form_target.map(|source| format!(" {source}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'{form_target}; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Without any referrer, browsers would not send the origin of a form.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Returns a page that explains a problem.
pub fn problem(status: StatusCode, title: &str, what: &str) -> Response<Body> {
    page(status, title, &format!("<p>{}</p>", escape(what)), None)
}

/// Returns the page for an internal error. It only says whether a retry can help.
pub fn error_page(error: &AuthError) -> Response<Body> {
    if !error.is_unavailable() {
        let what = "It was not your fault. The administrator of this server finds the reason in its log.";
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", what);
    }
    let what = "It was not your fault. Wait a moment, then try again.";
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "Something went wrong", what);
    response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    response
}

/// Returns the page for an address that sends too many requests.
pub(super) fn too_many_requests(wait: Duration) -> Response<Body> {
    let what = "Too many requests come from this address. Wait a moment, then load this page again.";
    with_retry_after(problem(StatusCode::TOO_MANY_REQUESTS, "Not so fast", what), wait)
}

/// Returns a page with an error and a link back to the client. The user decides whether to follow it, because the
/// address is not trusted.
pub(super) fn return_link(what: &str, host: &str, url: &str) -> Response<Body> {
    let (what, host, url) = (escape(what), escape(host), escape(url));
    let content = format!("<p>{what}</p><p><a href=\"{url}\" rel=\"noreferrer\">Go back to {host}</a></p>");
    page(StatusCode::BAD_REQUEST, "This cannot be done", &content, None)
}

/// The content of the page that asks for consent.
pub(super) struct ConsentPage<'a> {
    pub(super) action: &'a str,
    pub(super) request: &'a str,
    pub(super) ticket: &'a str,
    pub(super) client: &'a str,
    /// The host that confirms the client's name.
    pub(super) verified_host: Option<&'a str>,
    pub(super) destination: &'a str,
    pub(super) is_local: bool,
    pub(super) resource: &'a str,
    pub(super) scopes: &'a [String],
    pub(super) user: &'a str,
    /// The source to which the form may redirect.
    pub(super) form_target: &'a str,
}

/// Returns the page that asks for consent.
pub(super) fn consent(consent: &ConsentPage<'_>) -> Response<Body> {
    let mut content = String::new();
    let client = escape(consent.client);
    let _ = write!(
        content,
        "<p><b>{client}</b> wants to use <b>{}</b> in your name.</p>",
        escape(consent.resource)
    );
    content.push_str("<div class=\"box\">");
    match consent.verified_host {
        Some(host) => {
            let _ = write!(content, "<p>It is the program described at <b>{}</b>.</p>", escape(host));
        }
        None => content.push_str("<p>It chose its name itself; this name is not verified.</p>"),
    }
    let _ =
        write!(content, "<p>Afterwards you are sent to <b>{}</b>.</p></div>", escape(consent.destination));
    if consent.is_local {
        content.push_str(
            "<div class=\"box warn\"><p>That is a program on this computer. Go on only if you started signing in \
             from there just now: any program here can pretend to be this one.</p></div>",
        );
    }
    if !consent.scopes.is_empty() {
        content.push_str("<p>It asks for:</p><ul>");
        for scope in consent.scopes {
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
        escape(consent.action),
        escape(consent.request),
        escape(consent.ticket),
        escape(consent.user),
    );
    page(StatusCode::OK, "Allow this?", &content, Some(consent.form_target))
}

/// Returns the page with the form for a link's code. If `wrong` is true, it says that the last code was wrong.
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

/// Returns the page on which a user confirms a link.
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

/// Logs an internal error, and returns its page.
pub(super) fn internal_error(error: &AuthError) -> Response<Body> {
    tracing::error!(%error, "the authorization server failed");
    error_page(error)
}

/// Returns the page for a request that is refused, with the reason.
pub(super) fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    problem(status, "This cannot be done", why)
}

/// Returns the page for a form that was not sent from a page of this server.
pub(super) fn foreign_form() -> Response<Body> {
    refusal(StatusCode::FORBIDDEN, "The form did not come from the page that was shown to you.")
}

/// Returns the page for a sign-in that has expired, or is finished.
pub(super) fn expired() -> Response<Body> {
    problem(
        StatusCode::BAD_REQUEST,
        "This took too long",
        "The sign-in has expired, or was finished in another window. Start again in the program you came from.",
    )
}

/// Returns the page for a client whose metadata changed during the sign-in.
pub(super) fn client_changed() -> Response<Body> {
    let why = "The program that sent you here has changed its registration. Start again there.";
    refusal(StatusCode::BAD_REQUEST, why)
}

/// Returns the page for a user whom the identity provider did not sign in, with the reason.
pub(super) fn not_signed_in(why: &str) -> Response<Body> {
    problem(StatusCode::FORBIDDEN, "You are not signed in", why)
}

/// Returns the page after a sign-in that no request waits for.
pub(super) fn signed_in() -> Response<Body> {
    page(StatusCode::OK, "You are signed in", "<p>Go back to the program you came from.</p>", None)
}

/// Returns the page for a sign-in while too many are pending.
pub(super) fn too_many_sign_ins() -> Response<Body> {
    let why = "Too many users are signing in at once.";
    problem(StatusCode::SERVICE_UNAVAILABLE, "Try again later", why)
}
