//! The reader of one tool.

use std::collections::BTreeMap;

use http::Method;
use loggia_openapi::OperationClass;
use serde_json::{Value, json};

use super::ManifestBackendKind as Kind;
use super::read_value::{object, request_of};
use super::source::{ManifestProblems, TableReader};
use super::tool::path_variables;
use super::{
    GraphQlRequest, InputPlace, ManifestTool, PagingStyle, ToolInput, ToolOutput, ToolPaging, ToolRequest,
};

pub(super) fn tool(
    kind: Kind,
    table: &TableReader<'_>,
    problems: &mut ManifestProblems<'_>,
) -> Option<ManifestTool> {
    let name = table.owned("name")?;
    let class = match table.text("class") {
        Some("read") => Some(OperationClass::Read),
        Some("write") => Some(OperationClass::Write),
        Some("destructive") => Some(OperationClass::Destructive),
        _ => None,
    };
    if kind.is_direct() {
        for (key, example) in [("class", "class = \"read\""), ("description", "description = \"…\"")] {
            if !table.has(key) {
                problems.add::<()>(&table.span, format!("the tool '{name}' needs a {key}: {example}"));
            }
        }
    }
    let request = (kind == Kind::OpenApi).then(|| request(table, &name, problems)).flatten();
    let graphql = (kind == Kind::GraphQl).then(|| graphql(table, &name, problems)).flatten();
    let inputs = table.named_tables("input").into_iter();
    let inputs: Vec<ToolInput> = inputs
        .map(|((name, span), table)| input(kind, name, &span, &table, request.as_ref(), problems))
        .collect();
    let rename = table.entries("rename").into_iter();
    Some(ManifestTool {
        from: table.owned("from").unwrap_or_else(|| name.clone()),
        title: table.owned("title"),
        description: table.owned("description"),
        class,
        is_enabled: table.boolean("enabled").unwrap_or(class != Some(OperationClass::Destructive)),
        needs_confirmation: table.boolean("confirm").unwrap_or(false),
        is_deferred: table.boolean("defer").unwrap_or(false),
        fixed: object(table, "fixed"),
        rename: rename
            .filter_map(|((name, _), value)| Some((name.to_owned(), value.get_ref().as_str()?.to_owned())))
            .collect::<BTreeMap<_, _>>(),
        defaults: object(table, "defaults"),
        result: table.filter("result"),
        paging: table.table("paging").map(|table| paging(&table, problems)),
        location: problems.location(&table.span),
        name,
        request,
        graphql,
        inputs,
    })
}

fn request(table: &TableReader<'_>, name: &str, problems: &mut ManifestProblems<'_>) -> Option<ToolRequest> {
    let Some(text) = table.text("request") else {
        return problems
            .add(&table.span, format!("the tool '{name}' needs a request: request = \"GET /v1/pages\""));
    };
    let (method, path) = request_of(text)?;
    Some(ToolRequest {
        operation: table.owned("operation"),
        method,
        path,
        accept: table.owned("accept"),
        body: table.filter("body"),
        content_type: table.owned("content_type").unwrap_or_else(|| "application/json".to_owned()),
        output: match table.text("output") {
            Some("text") => ToolOutput::Text,
            Some("binary") => ToolOutput::Binary,
            _ => ToolOutput::Json,
        },
    })
}

fn graphql(
    table: &TableReader<'_>,
    name: &str,
    problems: &mut ManifestProblems<'_>,
) -> Option<GraphQlRequest> {
    let Some(document) = table.owned("document") else {
        return problems
            .add(&table.span, format!("the tool '{name}' needs a document: document = \"\"\"query …\"\"\""));
    };
    Some(GraphQlRequest { document, variables: table.filter("variables") })
}

fn paging(table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> ToolPaging {
    let style = match table.text("kind") {
        Some("link") => PagingStyle::Link,
        Some("page") => PagingStyle::Page,
        Some("offset") => PagingStyle::Offset,
        _ => PagingStyle::Cursor,
    };
    if style == PagingStyle::Cursor && !table.has("next") {
        problems.add::<()>(
            &table.span,
            "paging by a cursor needs next: jq that gives the next cursor of a result",
        );
    }
    let number = |key: &str| table.json(key).and_then(|number| number.as_u64());
    ToolPaging {
        style,
        cursor: table.owned("cursor").unwrap_or_default(),
        next: table.filter("next"),
        size: table.owned("size"),
        default_size: number("default_size"),
        max_size: number("max_size"),
    }
}

fn input(
    kind: Kind,
    name: &str,
    span: &std::ops::Range<usize>,
    table: &TableReader<'_>,
    request: Option<&ToolRequest>,
    problems: &mut ManifestProblems<'_>,
) -> ToolInput {
    if !super::config_field::matches("^[a-zA-Z0-9_.-]{1,64}$", name) {
        problems.add::<()>(span, "the name of an argument has letters, digits, '_', '.' and '-', at most 64");
    }
    let wire_name = table.owned("as").unwrap_or_else(|| name.to_owned());
    let is_in_path =
        request.is_some_and(|request| path_variables(&request.path).any(|variable| variable == wire_name));
    let has_body =
        request.is_some_and(|request| ![Method::GET, Method::HEAD, Method::DELETE].contains(&request.method));
    let place = match (kind, table.text("in").and_then(InputPlace::from_name)) {
        (Kind::GraphQl, _) => InputPlace::Variable,
        (_, Some(place)) => place,
        (_, None) if is_in_path => InputPlace::Path,
        (_, None) if has_body => InputPlace::Body,
        (_, None) => InputPlace::Query,
    };
    if place == InputPlace::Path && !is_in_path && request.is_some() {
        problems.add::<()>(span, format!("the path has no {{{wire_name}}}: add it, or write as = \"…\""));
    }
    ToolInput {
        name: name.to_owned(),
        schema: input_schema(table, problems),
        is_required: table.boolean("required").unwrap_or(false) || place == InputPlace::Path,
        place,
        wire_name,
    }
}

/// Writes the JSON Schema of an argument.
fn input_schema(table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> Value {
    let mut schema = match table.json("schema") {
        Some(schema) if schema.is_object() => {
            for key in ["type", "enum", "items"].into_iter().filter(|key| table.has(key)) {
                problems.add::<()>(
                    &table.span_of(key),
                    format!("'{key}' belongs inside schema, which stands beside it"),
                );
            }
            schema
        }
        _ => json!({}),
    };
    if !table.has("schema") && !table.has("type") && !table.has("enum") {
        problems.add::<()>(&table.span, "an argument needs its type, for example type = \"string\"");
    }
    for key in ["type", "enum", "items", "default", "minimum", "maximum", "description"] {
        if let Some(value) = table.json(key) {
            schema[key] = value;
        }
    }
    schema
}
