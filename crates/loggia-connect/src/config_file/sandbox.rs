//! The sandbox of a connector's program: `sandbox = "on"`, or a table with what the program may use.

use std::ops::Range;

use loggia_sandbox::{HostAccess, HostPattern, SandboxMode};
use serde::Deserialize as _;
use toml::Spanned;

use super::error::{Problems, nearest};
use super::limits;
use super::raw::RawSandbox;
use crate::secret::Template;

const MODE: &str = "write sandbox = \"on\", \"off\" or \"require\", or a table such as { read = [\"${HOME}/notes\"], hosts = \
                    [\"api.example.com\"] }";

/// The sandbox of a program, as its configuration or its manifest describes it.
#[derive(Debug, Clone)]
pub struct ProgramSandbox<T> {
    /// The strictness; `None` for the default.
    pub mode: Option<SandboxMode>,
    /// The permissions of the program; `None` if nothing lists them.
    pub permissions: Option<ProgramPermissions<T>>,
}

/// The permissions of a program.
#[derive(Debug, Clone)]
pub struct ProgramPermissions<T> {
    /// Files and folders that it may read.
    pub read: Vec<T>,
    /// Files and folders that it may also change.
    pub write: Vec<T>,
    /// The hosts that it may connect to.
    pub hosts: HostAccess,
    /// The memory of each of its processes, in bytes.
    pub memory: Option<u64>,
    /// The number of its processes and threads.
    pub processes: Option<u32>,
}

impl<T> Default for ProgramSandbox<T> {
    fn default() -> ProgramSandbox<T> {
        ProgramSandbox { mode: None, permissions: None }
    }
}

impl<T> Default for ProgramPermissions<T> {
    fn default() -> ProgramPermissions<T> {
        ProgramPermissions {
            read: Vec::new(),
            write: Vec::new(),
            hosts: HostAccess::Only(Vec::new()),
            memory: None,
            processes: None,
        }
    }
}

impl<T> ProgramSandbox<T> {
    /// Returns the strictness: that of the connector, then `default`. Without both, a program is confined if something
    /// lists what it may use.
    pub fn mode(&self, default: Option<SandboxMode>) -> SandboxMode {
        let listed = || if self.permissions.is_some() { SandboxMode::On } else { SandboxMode::Off };
        self.mode.or(default).unwrap_or_else(listed)
    }

    /// Replaces the texts in it.
    pub(crate) fn map<U, E>(&self, mut fill: impl FnMut(&T) -> Result<U, E>) -> Result<ProgramSandbox<U>, E> {
        let permissions = self.permissions.as_ref().map(|own| {
            Ok(ProgramPermissions {
                read: own.read.iter().map(&mut fill).collect::<Result<_, _>>()?,
                write: own.write.iter().map(&mut fill).collect::<Result<_, _>>()?,
                hosts: own.hosts.clone(),
                memory: own.memory,
                processes: own.processes,
            })
        });
        Ok(ProgramSandbox { mode: self.mode, permissions: permissions.transpose()? })
    }
}

/// Reads the sandbox of a program.
pub(super) fn program(
    raw: Option<Spanned<toml::Value>>,
    problems: &mut Problems<'_>,
) -> Option<ProgramSandbox<Template>> {
    let Some(raw) = raw else { return Some(ProgramSandbox::default()) };
    let span = raw.span();
    match raw.into_inner() {
        toml::Value::String(text) => {
            let mode = Some(mode(&Spanned::new(span, text), problems)?);
            Some(ProgramSandbox { mode, permissions: None })
        }
        toml::Value::Table(table) => self::table(table, span, problems),
        _ => problems.add(span, MODE),
    }
}

/// Reads the sandbox of a connector whose manifest lists what its program may use.
pub(super) fn of_manifest(
    raw: Option<Spanned<toml::Value>>,
    problems: &mut Problems<'_>,
) -> Option<SandboxMode> {
    let raw = raw?;
    let span = raw.span();
    match raw.into_inner() {
        toml::Value::String(text) => mode(&Spanned::new(span, text), problems),
        _ => problems.add(
            span,
            "write sandbox = \"on\", \"off\" or \"require\"; the manifest lists what its program may use",
        ),
    }
}

/// Reads a strictness.
pub(super) fn mode(text: &Spanned<String>, problems: &mut Problems<'_>) -> Option<SandboxMode> {
    match text.as_ref().parse() {
        Ok(mode) => Some(mode),
        Err(()) => {
            let nearest = nearest(text.as_ref(), &SandboxMode::ALL.map(|(name, _)| name));
            problems.add(text.span(), format!("there is no such sandbox; {nearest}"))
        }
    }
}

fn table(
    table: toml::Table,
    span: Range<usize>,
    problems: &mut Problems<'_>,
) -> Option<ProgramSandbox<Template>> {
    let raw = match RawSandbox::deserialize(table) {
        Ok(raw) => raw,
        Err(error) => {
            problems.add_toml(&error, Some(span));
            return None;
        }
    };
    let mode = match raw.mode {
        Some(text) => Some(mode(&Spanned::new(span.clone(), text), problems)?),
        None => Some(SandboxMode::On),
    };
    let mut paths = |texts: Vec<String>| -> Option<Vec<Template>> {
        texts.into_iter().map(|text| problems.template(Spanned::new(span.clone(), text))).collect()
    };
    let (read, write) = (paths(raw.read)?, paths(raw.write)?);
    let hosts = hosts(raw.hosts, &span, problems)?;
    let memory = match raw.memory.as_deref().map(limits::bytes_of).transpose() {
        Ok(memory) => memory.and_then(|bytes| u64::try_from(bytes).ok()),
        Err(message) => return problems.add(span, message),
    };
    let permissions = ProgramPermissions { read, write, hosts, memory, processes: raw.processes };
    Some(ProgramSandbox { mode, permissions: Some(permissions) })
}

fn hosts(texts: Vec<String>, span: &Range<usize>, problems: &mut Problems<'_>) -> Option<HostAccess> {
    if texts.iter().any(|text| text == "*") {
        return Some(HostAccess::Any);
    }
    let mut hosts = Vec::new();
    for text in texts {
        match text.parse::<HostPattern>() {
            Ok(host) => hosts.push(host),
            Err(error) => return problems.add(span.clone(), error.to_string()),
        }
    }
    Some(HostAccess::Only(hosts))
}
