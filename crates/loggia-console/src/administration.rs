//! The gateway as its administrator sees it. The gateway implements it; the routes only translate.

use std::future::Future;

use crate::model::{
    AccountInfo, AddRequest, AddedConnectorInfo, AnswerField, ConnectorDetail, ConnectorInfo, DirectoryEntry,
    GatewayInfo, PlanInfo, PlanRequest, SignInInfo,
};

/// The result of an action of the administrator.
pub type AdminResult<T> = Result<T, AdminError>;

/// The gateway as its administrator sees it.
pub trait Administration: Send + Sync + 'static {
    /// Returns the facts about the gateway.
    fn gateway(&self) -> GatewayInfo;

    /// Returns the connectors, served or not.
    fn connectors(&self) -> impl Future<Output = AdminResult<Vec<ConnectorInfo>>> + Send;

    /// Returns one connector with its tools and accounts.
    fn connector(&self, name: &str) -> impl Future<Output = AdminResult<ConnectorDetail>> + Send;

    /// Returns the directory: the connectors that can be added with a click.
    fn directory(&self) -> impl Future<Output = AdminResult<Vec<DirectoryEntry>>> + Send;

    /// Says what a source would be as a connector. Nothing is stored.
    fn plan(&self, request: PlanRequest) -> impl Future<Output = AdminResult<PlanInfo>> + Send;

    /// Proves a connector and stores it.
    fn add(&self, request: AddRequest) -> impl Future<Output = AdminResult<AddedConnectorInfo>> + Send;

    /// Returns the page at which the user has to sign in now, for an addition that is not finished.
    fn sign_in_page(&self) -> SignInInfo;

    /// Switches a connector on or off.
    fn set_enabled(&self, name: &str, is_enabled: bool) -> impl Future<Output = AdminResult<()>> + Send;

    /// Removes a connector with its accounts.
    fn remove(&self, name: &str) -> impl Future<Output = AdminResult<()>> + Send;

    /// Returns the saved accounts.
    fn accounts(&self) -> impl Future<Output = AdminResult<Vec<AccountInfo>>> + Send;

    /// Returns a number that differs after each change that a page may show; `None` while the gateway shuts down.
    fn revision(&self) -> impl Future<Output = Option<u64>> + Send;
}

/// The reason why an action was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminError {
    /// The thing does not exist.
    NotFound {
        /// The reason, for people.
        reason: String,
        /// The next step.
        next_step: Option<String>,
    },
    /// The request cannot be done as it is.
    Refused {
        /// The reason, for people.
        reason: String,
        /// The next step.
        next_step: Option<String>,
    },
    /// The state of the gateway forbids it: the thing exists already, or a file declares it.
    Conflict {
        /// The reason, for people.
        reason: String,
        /// The next step.
        next_step: Option<String>,
    },
    /// The user has to give more.
    Missing(Vec<AnswerField>),
    /// Another system failed.
    Upstream {
        /// The reason, for people.
        reason: String,
        /// The next step.
        next_step: Option<String>,
    },
    /// The gateway failed. The reason is for the administrator.
    Internal(String),
}
