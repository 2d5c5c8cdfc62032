//! Servers started as child processes end with the program that started them, whatever ends it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::program::{command, run};
use crate::up::{Up, up};

/// The variable by which the processes of a test are found.
const MARK: &str = "LOGGIA_TEST_CHILDREN";
/// The time that anything may take. It is reached only where something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers `initialize`, and lists one tool. A call of it says so in a file, and is answered once another file is there.
const SERVER: &str = r#"
say() { printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$1"; }
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}; id=${id%\}}
  case $line in
    *'"initialize"'*) say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*) say '"result":{"tools":[{"name":"wait","inputSchema":{"type":"object"}}]}' ;;
    *'"tools/call"'*) touch called; until [ -e go ]; do sleep 0.05; done; say '"result":{"content":[{"type":"text","text":"done"}]}' ;;
    *'"id"'*) say '"error":{"code":-32601,"message":"no"}' ;;
  esac
done
"#;

/// Children that are hard to end. Each writes the file `NAME` once everything it starts is running.
const KINDS: [(&str, &str); 7] = [
    ("foreground", "touch foreground; sleep 333; echo never"),
    ("deaf", "trap '' TERM HUP INT; touch deaf; while :; do sleep 1; done"),
    ("closed", "exec <&- >&- 2>&-; touch closed; sleep 333; sleep 333"),
    ("daemon", "( (sleep 333; sleep 333) & ); touch daemon; sleep 333; echo never"),
    ("parent", "sh -c 'sleep 333; echo never' & sleep 334 & touch parent; wait; sleep 333"),
    ("session", "setsid sh -c 'trap \"\" TERM HUP; touch session; sleep 333; sleep 333'; sleep 333"),
    ("left", "setsid -f sleep 333; setsid -f sh -c 'sleep 333; sleep 333'; touch left; sleep 333"),
];

/// The processes of one test: everything that has its mark in the environment, guards included.
struct MarkedProcesses(String);

impl MarkedProcesses {
    fn new(name: &str) -> MarkedProcesses {
        MarkedProcesses(format!("{MARK}={name}-{}", std::process::id()))
    }

    fn value(&self) -> &str {
        self.0.split_once('=').expect("name and value").1
    }

    /// The processes, each with its name.
    fn running(&self) -> Vec<(u32, String)> {
        let entries = fs::read_dir("/proc").expect("this is Linux").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| self.has(*pid)).map(|pid| (pid, name(pid))).collect()
    }

    /// Returns the process ids of the guards, of which there are `count`.
    fn guards(&self, count: usize) -> Vec<u32> {
        let running = self.running();
        let guards = running.iter().filter(|(_, name)| name == "mcp-child-guard");
        let guards: Vec<u32> = guards.map(|(pid, _)| *pid).collect();
        assert_eq!(guards.len(), count, "each child has a guard: {running:?}");
        guards
    }

    /// A process that has ended but was not waited for has no environment.
    fn has(&self, pid: u32) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == self.0.as_bytes())
    }

    fn wait_for_end(&self, after: &str) {
        wait(|| self.running().is_empty(), || format!("after {after} there are {:?}", self.running()));
    }
}

/// A test that fails leaves nothing running.
impl Drop for MarkedProcesses {
    fn drop(&mut self) {
        for (pid, _) in self.running() {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
    }
}

fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn wait(done: impl Fn() -> bool, what: impl Fn() -> String) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "{}", what());
        std::thread::yield_now();
    }
}

fn wait_for_file(folder: &Path, file: &str) {
    wait(|| folder.join(file).exists(), || format!("{file} was not written"));
}

fn kill(signal: &str, pid: u32) {
    let killed = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status();
    assert!(killed.expect("kill runs").success(), "{signal}");
}

/// A configuration with every kind of child.
fn every_kind(folder: &Path, marked: &MarkedProcesses) {
    let section = |(name, script): (&str, &str)| {
        format!(
            "[connectors.{name}]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"-c\", '''{script}''']\n\
             env = {{ {MARK} = \"{}\" }}\n",
            marked.value()
        )
    };
    // All of them at once: some never speak, and would keep the others from starting.
    let limits = "[server.limits]\nstarts = 16\n".to_owned();
    let config: String = std::iter::once(limits).chain(KINDS.into_iter().map(section)).collect();
    fs::write(folder.join("loggia.toml"), config).expect("written");
}

fn up_with_every_kind(folder: &Path, marked: &MarkedProcesses) -> Up {
    every_kind(folder, marked);
    let up = up(folder, &[]);
    KINDS.iter().for_each(|(name, _)| wait_for_file(folder, name));
    up
}

/// Runs a case for each row at once: most of its time each only waits.
fn at_once<T: Sync>(rows: &[T], case: impl Fn(&T) + Sync) {
    std::thread::scope(|threads| rows.iter().for_each(|row| drop(threads.spawn(|| case(row)))));
}

#[test]
fn no_child_outlives_the_gateway() {
    let rows = [
        (&["KILL"][..], vec![None]),
        (&["TERM"], vec![Some(0)]),
        (&["HUP"], vec![Some(0)]),
        (&["QUIT"], vec![Some(0)]),
        (&["INT"], vec![Some(0)]),
        // Everything may have ended before the second signal came.
        (&["INT", "INT"], vec![Some(130), Some(0)]),
        (&["TERM", "HUP"], vec![Some(130), Some(0)]),
    ];
    at_once(&rows, |(signals, codes)| {
        let folder = tempfile::tempdir().expect("a folder");
        let marked = MarkedProcesses::new(&format!("up-{}", signals.join("-")));
        let ended = up_with_every_kind(folder.path(), &marked).end(signals);
        assert!(codes.contains(&ended.code), "{signals:?}: {ended}");
        marked.wait_for_end(&format!("{signals:?}"));
    });
}

#[test]
fn the_next_gateway_ends_what_a_killed_one_and_its_guards_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let marked = MarkedProcesses::new("leftovers");
    let up_one = up_with_every_kind(folder.path(), &marked);
    // As `killall -9` would, before any guard can act.
    let guards: Vec<String> = marked.guards(KINDS.len()).iter().map(u32::to_string).collect();
    let all = [&["-STOP".to_owned()][..], &guards].concat();
    assert!(Command::new("kill").args(all).status().expect("kill runs").success());
    up_one.end(&["KILL"]);
    let all = [&["-KILL".to_owned()][..], &guards].concat();
    assert!(Command::new("kill").args(all).status().expect("kill runs").success());
    let other = tempfile::tempdir().expect("a folder");
    let next = up(other.path(), &[]);
    marked.wait_for_end("another gateway has started");
    assert_eq!(next.stop().code, Some(0));
}

#[test]
fn no_child_outlives_a_command() {
    let rows =
        [("KILL", None), ("TERM", Some(130)), ("HUP", Some(130)), ("QUIT", Some(130)), ("INT", Some(130))];
    at_once(&rows, |(signal, code)| {
        let folder = tempfile::tempdir().expect("a folder");
        let marked = MarkedProcesses::new(&format!("call-{signal}"));
        let commands: Vec<Child> = KINDS.iter().map(|kind| tools(folder.path(), &marked, kind)).collect();
        KINDS.iter().for_each(|(name, _)| wait_for_file(folder.path(), name));
        commands.iter().for_each(|command| kill(signal, command.id()));
        for (command, (name, _)) in commands.into_iter().zip(KINDS) {
            let ended = command.wait_with_output().expect("it ends");
            // A child that closes its streams may end the command before the signal does.
            let lost = name == "closed" && ended.status.code() == Some(3);
            assert!(lost || ended.status.code() == *code, "{signal} {name}: {ended:?}");
        }
        marked.wait_for_end(signal);
    });
}

/// `loggia tools` of a child.
fn tools(folder: &Path, marked: &MarkedProcesses, (_, script): &(&str, &str)) -> Child {
    let args = ["tools", "--timeout", "600s", "--env", &marked.0, "--", "sh", "-c", script];
    command(folder, &args).spawn().expect("it starts")
}

#[test]
fn a_guard_that_is_killed_takes_its_child_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let marked = MarkedProcesses::new("guard");
    let script = format!("setsid -f sleep 333; sleep 334 & {SERVER}");
    // Its helpers hold its output: nothing but the time limit tells that the server is gone.
    let args = ["call", "wait", "--timeout", "4s", "--env", &marked.0, "--", "sh", "-c", &script];
    let call = command(folder.path(), &args).spawn().expect("it starts");
    wait_for_file(folder.path(), "called");
    marked.guards(1).into_iter().for_each(|guard| kill("KILL", guard));
    let ended = call.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(5), "{ended:?}");
    marked.wait_for_end("its guard was killed");
}

#[test]
fn a_call_that_hangs_does_not_keep_its_server() {
    for signal in ["TERM", "HUP", "QUIT", "INT", "KILL"] {
        let folder = tempfile::tempdir().expect("a folder");
        let marked = MarkedProcesses::new(&format!("hang-{signal}"));
        let args = ["call", "wait", "--env", &marked.0, "--", "sh", "-c", SERVER];
        let call = command(folder.path(), &args).spawn().expect("it starts");
        wait_for_file(folder.path(), "called");
        kill(signal, call.id());
        call.wait_with_output().expect("it ends");
        marked.wait_for_end(signal);
    }
}

#[test]
fn a_call_that_runs_is_answered_after_the_signal() {
    for signal in ["TERM", "HUP", "QUIT", "INT"] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("server.sh"), SERVER).expect("written");
        let config = "[connectors.s]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"server.sh\"]\n";
        fs::write(folder.path().join("loggia.toml"), config).expect("written");
        let mut up = up(folder.path(), &[]);
        let url = up.url.clone();
        let call = std::thread::spawn(move || run(&["call", &url, "s_wait"]));
        wait_for_file(folder.path(), "called");
        up.signal(signal);
        up.until_stopping();
        fs::write(folder.path().join("go"), "").expect("written");
        let answered = call.join().expect("it runs");
        assert_eq!((answered.code, answered.stdout.as_str()), (Some(0), "done\n"), "{signal}: {answered}");
        let ended = up.end(&[]);
        assert_eq!(ended.code, Some(0), "{signal}: {ended}");
    }
}
