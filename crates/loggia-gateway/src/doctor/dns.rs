//! The layer *dns*: the addresses of a host.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use super::report::LayerFailure;

/// Resolves the host of a URL.
pub(super) async fn resolve(url: &Url) -> Result<(Vec<SocketAddr>, String), LayerFailure> {
    let port = url.port_or_known_default().unwrap_or(443);
    let address =
        |address: IpAddr| Ok((vec![SocketAddr::new(address, port)], "the URL has an address".to_owned()));
    let name = match url.host() {
        Some(Host::Ipv4(ip)) => return address(ip.into()),
        Some(Host::Ipv6(ip)) => return address(ip.into()),
        Some(Host::Domain(name)) => name,
        None => return Err(LayerFailure::action("the URL has no host", "correct the URL")),
    };
    let unknown = |why: String| {
        let next = "check the spelling of the host, and that this machine has a network";
        LayerFailure::retry(format!("the host {name} has no address: {why}"), next)
    };
    let found = tokio::net::lookup_host((name, port)).await.map_err(|error| unknown(error.to_string()))?;
    let addresses: Vec<SocketAddr> = found.collect();
    match addresses.first() {
        Some(first) => Ok((addresses.clone(), format!("{name} is {}", first.ip()))),
        None => Err(unknown("the answer is empty".to_owned())),
    }
}
