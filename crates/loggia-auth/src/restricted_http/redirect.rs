//! The target of a redirect. A redirect must not lead from `https` to another scheme.

use http::header::LOCATION;
use http::{Response, StatusCode};
use url::Url;

use super::error::{FetchError, redacted};

/// Returns the target of a redirect response from `url`. Fails if it leads from `https` to another scheme.
pub(super) fn redirect<B>(url: &Url, response: &Response<B>) -> Result<Option<Url>, FetchError> {
    if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let target = location.and_then(|location| url.join(location).ok());
    match target {
        Some(target) if url.scheme() == "https" && target.scheme() != "https" => {
            let why = "a redirect leads from https to another scheme".to_owned();
            Err(FetchError::Refused { url: redacted(&target), why })
        }
        target => Ok(target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_not_left() {
        let table = [
            (302, "https://a.example/x", "https://b.example/y", Ok(Some("https://b.example/y"))),
            (302, "https://a.example/x", "//b.example", Ok(Some("https://b.example/"))),
            (302, "https://a.example/x", "http:y", Err("from https")),
            (302, "https://a.example/x", "http://a.example/x", Err("from https")),
            (302, "https://a.example/x", "HTTP://b.example/y?code=1", Err("from https")),
            (307, "https://a.example/x", "http://127.0.0.1/", Err("from https")),
            (302, "https://a.example/x", "data:application/json,{}", Err("from https")),
            (302, "https://a.example/x", "file:///etc/passwd", Err("from https")),
            (302, "http://localhost/x", "http://localhost/y", Ok(Some("http://localhost/y"))),
            (302, "http://localhost/x", "https://a.example/", Ok(Some("https://a.example/"))),
            (302, "https://a.example/x", "https://", Ok(None)),
            (304, "https://a.example/x", "http://a.example/x", Ok(None)),
            (200, "https://a.example/x", "http://a.example/x", Ok(None)),
        ];
        for (status, from, to, expected) in table {
            let response = Response::builder().status(status).header(LOCATION, to).body(()).unwrap();
            let target = redirect(&from.parse().unwrap(), &response);
            match (target, expected) {
                (Ok(target), Ok(expected)) => assert_eq!(target.as_ref().map(Url::as_str), expected, "{to}"),
                (Err(error), Err(why)) => {
                    let said = error.to_string();
                    assert!(said.contains(why) && !said.contains("code="), "{to}: {said}");
                }
                (target, _) => panic!("{from} {to}: {target:?}"),
            }
        }
    }
}
