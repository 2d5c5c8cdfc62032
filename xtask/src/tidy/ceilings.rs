//! The ceilings of names, words and import circles, in one table. A figure may not rise above its ceiling, and a
//! commit that lowers a figure lowers the ceiling, until it is equal to the target.

use super::figures::Figures;

/// The maximum number of examples in a complaint.
const EXAMPLES: usize = 20;

/// A figure that must not rise.
struct Ceiling {
    /// The rule, as text.
    rule: &'static str,
    /// The unit of the figure.
    unit: &'static str,
    /// The figure to reach.
    target: f64,
    /// The ceiling.
    most: f64,
    measure: fn(&Figures) -> f64,
    /// The places that the figure counts.
    places: fn(&Figures) -> Vec<String>,
}

const CEILINGS: [Ceiling; 5] = [
    Ceiling {
        rule: "no type name is defined twice in a crate",
        unit: "names",
        target: 0.0,
        most: 0.0,
        measure: |figures| figures.twice().len() as f64,
        places: Figures::twice,
    },
    Ceiling {
        rule: "few types of the libraries share their name",
        unit: "% of the types",
        target: 15.0,
        most: 15.0,
        measure: Figures::shared_percent,
        places: Figures::shared,
    },
    Ceiling {
        rule: "few doc comments begin with what, who, whoever, where, how or whether",
        unit: "% of the doc comments",
        target: 0.0,
        most: 0.0,
        measure: Figures::docs_percent,
        places: |figures| figures.indirect_docs.clone(),
    },
    Ceiling {
        rule: "no idiom that has to be known",
        unit: "idioms",
        target: 0.0,
        most: 0.0,
        measure: |figures| figures.idioms.len() as f64,
        places: |figures| figures.idioms.clone(),
    },
    Ceiling {
        rule: "no import circle between modules of a crate",
        unit: "modules in circles",
        target: 0.0,
        most: 0.0,
        measure: |figures| figures.modules_in_circles() as f64,
        places: Figures::circle_texts,
    },
];

/// The verdict on one rule.
pub(super) struct CeilingVerdict {
    pub(super) rule: &'static str,
    pub(super) result: Result<(), String>,
    /// A ceiling that can be lowered.
    pub(super) note: Option<String>,
}

/// Compares the figures with their ceilings.
pub(super) fn verdicts(figures: &Figures) -> Vec<CeilingVerdict> {
    CEILINGS.iter().map(|ceiling| ceiling.verdict(figures, ceiling.most)).collect()
}

/// Returns the places that each figure counts, below the rule.
pub(super) fn places(figures: &Figures) -> String {
    let list =
        |ceiling: &Ceiling| format!("{}\n  {}\n", ceiling.rule, (ceiling.places)(figures).join("\n  "));
    CEILINGS.iter().map(list).collect()
}

impl Ceiling {
    fn verdict(&self, figures: &Figures, most: f64) -> CeilingVerdict {
        let figure = (self.measure)(figures);
        let most = most.max(self.target);
        let Ceiling { rule, unit, target, .. } = *self;
        let result = match figure <= most {
            true => Ok(()),
            false => Err(format!(
                "{figure:.1} {unit}, and {most:.1} is the most (the target is {target:.1}); `cargo xtask tidy --report \
                 --places` lists all of them:\n{}",
                (self.places)(figures).into_iter().take(EXAMPLES).collect::<Vec<_>>().join("\n")
            )),
        };
        // Rounding up to a tenth, so that the figure is not above it.
        let lower = (figure * 10.0).ceil() / 10.0;
        let can_be_lowered = most > target && lower < most;
        let note =
            can_be_lowered.then(|| format!("{rule}: lower the ceiling from {most:.1} to {lower:.1} {unit}"));
        CeilingVerdict { rule, result, note }
    }
}

#[cfg(test)]
mod tests {
    use super::super::commits::Subjects;
    use super::super::source::Source;
    use super::*;

    fn figures(files: &[(&str, &str)]) -> Figures {
        let source =
            |(path, text): &(&str, &str)| Source::new((*path).into(), (*path).into(), (*text).into());
        let files: Vec<Source> = files.iter().map(source).collect();
        Figures::of(&files, Subjects::default()).expect("it parses")
    }

    #[test]
    fn each_rule_complains_of_a_source_that_breaks_it_and_of_no_other() {
        type Files = &'static [(&'static str, &'static str)];
        let broken: [Files; 5] = [
            &[(
                "crates/loggia/src/lib.rs",
                "struct A; mod b { struct A; } struct C; struct D; struct E; struct F; struct G; \
               struct H; struct I; struct J; struct K; struct L; struct M; struct N;",
            )],
            &[
                ("crates/loggia/src/lib.rs", "struct A;"),
                ("crates/loggia-hub/src/lib.rs", "struct A; struct B;"),
            ],
            &[("crates/loggia/src/lib.rs", "/// What it is.\nstruct A;\n/// A letter.\nstruct B;\n")],
            &[("docs/src/a.md", "Nobody knows it.\n")],
            &[
                ("crates/loggia/src/a.rs", "use crate::b::B; pub struct A;"),
                ("crates/loggia/src/b.rs", "use crate::a::A; pub struct B;"),
            ],
        ];
        for (rule, files) in broken.iter().enumerate() {
            let figures = figures(files);
            let fails = |ceiling: &Ceiling| ceiling.verdict(&figures, 0.0).result.is_err();
            let failing: Vec<usize> = (0..CEILINGS.len()).filter(|n| fails(&CEILINGS[*n])).collect();
            assert_eq!(failing, [rule], "{}", CEILINGS[rule].rule);
        }
        let clean = figures(&[
            ("crates/loggia/src/lib.rs", "//! A letter.\nstruct ApiKey;\nstruct Error;\n"),
            ("crates/loggia-hub/src/lib.rs", "//! Another letter.\nuse loggia::ApiKey;\nstruct Error;\n"),
        ]);
        assert!(CEILINGS.iter().all(|ceiling| ceiling.verdict(&clean, 0.0).result.is_ok()));
    }

    #[test]
    fn a_figure_below_its_ceiling_lowers_it_as_far_as_the_target() {
        let with = |target: f64, figure: fn(&Figures) -> f64| Ceiling {
            rule: "rule",
            unit: "things",
            target,
            most: 0.0,
            measure: figure,
            places: |_| vec!["a place".to_owned()],
        };
        let figures = figures(&[]);
        for (target, figure, most, is_ok, note) in [
            (0.0, (|_| 10.0) as fn(&Figures) -> f64, 10.0, true, None),
            (0.0, |_| 10.04, 10.0, false, None),
            (0.0, |_| 9.0, 10.0, true, Some("from 10.0 to 9.0")),
            (5.0, |_| 7.11, 10.0, true, Some("from 10.0 to 7.2")),
            (5.0, |_| 3.0, 5.0, true, None),
            (5.0, |_| 5.1, 4.0, false, None),
        ] {
            let verdict = with(target, figure).verdict(&figures, most);
            assert_eq!(verdict.result.is_ok(), is_ok, "{target}, {most}");
            let noted = verdict.note.as_deref();
            assert!(
                noted.is_some() == note.is_some() && noted.unwrap_or("").contains(note.unwrap_or("")),
                "{noted:?}"
            );
        }
    }
}
