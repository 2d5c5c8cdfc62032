//! From the bytes of a response to text: the media type, the encoding, and HTML as Markdown.

use std::collections::HashMap;
use std::rc::Rc;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use htmd::{HtmlToMarkdown, Node};

use super::WebError;

/// The deepest nesting of elements that is converted: the converter calls itself for each level.
const MOST_DEPTH: usize = 256;

/// The maximum number of open elements in the source. The parser looks through all of them for many tags, so their number bounds
/// its time.
const MOST_OPEN: usize = 512;

/// Elements that end by themselves, or that have no content.
const SELF_ENDING: &[&str] = &[
    "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html", "img",
    "input", "li", "link", "meta", "optgroup", "option", "p", "param", "rp", "rt", "source", "tbody", "td",
    "tfoot", "th", "thead", "tr", "track", "wbr",
];

/// Elements whose content is text.
const TEXT_ELEMENTS: &[&str] = &["script", "style", "textarea", "title"];

/// The number of bytes at the start of a document in which HTML names its encoding.
const META: usize = 1024;

/// Elements without text for a reader.
const SKIPPED: &[&str] =
    &["script", "style", "noscript", "template", "svg", "iframe", "object", "head", "nav", "footer"];

/// The kind of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DocumentKind {
    Html,
    Text,
    Binary,
}

/// A document as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextDocument {
    pub(super) title: Option<String>,
    pub(super) text: String,
}

/// Returns the media type of a `Content-Type` header and the encoding that it names.
pub(super) fn media_type(header: &str) -> (String, Option<&'static Encoding>) {
    let mut parts = header.split(';');
    let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    (media_type, charset.and_then(|label| Encoding::for_label(label.as_bytes())))
}

/// Returns the kind of a document. Without a media type, its first bytes decide.
pub(super) fn kind(media_type: &str, body: &[u8]) -> DocumentKind {
    let is_text = media_type.starts_with("text/")
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
        || matches!(
            media_type,
            "application/json"
                | "application/xml"
                | "application/javascript"
                | "application/x-yaml"
                | "application/toml"
        );
    match media_type {
        "text/html" | "application/xhtml+xml" => DocumentKind::Html,
        _ if is_text => DocumentKind::Text,
        "" | "application/octet-stream" if !body.iter().take(META).any(|byte| *byte == 0) => {
            let start =
                String::from_utf8_lossy(&body[..body.len().min(META)]).trim_start().to_ascii_lowercase();
            let is_html = start.starts_with("<!doctype html") || start.starts_with("<html");
            if is_html { DocumentKind::Html } else { DocumentKind::Text }
        }
        _ => DocumentKind::Binary,
    }
}

/// Decodes a body: by its byte order mark, by `header`, by the `meta` element of HTML, or as UTF-8.
pub(super) fn decode(body: &[u8], header: Option<&'static Encoding>, kind: DocumentKind) -> String {
    let named = header.or_else(|| (kind == DocumentKind::Html).then(|| meta_encoding(body)).flatten());
    let encoding = named.unwrap_or_else(|| match std::str::from_utf8(body) {
        // HTML without any hint, in bytes that are no UTF-8, is what browsers read in this encoding.
        Err(_) if kind == DocumentKind::Html => WINDOWS_1252,
        _ => UTF_8,
    });
    encoding.decode(body).0.into_owned()
}

/// Returns the encoding in a `meta` element.
fn meta_encoding(body: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(&body[..body.len().min(META)]).to_ascii_lowercase();
    let after = start.split("charset").skip(1).find_map(|rest| rest.trim_start().strip_prefix('='))?;
    let label: String = after
        .trim_start()
        .trim_start_matches(['"', '\''])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c))
        .collect();
    let encoding = Encoding::for_label(label.as_bytes())?;
    // A document whose `meta` element could be read is not in UTF-16 (HTML, "determining the character encoding").
    Some(if encoding.is_ascii_compatible() { encoding } else { UTF_8 })
}

/// Converts HTML to Markdown.
pub(super) fn markdown(html: &str) -> Result<TextDocument, WebError> {
    let converter = HtmlToMarkdown::builder().skip_tags(SKIPPED.to_vec()).build();
    let too_deep = WebError::Unreadable(
        "the page nests its elements too deep to be converted; set raw to read its source",
    );
    if has_many_open(html) {
        return Err(too_deep);
    }
    let unreadable = WebError::Unreadable("the page cannot be read as HTML; set raw to read its source");
    let tree = converter.html_to_tree(html).map_err(|_| unreadable)?;
    if depth(&tree) > MOST_DEPTH {
        return Err(too_deep);
    }
    let text = converter.tree_to_markdown(&tree);
    Ok(TextDocument { title: title(html), text: without_empty_lines(&text) })
}

/// Returns whether more than [`MOST_OPEN`] elements are open at one place of the source.
fn has_many_open(html: &str) -> bool {
    let lower = html.to_ascii_lowercase();
    let mut open: HashMap<&str, usize> = HashMap::new();
    let (mut count, mut at) = (0, 0);
    while let Some(next) = lower[at..].find('<') {
        let rest = &lower[at + next + 1..];
        at += next + 1;
        if rest.starts_with("!--") {
            at += rest.find("-->").unwrap_or(rest.len());
            continue;
        }
        let (is_end, name) = match rest.strip_prefix('/') {
            Some(rest) => (true, tag_name(rest)),
            None => (false, tag_name(rest)),
        };
        if name.is_empty() || SELF_ENDING.contains(&name) {
            continue;
        }
        if !is_end && TEXT_ELEMENTS.contains(&name) {
            at += rest.find(&format!("</{name}")).unwrap_or(rest.len());
            continue;
        }
        let own = open.entry(name).or_default();
        match is_end {
            true if *own > 0 => {
                *own -= 1;
                count -= 1;
            }
            true => {}
            false => {
                *own += 1;
                count += 1;
            }
        }
        if count > MOST_OPEN || open.len() > MOST_OPEN {
            return true;
        }
    }
    false
}

fn tag_name(text: &str) -> &str {
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return "";
    }
    let end = text.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(text.len());
    &text[..end]
}

/// Returns the deepest nesting of a tree, without recursion.
fn depth(tree: &Rc<Node>) -> usize {
    let mut deepest = 0;
    let mut nodes = vec![(tree.clone(), 1)];
    while let Some((node, depth)) = nodes.pop() {
        deepest = deepest.max(depth);
        if depth > MOST_DEPTH {
            break;
        }
        nodes.extend(node.children.borrow().iter().map(|child| (child.clone(), depth + 1)));
    }
    deepest
}

/// Returns the text of the `title` element.
fn title(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let text: Vec<&str> = html.get(start..end)?.split_whitespace().collect();
    let title: String = text.join(" ").chars().take(300).collect();
    (!title.is_empty()).then_some(title)
}

/// Removes repeated empty lines.
fn without_empty_lines(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.trim().lines() {
        empty = if line.trim().is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            kept.push_str(line.trim_end());
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_decide_the_kind() {
        for (header, body, expected) in [
            ("text/html; charset=utf-8", "", DocumentKind::Html),
            ("application/xhtml+xml", "", DocumentKind::Html),
            ("TEXT/Plain", "", DocumentKind::Text),
            ("application/ld+json", "", DocumentKind::Text),
            ("image/svg+xml", "", DocumentKind::Text),
            ("application/pdf", "%PDF", DocumentKind::Binary),
            ("image/png", "", DocumentKind::Binary),
            ("", " <!DOCTYPE html><p>", DocumentKind::Html),
            ("", "text", DocumentKind::Text),
            ("application/octet-stream", "a\0b", DocumentKind::Binary),
        ] {
            assert_eq!(kind(&media_type(header).0, body.as_bytes()), expected, "{header} {body:?}");
        }
    }

    #[test]
    fn every_hint_of_an_encoding_is_used() {
        let meta = "<meta charset='windows-1251'>\u{0}";
        let cyrillic = [meta.trim_end_matches('\0').as_bytes(), b"\xcf\xf0"].concat();
        let http_equiv =
            b"<meta http-equiv=\"Content-Type\" content=\"text/html; charset=Shift_JIS\">\x83\x65".to_vec();
        for (header, body, expected) in [
            ("text/html; charset=ISO-8859-2", b"\xb3".to_vec(), "ł"),
            ("text/html; charset=\"utf-8\"", "é".as_bytes().to_vec(), "é"),
            ("text/html", cyrillic, "Пр"),
            ("text/html", http_equiv, "テ"),
            ("text/html", b"\xe9".to_vec(), "é"),
            ("text/html", "é".as_bytes().to_vec(), "é"),
            ("text/plain", b"\xff\xfea\0".to_vec(), "a"),
            ("text/html; charset=nonsense", "é".as_bytes().to_vec(), "é"),
            ("text/html", b"<meta charset=utf-16>e".to_vec(), "e"),
        ] {
            let (media_type, encoding) = media_type(header);
            let text = decode(&body, encoding, kind(&media_type, &body));
            assert!(text.ends_with(expected), "{header}: {text}");
        }
    }

    #[test]
    fn html_becomes_markdown() {
        let html = "<html><head><title> A  page </title><style>p {}</style></head><body><nav>menu</nav><h1>One</h1>\
                    <p>Some <b>bold</b> <a href='/x'>link</a></p><script>alert(1)</script><ul><li>a<li>b</ul></body>";
        let document = markdown(html).expect("it is converted");
        assert_eq!(document.title.as_deref(), Some("A page"));
        assert_eq!(document.text, "# One\n\nSome **bold** [link](/x)\n\n*   a\n*   b\n");
    }

    #[test]
    fn hostile_html_is_refused_or_converted() {
        for (html, is_converted) in [
            ("<div>".repeat(100_000), false),
            ("<b>".repeat(20_000), false),
            (format!("{}x", "<p>".repeat(20_000)), true),
            ("<table>".repeat(2_000), false),
            ("<div></b>".repeat(2_000), false),
            ("<div>".repeat(300), false),
            (format!("<script>{}</script><p>x", "<div>".repeat(2_000)), true),
            (format!("<!-- {} --><p>x", "<div>".repeat(2_000)), true),
            ("<div><b>x</b></div>".repeat(2_000), true),
            ("<".repeat(100_000), true),
            ("&#x110000;&bad;<!--".to_owned(), true),
            (String::new(), true),
        ] {
            let start: String = html.chars().take(12).collect();
            assert_eq!(markdown(&html).is_ok(), is_converted, "{start}");
        }
    }
}
