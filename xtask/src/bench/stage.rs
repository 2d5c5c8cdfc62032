//! The environment of some rows: a server for clients and relays, the configuration of `loggia up`, and the bytes
//! that a floor sends ready-made.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::machine::Cores;
use super::rows::{Probe, Row};
use crate::command::{Daemon, Run, free_port};
use crate::paths;

const START_LIMIT: Duration = Duration::from_secs(30);

/// The environment. The server ends when this value is dropped.
pub(super) struct Stage {
    /// The URL of the server.
    pub(super) url: String,
    /// The configuration that contains it.
    pub(super) config: PathBuf,
    /// An answer to `tools/list`.
    pub(super) list: PathBuf,
    port: u16,
    server: Option<Daemon>,
}

impl Stage {
    /// Chooses names and paths. Does not create anything.
    pub(super) fn new() -> Result<Self, String> {
        let port = free_port()?;
        let dir = paths::work().join("bench");
        std::fs::create_dir_all(&dir).map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
        let url = format!("http://127.0.0.1:{port}/mcp");
        // The names contain the port, so that two concurrent runs do not share the files.
        let (config, list) = (dir.join(format!("{port}.toml")), dir.join(format!("{port}.json")));
        Ok(Self { url, config, list, port, server: None })
    }

    /// Creates the parts that `rows` need.
    pub(super) fn set(&mut self, rows: &[Row], cores: &Cores) -> Result<(), String> {
        if rows.iter().any(|row| row.name == "list") {
            self.save_list()?;
        }
        if rows.iter().any(|row| matches!(row.probe, Probe::Client(_)) || matches!(row.name, "relay" | "add"))
        {
            let config = format!("[connectors.bench]\nkind = \"remote\"\nurl = \"{}\"\n", self.url);
            std::fs::write(&self.config, config)
                .map_err(|e| format!("cannot write {}: {e}", self.config.display()))?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
            let run = cores.load_run(paths::release("bench-server"), "bench-upstream");
            let mut server = run.args(["--listen", &address.to_string()]).start()?;
            server.wait_for_port(address, START_LIMIT)?;
            self.server = Some(server);
        }
        Ok(())
    }

    fn save_list(&self) -> Result<(), String> {
        let run = Run::new(paths::release("bench-load"), "bench-list").args(["http", "--kind", "list"]);
        let run = run.args(["--calls", "1", "--save"]).arg(&self.list).arg("--");
        run.arg(paths::release("bench-server")).args(["--tools", "96"]).finish()?.check()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for file in [&self.config, &self.list] {
            let _ = std::fs::remove_file(file);
        }
    }
}
