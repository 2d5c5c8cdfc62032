//! Adds a connector: from a word of a person to a connector that was proved and stored.
//!
//! [`AddSource`] finds out what the word names, [`AddPlan`] says what the connector will be able to do and what is missing,
//! and [`AddPlan::finish`] proves and stores it. A command, a page or another program asks its user in between.
//!
//! Invariants: nothing is stored before the proof, and a failure leaves everything as it was. No secret is in a definition.
//!
//! ```no_run
//! # async fn run(credentials: loggia_gateway::Credentials) -> Result<(), loggia_gateway::add::AddError> {
//! use loggia_connect::manifest::ManifestDirectory;
//! use loggia_gateway::ConnectorContext;
//! use loggia_gateway::add::{AddAnswers, AddCredential, AddPlace, AddPlan, AddSource};
//!
//! let source = AddSource::parse("linear", &ManifestDirectory::embedded(), &credentials).await?;
//! let plan = AddPlan::new(source, None, Some("api"))?;
//! println!("{plan}");
//! let place = AddPlace::of(None, &credentials)?;
//! let credential = AddCredential::Variable("LINEAR_KEY".to_owned());
//! let answers = AddAnswers { credential: Some(credential), ..AddAnswers::default() };
//! let added = plan.finish(answers, &place, &ConnectorContext::new(credentials), None).await?;
//! println!("{} has {} tools", added.name, added.tools.len());
//! # Ok(())
//! # }
//! ```

mod account;
mod answers;
mod check;
mod error;
mod finish;
mod name;
mod place;
mod plan;
mod plan_text;
mod section;
mod server_account;
mod sign_in;
mod source;
mod values;
mod written_manifest;

pub use answers::{AddAnswers, AddCredential, ClientSecret, MissingAnswer};
pub use error::AddError;
pub use finish::AddedReport;
pub use place::AddPlace;
pub(crate) use plan::list_tokens;
pub use plan::{AddPlan, PlannedBackend, PlannedCredential, PlannedTool};
pub use source::{AddSource, PackageKind};
pub(crate) use written_manifest::{ManifestFile, WrittenManifest};
