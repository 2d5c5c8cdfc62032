//! Other programs: they make what a connector reads, and read what it wrote.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a program in `folder`, and returns what it prints.
///
/// # Panics
///
/// Panics if the program is not there or fails.
pub(crate) fn run(folder: &Path, program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs a Python script.
pub(crate) fn python(folder: &Path, script: &str) -> String {
    run(folder, "python3", &["-c", script])
}
