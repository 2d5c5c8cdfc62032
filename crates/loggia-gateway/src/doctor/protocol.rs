//! The layer *protocol*: the connection that the gateway opens, up to the agreed revision of MCP.

use std::time::Duration;

use loggia::Error;
use loggia::client::Client;
use loggia::model::Implementation;

use super::report::LayerFailure;
use crate::config::GatewayConfig;
use crate::connection::ConnectorContext;

/// The longest wait for the end of a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to a connector, or to a server by its URL, and closes the connection.
pub(super) async fn connect(
    target: &str,
    config: &GatewayConfig,
    context: &ConnectorContext,
    roots: &[Vec<u8>],
    timeout: Duration,
) -> Result<((), String), LayerFailure> {
    let client = Client::builder()
        .identity(Implementation::new("loggia", env!("CARGO_PKG_VERSION")).title("Loggia"))
        .start_timeout(timeout)
        .connect_timeout(timeout)
        .timeout(timeout)
        .reconnect(false);
    let client = roots.iter().fold(client, |client, pem| client.root_certificates(pem.clone()));
    let connected = match config.connect(target, client.clone(), context).await {
        Some(connected) => connected,
        None => match context.credentials().authorize(client, target).await {
            Ok(client) => client.connect(target).await,
            Err(error) => Err(error),
        },
    };
    let client = connected.map_err(|error| failure(target, &error))?;
    let found = client.server().await.map_err(|error| failure(target, &error));
    // A server that does not close its connection is not examined again.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, client.close()).await;
    let facts = found?;
    let identity = facts.identity.as_ref().map(|one| format!(", {} {}", one.name, one.version));
    Ok(((), format!("MCP {}{}", facts.version, identity.unwrap_or_default())))
}

fn failure(target: &str, error: &Error) -> LayerFailure {
    match error {
        Error::NoCommonVersion { .. } => LayerFailure::action(
            error,
            "remove `protocol` from the connector if it is set; otherwise update the server",
        ),
        Error::Timeout(_) => LayerFailure::retry(error, "try again later"),
        Error::Unauthorized(_) => {
            LayerFailure::action(error, format!("`loggia auth login {target}` signs in"))
        }
        Error::Configuration(_) => LayerFailure::action(error, "correct the configuration of the connector"),
        Error::Io(_) => LayerFailure::action(error, "let this user read the files of the connector"),
        _ => LayerFailure {
            next_step: Some(format!("`loggia inspect --trace {target}` prints all messages")),
            ..LayerFailure::unknown(error)
        },
    }
}
