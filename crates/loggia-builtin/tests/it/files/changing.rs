use std::sync::Arc;

use loggia_builtin::files::{
    DeleteRequest, Edit, EditRequest, Files, FilesError, Kind, Limits, MoveRequest, WriteRequest,
};
use tempfile::TempDir;

use super::{folder, paths, with_limits, writable};

fn write(path: &str, content: &str) -> WriteRequest {
    WriteRequest { path: path.into(), content: content.into(), ..Default::default() }
}

fn edit(path: &str, edits: &[(&str, &str)]) -> EditRequest {
    let edits =
        edits.iter().map(|(old, new)| Edit { old: (*old).into(), new: (*new).into(), replace_all: false });
    EditRequest { path: path.into(), edits: edits.collect(), ..Default::default() }
}

fn text(folder: &TempDir, path: &str) -> String {
    std::fs::read_to_string(folder.path().join(path)).expect("the file is there")
}

/// Everything in the folder, to see that nothing was left behind.
fn names(files: &Files) -> Vec<String> {
    let all =
        loggia_builtin::files::ListRequest { depth: 9, hidden: true, ignored: true, ..Default::default() };
    paths(&files.list(&all).unwrap())
}

#[test]
fn writes_whole_files() {
    let folder = folder(&[("old", "old")]);
    let files = writable(folder.path());
    let created = files.write(&write("new/dir/file", "text")).unwrap();
    assert_eq!((created.created, created.size), (true, 4));
    let replaced = files.write(&WriteRequest { overwrite: true, ..write("old", "new") }).unwrap();
    assert!(!replaced.created);
    let guarded = WriteRequest { if_unchanged: Some(replaced.hash), ..write("old", "newer") };
    assert!(files.write(&guarded).is_ok());
    assert!(matches!(files.write(&guarded), Err(FilesError::Changed { now: Some(_), .. })));
    assert_eq!((text(&folder, "new/dir/file"), text(&folder, "old")), ("text".into(), "newer".into()));
    assert_eq!(names(&files), ["new/", "new/dir/", "new/dir/file", "old"]);
}

#[test]
fn refuses_to_write_over_what_it_was_not_told_of() {
    let folder = folder(&[("file", "old"), ("dir/", "/")]);
    let files = with_limits(folder.path(), Limits { write_max: 10, ..Limits::default() });
    let guard = Some("0".repeat(32));
    let table: &[WriteRequest] = &[
        write("file", "new"),
        WriteRequest { overwrite: true, ..write("dir", "new") },
        WriteRequest { overwrite: true, ..write("", "new") },
        write("file/below", "new"),
        WriteRequest { overwrite: true, ..write("file", "12345678901") },
        WriteRequest { if_unchanged: guard.clone(), ..write("file", "new") },
        WriteRequest { if_unchanged: guard, ..write("nothing", "new") },
    ];
    for request in table {
        assert!(files.write(request).is_err(), "{request:?}");
        assert_eq!(
            (text(&folder, "file"), names(&files)),
            ("old".into(), vec!["dir/".into(), "file".into()]),
            "{request:?}"
        );
    }
}

#[test]
fn edits_show_a_diff_and_keep_line_endings() {
    let folder =
        folder(&[("a", "one\ntwo\nthree\n"), ("crlf", "one\r\ntwo\r\n"), ("mixed", "one\r\ntwo\nthree\n")]);
    let files = writable(folder.path());
    let request = edit("a", &[("two", "2"), ("2\nthree", "2\n3")]);
    let dry = files.edit(&EditRequest { dry_run: true, ..request.clone() }).unwrap();
    assert_eq!((dry.applied, text(&folder, "a")), (false, "one\ntwo\nthree\n".into()));
    let done = files.edit(&request).unwrap();
    assert_eq!((done.applied, done.replaced, text(&folder, "a")), (true, 2, "one\n2\n3\n".into()));
    assert_eq!(done.diff, dry.diff);
    insta::assert_snapshot!(done.diff, @r"
    --- a/a
    +++ b/a
    @@ -1,3 +1,3 @@
     one
    -two
    -three
    +2
    +3
    ");
    assert_eq!(files.stat("a").unwrap().hash, Some(done.hash));
    files.edit(&edit("crlf", &[("one\ntwo", "1\n2\n3")])).unwrap();
    assert_eq!(text(&folder, "crlf"), "1\r\n2\r\n3\r\n");
    files.edit(&edit("mixed", &[("one\r\ntwo\n", "1\r\n2\n")])).unwrap();
    assert_eq!(text(&folder, "mixed"), "1\r\n2\nthree\n");
}

/// Several edits of one file, in which the lines end in different ways.
#[test]
fn edits_match_whatever_the_line_ends_and_keep_them() {
    let all = |old: &str, new: &str| Edit { old: old.into(), new: new.into(), replace_all: true };
    let one = |old: &str, new: &str| Edit { old: old.into(), new: new.into(), replace_all: false };
    let table: &[(&str, Vec<Edit>, &str)] = &[
        ("one\r\ntwo\r\nbare\nend\r\n", vec![one("one\ntwo", "1\n2")], "1\r\n2\r\nbare\nend\r\n"),
        (
            "one\r\ntwo\r\nbare\nend\r\n",
            vec![one("two\nbare\nend\n", "2\nbare\n3\n"), one("one\n2", "1\n2")],
            "1\r\n2\r\nbare\n3\r\n",
        ),
        ("a\r\nb\r\na\nb\n", vec![all("a\nb\n", "1\n2\n")], "1\r\n2\r\n1\n2\n"),
        ("a\r\nb\r\na\nb\n", vec![one("a\nb\n", "1\n2\n")], "a\r\nb\r\n1\n2\n"),
        ("a\rb\r", vec![one("a\nb", "1\n2")], "1\r2\r"),
        ("\u{feff}a\r\nb", vec![one("a\nb\n", "1\n2\n"), one("2", "2\n3")], "\u{feff}1\r\n2\r\n3"),
    ];
    for (before, edits, after) in table {
        let folder = folder(&[("file", before)]);
        let request = EditRequest { path: "file".into(), edits: edits.clone(), ..Default::default() };
        let edited = writable(folder.path()).edit(&request);
        assert!(edited.is_ok(), "{before:?}: {edited:?}");
        assert_eq!(text(&folder, "file"), *after, "{before:?}");
    }
    let refused = [("a\r\nb\r\na\r\nb\r\n", "a\nb"), ("a\r\nb", "a\nc"), ("a\r\nb", "a\n\nb")];
    for (before, old) in refused {
        let folder = folder(&[("file", before)]);
        let error = writable(folder.path()).edit(&edit("file", &[(old, "x")])).expect_err(before);
        assert!(!error.to_string().contains("take this as the old text"), "{before:?}: {error}");
        assert_eq!(text(&folder, "file"), before);
    }
}

#[test]
fn an_edit_that_cannot_be_made_changes_nothing() {
    const TEXT: &str = "fn a() {\n    one();\n}\nfn b() {\n    one();\n}\n";
    let folder = folder(&[("a.rs", TEXT)]);
    std::fs::write(folder.path().join("bin"), b"a\0b").unwrap();
    let files = writable(folder.path());
    let table: &[(&str, EditRequest)] = &[
        ("nothing to do", edit("a.rs", &[])),
        ("no such text", edit("a.rs", &[("two();", "x")])),
        ("second fails", edit("a.rs", &[("fn a", "fn c"), ("fn a", "fn d")])),
        ("twice", edit("a.rs", &[("one();", "two();")])),
        ("white space", edit("a.rs", &[("fn b() {\n\tone();\n}", "x")])),
        ("empty", edit("a.rs", &[("", "x")])),
        ("same", edit("a.rs", &[("one", "one")])),
        ("binary", edit("bin", &[("a", "b")])),
        ("directory", edit("", &[("a", "b")])),
        ("guard", EditRequest { if_unchanged: Some("0".into()), ..edit("a.rs", &[("fn a", "fn c")]) }),
    ];
    let mut said = String::new();
    for (what, request) in table {
        let error = files.edit(request).expect_err(what);
        said.push_str(&format!("{what}: {error}\n"));
        assert_eq!(text(&folder, "a.rs"), TEXT, "{what}");
    }
    insta::assert_snapshot!(said);
    let all = Edit { old: "one();".into(), new: "two();".into(), replace_all: true };
    let done =
        files.edit(&EditRequest { path: "a.rs".into(), edits: vec![all], ..Default::default() }).unwrap();
    assert_eq!((done.replaced, text(&folder, "a.rs").matches("two").count()), (2, 2));
}

#[test]
fn an_edit_cannot_grow_a_file_without_bound() {
    let folder = folder(&[("a", &"x".repeat(1000))]);
    let files = with_limits(folder.path(), Limits { write_max: 10_000, diff_max: 100, ..Limits::default() });
    let grow = |new: usize| {
        let edit = Edit { old: "x".into(), new: "y".repeat(new), replace_all: true };
        files.edit(&EditRequest { path: "a".into(), edits: vec![edit], dry_run: true, if_unchanged: None })
    };
    assert!(matches!(grow(11), Err(FilesError::Edit { .. })));
    assert!(grow(10).unwrap().diff.ends_with("\n… the diff is longer than can be shown\n"));
}

#[test]
fn moves() {
    let folder = folder(&[("a", "a"), ("b", "b"), ("dir/c", "c"), ("other/", "/")]);
    let files = writable(folder.path());
    let go = |from: &str, to: &str, overwrite| {
        files.rename(&MoveRequest { from: from.into(), to: to.into(), overwrite }).map(|stat| stat.path)
    };
    assert_eq!(go("a", "x/y/a", false), Ok("x/y/a".into()));
    assert_eq!(go("dir", "moved", false), Ok("moved".into()));
    assert_eq!(go("b", "x/y/a", true), Ok("x/y/a".into()));
    let refused = [
        ("x/y/a", "moved/c", false),
        ("x/y/a", "moved", true),
        ("moved", "moved/below", false),
        ("nothing", "b", false),
        ("", "b", false),
        ("moved", "", true),
        ("moved/c", "../c", false),
    ];
    let mut said = String::new();
    for (from, to, overwrite) in refused {
        let error = go(from, to, overwrite).expect_err(from);
        said.push_str(&format!("{from} -> {to}: {error}\n"));
    }
    insta::assert_snapshot!(said);
    assert_eq!(names(&files), ["moved/", "moved/c", "other/", "x/", "x/y/", "x/y/a"]);
    assert_eq!(text(&folder, "x/y/a"), "b");
}

/// Names that differ only in case are two files on some file systems, and one on others.
#[test]
fn a_move_to_a_name_in_other_case_replaces_no_other_file() {
    let folder = folder(&[("File", "upper"), ("dir/a", "")]);
    let files = writable(folder.path());
    let go = |from: &str, to: &str| {
        files
            .rename(&MoveRequest { from: from.into(), to: to.into(), overwrite: false })
            .map(|stat| stat.path)
    };
    assert_eq!(go("File", "fILE"), Ok("fILE".into()));
    std::fs::write(folder.path().join("file"), "lower").unwrap();
    let are_two = folder.path().read_dir().unwrap().count() == 3;
    let moved = go("fILE", "file");
    if are_two {
        assert!(matches!(moved, Err(FilesError::Exists { .. })), "{moved:?}");
        assert_eq!((text(&folder, "fILE"), text(&folder, "file")), ("upper".into(), "lower".into()));
    } else {
        assert_eq!((moved, text(&folder, "file")), (Ok("file".into()), "lower".into()));
    }
}

#[test]
fn creates_and_deletes() {
    let folder = folder(&[("file", ""), ("dir/a/b", "")]);
    let files = writable(folder.path());
    assert_eq!(files.create_directory("new/deep"), Ok(true));
    assert_eq!(files.create_directory("new/deep"), Ok(false));
    assert!(matches!(files.create_directory("file"), Err(FilesError::Exists { .. })));
    let delete =
        |path: &str, recursive| files.delete(&DeleteRequest { path: path.into(), recursive }).map(|d| d.kind);
    assert!(matches!(delete("dir", false), Err(FilesError::NotEmpty { .. })));
    assert!(matches!(delete("", true), Err(FilesError::Root { .. })));
    assert!(
        matches!(delete("fil", true), Err(FilesError::NotFound { suggestion: Some(s), .. }) if s == "file")
    );
    assert_eq!(files.count_below("dir", 100), Ok(2));
    assert_eq!(files.count_below("dir", 1), Ok(1));
    let cut = files.until(|| true).count_below("dir", 100);
    assert_eq!(cut, Err(FilesError::TimedOut { path: "dir".into() }), "a part of the count is none");
    assert_eq!(delete("file", false), Ok(Kind::File));
    assert_eq!(delete("new/deep", false), Ok(Kind::Directory));
    assert_eq!(delete("dir", true), Ok(Kind::Directory));
    assert_eq!(names(&files), ["new/"]);
}

#[test]
fn concurrent_edits_are_all_kept() {
    const WRITERS: usize = 8;
    const EACH: usize = 10;
    let folder = folder(&[("log", "end\n")]);
    let files = Arc::new(writable(folder.path()));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let files = Arc::clone(&files);
            scope.spawn(move || {
                for n in 0..EACH {
                    files
                        .edit(&edit("log", &[("end\n", &format!("{writer}:{n}\nend\n"))]))
                        .expect("it is edited");
                }
            });
        }
    });
    let log = text(&folder, "log");
    assert_eq!(log.lines().count(), WRITERS * EACH + 1);
    assert!((0..WRITERS).all(|w| (0..EACH).all(|n| log.contains(&format!("{w}:{n}\n")))));
    assert_eq!(names(&files), ["log"]);
}

#[test]
fn a_reader_never_sees_a_part() {
    let folder = folder(&[("file", &"a".repeat(100_000))]);
    let files = writable(folder.path());
    std::thread::scope(|scope| {
        let path = folder.path().join("file");
        let reader = scope.spawn(move || {
            for _ in 0..200 {
                let content = std::fs::read(&path).expect("it is always there");
                assert_eq!(content.len(), 100_000);
                assert!(content.iter().all(|byte| *byte == content[0]));
            }
        });
        for n in 0..50_u8 {
            let content = vec![b'a' + n % 26; 100_000];
            files
                .write(&WriteRequest { content, overwrite: true, ..write("file", "") })
                .expect("it is written");
        }
        reader.join().expect("the reader saw whole files");
    });
}

#[cfg(unix)]
#[test]
fn a_new_file_has_the_mode_that_the_system_gives() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder(&[("other", "")]);
    writable(folder.path()).write(&write("new", "x")).unwrap();
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("new"), mode("other"));
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder(&[("file", "old")]);
    let path = folder.path().join("file");
    for mode in [0o750, 0o600, 0o640, 0o644, 0o400, 0o444, 0o000] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let content = format!("{mode:o}").into_bytes();
        let request = WriteRequest { content, overwrite: true, ..write("file", "") };
        writable(folder.path()).write(&request).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode, "{mode:o}");
    }
}
