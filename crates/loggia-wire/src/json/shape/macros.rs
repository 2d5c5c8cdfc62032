//! What a model type says of itself, as lists.

/// The members of a struct: `record!(Tool { name, input_schema = "inputSchema" })`. After a semicolon: members
/// whose own members stand among these.
macro_rules! record {
    ($type:ident $members:tt) => {
        $crate::json::shape::record!(@record $type $members);
        $crate::json::shape::record!(@shape $type);
        $crate::json::shape::serde_by_shape!($type);
    };
    (@shape $type:ident) => {
        impl $crate::json::shape::Shape for $type {
            fn view(&self) -> $crate::json::shape::View<'_> {
                $crate::json::shape::View::Record(self)
            }
        }

        impl $crate::json::shape::Fill for $type {
            fn fill(&mut self, text: &[u8]) -> Result<(), $crate::json::shape::DecodeError> {
                $crate::json::shape::fill_record(self, text)
            }
        }
    };
    (@record $type:ident { $($field:ident $(= $name:literal)?),* $(; $($flat:ident),*)? }) => {
        impl $crate::json::shape::Record for $type {
            fn each(&self, show: &mut dyn FnMut(&'static str, &dyn $crate::json::shape::Shape)) {
                $(show($crate::json::shape::record!(@name $field $($name)?), &self.$field);)*
                $($($crate::json::shape::Record::each(&self.$flat, show);)*)?
            }

            fn extra(&self) -> Option<&$crate::json::JsonObject> {
                Some(&self.extra)
            }
        }

        impl $crate::json::shape::FillRecord for $type {
            fn each_mut(&mut self, fill: &mut dyn FnMut(&'static str, &mut dyn $crate::json::shape::Fill)) {
                $(fill($crate::json::shape::record!(@name $field $($name)?), &mut self.$field);)*
                $($($crate::json::shape::FillRecord::each_mut(&mut self.$flat, fill);)*)?
            }

            fn extra_mut(&mut self) -> Option<&mut $crate::json::JsonObject> {
                Some(&mut self.extra)
            }
        }

        impl $crate::json::shape::Model for $type {
            fn blank() -> $type {
                $type {
                    $($field: $crate::json::shape::Model::blank(),)*
                    $($($flat: $crate::json::shape::Model::blank(),)*)?
                    extra: $crate::json::JsonObject::new(),
                }
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}
pub(crate) use record;

/// The kinds of an enum of records, and the member that tells which it is.
macro_rules! tagged {
    ($type:ident by $tag:literal { $first:ident = $first_kind:literal, $($variant:ident = $kind:literal),* $(,)? }) => {
        impl $crate::json::shape::Shape for $type {
            fn view(&self) -> $crate::json::shape::View<'_> {
                match self {
                    $type::$first(record) => $crate::json::shape::View::Tagged($tag, $first_kind, record),
                    $($type::$variant(record) => $crate::json::shape::View::Tagged($tag, $kind, record),)*
                }
            }
        }

        impl $crate::json::shape::Fill for $type {
            fn fill(&mut self, text: &[u8]) -> Result<(), $crate::json::shape::DecodeError> {
                let mut members = $crate::json::shape::members_of(text)?;
                *self = match &*$crate::json::shape::take_tag(&mut members, $tag)? {
                    $first_kind => $type::$first($crate::json::shape::Model::blank()),
                    $($kind => $type::$variant($crate::json::shape::Model::blank()),)*
                    other => {
                        return Err($crate::json::shape::DecodeError::unknown(other, &[$first_kind, $($kind),*]));
                    }
                };
                let record: &mut dyn $crate::json::shape::FillRecord = match self {
                    $type::$first(record) => record,
                    $($type::$variant(record) => record,)*
                };
                $crate::json::shape::fill_from(record, members)
            }
        }

        impl $crate::json::shape::Model for $type {
            fn blank() -> $type {
                $type::$first($crate::json::shape::Model::blank())
            }
        }

        $crate::json::shape::serde_by_shape!($type);
    };
}
pub(crate) use tagged;

/// The words that an enum stands for.
macro_rules! words {
    ($type:ident { $first:ident = $first_word:literal $(, $variant:ident = $word:literal)* $(,)? }) => {
        impl $crate::json::shape::Shape for $type {
            fn view(&self) -> $crate::json::shape::View<'_> {
                $crate::json::shape::View::Text(match self {
                    $type::$first => $first_word,
                    $($type::$variant => $word,)*
                })
            }
        }

        impl $crate::json::shape::Fill for $type {
            fn fill(&mut self, text: &[u8]) -> Result<(), $crate::json::shape::DecodeError> {
                let at = $crate::json::shape::word_at(text, &[$first_word $(, $word)*])?;
                *self = [$type::$first $(, $type::$variant)*][at];
                Ok(())
            }
        }

        impl $crate::json::shape::Model for $type {
            fn blank() -> $type {
                $type::$first
            }
        }

        $crate::json::shape::serde_by_shape!($type);
    };
}
pub(crate) use words;

/// serde's traits for a type with a shape.
macro_rules! serde_by_shape {
    ($type:ident) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::json::shape::Shape::view(self).serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                $crate::json::shape::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use serde_by_shape;
