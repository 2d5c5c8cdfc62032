//! The connector `git`, with repositories that git itself makes and reads.

mod committing;
mod confinement;
mod history;
mod large;
mod state;

use std::path::Path;

use loggia_builtin::git::{Git, GitAuthor, GitOptions, server};

use crate::caller::Caller;
use crate::program::run;

/// Runs git without the configuration of the machine.
pub(super) fn git(folder: &Path, args: &[&str]) -> String {
    let fixed = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"];
    let fixed =
        fixed.into_iter().chain(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]);
    run(folder, "git", &fixed.chain(args.iter().copied()).collect::<Vec<_>>())
}

pub(super) fn write(folder: &Path, path: &str, text: &str) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// Commits all files, one day after the other.
pub(super) fn commit(folder: &Path, day: usize, message: &str) -> String {
    let date = format!("2026-01-{day:02}T12:00:00+0100");
    git(folder, &["add", "-A"]);
    let script = format!(
        "GIT_AUTHOR_DATE={date} GIT_COMMITTER_DATE={date} git -c user.name=Ada -c user.email=ada@example.com -c \
         commit.gpgsign=false commit -q --allow-empty -m '{message}'"
    );
    run(folder, "sh", &["-c", &script]);
    git(folder, &["rev-parse", "HEAD"])
}

/// A repository with a branch, a merge, a rename, a tag, a link and a binary file.
pub(super) fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    git(path, &["init", "-q"]);
    write(path, "README.md", "# Shop\n\nOne.\n");
    write(path, "src/main.rs", "fn main() {\n    one();\n}\n");
    commit(path, 1, "begin the shop");
    write(path, "src/main.rs", "fn main() {\n    one();\n    two();\n}\n");
    write(path, "logo.png", "\u{0}\u{1}binary");
    commit(path, 2, "call two");
    git(path, &["tag", "v1.0"]);
    git(path, &["checkout", "-q", "-b", "side"]);
    write(path, "side.txt", "side\n");
    commit(path, 3, "work aside");
    git(path, &["checkout", "-q", "main"]);
    git(path, &["mv", "README.md", "ABOUT.md"]);
    commit(path, 4, "rename the readme");
    run(
        path,
        "sh",
        &[
            "-c",
            "GIT_AUTHOR_DATE=2026-01-05T12:00:00+0100 GIT_COMMITTER_DATE=2026-01-05T12:00:00+0100 git -c user.name=Bob -c \
                 user.email=bob@example.com merge -q --no-ff -m 'merge side' side",
        ],
    );
    folder
}

pub(super) async fn caller(roots: &[&Path], writable: bool) -> Caller {
    let author = writable.then(|| GitAuthor { name: "Eve".into(), email: "eve@example.com".into() });
    let options = GitOptions { author, ..GitOptions::default() };
    Caller::new(&server(Git::open(roots, options).unwrap()).unwrap()).await
}
