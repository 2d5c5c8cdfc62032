//! Whether callers must say who they are, and under which URL they know us: decided before anything is started.

use std::net::SocketAddr;

use loggia_connect::manifest::{Listen, PublicUrl, ServerSection};

use crate::args::UpArgs;
use crate::exit::{Failure, Outcome};

/// Who may use the endpoint, and how they reach it.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    protected: bool,
    /// Whether other machines can reach it, by itself or by what stands before it.
    exposed: bool,
    /// Whether only this machine can reach it by itself.
    local: bool,
    public_url: Option<PublicUrl>,
    provider: Option<String>,
}

impl Access {
    /// What the command line says counts more than the file, and the file more than where we listen.
    pub(crate) fn decide(args: &UpArgs, server: &ServerSection, listen: &Listen) -> Outcome<Access> {
        let public_url = match &args.public_url {
            Some(text) => Some(
                text.parse::<PublicUrl>()
                    .map_err(|why| Failure::usage(format!("--public-url {text}: {why}")))?,
            ),
            None => server.public_url.clone(),
        };
        let exposed = !listen.is_local() || public_url.as_ref().is_some_and(|url| !url.is_local());
        let by_file = server.auth.as_ref().map(|auth| auth.enabled.unwrap_or(true));
        let protected = !args.no_auth && (args.auth || by_file.unwrap_or(exposed));
        if protected && public_url.is_none() && !listen.is_local() {
            return Err(Failure::usage(format!(
                "other machines can reach {listen}, so authorization is on, and then clients must know under which URL"
            ))
            .hint("--public-url https://HOST (or server.public_url) names it; --no-auth lets everybody in"));
        }
        let provider = server.auth.as_ref().and_then(|auth| match auth.embedded {
            true => Some(auth.openid.as_ref()?.issuer.clone()),
            false => Some(auth.issuers.first()?.issuer.clone()),
        });
        Ok(Access { protected, exposed, local: listen.is_local(), public_url, provider })
    }

    /// Whether callers must say who they are.
    pub(crate) fn is_protected(&self) -> bool {
        self.protected
    }

    /// Whether other machines can reach it.
    pub(crate) fn is_exposed(&self) -> bool {
        self.exposed
    }

    /// Where people sign in, if it is not here.
    pub(crate) fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// The URL without a path.
    pub(crate) fn base(&self, address: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.as_str().to_owned(),
            None => format!("http://{address}"),
        }
    }

    /// Returns the origin of the pages that are served under the public URL.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.public_url.as_ref().map(PublicUrl::as_str)
    }

    /// The host of the public URL, where only hosts that were named are answered.
    pub(crate) fn host(&self, some_are_named: bool) -> Option<&str> {
        self.public_url.as_ref().map(PublicUrl::authority).filter(|_| self.local || some_are_named)
    }
}
