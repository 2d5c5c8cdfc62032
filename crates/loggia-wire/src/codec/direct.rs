//! Writes results from their type straight into the buffer. The members that the protocol adds to every result follow
//! the result's own members, so a tree is only needed for a result that has such a member itself.

use std::borrow::Cow;

use super::{Downgrade, RESULT_TYPE, result_type};

use crate::json::{ToJson, write_json, write_string};
use crate::model::*;
use crate::version::Version;

/// Writes `result`, which was restricted to `version` before. Returns `false`, and leaves `out` unchanged, if only
/// the tree can write it.
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
    if version.is_modern() {
        add_member(out, start, RESULT_TYPE, |out| write_string(out, result_type(result)));
        if let Some(identity) = identity {
            add_member(out, start, "_meta", |out| stamp(out, identity, version));
        }
    }
    true
}

/// Writes the members of a `result` that the codec does not have to change: one without `_meta` and unknown members.
fn members(out: &mut Vec<u8>, result: &dyn ToJson, meta: Option<&Meta>, extra: &Extra) -> bool {
    let is_plain = meta.is_none() && extra.is_empty();
    if is_plain {
        write_json(out, &result.to_json());
    }
    is_plain
}

/// Writes the most common result of a tool, a list of texts, without a serializer.
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
        write_string(out, text);
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
fn add_member(out: &mut Vec<u8>, start: usize, name: &'static str, value: impl FnOnce(&mut Vec<u8>)) {
    debug_assert_eq!(out.last(), Some(&b'}'), "an object was written");
    out.pop();
    if out.len() > start + 1 {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    value(out);
    out.push(b'}');
}

/// Writes the `_meta` that names the server. It is the same for every result, so the common case is written without a
/// serializer.
fn stamp(out: &mut Vec<u8>, identity: &Implementation, version: Version) {
    out.extend_from_slice(b"{\"io.modelcontextprotocol/serverInfo\":");
    match identity {
        Implementation {
            name,
            title,
            version: own,
            description: None,
            website_url: None,
            icons: None,
            extra,
        } if extra.is_empty() => {
            out.extend_from_slice(b"{\"name\":");
            write_string(out, name);
            if let Some(title) = title {
                out.extend_from_slice(b",\"title\":");
                write_string(out, title);
            }
            out.extend_from_slice(b",\"version\":");
            write_string(out, own);
            out.push(b'}');
        }
        _ => {
            let mut identity = Cow::Borrowed(identity);
            // The newest revision has every member.
            if version != Version::LATEST {
                identity.to_mut().downgrade(version);
            }
            write_json(out, &identity.to_json());
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::SERVER_INFO;

    #[test]
    fn the_stamp_is_what_a_serializer_makes_of_it() {
        let plain = || Implementation::new("s\n", "1");
        let mut unknown = plain();
        unknown.extra.insert("colour", "red");
        let table = [
            plain(),
            plain().title("S"),
            plain().description("D"),
            plain().website_url("https://s.example"),
            unknown,
        ];
        for identity in table {
            let mut out = Vec::new();
            stamp(&mut out, &identity, Version::LATEST);
            let written: serde_json::Value = serde_json::from_slice(&out).expect("JSON is written");
            assert_eq!(written, serde_json::json!({ SERVER_INFO: identity }));
        }
    }
}
