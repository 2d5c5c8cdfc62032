//! An argument of a tool as a user types it in one word: `key=value`, `key:=JSON`, `key=@FILE`. Invariant: no file is read
//! here, because only the program knows which files the user means.

/// An argument in one word.
///
/// ```
/// use loggia::client::{ArgumentSource, ArgumentWord};
///
/// let word = ArgumentWord::parse("labels:=@labels.json")?;
/// assert_eq!((word.key, word.is_json, word.source), ("labels", true, ArgumentSource::File("labels.json")));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArgumentWord<'w> {
    /// The name of the argument; `a.b` is the member `b` of the object `a`.
    pub key: &'w str,
    /// True if the text is JSON, whatever the schema says.
    pub is_json: bool,
    /// The place of the text.
    pub source: ArgumentSource<'w>,
}

/// The place of the text of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentSource<'w> {
    /// The text itself.
    Text(&'w str),
    /// The path of a file that has the text.
    File(&'w str),
}

impl<'w> ArgumentWord<'w> {
    /// Reads a word.
    ///
    /// # Errors
    ///
    /// A sentence for the user where the word has no `=` or no key.
    pub fn parse(word: &'w str) -> Result<ArgumentWord<'w>, String> {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("{word:?} is not an argument"))?;
        let (key, is_json) = key.strip_suffix(':').map_or((key, false), |key| (key, true));
        if key.is_empty() {
            return Err(format!("{word:?} has no key before the '='"));
        }
        let source = match value.strip_prefix('@').filter(|path| !path.is_empty()) {
            Some(path) => ArgumentSource::File(path),
            None => ArgumentSource::Text(value),
        };
        Ok(ArgumentWord { key, is_json, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_a_key_and_a_text() {
        use ArgumentSource::{File, Text};
        for (word, expected) in [
            ("text=5", Ok(("text", false, Text("5")))),
            ("text=a=b", Ok(("text", false, Text("a=b")))),
            ("sort:={}", Ok(("sort", true, Text("{}")))),
            ("a=@b", Ok(("a", false, File("b")))),
            ("a=@", Ok(("a", false, Text("@")))),
            ("a:=@b", Ok(("a", true, File("b")))),
            ("novalue", Err("\"novalue\" is not an argument")),
            ("=x", Err("\"=x\" has no key before the '='")),
            (":=x", Err("\":=x\" has no key before the '='")),
        ] {
            let read = ArgumentWord::parse(word).map(|word| (word.key, word.is_json, word.source));
            assert_eq!(read, expected.map_err(str::to_owned), "{word}");
        }
    }
}
