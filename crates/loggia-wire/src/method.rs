//! Every method of the protocol, and the revisions that have it. A request is routed by its method, and only then are
//! its params parsed. The table below says whether a method exists.

use std::fmt;

use crate::version::Version;
use Version::*;

/// The side that sends a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodSender {
    /// The client.
    Client,
    /// The server: a request to the client in the legacy era, a part of `input_required` in the modern era.
    Server,
    /// Both.
    Both,
}

macro_rules! methods {
    ($( $(#[$doc:meta])* $variant:ident = $name:literal, $sender:ident, $kind:ident, $from:ident ..= $to:ident; )*) => {
        /// A method name. Unknown names are kept as they were received.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Method {
            $( $(#[$doc])* $variant, )*
            /// A method of an extension, or an unknown one.
            Other(Box<str>),
        }

        impl Method {
            /// Every known method.
            pub const KNOWN: &'static [Method] = &[$(Method::$variant,)*];

            /// Returns the name on the wire.
            pub fn as_str(&self) -> &str {
                match self { $(Method::$variant => $name,)* Method::Other(name) => name }
            }

            /// Returns the side that may send it; `None` for an unknown method.
            pub const fn sender(&self) -> Option<MethodSender> {
                match self { $(Method::$variant => Some(MethodSender::$sender),)* Method::Other(_) => None }
            }

            /// Returns whether it is a notification; `false` for an unknown method.
            pub const fn is_notification(&self) -> bool {
                match self { $(Method::$variant => matches!(MethodKind::$kind, MethodKind::Notification),)* Method::Other(_) => false }
            }

            /// Returns whether `version` defines this method. An unknown method belongs to an extension: the service
            /// decides.
            pub fn exists_in(&self, version: Version) -> bool {
                match self { $(Method::$variant => ($from..=$to).contains(&version),)* Method::Other(_) => true }
            }
        }

        impl From<&str> for Method {
            fn from(name: &str) -> Method {
                match name { $($name => Method::$variant,)* other => Method::Other(other.into()) }
            }
        }
    };
}

enum MethodKind {
    Request,
    Notification,
}

methods! {
    /// Opens a session.
    Initialize = "initialize", Client, Request, V2024_11_05 ..= V2025_11_25;
    /// Checks that the peer is alive.
    Ping = "ping", Both, Request, V2024_11_05 ..= V2025_11_25;
    /// Asks for the server's versions and capabilities.
    Discover = "server/discover", Client, Request, V2026_07_28 ..= V2026_07_28;
    /// Lists the tools.
    ListTools = "tools/list", Client, Request, V2024_11_05 ..= V2026_07_28;
    /// Calls a tool.
    CallTool = "tools/call", Client, Request, V2024_11_05 ..= V2026_07_28;
    /// Lists the resources.
    ListResources = "resources/list", Client, Request, V2024_11_05 ..= V2026_07_28;
    /// Lists the resource templates.
    ListResourceTemplates = "resources/templates/list", Client, Request, V2024_11_05 ..= V2026_07_28;
    /// Reads a resource.
    ReadResource = "resources/read", Client, Request, V2024_11_05 ..= V2026_07_28;
    /// Asks for notifications about changes of a resource.
    Subscribe = "resources/subscribe", Client, Request, V2024_11_05 ..= V2025_11_25;
    /// Ends a subscription to a resource.
    Unsubscribe = "resources/unsubscribe", Client, Request, V2024_11_05 ..= V2025_11_25;
    /// Lists the prompts.
    ListPrompts = "prompts/list", Client, Request, V2024_11_05 ..= V2026_07_28;
    /// Renders a prompt.
    GetPrompt = "prompts/get", Client, Request, V2024_11_05 ..= V2026_07_28;
    /// Completes an argument.
    Complete = "completion/complete", Client, Request, V2024_11_05 ..= V2026_07_28;
    /// Sets the least severity of log messages for this session.
    SetLogLevel = "logging/setLevel", Client, Request, V2024_11_05 ..= V2025_11_25;
    /// Asks for notifications about changes, which come on the stream of the response.
    Listen = "subscriptions/listen", Client, Request, V2026_07_28 ..= V2026_07_28;

    /// Asks the client's model (sampling).
    CreateMessage = "sampling/createMessage", Server, Request, V2024_11_05 ..= V2026_07_28;
    /// Asks the user (elicitation).
    Elicit = "elicitation/create", Server, Request, V2025_06_18 ..= V2026_07_28;
    /// Asks for the client's folders (roots).
    ListRoots = "roots/list", Server, Request, V2024_11_05 ..= V2026_07_28;

    /// The client has processed the result of `initialize`.
    Initialized = "notifications/initialized", Client, Notification, V2024_11_05 ..= V2025_11_25;
    /// The client's folders changed.
    RootsListChanged = "notifications/roots/list_changed", Client, Notification, V2024_11_05 ..= V2025_11_25;
    /// A request is no longer wanted.
    Cancelled = "notifications/cancelled", Both, Notification, V2024_11_05 ..= V2026_07_28;
    /// Progress of a request.
    Progress = "notifications/progress", Both, Notification, V2024_11_05 ..= V2026_07_28;
    /// A log message.
    Log = "notifications/message", Server, Notification, V2024_11_05 ..= V2026_07_28;
    /// A resource changed.
    ResourceUpdated = "notifications/resources/updated", Server, Notification, V2024_11_05 ..= V2026_07_28;
    /// The list of resources changed.
    ResourcesListChanged = "notifications/resources/list_changed", Server, Notification, V2024_11_05 ..= V2026_07_28;
    /// The list of tools changed.
    ToolsListChanged = "notifications/tools/list_changed", Server, Notification, V2024_11_05 ..= V2026_07_28;
    /// The list of prompts changed.
    PromptsListChanged = "notifications/prompts/list_changed", Server, Notification, V2024_11_05 ..= V2026_07_28;
    /// A user finished an elicitation at a URL.
    ElicitationComplete = "notifications/elicitation/complete", Server, Notification, V2025_11_25 ..= V2025_11_25;
    /// The first message on the stream of a `subscriptions/listen` request.
    SubscriptionsAcknowledged = "notifications/subscriptions/acknowledged", Server, Notification, V2026_07_28 ..= V2026_07_28;
}

impl Method {
    /// Returns whether a client may send it as a request in `version`. Otherwise the server answers `-32601`. A method that
    /// we do not know belongs to an extension and is the service's to judge.
    pub fn is_client_request(&self, version: Version) -> bool {
        let from_client = !matches!(self.sender(), Some(MethodSender::Server)) && !self.is_notification();
        from_client && self.exists_in(version)
    }

    /// Returns whether a server may answer it with `input_required` (MRTR, "Supported Requests").
    pub const fn may_require_input(&self) -> bool {
        matches!(self, Method::CallTool | Method::GetPrompt | Method::ReadResource)
    }

    /// Returns the member of `params` that `Mcp-Name` mirrors ("Standard Request Headers").
    pub const fn name_member(&self) -> Option<&'static str> {
        match self {
            Method::CallTool | Method::GetPrompt => Some("name"),
            Method::ReadResource => Some("uri"),
            _ => None,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
