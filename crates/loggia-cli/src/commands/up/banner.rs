//! The output of `loggia up`: its address, its connectors and their state, and the next commands.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anstyle::Style;
use loggia_gateway::report_text::{ReportText, TextRole};
use loggia_gateway::{ConnectorNews, ConnectorWatch, GatewayAccess, GatewayConfig};
use loggia_hub::{ConnectorState, ConnectorStatus, Hub, StartStatus};
use unicode_width::UnicodeWidthStr;

use crate::out::{self, DIM, NAME, style_of};
use crate::render::styled::wrapped;
use crate::text::{count, cut, one_line, pad};

/// Columns of text where no terminal shows it.
const PIPE_WIDTH: usize = 100;
/// Columns before a problem of a connector.
const PROBLEM: usize = 6;
/// Columns between what a connector has and the names of its tools.
const NAMES_GAP: usize = 2;

/// Speaks for a running hub.
pub(crate) struct Banner {
    hub: Arc<Hub>,
    say: fn(String),
    /// The configuration file, as it was named.
    file: String,
    /// Columns of the terminal; a file or a program gets whole lines.
    width: Option<usize>,
}

impl Banner {
    /// Speaks on stdout.
    pub(crate) fn on_stdout(hub: Arc<Hub>, file: Option<&Path>) -> Banner {
        Banner::new(hub, file, on_stdout, out::terminal_width(&io::stdout()))
    }

    /// Speaks on stderr: stdout belongs to the protocol.
    pub(crate) fn on_stderr(hub: Arc<Hub>, file: Option<&Path>) -> Banner {
        Banner::new(hub, file, out::note, out::terminal_width(&io::stderr()))
    }

    fn new(hub: Arc<Hub>, file: Option<&Path>, say: fn(String), width: Option<usize>) -> Banner {
        let file = file.map_or_else(|| "the command line".to_owned(), |file| file.display().to_string());
        Banner { hub, say, file, width }
    }

    /// The URL, what is served, and to whom.
    pub(crate) fn opening(&self, url: &str, served: &str, access: Option<&GatewayAccess>) {
        let version = format!("loggia {}", env!("CARGO_PKG_VERSION"));
        let serves = ReportText::default().with(TextRole::Heading, &version);
        let serves = serves.plain(" ").words(TextRole::Plain, &format!("serves {served}"));
        (self.say)(wrapped(&serves, 0, self.width) + "\n");
        (self.say)(format!("  {NAME}{url}{NAME:#}\n"));
        let Some(access) = access else { return };
        match (access.is_protected(), access.is_exposed()) {
            (true, _) => {
                let how = match access.provider() {
                    Some(issuer) => format!("at {issuer}"),
                    None => "by a link that is shown here".to_owned(),
                };
                let text = format!("Authorization is on: people sign in {how}.");
                let text = wrapped(&ReportText::default().words(TextRole::Plain, &text), 2, self.width);
                (self.say)(format!("  {text}\n"));
            }
            (false, true) => {
                let text = "authorization is off, and other machines can reach this one: each of them acts in your name";
                let text =
                    ReportText::default().with(TextRole::Warning, "warning:").plain(&format!(" {text}"));
                out::note(wrapped(&text, 0, out::terminal_width(&io::stderr())));
            }
            (false, false) => {}
        }
    }

    /// Prints the next commands.
    pub(crate) fn hints(&self, url: &str, console: Option<&str>, access: Option<&GatewayAccess>) {
        let console = console
            .map(|console| format!("\n{DIM}Connect systems in your browser: {DIM:#}{console}"))
            .unwrap_or_default();
        let sign_in = match access.is_some_and(GatewayAccess::is_protected) {
            true => format!("{DIM}Sign in yourself: {DIM:#}loggia auth login {url}\n"),
            false => String::new(),
        };
        (self.say)(format!(
            "{console}\n{DIM}Add it to a client:{DIM:#}\n  \
             claude mcp add --transport http loggia {url}\n  \
             {{\"mcpServers\": {{\"loggia\": {{\"type\": \"http\", \"url\": \"{url}\"}}}}}}\n{sign_in}\
             {DIM}Look around: {DIM:#}loggia tools {url}\n\
             {DIM}Ctrl-C stops it.{DIM:#}"
        ));
    }

    /// Says how the connectors are until all have been tried, or `most` is over.
    pub(crate) async fn first_look(&self, changes: &mut ConnectorWatch, most: Duration) {
        let tried = tokio::time::timeout(most, self.hub.tried()).await;
        changes.changes().iter().for_each(|status| self.tell(status));
        if tried.is_err() {
            let all = self.hub.status();
            let (queued, running): (Vec<_>, Vec<_>) =
                all.iter().filter(|status| !status.tried).partition(|status| is_queued(status));
            running.into_iter().for_each(|status| self.tell(status));
            if !queued.is_empty() {
                let waiting = count(queued.len(), "connector");
                (self.say)(format!("  {DIM}…{DIM:#} {waiting} more, one after the other"));
            }
        }
    }

    /// Says whenever a connector comes up, fails or returns, and that a first start takes long.
    pub(crate) async fn watch(self, changes: ConnectorWatch) {
        changes.run(|status| self.tell(status)).await;
    }

    /// Says the state of a connector.
    fn tell(&self, status: &ConnectorStatus) {
        let news = ConnectorNews::of(status, &self.file);
        let room =
            self.width.unwrap_or(PIPE_WIDTH).saturating_sub(columns_before(&status.name, &status.kind));
        let (mut text, mut end) = (news.text, news.consequence);
        match status.state {
            ConnectorState::Connecting => text = ReportText::default().plain(&cut(&text.to_string(), room)),
            ConnectorState::Up if !status.personal => {
                let room = room.saturating_sub(text.to_string().width() + NAMES_GAP);
                let names = fitting(&self.hub.tool_names(&status.name), room);
                let gap = if names.is_empty() { 0 } else { NAMES_GAP };
                end = ReportText::default().plain(&" ".repeat(gap)).words(TextRole::Detail, &names);
            }
            _ => {}
        }
        text.extend([end]);
        let mark = (style_of(news.role), news.mark);
        (self.say)(connector_line((&status.name, &status.kind), mark, &text, self.width));
        for problem in &news.problems {
            let problem =
                ReportText::default().words(TextRole::Warning, &format!("{}: {problem}", status.name));
            (self.say)(format!("{:PROBLEM$}{}", "", wrapped(&problem, PROBLEM, self.width)));
        }
    }
}

/// Returns a summary of the connectors in a configuration.
pub(crate) fn served(config: &GatewayConfig) -> String {
    match (config.file(), config.folder()) {
        (Some(file), _) => format!("{} of {}", count(config.names().len(), "connector"), file.display()),
        (None, Some((root, true))) => format!("the folder {}, which may be changed", root.display()),
        (None, Some((root, false))) => {
            format!("the folder {}, read-only (--write allows changes)", root.display())
        }
        (None, None) => count(config.names().len(), "added connector"),
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

/// Returns the columns before the text about a connector of this name and kind.
fn columns_before(name: &str, kind: &str) -> usize {
    "  ✓ ".width() + pad(name, 12).width() + 1 + pad(kind, 8).width() + 1
}

/// Returns the text about a connector after its mark, name and kind.
fn connector_line(
    (name, kind): (&str, &str),
    (style, mark): (Style, &str),
    about: &ReportText,
    width: Option<usize>,
) -> String {
    let about = wrapped(about, columns_before(name, kind), width);
    let (name, kind) = (pad(name, 12), pad(kind, 8));
    format!("  {style}{mark}{style:#} {NAME}{name}{NAME:#} {DIM}{kind}{DIM:#} {about}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::BAD;

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

    #[test]
    fn the_text_about_a_connector_fits_the_terminal() {
        let why = "could not be started: No such file or directory (os error 2), after 3 attempts";
        for (name, kind) in [("files", "builtin"), ("a-connector-with-a-name-of-32-let", "stdio")] {
            for next in ["(next try in 0.5 s)", "(next try in 34 s; it is tried until it works)"] {
                let about = ReportText::default().with(TextRole::Bad, why).plain(" ");
                let about = about.with(TextRole::Warning, next);
                let shown = |width| {
                    let line = connector_line((name, kind), (BAD, "✗"), &about, width);
                    anstream::adapter::strip_str(&line).to_string()
                };
                let whole = format!("  ✗ {} {} {why} {next}", pad(name, 12), pad(kind, 8));
                assert_eq!(shown(None), whole, "a program gets one line");
                let narrow = shown(Some(60));
                assert!(narrow.lines().all(|line| line.width() <= 60), "{narrow}");
                let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                assert_eq!(words(&narrow), words(&whole));
            }
        }
    }
}
