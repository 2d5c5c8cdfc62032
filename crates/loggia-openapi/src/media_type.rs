//! Media types (RFC 9110, section 8.3.1), as far as bodies differ by them.

/// The kind of content that a media type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaKind {
    Json,
    Multipart,
    Form,
    Text,
    Image,
    Audio,
    Binary,
}

/// Returns the kind of a media type, whatever its parameters.
pub(crate) fn kind_of(media_type: &str) -> MediaKind {
    let essence = essence(media_type);
    let (main, sub) = essence.split_once('/').unwrap_or((&essence, ""));
    match (main, sub) {
        ("application" | "text", "json") => MediaKind::Json,
        (_, sub) if sub.ends_with("+json") => MediaKind::Json,
        ("multipart", _) => MediaKind::Multipart,
        ("application", "x-www-form-urlencoded") => MediaKind::Form,
        ("image", "svg+xml") => MediaKind::Text,
        ("image", _) => MediaKind::Image,
        ("audio", _) => MediaKind::Audio,
        ("text", _) => MediaKind::Text,
        (
            "application",
            "xml" | "yaml" | "x-yaml" | "javascript" | "x-ndjson" | "graphql" | "sql" | "toml",
        ) => MediaKind::Text,
        (_, sub) if sub.ends_with("+xml") || sub.ends_with("+yaml") => MediaKind::Text,
        _ => MediaKind::Binary,
    }
}

/// Returns a media type in lower case, without its parameters.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_media_types() {
        let table = [
            ("application/json; charset=utf-8", MediaKind::Json),
            ("application/vnd.api+json", MediaKind::Json),
            ("Multipart/Form-Data", MediaKind::Multipart),
            ("application/x-www-form-urlencoded", MediaKind::Form),
            ("text/csv", MediaKind::Text),
            ("application/atom+xml", MediaKind::Text),
            ("image/png", MediaKind::Image),
            ("image/svg+xml", MediaKind::Text),
            ("audio/mpeg", MediaKind::Audio),
            ("application/octet-stream", MediaKind::Binary),
            ("*/*", MediaKind::Binary),
            ("", MediaKind::Binary),
        ];
        for (text, expected) in table {
            assert_eq!(kind_of(text), expected, "{text}");
        }
    }
}
