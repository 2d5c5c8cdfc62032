//! The result of an introspection query as SDL (GraphQL specification, section 4). APIs publish either, and one reader
//! serves both.
//!
//! Invariant: a name or a text of the result stays in its place: texts are escaped, and names are checked.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Deserialize;

/// Most levels of lists and non-null types around a name.
const MAX_WRAPPERS: usize = 16;

#[derive(Deserialize)]
struct IntrospectionResult<'a> {
    #[serde(borrow)]
    data: Option<IntrospectionData<'a>>,
    #[serde(borrow, rename = "__schema")]
    schema: Option<IntrospectionSchema<'a>>,
}

#[derive(Deserialize)]
struct IntrospectionData<'a> {
    #[serde(borrow, rename = "__schema")]
    schema: IntrospectionSchema<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntrospectionSchema<'a> {
    #[serde(borrow)]
    query_type: RootTypeName<'a>,
    #[serde(borrow)]
    mutation_type: Option<RootTypeName<'a>>,
    #[serde(borrow)]
    types: Vec<IntrospectionType<'a>>,
}

#[derive(Deserialize)]
struct RootTypeName<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntrospectionType<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    description: Option<String>,
    #[serde(borrow, default)]
    fields: Option<Vec<IntrospectionField<'a>>>,
    #[serde(borrow, default)]
    input_fields: Option<Vec<IntrospectionInput<'a>>>,
    #[serde(borrow, default)]
    interfaces: Option<Vec<TypeReference<'a>>>,
    #[serde(borrow, default)]
    enum_values: Option<Vec<IntrospectionEnumValue<'a>>>,
    #[serde(borrow, default)]
    possible_types: Option<Vec<TypeReference<'a>>>,
    #[serde(default)]
    is_one_of: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntrospectionField<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    description: Option<String>,
    #[serde(borrow, default)]
    args: Vec<IntrospectionInput<'a>>,
    #[serde(borrow, rename = "type")]
    of: TypeReference<'a>,
    #[serde(default)]
    is_deprecated: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntrospectionInput<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    description: Option<String>,
    #[serde(borrow, rename = "type")]
    of: TypeReference<'a>,
    /// A value as GraphQL writes it.
    default_value: Option<String>,
    #[serde(default)]
    is_deprecated: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntrospectionEnumValue<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    description: Option<String>,
    #[serde(default)]
    is_deprecated: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeReference<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    of_type: Option<Box<TypeReference<'a>>>,
}

/// Translates the JSON of an introspection query, with or without the member `data`, to SDL.
pub(crate) fn to_sdl(json: &[u8]) -> Result<String, String> {
    let result: IntrospectionResult<'_> = serde_json::from_slice(json)
        .map_err(|error| format!("it is not the result of an introspection query: {error}"))?;
    let schema = result.schema.or(result.data.map(|data| data.schema)).ok_or(
        "it is not the result of an introspection query: it has neither the member __schema nor data.__schema",
    )?;
    let mut out = SdlText(String::new());
    out.schema(&schema)?;
    Ok(out.0)
}

/// SDL that is being written.
struct SdlText(String);

impl SdlText {
    fn schema(&mut self, schema: &IntrospectionSchema<'_>) -> Result<(), String> {
        self.line(&format!("schema {{\n  query: {}", name(&schema.query_type.name)?));
        if let Some(mutation) = &schema.mutation_type {
            self.line(&format!("  mutation: {}", name(&mutation.name)?));
        }
        self.line("}");
        let built_in = ["Int", "Float", "String", "Boolean", "ID"];
        let own = schema
            .types
            .iter()
            .filter(|of| !of.name.starts_with("__") && !built_in.contains(&of.name.as_ref()));
        for of in own {
            self.type_definition(of)?;
        }
        Ok(())
    }

    fn type_definition(&mut self, of: &IntrospectionType<'_>) -> Result<(), String> {
        self.description(of.description.as_deref(), "");
        let type_name = name(&of.name)?;
        match of.kind.as_ref() {
            "SCALAR" => self.line(&format!("scalar {type_name}")),
            "OBJECT" | "INTERFACE" => {
                let keyword = if of.kind == "OBJECT" { "type" } else { "interface" };
                let parents = references(of.interfaces.as_deref())?;
                let parents = if parents.is_empty() {
                    String::new()
                } else {
                    format!(" implements {}", parents.join(" & "))
                };
                self.line(&format!("{keyword} {type_name}{parents} {{"));
                for field in of.fields.iter().flatten() {
                    self.field(field)?;
                }
                self.line("}");
            }
            "UNION" => {
                let members = references(of.possible_types.as_deref())?;
                self.line(&format!("union {type_name} = {}", members.join(" | ")));
            }
            "ENUM" => {
                self.line(&format!("enum {type_name} {{"));
                for value in of.enum_values.iter().flatten() {
                    self.description(value.description.as_deref(), "  ");
                    self.line(&format!("  {}{}", name(&value.name)?, deprecated(value.is_deprecated)));
                }
                self.line("}");
            }
            "INPUT_OBJECT" => {
                let directive = if of.is_one_of == Some(true) { " @oneOf" } else { "" };
                self.line(&format!("input {type_name}{directive} {{"));
                for field in of.input_fields.iter().flatten() {
                    self.input(field, "  ")?;
                    self.0.push('\n');
                }
                self.line("}");
            }
            other => return Err(format!("the type {type_name} is of the unknown kind {other}")),
        }
        Ok(())
    }

    fn field(&mut self, field: &IntrospectionField<'_>) -> Result<(), String> {
        self.description(field.description.as_deref(), "  ");
        let _ = write!(self.0, "  {}", name(&field.name)?);
        if !field.args.is_empty() {
            self.line("(");
            for argument in &field.args {
                self.input(argument, "    ")?;
                self.0.push('\n');
            }
            self.0.push_str("  )");
        }
        self.line(&format!(": {}{}", field.of.text(0)?, deprecated(field.is_deprecated)));
        Ok(())
    }

    fn input(&mut self, input: &IntrospectionInput<'_>, indent: &str) -> Result<(), String> {
        self.description(input.description.as_deref(), indent);
        let _ = write!(self.0, "{indent}{}: {}", name(&input.name)?, input.of.text(0)?);
        if let Some(value) = &input.default_value {
            let _ = write!(self.0, " = {value}");
        }
        self.0.push_str(deprecated(input.is_deprecated));
        Ok(())
    }

    fn description(&mut self, description: Option<&str>, indent: &str) {
        // The escapes of a JSON string are those of a GraphQL string.
        let text = description.filter(|text| !text.is_empty()).map(serde_json::to_string);
        if let Some(Ok(text)) = text {
            self.line(&format!("{indent}{text}"));
        }
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }
}

impl TypeReference<'_> {
    fn text(&self, depth: usize) -> Result<String, String> {
        let inner =
            || self.of_type.as_ref().filter(|_| depth < MAX_WRAPPERS).ok_or("a type has no name".to_owned());
        match self.kind.as_ref() {
            "NON_NULL" => Ok(format!("{}!", inner()?.text(depth + 1)?)),
            "LIST" => Ok(format!("[{}]", inner()?.text(depth + 1)?)),
            _ => Ok(name(self.name.as_deref().unwrap_or_default())?.to_owned()),
        }
    }
}

fn references(all: Option<&[TypeReference<'_>]>) -> Result<Vec<String>, String> {
    all.iter().flat_map(|all| all.iter()).map(|one| one.text(0)).collect()
}

fn deprecated(is_deprecated: Option<bool>) -> &'static str {
    if is_deprecated == Some(true) { " @deprecated" } else { "" }
}

/// Checks a name (GraphQL specification, section 2.1.9).
fn name(text: &str) -> Result<&str, String> {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = text.starts_with(is_start) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name { Ok(text) } else { Err(format!("{text:?} is not a name")) }
}
