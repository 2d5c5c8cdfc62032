//! `loggia import`: the servers of an MCP client become connectors of the configuration file.

use std::fs;
use std::io;
use std::path::Path;

use loggia_connect::clients::{ClientTable, ConfigFormat};
use loggia_connect::import::{Import, ImportError, bounded_text};
use loggia_gateway::{Credentials, client_installer};

use crate::args::{DEFAULT_CONFIG, ImportArgs};
use crate::exit::{Failure, Outcome};
use crate::out::{self, DIM, GOOD, NAME, WARN};
use crate::text::{count, one_line, pad};

/// `loggia import`.
pub(crate) fn run(
    args: &ImportArgs,
    config: Option<&Path>,
    no_config: bool,
    credentials: &Credentials,
) -> Outcome {
    if no_config && args.file.is_none() {
        return Err(Failure::usage("--no-config leaves no configuration file to add the servers to")
            .hint("name the file with --file PATH, or leave --no-config out"));
    }
    let file = args.file.as_deref().or(config).unwrap_or(Path::new(DEFAULT_CONFIG));
    let others = |servers: &[String]| command(&args.source, servers, file);
    let import = read_servers(args, credentials)?.map_err(|error| failed(error, &args.source, &others))?;
    import.add_to_file(file).map_err(|error| failed(error, file, &others))?;
    Ok(out::print(report(&import, file))?)
}

fn report(import: &Import, file: &Path) -> String {
    let servers = import.servers();
    let mut text =
        format!("{GOOD}✓{GOOD:#} {} added to {}\n", count(servers.len(), "connector"), file.display());
    if !import.left_out().is_empty() {
        let names = one_line(&import.left_out().join(", "));
        text.push_str(&format!("  {DIM}parts of the application, no servers: {names}{DIM:#}\n"));
    }
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
    let failure = match error.names_file() {
        true => Failure::usage(&error),
        false => Failure::usage(format!("{}: {error}", file.display())),
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
    let mut words = vec!["loggia".to_owned(), "import".to_owned(), source.display().to_string()];
    words.extend_from_slice(servers);
    if file != Path::new(DEFAULT_CONFIG) {
        words.extend(["--file".to_owned(), file.display().to_string()]);
    }
    let shown: Vec<String> = words.iter().map(|word| one_line(word)).collect();
    // Only a NUL cannot be quoted, and none is left.
    shlex::try_join(shown.iter().map(String::as_str)).unwrap_or_default()
}

/// Reads the servers of a file, of stdin, or of an application by its name.
fn read_servers(args: &ImportArgs, credentials: &Credentials) -> Outcome<Result<Import, ImportError>> {
    let source = &args.source;
    let word = source.to_str().filter(|word| !word.contains(['/', '\\', '.']) && !source.exists());
    if let Some(word) = word.filter(|word| ClientTable::embedded().get(word).is_some()) {
        return match Import::of_application(&client_installer(credentials)?, word, &args.names) {
            Err(ImportError::Client(error)) => Err(error.into()),
            import => Ok(import),
        };
    }
    let text = match source == Path::new("-") {
        true => bounded_text(io::stdin().lock()),
        false => fs::File::open(source).and_then(bounded_text),
    };
    let text = text.map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}", source.display())).hint("nothing was changed")
    })?;
    Ok(Import::parse_as(ConfigFormat::of_file(source), &text, &args.names))
}
