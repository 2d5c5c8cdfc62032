//! `loggia up`: all connectors at one endpoint. The gateway is `loggia-gateway`; here are its arguments and what it shows
//! on the terminal.

mod banner;

use std::path::{Path, PathBuf};
use std::time::Duration;

use loggia::transport::TerminationSignals;
use loggia_connect::builtin::files::FilesOptions;
use loggia_connect::config_file::{Listen, PublicUrl};
use loggia_gateway::{
    ConfigChange, ConfigSource, ConnectorWatch, Credentials, Gateway, GatewayBuilder, GatewayConfig,
    GatewayError, GatewayObserver, SignInLink, StateFolder, VaultLocation,
};

use crate::args::UpArgs;
use crate::exit::{Code, Failure, Outcome};
use crate::target::{connector_context, read_all, read_config};
use banner::Banner;

/// The longest wait of the hints for the connectors, so that the tools are shown first.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// `loggia up`.
pub(crate) async fn run(args: &UpArgs, file: Option<&Path>, credentials: &Credentials) -> Outcome {
    let config = config(args, file, credentials)?;
    // A folder that the line names is served alone.
    let serves_added = args.root.is_none() && !args.write;
    let served = match serves_added {
        true => banner::served(&read_all(file, credentials).await?),
        false => banner::served(&config),
    };
    let file = config.file().map(Path::to_owned);
    let builder = Gateway::builder(config)
        .connector_context(connector_context(credentials))
        .vault(VaultLocation::Environment)
        .state(StateFolder::of_user())
        .serve_added(serves_added)
        .console(serves_added)
        .observer(TerminalObserver);
    if args.stdio {
        return serve_stdio(builder.build().await?, file).await;
    }
    let gateway = options(args, builder)?.build().await?;
    let listen = match &args.listen {
        Some(text) => text.parse().map_err(|why| Failure::usage(format!("--listen {text}: {why}")))?,
        None => gateway.listen(),
    };
    Box::pin(serve_http(gateway, listen, file, &served)).await
}

/// Chooses between the configuration file and a folder named on the line. With both, the folder would be served
/// without what the file says of authorization and of connectors: that is refused.
fn config(args: &UpArgs, file: Option<&Path>, credentials: &Credentials) -> Outcome<GatewayConfig> {
    let option = match (&args.root, args.write) {
        (None, false) => return read_config(file, credentials),
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
    Ok(GatewayConfig::of_folder(root, FilesOptions { writable, write_sensitive, ..FilesOptions::default() }))
}

/// Adds the options of the line that concern HTTP.
fn options(args: &UpArgs, builder: GatewayBuilder) -> Outcome<GatewayBuilder> {
    let mut builder = builder
        .allowed_hosts(&args.allow_host)
        .allowed_origins(&args.allow_origin)
        .trusted_proxies(args.trusted_proxy.iter().cloned());
    if let Some(text) = &args.public_url {
        let url: PublicUrl =
            text.parse().map_err(|why| Failure::usage(format!("--public-url {text}: {why}")))?;
        builder = builder.public_url(url);
    }
    Ok(match (args.auth, args.no_auth) {
        (true, _) => builder.authorization(true),
        (_, true) => builder.authorization(false),
        (false, false) => builder,
    })
}

pub(super) async fn serve_stdio(gateway: Gateway, file: Option<PathBuf>) -> Outcome {
    // The transport itself hears the first signal; the second must not wait for the connectors either.
    tokio::spawn(stop_on_signals(TerminationSignals::listen(), || {}));
    let server = gateway.serve_stdio().await?;
    let banner = Banner::on_stderr(server.hub().clone(), file.as_deref());
    let changes = ConnectorWatch::new(server.hub().clone());
    let watching = tokio::spawn(async move { banner.watch(changes).await });
    let stopped = server.wait().await;
    watching.abort();
    Ok(stopped?)
}

async fn serve_http(gateway: Gateway, listen: Listen, file: Option<PathBuf>, served: &str) -> Outcome {
    let signals = TerminationSignals::listen();
    let server = gateway.serve(listen).await.map_err(failed)?;
    let (url, access) = (server.url().to_owned(), server.access().cloned());
    let console = server.console_url().map(str::to_owned);
    let banner = Banner::on_stdout(server.hub().clone(), file.as_deref());
    banner.opening(&url, served, access.as_ref());
    let mut changes = ConnectorWatch::new(server.hub().clone());
    let watching = tokio::spawn(async move {
        banner.first_look(&mut changes, FIRST_LOOK).await;
        banner.hints(&url, console.as_deref(), access.as_ref());
        banner.watch(changes).await;
    });
    let stop = server.shutdown();
    tokio::spawn(stop_on_signals(signals, move || stop.begin()));
    let stopped = server.wait().await;
    watching.abort();
    Ok(stopped?)
}

/// Names the options that choose another address.
fn failed(error: GatewayError) -> Failure {
    let GatewayError::Bind { source, .. } = &error else { return error.into() };
    let failure = Failure::usage(&error);
    match source.kind() {
        std::io::ErrorKind::AddrInUse => {
            failure.hint("--listen :PORT takes another port, --listen :0 any that is free")
        }
        std::io::ErrorKind::PermissionDenied => {
            failure.hint("ports below 1024 are reserved: --listen :PORT takes another")
        }
        _ => failure,
    }
}

/// The first signal lets running requests finish, the second ends at once; guards end the children.
async fn stop_on_signals(mut signals: TerminationSignals, stop: impl FnOnce()) {
    signals.next().await;
    crate::out::note("stopping; running requests may finish (once more to stop at once)");
    stop();
    signals.next().await;
    std::process::exit(Code::Cancelled as i32);
}

/// The terminal as the observer of a gateway.
struct TerminalObserver;

impl GatewayObserver for TerminalObserver {
    /// Prints the link: the person who sees the terminal is the one user of this machine.
    fn sign_in_link(&self, link: &SignInLink) {
        let url = link.url();
        banner::on_stdout(match (link.program(), link.destination()) {
            (Some(program), Some(destination)) => {
                format!("Sign in at {url}\n  for the program {program:?}, which takes you to {destination}")
            }
            _ => format!("Sign in at {url}\n  for a page of this hub"),
        });
    }

    fn config_changed(&self, change: &ConfigChange) {
        crate::out::note(change);
    }

    fn config_refused(&self, source: &ConfigSource, error: &GatewayError) {
        let next_step = error.next_step().map(|step| format!("; {step}")).unwrap_or_default();
        crate::out::note(format!(
            "{error}{next_step}\n{source} is refused, and the gateway goes on as before. It is read again when it changes"
        ));
    }
}
