//! `cargo xtask bench`: what a call costs ours, beside the least it could cost and what it costs others, in the
//! same run. Everything takes turns within each round, so that a busy machine is as busy for everybody; the load
//! and the server are pinned to different cores.

mod contender;
mod machine;
mod probe;
mod report;
mod rows;
mod spread;

use std::time::Instant;

use crate::command::Run;
use crate::outcome::Outcome;
use contender::Contender;
use machine::Cores;
use probe::Figures;
use rows::Row;

const USAGE: &str = "\
Usage: cargo xtask bench [OPTIONS]

  --quick        a few rows, three short rounds, nothing written
  --only TEXT    the rows whose name contains TEXT (several, with commas between them)
  --rounds N     how many rounds, five by default
  --seconds S    how long one measurement takes, one second by default
  --no-peers     ours and the floors
  --built        takes the programs as they were last built
  --list         shows the rows
";

/// What the command line asks for.
struct Options {
    quick: bool,
    only: Vec<String>,
    rounds: usize,
    seconds: f64,
    peers: bool,
    built: bool,
}

/// One contender in one row, over all rounds.
struct Cell {
    contender: Contender,
    figures: Vec<Figures>,
    failure: Option<String>,
}

/// A row with what was measured.
struct Measured {
    row: Row,
    cells: Vec<Cell>,
}

/// Runs the bench as `args` ask.
pub(crate) fn run(args: &[String]) -> Result<Outcome, String> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{USAGE}");
        return Ok(Outcome::default());
    }
    let options = Options::parse(args)?;
    let rows: Vec<Row> = rows::all().into_iter().filter(|row| options.wants(row)).collect();
    if args.iter().any(|arg| arg == "--list") {
        rows.iter().for_each(|row| println!("{:<16} {}", row.name, row.about));
        return Ok(Outcome::default());
    }
    if rows.is_empty() {
        return Err("no row has such a name; `cargo xtask bench --list` shows them".into());
    }
    if !options.built {
        build()?;
    }
    let begun = Instant::now();
    let measured = measure(rows, &options, &Cores::of_this_machine());
    report::print(&measured);
    println!("\n{} rounds in {:.0} s", options.rounds, begun.elapsed().as_secs_f64());
    Ok(outcome(&measured))
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, String> {
        let quick = args.iter().any(|arg| arg == "--quick");
        let mut options = Self {
            quick,
            only: Vec::new(),
            rounds: if quick { 3 } else { 5 },
            seconds: if quick { 0.4 } else { 1.0 },
            peers: true,
            built: false,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value\n\n{USAGE}"));
            match word.as_str() {
                "--quick" | "--list" => {}
                "--no-peers" => options.peers = false,
                "--built" => options.built = true,
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--rounds" => options.rounds = number(value()?)?,
                "--seconds" => options.seconds = number(value()?)?,
                other => return Err(format!("bench does not know {other}\n\n{USAGE}")),
            }
        }
        if options.rounds == 0 { Err("--rounds: at least one".into()) } else { Ok(options) }
    }

    fn wants(&self, row: &Row) -> bool {
        if self.only.is_empty() { row.quick || !self.quick } else { self.names(row) }
    }

    fn names(&self, row: &Row) -> bool {
        self.only.iter().any(|text| row.name.contains(text.as_str()))
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text}: not a number"))
}

fn build() -> Result<(), String> {
    let packages = ["--package", "bench-server", "--package", "bench-harness"];
    Run::cargo("bench-build").args(["build", "--release", "--quiet"]).args(packages).finish()?.check()
}

/// All rounds. A contender that fails is left out of the rounds that follow.
fn measure(rows: Vec<Row>, options: &Options, cores: &Cores) -> Vec<Measured> {
    let cells = |row: &Row| -> Vec<Cell> {
        let contenders = row.contenders.iter().filter(|contender| options.peers || !contender.is_peer());
        contenders.map(|contender| Cell::new(contender.clone())).collect()
    };
    let mut all: Vec<Measured> = rows.into_iter().map(|row| Measured { cells: cells(&row), row }).collect();
    for round in 1..=options.rounds {
        for measured in &mut all {
            eprint!("\r\x1b[Kround {round} of {}: {}", options.rounds, measured.row.about);
            for cell in measured.cells.iter_mut().filter(|cell| cell.failure.is_none()) {
                match probe::take(&measured.row, &cell.contender, options.seconds, cores) {
                    Ok(figures) => cell.figures.push(figures),
                    Err(message) => cell.failure = Some(message),
                }
            }
        }
    }
    eprint!("\r\x1b[K");
    all
}

/// Ours has to work; what others cannot do is a note.
fn outcome(all: &[Measured]) -> Outcome {
    let mut outcome = Outcome::default();
    for measured in all {
        for cell in &measured.cells {
            let name = format!("{}, {}", measured.row.name, cell.contender.name);
            match &cell.failure {
                Some(message) if cell.contender.is_peer() => outcome.note(format!("{name}: {message}")),
                Some(message) => outcome.fail(format!("{name}: {message}")),
                None => outcome.pass(),
            }
        }
    }
    for line in outcome.notes.iter().chain(&outcome.failures) {
        println!("failed: {line}");
    }
    outcome
}

impl Cell {
    fn new(contender: Contender) -> Self {
        Self { contender, figures: Vec::new(), failure: None }
    }
}
