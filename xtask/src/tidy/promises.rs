//! Rules for the promises of `SECURITY.md`. Without a test, a promise may be broken by the next change. So each row
//! of the table names the tests that prove it, as `cargo test` prints them.

use std::collections::BTreeSet;

use super::Repository;
use super::source::{Source, has_word};

const PAGE: &str = "SECURITY.md";
const HEADER: [&str; 3] = ["against", "how", "proved by"];

pub(super) fn name_their_tests(repository: &Repository) -> Vec<String> {
    let Some(page) = repository.files.iter().find(|file| file.path == PAGE) else {
        return vec![format!("there is no {PAGE}")];
    };
    let paths: BTreeSet<&str> = repository.files.iter().map(|file| &*file.path).collect();
    let tests_of = |file: &Source| module_of(&file.path, &paths).map(|module| tests_of(file, &module));
    let tests = repository.files.iter().filter_map(tests_of).flatten().collect();
    unproved(page, &tests)
}

/// Returns the rows of the page's table that name no test, or a test that does not exist.
fn unproved(page: &Source, tests: &BTreeSet<String>) -> Vec<String> {
    let rows = rows(&page.text);
    if rows.is_empty() {
        return vec![format!("{PAGE} has no table with the columns {}", HEADER.join(" | "))];
    }
    let in_row = |(line, cells): (usize, Vec<&str>)| {
        let named = cells.get(2).map(|cell| quoted(cell)).unwrap_or_default();
        let missing = named.iter().filter(|name| !tests.contains(**name));
        let missing = missing.map(|name| {
            format!(
                "{}: there is no test {name}; name it as crate::module::function, or write it",
                page.at(line)
            )
        });
        let none = named
            .is_empty()
            .then(|| format!("{}: {:?} names no test in its third column", page.at(line), cells[0]));
        missing.chain(none).collect::<Vec<_>>()
    };
    rows.into_iter().flat_map(in_row).collect()
}

/// Returns the rows of the table below [`HEADER`], each with its line.
fn rows(text: &str) -> Vec<(usize, Vec<&str>)> {
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, cells(line)));
    let table = lines.skip_while(|(_, cells)| *cells != HEADER).skip(2);
    table.take_while(|(_, cells)| !cells.is_empty()).collect()
}

/// Returns the cells of a row; none if the line is not a row.
fn cells(line: &str) -> Vec<&str> {
    let row = line.trim().strip_prefix('|').and_then(|rest| rest.strip_suffix('|'));
    row.map(|row| row.split('|').map(str::trim).collect()).unwrap_or_default()
}

/// Returns the texts between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Returns the tests of a file of `module`, as `cargo test` prints them after the crate's name.
fn tests_of(file: &Source, module: &str) -> Vec<String> {
    let (mut tests, mut inner, mut is_test) = (Vec::new(), String::new(), false);
    for line in file.code.lines() {
        inner = inline_module(line).map_or(inner, str::to_owned);
        let line = line.trim();
        if let Some(name) = function(line).filter(|_| is_test) {
            let path = [module, &*inner, name].into_iter().filter(|part| !part.is_empty());
            tests.push(path.collect::<Vec<_>>().join("::"));
        }
        let continues = line.is_empty() || line.starts_with("#[");
        is_test = continues && (is_test || is_test_attribute(line));
    }
    tests
}

/// Returns the crate and the module of a file, joined by `::`. A folder of `tests` that has a `main.rs` among `paths`
/// is a test binary, whose name is not part of the module.
fn module_of(path: &str, paths: &BTreeSet<&str>) -> Option<String> {
    let (krate, inner) = path.strip_prefix("crates/")?.strip_suffix(".rs")?.split_once('/')?;
    let module = match inner.split_once('/')? {
        ("src", module) => module,
        ("tests", module) => match module.split_once('/') {
            Some((binary, rest)) if paths.contains(&*format!("crates/{krate}/tests/{binary}/main.rs")) => {
                rest
            }
            Some(_) => module,
            None => "main",
        },
        _ => return None,
    };
    let krate = krate.replace('-', "_");
    let names = module.split('/').filter(|name| !matches!(*name, "lib" | "main" | "mod"));
    Some([&*krate].into_iter().chain(names).collect::<Vec<_>>().join("::"))
}

/// Returns the name of the inline module that begins at a line; empty where one ends.
fn inline_module(line: &str) -> Option<&str> {
    let name = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {"));
    name.or_else(|| (line == "}").then_some(""))
}

fn function(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

fn is_test_attribute(line: &str) -> bool {
    line.starts_with("#[") && !line.starts_with("#[cfg") && has_word(line, "test")
}

#[cfg(test)]
mod tests {
    use super::{Source, module_of, tests_of, unproved};

    fn file(path: &str, text: &str) -> Source {
        Source::new(path.into(), path.into(), text.into())
    }

    #[test]
    fn files_have_the_module_that_cargo_prints() {
        for (path, module) in [
            ("crates/a-b/src/lib.rs", Some("a_b")),
            ("crates/a-b/src/main.rs", Some("a_b")),
            ("crates/a-b/src/c.rs", Some("a_b::c")),
            ("crates/a-b/src/c/mod.rs", Some("a_b::c")),
            ("crates/a-b/src/c/d.rs", Some("a_b::c::d")),
            ("crates/a-b/tests/one.rs", Some("a_b")),
            ("crates/a-b/tests/it/main.rs", Some("a_b")),
            ("crates/a-b/tests/it/c/d.rs", Some("a_b::c::d")),
            ("crates/a-b/tests/one/c.rs", Some("a_b::one::c")),
            ("crates/a-b/examples/c.rs", None),
            ("xtask/src/main.rs", None),
        ] {
            let found = module_of(path, &["crates/a-b/tests/it/main.rs"].into());
            assert_eq!(found.as_deref(), module, "{path}");
        }
    }

    #[test]
    fn tests_are_functions_that_are_marked_as_tests() {
        let text = "\
#[cfg(test)]
fn helper() {}
#[test]
fn plain() {}
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn later() {}
// #[test]
fn no_longer() {}
/// Words about `#[test]`.
#[test]
/// More words.
fn explained() {}
proptest! {
    #[test]
    fn random(x in any::<u8>()) {}
}
mod tests {
    #[test]
    fn inside() {}
    fn beside() {}
}
#[test]
fn outside() {}
";
        assert_eq!(
            tests_of(&file("crates/a/src/b.rs", text), "a::b"),
            [
                "a::b::plain",
                "a::b::later",
                "a::b::explained",
                "a::b::random",
                "a::b::tests::inside",
                "a::b::outside"
            ]
        );
    }

    #[test]
    fn each_row_names_tests_that_exist() {
        let tests = ["a::b::real".to_owned(), "a::other".to_owned()].into();
        let table = "# Security\n\n| key | value |\n|---|---|\n| x | y |\n\n\
                     | against | how | proved by |\n|---|---|---|\n";
        for (rows, expected) in [
            ("| worms | birds | `a::b::real` |\n\nAfter | the | table.\n", &[][..]),
            ("| worms | birds | `a::b::real`, `a::other` |\n", &[]),
            ("| worms | birds | |\n", &["SECURITY.md:9: \"worms\" names no test"]),
            ("| worms | birds |\n", &["SECURITY.md:9: \"worms\" names no test"]),
            ("| worms | `a::b::real` | in words |\n", &["SECURITY.md:9: \"worms\" names no test"]),
            ("| worms | birds | `a::real` |\n", &["SECURITY.md:9: there is no test a::real"]),
            (
                "| worms | birds | `a::b::real` |\n| rust | paint | `a::other`, `gone`, `b::real` |\n",
                &["SECURITY.md:10: there is no test gone", "SECURITY.md:10: there is no test b::real"],
            ),
            ("", &["SECURITY.md has no table"]),
        ] {
            let found = unproved(&file("SECURITY.md", &format!("{table}{rows}")), &tests);
            assert_eq!(found.len(), expected.len(), "{rows}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{rows}: {found}");
            }
        }
        let other = unproved(&file("SECURITY.md", "| against | how |\n|---|---|\n| x | y |\n"), &tests);
        assert!(other[0].starts_with("SECURITY.md has no table"), "{other:?}");
    }
}
