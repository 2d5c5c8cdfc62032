//! Internal failures of a gateway: clients get a reference, and the log has the cause under the same reference.
#![cfg(unix)]

use std::collections::BTreeSet;

use crate::program::run;
use crate::up::up;

/// A server of 2025-11-25 whose results are no results: each holds a text in place of a list.
const SERVER: &str = r#"
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}; id=${id%\}}
  case $line in
    *'"initialize"'*) answer='{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{},"resources":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*) answer='{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}' ;;
    *'"prompts/list"'*) answer='{"prompts":[{"name":"p"}]}' ;;
    *'"resources/list"'*) answer='{"resources":[{"name":"r","uri":"x://r"}]}' ;;
    *'"resources/templates/list"'*) answer='{"resourceTemplates":[]}' ;;
    *'"id"'*) answer='{"content":"the cause","messages":"the cause","contents":"the cause"}' ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$answer"
done
"#;

/// The reference that a client is told.
fn reference(text: &str) -> &str {
    let after = text.split_once("(reference ").and_then(|(_, rest)| rest.split_once(')'));
    after.unwrap_or_else(|| panic!("no reference: {text}")).0
}

#[test]
fn a_client_gets_a_reference_and_the_log_has_the_cause_under_it() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("server.sh"), SERVER).expect("written");
    let config = "[connectors.s]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"server.sh\"]\n";
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let mut up = up(folder.path(), &[]);
    up.until("✓ s");
    let mut told = Vec::new();
    for era in ["modern", "2025-06-18"] {
        for (command, subject, method) in [
            ("call", "s_t", "tools/call"),
            ("prompt", "s_p", "prompts/get"),
            ("read", "x://r", "resources/read"),
        ] {
            let failed = run(&[command, "--era", era, &up.url, subject]);
            let what = format!("{command} {era}: {failed}");
            assert_eq!(failed.code, Some(4), "{what}");
            assert!(!format!("{}{}", failed.stdout, failed.stderr).contains("the cause"), "{what}");
            told.push((method, reference(&failed.stderr).to_owned()));
        }
    }
    let log = up.stop().stderr;
    for (method, reference) in &told {
        let entry = log.lines().find(|line| line.contains(&**reference)).unwrap_or_default();
        assert!(entry.contains("the cause") && entry.contains(method), "{method} {reference}: {log}");
    }
    let different: BTreeSet<_> = told.iter().map(|(_, reference)| reference).collect();
    assert_eq!(different.len(), told.len(), "each failure has a reference of its own: {told:?}");
}
