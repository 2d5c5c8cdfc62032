//! Lists of which something cannot be read: the rest is kept, and a warning names what is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loggia::client::{Client, ListWarning, Listing};
use loggia::error::{Error, Result};
use loggia::limits::Limits;
use serde_json::{Value, json};

use crate::client_lists::{open_at, serve};
use crate::client_peer::Peer;

/// One kind of list: the member with the entries, a valid entry of this name, and how it is read.
#[derive(Clone, Copy)]
struct Kind {
    member: &'static str,
    entry: fn(&str) -> Value,
}

const KINDS: [Kind; 4] = [
    Kind { member: "tools", entry: |name| json!({ "name": name, "inputSchema": { "type": "object" } }) },
    Kind { member: "prompts", entry: |name| json!({ "name": name }) },
    Kind { member: "resources", entry: |name| json!({ "name": "n", "uri": name }) },
    Kind { member: "resourceTemplates", entry: |name| json!({ "name": "n", "uriTemplate": name }) },
];

impl Kind {
    fn page(&self, entries: &[Value], next: Option<&str>) -> Value {
        let mut page =
            json!({ self.member: entries, "resultType": "complete", "ttlMs": 0, "cacheScope": "private" });
        if let Some(next) = next {
            page["nextCursor"] = next.into();
        }
        page
    }

    fn entries(&self, names: &[&str]) -> Vec<Value> {
        names.iter().map(|name| (self.entry)(name)).collect()
    }

    async fn read(&self, client: &Client) -> Result<(Vec<String>, Vec<ListWarning>)> {
        fn split<T>(listing: Listing<T>, name: fn(T) -> String) -> (Vec<String>, Vec<ListWarning>) {
            (listing.entries.into_iter().map(name).collect(), listing.warnings)
        }
        Ok(match self.member {
            "tools" => split(client.read_tool_list().await?, |tool| tool.name),
            "prompts" => split(client.read_prompt_list().await?, |prompt| prompt.name),
            "resources" => split(client.read_resource_list().await?, |resource| resource.uri),
            _ => split(client.read_resource_template_list().await?, |template| template.uri_template),
        })
    }
}

/// A client of a server of either era that answers lists with `pages`, and how many it was asked for.
async fn listing(
    limits: Limits,
    modern: bool,
    pages: impl Fn(&Value) -> Result<Value, i64> + Send + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let connection = Peer::bounded(limits.reply_bytes);
    let (client, peer) = open_at(Client::builder().limits(limits).cache(false), connection, modern).await;
    (client, serve(peer, pages))
}

#[tokio::test(start_paused = true)]
async fn a_list_that_goes_in_a_circle_is_read_once() {
    for modern in [true, false] {
        for kind in KINDS {
            let entries = kind.entries(&["a", "b"]);
            let page = kind.page(&entries, Some("1"));
            let (client, count) = listing(Limits::default(), modern, move |_| Ok(page.clone())).await;
            let (names, warnings) = kind.read(&client).await.expect("it lists");
            assert_eq!(names, ["a", "b"], "{}", kind.member);
            assert_eq!(warnings, [ListWarning::RepeatedCursor("1".to_owned())], "{}", kind.member);
            assert_eq!(count.load(SeqCst), 2, "{}", kind.member);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_page_loses_only_itself() {
    for kind in KINDS {
        // The pages by cursor, the names that are read, and whether there is a warning.
        let (member, all) = (kind.member, kind.entries(&["a", "b"]));
        let first = kind.page(&all[..1], Some("x"));
        let last = kind.page(&all[1..], None);
        let mut unreadable = kind.page(&[], Some("y"));
        unreadable[member] = json!("none");
        let mut odd = kind.page(&all[..1], Some("x"));
        odd["ttlMs"] = json!("soon");
        let limits = Limits { reply_bytes: 4096, ..Limits::default() };
        let mut long = kind.page(&all[1..], None);
        long["padding"] = json!("x".repeat(limits.reply_bytes));
        type Pages = [Result<Value, i64>; 3];
        let cases: [(&str, Pages, &[&str]); 6] = [
            ("no array", [Ok(first.clone()), Ok(unreadable.clone()), Ok(last.clone())], &["a", "b"]),
            ("an error", [Ok(first.clone()), Err(-32603), Ok(last.clone())], &["a"]),
            ("too long", [Ok(first.clone()), Ok(long), Ok(last.clone())], &["a"]),
            ("no object", [Ok(first.clone()), Ok(json!([])), Ok(last.clone())], &["a"]),
            ("the first", [Ok(unreadable.clone()), Ok(last.clone()), Ok(last.clone())], &["b"]),
            ("another member", [Ok(odd), Ok(last.clone()), Ok(last.clone())], &["a", "b"]),
        ];
        for (what, pages, expected) in cases {
            let (client, _) = listing(limits.clone(), false, move |cursor| match cursor.as_str() {
                None => pages[0].clone(),
                Some("x") => pages[1].clone(),
                Some(_) => pages[2].clone(),
            })
            .await;
            let (names, warnings) = kind.read(&client).await.expect(what);
            assert_eq!(names, expected, "{member}: {what}");
            assert!(matches!(warnings[..], [ListWarning::InvalidPage(_)]), "{member}: {what}: {warnings:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_which_nothing_can_be_read_is_an_error() {
    for kind in KINDS {
        let mut unreadable = kind.page(&[], Some("y"));
        unreadable[kind.member] = json!(7);
        for first in [Err(-32603), Ok(json!("no object")), Ok(unreadable)] {
            let (client, _) = listing(Limits::default(), false, move |cursor| match cursor.as_str() {
                None => first.clone(),
                Some(_) => Err(-32603),
            })
            .await;
            let outcome = kind.read(&client).await;
            assert!(
                matches!(outcome, Err(Error::Rpc(_) | Error::Protocol(_))),
                "{}: {outcome:?}",
                kind.member
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_templates_need_not_know_their_list() {
    for modern in [true, false] {
        for kind in KINDS {
            let (client, _) = listing(Limits::default(), modern, |_| Err(-32601)).await;
            let read = kind.read(&client).await;
            match kind.member {
                "resourceTemplates" => assert_eq!(read.expect("an empty list"), (Vec::new(), Vec::new())),
                member => assert!(matches!(read, Err(Error::Rpc(_))), "{member}: {read:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_tool_hides_no_other() {
    let schema = json!({ "type": "object" });
    let invalid = [
        json!({ "inputSchema": schema }),
        json!({ "name": 5, "inputSchema": schema }),
        json!({ "name": "bad" }),
        json!({ "name": "bad", "inputSchema": "none" }),
        json!({ "name": "bad", "inputSchema": schema, "description": 5 }),
        json!({ "name": "bad", "inputSchema": schema, "annotations": "none" }),
        json!({ "name": "bad", "inputSchema": schema, "outputSchema": [] }),
        json!({ "name": "bad", "inputSchema": schema, "icons": {} }),
        json!("bad"),
        json!(null),
    ];
    for modern in [true, false] {
        for bad in &invalid {
            let good = KINDS[0].entries(&["a", "b"]);
            let page = KINDS[0].page(&[good[0].clone(), bad.clone(), good[1].clone()], None);
            let (client, _) = listing(Limits::default(), modern, move |_| Ok(page.clone())).await;
            let (names, warnings) = KINDS[0].read(&client).await.expect("it lists");
            assert_eq!(names, ["a", "b"], "{bad}");
            let [ListWarning::InvalidEntry(entry, _)] = &warnings[..] else { panic!("{bad}: {warnings:?}") };
            let named =
                bad["name"].as_str().map_or("the entry number 2".to_owned(), |name| format!("{name:?}"));
            assert_eq!(*entry, named, "{bad}");
            let page = client.list_tools(None).await.expect("one page");
            assert_eq!(page.tools.len(), 2, "{bad}");
            assert_eq!(client.list_all_tools().await.expect("all").len(), 2, "{bad}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_entry_of_any_list_hides_no_other() {
    for kind in KINDS {
        let good = kind.entries(&["a", "b"]);
        for bad in [json!({}), json!(1), json!({ "name": [], "uri": [], "uriTemplate": [] })] {
            let page = kind.page(&[good[0].clone(), bad.clone(), good[1].clone()], None);
            let (client, _) = listing(Limits::default(), false, move |_| Ok(page.clone())).await;
            let (names, warnings) = kind.read(&client).await.expect("it lists");
            assert_eq!((&names[..], warnings.len()), (&["a".to_owned(), "b".to_owned()][..], 1), "{bad}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lists_are_bounded_in_pages_and_bytes() {
    let limits = Limits { list_pages: 5, list_bytes: 4096, entry_bytes: 1024, ..Limits::default() };
    for kind in KINDS {
        // Padded so that three of them fill a list.
        let entry = move |name: &str, bytes: usize| {
            let mut entry = (kind.entry)(name);
            entry["title"] = json!("x".repeat(bytes));
            entry
        };
        let next = |cursor: &Value| cursor.as_str().map_or(0, str::len) + 1;

        let page = move |names: usize| kind_page(kind.member, entry(&names.to_string(), 10), names);
        let (client, count) = listing(limits.clone(), false, move |cursor| Ok(page(next(cursor)))).await;
        let (names, warnings) = kind.read(&client).await.expect("it lists");
        assert_eq!((names.len(), count.load(SeqCst)), (5, 5), "{}", kind.member);
        assert_eq!(warnings, [ListWarning::TooManyPages(5)]);

        let page = move |names: usize| kind_page(kind.member, entry(&names.to_string(), 900), names);
        let (client, count) = listing(limits.clone(), false, move |cursor| Ok(page(next(cursor)))).await;
        let (names, warnings) = kind.read(&client).await.expect("it lists");
        assert!((3..=4).contains(&names.len()) && count.load(SeqCst) <= 5, "{}: {names:?}", kind.member);
        assert_eq!(warnings, [ListWarning::TooManyBytes(4096)], "{}", kind.member);

        let mut much = kind.page(&kind.entries(&["a"]), Some("more"));
        much["_meta"] = json!({ "padding": "x".repeat(5000) });
        let (client, count) = listing(limits.clone(), false, move |_| Ok(much.clone())).await;
        let (names, warnings) = kind.read(&client).await.expect("it lists");
        assert_eq!((names, count.load(SeqCst)), (vec!["a".to_owned()], 1), "{}", kind.member);
        assert_eq!(warnings, [ListWarning::TooManyBytes(4096)], "{}", kind.member);

        let long = kind.page(&[entry("long", 2000), entry("short", 1)], None);
        let (client, _) = listing(limits.clone(), false, move |_| Ok(long.clone())).await;
        let (names, warnings) = kind.read(&client).await.expect("it lists");
        assert_eq!(names, ["short"], "{}", kind.member);
        assert!(matches!(warnings[..], [ListWarning::EntryTooLong(_, 1024)]), "{warnings:?}");
    }
}

fn kind_page(member: &str, entry: Value, next: usize) -> Value {
    json!({ member: [entry], "nextCursor": "x".repeat(next) })
}

#[tokio::test(start_paused = true)]
async fn a_list_full_of_invalid_entries_has_a_bounded_number_of_warnings() {
    let page = KINDS[0].page(&vec![json!(1); 500], None);
    let (client, _) = listing(Limits::default(), false, move |_| Ok(page.clone())).await;
    let (names, warnings) = KINDS[0].read(&client).await.expect("it lists");
    assert!(names.is_empty());
    assert_eq!(warnings.len(), Listing::<()>::MAX_WARNINGS);
    assert_eq!(warnings.last(), Some(&ListWarning::More(500 - Listing::<()>::MAX_WARNINGS + 1)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_describes_itself_without_end_is_refused() {
    for modern in [true, false] {
        let (target, mut peer) = Peer::pair();
        let limits = Limits { opening_bytes: 100, ..Limits::default() };
        // The server waits for a message after the opening that never comes, and may notice the end before this test
        // ends.
        let serving = tokio::spawn(async move {
            match modern {
                true => peer.open_modern().await,
                false => peer.open_legacy().await,
            }
            std::future::pending::<()>().await;
        });
        let connecting = Client::builder().limits(limits).reconnect(false).connect(target);
        let error = connecting.await.expect_err("it is too long");
        serving.abort();
        assert!(error.to_string().contains("`opening_bytes`"), "{error}");
    }
}
