//! Compiles a schema document into nodes. Subschemas are compiled once, when a reference needs them, from a work
//! list: neither nesting nor recursion in the document uses stack.

use std::collections::HashMap;

use serde_json::Value;

use super::error::{SchemaError, SchemaErrorKind};
use super::index::{SchemaDialect, SchemaIndex, SchemaLocation, SchemaObject, SchemaRef, invalid};
use super::node::{
    ArrayChecks, ContainsCheck, CountRange, EnumValues, GeneralCheck, NodeId, NumberChecks, ObjectChecks,
    SchemaNode,
};
use super::node::{StringChecks, TypeSet};
use super::pattern::Pattern;
use super::{CompiledSchema, MAX_SUBSCHEMAS};

/// Compiles a document. If `tolerated` is given, unusable patterns are added to it instead of being errors.
pub(super) fn compile(
    root: &SchemaObject,
    tolerated: Option<&mut Vec<SchemaError>>,
) -> Result<CompiledSchema, SchemaError> {
    let mut compiler = SchemaCompiler {
        index: SchemaIndex::new(root)?,
        nodes: constants(),
        ids: HashMap::new(),
        queue: Vec::new(),
        tolerated,
    };
    let root = compiler.id(SchemaRef::Object(root))?;
    while let Some((id, schema)) = compiler.queue.pop() {
        let place = compiler.index.place(schema);
        let node = KeywordReader { compiler: &mut compiler, schema, place }.node()?;
        compiler.nodes[id.0 as usize] = node;
    }
    let is_dynamic = |check: &GeneralCheck| matches!(check, GeneralCheck::DynamicRef { .. });
    let dynamic = compiler.nodes.iter().any(|node| node.general.iter().any(is_dynamic));
    Ok(CompiledSchema { nodes: compiler.nodes, root, dynamic })
}

/// Creates the schema `true` or `false`.
pub(super) fn constant(allowed: bool) -> CompiledSchema {
    let root = if allowed { NodeId::ANYTHING } else { NodeId::NOTHING };
    CompiledSchema { nodes: constants(), root, dynamic: false }
}

fn constants() -> Vec<SchemaNode> {
    vec![SchemaNode::default(), SchemaNode { types: TypeSet::NONE, ..SchemaNode::default() }]
}

struct SchemaCompiler<'a, 't> {
    index: SchemaIndex<'a>,
    nodes: Vec<SchemaNode>,
    ids: HashMap<*const SchemaObject, NodeId>,
    queue: Vec<(NodeId, &'a SchemaObject)>,
    tolerated: Option<&'t mut Vec<SchemaError>>,
}

impl<'a> SchemaCompiler<'a, '_> {
    fn id(&mut self, schema: SchemaRef<'a>) -> Result<NodeId, SchemaError> {
        let object = match schema {
            SchemaRef::Constant(true) => return Ok(NodeId::ANYTHING),
            SchemaRef::Constant(false) => return Ok(NodeId::NOTHING),
            SchemaRef::Object(object) => object,
        };
        if let Some(id) = self.ids.get(&std::ptr::from_ref(object)) {
            return Ok(*id);
        }
        if self.nodes.len() > MAX_SUBSCHEMAS + 2 {
            return Err(SchemaError::new("#", SchemaErrorKind::TooLarge));
        }
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(SchemaNode::default());
        self.ids.insert(std::ptr::from_ref(object), id);
        self.queue.push((id, object));
        Ok(id)
    }
}

/// Reads the keywords of one schema object.
struct KeywordReader<'a, 't, 'c> {
    compiler: &'c mut SchemaCompiler<'a, 't>,
    schema: &'a SchemaObject,
    place: SchemaLocation,
}

impl<'a> KeywordReader<'a, '_, '_> {
    fn node(&mut self) -> Result<SchemaNode, SchemaError> {
        let resource = self.place.resource as u32;
        if self.draft7() && self.schema.contains_key("$ref") {
            // Before 2019-09, all keywords beside `$ref` are ignored.
            return Ok(SchemaNode { general: self.references()?, resource, ..SchemaNode::default() });
        }
        let mut general = self.references()?;
        self.values(&mut general)?;
        self.combinations(&mut general)?;
        let modern = !self.draft7();
        Ok(SchemaNode {
            types: self.types()?,
            number: self.number_checks()?,
            string: self.string_checks()?,
            array: self.array_checks()?,
            object: self.object_checks()?,
            general,
            unevaluated_items: if modern { self.one("unevaluatedItems")? } else { None },
            unevaluated_properties: if modern { self.one("unevaluatedProperties")? } else { None },
            resource,
        })
    }

    fn draft7(&self) -> bool {
        self.compiler.index.resources[self.place.resource].dialect == SchemaDialect::Draft7
    }

    fn references(&mut self) -> Result<Vec<GeneralCheck>, SchemaError> {
        let mut checks = Vec::new();
        if let Some(reference) = self.text("$ref")? {
            let target = self.compiler.index.follow(reference, &self.place)?;
            checks.push(GeneralCheck::Ref(self.compiler.id(target.schema)?));
        }
        if !self.draft7()
            && let Some(reference) = self.text("$dynamicRef")?
        {
            let target = self.compiler.index.follow(reference, &self.place)?;
            let otherwise = self.compiler.id(target.schema)?;
            let mut anchors = Vec::new();
            let marked =
                target.dynamic.map(|name| self.compiler.index.dynamic_anchors(name)).unwrap_or_default();
            for (resource, object) in marked {
                anchors.push((resource as u32, self.compiler.id(SchemaRef::Object(object))?));
            }
            checks.push(GeneralCheck::DynamicRef { anchors, otherwise });
        }
        Ok(checks)
    }

    fn values(&mut self, checks: &mut Vec<GeneralCheck>) -> Result<(), SchemaError> {
        if let Some(value) = self.schema.get("const") {
            checks.push(GeneralCheck::Const(value.clone()));
        }
        match self.schema.get("enum") {
            None => {}
            Some(Value::Array(values)) => checks.push(GeneralCheck::Enum(EnumValues::new(values))),
            Some(_) => return Err(self.invalid("enum", "a list of values")),
        }
        Ok(())
    }

    fn combinations(&mut self, checks: &mut Vec<GeneralCheck>) -> Result<(), SchemaError> {
        type ListCheck = fn(Vec<NodeId>) -> GeneralCheck;
        let shapes: [(&str, ListCheck); 3] =
            [("allOf", GeneralCheck::AllOf), ("anyOf", GeneralCheck::AnyOf), ("oneOf", GeneralCheck::OneOf)];
        for (keyword, check) in shapes {
            if let Some(list) = self.many(keyword)? {
                checks.push(check(list));
            }
        }
        if let Some(node) = self.one("not")? {
            checks.push(GeneralCheck::Not(node));
        }
        if let Some(condition) = self.one("if")? {
            let then = self.one("then")?.unwrap_or(NodeId::ANYTHING);
            let otherwise = self.one("else")?.unwrap_or(NodeId::ANYTHING);
            checks.push(GeneralCheck::If { condition, then, otherwise });
        }
        Ok(())
    }

    fn types(&self) -> Result<TypeSet, SchemaError> {
        const EXPECTED: &str = "one or a list of \"string\", \"number\", \"integer\", \"boolean\", \"array\", \"object\" and \"null\"";
        let one = |value: &Value| {
            value.as_str().and_then(TypeSet::named).ok_or_else(|| self.invalid("type", EXPECTED))
        };
        match self.schema.get("type") {
            None => Ok(TypeSet::ANY),
            Some(Value::Array(list)) => {
                list.iter().try_fold(TypeSet::NONE, |types, value| Ok(types.with(one(value)?)))
            }
            Some(value) => one(value),
        }
    }

    fn number_checks(&self) -> Result<Option<Box<NumberChecks>>, SchemaError> {
        let number = |keyword| match self.schema.get(keyword) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number.clone())),
            Some(_) => Err(self.invalid(keyword, "a number")),
        };
        let checks = NumberChecks {
            at_least: number("minimum")?,
            above: number("exclusiveMinimum")?,
            at_most: number("maximum")?,
            below: number("exclusiveMaximum")?,
            multiple_of: number("multipleOf")?,
        };
        if checks.multiple_of.as_ref().and_then(|n| n.as_f64()).is_some_and(|n| n <= 0.0) {
            return Err(self.invalid("multipleOf", "a number above zero"));
        }
        let used = self.has(&["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"]);
        Ok(used.then(|| Box::new(checks)))
    }

    fn string_checks(&mut self) -> Result<Option<Box<StringChecks>>, SchemaError> {
        let mut checks =
            StringChecks { length: self.range("minLength", "maxLength")?, ..StringChecks::default() };
        match self.text("pattern")?.map(|source| self.pattern(source)) {
            None => {}
            Some(Ok(pattern)) => checks.pattern = Some(pattern),
            Some(Err(error)) => match &mut self.compiler.tolerated {
                None => return Err(error),
                Some(tolerated) => {
                    tolerated.push(error);
                    checks.unusable_pattern = true;
                }
            },
        }
        let used = checks.length.is_bounded() || checks.pattern.is_some() || checks.unusable_pattern;
        Ok(used.then(|| Box::new(checks)))
    }

    fn array_checks(&mut self) -> Result<Option<Box<ArrayChecks>>, SchemaError> {
        let mut checks = ArrayChecks {
            length: self.range("minItems", "maxItems")?,
            unique: match self.schema.get("uniqueItems") {
                None => false,
                Some(Value::Bool(unique)) => *unique,
                Some(_) => return Err(self.invalid("uniqueItems", "true or false")),
            },
            ..ArrayChecks::default()
        };
        if !self.draft7() {
            if matches!(self.schema.get("items"), Some(Value::Array(_))) {
                return Err(
                    self.invalid("items", "a schema; lists of schemas go into \"prefixItems\" since 2020-12")
                );
            }
            checks.prefix = self.many("prefixItems")?.unwrap_or_default();
            checks.rest = self.one("items")?;
        } else if matches!(self.schema.get("items"), Some(Value::Array(_))) {
            checks.prefix = self.list("items")?.unwrap_or_default();
            checks.rest = self.one("additionalItems")?;
        } else {
            checks.rest = self.one("items")?;
        }
        if let Some(node) = self.one("contains")? {
            checks.contains = Some(ContainsCheck { node, count: self.contained()? });
        }
        let used = checks.length.is_bounded()
            || checks.unique
            || !checks.prefix.is_empty()
            || checks.rest.is_some()
            || checks.contains.is_some();
        Ok(used.then(|| Box::new(checks)))
    }

    fn contained(&self) -> Result<CountRange, SchemaError> {
        let mut count =
            if self.draft7() { CountRange::default() } else { self.range("minContains", "maxContains")? };
        if self.draft7() || !self.schema.contains_key("minContains") {
            count.min = 1;
        }
        Ok(count)
    }

    fn object_checks(&mut self) -> Result<Option<Box<ObjectChecks>>, SchemaError> {
        const KEYWORDS: &[&str] = &[
            "additionalProperties",
            "dependencies",
            "dependentRequired",
            "dependentSchemas",
            "maxProperties",
            "minProperties",
            "patternProperties",
            "properties",
            "propertyNames",
            "required",
        ];
        if !self.has(KEYWORDS) {
            return Ok(None);
        }
        let mut checks = ObjectChecks {
            length: self.range("minProperties", "maxProperties")?,
            required: self
                .schema
                .get("required")
                .map(|value| self.names("required", value))
                .transpose()?
                .unwrap_or_default(),
            additional: self.one("additionalProperties")?,
            names: self.one("propertyNames")?,
            ..ObjectChecks::default()
        };
        for (name, node) in self.named("properties")? {
            checks.properties.push((name.into(), node));
        }
        checks.properties.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (source, node) in self.named("patternProperties")? {
            checks.patterns.push((self.pattern(source)?, node));
        }
        self.dependents(&mut checks)?;
        Ok(Some(Box::new(checks)))
    }

    fn dependents(&mut self, checks: &mut ObjectChecks) -> Result<(), SchemaError> {
        if self.draft7() {
            for (name, value) in self.map("dependencies")? {
                match value {
                    Value::Array(_) => {
                        checks
                            .dependent_required
                            .push((name.as_str().into(), self.names("dependencies", value)?));
                    }
                    value => {
                        checks
                            .dependent_schemas
                            .push((name.as_str().into(), self.schema("dependencies", value)?));
                    }
                }
            }
            return Ok(());
        }
        for (name, value) in self.map("dependentRequired")? {
            checks.dependent_required.push((name.as_str().into(), self.names("dependentRequired", value)?));
        }
        for (name, node) in self.named("dependentSchemas")? {
            checks.dependent_schemas.push((name.into(), node));
        }
        Ok(())
    }
}

/// Reads keywords by the type of their value.
impl<'a> KeywordReader<'a, '_, '_> {
    fn invalid(&self, keyword: &str, expected: &'static str) -> SchemaError {
        invalid(&self.place.pointer, keyword, expected)
    }

    fn has(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.schema.contains_key(*keyword))
    }

    fn text(&self, keyword: &str) -> Result<Option<&'a str>, SchemaError> {
        super::index::text(self.schema, keyword, &self.place)
    }

    fn pattern(&self, source: &str) -> Result<Pattern, SchemaError> {
        Pattern::compile(source).map_err(|reason| {
            SchemaError::new(
                &self.place.pointer,
                SchemaErrorKind::InvalidPattern { pattern: source.to_owned(), reason },
            )
        })
    }

    fn range(&self, min: &str, max: &str) -> Result<CountRange, SchemaError> {
        let count = |keyword| match self.schema.get(keyword) {
            None => Ok(None),
            Some(value) => {
                count(value).map(Some).ok_or_else(|| self.invalid(keyword, "a whole number, zero or more"))
            }
        };
        Ok(CountRange { min: count(min)?.unwrap_or(0), max: count(max)?.unwrap_or(usize::MAX) })
    }

    fn names(&self, keyword: &str, value: &Value) -> Result<Vec<Box<str>>, SchemaError> {
        let name = |value: &Value| value.as_str().map(Box::from);
        let names: Option<Vec<_>> = value.as_array().and_then(|list| list.iter().map(name).collect());
        names.ok_or_else(|| self.invalid(keyword, "a list of property names"))
    }

    fn schema(&mut self, keyword: &str, value: &'a Value) -> Result<NodeId, SchemaError> {
        match SchemaRef::of(value) {
            Some(schema) => self.compiler.id(schema),
            None => Err(self.invalid(keyword, "a schema: an object or a boolean")),
        }
    }

    fn one(&mut self, keyword: &str) -> Result<Option<NodeId>, SchemaError> {
        self.schema.get(keyword).map(|value| self.schema(keyword, value)).transpose()
    }

    fn many(&mut self, keyword: &str) -> Result<Option<Vec<NodeId>>, SchemaError> {
        match self.list(keyword)? {
            Some(list) if list.is_empty() => Err(self.invalid(keyword, "a list of at least one schema")),
            list => Ok(list),
        }
    }

    fn list(&mut self, keyword: &str) -> Result<Option<Vec<NodeId>>, SchemaError> {
        match self.schema.get(keyword) {
            None => Ok(None),
            Some(Value::Array(list)) => {
                list.iter().map(|value| self.schema(keyword, value)).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(self.invalid(keyword, "a list of schemas")),
        }
    }

    fn map(
        &self,
        keyword: &str,
    ) -> Result<impl Iterator<Item = (&'a String, &'a Value)> + use<'a>, SchemaError> {
        match self.schema.get(keyword) {
            None => Ok(None.into_iter().flatten()),
            Some(Value::Object(map)) => Ok(Some(map.iter()).into_iter().flatten()),
            Some(_) => Err(self.invalid(keyword, "an object")),
        }
    }

    fn named(&mut self, keyword: &str) -> Result<Vec<(&'a str, NodeId)>, SchemaError> {
        let entries = self.map(keyword)?;
        entries.map(|(name, value)| Ok((name.as_str(), self.schema(keyword, value)?))).collect()
    }
}

/// Returns a count; `2.0` is accepted, too.
fn count(value: &Value) -> Option<usize> {
    if let Some(count) = value.as_u64() {
        return Some(usize::try_from(count).unwrap_or(usize::MAX));
    }
    value.as_f64().filter(|count| *count >= 0.0 && count.fract() == 0.0).map(|count| count as usize)
}
