//! JSON filters: expressions of the jq language that shape the arguments and results of tools. A connector manifest is
//! data, so a filter is an expression without definitions, files, environment or clock.
//!
//! Invariant: a run is bounded in its input, its output, its steps and the depth of its values, whatever the filter and
//! the input are.

mod instrument;
mod json_text;
mod meter;
mod runner;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use jaq_core::load::{Arena, File, Loader, lex, parse};
use jaq_core::{Compiler, Ctx, Vars, unwrap_valr};
use jaq_json::Val;
use loggia::wire::RawJson;

use instrument::{check, functions, instrument, needed};
use meter::{Meter, MeterData, MeteredFilter, OutputText};
pub use runner::FilterRunner;

use crate::problem::nearest;

/// Longest text of a filter, in bytes. Its parser and its run nest with the text.
const MAX_TEXT: usize = 4096;
/// Deepest nesting of brackets in a filter.
const MAX_NESTING: usize = 24;
/// Most operators in a row, each of which nests the next.
const MAX_OPERATORS: usize = 80;
/// The definition that holds the filter of a manifest.
const MAIN: &str = "loggia_main";

/// A compiled jq expression.
#[derive(Clone)]
pub struct JsonFilter {
    text: Arc<str>,
    filter: Arc<MeteredFilter>,
}

/// Bounds of a run of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterLimits {
    /// Longest input, in bytes of JSON.
    pub input: usize,
    /// Longest output, in bytes of JSON, of all values together.
    pub output: usize,
    /// Most steps. A step is a value that a part of the filter gives, or a part of a value that it builds.
    pub steps: u64,
}

impl Default for FilterLimits {
    fn default() -> FilterLimits {
        FilterLimits { input: 16 << 20, output: 4 << 20, steps: 20_000_000 }
    }
}

/// The reason why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterSyntaxError(String);

/// The reason why a filter gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError {
    /// The input is longer than its bound, or is no JSON.
    Input(String),
    /// The output is longer than its bound.
    Output,
    /// The filter needs more steps than it may have.
    Steps,
    /// The filter does not fit the input.
    Failed(String),
}

impl JsonFilter {
    /// Compiles a filter.
    pub fn compile(text: &str) -> Result<JsonFilter, FilterSyntaxError> {
        check_length(text)?;
        let tokens = lex::Lexer::new(text).lex().map_err(|errors| {
            let found = errors.first().map_or("", |(_, found)| found);
            FilterSyntaxError(format!("it is not closed{}", place(text, found)))
        })?;
        if height(&tokens, false) > MAX_OPERATORS {
            return Err(FilterSyntaxError(format!("it has more than {MAX_OPERATORS} operators in a row")));
        }
        let term = parse::Parser::new(&tokens).parse(|parser| parser.term()).map_err(|errors| {
            let first = errors.first();
            let expected = first.map_or("a term", |(expected, _)| expected.as_str());
            let found = first.and_then(|(_, token)| token.as_ref()).map_or("", |token| token.0);
            FilterSyntaxError(format!("{expected} is expected{}", place(text, found)))
        })?;
        check(&term).map_err(FilterSyntaxError)?;
        let library: Vec<_> = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).collect();
        let needed = needed(&term, &library);
        let library = library.into_iter().filter(|def| needed.contains(def.name));
        let library = library.map(|def| parse::Def { body: instrument(def.body), ..def });
        let main = parse::Def { name: MAIN, args: Vec::new(), body: instrument(term) };
        let arena = Arena::default();
        let modules = Loader::new(library.chain([main]))
            .load(&arena, File { code: MAIN, path: () })
            .map_err(|_| FilterSyntaxError("it cannot be read".to_owned()))?;
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs()).chain(meter::funs());
        let filter = Compiler::default().with_funs(funs).compile(modules).map_err(|errors| {
            let name =
                errors.first().and_then(|(_, undefined)| undefined.first()).map_or("", |(name, _)| name);
            FilterSyntaxError(format!("there is no {name} here"))
        })?;
        Ok(JsonFilter { text: text.into(), filter: Arc::new(filter) })
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Runs the filter on this thread, for up to a few seconds; [`FilterRunner`] is for async tasks. Returns its first value;
    /// `None` if it gives none.
    pub fn first(&self, input: &[u8], limits: FilterLimits) -> Result<Option<RawJson>, FilterError> {
        Ok(self.values(input, limits, 1)?.pop())
    }

    /// Runs the filter on this thread like [`JsonFilter::first`]. Returns all of its values.
    pub fn all(&self, input: &[u8], limits: FilterLimits) -> Result<Vec<RawJson>, FilterError> {
        self.values(input, limits, usize::MAX)
    }

    fn values(&self, input: &[u8], limits: FilterLimits, most: usize) -> Result<Vec<RawJson>, FilterError> {
        if input.len() > limits.input {
            return Err(FilterError::Input(format!(
                "the JSON has {} bytes, and a filter takes {} at most",
                input.len(),
                limits.input
            )));
        }
        let json = RawJson::parse(input.to_vec()).map_err(|error| FilterError::Input(error.to_string()))?;
        json_text::check_json(json.as_bytes()).map_err(FilterError::Input)?;
        let input = jaq_json::read::parse_single(json.as_bytes())
            .map_err(|error| FilterError::Input(error.to_string()))?;
        let meter = Meter::new(limits.steps);
        let ctx = Ctx::<MeterData>::new(meter::RunData::new(&self.filter.lut, &meter), Vars::new([]));
        let mut room = limits.output;
        let mut values = Vec::new();
        for value in self.filter.id.run((ctx, input)).take(most) {
            let value: Val = match value {
                Err(exception) => {
                    return Err(match exception.get_err() {
                        Ok(error) => failed(&error),
                        Err(_) => FilterError::Steps,
                    });
                }
                value => unwrap_valr(value).map_err(|error| failed(&error))?,
            };
            let mut text = OutputText::new(room);
            text.write(&value).map_err(|_| FilterError::Output)?;
            let text = text.into_bytes();
            room -= text.len();
            values.push(RawJson::parse(text).map_err(|error| FilterError::Failed(error.to_string()))?);
        }
        Ok(values)
    }
}

/// Writes an error of jaq, which may quote a large value.
fn failed(error: &jaq_json::Error) -> FilterError {
    const MAX: usize = 300;
    let mut text = OutputText::new(MAX);
    let is_whole = fmt::Write::write_fmt(&mut text, format_args!("{error}")).is_ok();
    let text = String::from_utf8_lossy(&text.into_bytes()).into_owned();
    FilterError::Failed(if is_whole { text } else { format!("{text}…") })
}

/// Returns the height of the syntax tree of some tokens, or a little more. A comma between the members of an object
/// nests nothing.
fn height(tokens: &[lex::Token<&str>], is_object: bool) -> usize {
    let is_operator = |token: &&lex::Token<&str>| match &token.1 {
        lex::Tok::Sym => match token.0 {
            ";" | ":" | "?" | ")" | "]" | "}" => false,
            path if path.starts_with('.') => false,
            "," => !is_object,
            _ => true,
        },
        lex::Tok::Word => {
            matches!(token.0, "and" | "or" | "as" | "if" | "elif" | "reduce" | "foreach" | "try" | "catch")
        }
        _ => false,
    };
    let inner = |token: &lex::Token<&str>| match &token.1 {
        lex::Tok::Block(tokens) => 1 + height(tokens, token.0.starts_with('{')),
        lex::Tok::Str(parts) => {
            let terms = parts.iter().filter_map(|part| match part {
                lex::StrPart::Term(token) => Some(1 + height(std::slice::from_ref(token), false)),
                _ => None,
            });
            terms.max().unwrap_or(0)
        }
        _ => 0,
    };
    tokens.iter().filter(is_operator).count() + tokens.iter().map(inner).max().unwrap_or(0)
}

fn check_length(text: &str) -> Result<(), FilterSyntaxError> {
    let mut depth = 0usize;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    match (text.len() > MAX_TEXT, deepest > MAX_NESTING) {
        (true, _) => Err(FilterSyntaxError(format!("it is longer than {MAX_TEXT} bytes"))),
        (_, true) => Err(FilterSyntaxError(format!("it nests more than {MAX_NESTING} brackets"))),
        _ => Ok(()),
    }
}

/// Names the place of a part of a filter.
fn place(text: &str, part: &str) -> String {
    let offset = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize).filter(|at| *at <= text.len());
    match offset {
        Some(at) if at < text.len() && !part.is_empty() => {
            let shown: String = text[at..].chars().take(20).collect();
            format!(" before '{shown}'")
        }
        _ => " at the end".to_owned(),
    }
}

/// Returns the error for a function that filters do not have.
pub(crate) fn unknown_function(name: &str, arity: usize) -> String {
    let mut arities: Vec<usize> =
        functions().filter(|(known, _)| *known == name).map(|(_, arity)| arity).collect();
    arities.sort_unstable();
    if let Some(known) = arities.first() {
        return format!("{name} takes {known} arguments here, not {arity}");
    }
    let mut names: Vec<&str> = functions().map(|(name, _)| name).collect();
    names.dedup();
    let hint = nearest(name, &names);
    match hint.starts_with("did you") {
        true => format!("filters have no function '{name}'; {hint}"),
        false => format!("filters have no function '{name}'"),
    }
}

impl fmt::Debug for JsonFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonFilter").field(&self.text).finish()
    }
}

impl fmt::Display for JsonFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for JsonFilter {
    fn eq(&self, other: &JsonFilter) -> bool {
        self.text == other.text
    }
}

impl Eq for JsonFilter {}

impl fmt::Display for FilterSyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is no jq filter: {}", self.0)
    }
}

impl std::error::Error for FilterSyntaxError {}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilterError::Input(reason) => write!(f, "the filter cannot read its input: {reason}"),
            FilterError::Output => {
                f.write_str("the filter gives more than it may: select fewer items or fields")
            }
            FilterError::Steps => f.write_str("the filter takes too long: ask for fewer items"),
            FilterError::Failed(reason) => write!(f, "the filter does not fit its input: {reason}"),
        }
    }
}

impl std::error::Error for FilterError {}
