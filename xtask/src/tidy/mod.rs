//! The structural rules of the repository as tests. Each rule is a function from the repository to a list of
//! complaints, and each counts as one test.

mod ceilings;
mod circles;
mod commits;
mod dependencies;
mod figures;
mod files;
mod promises;
mod public_api;
mod source;
mod text;
mod type_names;
mod words;

use serde_json::Value;

use crate::command::Run;
use crate::outcome::Outcome;
use crate::{cargo, paths};
use figures::Figures;
use source::Source;

/// The crates from the top down: a crate may depend only on crates below it.
const ROOMS: &[&str] = &[
    "loggia-cli",
    "loggia-gateway",
    "loggia-console",
    "loggia-hub",
    "loggia-connect",
    "loggia-openapi",
    "loggia-builtin",
    "loggia-sandbox",
    "loggia-store",
    "loggia-auth",
    "loggia",
    "loggia-json-schema",
    "loggia-wire",
    "loggia-macros",
];

/// The data that rules check.
struct Repository {
    /// The text files of the repository, tracked or new.
    files: Vec<Source>,
    /// The output of `cargo metadata` for the workspace.
    metadata: Value,
}

type Rule = fn(&Repository) -> Vec<String>;

const RULES: &[(&str, Rule)] = &[
    ("dependencies point downwards", dependencies::point_downwards),
    ("loggia-wire is pure", dependencies::wire_is_pure),
    ("every member inherits the lints", dependencies::lints_are_inherited),
    ("databases are loggia-store's", dependencies::databases_are_the_stores),
    ("the SDK's public API names only allowed dependencies", dependencies::public_api_is_allowed),
    ("the SDK's public API is listed", public_api::is_listed),
    ("no untagged enum comes from the wire", text::no_untagged),
    ("no vendor's name in code", text::no_vendors),
    ("SQL only in loggia-store", text::no_sql),
    ("nobody compares version strings", text::no_version_strings),
    ("nothing is ambient", text::nothing_ambient),
    ("no unsafe code", text::no_unsafe),
    ("no unfinished code", text::nothing_unfinished),
    ("no ignored test, and no test that sleeps", text::tests_are_real),
    ("files are short", files::are_short),
    ("every module says why it exists", files::modules_have_a_reason),
    ("no machine's path and no package registry's address", files::no_machine),
    ("links between documents lead somewhere", files::links_lead_somewhere),
    ("each promise of SECURITY.md names tests that prove it", promises::name_their_tests),
];

/// Runs every rule.
pub(crate) fn run() -> Outcome {
    let repository = match Repository::read() {
        Ok(repository) => repository,
        Err(message) => return Outcome::failure(message),
    };
    let mut outcome = Outcome::default();
    for (name, rule) in RULES {
        let complaints = rule(&repository);
        let result = if complaints.is_empty() { Ok(()) } else { Err(format!("\n{}", complaints.join("\n"))) };
        outcome.record(name, result);
    }
    outcome.add(names_and_words(&repository));
    outcome
}

/// Checks the rules that can be counted.
fn names_and_words(repository: &Repository) -> Outcome {
    let figures = match Figures::measure(repository) {
        Ok(figures) => figures,
        Err(message) => return Outcome::failure(format!("the figures cannot be measured: {message}")),
    };
    let mut outcome = Outcome::default();
    for verdict in ceilings::verdicts(&figures) {
        outcome.record(verdict.rule, verdict.result);
        verdict.note.into_iter().for_each(|note| outcome.note(note));
    }
    let long = figures.subjects.too_long();
    let subjects = if long.is_empty() { Ok(()) } else { Err(format!("\n{}", long.join("\n"))) };
    outcome.record("subjects of commits are short", subjects);
    outcome
}

/// Prints the figures of names and words, for each crate, and with `places` everything that they count.
pub(crate) fn report(places: bool) -> Result<(), String> {
    let figures = Figures::measure(&Repository::read()?)?;
    print!("{}", figures.table());
    if places {
        print!("\n{}", ceilings::places(&figures));
    }
    Ok(())
}

/// Writes the list of the SDK's public API.
pub(crate) fn write_public_api() -> Result<(), String> {
    public_api::write(&Repository::read()?)
}

impl Repository {
    fn read() -> Result<Self, String> {
        let listed =
            Run::new("git", "git-ls-files").args(["ls-files", "--cached", "--others", "--exclude-standard"]);
        let listed = listed.finish()?;
        listed.check()?;
        let sources = listed.stdout.lines().filter_map(|path| {
            let full = paths::root().join(path);
            let text = std::fs::read_to_string(&full).ok()?;
            Some(Source::new(path.to_owned(), full, text))
        });
        Ok(Self { files: sources.collect(), metadata: cargo::metadata()? })
    }

    fn packages(&self) -> impl Iterator<Item = &Value> {
        self.metadata["packages"].as_array().into_iter().flatten()
    }

    fn package(&self, name: &str) -> Option<&Value> {
        self.packages().find(|package| package["name"] == name)
    }

    /// Returns the shipped Rust sources of `crates`.
    fn shipped<'a>(&'a self, crates: &'a [&str]) -> impl Iterator<Item = &'a Source> {
        self.files.iter().filter(move |file| file.ships_in(crates))
    }
}
