//! Results with content of unknown types. A server may send blocks that this version does not know; the rest of the
//! result must not be lost with them. Invariant: a result that can be read whole is read as it is.

use loggia_wire::codec::{PayloadError, decode_result};
use loggia_wire::model::ServerResult;
use loggia_wire::{Method, RawJson, Version};
use serde_json::{Value, json};

use crate::client::RawReply;

/// Longest text of an unknown block that is kept whole, in characters.
const LONGEST: usize = 400;

impl RawReply {
    /// Reads the result of `method`. In the results of tools, prompts and resources, each block that cannot be read becomes
    /// a text that holds its JSON, in its place.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] where the result cannot be read otherwise.
    pub fn decode(&self, method: &Method) -> Result<ServerResult, PayloadError> {
        let RawReply { version, result } = self;
        decode_result(method, *version, result).or_else(|error| {
            let known = result.decode().ok().and_then(|result| without_unknown(method, *version, result));
            known.and_then(|known| decode_result(method, *version, &RawJson::from(&known)).ok()).ok_or(error)
        })
    }
}

/// Returns the result with text in the place of each block that cannot be read; `None` for a result without blocks.
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

/// Returns an item of a result as one that holds its JSON as text.
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
        Some(kind) => format!("content of the type {kind:?} that cannot be read"),
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
    use loggia_wire::model::{ContentBlock, ResourceBody};

    use super::*;

    /// Returns the texts of a result.
    fn texts(method: Method, result: Value) -> Option<Vec<String>> {
        let reply = RawReply { version: Version::V2025_06_18, result: RawJson::from(&result) };
        let text = |block: ContentBlock| match block {
            ContentBlock::Text(content) => content.text,
            other => panic!("{other:?}"),
        };
        Some(match reply.decode(&method).ok()? {
            ServerResult::CallTool(result) => result.content.into_iter().map(text).collect(),
            ServerResult::GetPrompt(result) => {
                let messages = result.messages.into_iter();
                messages.map(|message| format!("{:?}: {}", message.role, text(message.content))).collect()
            }
            ServerResult::ReadResource(result) => {
                let contents = result.contents.into_iter();
                let texts = contents.map(|contents| match contents.body {
                    ResourceBody::Text(text) => format!("{}: {text}", contents.uri),
                    ResourceBody::Blob(_) => panic!("no text"),
                });
                texts.collect()
            }
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_block_that_cannot_be_read_takes_nothing_else_with_it() {
        let good = |text: &str| json!({ "type": "text", "text": text });
        let unknown = json!({ "type": "vid\u{1b}eo", "url": "x" });
        let note = "[content of the type \"vid\\u{1b}eo\" that cannot be read]\n{\n  \"type\": \"vid\\u001beo\",\n  \"url\": \"x\"\n}";
        for (method, result, expected) in [
            (
                Method::CallTool,
                json!({ "content": [good("a"), unknown, good("b")] }),
                vec!["a".to_owned(), note.to_owned(), "b".to_owned()],
            ),
            (
                Method::CallTool,
                json!({ "content": [good("a"), { "type": "text" }, 7, good("b")], "isError": true }),
                vec![
                    "a".to_owned(),
                    "[content of the type \"text\" that cannot be read]\n{\n  \"type\": \"text\"\n}".to_owned(),
                    "[content that cannot be read]\n7".to_owned(),
                    "b".to_owned(),
                ],
            ),
            (
                Method::GetPrompt,
                json!({ "messages": [
                    { "role": "user", "content": unknown },
                    { "role": "system", "content": good("c") },
                    { "role": "assistant", "content": good("b") },
                ] }),
                vec![
                    format!("User: {note}"),
                    "User: [content of the type \"text\" that cannot be read]\n{\n  \"text\": \"c\",\n  \"type\": \"text\"\n}"
                        .to_owned(),
                    "Assistant: b".to_owned(),
                ],
            ),
            (
                Method::ReadResource,
                json!({ "contents": [{ "uri": "x:/a", "text": "a" }, { "uri": "x:/b", "stream": 1 }] }),
                vec![
                    "x:/a: a".to_owned(),
                    "x:/b: [content that cannot be read]\n{\n  \"stream\": 1,\n  \"uri\": \"x:/b\"\n}".to_owned(),
                ],
            ),
        ] {
            assert_eq!(texts(method, result.clone()), Some(expected), "{result}");
        }
    }

    #[test]
    fn a_result_without_blocks_stays_an_error_and_long_data_is_cut() {
        assert_eq!(texts(Method::CallTool, json!({ "content": 1 })), None);
        assert_eq!(texts(Method::CallTool, json!([])), None);
        let long = json!({ "content": [{ "type": "x", "data": ["A".repeat(5000)] }] });
        let long = texts(Method::CallTool, long).expect("a result").concat();
        assert!(long.len() < 600 && long.contains("… (4600 bytes more)"), "{long}");
    }
}
