//! The report on a server in words: its facts as pairs of a title and a text. A terminal, a page and a test show the same
//! facts, so they are phrased here. Invariant: the texts may quote the server, and are plain.

use std::time::Duration;

use loggia_wire::model::ServerCapabilities;

use super::{ListReport, ServerReport};

impl ServerReport {
    /// Returns the facts, each with its title: the era, the revisions, the times, the capabilities, and the lists.
    /// The caller, who saw the connection begin, gives the time that it took.
    pub fn facts(&self, connected_in: Duration) -> Vec<(&'static str, String)> {
        let ping = match &self.ping {
            Ok(took) => format!("ping {}", milliseconds(*took)),
            Err(why) => format!("ping failed: {why}"),
        };
        let lists = [
            list("tool", self.tools.as_ref()),
            list("prompt", self.prompts.as_ref()),
            list("resource", self.resources.as_ref()),
            list("template", self.templates.as_ref()),
        ];
        let mut facts = vec![("Era", format!("{}, revision {}", self.era(), self.version))];
        if self.supported_versions.len() > 1 {
            facts.push(("Speaks", self.supported_versions.join(", ")));
        }
        facts.push(("Timing", format!("connected in {}, {ping}", milliseconds(connected_in))));
        facts.push(("Offers", offers(&self.capabilities)));
        facts.push(("Lists", lists.into_iter().flatten().collect::<Vec<_>>().join(", ")));
        facts
    }
}

fn list<T>(noun: &str, list: Option<&ListReport<T>>) -> Option<String> {
    let ListReport { listing, took } = list?;
    Some(match listing {
        Ok(listing) => {
            let (n, plural) = (listing.entries.len(), if listing.entries.len() == 1 { "" } else { "s" });
            format!("{n} {noun}{plural} in {}", milliseconds(*took))
        }
        Err(why) => format!("{noun}s cannot be listed: {why}"),
    })
}

fn offers(capabilities: &ServerCapabilities) -> String {
    const CHANGES: &str = "announces changes";
    let with = |name: &str, details: &[(Option<bool>, &str)]| {
        let details = details.iter().filter(|(on, _)| *on == Some(true));
        let details: Vec<&str> = details.map(|(_, detail)| *detail).collect();
        if details.is_empty() { name.to_owned() } else { format!("{name} ({})", details.join(", ")) }
    };
    let ServerCapabilities { tools, prompts, resources, completions, logging, extensions, .. } = capabilities;
    let mut offers = Vec::new();
    offers.extend(tools.iter().map(|tools| with("tools", &[(tools.list_changed, CHANGES)])));
    offers.extend(prompts.iter().map(|prompts| with("prompts", &[(prompts.list_changed, CHANGES)])));
    offers.extend(resources.iter().map(|resources| {
        with("resources", &[(resources.list_changed, CHANGES), (resources.subscribe, "subscriptions")])
    }));
    offers.extend(completions.iter().map(|_| "completions".to_owned()));
    offers.extend(logging.iter().map(|_| "logging".to_owned()));
    offers.extend(extensions.iter().flat_map(|all| all.keys().cloned()));
    if offers.is_empty() { "nothing".to_owned() } else { offers.join(", ") }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn capabilities_are_named_with_their_details() {
        for (capabilities, expected) in [
            (json!({}), "nothing"),
            (json!({ "tools": {}, "completions": {} }), "tools, completions"),
            (
                json!({ "tools": { "listChanged": true }, "prompts": { "listChanged": false },
                        "resources": { "listChanged": true, "subscribe": true }, "logging": {} }),
                "tools (announces changes), prompts, resources (announces changes, subscriptions), logging",
            ),
        ] {
            let capabilities: ServerCapabilities =
                serde_json::from_value(capabilities).expect("capabilities");
            assert_eq!(offers(&capabilities), expected);
        }
    }
}
