//! What `loggia up` says: where it is, what it serves, how to use it, and how its connectors are doing.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loggia_hub::{ConnectorState, ConnectorStatus, Hub, StartStatus};

use unicode_width::UnicodeWidthStr;

use super::access::Access;
use crate::config::Config;
use crate::out::{self, BAD, BOLD, DIM, GOOD, NAME, WARN};
use crate::render::text::{count, cut, one_line, pad};

/// Columns before what is said of a connector.
const HEAD: usize = 26;
/// Time until a slow start is reported first; each later report comes after twice that time.
const SLOW: Duration = Duration::from_secs(10);
/// The time between two looks at the connectors that start.
const LOOK: Duration = Duration::from_secs(2);

/// Speaks for a running hub.
pub(crate) struct Banner {
    hub: Arc<Hub>,
    say: fn(String),
    said: HashMap<Arc<str>, Said>,
    /// For each connector that starts, the time of the next report.
    slow: HashMap<Arc<str>, Duration>,
    /// The configuration file, as it was named.
    file: String,
    width: usize,
}

/// What was said last of a connector.
#[derive(Clone, PartialEq, Eq)]
enum Said {
    /// With these problems.
    Up(Vec<Arc<str>>),
    Down,
    Failed,
}

impl Banner {
    /// Speaks on stdout.
    pub(crate) fn on_stdout(hub: Arc<Hub>, file: Option<&Path>) -> Banner {
        Banner::new(hub, file, on_stdout)
    }

    /// Speaks on stderr: stdout belongs to the protocol.
    pub(crate) fn on_stderr(hub: Arc<Hub>, file: Option<&Path>) -> Banner {
        Banner::new(hub, file, out::note)
    }

    fn new(hub: Arc<Hub>, file: Option<&Path>, say: fn(String)) -> Banner {
        let file = file.map_or_else(|| "the command line".to_owned(), |file| file.display().to_string());
        Banner { hub, say, said: HashMap::new(), slow: HashMap::new(), file, width: out::width() }
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
            let all = self.hub.status();
            let (queued, running): (Vec<_>, Vec<_>) =
                all.iter().filter(|status| !status.tried).partition(|status| is_queued(status));
            running.into_iter().for_each(|status| self.starting(status));
            if !queued.is_empty() {
                let waiting = count(queued.len(), "connector");
                (self.say)(format!("  {DIM}…{DIM:#} {waiting} more, one after the other"));
            }
        }
    }

    /// Says whenever a connector comes up, fails or returns.
    pub(crate) async fn watch(mut self) {
        let mut changes = self.hub.watch();
        loop {
            self.report();
            // Time alone makes a start a slow one.
            if let Ok(Err(_)) = tokio::time::timeout(LOOK, changes.changed()).await {
                return;
            }
        }
    }

    /// Says what is new.
    fn report(&mut self) {
        for status in self.hub.status().iter() {
            let now = match status.state {
                ConnectorState::Up => Said::Up(status.problems.clone()),
                ConnectorState::Down { .. } => Said::Down,
                ConnectorState::Failed => Said::Failed,
                ConnectorState::Connecting => {
                    self.report_slow(status);
                    continue;
                }
            };
            if self.said.insert(status.name.clone(), now.clone()) == Some(now) {
                continue;
            }
            match status.state {
                ConnectorState::Down { retry_at } => self.down(status, retry_at),
                ConnectorState::Failed => self.failed(status),
                _ => self.up(status),
            }
        }
    }

    /// Says that a first start takes long, ever less often.
    fn report_slow(&mut self, status: &ConnectorStatus) {
        let elapsed = status.since.elapsed();
        let next = self.slow.entry(status.name.clone()).or_insert(SLOW);
        if status.tried || elapsed < *next || is_queued(status) {
            return;
        }
        *next = elapsed * 2;
        self.starting(status);
    }

    fn starting(&self, status: &ConnectorStatus) {
        let seconds = status.since.elapsed().as_secs();
        let about = match &status.starting {
            Some(StartStatus::Running { last_line: Some(text) }) => {
                format!("still starting, {seconds} s: {}", one_line(text))
            }
            _ => format!("still starting, {seconds} s"),
        };
        let about = cut(&about, self.width.saturating_sub(HEAD));
        let remembered = if status.remembered { "; its tools of the last run are listed" } else { "" };
        (self.say)(line(status, &format!("{DIM}…{DIM:#}"), &format!("{about}{remembered}")));
    }

    fn failed(&self, status: &ConnectorStatus) {
        let why = status.last_error.as_deref().unwrap_or("it cannot be started");
        let about = format!("{BAD}{}{BAD:#} {WARN}(not retried: fix {}){WARN:#}", one_line(why), self.file);
        (self.say)(line(status, &format!("{BAD}✗{BAD:#}"), &about));
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
        let version = status.version.map(|version| format!("{version}, ")).unwrap_or_default();
        let amounts = if amounts.is_empty() { "nothing yet".to_owned() } else { amounts.join(", ") };
        let about = format!("{version}{amounts}");
        let room = self.width.saturating_sub(HEAD + about.width());
        let names = fitting(&self.hub.tool_names(&status.name), room);
        let about = format!("{about}{DIM}  {names}{DIM:#}");
        if status.problems.is_empty() {
            return (self.say)(line(status, &format!("{GOOD}✓{GOOD:#}"), &about));
        }
        (self.say)(line(status, &format!("{WARN}!{WARN:#}"), &about));
        for problem in &status.problems {
            (self.say)(format!("      {WARN}{}: {}{WARN:#}", status.name, one_line(problem)));
        }
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

fn is_queued(status: &ConnectorStatus) -> bool {
    status.starting == Some(StartStatus::Queued)
}

/// The first of `names`, as many as fit into `width` columns; `…` stands for the others.
fn fitting(names: &[String], width: usize) -> String {
    const MORE: usize = 3;
    let mut shown = String::new();
    for (n, name) in names.iter().enumerate() {
        let next = if n == 0 { one_line(name) } else { format!("{shown}, {}", one_line(name)) };
        let more = if n + 1 < names.len() { MORE } else { 0 };
        if next.width() + more > width {
            return if n == 0 { String::new() } else { format!("{shown}, …") };
        }
        shown = next;
    }
    shown
}

/// Says a line on stdout. A reader that went away is not missed: the server goes on.
pub(crate) fn on_stdout(line: String) {
    drop(out::print(line + "\n"));
}

fn line(status: &ConnectorStatus, mark: &str, about: &str) -> String {
    format!("  {mark} {NAME}{}{NAME:#} {DIM}{}{DIM:#} {about}", pad(&status.name, 12), pad(&status.kind, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_fit_are_left_out() {
        let names: Vec<String> = ["files_list", "files_find", "files_read"].map(str::to_owned).to_vec();
        for (width, expected) in [
            (0, ""),
            (9, ""),
            (13, "files_list, …"),
            (24, "files_list, …"),
            (25, "files_list, files_find, …"),
            (34, "files_list, files_find, files_read"),
        ] {
            assert_eq!(fitting(&names, width), expected, "{width}");
        }
        assert_eq!(fitting(&[], 80), "");
    }
}
