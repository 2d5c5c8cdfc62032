//! The params of a request: the bytes they came in, and where among them stands what routes the request. Who
//! reads the envelope learns both in one pass.

use std::fmt;
use std::ops::Deref;

use crate::raw::RawJson;
use crate::scan::Scanner;

/// The params of a request. Cloning shares the buffer.
#[derive(Clone, PartialEq)]
pub struct Params {
    raw: RawJson,
    /// `None` where they are out of the ordinary, and only a parser can tell.
    places: Option<Places>,
}

/// What routes a request, as JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Routing<'p> {
    /// `_meta`.
    pub meta: Option<&'p [u8]>,
    /// `name`: the tool or prompt.
    pub name: Option<&'p [u8]>,
    /// `uri`: the resource.
    pub uri: Option<&'p [u8]>,
    /// `arguments`.
    pub arguments: Option<&'p [u8]>,
    /// Whether the request takes a call up again: `inputResponses` or `requestState` is there.
    pub again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Places {
    meta: Place,
    name: Place,
    uri: Place,
    arguments: Place,
    again: bool,
}

/// A range of the text; empty where there is no such member, for no value is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Place(u32, u32);

impl Params {
    /// The value `{}`.
    pub fn empty() -> Params {
        Params { raw: RawJson::empty_object(), places: Some(Places::default()) }
    }

    pub(crate) fn scanned(raw: RawJson, places: Places) -> Params {
        Params { raw, places: Some(places) }
    }

    /// What routes the request. `None` leaves the params to a parser: they are no object, or have a member
    /// twice, or a name with escapes.
    pub fn routing(&self) -> Option<Routing<'_>> {
        let places = self.places.as_ref()?;
        let text = |Place(from, to): Place| {
            let text = &self.raw.as_bytes()[from as usize..to as usize];
            (!text.is_empty()).then_some(text)
        };
        Some(Routing {
            meta: text(places.meta),
            name: text(places.name),
            uri: text(places.uri),
            arguments: text(places.arguments),
            again: places.again,
        })
    }

    /// The bytes alone.
    pub fn into_raw(self) -> RawJson {
        self.raw
    }
}

impl Places {
    /// Reads an object and takes note of what stands where.
    pub(crate) fn read(scanner: &mut Scanner<'_>) -> Option<Places> {
        scanner.peek()?;
        let start = scanner.position();
        let mut places = Places::default();
        scanner.object(|scanner, name| {
            scanner.peek()?;
            let from = scanner.position() - start;
            scanner.value()?;
            let place = Place(u32::try_from(from).ok()?, u32::try_from(scanner.position() - start).ok()?);
            places.note(name, place)
        })?;
        Some(places)
    }

    fn note(&mut self, name: &[u8], place: Place) -> Option<()> {
        let known = match name {
            b"_meta" => &mut self.meta,
            b"name" => &mut self.name,
            b"uri" => &mut self.uri,
            b"arguments" => &mut self.arguments,
            b"inputResponses" | b"requestState" => {
                self.again = true;
                return Some(());
            }
            _ => return Some(()),
        };
        let before = std::mem::replace(known, place);
        (before == Place::default()).then_some(())
    }
}

impl Deref for Params {
    type Target = RawJson;

    fn deref(&self) -> &RawJson {
        &self.raw
    }
}

impl From<RawJson> for Params {
    fn from(raw: RawJson) -> Params {
        let mut scanner = Scanner::new(raw.as_bytes());
        let places = Places::read(&mut scanner).filter(|_| scanner.end().is_some());
        Params { raw, places }
    }
}

impl From<Params> for RawJson {
    fn from(params: Params) -> RawJson {
        params.raw
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.fmt(f)
    }
}
