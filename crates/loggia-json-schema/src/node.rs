//! A compiled schema: nodes that refer to each other by index, so that recursive schemas need no pointers. Checks for
//! one type are stored by type, because a value has only one type.

use serde_json::{Number, Value};

use super::pattern::Pattern;

/// The index of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u32);

impl NodeId {
    /// The schema `true`.
    pub(super) const ANYTHING: NodeId = NodeId(0);
    /// The schema `false`.
    pub(super) const NOTHING: NodeId = NodeId(1);
}

/// One subschema.
#[derive(Debug, Default)]
pub(super) struct SchemaNode {
    pub(super) types: TypeSet,
    pub(super) number: Option<Box<NumberChecks>>,
    pub(super) string: Option<Box<StringChecks>>,
    pub(super) array: Option<Box<ArrayChecks>>,
    pub(super) object: Option<Box<ObjectChecks>>,
    /// Checks of values of every type.
    pub(super) general: Vec<GeneralCheck>,
    /// `unevaluatedItems`, `unevaluatedProperties`: checked after everything else.
    pub(super) unevaluated_items: Option<NodeId>,
    pub(super) unevaluated_properties: Option<NodeId>,
    /// The schema resource of the node, for `$dynamicRef`.
    pub(super) resource: u32,
}

/// A set of JSON types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeSet(u8);

impl TypeSet {
    pub(super) const NONE: TypeSet = TypeSet(0);
    pub(super) const ANY: TypeSet = TypeSet(0x7f);
    const NULL: u8 = 1;
    pub(super) const BOOLEAN: u8 = 2;
    pub(super) const STRING: u8 = 4;
    pub(super) const ARRAY: u8 = 8;
    pub(super) const OBJECT: u8 = 16;
    pub(super) const INTEGER: u8 = 32;
    /// Numbers with a fraction; the type `number` has both bits.
    const FRACTION: u8 = 64;
    const NAMES: [(&'static str, &'static str, u8); 7] = [
        ("string", "a string", TypeSet::STRING),
        ("number", "a number", TypeSet::INTEGER | TypeSet::FRACTION),
        ("integer", "an integer", TypeSet::INTEGER),
        ("boolean", "a boolean", TypeSet::BOOLEAN),
        ("array", "an array", TypeSet::ARRAY),
        ("object", "an object", TypeSet::OBJECT),
        ("null", "null", TypeSet::NULL),
    ];

    /// Returns the type with this name.
    pub(super) fn named(name: &str) -> Option<TypeSet> {
        TypeSet::NAMES.iter().find(|(known, ..)| *known == name).map(|(.., bits)| TypeSet(*bits))
    }

    pub(super) fn with(self, other: TypeSet) -> TypeSet {
        TypeSet(self.0 | other.0)
    }

    /// Returns whether the type with this bit is among them.
    pub(super) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    pub(super) fn contains(self, value: &Value) -> bool {
        let bit = match value {
            Value::Null => TypeSet::NULL,
            Value::Bool(_) => TypeSet::BOOLEAN,
            Value::String(_) => TypeSet::STRING,
            Value::Array(_) => TypeSet::ARRAY,
            Value::Object(_) => TypeSet::OBJECT,
            Value::Number(number) if super::number::is_integer(number) => TypeSet::INTEGER,
            Value::Number(_) => TypeSet::FRACTION,
        };
        self.0 & bit != 0
    }

    /// Returns the types as a user names them, each at most once.
    pub(super) fn phrases(self) -> impl Iterator<Item = &'static str> {
        let mut left = self.0;
        TypeSet::NAMES.into_iter().filter_map(move |(_, phrase, bits)| {
            let whole = bits & left == bits;
            left &= if whole { !bits } else { u8::MAX };
            whole.then_some(phrase)
        })
    }
}

impl Default for TypeSet {
    fn default() -> TypeSet {
        TypeSet::ANY
    }
}

/// `minimum` and similar keywords.
#[derive(Debug, Default)]
pub(super) struct NumberChecks {
    pub(super) at_least: Option<Number>,
    pub(super) above: Option<Number>,
    pub(super) at_most: Option<Number>,
    pub(super) below: Option<Number>,
    pub(super) multiple_of: Option<Number>,
}

/// `minLength`, `maxLength`, `pattern`.
#[derive(Debug, Default)]
pub(super) struct StringChecks {
    pub(super) length: CountRange,
    pub(super) pattern: Option<Pattern>,
    /// True if there is a pattern that the engine cannot run, in a schema that tolerates it.
    pub(super) unusable_pattern: bool,
}

/// Checks of arrays.
#[derive(Debug, Default)]
pub(super) struct ArrayChecks {
    pub(super) length: CountRange,
    pub(super) unique: bool,
    pub(super) prefix: Vec<NodeId>,
    pub(super) rest: Option<NodeId>,
    pub(super) contains: Option<ContainsCheck>,
}

/// `contains` with its bounds.
#[derive(Debug)]
pub(super) struct ContainsCheck {
    pub(super) node: NodeId,
    pub(super) count: CountRange,
}

/// Checks of objects.
#[derive(Debug, Default)]
pub(super) struct ObjectChecks {
    pub(super) length: CountRange,
    pub(super) required: Vec<Box<str>>,
    /// Sorted by name.
    pub(super) properties: Vec<(Box<str>, NodeId)>,
    pub(super) patterns: Vec<(Pattern, NodeId)>,
    pub(super) additional: Option<NodeId>,
    pub(super) names: Option<NodeId>,
    /// If the object has the property, it must have these, too.
    pub(super) dependent_required: Vec<(Box<str>, Vec<Box<str>>)>,
    /// If the object has the property, the whole object must match.
    pub(super) dependent_schemas: Vec<(Box<str>, NodeId)>,
}

impl ObjectChecks {
    pub(super) fn property(&self, name: &[u8]) -> Option<NodeId> {
        let at = self.properties.binary_search_by(|(known, _)| known.as_bytes().cmp(name)).ok()?;
        Some(self.properties[at].1)
    }
}

/// A lower and an upper bound, both included.
#[derive(Debug, Clone, Copy)]
pub(super) struct CountRange {
    pub(super) min: usize,
    pub(super) max: usize,
}

impl Default for CountRange {
    fn default() -> CountRange {
        CountRange { min: 0, max: usize::MAX }
    }
}

impl CountRange {
    pub(super) fn contains(self, count: usize) -> bool {
        (self.min..=self.max).contains(&count)
    }

    pub(super) fn is_bounded(self) -> bool {
        self.min > 0 || self.max < usize::MAX
    }
}

/// A check of values of every type.
#[derive(Debug)]
pub(super) enum GeneralCheck {
    Const(Value),
    Enum(EnumValues),
    Ref(NodeId),
    DynamicRef {
        /// For each schema resource with the anchor, the node of the anchor.
        anchors: Vec<(u32, NodeId)>,
        /// The node that is used if no resource of the walk has the anchor.
        otherwise: NodeId,
    },
    AllOf(Vec<NodeId>),
    AnyOf(Vec<NodeId>),
    OneOf(Vec<NodeId>),
    Not(NodeId),
    If {
        condition: NodeId,
        then: NodeId,
        otherwise: NodeId,
    },
}

/// The values of `enum`.
#[derive(Debug)]
pub(super) struct EnumValues {
    /// In the order of the schema, for messages.
    pub(super) values: Vec<Value>,
    /// The strings among them, sorted.
    strings: Vec<Box<str>>,
    /// The others.
    others: Vec<Value>,
}

impl EnumValues {
    pub(super) fn new(values: &[Value]) -> EnumValues {
        let mut strings: Vec<Box<str>> = values.iter().filter_map(Value::as_str).map(Box::from).collect();
        strings.sort_unstable();
        let others = values.iter().filter(|value| !value.is_string()).cloned().collect();
        EnumValues { values: values.to_vec(), strings, others }
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.strings.binary_search_by(|known| (**known).cmp(text)).is_ok(),
            value => self.others.iter().any(|known| super::number::equal(known, value)),
        }
    }

    /// Returns the work of finding a value.
    pub(super) fn cost(&self) -> usize {
        self.others.len()
    }
}
