//! The figures of names and words, measured over the shipped crates. Rules compare them with their ceilings, and
//! `cargo xtask tidy --report` prints them, so that two versions can be compared.

use std::fmt::Write as _;

use super::circles::{ImportCircle, circles};
use super::commits::Subjects;
use super::source::Source;
use super::type_names::TypeNames;
use super::words::{self, DocBeginnings, percent};
use super::{ROOMS, Repository};

/// The crates that are programs: their names are never used together with those of libraries.
const PROGRAMS: [&str; 1] = ["loggia-cli"];
/// Names with the same meaning in all crates that have them.
const SHARED_NAMES: [&str; 4] = ["Error", "Result", "Builder", "BoxFuture"];

/// The figures of the repository.
pub(super) struct Figures {
    /// The types of all crates.
    pub(super) types: TypeNames,
    /// The beginnings of doc comments, for each crate.
    pub(super) docs: Vec<(&'static str, DocBeginnings)>,
    /// The doc comments whose first word hides their subject, as `path:line: word`.
    pub(super) indirect_docs: Vec<String>,
    /// The idioms, as `path:line: idiom`.
    pub(super) idioms: Vec<String>,
    pub(super) circles: Vec<ImportCircle>,
    pub(super) subjects: Subjects,
}

impl Figures {
    pub(super) fn measure(repository: &Repository) -> Result<Self, String> {
        Self::of(&repository.files, Subjects::read()?)
    }

    pub(super) fn of(files: &[Source], subjects: Subjects) -> Result<Self, String> {
        let shipped = || files.iter().filter(|file| file.ships_in(ROOMS));
        let docs = ROOMS.iter().map(|room| {
            let sources = files.iter().filter(move |file| file.ships_in(&[room]));
            (*room, sources.map(DocBeginnings::of).fold(DocBeginnings::default(), DocBeginnings::add))
        });
        let prose = files.iter().filter(|file| words::is_prose(file));
        Ok(Self {
            types: TypeNames::of(shipped())?,
            docs: docs.collect(),
            indirect_docs: shipped().flat_map(words::indirect_docs).collect(),
            idioms: prose.flat_map(words::idioms).collect(),
            circles: circles(shipped())?,
            subjects,
        })
    }

    /// Returns the types of the libraries.
    pub(super) fn library_types(&self) -> TypeNames {
        self.types.only(|krate| !PROGRAMS.contains(&krate))
    }

    /// Returns the types of the libraries whose name is shared, in percent.
    pub(super) fn shared_percent(&self) -> f64 {
        let types = self.library_types();
        percent(types.shared(&SHARED_NAMES).len(), types.len())
    }

    /// Returns the types of the libraries whose name is shared.
    pub(super) fn shared(&self) -> Vec<String> {
        let types = self.library_types();
        types
            .shared(&SHARED_NAMES)
            .into_iter()
            .map(|name| format!("{} in {}", name.name, name.path))
            .collect()
    }

    /// Returns the doc comments whose first word hides their subject, in percent.
    pub(super) fn docs_percent(&self) -> f64 {
        self.all_docs().percent()
    }

    fn all_docs(&self) -> DocBeginnings {
        self.docs.iter().map(|(_, docs)| *docs).fold(DocBeginnings::default(), DocBeginnings::add)
    }

    /// Returns the names that a crate gives to several types.
    pub(super) fn twice(&self) -> Vec<String> {
        let twice = self.types.twice_in_a_crate();
        let listed =
            |paths: std::collections::BTreeSet<&str>| paths.into_iter().collect::<Vec<_>>().join(", ");
        twice.into_iter().map(|(name, paths)| format!("{} in {}", name.name, listed(paths))).collect()
    }

    /// Returns the modules that are in an import circle.
    pub(super) fn modules_in_circles(&self) -> usize {
        self.circles.iter().map(ImportCircle::len).sum()
    }

    /// Returns the import circles, each on one line.
    pub(super) fn circle_texts(&self) -> Vec<String> {
        self.circles.iter().map(ImportCircle::describe).collect()
    }

    /// Returns the figures as text: a line for each crate, a line for all.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:<16} {:>6} {:>7} {:>9} {:>6} {:>14} {:>7}\n",
            "crate", "types", "twice", "one word", "docs", "what/who/how…", "circles"
        );
        for (room, docs) in &self.docs {
            let circles = self.circles.iter().filter(|circle| circle.krate() == *room);
            let modules = circles.map(ImportCircle::len).sum();
            self.row(&mut text, room, &self.types.only(|krate| krate == *room), *docs, modules);
        }
        self.row(&mut text, "all", &self.types, self.all_docs(), self.modules_in_circles());
        let libraries = self.library_types();
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "\ntypes whose name is shared: {:.1} % of {} in the libraries ({:.1} % with {}), {:.1} % of {} in all crates",
            self.shared_percent(),
            libraries.len(),
            percent(libraries.shared(&[]).len(), libraries.len()),
            SHARED_NAMES.join(", "),
            percent(self.types.shared(&[]).len(), self.types.len()),
            self.types.len()
        );
        let _ = writeln!(text, "idioms: {}", self.idioms.len());
        let (amount, median) = (self.subjects.len(), self.subjects.median());
        let _ = writeln!(text, "commit subjects: {amount}, median {median} characters");
        text
    }

    fn row(&self, text: &mut String, name: &str, types: &TypeNames, docs: DocBeginnings, circles: usize) {
        let _ = writeln!(
            text,
            "{name:<16} {:>6} {:>7} {:>7.1} % {:>6} {:>12.1} % {circles:>7}",
            types.len(),
            types.twice_in_a_crate().len(),
            percent(types.one_word(), types.len()),
            docs.all,
            docs.percent(),
        );
    }
}
