//! The params of a request: the received bytes, and the spans of the members that route the request.
//!
//! Both are found in one pass while the envelope is read.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use crate::json::RawJson;
use crate::json::Scanner;
use crate::json::write_string;
use crate::json::{RawObject, json_string, read_string};

/// The params of a request. Cloning shares the buffer.
#[derive(Clone, PartialEq)]
pub struct Params {
    raw: RawJson,
    /// The spans; `None` if the params are unusual, and only a parser can read them.
    places: Option<ParamSpans>,
}

/// The members that route a request, as JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoutingFields<'p> {
    /// `_meta`.
    pub meta: Option<&'p [u8]>,
    /// `name`: the tool or prompt.
    pub name: Option<&'p [u8]>,
    /// `uri`: the resource.
    pub uri: Option<&'p [u8]>,
    /// `arguments`.
    pub arguments: Option<&'p [u8]>,
    /// True if the request continues a call: it has `inputResponses` or `requestState`.
    pub again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct ParamSpans {
    meta: MemberSpan,
    name: MemberSpan,
    uri: MemberSpan,
    arguments: MemberSpan,
    again: bool,
}

/// A range of the text; empty if the member is absent, because no value is empty.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct MemberSpan(u32, u32);

impl Params {
    /// Returns the value `{}`.
    pub fn empty() -> Params {
        Params { raw: RawJson::empty_object(), places: Some(ParamSpans::default()) }
    }

    pub(crate) fn scanned(raw: RawJson, places: ParamSpans) -> Params {
        Params { raw, places: Some(places) }
    }

    /// Returns the members that route the request. `None` if a parser has to read the params: they are not an object,
    /// a member is repeated, or a name has escapes.
    pub fn routing(&self) -> Option<RoutingFields<'_>> {
        let places = self.places.as_ref()?;
        let text = |MemberSpan(from, to): MemberSpan| {
            let text = &self.raw.as_bytes()[from as usize..to as usize];
            (!text.is_empty()).then_some(text)
        };
        Some(RoutingFields {
            meta: text(places.meta),
            name: text(places.name),
            uri: text(places.uri),
            arguments: text(places.arguments),
            again: places.again,
        })
    }

    /// Returns the name of the tool or prompt; `None` if there is no such string.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        self.string("name", |routing| routing.name)
    }

    /// Returns the URI of the resource; `None` if there is no such string.
    pub fn uri(&self) -> Option<Cow<'_, str>> {
        self.string("uri", |routing| routing.uri)
    }

    fn string<'p>(
        &'p self,
        name: &str,
        place: impl Fn(&RoutingFields<'p>) -> Option<&'p [u8]>,
    ) -> Option<Cow<'p, str>> {
        match self.routing() {
            Some(routing) => read_string(place(&routing)?),
            None => RawObject::of(&self.raw).ok()?.string(name),
        }
    }

    /// Returns the params with another name of a tool or prompt. Fails if the params are not an object.
    pub fn with_name(&self, name: &str) -> serde_json::Result<Params> {
        self.with("name", |places| &mut places.name, &json_string(name))
    }

    /// Returns the params with another URI of a resource. Fails if the params are not an object.
    pub fn with_uri(&self, uri: &str) -> serde_json::Result<Params> {
        self.with("uri", |places| &mut places.uri, &json_string(uri))
    }

    /// Returns the params with the JSON text `meta` as `_meta`. Fails if the params are not an object.
    pub fn with_meta(&self, meta: &[u8]) -> serde_json::Result<Params> {
        self.with("_meta", |places| &mut places.meta, meta)
    }

    /// Returns the params without `_meta`. Fails if the params are not an object.
    pub fn without_meta(&self) -> serde_json::Result<Params> {
        match self.routing() {
            Some(RoutingFields { meta: None, .. }) => Ok(self.clone()),
            _ => Ok(RawObject::of(&self.raw)?.rewrite(&[], &["_meta"]).into()),
        }
    }

    /// Returns the params with the JSON text `value` as the member `name`: in its place, or at the end.
    fn with(
        &self,
        name: &str,
        which: fn(&mut ParamSpans) -> &mut MemberSpan,
        value: &[u8],
    ) -> serde_json::Result<Params> {
        let known = self.places.and_then(|mut places| {
            let old = std::mem::take(which(&mut places));
            let (text, start) = match old == MemberSpan::default() {
                true => appended(self.raw.as_bytes(), name, value)?,
                false => (old.replaced(self.raw.as_bytes(), value), old.0 as usize),
            };
            let new = MemberSpan::new(start, start + value.len())?;
            if old != MemberSpan::default() {
                places.follow(old, new);
            }
            *which(&mut places) = new;
            Some(Params { raw: RawJson::from_written(text), places: Some(places) })
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let others = RawObject::of(&self.raw)?.rewrite(&[], &[name]);
        // The written text ends with its bracket.
        let text = appended(others.as_bytes(), name, value).map(|(text, _)| text).unwrap_or_default();
        Ok(RawJson::from_written(text).into())
    }

    /// Returns the bytes without the spans.
    pub fn into_raw(self) -> RawJson {
        self.raw
    }
}

impl ParamSpans {
    /// Reads an object, and records the spans of its members.
    pub(crate) fn read(scanner: &mut Scanner<'_>) -> Option<ParamSpans> {
        scanner.peek()?;
        let start = scanner.position();
        let mut places = ParamSpans::default();
        scanner.object(|scanner, name| {
            scanner.peek()?;
            let from = scanner.position() - start;
            scanner.value()?;
            places.note(name, MemberSpan::new(from, scanner.position() - start)?)
        })?;
        Some(places)
    }

    fn note(&mut self, name: &[u8], place: MemberSpan) -> Option<()> {
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
        (before == MemberSpan::default()).then_some(())
    }
}

impl ParamSpans {
    /// Adjusts the span to a member before it whose length changed.
    fn follow(&mut self, old: MemberSpan, new: MemberSpan) {
        for place in [&mut self.meta, &mut self.name, &mut self.uri, &mut self.arguments] {
            if place.0 >= old.1 {
                *place = MemberSpan(place.0 - old.1 + new.1, place.1 - old.1 + new.1);
            }
        }
    }
}

impl MemberSpan {
    /// Returns `None` if the text is longer than a span can express.
    fn new(from: usize, to: usize) -> Option<MemberSpan> {
        Some(MemberSpan(u32::try_from(from).ok()?, u32::try_from(to).ok()?))
    }

    fn replaced(self, text: &[u8], value: &[u8]) -> Vec<u8> {
        [&text[..self.0 as usize], value, &text[self.1 as usize..]].concat()
    }
}

/// Returns the object with one more member, and the position of its value; `None` if text follows the object.
fn appended(object: &[u8], name: &str, value: &[u8]) -> Option<(Vec<u8>, usize)> {
    let others = object.strip_suffix(b"}")?;
    let comma = if others.trim_ascii_end().len() > 1 { "," } else { "" };
    let mut out = Vec::with_capacity(object.len() + name.len() + value.len() + 4);
    out.extend_from_slice(others);
    out.extend_from_slice(comma.as_bytes());
    write_string(&mut out, name);
    out.push(b':');
    let start = out.len();
    out.extend_from_slice(value);
    out.push(b'}');
    Some((out, start))
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
        let places = ParamSpans::read(&mut scanner).filter(|_| scanner.end().is_some());
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn parsed(text: &[u8]) -> Value {
        serde_json::from_slice(text).expect("JSON")
    }

    proptest! {
        #[test]
        fn a_member_changes_and_nothing_else(
            members in prop::collection::vec((0..6usize, "[a-c\\n\"]{0,3}"), 0..5),
            value in ".{0,40}",
            space in "[ \n]?",
        ) {
            const NAMES: [&str; 6] = [r#""name""#, r#""uri""#, r#""_meta""#, r#""other""#, r#""arguments""#, r#""n\u0061me""#];
            let members: Vec<String> =
                members.iter().map(|(at, text)| format!("{space}{}{space}:{}", NAMES[*at], json!(text))).collect();
            let raw = RawJson::parse(format!("{{{}{space}}}", members.join(","))).expect("JSON");
            let params = Params::from(raw.clone());
            let text = json!(value).to_string();
            for (name, changed) in [
                ("name", params.with_name(&value)),
                ("uri", params.with_uri(&value)),
                ("_meta", params.with_meta(text.as_bytes())),
            ] {
                let changed = changed.expect("an object");
                let mut expected = parsed(raw.as_bytes());
                expected[name] = json!(value);
                prop_assert_eq!(parsed(changed.as_bytes()), expected);
                // The spans are those that reading the new text gives.
                prop_assert_eq!(&changed, &Params::from(RawJson::from(changed.clone())));
            }
            let mut expected = parsed(raw.as_bytes());
            for (found, name) in [(params.name(), "name"), (params.uri(), "uri")] {
                prop_assert_eq!(found.as_deref(), expected[name].as_str());
            }
            expected.as_object_mut().expect("an object").remove("_meta");
            let without = params.without_meta().expect("an object");
            prop_assert_eq!(parsed(without.as_bytes()), expected);
        }
    }

    #[test]
    fn what_is_no_object_cannot_be_changed() {
        for text in ["[]", "1", "\"name\""] {
            let params = Params::from(RawJson::parse(text.to_owned()).expect("JSON"));
            assert!(params.with_name("n").is_err() && params.without_meta().is_err(), "{text}");
            assert_eq!(params.name(), None, "{text}");
        }
    }
}
