//! The commands.

mod add;
mod auth;
mod call;
mod clients;
mod complete;
mod connectors;
mod doctor;
mod import;
mod inspect;
mod keys;
mod lint;
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

use crate::args::{Args, ClientCommand, Command};
use crate::exit::Outcome;
use crate::out;
use session::Session;

/// Runs a command.
pub(crate) async fn run(args: Args, redactor: Redactor) -> Outcome {
    let config = args.config.as_deref();
    let credentials = &Credentials::new(args.credentials.clone(), args.allow_network.clone(), redactor);
    match &args.command {
        Command::Up(up) => Box::pin(up::run(up, config, credentials)).await,
        Command::Add(args) => add::run(args, config, credentials).await,
        Command::Connectors(args) => connectors::run(args, config, credentials).await,
        Command::Accounts(args) => connectors::accounts(args, config, credentials).await,
        Command::Connector(args) => connectors::manifest(&args.command, config, credentials).await,
        Command::Status(args) => status::run(args),
        Command::Doctor(args) => Box::pin(doctor::run(args, config, credentials)).await,
        Command::Preflight(args) => Box::pin(doctor::preflight(args, config, credentials)).await,
        Command::Auth(auth) => auth::run(auth, config, credentials).await,
        Command::Client(ClientCommand::Lint(args)) => lint::run(args, config, credentials).await,
        Command::Client(command) => {
            let (words, options) = command.line();
            let act = async |session: &Session<'_>, words: &[String]| act(command, session, words).await;
            let is_direct = matches!(command, ClientCommand::Inspect(_));
            Session::new(options, config, credentials).direct(is_direct).run(words, act).await
        }
        Command::Install(args) => clients::install(args, credentials),
        Command::Uninstall(args) => clients::uninstall(args, credentials),
        Command::Bridge(args) => clients::bridge(args, credentials).await,
        Command::Import(import) => import::run(import, config, args.no_config, credentials),
        // Answered before anything else is started.
        Command::Completions { shell } => completions(*shell),
    }
}

/// Does what a command says with the server that it is connected to.
async fn act(command: &ClientCommand, session: &Session<'_>, words: &[String]) -> Outcome {
    match command {
        ClientCommand::Tools(_) => list::tools(session, words).await,
        ClientCommand::Resources(_) => list::resources(session, words).await,
        ClientCommand::Prompts(_) => list::prompts(session, words).await,
        ClientCommand::Call(args) => call::run(session, args, words).await,
        ClientCommand::Read(args) => read::run(session, args, words).await,
        ClientCommand::Prompt(_) => prompt::run(session, words).await,
        ClientCommand::Complete(_) => complete::run(session, words).await,
        ClientCommand::Inspect(_) => inspect::run(session, words).await,
        // Run before a session is opened, because it also reads files.
        ClientCommand::Lint(_) => Ok(()),
    }
}

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "loggia", &mut script);
    Ok(out::write_bytes(&script)?)
}
