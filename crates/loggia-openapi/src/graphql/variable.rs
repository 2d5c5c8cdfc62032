//! Variables of a GraphQL operation, and their types as JSON Schema.
//!
//! Invariant: a written schema has no `$ref`, and input objects that contain themselves end in an object without members.

use apollo_compiler::ast::{Type, Value};
use apollo_compiler::schema::{EnumType, ExtendedType, InputObjectType, ScalarType};
use apollo_compiler::{Name, Schema};

use super::selection::is_internal;
use crate::json_text::{ObjectText, array, json};
use crate::schema::{MAX_BYTES, MAX_DESCRIPTION, MAX_ENUM};

/// Levels of nested input objects that are tried, one after the other, until the schema is short enough.
const LEVELS: [usize; 7] = [12, 6, 4, 3, 2, 1, 0];
/// Values that a description shows of a long list.
const SHOWN_VALUES: usize = 5;

/// A variable, which is an argument of the tool.
#[derive(Debug, Clone)]
pub(crate) struct GraphqlVariable {
    pub(crate) name: String,
    pub(crate) of: Type,
    /// The default value of the document or of the schema, as JSON.
    pub(crate) default: Option<Vec<u8>>,
    /// A value need not be given although the type is non-null.
    pub(crate) has_default: bool,
    pub(crate) description: Option<String>,
}

impl GraphqlVariable {
    pub(crate) fn is_required(&self) -> bool {
        self.of.is_non_null() && !self.has_default
    }
}

/// Returns the schema of a tool that takes `variables`. `cursor` describes an argument that hides one of them. Null is a value
/// of its own only if `accepts_null`: in a mutation it unsets a field.
pub(crate) fn tool_schema(
    schema: &Schema,
    variables: &[&GraphqlVariable],
    cursor: Option<&[u8]>,
    accepts_null: bool,
) -> Vec<u8> {
    let mut written = Vec::new();
    for level in LEVELS {
        let mut writer = TypeWriter { schema, level, accepts_null, open: Vec::new(), room: MAX_BYTES };
        written = writer.tool(variables, cursor);
        if writer.room > 0 && written.len() <= MAX_BYTES {
            break;
        }
    }
    written
}

/// Returns a constant value as JSON; `None` for one that holds a variable.
pub(crate) fn constant(value: &Value) -> Option<Vec<u8>> {
    Some(match value {
        Value::Null => b"null".to_vec(),
        Value::Enum(name) => json(name.as_str()),
        Value::String(text) => json(text),
        Value::Boolean(value) => json(value),
        Value::Int(number) => number.as_str().as_bytes().to_vec(),
        Value::Float(number) => json(&number.as_str().parse::<f64>().ok()?),
        Value::List(items) => array(&items.iter().map(|item| constant(item)).collect::<Option<Vec<_>>>()?),
        Value::Object(members) => {
            let mut out = ObjectText::new();
            for (name, value) in members {
                out.member(name, &constant(value)?);
            }
            out.end()
        }
        Value::Variable(_) => return None,
    })
}

struct TypeWriter<'s> {
    schema: &'s Schema,
    /// Levels of nested input objects that are written.
    level: usize,
    accepts_null: bool,
    /// The input objects around the one that is being written.
    open: Vec<Name>,
    /// The bytes that may still be written. At 0 nothing more is, since the next level will be tried.
    room: usize,
}

/// The keywords beside the type of a schema.
#[derive(Clone, Copy)]
struct TypeContext<'a> {
    description: Option<&'a str>,
    default: Option<&'a [u8]>,
    /// True if null is a value.
    is_nullable: bool,
    depth: usize,
}

impl TypeWriter<'_> {
    fn tool(&mut self, variables: &[&GraphqlVariable], cursor: Option<&[u8]>) -> Vec<u8> {
        let mut object = ObjectText::new();
        object.member("type", b"\"object\"");
        let mut all = ObjectText::new();
        // A model fills in what is required first.
        let mut ordered = variables.to_vec();
        ordered.sort_by_key(|variable| !variable.is_required());
        for variable in &ordered {
            let context = TypeContext {
                description: variable.description.as_deref(),
                default: variable.default.as_deref(),
                is_nullable: self.accepts_null && !variable.of.is_non_null(),
                depth: 1,
            };
            all.member(&variable.name, &self.of_type(&variable.of, context));
        }
        if let Some(cursor) = cursor {
            all.member(crate::arguments::CURSOR, cursor);
        }
        object.member("properties", &all.end());
        let required: Vec<&str> = ordered
            .iter()
            .filter(|variable| variable.is_required())
            .map(|variable| variable.name.as_str())
            .collect();
        if !required.is_empty() {
            object.member("required", &json(&required));
        }
        object.member("additionalProperties", b"false");
        object.end()
    }

    fn of_type(&mut self, of: &Type, context: TypeContext<'_>) -> Vec<u8> {
        self.room = self.room.saturating_sub(2);
        if self.room == 0 {
            return b"{}".to_vec();
        }
        if of.is_list() {
            let inner = of.item_type();
            let items =
                TypeContext { description: None, default: None, is_nullable: false, depth: context.depth };
            let items = self.of_type(inner, items);
            let mut out = self.begin(context, None);
            out.member("type", &kind("array", context.is_nullable));
            out.member("items", &items);
            return end(out, context);
        }
        let schema = self.schema;
        let name = of.inner_named_type();
        match (name.as_str(), schema.types.get(name)) {
            ("Int", _) => self.plain("integer", context),
            ("Float", _) => self.plain("number", context),
            ("Boolean", _) => self.plain("boolean", context),
            ("String" | "ID", _) => self.plain("string", context),
            (_, Some(ExtendedType::Scalar(scalar))) => self.scalar(scalar, context),
            (_, Some(ExtendedType::Enum(of))) => self.choice(of, context),
            (_, Some(ExtendedType::InputObject(of))) => self.object(of, context),
            _ => end(self.begin(context, None), context),
        }
    }

    fn plain(&mut self, name: &str, context: TypeContext<'_>) -> Vec<u8> {
        let mut out = self.begin(context, None);
        out.member("type", &kind(name, context.is_nullable));
        end(out, context)
    }

    fn scalar(&mut self, scalar: &ScalarType, context: TypeContext<'_>) -> Vec<u8> {
        let own = scalar.description.as_deref().map(|text| format!("{}: {text}", scalar.name));
        let own = own.unwrap_or_else(|| scalar.name.to_string());
        let mut out = self.begin(context, Some(&own));
        // A custom scalar may be anything. A name that APIs share says more.
        let known = match scalar.name.to_ascii_lowercase().as_str() {
            "datetime" | "datetimeiso" | "isodatetime" | "timestamptz" => Some(Some("date-time")),
            "date" | "timelessdate" | "localdate" => Some(Some("date")),
            "uuid" => Some(Some("uuid")),
            "uri" | "url" => Some(Some("uri")),
            "email" | "emailaddress" | "html" | "markdown" | "cursor" | "base64string" | "hexcolorcode" => {
                Some(None)
            }
            _ => None,
        };
        if let Some(format) = known {
            out.member("type", &kind("string", context.is_nullable));
            if let Some(format) = format {
                out.member("format", &json(format));
            }
        }
        end(out, context)
    }

    fn choice(&mut self, of: &EnumType, context: TypeContext<'_>) -> Vec<u8> {
        let current =
            |name: &&Name| of.values.get(*name).is_some_and(|value| !value.directives.has("deprecated"));
        let mut names: Vec<&str> = of.values.keys().filter(current).map(Name::as_str).collect();
        if names.is_empty() {
            names = of.values.keys().map(Name::as_str).collect();
        }
        let mut values: Vec<Vec<u8>> = names.iter().map(json).collect();
        if context.is_nullable {
            values.push(b"null".to_vec());
        }
        let values = array(&values);
        let own = of.description.as_deref().map(|text| text.to_owned());
        if values.len() > MAX_ENUM {
            let shown = names.iter().take(SHOWN_VALUES).copied().collect::<Vec<_>>().join(", ");
            let choices = format!("One of {} values, such as {shown}", names.len());
            let text = context.description.map_or(choices.clone(), |own| format!("{own}. {choices}"));
            return self.plain("string", TypeContext { description: Some(&text), ..context });
        }
        let mut out = self.begin(context, own.as_deref());
        out.member("type", &kind("string", context.is_nullable));
        self.room = self.room.saturating_sub(values.len());
        out.member("enum", &values);
        end(out, context)
    }

    fn object(&mut self, of: &InputObjectType, context: TypeContext<'_>) -> Vec<u8> {
        let is_open = self.open.contains(&of.name);
        if is_open || context.depth > self.level {
            let text = match is_open {
                true => format!("A nested {}", of.name),
                false => {
                    of.description.as_deref().map_or_else(|| of.name.to_string(), |text| text.to_owned())
                }
            };
            let mut out = self.begin(context, Some(&text));
            out.member("type", &kind("object", context.is_nullable));
            return end(out, context);
        }
        self.open.push(of.name.clone());
        let is_one_of = of.directives.has("oneOf");
        let mut all = ObjectText::new();
        let mut required: Vec<&str> = Vec::new();
        for (name, field) in &of.fields {
            let is_hidden = field.directives.has("deprecated")
                || is_internal(field.description.as_deref().unwrap_or_default());
            if is_hidden && !field.is_required() {
                continue;
            }
            if field.is_required() {
                required.push(name);
            }
            let default = field.default_value.as_ref().and_then(|value| constant(value));
            let inner = TypeContext {
                description: field.description.as_deref(),
                default: default.as_deref(),
                is_nullable: self.accepts_null && !is_one_of && !field.ty.is_non_null(),
                depth: context.depth + 1,
            };
            let written = self.of_type(&field.ty, inner);
            all.member(name, &written);
        }
        self.open.pop();
        let own = of.description.as_deref().map(|text| text.to_owned());
        let mut out = self.begin(context, own.as_deref());
        out.member("type", &kind("object", context.is_nullable));
        out.member("properties", &all.end());
        if !required.is_empty() {
            out.member("required", &json(&required));
        }
        if is_one_of {
            out.member("minProperties", b"1");
            out.member("maxProperties", b"1");
        }
        end(out, context)
    }

    /// Begins a schema with its description: that of the argument, or else `own`, that of the type.
    fn begin(&mut self, context: TypeContext<'_>, own: Option<&str>) -> ObjectText {
        let most = if self.level > 3 { MAX_DESCRIPTION[0] } else { MAX_DESCRIPTION[1] };
        let mut out = ObjectText::new();
        if let Some(text) = context.description.or(own) {
            let text = loggia_wire::text::truncated(text.trim(), most);
            self.room = self.room.saturating_sub(text.len());
            out.member("description", &json(text));
        }
        out
    }
}

fn end(mut out: ObjectText, context: TypeContext<'_>) -> Vec<u8> {
    if let Some(default) = context.default {
        out.member("default", default);
    }
    out.end()
}

fn kind(name: &str, is_nullable: bool) -> Vec<u8> {
    if is_nullable { json(&[name, "null"]) } else { json(name) }
}
