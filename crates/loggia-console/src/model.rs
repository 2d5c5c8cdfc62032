//! The documents of the admin API. Invariant: names in JSON are camelCase and stay, because scripts read them; no secret is
//! in a document that is sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListPage<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Facts about the gateway.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayInfo {
    /// The version of the program.
    pub version: String,
    /// The URL for AI applications.
    pub url: Option<String>,
    /// The configuration file.
    pub config: Option<String>,
    /// The seconds since it was started.
    pub since_seconds: u64,
}

/// The effect of a call of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ToolClass {
    /// It only reads.
    Read,
    /// It changes something.
    Write,
    /// It deletes or overwrites something.
    Destructive,
}

/// The numbers of tools by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolCounts {
    /// The tools that only read.
    pub read: usize,
    /// The tools that change something.
    pub write: usize,
    /// The tools that delete or overwrite something.
    pub destructive: usize,
    /// The tools whose class is not known.
    pub unknown: usize,
}

impl FromIterator<Option<ToolClass>> for ToolCounts {
    fn from_iter<I: IntoIterator<Item = Option<ToolClass>>>(classes: I) -> ToolCounts {
        let mut counts = ToolCounts::default();
        for class in classes {
            *match class {
                Some(ToolClass::Read) => &mut counts.read,
                Some(ToolClass::Write) => &mut counts.write,
                Some(ToolClass::Destructive) => &mut counts.destructive,
                None => &mut counts.unknown,
            } += 1;
        }
        counts
    }
}

/// A connector.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorInfo {
    /// The name.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// The name of its entry in the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The kind.
    pub kind: String,
    /// The system, in a few words.
    pub detail: String,
    /// True if it is served.
    pub is_enabled: bool,
    /// The configuration file that declares it; absent if it was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The names of its accounts; the default is the first.
    pub accounts: Vec<String>,
    /// The state: `up`, `connecting`, `down`, …; `off` if it is not served.
    pub state: String,
    /// The reason why it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The seconds for which it has had its state.
    pub since_seconds: u64,
    /// The tools, by class.
    pub tools: ToolCounts,
    /// The requests that were sent to it since the gateway was started.
    pub calls: u64,
    /// The requests that failed.
    pub errors: u64,
}

/// A connector with everything that is known about it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorDetail {
    /// The connector.
    #[serde(flatten)]
    pub connector: ConnectorInfo,
    /// The tools as AI applications see them.
    pub tool_list: Vec<ToolInfo>,
    /// The tokens that the list of its tools costs a model, about.
    pub list_tokens: usize,
    /// The version of the protocol that it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// The last lines of its error output, the oldest first.
    pub error_output: Vec<String>,
}

/// A tool.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolInfo {
    /// The name.
    pub name: String,
    /// The name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The effect of a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<ToolClass>,
    /// The tokens that its definition costs a model, about.
    pub tokens: usize,
}

/// An entry of the directory.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryEntry {
    /// The name.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One sentence for people.
    pub description: String,
    /// The website of the vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// The categories.
    pub categories: Vec<String>,
    /// The names of the tools of all backends, for the search.
    pub tools: Vec<String>,
    /// The tools of the backend that is used by default, by class.
    pub counts: ToolCounts,
    /// The kind of sign-in: `none`, `api_key`, `dynamic_registration`, ….
    pub sign_in: String,
    /// The connectors that were added from it.
    pub connectors: Vec<String>,
}

/// A backend: one of the connections to a system.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackendInfo {
    /// The name.
    pub name: String,
    /// The kind.
    pub kind: String,
    /// The name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Facts that a person should know before.
    pub notes: Vec<String>,
    /// The reason why a person may be unable to use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusable_when: Option<String>,
}

/// A source that could be a connector.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRequest {
    /// A name of the directory, a URL, a package, or a file on the machine of the gateway.
    pub source: String,
    /// The backend; by default the first that can be used.
    #[serde(default)]
    pub backend: Option<String>,
    /// The name of the connector; by default that of the source.
    #[serde(default)]
    pub name: Option<String>,
}

/// A source as a connector, before it is added.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanInfo {
    /// The name that the connector will have.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The backend.
    pub backend: BackendInfo,
    /// The reason why it was chosen.
    pub reason: String,
    /// The other backends.
    pub others: Vec<BackendInfo>,
    /// The tools that are known before a connection.
    pub tools: Vec<ToolInfo>,
    /// The hosts that it may reach; empty if that is not known.
    pub hosts: Vec<String>,
    /// The scopes to read.
    pub read_scopes: Vec<String>,
    /// The scopes to write.
    pub write_scopes: Vec<String>,
    /// The tokens that the list of its tools costs a model, about; absent if only the server knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_tokens: Option<usize>,
    /// The credential that it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialPrompt>,
    /// The values that the user gives.
    pub fields: Vec<AnswerField>,
    /// The command that adds it.
    pub command: String,
}

/// The credential that a connector needs.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialPrompt {
    /// The name for people.
    pub title: String,
    /// The help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The steps at the vendor, in order.
    pub steps: Vec<SetupStep>,
    /// True if the user signs in with a browser.
    pub is_sign_in: bool,
    /// True if it must be entered.
    pub is_required: bool,
}

/// A step of a person at a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetupStep {
    /// The text.
    pub text: String,
    /// The page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// A value that the user gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnswerField {
    /// The name; `credential` for the credential.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// The help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// True if it must be given.
    pub is_required: bool,
    /// True if it must not be shown.
    pub is_secret: bool,
    /// The value that counts where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The values that are allowed, where they are few.
    pub choices: Vec<String>,
}

/// A connector to add.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddRequest {
    /// The source and its options.
    pub source: String,
    /// The backend; by default the first that can be used.
    #[serde(default)]
    pub backend: Option<String>,
    /// The name of the connector; by default that of the source.
    #[serde(default)]
    pub name: Option<String>,
    /// The credential, or `env:NAME` for that of a variable of the gateway.
    #[serde(default)]
    pub credential: Option<String>,
    /// The name of the account.
    #[serde(default)]
    pub account: Option<String>,
    /// The other values, by name.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

/// A connector that was added.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddedConnectorInfo {
    /// The name.
    pub name: String,
    /// The account whose credential was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The names of its tools.
    pub tools: Vec<String>,
    /// The tokens that the list of its tools costs a model, about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_tokens: Option<usize>,
    /// A tool that reads and needs no argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_call: Option<String>,
}

/// A sign-in that is not finished.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInInfo {
    /// The page at which the user has to sign in; absent if there is none now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// A change of a connector.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectorPatch {
    /// True to serve it.
    pub is_enabled: bool,
}

/// A saved account.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountInfo {
    /// The connector.
    pub connector: String,
    /// The name.
    pub name: String,
    /// True if calls without an account use it.
    pub is_default: bool,
}
