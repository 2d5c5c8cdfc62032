//! The small form of a session: the data that a replica which never saw `initialize` needs to serve its requests. It has
//! short names and no icons, because it travels in every request of the session.

use std::sync::Arc;

use loggia_wire::json::{JsonRef, ToJson, VecMap};
use loggia_wire::model::{Implementation, Meta};
use loggia_wire::{Era, RawJson, RawObject, RequestMeta};

use super::Session;

impl Session {
    /// Writes the small form. It holds the values that `initialize` settled (version, the client's name and capabilities,
    /// the level of log messages) and nothing that changes afterwards.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let meta = &self.meta;
        let version = meta.version.to_string();
        let info = meta.client_info.as_ref().map(|info| vec![info.name.clone(), info.version.clone()]);
        let small: Vec<(&str, &dyn ToJson)> = vec![
            (VERSION, &version),
            (INFO, &info),
            (CAPABILITIES, &meta.client_capabilities),
            (LEVEL, &meta.log_level),
        ];
        RawJson::from(JsonRef::Members(small)).into_bytes().into()
    }

    /// Reads the small form back. The session counts as initialized: its client has sent a request since.
    /// Returns `None` if the form is another one, for example that of another release: the client must then start a new
    /// session.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Session> {
        let small = RawObject::read(bytes).ok()?;
        let info: Option<Vec<String>> = small.get(INFO).ok()?;
        let meta = RequestMeta {
            version: small.string(VERSION)?.parse().ok()?,
            client_info: match info.as_deref() {
                None => None,
                Some([name, version]) => Some(Implementation::new(name, version)),
                Some(_) => return None,
            },
            client_capabilities: small.get(CAPABILITIES).ok()?,
            log_level: small.get(LEVEL).ok()?,
            progress_token: None,
            extra: Meta::new(),
        };
        (meta.version.era() == Era::Legacy).then(|| Session {
            meta: Arc::new(meta),
            initialized: true,
            subscriptions: VecMap::new(),
        })
    }
}

// The members of the small form.
const VERSION: &str = "v";
const INFO: &str = "n";
const CAPABILITIES: &str = "c";
const LEVEL: &str = "l";
