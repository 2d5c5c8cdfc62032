//! Nothing outside the folder is read, written, listed or deleted, through any path.

#![cfg(unix)]

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use loggia_builtin::files::{
    Content, DeleteRequest, Edit, EditRequest, Files, FilesError, FindRequest, GrepRequest, ListRequest,
    MoveRequest, ReadRequest, WriteRequest,
};
use tempfile::TempDir;

use super::{folder, paths, read_only, writable};

/// A folder `inside`, next to it what must stay untouched, and links of every kind.
fn with_links() -> TempDir {
    let both = folder(&[
        ("outside/secret", "secret"),
        ("outside/dir/x", "secret"),
        ("inside/file", "text"),
        ("inside/dir/y", "text"),
    ]);
    let inside = both.path().join("inside");
    let absolute = both.path().join("outside");
    symlink("../outside/secret", inside.join("file-link")).unwrap();
    symlink(absolute.join("secret"), inside.join("absolute-link")).unwrap();
    symlink("../outside", inside.join("dir-link")).unwrap();
    symlink("..", inside.join("up-link")).unwrap();
    symlink("/", inside.join("root-link")).unwrap();
    symlink("dir-link/secret", inside.join("link-to-link")).unwrap();
    symlink("../outside/new", inside.join("dangling-out")).unwrap();
    symlink("nowhere", inside.join("dangling-in")).unwrap();
    symlink("loop", inside.join("loop")).unwrap();
    symlink("file", inside.join("good-link")).unwrap();
    symlink("dir", inside.join("good-dir-link")).unwrap();
    both
}

/// Every operation on one path, by name.
fn operations(files: &Files, path: &str) -> Vec<(&'static str, Result<(), FilesError>)> {
    let path = || path.to_owned();
    let edit = Edit { old: "secret".into(), new: "changed".into(), replace_all: true };
    let write =
        WriteRequest { path: path(), content: b"changed".to_vec(), overwrite: true, if_unchanged: None };
    vec![
        ("stat", files.stat(&path()).map(drop)),
        ("read", files.read(&ReadRequest { path: path(), ..Default::default() }).map(drop)),
        ("list", files.list(&ListRequest { path: path(), ..Default::default() }).map(drop)),
        ("find", files.find(&FindRequest { glob: "*".into(), path: path(), ..Default::default() }).map(drop)),
        (
            "grep",
            files.grep(&GrepRequest { pattern: ".".into(), path: path(), ..Default::default() }).map(drop),
        ),
        ("count", files.count_below(&path(), 10).map(drop)),
        ("write", files.write(&write).map(drop)),
        (
            "edit",
            files.edit(&EditRequest { path: path(), edits: vec![edit], ..Default::default() }).map(drop),
        ),
        ("mkdir", files.create_directory(&path()).map(drop)),
    ]
}

#[test]
fn no_path_leads_out() {
    let both = with_links();
    let files = writable(&both.path().join("inside"));
    let outside = both.path().join("outside/secret");
    let sibling = both.path().join("inside/../outside/secret");
    let paths = [
        "..",
        "../outside/secret",
        "dir/../../outside/secret",
        "/etc/passwd",
        "/",
        "file-link",
        "absolute-link",
        "dir-link/secret",
        "dir-link/dir",
        "dir-link/new/deep",
        "up-link/outside/secret",
        "root-link/etc/passwd",
        "link-to-link",
        outside.to_str().unwrap(),
        sibling.to_str().unwrap(),
    ];
    for path in paths {
        for (operation, result) in operations(&files, path) {
            assert!(matches!(result, Err(FilesError::Outside { .. })), "{operation} {path}: {result:?}");
        }
        let to = files.rename(&MoveRequest { from: "file".into(), to: format!("{path}/x"), overwrite: true });
        assert!(to.is_err(), "move to {path}: {to:?}");
    }
    for path in ["dir-link/secret", "dir-link/dir", "up-link/outside", "../outside"] {
        assert!(files.delete(&DeleteRequest { path: path.into(), recursive: true }).is_err(), "{path}");
        let away = MoveRequest { from: path.into(), to: "stolen".into(), overwrite: true };
        assert!(files.rename(&away).is_err(), "{path}");
    }
    assert_untouched(&both);
}

fn assert_untouched(both: &TempDir) {
    let outside = read_only(&both.path().join("outside"));
    let all = ListRequest { depth: 9, hidden: true, ..Default::default() };
    assert_eq!(paths(&outside.list(&all).unwrap()), ["dir/", "dir/x", "secret"]);
    for path in ["secret", "dir/x"] {
        assert_eq!(std::fs::read_to_string(both.path().join("outside").join(path)).unwrap(), "secret");
    }
}

#[test]
fn links_are_listed_and_not_followed() {
    let both = with_links();
    let files = read_only(&both.path().join("inside"));
    let all = ListRequest { depth: 9, ..Default::default() };
    let listed = paths(&files.list(&all).unwrap());
    assert_eq!(listed.iter().filter(|p| p.ends_with('@')).count(), 11);
    assert_eq!(listed.iter().filter(|p| !p.ends_with('@')).collect::<Vec<_>>(), ["dir/", "dir/y", "file"]);
    let grep = files.grep(&GrepRequest { pattern: "secret|text".into(), ..Default::default() }).unwrap();
    assert_eq!(grep.files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["dir/y", "file"]);
}

#[test]
fn links_that_stay_inside_work() {
    let both = with_links();
    let inside = both.path().join("inside");
    let files = writable(&inside);
    let read =
        |path: &str| files.read(&ReadRequest { path: path.into(), ..Default::default() }).map(|r| r.content);
    assert_eq!(read("good-link"), Ok(Content::Text("text".into())));
    assert_eq!(read("good-dir-link/y"), Ok(Content::Text("text".into())));
    let write = |path: &str| {
        files.write(&WriteRequest {
            path: path.into(),
            content: b"new".to_vec(),
            overwrite: true,
            if_unchanged: None,
        })
    };
    write("good-link").unwrap();
    write("good-dir-link/y").unwrap();
    assert!(inside.join("good-link").is_symlink());
    assert_eq!(
        (read("file"), read("dir/y")),
        (Ok(Content::Text("new".into())), Ok(Content::Text("new".into())))
    );
    for path in ["dangling-in", "dangling-out", "loop"] {
        assert!(write(path).is_err(), "{path}");
        assert!(inside.join(path).is_symlink(), "{path}");
    }
}

#[test]
fn deleting_a_link_or_a_directory_with_links_leaves_their_targets() {
    let both = with_links();
    let inside = both.path().join("inside");
    symlink("../../outside", inside.join("dir/link")).unwrap();
    symlink("../../outside/secret", inside.join("dir/file-link")).unwrap();
    let files = writable(&inside);
    for path in ["dir", "dir-link", "file-link", "absolute-link", "good-link", "loop"] {
        files.delete(&DeleteRequest { path: path.into(), recursive: true }).expect(path);
        assert!(!inside.join(path).is_symlink() && !inside.join(path).exists(), "{path}");
    }
    assert!(inside.join("file").exists());
    assert_untouched(&both);
}

/// One thread turns a link now inside, now outside, again and again; the other uses paths through it.
/// Whatever the moment, it is confined.
#[test]
fn a_link_put_in_place_between_check_and_use_does_not_lead_out() {
    let both = with_links();
    let inside = both.path().join("inside");
    std::fs::create_dir(inside.join("real")).unwrap();
    std::fs::write(inside.join("real/secret"), "text").unwrap();
    let turn = |target: &str| {
        symlink(target, inside.join("next")).unwrap();
        std::fs::rename(inside.join("next"), inside.join("door")).unwrap();
    };
    turn("real");
    let files = writable(&inside);
    let stop = AtomicBool::new(false);
    let mut results = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                turn("../outside");
                turn("real");
            }
        });
        for n in 0..300 {
            results.push(files.read(&ReadRequest { path: "door/secret".into(), ..Default::default() }));
            let path = format!("door/new-{n}");
            // The results are checked afterwards.
            let _ = files.write(&WriteRequest { path, content: b"x".to_vec(), ..Default::default() });
            let _ = files.delete(&DeleteRequest { path: "door/dir".into(), recursive: true });
        }
        stop.store(true, Ordering::Relaxed);
    });
    for result in results.into_iter().flatten() {
        assert_eq!(result.content, Content::Text("text".into()));
    }
    assert_untouched(&both);
}

#[test]
fn absolute_paths_inside_are_taken() {
    let both = with_links();
    let inside = both.path().join("inside");
    let link = both.path().join("alias");
    symlink(&inside, &link).unwrap();
    let files = read_only(&link);
    for base in [&inside, &link] {
        for rest in ["dir/y", "./dir//y", "dir/../dir/y"] {
            let stat = files.stat(&format!("{}/{rest}", base.display())).unwrap();
            assert_eq!(stat.path, "dir/y");
        }
        assert_eq!(files.stat(base.to_str().unwrap()).unwrap().path, ".");
    }
    assert!(matches!(files.stat(&format!("{}-more/x", inside.display())), Err(FilesError::Outside { .. })));
}

#[test]
fn a_pipe_does_not_block() {
    let folder = folder(&[("a", "text")]);
    let status = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status();
    assert!(status.expect("mkfifo runs").success());
    let files = read_only(folder.path());
    let read = files.read(&ReadRequest { path: "pipe".into(), ..Default::default() });
    assert!(matches!(read, Err(FilesError::NotAFile { found: "a device, pipe or socket", .. })), "{read:?}");
    let grep = files.grep(&GrepRequest { pattern: ".".into(), ..Default::default() }).unwrap();
    assert_eq!(grep.searched, 1);
    let named = files.grep(&GrepRequest { pattern: ".".into(), path: "pipe".into(), ..Default::default() });
    assert!(named.is_err());
}

#[test]
fn names_that_are_not_utf8_are_shown_and_harmless() {
    let folder = folder(&[("a", "needle")]);
    let name = std::ffi::OsStr::from_bytes(b"b\xff");
    std::fs::write(folder.path().join(name), "needle").unwrap();
    let files = read_only(folder.path());
    assert_eq!(paths(&files.list(&ListRequest::default()).unwrap()), ["a", "b\u{fffd}"]);
    let grep = files.grep(&GrepRequest { pattern: "needle".into(), ..Default::default() }).unwrap();
    assert_eq!(grep.matches, 2);
    assert!(matches!(files.stat("b\u{fffd}"), Err(FilesError::NotFound { .. })));
}

#[test]
fn a_read_only_server_changes_nothing() {
    let both = folder(&[("file", "secret")]);
    let files = read_only(both.path());
    let changes = ["write", "edit", "mkdir"];
    for (operation, result) in operations(&files, "file") {
        if changes.contains(&operation) {
            assert_eq!(result, Err(FilesError::ReadOnly), "{operation}");
        }
    }
    let delete = files.delete(&DeleteRequest { path: "file".into(), recursive: true });
    assert_eq!(delete.map(drop), Err(FilesError::ReadOnly));
    let rename = files.rename(&MoveRequest { from: "file".into(), to: "b".into(), overwrite: true });
    assert_eq!(rename.map(drop), Err(FilesError::ReadOnly));
    assert_eq!(std::fs::read_to_string(both.path().join("file")).unwrap(), "secret");
}
