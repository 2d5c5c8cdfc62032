//! Where to listen, as people write it.

use std::fmt;
use std::str::FromStr;

/// A host and a port. A host that is left out is this machine alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port; 0 for any that is free.
    pub port: u16,
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Listen, &'static str> {
        const FORMS: &str = "write HOST:PORT, :PORT or PORT, for example 127.0.0.1:4000 or [::1]:4000";
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port: u16 = port.parse().map_err(|_| FORMS)?;
        let unbracketed = host.strip_prefix('[').and_then(|inside| inside.strip_suffix(']'));
        let host = match (host, unbracketed) {
            ("", _) => "127.0.0.1",
            (_, Some(address)) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
            (name, None) if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')) => name,
            _ => return Err(FORMS),
        };
        Ok(Listen { host: host.to_owned(), port })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
