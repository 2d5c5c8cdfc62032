//! The subjects of commits: `git log --oneline` and mail clients cut long ones.

use crate::command::Run;

/// The last commit before the rule. Older subjects are not checked.
const BASE: &str = "44a8625fbf3ea29b8ea379a08669eeb4d8fc3552";
/// The maximum number of characters of a subject.
const LONGEST: usize = 72;

/// The subjects of the commits since [`BASE`], the newest first.
#[derive(Debug, Default)]
pub(super) struct Subjects(Vec<String>);

impl Subjects {
    /// Asks Git. A clone without history has no subjects to check.
    pub(super) fn read() -> Result<Self, String> {
        let git = |log: &str, args: &[&str]| Run::new("git", log).args(args).finish();
        let is_known = git("git-base", &["cat-file", "-e", &format!("{BASE}^{{commit}}")])?;
        let is_shallow = git("git-shallow", &["rev-parse", "--is-shallow-repository"])?;
        if !is_known.is_ok() && is_shallow.stdout.trim() == "true" {
            return Ok(Self::default());
        }
        let listed = git("git-subjects", &["log", "--no-merges", "--format=%s", &format!("{BASE}..HEAD")])?;
        listed.check()?;
        Ok(Self(listed.stdout.lines().map(str::to_owned).collect()))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns a complaint for each subject that is too long.
    pub(super) fn too_long(&self) -> Vec<String> {
        let too_long = self.0.iter().filter(|subject| subject.chars().count() > LONGEST);
        too_long
            .map(|s| format!("{:?} has {} characters; {LONGEST} is the most", s, s.chars().count()))
            .collect()
    }

    /// Returns the middle length.
    pub(super) fn median(&self) -> usize {
        let mut lengths: Vec<usize> = self.0.iter().map(|subject| subject.chars().count()).collect();
        lengths.sort_unstable();
        lengths.get(lengths.len() / 2).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_at_most_72_characters() {
        let subjects = Subjects(vec!["é".repeat(72), "x".repeat(73), "import: keep the order".to_owned()]);
        let complaints = subjects.too_long();
        assert!(complaints.len() == 1 && complaints[0].contains("has 73 characters"), "{complaints:?}");
        assert_eq!((subjects.len(), subjects.median(), Subjects::default().median()), (3, 72, 0));
    }
}
