//! Log messages for the client.

use super::{Extra, Meta};
use crate::json::RawJson;
use crate::json::{FromJson, ToJson};

/// A severity (RFC 5424, section 6.2.1). Ordered from least to most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToJson, FromJson)]
#[allow(missing_docs, reason = "the names are RFC 5424's")]
pub enum LoggingLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// Parameters of `logging/setLevel`. Until 2025-11-25.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct SetLevelParams {
    /// The least severity of the messages that the client wants.
    pub level: LoggingLevel,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

/// Parameters of `notifications/message`.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct LogParams {
    /// The severity.
    pub level: LoggingLevel,
    /// The name of the logger.
    pub logger: Option<String>,
    /// The message: any JSON.
    pub data: RawJson,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl LogParams {
    /// Creates a message without a logger.
    pub fn new(level: LoggingLevel, data: impl ToJson) -> LogParams {
        LogParams { level, logger: None, data: RawJson::of(&data), meta: None, extra: Extra::new() }
    }
}
