//! Bounds of JSON texts that jaq reads: its reader nests with the text, and takes the square of the length of an integer.
//!
//! Invariant: a text that passes is flat enough for a small stack, and its numbers are short.

use loggia::wire::RawJson;

/// Most levels, as many as other readers of this program take.
const MAX_DEPTH: usize = 128;
/// Most digits in a row.
const MAX_DIGITS: usize = 1000;
/// A text of this length is harmless whatever it is, so jaq reads it: `tonumber` takes more than JSON.
const HARMLESS: usize = 64;

/// Checks a text before jaq reads it. The error is for people.
pub(super) fn check(text: &[u8]) -> Result<(), String> {
    if text.len() <= HARMLESS {
        return Ok(());
    }
    let json = RawJson::parse(text.to_vec()).map_err(|error| format!("the text is no JSON: {error}"))?;
    check_json(json.as_bytes())
}

/// Checks a text that is JSON.
pub(super) fn check_json(json: &[u8]) -> Result<(), String> {
    let (mut is_text, mut is_escaped, mut digits, mut depth) = (false, false, 0usize, 0usize);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(format!("the JSON has more than {MAX_DEPTH} levels"));
                }
            }
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            b'0'..=b'9' if !is_text => {
                digits += 1;
                if digits > MAX_DIGITS {
                    return Err(format!("a number of the JSON has more than {MAX_DIGITS} digits"));
                }
                continue;
            }
            _ => {}
        }
        digits = 0;
    }
    Ok(())
}
