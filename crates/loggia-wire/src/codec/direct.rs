//! Results written from their type straight into the buffer. What the protocol adds to every result follows
//! its own members, so that a tree is only needed where the result says something of that itself.

use serde::Serialize;

use super::{RESULT_TYPE, Restrict, result_type};
use crate::jsonrpc;
use crate::model::*;
use crate::shape::Shape;
use crate::version::Version;

/// Writes `result`, which is restricted to `version` already. `false`, with `out` as it was, where only a tree
/// will do.
pub(super) fn write(
    out: &mut Vec<u8>,
    result: &ServerResult,
    version: Version,
    identity: Option<&Implementation>,
) -> bool {
    let start = out.len();
    let written = match result {
        ServerResult::CallTool(r) if texts(out, r) => true,
        ServerResult::Initialize(r) => members(out, &**r, r.meta.as_ref(), &r.extra),
        ServerResult::Discover(r) => members(out, &**r, r.meta.as_ref(), &r.extra),
        ServerResult::ListTools(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::CallTool(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::ListResources(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::ListResourceTemplates(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::ReadResource(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::ListPrompts(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::GetPrompt(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::Complete(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::InputRequired(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::Empty(r) => members(out, r, r.meta.as_ref(), &r.extra),
        ServerResult::Custom(_) => false,
    };
    if !written {
        out.truncate(start);
        return false;
    }
    if version.is_stateless() {
        add(out, start, RESULT_TYPE, result_type(result));
        if let Some(identity) = identity {
            let stamp = Stamp { server_info: Restricted(identity, version) };
            add(out, start, "_meta", &stamp);
        }
    }
    true
}

/// Writes the members of `result`, where nothing among them is the codec's to change: no `_meta`, no unknown
/// members.
fn members(out: &mut Vec<u8>, result: &dyn Shape, meta: Option<&Meta>, extra: &Extra) -> bool {
    meta.is_none() && extra.is_empty() && serde_json::to_writer(out, &result.view()).is_ok()
}

/// Writes what most tools come to, texts and no more, without a serializer between.
fn texts(out: &mut Vec<u8>, result: &CallToolResult) -> bool {
    let plain = |block: &ContentBlock| match block {
        ContentBlock::Text(text) => {
            text.annotations.is_none() && text.meta.is_none() && text.extra.is_empty()
        }
        _ => false,
    };
    let CallToolResult { content, structured_content: None, is_error, meta: None, extra } = result else {
        return false;
    };
    if !extra.is_empty() || !content.iter().all(plain) {
        return false;
    }
    out.extend_from_slice(b"{\"content\":[");
    for (at, text) in content.iter().filter_map(ContentBlock::as_text).enumerate() {
        out.extend_from_slice(if at == 0 { b"" } else { b"," });
        out.extend_from_slice(b"{\"type\":\"text\",\"text\":");
        jsonrpc::write_string(out, text);
        out.push(b'}');
    }
    out.push(b']');
    match is_error {
        Some(true) => out.extend_from_slice(b",\"isError\":true"),
        Some(false) => out.extend_from_slice(b",\"isError\":false"),
        None => {}
    }
    out.push(b'}');
    true
}

/// Adds a member to the object that `out` ends with.
fn add<T: Serialize + ?Sized>(out: &mut Vec<u8>, start: usize, name: &'static str, value: &T) {
    debug_assert_eq!(out.last(), Some(&b'}'), "an object was written");
    out.pop();
    if out.len() > start + 1 {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    // Model types have string keys and no failing `Serialize`.
    let _ = serde_json::to_writer(&mut *out, value);
    out.push(b'}');
}

#[derive(Serialize)]
struct Stamp<'a> {
    #[serde(rename = "io.modelcontextprotocol/serverInfo")]
    server_info: Restricted<'a>,
}

struct Restricted<'a>(&'a Implementation, Version);

impl Serialize for Restricted<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Restricted(identity, version) = *self;
        // The newest revision has every member there is.
        if version == Version::LATEST {
            return identity.serialize(serializer);
        }
        let mut identity = identity.clone();
        identity.restrict(version);
        identity.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::SERVER_INFO;

    #[test]
    fn the_stamp_has_the_key_of_the_specification() {
        let identity = Implementation::new("s", "1");
        let stamp = serde_json::to_value(Stamp { server_info: Restricted(&identity, Version::LATEST) });
        let stamp = stamp.expect("a stamp is written");
        assert!(stamp.as_object().is_some_and(|stamp| stamp.keys().eq([SERVER_INFO])), "{stamp}");
    }
}
