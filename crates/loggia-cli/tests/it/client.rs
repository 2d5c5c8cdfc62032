//! The commands that talk to one server.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{command, run, run_in, shows};
use crate::server;

#[test]
fn help_says_everything() {
    shows!("help", run(&["--help"]));
    shows!("help_up", run(&["up", "--help"]));
    shows!("help_call", run(&["call", "--help"]));
    shows!("help_tools", run(&["tools", "--help"]));
    shows!("nothing", run(&[]));
    shows!("unknown_command", run(&["tool"]));
}

#[test]
fn lists_are_tables_and_one_entry_is_a_page() {
    let server = server::start();
    for (name, args) in [
        ("tools", vec!["tools"]),
        ("tools_one", vec!["tools", "echo"]),
        ("tools_unknown", vec!["tools", "ecko"]),
        ("resources", vec!["resources"]),
        ("resources_one", vec!["resources", "menu://today"]),
        ("prompts", vec!["prompts"]),
        ("prompts_one", vec!["prompts", "order"]),
    ] {
        let (command, rest) = args.split_first().expect("a command");
        let args: Vec<&str> = [*command, &server.url].into_iter().chain(rest.iter().copied()).collect();
        let run = run(&args);
        crate::program::settings().bind(|| insta::assert_snapshot!(name, run.to_string()));
    }
}

#[test]
fn calls_show_what_came_and_end_as_documented() {
    let server = server::start();
    for (name, args) in [
        ("call_echo", vec!["echo", "text=hi", "times=2"]),
        ("call_text_that_looks_like_a_number", vec!["echo", "text=5"]),
        ("call_list", vec!["add", "numbers=1,2,3"]),
        ("call_json", vec!["add", "--json", "{\"numbers\": [4, 5]}"]),
        ("call_bad_value", vec!["echo", "text=hi", "times=often"]),
        ("call_bad_word", vec!["echo", "hi"]),
        ("call_bad_json", vec!["echo", "text:={"]),
        ("call_key_twice", vec!["echo", "text=a", "text=b"]),
        ("call_no_file", vec!["echo", "text=@/no/such/file"]),
        ("call_twice", vec!["echo", "text=hi", "--json", "{}"]),
        ("call_missing", vec!["echo"]),
        ("call_unknown", vec!["ech", "text=hi"]),
        ("call_failed", vec!["fail"]),
        ("call_refused", vec!["refuse"]),
        ("call_progress", vec!["cook"]),
        ("call_content", vec!["show"]),
        ("call_asks", vec!["greet"]),
        ("call_logs", vec!["chat", "--log-level", "warning"]),
        ("call_bad_level", vec!["chat", "--log-level", "loud"]),
        ("call_too_slow", vec!["hang", "--timeout", "200ms"]),
    ] {
        let args: Vec<&str> = ["call", &server.url].into_iter().chain(args).collect();
        let run = run(&args);
        crate::program::settings().bind(|| insta::assert_snapshot!(name, run.to_string()));
    }
}

#[test]
fn both_eras_give_the_same() {
    let server = server::start();
    for era in ["auto", "modern", "legacy", "2024-11-05", "2025-06-18"] {
        let run = run(&["call", "--era", era, &server.url, "greet"]);
        // The first revisions cannot ask anything.
        let expected = if era == "2024-11-05" { Some(1) } else { Some(0) };
        assert_eq!(run.code, expected, "{era}: {run}");
    }
}

#[test]
fn output_for_programs_is_one_json_value() {
    let server = server::start();
    for (args, pointer, expected) in [
        (vec!["tools"], "/tools/0/name", Value::from("echo")),
        (vec!["prompts"], "/prompts/0/arguments/0/required", Value::from(true)),
        (vec!["resources"], "/resourceTemplates/0/uriTemplate", Value::from("menu://days/{day}")),
        (vec!["call", "add", "numbers=1,2"], "/structuredContent/sum", Value::from(3)),
        (vec!["call", "fail"], "/isError", Value::from(true)),
        (vec!["read", "menu://today"], "/contents/0/text", Value::from("soup\nstew")),
        (vec!["prompt", "order", "dish=stew"], "/messages/0/role", Value::from("user")),
        (vec!["complete", "order", "dish=s"], "/completion/total", Value::from(3)),
        (vec!["inspect"], "/lists/tools/count", Value::from(9)),
    ] {
        let (command, rest) = args.split_first().expect("a command");
        let line: Vec<&str> =
            [*command, "-o", "json", &server.url].into_iter().chain(rest.iter().copied()).collect();
        let run = run(&line);
        let value: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run}"));
        assert_eq!(value.pointer(pointer), Some(&expected), "{line:?}: {run}");
    }
}

#[test]
fn resources_prompts_and_completions_are_shown() {
    let server = server::start();
    let url = &server.url;
    shows!("read", run(&["read", url, "menu://today"]));
    shows!("read_template", run(&["read", url, "menu://days/monday"]));
    shows!("read_missing", run(&["read", url, "menu://days/never"]));
    shows!("prompt", run(&["prompt", url, "order", "dish=stew", "guest=Ann"]));
    shows!("complete", run(&["complete", url, "order", "dish=s"]));
}

#[test]
fn inspect_tells_what_a_server_is() {
    let server = server::start();
    shows!("inspect", run(&["inspect", &server.url]));
    shows!("inspect_legacy", run(&["inspect", "--era", "2025-06-18", &server.url]));
}

#[test]
fn trace_shows_every_message_on_stderr() {
    let server = server::start();
    let run = run(&["call", "--trace", &server.url, "echo", "--json", "{\"text\":\"hi\"}"]);
    assert_eq!(run.stdout, "hi\n");
    let sent = run.stderr.lines().filter(|line| line.starts_with('→')).count();
    let received = run.stderr.lines().filter(|line| line.starts_with('←')).count();
    assert!(sent >= 2 && received >= 2, "{run}");
    assert!(run.stderr.contains("\"method\":\"tools/call\""), "{run}");
}

#[test]
fn pictures_are_written_where_the_user_says() {
    let server = server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let run = run_in(folder.path(), &["call", &server.url, "show", "--save", "out"]);
    assert_eq!(run.code, Some(0), "{run}");
    let written = std::fs::read(folder.path().join("out/content-1.png")).expect("written");
    assert!(written.starts_with(b"\x89PNG"));
    assert!(run.stdout.contains("content-1.png"), "{run}");
}

#[test]
fn what_cannot_be_reached_is_said() {
    shows!("no_connector", run(&["tools", "nobody"]));
    shows!("no_target", run(&["tools"]));
    shows!("no_command", run(&["tools", "--", "no-such-program-anywhere"]));
    let closed = run(&["tools", "http://127.0.0.1:9/mcp"]);
    assert!(closed.code == Some(3) && closed.stderr.starts_with("error: the connection failed"), "{closed}");
    let socket = run(&["tools", "unix:/no/such/socket"]);
    assert_eq!(socket.code, Some(3), "a socket is a place, and no connector: {socket}");
    // A program that is no server.
    let mute = run(&["tools", "--timeout", "1s", "--", "true"]);
    assert_eq!(mute.code, Some(3), "{mute}");
}

#[test]
fn a_server_that_hangs_shows_what_it_wrote() {
    let script = "echo 'no network: https://api.example' >&2; sleep 333";
    for args in [&["tools"][..], &["call", "t"], &["inspect"]] {
        let rest = ["--timeout", "1s", "--", "sh", "-c", script];
        let hangs = run(&[args, &rest].concat());
        assert_eq!(hangs.code, Some(5), "{hangs}");
        assert!(hangs.stderr.contains("no answer within 1 s"), "{hangs}");
        assert!(hangs.stderr.contains("no network: https://api.example"), "{hangs}");
    }
}

#[test]
fn a_server_may_be_a_command() {
    let loggia = env!("CARGO_BIN_EXE_loggia");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("note.txt"), "hello there\n").expect("written");
    let run = run_in(folder.path(), &["call", "files_read", "path=note.txt", "--", loggia, "up", "--stdio"]);
    assert!(run.code == Some(0) && run.stdout.contains("hello there"), "{run}");
}

#[test]
fn the_built_in_connector_has_a_name() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("note.txt"), "hello there\n").expect("written");
    let run = run_in(folder.path(), &["call", "files", "search", "pattern=h.llo"]);
    assert!(run.code == Some(0) && run.stdout.contains("note.txt"), "{run}");
}

#[test]
fn completion_scripts_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = run(&["completions", shell]);
        assert!(run.code == Some(0) && run.stdout.contains("inspect") && run.stderr.is_empty(), "{shell}");
    }
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let server = server::start();
    assert!(!run(&["tools", &server.url]).stdout.contains('\x1b'));
    assert!(run(&["tools", "--color", "always", &server.url]).stdout.contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let server = server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = command(folder.path(), &["tools", &server.url]).spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_the_call() {
    let server = server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = command(folder.path(), &["call", "--trace", &server.url, "hang"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("tools/call")), "the call is made");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    assert!(lines.any(|line| line == "cancelled"));
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}
