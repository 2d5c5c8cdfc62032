//! Texts of files: read within a bound, and replaced as a whole, for all modules that edit files of the user. Invariant: a
//! file that is replaced is at no moment open to more users than before.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

/// The longest file that is read.
const LONGEST: u64 = 1 << 20;

/// Reads a text of at most 1 MiB.
///
/// # Errors
///
/// [`io::Error`] where it is longer, no UTF-8, or cannot be read.
pub fn bounded_text(reader: impl Read) -> io::Result<String> {
    let mut text = String::new();
    reader.take(LONGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LONGEST {
        true => Err(io::Error::other("it is longer than 1 MiB")),
        false => Ok(text),
    }
}

/// Replaces a file as a whole, with the permissions that it has. A link stays one.
pub(crate) fn replace_file(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let old = fs::metadata(&file).ok();
    let mut new = create(&file, old.is_some())?;
    new.write_all(text.as_bytes())?;
    if let Some(old) = old {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

/// Creates the file that takes the place of another. Until it has the permissions of that one, only its owner may open it:
/// a file opened earlier stays open, whatever its permissions become.
fn create(file: &Path, replaces: bool) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.suffix(".new");
    #[cfg(unix)]
    if !replaces {
        use std::os::unix::fs::PermissionsExt;
        // What the user takes away from every new file is taken away from this one too.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    #[cfg(not(unix))]
    let _ = replaces;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_is_replaced_is_at_no_moment_open_to_more_users() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("loggia.toml");
        let mode = |path: &Path| metadata(path).expect("a file").permissions().mode() & 0o777;
        for before in [0o600, 0o640, 0o644, 0o664, 0o400] {
            fs::write(&file, "old").expect("written");
            set_permissions(&file, Permissions::from_mode(before)).expect("changed");
            let new = create(&file, true).expect("created");
            assert_eq!(mode(new.path()) & 0o077, 0, "{before:o}");
            drop(new);
            replace_file(&file, "new").expect("replaced");
            assert_eq!((mode(&file), fs::read_to_string(&file).expect("read")), (before, "new".to_owned()));
            fs::remove_file(&file).expect("removed");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_new_file_has_the_permissions_of_every_new_file_and_a_link_stays_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, other, link) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
        replace_file(&file, "new").expect("created");
        fs::write(&other, "").expect("written");
        let mode = |path: &Path| metadata(path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode(&file), mode(&other));
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        replace_file(&link, "newer").expect("replaced");
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).expect("read"), "newer");
    }

    #[test]
    fn a_long_text_is_refused() {
        for (length, is_ok) in [(LONGEST, true), (LONGEST + 1, false)] {
            assert_eq!(bounded_text(io::repeat(b'x').take(length)).is_ok(), is_ok, "{length}");
        }
    }
}
