//! What `loggia up` says: where it is, what it serves, how to use it, and how its connectors are doing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loggia_hub::{ConnectorState, ConnectorStatus, Hub};

use super::access::Access;
use crate::config::Config;
use crate::out::{self, BAD, BOLD, DIM, GOOD, NAME, WARN};
use crate::render::text::{count, one_line, pad};

/// Tools that one line names.
const NAMED: usize = 8;

/// Speaks for a running hub.
pub(crate) struct Banner {
    hub: Arc<Hub>,
    say: fn(String),
    said: HashMap<Arc<str>, Said>,
}

/// What was said last of a connector.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Up,
    Down,
}

impl Banner {
    /// Speaks on stdout.
    pub(crate) fn on_stdout(hub: Arc<Hub>) -> Banner {
        Banner { hub, say: on_stdout, said: HashMap::new() }
    }

    /// Speaks on stderr: stdout belongs to the protocol.
    pub(crate) fn on_stderr(hub: Arc<Hub>) -> Banner {
        Banner { hub, say: |line| out::note(line), said: HashMap::new() }
    }

    /// The URL, what is served, and to whom.
    pub(crate) fn opening(&self, url: &str, config: &Config, access: &Access) {
        let what = match (&config.file, config.folder()) {
            (Some(file), _) => format!("{} of {}", count(config.names().len(), "connector"), file.display()),
            (None, Some((root, true))) => format!("the folder {}, which may be changed", root.display()),
            (None, Some((root, false))) => {
                format!("the folder {}, read-only (--write allows changes)", root.display())
            }
            (None, None) => "nothing".to_owned(),
        };
        (self.say)(format!("{BOLD}loggia {}{BOLD:#} serves {what}\n", env!("CARGO_PKG_VERSION")));
        (self.say)(format!("  {NAME}{url}{NAME:#}\n"));
        match (access.is_protected(), access.is_exposed()) {
            (true, _) => {
                let how = match access.provider() {
                    Some(issuer) => format!("at {issuer}"),
                    None => "by a link that is shown here".to_owned(),
                };
                (self.say)(format!("  Authorization is on: people sign in {how}.\n"));
            }
            (false, true) => out::note(format!(
                "{WARN}warning{WARN:#}: authorization is off, and other machines can reach this one: whoever does, acts \
                 in your name"
            )),
            (false, false) => {}
        }
    }

    /// How to go on.
    pub(crate) fn hints(&self, url: &str, access: &Access) {
        let sign_in = match access.is_protected() {
            true => format!("{DIM}Sign in yourself: {DIM:#}loggia auth login {url}\n"),
            false => String::new(),
        };
        (self.say)(format!(
            "\n{DIM}Add it to a client:{DIM:#}\n  \
             claude mcp add --transport http loggia {url}\n  \
             {{\"mcpServers\": {{\"loggia\": {{\"type\": \"http\", \"url\": \"{url}\"}}}}}}\n{sign_in}\
             {DIM}Look around: {DIM:#}loggia tools {url}\n\
             {DIM}Ctrl-C stops it.{DIM:#}"
        ));
    }

    /// Says how the connectors are until all have been tried, or `most` is over.
    pub(crate) async fn first_look(&mut self, most: Duration) {
        let hub = self.hub.clone();
        let tried = tokio::time::timeout(most, hub.tried()).await;
        self.report();
        if tried.is_err() {
            for status in self.hub.status().iter().filter(|status| !status.tried) {
                (self.say)(line(status, &format!("{DIM}…{DIM:#}"), "still starting"));
            }
        }
    }

    /// Says whenever a connector comes up, fails or returns.
    pub(crate) async fn watch(mut self) {
        let mut changes = self.hub.watch();
        loop {
            self.report();
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Says what is new.
    fn report(&mut self) {
        for status in self.hub.status().iter() {
            let now = match status.state {
                ConnectorState::Up => Said::Up,
                ConnectorState::Down { .. } => Said::Down,
                ConnectorState::Connecting => continue,
            };
            if self.said.insert(status.name.clone(), now) == Some(now) {
                continue;
            }
            match status.state {
                ConnectorState::Down { retry_at } => self.down(status, retry_at),
                _ => self.up(status),
            }
        }
    }

    fn up(&self, status: &ConnectorStatus) {
        if status.personal {
            let about = "everybody signs in for themselves";
            return (self.say)(line(status, &format!("{GOOD}✓{GOOD:#}"), about));
        }
        let counts = &status.counts;
        let amounts = [(counts.tools, "tool"), (counts.prompts, "prompt"), (counts.resources, "resource")];
        let amounts: Vec<String> =
            amounts.iter().filter(|(n, _)| *n > 0).map(|(n, noun)| count(*n, noun)).collect();
        let names = self.hub.tool_names(&status.name);
        let more = if names.len() > NAMED { ", …" } else { "" };
        let names: Vec<String> = names.iter().take(NAMED).map(|name| one_line(name)).collect();
        let version = status.version.map(|version| format!("{version}, ")).unwrap_or_default();
        let amounts = if amounts.is_empty() { "nothing yet".to_owned() } else { amounts.join(", ") };
        let about = format!("{version}{amounts}{DIM}  {}{more}{DIM:#}", names.join(", "));
        (self.say)(line(status, &format!("{GOOD}✓{GOOD:#}"), &about));
    }

    fn down(&self, status: &ConnectorStatus, retry_at: Instant) {
        let why = status.last_error.as_deref().unwrap_or("it does not answer");
        let seconds = retry_at.saturating_duration_since(Instant::now()).as_secs_f32();
        let about = format!(
            "{BAD}{}{BAD:#} {WARN}(tried again in {seconds:.1} s, and then on){WARN:#}",
            one_line(why)
        );
        (self.say)(line(status, &format!("{BAD}✗{BAD:#}"), &about));
    }
}

/// Says a line on stdout. A reader that went away is not missed: the server goes on.
pub(crate) fn on_stdout(line: String) {
    drop(out::print(line + "\n"));
}

fn line(status: &ConnectorStatus, mark: &str, about: &str) -> String {
    format!("  {mark} {NAME}{}{NAME:#} {DIM}{}{DIM:#} {about}", pad(&status.name, 12), pad(&status.kind, 8))
}
