//! `cargo xtask bench`: the cost of a call to Loggia, and in the same run the lowest possible cost and the cost of
//! peers. All contenders take turns in each round, so that a busy machine affects all of them. The load and the
//! server run on different cores.
//!
//! * `rows`: the measurements and their limits; `contender`: the contenders; `install`: their needs;
//! * `stage`, `probe`: one measurement; `spread`, `verdict`: the results; `report`: the table and the files.

mod build;
mod contender;
mod install;
mod machine;
mod options;
mod probe;
mod report;
mod rows;
mod spread;
mod stage;
mod verdict;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::command::Run;
use crate::outcome::Outcome;
use crate::paths;
use contender::{Contender, Role};
use install::Installed;
use machine::Cores;
use options::Options;
use probe::{Figures, Prober};
use rows::Row;
use spread::Spread;
use stage::Stage;

/// One contender in one row, over all rounds.
struct Cell {
    contender: Contender,
    figures: Vec<Figures>,
    failure: Option<String>,
}

/// A row with its results.
struct Measured {
    row: Row,
    cells: Vec<Cell>,
}

/// The time limit of the micro-benchmarks, with their build.
const MICRO: Duration = Duration::from_secs(1800);

/// Runs the bench with the options in `args`.
pub(crate) fn run(args: &[String]) -> Result<Outcome, String> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{}", options::USAGE);
        return Ok(Outcome::default());
    }
    if args.first().is_some_and(|arg| arg == "build") {
        return Ok(build::run(&args[1..]));
    }
    if args.first().is_some_and(|arg| arg == "micro") {
        return micro(&args[1..]);
    }
    let options = Options::parse(args)?;
    let mut stage = Stage::new()?;
    let rows: Vec<Row> = rows::all(&stage).into_iter().filter(|row| options.wants(row)).collect();
    if options.list {
        rows.iter().for_each(|row| println!("{:<18} {}", row.name, row.about));
        return Ok(Outcome::default());
    }
    if rows.is_empty() {
        return Err("no row has such a name; `cargo xtask bench --list` shows them".into());
    }
    // This is the commit that is built, not one that is made during the run.
    let facts = machine::facts();
    let mut installed = Installed::new(options.built);
    installed.provide(install::Need::Workspace)?;
    let cores = Cores::of_this_machine();
    stage.set(&rows, &cores)?;
    let begun = Instant::now();
    let mut all = line_up(rows, &options, &mut installed);
    let prober = Prober { seconds: options.seconds, cores: &cores, stage: &stage };
    measure(&mut all, options.rounds, &prober);
    report::print(&all);
    println!("\n{} rounds in {:.0} s", options.rounds, begun.elapsed().as_secs_f64());
    if options.save {
        report::save(&all, &options, &facts)?;
    }
    Ok(outcome(&all))
}

/// Runs the micro-benchmarks, which print criterion's own report.
fn micro(options: &[String]) -> Result<Outcome, String> {
    let folder = paths::root().join("bench").join("micro");
    let run =
        Run::cargo("bench-micro").current_dir(&folder).args(["bench", "--bench", "messages", "--target-dir"]);
    let ran = run.arg(paths::work().join("bench-micro")).arg("--").args(options).limit(MICRO).finish()?;
    ran.check()?;
    print!("{}", ran.stdout);
    Ok(Outcome::default())
}

/// Returns the contenders of each row. One whose program is missing has failed already.
fn line_up(rows: Vec<Row>, options: &Options, installed: &mut Installed) -> Vec<Measured> {
    let mut all = Vec::new();
    for row in rows {
        let contenders = row.contenders.iter().filter(|contender| options.admits(contender));
        let mut cells = Vec::new();
        for contender in contenders.cloned() {
            let failure = installed.provide(contender.need).err();
            cells.push(Cell { contender, figures: Vec::new(), failure });
        }
        all.push(Measured { row, cells });
    }
    all
}

/// Runs all rounds. A contender that fails is left out of the later rounds.
fn measure(all: &mut [Measured], rounds: usize, prober: &Prober<'_>) {
    let shows = std::io::stderr().is_terminal();
    for round in 1..=rounds {
        if !shows {
            eprintln!("round {round} of {rounds}");
        }
        for Measured { row, cells } in all.iter_mut().filter(|measured| round == 1 || !measured.row.once) {
            if shows {
                eprint!("\r\x1b[Kround {round} of {rounds}: {}", row.about);
                let _ = std::io::stderr().flush();
            }
            for cell in cells.iter_mut().filter(|cell| cell.failure.is_none()) {
                match prober.take(row, &cell.contender) {
                    Ok(figures) => cell.figures.push(figures),
                    Err(message) => cell.failure = Some(message),
                }
            }
        }
    }
    if shows {
        eprint!("\r\x1b[K");
    }
}

/// Returns the outcome: Loggia and the floors must work; a failure of another one is a note.
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
        println!("not measured: {line}");
    }
    outcome
}

impl Measured {
    fn find(&self, role: Role) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.contender.role == role)
    }
}

impl Cell {
    fn spread(&self, key: &str) -> Option<Spread> {
        Spread::of(self.all(key).into_iter())
    }

    /// Returns the figure in each round.
    fn all(&self, key: &str) -> Vec<f64> {
        self.figures.iter().filter_map(|figures| figures.get(key).copied()).collect()
    }
}
