//! The commands.

mod auth;
mod call;
mod complete;
mod import;
mod inspect;
mod keys;
mod list;
mod people;
mod prompt;
mod read;
mod report;
mod session;
mod status;
mod up;

use clap::CommandFactory;
use loggia_connect::redact::Redactor;
use loggia_gateway::Credentials;

use crate::args::{Args, Command};
use crate::exit::Outcome;
use crate::out;
use session::Session;

/// Runs a command.
pub(crate) async fn run(args: Args, redactor: Redactor) -> Outcome {
    let config = args.config.as_deref();
    let credentials = &Credentials::new(args.credentials.clone(), args.allow_network.clone(), redactor);
    match &args.command {
        Command::Up(up) => up::run(up, config, credentials).await,
        Command::Status(args) => status::run(args),
        Command::Auth(auth) => auth::run(auth, config, credentials).await,
        Command::Tools(list) => {
            Session::new(&list.client, config, credentials).run(&list.words, list::tools).await
        }
        Command::Resources(list) => {
            Session::new(&list.client, config, credentials).run(&list.words, list::resources).await
        }
        Command::Prompts(list) => {
            Session::new(&list.client, config, credentials).run(&list.words, list::prompts).await
        }
        Command::Call(call) => {
            let act = async |session: &Session<'_>, words: &[String]| call::run(session, call, words).await;
            Session::new(&call.client, config, credentials).run(&call.words, act).await
        }
        Command::Read(read) => {
            let act = async |session: &Session<'_>, words: &[String]| read::run(session, read, words).await;
            Session::new(&read.client, config, credentials).run(&read.words, act).await
        }
        Command::Prompt(prompt) => {
            Session::new(&prompt.client, config, credentials).run(&prompt.words, prompt::run).await
        }
        Command::Complete(complete) => {
            Session::new(&complete.client, config, credentials).run(&complete.words, complete::run).await
        }
        Command::Inspect(inspect) => {
            Session::new(&inspect.client, config, credentials).run(&inspect.words, inspect::run).await
        }
        Command::Import(import) => import::run(import, config, args.no_config),
        // Answered before anything else is started.
        Command::Completions { shell } => completions(*shell),
    }
}

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "loggia", &mut script);
    Ok(out::write_bytes(&script)?)
}
