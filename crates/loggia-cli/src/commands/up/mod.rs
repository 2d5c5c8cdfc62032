//! `loggia up`: all connectors at one endpoint.

mod access;
mod api_key_auth;
mod auth_stack;
mod banner;
mod bounds;
mod connect;
mod control;
mod health;
mod people;
mod port;
mod step_up_auth;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use loggia::Service;
use loggia::client::ChildGuard;
use loggia::model::Implementation;
use loggia::transport::http::http;
use loggia::transport::stdio::stdio;
use loggia::transport::{Serve, Shutdown, TerminationSignals};
use loggia_connect::builtin::files::FilesOptions;
use loggia_connect::manifest::Listen;
use loggia_hub::{Connector, Hub, HubMemory};
use tokio::net::TcpListener;

use crate::args::UpArgs;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::exit::{Code, Failure, Outcome};
use crate::{state, vault};
use access::Access;
pub(super) use auth_stack::AUTHORIZATION;
use auth_stack::AuthStack;
use banner::Banner;
use bounds::hub_limits;
use connect::ConnectLayer;
use control::Control;
use health::HealthLayer;
use people::Account;
pub(super) use people::{API_KEY, Accounts};

/// Where to listen when nobody says.
const DEFAULT_LISTEN: &str = "127.0.0.1:4000";
/// How long the hints wait for the connectors, so that the tools are shown first.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// `loggia up`.
pub(crate) async fn run(args: &UpArgs, file: Option<&Path>, credentials: &Credentials) -> Outcome {
    let config = config(args, file, credentials)?;
    check(&config)?;
    end_leftovers();
    if args.stdio {
        return serve_stdio(&config, credentials).await;
    }
    let listen = listen(args, &config)?;
    let access = Access::decide(args, &config.server, &listen)?;
    // The address first: a hub that cannot be reached need not start anything.
    let listener = bind(&listen).await?;
    serve_http(args, &config, credentials, &access, listener).await
}

/// Chooses between the configuration file and a folder named on the line. With both, the folder would be served
/// without what the file says of authorization and of connectors: that is refused.
fn config(args: &UpArgs, file: Option<&Path>, credentials: &Credentials) -> Outcome<Config> {
    let option = match (&args.root, args.write) {
        (None, false) => return Config::read(file, credentials.redactor()),
        (Some(_), _) => "--root",
        (None, true) => "--write",
    };
    if let Some(file) = file {
        let file = file.display();
        return Err(Failure::usage(format!("{option} would pass over the configuration file {file}")).hint(format!(
            "write the folder into {file}: a connector with kind = \"builtin\", name = \"files\" and options = {{ path \
             = \"DIR\", write = true }}; or add --no-config to serve the folder without the file"
        )));
    }
    let root = args.root.clone().unwrap_or_else(|| ".".into());
    let (writable, write_sensitive) = (args.write, args.write_sensitive);
    Ok(Config::of_folder(root, FilesOptions { writable, write_sensitive, ..FilesOptions::default() }))
}

/// What can be known to be wrong before anything is started.
fn check(config: &Config) -> Outcome {
    if let Some((root, _)) = config.folder().filter(|(root, _)| !root.is_dir()) {
        return Err(Failure::usage(format!("{} is no folder", root.display())));
    }
    match &config.file {
        Some(file) if config.names().is_empty() => {
            Err(Failure::usage(format!("{} has no connector that is enabled", file.display()))
                .hint("a connector is a section [connectors.NAME] with a kind"))
        }
        _ => Ok(()),
    }
}

/// Starts the hub, in which at most `requests` run at once. For the connectors in `accounts` each user has separate
/// credentials.
fn start(
    config: &Config,
    credentials: &Credentials,
    accounts: &[Account],
    requests: usize,
) -> Outcome<Arc<Hub>> {
    let identity = Implementation::new("loggia", env!("CARGO_PKG_VERSION")).title("Loggia");
    let own = |connector: Connector| match accounts.iter().find(|own| own.name() == connector.name()) {
        Some(account) => connector.people(Arc::new(account.clone())),
        None => connector,
    };
    let connectors = config.connectors(credentials).into_iter().map(own).collect();
    let limits = hub_limits(&config.server, requests);
    let memory = config.file.as_deref().and_then(state::lists).map_or_else(HubMemory::none, HubMemory::at);
    Hub::start_with_memory(identity, connectors, limits, memory).map_err(Failure::usage)
}

async fn serve_stdio(config: &Config, credentials: &Credentials) -> Outcome {
    // The transport itself hears the first signal; the second must not wait for the connectors either.
    tokio::spawn(stop_on_signals(TerminationSignals::listen(), || {}));
    // There is one connection: what it runs at once is all that runs.
    let requests = config.server.limits.requests.min(config.server.limits.requests_per_connection);
    let hub = start(config, credentials, &[], requests)?;
    let banner = Banner::on_stderr(hub.clone(), config.file.as_deref());
    let _control = Control::stdio(hub.clone(), config.file.clone()).listen();
    let watching = tokio::spawn(async move { banner.watch().await });
    let served = stdio().serve(hub.clone(), config.server.limits.clone(), Shutdown::new()).await;
    watching.abort();
    hub.close().await;
    Ok(served?)
}

async fn serve_http(
    args: &UpArgs,
    config: &Config,
    credentials: &Credentials,
    access: &Access,
    listener: TcpListener,
) -> Outcome {
    let signals = TerminationSignals::listen();
    let server = &config.server;
    let address = listener.local_addr()?;
    let base = access.base(address);
    let url = format!("{base}{}", server.path);
    // Whoever cannot be let in need not be served.
    let gate = match access.is_protected() {
        true => Some(AuthStack::open(&base, &url, config, credentials, &args.trusted_proxy).await?),
        false => None,
    };
    let own = |gate: &AuthStack| config.own().into_iter().map(|own| gate.accounts.of(own)).collect();
    let accounts: Vec<Account> = gate.as_ref().map(own).unwrap_or_default();
    let hub = start(config, credentials, &accounts, server.limits.requests)?;
    let shutdown = Shutdown::new();
    let endpoint = http(address.to_string())
        .listener(listener.into_std()?)
        .path(server.path.clone())
        .allowed_hosts(server.allowed_hosts.iter().chain(&args.allow_host))
        .allowed_hosts(access.host(!server.allowed_hosts.is_empty() || !args.allow_host.is_empty()))
        .allowed_origins(server.allowed_origins.iter().chain(&args.allow_origin))
        .allowed_origins(access.origin());
    let _control = Control::http(hub.clone(), url.clone(), address, config.file.clone()).listen();
    let mut banner = Banner::on_stdout(hub.clone(), config.file.as_deref());
    banner.opening(&url, config, access);
    let health = HealthLayer::new(hub.clone(), shutdown.clone(), !access.is_protected());
    let hints = access.clone();
    let watching = tokio::spawn(async move {
        banner.first_look(FIRST_LOOK).await;
        banner.hints(&url, &hints);
        banner.watch().await;
    });
    let stop = shutdown.clone();
    tokio::spawn(stop_on_signals(signals, move || stop.begin()));
    let tidying = gate.as_ref().map(|gate| tokio::spawn(vault::tidy(gate.vault.clone())));
    let (service, limits): (Arc<dyn Service>, _) = (hub.clone(), server.limits.clone());
    // The layer added last sees a request first.
    let served = match gate {
        None => endpoint.layer(health).serve(service, limits, shutdown).await,
        Some(AuthStack { resource, server, sessions, .. }) => {
            let pages = ConnectLayer::new(server.clone(), hub.clone(), accounts);
            let endpoint = endpoint
                .with_peer_addr(true)
                .session_key(sessions)
                .layer(resource)
                .layer(pages)
                .layer(server.layer())
                .layer(health);
            endpoint.serve(service, limits, shutdown).await
        }
    };
    watching.abort();
    tidying.inspect(|task| task.abort());
    hub.close().await;
    Ok(served?)
}

fn listen(args: &UpArgs, config: &Config) -> Outcome<Listen> {
    let parse = |text: &str| text.parse().map_err(|why| Failure::usage(format!("--listen {text}: {why}")));
    match (&args.listen, &config.server.listen) {
        (Some(text), _) => parse(text),
        (None, Some(listen)) => Ok(listen.clone()),
        (None, None) => parse(DEFAULT_LISTEN),
    }
}

async fn bind(listen: &Listen) -> Outcome<TcpListener> {
    TcpListener::bind((listen.host.as_str(), listen.port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let holder = port::holder(listen.port).map(|who| format!(" by {who}")).unwrap_or_default();
            Failure::new(Code::Usage, format!("{listen} is already in use{holder}"))
                .hint("--listen :PORT takes another port, --listen :0 any that is free")
        }
        std::io::ErrorKind::PermissionDenied => {
            Failure::new(Code::Usage, format!("{listen} may not be listened on: {error}"))
                .hint("ports below 1024 are reserved: --listen :PORT takes another")
        }
        _ => Failure::new(Code::Usage, format!("cannot listen on {listen}: {error}")),
    })
}

/// The first signal lets running requests finish, the second ends at once; guards end the children.
async fn stop_on_signals(mut signals: TerminationSignals, stop: impl FnOnce()) {
    signals.next().await;
    crate::out::note("stopping; running requests may finish (once more to stop at once)");
    stop();
    signals.next().await;
    std::process::exit(Code::Cancelled as i32);
}

/// Ends what gateways left that were killed together with the guards of their children.
fn end_leftovers() {
    let ended = ChildGuard::end_leftovers();
    if !ended.is_empty() {
        tracing::warn!(processes = ?ended, "ended server processes of a gateway that was killed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_reach_it_only_by_an_address_that_says_so() {
        for (address, is_local) in [
            (DEFAULT_LISTEN, true),
            (":4000", true),
            ("4000", true),
            ("localhost:4000", true),
            ("[::1]:4000", true),
            ("0.0.0.0:4000", false),
            ("[::]:4000", false),
            ("192.168.1.2:4000", false),
            ("box.lan:4000", false),
        ] {
            let listen: Listen = address.parse().expect("an address");
            assert_eq!(listen.is_local(), is_local, "{address}");
        }
    }
}
