//! [`ToJson`] and [`FromJson`] for strings, numbers, booleans and JSON itself.
//!
//! Peers without integers write numbers as `1e3` or `1000.0`; these are read as integers, too.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Number, Value};

use super::{
    DecodeError, Fields, FieldsMut, FromJson, JsonObject, JsonRef, JsonText, ObjectReader, RawJson, ToJson,
    plain_text,
};

/// Returns the JSON value `text` as a tree.
pub fn value_of(text: &[u8]) -> Result<Value, DecodeError> {
    serde_json::from_slice(text).map_err(|error| DecodeError::new(error.to_string()))
}

fn number_of(text: &[u8], what: &str) -> Result<Number, DecodeError> {
    match value_of(text)? {
        Value::Number(number) => Ok(number),
        _ => Err(DecodeError::expected(what, text)),
    }
}

fn string_of(text: &[u8]) -> Result<String, DecodeError> {
    if let Some(plain) = plain_text(text) {
        return Ok(plain.to_owned());
    }
    match value_of(text)? {
        Value::String(string) => Ok(string),
        _ => Err(DecodeError::expected("a string", text)),
    }
}

fn integer_of(text: &[u8]) -> Result<i64, DecodeError> {
    const WHAT: &str = "an integer";
    let number = number_of(text, WHAT)?;
    number.as_i64().or_else(|| whole(&number)).ok_or_else(|| DecodeError::expected(WHAT, text))
}

/// Returns the integer that a peer without integers may write as `1e3` or `1000.0`.
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
}

fn size_of(text: &[u8]) -> Result<u64, DecodeError> {
    const WHAT: &str = "an integer that is not negative";
    let number = number_of(text, WHAT)?;
    let unsigned = number.as_u64().or_else(|| u64::try_from(whole(&number)?).ok());
    unsigned.ok_or_else(|| DecodeError::expected(WHAT, text))
}

fn float_of(text: &[u8]) -> Result<f64, DecodeError> {
    const WHAT: &str = "a number";
    number_of(text, WHAT)?.as_f64().ok_or_else(|| DecodeError::expected(WHAT, text))
}

fn bool_of(text: &[u8]) -> Result<bool, DecodeError> {
    match text {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(DecodeError::expected("true or false", text)),
    }
}

macro_rules! scalar {
    ($($type:ty, $empty:expr, $this:ident => $json:expr, $text:ident => $read:expr;)*) => {
        $(impl ToJson for $type {
            fn to_json(&self) -> JsonRef<'_> {
                let $this = self;
                $json
            }
        }

        impl FromJson for $type {
            fn empty() -> $type {
                $empty
            }

            fn read_json(&mut self, $text: &[u8]) -> Result<(), DecodeError> {
                *self = $read?;
                Ok(())
            }
        })*
    };
}

scalar! {
    bool, false, this => JsonRef::Bool(*this), text => bool_of(text);
    i64, 0, this => JsonRef::Signed(*this), text => integer_of(text);
    u64, 0, this => JsonRef::Unsigned(*this), text => size_of(text);
    f64, 0.0, this => JsonRef::Float(*this), text => float_of(text);
    Number, Number::from(0), this => JsonRef::Number(this), text => number_of(text, "a number");
    String, String::new(), this => JsonRef::String(this), text => string_of(text);
    Cow<'static, str>, Cow::Borrowed(""), this => JsonRef::String(this), text => string_of(text).map(Cow::Owned);
    JsonObject, JsonObject::new(), this => JsonRef::Raw(this.as_str().as_bytes()), text => JsonObject::read(text);
    Arc<JsonObject>, Arc::default(), this => JsonRef::Raw(this.as_str().as_bytes()),
        text => JsonObject::read(text).map(Arc::new);
}

impl ToJson for RawJson {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Raw(self.as_bytes())
    }
}

/// A member of this type that is `null` counts as present.
impl FromJson for RawJson {
    fn empty() -> RawJson {
        RawJson::null()
    }

    fn read_json(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        *self = RawJson::from_written(text.to_vec());
        Ok(())
    }

    fn accepts_null() -> bool {
        true
    }
}

impl Fields for JsonObject {
    fn each_field(&self, visit: &mut dyn FnMut(&str, &dyn ToJson)) {
        if !self.is_empty() {
            self.iter().for_each(|(name, value)| visit(&name, &value));
        }
    }
}

/// Takes the members that no other field has taken.
impl FieldsMut for JsonObject {
    fn read_fields(&mut self, object: &mut ObjectReader<'_>) {
        *self = object.rest();
    }
}

impl ToJson for Value {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Value(self)
    }
}

macro_rules! integers {
    ($($type:ty => $variant:ident($wide:ty);)*) => {
        $(impl ToJson for $type {
            fn to_json(&self) -> JsonRef<'_> {
                JsonRef::$variant(<$wide>::from(*self))
            }
        })*
    };
}

integers! {
    i8 => Signed(i64);
    i16 => Signed(i64);
    i32 => Signed(i64);
    u8 => Unsigned(u64);
    u16 => Unsigned(u64);
    u32 => Unsigned(u64);
}

impl ToJson for usize {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Unsigned(*self as u64)
    }
}

impl ToJson for JsonText<'_> {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Raw(self.as_bytes())
    }
}

impl ToJson for str {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::String(self)
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self) -> JsonRef<'_> {
        (**self).to_json()
    }
}
