//! Selection sets for fields of a schema: the data that a model needs, without a document of its author.
//!
//! Invariant: a selection set validates against its schema, and has a bounded number of fields.

use apollo_compiler::ast::FieldDefinition;
use apollo_compiler::schema::{Component, ExtendedType};
use apollo_compiler::{Name, Schema, collections::IndexMap};

/// Most fields of an object that is not the subject of the operation.
const MAX_INNER: usize = 5;
/// Most types of a union that are told apart.
const MAX_MEMBERS: usize = 12;
/// Most types that one selection set looks at.
const MAX_VISITS: usize = 2000;
/// Most fields of one type of a union.
const MAX_OF_MEMBER: usize = 5;
/// Items of a connection that is not the subject of the operation.
const INNER_ITEMS: usize = 10;
/// Fields that name an object best, in order.
const NAMING: [&str; 16] = [
    "id",
    "identifier",
    "key",
    "number",
    "name",
    "title",
    "displayName",
    "login",
    "slug",
    "email",
    "url",
    "status",
    "state",
    "type",
    "success",
    "value",
];

/// Bounds of a written selection set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectionLimits {
    /// Levels of objects, from 1. Connections, and the payload of a mutation, are no level.
    pub depth: usize,
    /// Most fields without a selection set of their own.
    pub fields: usize,
}

impl Default for SelectionLimits {
    fn default() -> SelectionLimits {
        SelectionLimits { depth: 2, fields: 150 }
    }
}

/// A field or fragment that is selected, with its selection set.
pub(crate) struct SelectedField {
    head: String,
    inner: Vec<SelectedField>,
}

/// The fields of a connection that are selected.
struct ConnectionFields {
    /// `nodes`, or `edges` with `node` in it.
    items: Vec<&'static str>,
    node: Name,
}

/// Writes selection sets for the fields of a schema.
pub(crate) struct SelectionWriter<'s> {
    schema: &'s Schema,
    depth: usize,
    /// Fields that may still be selected.
    left: usize,
    /// Types that may still be looked at, since types without scalars use up no field.
    visits: usize,
}

type FieldDefinitions = IndexMap<Name, Component<FieldDefinition>>;

impl<'s> SelectionWriter<'s> {
    pub(crate) fn new(schema: &'s Schema, limits: SelectionLimits) -> SelectionWriter<'s> {
        SelectionWriter { schema, depth: limits.depth.max(1), left: limits.fields.max(1), visits: MAX_VISITS }
    }

    /// Returns the selection set of a root field; empty for a scalar, `None` for a type that the schema does not have.
    pub(crate) fn root(&mut self, field: &FieldDefinition, is_mutation: bool) -> Option<Vec<SelectedField>> {
        let name = field.ty.inner_named_type();
        if self.schema.types.get(name)?.is_leaf() {
            return Some(Vec::new());
        }
        let inner = match connection(self.schema, name) {
            Some(connection) => self.connection(name, &connection, 1, true),
            None => self.of_type(name, if is_mutation { 0 } else { 1 }, field.ty.is_list()),
        };
        Some(if inner.is_empty() { vec![SelectedField::leaf("__typename")] } else { inner })
    }

    /// Selects the fields of a composite type. `is_listed` if the object is one of many, so that lists in it are left out.
    fn of_type(&mut self, name: &str, level: usize, is_listed: bool) -> Vec<SelectedField> {
        let schema = self.schema;
        if self.left == 0 || self.visits == 0 {
            return Vec::new();
        }
        self.visits -= 1;
        match schema.types.get(name) {
            Some(ExtendedType::Object(of)) => self.fields(&of.fields, level, is_listed),
            Some(ExtendedType::Interface(of)) => {
                let mut selected = vec![SelectedField::leaf("__typename")];
                selected.extend(self.fields(&of.fields, level, is_listed));
                selected
            }
            Some(ExtendedType::Union(of)) => {
                let members: Vec<&Name> = of.members.iter().map(|member| &member.name).collect();
                self.union(&members)
            }
            _ => Vec::new(),
        }
    }

    fn fields(&mut self, fields: &'s FieldDefinitions, level: usize, is_listed: bool) -> Vec<SelectedField> {
        let usable = || fields.values().filter(|field| is_usable(field));
        let mut leaves: Vec<&Name> =
            usable().filter(|field| self.is_leaf(field)).map(|field| &field.name).collect();
        if level > 1 {
            leaves.sort_by_key(|name| rank(name));
            // An object beside the subject is named, and can be read by its id.
            let named = leaves.iter().filter(|name| rank(name) < NAMING.len()).count();
            leaves.truncate(if named > 1 { named.min(MAX_INNER) } else { MAX_INNER });
        }
        leaves.truncate(self.left);
        self.left -= leaves.len();
        let mut selected: Vec<SelectedField> =
            leaves.into_iter().map(|name| SelectedField::leaf(name)).collect();
        if level >= self.depth {
            return selected;
        }
        let (connections, objects): (Vec<_>, Vec<_>) = usable()
            .filter(|field| !self.is_leaf(field))
            .partition(|field| connection(self.schema, field.ty.inner_named_type()).is_some());
        // Connections cost the API most, so they get what is left.
        for field in objects {
            let inner = self.of_type(field.ty.inner_named_type(), level + 1, is_listed || field.ty.is_list());
            selected.extend(SelectedField::branch(field.name.to_string(), inner));
        }
        for field in connections.into_iter().filter(|_| !is_listed) {
            let has_first = field.arguments.iter().any(|argument| argument.name == "first");
            let size = if has_first { format!("(first: {INNER_ITEMS})") } else { String::new() };
            let name = field.ty.inner_named_type();
            let inner = match connection(self.schema, name) {
                Some(connection) => self.connection(name, &connection, level + 1, false),
                None => Vec::new(),
            };
            selected.extend(SelectedField::branch(format!("{}{size}", field.name), inner));
        }
        selected
    }

    /// Selects the items of a connection, its own scalars, and its page.
    fn connection(
        &mut self,
        name: &str,
        connection: &ConnectionFields,
        level: usize,
        is_root: bool,
    ) -> Vec<SelectedField> {
        let Some(fields) = fields_of(self.schema, name) else { return Vec::new() };
        let mut items = self.of_type(&connection.node, level, true);
        if items.is_empty() {
            return items;
        }
        for part in connection.items.iter().rev() {
            items = vec![SelectedField { head: (*part).to_owned(), inner: items }];
        }
        let own = fields.values().filter(|field| is_usable(field) && self.is_leaf(field));
        items.extend(own.take(MAX_INNER).map(|field| SelectedField::leaf(&field.name)));
        // Pages inside of a result cannot be read on, so a cursor would be of no use.
        let wanted: &[&str] = if is_root { &["hasNextPage", "endCursor"] } else { &["hasNextPage"] };
        let page = fields.get("pageInfo").and_then(|page| fields_of(self.schema, page.ty.inner_named_type()));
        let page = wanted.iter().filter(|name| page.is_some_and(|page| page.contains_key(**name)));
        let page: Vec<SelectedField> = page.map(|name| SelectedField::leaf(name)).collect();
        items.extend(SelectedField::branch("pageInfo".to_owned(), page));
        items
    }

    /// Selects fields of each type of a union. A field of one name must have one type in all of them ("Field Selection
    /// Merging").
    fn union(&mut self, members: &[&Name]) -> Vec<SelectedField> {
        let schema = self.schema;
        let mut selected = vec![SelectedField::leaf("__typename")];
        let all: Vec<(&Name, &FieldDefinitions)> = members
            .iter()
            .filter_map(|name| Some((*name, fields_of(schema, name)?)))
            .take(MAX_MEMBERS)
            .collect();
        let is_uniform = |field: &Component<FieldDefinition>| {
            all.iter().all(|(_, fields)| fields.get(&field.name).is_none_or(|own| own.ty == field.ty))
        };
        for (member, fields) in &all {
            let usable =
                fields.values().filter(|field| is_usable(field) && self.is_leaf(field) && is_uniform(field));
            let mut names: Vec<&Name> = usable.map(|field| &field.name).collect();
            names.sort_by_key(|name| rank(name));
            names.truncate(MAX_OF_MEMBER.min(self.left));
            self.left -= names.len();
            let inner = names.iter().map(|name| SelectedField::leaf(name)).collect();
            selected.extend(SelectedField::branch(format!("... on {member}"), inner));
        }
        selected
    }

    fn is_leaf(&self, field: &FieldDefinition) -> bool {
        self.schema.types.get(field.ty.inner_named_type()).is_some_and(ExtendedType::is_leaf)
    }
}

impl SelectedField {
    fn leaf(name: &str) -> SelectedField {
        SelectedField { head: name.to_owned(), inner: Vec::new() }
    }

    /// Makes a field with a selection set; `None` if the set would be empty.
    fn branch(head: String, inner: Vec<SelectedField>) -> Option<SelectedField> {
        (!inner.is_empty()).then_some(SelectedField { head, inner })
    }

    /// Writes a selection set, one field a line.
    pub(crate) fn write_all(fields: &[SelectedField], indent: usize, out: &mut String) {
        for field in fields {
            out.push_str(&"  ".repeat(indent));
            out.push_str(&field.head);
            if !field.inner.is_empty() {
                out.push_str(" {\n");
                SelectedField::write_all(&field.inner, indent + 1, out);
                out.push_str(&"  ".repeat(indent));
                out.push('}');
            }
            out.push('\n');
        }
    }
}

/// Returns whether a type is a connection with a page that can be read on from: it has `pageInfo`, and `nodes` or `edges`.
pub(crate) fn is_connection(schema: &Schema, name: &str) -> bool {
    connection(schema, name).is_some_and(|_| has_page(schema, name))
}

fn has_page(schema: &Schema, name: &str) -> bool {
    let page = fields_of(schema, name).and_then(|fields| fields.get("pageInfo"));
    page.and_then(|page| fields_of(schema, page.ty.inner_named_type()))
        .is_some_and(|page| page.contains_key("hasNextPage") && page.contains_key("endCursor"))
}

fn connection(schema: &Schema, name: &str) -> Option<ConnectionFields> {
    let fields = fields_of(schema, name)?;
    fields.get("pageInfo")?;
    let composite = |field: &FieldDefinition| {
        let name = field.ty.inner_named_type();
        let is_usable = is_usable(field) && schema.types.get(name).is_some_and(|of| !of.is_leaf());
        is_usable.then(|| name.clone())
    };
    if let Some(node) =
        fields.get("nodes").filter(|nodes| nodes.ty.is_list()).and_then(|nodes| composite(nodes))
    {
        return Some(ConnectionFields { items: vec!["nodes"], node });
    }
    let edges = fields.get("edges").filter(|edges| edges.ty.is_list())?;
    let node = fields_of(schema, &composite(edges)?)?.get("node").and_then(|node| composite(node))?;
    Some(ConnectionFields { items: vec!["edges", "node"], node })
}

fn fields_of<'s>(schema: &'s Schema, name: &str) -> Option<&'s FieldDefinitions> {
    match schema.types.get(name)? {
        ExtendedType::Object(of) => Some(&of.fields),
        ExtendedType::Interface(of) => Some(&of.fields),
        _ => None,
    }
}

/// Returns whether a field can be selected without arguments, and is current.
fn is_usable(field: &FieldDefinition) -> bool {
    let description = field.description.as_deref().unwrap_or_default();
    !is_internal(description)
        && !field.directives.has("deprecated")
        && field.arguments.iter().all(|argument| !argument.is_required())
}

/// Returns whether a description says that a field is none for callers: some vendors begin it with `[Internal]`.
pub(crate) fn is_internal(description: &str) -> bool {
    description.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("[internal]"))
}

fn rank(name: &str) -> usize {
    NAMING.iter().position(|known| *known == name).unwrap_or(NAMING.len())
}
