//! Combines many connectors into one MCP server.
//!
//! A [`Hub`] is a [`loggia::Service`]: every transport serves it, in every revision. Each connector has one upstream,
//! of any revision.
//!
//! A call passes these modules:
//!
//! * `hub`: the service itself; `router`, `resource_router`: the connector of a request; `dispatcher`: its shares and
//!   its connection; `relay`: one request to an upstream, and its result; `refusal`, `unanswered`: an upstream
//!   without an answer; `request_params`: params that cannot be read;
//! * `sign_in`, `user_connections`: connections of single users; `shares`: bounds that connectors and callers share;
//! * `notification_router`, `elicitation_router`: notifications and questions of an upstream; `question`,
//!   `suspendable_call`, `suspended_calls`, `suspended_address`: calls of a legacy upstream that wait for the
//!   answer of a modern client; `url_error`: an error that is a question.
//!
//! These modules make the snapshot that a call reads:
//!
//! * `connector`: the description of a connector; `connector_set`: the rules for a set of them; `limits`: the bounds;
//! * `transform`, `names`, `uris`: the names and URIs in the merged lists; `tool_transform`, `transformed_call`: tools
//!   whose definitions, arguments or results are rewritten; `tool_review`: tools that are held back; `hub_question`,
//!   `confirmation`: questions of the hub itself;
//! * `providers`: the connectors with their transforms; `routing_builder`, `routing_table`: their lists merged, and
//!   routes; `connector_view`, `hub_description`: instructions and capabilities; `composition`: connectors and routes
//!   of one moment;
//! * `upstream_set`: the current composition, its status and changes; `connector_manager`: the change of connectors
//!   while the hub runs; `retirement`, `draining`: the end of a connector.
//!
//! These modules are behind each connector:
//!
//! * `account_argument`, `account_upstream`: connectors with several accounts: the argument of their tools, and one
//!   connection for each account;
//! * `connector_handle`: one connector while the hub runs; `upstream`: one open connection; `upstream_client`,
//!   `upstream_context`: the settings that all connections share; `clock`: the time; `supervisor`: the task that
//!   keeps it connected; `health`: the time of the next attempt, as a state machine without I/O; `retry`: whether
//!   another attempt may help; `pace`: the number of processes that start at the same time;
//! * `upstream_lists`, `list_snapshot`, `list_entry`, `list_reader`, `listing`: its lists; `memory`: the lists of the
//!   last run; `wanted_resources`, `resource_subscriptions`: the resources that clients subscribe to;
//! * `status`, `report`: its state, for clients and for the administrator.

mod account_argument;
mod account_clients;
mod account_upstream;
mod clock;
mod composition;
mod confirmation;
mod connector;
mod connector_handle;
mod connector_manager;
mod connector_set;
mod connector_usage;
mod connector_view;
mod dispatcher;
mod draining;
mod elicitation_router;
mod health;
mod hub;
mod hub_description;
mod hub_question;
mod limits;
mod list_entry;
mod list_reader;
mod list_snapshot;
mod listing;
mod memory;
mod names;
mod notification_router;
mod pace;
mod providers;
mod question;
mod refusal;
mod relay;
mod report;
mod request_params;
mod resource_router;
mod resource_subscriptions;
mod result_limit;
mod retirement;
mod retry;
mod router;
mod routing_builder;
mod routing_table;
mod shares;
mod sign_in;
mod status;
mod supervisor;
mod suspendable_call;
mod suspended_address;
mod suspended_calls;
mod tool_review;
mod tool_rewrite;
mod tool_transform;
mod transform;
mod transformed_call;
mod unanswered;
mod upstream;
mod upstream_client;
mod upstream_context;
mod upstream_lists;
mod upstream_set;
mod uris;
mod url_error;
mod user_connections;
mod wanted_resources;

pub use account_clients::AccountClients;
pub use connector::{Connector, Opened, People, Source};
pub use connector_set::{ConnectorSetChange, ConnectorSetError};
pub use health::RetryPolicy;
pub use hub::Hub;
pub use limits::HubLimits;
pub use memory::HubMemory;
pub use names::{InvalidName, MAX_NAME, check_connector, exposed};
pub use report::ConnectorReport;
pub use result_limit::ResultLimit;
pub use status::{ConnectorState, ConnectorStatus, ListCounts, StartStatus};
pub use suspended_address::{InvalidAddress, ReplicaId, SuspendedCallAddress};
pub use tool_review::ToolReview;
pub use tool_transform::ToolTransform;
pub use transform::{ComponentKind, Transform};
