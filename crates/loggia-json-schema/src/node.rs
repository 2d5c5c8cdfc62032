//! A compiled schema: nodes that refer to each other by index, so that recursive schemas need no pointers.
//! What applies to one type only is kept apart by type, for a value has only one.

use serde_json::{Number, Value};

use super::pattern::Pattern;

/// Which node.
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
pub(super) struct Node {
    pub(super) types: Types,
    pub(super) number: Option<Box<NumberChecks>>,
    pub(super) string: Option<Box<StringChecks>>,
    pub(super) array: Option<Box<ArrayChecks>>,
    pub(super) object: Option<Box<ObjectChecks>>,
    /// What applies to values of every type.
    pub(super) general: Vec<Check>,
    /// `unevaluatedItems`, `unevaluatedProperties`: after everything else.
    pub(super) unevaluated_items: Option<NodeId>,
    pub(super) unevaluated_properties: Option<NodeId>,
    /// Which schema resource it belongs to; for `$dynamicRef`.
    pub(super) resource: u32,
}

/// A set of JSON types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NONE: Types = Types(0);
    pub(super) const ANY: Types = Types(0x7f);
    const NULL: u8 = 1;
    pub(super) const BOOLEAN: u8 = 2;
    pub(super) const STRING: u8 = 4;
    pub(super) const ARRAY: u8 = 8;
    pub(super) const OBJECT: u8 = 16;
    pub(super) const INTEGER: u8 = 32;
    /// Numbers with a fraction; the type `number` is both bits.
    const FRACTION: u8 = 64;
    const NAMES: [(&'static str, &'static str, u8); 7] = [
        ("string", "a string", Types::STRING),
        ("number", "a number", Types::INTEGER | Types::FRACTION),
        ("integer", "an integer", Types::INTEGER),
        ("boolean", "a boolean", Types::BOOLEAN),
        ("array", "an array", Types::ARRAY),
        ("object", "an object", Types::OBJECT),
        ("null", "null", Types::NULL),
    ];

    /// The type with this name.
    pub(super) fn named(name: &str) -> Option<Types> {
        Types::NAMES.iter().find(|(known, ..)| *known == name).map(|(.., bits)| Types(*bits))
    }

    pub(super) fn with(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    /// Whether the type with this bit is among them.
    pub(super) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    pub(super) fn contains(self, value: &Value) -> bool {
        let bit = match value {
            Value::Null => Types::NULL,
            Value::Bool(_) => Types::BOOLEAN,
            Value::String(_) => Types::STRING,
            Value::Array(_) => Types::ARRAY,
            Value::Object(_) => Types::OBJECT,
            Value::Number(number) if super::number::is_integer(number) => Types::INTEGER,
            Value::Number(_) => Types::FRACTION,
        };
        self.0 & bit != 0
    }

    /// The types as a person names them, each at most once.
    pub(super) fn phrases(self) -> impl Iterator<Item = &'static str> {
        let mut left = self.0;
        Types::NAMES.into_iter().filter_map(move |(_, phrase, bits)| {
            let whole = bits & left == bits;
            left &= if whole { !bits } else { u8::MAX };
            whole.then_some(phrase)
        })
    }
}

impl Default for Types {
    fn default() -> Types {
        Types::ANY
    }
}

/// `minimum` and its like.
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
    pub(super) length: Range,
    pub(super) pattern: Option<Pattern>,
    /// Whether there is a pattern that the engine cannot run, in a schema where that is tolerated.
    pub(super) unusable_pattern: bool,
}

/// What applies to arrays.
#[derive(Debug, Default)]
pub(super) struct ArrayChecks {
    pub(super) length: Range,
    pub(super) unique: bool,
    pub(super) prefix: Vec<NodeId>,
    pub(super) rest: Option<NodeId>,
    pub(super) contains: Option<Contains>,
}

/// `contains` with its bounds.
#[derive(Debug)]
pub(super) struct Contains {
    pub(super) node: NodeId,
    pub(super) count: Range,
}

/// What applies to objects.
#[derive(Debug, Default)]
pub(super) struct ObjectChecks {
    pub(super) length: Range,
    pub(super) required: Vec<Box<str>>,
    /// Sorted by name.
    pub(super) properties: Vec<(Box<str>, NodeId)>,
    pub(super) patterns: Vec<(Pattern, NodeId)>,
    pub(super) additional: Option<NodeId>,
    pub(super) names: Option<NodeId>,
    /// With the property, these must be there too.
    pub(super) dependent_required: Vec<(Box<str>, Vec<Box<str>>)>,
    /// With the property, the whole object must match.
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
pub(super) struct Range {
    pub(super) min: usize,
    pub(super) max: usize,
}

impl Default for Range {
    fn default() -> Range {
        Range { min: 0, max: usize::MAX }
    }
}

impl Range {
    pub(super) fn contains(self, count: usize) -> bool {
        (self.min..=self.max).contains(&count)
    }

    pub(super) fn is_bounded(self) -> bool {
        self.min > 0 || self.max < usize::MAX
    }
}

/// A check that applies whatever the type.
#[derive(Debug)]
pub(super) enum Check {
    Const(Value),
    Enum(Enumeration),
    Ref(NodeId),
    DynamicRef {
        /// In each schema resource that has the anchor: the node it names.
        anchors: Vec<(u32, NodeId)>,
        /// Where none of the resources passed through has it.
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
pub(super) struct Enumeration {
    /// As declared, for messages.
    pub(super) values: Vec<Value>,
    /// The strings among them, sorted.
    strings: Vec<Box<str>>,
    /// The others.
    others: Vec<Value>,
}

impl Enumeration {
    pub(super) fn new(values: &[Value]) -> Enumeration {
        let mut strings: Vec<Box<str>> = values.iter().filter_map(Value::as_str).map(Box::from).collect();
        strings.sort_unstable();
        let others = values.iter().filter(|value| !value.is_string()).cloned().collect();
        Enumeration { values: values.to_vec(), strings, others }
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.strings.binary_search_by(|known| (**known).cmp(text)).is_ok(),
            value => self.others.iter().any(|known| super::number::equal(known, value)),
        }
    }

    /// How much work finding a value is.
    pub(super) fn cost(&self) -> usize {
        self.others.len()
    }
}
