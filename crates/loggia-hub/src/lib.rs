//! Many connectors composed into one MCP server.
//!
//! A [`Hub`] is a [`loggia::Service`] like any other: every transport serves it, in every revision. Behind it
//! stands one upstream for each connector, of whatever revision that one speaks.
//!
//! * `connector`: what the hub is told of a connector, and how it is reached; `limits`: the bounds;
//! * `names`, `uris`: what a connector's tools, prompts and resources are called here;
//! * `catalog`: what one upstream offers; `directory`: all of them merged, as a snapshot swapped as a whole;
//! * `pace`: how many processes start at once; `retry`: whether another attempt may help; `memory`: the lists of
//!   the last run; `report`: how a connector is, for the operator;
//! * `health`: when an upstream is tried again, as a machine without I/O; `supervisor`: the task that drives
//!   it; `slot`: one connector while the hub runs;
//! * `relay`: one request on its way to an upstream and back; `audience`: who hears of it; `desk`: who is
//!   asked; `parking`: calls of a handshake upstream that
//!   wait for a stateless client to come back with an answer; `url_error`: an error that is a question;
//! * `resources`: which connector owns a URI;
//! * `shares`: bounds that all connectors and callers share;
//! * `own`: connections that people have for themselves; `sign_in`: who has to sign in first;
//! * `hub`: the service itself.

mod audience;
mod catalog;
mod connector;
mod desk;
mod directory;
mod entry;
mod health;
mod hub;
mod limits;
mod link;
mod listing;
mod memory;
mod names;
mod own;
mod pace;
mod parking;
mod relay;
mod report;
mod resources;
mod retry;
mod shares;
mod sign_in;
mod slot;
mod status;
mod supervisor;
mod uris;
mod url_error;

pub use connector::{Connector, Opened, People, Source};
pub use health::Patience;
pub use hub::Hub;
pub use limits::HubLimits;
pub use memory::HubMemory;
pub use names::{BadName, MAX_NAME, check_connector, exposed};
pub use report::ConnectorReport;
pub use status::{ConnectorState, ConnectorStatus, Counts, Starting};
