//! Reads a file or a part of it. The result is bounded; if a part was left out, a note says how to read it.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use cap_std::fs::File;

use super::budget::{Budget, MeteredReader};
use super::path::RelPath;
use super::{Files, FilesError, Result, mime};

/// The number of bytes at the beginning of a file that decide whether it is text.
const PROBE: usize = 8 << 10;

/// The file to read, and the range.
#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    /// The file.
    pub path: String,
    /// The part to read.
    pub range: ReadRange,
    /// The maximum number of bytes to return.
    pub max_bytes: Option<usize>,
    /// True if each line begins with its number and a tab.
    pub line_numbers: bool,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReadRange {
    /// The whole file.
    #[default]
    Whole,
    /// Lines.
    Lines {
        /// The first line, counted from 1.
        first: u64,
        /// The number of lines; `None` for all that follow.
        count: Option<u64>,
    },
    /// This number of lines at the end.
    LastLines(u64),
    /// Bytes.
    Bytes {
        /// The first byte, counted from 0.
        offset: u64,
        /// The number of bytes; `None` for all that follow.
        length: Option<u64>,
    },
}

/// The result of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadResult {
    /// The path, relative to the root of the folder.
    pub path: String,
    /// The media type.
    pub mime_type: String,
    /// The size of the whole file in bytes.
    pub size: u64,
    /// The hash of the whole file, for `if_unchanged`. Absent for very large files.
    pub hash: Option<String>,
    /// The first and the last returned line, if lines were read and there are any.
    pub lines: Option<(u64, u64)>,
    /// The first returned byte and the one after the last, if bytes were read.
    pub bytes: Option<(u64, u64)>,
    /// The content of the file or range.
    pub content: Content,
    /// A note on omitted content, and on the request that reads it.
    pub note: Option<String>,
}

/// Text or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// UTF-8 text, with the line ends of the file.
    Text(String),
    /// Other bytes.
    Binary(Vec<u8>),
}

/// The content of one range, without its description.
struct RangeContent {
    content: Content,
    lines: Option<(u64, u64)>,
    bytes: Option<(u64, u64)>,
    note: Option<String>,
}

impl Files {
    /// Reads a file.
    pub fn read(&self, request: &ReadRequest) -> Result<ReadResult> {
        let path = self.parse(&request.path)?;
        let (mut file, metadata) = self.open_file(&path)?;
        let io = |e: io::Error| FilesError::from_io(&path.to_string(), &e);
        let hash = self.hash_file(&mut file, &metadata).map_err(io)?;
        let max = request.max_bytes.unwrap_or(self.limits().read_default).clamp(1, self.limits().read_max);
        let whole_max = if mime::is_media(path.name()) { self.limits().read_max } else { max };
        let mut reading =
            BoundedRead { path: &path, file, size: metadata.len(), max, whole_max, budget: self.budget() };
        let part = reading.range(request)?;
        Ok(ReadResult {
            path: path.to_string(),
            mime_type: mime_type(&path, &part.content),
            size: metadata.len(),
            hash,
            lines: part.lines,
            bytes: part.bytes,
            content: part.content,
            note: part.note,
        })
    }
}

fn mime_type(path: &RelPath, content: &Content) -> String {
    let by_content = match content {
        Content::Text(_) => "text/plain",
        Content::Binary(_) => "application/octet-stream",
    };
    mime::by_name(path.name()).unwrap_or(by_content).to_owned()
}

/// A file being read.
struct BoundedRead<'p> {
    path: &'p RelPath,
    file: File,
    size: u64,
    max: usize,
    /// The maximum number of bytes of a file that is not text, if no range is requested.
    whole_max: usize,
    budget: Budget,
}

impl BoundedRead<'_> {
    fn range(&mut self, request: &ReadRequest) -> Result<RangeContent> {
        let numbers = request.line_numbers;
        match request.range {
            ReadRange::Bytes { offset, length } => self.bytes(offset, length),
            ReadRange::Lines { first, count } => self.text_lines(first, count, numbers),
            ReadRange::LastLines(count) => self.last_lines(count),
            ReadRange::Whole if self.probe()? => match self.text_lines(1, None, numbers) {
                Err(FilesError::NotText { .. }) => self.whole(),
                part => part,
            },
            ReadRange::Whole => self.whole(),
        }
    }

    /// Returns all bytes. They are not cut, because a part of a picture is useless.
    fn whole(&mut self) -> Result<RangeContent> {
        self.max = self.whole_max;
        if mime::is_media(self.path.name()) && self.size > self.max as u64 {
            let advice = "read it in parts, by offset and length";
            let (path, limit) = (self.path.to_string(), self.max as u64);
            return Err(FilesError::TooLarge { path, size: self.size, limit, advice });
        }
        self.bytes(0, None)
    }

    /// Returns whether the beginning of the file is text.
    fn probe(&mut self) -> Result<bool> {
        let mut head = Vec::new();
        self.seek(0)?;
        let read = (&mut self.file).take(PROBE as u64).read_to_end(&mut head);
        read.map_err(|e| self.io(&e))?;
        Ok(text_inside(&head).is_some_and(|inside| inside.0 == 0))
    }

    fn bytes(&mut self, offset: u64, length: Option<u64>) -> Result<RangeContent> {
        if offset > self.size {
            return Err(self.bad(format!("it has {} bytes, so nothing begins at offset {offset}", self.size)));
        }
        self.seek(offset)?;
        let want = length.unwrap_or(u64::MAX).min(self.max as u64);
        let mut content = Vec::new();
        let read = (&mut self.file).take(want).read_to_end(&mut content);
        read.map_err(|e| self.io(&e))?;
        let (start, content) = match text_inside(&content) {
            Some((from, text)) => (offset + from as u64, Content::Text(text.to_owned())),
            None => (offset, Content::Binary(content)),
        };
        let end = start + content.len() as u64;
        let left = end < self.size && length.is_none_or(|length| offset + length > end);
        let note = left
            .then(|| format!("this is bytes {start} to {end} of {}; read on with offset {end}", self.size));
        Ok(RangeContent { content, lines: None, bytes: Some((start, end)), note })
    }

    fn text_lines(&mut self, first: u64, count: Option<u64>, numbers: bool) -> Result<RangeContent> {
        if first == 0 {
            return Err(self.bad("lines are counted from 1".to_owned()));
        }
        self.seek(0)?;
        let reader = BufReader::new(MeteredReader { inner: &mut self.file, budget: &mut self.budget });
        let lines =
            take_lines(reader, first, count.unwrap_or(u64::MAX), self.max).map_err(|e| self.io(&e))?;
        if lines.passed < first - 1 || (lines.taken == 0 && first > 1 && count != Some(0)) {
            return Err(self.bad(format!("it ends at line {}, so there is no line {first}", lines.passed)));
        }
        let note = lines.note(first);
        let last = first + lines.taken - u64::from(lines.taken > 0);
        let text = String::from_utf8(lines.bytes).ok().filter(|text| !text.contains('\0'));
        let text = text.ok_or_else(|| FilesError::NotText { path: self.path.to_string() })?;
        let text = if numbers { number_lines(&text, first) } else { text };
        let shown = (lines.taken > 0).then_some((first, last));
        Ok(RangeContent { content: Content::Text(text), lines: shown, bytes: None, note })
    }

    /// Returns the end of the file: as many whole lines as fit.
    fn last_lines(&mut self, count: u64) -> Result<RangeContent> {
        let from = self.size.saturating_sub(self.max as u64);
        let part = self.bytes(from, None)?;
        let Content::Text(text) = part.content else {
            return Err(FilesError::NotText { path: self.path.to_string() });
        };
        let tail = tail(&text, usize::try_from(count).unwrap_or(usize::MAX), from == 0);
        let start = self.size - tail.len() as u64;
        let short = tail.lines().count() < usize::try_from(count).unwrap_or(usize::MAX) && start > 0;
        let note = short.then(|| format!("fewer lines than asked for fit; they begin at offset {start}, read before it by offset and length"));
        Ok(RangeContent {
            content: Content::Text(tail.to_owned()),
            lines: None,
            bytes: Some((start, self.size)),
            note,
        })
    }

    fn seek(&mut self, offset: u64) -> Result<()> {
        self.file.seek(SeekFrom::Start(offset)).map(drop).map_err(|e| self.io(&e))
    }

    fn io(&self, error: &io::Error) -> FilesError {
        FilesError::from_io(&self.path.to_string(), error)
    }

    fn bad(&self, reason: String) -> FilesError {
        FilesError::BadRequest { reason: format!("'{}': {reason}", self.path) }
    }
}

impl Content {
    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Content::Text(text) => text.len(),
            Content::Binary(bytes) => bytes.len(),
        }
    }

    /// Returns whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Consecutive lines of a reader.
struct LineBatch {
    bytes: Vec<u8>,
    /// The number of lines before the first one.
    passed: u64,
    taken: u64,
    end: EndReason,
}

/// The reason why a batch of lines ends.
enum EndReason {
    /// The file ended.
    File,
    /// The requested number is reached.
    Count,
    /// The next line does not fit.
    Full,
    /// The first line does not fit: this many bytes of the file are before the missing part of it.
    Cut(u64),
}

fn take_lines(mut reader: impl BufRead, first: u64, count: u64, max: usize) -> io::Result<LineBatch> {
    let mut taken = LineBatch { bytes: Vec::new(), passed: 0, taken: 0, end: EndReason::File };
    let mut before = 0;
    while taken.passed < first - 1 {
        match reader.skip_until(b'\n')? {
            0 => return Ok(taken),
            skipped => before += skipped as u64,
        }
        taken.passed += 1;
    }
    while taken.taken < count {
        let start = taken.bytes.len();
        let room = (max - start) as u64 + 1;
        if (&mut reader).take(room).read_until(b'\n', &mut taken.bytes)? == 0 {
            return Ok(taken);
        }
        if taken.bytes.len() > max {
            return Ok(taken.cut(start, before, max));
        }
        taken.taken += 1;
    }
    if !reader.fill_buf()?.is_empty() {
        taken.end = EndReason::Count;
    }
    Ok(taken)
}

impl LineBatch {
    /// Cuts the batch to `max` bytes; the last line began at `start`.
    fn cut(mut self, start: usize, before: u64, max: usize) -> LineBatch {
        if start > 0 {
            self.bytes.truncate(start);
            return LineBatch { end: EndReason::Full, ..self };
        }
        self.bytes.truncate(max);
        let incomplete = std::str::from_utf8(&self.bytes).err().filter(|e| e.error_len().is_none());
        if let Some(error) = incomplete {
            self.bytes.truncate(error.valid_up_to());
        }
        let end = EndReason::Cut(before + self.bytes.len() as u64);
        LineBatch { taken: 1, end, ..self }
    }

    fn note(&self, first: u64) -> Option<String> {
        let next = first + self.taken;
        match self.end {
            EndReason::File => None,
            EndReason::Count => Some(format!("there is more; read on with first_line {next}")),
            EndReason::Full => {
                Some(format!("the rest does not fit; read on with first_line {next}, or raise max_bytes"))
            }
            EndReason::Cut(at) => {
                Some(format!("line {first} is too long and was cut; read on with offset {at}"))
            }
        }
    }
}

/// Returns the text in `bytes`, and the number of bytes before it that were left out, because a range may begin and
/// end inside a character. `None` if it is not text.
fn text_inside(bytes: &[u8]) -> Option<(usize, &str)> {
    let from = bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
    let text = match std::str::from_utf8(&bytes[from..]) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&bytes[from..from + e.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let nothing_left = text.is_empty() && !bytes.is_empty();
    (!nothing_left && !text.contains('\0')).then_some((from, text))
}

/// Returns the last `count` lines of `text`. If the first line may be incomplete, it is not returned.
fn tail(text: &str, count: usize, whole: bool) -> &str {
    let begin = if whole { 0 } else { text.find('\n').map_or(0, |at| at + 1) };
    let text = &text[begin..];
    let body = text.strip_suffix('\n').unwrap_or(text);
    match count.checked_sub(1) {
        None => "",
        Some(skip) => body.rmatch_indices('\n').nth(skip).map_or(text, |(at, _)| &text[at + 1..]),
    }
}

fn number_lines(text: &str, first: u64) -> String {
    text.split_inclusive('\n').zip(first..).map(|(line, number)| format!("{number:>6}\t{line}")).collect()
}
