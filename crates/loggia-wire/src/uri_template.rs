//! URI templates (RFC 6570), with which a resource template names many resources. Expanding follows the whole RFC.
//! The RFC does not define matching; here it turns a URI into the variables from which the template makes this URI.

use std::fmt;
use std::str::FromStr;

use regex_lite::{Regex, RegexBuilder};

use crate::percent::{AllowedCharacters, is_hex_pair, percent_decode, percent_encode};

/// The longest template that is accepted, in bytes.
pub const MAX_TEMPLATE: usize = 4096;
/// The most variables a template may have.
pub const MAX_VARIABLES: usize = 64;
/// The longest URI that is matched, in bytes; longer ones match nothing.
pub const MAX_URI: usize = 16 * 1024;

/// A parsed template.
///
/// ```
/// use loggia_wire::uri_template::UriTemplate;
///
/// let template = UriTemplate::parse("db://{table}/rows{?limit}")?;
/// let uri = template.expand(|name| (name == "table").then(|| "a table".into()));
/// assert_eq!(uri, "db://a%20table/rows");
/// let found = template.matches("db://users/rows?limit=5");
/// assert_eq!(found, Some(vec![("table".to_owned(), "users".to_owned()), ("limit".to_owned(), "5".to_owned())]));
/// # Ok::<(), loggia_wire::uri_template::UriTemplateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct UriTemplate {
    source: String,
    parts: Vec<TemplatePart>,
    regex: Regex,
}

/// A value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateValue {
    /// A text.
    Text(String),
    /// A list of texts. An empty one counts as undefined.
    List(Vec<String>),
    /// Names with a text each. An empty one counts as undefined.
    Map(Vec<(String, String)>),
}

impl From<&str> for TemplateValue {
    fn from(text: &str) -> TemplateValue {
        TemplateValue::Text(text.to_owned())
    }
}

impl From<String> for TemplateValue {
    fn from(text: String) -> TemplateValue {
        TemplateValue::Text(text)
    }
}

/// A text that is not a URI template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplateError {
    /// The position, in bytes from the start.
    pub position: usize,
    /// The fault.
    pub message: &'static str,
}

impl fmt::Display for UriTemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid URI template at byte {}: {}", self.position, self.message)
    }
}

impl std::error::Error for UriTemplateError {}

impl UriTemplate {
    /// Reads a template.
    pub fn parse(source: &str) -> Result<UriTemplate, UriTemplateError> {
        if source.len() > MAX_TEMPLATE {
            return Err(UriTemplateError { position: MAX_TEMPLATE, message: "it is too long" });
        }
        let parts = parse(source)?;
        let regex = compile(&parts).ok_or(UriTemplateError { position: 0, message: "it is too complex" })?;
        Ok(UriTemplate { source: source.to_owned(), parts, regex })
    }

    /// Returns the template as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Returns the names of the variables, each once, in the order of the template.
    pub fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for variable in self.parts.iter().flat_map(TemplatePart::variables) {
            if !names.contains(&variable.name.as_str()) {
                names.push(&variable.name);
            }
        }
        names
    }

    /// Returns the URI that the template makes from the variables. A variable for which `lookup` returns `None` is
    /// left out.
    pub fn expand(&self, lookup: impl Fn(&str) -> Option<TemplateValue>) -> String {
        let mut uri = String::new();
        for part in &self.parts {
            match part {
                TemplatePart::Literal(text) => uri.push_str(text),
                TemplatePart::Expression(operator, variables) => {
                    expand(*operator, variables, &lookup, &mut uri)
                }
            }
        }
        uri
    }

    /// Returns the variables from which the template makes `uri`, percent-decoded, in the order of the template;
    /// `None` if it cannot make this URI.
    ///
    /// A variable of `{x}`, `{+x}` and `{#x}` must be present and not empty. Those of `{/x}`, `{.x}`, `{;x}`, `{?x}`
    /// and `{&x}` may be absent, and are then left out. Those of a query may have any order; a URI with other
    /// variables in its query does not match. Decoded values may contain any character, also `/` and `..`: treat them
    /// as untrusted input.
    pub fn matches(&self, uri: &str) -> Option<Vec<(String, String)>> {
        if uri.len() > MAX_URI {
            return None;
        }
        let uri = percent_encode(uri, AllowedCharacters::Reserved);
        let captures = self.regex.captures(&uri)?;
        let mut groups = captures.iter().skip(1).map(|group| group.map(|found| found.as_str()));
        let mut found = Vec::new();
        for part in &self.parts {
            let TemplatePart::Expression(operator, variables) = part else { continue };
            if operator.is_query() {
                query(variables, groups.next()?, &mut found)?;
                continue;
            }
            for variable in variables {
                if let Some(raw) = groups.next()? {
                    let raw = raw.strip_prefix('=').filter(|_| operator.is_named()).unwrap_or(raw);
                    variable.found(raw, &mut found)?;
                }
            }
        }
        Some(found)
    }
}

impl FromStr for UriTemplate {
    type Err = UriTemplateError;

    fn from_str(source: &str) -> Result<UriTemplate, UriTemplateError> {
        UriTemplate::parse(source)
    }
}

impl fmt::Display for UriTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl PartialEq for UriTemplate {
    fn eq(&self, other: &UriTemplate) -> bool {
        self.source == other.source
    }
}

impl Eq for UriTemplate {}

#[derive(Debug, Clone)]
enum TemplatePart {
    /// Percent-encoded already.
    Literal(String),
    Expression(ExpressionOperator, Vec<TemplateVariable>),
}

impl TemplatePart {
    fn variables(&self) -> &[TemplateVariable] {
        match self {
            TemplatePart::Literal(_) => &[],
            TemplatePart::Expression(_, variables) => variables,
        }
    }
}

#[derive(Debug, Clone)]
struct TemplateVariable {
    name: String,
    /// `{name:3}`: the maximum number of characters. It is ignored for lists and maps.
    prefix: Option<usize>,
    /// `{name*}`: each value is expanded separately.
    explode: bool,
}

/// The operators of section 2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExpressionOperator {
    Simple,
    Reserved,
    Fragment,
    Label,
    Path,
    Parameter,
    Query,
    Continuation,
}

impl ExpressionOperator {
    fn of(c: char) -> Option<ExpressionOperator> {
        Some(match c {
            '+' => ExpressionOperator::Reserved,
            '#' => ExpressionOperator::Fragment,
            '.' => ExpressionOperator::Label,
            '/' => ExpressionOperator::Path,
            ';' => ExpressionOperator::Parameter,
            '?' => ExpressionOperator::Query,
            '&' => ExpressionOperator::Continuation,
            _ => return None,
        })
    }

    fn first(self) -> &'static str {
        match self {
            ExpressionOperator::Simple | ExpressionOperator::Reserved => "",
            ExpressionOperator::Fragment => "#",
            ExpressionOperator::Label => ".",
            ExpressionOperator::Path => "/",
            ExpressionOperator::Parameter => ";",
            ExpressionOperator::Query => "?",
            ExpressionOperator::Continuation => "&",
        }
    }

    fn separator(self) -> &'static str {
        match self {
            ExpressionOperator::Simple | ExpressionOperator::Reserved | ExpressionOperator::Fragment => ",",
            ExpressionOperator::Query => "&",
            other => other.first(),
        }
    }

    fn is_query(self) -> bool {
        matches!(self, ExpressionOperator::Query | ExpressionOperator::Continuation)
    }

    fn is_named(self) -> bool {
        self.is_query() || self == ExpressionOperator::Parameter
    }

    /// Returns the text between a name and an empty value.
    fn if_empty(self) -> &'static str {
        if self.is_query() { "=" } else { "" }
    }

    fn allowed(self) -> AllowedCharacters {
        match self {
            ExpressionOperator::Reserved | ExpressionOperator::Fragment => AllowedCharacters::Reserved,
            _ => AllowedCharacters::Unreserved,
        }
    }
}

// Reading.

fn parse(source: &str) -> Result<Vec<TemplatePart>, UriTemplateError> {
    let mut parts = Vec::new();
    let mut rest = source;
    let mut count = 0;
    while !rest.is_empty() {
        let position = source.len() - rest.len();
        let error = |message| UriTemplateError { position, message };
        if let Some(after) = rest.strip_prefix('{') {
            let (inner, after) = after.split_once('}').ok_or_else(|| error("this { is never closed"))?;
            let part = expression(inner).map_err(error)?;
            count += part.variables().len();
            if count > MAX_VARIABLES {
                return Err(error("it has too many variables"));
            }
            parts.push(part);
            rest = after;
        } else {
            let end = rest.find('{').unwrap_or(rest.len());
            parts.push(literal(&rest[..end]).map_err(error)?);
            rest = &rest[end..];
        }
    }
    Ok(parts)
}

fn literal(text: &str) -> Result<TemplatePart, &'static str> {
    if text.contains(|c: char| c.is_ascii_control() || "}\"<>\\^`| ".contains(c)) {
        return Err("this text holds a character that a URI template may not hold");
    }
    let percent_ok = text.split('%').skip(1).all(|rest| is_hex_pair(rest.as_bytes()));
    if percent_ok {
        Ok(TemplatePart::Literal(percent_encode(text, AllowedCharacters::Reserved).into_owned()))
    } else {
        Err("this text holds a % that encodes nothing")
    }
}

fn expression(inner: &str) -> Result<TemplatePart, &'static str> {
    let first = inner.chars().next().ok_or("this expression is empty")?;
    let (operator, names) = match ExpressionOperator::of(first) {
        Some(operator) => (operator, &inner[1..]),
        None if "=,!@|".contains(first) => return Err("this operator is reserved"),
        None => (ExpressionOperator::Simple, inner),
    };
    let variables = names.split(',').map(variable).collect::<Result<_, _>>()?;
    Ok(TemplatePart::Expression(operator, variables))
}

fn variable(text: &str) -> Result<TemplateVariable, &'static str> {
    let (name, prefix, explode) = if let Some(name) = text.strip_suffix('*') {
        (name, None, true)
    } else if let Some((name, digits)) = text.split_once(':') {
        let valid = (1..=4).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        let length = digits.parse().ok().filter(|_| valid);
        (name, Some(length.ok_or("a prefix length must be a number from 1 to 9999")?), false)
    } else {
        (text, None, false)
    };
    let is_piece = |piece: &str| {
        let mut escapes = piece.split('%');
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        !piece.is_empty()
            && escapes.next().is_none_or(plain)
            && escapes.all(|rest| is_hex_pair(rest.as_bytes()) && plain(&rest[2..]))
    };
    if !name.split('.').all(is_piece) {
        return Err("a variable name must be letters, digits and _, with single dots between");
    }
    Ok(TemplateVariable { name: name.to_owned(), prefix, explode })
}

// Expanding (section 3.2).

fn expand(
    operator: ExpressionOperator,
    variables: &[TemplateVariable],
    lookup: &impl Fn(&str) -> Option<TemplateValue>,
    uri: &mut String,
) {
    let mut before = operator.first();
    for variable in variables {
        let pieces =
            lookup(&variable.name).map(|value| pieces(operator, variable, value)).unwrap_or_default();
        for piece in pieces {
            uri.push_str(before);
            uri.push_str(&piece);
            before = operator.separator();
        }
    }
}

/// Returns the expansion of a variable: one piece, or with `*` one for each value.
fn pieces(operator: ExpressionOperator, variable: &TemplateVariable, value: TemplateValue) -> Vec<String> {
    let encoded = |text: &str| percent_encode(text, operator.allowed()).into_owned();
    let named = |name: &str, value: String| match (operator.is_named(), value.is_empty()) {
        (false, _) => value,
        (true, true) => format!("{name}{}", operator.if_empty()),
        (true, false) => format!("{name}={value}"),
    };
    match value {
        TemplateValue::Text(text) => {
            let end = variable
                .prefix
                .and_then(|count| text.char_indices().nth(count))
                .map_or(text.len(), |(at, _)| at);
            vec![named(&variable.name, encoded(&text[..end]))]
        }
        TemplateValue::List(items) if variable.explode => {
            items.iter().map(|item| named(&variable.name, encoded(item))).collect()
        }
        TemplateValue::Map(entries) if variable.explode => {
            let pair = |(name, value): &(String, String)| match (operator.is_named(), value.is_empty()) {
                (true, true) => format!("{}{}", encoded(name), operator.if_empty()),
                _ => format!("{}={}", encoded(name), encoded(value)),
            };
            entries.iter().map(pair).collect()
        }
        TemplateValue::List(items) if items.is_empty() => Vec::new(),
        TemplateValue::Map(entries) if entries.is_empty() => Vec::new(),
        TemplateValue::List(items) => {
            let items: Vec<String> = items.iter().map(|item| encoded(item)).collect();
            vec![named(&variable.name, items.join(","))]
        }
        TemplateValue::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(name, value)| format!("{},{}", encoded(name), encoded(value))).collect();
            vec![named(&variable.name, entries.join(","))]
        }
    }
}

// Matching.

/// Returns a pattern with one group for each variable, but one group for a whole query.
fn compile(parts: &[TemplatePart]) -> Option<Regex> {
    let mut pattern = String::from("^");
    for part in parts {
        match part {
            TemplatePart::Literal(text) => pattern.push_str(&regex_lite::escape(text)),
            TemplatePart::Expression(operator, _) if operator.is_query() => {
                pattern.push_str(&format!("(?:{}([^#]*))?", regex_lite::escape(operator.first())));
            }
            TemplatePart::Expression(operator, variables) => {
                for (index, variable) in variables.iter().enumerate() {
                    pattern.push_str(&group(*operator, variable, index, variables.len() > 1));
                }
            }
        }
    }
    pattern.push('$');
    RegexBuilder::new(&pattern).size_limit(256 << 10).build().ok()
}

fn group(operator: ExpressionOperator, variable: &TemplateVariable, index: usize, several: bool) -> String {
    let before = regex_lite::escape(if index == 0 { operator.first() } else { operator.separator() });
    match operator {
        // Not greedy, so that a query or a literal after it still matches.
        ExpressionOperator::Reserved | ExpressionOperator::Fragment => format!("{before}(.+?)"),
        ExpressionOperator::Path if variable.explode => "(?:/([^?#]+?))?".to_owned(),
        ExpressionOperator::Path => "(?:/([^/?#]+))?".to_owned(),
        ExpressionOperator::Label if several => r"(?:\.([^/?#.]+))?".to_owned(),
        ExpressionOperator::Label => r"(?:\.([^/?#]+))?".to_owned(),
        ExpressionOperator::Parameter => {
            format!("(?:;{}((?:=[^;/?#]*)?))?", regex_lite::escape(&variable.name))
        }
        _ if several => format!("{before}([^/?#,]+)"),
        _ => format!("{before}([^/?#]+)"),
    }
}

/// Appends the variables of a query, in the order of the template.
fn query(variables: &[TemplateVariable], raw: Option<&str>, found: &mut Vec<(String, String)>) -> Option<()> {
    let Some(raw) = raw else { return Some(()) };
    let pairs = raw.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let pairs: Vec<(&str, &str)> = pairs.collect();
    if pairs.iter().any(|(name, _)| !variables.iter().any(|variable| variable.name == *name)) {
        return None;
    }
    for variable in variables {
        for (_, value) in pairs.iter().filter(|(name, _)| *name == variable.name) {
            variable.found(value, found)?;
        }
    }
    Some(())
}

impl TemplateVariable {
    /// Appends a value. Fails if it is not UTF-8, is too long, or differs from the variable's first value.
    fn found(&self, raw: &str, found: &mut Vec<(String, String)>) -> Option<()> {
        let value = percent_decode(raw)?;
        if self.prefix.is_some_and(|length| value.chars().count() > length) {
            return None;
        }
        match found.iter().find(|(name, _)| *name == self.name) {
            Some((_, known)) => (*known == value).then_some(()),
            None => {
                found.push((self.name.clone(), value));
                Some(())
            }
        }
    }
}
