//! The options of the command line.

use super::contender::Contender;
use super::rows::Row;

pub(super) const USAGE: &str = "\
Usage: cargo xtask bench [OPTIONS]
       cargo xtask bench TEXT       the same as --only TEXT, for example `cargo xtask bench add`
       cargo xtask bench build      what it takes to build a server; takes minutes
       cargo xtask bench micro      what reading a message costs, beside other parsers (criterion; takes its options)

  --quick        a few rows, three short rounds
  --only TEXT    the rows whose name contains TEXT (several, with commas between them)
  --rounds N     how many rounds, five by default
  --seconds S    how long one measurement takes, one second by default
  --no-peers     ours and the floors
  --built        takes the programs as they were last built
  --save         writes the results below bench/results/, as a run of everything does
  --list         shows the rows
";

pub(super) struct Options {
    pub(super) quick: bool,
    pub(super) only: Vec<String>,
    pub(super) rounds: usize,
    pub(super) seconds: f64,
    peers: bool,
    pub(super) built: bool,
    pub(super) save: bool,
    pub(super) list: bool,
}

impl Options {
    pub(super) fn parse(args: &[String]) -> Result<Self, String> {
        let has = |name: &str| args.iter().any(|arg| arg == name);
        let quick = has("--quick");
        let mut options = Self {
            quick,
            only: Vec::new(),
            rounds: if quick { 3 } else { 5 },
            seconds: if quick { 0.4 } else { 1.0 },
            peers: !has("--no-peers"),
            built: has("--built"),
            save: false,
            list: has("--list"),
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value\n\n{USAGE}"));
            match word.as_str() {
                "--quick" | "--list" | "--no-peers" | "--built" | "--save" => {}
                "--only" => options.only.extend(value()?.split(',').map(str::to_owned)),
                "--rounds" => options.rounds = number(value()?)?,
                "--seconds" => options.seconds = number(value()?)?,
                text if !text.starts_with('-') => options.only.push(text.to_owned()),
                other => return Err(format!("bench does not know {other}\n\n{USAGE}")),
            }
        }
        options.save = has("--save") || !(quick || !options.only.is_empty() || has("--no-peers"));
        if options.rounds == 0 { Err("--rounds: at least one".into()) } else { Ok(options) }
    }

    pub(super) fn wants(&self, row: &Row) -> bool {
        if self.only.is_empty() {
            return row.quick || !self.quick;
        }
        self.only.iter().any(|text| row.name.contains(text.as_str()))
    }

    pub(super) fn admits(&self, contender: &Contender) -> bool {
        self.peers || !contender.is_peer()
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text}: not a number"))
}
