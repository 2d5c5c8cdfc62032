//! Parameters of an operation, and their values in a URL, a header or a cookie (OpenAPI 3.1, "Style Values"; RFC 6570).

use loggia_wire::{JsonText, RawJson};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::document::{Document, Format, boolean, member, members, string};
use crate::error::ArgumentError;

/// Everything but the unreserved characters (RFC 3986, section 2.3).
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, with the reserved characters that do not end a query's value.
const RESERVED: &AsciiSet = &STRICT
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b'[')
    .remove(b']');

/// The part of a request that a parameter belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Location {
    Path,
    Query,
    Header,
    Cookie,
}

impl Location {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Location::Path => "path",
            Location::Query => "query",
            Location::Header => "header",
            Location::Cookie => "cookie",
        }
    }
}

/// The serialization of arrays and objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    /// Swagger 2.0, `tsv`.
    TabDelimited,
    DeepObject,
    /// `content` in place of `schema`: the value is JSON text.
    Json,
}

/// A parameter of an operation.
#[derive(Debug, Clone)]
pub(crate) struct ApiParameter {
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) required: bool,
    pub(crate) description: Option<String>,
    pub(crate) schema: Option<RawJson>,
    pub(crate) style: Style,
    pub(crate) explode: bool,
    pub(crate) allow_reserved: bool,
}

/// A value in the forms that styles distinguish: one text, several texts, or texts with names.
#[derive(Debug, Clone, PartialEq)]
enum Parts {
    One(String),
    List(Vec<String>),
    Named(Vec<(String, String)>),
}

impl ApiParameter {
    /// Reads a parameter; `None` for those of a Swagger 2.0 body.
    pub(crate) fn read(document: &Document, parameter: &RawJson) -> Result<Option<ApiParameter>, String> {
        let parameter = document.follow(parameter)?;
        let name = string(&parameter, "name").ok_or("a parameter has no name")?;
        let location = match string(&parameter, "in").as_deref() {
            Some("path") => Location::Path,
            Some("query") => Location::Query,
            Some("header") => Location::Header,
            Some("cookie") => Location::Cookie,
            Some("body" | "formData") => return Ok(None),
            other => {
                return Err(format!(
                    "the parameter {name} is in {}",
                    other.unwrap_or("no part of the request")
                ));
            }
        };
        let content = member(&parameter, "content").map(|content| members(&content));
        let json_schema = content.as_deref().and_then(<[_]>::first).map(|(_, media)| member(media, "schema"));
        let swagger = document.format() == Format::Swagger2;
        let (style, explode) = match (&json_schema, swagger) {
            (Some(_), _) => (Style::Json, false),
            (None, true) => swagger_style(location, string(&parameter, "collectionFormat").as_deref()),
            (None, false) => {
                style_of(location, string(&parameter, "style").as_deref(), boolean(&parameter, "explode"))
            }
        };
        let schema = match json_schema {
            Some(schema) => schema,
            // A parameter of Swagger 2.0 is its own schema.
            None if swagger => Some(parameter.clone()),
            None => member(&parameter, "schema"),
        };
        Ok(Some(ApiParameter {
            required: location == Location::Path || boolean(&parameter, "required") == Some(true),
            description: string(&parameter, "description"),
            allow_reserved: boolean(&parameter, "allowReserved") == Some(true),
            name,
            location,
            schema,
            style,
            explode,
        }))
    }

    /// Returns the value of a path parameter, percent-encoded.
    pub(crate) fn path_value(&self, value: JsonText<'_>) -> Result<String, ArgumentError> {
        let parts = self.encoded(value)?;
        let name = encode(&self.name, STRICT);
        let text = match (self.style, parts) {
            (Style::Label, Parts::One(text)) => format!(".{text}"),
            (Style::Label, Parts::List(list)) => {
                format!(".{}", list.join(if self.explode { "." } else { "," }))
            }
            (Style::Label, Parts::Named(named)) if self.explode => format!(".{}", pairs(&named, "=", ".")),
            (Style::Label, Parts::Named(named)) => format!(".{}", pairs(&named, ",", ",")),
            (Style::Matrix, Parts::One(text)) if text.is_empty() => format!(";{name}"),
            (Style::Matrix, Parts::One(text)) => format!(";{name}={text}"),
            (Style::Matrix, Parts::List(list)) if self.explode => {
                list.iter().map(|item| format!(";{name}={item}")).collect()
            }
            (Style::Matrix, Parts::List(list)) => format!(";{name}={}", list.join(",")),
            (Style::Matrix, Parts::Named(named)) if self.explode && named.is_empty() => String::new(),
            (Style::Matrix, Parts::Named(named)) if self.explode => format!(";{}", pairs(&named, "=", ";")),
            (Style::Matrix, Parts::Named(named)) => format!(";{name}={}", pairs(&named, ",", ",")),
            (_, parts) => self.simple(parts),
        };
        // A label begins with a dot.
        let is_empty = text.is_empty() || (self.style == Style::Label && text == ".");
        match text.as_str() {
            _ if is_empty => Err(ArgumentError::new(format!(
                "{} must not be empty: it is a part of the URL's path",
                self.name
            ))),
            // A URL parser takes these for steps to another path (RFC 3986, section 5.2.4).
            "." | ".." => Err(ArgumentError::new(format!("{} must not be {text:?}", self.name))),
            _ => Ok(text),
        }
    }

    /// Adds the value of a query parameter as pairs of percent-encoded texts.
    pub(crate) fn query_pairs(
        &self,
        value: JsonText<'_>,
        out: &mut Vec<(String, String)>,
    ) -> Result<(), ArgumentError> {
        if self.style == Style::DeepObject {
            deep_pairs(&encode(&self.name, STRICT), value, out);
            return Ok(());
        }
        let name = encode(&self.name, STRICT);
        let separator = match self.style {
            Style::SpaceDelimited => "%20",
            Style::PipeDelimited => "%7C",
            Style::TabDelimited => "%09",
            _ => ",",
        };
        match self.encoded(value)? {
            Parts::One(text) => out.push((name, text)),
            Parts::List(list) if self.explode => {
                out.extend(list.into_iter().map(|item| (name.clone(), item)))
            }
            Parts::List(list) => out.push((name, list.join(separator))),
            Parts::Named(named) if self.explode => out.extend(named),
            Parts::Named(named) => out.push((name, pairs(&named, separator, separator))),
        }
        Ok(())
    }

    /// Returns the value of a header, which is not percent-encoded.
    pub(crate) fn header_value(&self, value: JsonText<'_>) -> Result<String, ArgumentError> {
        Ok(self.simple(self.parts(value)?))
    }

    /// Adds the value of a cookie parameter.
    pub(crate) fn cookie_pairs(
        &self,
        value: JsonText<'_>,
        out: &mut Vec<(String, String)>,
    ) -> Result<(), ArgumentError> {
        let name = encode(&self.name, STRICT);
        match self.encoded(value)? {
            Parts::One(text) => out.push((name, text)),
            Parts::List(list) if self.explode => {
                out.extend(list.into_iter().map(|item| (name.clone(), item)))
            }
            Parts::List(list) => out.push((name, list.join(","))),
            Parts::Named(named) if self.explode => out.extend(named),
            Parts::Named(named) => out.push((name, pairs(&named, ",", ","))),
        }
        Ok(())
    }

    fn simple(&self, parts: Parts) -> String {
        match parts {
            Parts::One(text) => text,
            Parts::List(list) => list.join(","),
            Parts::Named(named) if self.explode => pairs(&named, "=", ","),
            Parts::Named(named) => pairs(&named, ",", ","),
        }
    }

    fn encoded(&self, value: JsonText<'_>) -> Result<Parts, ArgumentError> {
        let set = if self.allow_reserved && self.location == Location::Query { RESERVED } else { STRICT };
        let text = |text: String| encode(&text, set);
        Ok(match self.parts(value)? {
            Parts::One(one) => Parts::One(text(one)),
            Parts::List(list) => Parts::List(list.into_iter().map(text).collect()),
            Parts::Named(named) => {
                Parts::Named(named.into_iter().map(|(name, value)| (text(name), text(value))).collect())
            }
        })
    }

    fn parts(&self, value: JsonText<'_>) -> Result<Parts, ArgumentError> {
        if self.style == Style::Json {
            return Ok(Parts::One(String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
        let inner = |value: JsonText<'_>| {
            plain(value).ok_or_else(|| {
                ArgumentError::new(format!(
                    "{} must hold texts, numbers or booleans, and no lists or objects in them",
                    self.name
                ))
            })
        };
        if let Some(items) = value.items() {
            return items.map(inner).collect::<Result<_, _>>().map(Parts::List);
        }
        match value.to_object() {
            Some(object) => {
                let named = object.iter().map(|(name, value)| Ok((name.into_owned(), inner(value)?)));
                named.collect::<Result<_, ArgumentError>>().map(Parts::Named)
            }
            None => inner(value).map(Parts::One),
        }
    }
}

/// Returns a text, a number or a boolean as text; `None` for arrays and objects. A number keeps its spelling.
pub(crate) fn plain(value: JsonText<'_>) -> Option<String> {
    if value.is_array() || value.is_object() {
        return None;
    }
    Some(match value.as_str() {
        Some(text) => text.into_owned(),
        None if value.is_null() => String::new(),
        None => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    })
}

/// Adds `name[key]=value`, at any depth. Lists of plain values become `name[]=value`, lists of others `name[0][key]=value`:
/// the specification leaves that open, and this is the form that Rack, PHP and qs read.
pub(crate) fn deep_pairs(name: &str, value: JsonText<'_>, out: &mut Vec<(String, String)>) {
    if let Some(object) = value.to_object() {
        for (key, value) in object.iter() {
            deep_pairs(&format!("{name}%5B{}%5D", encode(&key, STRICT)), value, out);
        }
    } else if let Some(items) = value.items() {
        for (at, item) in items.enumerate() {
            match plain(item) {
                Some(text) => out.push((format!("{name}%5B%5D"), encode(&text, STRICT))),
                None => deep_pairs(&format!("{name}%5B{at}%5D"), item, out),
            }
        }
    } else if let Some(text) = plain(value) {
        out.push((name.to_owned(), encode(&text, STRICT)));
    }
}

/// Percent-encodes everything but unreserved characters.
pub(crate) fn percent_encode(text: &str) -> String {
    encode(text, STRICT)
}

fn encode(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

fn pairs(named: &[(String, String)], inner: &str, outer: &str) -> String {
    let pairs: Vec<String> = named.iter().map(|(name, value)| format!("{name}{inner}{value}")).collect();
    pairs.join(outer)
}

fn style_of(location: Location, style: Option<&str>, explode: Option<bool>) -> (Style, bool) {
    let style = match (style, location) {
        (Some("label"), Location::Path) => Style::Label,
        (Some("matrix"), Location::Path) => Style::Matrix,
        (Some("spaceDelimited"), Location::Query) => Style::SpaceDelimited,
        (Some("pipeDelimited"), Location::Query) => Style::PipeDelimited,
        (Some("deepObject"), Location::Query) => Style::DeepObject,
        (_, Location::Query | Location::Cookie) => Style::Form,
        _ => Style::Simple,
    };
    (style, explode.unwrap_or(style == Style::Form))
}

fn swagger_style(location: Location, format: Option<&str>) -> (Style, bool) {
    match (format, location) {
        (Some("multi"), Location::Query) => (Style::Form, true),
        (Some("ssv"), Location::Query) => (Style::SpaceDelimited, false),
        (Some("tsv"), Location::Query) => (Style::TabDelimited, false),
        (Some("pipes"), Location::Query) => (Style::PipeDelimited, false),
        (_, Location::Query | Location::Cookie) => (Style::Form, false),
        _ => (Style::Simple, false),
    }
}
