//! The access rule of a gateway: whether callers must sign in, and the URL by which they know the gateway. It is
//! decided before anything is started. Invariant: if other machines can reach the gateway, authorization is on unless
//! the program or the configuration turns it off.

use std::net::SocketAddr;

use loggia_connect::config_file::{PublicUrl, ServerSection};

use crate::error::{GatewayError, Result};

/// The access rule of a gateway.
#[derive(Debug, Clone)]
pub struct GatewayAccess {
    protected: bool,
    /// True if other machines can reach it, directly or through a proxy.
    exposed: bool,
    /// True if only this machine can reach it directly.
    local: bool,
    public_url: Option<PublicUrl>,
    provider: Option<String>,
}

impl GatewayAccess {
    /// Decides the rule for a gateway that listens on `address`; `None` if a program serves it itself. The program's
    /// choice of `authorization` overrides the configuration, and the configuration overrides the default for the
    /// address.
    pub(crate) fn decide(
        authorization: Option<bool>,
        public_url: Option<&PublicUrl>,
        server: &ServerSection,
        address: Option<&ListenAddress>,
    ) -> Result<GatewayAccess> {
        let public_url = public_url.or(server.public_url.as_ref()).cloned();
        let public = |url: &PublicUrl| !url.is_local();
        let (local, exposed) = match address {
            Some(address) => (address.is_local, !address.is_local || public_url.as_ref().is_some_and(public)),
            None => {
                (public_url.as_ref().is_none_or(PublicUrl::is_local), public_url.as_ref().is_none_or(public))
            }
        };
        let by_file = server.auth.as_ref().map(|auth| auth.enabled.unwrap_or(true));
        let protected = authorization.or(by_file).unwrap_or(exposed);
        if protected && public_url.is_none() && address.is_none_or(|address| !address.is_local) {
            return Err(GatewayError::NoPublicUrl(address.map(|address| address.text.clone())));
        }
        let provider = server.auth.as_ref().and_then(|auth| match auth.embedded {
            true => Some(auth.openid.as_ref()?.issuer.clone()),
            false => Some(auth.issuers.first()?.issuer.clone()),
        });
        Ok(GatewayAccess { protected, exposed, local, public_url, provider })
    }

    /// Returns whether callers must sign in or send an API key.
    pub fn is_protected(&self) -> bool {
        self.protected
    }

    /// Returns whether other machines can reach the gateway.
    pub fn is_exposed(&self) -> bool {
        self.exposed
    }

    /// Returns the issuer at which users sign in; `None` if it is the gateway itself.
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// Returns the URL of the gateway without a path, if it is known.
    pub(crate) fn base(&self, address: Option<SocketAddr>) -> Option<String> {
        let public_url = self.public_url.as_ref().map(|url| url.as_str().to_owned());
        public_url.or_else(|| Some(format!("http://{}", address?)))
    }

    /// Returns whether the gateway accepts only loopback names, unless other hosts are allowed.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// Returns the origin of the pages that are served under the public URL.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.public_url.as_ref().map(PublicUrl::as_str)
    }

    /// Returns the host of the public URL, if the gateway accepts only named hosts.
    pub(crate) fn host(&self, some_are_named: bool) -> Option<&str> {
        self.public_url.as_ref().map(PublicUrl::authority).filter(|_| self.local || some_are_named)
    }
}

/// An address to listen on, with the facts that the access rule needs.
pub(crate) struct ListenAddress {
    /// The address as the administrator wrote it.
    pub(crate) text: String,
    /// True if only this machine can reach it.
    pub(crate) is_local: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(public_url: Option<&str>, auth: Option<bool>) -> ServerSection {
        let auth = auth.map(|enabled| format!("[server.auth]\nenabled = {enabled}\n")).unwrap_or_default();
        let url = public_url.map(|url| format!("public_url = \"{url}\"\n")).unwrap_or_default();
        let text = format!("[server]\n{url}{auth}");
        let file = std::path::Path::new("loggia.toml");
        loggia_connect::config_file::ConfigFile::parse(&text, file).expect("a configuration file").server
    }

    /// Each case: the address, if any, and whether it is local; the public URL; the settings of the program and of
    /// the file for authorization; and the decision, `None` if a public URL is missing.
    #[test]
    fn authorization_is_on_where_other_machines_can_connect() {
        let (here, there) = (Some(("127.0.0.1:4000", true)), Some(("0.0.0.0:4000", false)));
        let (public, private) = (Some("https://hub.example"), Some("http://127.0.0.1:4000"));
        for (address, url, program, file, expected) in [
            (here, None, None, None, Some(false)),
            (here, private, None, None, Some(false)),
            (here, public, None, None, Some(true)),
            (here, None, Some(true), None, Some(true)),
            (here, None, None, Some(true), Some(true)),
            (here, public, Some(false), Some(true), Some(false)),
            (there, public, None, None, Some(true)),
            (there, public, None, Some(false), Some(false)),
            (there, None, None, None, None),
            (there, None, Some(false), None, Some(false)),
            (None, None, None, None, None),
            (None, public, None, None, Some(true)),
            (None, private, None, None, Some(false)),
            (None, None, Some(false), None, Some(false)),
        ] {
            let address = address.map(|(text, is_local)| ListenAddress { text: text.to_owned(), is_local });
            let decided = GatewayAccess::decide(program, None, &server(url, file), address.as_ref());
            let decided = decided.ok().map(|access| access.is_protected());
            let address = address.map(|address| address.text);
            assert_eq!(decided, expected, "{address:?}, {url:?}, {program:?}, {file:?}");
        }
    }
}
