//! AI applications as clients of a gateway: their configuration files, and the entry of the gateway in them.
//!
//! Each application has a format, a place and a shape of its own. They are data (`clients.toml`), so that the installer,
//! the import and the documentation read the same table. Invariant: an edit changes the entry of the gateway and nothing
//! else, and an edit that cannot be proved to do so is refused.

mod document;
mod entry;
mod error;
mod files;
mod install;
mod machine;
mod record;
mod report;
mod table;
mod uninstall;

pub use document::{ConfigDocument, ConfigFormat, DocumentValue, EditError, EntryPlace, SyntaxProblem};
pub use entry::{BridgeCommand, GatewayAddress, GatewayTransport};
pub use error::ClientError;
pub use files::FileChange;
pub use install::{
    ClientConfiguration, ClientInstaller, FoundClient, InstallOutcome, InstallPlan, InstallRequest,
    ManualSteps,
};
pub use machine::{MachinePaths, OperatingSystem};
pub use record::InstallRecords;
pub use report::ClientChoice;
pub use table::{ClientApp, ClientFile, ClientTable};
pub use uninstall::{UninstallOutcome, UninstallPlan};
