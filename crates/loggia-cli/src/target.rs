//! From words on the command line to a connected client: a URL, a connector's name, or a command after `--`.

use std::path::Path;
use std::sync::Arc;

use loggia::client::{Child, Client, ClientBuilder, Negotiation};
use loggia::model::Implementation;
use loggia_connect::builtin::files::FilesOptions;
use loggia_connect::manifest::ManifestDirectory;
use loggia_gateway::{
    ChildSandbox, ConnectorContext, ConnectorDatabase, Credentials, GatewayConfig, StateFolder,
    VaultLocation, header,
};

use crate::args::{ConnectArgs, EraArg, GlobalClientArgs};
use crate::ask::Asking;
use crate::exit::{Code, Failure, Outcome};
use crate::progress::Screen;
use crate::text::one_line;

/// A server to talk to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// At this URL.
    Url(&'a str),
    /// Started by this command.
    Command(&'a [String]),
    /// The connector of this name.
    Connector(&'a str),
}

/// Returns the target, and the words after it.
pub(crate) fn split<'a>(words: &'a [String], server: &'a [String]) -> Outcome<(Target<'a>, &'a [String])> {
    if !server.is_empty() {
        return Ok((Target::Command(server), words));
    }
    let Some((first, rest)) = words.split_first() else {
        return Err(Failure::usage("no server is named")
            .hint("give a URL, the name of a connector, or a command after --"));
    };
    let is_url = ["http://", "https://", "unix:"].iter().any(|scheme| first.starts_with(scheme));
    Ok((if is_url { Target::Url(first) } else { Target::Connector(first) }, rest))
}

/// Reads the configuration file that the line or its absence names ([`crate::args::Args::read`]); without one, the built-in
/// connector serves this folder, read-only. A file that is there is read or refused, never passed over.
pub(crate) fn read_config(file: Option<&Path>, credentials: &Credentials) -> Outcome<GatewayConfig> {
    let config = match file {
        Some(file) => GatewayConfig::read(file, credentials.redactor())?,
        None => GatewayConfig::of_folder(".".into(), FilesOptions::default()),
    };
    Ok(config.with_manifests_of(credentials))
}

/// Reads the directory of connectors, with the manifests of the folders that the configuration names.
pub(crate) fn read_directory(file: Option<&Path>, credentials: &Credentials) -> Outcome<ManifestDirectory> {
    let directory = read_config(file, credentials)?.manifests().directory();
    directory.notices().iter().for_each(|notice| crate::out::note(one_line(&notice.to_string())));
    Ok(directory)
}

/// Reads the configuration as `loggia up` serves it: with the connectors that were added.
pub(crate) async fn read_all(file: Option<&Path>, credentials: &Credentials) -> Outcome<GatewayConfig> {
    let config = read_config(file, credentials)?;
    let added = ConnectorDatabase::of(&VaultLocation::Environment, credentials, file)?.list().await?;
    Ok(config.with_added(&added, credentials.redactor())?)
}

/// Returns what connectors are opened with: child processes run under a guard process and in a sandbox of this program.
pub(crate) fn connector_context(credentials: &Credentials) -> ConnectorContext {
    let sandbox = ChildSandbox::new(crate::sandbox()).homes(&StateFolder::of_user());
    ConnectorContext::new(credentials.clone()).child_guard(crate::child_guard()).child_sandbox(sandbox)
}

/// Connects to `target`: to a connector as a gateway serves it, or if `is_direct` to its server.
pub(crate) async fn connect(
    target: &Target<'_>,
    args: &GlobalClientArgs,
    config: Option<&Path>,
    credentials: &Credentials,
    screen: &Arc<Screen>,
    is_direct: bool,
) -> Outcome<Client> {
    let headers = args.connect.header.iter().map(|(name, value)| header(name, value));
    let headers = headers.collect::<loggia::Result<Vec<_>>>()?;
    let builder = builder(&args.connect);
    // A credential on the command line takes the place of the saved one.
    let given = args.connect.header.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let all = credentials;
    let credentials = if given { &credentials.without_any() } else { credentials };
    let shown = screen.clone();
    let builder = Asking::new(screen.clone(), args.no_input)
        .handle(builder)
        .on_start(move |progress| shown.starting(progress));
    let connected = match target {
        Target::Url(url) => {
            let add = |builder: ClientBuilder, (name, value)| builder.header(name, value);
            match credentials.authorize(headers.into_iter().fold(builder, add), url).await {
                Ok(builder) => builder.connect(*url).await,
                Err(error) => Err(error),
            }
        }
        Target::Command(words) => builder.connect(child(words, &args.connect)).await,
        Target::Connector(name) => {
            let config = read_all(config, all).await?;
            let context = connector_context(credentials).headers(headers);
            let connected = match is_direct {
                true => config.connect(name, builder, &context).await,
                false => config.connect_as_served(name, builder, &context).await,
            };
            match connected {
                Some(connected) => connected,
                None => return Err(no_connector(name, &config)),
            }
        }
    };
    connected.map_err(Failure::from).map_err(|failure| failure.context(Code::Protocol, Code::Connect))
}

fn builder(args: &ConnectArgs) -> ClientBuilder {
    Client::builder()
        .identity(Implementation::new("loggia-cli", env!("CARGO_PKG_VERSION")).title("Loggia"))
        .negotiation(match args.era {
            EraArg::Auto => Negotiation::Auto,
            EraArg::Legacy => Negotiation::Legacy,
            EraArg::Fixed(version) => Negotiation::Fixed(version),
        })
        .start_timeout(args.timeout)
        .connect_timeout(args.timeout)
        .timeout(args.timeout)
        .reconnect(false)
}

fn child(words: &[String], args: &ConnectArgs) -> Child {
    let (program, rest) =
        words.split_first().map_or(("", [].as_slice()), |(first, rest)| (first.as_str(), rest));
    let child = Child::new(program).args(rest).guard(crate::child_guard());
    args.env.iter().fold(child, |child, (name, value)| child.env(name, value))
}

/// Creates the failure for a connector that does not exist.
pub(crate) fn no_connector(name: &str, config: &GatewayConfig) -> Failure {
    let names = config.names().join(", ");
    let place = match config.file() {
        Some(file) if names.is_empty() => format!("{} has no connector that is enabled", file.display()),
        Some(file) => format!("{} has the connectors: {names}", file.display()),
        None if config.folder().is_none() => format!("the added connectors are: {names}"),
        None => format!("without a configuration file the only connector is: {names}"),
    };
    Failure::usage(format!("there is no connector {name:?}"))
        .hint(format!("{place}. A URL begins with https:// or http://; a command goes after --"))
}
