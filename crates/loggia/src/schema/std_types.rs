//! Schemas of the standard library's types.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::num::{NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Direction, Generator, JsonSchema, Schema};

macro_rules! plain {
    ($($type:ty => $schema:expr;)*) => {
        $(impl JsonSchema for $type {
            fn schema(_: &mut Generator) -> Schema {
                $schema
            }
        })*
    };
}

plain! {
    String => Schema::typed("string");
    str => Schema::typed("string");
    PathBuf => Schema::typed("string");
    char => Schema::typed("string").with("minLength", 1).with("maxLength", 1);
    bool => Schema::typed("boolean");
    f32 => Schema::typed("number");
    f64 => Schema::typed("number");
    i8 => Schema::typed("integer");
    i16 => Schema::typed("integer");
    i32 => Schema::typed("integer");
    i64 => Schema::typed("integer");
    isize => Schema::typed("integer");
    u8 => Schema::typed("integer").with("minimum", 0);
    u16 => Schema::typed("integer").with("minimum", 0);
    u32 => Schema::typed("integer").with("minimum", 0);
    u64 => Schema::typed("integer").with("minimum", 0);
    usize => Schema::typed("integer").with("minimum", 0);
    NonZeroU8 => Schema::typed("integer").with("minimum", 1);
    NonZeroU16 => Schema::typed("integer").with("minimum", 1);
    NonZeroU32 => Schema::typed("integer").with("minimum", 1);
    NonZeroU64 => Schema::typed("integer").with("minimum", 1);
    NonZeroUsize => Schema::typed("integer").with("minimum", 1);
    () => Schema::typed("null");
    Value => Schema::any();
    Map<String, Value> => Schema::typed("object");
    loggia_wire::RawJson => Schema::any();
}

macro_rules! transparent {
    ($($type:ty;)*) => {
        $(impl<T: JsonSchema + ?Sized> JsonSchema for $type {
            fn schema(generator: &mut Generator) -> Schema {
                generator.subschema::<T>()
            }

            fn member(generator: &mut Generator) -> Schema {
                T::member(generator)
            }

            fn is_optional() -> bool {
                T::is_optional()
            }
        })*
    };
}

transparent! {
    Box<T>;
    Arc<T>;
    Rc<T>;
    &T;
}

impl<T: JsonSchema + ToOwned + ?Sized> JsonSchema for Cow<'_, T> {
    fn schema(generator: &mut Generator) -> Schema {
        generator.subschema::<T>()
    }
}

impl<T: JsonSchema> JsonSchema for Option<T> {
    fn schema(generator: &mut Generator) -> Schema {
        Schema::any_of([generator.subschema::<T>(), Schema::typed("null")])
    }

    fn member(generator: &mut Generator) -> Schema {
        T::member(generator)
    }

    fn is_optional() -> bool {
        true
    }
}

fn array<T: JsonSchema>(generator: &mut Generator) -> Schema {
    Schema::typed("array").with("items", generator.subschema::<T>())
}

macro_rules! arrays {
    ($([$($generics:tt)*] $type:ty, $unique:literal;)*) => {
        $(impl<$($generics)*> JsonSchema for $type {
            fn schema(generator: &mut Generator) -> Schema {
                let schema = array::<T>(generator);
                // For output, the uniqueness of the values need not be declared.
                match generator.direction() {
                    Direction::Input if $unique => schema.with("uniqueItems", true),
                    _ => schema,
                }
            }
        })*
    };
}

arrays! {
    [T: JsonSchema] Vec<T>, false;
    [T: JsonSchema] VecDeque<T>, false;
    [T: JsonSchema] [T], false;
    [T: JsonSchema] BTreeSet<T>, true;
    [T: JsonSchema, H] HashSet<T, H>, true;
}

impl<T: JsonSchema, const N: usize> JsonSchema for [T; N] {
    fn schema(generator: &mut Generator) -> Schema {
        array::<T>(generator).with("minItems", N).with("maxItems", N)
    }
}

fn map<T: JsonSchema>(generator: &mut Generator) -> Schema {
    Schema::typed("object").with("additionalProperties", generator.subschema::<T>())
}

impl<K, T: JsonSchema> JsonSchema for BTreeMap<K, T> {
    fn schema(generator: &mut Generator) -> Schema {
        map::<T>(generator)
    }
}

impl<K, T: JsonSchema, H> JsonSchema for HashMap<K, T, H> {
    fn schema(generator: &mut Generator) -> Schema {
        map::<T>(generator)
    }
}

macro_rules! tuples {
    ($(($($name:ident),+);)*) => {
        $(impl<$($name: JsonSchema),+> JsonSchema for ($($name,)+) {
            fn schema(generator: &mut Generator) -> Schema {
                Schema::tuple([$(generator.subschema::<$name>()),+])
            }
        })*
    };
}

tuples! {
    (A);
    (A, B);
    (A, B, C);
    (A, B, C, D);
    (A, B, C, D, E);
    (A, B, C, D, E, F);
}
