//! Several servers on one folder at once: no acknowledged change is lost, and nothing is done twice.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::Duration;

use loggia_builtin::files::{
    DeleteRequest, Edit, EditRequest, Files, FilesError, Limits, ListRequest, MoveRequest, WriteRequest,
};

use super::{folder, paths, read_only, with_limits, writable};

/// Tells [`edits_by_another_process`] that it is one, and where.
const SHARED: &str = "LOGGIA_TEST_SHARED_FOLDER";

/// Tells it which lines are its own.
const LINES: &str = "LOGGIA_TEST_LINES";

/// Edits of each process.
const EACH: usize = 200;

fn edit(path: &str, old: &str, new: &str) -> EditRequest {
    let edits = vec![Edit { old: old.into(), new: new.into(), replace_all: false }];
    EditRequest { path: path.into(), edits, ..Default::default() }
}

fn write(path: &str, content: &str) -> WriteRequest {
    WriteRequest { path: path.into(), content: content.into(), ..Default::default() }
}

/// The body of the processes that [`edits_by_several_processes_are_all_kept`] starts; does nothing without them.
#[test]
fn edits_by_another_process() {
    let (Some(folder), Ok(lines)) = (std::env::var_os(SHARED), std::env::var(LINES)) else { return };
    let files = writable(Path::new(&folder));
    for n in 0..EACH {
        let edited = files.edit(&edit("file", &format!("{lines}{n}:old\n"), &format!("{lines}{n}:new\n")));
        assert!(edited.expect("it is edited").applied);
    }
}

fn other_process(folder: &Path, lines: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args(["--exact", "files::sharing::edits_by_another_process"]);
    command.env(SHARED, folder).env(LINES, lines).stdout(Stdio::piped());
    command.spawn().expect("it starts")
}

#[test]
fn edits_by_several_processes_are_all_kept() {
    let lines = |state: &str| -> String {
        ["a", "b"].iter().flat_map(|l| (0..EACH).map(move |n| format!("{l}{n}:{state}\n"))).collect()
    };
    let folder = folder(&[("file", &lines("old"))]);
    let children = ["a", "b"].map(|lines| other_process(folder.path(), lines));
    for child in children {
        let ended = child.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("file")).unwrap(), lines("new"));
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left behind");
}

/// Servers whose folders overlap, and one change for each of them.
type Case = (&'static str, fn(&Files, prefix: &str) -> Result<bool, FilesError>);

/// Does what is asked on as many servers at once; returns how many did it.
fn done_at_once(change: fn(&Files, &str) -> Result<bool, FilesError>) -> usize {
    let folder = folder(&[("dir/a", "a"), ("dir/b", "b"), ("dir/like-a", "a"), ("dir/sub/", "/")]);
    let servers: Vec<(Files, &str)> = (0..6)
        .map(|n| match n % 2 {
            0 => (writable(folder.path()), "dir/"),
            _ => (writable(&folder.path().join("dir")), ""),
        })
        .collect();
    let start = Barrier::new(servers.len());
    std::thread::scope(|scope| {
        let started: Vec<_> = servers
            .iter()
            .map(|(files, prefix)| {
                scope.spawn(|| {
                    start.wait();
                    change(files, prefix)
                })
            })
            .collect();
        started.into_iter().map(|one| one.join().unwrap()).filter(|done| *done == Ok(true)).count()
    })
}

#[test]
fn what_can_happen_once_happens_once() {
    let table: &[Case] = &[
        ("write", |files, at| files.write(&write(&format!("{at}new"), "x")).map(|written| written.created)),
        ("write below", |files, at| files.write(&write(&format!("{at}x/y/new"), "x")).map(|w| w.created)),
        ("guarded write", |files, at| {
            let if_unchanged = files.stat(&format!("{at}like-a"))?.hash;
            files.write(&WriteRequest { if_unchanged, ..write(&format!("{at}a"), "new") }).map(|_| true)
        }),
        ("edit", |files, at| files.edit(&edit(&format!("{at}a"), "a", "b")).map(|edited| edited.applied)),
        ("move", |files, at| {
            let request = MoveRequest { from: format!("{at}a"), to: format!("{at}sub/a"), overwrite: false };
            files.rename(&request).map(|_| true)
        }),
        ("create a directory", |files, at| files.create_directory(&format!("{at}x"))),
        ("delete", |files, at| {
            let request = DeleteRequest { path: format!("{at}a"), recursive: false };
            files.delete(&request).map(|_| true)
        }),
    ];
    for (what, change) in table {
        assert_eq!(done_at_once(*change), 1, "{what}");
    }
}

/// Each move locks two directories; neither waits for the other for ever.
#[test]
fn moves_in_opposite_directions_do_not_block_each_other() {
    let folder = folder(&[("a/x", ""), ("b/y", "")]);
    std::thread::scope(|scope| {
        for [here, there] in [["a/x", "b/x"], ["b/y", "a/y"]] {
            let files = writable(folder.path());
            let go = move |from: &str, to: &str| {
                files.rename(&MoveRequest { from: from.into(), to: to.into(), overwrite: false })
            };
            scope.spawn(move || {
                for _ in 0..100 {
                    go(here, there).expect("it moves");
                    go(there, here).expect("it moves back");
                }
            });
        }
    });
    assert_eq!(
        paths(&read_only(folder.path()).list(&ListRequest { depth: 2, ..Default::default() }).unwrap()),
        ["a/", "a/x", "b/", "b/y"]
    );
}

#[test]
fn a_directory_that_stays_locked_is_an_error_and_no_change() {
    let folder = folder(&[("file", "old"), ("other/", "/")]);
    let locked = std::fs::File::open(folder.path()).unwrap();
    fs4::FileExt::lock(&locked).expect("it is locked");
    let files = with_limits(folder.path(), Limits { time: Duration::ZERO, ..Limits::default() });
    let overwrite = WriteRequest { overwrite: true, ..write("file", "new") };
    let go = |from: &str, to: &str| MoveRequest { from: from.into(), to: to.into(), overwrite: false };
    let changes = [
        files.write(&overwrite).map(drop),
        files.write(&write("new", "new")).map(drop),
        files.edit(&edit("file", "old", "new")).map(drop),
        files.rename(&go("file", "new")).map(drop),
        files.rename(&go("file", "other/new")).map(drop),
        files.delete(&DeleteRequest { path: "file".into(), recursive: false }).map(drop),
    ];
    for change in changes {
        assert!(matches!(change, Err(FilesError::Busy { .. })), "{change:?}");
    }
    drop(locked);
    let all = ListRequest { depth: 9, hidden: true, ..Default::default() };
    assert_eq!(paths(&read_only(folder.path()).list(&all).unwrap()), ["file", "other/"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("file")).unwrap(), "old");
    assert!(files.edit(&edit("file", "old", "new")).is_ok());
}

/// A temporary file exists only while its directory is locked, so that one without a lock is of no process.
#[test]
fn temporary_files_of_ended_processes_are_removed() {
    let content = [
        (".loggia-1-1.tmp", "left"),
        ("dir/.loggia-77-12.tmp", "left"),
        (".hidden/.loggia-1-2.tmp", "left"),
        ("locked/.loggia-1-1.tmp", "in use"),
        ("dir/.loggia-1.tmp", "no"),
        ("dir/.loggia-a-1.tmp", "no"),
        ("dir/loggia-1-1.tmp", "no"),
        (".loggia-2-1.tmp/", "/"),
    ];
    let all = ListRequest { depth: 9, hidden: true, ignored: true, ..Default::default() };
    let kept = [
        ".hidden/",
        ".loggia-2-1.tmp/",
        "dir/",
        "dir/.loggia-1.tmp",
        "dir/.loggia-a-1.tmp",
        "dir/loggia-1-1.tmp",
    ];
    let in_use = ["locked/", "locked/.loggia-1-1.tmp"];
    let folder = folder(&content);
    let locked = std::fs::File::open(folder.path().join("locked")).unwrap();
    fs4::FileExt::lock(&locked).expect("it is locked");
    let files = writable(folder.path());
    read_only(folder.path()).remove_leftovers();
    assert_eq!(
        paths(&files.list(&all).unwrap()).len(),
        kept.len() + in_use.len() + 3,
        "read-only removes nothing"
    );
    files.remove_leftovers();
    assert_eq!(paths(&files.list(&all).unwrap()), [&kept[..], &in_use[..]].concat());
    drop(locked);
    files.write(&write("locked/new", "x")).unwrap();
    assert_eq!(paths(&files.list(&all).unwrap()), [&kept[..], &["locked/", "locked/new"]].concat());
    for own in ["dir/.loggia-1-1.tmp", ".loggia.lock"] {
        let taken = files.write(&write(own, "x"));
        assert!(matches!(taken, Err(FilesError::BadPath { .. })), "{own}: {taken:?}");
    }
}
