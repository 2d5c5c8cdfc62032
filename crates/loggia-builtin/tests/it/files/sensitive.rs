//! Files that other programs execute or trust are changed with an option of their own only.

use std::time::Duration;

use loggia_builtin::files::{
    DeleteRequest, Edit, EditRequest, Files, FilesError, FilesOptions, Limits, MoveRequest, WriteRequest,
};
use tempfile::TempDir;

use super::{folder, with_limits, writable};

/// A repository, one in it, a submodule, a bare one, and what is innocent.
fn project() -> TempDir {
    let folder = folder(&[
        (".git/config", "old"),
        (".git/hooks/pre-commit", "old"),
        ("nested/.git/config", "old"),
        ("submodule/.git", "gitdir: ../meta\n"),
        ("submodule/.envrc", "old"),
        ("meta/HEAD", "ref: refs/heads/main\n"),
        ("meta/config", "old"),
        ("meta/objects/", "/"),
        ("meta/refs/", "/"),
        ("worktree/HEAD", "ref: refs/heads/main\n"),
        ("worktree/commondir", "../meta\n"),
        ("almost/config", "old"),
        ("almost/objects/", "/"),
        ("almost/refs/", "/"),
        (".vscode/tasks.json", "old"),
        (".github/workflows/ci.yml", "old"),
        ("ci/workflows/ci.yml", "old"),
        ("file", "old"),
        ("dir/file", "old"),
        ("HEAD", "old"),
    ]);
    #[cfg(unix)]
    for (target, link) in [(".git", "link"), (".git/config", "file-link"), ("../.vscode", "dir/editor")] {
        std::os::unix::fs::symlink(target, folder.path().join(link)).unwrap();
    }
    folder
}

fn write(files: &Files, path: &str) -> Result<(), FilesError> {
    let request =
        WriteRequest { path: path.into(), content: b"new".to_vec(), overwrite: true, if_unchanged: None };
    files.write(&request).map(drop)
}

fn edit(files: &Files, path: &str) -> Result<(), FilesError> {
    let edits = vec![Edit { old: "old".into(), new: "new".into(), replace_all: false }];
    files.edit(&EditRequest { path: path.into(), edits, ..Default::default() }).map(drop)
}

fn rename(files: &Files, from: &str, to: &str) -> Result<(), FilesError> {
    files.rename(&MoveRequest { from: from.into(), to: to.into(), overwrite: true }).map(drop)
}

fn delete(files: &Files, path: &str) -> Result<(), FilesError> {
    files.delete(&DeleteRequest { path: path.into(), recursive: true }).map(drop)
}

type Change = (&'static str, fn(&Files) -> Result<(), FilesError>);

const REFUSED: &[Change] = &[
    ("edit of a configuration", |f| edit(f, ".git/config")),
    ("edit by an absolute path", |f| edit(f, &f.root().join(".git/config").display().to_string())),
    ("edit by a path with dots", |f| edit(f, "dir/../.git/./config")),
    ("dry run", |f| {
        let edits = vec![Edit { old: "old".into(), new: "new".into(), replace_all: false }];
        let request = EditRequest { path: ".git/config".into(), edits, dry_run: true, if_unchanged: None };
        f.edit(&request).map(drop)
    }),
    ("write of a hook", |f| write(f, ".git/hooks/post-checkout")),
    ("write in a directory that is not there", |f| write(f, "new/.git/hooks/post-checkout")),
    ("other case", |f| write(f, ".Git/hooks/x")),
    ("a nested repository", |f| edit(f, "nested/.git/config")),
    ("the file of a submodule", |f| write(f, "submodule/.git")),
    ("a git directory of another name", |f| edit(f, "meta/config")),
    ("below it", |f| write(f, "meta/hooks/pre-commit")),
    ("a git directory with a common one", |f| write(f, "worktree/config.worktree")),
    ("the file that makes a directory one", |f| write(f, "almost/HEAD")),
    ("by a move", |f| rename(f, "HEAD", "almost/HEAD")),
    ("a shell's profile", |f| write(f, "dir/.bashrc")),
    ("an environment", |f| edit(f, "submodule/.envrc")),
    ("a workflow", |f| edit(f, ".github/workflows/ci.yml")),
    ("our own configuration", |f| write(f, "loggia.toml")),
    ("move to", |f| rename(f, "file", ".git/hooks/pre-push")),
    ("move from", |f| rename(f, ".git/hooks/pre-commit", "hook")),
    ("move of a directory", |f| rename(f, "dir", ".husky")),
    ("move of a directory whose content counts", |f| rename(f, "ci", "new/.github")),
    ("move of such a directory away", |f| rename(f, ".github", "x")),
    ("create a directory", |f| f.create_directory(".ssh").map(drop)),
    ("create directories", |f| f.create_directory("a/.git/hooks").map(drop)),
    ("delete", |f| delete(f, ".git/hooks/pre-commit")),
    ("delete all", |f| delete(f, ".git")),
    ("delete what contains one", |f| delete(f, "nested")),
    ("delete what contains a git directory of another name", |f| delete(f, "meta")),
];

#[cfg(unix)]
const REFUSED_LINKS: &[Change] = &[
    ("write by a link", |f| write(f, "link/config")),
    ("edit by a link to the file", |f| edit(f, "file-link")),
    ("new file by a link", |f| write(f, "dir/editor/launch.json")),
    ("delete by a link", |f| delete(f, "link/config")),
    ("move by a link", |f| rename(f, "file", "link/hooks/x")),
    ("create by a link", |f| f.create_directory("dir/editor/x").map(drop)),
];

#[cfg(not(unix))]
const REFUSED_LINKS: &[Change] = &[];

const ALLOWED: &[Change] = &[
    ("edit", |f| edit(f, "file")),
    ("write", |f| write(f, "dir/.gitignore")),
    ("write beside workflows", |f| write(f, ".github/CODEOWNERS")),
    ("a name that is like one", |f| write(f, "gitconfig")),
    ("HEAD where it is no repository", |f| edit(f, "HEAD")),
    ("workflows elsewhere", |f| edit(f, "ci/workflows/ci.yml")),
    ("move", |f| rename(f, "ci", "cd")),
    ("move of a repository as a whole", |f| rename(f, "nested", "moved")),
    ("create a directory", |f| f.create_directory("a/b").map(drop)),
    ("delete", |f| delete(f, "file")),
];

/// Everything in the folder, with its content.
fn content(folder: &TempDir) -> Vec<(std::path::PathBuf, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    let mut directories = vec![folder.path().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir().unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            }
            all.push((entry.path(), std::fs::read(entry.path()).ok()));
        }
    }
    all.sort();
    all
}

#[test]
fn they_are_refused_without_the_option_and_changed_with_it() {
    let options = FilesOptions { writable: true, write_sensitive: true, ..FilesOptions::default() };
    for (what, change) in REFUSED.iter().chain(REFUSED_LINKS) {
        let project = project();
        let before = content(&project);
        let refused = change(&writable(project.path()));
        assert!(matches!(refused, Err(FilesError::Sensitive { .. })), "{what}: {refused:?}");
        let message = refused.unwrap_err().to_string();
        assert!(
            message.contains("--write-sensitive") && message.contains("write_sensitive = true"),
            "{message}"
        );
        assert!(content(&project) == before, "{what} changed something");
        assert_eq!(change(&Files::open(project.path(), options.clone()).unwrap()), Ok(()), "{what}");
    }
    for (what, change) in ALLOWED {
        assert_eq!(change(&writable(project().path())), Ok(()), "{what}");
    }
}

#[test]
fn a_folder_that_is_sensitive_itself_needs_the_option_for_everything() {
    let project = project();
    for root in [".git", ".git/hooks", ".vscode", "meta", "meta/objects", ".github/workflows", "nested/.git"]
    {
        let refused = write(&writable(&project.path().join(root)), "new");
        assert!(matches!(refused, Err(FilesError::Sensitive { .. })), "{root}: {refused:?}");
    }
    for root in ["dir", "nested", ".github", "almost"] {
        assert_eq!(write(&writable(&project.path().join(root)), "new"), Ok(()), "{root}");
    }
}

/// A directory that is not checked as a whole is not deleted: it may contain such a file.
#[test]
fn a_directory_that_cannot_be_checked_stays() {
    let deep = "a/".repeat(120);
    let (hook, shallow) = (format!("{deep}.git/hooks/pre-commit"), "dir/.git/config");
    let folder = folder(&[(&hook, "old"), (shallow, "old"), ("plain/file", "old")]);
    let files = writable(folder.path());
    let cases: [(&str, &str, Files); 4] = [
        ("the caller has gone", "dir", files.until(|| true)),
        ("the caller has gone before an innocent one was checked", "plain", files.until(|| true)),
        ("no time", "dir", with_limits(folder.path(), Limits { time: Duration::ZERO, ..Limits::default() })),
        ("too deep", "a", files.clone()),
    ];
    for (what, path, files) in cases {
        let refused = delete(&files, path);
        assert!(matches!(refused, Err(FilesError::Sensitive { .. })), "{what}: {refused:?}");
    }
    for path in [hook.as_str(), shallow, "plain/file"] {
        assert!(folder.path().join(path).exists(), "{path}");
    }
    assert_eq!(delete(&files, "plain"), Ok(()));
}
