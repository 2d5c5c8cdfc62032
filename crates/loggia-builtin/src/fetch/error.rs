//! The errors of fetching a page, written for a language model.

use std::fmt;

use loggia_auth::restricted_http::FetchError;

/// The reason why a page cannot be returned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebError {
    /// The request does not fit; the text says how to write it.
    BadRequest(String),
    /// The restricted HTTP client has no response.
    Fetch(FetchError),
    /// `robots.txt` of the server does not allow it.
    Robots {
        /// The URL of `robots.txt`.
        robots: String,
    },
    /// The server answers with an error.
    Status {
        /// The status.
        status: u16,
        /// The beginning of the response.
        excerpt: String,
    },
    /// The content is no text.
    NotText {
        /// The media type.
        media_type: String,
        /// The size in bytes.
        bytes: usize,
    },
    /// The document cannot be converted.
    Unreadable(&'static str),
}

impl From<FetchError> for WebError {
    fn from(error: FetchError) -> WebError {
        WebError::Fetch(error)
    }
}

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebError::BadRequest(message) => f.write_str(message),
            WebError::Fetch(error) => error.fmt(f),
            WebError::Robots { robots } => write!(
                f,
                "the owner of the server does not allow programs to read this page ({robots}); a person may open it"
            ),
            WebError::Status { status, excerpt } if excerpt.is_empty() => {
                write!(f, "the server answers with status {status}")
            }
            WebError::Status { status, excerpt } => {
                write!(f, "the server answers with status {status}: {excerpt}")
            }
            WebError::NotText { media_type, bytes } => {
                write!(f, "the content is {media_type}, {bytes} bytes, which is no text")
            }
            WebError::Unreadable(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for WebError {}
