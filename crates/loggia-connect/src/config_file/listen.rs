//! Parses the address to listen on and the public URL.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

/// A host and a port. A host that is left out is this machine alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port; 0 for any that is free.
    pub port: u16,
}

impl Listen {
    /// Returns whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        is_local(&self.host)
    }
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

/// The URL under which clients reach the endpoint, without a path: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    authority: String,
    local: bool,
}

impl PublicUrl {
    /// The URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// The host, with its port where that is not the usual one.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns whether only this machine is meant.
    pub fn is_local(&self) -> bool {
        self.local
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<PublicUrl, &'static str> {
        const FORM: &str = "write scheme and host, without a path, for example \"https://mcp.example.com\"";
        let uri: Uri = text.parse().map_err(|_| FORM)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(FORM) };
        let plain = matches!(uri.path(), "" | "/") && uri.query().is_none() && !text.contains('#');
        if !plain || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(FORM);
        }
        let local = is_local(authority.host().trim_start_matches('[').trim_end_matches(']'));
        let usual = match scheme {
            "https" => 443,
            "http" if local => 80,
            "http" => return Err("a URL that others reach must begin with https://"),
            _ => return Err(FORM),
        };
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().filter(|port| *port != usual);
        let authority = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        Ok(PublicUrl { origin: format!("{scheme}://{authority}"), authority, local })
    }
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
