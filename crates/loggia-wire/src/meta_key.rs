//! The rules for `_meta` keys, for extension identifiers, and for the trace context in three of the keys. Values that
//! break the rules are not passed on.

use std::collections::HashSet;
use std::fmt;

use crate::header::is_token;
use crate::json::JsonObject;

/// `_meta` key: the current span of the sender (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";
/// `_meta` key: data of tracing systems for this span (W3C Trace Context).
pub const TRACESTATE: &str = "tracestate";
/// `_meta` key: data of the application (W3C Baggage).
pub const BAGGAGE: &str = "baggage";

/// The most bytes of a `tracestate` or a `baggage`.
pub const MAX_TRACE_VALUE: usize = 8192;

/// A valid `_meta` key in its two segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaKey<'a> {
    /// The part before the slash, if there is one.
    pub prefix: Option<&'a str>,
    /// The part after the slash; may be empty.
    pub name: &'a str,
}

impl<'a> MetaKey<'a> {
    /// Splits a key, by the rules of the specification.
    pub fn parse(key: &'a str) -> Result<MetaKey<'a>, MetaKeyError> {
        let (prefix, name) = match key.split_once('/') {
            Some((prefix, name)) => (Some(prefix), name),
            None => (None, key),
        };
        if prefix.is_some_and(|prefix| !prefix.split('.').all(is_label)) {
            return Err(MetaKeyError::Prefix);
        }
        if !is_name(name) {
            return Err(MetaKeyError::Name);
        }
        Ok(MetaKey { prefix, name })
    }

    /// Splits an extension identifier: a key with a prefix and a name.
    pub fn parse_extension(identifier: &'a str) -> Result<MetaKey<'a>, MetaKeyError> {
        let key = MetaKey::parse(identifier)?;
        match key.prefix {
            None => Err(MetaKeyError::NoPrefix),
            Some(_) if key.name.is_empty() => Err(MetaKeyError::Name),
            Some(_) => Ok(key),
        }
    }

    /// Returns whether the key is reserved for the protocol: `modelcontextprotocol` or `mcp` is the second label of
    /// its prefix, or it is one of the reserved keys without a prefix.
    pub fn is_reserved(self) -> bool {
        match self.prefix {
            Some(prefix) => matches!(prefix.split('.').nth(1), Some("modelcontextprotocol" | "mcp")),
            None => matches!(self.name, crate::meta::PROGRESS_TOKEN | TRACEPARENT | TRACESTATE | BAGGAGE),
        }
    }
}

/// The rule that a name breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaKeyError {
    /// The prefix does not consist of labels.
    Prefix,
    /// The name is malformed.
    Name,
    /// An extension identifier without a prefix.
    NoPrefix,
}

impl fmt::Display for MetaKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MetaKeyError::Prefix => {
                "what stands before the slash must be labels with dots between; a label starts with a letter, ends \
                 with a letter or digit, and has letters, digits and hyphens between"
            }
            MetaKeyError::Name => {
                "the name must begin and end with a letter or digit, with letters, digits, hyphens, underscores and \
                 dots between"
            }
            MetaKeyError::NoPrefix => "an extension identifier needs a vendor prefix: com.example/name",
        })
    }
}

impl std::error::Error for MetaKeyError {}

/// Removes malformed trace context from `_meta`, and returns the names of the removed keys. A `tracestate` without a
/// valid `traceparent` has no meaning and is removed, too.
pub fn drop_invalid_trace_context(meta: &mut JsonObject) -> Vec<&'static str> {
    type Rule = fn(&str) -> bool;
    const RULES: [(&str, Rule); 3] =
        [(TRACEPARENT, is_traceparent), (TRACESTATE, is_tracestate), (BAGGAGE, is_baggage)];
    let mut dropped = Vec::new();
    for (key, valid) in RULES {
        let orphan = key == TRACESTATE && !meta.contains_key(TRACEPARENT);
        if meta.get(key).is_some_and(|value| orphan || !value.as_str().is_some_and(|text| valid(&text))) {
            meta.remove(key);
            dropped.push(key);
        }
    }
    dropped
}

/// Returns whether `value` is a `traceparent` (W3C Trace Context, section 3.2), of this version or a later one.
pub fn is_traceparent(value: &str) -> bool {
    let Some((known, rest)) = value.split_at_checked(55) else { return false };
    let mut fields = known.split('-');
    let mut field = |length| {
        fields.next().filter(|text| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    let (Some(version), Some(trace), Some(parent), Some(_flags)) = (field(2), field(32), field(16), field(2))
    else {
        return false;
    };
    let zero = |text: &str| text.bytes().all(|b| b == b'0');
    let end = if version == "00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with('-') };
    version != "ff" && !zero(trace) && !zero(parent) && end
}

/// Returns whether `value` is a `tracestate` (W3C Trace Context, section 3.3).
pub fn is_tracestate(value: &str) -> bool {
    const MAX_MEMBERS: usize = 32;
    let mut keys = HashSet::new();
    let members = value.split(',').map(trim).filter(|member| !member.is_empty());
    let valid = |member: &str| {
        let Some((key, value)) = member.split_once('=') else { return false };
        is_tracestate_key(key) && is_tracestate_value(value) && keys.insert(key.to_owned())
    };
    value.len() <= MAX_TRACE_VALUE && members.clone().count() <= MAX_MEMBERS && { members }.all(valid)
}

/// Returns whether `value` is a `baggage` (W3C Baggage, section 3.3).
pub fn is_baggage(value: &str) -> bool {
    const MAX_MEMBERS: usize = 180;
    value.len() <= MAX_TRACE_VALUE
        && value.split(',').count() <= MAX_MEMBERS
        && value.split(',').all(|member| {
            let mut pieces = member.split(';');
            let is_pair = |piece: &str| {
                piece
                    .split_once('=')
                    .is_some_and(|(key, value)| is_token(trim(key)) && is_baggage_value(trim(value)))
            };
            pieces.next().is_some_and(is_pair) && pieces.all(|piece| is_pair(piece) || is_token(trim(piece)))
        })
}

fn is_label(label: &str) -> bool {
    label.starts_with(|c: char| c.is_ascii_alphabetic())
        && label.ends_with(|c: char| c.is_ascii_alphanumeric())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_name(name: &str) -> bool {
    name.is_empty()
        || (name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn is_tracestate_key(key: &str) -> bool {
    let part = |text: &str, length: usize, digit_first: bool| {
        (1..=length).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || (digit_first && c.is_ascii_digit()))
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/".contains(&b))
    };
    match key.split_once('@') {
        Some((tenant, system)) => part(tenant, 241, true) && part(system, 14, false),
        None => part(key, 256, false),
    }
}

fn is_tracestate_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && !value.ends_with(' ')
        && value.bytes().all(|b| (0x20..=0x7e).contains(&b) && b != b',' && b != b'=')
}

fn is_baggage_value(value: &str) -> bool {
    value.bytes().all(|b| (0x21..=0x7e).contains(&b) && !b"\",;\\".contains(&b))
}
