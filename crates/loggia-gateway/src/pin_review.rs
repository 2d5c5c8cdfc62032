//! The review of a connector's tools by its pins. The module is separate from the pins, which are data, and from the hub, which
//! does not know where approvals are kept.
//!
//! Invariant: a tool whose definition was not approved is held back, unless the configuration of its connector says otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use loggia::model::Tool;
use loggia_connect::config_file::PinRule;
use loggia_connect::pins::{ConnectorPins, PinState};
use loggia_hub::{Connector, ToolReview};
use loggia_store::AddedConnector;

/// The pins of the added connectors, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct PinSet(BTreeMap<String, Arc<ConnectorPins>>);

/// Compares the tools of one connector with its pins.
struct PinReview {
    connector: String,
    pins: Arc<ConnectorPins>,
    rule: PinRule,
}

impl PinSet {
    /// Reads the pins of `added`. A connector whose pins cannot be read has no approved tool.
    pub(crate) fn of(added: &[AddedConnector]) -> PinSet {
        let read = |one: &AddedConnector| {
            let pins = ConnectorPins::parse(one.pins.as_deref()?).unwrap_or_else(|error| {
                tracing::warn!(connector = one.name, %error, "its tools are held back");
                ConnectorPins::default().with_tools([])
            });
            Some((one.name.clone(), Arc::new(pins)))
        };
        PinSet(added.iter().filter_map(read).collect())
    }

    /// Returns whether a tool of the connector `name` can be held back.
    pub(crate) fn holds_back(&self, name: &str, rule: PinRule) -> bool {
        rule == PinRule::Hold && self.0.get(name).is_some_and(|pins| pins.has_tools())
    }

    /// Reviews the tools of `connector`, if they are pinned.
    pub(crate) fn review(&self, connector: Connector, rule: PinRule) -> Connector {
        match self.0.get(connector.name()).filter(|pins| pins.has_tools() && rule != PinRule::Off) {
            Some(pins) => {
                let name = connector.name().to_owned();
                connector.review(PinReview { connector: name, pins: pins.clone(), rule })
            }
            None => connector,
        }
    }
}

impl ToolReview for PinReview {
    fn refusal(&self, tool: &Tool) -> Option<String> {
        let PinReview { connector, pins, rule } = self;
        let difference = match pins.state(tool) {
            _ if *rule != PinRule::Hold => return None,
            PinState::Approved => return None,
            PinState::New => "is new, and the user has not approved it yet",
            PinState::Changed => "has another definition than the user approved",
        };
        Some(format!(
            "The tool {} of {connector} {difference}, so it is held back. Nothing was done. `loggia connectors update \
             {connector}` shows the difference and approves it.",
            tool.name
        ))
    }

    fn problem(&self, tools: &[&Tool]) -> Option<String> {
        let in_state = |state: PinState, what: &str| {
            let is_so = |tool: &&&Tool| self.pins.state(tool) == state;
            let names: Vec<&str> = tools.iter().filter(is_so).map(|tool| tool.name.as_str()).collect();
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        let parts = [in_state(PinState::New, "new tools"), in_state(PinState::Changed, "changed tools")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let effect = if self.rule == PinRule::Hold { "held back" } else { "not approved" };
        let name = &self.connector;
        (!parts.is_empty()).then(|| {
            format!("{effect}, {}; `loggia connectors update {name}` approves them", parts.join("; "))
        })
    }
}

#[cfg(test)]
mod tests {
    use loggia::model::JsonObject;

    use super::*;

    fn tool(name: &str, description: &str) -> Tool {
        Tool { description: Some(description.to_owned()), ..Tool::new(name, JsonObject::new()) }
    }

    /// Each case: a rule, whether a changed tool is held back, and the begin of the problem.
    #[test]
    fn the_rule_decides_what_happens_to_changed_tools() {
        let pins =
            Arc::new(ConnectorPins::default().with_tools(&[tool("a", "Reads."), tool("b", "Writes.")]));
        let (changed, new, same) = (tool("a", "Sends."), tool("c", "Is."), tool("b", "Writes."));
        for (rule, is_held, effect) in
            [(PinRule::Hold, true, "held back"), (PinRule::Warn, false, "not approved")]
        {
            let review = PinReview { connector: "acme".to_owned(), pins: pins.clone(), rule };
            assert_eq!(review.refusal(&changed).is_some(), is_held, "{rule:?}");
            assert_eq!(review.refusal(&new).is_some(), is_held, "{rule:?}");
            assert_eq!(review.refusal(&same), None, "{rule:?}");
            let expected = format!(
                "{effect}, new tools: c; changed tools: a; `loggia connectors update acme` approves them"
            );
            assert_eq!(review.problem(&[&changed, &new, &same]), Some(expected), "{rule:?}");
            assert_eq!(review.problem(&[&same]), None, "{rule:?}");
        }
    }
}
