//! Updates of added connectors: a newer manifest or package, and tool definitions that differ from the approved ones.
//!
//! Invariant: nothing changes before the user has seen the difference and approves it, and then all of it changes at once.

use std::fmt;
use std::path::Path;

use loggia::client::Client;
use loggia_connect::manifest::{ConnectorManifest, ManifestFolders};
use loggia_connect::pins::{ConnectorPins, DefinitionChange, PinDifference, SourcePin};
use loggia_store::AddedConnector;
use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item, TableLike};

use crate::add::{AddError, ManifestFile, PackageKind, WrittenManifest};
use crate::config::GatewayConfig;
use crate::connection::ConnectorContext;
use crate::connector_list::ConnectorList;
use crate::error::{GatewayError, Result};
use crate::manifest_connector::read_manifest;
use crate::package_registry::{PackageRegistries, is_newer};

/// The kind of source of a server that was added from a registry.
const REGISTRY: &str = "registry";

/// An update of one connector. `Display` writes the difference for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorUpdate {
    /// The name of the connector.
    pub name: String,
    /// The newer manifest or package, if there is one.
    pub source: Option<SourceChange>,
    /// The difference of the tool definitions. Without pins, all tools are new.
    pub tools: PinDifference,
    /// True if definitions were approved before.
    pub is_pinned: bool,
    definition: String,
    pins: ConnectorPins,
    revision: i64,
    /// The newer manifest of a registry.
    file: Option<ManifestFile>,
}

/// A newer version of the source of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceChange {
    /// The kind and the name of the source, for people.
    pub source: String,
    /// The version that is used; `None` if none is named.
    pub before: Option<String>,
    /// The newer version.
    pub now: String,
}

/// The package of a definition: its place in the arguments.
struct PackageArgument {
    kind: PackageKind,
    index: usize,
    name: String,
    version: Option<String>,
}

impl ConnectorList {
    /// Compares an added connector with its system: asks the registry of its package for a newer version, and connects to the
    /// server to list its tools. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if there is no such connector, or it or the registry cannot be reached.
    pub async fn update_of(&self, name: &str, context: &ConnectorContext) -> Result<ConnectorUpdate> {
        let AddedConnector { name, definition, pins, revision } = self.added(name).await?;
        let before = match pins.as_deref().map(ConnectorPins::parse) {
            Some(Ok(pins)) => pins,
            Some(Err(_)) | None => ConnectorPins::default(),
        };
        let unreadable = || GatewayError::configuration(format!("the definition of {name:?} cannot be read"));
        let manifests = self.manifests()?;
        let mut document: DocumentMut = definition.parse().map_err(|_| unreadable())?;
        let newer = newer_of_registry(&before, context).await?;
        let file = newer.as_ref().map(|written| written.file.clone());
        // The new manifest is tried before it is approved, so it is written here; nothing names it yet.
        if let Some(file) = &file {
            file.store().map_err(GatewayError::configuration)?;
        }
        let (source, now) = {
            let section = section_mut(&mut document).ok_or_else(unreadable)?;
            match package_of(section) {
                _ if newer.is_some() => {
                    newer.map_or((None, None), |written| replace_manifest(section, written, &before))
                }
                Some(package) => newer_package(section, package, &before, context).await?,
                None => newer_manifest(section, &manifests, &before)?,
            }
        };
        let next = document.to_string();
        let is_direct = section_mut(&mut document).is_some_and(|section| is_direct(section, &manifests));
        let pins = ConnectorPins::of_source(now);
        let (pins, tools) = match is_direct {
            true => (pins, PinDifference::default()),
            false => {
                let tools = list_tools(&name, document, manifests, context).await?;
                let difference = before.difference(&tools);
                (pins.with_tools(&tools), difference)
            }
        };
        let is_pinned = is_direct || before.has_tools();
        Ok(ConnectorUpdate { name, source, tools, is_pinned, definition: next, pins, revision, file })
    }

    /// Applies an update. A gateway that runs serves the connector with it at once.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if the connector was changed since, or the database cannot be written.
    pub async fn apply_update(&self, update: &ConnectorUpdate) -> Result<()> {
        let ConnectorUpdate { name, definition, pins, revision, file, .. } = update;
        if let Some(file) = file {
            file.store().map_err(GatewayError::configuration)?;
        }
        let database = self.database().open().await?;
        let replaced = database.replace_with_pins(name, definition, Some(&pins.to_text()), *revision).await;
        match replaced.map_err(GatewayError::configuration)? {
            true => Ok(()),
            false => Err(GatewayError::configuration(format!("another program changed {name:?}; try again"))),
        }
    }
}

impl ConnectorUpdate {
    /// Returns whether there is nothing to approve.
    pub fn is_empty(&self) -> bool {
        self.source.is_none() && self.tools.is_empty() && self.is_pinned
    }

    /// Returns the update for programs. `is_applied` says whether it was applied.
    pub fn to_json(&self, is_applied: bool) -> Value {
        let source = self.source.as_ref().map(
            |SourceChange { source, before, now }| json!({ "source": source, "before": before, "now": now }),
        );
        let changes = |all: &[DefinitionChange]| -> Vec<Value> {
            all.iter().map(|change| json!({ "name": change.name, "lines": change.lines })).collect()
        };
        json!({
            "name": self.name,
            "isChanged": !self.is_empty(),
            "isApplied": is_applied,
            "source": source,
            "addedTools": changes(&self.tools.added),
            "changedTools": changes(&self.tools.changed),
            "removedTools": self.tools.removed,
        })
    }
}

/// The newer version, then the tools that differ.
impl fmt::Display for ConnectorUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConnectorUpdate { name, source, tools, is_pinned, .. } = self;
        if self.is_empty() {
            return writeln!(f, "{name}: nothing changed");
        }
        match source {
            Some(SourceChange { source, before, now }) => {
                let before = before.as_deref().unwrap_or("the newest of each start");
                writeln!(f, "{name}: {source}, {before} -> {now}")?;
            }
            None => writeln!(f, "{name}: its tools differ from the approved ones")?,
        }
        if !is_pinned {
            writeln!(f, "its tools were not approved before")?;
        }
        tools.fmt(f)
    }
}

/// Connects to the connector of a definition, and lists its tools as its server has them.
async fn list_tools(
    name: &str,
    mut definition: DocumentMut,
    manifests: ManifestFolders,
    context: &ConnectorContext,
) -> Result<Vec<loggia::model::Tool>> {
    // A connector that is switched off is compared too.
    if let Some(section) = section_mut(&mut definition) {
        section.remove("enabled");
    }
    let redactor = context.credentials().redactor();
    let config = GatewayConfig::parse(&definition.to_string(), Path::new("connector.toml"), redactor)?;
    let config = config.with_manifests(manifests);
    let connected = config.connect(name, Client::builder(), context).await;
    let missing = || GatewayError::configuration(format!("the definition of {name:?} has another name"));
    let client = connected.ok_or_else(missing)??;
    let has_tools = client.capabilities().is_none_or(|capabilities| capabilities.tools.is_some());
    let tools = match has_tools {
        true => client.list_all_tools().await,
        false => Ok(Vec::new()),
    };
    // The connection was for the list alone; a server that does not answer the goodbye changes nothing.
    let _ = client.close().await;
    Ok(tools?)
}

/// Looks for a newer version of a package, and writes it into the section.
async fn newer_package(
    section: &mut dyn TableLike,
    package: PackageArgument,
    before: &ConnectorPins,
    context: &ConnectorContext,
) -> Result<(Option<SourceChange>, Option<SourcePin>)> {
    let PackageArgument { kind, index, name, version } = package;
    let registries = PackageRegistries::of_environment(context.credentials())?;
    let newest = registries.newest(kind, &name).await?;
    let pin = |version: Option<String>, digest: Option<String>| {
        let kind = kind.as_str().to_lowercase();
        Some(SourcePin { kind, name: name.clone(), version, digest })
    };
    let newest =
        newest.filter(|newest| version.as_deref().is_none_or(|known| is_newer(&newest.version, known)));
    let Some(newest) = newest else {
        let digest = before.source.as_ref().and_then(|source| source.digest.clone());
        return Ok((None, pin(version, digest)));
    };
    if let Some(args) = section.get_mut("args").and_then(Item::as_array_mut) {
        let separator = if kind == PackageKind::PyPi { "==" } else { "@" };
        args.replace(index, format!("{name}{separator}{}", newest.version));
    }
    let source = format!("{} {name}", kind.as_str());
    let change = SourceChange { source, before: version, now: newest.version.clone() };
    Ok((Some(change), pin(Some(newest.version), newest.digest)))
}

/// Asks the registry for another version of a server that was added from it.
async fn newer_of_registry(
    before: &ConnectorPins,
    context: &ConnectorContext,
) -> Result<Option<WrittenManifest>> {
    let Some(source) = before.source.as_ref().filter(|source| source.kind == REGISTRY) else {
        return Ok(None);
    };
    let written = WrittenManifest::of_registry(&source.name, context.credentials()).await;
    let written = written.map_err(|error| match error {
        AddError::Gateway(error) => error,
        other => GatewayError::configuration(other),
    })?;
    Ok(Some(written).filter(|written| written.source.version != source.version))
}

/// Writes the manifest of another version into a section.
fn replace_manifest(
    section: &mut dyn TableLike,
    written: WrittenManifest,
    before: &ConnectorPins,
) -> (Option<SourceChange>, Option<SourcePin>) {
    section.insert("manifest", toml_edit::value(written.file.path.display().to_string()));
    let known = before.source.as_ref().and_then(|source| source.version.clone());
    let change = SourceChange {
        source: format!("registry {}", written.source.name),
        before: known,
        now: written.source.version.clone().unwrap_or_default(),
    };
    (Some(change), Some(written.source))
}

/// Compares the manifest of a section with the version that was approved.
fn newer_manifest(
    section: &mut dyn TableLike,
    manifests: &ManifestFolders,
    before: &ConnectorPins,
) -> Result<(Option<SourceChange>, Option<SourcePin>)> {
    let Some((manifest, digest, reference)) = manifest_of(section, manifests)? else {
        return Ok((None, before.source.clone()));
    };
    // A manifest that Loggia wrote never changes; its source was compared before.
    if let Some(source) = before.source.as_ref().filter(|source| source.kind != "manifest") {
        return Ok((None, Some(source.clone())));
    }
    let now = SourcePin {
        kind: "manifest".to_owned(),
        name: reference.clone(),
        version: Some(manifest.version.clone()),
        digest: Some(digest),
    };
    let known = before.source.as_ref().and_then(|source| source.version.clone());
    let is_other = known.as_ref().is_some_and(|known| *known != manifest.version);
    let change = is_other.then(|| SourceChange {
        source: format!("manifest {reference}"),
        before: known,
        now: manifest.version,
    });
    Ok((change, Some(now)))
}

fn manifest_of(
    section: &dyn TableLike,
    manifests: &ManifestFolders,
) -> Result<Option<(ConnectorManifest, String, String)>> {
    let text = |key: &str| section.get(key).and_then(Item::as_str);
    let (Some("manifest"), Some(reference)) = (text("kind"), text("manifest")) else { return Ok(None) };
    let (manifest, digest) =
        read_manifest(Path::new("."), manifests, reference).map_err(GatewayError::configuration)?;
    Ok(Some((manifest, format!("sha256:{digest}"), reference.to_owned())))
}

/// Returns whether the manifest of a section writes the tools itself.
fn is_direct(section: &dyn TableLike, manifests: &ManifestFolders) -> bool {
    let Ok(Some((manifest, ..))) = manifest_of(section, manifests) else { return false };
    let backend = match section.get("backend").and_then(Item::as_str) {
        Some(name) => manifest.backend(name),
        None => manifest.backends.first(),
    };
    backend.is_some_and(|backend| backend.kind().is_direct())
}

/// Returns the only section of a definition.
fn section_mut(document: &mut DocumentMut) -> Option<&mut dyn TableLike> {
    let connectors = document.get_mut("connectors").and_then(Item::as_table_like_mut)?;
    connectors.iter_mut().next()?.1.as_table_like_mut()
}

/// Finds the package in the arguments of a program, as `loggia add` writes them.
fn package_of(section: &dyn TableLike) -> Option<PackageArgument> {
    let args = section.get("args").and_then(Item::as_array)?;
    let arg = |index: usize| args.get(index).and_then(toml_edit::Value::as_str);
    let (kind, index) = match (section.get("command").and_then(Item::as_str)?, arg(0)?) {
        ("npx", "-y") => (PackageKind::Npm, 1),
        ("uvx", "--from") => (PackageKind::PyPi, 1),
        _ => return None,
    };
    let text = arg(index)?;
    let (name, version) = match kind {
        PackageKind::PyPi => {
            text.split_once("==").map_or((text, None), |(name, version)| (name, Some(version)))
        }
        _ => match text.char_indices().rfind(|(at, c)| *c == '@' && *at > 0) {
            Some((at, _)) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        },
    };
    // A tag (`latest`) is no version.
    let version = version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    Some(PackageArgument { kind, index, name: name.to_owned(), version: version.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use toml_edit::{Array, Table, value};

    use super::*;

    #[test]
    fn the_package_is_found_in_the_arguments() {
        for (command, args, expected) in [
            ("npx", vec!["-y", "@acme/mcp@1.2.3"], Some(("@acme/mcp", Some("1.2.3")))),
            ("npx", vec!["-y", "@acme/mcp"], Some(("@acme/mcp", None))),
            ("npx", vec!["-y", "acme@latest"], Some(("acme", None))),
            ("uvx", vec!["--from", "acme==0.2", "acme"], Some(("acme", Some("0.2")))),
            ("docker", vec!["run", "-i", "--rm", "acme:1"], None),
            ("npx", vec!["acme"], None),
        ] {
            let mut section = Table::new();
            section.insert("command", value(command));
            section.insert("args", value(args.iter().copied().collect::<Array>()));
            let found = package_of(&section).map(|package| (package.name, package.version));
            let expected = expected.map(|(name, version)| (name.to_owned(), version.map(str::to_owned)));
            assert_eq!(found, expected, "{command} {args:?}");
        }
    }
}
