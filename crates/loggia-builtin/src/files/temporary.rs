//! Temporary files. New content is written beside its file, and then gets the name in one step. So a reader sees
//! either the old or the new content, never a part, and a crash loses nothing.
//!
//! A temporary file never grants more access than the file that it becomes: its mode is set when it is created,
//! before it has content. It exists only while its directory is locked, so a temporary file that is found under the
//! lock belongs to a process that has ended.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::Path;

use cap_std::fs::{Dir, File, Metadata, OpenOptions};

/// The maximum number of attempts to find a free name.
const ATTEMPTS: u32 = 100;

/// A file that is removed on drop, unless it got its final name.
#[derive(Debug)]
pub(super) struct TemporaryFile<'d> {
    dir: &'d Dir,
    name: String,
    file: File,
    published: bool,
}

impl<'d> TemporaryFile<'d> {
    /// Creates an empty file in `dir` that will become a new file, or replace `replaced`.
    pub(super) fn create(dir: &'d Dir, replaced: Option<&Metadata>) -> io::Result<TemporaryFile<'d>> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        if let Some(replaced) = replaced {
            attributes::restrict(&mut options, replaced);
        }
        for attempt in 1..=ATTEMPTS {
            let name = name(attempt);
            match dir.open_with(&name, &options) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| TemporaryFile { dir, name, file, published: false }),
            }
        }
        Err(io::Error::other("no name is free for a temporary file"))
    }

    /// Writes the content, sets the owner and the mode of the file that it replaces, and waits until all is on the
    /// disk.
    pub(super) fn fill(&mut self, content: &[u8], replaced: Option<&Metadata>) -> io::Result<()> {
        self.file.write_all(content)?;
        if let Some(replaced) = replaced {
            attributes::copy(&self.file, replaced)?;
        }
        self.file.sync_all()
    }

    /// Renames the file to `name`, and replaces a file with this name.
    pub(super) fn replace(mut self, name: &OsStr) -> io::Result<()> {
        self.dir.rename(&self.name, self.dir, name)?;
        self.published = true;
        Ok(())
    }

    /// Renames the file to `name`. Fails if the name is used.
    pub(super) fn publish_new(mut self, name: &OsStr) -> io::Result<()> {
        rename_new(self.dir, self.name.as_ref(), self.dir, name)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for TemporaryFile<'_> {
    fn drop(&mut self) {
        if !self.published {
            // The earlier failure is the one to report. The next change in this directory tries to remove the file
            // again.
            let _ = self.dir.remove_file(&self.name);
        }
    }
}

fn name(attempt: u32) -> String {
    format!(".loggia-{}-{attempt}.tmp", std::process::id())
}

/// Returns whether `name` is the name of a [`TemporaryFile`].
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let numbers = name.to_str().and_then(|name| name.strip_prefix(".loggia-")?.strip_suffix(".tmp"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.and_then(|numbers| numbers.split_once('-')).is_some_and(|(pid, n)| is_number(pid) && is_number(n))
}

/// Removes the temporary files of ended processes among the first `most` entries of `dir`, which must be locked.
pub(super) fn remove_leftovers(dir: &Dir, most: usize) {
    let Ok(entries) = dir.entries() else { return };
    for entry in entries.take(most).flatten() {
        let name = entry.file_name();
        if is_temporary(&name) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // A file that cannot be removed does no harm.
            let _ = dir.remove_file(&name);
        }
    }
}

/// Renames in one step, and fails if the new name is used. If the system cannot do that, the name is checked just
/// before.
pub(super) fn rename_new(from_dir: &Dir, from: &Path, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
    match rename_without_replacing(from_dir, from, to_dir, to) {
        Err(e) if matches!(e.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) => {}
        renamed => return renamed,
    }
    if to_dir.symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    from_dir.rename(from, to_dir, to)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_without_replacing(from_dir: &Dir, from: &Path, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};
    Ok(renameat_with(from_dir, from, to_dir, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_without_replacing(_: &Dir, _: &Path, _: &Dir, _: &OsStr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
mod attributes {
    //! Owner and mode. Extended attributes and access control lists are not copied.

    use std::io;
    use std::os::unix::fs::fchown;

    use cap_std::fs::PermissionsExt as _;
    use cap_std::fs::{File, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _, Permissions};

    /// A new file grants at most the access that the replaced one grants its owner.
    pub(super) fn restrict(options: &mut OpenOptions, replaced: &Metadata) {
        options.mode(replaced.mode() & 0o600);
    }

    pub(super) fn copy(file: &File, replaced: &Metadata) -> io::Result<()> {
        let now = file.metadata()?;
        let owner_kept = now.uid() == replaced.uid() || fchown(file, Some(replaced.uid()), None).is_ok();
        let group_kept = now.gid() == replaced.gid() || fchown(file, None, Some(replaced.gid())).is_ok();
        let mode = mode(replaced.mode(), owner_kept, group_kept);
        file.set_permissions(Permissions::from_mode(mode))
    }

    /// Returns the mode of the file that replaces one with the mode `replaced`. A group that the replaced file did
    /// not have gets only the permissions of all users. Set-user-ID and set-group-ID are dropped, as the kernel does
    /// after a write.
    pub(super) fn mode(replaced: u32, owner_kept: bool, group_kept: bool) -> u32 {
        let mode = replaced & 0o1777;
        let everyone = mode & 0o007;
        if owner_kept && group_kept { mode } else { mode & !0o070 | (mode & everyone << 3) }
    }
}

#[cfg(not(unix))]
mod attributes {
    use std::io;

    use cap_std::fs::{File, Metadata, OpenOptions};

    pub(super) fn restrict(_: &mut OpenOptions, _: &Metadata) {}

    pub(super) fn copy(file: &File, replaced: &Metadata) -> io::Result<()> {
        file.set_permissions(replaced.permissions())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, metadata, set_permissions, write};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    use super::*;

    /// Content that few may read must not be readable by more while it is being written.
    #[test]
    fn a_temporary_file_never_grants_more_than_the_file_it_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let file = folder.path().join("file");
        write(&file, "old").unwrap();
        for mode in [0o600, 0o400, 0o640, 0o644, 0o755, 0o666, 0o044, 0o000] {
            set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let replaced = dir.symlink_metadata("file").unwrap();
            let mut temporary = TemporaryFile::create(&dir, Some(&replaced)).unwrap();
            let path = folder.path().join(&temporary.name);
            assert_eq!(metadata(&path).unwrap().mode() & 0o7777, mode & 0o600, "{mode:o}");
            temporary.fill(b"new", Some(&replaced)).unwrap();
            assert_eq!(metadata(&path).unwrap().mode() & 0o7777, mode, "{mode:o}");
            temporary.replace("file".as_ref()).unwrap();
            assert_eq!(metadata(&file).unwrap().mode() & 0o7777, mode, "{mode:o}");
        }
    }

    #[test]
    fn the_mode_grants_a_foreign_group_no_more_than_everyone() {
        let table = [
            (0o640, true, true, 0o640),
            (0o640, true, false, 0o600),
            (0o664, true, false, 0o644),
            (0o755, false, true, 0o755),
            (0o770, false, true, 0o700),
            (0o4755, true, true, 0o755),
            (0o2775, true, true, 0o775),
        ];
        for (mode, owner, group, expected) in table {
            assert_eq!(attributes::mode(mode, owner, group), expected, "{mode:o} {owner} {group}");
        }
    }

    /// Only an administrator can change the owner of a file. Other users test this only with their own files.
    #[test]
    fn the_owner_stays() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let file = folder.path().join("file");
        write(&file, "old").unwrap();
        // Fails for other users; then the owner is the user who runs the test.
        let _ = chown(&file, Some(65_534), Some(65_534));
        let before = metadata(&file).unwrap();
        let replaced = dir.symlink_metadata("file").unwrap();
        let mut temporary = TemporaryFile::create(&dir, Some(&replaced)).unwrap();
        temporary.fill(b"new", Some(&replaced)).unwrap();
        temporary.replace("file".as_ref()).unwrap();
        let after = metadata(&file).unwrap();
        assert_eq!((after.uid(), after.gid(), after.mode()), (before.uid(), before.gid(), before.mode()));
    }
}
