//! The tasks of this repository as one Rust program, so that a fresh clone needs only Rust, Node and Python: `cargo
//! xtask test` installs what the tests need, runs every stage, and ends with the line `N passed, M failed`.

#![allow(clippy::print_stdout, reason = "a command line tool talks on standard output")]

mod bench;
mod browser;
mod cargo;
mod command;
mod conformance;
mod console;
mod debian;
mod features;
mod instructions;
mod interop;
mod outcome;
mod paths;
mod peers;
mod postgres;
mod real_servers;
mod stages;
mod tidy;
mod vendors;

use std::process::ExitCode;

use outcome::Outcome;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test [NAMES…] [--list]              run the stages named (all of them by default), in order
  tidy [--report [--places]]          check the structural rules of the repository; --report prints the figures of its
                                      names and words, --places what they count
  api                                 write the list of the SDK's public names, which `tidy` holds against the source
  conformance [server|client|authorization] [--filter SCENARIO] [--bless] [--built]
                                      the official suite; --bless rewrites conformance/checks.json
  interop [--filter TEXT] [--verbose] [--built]
                                      our server, our client and `loggia up` against other implementations;
                                      --built takes the programs as they were last built
  browser [--built]                   a browser and three other clients sign in at `loggia up`
  five [--built]                      five servers behind one `loggia up`, for three clients at once
  servers [--filter SERVER] [--built] real servers, whose lists and results are compared with and without
                                      `loggia up`, byte by byte
  vendors [--filter TEST] [--built]   the connectors against mocks of their vendors; with --filter only the tests of
                                      backends whose name contains the text, without the agent
  bench [--quick] [--only ROWS] [--no-peers]
                                      what a call costs, beside the least it could cost and what it costs others
";

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.is_empty() {
        print!("{USAGE}");
        return ExitCode::from(2);
    }
    let command = args.remove(0);
    match dispatch(&command, &args) {
        Ok(outcome) => outcome.exit_code(),
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}

fn dispatch(command: &str, args: &[String]) -> Result<Outcome, String> {
    match command {
        "test" => stages::test(args),
        "interop" => stages::with_needs("interop", args, interop::run),
        "browser" => stages::with_needs("browser", args, |_| browser::run()),
        "five" => stages::with_needs("five", args, |_| interop::five()),
        "servers" => stages::with_needs("servers", args, real_servers::run),
        "vendors" => stages::with_needs("vendors", args, vendors::run),
        "bench" => bench::run(args),
        "conformance" => stages::with_needs("conformance", args, conformance::run),
        "tidy" if args.iter().any(|arg| arg == "--report") => {
            tidy::report(args.iter().any(|arg| arg == "--places"))?;
            Ok(Outcome::default())
        }
        "api" => {
            tidy::write_public_api()?;
            Ok(Outcome::default())
        }
        "tidy" => Ok(stages::alone("tidy", tidy::run)),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(Outcome::default())
        }
        other => Err(format!("there is no command '{other}'\n\n{USAGE}")),
    }
}
