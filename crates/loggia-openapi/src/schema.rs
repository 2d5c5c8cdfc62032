//! Schemas of arguments: JSON Schema 2020-12 that strict clients accept, made of the schemas of a description.
//!
//! OpenAPI 3.0 and Swagger 2.0 use a dialect of their own (`nullable`, `exclusiveMinimum: true`, `type: file`), and
//! descriptions refer to shared schemas, some of which contain themselves.
//!
//! Invariant: a written schema has no `$ref`, and at most [`MAX_BYTES`] bytes for one tool.

use std::collections::HashSet;

use loggia_wire::RawJson;

use crate::document::{Document, boolean, items, member, members, reference_of, string};
use crate::json_text::{ObjectText, array, json};

/// Most bytes of the schema of one tool. Deeper levels are left out until it fits.
pub(crate) const MAX_BYTES: usize = 24 * 1024;
/// Levels of nested schemas that are tried, one after the other.
const LEVELS: [usize; 6] = [12, 6, 4, 3, 2, 1];
/// Longest description of one property, in bytes: in full, and where levels are left out.
pub(crate) const MAX_DESCRIPTION: [usize; 2] = [600, 160];
/// Longest list of values, in bytes. A longer one (all time zones) is described.
pub(crate) const MAX_ENUM: usize = 2048;

/// Keywords that are copied.
const COPIED: [&str; 21] = [
    "type",
    "format",
    "title",
    "enum",
    "const",
    "default",
    "multipleOf",
    "maximum",
    "minimum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "contentMediaType",
    "contentEncoding",
];
/// Keywords whose value is a schema.
const SCHEMA: [&str; 5] = ["items", "additionalProperties", "not", "contains", "propertyNames"];
/// Keywords whose value is an array of schemas.
const SCHEMAS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];

/// An argument of a tool: its name, its schema in the description's dialect, and whether it must be given.
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) schema: Option<RawJson>,
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
}

/// The members of an object schema, with those of its `allOf`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectSchema {
    pub(crate) properties: Vec<(String, RawJson)>,
    pub(crate) required: Vec<String>,
}

/// Returns the schema of a tool that takes `properties`.
pub(crate) fn tool_schema(document: &Document, properties: &[Property]) -> RawJson {
    let mut written = Vec::new();
    for level in LEVELS {
        let mut writer = SchemaWriter { document, level, open: Vec::new(), room: MAX_BYTES };
        written = writer.tool(properties);
        if writer.room > 0 && written.len() <= MAX_BYTES {
            break;
        }
    }
    RawJson::from_written(written)
}

/// Returns the members of an object schema; `None` if a value may be something else than an object with these members.
pub(crate) fn object_schema(document: &Document, schema: &RawJson) -> Option<ObjectSchema> {
    let mut object = ObjectSchema::default();
    collect(document, schema, &mut object, 0)?;
    Some(object)
}

fn collect(document: &Document, schema: &RawJson, object: &mut ObjectSchema, depth: usize) -> Option<()> {
    const MAX_DEPTH: usize = 16;
    let schema = document.follow(schema).ok()?;
    let is_object = match member(&schema, "type") {
        Some(kind) => kind.as_text().is_str("object"),
        None => member(&schema, "properties").is_some() || member(&schema, "allOf").is_some(),
    };
    let has_alternatives = ["oneOf", "anyOf", "not", "if", "patternProperties"]
        .iter()
        .any(|name| member(&schema, name).is_some());
    // Members of any name cannot be arguments of their own.
    let is_open = member(&schema, "additionalProperties")
        .is_some_and(|more| more.is_object() || more.as_text().as_bool() == Some(true));
    if !is_object || has_alternatives || is_open || depth > MAX_DEPTH {
        return None;
    }
    for branch in member(&schema, "allOf").iter().flat_map(items) {
        collect(document, &branch, object, depth + 1)?;
    }
    for (name, value) in member(&schema, "properties").iter().flat_map(members) {
        let is_read_only =
            document.follow(&value).is_ok_and(|value| boolean(&value, "readOnly") == Some(true));
        if !is_read_only {
            object.properties.retain(|(known, _)| *known != name);
            object.properties.push((name, value));
        }
    }
    let required = member(&schema, "required")
        .iter()
        .flat_map(items)
        .filter_map(|name| Some(name.as_text().as_str()?.into_owned()))
        .collect::<Vec<_>>();
    object.required.extend(required);
    Some(())
}

struct SchemaWriter<'d> {
    document: &'d Document,
    /// Levels of nested schemas that are written.
    level: usize,
    /// The references that lead to the schema that is being written.
    open: Vec<String>,
    /// The bytes that may still be written. At 0 nothing more is, since the next level will be tried.
    room: usize,
}

impl SchemaWriter<'_> {
    fn tool(&mut self, properties: &[Property]) -> Vec<u8> {
        let mut object = ObjectText::new();
        object.member("type", b"\"object\"");
        let mut all = ObjectText::new();
        for property in properties {
            let schema = match &property.schema {
                Some(schema) => self.schema(schema, 1, property.description.as_deref()),
                None => self.described(property.description.as_deref()),
            };
            all.member(&property.name, &schema);
        }
        object.member("properties", &all.end());
        let required: Vec<&str> = properties
            .iter()
            .filter(|property| property.required)
            .map(|property| property.name.as_str())
            .collect();
        if !required.is_empty() {
            object.member("required", &json(&required));
        }
        object.member("additionalProperties", b"false");
        object.end()
    }

    /// Writes one schema. `description` replaces its own.
    fn schema(&mut self, schema: &RawJson, depth: usize, description: Option<&str>) -> Vec<u8> {
        let Some(reference) = reference_of(schema) else { return self.inline(schema, depth, description) };
        let name = reference.rsplit('/').next().unwrap_or_default().to_owned();
        let own = description.map(str::to_owned).or_else(|| string(schema, "description"));
        let Ok(target) = self.document.resolve(&reference) else { return self.described(own.as_deref()) };
        if self.open.contains(&reference) || self.open.len() > LEVELS[0] * 2 {
            let kind = member(&target, "type");
            return self.placeholder(kind.as_ref(), &own.unwrap_or_else(|| format!("A nested {name}")));
        }
        self.open.push(reference);
        let written = self.schema(&target, depth, own.as_deref());
        self.open.pop();
        written
    }

    fn inline(&mut self, schema: &RawJson, depth: usize, description: Option<&str>) -> Vec<u8> {
        // No schema is shorter than its braces.
        self.room = self.room.saturating_sub(2);
        if self.room == 0 {
            return b"{}".to_vec();
        }
        if !schema.is_object() {
            // `true` and `false` are schemas. Everything else is a mistake of the description, and allows any value.
            return if schema.as_text().as_bool().is_some() {
                schema.as_bytes().to_vec()
            } else {
                b"{}".to_vec()
            };
        }
        let keywords = Keywords(members(schema));
        let own = keywords.string("description");
        let description = description.or(own.as_deref());
        let is_nested = SCHEMA.iter().chain(&SCHEMAS).chain(&["properties"]).any(|name| keywords.has(name));
        if is_nested && depth > self.level {
            let description = description.unwrap_or("See the documentation of the API");
            return self.placeholder(keywords.get("type"), description);
        }
        let is_null_allowed = keywords.boolean("nullable");
        if keywords.has("allOf")
            && let Some(object) = object_schema(self.document, schema)
        {
            return self.object(&object, depth, description, is_null_allowed);
        }
        let mut out = ObjectText::new();
        match (keywords.get("enum").filter(|values| values.as_bytes().len() > MAX_ENUM), description) {
            (Some(values), description) => {
                out.member("description", &json(self.shortened(&choices(values, description))))
            }
            (None, Some(description)) => out.member("description", &json(self.shortened(description))),
            (None, None) => {}
        }
        for (name, value) in &keywords.0 {
            self.keyword(&mut out, name, value, &keywords, depth);
        }
        if is_null_allowed && !keywords.has("type") && !keywords.has("enum") {
            return format!("{{\"anyOf\":[{},{{\"type\":\"null\"}}]}}", String::from_utf8_lossy(&out.end()))
                .into_bytes();
        }
        out.end()
    }

    fn keyword(
        &mut self,
        out: &mut ObjectText,
        name: &str,
        value: &RawJson,
        keywords: &Keywords,
        depth: usize,
    ) {
        let is_null_allowed = keywords.boolean("nullable");
        match name {
            "type" => kind(out, value, is_null_allowed),
            "enum" if value.as_bytes().len() > MAX_ENUM => {}
            "enum" if is_null_allowed => out.member("enum", &with_null(value)),
            "exclusiveMinimum" | "exclusiveMaximum" if value.as_text().as_bool().is_some() => {}
            "minimum" if keywords.boolean("exclusiveMinimum") => {
                out.member("exclusiveMinimum", value.as_bytes())
            }
            "maximum" if keywords.boolean("exclusiveMaximum") => {
                out.member("exclusiveMaximum", value.as_bytes())
            }
            "properties" => self.properties(out, value, depth),
            "required" if value.as_text().is_array() => self.required(out, keywords, value),
            name if COPIED.contains(&name) => {
                self.room = self.room.saturating_sub(name.len() + value.as_bytes().len());
                out.member(name, value.as_bytes());
            }
            name if SCHEMA.contains(&name) => out.member(name, &self.schema(value, depth + 1, None)),
            name if SCHEMAS.contains(&name) => {
                let branches: Vec<Vec<u8>> =
                    items(value).iter().map(|branch| self.schema(branch, depth + 1, None)).collect();
                out.member(name, &array(&branches));
            }
            _ => {}
        }
    }

    fn shortened<'t>(&self, description: &'t str) -> &'t str {
        let most = if self.level > 3 { MAX_DESCRIPTION[0] } else { MAX_DESCRIPTION[1] };
        loggia_wire::text::truncated(description, most)
    }

    fn described(&self, description: Option<&str>) -> Vec<u8> {
        let mut out = ObjectText::new();
        if let Some(description) = description {
            out.member("description", &json(self.shortened(description)));
        }
        out.end()
    }

    /// Writes a schema whose inner part is left out.
    fn placeholder(&self, kind: Option<&RawJson>, description: &str) -> Vec<u8> {
        let mut out = ObjectText::new();
        out.member("description", &json(self.shortened(description)));
        let is_name = |kind: &RawJson| kind.as_text().as_str().is_some_and(|kind| kind != "file");
        if let Some(kind) = kind.filter(|kind| kind.as_text().is_array() || is_name(kind)) {
            out.member("type", kind.as_bytes());
        }
        out.end()
    }

    fn object(
        &mut self,
        object: &ObjectSchema,
        depth: usize,
        description: Option<&str>,
        is_null_allowed: bool,
    ) -> Vec<u8> {
        let mut out = ObjectText::new();
        if let Some(description) = description {
            out.member("description", &json(self.shortened(description)));
        }
        let kind: &[u8] = if is_null_allowed { b"[\"object\",\"null\"]" } else { b"\"object\"" };
        out.member("type", kind);
        let mut all = ObjectText::new();
        for (name, value) in &object.properties {
            all.member(name, &self.schema(value, depth + 1, None));
        }
        out.member("properties", &all.end());
        let known: HashSet<&str> = object.properties.iter().map(|(name, _)| name.as_str()).collect();
        let mut required: Vec<&str> = Vec::new();
        for name in &object.required {
            if known.contains(name.as_str()) && !required.contains(&name.as_str()) {
                required.push(name);
            }
        }
        if !required.is_empty() {
            out.member("required", &json(&required));
        }
        out.end()
    }

    fn properties(&mut self, out: &mut ObjectText, properties: &RawJson, depth: usize) {
        let mut all = ObjectText::new();
        for (name, value) in members(properties) {
            let is_read_only =
                self.document.follow(&value).is_ok_and(|value| boolean(&value, "readOnly") == Some(true));
            if !is_read_only {
                all.member(&name, &self.schema(&value, depth + 1, None));
            }
        }
        out.member("properties", &all.end());
    }

    /// Writes the names of required members, without those that are read-only.
    fn required(&self, out: &mut ObjectText, keywords: &Keywords, required: &RawJson) {
        let properties = keywords.get("properties");
        let is_kept = |name: &str| {
            let value = properties.and_then(|properties| member(properties, name));
            value.is_none_or(|value| {
                !self.document.follow(&value).is_ok_and(|value| boolean(&value, "readOnly") == Some(true))
            })
        };
        let mut names: Vec<String> = Vec::new();
        for name in items(required) {
            if let Some(name) = name.as_text().as_str()
                && is_kept(&name)
                && !names.iter().any(|known| *known == name)
            {
                names.push(name.into_owned());
            }
        }
        if !names.is_empty() {
            out.member("required", &json(&names));
        }
    }
}

fn kind(out: &mut ObjectText, kind: &RawJson, is_null_allowed: bool) {
    let text = kind.as_text();
    match text.as_str().as_deref() {
        // Swagger 2.0.
        Some("file") => {
            out.member("type", b"\"string\"");
            out.member("contentEncoding", b"\"base64\"");
        }
        Some(name) if is_null_allowed => out.member("type", &json(&[name, "null"])),
        Some(_) => out.member("type", kind.as_bytes()),
        None if text.is_array() => out.member("type", kind.as_bytes()),
        None => {}
    }
}

/// Describes a list of values that is too long for a schema.
fn choices(values: &RawJson, description: Option<&str>) -> String {
    const SHOWN: usize = 5;
    let values = items(values);
    let shown: Vec<String> = values
        .iter()
        .take(SHOWN)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    let choices = format!("One of {} values, such as {}", values.len(), shown.join(", "));
    match description {
        Some(description) => format!("{}. {choices}", description.trim_end().trim_end_matches('.')),
        None => choices,
    }
}

/// The keywords of one schema, read once.
struct Keywords(Vec<(String, RawJson)>);

impl Keywords {
    fn get(&self, name: &str) -> Option<&RawJson> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn boolean(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.as_text().as_bool() == Some(true))
    }

    fn string(&self, name: &str) -> Option<String> {
        self.get(name)?.as_text().as_str().map(|text| text.into_owned())
    }
}

fn with_null(values: &RawJson) -> Vec<u8> {
    let mut all: Vec<Vec<u8>> = items(values).iter().map(|value| value.as_bytes().to_vec()).collect();
    if !all.iter().any(|value| value == b"null") {
        all.push(b"null".to_vec());
    }
    array(&all)
}
