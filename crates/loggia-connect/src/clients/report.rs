//! The end of an installation or a removal, and its report for people.

use std::fmt::{self, Write as _};

use super::entry::GatewayAddress;
use super::error::ClientError;
use super::install::{ClientInstaller, FoundClient, InstallOutcome, InstallRequest};
use super::uninstall::UninstallOutcome;

/// Applications on this machine, of which a person chooses some.
#[derive(Debug)]
pub struct ClientChoice<'t> {
    found: Vec<FoundClient<'t>>,
}

impl InstallRequest {
    /// Makes a request for a gateway at `url`, or at its usual address, and for one of its toolsets.
    ///
    /// # Errors
    ///
    /// [`ClientError::Request`] where the URL or the name of the toolset cannot be used.
    pub fn at(url: Option<&str>, toolset: Option<&str>) -> Result<InstallRequest, ClientError> {
        let address = url.map_or_else(|| Ok(GatewayAddress::default()), GatewayAddress::parse);
        let address = toolset.into_iter().fold(address, |address, name| address?.with_toolset(name));
        Ok(InstallRequest { address: address.map_err(ClientError::Request)?, ..InstallRequest::default() })
    }
}

impl InstallOutcome {
    /// Writes the file, and returns the report. With `is_dry` nothing is written, and the report is the change.
    ///
    /// # Errors
    ///
    /// As [`InstallPlan::apply`](super::InstallPlan::apply).
    pub fn finish(self, is_dry: bool) -> Result<String, ClientError> {
        Ok(match self {
            InstallOutcome::Change(plan) if is_dry => plan.change.diff(),
            InstallOutcome::Change(plan) => {
                let mut text = format!("✓ {plan}\n");
                let lines = [plan.after.clone()].into_iter().chain(plan.notes.clone());
                let backup = plan.apply()?;
                let backup = backup.map(|backup| format!("The file as it was: {}", backup.display()));
                for line in lines.chain(backup) {
                    // Writing into a String cannot fail.
                    let _ = writeln!(text, "  {line}");
                }
                text
            }
            InstallOutcome::Present { title, file } => {
                format!("{title}: {} has this entry already\n", file.display())
            }
            InstallOutcome::Manual(steps) => format!("{steps}\n"),
        })
    }
}

impl UninstallOutcome {
    /// Writes the file, and returns the report. With `is_dry` nothing is written, and the report is the change.
    ///
    /// # Errors
    ///
    /// As [`UninstallPlan::apply`](super::UninstallPlan::apply).
    pub fn finish(self, is_dry: bool) -> Result<String, ClientError> {
        Ok(match self {
            UninstallOutcome::Change(plan) if is_dry => plan.change.diff(),
            UninstallOutcome::Change(plan) => {
                let text = format!("✓ {plan}\n");
                plan.apply()?;
                text
            }
            UninstallOutcome::Gone { title, file } => {
                format!("{title}: {} has no entry any more\n", file.display())
            }
            UninstallOutcome::Manual(steps) => format!("{steps}\n"),
        })
    }
}

impl ClientInstaller {
    /// Returns the applications on this machine, or those of them that have the gateway.
    ///
    /// # Errors
    ///
    /// [`ClientError::NoneFound`] where there are none.
    pub fn choice(&self, name: &str, is_installed: bool) -> Result<ClientChoice<'_>, ClientError> {
        let mut found = self.found(name);
        found.retain(|found| !is_installed || found.is_installed);
        match found.is_empty() {
            true => Err(ClientError::NoneFound(self.names())),
            false => Ok(ClientChoice { found }),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.table.all().iter().map(|client| client.name.clone()).collect()
    }
}

impl ClientChoice<'_> {
    /// Returns the names of all.
    pub fn names(&self) -> Vec<String> {
        self.found.iter().map(|found| found.client.name.clone()).collect()
    }

    /// Returns the names that an answer chooses: numbers of the list, names, or `all`. An empty one chooses none.
    ///
    /// # Errors
    ///
    /// [`ClientError::Request`] where a number is not in the list.
    pub fn chosen(&self, answer: &str) -> Result<Vec<String>, ClientError> {
        if answer.trim() == "all" {
            return Ok(self.names());
        }
        let name = |word: &str| match word.parse::<usize>() {
            Err(_) => Ok(word.to_owned()),
            Ok(n) => self
                .names()
                .get(n.wrapping_sub(1))
                .cloned()
                .ok_or_else(|| ClientError::Request(format!("there is no number {n} in the list"))),
        };
        answer.split([' ', ',', '\n']).filter(|word| !word.is_empty()).map(name).collect()
    }
}

impl fmt::Display for ClientChoice<'_> {
    /// Writes a numbered list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.found.iter().enumerate().try_for_each(|(n, found)| writeln!(f, "{:>3}  {found}", n + 1))
    }
}
