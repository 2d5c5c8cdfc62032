//! Records the responses of a server without and with the gateway, and compares the two.

use serde_json::{Value, json};

use super::difference::first_difference;
use super::expected::{SchemaType, entry_for_client, result_for_client, without_prefix};
use super::json_tree::{JsonTree, excerpt, raw_member};
use super::revision::Revision;
use super::servers::RecordedRequest;
use super::session::{RawSession, Reply, Transport};

/// The connector's prefix, which the gateway puts before the names of tools and prompts, followed by `_`.
pub(super) const PREFIX: &str = "relayed";
pub(super) const NAME_PREFIX: &str = "relayed_";

/// The lists of the protocol: the method, the member of its result with the entries, and their type.
const LISTS: &[(&str, &str, SchemaType)] = &[
    ("tools/list", "tools", SchemaType::Tool),
    ("prompts/list", "prompts", SchemaType::Prompt),
    ("resources/list", "resources", SchemaType::Resource),
    ("resources/templates/list", "resourceTemplates", SchemaType::ResourceTemplate),
];

/// The types of the results of other requests.
const RESULTS: &[(&str, SchemaType)] = &[
    ("tools/call", SchemaType::CallToolResult),
    ("prompts/get", SchemaType::GetPromptResult),
    ("resources/read", SchemaType::ReadResourceResult),
];

/// The texts of a server: the entries of each of its lists, and the replies to its requests.
#[derive(Debug)]
pub(super) struct Recording {
    lists: Vec<Vec<String>>,
    replies: Vec<Reply>,
}

/// The revision between gateway and server, and the one between client and gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct RevisionPair {
    pub(super) server: Revision,
    pub(super) client: Revision,
}

impl Recording {
    /// Reads all lists and sends `requests`, with `prefix` before the names of tools and prompts.
    pub(super) fn make(
        session: &mut RawSession<impl Transport>,
        requests: &[RecordedRequest],
        prefix: &str,
    ) -> Result<Self, String> {
        let lists = LISTS.iter().map(|(method, member, _)| session.list(method, member));
        let lists = lists.collect::<Result<_, _>>()?;
        let replies = requests
            .iter()
            .map(|request| session.request(&request.method, with_prefix(&request.params, prefix)))
            .collect::<Result<_, _>>()?;
        Ok(Self { lists, replies })
    }
}

impl RevisionPair {
    /// Compares two recordings, and returns a verdict for each list and each request, by its name.
    pub(super) fn compare(
        self,
        requests: &[RecordedRequest],
        direct: &Recording,
        relayed: &Recording,
    ) -> Vec<(String, Result<(), String>)> {
        let lists = LISTS.iter().zip(direct.lists.iter().zip(&relayed.lists));
        let lists = lists.map(|((method, _, of), (direct, relayed))| {
            let is_missing = *of == SchemaType::Tool && direct.is_empty();
            let compared = self.compare_lists(*of, direct, relayed);
            let compared = if is_missing { Err("the server lists nothing".to_owned()) } else { compared };
            ((*method).to_owned(), compared)
        });
        let replies = requests.iter().zip(direct.replies.iter().zip(&relayed.replies));
        let replies = replies.map(|(request, (direct, relayed))| {
            let compared = self.compare_replies(&request.method, direct, relayed);
            (format!("{} {}", request.method, request.params), compared)
        });
        lists.chain(replies).collect()
    }

    fn compare_lists(self, of: SchemaType, direct: &[String], relayed: &[String]) -> Result<(), String> {
        for (direct, relayed) in direct.iter().zip(relayed) {
            let expected = entry_for_client(JsonTree::parse(direct)?, of, self.client);
            let restored = without_prefix(relayed, of, NAME_PREFIX)?;
            if let Some(found) = first_difference(&expected, &restored) {
                let name = raw_member(direct, "name").unwrap_or("an entry without a name");
                return Err(format!("{name}: {found}"));
            }
        }
        if direct.len() == relayed.len() {
            return Ok(());
        }
        Err(format!("{} entries became {}", direct.len(), relayed.len()))
    }

    fn compare_replies(self, method: &str, direct: &Reply, relayed: &Reply) -> Result<(), String> {
        let (expected, got) = match (direct, relayed) {
            (Reply::Result(direct), Reply::Result(got)) => {
                let of = RESULTS.iter().find(|(name, _)| *name == method).map(|(_, of)| *of);
                let of = of.ok_or_else(|| format!("the type of the result of {method} is not known"))?;
                (result_for_client(JsonTree::parse(direct)?, of, self.server, self.client), got)
            }
            (Reply::Error(direct), Reply::Error(got)) => (JsonTree::parse(direct)?, got),
            (Reply::Result(direct), Reply::Error(got)) => {
                return Err(format!("the result {} became the error {got}", excerpt(direct)));
            }
            (Reply::Error(direct), Reply::Result(got)) => {
                return Err(format!("the error {direct} became the result {}", excerpt(got)));
            }
        };
        first_difference(&expected, got).map_or(Ok(()), |found| Err(found.to_string()))
    }
}

fn with_prefix(params: &Value, prefix: &str) -> Value {
    let mut params = params.clone();
    if let Some(name) = params["name"].as_str() {
        params["name"] = json!(format!("{prefix}{name}"));
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdicts on one tool and one call.
    fn verdicts(direct: (&[&str], Reply), relayed: (&[&str], Reply)) -> (Option<String>, Option<String>) {
        let requests = [RecordedRequest { method: "tools/call".to_owned(), params: json!({ "name": "a" }) }];
        let recording = |(tools, reply): (&[&str], Reply)| Recording {
            lists: vec![tools.iter().map(|tool| (*tool).to_owned()).collect(), vec![], vec![], vec![]],
            replies: vec![reply],
        };
        let pair = RevisionPair { server: Revision::V2025_06_18, client: Revision::V2025_11_25 };
        let mut compared = pair.compare(&requests, &recording(direct), &recording(relayed));
        assert_eq!(compared.len(), LISTS.len() + 1);
        (compared.remove(0).1.err(), compared.pop().and_then(|(_, compared)| compared.err()))
    }

    #[test]
    fn a_recording_is_compared_entry_by_entry_and_reply_by_reply() {
        let result = |text: &str| Reply::Result(text.to_owned());
        let error = |text: &str| Reply::Error(text.to_owned());
        let ok = || result(r#"{"content":[]}"#);
        let tool = r#"{"name":"a","x":1.0}"#;
        let same = verdicts((&[tool], ok()), (&[r#"{"name":"relayed_a","x":1.0}"#], ok()));
        assert_eq!(same, (None, None));
        let lists: [(&[&str], &[&str], &str); 5] = [
            (&[tool], &[r#"{"name":"relayed_a","x":1}"#], ".x differs"),
            (&[tool], &[r#"{"name":"other_a","x":1.0}"#], "lacks the prefix relayed_"),
            (&[tool], &[tool], "lacks the prefix relayed_"),
            (&[tool], &[], "1 entries became 0"),
            (&[], &[], "lists nothing"),
        ];
        for (direct, relayed, message) in lists {
            let (list, _) = verdicts((direct, ok()), (relayed, ok()));
            assert!(list.as_ref().is_some_and(|list| list.contains(message)), "{list:?} lacks {message}");
        }
        let replies = [
            (ok(), result(r#"{"content":[1]}"#), ".content[0] differs"),
            (ok(), error(r#"{"code":1}"#), "became the error"),
            (error(r#"{"code":1}"#), ok(), "became the result"),
            (
                error(r#"{"code":1,"message":"\u0061"}"#),
                error(r#"{"code":1,"message":"a"}"#),
                ".message differs",
            ),
        ];
        for (direct, relayed, message) in replies {
            let (_, reply) = verdicts((&[tool], direct), (&[tool], relayed));
            assert!(reply.as_ref().is_some_and(|reply| reply.contains(message)), "{reply:?} lacks {message}");
        }
    }

    #[test]
    fn resources_are_compared_as_they_are() {
        let pair = RevisionPair { server: Revision::V2025_11_25, client: Revision::V2025_11_25 };
        let entry = |name: &str| vec![format!(r#"{{"uri":"a:","name":"{name}"}}"#)];
        for of in [SchemaType::Resource, SchemaType::ResourceTemplate] {
            for (direct, relayed, is_same) in [
                ("a", "a", true),
                ("relayed_a", "relayed_a", true),
                ("a", "relayed_a", false),
                ("relayed_a", "a", false),
            ] {
                let compared = pair.compare_lists(of, &entry(direct), &entry(relayed));
                assert_eq!(compared.is_ok(), is_same, "{of:?}: {direct}, {relayed}");
            }
        }
    }
}
