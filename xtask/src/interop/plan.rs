//! The operations of a client with a server, from `interop/plans.json`.

use serde_json::{Value, json};

use super::servers::Kind;
use crate::paths;

/// The operations, in the order of the table's columns.
pub(crate) const OPERATIONS: &[&str] = &[
    "list",
    "call",
    "error",
    "progress",
    "cancel",
    "elicit_accept",
    "elicit_decline",
    "elicit_cancel",
    "sample",
    "subscribe",
    "read",
    "complete",
];

/// The plans of every kind of server.
pub(crate) struct Plans(Value);

/// The plan for one server, or for one connector of `loggia up`.
pub(crate) struct Plan {
    /// The connector, if there is one.
    pub(crate) connector: Option<&'static str>,
    /// True if the server supports the modern revision.
    pub(crate) modern: bool,
    /// The arguments and expected results, by operation.
    pub(crate) steps: Value,
}

impl Plans {
    pub(crate) fn read() -> Result<Self, String> {
        let path = paths::root().join("interop").join("plans.json");
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let files = super::servers::files_dir();
        let text = text.replace("{files}", &files.display().to_string().replace('\\', "/"));
        serde_json::from_str(&text).map(Self).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Returns the plan for `server`.
    pub(crate) fn of(&self, server: Kind) -> Plan {
        Plan { connector: None, modern: server.is_modern(), steps: self.0[server.plan()].clone() }
    }

    /// Returns the plans for each of `connectors` of `loggia up`.
    pub(crate) fn through(&self, connectors: &[(&'static str, Kind)]) -> Vec<Plan> {
        let through = |(connector, kind): &(&'static str, Kind)| {
            let mut steps = through_hub(&self.0[kind.plan()], connector);
            // For a modern client, the questions of a legacy server cause another round, which counts its progress
            // again.
            if let Some(Value::Object(progress)) = steps.get_mut("progress") {
                progress.insert("restarts".to_owned(), json!(1));
            }
            Plan { connector: Some(connector), modern: true, steps }
        };
        connectors.iter().map(through).collect()
    }
}

impl Plan {
    /// Returns the step for `op`, or the reason why the server has none.
    pub(crate) fn step(&self, op: &str) -> Result<&Value, String> {
        let name = op.split('_').next().unwrap_or(op);
        self.steps
            .get(name)
            .ok_or_else(|| self.steps["not_applicable"][name].as_str().unwrap_or_default().to_owned())
    }
}

/// Returns the plan with names as `loggia up` gives them: tools and prompts prefixed by their connector, URIs
/// qualified.
fn through_hub(plan: &Value, connector: &str) -> Value {
    match plan {
        Value::Object(fields) => {
            let renamed = fields.iter().map(|(key, value)| (key.clone(), renamed(key, value, connector)));
            Value::Object(renamed.collect())
        }
        other => other.clone(),
    }
}

fn renamed(key: &str, value: &Value, connector: &str) -> Value {
    let prefixed = |name: &Value| json!(format!("{connector}_{}", name.as_str().unwrap_or_default()));
    match (key, value) {
        ("tool" | "prompt", name) => prefixed(name),
        ("tools", Value::Array(names)) => names.iter().map(prefixed).collect(),
        ("uri", uri) => json!(format!("{connector}+{}", uri.as_str().unwrap_or_default())),
        ("arguments" | "content" | "expect", value) => value.clone(),
        (_, value) => through_hub(value, connector),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{OPERATIONS, Plan, Plans, through_hub};

    #[test]
    fn every_plan_has_every_operation_or_says_why_not() {
        for (name, steps) in
            Plans::read().expect("plans.json is there").0.as_object().expect("it is an object")
        {
            let plan = Plan { connector: None, modern: false, steps: steps.clone() };
            for op in OPERATIONS {
                assert_ne!(plan.step(op).err().as_deref(), Some(""), "{name}: {op}");
            }
        }
    }

    #[test]
    fn names_get_their_connector() {
        let plan = json!({
            "list": {"tools": ["a"]},
            "call": {"tool": "a", "arguments": {"tool": "x"}, "expect": "e"},
            "read": {"uri": "u://v", "expect": "e"},
        });
        let expected = json!({
            "list": {"tools": ["c_a"]},
            "call": {"tool": "c_a", "arguments": {"tool": "x"}, "expect": "e"},
            "read": {"uri": "c+u://v", "expect": "e"},
        });
        assert_eq!(through_hub(&plan, "c"), expected);
    }
}
