//! A machine in a temporary folder, with the files of applications.

use std::fs;
use std::path::{Path, PathBuf};

use loggia_connect::clients::{
    BridgeCommand, ClientApp, ClientError, ClientInstaller, ClientTable, InstallOutcome, InstallRecords,
    InstallRequest, MachinePaths, OperatingSystem, UninstallOutcome,
};

/// A machine with one user.
pub(super) struct Machine {
    folder: tempfile::TempDir,
    pub(super) installer: ClientInstaller,
}

impl Machine {
    pub(super) fn new() -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        let paths =
            MachinePaths::new(OperatingSystem::Linux, home.to_str().unwrap(), [] as [(&str, &str); 0]);
        let records = InstallRecords::at(folder.path().join("records"));
        let installer = ClientInstaller::new(paths, records, bridge());
        Machine { folder, installer }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the project of applications that have no file for a user.
    pub(super) fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// Returns a request for the file of the user, or of the project where there is no other.
    pub(super) fn request(&self, client: &ClientApp) -> InstallRequest {
        let has_user = !client.user_templates(OperatingSystem::Linux).is_empty();
        InstallRequest { project: (!has_user).then(|| self.project()), ..InstallRequest::default() }
    }

    /// Returns the file of an application.
    pub(super) fn file(&self, client: &ClientApp) -> PathBuf {
        let home = self.path("home");
        match client
            .user_templates(OperatingSystem::Linux)
            .iter()
            .find(|template| !template.contains("{env:"))
        {
            Some(template) => {
                let path = template.replace("{home}", home.to_str().unwrap());
                let config = home.join(".config");
                let path = path.replace("{config}", config.to_str().unwrap());
                PathBuf::from(path.replace("{xdg}", config.to_str().unwrap()))
            }
            None => self.project().join(&client.project_files()[0]),
        }
    }

    pub(super) fn write(&self, client: &ClientApp, text: &[u8]) -> PathBuf {
        let file = self.file(client);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    pub(super) fn install(&self, client: &ClientApp) -> Result<String, ClientError> {
        self.install_with(client, &self.request(client))
    }

    /// Installs, and returns the diff; an empty one where nothing changed.
    pub(super) fn install_with(
        &self,
        client: &ClientApp,
        request: &InstallRequest,
    ) -> Result<String, ClientError> {
        match self.installer.install(&client.name, request)? {
            InstallOutcome::Change(plan) => {
                let diff = plan.change.diff();
                plan.apply()?;
                Ok(diff)
            }
            _ => Ok(String::new()),
        }
    }

    /// Uninstalls, and returns whether the file was restored.
    pub(super) fn uninstall(&self, client: &ClientApp) -> Result<bool, ClientError> {
        match self.installer.uninstall(&client.name, &self.request(client))? {
            UninstallOutcome::Change(plan) => {
                let is_restored = plan.is_restored;
                plan.apply()?;
                Ok(is_restored)
            }
            _ => Ok(false),
        }
    }
}

pub(super) fn bridge() -> BridgeCommand {
    BridgeCommand { program: "/usr/local/bin/loggia".into(), args: vec!["bridge".to_owned()] }
}

/// Returns the applications that have a file.
pub(super) fn with_files() -> Vec<ClientApp> {
    ClientTable::embedded().all().iter().filter(|client| client.format.is_some()).cloned().collect()
}

pub(super) fn client(name: &str) -> ClientApp {
    ClientTable::embedded().get(name).unwrap().clone()
}

/// Returns the configuration file of a client as its documentation shows it.
pub(super) fn fixture(client: &ClientApp) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/fixtures");
    let extensions = ["json", "toml", "yaml"];
    let file =
        extensions.iter().map(|end| folder.join(format!("{}.{end}", client.name))).find(|file| file.exists());
    fs::read_to_string(file.unwrap_or_else(|| panic!("{} has no fixture", client.name))).unwrap()
}
