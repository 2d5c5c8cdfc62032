//! Reads `_meta` into its fields without a tree. It is tried first for every request. If the text is unusual, the result
//! is `None`, and it is read again as a tree, whose errors say what is wrong.

use std::borrow::Cow;

use super::{
    CLIENT_CAPABILITIES, CLIENT_INFO, DeclaredVersion, LOG_LEVEL, PROGRESS_TOKEN, PROTOCOL_VERSION,
    RequestMeta,
};
use crate::json::{FromJson, JsonObject, Scanner, plain_text};
use crate::meta_key::drop_invalid_trace_context;
use crate::model::{ClientCapabilities, Implementation, LoggingLevel, Meta, ProgressToken};
use crate::params::Params;
use crate::version::Version;

/// Returns the text of `_meta`; the inner `None` if there is none.
pub(super) fn text(params: Option<&Params>) -> Option<Option<&[u8]>> {
    let Some(params) = params else { return Some(None) };
    params.routing().map(|routing| routing.meta)
}

/// Returns the declared version.
pub(super) fn declared(params: Option<&Params>) -> Option<DeclaredVersion> {
    let Some(meta) = text(params)? else { return Some(DeclaredVersion::Nothing) };
    let mut version = None;
    Scanner::new(meta).object(|scanner, name| {
        let value = scanner.value()?;
        if name == PROTOCOL_VERSION.as_bytes() {
            version = Some(value);
        }
        Some(())
    })?;
    let Some(version) = version else { return Some(DeclaredVersion::Nothing) };
    plain_text(version).map(DeclaredVersion::from)
}

/// Returns the `_meta` of a modern request, if all required keys are present.
pub(super) fn modern(params: Option<&Params>, supported: &[Version]) -> Option<RequestMeta> {
    let mut fields = MetaFields::read(text(params)??)?;
    let version = fields.version.filter(|version| version.is_modern() && supported.contains(version))?;
    Some(RequestMeta {
        version,
        extra: fields.extra(),
        client_info: fields.client_info,
        client_capabilities: fields.client_capabilities?,
        log_level: fields.log_level,
        progress_token: fields.progress_token,
    })
}

/// Reads the `_meta` of a request in a session.
pub(super) fn in_session(params: Option<&Params>) -> Option<(Option<ProgressToken>, Meta)> {
    let Some(meta) = text(params)? else { return Some((None, Meta::new())) };
    let mut fields = MetaFields::read(meta)?;
    // The other keys have no meaning in a session, and are kept unchanged.
    let plain = fields.version.is_none()
        && fields.client_info.is_none()
        && fields.client_capabilities.is_none()
        && fields.log_level.is_none();
    plain.then(|| (fields.progress_token.take(), fields.extra()))
}

/// The keys of `_meta` that have a meaning here.
#[derive(Default)]
struct MetaFields<'m> {
    version: Option<Version>,
    client_info: Option<Implementation>,
    client_capabilities: Option<ClientCapabilities>,
    log_level: Option<LoggingLevel>,
    progress_token: Option<ProgressToken>,
    others: Vec<(Cow<'m, str>, &'m [u8])>,
}

impl<'m> MetaFields<'m> {
    fn read(meta: &'m [u8]) -> Option<MetaFields<'m>> {
        let mut fields = MetaFields::default();
        Scanner::new(meta)
            .object(|scanner, name| fields.take(std::str::from_utf8(name).ok()?, scanner.value()?))?;
        Some(fields)
    }

    /// Returns the keys that have no meaning here, unchanged.
    fn extra(&mut self) -> Meta {
        if self.others.is_empty() {
            return Meta::new();
        }
        let mut extra = JsonObject::from_members(self.others.drain(..));
        drop_invalid_trace_context(&mut extra);
        extra
    }

    fn take(&mut self, name: &'m str, value: &'m [u8]) -> Option<()> {
        match name {
            PROTOCOL_VERSION => self.version = Version::named(plain_text(value)?),
            CLIENT_INFO => self.client_info = Some(read(value)?),
            CLIENT_CAPABILITIES if value == b"{}" => {
                self.client_capabilities = Some(ClientCapabilities::default());
            }
            CLIENT_CAPABILITIES => self.client_capabilities = Some(read(value)?),
            LOG_LEVEL => self.log_level = Some(read(value)?),
            PROGRESS_TOKEN => self.progress_token = Some(read(value)?),
            other => self.others.push((Cow::Borrowed(other), value)),
        }
        Some(())
    }
}

fn read<T: FromJson>(value: &[u8]) -> Option<T> {
    T::from_json(value).ok()
}
