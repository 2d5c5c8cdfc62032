//! The admin API of a gateway under `/api/v1`, and its console: the files of a web application that uses only this API.
//!
//! A program that has a gateway implements [`Administration`] and mounts [`console_router`].
//!
//! Invariants: this crate decides nothing, it asks the [`Administration`]; a page of another site can neither read nor
//! change anything (`origin`); no page asks another host.

mod administration;
mod assets;
mod events;
mod handlers;
mod model;
mod openapi;
mod origin;
mod problem;
mod routes;

pub use administration::{AdminError, AdminResult, Administration};
pub use model::{
    AccountInfo, AddRequest, AddedConnectorInfo, AnswerField, BackendInfo, ConnectorDetail, ConnectorInfo,
    ConnectorPatch, CredentialPrompt, DirectoryEntry, GatewayInfo, ListPage, PlanInfo, PlanRequest,
    SetupStep, SignInInfo, ToolClass, ToolCounts, ToolInfo,
};
pub use openapi::openapi_description;
pub use routes::console_router;
