//! A history of many commits.

use serde_json::json;

use super::{caller, git};
use crate::program::run;

/// The commits are made by `git fast-import`, so that the test is fast: each changes one of a hundred files.
#[tokio::test]
async fn a_long_history_is_walked_to_its_end() {
    const COMMITS: usize = 2_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    git(path, &["init", "-q"]);
    let script = format!(
        "awk 'BEGIN {{ for (i = 1; i <= {COMMITS}; i++) {{ m = \"change \" i; t = \"line \" i \"\\n\"; \
         printf \"commit refs/heads/main\\ncommitter Ada <a@b> %d +0000\\ndata %d\\n%s\\nM 644 inline src/f%d.txt\\ndata %d\\n%s\\n\", \
         1700000000 + i, length(m), m, i % 100, length(t), t }} }}' | git fast-import --quiet"
    );
    run(path, "sh", &["-c", &script]);
    let caller = caller(&[path], false).await;
    let log = caller.call("log", json!({ "path": "src/f7.txt", "limit": 1000 })).await;
    assert_eq!(log["commits"].as_array().unwrap().len(), COMMITS / 100);
    let skipped = caller.call("log", json!({ "skip": COMMITS - 1 })).await;
    assert_eq!(skipped["commits"][0]["message"], json!("change 1"));
    let blamed = caller.call("blame", json!({ "path": "src/f1.txt" })).await;
    assert_eq!(blamed["hunks"][0]["summary"], json!(format!("change {}", COMMITS - 99)));
    let rare = caller.call("log", json!({ "message": "^change 17$" })).await;
    assert_eq!(rare["commits"].as_array().unwrap().len(), 1);
}
