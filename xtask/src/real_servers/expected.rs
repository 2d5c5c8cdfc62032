//! The text that a client of a revision must receive for a text of a server. The gateway may remove what the client's
//! revision does not have, and must add what this revision requires; everything else must stay as the server wrote
//! it. If server and client have the same revision, a result is relayed unchanged, whatever members it has.

use super::json_tree::{JsonTree, raw_member};
use super::revision::Revision;

use Revision::{V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};

/// An object of the protocol's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaType {
    Tool,
    Prompt,
    PromptArgument,
    PromptMessage,
    Resource,
    ResourceTemplate,
    ResourceContents,
    ContentBlock,
    Annotations,
    CallToolResult,
    GetPromptResult,
    ReadResourceResult,
}

use SchemaType::{
    Annotations, CallToolResult, ContentBlock, GetPromptResult, Prompt, PromptArgument, PromptMessage,
    ReadResourceResult, Resource, ResourceContents, ResourceTemplate, Tool,
};

/// Members that were added to a schema, with the first revision that has them. Clients of older revisions do not get
/// them.
const ADDED: &[(Revision, SchemaType, &[&str])] = &[
    (V2025_03_26, Tool, &["annotations"]),
    (V2025_06_18, Tool, &["title", "outputSchema", "_meta"]),
    (V2025_11_25, Tool, &["icons"]),
    (V2025_06_18, Prompt, &["title", "_meta"]),
    (V2025_11_25, Prompt, &["icons"]),
    (V2025_06_18, PromptArgument, &["title"]),
    (V2025_06_18, Resource, &["title", "_meta"]),
    (V2025_11_25, Resource, &["icons"]),
    (V2025_06_18, ResourceTemplate, &["title", "_meta"]),
    (V2025_11_25, ResourceTemplate, &["icons"]),
    (V2025_06_18, ResourceContents, &["_meta"]),
    (V2025_06_18, ContentBlock, &["_meta"]),
    (V2025_06_18, Annotations, &["lastModified"]),
    (V2025_06_18, CallToolResult, &["structuredContent"]),
    (V2026_07_28, CallToolResult, &["resultType"]),
    (V2026_07_28, GetPromptResult, &["resultType"]),
    (V2026_07_28, ReadResourceResult, &["resultType", "ttlMs", "cacheScope"]),
];

/// Members that are objects of another type, or arrays of them.
const NESTED: &[(SchemaType, &str, SchemaType)] = &[
    (Prompt, "arguments", PromptArgument),
    (Resource, "annotations", Annotations),
    (ResourceTemplate, "annotations", Annotations),
    (CallToolResult, "content", ContentBlock),
    (GetPromptResult, "messages", PromptMessage),
    (PromptMessage, "content", ContentBlock),
    (ContentBlock, "annotations", Annotations),
    (ContentBlock, "resource", ResourceContents),
    (ReadResourceResult, "contents", ResourceContents),
];

/// Members that the gateway adds to a result for a modern client, in this order, if the server's revision does not
/// have them.
const MODERN: &[(SchemaType, &str, &str)] = &[
    (ReadResourceResult, "ttlMs", "0"),
    (ReadResourceResult, "cacheScope", "\"private\""),
    (CallToolResult, "resultType", "\"complete\""),
    (GetPromptResult, "resultType", "\"complete\""),
    (ReadResourceResult, "resultType", "\"complete\""),
    (CallToolResult, "_meta", GATEWAY),
    (GetPromptResult, "_meta", GATEWAY),
    (ReadResourceResult, "_meta", GATEWAY),
];

/// The `_meta` that the gateway adds to a result without one: its own name and version.
const GATEWAY: &str = concat!(
    r#"{"io.modelcontextprotocol/serverInfo":{"name":"loggia","title":"Loggia","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}"#
);

/// Rewrites an entry of a list for a client of `revision`.
pub(super) fn entry_for_client(mut entry: JsonTree, of: SchemaType, revision: Revision) -> JsonTree {
    restrict(&mut entry, of, revision);
    entry
}

/// Rewrites a result of a server of the revision `from` for a client of the revision `to`.
pub(super) fn result_for_client(
    mut result: JsonTree,
    of: SchemaType,
    from: Revision,
    to: Revision,
) -> JsonTree {
    if from != to {
        restrict(&mut result, of, to);
    }
    if let (JsonTree::Object(members), true) = (&mut result, from < to && to.is_modern()) {
        for (_, name, value) in MODERN.iter().filter(|(schema, _, _)| *schema == of) {
            let name = format!("\"{name}\"");
            if members.iter().all(|(member, _)| *member != name) {
                members.push((name, JsonTree::parse(value).expect("the table holds JSON")));
            }
        }
    }
    result
}

fn restrict(value: &mut JsonTree, of: SchemaType, revision: Revision) {
    if let JsonTree::Array(elements) = value {
        elements.iter_mut().for_each(|element| restrict(element, of, revision));
        return;
    }
    let later = ADDED.iter().filter(|(first, added, _)| *added == of && revision < *first);
    later.flat_map(|(_, _, names)| *names).for_each(|name| value.remove(name));
    for (_, name, nested) in NESTED.iter().filter(|(outer, _, _)| *outer == of) {
        if let Some(inner) = value.get_mut(name) {
            restrict(inner, *nested, revision);
        }
    }
}

/// Removes `prefix`, which the gateway must add to the name of a tool or a prompt, from the text `entry` of a list.
/// The names of resources and templates are relayed unchanged.
pub(super) fn without_prefix(entry: &str, of: SchemaType, prefix: &str) -> Result<String, String> {
    if !matches!(of, Tool | Prompt) {
        return Ok(entry.to_owned());
    }
    let name = raw_member(entry, "name").ok_or("an entry without a name was relayed")?;
    let after_quote = name.as_ptr() as usize - entry.as_ptr() as usize + 1;
    let rest = entry[after_quote..].strip_prefix(prefix);
    let rest = rest.ok_or_else(|| format!("the relayed name {name} lacks the prefix {prefix}"))?;
    Ok(format!("{}{rest}", &entry[..after_quote]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Revision::V2024_11_05;

    #[test]
    fn a_client_is_not_sent_members_of_an_entry_that_its_revision_lacks() {
        let tool = r#"{"name":"a","title":"A","annotations":{"title":"x"},"inputSchema":{"title":"t"},"icons":[],"x":1.0}"#;
        let prompt = r#"{"name":"a","arguments":[{"name":"b","title":"B"}]}"#;
        let resource = r#"{"uri":"a:","name":"a","annotations":{"priority":1.0,"lastModified":"x"}}"#;
        let cases = [
            (Tool, tool, V2024_11_05, r#"{"name":"a","inputSchema":{"title":"t"},"x":1.0}"#),
            (
                Tool,
                tool,
                V2025_03_26,
                r#"{"name":"a","annotations":{"title":"x"},"inputSchema":{"title":"t"},"x":1.0}"#,
            ),
            (Tool, tool, V2025_11_25, tool),
            (Tool, tool, V2026_07_28, tool),
            (Prompt, prompt, V2025_03_26, r#"{"name":"a","arguments":[{"name":"b"}]}"#),
            (Prompt, prompt, V2025_06_18, prompt),
            (Resource, resource, V2025_03_26, r#"{"uri":"a:","name":"a","annotations":{"priority":1.0}}"#),
        ];
        for (of, sent, revision, received) in cases {
            let tree = JsonTree::parse(sent).expect(sent);
            assert_eq!(entry_for_client(tree, of, revision).to_string(), received, "{sent} for {revision:?}");
        }
    }

    #[test]
    fn a_result_changes_only_between_different_revisions() {
        let structured =
            r#"{"content":[{"type":"text","text":"\u0061","_meta":{}}],"structuredContent":{"a":1}}"#;
        let modern = r#"{"resultType":"complete","content":[]}"#;
        let added = |text: &str| text.replace("META", GATEWAY);
        let cases = [
            (structured, V2024_11_05, V2024_11_05, structured.to_owned()),
            (structured, V2025_06_18, V2025_11_25, structured.to_owned()),
            (
                structured,
                V2025_06_18,
                V2025_03_26,
                r#"{"content":[{"type":"text","text":"\u0061"}]}"#.to_owned(),
            ),
            (
                r#"{"content":[]}"#,
                V2025_11_25,
                V2026_07_28,
                added(r#"{"content":[],"resultType":"complete","_meta":META}"#),
            ),
            (modern, V2026_07_28, V2026_07_28, modern.to_owned()),
            (modern, V2026_07_28, V2025_11_25, r#"{"content":[]}"#.to_owned()),
        ];
        for (sent, from, to, received) in cases {
            let tree = JsonTree::parse(sent).expect(sent);
            let got = result_for_client(tree, CallToolResult, from, to).to_string();
            assert_eq!(got, received, "{sent} from {from:?} to {to:?}");
        }
    }

    #[test]
    fn a_tool_or_prompt_without_the_prefix_is_an_error_and_nothing_else_has_one() {
        let prefixed = r#"{"name":"p_a","description":"p_a"}"#;
        let cases = [
            (prefixed, Tool, Some(r#"{"name":"a","description":"p_a"}"#)),
            (prefixed, Prompt, Some(r#"{"name":"a","description":"p_a"}"#)),
            (r#"{"x":{"name":"p_"},"name":"p_a"}"#, Tool, Some(r#"{"x":{"name":"p_"},"name":"a"}"#)),
            (r#"{"title":"p_","name":"p_p_a"}"#, Prompt, Some(r#"{"title":"p_","name":"p_a"}"#)),
            (r#"{"name":"a"}"#, Tool, None),
            (r#"{"name":"a"}"#, Prompt, None),
            (r#"{"title":"p_a"}"#, Tool, None),
            (prefixed, Resource, Some(prefixed)),
            (prefixed, ResourceTemplate, Some(prefixed)),
            (r#"{"name":"a"}"#, Resource, Some(r#"{"name":"a"}"#)),
        ];
        for (entry, of, expected) in cases {
            assert_eq!(without_prefix(entry, of, "p_").ok().as_deref(), expected, "{entry} of {of:?}");
        }
    }
}
