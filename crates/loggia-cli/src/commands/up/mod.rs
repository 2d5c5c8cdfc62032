//! `loggia up`: all connectors at one endpoint.

mod access;
mod banner;
mod bounds;
mod connect;
mod gate;
mod health;
mod keyed;
mod people;
mod port;
mod widening;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use loggia::Service;
use loggia::model::Implementation;
use loggia::transport::http::http;
use loggia::transport::stdio::stdio;
use loggia::transport::{Serve, Shutdown};
use loggia_connect::manifest::Listen;
use loggia_hub::{Connector, Hub};
use tokio::net::TcpListener;

use crate::args::UpArgs;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::exit::{Code, Failure, Outcome};
use crate::vault;
use access::Access;
use banner::Banner;
use bounds::hub_limits;
use connect::ConnectLayer;
pub(super) use gate::AUTHORIZATION;
use gate::Gate;
use health::HealthLayer;
use people::Account;
pub(super) use people::{API_KEY, Accounts};

/// Where to listen when nobody says.
const DEFAULT_LISTEN: &str = "127.0.0.1:4000";
/// How long the hints wait for the connectors, so that the tools are shown first.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// `loggia up`.
pub(crate) async fn run(args: &UpArgs, file: Option<&Path>, credentials: &Credentials) -> Outcome {
    let config = config(args, file)?;
    check(&config)?;
    if args.stdio {
        return serve_stdio(&config, credentials).await;
    }
    let listen = listen(args, &config)?;
    let access = Access::decide(args, &config.server, &listen)?;
    // The address first: a hub that cannot be reached need not start anything.
    let listener = bind(&listen).await?;
    serve_http(args, &config, credentials, &access, listener).await
}

/// A folder named on the line is served in place of a configuration file.
fn config(args: &UpArgs, file: Option<&Path>) -> Outcome<Config> {
    if args.root.is_none() && !args.write {
        return Config::read(file);
    }
    if let Some(file) = file {
        return Err(Failure::usage(format!(
            "--root and --write are for the built-in connector, and {} says what to serve",
            file.display()
        ))
        .hint("write the folder into the file, or leave --config out"));
    }
    let root = args.root.clone().unwrap_or_else(|| ".".into());
    Ok(Config::of_folder(root, args.write))
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

/// Starts the hub, where `requests` run at once. In `accounts` everybody has credentials of their own for those
/// connectors.
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
    Hub::start(identity, connectors, limits).map_err(Failure::usage)
}

async fn serve_stdio(config: &Config, credentials: &Credentials) -> Outcome {
    // There is one connection: what it runs at once is all that runs.
    let requests = config.server.limits.requests.min(config.server.limits.requests_per_connection);
    let hub = start(config, credentials, &[], requests)?;
    let banner = Banner::on_stderr(hub.clone());
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
    let server = &config.server;
    let address = listener.local_addr()?;
    let base = access.base(address);
    let url = format!("{base}{}", server.path);
    // Whoever cannot be let in need not be served.
    let gate = match access.is_protected() {
        true => Some(Gate::open(&base, &url, server, credentials, &args.trusted_proxy).await?),
        false => None,
    };
    let own = |gate: &Gate| config.own().into_iter().map(|own| gate.accounts.of(own)).collect();
    let accounts: Vec<Account> = gate.as_ref().map(own).unwrap_or_default();
    let hub = start(config, credentials, &accounts, server.limits.requests)?;
    let shutdown = Shutdown::new();
    let endpoint = http(address.to_string())
        .listener(listener.into_std()?)
        .path(server.path.clone())
        .allowed_hosts(server.allowed_hosts.iter().chain(&args.allow_host))
        .allowed_hosts(access.host(!server.allowed_hosts.is_empty() || !args.allow_host.is_empty()))
        .allowed_origins(server.allowed_origins.iter().chain(&args.allow_origin));
    let mut banner = Banner::on_stdout(hub.clone());
    banner.opening(&url, config, access);
    let health = HealthLayer::new(hub.clone(), shutdown.clone());
    let hints = access.clone();
    let watching = tokio::spawn(async move {
        banner.first_look(FIRST_LOOK).await;
        banner.hints(&url, &hints);
        banner.watch().await;
    });
    tokio::spawn(stop_on_signals(shutdown.clone()));
    let tidying = gate.as_ref().map(|gate| tokio::spawn(vault::tidy(gate.vault.clone())));
    let (service, limits): (Arc<dyn Service>, _) = (hub.clone(), server.limits.clone());
    // The layer added last sees a request first.
    let served = match gate {
        None => endpoint.layer(health).serve(service, limits, shutdown).await,
        Some(Gate { resource, server, sessions, .. }) => {
            let pages = ConnectLayer::new(server.clone(), hub.clone(), accounts);
            let endpoint = endpoint
                .names_peers(true)
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

/// The first signal lets running requests finish, the second ends at once.
async fn stop_on_signals(shutdown: Shutdown) {
    signal().await;
    crate::out::note("stopping; running requests may finish (once more to stop at once)");
    shutdown.begin();
    signal().await;
    std::process::exit(Code::Cancelled as i32);
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return super::session::interrupted().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        () = super::session::interrupted() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    super::session::interrupted().await;
}
