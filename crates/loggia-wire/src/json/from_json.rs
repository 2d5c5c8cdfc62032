//! Reading: [`FromJson`] fills a value from JSON text.
//!
//! A value is filled in place, so it can be read through a `dyn` reference, by code that is compiled once for all
//! types.
//!
//! Invariant: the text was accepted by a scanner or a parser before, so its syntax is not checked again.

use super::decode_error::DecodeError;

/// A value that can be read from JSON.
pub trait FromJson {
    /// Returns a value to be filled.
    fn empty() -> Self
    where
        Self: Sized;

    /// Reads the JSON value `text` into `self`. Parts that `text` does not have are not changed. After an error the
    /// value is unspecified.
    fn read_json(&mut self, text: &[u8]) -> Result<(), DecodeError>;

    /// Returns whether a field of this type may be left out.
    fn is_optional(&self) -> bool {
        false
    }

    /// Returns whether `null` is a value of this type.
    fn accepts_null() -> bool
    where
        Self: Sized,
    {
        false
    }

    /// Reads the JSON value `text`, which must be valid JSON.
    fn from_json(text: &[u8]) -> Result<Self, DecodeError>
    where
        Self: Sized,
    {
        let mut value = Self::empty();
        value.read_json(text)?;
        Ok(value)
    }
}
