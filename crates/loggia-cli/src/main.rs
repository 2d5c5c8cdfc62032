//! The binary `loggia`: it serves many systems at one MCP endpoint, and examines and calls any MCP server.
//!
//! * `args`: the command line; `exit`: how it ends; `out`: where it writes; `log`: what it logs;
//! * `target`: the connected client for the target on the command line;
//! * `commands`: the commands; `render`: results as text for people;
//! * `text`: text from outside, safe to show, and its columns;
//! * `pairs`: arguments from `key=value`; `ask`: questions of a server on the terminal; `progress`: the progress of a call.

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
use loggia_sandbox::Sandbox;

/// The argument that makes this program the guard of a child process. Users do not write it, so `--help` does not list it.
const CHILD_GUARD: &str = "child-guard";

/// Makes this program the sandbox of a child process. No user writes it, so `--help` does not list it.
const SANDBOX: &str = "sandbox-exec";

fn main() -> ExitCode {
    let mut line = std::env::args_os().skip(1);
    match line.next() {
        Some(word) if word == CHILD_GUARD => return child_guard().run(line),
        Some(word) if word == SANDBOX => return sandbox().run(line),
        _ => {}
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

/// The sandbox in which a server runs.
fn sandbox() -> Sandbox {
    Sandbox::current_program([SANDBOX])
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
