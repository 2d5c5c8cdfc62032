//! Fingerprints of a connector's configuration, without its secrets: the remembered lists of a server must not be shown
//! for another one.

use ring::digest::{Context, SHA256};

use super::{Backend, Builtin, Connector};

/// Bytes of the digest that are kept.
const BYTES: usize = 8;

impl Connector {
    /// A digest of how it is reached, as the configuration file writes it. The values of headers and of environment variables
    /// are left out: they are secrets, and change without another server being meant.
    pub fn fingerprint(&self) -> String {
        let mut parts: Vec<&str> = Vec::new();
        match &self.backend {
            Backend::Stdio(stdio) => {
                parts.extend(["stdio", stdio.command.written()]);
                parts.extend(stdio.args.iter().map(|arg| arg.written()));
                parts.extend(stdio.env.keys().map(String::as_str));
                parts.extend(stdio.cwd.iter().map(|cwd| cwd.written()));
            }
            Backend::Remote(remote) => {
                parts.extend(["remote", remote.url.written()]);
                parts.extend(remote.headers.keys().map(String::as_str));
            }
            Backend::OpenApi(api) => {
                parts.extend(["openapi", api.description.written()]);
                parts.extend(api.base_url.iter().map(|url| url.written()));
                parts.extend(api.headers.keys().map(String::as_str));
            }
            Backend::Builtin(Builtin::Files { path, write, write_sensitive: _ }) => {
                parts.extend(["files", path.written(), if *write { "writable" } else { "read-only" }]);
            }
        }
        parts.extend(self.protocol.map(|version| version.as_str()));
        digest(&parts)
    }
}

fn digest(parts: &[&str]) -> String {
    let mut digest = Context::new(&SHA256);
    for part in parts {
        digest.update(&part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finish().as_ref()[..BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}
