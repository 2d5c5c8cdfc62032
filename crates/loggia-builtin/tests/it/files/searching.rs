use std::time::Duration;

use loggia_builtin::files::{Files, FindRequest, GrepRequest, GrepResult, Limits, ListRequest};

use super::{folder, paths, read_only, with_limits};

const TREE: &[(&str, &str)] = &[
    (".gitignore", "/target\n*.log\n!keep.log\n"),
    (".env", "SECRET=needle\n"),
    ("Cargo.toml", "[package]\nname = \"needle\"\n"),
    ("a.log", "needle"),
    ("keep.log", "needle"),
    ("src/lib.rs", "// one\nfn needle() {}\n// three\nfn other() {}\n// NEEDLE\n"),
    ("src/main.rs", "fn main() {}\n"),
    ("src/deep/.gitignore", "local.*\n"),
    ("src/deep/local.rs", "needle"),
    ("src/deep/mod.rs", "needle needle\r\n"),
    ("src-gen/x.rs", ""),
    ("target/out.rs", "needle"),
];

/// Patterns that once cost hundreds of megabytes or ended the call with a panic, and what is like them.
#[test]
fn a_pattern_is_an_error_or_matches_whatever_it_is() {
    let folder = folder(TREE);
    let files = read_only(folder.path());
    let stars = (0..100_000).map(|n| format!("*****{n}")).collect::<Vec<_>>().join(",");
    let table = [
        format!("{{{stars}}}"),
        "{".repeat(200_000),
        "*".repeat(1 << 20),
        format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000)),
        "[^a]{1000}{1000}{1000}".to_owned(),
        format!("({}){{1000}}", "a?".repeat(500)),
        "\u{1b}[31m\n".repeat(1000),
        "\u{1b}[31m(".to_owned(),
        "\n".repeat(1000),
        "[a".to_owned(),
    ];
    for pattern in &table {
        let start: String = pattern.chars().take(40).collect();
        let errors = [
            files.find(&find(pattern)).map(drop),
            files.grep(&grep(pattern)).map(drop),
            files.grep(&GrepRequest { glob: Some(pattern.clone()), ..grep("needle") }).map(drop),
            files.grep(&GrepRequest { literal: true, ..grep(pattern) }).map(drop),
        ];
        let messages = errors.into_iter().filter_map(|result| Some(result.err()?.to_string()));
        for message in messages {
            assert!(message.len() < 2_000, "{start}: {} bytes", message.len());
            assert!(!message.contains('\u{1b}'), "{start}: {message:?}");
        }
    }
    assert!(files.find(&find(&table[0])).is_err() && files.grep(&grep(&table[3])).is_err());
}

/// Compiled rules need a hundred times the memory of their text.
#[test]
fn a_gitignore_above_its_bounds_applies_in_part_and_says_so() {
    let deep: Vec<(String, String)> =
        (1..=20).map(|n| (format!("{}.gitignore", "d/".repeat(n)), format!("x{n}\n"))).collect();
    let deep: Vec<(&str, &str)> = deep.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let rules = format!("out\n{}", "*x\n".repeat(1_000_000));
    let rule = format!("out\n{}\n", "{*****0,".repeat(100_000));
    let bytes = format!("out\n{}", format!("{}\n", "a".repeat(1000)).repeat(200));
    let table = [
        ("as usual", "out\n", &[][..], false),
        ("rules", &rules, &[], true),
        ("a rule", &rule, &[], true),
        ("bytes", &bytes, &[], true),
        ("directories", "out\n", &deep[..], true),
    ];
    for (what, content, below, incomplete) in table {
        let folder = folder(&[&[(".gitignore", content), ("out", ""), ("in", "")], below].concat());
        let listing = read_only(folder.path()).list(&list("", 100)).unwrap();
        let notes: Vec<&String> =
            listing.notes.iter().filter(|note| note.starts_with("not all rules")).collect();
        assert_eq!(notes.len(), usize::from(incomplete), "{what}: {:?}", listing.notes);
        let shown: Vec<String> = paths(&listing).into_iter().filter(|path| !path.starts_with('d')).collect();
        assert_eq!(shown, ["in"], "{what}");
    }
}

fn list(path: &str, depth: usize) -> ListRequest {
    ListRequest { path: path.into(), depth, ..Default::default() }
}

#[test]
fn lists() {
    let folder = folder(TREE);
    let files = read_only(folder.path());
    let table: &[(ListRequest, &[&str])] = &[
        (list("", 1), &["Cargo.toml", "keep.log", "src/", "src-gen/"]),
        (list(".", 1), &["Cargo.toml", "keep.log", "src/", "src-gen/"]),
        (list("src", 1), &["src/deep/", "src/lib.rs", "src/main.rs"]),
        (list("src", 9), &["src/deep/", "src/deep/mod.rs", "src/lib.rs", "src/main.rs"]),
        (list("src/deep", 1), &["src/deep/mod.rs"]),
        (
            ListRequest { ignored: true, ..list("", 1) },
            &["Cargo.toml", "a.log", "keep.log", "src/", "src-gen/", "target/"],
        ),
        (
            ListRequest { hidden: true, ..list("", 1) },
            &[".env", ".gitignore", "Cargo.toml", "keep.log", "src/", "src-gen/"],
        ),
    ];
    for (request, expected) in table {
        assert_eq!(paths(&files.list(request).unwrap()), *expected, "{request:?}");
    }
    let notes = files.list(&list("", 1)).unwrap().notes;
    assert_eq!(notes, ["4 hidden or git-ignored entries left out; set hidden or ignored to see them"]);
}

#[test]
fn pages_join_to_the_whole_list() {
    let folder = folder(TREE);
    let files = read_only(folder.path());
    let all = ListRequest { hidden: true, ignored: true, ..list("", 9) };
    let whole = paths(&files.list(&all).unwrap());
    assert_eq!(whole.len(), 16);
    for size in 1..=17 {
        let mut joined = Vec::new();
        let mut request = ListRequest { limit: Some(size), ..all.clone() };
        loop {
            let page = files.list(&request).unwrap();
            joined.extend(paths(&page));
            match page.next_cursor {
                Some(cursor) => request.cursor = Some(cursor),
                None => break,
            }
        }
        assert_eq!(joined, whole, "pages of {size}");
    }
}

/// Follows the cursor of `page` until there is none.
fn all_pages<T>(mut page: impl FnMut(Option<String>) -> (Vec<T>, Option<String>)) -> Vec<T> {
    let mut joined = Vec::new();
    let mut cursor = None;
    loop {
        let (part, next) = page(cursor.clone());
        joined.extend(part);
        match next {
            Some(next) => assert!(cursor.replace(next.clone()) != Some(next), "each page goes on"),
            None => return joined,
        }
    }
}

/// A folder with more names than an operation holds in memory or visits, in one directory and below it.
#[test]
fn the_names_above_every_bound_are_reachable_by_cursor() {
    let content: Vec<(String, &str)> = (0..300).map(|n| (format!("flat/{n:03}.txt"), "needle\n")).collect();
    let deep = (0..60).map(|n| (format!("deep/{}/{}{n}", n % 7, "d/".repeat(n % 5)), "needle\n"));
    let content: Vec<(String, &str)> = content.into_iter().chain(deep).collect();
    let folder = folder(&content.iter().map(|(path, text)| (path.as_str(), *text)).collect::<Vec<_>>());
    let unbounded = read_only(folder.path());
    let whole = paths(&unbounded.list(&list("", 9)).unwrap());
    let limits = Limits::default();
    let table = [
        Limits { held: 8, ..limits.clone() },
        Limits { held: 1, ..limits.clone() },
        Limits { entries: 7, ..limits.clone() },
        Limits { entries: 1, held: 2, ..limits.clone() },
        Limits { page: 10, held: 100, ..limits.clone() },
        Limits { page: 10, held: 30, entries: 50, ..limits },
    ];
    for limits in table {
        let files = with_limits(folder.path(), limits.clone());
        let complete = |notes: &[String], next: &Option<String>| {
            let stopped = notes.iter().any(|note| note.starts_with("stopped"));
            assert!(!stopped || next.is_some(), "{limits:?}: {notes:?}");
        };
        let listed = all_pages(|cursor| {
            let page = files.list(&ListRequest { cursor, ..list("", 9) }).unwrap();
            complete(&page.notes, &page.next_cursor);
            (paths(&page), page.next_cursor)
        });
        assert_eq!(listed, whole, "{limits:?}");
        let found = all_pages(|cursor| {
            let page = files.find(&FindRequest { cursor, ..find("29?.txt") }).unwrap();
            complete(&page.notes, &page.next_cursor);
            (paths(&page), page.next_cursor)
        });
        assert_eq!(found.len(), 10, "{limits:?}");
        let searched = all_pages(|cursor| {
            let result = files.grep(&GrepRequest { cursor, limit: Some(20), ..grep("needle") }).unwrap();
            complete(&result.notes, &result.next_cursor);
            (show(&result), result.next_cursor)
        });
        assert_eq!(searched.len(), 360, "{limits:?}");
        assert_eq!(files.complete("flat/29").len(), 10, "{limits:?}");
    }
}

#[test]
fn directories_that_are_too_deep_are_told_of() {
    let path = format!("{}file", "d/".repeat(102));
    let folder = folder(&[(&path, "needle")]);
    let files = read_only(folder.path());
    let notes = [
        files.find(&find("file")).unwrap().notes,
        files.grep(&grep("needle")).unwrap().notes,
        files.list(&list("", 200)).unwrap().notes,
    ];
    for notes in notes {
        assert!(notes.iter().any(|note| note.contains("more than 100 levels down")), "{notes:?}");
    }
    assert!(files.list(&list("", 5)).unwrap().notes.is_empty(), "asked for as many levels");
    let start = "d/".repeat(50).trim_end_matches('/').to_owned();
    assert_eq!(files.grep(&GrepRequest { path: start, ..grep("needle") }).unwrap().matches, 1);
}

/// The matches of a file for which there was no room are told of, since the next page begins after the file.
#[test]
fn a_file_with_more_matches_than_are_shown_is_named() {
    let folder = folder(&[("a", "x\nx\n"), ("b", "x\nx\n"), ("c", "x\n")]);
    let files = read_only(folder.path());
    let table = [
        (1, Some("a"), Some("a")),
        (2, Some("a"), None),
        (3, Some("b"), Some("b")),
        (4, Some("b"), None),
        (6, None, None),
    ];
    for (limit, cursor, cut) in table {
        let result = files.grep(&GrepRequest { limit: Some(limit), ..grep("x") }).unwrap();
        assert_eq!(result.next_cursor.as_deref(), cursor, "{limit}");
        let named = result.notes.iter().find(|note| note.contains("has more matches"));
        assert_eq!(named.map(|note| &note[1..2]), cut, "{limit}");
    }
}

#[test]
fn a_cursor_outlives_the_file_it_names() {
    let folder = folder(&[("a", ""), ("b/x", ""), ("b/y", ""), ("c", "")]);
    let files = read_only(folder.path());
    std::fs::remove_file(folder.path().join("b/x")).unwrap();
    let page = files.list(&ListRequest { cursor: Some("b/x".into()), ..list("", 9) }).unwrap();
    assert_eq!(paths(&page), ["b/y", "c"]);
}

fn find(glob: &str) -> FindRequest {
    FindRequest { glob: glob.into(), ..Default::default() }
}

#[test]
fn finds() {
    let folder = folder(TREE);
    let files = read_only(folder.path());
    let table: &[(FindRequest, &[&str])] = &[
        (find("*.rs"), &["src/deep/mod.rs", "src/lib.rs", "src/main.rs", "src-gen/x.rs"]),
        (find("/*.toml"), &["Cargo.toml"]),
        (find("./src/*.rs"), &["src/lib.rs", "src/main.rs"]),
        (find("src/**/*.rs"), &["src/deep/mod.rs", "src/lib.rs", "src/main.rs"]),
        (find("**/{lib,mod}.rs"), &["src/deep/mod.rs", "src/lib.rs"]),
        (find("deep"), &["src/deep/"]),
        (find("cargo.TOML"), &[]),
        (FindRequest { ignore_case: true, ..find("cargo.TOML") }, &["Cargo.toml"]),
        (FindRequest { path: "src".into(), ..find("deep/*") }, &["src/deep/mod.rs"]),
        (FindRequest { hidden: true, ..find(".*") }, &[".env", ".gitignore", "src/deep/.gitignore"]),
        (FindRequest { ignored: true, path: "src".into(), ..find("local*") }, &["src/deep/local.rs"]),
        (FindRequest { cursor: Some("src/lib.rs".into()), ..find("*.rs") }, &["src/main.rs", "src-gen/x.rs"]),
    ];
    for (request, expected) in table {
        assert_eq!(paths(&files.find(request).unwrap()), *expected, "{request:?}");
    }
}

fn grep(pattern: &str) -> GrepRequest {
    GrepRequest { pattern: pattern.into(), ..Default::default() }
}

/// `path:line:text`, with `-` for a line of context.
fn show(result: &GrepResult) -> Vec<String> {
    let line = |path: &str, l: &loggia_builtin::files::MatchLine| {
        let sign = if l.matched { ':' } else { '-' };
        format!("{path}{sign}{}{sign}{}", l.line, l.text)
    };
    result.files.iter().flat_map(|f| f.lines.iter().map(|l| line(&f.path, l))).collect()
}

#[test]
fn greps() {
    let folder = folder(TREE);
    let files = read_only(folder.path());
    let rs = Some("*.rs".to_owned());
    let table: &[(GrepRequest, &[&str])] = &[
        (
            grep("needle"),
            &[
                "Cargo.toml:2:name = \"needle\"",
                "keep.log:1:needle",
                "src/deep/mod.rs:1:needle needle",
                "src/lib.rs:2:fn needle() {}",
            ],
        ),
        (
            GrepRequest { path: "src/lib.rs".into(), ..grep("^fn \\w+\\(\\)") },
            &["src/lib.rs:2:fn needle() {}", "src/lib.rs:4:fn other() {}"],
        ),
        (
            GrepRequest { literal: true, ..grep("()") },
            &["src/lib.rs:2:fn needle() {}", "src/lib.rs:4:fn other() {}", "src/main.rs:1:fn main() {}"],
        ),
        (
            GrepRequest {
                ignore_case: true,
                path: "src".into(),
                glob: Some("lib.rs".into()),
                ..grep("NeedLe")
            },
            &["src/lib.rs:2:fn needle() {}", "src/lib.rs:5:// NEEDLE"],
        ),
        (
            GrepRequest { context: 1, glob: rs.clone(), ..grep("fn other") },
            &["src/lib.rs-3-// three", "src/lib.rs:4:fn other() {}", "src/lib.rs-5-// NEEDLE"],
        ),
        (GrepRequest { glob: rs.clone(), ..grep("needle$") }, &["src/deep/mod.rs:1:needle needle"]),
        (GrepRequest { hidden: true, ..grep("SECRET") }, &[".env:1:SECRET=needle"]),
        (GrepRequest { ignored: true, path: "target".into(), ..grep("needle") }, &["target/out.rs:1:needle"]),
        // a file that is named is searched, whatever it is
        (GrepRequest { path: ".env".into(), ..grep("needle") }, &[".env:1:SECRET=needle"]),
        (
            GrepRequest { limit: Some(2), ..grep("needle") },
            &["Cargo.toml:2:name = \"needle\"", "keep.log:1:needle"],
        ),
    ];
    for (request, expected) in table {
        assert_eq!(show(&files.grep(request).unwrap()), *expected, "{request:?}");
    }
}

#[test]
fn a_search_says_what_it_left_out() {
    let folder = folder(&[("a", "x\nx\nx\n"), ("b", "x\n")]);
    std::fs::write(folder.path().join("bin"), b"x\n\0").unwrap();
    let files = read_only(folder.path());
    let limited = files.grep(&GrepRequest { limit: Some(2), ..grep("x") }).unwrap();
    assert_eq!((limited.matches, limited.searched), (2, 1));
    assert_eq!(
        limited.notes,
        [
            "stopped at 2 matches; go on with next_cursor, or narrow the search with path, glob or a longer pattern",
            "'a' has more matches; raise limit, or search this file alone"
        ]
    );
    let binary = files.grep(&grep("x")).unwrap();
    assert_eq!(
        (binary.matches, binary.searched, binary.notes),
        (4, 3, vec!["1 binary files were skipped".to_owned()])
    );
}

#[test]
fn the_piece_around_the_match_is_shown_of_a_long_line() {
    let line = format!("{}needle{}", "ä".repeat(5000), "b".repeat(5000));
    let folder = folder(&[("min.js", &line)]);
    let result = read_only(folder.path()).grep(&grep("needle")).unwrap();
    let text = &result.files[0].lines[0].text;
    assert!(text.starts_with("…ä") && text.contains("äneedleb") && text.ends_with("b…"), "{text}");
    assert!(text.len() < 420, "{}", text.len());
}

#[test]
fn every_walk_ends_at_its_limits() {
    let folder = folder(TREE);
    let limits = Limits::default();
    let table: &[(Limits, &str)] = &[
        (Limits { entries: 3, ..limits.clone() }, "stopped early: too many files and directories"),
        (Limits { time: Duration::ZERO, ..limits.clone() }, "stopped early: it took too long"),
        (Limits { scan: 5, ..limits.clone() }, "stopped early: too many bytes to read"),
    ];
    for (limits, note) in table {
        let files: Files = with_limits(folder.path(), limits.clone());
        let grep = files.grep(&grep("needle")).unwrap().notes;
        assert!(grep.iter().any(|n| n.starts_with(note)), "{grep:?}");
        if limits.scan > 5 {
            let list = files.list(&list("", 9)).unwrap().notes;
            assert!(list.iter().any(|n| n.starts_with(note)), "{list:?}");
        }
    }
    let nobody_waits = read_only(folder.path()).until(|| true);
    assert_eq!(nobody_waits.grep(&grep("needle")).unwrap().matches, 0);
    let files = with_limits(folder.path(), Limits { page: 2, ..limits });
    assert_eq!(files.list(&ListRequest { limit: Some(100), ..list("", 1) }).unwrap().entries.len(), 2);
}

#[test]
fn completes_paths() {
    let folder = folder(TREE);
    let files = read_only(folder.path());
    let table: &[(&str, &[&str])] = &[
        ("", &["Cargo.toml", "a.log", "keep.log", "src/", "src-gen/", "target/"]),
        ("sr", &["src/", "src-gen/"]),
        ("src/", &["src/deep/", "src/lib.rs", "src/main.rs"]),
        ("src/m", &["src/main.rs"]),
        (".e", &[".env"]),
        ("nowhere/x", &[]),
        ("../", &[]),
    ];
    for (typed, expected) in table {
        assert_eq!(files.complete(typed), *expected, "{typed}");
    }
}
