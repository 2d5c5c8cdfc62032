//! Regular expressions: written in the dialect of ECMA-262, and run by an engine without backtracking, so that every
//! match takes linear time.

use std::iter::Peekable;
use std::str::Chars;

use regex_lite::{Regex, RegexBuilder};

/// Sizes of compiled programs in bytes, and the work for one byte of input with a program of this size.
const SIZES: [(usize, usize); 3] = [(2 << 10, 4), (8 << 10, 16), (64 << 10, 128)];

/// The members of `\s` in ECMA-262; the engine supports only ASCII white space.
const SPACE: &str =
    r"\t-\r\x20\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";
const NOT_SPACE: &str = r"\x00-\x08\x0e-\x1f\x21-\u{9f}\u{a1}-\u{167f}\u{1681}-\u{1fff}\u{200b}-\u{2027}\u{202a}-\u{202e}\u{2030}-\u{205e}\u{2060}-\u{2fff}\u{3001}-\u{fefe}\u{ff00}-\u{10ffff}";

/// A compiled `pattern`.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    source: Box<str>,
    weight: usize,
}

impl Pattern {
    /// Compiles `source`. The error says why it cannot be compiled.
    pub(super) fn compile(source: &str) -> Result<Pattern, String> {
        let translated = translate(source)?;
        let mut reason = String::new();
        for (size, weight) in SIZES {
            match RegexBuilder::new(&translated).size_limit(size).nest_limit(50).build() {
                Ok(regex) => return Ok(Pattern { regex, source: source.into(), weight }),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(reason)
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Returns the cost of matching a text of `length` bytes.
    pub(super) fn cost(&self, length: usize) -> usize {
        length.saturating_mul(self.weight) / 4
    }
}

/// Translates the parts of an ECMA-262 expression that the engine writes differently.
fn translate(source: &str) -> Result<String, String> {
    let mut out = String::with_capacity(source.len() + 8);
    let mut chars = source.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, in_class, &mut out)?,
            '[' if in_class => out.push_str(r"\["),
            '[' => {
                in_class = true;
                open_class(&mut chars, &mut out);
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // These are set operations in the engine, and plain characters in ECMA-262.
            '&' | '~' if in_class => out.extend(['\\', c]),
            '(' if !in_class && chars.peek() == Some(&'?') => group(&mut chars, &mut out)?,
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Translates `[]`, which matches nothing, and `[^]`, which matches everything. In the engine a leading `]` would be
/// a member.
fn open_class(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    let negated = chars.next_if_eq(&'^').is_some();
    if negated {
        out.push('^');
    }
    if chars.peek() == Some(&']') {
        // The class is empty: the complement of everything, or (negated) everything.
        out.truncate(out.len() - usize::from(negated));
        out.push_str(if negated { r"\w\W" } else { r"^\w\W" });
    }
}

fn escape(chars: &mut Peekable<Chars<'_>>, in_class: bool, out: &mut String) -> Result<(), String> {
    let Some(c) = chars.next() else { return Err("it ends in a backslash".to_owned()) };
    match c {
        'c' => match chars.next() {
            Some(letter) if letter.is_ascii_alphabetic() => {
                out.push_str(&format!("\\x{:02x}", letter as u32 % 32));
                Ok(())
            }
            _ => Err("\\c must be followed by a letter".to_owned()),
        },
        '0' => {
            out.push_str(r"\x00");
            Ok(())
        }
        'b' if in_class => {
            out.push_str(r"\x08");
            Ok(())
        }
        'p' | 'P' => Err("Unicode property classes such as \\p{L} are not supported".to_owned()),
        '1'..='9' | 'k' => Err("back-references are not supported".to_owned()),
        '/' => {
            out.push('/');
            Ok(())
        }
        's' | 'S' if !in_class => {
            out.push_str(if c == 's' { "[" } else { "[^" });
            out.push_str(SPACE);
            out.push(']');
            Ok(())
        }
        's' | 'S' => {
            out.push_str(if c == 's' { SPACE } else { NOT_SPACE });
            hyphen_behind_class(chars, out);
            Ok(())
        }
        c => {
            out.extend(['\\', c]);
            if in_class && "dDwW".contains(c) {
                hyphen_behind_class(chars, out);
            }
            Ok(())
        }
    }
}

/// Handles `[\w-.]`: a class cannot begin a range, so the hyphen is a plain character.
fn hyphen_behind_class(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    if chars.next_if_eq(&'-').is_some() {
        out.push_str(r"\-");
    }
}

fn group(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let rest: String = chars.clone().take(3).collect();
    if rest.starts_with("?=") || rest.starts_with("?!") || rest == "?<=" || rest == "?<!" {
        return Err("look-around such as (?=…) is not supported".to_owned());
    }
    out.push('(');
    Ok(())
}
