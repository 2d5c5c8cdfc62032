//! Repositories that try to lead out of their root, or to run programs.

use std::os::unix::fs::symlink;

use serde_json::json;

use super::{caller, git, shop, write};

#[tokio::test]
async fn no_repository_leads_out_of_its_root() {
    let secret = shop();
    let outside = secret.path();
    let objects = outside.join(".git/objects").display().to_string();
    type Plant = fn(&std::path::Path, &std::path::Path);
    let table: &[(&str, Plant)] = &[
        ("a link to a git directory", |folder, outside| {
            symlink(outside.join(".git"), folder.join(".git")).unwrap()
        }),
        ("a file that names a git directory", |folder, outside| {
            write(folder, ".git", &format!("gitdir: {}\n", outside.join(".git").display()));
        }),
        ("borrowed objects", |folder, outside| {
            git(folder, &["init", "-q"]);
            write(
                folder,
                ".git/objects/info/alternates",
                &outside.join(".git/objects").display().to_string(),
            );
        }),
        ("borrowed objects by a relative path", |folder, outside| {
            git(folder, &["init", "-q"]);
            let name = outside.file_name().unwrap().to_str().unwrap();
            write(folder, ".git/objects/info/alternates", &format!("../../../../{name}/.git/objects\n"));
        }),
        ("linked objects", |folder, outside| {
            git(folder, &["init", "-q"]);
            std::fs::remove_dir_all(folder.join(".git/objects")).unwrap();
            symlink(outside.join(".git/objects"), folder.join(".git/objects")).unwrap();
        }),
        ("linked references", |folder, outside| {
            git(folder, &["init", "-q"]);
            std::fs::remove_dir_all(folder.join(".git/refs")).unwrap();
            symlink(outside.join(".git/refs"), folder.join(".git/refs")).unwrap();
        }),
        ("a second work tree of a repository outside", |folder, outside| {
            std::fs::remove_dir(folder).unwrap();
            git(outside, &["worktree", "add", "-q", "--detach", folder.to_str().unwrap()]);
        }),
    ];
    for (name, plant) in table {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("repository");
        std::fs::create_dir(&folder).unwrap();
        plant(&folder, outside);
        let caller = caller(&[&folder], false).await;
        for (tool, args) in [
            ("log", json!({ "revision": "main" })),
            ("status", json!({})),
            ("read", json!({ "path": "src/main.rs", "revision": "main" })),
        ] {
            let error = caller.error(tool, args).await;
            assert!(
                error.contains("outside of the folders") || error.contains("is no git repository"),
                "{name}: {error}"
            );
            assert!(!error.contains(&objects), "{name}: {error}");
        }
    }
    // The configuration of a repository is not trusted with the place of its work tree.
    let own = tempfile::tempdir().unwrap();
    git(own.path(), &["init", "-q"]);
    git(own.path(), &["config", "core.worktree", outside.to_str().unwrap()]);
    let status = caller(&[own.path()], false).await.call("status", json!({})).await;
    assert_eq!(status["files"], json!([]));
    let inside = tempfile::tempdir().unwrap();
    symlink(outside, inside.path().join("link")).unwrap();
    let caller = caller(&[inside.path()], false).await;
    for name in ["link", "..", outside.to_str().unwrap(), "link/.git", "../../../../etc"] {
        let error = caller.error("log", json!({ "repository": name })).await;
        assert!(error.contains("there is no repository"), "{name}: {error}");
    }
}

/// Configuration and attributes that name programs: none of them runs.
#[tokio::test]
async fn no_program_of_a_repository_runs() {
    let folder = shop();
    let path = folder.path();
    let proof = path.join(".git/proof");
    let program = path.join(".git/evil.sh");
    std::fs::write(&program, format!("#!/bin/sh\ntouch {}\ncat\n", proof.display())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let evil = program.to_str().unwrap();
    for (key, value) in [
        ("filter.evil.clean", evil),
        ("filter.evil.smudge", evil),
        ("filter.evil.process", evil),
        ("filter.evil.required", "true"),
        ("diff.evil.command", evil),
        ("diff.evil.textconv", evil),
        ("diff.external", evil),
        ("core.fsmonitor", evil),
        ("core.pager", evil),
        ("core.editor", evil),
        ("core.sshCommand", evil),
        ("core.hooksPath", path.join(".git").to_str().unwrap()),
        ("gpg.program", evil),
        ("commit.gpgSign", "true"),
        ("user.signingKey", "x"),
    ] {
        git(path, &["config", key, value]);
    }
    for hook in ["pre-commit", "post-commit", "commit-msg", "post-index-change", "reference-transaction"] {
        for folder in [".git/hooks", ".git"] {
            std::fs::copy(&program, path.join(folder).join(hook)).unwrap();
        }
    }
    write(path, ".gitattributes", "* filter=evil diff=evil\n");
    write(path, "src/main.rs", "changed\n");
    let caller = caller(&[path], true).await;
    for (tool, args) in [
        ("status", json!({})),
        ("diff", json!({})),
        ("diff", json!({ "from": "v1.0", "to": "main" })),
        ("show", json!({})),
        ("log", json!({ "path": "src" })),
        ("blame", json!({ "path": "ABOUT.md" })),
        ("search", json!({ "pattern": "a" })),
        ("commit", json!({ "message": "change", "paths": ["src/main.rs", ".gitattributes"] })),
        ("show", json!({})),
    ] {
        caller.call(tool, args).await;
        assert!(!proof.exists(), "{tool} ran a program");
    }
    assert_eq!(git(path, &["show", "-s", "--format=%G? %an", "--no-show-signature", "HEAD"]), "N Eve");
}

/// Links of the work tree: the link itself is compared and committed, never the file behind it.
#[tokio::test]
async fn no_link_of_the_work_tree_is_followed() {
    let secret = tempfile::tempdir().unwrap();
    write(secret.path(), "main.rs", "secret text\n");
    let folder = shop();
    let path = folder.path();
    std::fs::remove_file(path.join("side.txt")).unwrap();
    symlink(secret.path().join("main.rs"), path.join("side.txt")).unwrap();
    std::fs::remove_dir_all(path.join("src")).unwrap();
    symlink(secret.path(), path.join("src")).unwrap();
    let caller = caller(&[path], true).await;
    let diff = caller.call("diff", json!({})).await.to_string();
    assert!(!diff.contains("secret text"), "{diff}");
    let error = caller.error("commit", json!({ "message": "x", "paths": ["src/other.rs"] })).await;
    assert!(error.contains("there is no file"), "{error}");
    caller.call("commit", json!({ "message": "x", "paths": ["side.txt", "src/main.rs"] })).await;
    let tree = git(path, &["ls-tree", "-r", "HEAD"]);
    assert!(tree.contains("120000") && !tree.contains("src/main.rs"), "{tree}");
    assert!(!git(path, &["show", "HEAD"]).contains("secret text"));
}
