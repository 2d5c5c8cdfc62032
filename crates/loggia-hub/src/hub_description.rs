//! The description of the hub: its capabilities, and the combined instructions of the upstreams.

use std::fmt::Write;

use loggia::model::{Implementation, JsonObject, ListCapability, ResourcesCapability, ServerCapabilities};
use loggia::service::Description;
use loggia::wire::Version;
use loggia::wire::text::truncated;

use crate::connector_view::ConnectorView;
use crate::limits::HubLimits;

/// Returns the description. It always declares every capability: a legacy client keeps the capabilities of a server
/// for a whole session, and the first upstream with prompts may come up during the session.
pub(crate) fn describe(
    views: &[ConnectorView<'_>],
    identity: &Implementation,
    limits: &HubLimits,
) -> Description {
    let list = || Some(ListCapability { list_changed: Some(true), ..ListCapability::default() });
    let resources = ResourcesCapability {
        subscribe: Some(true),
        list_changed: Some(true),
        ..ResourcesCapability::default()
    };
    Description {
        identity: identity.clone(),
        capabilities: ServerCapabilities {
            tools: list(),
            prompts: list(),
            resources: Some(resources),
            completions: Some(JsonObject::new()),
            logging: Some(JsonObject::new()),
            ..ServerCapabilities::default()
        },
        instructions: Some(instructions(views, limits)),
        versions: Version::ALL.to_vec(),
    }
}

fn instructions(views: &[ConnectorView<'_>], limits: &HubLimits) -> String {
    let mut text =
        "This server joins several systems. The name of each tool and prompt begins with the system it \
                    belongs to, then an underscore."
            .to_owned();
    if let Some(view) = views.iter().find(|view| view.unprefixed) {
        // Writing into a String cannot fail.
        let _ = write!(text, " Other names belong to {}.", view.prefix);
    }
    for view in views {
        let own =
            view.lists.and_then(|lists| lists.instructions.as_deref()).map(str::trim).unwrap_or_default();
        if !own.is_empty() {
            // Writing into a String cannot fail.
            let _ = write!(text, "\n\n# {}\n\n{}", view.prefix, truncated(own, limits.instructions));
        }
    }
    text
}
