//! The binary `loggia`: many systems behind one MCP endpoint, and a look at any server there is.
//!
//! * `args`: the command line; `exit`: how it ends; `out`: where it writes; `log`: what it logs;
//! * `target`: from a word on the line to a connected client;
//! * `commands`: what each command does; `render`: what people see of a server;
//! * `text`: text from outside, safe to show, and its columns;
//! * `pairs`: `key=value` to JSON; `ask`: questions of a server on the terminal; `progress`: how far it is.

mod args;
mod ask;
mod commands;
mod exit;
mod log;
mod out;
mod pairs;
mod progress;
mod render;
mod target;
mod text;

use std::process::ExitCode;

use args::{Args, Command};
use exit::Outcome;
use loggia::client::ChildGuard;
use loggia_connect::redact::Redactor;

/// Makes this program the guard of a child process. No user writes it, so `--help` does not list it.
const CHILD_GUARD: &str = "child-guard";

fn main() -> ExitCode {
    let mut line = std::env::args_os().skip(1);
    if line.next().is_some_and(|word| word == CHILD_GUARD) {
        return child_guard().run(line);
    }
    let args = Args::read();
    out::choose_color(args.color);
    let redactor = Redactor::default();
    match run(args, &redactor) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&redactor),
    }
}

/// The guard that ends a server's processes when this program ends.
fn child_guard() -> ChildGuard {
    ChildGuard::current_program([CHILD_GUARD])
}

fn run(args: Args, redactor: &Redactor) -> Outcome {
    if let Command::Completions { shell } = args.command {
        return commands::completions(shell);
    }
    log::start(&args, redactor);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(commands::run(args, redactor.clone()));
    // A question on the terminal may still wait for a line that the user will not type.
    runtime.shutdown_background();
    outcome
}
