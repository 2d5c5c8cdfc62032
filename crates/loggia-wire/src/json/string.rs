//! JSON strings: writes them, and reads their content.
//!
//! Most bytes that servers send are long texts, and most of a text needs no escape, so texts are copied run by run.

use std::borrow::Cow;

use serde::Deserialize;

use super::scanner::plain_run;

/// Writes a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_run(rest));
        out.extend_from_slice(plain);
        let Some((special, after)) = special.split_first() else { break };
        write_escaped(out, *special);
        rest = after;
    }
    out.push(b'"');
}

fn write_escaped(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        control => {
            let digit = |four: u8| b"0123456789abcdef"[usize::from(four)];
            return out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                digit(control >> 4),
                digit(control & 15),
            ]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Returns a text as a JSON string.
pub(crate) fn json_string(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

/// Returns the content of a JSON string without escapes; `None` for any other text.
pub fn plain_text(json: &[u8]) -> Option<&str> {
    let text = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', text).is_some() { None } else { std::str::from_utf8(text).ok() }
}

/// Returns the content of a JSON string; `None` for any other value.
pub(crate) fn read_string(json: &[u8]) -> Option<Cow<'_, str>> {
    match plain_text(json) {
        Some(plain) => Some(Cow::Borrowed(plain)),
        None => serde_json::from_slice::<CowString<'_>>(json).ok().map(|text| text.0),
    }
}

/// A string that is borrowed if it has no escapes.
#[derive(Deserialize)]
pub(super) struct CowString<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text);
        String::from_utf8(out).expect("UTF-8 goes in")
    }

    #[test]
    fn every_byte_is_written_as_serde_json_writes_it() {
        for character in (0..=0x100).filter_map(char::from_u32) {
            let text = format!("{character}before{character}{character} and a long enough run after");
            assert_eq!(written(&text), serde_json::to_string(&text).expect("a string"));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_json_writes_it(text in ".*|[a\"\\\\\\n]{0,90}") {
            prop_assert_eq!(written(&text), serde_json::to_string(&text).expect("a string"));
        }
    }
}
