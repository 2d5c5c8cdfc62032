//! A tree of the nodes of a YAML document with their places. It has the structure only: values are read by `serde-saphyr`.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

/// Deepest nesting that is read.
const DEPTH: usize = 64;

/// The byte at which a text cannot be parsed, and the reason.
type YamlFailure = (usize, String);
/// An event of the parser, with its bytes.
type YamlEvent<'t> = (Event<'t>, Range<usize>);

/// A node of a YAML document.
pub(super) struct YamlNode {
    pub(super) kind: YamlKind,
    /// The bytes of the content. That of a block collection ends with the content of its last node.
    pub(super) range: Range<usize>,
}

/// The kind of a node.
pub(super) enum YamlKind {
    /// A text, with its value. An empty one has no bytes.
    Scalar(String),
    /// A reference to another node.
    Alias,
    Sequence {
        items: Vec<YamlNode>,
        is_flow: bool,
    },
    Mapping {
        members: Vec<(YamlNode, YamlNode)>,
        is_flow: bool,
    },
}

/// The document of a YAML file.
pub(super) struct YamlTree {
    /// The root; `None` in an empty file.
    pub(super) root: Option<YamlNode>,
    /// Number of documents.
    pub(super) documents: usize,
}

impl YamlTree {
    /// Parses a text. The error is the byte and the reason.
    pub(super) fn parse(text: &str) -> Result<YamlTree, YamlFailure> {
        let mut reader = YamlReader { text, events: Parser::new_from_str(text), at: 0 };
        let (mut root, mut documents) = (None, 0);
        while let Some((event, range)) = reader.next()? {
            match event {
                Event::DocumentStart(..) => documents += 1,
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                event => {
                    let node = reader.node(event, range, DEPTH)?;
                    root.get_or_insert(node);
                }
            }
        }
        // A file of comments has an empty scalar.
        root = root.filter(|root: &YamlNode| !root.range.is_empty());
        Ok(YamlTree { root, documents })
    }
}

struct YamlReader<'t> {
    text: &'t str,
    events: Parser<'t, granit_parser::StrInput<'t>>,
    at: usize,
}

impl<'t> YamlReader<'t> {
    fn next(&mut self) -> Result<Option<YamlEvent<'t>>, YamlFailure> {
        match self.events.next() {
            None => Ok(None),
            Some(Ok((event, span))) => {
                let range = span.byte_range().unwrap_or(self.at..self.at);
                self.at = range.end;
                Ok(Some((event, range)))
            }
            Some(Err(error)) => Err((error.marker().byte_offset().unwrap_or(self.at), error.info())),
        }
    }

    /// Reads the node that begins with `event`.
    fn node(&mut self, event: Event<'t>, range: Range<usize>, depth: usize) -> Result<YamlNode, YamlFailure> {
        if depth == 0 {
            return Err((range.start, "it is nested too deeply".to_owned()));
        }
        match event {
            Event::Scalar(value, style, ..) => {
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let end = match is_block {
                    true => range.start + self.text[range.clone()].trim_end().len(),
                    false => range.end,
                };
                Ok(YamlNode { kind: YamlKind::Scalar(value.into_owned()), range: range.start..end })
            }
            Event::SequenceStart(style, ..) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()?.ok_or_else(|| self.cut_off())? {
                        (Event::SequenceEnd, end) => break end,
                        (event, range) => items.push(self.node(event, range, depth - 1)?),
                    }
                };
                let last = items.last().map_or(range.end, |item: &YamlNode| item.range.end);
                let is_flow = style == StructureStyle::Flow;
                let end = if is_flow { end.end } else { last };
                Ok(YamlNode { kind: YamlKind::Sequence { items, is_flow }, range: range.start..end })
            }
            Event::MappingStart(style, ..) => {
                let mut members = Vec::new();
                let end = loop {
                    match self.next()?.ok_or_else(|| self.cut_off())? {
                        (Event::MappingEnd, end) => break end,
                        (event, range) => {
                            let key = self.node(event, range, depth - 1)?;
                            let (event, range) = self.next()?.ok_or_else(|| self.cut_off())?;
                            members.push((key, self.node(event, range, depth - 1)?));
                        }
                    }
                };
                let last = members.last().map_or(range.end, |(key, value): &(YamlNode, YamlNode)| {
                    key.range.end.max(value.range.end)
                });
                let is_flow = style == StructureStyle::Flow;
                let end = if is_flow { end.end } else { last };
                Ok(YamlNode { kind: YamlKind::Mapping { members, is_flow }, range: range.start..end })
            }
            _ => Ok(YamlNode { kind: YamlKind::Alias, range }),
        }
    }

    fn cut_off(&self) -> YamlFailure {
        (self.at, "the text ends within a value".to_owned())
    }
}
