//! Commits, differences, lines and content, compared with git.

use serde_json::{Value, json};

use super::{caller, commit, git, shop, write};

fn ids(log: &Value) -> Vec<&str> {
    log["commits"].as_array().unwrap().iter().map(|commit| commit["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn logs_are_those_of_git() {
    let folder = shop();
    let path = folder.path();
    let caller = caller(&[path], false).await;
    let table: &[(&[&str], Value)] = &[
        (&["log"], json!({})),
        (&["log", "side"], json!({ "revision": "side" })),
        (&["log", "v1.0..main"], json!({ "revision": "v1.0..main" })),
        (&["log", "..side"], json!({ "revision": "..side" })),
        (&["log", "--", "src/main.rs"], json!({ "path": "src/main.rs" })),
        (&["log", "--", "src"], json!({ "path": "src/" })),
        (&["log", "--", "side.txt"], json!({ "path": "side.txt" })),
        (&["log", "--", "README.md"], json!({ "path": "README.md" })),
        (&["log", "--", "nothing"], json!({ "path": "nothing" })),
        (&["log", "--author=bob"], json!({ "author": "bob@" })),
        (&["log", "-i", "--grep=THE (shop|readme)", "-E"], json!({ "message": "THE (shop|readme)" })),
        (
            &["log", "--since=2026-01-03T00:00:00Z", "--until=2026-01-04T12:00:00Z"],
            json!({ "since": "2026-01-03T00:00:00Z", "until": "2026-01-04T12:00:00Z" }),
        ),
        (&["log", "-n", "2", "--skip=1"], json!({ "limit": 2, "skip": 1 })),
    ];
    for (args, request) in table {
        let (command, rest) = args.split_first().unwrap();
        let args: Vec<&str> = [*command, "--format=%H"].into_iter().chain(rest.iter().copied()).collect();
        let expected = git(path, &args);
        let log = caller.call("log", request.clone()).await;
        assert_eq!(ids(&log).join("\n"), expected, "{request}");
    }
    let log = caller.call("log", json!({ "limit": 1 })).await;
    assert_eq!(log["next_skip"], json!(1));
    assert_eq!(log["commits"][0]["message"], json!("merge side"));
    assert_eq!(
        log["commits"][0]["author"],
        json!({ "name": "Bob", "email": "bob@example.com", "date": "2026-01-05T12:00:00+01:00" })
    );
}

#[tokio::test]
async fn differences_are_those_of_git() {
    let folder = shop();
    let path = folder.path();
    write(path, "src/main.rs", "fn main() {\n    two();\n}\n");
    write(path, "new.txt", "new");
    git(path, &["add", "new.txt"]);
    std::fs::remove_file(path.join("side.txt")).unwrap();
    let caller = caller(&[path], false).await;
    let table: &[(&[&str], Value)] = &[
        (&["diff", "HEAD"], json!({})),
        (&["diff", "HEAD", "--", "src"], json!({ "path": "src" })),
        (&["diff", "--cached"], json!({ "staged": true })),
        (&["diff", "v1.0", "main"], json!({ "from": "v1.0", "to": "main" })),
        (&["diff", "main", "v1.0"], json!({ "from": "main", "to": "v1.0" })),
        (&["diff", "v1.0~1", "v1.0", "--", "src"], json!({ "from": "v1.0~1", "to": "v1.0", "path": "src" })),
    ];
    for (args, request) in table {
        let (command, rest) = args.split_first().unwrap();
        let args: Vec<&str> =
            [*command, "--no-color", "--no-ext-diff"].into_iter().chain(rest.iter().copied()).collect();
        let expected = git(path, &args);
        let diff = caller.call("diff", request.clone()).await;
        // Ours has no blob ids, no function names behind @@, and other words for binary files.
        let plain = |text: &str| -> Vec<String> {
            let kept = text.lines().filter(|line| {
                !line.starts_with("index ")
                    && !line.starts_with("similarity ")
                    && !line.starts_with("Binary ")
            });
            kept.map(|line| {
                if line.starts_with("@@") {
                    line.split("@@").nth(1).unwrap().to_owned()
                } else {
                    line.to_owned()
                }
            })
            .collect()
        };
        assert_eq!(
            plain(diff["patch"].as_str().unwrap()),
            plain(&expected),
            "{request}\n{diff:#}\n{expected}"
        );
    }
    let cut = caller.call("diff", json!({ "from": "v1.0~1", "to": "main", "max_bytes": 150 })).await;
    assert!(cut["note"].as_str().unwrap().contains("at most 150 bytes"), "{cut}");
    assert_eq!(cut["files"].as_array().unwrap().len(), 4, "{cut}");
}

#[tokio::test]
async fn a_commit_is_shown_with_its_changes() {
    let folder = shop();
    let caller = caller(&[folder.path()], false).await;
    let shown = caller.call("show", json!({ "revision": "v1.0" })).await;
    assert_eq!(shown["commit"]["message"], json!("call two"));
    assert_eq!(
        shown["changes"]["files"],
        json!([
            { "path": "logo.png", "kind": "added" },
            { "path": "src/main.rs", "kind": "modified", "added_lines": 1, "removed_lines": 0 },
        ])
    );
    let first = caller.call("show", json!({ "revision": "v1.0~1", "path": "src" })).await;
    assert_eq!(first["changes"]["files"][0]["kind"], json!("added"));
    let renamed = caller.call("show", json!({ "revision": "main^1" })).await;
    assert_eq!(renamed["changes"]["files"][0]["old_path"], json!("README.md"));
}

#[tokio::test]
async fn lines_have_the_commits_that_git_names() {
    let folder = shop();
    let path = folder.path();
    write(path, "ABOUT.md", "# Shop\n\nOne.\nTwo.\n");
    commit(path, 6, "write two");
    let caller = caller(&[path], false).await;
    for (file, args) in
        [("src/main.rs", json!({ "path": "src/main.rs" })), ("ABOUT.md", json!({ "path": "ABOUT.md" }))]
    {
        let expected: Vec<String> =
            git(path, &["blame", "-s", "-l", "--abbrev=40", "--root", "HEAD", "--", file])
                .lines()
                .map(|line| line.split_whitespace().next().unwrap().trim_start_matches('^').to_owned())
                .collect();
        let blamed = caller.call("blame", args).await;
        let mut lines = Vec::new();
        for hunk in blamed["hunks"].as_array().unwrap() {
            for _ in hunk["first_line"].as_u64().unwrap()..=hunk["last_line"].as_u64().unwrap() {
                lines.push(hunk["commit"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(lines, expected, "{file}");
    }
    let part = caller.call("blame", json!({ "path": "src/main.rs", "first_line": 3, "last_line": 3 })).await;
    assert_eq!(part["hunks"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&part["hunks"][0]["summary"], &part["hunks"][0]["text"]),
        (&json!("call two"), &json!("    two();\n"))
    );
    let renamed = caller.call("blame", json!({ "path": "ABOUT.md", "first_line": 1, "last_line": 1 })).await;
    assert_eq!(renamed["hunks"][0]["old_path"], json!("README.md"));
}

#[tokio::test]
async fn files_are_read_and_searched_at_a_revision() {
    let folder = shop();
    let caller = caller(&[folder.path()], false).await;
    let old = caller.call("read", json!({ "path": "src/main.rs", "revision": "v1.0~1" })).await;
    assert_eq!(old["text"], json!("fn main() {\n    one();\n}\n"));
    let part = caller.call("read", json!({ "path": "src/main.rs", "first_line": 2, "line_count": 1 })).await;
    assert_eq!(part["text"], json!("    one();\n"));
    assert_eq!(part["note"], json!("there is more; read on with first_line 3"));
    let top = caller.call("read", json!({ "path": "" })).await;
    assert_eq!(top["entries"], json!(["ABOUT.md", "logo.png", "side.txt", "src/"]));
    assert_eq!(
        caller.call("read", json!({ "path": "logo.png" })).await["note"],
        json!("it is binary, or too large to read")
    );
    for (request, expected) in [
        (json!({ "pattern": "two" }), json!([["src/main.rs", 3]])),
        (json!({ "pattern": "TWO", "ignore_case": true }), json!([["src/main.rs", 3]])),
        (json!({ "pattern": "two", "revision": "v1.0~1" }), json!([])),
        (json!({ "pattern": "one\\(\\)|# S" }), json!([["ABOUT.md", 1], ["src/main.rs", 2]])),
        (
            json!({ "pattern": "()", "literal": true }),
            json!([["src/main.rs", 1], ["src/main.rs", 2], ["src/main.rs", 3]]),
        ),
        (json!({ "pattern": ".", "glob": "*.md" }), json!([["ABOUT.md", 1], ["ABOUT.md", 3]])),
        (json!({ "pattern": "main", "path": "src" }), json!([["src/main.rs", 1]])),
        (json!({ "pattern": "binary" }), json!([])),
    ] {
        let found = caller.call("search", request.clone()).await;
        let places: Vec<Value> = found["matches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| json!([line["path"], line["line"]]))
            .collect();
        assert_eq!(json!(places), expected, "{request}");
    }
    let names = caller.call("references", json!({})).await;
    let names: Vec<&str> = names["references"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reference| reference["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["main", "side", "v1.0"]);
}

#[tokio::test]
async fn mistakes_are_explained() {
    let folder = shop();
    let caller = caller(&[folder.path()], false).await;
    for (tool, request, expected) in [
        ("log", json!({ "revision": "mian" }), "there is no revision \"mian\""),
        ("log", json!({ "revision": ":/shop" }), "is no revision"),
        ("log", json!({ "revision": "HEAD^{/shop}" }), "is no revision"),
        ("log", json!({ "revision": "main...side" }), "two dots"),
        ("log", json!({ "revision": "--output=/x" }), "is no revision"),
        ("log", json!({ "message": "(" }), "does not parse"),
        ("log", json!({ "since": "someday" }), "is no time"),
        ("show", json!({ "revision": "main:src" }), "is no commit"),
        ("read", json!({ "path": "none" }), "there is no \"none\""),
        ("read", json!({ "path": "../x" }), "is no path in a repository"),
        ("read", json!({ "path": "/etc/passwd" }), "is no path in a repository"),
        ("blame", json!({ "path": "src" }), "is no file"),
        (
            "blame",
            json!({ "path": "src/main.rs", "first_line": 9, "last_line": 2 }),
            "these lines do not exist",
        ),
        ("search", json!({ "pattern": "a", "glob": "[" }), "the glob"),
        ("status", json!({ "repository": "other" }), "there is no repository \"other\""),
    ] {
        let error = caller.error(tool, request.clone()).await;
        assert!(error.contains(expected), "{tool} {request}: {error}");
    }
}
