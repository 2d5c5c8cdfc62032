//! The built-in `files`, on real folders.

mod changing;
mod confinement;
mod messages;
mod reading;
mod roots;
mod searching;
mod sensitive;
mod serving;
mod sharing;

use std::path::Path;

use loggia_builtin::files::{Files, FilesOptions, Limits};
use tempfile::TempDir;

/// A folder with these files in it. A name that ends in a slash is a directory.
fn folder(content: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (path, text) in content {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).unwrap();
        if text == &"/" {
            std::fs::create_dir_all(path).unwrap();
        } else {
            std::fs::write(path, text).unwrap();
        }
    }
    folder
}

fn read_only(root: &Path) -> Files {
    Files::open(root, FilesOptions::default()).expect("the folder opens")
}

fn writable(root: &Path) -> Files {
    with_limits(root, Limits::default())
}

fn with_limits(root: &Path, limits: Limits) -> Files {
    Files::open(root, FilesOptions { writable: true, limits, ..FilesOptions::default() })
        .expect("the folder opens")
}

/// The paths of a listing, a directory with a slash.
fn paths(listing: &loggia_builtin::files::Listing) -> Vec<String> {
    use loggia_builtin::files::Kind;
    let show = |e: &loggia_builtin::files::Entry| match e.kind {
        Kind::Directory => format!("{}/", e.path),
        Kind::Link => format!("{}@", e.path),
        Kind::File => e.path.clone(),
        Kind::Other => format!("{}!", e.path),
    };
    listing.entries.iter().map(show).collect()
}
