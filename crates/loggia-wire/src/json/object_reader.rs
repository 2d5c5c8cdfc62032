//! [`ObjectReader`]: reads the members of an object into the fields of a value.
//!
//! Fields are filled in place and through `dyn` references, so one reader serves all types: it is compiled once. A
//! generic reader would be compiled for each type.
//!
//! Invariant: a member is read once, and the first error ends the reading.

use std::borrow::Cow;

use super::{DecodeError, FromJson, JsonObject, RawObject};

/// A value whose fields can be read.
pub trait FieldsMut {
    /// Reads each field from the member of its name.
    fn read_fields(&mut self, object: &mut ObjectReader<'_>);
}

/// The members of an object while they are read into fields. The first error ends the reading;
/// [`ObjectReader::read_into`] returns it.
pub struct ObjectReader<'t> {
    members: RawObject<'t>,
    outcome: Result<(), DecodeError>,
}

impl<'t> ObjectReader<'t> {
    /// Reads the members of the object `text`.
    pub fn new(text: &'t [u8]) -> Result<ObjectReader<'t>, DecodeError> {
        RawObject::of_text(text).map(ObjectReader::of)
    }

    /// Reads the members of the object `text`, and removes the one that tells which type the object has.
    pub fn tagged(text: &'t [u8], tag: &str) -> Result<(Cow<'t, str>, ObjectReader<'t>), DecodeError> {
        let mut members = RawObject::of_text(text)?;
        let kind = members.take_tag(tag)?;
        Ok((kind, ObjectReader::of(members)))
    }

    pub(crate) fn of(members: RawObject<'t>) -> ObjectReader<'t> {
        ObjectReader { members, outcome: Ok(()) }
    }

    /// Reads all fields of `value`.
    pub fn read_into(mut self, value: &mut dyn FieldsMut) -> Result<(), DecodeError> {
        value.read_fields(&mut self);
        self.outcome
    }

    /// Reads the member `name`. Its absence is an error unless the field is optional.
    pub fn field(&mut self, name: &str, field: &mut dyn FromJson) {
        if self.outcome.is_ok() {
            let read = read_member(&mut self.members, name, field);
            self.require(name, field.is_optional(), read);
        }
    }

    /// Reads the member `name`. A field stays as it is if the object does not have it.
    pub fn field_or_default(&mut self, name: &str, field: &mut dyn FromJson) {
        if self.outcome.is_ok() {
            let read = read_member(&mut self.members, name, field);
            self.require(name, true, read);
        }
    }

    /// Reads the member `name` with a function instead of the reader of its type.
    pub fn field_with<T: FromJson>(
        &mut self,
        name: &str,
        field: &mut T,
        read: fn(&[u8]) -> Result<T, DecodeError>,
    ) {
        if self.outcome.is_ok() {
            let text = self.members.take_once(name);
            let read = text
                .and_then(|text| text.map(|text| read(text).map_err(|error| error.within(name))).transpose());
            let is_optional = field.is_optional();
            let read = read.map(|value| value.map(|value| *field = value).is_some());
            self.require(name, is_optional, read);
        }
    }

    /// Returns the members that were not read.
    pub fn rest(&mut self) -> JsonObject {
        JsonObject::from_members(std::mem::take(&mut self.members).into_iter())
    }

    /// Records an error: `read` failed, or a required member is absent.
    fn require(&mut self, name: &str, is_optional: bool, read: Result<bool, DecodeError>) {
        match read {
            Ok(found) if found || is_optional => {}
            Ok(_) => self.outcome = Err(DecodeError::missing(name)),
            Err(error) => self.outcome = Err(error),
        }
    }
}

/// Fills `value` from the object `text`.
pub fn read_object(value: &mut dyn FieldsMut, text: &[u8]) -> Result<(), DecodeError> {
    ObjectReader::new(text)?.read_into(value)
}

/// Returns the position of the string `text` among `names`.
pub fn read_name(text: &[u8], names: &[&str]) -> Result<usize, DecodeError> {
    let name = String::from_json(text)?;
    names.iter().position(|known| *known == name).ok_or_else(|| DecodeError::unknown_variant(&name, names))
}

/// Fills `field` from the member `name`; `false` if there is none.
fn read_member(
    members: &mut RawObject<'_>,
    name: &str,
    field: &mut dyn FromJson,
) -> Result<bool, DecodeError> {
    match members.take_once(name)? {
        Some(text) => field.read_json(text).map(|()| true).map_err(|error| error.within(name)),
        None => Ok(false),
    }
}
