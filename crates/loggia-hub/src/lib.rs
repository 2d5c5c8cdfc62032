//! Many connectors composed into one MCP server.
//!
//! A [`Hub`] is a [`loggia::Service`] like any other: every transport serves it, in every revision. Behind it
//! stands one upstream for each connector, of whatever revision that one speaks.
//!
//! * `connector`: the description of a connector, and how it is reached; `limits`: the bounds;
//! * `names`, `uris`: the names and URIs in the merged lists;
//! * `upstream_lists`, `list_entry`: the lists of one upstream; `routing_table`: all of them merged, as a snapshot
//!   that is swapped as a whole;
//! * `pace`: how many processes start at once; `retry`: whether another attempt may help; `memory`: the lists of
//!   the last run; `report`: the status of a connector, for the administrator;
//! * `health`: when an upstream is tried again, as a machine without I/O; `supervisor`: the task that drives
//!   it; `connector_handle`: one connector while the hub runs; `upstream`: one open connection;
//! * `relay`: one request on its way to an upstream and back; `notification_router`, `elicitation_router`: the
//!   clients that its notifications and questions go to; `suspended_calls`: calls of a legacy upstream that wait
//!   for the answer of a modern client; `url_error`: an error that is a question;
//! * `resources`: which connector owns a URI;
//! * `shares`: bounds that all connectors and callers share;
//! * `user_connections`: connections of single users; `sign_in`: calls of users who have to sign in first;
//! * `hub`: the service itself.

mod connector;
mod connector_handle;
mod elicitation_router;
mod health;
mod hub;
mod limits;
mod list_entry;
mod listing;
mod memory;
mod names;
mod notification_router;
mod pace;
mod relay;
mod report;
mod resources;
mod retry;
mod routing_table;
mod shares;
mod sign_in;
mod status;
mod supervisor;
mod suspended_calls;
mod upstream;
mod upstream_lists;
mod uris;
mod url_error;
mod user_connections;

pub use connector::{Connector, Opened, People, Source};
pub use health::RetryPolicy;
pub use hub::Hub;
pub use limits::HubLimits;
pub use memory::HubMemory;
pub use names::{BadName, MAX_NAME, check_connector, exposed};
pub use report::ConnectorReport;
pub use status::{ConnectorState, ConnectorStatus, Counts, Starting};
