//! `_meta` read straight into its fields, without a tree. Every request is read so; what does not fit at once
//! (`None`) is read again as a tree, which knows how to word the error.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{
    CLIENT_CAPABILITIES, CLIENT_INFO, Declared, HasMeta, LOG_LEVEL, PROGRESS_TOKEN, PROTOCOL_VERSION,
    RequestMeta,
};
use crate::meta_key::drop_invalid_trace_context;
use crate::model::{ClientCapabilities, Implementation, LoggingLevel, Meta, ProgressToken};
use crate::raw::RawJson;
use crate::version::Version;

/// The version that is declared.
pub(super) fn declared(params: Option<&RawJson>) -> Option<Declared> {
    let Some(params) = params else { return Some(Declared::Nothing) };
    let holder: HasMeta<Peek> = params.decode().ok()?;
    Some(holder.meta.map_or(Declared::Nothing, |peek| peek.0))
}

/// The `_meta` of a stateless request that lacks nothing.
pub(super) fn stateless(params: Option<&RawJson>, supported: &[Version]) -> Option<RequestMeta> {
    let fields = params?.decode::<HasMeta<Fields>>().ok()?.meta?;
    let version = fields.version.filter(|version| version.is_stateless() && supported.contains(version))?;
    Some(RequestMeta {
        version,
        client_info: fields.client_info,
        client_capabilities: fields.client_capabilities?,
        log_level: fields.log_level,
        progress_token: fields.progress_token,
        extra: fields.extra,
    })
}

/// What the `_meta` of a session's request may say.
pub(super) fn in_session(params: Option<&RawJson>) -> Option<(Option<ProgressToken>, Meta)> {
    let Some(params) = params else { return Some((None, Meta::new())) };
    let fields = params.decode::<HasMeta<Fields>>().ok()?.meta.unwrap_or_default();
    // The other keys have no meaning in a session: they are kept as they came.
    let plain = fields.version.is_none()
        && fields.client_info.is_none()
        && fields.client_capabilities.is_none()
        && fields.log_level.is_none();
    plain.then_some((fields.progress_token, fields.extra))
}

/// The keys of `_meta` that have a meaning here.
#[derive(Default)]
struct Fields {
    version: Option<Version>,
    client_info: Option<Implementation>,
    client_capabilities: Option<ClientCapabilities>,
    log_level: Option<LoggingLevel>,
    progress_token: Option<ProgressToken>,
    extra: Meta,
}

enum Key {
    Version,
    ClientInfo,
    ClientCapabilities,
    LogLevel,
    ProgressToken,
    Other(String),
}

impl From<&str> for Key {
    fn from(key: &str) -> Key {
        match key {
            PROTOCOL_VERSION => Key::Version,
            CLIENT_INFO => Key::ClientInfo,
            CLIENT_CAPABILITIES => Key::ClientCapabilities,
            LOG_LEVEL => Key::LogLevel,
            PROGRESS_TOKEN => Key::ProgressToken,
            other => Key::Other(other.to_owned()),
        }
    }
}

/// A version; `None` where it is not one of ours.
struct Known(Option<Version>);

impl From<&str> for Known {
    fn from(text: &str) -> Known {
        Known(Version::named(text))
    }
}

impl From<&str> for Declared {
    fn from(text: &str) -> Declared {
        Version::named(text).map_or_else(|| Declared::Unknown(text.to_owned()), Declared::Known)
    }
}

/// Whether a key is the one that names the version.
struct IsVersion(bool);

impl From<&str> for IsVersion {
    fn from(key: &str) -> IsVersion {
        IsVersion(key == PROTOCOL_VERSION)
    }
}

/// A string, made into a `T` where it stands.
struct Text<T>(T);

impl<'de, T: for<'a> From<&'a str>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<T>, D::Error> {
        struct Read<T>(std::marker::PhantomData<T>);

        impl<T: for<'a> From<&'a str>> Visitor<'_> for Read<T> {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<T>, E> {
                Ok(Text(T::from(text)))
            }
        }

        deserializer.deserialize_str(Read(std::marker::PhantomData))
    }
}

/// The version alone.
struct Peek(Declared);

impl<'de> Deserialize<'de> for Peek {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Peek, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Peek;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Peek, A::Error> {
                let mut declared = Declared::Nothing;
                while let Some(Text(IsVersion(is_version))) = map.next_key()? {
                    if is_version {
                        declared = map.next_value::<Text<Declared>>()?.0;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Peek(declared))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(Text(key)) = map.next_key()? {
                    match key {
                        Key::Version => fields.version = map.next_value::<Text<Known>>()?.0.0,
                        Key::ClientInfo => fields.client_info = Some(map.next_value()?),
                        Key::ClientCapabilities => fields.client_capabilities = Some(map.next_value()?),
                        Key::LogLevel => fields.log_level = Some(map.next_value()?),
                        Key::ProgressToken => fields.progress_token = Some(map.next_value()?),
                        Key::Other(key) => drop(fields.extra.insert(key, map.next_value::<Value>()?)),
                    }
                }
                if !fields.extra.is_empty() {
                    drop_invalid_trace_context(&mut fields.extra);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Read)
    }
}
