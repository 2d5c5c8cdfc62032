//! Commits, read by git.

use serde_json::json;

use super::{caller, git, shop, write};

#[tokio::test]
async fn git_reads_the_commits() {
    let folder = shop();
    let path = folder.path();
    let caller = caller(&[path], true).await;
    assert!(caller.tools().await.contains(&"commit".to_owned()));
    write(path, "src/main.rs", "fn main() {}\n");
    write(path, "src/new.rs", "new\n");
    write(path, "other.txt", "other\n");
    git(path, &["add", "other.txt"]);
    std::fs::remove_file(path.join("side.txt")).unwrap();
    let message = "change the start\n\nIt was too long.";
    let paths = ["src/main.rs", "src/new.rs", "side.txt"];
    let made = caller.call("commit", json!({ "message": message, "paths": paths })).await;
    assert_eq!(git(path, &["rev-parse", "main"]), made["commit"].as_str().unwrap());
    assert_eq!(
        git(path, &["show", "-s", "--format=%an <%ae> %cn%n%B"]),
        format!("Eve <eve@example.com> Eve\n{message}")
    );
    assert_eq!(
        git(path, &["show", "--format=", "--name-status"]),
        "D\tside.txt\nM\tsrc/main.rs\nA\tsrc/new.rs"
    );
    assert_eq!(git(path, &["status", "--porcelain"]), "A  other.txt", "the other change is still staged");
    assert_eq!(git(path, &["fsck", "--strict"]), "");
    assert!(git(path, &["reflog", "-1"]).contains("commit: change the start"));
}

#[tokio::test]
async fn all_changes_of_tracked_files_are_committed() {
    let folder = shop();
    let path = folder.path();
    let caller = caller(&[path], true).await;
    write(path, "src/main.rs", "fn main() {}\n");
    write(path, "untracked.txt", "x\n");
    std::fs::remove_file(path.join("side.txt")).unwrap();
    git(path, &["mv", "ABOUT.md", "README.md"]);
    caller.call("commit", json!({ "message": "all", "all": true })).await;
    assert_eq!(git(path, &["status", "--porcelain"]), "?? untracked.txt");
    assert_eq!(git(path, &["fsck", "--strict"]), "");
    let error = caller.error("commit", json!({ "message": "again", "all": true })).await;
    assert!(error.contains("name the files in paths"), "{error}");
}

#[tokio::test]
async fn the_first_commit_and_modes_and_line_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    git(path, &["init", "-q"]);
    write(path, ".gitattributes", "*.txt text\n");
    write(path, "a.txt", "one\r\ntwo\r\n");
    write(path, "run.sh", "#!/bin/sh\n");
    std::fs::set_permissions(path.join("run.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let caller = caller(&[path], true).await;
    caller
        .call("commit", json!({ "message": "first", "paths": [".gitattributes", "a.txt", "run.sh"] }))
        .await;
    assert_eq!(git(path, &["log", "--format=%s"]), "first");
    assert_eq!(git(path, &["cat-file", "blob", "HEAD:a.txt"]), "one\ntwo");
    assert!(git(path, &["ls-tree", "HEAD", "run.sh"]).starts_with("100755"));
    assert_eq!(git(path, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_commit_that_cannot_be_made_changes_nothing() {
    let folder = shop();
    let path = folder.path();
    write(path, ".git/info/exclude", "*.log\n");
    write(path, "noise.log", "x\n");
    write(path, "src/main.rs", "changed\n");
    let caller = caller(&[path], true).await;
    let before = (git(path, &["rev-parse", "HEAD"]), git(path, &["status", "--porcelain"]));
    for (request, expected) in [
        (json!({ "message": "x" }), "name the files in paths"),
        (json!({ "message": " ", "paths": ["src/main.rs"] }), "at least one character"),
        (json!({ "message": "x", "paths": ["ABOUT.md"] }), "these files are as in the last commit"),
        (json!({ "message": "x", "paths": ["none.rs"] }), "there is no file"),
        (json!({ "message": "x", "paths": ["src"] }), "is no file; name the files in it"),
        (json!({ "message": "x", "paths": ["noise.log"] }), "a .gitignore excludes"),
        (json!({ "message": "x", "paths": ["../x"] }), "is no path in a repository"),
        (json!({ "message": "x", "paths": [".git/config"] }), "is no path in a repository"),
        (json!({ "message": "x", "paths": [""] }), "name the files in paths"),
    ] {
        let error = caller.error("commit", request.clone()).await;
        assert!(error.contains(expected), "{request}: {error}");
    }
    std::fs::write(path.join(".git/index.lock"), "").unwrap();
    let error = caller.error("commit", json!({ "message": "x", "paths": ["src/main.rs"] })).await;
    assert!(error.contains("another program holds the lock"), "{error}");
    std::fs::remove_file(path.join(".git/index.lock")).unwrap();
    let after = (git(path, &["rev-parse", "HEAD"]), git(path, &["status", "--porcelain"]));
    assert_eq!(before, after);
}
