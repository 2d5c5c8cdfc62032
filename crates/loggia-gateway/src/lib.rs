//! Makes a running MCP gateway from a configuration: many connectors at one endpoint, with sign-in if it is needed.
//!
//! The command `loggia up` is this crate with arguments and terminal output. A program can embed a gateway, too, with
//! a listener of its own or as a service inside its own HTTP server:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//!
//! use loggia_gateway::{Gateway, GatewayConfig, Redactor};
//!
//! let config = GatewayConfig::read(Path::new("loggia.toml"), &Redactor::default())?;
//! let server = Gateway::builder(config).build().await?.serve("127.0.0.1:4000").await?;
//! println!("{}", server.url());
//! server.wait().await?;
//! # Ok(())
//! # }
//! ```

mod access;
mod account_oauth;
mod account_record;
mod account_watch;
mod accounts;
pub mod add;
mod added;
mod administration;
mod api;
mod api_key_report;
mod auth_stack;
mod builder;
mod builtin;
mod bundle_store;
mod config;
mod config_change;
mod config_sources;
mod connection;
mod connector;
mod connector_credentials;
mod connector_factory;
mod connector_list;
mod connector_news;
mod connector_test;
mod connector_update;
mod connector_watch;
mod container_runner;
mod credential_check;
mod credential_report;
mod credentials;
pub mod doctor;
mod error;
mod file_watch;
mod gateway;
mod gateway_bridge;
mod http;
mod hub_limits;
mod lint_document;
#[cfg(feature = "log")]
pub mod log;
mod manifest_connector;
mod manifest_draft;
mod manifest_tools;
mod manifest_watch;
mod observer;
mod options;
mod package_registry;
mod pin_review;
mod port_holder;
mod program_runner;
mod program_sandbox;
mod reload;
pub mod report_text;
mod request_header;
pub mod safe_text;
mod server;
mod server_accounts;
mod server_registry;
mod server_url;
mod service;
mod sign_in;
mod single_connector;
mod state;
mod status;
mod token_source;
mod user;
mod user_report;
mod users;
mod vault;

pub use access::GatewayAccess;
pub use added::ConnectorDatabase;
pub use api_key_report::{api_key_json, api_key_text};
pub use builder::GatewayBuilder;
pub use config::GatewayConfig;
pub use config_change::{ConfigChange, ConfigSource};
pub use connection::ConnectorContext;
pub use connector_credentials::SavedAccount;
pub use connector_list::{ConnectorList, ConnectorSummary};
pub use connector_news::ConnectorNews;
pub use connector_update::{ConnectorUpdate, SourceChange};
pub use connector_watch::ConnectorWatch;
pub use credential_check::{CredentialCheck, CredentialState};
pub use credential_report::{CredentialReport, SignInState};
pub use credentials::Credentials;
pub use error::{GatewayError, Result};
pub use gateway::{Gateway, ListenOn};
pub use gateway_bridge::client_installer;
pub use lint_document::lint_document;
pub use loggia_auth::server::SignInLink;
pub use loggia_connect::redact::Redactor;
pub use manifest_connector::ManifestSignIn;
pub use manifest_draft::{DescribedApi, draft_manifest};
pub use observer::GatewayObserver;
pub use program_sandbox::ChildSandbox;
pub use request_header::header;
pub use server::GatewayServer;
pub use service::GatewayService;
pub use sign_in::SignInOptions;
pub use state::StateFolder;
pub use status::{ConnectorStatusText, GatewayFilter, GatewayStatusText, GatewayStatuses};
pub use token_source::{PreregisteredClient, TokenSource};
pub use user::os_user_name;
pub use user_report::{EndedAccess, ForgottenCredentials, RemovedUser, RevocationFailure, UserList};
pub use users::Users;
pub use vault::{VaultLocation, api_keys};
