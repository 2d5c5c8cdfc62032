//! Reads an envelope in one pass, if it has the usual form. The parser reads all other envelopes.

use bytes::Bytes;

use super::{Id, Message};
use crate::json::RawJson;
use crate::json::Scanner;
use crate::method::Method;
use crate::params::{ParamSpans, Params};

/// Returns the message in `text`, a part of `buffer`; `None` if the parser has to read it.
pub(super) fn message(buffer: &Bytes, text: &[u8]) -> Option<Message> {
    std::str::from_utf8(text).ok()?;
    let mut members = EnvelopeMembers::default();
    let mut scanner = Scanner::new(text);
    scanner.object(|scanner, name| members.read(scanner, name))?;
    scanner.end()?;
    members.into_message(buffer)
}

/// The members of every kind of message.
#[derive(Default)]
struct EnvelopeMembers<'t> {
    version: Option<&'t [u8]>,
    id: Option<Id>,
    method: Option<Method>,
    params: Option<(&'t [u8], ParamSpans)>,
    result: Option<&'t [u8]>,
}

impl<'t> EnvelopeMembers<'t> {
    fn read(&mut self, scanner: &mut Scanner<'t>, name: &[u8]) -> Option<()> {
        match name {
            b"jsonrpc" => set(&mut self.version, scanner.plain_string()?)?,
            b"id" => set(&mut self.id, id(scanner)?)?,
            b"method" => set(&mut self.method, method(scanner)?)?,
            b"params" => set(&mut self.params, params(scanner)?)?,
            b"result" => set(&mut self.result, scanner.value()?)?,
            b"error" => return None,
            _ => drop(scanner.value()?),
        }
        Some(())
    }

    fn into_message(self, buffer: &Bytes) -> Option<Message> {
        if self.version != Some(b"2.0") {
            return None;
        }
        let raw = |text: &[u8]| RawJson::scanned(buffer, text);
        let params = self.params.map(|(text, places)| Params::scanned(raw(text), places));
        match (self.method, self.id, self.result) {
            (Some(method), Some(id), None) => Some(Message::Request { id, method, params }),
            (Some(method), None, None) => {
                Some(Message::Notification { method, params: params.map(Params::into_raw) })
            }
            (None, Some(id), Some(result)) if params.is_none() => {
                Some(Message::Response { id: Some(id), outcome: Ok(raw(result)) })
            }
            _ => None,
        }
    }
}

/// Sets a member that must not be repeated.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

fn id(scanner: &mut Scanner<'_>) -> Option<Id> {
    if scanner.peek()? == b'"' {
        return text(scanner).map(Id::from);
    }
    match scanner.value()? {
        // Some parsers do not read `-0…` as an integer.
        [b'-', b'0', ..] => None,
        digits => std::str::from_utf8(digits).ok()?.parse().ok().map(Id::Number),
    }
}

fn method(scanner: &mut Scanner<'_>) -> Option<Method> {
    text(scanner).map(Method::from)
}

fn text<'t>(scanner: &mut Scanner<'t>) -> Option<&'t str> {
    std::str::from_utf8(scanner.plain_string()?).ok()
}

fn params<'t>(scanner: &mut Scanner<'t>) -> Option<(&'t [u8], ParamSpans)> {
    let mut places = None;
    let text = scanner.spanning(|scanner| {
        places = Some(ParamSpans::read(scanner)?);
        Some(())
    })?;
    Some((text, places?))
}
