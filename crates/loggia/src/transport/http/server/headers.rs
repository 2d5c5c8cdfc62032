//! Headers of the protocol that both eras read, and header values that must not come twice.

use http::{HeaderMap, HeaderName};
use loggia_wire::header;

/// `MCP-Protocol-Version`.
pub(super) const VERSION: HeaderName = HeaderName::from_static(header::MCP_PROTOCOL_VERSION);
/// `Mcp-Session-Id`.
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static(header::MCP_SESSION_ID);
/// `Last-Event-ID`.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static(header::LAST_EVENT_ID);

/// The value of a header that may come once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut found = values(headers, name);
    let Some(first) = found.next() else { return Ok(None) };
    let text = std::str::from_utf8(first).map_err(|_| format!("The header {name} is not text"))?;
    if found.next().is_some() {
        return Err(format!("The header {name} came more than once"));
    }
    Ok(Some(text.trim_matches([' ', '\t'])))
}

pub(super) fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().map(|value| value.as_bytes())
}
