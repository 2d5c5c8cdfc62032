//! Server-Sent Events, writing and reading: the text that Streamable HTTP and the older HTTP+SSE transport put into a
//! response body. Only values and functions; the caller reads and writes the body.
//!
//! The format is the "event stream" of the WHATWG HTML standard, sections 9.2.5 and 9.2.6.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SseEvent {
    /// The `event` field; `None` is the same as `message`.
    pub name: Option<String>,
    /// The `id` field of this event; for the id of an earlier event see [`SseParser::last_event_id`].
    pub id: Option<String>,
    /// The `data` fields, joined by line feeds. Empty for an event that only carries an id.
    pub data: Vec<u8>,
}

/// Appends an event. Line breaks inside `data` become further `data` fields, so any JSON text may be given.
pub fn write_event(out: &mut Vec<u8>, name: Option<&str>, id: Option<&str>, data: &[u8]) {
    if let Some(name) = name {
        write_field(out, b"event", name.as_bytes());
    }
    if let Some(id) = id {
        write_field(out, b"id", id.as_bytes());
    }
    for line in lines(data) {
        write_field(out, b"data", line);
    }
    out.push(b'\n');
}

/// Appends the time that the client should wait before it reconnects.
pub fn write_retry(out: &mut Vec<u8>, after: Duration) {
    write_field(out, b"retry", after.as_millis().to_string().as_bytes());
    out.push(b'\n');
}

/// An empty comment, which keeps a silent stream open.
pub const KEEP_ALIVE: &[u8] = b":\n\n";

fn write_field(out: &mut Vec<u8>, field: &[u8], value: &[u8]) {
    debug_assert!(!value.iter().any(|b| is_break(*b)), "a field is one line");
    out.extend_from_slice(field);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Returns the lines of `data`, whatever their line ending.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.iter().position(|b| is_break(*b)) else {
            rest = None;
            return Some(text);
        };
        let width = if text[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = Some(&text[end + width..]);
        Some(&text[..end])
    })
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Reads an event stream from chunks of any size.
///
/// Give it every chunk with [`feed`](SseParser::feed), then take events with [`next_event`](SseParser::next_event)
/// until it returns none. An event that is not complete at the end of the stream is lost, as the standard says.
#[derive(Debug)]
pub struct SseParser {
    limit: usize,
    line: Vec<u8>,
    event: SseEvent,
    has_data: bool,
    at_start: bool,
    after_cr: bool,
    too_long: bool,
    ready: VecDeque<SseEvent>,
    last_event_id: Option<String>,
    retry: Option<Duration>,
}

/// The error for an event above the limit. The position in the stream is then unknown: close the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseEventTooLong {
    /// The limit, in bytes.
    pub limit: usize,
}

impl fmt::Display for SseEventTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of the stream is longer than {} bytes", self.limit)
    }
}

impl std::error::Error for SseEventTooLong {}

impl SseParser {
    /// Creates a parser that holds at most `limit` bytes of one event.
    pub fn new(limit: usize) -> SseParser {
        SseParser {
            limit,
            line: Vec::new(),
            event: SseEvent::default(),
            has_data: false,
            at_start: true,
            after_cr: false,
            too_long: false,
            ready: VecDeque::new(),
            last_event_id: None,
            retry: None,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() && !self.too_long {
            if std::mem::take(&mut self.after_cr) && chunk[0] == b'\n' {
                chunk = &chunk[1..];
                continue;
            }
            let end = memchr::memchr2(b'\n', b'\r', chunk);
            self.extend_line(&chunk[..end.unwrap_or(chunk.len())]);
            let Some(end) = end else { return };
            self.after_cr = chunk[end] == b'\r';
            chunk = &chunk[end + 1..];
            if !self.too_long {
                self.end_line();
            }
        }
    }

    /// Returns the next complete event. After an error there are no further events.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, SseEventTooLong> {
        match self.ready.pop_front() {
            Some(event) => Ok(Some(event)),
            None if self.too_long => Err(SseEventTooLong { limit: self.limit }),
            None => Ok(None),
        }
    }

    /// Returns the number of buffered bytes of the incomplete event.
    pub fn buffered(&self) -> usize {
        self.line.len() + self.event.data.len()
    }

    /// Returns the last id of the stream: the value of `Last-Event-ID` for reconnecting.
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref().filter(|id| !id.is_empty())
    }

    /// Returns the reconnection time that the server last sent.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn extend_line(&mut self, part: &[u8]) {
        if self.line.len() + self.event.data.len() + part.len() > self.limit {
            self.too_long = true;
            self.line = Vec::new();
            self.event = SseEvent::default();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let mut text = line.as_slice();
        if std::mem::take(&mut self.at_start) {
            text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        }
        match text.iter().position(|b| *b == b':') {
            None if text.is_empty() => self.dispatch(),
            None => self.field(text, b""),
            Some(0) => {}
            Some(colon) => {
                let value = &text[colon + 1..];
                self.field(&text[..colon], value.strip_prefix(b" ").unwrap_or(value));
            }
        }
        self.line = line;
        self.line.clear();
    }

    fn field(&mut self, field: &[u8], value: &[u8]) {
        match field {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
            }
            b"event" => self.event.name = Some(String::from_utf8_lossy(value).into_owned()),
            b"id" if !value.contains(&0) => self.event.id = Some(String::from_utf8_lossy(value).into_owned()),
            b"retry" => self.retry = milliseconds(value).or(self.retry),
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let event = std::mem::take(&mut self.event);
        if let Some(id) = &event.id {
            self.last_event_id = Some(id.clone());
        }
        if std::mem::take(&mut self.has_data) {
            self.ready.push_back(event);
        }
    }
}

/// Reads a number of digits, as the standard says. A number that is too large counts as the longest time.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?;
    Some(Duration::from_millis(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(name: Option<&str>, id: Option<&str>, data: &str) -> SseEvent {
        SseEvent { name: name.map(Into::into), id: id.map(Into::into), data: data.into() }
    }

    fn parse(limit: usize, chunks: &[&[u8]]) -> (Vec<SseEvent>, bool, SseParser) {
        let mut parser = SseParser::new(limit);
        let mut events = Vec::new();
        for chunk in chunks {
            parser.feed(chunk);
        }
        loop {
            match parser.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return (events, false, parser),
                Err(_) => return (events, true, parser),
            }
        }
    }

    #[test]
    fn streams() {
        let cases: &[(&str, Vec<SseEvent>)] = &[
            ("", vec![]),
            ("data: a\n\n", vec![event(None, None, "a")]),
            (
                "data:a\r\n\r\ndata:b\r\rdata:c\n\n",
                vec![event(None, None, "a"), event(None, None, "b"), event(None, None, "c")],
            ),
            ("\u{feff}data: a\n\n", vec![event(None, None, "a")]),
            ("data: a\n\n\u{feff}data: b\n\n", vec![event(None, None, "a")]),
            (": hello\ndata: a\n:\n\n", vec![event(None, None, "a")]),
            ("data: a\ndata\ndata:  b\n\n", vec![event(None, None, "a\n\n b")]),
            ("event: endpoint\nid: 7\ndata: /m?x=1\n\n", vec![event(Some("endpoint"), Some("7"), "/m?x=1")]),
            ("id: 1\ndata:\n\n", vec![event(None, Some("1"), "")]),
            ("id: 1\n\n", vec![]),
            ("id: a\0b\ndata: x\n\n", vec![event(None, None, "x")]),
            ("unknown: x\ndata: y\n\n", vec![event(None, None, "y")]),
            ("data: never finished\n", vec![]),
            ("event: e\n\ndata: x\n\n", vec![event(None, None, "x")]),
        ];
        for (stream, expected) in cases {
            assert_eq!((&parse(1000, &[stream.as_bytes()]).0, stream), (expected, stream));
        }
    }

    #[test]
    fn ids_and_retry_outlive_their_event() {
        let cases: &[(&str, Option<&str>, Option<u64>)] = &[
            ("data: x\n\n", None, None),
            ("id: 1\nretry: 50\n\n", Some("1"), Some(50)),
            ("id: 1\ndata: a\n\ndata: b\n\n", Some("1"), None),
            ("id: 1\n\nid\n\n", None, None),
            ("id: 1\n", None, None),
            ("retry: 5x\nretry: -1\nretry:\n\n", None, None),
            ("retry: 50\nretry: no\n\n", None, Some(50)),
            ("retry: 99999999999999999999999\n\n", None, Some(u64::MAX)),
        ];
        for (stream, id, retry) in cases {
            let (_, _, parser) = parse(1000, &[stream.as_bytes()]);
            assert_eq!(
                (parser.last_event_id(), parser.retry()),
                (*id, retry.map(Duration::from_millis)),
                "{stream:?}"
            );
        }
    }

    #[test]
    fn the_limit_ends_the_stream_after_what_came_before() {
        let (events, too_long, _) = parse(12, &[b"data: a\n\ndata: 12345678\n\ndata: b\n\n"]);
        assert_eq!((events, too_long), (vec![event(None, None, "a")], true));
        let (events, too_long, _) = parse(12, &[b"data: 1234\ndata: 1234\n\n"]);
        assert_eq!((events, too_long), (vec![], true));
        let (events, too_long, parser) = parse(12, &[b"xxxxx".as_slice(); 1000]);
        assert_eq!((events, too_long), (vec![], true));
        assert_eq!(parser.line.capacity(), 0, "what was read of it is let go");
    }

    #[test]
    fn written_forms() {
        let mut out = Vec::new();
        write_event(&mut out, None, Some("s-1"), b"");
        write_event(&mut out, Some("message"), None, b"{\n\"a\":1\r\n}");
        write_retry(&mut out, Duration::from_millis(500));
        out.extend_from_slice(KEEP_ALIVE);
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "id: s-1\ndata: \n\nevent: message\ndata: {\ndata: \"a\":1\ndata: }\n\nretry: 500\n\n:\n\n"
        );
    }

    fn chunks<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut chunks = Vec::new();
        let mut rest = stream;
        for cut in cuts {
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        chunks.push(rest);
        chunks
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_events(
            stream in proptest::string::string_regex("(\u{feff}|data|event|id|retry|:| |\r|\n|\r\n|[a-z0-9é\0]){0,80}").expect("regex"),
            cuts in proptest::collection::vec(0usize..6, 0..60),
            limit in 1usize..60,
        ) {
            let whole = parse(limit, &[stream.as_bytes()]);
            let cut = parse(limit, &chunks(stream.as_bytes(), &cuts));
            prop_assert_eq!((&whole.0, whole.1), (&cut.0, cut.1));
            prop_assert_eq!((whole.2.last_event_id(), whole.2.retry()), (cut.2.last_event_id(), cut.2.retry()));
        }

        #[test]
        fn what_is_written_is_read(
            events in proptest::collection::vec(
                (proptest::option::of("[a-z]{1,8}"), proptest::option::of("[!-~]{1,8}"), "[ -~é\n]{0,40}"), 0..6),
        ) {
            let mut out = Vec::new();
            let mut expected = Vec::new();
            for (name, id, data) in events {
                write_event(&mut out, name.as_deref(), id.as_deref(), data.as_bytes());
                out.extend_from_slice(KEEP_ALIVE);
                expected.push(SseEvent { name, id, data: data.into_bytes() });
            }
            prop_assert_eq!(parse(10_000, &[&out]).0, expected);
        }

        #[test]
        fn no_bytes_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20)) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            parse(64, &chunks);
        }
    }
}
