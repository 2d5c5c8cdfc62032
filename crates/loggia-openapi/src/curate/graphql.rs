//! Connector manifests with a selection of the operations of a GraphQL schema.
//!
//! Invariant: each tool has a document that is valid for the schema.

use http::Uri;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};

use super::input::{schema_table, sort};
use super::{MAX_DESCRIPTION, PAGE_ITEMS, TOOL_KEYS, connector_name};
use crate::class::OperationClass;
use crate::error::DescriptionError;
use crate::graphql::{GraphqlOperation, GraphqlSchema, SelectionLimits};
use crate::operation::one_line;

/// The maximum number of tools of a manifest without a selection.
const MAX_TOOLS: usize = 15;
/// Verbs that are no part of an object's name.
const VERBS: [&str; 6] = ["create", "add", "update", "edit", "get", "list"];

/// The kinds of work on an object, in the order in which they are chosen.
const ROLES: [&str; 4] = ["list", "get", "create", "update"];

/// Writes a connector manifest whose tools are queries and mutations of `schema`, with documents of their own. `title` is the
/// name of the API for people. `selection` has names of fields or tools; an empty one stands for at most 15 that read and
/// write the main objects. Fails if a name is unknown.
pub fn curate_graphql(
    schema: &GraphqlSchema,
    title: &str,
    endpoint: &Uri,
    selection: &[&str],
    limits: SelectionLimits,
) -> Result<String, DescriptionError> {
    let all = schema.operations(limits);
    let chosen: Vec<&GraphqlOperation> = match selection {
        [] => defaults(&all),
        names => names.iter().map(|name| named(&all, name)).collect::<Result<_, _>>()?,
    };
    let mut document = DocumentMut::new();
    document["name"] = value(connector_name(title));
    document["title"] = value(one_line(title, 80));
    document["version"] = value("1.0.0");
    document["description"] = value(format!("{}.", one_line(title, 80)));
    let mut backend = Table::new();
    backend["name"] = value("api");
    backend["kind"] = value("graphql");
    backend["url"] = value(endpoint.to_string());
    let mut auth = Table::new();
    // A schema does not describe credentials.
    auth["class"] = value("api_key");
    auth["credential"] = value(InlineTable::from_iter([("title", "Access token")]));
    backend["auth"] = Item::Table(auth);
    let mut network = Table::new();
    network["allow"] = value(endpoint.host().into_iter().collect::<Array>());
    backend["network"] = Item::Table(network);
    backend["tools"] = Item::ArrayOfTables(chosen.into_iter().map(tool).collect::<ArrayOfTables>());
    document["backends"] = Item::ArrayOfTables([backend].into_iter().collect());
    Ok(format!("#:schema ./connector.schema.json\n{document}"))
}

fn named<'a>(all: &'a [GraphqlOperation], name: &str) -> Result<&'a GraphqlOperation, DescriptionError> {
    let snake = crate::name::snake_case(name);
    all.iter()
        .find(|operation| operation.name() == name || operation.name() == snake)
        .ok_or_else(|| DescriptionError::Operation(format!("the schema has no query or mutation {name}")))
}

fn tool(operation: &GraphqlOperation) -> Table {
    let definition = operation.tool();
    let schema: serde_json::Value =
        serde_json::from_str(definition.input_schema.as_str()).unwrap_or_default();
    let mut tool = Table::new();
    tool["name"] = value(operation.name());
    tool["title"] = value(&operation.title);
    let text = definition.description.as_deref().unwrap_or_default();
    tool["description"] = value(one_line(text, MAX_DESCRIPTION));
    tool["class"] = value(operation.class().to_string());
    tool["document"] = value(operation.document());
    let paging = operation.call().paging();
    if let Some(paging) = paging {
        let mut table = InlineTable::new();
        table.insert("cursor", paging.variable.as_str().into());
        // The result is the value of the only field.
        table.insert("next", ".pageInfo | if .hasNextPage then .endCursor else null end".into());
        if operation.variables.iter().any(|variable| variable.name == "first") {
            table.insert("size", "first".into());
            table.insert("default_size", PAGE_ITEMS.into());
        }
        tool["paging"] = value(table);
    }
    sort(&mut tool, &TOOL_KEYS);
    let is_paging = |name: &str| paging.is_some_and(|paging| paging.variable == name || name == "first");
    let mut inputs = Table::new();
    inputs.set_implicit(true);
    let mut shown: Vec<_> =
        operation.variables.iter().filter(|variable| !is_paging(&variable.name)).collect();
    shown.sort_by_key(|variable| !variable.is_required());
    for variable in shown {
        let mut input =
            schema_table(&schema["properties"][&variable.name], &variable.name, variable.is_required());
        super::input::sort(&mut input, &super::input::INPUT_KEYS);
        inputs.insert(&variable.name, Item::Table(input));
    }
    if !inputs.is_empty() {
        tool["input"] = Item::Table(inputs);
    }
    tool
}

/// Chooses the operations of the objects that have the most of them, in the order of the schema.
fn defaults(all: &[GraphqlOperation]) -> Vec<&GraphqlOperation> {
    let mut objects: Vec<(String, Vec<&GraphqlOperation>)> = Vec::new();
    for operation in
        all.iter().filter(|one| !one.is_deprecated() && one.class() != OperationClass::Destructive)
    {
        let Some((object, _)) = role_of(operation) else { continue };
        match objects.iter_mut().find(|(known, _)| *known == object) {
            Some((_, operations)) => operations.push(operation),
            None => objects.push((object, vec![operation])),
        }
    }
    // An object is a main one if each kind of work exists, and if many names begin with it.
    let mentions = |object: &str| all.iter().filter(|operation| operation.name().contains(object)).count();
    objects.sort_by_cached_key(|(object, operations)| {
        std::cmp::Reverse((operations.len().min(ROLES.len()), mentions(object)))
    });
    let mut chosen: Vec<&GraphqlOperation> = Vec::new();
    for (_, operations) in &objects {
        for role in ROLES {
            let own =
                operations.iter().filter(|operation| role_of(operation).is_some_and(|(_, own)| own == role));
            // The object itself has a shorter name than its parts.
            let shortest = own.min_by_key(|operation| operation.name().len());
            chosen.extend(shortest.filter(|_| chosen.len() < MAX_TOOLS));
        }
    }
    all.iter().filter(|one| chosen.iter().any(|known| known.name() == one.name())).collect()
}

/// Returns the object and the kind of work of an operation by the words of its name: `issue` and `create` for `issue_create`
/// and `create_issue`.
fn role_of(operation: &GraphqlOperation) -> Option<(String, &'static str)> {
    let words: Vec<&str> = operation.name().split('_').collect();
    let has = |verbs: &[&str]| words.iter().any(|word| verbs.contains(word));
    let role = match operation.class() {
        OperationClass::Read if operation.call().paging().is_some() => "list",
        OperationClass::Read if operation.variables.iter().any(|variable| variable.is_required()) => "get",
        OperationClass::Read => return None,
        _ if has(&["create", "add"]) => "create",
        _ if has(&["update", "edit"]) => "update",
        _ => return None,
    };
    let object: Vec<&str> = words.into_iter().filter(|word| !VERBS.contains(word)).collect();
    let object = object.join("_");
    let object = match object.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => object.strip_suffix('s').unwrap_or(&object).to_owned(),
    };
    (!object.is_empty()).then_some((object, role))
}
