//! The HTTP headers that mirror a request's body, so that a proxy can route a request without reading the body.
//! Client and server use the same rules here: a server accepts every header that a client writes, and refuses a
//! header that differs from the body.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use crate::json::JsonObject;

use crate::json::{MAX_SCHEMA_DEPTH, SchemaStep, each_subschema};

/// The header that carries the revision of a request.
pub const MCP_PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The header that mirrors `method`.
pub const MCP_METHOD: &str = "mcp-method";
/// The header that mirrors `params.name` or `params.uri`.
pub const MCP_NAME: &str = "mcp-name";
/// The header that names a legacy session.
pub const MCP_SESSION_ID: &str = "mcp-session-id";
/// The header with which an event stream is resumed.
pub const LAST_EVENT_ID: &str = "last-event-id";
/// The prefix of a header that mirrors a tool's argument.
pub const PARAM_PREFIX: &str = "mcp-param-";
/// The schema keyword of an argument that is mirrored into a header.
pub(crate) const X_MCP_HEADER: &str = "x-mcp-header";

const SENTINEL_START: &str = "=?base64?";
const SENTINEL_END: &str = "?=";
/// The largest integer that every peer reads exactly: 2^53 − 1.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// Returns `value` as a header value: unchanged if that is safe, otherwise in the base64 form `=?base64?…?=`. A value
/// that looks like this form is encoded, too, so that it is not ambiguous. A tab is always encoded: it is legal in a
/// field value, but some servers refuse it.
pub fn encode_value(value: &str) -> Cow<'_, str> {
    let unsafe_text = value.bytes().any(|b| !(0x20..=0x7e).contains(&b)) || value.trim_matches(' ') != value;
    let ambiguous = value.starts_with(SENTINEL_START) && value.ends_with(SENTINEL_END);
    if unsafe_text || ambiguous {
        Cow::Owned(format!("{SENTINEL_START}{}{SENTINEL_END}", STANDARD.encode(value)))
    } else {
        Cow::Borrowed(value)
    }
}

/// Returns the value of a header, from its text or its bytes. White space around it is removed.
pub fn decode_value<V: AsRef<[u8]> + ?Sized>(value: &V) -> Result<Cow<'_, str>, HeaderValueError> {
    let bytes = trim_ows(value.as_ref());
    if !bytes.iter().all(|&b| b == b'\t' || (0x20..=0x7e).contains(&b)) {
        return Err(HeaderValueError::InvalidCharacter);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| HeaderValueError::InvalidCharacter)?;
    let Some(encoded) = text.strip_prefix(SENTINEL_START).and_then(|rest| rest.strip_suffix(SENTINEL_END))
    else {
        return Ok(Cow::Borrowed(text));
    };
    let decoded = STANDARD.decode(encoded).map_err(|_| HeaderValueError::InvalidBase64)?;
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| HeaderValueError::InvalidUtf8)
}

/// Compares the header `name`, with its `values`, with the value in the body. Returns `Ok` if they are equal or both
/// are absent; otherwise the message of a `HeaderMismatch` error. It is only for headers that may have the base64
/// form; `Mcp-Method` and `MCP-Protocol-Version` are compared without decoding.
pub fn check_mirror<'h>(
    name: &str,
    values: impl IntoIterator<Item = &'h [u8]>,
    expected: Option<&str>,
) -> Result<(), String> {
    match (single(name, values)?, expected) {
        (None, None) => Ok(()),
        (None, Some(expected)) => Err(format!(
            "Header mismatch: the {name} header is missing, but the body has the value {}",
            quoted(expected)
        )),
        (Some(found), None) => Err(extra(name, &found)),
        (Some(found), Some(expected)) if found == expected => Ok(()),
        (Some(found), Some(expected)) => Err(mismatch(name, &found, &quoted(expected))),
    }
}

/// The reasons why a header value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderValueError {
    /// It contains a character other than visible ASCII, space and tab.
    InvalidCharacter,
    /// The text between `=?base64?` and `?=` is not base64 with its padding.
    InvalidBase64,
    /// The base64 does not encode UTF-8.
    InvalidUtf8,
}

impl fmt::Display for HeaderValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeaderValueError::InvalidCharacter => {
                "it holds a character other than visible ASCII, space and tab"
            }
            HeaderValueError::InvalidBase64 => "what stands between =?base64? and ?= is not padded base64",
            HeaderValueError::InvalidUtf8 => "its base64 does not hold UTF-8 text",
        })
    }
}

impl std::error::Error for HeaderValueError {}

/// The arguments of one tool that are mirrored into headers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamHeaders {
    params: Vec<ParamHeader>,
}

#[derive(Debug, Clone, PartialEq)]
struct ParamHeader {
    /// The whole header name, in lower case.
    header: String,
    /// The property names that lead to the argument.
    path: Vec<String>,
    integer: bool,
}

impl ParamHeaders {
    /// Reads the `x-mcp-header` annotations of a tool's input schema. An error makes the whole tool invalid: a client
    /// removes it from its list, and a server with such a tool cannot be built.
    pub fn from_schema(input_schema: &JsonObject) -> Result<ParamHeaders, HeaderRuleError> {
        let mut walk = AnnotationCollector { found: Vec::new(), seen: HashMap::new() };
        let text = input_schema.as_str();
        if !text.contains(X_MCP_HEADER) && !text.contains("\\u") {
            return Ok(ParamHeaders { params: walk.found });
        }
        let unreadable = |_| HeaderRuleError { path: "#".to_owned(), rule: HeaderRule::Unreadable };
        let input_schema: Map<String, Value> = input_schema.decode().map_err(unreadable)?;
        walk.schema(
            &input_schema,
            &SchemaPosition { pointer: "#".to_owned(), path: Some(Vec::new()), depth: 0 },
        )?;
        Ok(ParamHeaders { params: walk.found })
    }

    /// Returns whether no argument is mirrored.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
    }

    /// Returns the header names, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.params.iter().map(|param| param.header.as_str())
    }

    /// Returns the headers of a call: name in lower case and encoded value. An argument that is absent, null, or not
    /// a primitive has none.
    pub fn values(&self, arguments: Option<&Map<String, Value>>) -> Vec<(String, String)> {
        let rendered = |param: &ParamHeader| {
            let text = render(argument(arguments, &param.path)?)?;
            Some((param.header.clone(), encode_value(&text).into_owned()))
        };
        self.params.iter().filter_map(rendered).collect()
    }

    /// Compares the headers of a call with its arguments; the error is the message of a `HeaderMismatch`.
    ///
    /// `lookup` gets the name of a header in lower case and returns all its values. It may return an `Option<&[u8]>`
    /// if repeated headers were refused before. A header for an argument that is not in the body is refused: a proxy
    /// may have routed on a value that the tool does not get.
    pub fn check<'h, I: IntoIterator<Item = &'h [u8]>>(
        &self,
        lookup: impl Fn(&str) -> I,
        arguments: Option<&Map<String, Value>>,
    ) -> Result<(), String> {
        for param in &self.params {
            let found = single(&param.header, lookup(&param.header))?;
            param.check(found.as_deref(), argument(arguments, &param.path))?;
        }
        Ok(())
    }
}

impl ParamHeader {
    fn check(&self, found: Option<&str>, argument: Option<&Value>) -> Result<(), String> {
        if let Some(Value::Number(number)) = argument
            && self.integer
            && !is_safe(number)
        {
            return Err(format!(
                "Header mismatch: the argument {} is mirrored into {} and must lie between -{MAX_SAFE_INTEGER} and \
                 {MAX_SAFE_INTEGER}, got {number}",
                self.path.join("."),
                self.header
            ));
        }
        match (found, argument.filter(|value| !value.is_null())) {
            (None, None) => Ok(()),
            (Some(found), None) => Err(extra(&self.header, found)),
            // A value that cannot be rendered has no header. The input schema refuses it with a better message.
            (None, Some(argument)) if render(argument).is_none() => Ok(()),
            (None, Some(_)) => Err(format!(
                "Header mismatch: the {} header is missing, but the body has the argument {}",
                self.header,
                self.path.join(".")
            )),
            (Some(found), Some(argument)) if agrees(found, argument) => Ok(()),
            (Some(found), Some(argument)) => {
                let argument = serde_json::to_string(argument).unwrap_or_default();
                Err(mismatch(&self.header, found, &shortened(&argument)))
            }
        }
    }
}

/// A tool's `x-mcp-header` annotation that breaks a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderRuleError {
    /// The position in the input schema, as a JSON Pointer fragment.
    pub path: String,
    /// The rule that is broken.
    pub rule: HeaderRule,
}

/// The rules for `x-mcp-header` annotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderRule {
    /// The value is a string.
    NotAString,
    /// The value is a non-empty HTTP field-name token.
    NotAToken(String),
    /// No two names are equal, in any case; the second value is the place that has the name already.
    Duplicate(String, String),
    /// The property's `type` is `string`, `integer` or `boolean`.
    NotPrimitive,
    /// The path from the root to the property consists only of `properties`.
    NotReachable,
    /// The schema does not nest deeper than this module reads.
    TooDeep,
    /// The schema nests no deeper than a parser reads, and its numbers fit an `f64`.
    Unreadable,
}

impl fmt::Display for HeaderRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.rule {
            HeaderRule::NotAString => write!(f, "x-mcp-header at {path} must be a string"),
            HeaderRule::NotAToken(name) if name.is_empty() => {
                write!(f, "x-mcp-header at {path} must not be empty")
            }
            HeaderRule::NotAToken(name) => write!(
                f,
                "x-mcp-header at {path} must be an HTTP token (letters, digits and !#$%&'*+-.^_`|~), got {}",
                quoted(name)
            ),
            HeaderRule::Duplicate(name, first) => {
                write!(
                    f,
                    "x-mcp-header {} at {path} is already used at {first}; case does not tell them apart",
                    quoted(name)
                )
            }
            HeaderRule::NotPrimitive => write!(
                f,
                "x-mcp-header at {path} needs a property whose \"type\" is \"string\", \"integer\" or \"boolean\""
            ),
            HeaderRule::NotReachable => write!(
                f,
                "x-mcp-header at {path} is not allowed there: only on properties reached from the root through \
                 \"properties\" alone"
            ),
            HeaderRule::Unreadable => {
                f.write_str("the schema nests too deeply, or has a number that no 64-bit float can hold")
            }
            HeaderRule::TooDeep => {
                write!(f, "the schema nests deeper than {MAX_SCHEMA_DEPTH} levels at {path}")
            }
        }
    }
}

impl std::error::Error for HeaderRuleError {}

struct AnnotationCollector {
    found: Vec<ParamHeader>,
    /// Maps the name of a header to its position in the schema.
    seen: HashMap<String, String>,
}

/// A position in a schema.
struct SchemaPosition<'p> {
    /// A JSON Pointer fragment.
    pointer: String,
    /// The property names of the path; `None` if the path contains anything but `properties`.
    path: Option<Vec<&'p str>>,
    depth: usize,
}

impl<'p> SchemaPosition<'p> {
    fn below(&self, step: SchemaStep<'p>) -> SchemaPosition<'p> {
        let mut pointer = self.pointer.clone();
        step.append_to(&mut pointer);
        let path = match (step, &self.path) {
            (SchemaStep::Name("properties", name), Some(path)) => Some([path.as_slice(), &[name]].concat()),
            _ => None,
        };
        SchemaPosition { pointer, path, depth: self.depth + 1 }
    }

    fn error(&self, rule: HeaderRule) -> HeaderRuleError {
        HeaderRuleError { path: self.pointer.clone(), rule }
    }
}

impl AnnotationCollector {
    fn schema(
        &mut self,
        schema: &Map<String, Value>,
        place: &SchemaPosition<'_>,
    ) -> Result<(), HeaderRuleError> {
        if place.depth > MAX_SCHEMA_DEPTH {
            return Err(place.error(HeaderRule::TooDeep));
        }
        if let Some(name) = schema.get(X_MCP_HEADER) {
            self.annotation(name, schema, place)?;
        }
        each_subschema(schema, |step, child| self.schema(child, &place.below(step)))
    }

    fn annotation(
        &mut self,
        name: &Value,
        schema: &Map<String, Value>,
        place: &SchemaPosition<'_>,
    ) -> Result<(), HeaderRuleError> {
        let path = place.path.as_deref().filter(|path| !path.is_empty());
        let path = path.ok_or_else(|| place.error(HeaderRule::NotReachable))?;
        let Value::String(name) = name else { return Err(place.error(HeaderRule::NotAString)) };
        if !is_token(name) {
            return Err(place.error(HeaderRule::NotAToken(name.clone())));
        }
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        if !matches!(kind, "string" | "integer" | "boolean") {
            return Err(place.error(HeaderRule::NotPrimitive));
        }
        let header = format!("{PARAM_PREFIX}{}", name.to_ascii_lowercase());
        if let Some(first) = self.seen.insert(header.clone(), place.pointer.clone()) {
            return Err(place.error(HeaderRule::Duplicate(name.clone(), first)));
        }
        let path = path.iter().map(|&name| name.to_owned()).collect();
        self.found.push(ParamHeader { header, path, integer: kind == "integer" });
        Ok(())
    }
}

/// Returns whether `name` is a token (RFC 9110, section 5.6.2: `1*tchar`).
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Removes the spaces and tabs around a field value, which are not part of it (RFC 9110, section 5.5).
fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn argument<'a>(arguments: Option<&'a Map<String, Value>>, path: &[String]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    let mut object = arguments?;
    for name in parents {
        object = object.get(name)?.as_object()?;
    }
    object.get(last)
}

fn render(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Number(number) => Some(Cow::Owned(match as_safe_integer(number) {
            Some(integer) => integer.to_string(),
            None => number.to_string(),
        })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn agrees(found: &str, argument: &Value) -> bool {
    match argument {
        Value::Number(number) => match (found.parse::<i64>(), number.as_i64()) {
            (Ok(found), Some(number)) => found == number,
            _ => is_decimal(found) && found.parse::<f64>().ok() == number.as_f64(),
        },
        other => render(other).is_some_and(|text| text == found),
    }
}

/// Returns whether `text` has only characters of decimal numbers. The parser of `f64` accepts `inf` and `nan`, too.
fn is_decimal(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
}

fn is_safe(number: &Number) -> bool {
    number.as_f64().is_some_and(|value| value.abs() <= MAX_SAFE_INTEGER as f64)
}

fn as_safe_integer(number: &Number) -> Option<i64> {
    let value = number.as_f64().filter(|value| value.fract() == 0.0)?;
    is_safe(number).then_some(value as i64)
}

fn single<'h>(name: &str, values: impl IntoIterator<Item = &'h [u8]>) -> Result<Option<String>, String> {
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(format!("Header mismatch: the {name} header appears more than once"));
    }
    match decode_value(first) {
        Ok(value) => Ok(Some(value.into_owned())),
        Err(error) => Err(format!("Header mismatch: the {name} header is malformed: {error}")),
    }
}

fn mismatch(name: &str, found: &str, expected: &str) -> String {
    format!("Header mismatch: {name} header value {} does not match body value {expected}", quoted(found))
}

fn extra(name: &str, found: &str) -> String {
    format!("Header mismatch: the {name} header has the value {}, but the body has none", quoted(found))
}

fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

/// Returns at most the first 80 characters, so that a message never repeats a large value.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
