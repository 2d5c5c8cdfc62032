//! `loggia up`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::program::{Run, command, run, run_in, settings, shows};
use crate::server;

/// A running `loggia up`.
pub(crate) struct Up {
    /// None once it has ended.
    child: Option<Child>,
    stdout: BufReader<std::process::ChildStdout>,
    /// What it printed before it said how to stop it.
    pub(crate) said: String,
    pub(crate) url: String,
}

/// Starts it on a free port.
pub(crate) fn up(folder: &Path, args: &[&str]) -> Up {
    up_at(folder, ":0", args)
}

/// Starts it at an address.
pub(crate) fn up_at(folder: &Path, address: &str, args: &[&str]) -> Up {
    up_with(folder, address, args, |_| ())
}

/// Starts it with a command that `change` has changed.
pub(crate) fn up_with(folder: &Path, address: &str, args: &[&str], change: impl FnOnce(&mut Command)) -> Up {
    let args: Vec<&str> = ["up", "--listen", address].iter().chain(args).copied().collect();
    let mut command = command(folder, &args);
    change(command.env("USER", "ada"));
    let mut child = command.spawn().expect("it starts");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut up = Up { child: Some(child), stdout, said: String::new(), url: String::new() };
    up.until("Ctrl-C stops it.");
    let url = up.said.split_whitespace().find(|word| word.starts_with("http"));
    up.url = url.expect("a URL").to_owned();
    up
}

impl Up {
    /// Reads what it says until it has said `what`.
    pub(crate) fn until(&mut self, what: &str) {
        while !self.said.contains(what) {
            let read = self.stdout.read_line(&mut self.said).expect("it prints");
            assert_ne!(read, 0, "it ended: {}", self.said);
        }
    }

    /// The URL without a path.
    pub(crate) fn base(&self) -> String {
        self.url.trim_end_matches("/mcp").to_owned()
    }

    /// The next link to sign in by.
    pub(crate) fn link(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).expect("it prints"), 0, "it ended: {}", self.said);
            self.said.push_str(&line);
            if let Some(link) = line.strip_prefix("Sign in at ") {
                return link.trim().to_owned();
            }
        }
    }

    /// Lets it end as Ctrl-C does, and gives what it said meanwhile.
    pub(crate) fn stop(self) -> Run {
        self.end(&["INT"])
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it runs");
        let killed = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
    }

    /// Waits until it says that it stops.
    #[cfg(target_os = "linux")]
    pub(crate) fn until_stopping(&mut self) {
        let stderr = self.child.as_mut().expect("it runs").stderr.take().expect("it is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("stopping;")), "it hears the signal");
    }

    /// Sends it signals, waits for its end, and gives what it said meanwhile.
    pub(crate) fn end(mut self, signals: &[&str]) -> Run {
        signals.iter().for_each(|signal| self.signal(signal));
        let child = self.child.take().expect("it runs");
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("it prints");
        let mut run = Run::from(child.wait_with_output().expect("it ends"));
        run.stdout = std::mem::take(&mut self.said) + &rest;
        run
    }
}

/// A test that fails leaves none running.
impl Drop for Up {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One HTTP request without a library: the status line and the body.
pub(crate) fn get(url: &str, path: &str) -> (String, String) {
    let address = url.trim_start_matches("http://").split('/').next().expect("an address").to_owned();
    let mut stream = TcpStream::connect(&address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a response");
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

#[cfg(unix)]
#[test]
fn without_a_configuration_this_folder_is_served_read_only() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("note.txt"), "hello there\n").expect("written");
    let up = up(folder.path(), &[]);
    let read = run(&["call", &up.url, "files_read", "path=note.txt"]);
    assert!(read.stdout.contains("hello there"), "{read}");
    let tools = run(&["tools", &up.url]);
    assert!(!tools.stdout.contains("files_write"), "{tools}");
    assert_eq!(get(&up.url, "/healthz"), ("HTTP/1.1 200 OK".to_owned(), r#"{"status":"ok"}"#.to_owned()));
    assert_eq!(get(&up.url, "/readyz").1, r#"{"connectors":{"files":"up"},"ready":true}"#);
    assert!(get(&up.url, "/elsewhere").0.contains("404"));
    shows!("up", up.stop());
}

#[cfg(unix)]
#[test]
fn a_folder_can_be_named_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("inside")).expect("created");
    let up = up(folder.path(), &["--root", "inside", "--write"]);
    let written = run(&["call", &up.url, "files_write", "path=new.txt", "content=fresh"]);
    assert_eq!(written.code, Some(0), "{written}");
    let file = folder.path().join("inside/new.txt");
    assert_eq!(std::fs::read_to_string(file).expect("written"), "fresh");
    assert_eq!(up.stop().code, Some(0));
}

#[cfg(unix)]
#[test]
fn files_that_others_execute_are_written_with_an_option_only() {
    for (options, code) in [(&["--write"][..], Some(1)), (&["--write", "--write-sensitive"], Some(0))] {
        let folder = tempfile::tempdir().expect("a folder");
        let up = up(folder.path(), options);
        let written = run(&["call", &up.url, "files_write", "path=.git/hooks/pre-commit", "content=x"]);
        assert_eq!(written.code, code, "{options:?}: {written}");
        assert_eq!(folder.path().join(".git").exists(), code == Some(0), "{options:?}");
        assert_eq!(up.stop().code, Some(0));
    }
}

#[cfg(unix)]
#[test]
fn connectors_of_a_file_are_served_and_a_broken_one_hides_nobody() {
    let kitchen = server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let loggia = env!("CARGO_BIN_EXE_loggia");
    let config = format!(
        "[connectors.kitchen]\nkind = \"remote\"\nurl = \"{}\"\nprefix = \"k\"\ntools = {{ deny = [\"hang\"] }}\n\
         [connectors.nested]\nkind = \"stdio\"\ncommand = \"{loggia}\"\nargs = [\"up\", \"--stdio\", \"--no-config\", \"--root\", \".\"]\n\
         [connectors.broken]\nkind = \"stdio\"\ncommand = \"no-such-program-anywhere\"\n\
         [connectors.secret]\nkind = \"remote\"\nurl = \"https://example.invalid\"\n\
         headers = {{ Authorization = \"${{NO_SUCH_VARIABLE_ANYWHERE}}\" }}\n\
         [connectors.off]\nkind = \"builtin\"\nname = \"files\"\nenabled = false\n",
        kitchen.url
    );
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let up = up(folder.path(), &[]);
    for (args, expected) in [
        (vec!["k_echo", "text=hi"], "hi\n"),
        (vec!["k_greet"], "Nobody said who\n"),
        (vec!["k_cook"], "done\n"),
    ] {
        for era in ["modern", "2025-11-25"] {
            let line: Vec<&str> =
                ["call", "--era", era, &up.url].into_iter().chain(args.iter().copied()).collect();
            let run = run(&line);
            assert_eq!(run.stdout, expected, "{line:?}: {run}");
        }
    }
    assert_eq!(run(&["call", &up.url, "k_fail"]).code, Some(1));
    assert_eq!(run(&["call", &up.url, "k_hang"]).code, Some(4));
    let nested = run(&["call", &up.url, "nested_files_find", "glob=*.toml"]);
    assert!(nested.stdout.contains("loggia.toml"), "{nested}");
    let stopped = up.stop();
    assert_eq!(stopped.code, Some(0), "{stopped}");
    for part in ["✓ kitchen", "✓ nested", "✗ broken", "could not be started", "NO_SUCH_VARIABLE_ANYWHERE"]
    {
        assert!(stopped.stdout.contains(part), "{part}: {stopped}");
    }
}

#[test]
fn over_stdio_nothing_but_the_protocol_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child =
        command(folder.path(), &["up", "--stdio"]).stdin(Stdio::piped()).spawn().expect("it starts");
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
    writeln!(child.stdin.take().expect("it is piped"), "{request}").expect("sent");
    let run = Run::from(child.wait_with_output().expect("it ends with its input"));
    assert_eq!(run.code, Some(0), "{run}");
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("a message")).collect();
    assert_eq!(lines[0]["result"]["protocolVersion"], "2025-06-18", "{run}");
    assert_eq!(lines[0]["result"]["serverInfo"]["name"], "loggia", "{run}");
}

#[test]
fn what_is_wrong_is_said_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let busy = run_in(folder.path(), &["up", "--listen", &port]);
    assert!(busy.code == Some(2) && busy.stdout.is_empty(), "{busy}");
    assert!(busy.stderr.contains(&format!("127.0.0.1:{port} is already in use")), "{busy}");
    assert!(busy.stderr.contains("--listen :PORT"), "{busy}");

    std::fs::write(folder.path().join("bad.toml"), "[connectors.a]\nkind = \"stdoi\"\nurl = 5\n")
        .expect("written");
    std::fs::write(folder.path().join("empty.toml"), "").expect("written");
    let mut settings = settings();
    settings.add_filter(r"\(os error \d+\)", "(os error N)");
    settings.bind(|| {
        for (name, args) in [
            ("up_bad_config", vec!["--config", "bad.toml"]),
            ("up_empty_config", vec!["--config", "empty.toml"]),
            ("up_no_config", vec!["--config", "missing.toml"]),
            ("up_no_folder", vec!["--root", "missing"]),
            ("up_both", vec!["--root", ".", "--config", "empty.toml"]),
            ("up_bad_address", vec!["--listen", "nonsense"]),
        ] {
            let args: Vec<&str> = ["up"].into_iter().chain(args).collect();
            insta::assert_snapshot!(name, run_in(folder.path(), &args).to_string());
        }
    });
}
