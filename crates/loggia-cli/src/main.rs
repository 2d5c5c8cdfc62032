//! The binary `loggia`: many systems behind one MCP endpoint, and a look at any server there is.
//!
//! * `args`: the command line; `exit`: how it ends; `out`: where it writes; `log`: what it logs;
//! * `config`: from `loggia.toml` to connectors; `target`: from a word on the line to a connected client;
//! * `credentials`: what servers gave this person, and who uses it; `way`: how that is come by where nobody signs in at
//!   the server's own page; `vault`: what `up` remembers; `user`: who this person is to the operating system;
//! * `state`: where it keeps what it may lose;
//! * `commands`: what each command does; `render`: what people see of a server;
//! * `pairs`: `key=value` to JSON; `ask`: questions of a server on the terminal; `progress`: how far it is.

mod args;
mod ask;
mod commands;
mod config;
mod credentials;
mod exit;
mod log;
mod out;
mod pairs;
mod progress;
mod render;
mod state;
mod target;
mod user;
mod vault;
mod way;

use std::process::ExitCode;

use args::{Args, Command};
use exit::Outcome;

fn main() -> ExitCode {
    let args = Args::read();
    out::choose_color(args.color);
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(args: Args) -> Outcome {
    if let Command::Completions { shell } = args.command {
        return commands::completions(shell);
    }
    log::start(&args);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(commands::run(args));
    // A question on the terminal may still wait for a line that nobody will type.
    runtime.shutdown_background();
    outcome
}
