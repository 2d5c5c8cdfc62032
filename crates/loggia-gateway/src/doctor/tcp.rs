//! The layer *tcp*: a connection to a host.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use url::Url;

use super::report::LayerFailure;

/// Connects to the first address that accepts a connection.
pub(super) async fn connect(
    url: &Url,
    addresses: &[SocketAddr],
) -> Result<(TcpStream, String), LayerFailure> {
    let mut failures = Vec::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok((stream, format!("connected to {address}"))),
            Err(error) => failures.push(format!("{address}: {error}")),
        }
    }
    let host = url.host_str().unwrap_or_default();
    let reason = format!("{host} accepts no connection ({})", failures.join("; "));
    let next = "check the port in the URL, that the server runs, and that no firewall is between";
    Err(LayerFailure::retry(reason, next))
}
