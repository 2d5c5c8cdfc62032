//! Folders that cannot be served, at the start and later.

use loggia_builtin::files::{
    Edit, EditRequest, Files, FilesError, FilesOptions, FindRequest, GrepRequest, ListRequest, ReadRequest,
    WriteRequest,
};

use super::{folder, writable};

#[test]
fn a_root_that_cannot_be_used_is_an_error_of_the_start() {
    let folder = folder(&[("file", ""), ("dir/", "/")]);
    let table = [
        ("missing", "does not exist; create it"),
        ("missing/below", "does not exist; create it"),
        ("file", "is not a folder"),
        ("file/below", "is not a folder"),
    ];
    for (name, expected) in table {
        let root = folder.path().join(name);
        let error = Files::open(&root, FilesOptions::default()).expect_err(name).to_string();
        assert!(error.contains(root.to_str().unwrap()) && error.contains(expected), "{name}: {error}");
    }
    assert!(
        Files::open(&folder.path().join("dir"), FilesOptions::default()).is_ok(),
        "an empty folder is served"
    );
}

/// An administrator may list every folder, so the test shows nothing then; the messages are held by a test
/// beside the code.
#[cfg(unix)]
#[test]
fn a_root_without_permissions_is_an_error_of_the_start() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = folder(&[("root/file", "")]);
    symlink("loop", folder.path().join("loop")).unwrap();
    assert!(Files::open(&folder.path().join("loop"), FilesOptions::default()).is_err());
    let root = folder.path().join("root");
    let set = |mode| std::fs::set_permissions(&root, std::fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o000, 0o100, 0o300, 0o400, 0o600] {
        set(mode);
        let opened = Files::open(&root, FilesOptions::default()).map_err(|error| error.to_string());
        let administrator = std::fs::read(root.join("file")).is_ok() && std::fs::read_dir(&root).is_ok();
        match opened {
            Ok(_) => assert!(administrator, "{mode:o}"),
            Err(error) => assert!(!administrator && error.contains("(rx)"), "{mode:o}: {error}"),
        }
    }
    set(0o700);
}

#[cfg(target_os = "linux")]
#[test]
fn a_root_that_is_deleted_later_is_named_as_the_reason() {
    let parent = folder(&[("root/file", "text")]);
    let files = writable(&parent.path().join("root"));
    std::fs::remove_dir_all(parent.path().join("root")).unwrap();
    let path = || "file".to_owned();
    let edits = vec![Edit { old: "text".into(), new: "new".into(), replace_all: false }];
    let results = [
        files.list(&ListRequest::default()).map(drop),
        files.find(&FindRequest { glob: "*".into(), ..Default::default() }).map(drop),
        files.grep(&GrepRequest { pattern: ".".into(), ..Default::default() }).map(drop),
        files.read(&ReadRequest { path: path(), ..Default::default() }).map(drop),
        files.stat("file").map(drop),
        files.stat("").map(drop),
        files.write(&WriteRequest { path: path(), ..Default::default() }).map(drop),
        files.edit(&EditRequest { path: path(), edits, ..Default::default() }).map(drop),
        files.create_directory("dir").map(drop),
        files.create_directory("dir/below").map(drop),
    ];
    for (n, result) in results.into_iter().enumerate() {
        assert_eq!(result, Err(FilesError::RootGone), "{n}");
    }
}
