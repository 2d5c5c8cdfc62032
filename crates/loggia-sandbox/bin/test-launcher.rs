//! A program with a sandbox, as the tests need one: `loggia` itself is above this crate.

use std::process::ExitCode;

use loggia_sandbox::Sandbox;

fn main() -> ExitCode {
    Sandbox::current_program(["sandbox-exec"]).run(std::env::args_os().skip(2))
}
