//! The `file:` URIs of a folder: finds the path of a URI, and writes a path as a URI.
//!
//! Scope rules of the gateway use the same normal form ([`NormalUri`]), so no spelling of a URI leads to a file that
//! a rule did not check.

use std::path::Path;

use loggia::wire::uri::{AmbiguousUri, NormalUri, encode_segment};

/// Returns the path of a `file:` URI: relative, or absolute without its first slash. The error is the reason why
/// there is none.
pub(super) fn path_of(uri: &str) -> Result<String, &'static str> {
    let normal = NormalUri::parse(uri).map_err(AmbiguousUri::reason)?;
    match () {
        () if normal.scheme() != "file" => Err("its scheme is not file"),
        () if normal.host() != Some("") => Err("it names another host"),
        () if normal.query().is_some() => Err("it has a query; write '?' as %3F"),
        () if normal.ends_with_slash() => Err("it ends with a slash, and only files are resources"),
        () => Ok(normal.segments().join("/")),
    }
}

/// Returns the URI of a path relative to the folder.
pub(super) fn uri(path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(encode_segment).collect();
    format!("file:///{}", segments.join("/"))
}

/// Returns the prefixes of URIs that mean the same as `file:///` for the server of this folder: its absolute path, as
/// given and without symbolic links.
pub fn root_uris(root: &Path) -> Vec<String> {
    let roots = [std::path::absolute(root), std::fs::canonicalize(root)];
    let texts = roots.iter().flatten().filter_map(|root| root.to_str());
    let mut uris: Vec<String> =
        texts.map(|root| format!("{}/", uri(root.trim_matches(std::path::is_separator)))).collect();
    uris.dedup();
    uris
}
