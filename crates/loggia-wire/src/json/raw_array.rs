//! The items of a JSON array, each as its original text.
//!
//! Items that the program does not need are not parsed.

use serde_json::value::RawValue;

use super::{DecodeError, Scanner};

/// Returns the items of the array `text`.
pub(crate) fn items_of(text: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut items = Vec::new();
    let mut scanner = Scanner::new(text);
    let scanned = scanner.array(|scanner| {
        items.push(scanner.value()?);
        Some(())
    });
    if scanned.is_some() && scanner.end().is_some() {
        return Ok(items);
    }
    // The parser reads the texts that the scanner does not accept.
    let raw: Vec<&RawValue> =
        serde_json::from_slice(text).map_err(|_| DecodeError::expected("an array", text))?;
    Ok(raw.into_iter().map(|raw| raw.get().as_bytes()).collect())
}
