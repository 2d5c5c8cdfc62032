//! Reads results whose content has blocks that we do not know, so that the rest of a result is not lost with them. Such a
//! block is shown as its JSON, in its place.

use loggia::model::ServerResult;
use loggia::wire::codec::{PayloadError, decode_result};
use loggia::wire::{Method, RawJson, Version};
use serde_json::{Value, json};

use crate::text::one_line;

/// Longest text of an unknown block that is shown whole, in characters.
const LONGEST: usize = 400;

/// Reads a result; blocks of tools' results, prompts and resources that cannot be read become text.
pub(crate) fn decode(method: &Method, version: Version, raw: &RawJson) -> Result<ServerResult, PayloadError> {
    decode_result(method, version, raw).or_else(|error| {
        let known = raw.decode().ok().and_then(|result| without_unknown(method, version, result));
        known.and_then(|result| decode_result(method, version, &RawJson::from(&result)).ok()).ok_or(error)
    })
}

/// The result with text in the place of each block that cannot be read; none for results without blocks.
fn without_unknown(method: &Method, version: Version, mut result: Value) -> Option<Value> {
    let list = match method {
        Method::CallTool => "content",
        Method::GetPrompt => "messages",
        Method::ReadResource => "contents",
        _ => return None,
    };
    for item in result.get_mut(list)?.as_array_mut()? {
        let alone = RawJson::from(&json!({ list: [item] }));
        if decode_result(method, version, &alone).is_err() {
            *item = as_text(method, item);
        }
    }
    Some(result)
}

/// An item of a result as one that holds its JSON as text.
fn as_text(method: &Method, item: &Value) -> Value {
    match method {
        Method::GetPrompt => {
            let role = item["role"].as_str().filter(|role| *role == "assistant").unwrap_or("user");
            json!({ "role": role, "content": { "type": "text", "text": described(&item["content"]) } })
        }
        Method::ReadResource => {
            json!({ "uri": item["uri"].as_str().unwrap_or_default(), "text": described(item) })
        }
        _ => json!({ "type": "text", "text": described(item) }),
    }
}

fn described(block: &Value) -> String {
    let what = match block["type"].as_str() {
        Some(kind) => format!("content of the type {:?} that cannot be read", one_line(kind)),
        None => "content that cannot be read".to_owned(),
    };
    format!("[{what}]\n{:#}", shortened(block))
}

/// Returns the same with long texts cut: they are data, not text to read.
fn shortened(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}… ({} bytes more)", &text[..end], text.len() - end).into(),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().map(shortened).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), shortened(member))).collect()
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::content::{self, Saving};

    fn shown(method: Method, result: Value) -> Option<String> {
        let saving = &mut Saving::new(None);
        let shown = match decode(&method, Version::V2025_06_18, &RawJson::from(&result)).ok()? {
            ServerResult::CallTool(result) => content::call(&result, saving),
            ServerResult::GetPrompt(result) => content::prompt(&result),
            ServerResult::ReadResource(result) => content::read(&result, saving),
            _ => panic!("another result"),
        };
        Some(anstream::adapter::strip_str(&shown.expect("shown")).to_string())
    }

    #[test]
    fn a_block_that_cannot_be_read_takes_nothing_else_with_it() {
        let good = |text: &str| json!({ "type": "text", "text": text });
        let unknown = json!({ "type": "vid\u{1b}eo", "url": "x" });
        let note = "[content of the type \"vid\u{fffd}eo\" that cannot be read]\n";
        for (what, method, result, expected) in [
            (
                "a tool",
                Method::CallTool,
                json!({ "content": [good("a"), unknown, good("b")] }),
                ["a\n", note, "\"url\": \"x\"", "b\n"],
            ),
            (
                "a block without its text",
                Method::CallTool,
                json!({ "content": [good("a"), { "type": "text" }, 7, good("b")], "isError": true }),
                ["a\n", "type \"text\" that cannot be read]\n", "[content that cannot be read]\n7\n", "b\n"],
            ),
            (
                "a prompt",
                Method::GetPrompt,
                json!({ "messages": [{ "role": "user", "content": unknown }, { "role": "system", "content": good("c") }, { "role": "assistant", "content": good("b") }] }),
                ["user\n", note, "\"c\"", "assistant\nb\n"],
            ),
            (
                "a resource",
                Method::ReadResource,
                json!({ "contents": [{ "uri": "x:/a", "text": "a" }, { "uri": "x:/b", "stream": 1 }, { "uri": "x:/c", "text": "b" }] }),
                ["x:/a\na\n", "x:/b\n[content that cannot be read]\n", "\"stream\": 1", "b\n"],
            ),
        ] {
            let shown = shown(method, result).expect(what);
            let mut rest = &*shown;
            for part in expected {
                rest = rest
                    .split_once(part)
                    .unwrap_or_else(|| panic!("{what}: no {part:?} in order in {shown}"))
                    .1;
            }
            assert!(!shown.contains('\u{1b}'), "{shown:?}");
        }
    }

    #[test]
    fn what_has_no_blocks_stays_an_error_and_long_data_is_cut() {
        assert_eq!(shown(Method::CallTool, json!({ "content": 1 })), None);
        assert_eq!(shown(Method::CallTool, json!([])), None);
        let long =
            shown(Method::CallTool, json!({ "content": [{ "type": "x", "data": ["A".repeat(5000)] }] }));
        let long = long.expect("shown");
        assert!(long.len() < 600 && long.contains("… (4600 bytes more)"), "{long}");
    }
}
