//! `loggia import`: the servers of an MCP client become connectors of the configuration file.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use loggia_connect::import::{Import, ImportError};

use crate::args::{DEFAULT_CONFIG, ImportArgs};
use crate::exit::{Failure, Outcome};
use crate::out::{self, DIM, GOOD, NAME, WARN};
use crate::text::{count, one_line, pad};

/// Longest file that is read.
const LONGEST: u64 = 1 << 20;

/// `loggia import`.
pub(crate) fn run(args: &ImportArgs, config: Option<&Path>, no_config: bool) -> Outcome {
    if no_config && args.file.is_none() {
        return Err(Failure::usage("--no-config leaves no configuration file to add the servers to")
            .hint("name the file with --file PATH, or leave --no-config out"));
    }
    let file = args.file.as_deref().or(config).unwrap_or(Path::new(DEFAULT_CONFIG));
    let source = read_source(&args.source)?;
    let others = |servers: &[String]| command(&args.source, servers, file);
    let import = Import::parse(&source, &args.names).map_err(|error| failed(error, &args.source, &others))?;
    let existing = match read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        existing => existing.map_err(|error| unreadable(file, &error))?,
    };
    let text = import.add_to(&existing, file).map_err(|error| failed(error, file, &others))?;
    replace(file, &text).map_err(|error| {
        Failure::usage(format!("cannot write {}: {error}", file.display())).hint("nothing was changed")
    })?;
    Ok(out::print(report(&import, file))?)
}

fn report(import: &Import, file: &Path) -> String {
    let servers = import.servers();
    let mut text =
        format!("{GOOD}✓{GOOD:#} {} added to {}\n", count(servers.len(), "connector"), file.display());
    for server in servers {
        let summary = one_line(&server.summary);
        text.push_str(&format!("  {NAME}{}{NAME:#} {DIM}{summary}{DIM:#}\n", pad(&server.name, 16)));
        for note in &server.notes {
            text.push_str(&format!("    {WARN}{}{WARN:#}\n", one_line(note)));
        }
    }
    text
}

/// Describes an error about the file `file`, with the next step; `others` is the command line that imports only some servers.
fn failed(error: ImportError, file: &Path, others: &impl Fn(&[String]) -> String) -> Failure {
    let failure = match &error {
        // Each of its lines names the file already.
        ImportError::ConfigFile(_) => Failure::usage(&error),
        _ => Failure::usage(format!("{}: {error}", file.display())),
    };
    match error {
        ImportError::Unusable { usable: servers, .. } | ImportError::Existing { others: servers, .. }
            if !servers.is_empty() =>
        {
            failure.hint(format!("to import the others: {}", others(&servers)))
        }
        ImportError::Existing { .. } => failure
            .hint("nothing was changed; to import one again, delete its section [connectors.NAME] first"),
        ImportError::SameName { .. } => {
            failure.hint("rename one of them, or name the servers to import: loggia import FILE SERVER…")
        }
        _ => failure.hint("nothing was changed"),
    }
}

/// Returns the command line that imports `servers` of `source` into `file`.
fn command(source: &Path, servers: &[String], file: &Path) -> String {
    let shown = |path: &Path| shell_word(&path.display().to_string());
    let mut words = vec!["loggia import".to_owned(), shown(source)];
    words.extend(servers.iter().map(|server| shell_word(server)));
    if file != Path::new(DEFAULT_CONFIG) {
        words.push(format!("--file {}", shown(file)));
    }
    words.join(" ")
}

/// Quotes a word for the shell if it needs that.
fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", one_line(word).replace('\'', r"'\''")),
    }
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", file.display())).hint("nothing was changed")
}

fn read_source(source: &Path) -> Outcome<String> {
    match source == Path::new("-") {
        true => bounded(io::stdin().lock()),
        false => read(source),
    }
    .map_err(|error| unreadable(source, &error))
}

fn read(file: &Path) -> io::Result<String> {
    bounded(fs::File::open(file)?)
}

fn bounded(reader: impl Read) -> io::Result<String> {
    let mut text = String::new();
    reader.take(LONGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LONGEST {
        true => Err(io::Error::other("it is longer than 1 MiB")),
        false => Ok(text),
    }
}

/// Replaces a file as a whole, with the permissions that it has. A link stays one.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let new = beside(&file);
    let written = write_new(&new, &file, text).and_then(|()| fs::rename(&new, &file));
    if written.is_err() {
        // The first error says what is wrong.
        let _ = fs::remove_file(&new);
    }
    written
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    file.with_file_name(name)
}

fn write_new(new: &Path, old: &Path, text: &str) -> io::Result<()> {
    let old = fs::metadata(old).ok();
    let mut written = create(new, old.is_some())?;
    written.write_all(text.as_bytes())?;
    if let Some(old) = old {
        written.set_permissions(old.permissions())?;
    }
    written.sync_all()
}

/// Creates the file that takes the place of another. Until it has the permissions of that one, only its owner may open it:
/// a file opened earlier stays open, whatever its permissions become.
fn create(new: &Path, replaces: bool) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if replaces {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = replaces;
    options.open(new)
}

#[cfg(test)]
mod words {
    use super::shell_word;

    #[test]
    fn words_are_quoted_for_the_shell_where_they_need_it() {
        for (word, expected) in [
            ("github", "github"),
            ("C-3.po/x@1", "C-3.po/x@1"),
            ("", "''"),
            ("my notes", "'my notes'"),
            ("$(x)", "'$(x)'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(shell_word(word), expected);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_is_replaced_is_at_no_moment_open_to_more_users() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, new) = (folder.path().join("loggia.toml"), folder.path().join("new"));
        let mode = |path: &Path| metadata(path).expect("a file").permissions().mode() & 0o777;
        for before in [0o600, 0o640, 0o644, 0o664, 0o400] {
            fs::write(&file, "old").expect("written");
            set_permissions(&file, Permissions::from_mode(before)).expect("changed");
            drop(create(&new, true).expect("created"));
            assert_eq!(mode(&new) & 0o077, 0, "{before:o}");
            fs::remove_file(&new).expect("removed");
            replace(&file, "new").expect("replaced");
            assert_eq!((mode(&file), fs::read_to_string(&file).expect("read")), (before, "new".to_owned()));
            fs::remove_file(&file).expect("removed");
        }
    }
}
