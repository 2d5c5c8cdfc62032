//! Plans and reports as text for people and as JSON for programs.

use std::fmt;

use loggia_connect::manifest::AuthStep;
use loggia_openapi::OperationClass;
use serde_json::{Value, json};

use super::finish::AddedReport;
use super::plan::{AddPlan, PlannedBackend, PlannedTool};

/// The most names of tools of one class that are written.
const MAX_NAMES: usize = 24;

/// The classes of tools, and the words for their tools.
const CLASSES: [(Option<OperationClass>, &str); 4] = [
    (Some(OperationClass::Read), "reads"),
    (Some(OperationClass::Write), "writes"),
    (Some(OperationClass::Destructive), "deletes"),
    (None, "other tools"),
];

impl fmt::Display for AddPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |label: &str, text: &str| match text.is_empty() {
            true => Ok(()),
            false => writeln!(f, "  {label:<13} {text}"),
        };
        line("connector", &format!("{} ({})", self.title, self.name))?;
        line("", self.description.as_deref().unwrap_or_default())?;
        line("by", &format!("{}, because {}", backend(&self.backend), self.reason.trim_end_matches('.')))?;
        for note in &self.backend.notes {
            line("note", note)?;
        }
        if let Some(when) = &self.backend.unusable_when {
            line("but", when)?;
        }
        for other in &self.others {
            line("or by", &format!("{}: --backend {}", backend(other), other.name))?;
        }
        for (class, label) in CLASSES {
            line(label, &names(self.tools.iter().filter(|tool| tool.class == class && tool.is_enabled)))?;
        }
        line("switched off", &names(self.tools.iter().filter(|tool| !tool.is_enabled)))?;
        let deferred = self.tools.iter().filter(|tool| tool.is_enabled && tool.is_deferred).count();
        if deferred > 0 {
            let noun = if deferred == 1 { "tool is" } else { "tools are" };
            line(
                "deferred",
                &format!(
                    "{deferred} {noun} not in the list of a gateway, and can be called; `loggia tools NAME` lists all"
                ),
            )?;
        }
        line("reaches", &self.hosts.join(", "))?;
        line("may read", &self.read_scopes.join(", "))?;
        line("may write", &self.write_scopes.join(", "))?;
        if let Some(tokens) = self.list_tokens {
            line("costs", &format!("about {tokens} tokens for the list of its tools"))?;
        }
        match &self.credential {
            Some(credential) if credential.is_sign_in => {
                line("needs", "a sign-in, in your browser")?;
                // The steps to a client are told when the user is asked for it.
                let steps = credential.steps.iter().filter(|_| !credential.needs_client);
                for (n, AuthStep { text, link }) in steps.enumerate() {
                    let link = link.as_ref().map(|link| format!(" {link}")).unwrap_or_default();
                    line(&format!("step {}", n + 1), &format!("{text}{link}"))?;
                }
                Ok(())
            }
            Some(credential) if credential.is_required => line("needs", &credential.title),
            Some(credential) => line("takes", &format!("{}; some tools need it", credential.title)),
            None => Ok(()),
        }
    }
}

fn backend(backend: &PlannedBackend) -> String {
    match &backend.title {
        Some(title) => format!("{title} ({})", backend.kind),
        None => backend.kind.to_owned(),
    }
}

fn names<'t>(tools: impl Iterator<Item = &'t PlannedTool>) -> String {
    let names: Vec<&str> = tools.map(|tool| tool.name.as_str()).collect();
    match names.len().checked_sub(MAX_NAMES) {
        Some(more @ 1..) => format!("{} and {more} more", names[..MAX_NAMES].join(", ")),
        _ => names.join(", "),
    }
}

impl AddPlan {
    /// Returns the plan for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "backend": backend_json(&self.backend),
            "reason": self.reason,
            "otherBackends": self.others.iter().map(backend_json).collect::<Vec<_>>(),
            "tools": self.tools.iter().map(tool_json).collect::<Vec<_>>(),
            "hosts": self.hosts,
            "readScopes": self.read_scopes,
            "writeScopes": self.write_scopes,
            "listTokens": self.list_tokens,
        })
    }
}

impl AddedReport {
    /// Returns the report for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "file": self.file.as_ref().map(|file| file.display().to_string()),
            "account": self.account,
            "isChecked": self.is_checked,
            "tools": self.tools,
            "listTokens": self.list_tokens,
            "firstCall": self.first_call,
            "scopes": self.scopes,
        })
    }
}

fn backend_json(backend: &PlannedBackend) -> Value {
    json!({
        "name": backend.name,
        "kind": backend.kind,
        "title": backend.title,
        "notes": backend.notes,
        "unusableWhen": backend.unusable_when,
    })
}

fn tool_json(tool: &PlannedTool) -> Value {
    json!({
        "name": tool.name,
        "title": tool.title,
        "class": tool.class.map(|class| class.to_string()),
        "isEnabled": tool.is_enabled,
        "isDeferred": tool.is_deferred,
    })
}
