//! The arguments of a tool as tables of a manifest.
//!
//! Invariant: a required argument is always written; one that a manifest cannot describe stands in a comment.

use serde_json::{Map, Value as Json};
use toml_edit::{Array, InlineTable, Item, Table, Value, value};

use crate::arguments::{Argument, Destination};
use crate::operation::Operation;
use crate::parameter::{Location, Style};

/// Most arguments that need not be given.
const MAX_OPTIONAL: usize = 10;
/// Longest schema of one argument, in bytes of JSON. A longer one is left out but for its type.
const MAX_SCHEMA: usize = 1500;
/// Longest description of one argument, in bytes.
const MAX_DESCRIPTION: usize = 300;
/// Types that an argument has without a schema.
const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];
/// The keys of an argument, in the order of the format.
pub(super) const INPUT_KEYS: [&str; 11] = [
    "type",
    "schema",
    "description",
    "required",
    "in",
    "as",
    "enum",
    "default",
    "minimum",
    "maximum",
    "items",
];
/// Keywords that are keys of an argument.
const KEYS: [&str; 6] = ["type", "enum", "default", "minimum", "maximum", "items"];

/// The arguments of one tool.
pub(super) struct ToolInputs {
    written: Vec<(String, Table)>,
    left_out: Vec<String>,
}

impl ToolInputs {
    pub(super) fn of(operation: &Operation) -> ToolInputs {
        let schema: Json = serde_json::from_str(operation.tool().input_schema.as_str()).unwrap_or(Json::Null);
        let paging = operation.paging.as_ref();
        let is_paging = |name: &str| {
            paging.is_some_and(|paging| paging.argument == name || paging.size.as_deref() == Some(name))
        };
        let mut inputs = ToolInputs { written: Vec::new(), left_out: Vec::new() };
        let mut shown: Vec<&Argument> =
            operation.arguments.iter().filter(|argument| !is_paging(&argument.name)).collect();
        shown.sort_by_key(|argument| !argument.required);
        let mut optional = 0;
        for argument in shown {
            let is_kept = argument.required || (optional < MAX_OPTIONAL && is_plain(operation, argument));
            if !is_kept {
                inputs.left_out.push(argument.name.clone());
                continue;
            }
            optional += usize::from(!argument.required);
            let property = &schema["properties"][argument.name.as_str()];
            inputs.written.push((argument.name.clone(), input(operation, argument, property)));
        }
        inputs
    }

    /// Returns a sentence about the arguments that are left out.
    pub(super) fn comment(&self) -> Option<String> {
        (!self.left_out.is_empty()).then(|| format!("Left out: {}", self.left_out.join(", ")))
    }

    pub(super) fn table(self) -> Option<Table> {
        let mut table = Table::new();
        table.set_implicit(true);
        for (name, input) in self.written {
            table.insert(&name, Item::Table(input));
        }
        (!table.is_empty()).then_some(table)
    }
}

/// Returns whether a manifest can describe the place of an argument: it has one form for lists and objects, and dots in the
/// name of a member nest.
fn is_plain(operation: &Operation, argument: &Argument) -> bool {
    match &argument.destination {
        Destination::Parameter(at) => {
            let parameter = &operation.parameters[*at];
            match parameter.location {
                Location::Query | Location::Cookie => parameter.style == Style::Form && parameter.explode,
                Location::Path | Location::Header => parameter.style == Style::Simple,
            }
        }
        Destination::Member(name) => !name.contains('.'),
        Destination::Body => true,
    }
}

/// Writes the JSON Schema of a property, and whether it is required. Without a description it gets its name.
pub(super) fn schema_table(property: &Json, name: &str, is_required: bool) -> Table {
    let mut table = Table::new();
    let empty = Map::new();
    let schema = property.as_object().unwrap_or(&empty);
    write_schema(schema, &mut table);
    let text =
        schema.get("description").and_then(Json::as_str).map(str::trim).filter(|text| !text.is_empty());
    let text = text.map_or_else(|| name.replace(['_', '-'], " "), str::to_owned);
    table["description"] = value(crate::operation::one_line(&text, MAX_DESCRIPTION));
    if is_required {
        table["required"] = value(true);
    }
    table
}

fn input(operation: &Operation, argument: &Argument, property: &Json) -> Table {
    let mut table = schema_table(property, &argument.api_name, argument.required);
    if let Some(place) = place(operation, argument) {
        table["in"] = value(place);
    }
    if argument.api_name != argument.name {
        table["as"] = value(&argument.api_name);
    }
    sort(&mut table, &INPUT_KEYS);
    table
}

/// Puts the keys of a table in an order.
pub(super) fn sort(table: &mut Table, order: &[&str]) {
    let rank = |key: &str| order.iter().position(|known| *known == key).unwrap_or(order.len());
    table.sort_values_by(|one, _, other, _| rank(one.get()).cmp(&rank(other.get())));
}

/// Returns the place of an argument if it is not the default.
fn place(operation: &Operation, argument: &Argument) -> Option<&'static str> {
    let has_no_body = ["GET", "HEAD", "DELETE"].contains(&operation.method().as_str());
    match &argument.destination {
        Destination::Parameter(at) => match operation.parameters[*at].location {
            Location::Path => None,
            Location::Query if has_no_body => None,
            other => Some(other.as_str()),
        },
        Destination::Member(name) if operation.path().contains(&format!("{{{name}}}")) => Some("body"),
        Destination::Member(_) | Destination::Body => has_no_body.then_some("body"),
    }
}

/// Writes a JSON Schema as the keys of an argument, or as `schema` if it says more than they can.
fn write_schema(schema: &Map<String, Json>, table: &mut Table) {
    let own: Map<String, Json> = schema
        .iter()
        .filter(|(name, _)| !["description", "title", "format"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), without_null(name, value)))
        .collect();
    let kind = own.get("type").and_then(Json::as_str).filter(|kind| TYPES.contains(kind));
    let is_long = |value: &Json| value.to_string().len() > MAX_SCHEMA;
    let is_simple = kind.is_some() && own.keys().all(|name| KEYS.contains(&name.as_str()));
    if is_simple || is_long(&Json::Object(own.clone())) {
        table["type"] = value(kind.unwrap_or("object"));
        for name in KEYS.iter().skip(1) {
            let found = own.get(*name).filter(|value| !is_long(value)).and_then(to_toml);
            // A list needs a schema of its items.
            let is_bare_list = *name == "items" && kind == Some("array");
            match found {
                Some(found) => table[*name] = Item::Value(found),
                None if is_bare_list => table[*name] = value(InlineTable::new()),
                None => {}
            }
        }
    } else if let Some(written) = to_toml(&Json::Object(own)).filter(|_| !schema.is_empty()) {
        table["schema"] = Item::Value(written);
    } else {
        table["type"] = value("string");
    }
}

/// Returns a keyword's value without null, which TOML does not have.
fn without_null(name: &str, value: &Json) -> Json {
    let Json::Array(items) = value else { return value.clone() };
    let kept: Vec<Json> = match name {
        "type" => items.iter().filter(|item| *item != "null").cloned().collect(),
        _ => items.iter().filter(|item| !item.is_null()).cloned().collect(),
    };
    match kept.as_slice() {
        [only] if name == "type" => only.clone(),
        _ => Json::Array(kept),
    }
}

/// Returns a JSON value as TOML; `None` for null. Members that are null are left out.
fn to_toml(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => number.into(),
            (None, number) => number?.into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::Array(items.iter().filter_map(to_toml).collect::<Array>()),
        Json::Object(members) => {
            let mut table = InlineTable::new();
            for (name, json) in members {
                if let Some(written) = to_toml(&without_null(name, json)) {
                    table.insert(name, written);
                }
            }
            Value::InlineTable(table)
        }
    })
}
