//! Rules for files.

use super::Repository;
use super::source::Source;

const LONGEST: usize = 900;

/// They are written in pieces, so that this file does not break its own rule.
const HOSTS: &[&str] = &[
    concat!("registry.npmjs", ".org"),
    concat!("registry.yarnpkg", ".com"),
    concat!("files.pythonhosted", ".org"),
    concat!("pypi", ".org/simple"),
    concat!("static.crates", ".io"),
    concat!("index.crates", ".io"),
    concat!("proxy.golang", ".org"),
];
/// The files that must name registries: confined programs may connect to them, and they are asked for newer versions.
const NAMES_HOSTS: &[&str] =
    &["crates/loggia-gateway/src/package_registry.rs", "crates/loggia-gateway/src/program_runner.rs"];
const PLACES: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tm", "p/"), concat!("/ho", "me/")];

pub(super) fn are_short(repository: &Repository) -> Vec<String> {
    let sources = repository.files.iter().filter(|file| is_source(&file.path));
    let lengths = sources.map(|file| (file, file.text.lines().count()));
    lengths
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(file, lines)| format!("{} has {lines} lines; {LONGEST} is the most", file.path))
        .collect()
}

pub(super) fn modules_have_a_reason(repository: &Repository) -> Vec<String> {
    let shipped = |path: &str| {
        (path.starts_with("crates/") && path.contains("/src/")) || path.starts_with("xtask/src/")
    };
    let modules = repository.files.iter().filter(|file| file.is_rust() && shipped(&file.path));
    let silent = modules.filter(|file| !file.text.trim_start().starts_with("//!"));
    silent.map(|file| format!("{} does not begin with a `//!` paragraph", file.path)).collect()
}

pub(super) fn no_machine(repository: &Repository) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in &repository.files {
        let hosts = if NAMES_HOSTS.contains(&file.path.as_str()) { &[] } else { HOSTS };
        for (n, line) in file.text.lines().enumerate() {
            let places = PLACES.iter().filter(|place| is_place(line, place));
            let found = places.chain(hosts.iter().filter(|host| line.contains(**host)));
            complaints.extend(found.map(|text| format!("{}: {text}", file.at(n + 1))));
        }
    }
    complaints
}

/// Returns whether `line` contains an absolute path below `place`, and not only a part of a longer path or of a URL.
fn is_place(line: &str, place: &str) -> bool {
    let starts_path =
        |c: char| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-' | '*' | '}' | '>' | ']' | '/');
    line.match_indices(place).any(|(at, _)| line[..at].chars().next_back().is_none_or(starts_path))
}

pub(super) fn links_lead_somewhere(repository: &Repository) -> Vec<String> {
    let documents = repository.files.iter().filter(|file| file.path.ends_with(".md"));
    documents.flat_map(broken_links).collect()
}

fn broken_links(file: &Source) -> Vec<String> {
    let folder = file.full.parent().expect("a file lies in a folder");
    let mut broken = Vec::new();
    let mut fenced = false;
    for (n, line) in file.text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let local = targets.filter(|target| {
            !target.contains("://") && !target.starts_with(['#', '<']) && !target.starts_with("mailto:")
        });
        let paths = local.map(|target| target.split('#').next().unwrap_or(target));
        let missing = paths.filter(|path| !path.is_empty() && !folder.join(path).exists());
        broken.extend(missing.map(|path| format!("{}: {path} does not exist", file.at(n + 1))));
    }
    broken
}

fn is_source(path: &str) -> bool {
    [".rs", ".mjs", ".ts", ".tsx", ".py"].iter().any(|ending| path.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::is_place;

    #[test]
    fn a_place_is_an_absolute_path() {
        let place = concat!("/tm", "p/");
        for (line, expected) in
            [("cat {}x", true), ("\"{}x\"", true), ("./target{}x", false), ("https://a.b{}x", false)]
        {
            assert_eq!(is_place(&line.replace("{}", place), place), expected, "{line}");
        }
    }
}
