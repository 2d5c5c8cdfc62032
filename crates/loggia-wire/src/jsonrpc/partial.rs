//! [`PartialEnvelope`]: the id and the kind of a message that cannot be read, because it is not JSON (`NaN`, a text cut
//! short) or too long.
//!
//! Without them, the sender of the request, or the request that the response belongs to, would wait until its
//! timeout.

use super::Id;

/// The parts of an envelope that were found at the beginning and the end of a message. They may be wrong, because the
/// text may be anything; they only decide which request fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartialEnvelope {
    /// The id, if it was found.
    pub id: Option<Id>,
    /// True if it has a `method`: it is a request or a notification.
    pub has_method: bool,
    /// True if it has a `result` or an `error`, or begins with one of them: it is a response.
    pub has_outcome: bool,
    /// True if it has the member `jsonrpc`: it was meant to be a message.
    pub is_json_rpc: bool,
}

impl PartialEnvelope {
    /// The number of bytes at the end of a text that are examined. The work grows with the square of it, because each
    /// place where the last members may begin is tried.
    pub const TAIL: usize = 1 << 10;

    /// Examines the beginning and the end of a text. They may overlap, or be the same.
    pub fn read(head: &[u8], tail: &[u8]) -> PartialEnvelope {
        let mut found = PartialEnvelope::default();
        let Some(b'{') = head.trim_ascii_start().first() else { return found };
        found.read_head(&head.trim_ascii_start()[1..]);
        if found.id.is_none() {
            let tail = tail.trim_ascii_end();
            found.read_tail(&tail[tail.len().saturating_sub(PartialEnvelope::TAIL)..]);
        }
        found
    }

    /// Reads the members at the beginning whose values are complete.
    fn read_head(&mut self, mut text: &[u8]) {
        while let Some((name, value, rest)) = member(text) {
            self.note(name, value);
            match rest.split_first() {
                Some((b',', rest)) => text = rest,
                _ => return,
            }
        }
        // The value is not complete.
        let begun = text.trim_ascii_start();
        self.has_outcome |= begun.starts_with(b"\"result\"") || begun.starts_with(b"\"error\"");
    }

    /// Reads the last members: those of the outermost object. They begin after a comma, and only the last brace of
    /// the text follows.
    fn read_tail(&mut self, tail: &[u8]) {
        let starts = tail.iter().enumerate().filter(|(_, byte)| **byte == b'"').map(|(at, _)| at);
        let after_comma = |at: &usize| tail[..*at].trim_ascii_end().last() == Some(&b',');
        for start in starts.filter(after_comma) {
            if let Some(members) = last_members(&tail[start..]) {
                return members.into_iter().for_each(|(name, value)| self.note(name, value));
            }
        }
    }

    fn note(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"id" => self.id = serde_json::from_slice(value).ok(),
            b"result" | b"error" => self.has_outcome = true,
            b"method" => self.has_method = true,
            b"jsonrpc" => self.is_json_rpc = true,
            _ => {}
        }
    }
}

/// Name and value.
type MemberSlices<'a> = (&'a [u8], &'a [u8]);

/// Returns the members of a text that consists of members with plain values and a closing brace.
fn last_members(mut text: &[u8]) -> Option<Vec<MemberSlices<'_>>> {
    let mut members = Vec::new();
    loop {
        let (name, value, rest) = member(text)?;
        if matches!(value.first(), Some(b'{' | b'[')) {
            return None;
        }
        members.push((name, value));
        match rest {
            [b'}'] => return Some(members),
            [b',', rest @ ..] => text = rest,
            _ => return None,
        }
    }
}

/// Returns the first member of a text, and the text after it, both without white space at their ends.
fn member(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let name_end = string_end(text)?;
    let value = text[name_end..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let end = value_end(value)?;
    Some((&text[1..name_end - 1], value[..end].trim_ascii_end(), value[end..].trim_ascii_start()))
}

/// Returns the end of a value. The text between brackets is not examined, so it need not be JSON.
fn value_end(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => string_end(text),
        b'{' | b'[' => nested_end(text),
        _ => text.iter().position(|byte| matches!(byte, b',' | b'}' | b']')),
    }
}

/// Returns the end of a string, after the closing quote.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    let mut bytes = text.iter().enumerate();
    if bytes.next()?.1 != &b'"' {
        return None;
    }
    let end = bytes.find(|(_, byte)| {
        let ends = !escaped && **byte == b'"';
        escaped = !escaped && **byte == b'\\';
        ends
    });
    end.map(|(at, _)| at + 1)
}

/// Returns the end of an object or an array.
fn nested_end(text: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0usize, 0);
    loop {
        match text.get(at)? {
            b'"' => {
                at += string_end(&text[at..])?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: Option<Id>, has_method: bool, is_json_rpc: bool) -> PartialEnvelope {
        // In the tables it is one or the other.
        PartialEnvelope { id, has_method, has_outcome: !has_method, is_json_rpc }
    }

    #[test]
    fn the_end_is_looked_at_within_a_bound() {
        let many = r#","a":1"#.repeat(40_000);
        for (text, expected) in [
            (format!(r#"{{"v":NaN{many},"id":7}}"#), Some(Id::Number(7))),
            (format!(r#"{{"v":NaN,"id":7{many},"z":[]}}"#), None),
            (format!(r#"{{"v":[NaN],"z":[[]{many},"id":7{many}}}"#), None),
        ] {
            let text = text.replacen(r#""v":NaN"#, r#""v":[NaN"#, 1);
            assert_eq!(PartialEnvelope::read(text.as_bytes(), text.as_bytes()).id, expected);
        }
    }

    #[test]
    fn texts_that_are_not_json() {
        let seven = || Some(Id::Number(7));
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"result":{"v":NaN}}"#, found(seven(), false, true)),
            (r#"{"result":{"v":[NaN,{"a":Infinity}]},"jsonrpc":"2.0","id":7}"#, found(seven(), false, true)),
            (r#"{"result":NaN,"jsonrpc":"2.0","id":7}"#, found(seven(), false, true)),
            (r#" {"id" : "a\"b" , "result" : {"#, found(Some(Id::from("a\"b")), false, false)),
            (r#"{"jsonrpc":"2.0","method":"m","params":{"v":NaN},"id":7}"#, found(seven(), true, true)),
            (r#"{"jsonrpc":"2.0","result":{"id":7,"v":"}}"#, found(None, false, true)),
            (r#"{"jsonrpc":"2.0","id":7,"result":{}} {"jsonrpc":"2.0","id":8}"#, found(seven(), false, true)),
            (r#"{"jsonrpc":"2.0","id":null,"result":{}"#, found(None, false, true)),
            (r#"{"level":"info","id":7}"#, PartialEnvelope { id: seven(), ..PartialEnvelope::default() }),
            (r#"{"jsonrpc":"2.0"}"#, PartialEnvelope { is_json_rpc: true, ..PartialEnvelope::default() }),
            (r#"got {"jsonrpc":"2.0","result":{},"id":7}"#, PartialEnvelope::default()),
            (r#"[{"jsonrpc":"2.0","result":{},"id":7}]"#, PartialEnvelope::default()),
            ("Listening on port 3000", PartialEnvelope::default()),
            ("", PartialEnvelope::default()),
            ("{", PartialEnvelope::default()),
        ] {
            assert_eq!(PartialEnvelope::read(text.as_bytes(), text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn texts_of_which_the_middle_is_missing() {
        let seven = || Some(Id::Number(7));
        for (head, tail, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"result":{"t":"aa"#, r#"aa"}}"#, found(seven(), false, true)),
            (r#"{"result":{"t":"aa"#, r#"aa"},"jsonrpc":"2.0","id":7}"#, found(seven(), false, true)),
            (r#"{"result":{"t":"aa"#, r#"aa"} , "id" : 7 , "jsonrpc":"2.0" } "#, found(seven(), false, true)),
            (
                r#"{"method":"m","params":{"t":"aa"#,
                r#"aa"},"jsonrpc":"2.0","id":7}"#,
                found(seven(), true, true),
            ),
            (r#"{"result":{"t":"aa"#, r#"aa","id":7}}"#, found(None, false, false)),
            (r#"{"result":{"t":"aa"#, r#"aa,\"id\":7}"}}"#, found(None, false, false)),
            (r#"{"result":{"t":"aa"#, r#"aa"},"id":7,"x":{}}"#, found(None, false, false)),
            (r#"{"result":{"t":"aa"#, "aaaa", found(None, false, false)),
        ] {
            let read = PartialEnvelope::read(head.as_bytes(), tail.as_bytes());
            assert_eq!(read, expected, "{head} … {tail}");
        }
    }
}
