//! `file:` URIs of a folder: which path one names, and how a path is written as one.
//!
//! A scope rule of the gateway judges the same normal form ([`NormalUri`]), so no spelling of a URI leads to a file
//! that the rule did not see.

use std::path::Path;

use loggia::wire::uri::{AmbiguousUri, NormalUri, encode_segment};

/// Returns the path, relative or absolute without its first slash, that a `file:` URI names; else why it names none.
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

/// Returns the beginnings of URIs that mean the same as `file:///` for the server of this folder: its absolute path,
/// as given and without symbolic links.
pub fn root_uris(root: &Path) -> Vec<String> {
    let roots = [std::path::absolute(root), std::fs::canonicalize(root)];
    let texts = roots.iter().flatten().filter_map(|root| root.to_str());
    let mut uris: Vec<String> =
        texts.map(|root| format!("{}/", uri(root.trim_matches(std::path::is_separator)))).collect();
    uris.dedup();
    uris
}
