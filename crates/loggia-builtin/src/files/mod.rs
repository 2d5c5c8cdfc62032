//! A confined view of one folder, for a language model: it lists, reads, searches, and (only if allowed) writes,
//! edits, moves and deletes.
//!
//! The folder is an open directory ([`cap_std::fs::Dir`]), and the operating system resolves every path below this
//! handle when it is used. The kernel (or cap-std, step by step, if the kernel cannot) refuses a `..`, an absolute
//! path or a symbolic link that leads out. So no path can be replaced between a check and its use.
//!
//! [`Files`] blocks: call it from a thread that may block. It does not depend on MCP; [`server`] makes an MCP server
//! of it.

mod budget;
mod change;
mod edit;
mod error;
mod find;
mod grep;
mod list;
mod lock;
mod manage;
mod mime;
mod passage;
mod path;
mod read;
mod root;
mod sensitive;
mod serve;
mod stat;
mod suggest;
mod temporary;
mod uri;
mod walk;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cap_fs_ext::OpenOptionsSyncExt as _;
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use loggia::JsonSchema;
use serde::Serialize;

pub use edit::{Edit, EditRequest, EditResult};
pub use error::{EditProblem, FilesError};
pub use find::FindRequest;
pub use grep::{FileMatches, GrepRequest, GrepResult, MatchLine};
pub use list::{Entry, ListRequest, Listing};
pub use manage::{DeleteRequest, DeleteResult, MoveRequest};
pub use read::{Content, ReadRange, ReadRequest, ReadResult};
pub use root::OpenError;
pub use serve::server;
pub use stat::Stat;
pub use uri::root_uris;
pub use write::{WriteRequest, WriteResult};

use budget::{Budget, StopSignal};
use path::RelPath;

/// The result of a file operation.
pub type Result<T> = std::result::Result<T, FilesError>;

/// One folder. It is cheap to clone; all clones are the same folder.
#[derive(Debug, Clone)]
pub struct Files {
    root: Arc<Dir>,
    /// The absolute forms of the root with which a caller's absolute path may begin.
    roots: Arc<[PathBuf]>,
    options: FilesOptions,
    /// True if other programs execute or trust the folder as a whole.
    root_is_sensitive: bool,
    /// Held during a change, so that the changes of this process do not interleave.
    changes: Arc<Mutex<()>>,
    stop: StopSignal,
}

/// The permissions and limits of a folder.
#[derive(Debug, Clone, Default)]
pub struct FilesOptions {
    /// True if anything may be changed.
    pub writable: bool,
    /// True if files may be changed that other programs execute or trust, such as `.git`, shell profiles and editor
    /// tasks.
    pub write_sensitive: bool,
    /// The bounds.
    pub limits: Limits,
}

/// The bounds of one operation.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The number of bytes of a file that a read returns by default (64 KiB).
    pub read_default: usize,
    /// The maximum number of bytes of a file that a read returns (4 MiB).
    pub read_max: usize,
    /// The maximum number of bytes of a file that can be written or edited, or has a hash (8 MiB).
    pub write_max: u64,
    /// The maximum number of bytes of a diff that an edit returns (64 KiB).
    pub diff_max: usize,
    /// The maximum number of paths on one page of a list or a search by name (1000).
    pub page: usize,
    /// The maximum number of matches that a search by content returns (1000).
    pub matches: usize,
    /// The maximum number of directory entries that one operation visits (200 000).
    pub entries: usize,
    /// The maximum number of names that one operation sorts in memory (100 000). A directory may have more.
    pub held: usize,
    /// The maximum number of bytes that one operation reads from files (1 GiB).
    pub scan: u64,
    /// The time limit of reading or walking in one operation (10 s).
    pub time: Duration,
    /// The maximum number of running calls to the server of a folder (8).
    pub running: usize,
    /// The maximum number of waiting calls to the server of a folder; further ones are refused (64).
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            read_default: 64 << 10,
            read_max: 4 << 20,
            write_max: 8 << 20,
            diff_max: 64 << 10,
            page: 1000,
            matches: 1000,
            entries: 200_000,
            held: 100_000,
            scan: 1 << 30,
            time: Duration::from_secs(10),
            running: 8,
            waiting: 64,
        }
    }
}

/// The kind of thing that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a pipe, a socket.
    Other,
}

impl Kind {
    fn of(file_type: cap_std::fs::FileType) -> Kind {
        match file_type {
            t if t.is_symlink() => Kind::Link,
            t if t.is_dir() => Kind::Directory,
            t if t.is_file() => Kind::File,
            _ => Kind::Other,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Kind::File => "a file",
            Kind::Directory => "a directory",
            Kind::Link => "a symbolic link",
            Kind::Other => "a device, pipe or socket",
        }
    }
}

impl Files {
    /// Opens the folder `root`. Fails if it cannot be listed and entered. Only this function uses the whole file
    /// system.
    pub fn open(root: &Path, options: FilesOptions) -> std::result::Result<Files, OpenError> {
        let handle = root::open(root)?;
        let absolute =
            std::path::absolute(root).and_then(|root| Ok([root.clone(), std::fs::canonicalize(root)?]));
        let roots: Arc<[PathBuf; 2]> = Arc::new(absolute.map_err(|error| OpenError::new(root, error))?);
        Ok(Files {
            root: Arc::new(handle),
            root_is_sensitive: sensitive::is_sensitive_root(&roots[1]),
            roots,
            options,
            changes: Arc::default(),
            stop: StopSignal::default(),
        })
    }

    /// Returns the same folder, whose operations end early when `stop` returns true because their caller has gone.
    pub fn until(&self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Files {
        Files { stop: StopSignal::new(stop), ..self.clone() }
    }

    /// Returns the folder's absolute path.
    pub fn root(&self) -> &Path {
        &self.roots[0]
    }

    /// Returns a path of a `file:` URI, which has lost its first slash, as an absolute path, if that is in the
    /// folder.
    fn absolute(&self, path: &str) -> Option<String> {
        Some(format!("/{path}")).filter(|absolute| self.parse(absolute).is_ok())
    }

    /// Returns whether anything may be changed.
    pub fn is_writable(&self) -> bool {
        self.options.writable
    }

    /// Returns the bounds.
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    fn budget(&self) -> Budget {
        self.budget_of(self.limits())
    }

    fn budget_of(&self, limits: &Limits) -> Budget {
        Budget::new(limits, self.stop.clone())
    }

    fn parse(&self, input: &str) -> Result<RelPath> {
        RelPath::parse(input, &self.roots)
    }

    /// Returns the metadata of `path`; follows links.
    fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.check_root(path)?;
        self.root.metadata(path.as_path()).map_err(|e| self.explain(path, &e))
    }

    fn open_dir(&self, path: &RelPath) -> Result<Dir> {
        self.check_root(path)?;
        self.root.open_dir(path.as_path()).map_err(|e| self.explain(path, &e))
    }

    /// Fails if `path` is the folder itself, and it was deleted; for other paths the system reports an error.
    fn check_root(&self, path: &RelPath) -> Result<()> {
        if path.is_root() && root::is_deleted(&self.root) { Err(FilesError::RootGone) } else { Ok(()) }
    }

    fn open_file(&self, path: &RelPath) -> Result<(File, Metadata)> {
        if path.is_root() {
            check_regular(path, &self.metadata(path)?)?;
        }
        let (file, metadata) =
            open_regular(&self.root, path.as_path()).map_err(|e| self.explain(path, &e))?;
        check_regular(path, &metadata)?;
        Ok((file, metadata))
    }
}

/// Fails unless `metadata` is of a regular file.
fn check_regular(path: &RelPath, metadata: &Metadata) -> Result<()> {
    let kind = Kind::of(metadata.file_type());
    let advice = match kind {
        Kind::File => return Ok(()),
        Kind::Directory => "list it to see what is in it",
        _ => "only regular files can be read",
    };
    Err(FilesError::NotAFile { path: path.to_string(), found: kind.noun(), advice })
}

/// Opens what may be a file without blocking: otherwise a pipe would block until a writer opens it. The caller checks
/// the kind.
fn open_regular(dir: &Dir, path: &Path) -> std::io::Result<(File, Metadata)> {
    let file = dir.open_with(path, OpenOptions::new().read(true).nonblock(true))?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}
