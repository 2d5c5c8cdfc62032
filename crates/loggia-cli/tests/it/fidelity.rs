//! JSON that passes through the program keeps the order of its members and the spelling of its values, in both
//! directions, between every pair of revisions.

use std::path::Path;

use crate::program::run_in;
use crate::up::up;

/// A server on standard streams that speaks the revision in `REV`, and writes each line that it reads to `heard`.
const SERVER: &str = r#"
while read -r line; do
    printf '%s\n' "$line" >> heard
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
    [ -n "$id" ] || continue
    case $line in
    *'"initialize"'*) answer='"result":{"protocolVersion":"'${REV:-2025-06-18}'","capabilities":{"tools":{}},"serverInfo":{"name":"n","version":"1"}}' ;;
    *'"tools/list"'*) answer='"result":{"tools":['$(cat tool)']}' ;;
    *'"tools/call"'*) answer='"result":'$(cat result) ;;
    *) answer='"error":{"code":-32601,"message":"Method not found"}' ;;
    esac
    printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$answer"
done
"#;

const TOOL: &str = r#"{"inputSchema":{"type":"object","properties":{"thought":{"type":"string"},"branch":{"minimum":1.0,"type":"number"}},"required":["thought"]},"description":"caf\u00e9","name":"n"}"#;

const RESULT: &str = r#"{"structuredContent":{"z":1.0,"a":12345678901234567890123,"b":{"y":1e3,"x":2}},"content":[{"text":"\u00e9","type":"text","annotations":{"priority":1.0,"audience":["user"]}}],"isError":false}"#;

const REVISIONS: [&str; 5] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

fn folder(revision: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("server.sh", SERVER);
    write("tool", TOOL);
    write("result", RESULT);
    write(
        "loggia.toml",
        &format!(
            "[connectors.s]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"server.sh\"]\nenv = {{ REV = \"{revision}\" }}\n"
        ),
    );
    folder
}

fn json(folder: &Path, args: &[&str]) -> String {
    let run = run_in(folder, args);
    assert_eq!(run.code, Some(0), "{args:?}: {run}");
    run.stdout.trim_end().to_owned()
}

#[test]
fn lists_and_results_keep_their_bytes_between_all_revisions() {
    for upstream in &REVISIONS[..4] {
        let folder = folder(upstream);
        let mut up = up(folder.path(), &[]);
        up.until("✓ s");
        for client in REVISIONS {
            let listed = json(folder.path(), &["tools", &up.url, "--era", client, "-o", "json"]);
            let tool = TOOL.replace(r#""name":"n""#, r#""name":"s_n""#);
            assert_eq!(listed, format!(r#"{{"tools":[{tool}]}}"#), "{upstream} to {client}");
            let called = json(folder.path(), &["call", &up.url, "s_n", "--era", client, "-o", "json"]);
            let structured =
                r#""structuredContent":{"z":1.0,"a":12345678901234567890123,"b":{"y":1e3,"x":2}},"#;
            let expected = match client {
                // They have no structured results.
                "2024-11-05" | "2025-03-26" if *upstream != client => RESULT.replace(structured, ""),
                _ => RESULT.to_owned(),
            };
            let body = expected.trim_end_matches('}');
            // The newest revision adds members at the end; nothing else differs.
            assert!(called.starts_with(body), "{upstream} to {client}: {called}");
        }
    }
}

#[test]
fn arguments_arrive_as_they_are_typed() {
    let sort = r#"{"z":-1,"a":1.0,"n":12345678901234567890123}"#;
    let all = format!(r#"{{"sort":{sort},"branch":1e3}}"#);
    let typed = format!("sort:={sort}");
    let ways: [&[&str]; 2] = [&[&typed, "branch=1e3"], &["--json", &all]];
    for way in ways {
        let folder = folder("2025-06-18");
        let mut up = up(folder.path(), &[]);
        up.until("✓ s");
        json(folder.path(), &[&["call", &up.url, "s_n"], way].concat());
        json(folder.path(), &[&["call", "n"], way, &["--", "sh", "server.sh"]].concat());
        let heard = std::fs::read_to_string(folder.path().join("heard")).expect("it was called");
        let calls: Vec<&str> = heard.lines().filter(|line| line.contains("tools/call")).collect();
        assert_eq!(calls.len(), 2, "{heard}");
        for call in calls {
            assert!(call.contains(&format!(r#""arguments":{all}"#)), "{call}");
        }
    }
}
