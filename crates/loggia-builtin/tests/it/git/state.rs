//! The index and the work tree, several repositories, and repositories in unusual states.

use serde_json::{Value, json};

use super::{caller, git, shop, write};

#[tokio::test]
async fn the_status_is_that_of_git() {
    let folder = shop();
    let path = folder.path();
    let caller = caller(&[path], false).await;
    assert_eq!(
        caller.tools().await,
        ["repositories", "status", "log", "show", "read", "diff", "blame", "search", "references"]
    );
    let clean = caller.call("status", json!({})).await;
    assert_eq!((&clean["branch"], &clean["files"]), (&json!("main"), &json!([])));
    write(path, "src/main.rs", "changed\n");
    write(path, "staged.txt", "a\n");
    write(path, ".gitignore", "*.log\n");
    write(path, "noise.log", "x");
    write(path, "folder/a", "x");
    git(path, &["add", "staged.txt", ".gitignore"]);
    write(path, "staged.txt", "b\n");
    std::fs::remove_file(path.join("side.txt")).unwrap();
    git(path, &["rm", "-q", "--cached", "logo.png"]);
    let status = caller.call("status", json!({})).await;
    let lines: Vec<String> = status["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| format!("{} {} {}", file["path"].as_str().unwrap(), file["staged"], file["unstaged"]))
        .collect();
    assert_eq!(
        lines,
        [
            ".gitignore \"added\" null",
            "folder null \"untracked\"",
            "logo.png \"deleted\" \"untracked\"",
            "side.txt null \"deleted\"",
            "src/main.rs null \"modified\"",
            "staged.txt \"added\" \"modified\"",
        ]
    );
    let part = caller.call("status", json!({ "path": "src" })).await;
    assert_eq!(part["files"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn several_repositories_are_told_apart() {
    let (one, two) = (shop(), shop());
    let above = tempfile::tempdir().unwrap();
    for (name, folder) in [("a", &one), ("b/c", &two)] {
        std::fs::create_dir_all(above.path().join(name)).unwrap();
        git(above.path(), &["clone", "-q", folder.path().to_str().unwrap(), name]);
    }
    git(above.path(), &["clone", "-q", "--bare", one.path().to_str().unwrap(), "bare.git"]);
    let caller = caller(&[above.path()], false).await;
    let listed = caller.call("repositories", json!({})).await;
    assert_eq!(
        listed["repositories"],
        json!([
            { "path": "a", "branch": "main", "bare": false },
            { "path": "b/c", "branch": "main", "bare": false },
            { "path": "bare.git", "branch": "main", "bare": true },
        ])
    );
    assert!(caller.error("log", json!({})).await.contains("name the repository: a, b/c, bare.git"));
    for name in ["a", "b/c", "bare.git"] {
        let log = caller.call("log", json!({ "repository": name })).await;
        assert_eq!(log["commits"].as_array().unwrap().len(), 5, "{name}");
    }
    let error = caller.error("status", json!({ "repository": "bare.git" })).await;
    assert!(error.contains("is bare"), "{error}");
}

/// Repositories without a commit, with a detached head, a conflict, a shallow history and a second work tree.
#[tokio::test]
async fn unusual_states_are_served() {
    let empty = tempfile::tempdir().unwrap();
    git(empty.path(), &["init", "-q"]);
    let fresh = caller(&[empty.path()], true).await;
    assert_eq!(fresh.call("status", json!({})).await["branch"], json!("main"));
    assert!(fresh.error("log", json!({})).await.contains("no commit yet"));

    let folder = shop();
    let path = folder.path();
    git(path, &["checkout", "-q", "v1.0"]);
    let detached = caller(&[path], false).await;
    assert_eq!(detached.call("status", json!({})).await.get("branch"), None::<&Value>);

    git(path, &["checkout", "-q", "-b", "other", "v1.0~1"]);
    write(path, "src/main.rs", "other\n");
    git(path, &["commit", "-qam", "other"]);
    let merge =
        std::process::Command::new("git").args(["merge", "-q", "main"]).current_dir(path).output().unwrap();
    assert!(!merge.status.success(), "it conflicts");
    let status = detached.call("status", json!({ "path": "src" })).await;
    assert_eq!(status["files"][0]["unstaged"], json!("conflicted"));
    assert_eq!(status["in_progress"], json!("Merge"));

    let above = tempfile::tempdir().unwrap();
    let url = format!("file://{}", path.display());
    git(above.path(), &["clone", "-q", "--depth", "1", "--branch", "main", &url, "shallow"]);
    let shallow = caller(&[above.path()], false).await;
    assert_eq!(shallow.call("log", json!({})).await["commits"].as_array().unwrap().len(), 1);
    assert!(shallow.call("show", json!({})).await["changes"]["files"].as_array().unwrap().len() > 2);
    git(&above.path().join("shallow"), &["worktree", "add", "-q", "../second"]);
    let second = caller(&[above.path()], false).await;
    assert_eq!(second.call("status", json!({ "repository": "second" })).await["branch"], json!("second"));
}
