//! Carries the connections of a confined program to the hosts of its policy. The sockets at which the program connects
//! are in its network namespace, and this process is outside, so it decides about each connection.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::names::HostAddresses;
use crate::host::HostPattern;

/// The maximum number of connections of one program.
const CONNECTIONS: usize = 256;
/// The time for one attempt to connect.
const CONNECT: Duration = Duration::from_secs(15);
/// The maximum number of refused hosts that are reported.
const REPORTED: usize = 100;
/// The longest DNS query.
const QUERY: usize = 512;

/// The sockets of a network namespace.
pub(super) struct NamespaceSockets {
    pub(super) resolver: std::net::UdpSocket,
    pub(super) listeners: Vec<std::net::TcpListener>,
}

/// The connections of one program.
struct Relay {
    names: Mutex<HostAddresses>,
    reported: Mutex<HashSet<String>>,
    connections: Arc<Semaphore>,
}

/// Serves the sockets, until the task is dropped.
pub(super) async fn serve(sockets: NamespaceSockets, hosts: Vec<HostPattern>) -> io::Result<()> {
    let relay = Arc::new(Relay {
        names: Mutex::new(HostAddresses::new(hosts)),
        reported: Mutex::default(),
        connections: Arc::new(Semaphore::new(CONNECTIONS)),
    });
    sockets.resolver.set_nonblocking(true)?;
    let resolver = UdpSocket::from_std(sockets.resolver)?;
    for listener in sockets.listeners {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(relay.clone().accept(listener));
    }
    relay.resolve(&resolver).await
}

impl Relay {
    async fn resolve(&self, resolver: &UdpSocket) -> io::Result<()> {
        let mut query = [0; QUERY];
        loop {
            let Ok((read, from)) = resolver.recv_from(&mut query).await else { continue };
            let answer = self.names.lock().unwrap_or_else(PoisonError::into_inner).answer(&query[..read]);
            let Some(answer) = answer else { continue };
            if let Some(name) = answer.refused {
                self.report_refused(&name);
            }
            // A program that does not take its answer asks again.
            let _ = resolver.send_to(&answer.packet, from).await;
        }
    }

    async fn accept(self: Arc<Relay>, listener: TcpListener) {
        loop {
            let Ok(permit) = self.connections.clone().acquire_owned().await else { return };
            let Ok((connection, _)) = listener.accept().await else {
                // No more files can be opened. Connections that end free some.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let relay = self.clone();
            tokio::spawn(async move {
                relay.carry(connection).await;
                drop(permit);
            });
        }
    }

    async fn carry(&self, mut inside: TcpStream) {
        let Ok(SocketAddr::V4(address)) = inside.local_addr() else { return };
        let (host, is_explicit) = {
            let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let host = names.host(*address.ip(), address.port()).map(str::to_owned);
            let is_explicit = host.as_deref().is_some_and(|host| names.is_explicit_address(host));
            (host, is_explicit)
        };
        // A connection that is not carried is reset: to clients, an orderly end would be an answer of the host.
        let Some(host) = host else {
            self.report_refused(&address.to_string());
            return drop(inside.set_zero_linger());
        };
        match connect(&host, address.port(), is_explicit).await {
            // Either side may end the connection at any time.
            Ok(mut outside) => drop(copy_bidirectional(&mut inside, &mut outside).await),
            Err(error) => {
                super::report(&format_args!("{host}:{}: {error}", address.port()));
                drop(inside.set_zero_linger());
            }
        }
    }

    fn report_refused(&self, host: &str) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() < REPORTED && reported.insert(host.to_owned()) {
            let host: String = host.chars().flat_map(char::escape_default).collect();
            super::report(&format_args!("refused to connect to {host}: the policy does not list it"));
        }
    }
}

/// Connects to a listed host. Its name may not stand for this machine or its network devices, unless the policy lists
/// an address.
async fn connect(host: &str, port: u16, is_explicit: bool) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((host, port)).await? {
        if !is_explicit && is_own(address.ip()) {
            refused = io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("it has the address {}, which the policy does not list", address.ip()),
            );
            continue;
        }
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => refused = error,
            Err(_) => refused = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(refused)
}

/// Returns whether an address means this machine, or a service of its network device (169.254.169.254).
fn is_own(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.octets()[0] == 0
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || (v6.segments()[0] & 0xffc0) == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn a_name_does_not_lead_to_this_machine() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("0.0.0.0", true),
            ("169.254.169.254", true),
            ("224.0.0.1", true),
            ("::1", true),
            ("::", true),
            ("::ffff:127.0.0.1", true),
            ("fe80::1", true),
            ("10.0.0.1", false),
            ("93.184.216.34", false),
            ("2606:2800::1", false),
        ] {
            assert_eq!(is_own(address.parse().expect("an address")), expected, "{address}");
        }
    }
}
