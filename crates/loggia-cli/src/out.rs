//! Output on stdout and stderr. Only results go to stdout; a reader that closes it early (`loggia tools … | head -1`)
//! ends the program quietly.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use loggia_gateway::report_text::{ReportText, TextRole};

use crate::args::ColorArg;
use crate::text::escape_json;

/// Width of a table if the output is no terminal.
const PIPE_WIDTH: usize = 100;

/// Names in tables.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default().bold();
/// The style of less important text.
pub(crate) const DIM: Style = Style::new().dimmed();
/// The style of success.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// The style of warnings.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// The style of failures.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// Titles.
pub(crate) const BOLD: Style = Style::new().bold();

/// Sets the choice of the command line for both streams.
pub(crate) fn choose_color(color: ColorArg) {
    let choice = match color {
        ColorArg::Auto => return,
        ColorArg::Always => anstream::ColorChoice::AlwaysAnsi,
        ColorArg::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Returns the style that shows a role.
pub(crate) fn style_of(role: TextRole) -> Style {
    match role {
        TextRole::Plain => Style::new(),
        TextRole::Name => NAME,
        TextRole::Heading => BOLD,
        TextRole::Detail => DIM,
        TextRole::Good => GOOD,
        TextRole::Warning => WARN,
        TextRole::Bad => BAD,
    }
}

/// Returns a report with the colours of its roles.
pub(crate) fn paint(report: &ReportText) -> String {
    report.parts().map(|(role, text)| format!("{0}{text}{0:#}", style_of(role))).collect()
}

/// Writes a whole result to stdout.
pub(crate) fn print(text: impl AsRef<str>) -> io::Result<()> {
    write_bytes(text.as_ref().as_bytes())
}

/// Writes bytes to stdout as they are.
pub(crate) fn write_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = AutoStream::auto(io::stdout().lock());
    let written = out.write_all(bytes).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes one JSON value and a line break to stdout: to a program as it is, to a terminal without what it would obey.
pub(crate) fn print_json(text: &str) -> io::Result<()> {
    match io::stdout().is_terminal() {
        true => print(escape_json(text) + "\n"),
        false => write_bytes(format!("{text}\n").as_bytes()),
    }
}

/// Writes one line to stderr, for a person.
pub(crate) fn note(line: impl fmt::Display) {
    // If stderr itself is closed, no output is left for this error.
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Columns of the terminal that shows stdout.
pub(crate) fn width() -> usize {
    terminal_width(&io::stdout()).unwrap_or(PIPE_WIDTH)
}

/// Columns of the terminal that shows `stream`; `None` if no terminal does.
pub(crate) fn terminal_width(stream: &impl IsTerminal) -> Option<usize> {
    let shown = stream.is_terminal().then(terminal_size::terminal_size).flatten();
    shown.map(|(width, _)| usize::from(width.0).clamp(40, 160))
}
