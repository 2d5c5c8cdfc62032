//! The stage `features`: each combination of a crate's features compiles without a warning.
//!
//! The workspace is built with all features together, so an error in a build with fewer features would not be found
//! there. Invariant: a combination is checked as a program compiles it, without dev-dependencies.

use crate::command::Run;
use crate::outcome::Outcome;

/// The crates with a feature for each side of a protocol, with these features.
const CRATES: &[(&str, &[&str])] = &[
    ("loggia", &["client", "http-client", "http-server"]),
    ("loggia-auth", &["client", "resource-server", "authorization-server"]),
];

/// Checks every combination of the features of [`CRATES`], also without features.
pub(crate) fn run() -> Outcome {
    let mut outcome = Outcome::default();
    for (package, features) in CRATES {
        for combination in combinations(features) {
            let name = format!("{package} with the features {combination:?}");
            outcome.record(&name, check(package, &combination.join(",")));
        }
    }
    outcome
}

/// Checks one combination. Clippy fails only on warnings of this crate, so its dependencies are not compiled again.
fn check(package: &str, features: &str) -> Result<(), String> {
    let args = ["clippy", "--quiet", "--package", package, "--no-deps", "--no-default-features"];
    let run = Run::cargo(&format!("features-{package}")).args(args);
    run.args(["--features", features, "--", "-D", "warnings"]).finish()?.check()
}

/// Returns all subsets of a list.
fn combinations<'a>(features: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut found = vec![Vec::new()];
    for feature in features {
        let with: Vec<Vec<&str>> =
            found.iter().map(|before| before.iter().copied().chain([*feature]).collect()).collect();
        found.extend(with);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_all_subsets() {
        assert_eq!(combinations(&[]), [Vec::<&str>::new()]);
        let found: Vec<String> = combinations(&["a", "b", "c"]).iter().map(|it| it.concat()).collect();
        assert_eq!(found, ["", "a", "b", "ab", "c", "ac", "bc", "abc"]);
    }
}
