//! The tools of a manifest's backend, as transforms of the hub: the settings of a server's tools, and the question before
//! each call. The module is separate from the manifest, which is data, and from the hub, which knows no manifests.
//!
//! Invariant: a tool that is not enabled is neither listed nor called; a deferred tool is called and not listed; a tool without settings is not changed.

use std::collections::BTreeMap;

use loggia::model::{CallToolResult, JsonObject, Tool};
use loggia::service::BoxFuture;
use loggia_connect::config_file::ToolFilter;
use loggia_connect::filter::FilterRunner;
use loggia_connect::manifest::{ConnectorValues, ManifestBackend, MissingValue, ToolSettings};
use loggia_hub::{Connector, ToolTransform};

/// The tools of a backend.
#[derive(Debug, Clone, Default)]
pub(crate) struct ManifestTools {
    /// The settings of the tools of an MCP server, in the order of the manifest.
    settings: Vec<ToolSettings>,
    /// The rules of the tools of a direct backend.
    direct: Vec<DirectToolRule>,
}

/// The transform of a tool of an MCP server.
struct SettingsTransform {
    settings: ToolSettings,
    filters: FilterRunner,
}

/// The transform of a tool of a direct backend, which is not changed: whether its user is asked before each call, and whether
/// it is left out of the list.
#[derive(Debug, Clone)]
struct DirectToolRule {
    name: String,
    needs_confirmation: bool,
    is_deferred: bool,
}

impl ManifestTools {
    /// Returns the tools of a backend, with the values of its user.
    pub(crate) fn of(
        backend: &ManifestBackend,
        values: &ConnectorValues,
    ) -> Result<ManifestTools, MissingValue> {
        let is_direct = backend.kind().is_direct();
        let direct = backend.tools.iter().filter(|_| is_direct).map(|tool| DirectToolRule {
            name: tool.name.clone(),
            needs_confirmation: tool.needs_confirmation,
            is_deferred: tool.is_deferred,
        });
        Ok(ManifestTools {
            settings: backend.tool_settings(values)?,
            direct: direct.filter(|rule| rule.needs_confirmation || rule.is_deferred).collect(),
        })
    }

    /// Returns whether each call reaches the tool of its name as the caller wrote it.
    pub(crate) fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.direct.iter().all(|rule| !rule.needs_confirmation)
    }

    /// Exposes the tools of `connector` with these settings. `filter` has the names that clients see, without the prefix.
    /// The filters of results run with `filters`.
    pub(crate) fn expose(
        self,
        connector: Connector,
        filter: ToolFilter,
        filters: &FilterRunner,
    ) -> Connector {
        let shown: BTreeMap<String, Option<String>> = self
            .settings
            .iter()
            .map(|tool| (tool.from.clone(), tool.is_enabled.then(|| tool.name.clone())))
            .collect();
        let connector = connector.shows(move |own| match shown.get(own) {
            Some(Some(name)) => filter.allows(name),
            Some(None) => false,
            None => filter.allows(own),
        });
        let connector = self
            .direct
            .into_iter()
            .fold(connector, |connector, rule| connector.transform_tool(rule.name.clone(), rule));
        self.settings.into_iter().filter(|tool| tool.is_enabled).fold(connector, |connector, tool| {
            let connector = match tool.name == tool.from {
                true => connector,
                false => connector.rename_tool(tool.from.clone(), tool.name.clone()),
            };
            connector.transform_tool(
                tool.from.clone(),
                SettingsTransform { settings: tool, filters: filters.clone() },
            )
        })
    }
}

impl ToolTransform for SettingsTransform {
    fn definition(&self, tool: &Tool) -> Tool {
        self.settings.definition(tool)
    }

    fn changes_arguments(&self) -> bool {
        self.settings.changes_arguments()
    }

    fn arguments(&self, given: &JsonObject) -> Result<JsonObject, String> {
        self.settings.arguments(given)
    }

    fn changes_result(&self) -> bool {
        self.settings.changes_result()
    }

    fn result(&self, result: CallToolResult) -> BoxFuture<'_, CallToolResult> {
        Box::pin(self.settings.result(result, &self.filters))
    }

    fn needs_confirmation(&self) -> bool {
        self.settings.needs_confirmation
    }

    fn is_deferred(&self) -> bool {
        self.settings.is_deferred
    }
}

impl ToolTransform for DirectToolRule {
    fn needs_confirmation(&self) -> bool {
        self.needs_confirmation
    }

    fn is_deferred(&self) -> bool {
        self.is_deferred
    }
}
