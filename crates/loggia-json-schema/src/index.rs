//! The index of a schema document: its resources by `$id`, their anchors, and the location of every subschema.
//! References are resolved with it.

use std::collections::HashMap;

use loggia_wire::json::each_subschema;
use loggia_wire::uri::{percent_decode, scheme};
use serde_json::{Map, Value};

use super::error::{SchemaError, SchemaErrorKind};
use super::uri::{resolve, split_fragment};
use super::{MAX_SCHEMA_DEPTH, MAX_SUBSCHEMAS};

/// The supported dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SchemaDialect {
    /// 2020-12, the default.
    Draft2020,
    /// draft-07.
    Draft7,
}

impl SchemaDialect {
    fn named(uri: &str) -> Option<SchemaDialect> {
        let uri = uri.strip_suffix('#').unwrap_or(uri);
        match uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))? {
            "json-schema.org/draft/2020-12/schema" => Some(SchemaDialect::Draft2020),
            "json-schema.org/draft-07/schema" => Some(SchemaDialect::Draft7),
            _ => None,
        }
    }
}

/// A schema object.
pub(super) type SchemaObject = Map<String, Value>;

/// A schema in a document.
#[derive(Debug, Clone, Copy)]
pub(super) enum SchemaRef<'a> {
    Constant(bool),
    Object(&'a SchemaObject),
}

impl<'a> SchemaRef<'a> {
    pub(super) fn of(value: &'a Value) -> Option<SchemaRef<'a>> {
        match value {
            Value::Bool(allowed) => Some(SchemaRef::Constant(*allowed)),
            Value::Object(object) => Some(SchemaRef::Object(object)),
            _ => None,
        }
    }
}

/// The part of a document under one `$id`.
pub(super) struct SchemaResource<'a> {
    pub(super) uri: String,
    pub(super) dialect: SchemaDialect,
    root: &'a SchemaObject,
    anchors: HashMap<&'a str, &'a SchemaObject>,
    dynamic: HashMap<&'a str, &'a SchemaObject>,
}

/// The location of a subschema.
#[derive(Debug, Clone)]
pub(super) struct SchemaLocation {
    pub(super) resource: usize,
    /// A JSON Pointer fragment from the root of the document.
    pub(super) pointer: String,
}

/// The schema that a reference leads to.
pub(super) struct ReferenceTarget<'a> {
    pub(super) schema: SchemaRef<'a>,
    /// The resource and the `$dynamicAnchor` with which it was found, if any.
    pub(super) dynamic: Option<&'a str>,
}

/// Everything that references can name.
pub(super) struct SchemaIndex<'a> {
    pub(super) resources: Vec<SchemaResource<'a>>,
    places: HashMap<*const SchemaObject, SchemaLocation>,
}

impl<'a> SchemaIndex<'a> {
    /// Builds the index of the whole document.
    pub(super) fn new(root: &'a SchemaObject) -> Result<SchemaIndex<'a>, SchemaError> {
        let mut index = SchemaIndex { resources: Vec::new(), places: HashMap::new() };
        index.add_resource(root, String::new(), SchemaDialect::Draft2020, "#")?;
        index.add(root, SchemaLocation { resource: 0, pointer: "#".to_owned() }, 0)?;
        Ok(index)
    }

    /// Returns the location of `schema`, which is part of this document.
    pub(super) fn place(&self, schema: &'a SchemaObject) -> SchemaLocation {
        let known = self.places.get(&std::ptr::from_ref(schema)).cloned();
        known.unwrap_or(SchemaLocation { resource: 0, pointer: "#".to_owned() })
    }

    /// Returns the objects with `$dynamicAnchor: name`, by resource.
    pub(super) fn dynamic_anchors(&self, name: &str) -> Vec<(usize, &'a SchemaObject)> {
        let marked = |(at, resource): (usize, &SchemaResource<'a>)| Some((at, *resource.dynamic.get(name)?));
        self.resources.iter().enumerate().filter_map(marked).collect()
    }

    /// Follows `reference` from the subschema at `from`.
    pub(super) fn follow(
        &mut self,
        reference: &str,
        from: &SchemaLocation,
    ) -> Result<ReferenceTarget<'a>, SchemaError> {
        let unknown =
            || SchemaError::new(&from.pointer, SchemaErrorKind::UnknownReference(reference.to_owned()));
        let (uri, fragment) = split_fragment(reference);
        let wanted = resolve(&self.resources[from.resource].uri, uri);
        let resource = match self.resources.iter().position(|resource| resource.uri == wanted) {
            Some(resource) => resource,
            None if scheme(&wanted).is_some() => {
                let kind = SchemaErrorKind::RemoteReference(reference.to_owned());
                return Err(SchemaError::new(&from.pointer, kind));
            }
            None => return Err(unknown()),
        };
        let fragment = percent_decode(fragment.unwrap_or_default()).ok_or_else(unknown)?;
        if fragment.is_empty() || fragment.starts_with('/') {
            let schema = self.descend(resource, &fragment)?.ok_or_else(unknown)?;
            return Ok(ReferenceTarget { schema, dynamic: None });
        }
        let found = &self.resources[resource];
        let (_, object) = found.anchors.get_key_value(fragment.as_str()).ok_or_else(unknown)?;
        let dynamic = found.dynamic.get_key_value(fragment.as_str()).map(|(name, _)| *name);
        Ok(ReferenceTarget { schema: SchemaRef::Object(object), dynamic })
    }

    /// Returns the schema at the JSON Pointer `pointer` from the root of `resource`. If the pointer leads to a place
    /// where the dialect has no schema, the schema is added to the index.
    fn descend(&mut self, resource: usize, pointer: &str) -> Result<Option<SchemaRef<'a>>, SchemaError> {
        let root = self.resources[resource].root;
        let mut place = self.place(root);
        let Some(tokens) = pointer.strip_prefix('/') else { return Ok(Some(SchemaRef::Object(root))) };
        let mut tokens = tokens.split('/').map(|token| token.replace("~1", "/").replace("~0", "~"));
        let mut value = tokens.next().and_then(|first| root.get(&first));
        for token in tokens {
            value = match value {
                Some(Value::Object(object)) => {
                    place.resource =
                        self.places.get(&std::ptr::from_ref(object)).map_or(place.resource, |p| p.resource);
                    object.get(&token)
                }
                Some(Value::Array(list)) => token.parse::<usize>().ok().and_then(|at| list.get(at)),
                _ => None,
            };
        }
        let schema = value.and_then(SchemaRef::of);
        if let Some(SchemaRef::Object(object)) = schema
            && !self.places.contains_key(&std::ptr::from_ref(object))
        {
            place.pointer.push_str(pointer);
            self.add(object, place, 0)?;
        }
        Ok(schema)
    }

    fn add(
        &mut self,
        schema: &'a SchemaObject,
        mut place: SchemaLocation,
        depth: usize,
    ) -> Result<(), SchemaError> {
        if depth > MAX_SCHEMA_DEPTH {
            return Err(SchemaError::new(place.pointer, SchemaErrorKind::TooDeep));
        }
        if self.places.len() >= MAX_SUBSCHEMAS {
            return Err(SchemaError::new("#", SchemaErrorKind::TooLarge));
        }
        self.names(schema, &mut place)?;
        self.places.insert(std::ptr::from_ref(schema), place.clone());
        each_subschema(schema, |step, child| {
            let mut place = place.clone();
            step.append_to(&mut place.pointer);
            self.add(child, place, depth + 1)
        })
    }

    /// Adds the names in `schema` to the index.
    fn names(&mut self, schema: &'a SchemaObject, place: &mut SchemaLocation) -> Result<(), SchemaError> {
        let draft7 = self.resources[place.resource].dialect == SchemaDialect::Draft7;
        if draft7 && schema.contains_key("$ref") {
            return Ok(());
        }
        if let Some(id) = text(schema, "$id", place)? {
            let (uri, fragment) = split_fragment(id);
            if !uri.is_empty() && !std::ptr::eq(schema, self.resources[0].root) {
                let base = &self.resources[place.resource];
                let (uri, dialect) = (resolve(&base.uri, uri), base.dialect);
                place.resource = self.add_resource(schema, uri, dialect, &place.pointer)?;
            }
            match fragment {
                Some(name) if draft7 && !name.is_empty() => {
                    self.resources[place.resource].anchors.insert(name, schema);
                }
                _ => {}
            }
        }
        if !draft7 {
            for (keyword, dynamic) in [("$anchor", false), ("$dynamicAnchor", true)] {
                let Some(name) = text(schema, keyword, place)? else { continue };
                let resource = &mut self.resources[place.resource];
                resource.anchors.insert(name, schema);
                if dynamic {
                    resource.dynamic.insert(name, schema);
                }
            }
        }
        Ok(())
    }

    fn add_resource(
        &mut self,
        root: &'a SchemaObject,
        uri: String,
        inherited: SchemaDialect,
        pointer: &str,
    ) -> Result<usize, SchemaError> {
        let place = SchemaLocation { resource: 0, pointer: pointer.to_owned() };
        let dialect = match text(root, "$schema", &place)? {
            None => inherited,
            Some(uri) => SchemaDialect::named(uri).ok_or_else(|| {
                SchemaError::new(pointer, SchemaErrorKind::UnsupportedDialect(uri.to_owned()))
            })?,
        };
        let uri = match text(root, "$id", &place)? {
            Some(id) if self.resources.is_empty() => split_fragment(id).0.to_owned(),
            _ => uri,
        };
        if self.resources.iter().any(|other| other.uri == uri) {
            return Err(invalid(pointer, "$id", "different from every other $id in the document"));
        }
        self.resources.push(SchemaResource {
            uri,
            dialect,
            root,
            anchors: HashMap::new(),
            dynamic: HashMap::new(),
        });
        Ok(self.resources.len() - 1)
    }
}

/// Returns the error for a wrong value of `keyword` at `pointer`.
pub(super) fn invalid(pointer: &str, keyword: &str, expected: &'static str) -> SchemaError {
    SchemaError::new(pointer, SchemaErrorKind::InvalidKeyword { keyword: keyword.to_owned(), expected })
}

/// Returns the value of a keyword that must be a string.
pub(super) fn text<'a>(
    schema: &'a SchemaObject,
    keyword: &str,
    place: &SchemaLocation,
) -> Result<Option<&'a str>, SchemaError> {
    match schema.get(keyword) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(&place.pointer, keyword, "a string")),
    }
}
