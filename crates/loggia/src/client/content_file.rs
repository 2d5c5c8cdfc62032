//! Names of files for the content of a server: pictures, sound, resources. Invariant: a server does not choose where a client
//! writes, so a name has no part of a path and does not begin with a dot.

/// Returns a name for a file with content of a server: the last part of the content's URI, or, where there is none that can
/// name a file, `content-N` with the extension of its type.
///
/// ```
/// use loggia::client::content_file_name;
///
/// assert_eq!(content_file_name(Some("file:///a/report.pdf"), "application/pdf", 1), "report.pdf");
/// assert_eq!(content_file_name(Some("x:/a/.."), "image/jpeg", 2), "content-2.jpg");
/// assert_eq!(content_file_name(None, "image/png", 3), "content-3.png");
/// ```
pub fn content_file_name(uri: Option<&str>, mime_type: &str, number: usize) -> String {
    let named = uri.and_then(last_part);
    named.unwrap_or_else(|| format!("content-{number}.{}", extension(mime_type)))
}

/// Returns the last part of a URI, if it can name a file. A character that could lead elsewhere is replaced.
fn last_part(uri: &str) -> Option<String> {
    let last = uri.split(['?', '#']).next()?.rsplit('/').next()?;
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = last.chars().map(safe).take(120).collect();
    (!name.is_empty() && !name.starts_with('.')).then_some(name)
}

fn extension(mime_type: &str) -> &str {
    let kind = mime_type.split(';').next().unwrap_or_default().trim();
    match kind {
        "image/jpeg" => "jpg",
        "image/svg+xml" => "svg",
        "audio/mpeg" => "mp3",
        "text/plain" => "txt",
        other => match other.rsplit_once('/') {
            Some((_, sub)) if sub.len() <= 8 && sub.bytes().all(|b| b.is_ascii_alphanumeric()) => sub,
            _ => "bin",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_does_not_choose_where_files_go() {
        for (uri, name) in [
            ("file:///a/report.pdf", Some("report.pdf")),
            ("https://x/y/z.png?size=1#top", Some("z.png")),
            ("x:/../../etc/passwd", Some("passwd")),
            ("x:/a/..", None),
            ("x:/a/.bashrc", None),
            ("x:a\\..\\b", Some("x_a_.._b")),
            ("x:/a/", None),
        ] {
            assert_eq!(last_part(uri).as_deref(), name, "{uri}");
        }
    }

    #[test]
    fn extensions_follow_the_type() {
        for (mime_type, expected) in [
            ("image/png", "png"),
            ("image/jpeg", "jpg"),
            ("text/plain; charset=utf-8", "txt"),
            ("application/x-very-long-name", "bin"),
            ("../x", "x"),
            ("a/../../b", "b"),
            ("nonsense", "bin"),
        ] {
            assert_eq!(extension(mime_type), expected, "{mime_type}");
        }
    }
}
