//! An agent's workflow over two vendors behind one `loggia up`: the connectors of the directory, with the addresses of
//! the mocks.

use std::time::Duration;

use serde_json::json;

use super::mocks::Mocks;
use crate::interop::start_gateway;
use crate::outcome::Outcome;
use crate::{paths, peers};

const LIMIT: Duration = Duration::from_secs(120);
/// The connectors, the key and the value of the vendor's address in the manifest, its host, and the mock's credential.
const CONNECTORS: &[(&str, &str, &str, &str, &str)] = &[
    ("notion", "base_url", "https://api.notion.com", "api.notion.com", "ntn_mock"),
    ("linear", "url", "https://api.linear.app/graphql", "api.linear.app", "lin_api_mock"),
];

/// Runs the workflow.
pub(super) fn run(mocks: &Mocks) -> Outcome {
    let mut outcome = Outcome::default();
    if let Err(message) = agent(mocks, &mut outcome) {
        outcome.fail(message);
    }
    outcome
}

fn agent(mocks: &Mocks, outcome: &mut Outcome) -> Result<(), String> {
    let mut config = String::new();
    let mut credentials = Vec::new();
    for (name, key, address, host, credential) in CONNECTORS {
        let variable = format!("{}_TOKEN", name.to_uppercase());
        let manifest = manifest(mocks.url(name)?, name, key, address, host)?;
        config.push_str(&format!(
            "[connectors.{name}]\nkind = \"manifest\"\nmanifest = {}\nbackend = \"api\"\ncredential = \"${{{variable}}}\"\n",
            json!(manifest)
        ));
        credentials.push((variable, (*credential).to_owned()));
    }
    let env: Vec<(&str, String)> =
        credentials.iter().map(|(name, credential)| (name.as_str(), credential.clone())).collect();
    let (_gateway, address) = start_gateway(&config, "vendors-agent", &env)?;
    let target = json!({
        "url": format!("http://{address}/mcp"),
        "loggia": paths::release("loggia"),
        "linear": mocks.url("linear")?,
        "notion": mocks.url("notion")?,
    });
    let script = peers::node_script("clients/agent.mjs", "vendors-agent").arg(target.to_string());
    let finished = script.limit(LIMIT).finish()?;
    outcome.record_lines(&finished.stdout);
    finished.check()
}

/// Writes a connector's manifest with the address of a mock, and returns its path.
fn manifest(mock: &str, name: &str, key: &str, address: &str, host: &str) -> Result<String, String> {
    let file = format!("{name}.toml");
    let text = std::fs::read_to_string(paths::root().join("connectors").join(&file))
        .map_err(|e| format!("cannot read the manifest of {name}: {e}"))?;
    let path = address.split_once(host).map_or("", |(_, path)| path);
    let changes = [
        (format!("\n{key} = \"{address}\"\n"), format!("\n{key} = \"{mock}{path}\"\n")),
        (format!("\nallow = [\"{host}\"]\n"), "\nallow = [\"127.0.0.1\"]\n".to_owned()),
    ];
    let mut changed = text;
    for (old, new) in changes {
        if changed.matches(&old).count() != 1 {
            return Err(format!("{file} has {:?} not once", old.trim()));
        }
        changed = changed.replace(&old, &new);
    }
    let folder = paths::work().join("vendors-manifests");
    let target = folder.join(file);
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&target, changed));
    written.map_err(|e| format!("cannot write {}: {e}", target.display()))?;
    Ok(target.display().to_string())
}
