//! The start and the end of a confined program: its exit code, its streams, its folder and its processes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use loggia_sandbox::{SandboxMode, SandboxPart, SandboxPolicy};

use crate::fixture::{confined, runs_with_argument, sandbox};

#[test]
fn the_exit_code_is_that_of_the_program() {
    for (script, expected) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)] {
        let status = confined(&SandboxPolicy::default(), "sh").args(["-c", script]).status().unwrap();
        assert_eq!(status.code(), Some(expected), "{script}");
    }
    let output = confined(&SandboxPolicy::default(), "no-such-program").output().unwrap();
    assert_eq!(output.status.code(), Some(126));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no-such-program could not be started: No such file"), "{said}");
}

#[test]
fn streams_pass_and_end_with_the_program() {
    let mut child = confined(&SandboxPolicy::default(), "sh")
        .args(["-c", "read -r line; echo got $line; echo said >&2; exec >&- 2>&-; read -r more; exit 3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"this\n").unwrap();
    let mut output = String::new();
    // Ends when the program closed its output, because no other process has it.
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert_eq!(output, "got this\n");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    child.stderr.take().unwrap().read_to_string(&mut output).unwrap();
    assert_eq!(output, "got this\nsaid\n");
}

#[test]
fn the_temporary_folder_goes_with_the_program() {
    let output = confined(&SandboxPolicy::default(), "sh")
        .args(["-c", "echo x > $TMPDIR/x && echo y > $HOME/y && echo $TMPDIR"])
        .output()
        .unwrap();
    let folder = String::from_utf8(output.stdout).unwrap();
    let folder = std::path::Path::new(folder.trim());
    assert!(folder.is_absolute() && !folder.exists() && !folder.parent().unwrap().exists(), "{folder:?}");
}

#[test]
fn a_killed_supervisor_leaves_no_process() {
    if !sandbox().enforcement().is_enforced(SandboxPart::ProcessEnd) {
        println!("not enforceable here: without namespaces, a guard has to end the processes");
        return;
    }
    let marker = format!("60.{:05}", std::process::id());
    let script = format!("(trap '' TERM HUP; setsid sleep {marker}) & echo started; sleep {marker}");
    let mut child = confined(&SandboxPolicy::default(), "sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    child.kill().unwrap();
    child.wait().unwrap();
    // The output ends when every process that has it is gone.
    output.read_to_string(&mut line).unwrap();
    let gone = (0..100).any(|_| {
        let gone = !runs_with_argument(&marker);
        if !gone {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        gone
    });
    assert!(gone, "a process outlived its sandbox");
}

#[test]
fn a_required_sandbox_starts_only_if_it_is_complete() {
    let sandbox = sandbox();
    let policy = SandboxPolicy::default();
    let gaps = sandbox.enforcement().gaps(&policy);
    let launcher = sandbox.launcher(&policy, SandboxMode::Require);
    assert_eq!(launcher.is_ok(), gaps.is_empty(), "{gaps:?}");
    assert_eq!(sandbox.launcher(&policy, SandboxMode::Off), Ok(None));
}

#[test]
fn a_sandbox_that_cannot_be_tried_is_refused_if_it_is_required() {
    let sandbox = loggia_sandbox::Sandbox::program("/nonexistent", ["sandbox-exec"]);
    let refused = sandbox.launcher(&SandboxPolicy::default(), SandboxMode::Require).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("files (the kernel has no Landlock"), "{text}");
    assert!(refused.gaps().any(|(part, _)| part == SandboxPart::Network), "{text}");
}
