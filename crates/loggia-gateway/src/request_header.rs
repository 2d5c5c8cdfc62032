//! Headers of the configuration and of the command line, as headers of requests.
//!
//! Invariant: the value is marked as sensitive, and no error contains it.

use http::{HeaderName, HeaderValue};
use loggia::Error;

/// Creates a header from its parts. The value is a secret: it is marked as sensitive, and no error contains it.
///
/// # Errors
///
/// [`Error::Configuration`] if the name or the value cannot be sent.
pub fn header(name: &str, value: &str) -> loggia::Result<(HeaderName, HeaderValue)> {
    let wrong = |what| Error::Configuration(format!("the header {name:?} cannot be sent: {what}"));
    let parsed = name.parse::<HeaderName>().map_err(|_| wrong("this is not a header name"))?;
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| wrong("its value has characters that are not allowed in a header"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}
