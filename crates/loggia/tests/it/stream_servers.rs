//! Servers on byte streams of the operating system: a Unix socket, and the standard streams of a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use loggia::Error;
use loggia::limits::Limits;
use loggia::transport::stdio::stdio;
use loggia::transport::unix::unix;
use loggia::transport::{Serve, Shutdown};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::sim::machine::{call, modern};
use crate::sim::service::Script;

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("loggia-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tool(id: i64, name: &str) -> String {
    let mut message = modern(call(id));
    message["params"]["name"] = json!(name);
    format!("{message}\n")
}

fn serve(path: &Path) -> (Shutdown, JoinHandle<loggia::Result<()>>) {
    let shutdown = Shutdown::new();
    let served = unix(path).serve(Arc::new(Script::default()), Limits::default(), shutdown.clone());
    (shutdown, tokio::spawn(served))
}

/// Connects as soon as the server listens.
fn connect(path: &Path) -> UnixStream {
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return stream,
            Err(_) => std::thread::yield_now(),
        }
    }
}

fn ask(stream: &mut UnixStream, id: i64) -> Value {
    stream.write_all(tool(id, "echo").as_bytes()).expect("the server reads");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("the server answers");
    serde_json::from_str(&line).expect("the server writes JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_serves_many_clients_and_its_owner_alone() {
    let folder = Folder::new("unix");
    let path = folder.0.join("socket");
    let (shutdown, served) = serve(&path);
    let (mut one, mut two) = (connect(&path), connect(&path));
    assert_eq!((ask(&mut two, 2)["id"].as_i64(), ask(&mut one, 1)["id"].as_i64()), (Some(2), Some(1)));
    let mode = std::fs::metadata(&path).expect("the socket is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    shutdown.begin();
    let mut rest = Vec::new();
    one.read_to_end(&mut rest).expect("the server closes");
    assert_eq!(rest, b"");
    served.await.expect("no panic").expect("a shutdown is no error");
    let left: Vec<_> = std::fs::read_dir(&folder.0).expect("the folder is there").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_at_the_path_is_replaced_only_if_it_is_a_dead_socket() {
    let folder = Folder::new("stale");
    let path = folder.0.join("socket");
    drop(UnixListener::bind(&path).expect("a socket can be made"));
    let (shutdown, served) = serve(&path);
    assert_eq!(ask(&mut connect(&path), 1)["id"], 1, "a dead server's socket is replaced");

    let (_, second) = serve(&path);
    let refused = second.await.expect("no panic");
    assert!(
        matches!(&refused, Err(Error::Configuration(what)) if what.contains("another server")),
        "{refused:?}"
    );
    assert_eq!(ask(&mut connect(&path), 2)["id"], 2, "a living server stays");
    shutdown.begin();
    served.await.expect("no panic").expect("a shutdown is no error");

    std::fs::write(&path, "precious").expect("a file can be written");
    let (_, third) = serve(&path);
    let refused = third.await.expect("no panic");
    assert!(
        matches!(&refused, Err(Error::Configuration(what)) if what.contains("not a socket")),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_to_string(&path).expect("the file is there"), "precious");
}

/// Tells this program that it is the server which one of its tests started.
const CHILD: &str = "LOGGIA_TEST_SERVES_STDIO";

/// Serves on standard streams where this process was started for that.
fn serves() -> bool {
    if std::env::var_os(CHILD).is_none() {
        return false;
    }
    let limits = Limits { drain: Duration::from_secs(30), ..Limits::default() };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let served = stdio().serve(Arc::new(Script::default()), limits, Shutdown::new());
    runtime.block_on(served).expect("serving ends well");
    true
}

/// A server in a process of its own.
struct Server(std::process::Child);

impl Server {
    /// Starts `test` of this very program, which serves.
    fn start(test: &str, stdin: Stdio, stdout: Stdio) -> Server {
        let program = std::env::current_exe().expect("a test is a program");
        let test = format!("stream_servers::{test}");
        let mut command = Command::new(program);
        command.args([&*test, "--exact", "--nocapture", "-q"]).env(CHILD, "1").stdin(stdin).stdout(stdout);
        Server(command.spawn().expect("a test can be started"))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The messages among what the test harness prints around them.
fn messages(output: impl Read) -> impl Iterator<Item = Value> {
    BufReader::new(output).lines().filter_map(|line| {
        let line = line.expect("the server writes UTF-8");
        serde_json::from_str::<Value>(line.get(line.find('{')?..)?).ok()
    })
}

#[test]
fn standard_streams_that_are_pipes() {
    const NAME: &str = "standard_streams_that_are_pipes";
    if serves() {
        return;
    }
    let mut server = Server::start(NAME, Stdio::piped(), Stdio::piped());
    let mut input = server.0.stdin.take().expect("it is a pipe");
    let mut output = messages(server.0.stdout.take().expect("it is a pipe"));
    (1..=50).for_each(|id| input.write_all(tool(id, "big").as_bytes()).expect("the server reads"));
    let answers: Vec<Value> = output.by_ref().take(50).collect();
    assert_eq!(answers[49]["result"]["content"][0]["text"].as_str().map(str::len), Some(100_000));
    drop(input);
    assert_eq!(output.next(), None);
    assert!(server.0.wait().expect("it ends").success(), "the end of input ends the server");
}

#[test]
fn standard_streams_that_are_sockets_or_files() {
    const NAME: &str = "standard_streams_that_are_sockets_or_files";
    if serves() {
        return;
    }
    let (ours, theirs) = UnixStream::pair().expect("sockets can be made");
    let theirs: std::os::fd::OwnedFd = theirs.into();
    let output = theirs.try_clone().expect("it can be shared");
    let mut server = Server::start(NAME, theirs.into(), output.into());
    (&ours).write_all(tool(1, "echo").as_bytes()).expect("the server reads");
    ours.shutdown(std::net::Shutdown::Write).expect("a socket can be closed");
    assert_eq!(messages(&ours).next().expect("an answer")["id"], 1);
    assert!(server.0.wait().expect("it ends").success());

    let folder = Folder::new("files");
    let (input, output) = (folder.0.join("in"), folder.0.join("out"));
    std::fs::write(&input, [tool(1, "echo"), tool(2, "yield")].concat()).expect("a file can be written");
    let open = std::fs::File::open(&input).expect("it is there");
    let create = std::fs::File::create(&output).expect("a file can be made");
    let mut server = Server::start(NAME, open.into(), create.into());
    assert!(server.0.wait().expect("it ends").success());
    let answers: Vec<Value> = messages(std::fs::File::open(&output).expect("it is there")).collect();
    assert_eq!(answers.len(), 2);
}

#[test]
fn the_first_signal_waits_for_what_runs_and_the_second_does_not() {
    const NAME: &str = "the_first_signal_waits_for_what_runs_and_the_second_does_not";
    if serves() {
        return;
    }
    for (first, second) in [("-TERM", "-INT"), ("-INT", "-HUP"), ("-HUP", "-QUIT"), ("-QUIT", "-TERM")] {
        drains_and_ends(NAME, first, second);
    }
}

fn drains_and_ends(test: &str, first: &str, second: &str) {
    let mut server = Server::start(test, Stdio::piped(), Stdio::piped());
    let mut input = server.0.stdin.take().expect("it is a pipe");
    let mut output = messages(server.0.stdout.take().expect("it is a pipe"));
    input.write_all([tool(1, "hang"), tool(2, "echo")].concat().as_bytes()).expect("the server reads");
    assert_eq!(output.next().expect("an answer")["id"], 2);
    server.signal(first);
    // Refused as soon as the signal was heard.
    let mut id = 2;
    let refused = loop {
        id += 1;
        input.write_all(tool(id, "echo").as_bytes()).expect("the server reads");
        let answer = output.next().expect("an answer");
        if answer.get("error").is_some() {
            break answer;
        }
    };
    assert_eq!(refused["error"]["message"], "The server is shutting down");
    assert_eq!(server.0.try_wait().expect("it can be asked"), None, "{first}: a call still runs");
    server.signal(second);
    assert!(server.0.wait().expect("it ends").success(), "{second}: a signal that is heard kills nothing");
}
