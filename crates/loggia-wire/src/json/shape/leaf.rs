//! What records are made of in the end: texts, numbers, JSON itself.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Number, Value};

use super::{DecodeError, Fill, Model, Shape, View};
use crate::json::{JsonObject, JsonText};
use crate::json::{RawJson, plain_text};

/// The JSON value `text` as a tree.
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

/// The integer that a peer without integers may write as `1e3` or `1000.0`.
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

macro_rules! leaf {
    ($($type:ty, $blank:expr, $this:ident => $view:expr, $text:ident => $read:expr;)*) => {
        $(impl Shape for $type {
            fn view(&self) -> View<'_> {
                let $this = self;
                $view
            }
        }

        impl Fill for $type {
            fn fill(&mut self, $text: &[u8]) -> Result<(), DecodeError> {
                *self = $read?;
                Ok(())
            }
        }

        impl Model for $type {
            fn blank() -> $type {
                $blank
            }
        })*
    };
}

leaf! {
    bool, false, this => View::Bool(*this), text => bool_of(text);
    i64, 0, this => View::Signed(*this), text => integer_of(text);
    u64, 0, this => View::Unsigned(*this), text => size_of(text);
    f64, 0.0, this => View::Float(*this), text => float_of(text);
    Number, Number::from(0), this => View::Number(this), text => number_of(text, "a number");
    String, String::new(), this => View::Text(this), text => string_of(text);
    Cow<'static, str>, Cow::Borrowed(""), this => View::Text(this), text => string_of(text).map(Cow::Owned);
    JsonObject, JsonObject::new(), this => View::Raw(this.as_str().as_bytes()), text => JsonObject::read(text);
    Arc<JsonObject>, Arc::default(), this => View::Raw(this.as_str().as_bytes()),
        text => JsonObject::read(text).map(Arc::new);
}

impl Shape for RawJson {
    fn view(&self) -> View<'_> {
        View::Raw(self.as_bytes())
    }
}

impl Fill for RawJson {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        *self = RawJson::from_written(text.to_vec());
        Ok(())
    }
}

/// A member that may be `null` is there when it is.
impl Model for RawJson {
    fn blank() -> RawJson {
        RawJson::null()
    }

    fn takes_null() -> bool {
        true
    }
}

impl Shape for Value {
    fn view(&self) -> View<'_> {
        View::Value(self)
    }
}

macro_rules! integers {
    ($($type:ty => $view:ident($wide:ty);)*) => {
        $(impl Shape for $type {
            fn view(&self) -> View<'_> {
                View::$view(<$wide>::from(*self))
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

impl Shape for usize {
    fn view(&self) -> View<'_> {
        View::Unsigned(*self as u64)
    }
}

impl Shape for JsonText<'_> {
    fn view(&self) -> View<'_> {
        View::Raw(self.as_bytes())
    }
}

impl Shape for str {
    fn view(&self) -> View<'_> {
        View::Text(self)
    }
}

impl<T: Shape + ?Sized> Shape for &T {
    fn view(&self) -> View<'_> {
        (**self).view()
    }
}
