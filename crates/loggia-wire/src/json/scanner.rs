//! [`Scanner`]: reads the members of JSON in one pass over the text, without allocating.
//!
//! Every request is scanned, so the scanner is fast for common texts. For text that is malformed, nests too deeply or
//! is unusual (a name with escapes) it returns `None`. The caller then uses the parser, whose error says what is
//! wrong.
//!
//! Invariant: the parser accepts every text that the scanner accepts.

/// The deepest nesting that is accepted.
pub const MAX_DEPTH: usize = 128;

/// A reader of one JSON text, from front to end.
pub struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
}

impl<'t> Scanner<'t> {
    /// Begins at the front of `text`, which must be UTF-8.
    pub fn new(text: &'t [u8]) -> Scanner<'t> {
        Scanner { text, at: 0, depth: 0 }
    }

    /// Reads an object. Calls `member` with each name, at the position of its value, which `member` must read.
    pub fn object(&mut self, mut member: impl FnMut(&mut Scanner<'t>, &'t [u8]) -> Option<()>) -> Option<()> {
        self.enter(b'{')?;
        if self.peek()? == b'}' {
            return self.leave();
        }
        loop {
            let name = self.plain_string()?;
            self.expect(b':')?;
            member(self, name)?;
            if !self.goes_on(b'}')? {
                return self.leave();
            }
        }
    }

    /// Reads an array. Calls `item` at the position of each value, which `item` must read.
    pub fn array(&mut self, mut item: impl FnMut(&mut Scanner<'t>) -> Option<()>) -> Option<()> {
        self.enter(b'[')?;
        if self.peek()? == b']' {
            return self.leave();
        }
        loop {
            item(self)?;
            if !self.goes_on(b']')? {
                return self.leave();
            }
        }
    }

    /// Reads any value, and returns its text.
    pub fn value(&mut self) -> Option<&'t [u8]> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => drop(self.string()?),
            b'{' => self.object(|scanner, _| scanner.value().map(drop))?,
            b'[' => self.array(|scanner| scanner.value().map(drop))?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        Some(&self.text[start..self.at])
    }

    /// Skips a value of text that is known to be JSON, and returns its text.
    fn skim(&mut self) -> Option<&'t [u8]> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => drop(self.string()?),
            b'{' | b'[' => self.skim_nested()?,
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                let rest = &self.text[start..];
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        Some(&self.text[start..self.at])
    }

    fn skim_nested(&mut self) -> Option<()> {
        let mut open = 0;
        loop {
            match *self.text.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(());
            }
        }
    }

    /// Returns the text that `read` reads.
    pub fn spanning(&mut self, read: impl FnOnce(&mut Scanner<'t>) -> Option<()>) -> Option<&'t [u8]> {
        self.peek()?;
        let start = self.at;
        read(self)?;
        Some(&self.text[start..self.at])
    }

    /// Reads a string without escapes.
    pub(crate) fn plain_string(&mut self) -> Option<&'t [u8]> {
        self.peek()?;
        match self.string()? {
            (text, false) => Some(text),
            (_, true) => None,
        }
    }

    /// Returns the first byte of the next value.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.text.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                other => return Some(other),
            }
        }
    }

    /// Returns the number of bytes that were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Returns `Some` if only white space follows.
    pub fn end(mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    fn enter(&mut self, bracket: u8) -> Option<()> {
        self.expect(bracket)?;
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())
    }

    fn leave(&mut self) -> Option<()> {
        self.depth -= 1;
        self.at += 1;
        Some(())
    }

    /// Returns whether another member or item follows. The closing bracket is not consumed.
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        match self.peek()? {
            b',' => {
                self.at += 1;
                Some(true)
            }
            other => (other == end).then_some(false),
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        let found = self.peek()? == byte;
        self.at += 1;
        found.then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let found = self.text[self.at..].starts_with(word);
        self.at += word.len();
        found.then_some(())
    }

    /// Reads a string. Returns the text between the quotes, and whether it has escapes.
    #[inline]
    fn string(&mut self) -> Option<(&'t [u8], bool)> {
        self.expect(b'"')?;
        let start = self.at;
        self.at += plain_run(&self.text[start..]);
        let escaped = *self.text.get(self.at)? != b'"';
        if escaped {
            self.rest_of_string()?;
        }
        let text = &self.text[start..self.at];
        self.at += 1;
        Some((text, escaped))
    }

    /// Reads up to the closing quote of a string, from the first byte that is not plain.
    #[cold]
    fn rest_of_string(&mut self) -> Option<()> {
        loop {
            match *self.text.get(self.at)? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
            self.at += plain_run(&self.text[self.at..]);
        }
    }

    fn escape(&mut self) -> Option<()> {
        match *self.text.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let digits = self.text.get(self.at + 2..self.at + 6)?;
                self.at += 6;
                // Surrogates are left to the parser: one without the other is not valid.
                let half = matches!(digits, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                return (!half && digits.iter().all(u8::is_ascii_hexdigit)).then_some(());
            }
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        self.skip(b"-");
        match *self.text.get(self.at)? {
            b'0' => self.at += 1,
            b'1'..=b'9' => drop(self.digits()),
            _ => return None,
        }
        if self.skip(b".") && self.digits() == 0 {
            return None;
        }
        if self.skip(b"eE") {
            self.skip(b"+-");
            if self.digits() == 0 {
                return None;
            }
        }
        Some(())
    }

    fn skip(&mut self, any: &[u8]) -> bool {
        let found = self.text.get(self.at).is_some_and(|byte| any.contains(byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> usize {
        let count = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }
}

/// Returns a member of an object in text that is known to be JSON; the last one if its name is repeated. The outer
/// `None` means that the parser has to find it.
pub(crate) fn find<'t>(object: &'t [u8], wanted: &str) -> Option<Option<&'t [u8]>> {
    let mut found = None;
    Scanner::new(object).object(|scanner, name| {
        let value = scanner.skim()?;
        if name == wanted.as_bytes() {
            found = Some(value);
        }
        Some(())
    })?;
    Some(found)
}

/// Returns the number of bytes of a string before the next quote, backslash or control character.
#[inline]
pub(crate) fn plain_run(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().take(SHORT / 8).enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return at * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    if text.len() >= SHORT {
        return SHORT + long_plain_run(&text[SHORT..]);
    }
    let special = |byte: &u8| is_special(*byte);
    words.len() * 8 + rest.iter().position(special).unwrap_or(rest.len())
}

/// The length up to which a run is examined word by word; a multiple of the size of a word.
const SHORT: usize = 48;

/// Returns the same for long runs, with a method that is slower to begin and faster per byte.
fn long_plain_run(text: &[u8]) -> usize {
    let end = memchr::memchr2(b'"', b'\\', text).unwrap_or(text.len());
    let least = text[..end].iter().fold(u8::MAX, |least, byte| least.min(*byte));
    if least >= b' ' { end } else { text.iter().position(|byte| is_special(*byte)).unwrap_or(end) }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// Sets the high bit of each byte that ends a plain run. After the first such byte, some bits may be wrong.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64)) | control
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    fn scans(text: &[u8]) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.value().is_some() && scanner.end().is_some()
    }

    #[test]
    fn what_is_json_and_what_is_not() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let table: &[(&str, bool)] = &[
            (r#"{"a":[1,-2.5e+10,"x\n\u00e9",true,false,null,{}],"b":{}}"#, true),
            (" [ ] ", true),
            ("0", true),
            ("-0.0E-1", true),
            ("01", false),
            ("1.", false),
            ("1e", false),
            ("-", false),
            ("+1", false),
            (".5", false),
            ("nul", false),
            ("nulll", false),
            ("[1,]", false),
            ("[1 2]", false),
            ("[,1]", false),
            ("{\"a\"}", false),
            ("{\"a\":1,}", false),
            ("{a:1}", false),
            ("{\"a\":1 \"b\":2}", false),
            ("\"a", false),
            ("\"a\\\"", false),
            ("\"\\x\"", false),
            ("\"\\u12g4\"", false),
            ("\"\\ud83d\\ude00\"", false),
            ("\"\\ud7ff\"", true),
            ("\"a\u{1}b\"", false),
            ("\"0123456789\u{1f}\"", false),
            ("\"0123456789é\u{7f}\"", true),
            ("", false),
            ("{}{}", false),
            (&deep(MAX_DEPTH), true),
            (&deep(MAX_DEPTH + 1), false),
        ];
        for (text, expected) in table {
            assert_eq!(scans(text.as_bytes()), *expected, "{text}");
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("-1.5e3".to_owned()),
            ".*".prop_map(|text| json!(text).to_string()),
            Just(r#""}]\\\"{""#.to_owned()),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|items| format!("[{}]", items.join(" , "))),
                (inner.clone(), inner).prop_map(|(a, b)| format!(r#"{{"a":{a}, "b" :{b} }}"#)),
            ]
        })
    }

    /// Pieces of JSON in any order: mostly malformed, and nearly right.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(","),
            Just(":"),
            Just("\""),
            Just("\\"),
            Just(" "),
            Just("\"a\""),
            Just("\"a\":"),
            Just("1"),
            Just("-0.5e3"),
            Just("null"),
            Just("true"),
            Just("\\u00e9"),
            Just("é"),
            Just("\u{1}"),
            Just("\"a long enough string\""),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_accepted_a_parser_accepts(text in nearly_json()) {
            let parses = serde_json::from_str::<&RawValue>(&text).is_ok();
            prop_assert!(!scans(text.as_bytes()) || parses, "{}", text);
            // Only some escapes are left to the parser.
            prop_assert!(scans(text.as_bytes()) == parses || text.contains('\\'), "{}", text);
        }

        #[test]
        fn a_member_is_found_where_a_parser_finds_it(
            members in prop::collection::vec(("[ab\n]?", json()), 0..5),
            space in "[ \n]?",
        ) {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{space}{}{space}:{value}", json!(name))).collect();
            let text = format!("{{{}{space}}}", members.join(","));
            let parsed: crate::json::RawObject<'_> = serde_json::from_str(&text).expect("an object");
            for wanted in ["", "a", "b"] {
                if let Some(found) = find(text.as_bytes(), wanted) {
                    prop_assert_eq!(found, parsed.raw(wanted), "{} in {}", wanted, text);
                } else {
                    prop_assert!(text.contains('\\'), "{}", text);
                }
            }
        }

        #[test]
        fn a_plain_run_ends_where_it_should(mut text in prop::collection::vec(0x20..=255u8, 0..120), end in any::<u8>(), at in 0..140usize) {
            if let Some(place) = text.get_mut(at) {
                *place = end;
            }
            let special = |byte: &u8| is_special(*byte);
            prop_assert_eq!(plain_run(&text), text.iter().position(special).unwrap_or(text.len()));
        }
    }
}
