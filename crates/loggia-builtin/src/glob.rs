//! Globs of callers and configuration files, with bounds on the cost of compiling and matching.
//!
//! `globset` limits the size of a compiled glob, but panics if a single glob exceeds it; its parser recurses on
//! nested groups. So the text is bounded first, and the glob is compiled with the one function that returns an error.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The maximum length of a glob, in bytes.
pub const MAX_GLOB: usize = 1024;

/// The maximum number of alternatives in all groups of a glob.
const MAX_ALTERNATIVES: usize = 256;

/// The maximum nesting of groups.
const MAX_NESTING: usize = 8;

/// The maximum number of `*` in a glob.
const MAX_STARS: usize = 64;

/// A compiled glob.
#[derive(Debug, Clone)]
pub struct BoundedGlob(GlobSet);

/// The options of a glob.
#[derive(Debug, Clone, Copy, Default)]
pub struct GlobOptions {
    /// True if only a literal slash in the glob matches a slash.
    pub literal_separator: bool,
    /// True if upper and lower case are equal.
    pub ignore_case: bool,
}

impl BoundedGlob {
    /// Compiles `pattern`. The error says what is wrong with it, without repeating it.
    pub fn compile(pattern: &str, options: GlobOptions) -> Result<BoundedGlob, String> {
        check(pattern)?;
        let glob = GlobBuilder::new(pattern)
            .literal_separator(options.literal_separator)
            .case_insensitive(options.ignore_case)
            .build()
            .map_err(|e| e.kind().to_string())?;
        let set = GlobSetBuilder::new().add(glob).build();
        Ok(BoundedGlob(set.map_err(|_| "it is too large when compiled; make it shorter".to_owned())?))
    }

    /// Returns whether the glob matches the whole of `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// Fails if `pattern` exceeds one of the bounds.
pub fn check(pattern: &str) -> Result<(), String> {
    let above = |what: &str, most: usize| Err(format!("it has more than {most} {what}; make it shorter"));
    if pattern.len() > MAX_GLOB {
        return above("bytes", MAX_GLOB);
    }
    let count = |byte: u8| pattern.bytes().filter(|found| *found == byte).count();
    if count(b',') > MAX_ALTERNATIVES {
        return above("alternatives", MAX_ALTERNATIVES);
    }
    if count(b'*') > MAX_STARS {
        return above("'*'", MAX_STARS);
    }
    if nesting(pattern) > MAX_NESTING {
        return above("groups within each other", MAX_NESTING);
    }
    Ok(())
}

/// Returns the deepest nesting of `{`, whether or not it is escaped.
fn nesting(pattern: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for byte in pattern.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_is_compiled_or_an_error_and_never_a_panic() {
        let stars = |n: usize| (0..n).map(|i| format!("*****{i}")).collect::<Vec<_>>().join(",");
        let table: &[(String, bool)] = &[
            ("src/**/*.rs".into(), true),
            ("{a,b{c,d}}".into(), true),
            ("a".repeat(MAX_GLOB), true),
            (format!("{{{}}}", vec!["a"; MAX_ALTERNATIVES].join(",")), true),
            (format!("{{{}}}", stars(100_000)), false),
            (format!("{{{}}}", stars(20)), false),
            ("*".repeat(MAX_STARS + 1), false),
            ("*a".repeat(MAX_STARS), true),
            ("?".repeat(MAX_GLOB), true),
            ("[!a]".repeat(MAX_GLOB / 4), true),
            ("[\u{0}-\u{10ffff}]".repeat(MAX_GLOB / 8), true),
            ("a".repeat(MAX_GLOB + 1), false),
            (",".repeat(MAX_ALTERNATIVES + 1), false),
            (format!("{}{}", "{".repeat(MAX_NESTING), "}".repeat(MAX_NESTING)), true),
            (format!("{}{}", "{".repeat(MAX_NESTING + 1), "}".repeat(MAX_NESTING + 1)), false),
            ("{".repeat(MAX_GLOB), false),
            ("{".repeat(500_000), false),
            ("{a".into(), false),
            ("[a".into(), false),
            ("a\\".into(), false),
        ];
        for (pattern, compiles) in table {
            for ignore_case in [false, true] {
                let options = GlobOptions { ignore_case, literal_separator: true };
                let compiled = BoundedGlob::compile(pattern, options);
                let start: String = pattern.chars().take(40).collect();
                assert_eq!(compiled.is_ok(), *compiles, "{start} {compiled:?}");
                match compiled {
                    Ok(glob) => drop(glob.is_match(&"a".repeat(4096))),
                    Err(reason) => assert!(reason.len() < 200, "{reason}"),
                }
            }
        }
    }
}
