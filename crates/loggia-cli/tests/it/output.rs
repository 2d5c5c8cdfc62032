//! Texts from outside, as they reach logs and terminals: without secrets, and without anything that a terminal obeys or
//! that passes for a line of ours.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

use crate::program::{Run, command, run_until};

/// A value that no output may hold, in any case.
const SECRET: &str = "S3cret-T0ken/x y";

/// Connectors that fail, each in a way that repeats what it was given.
const REPEATING: &str = r#"
[connectors.command]
kind = "stdio"
command = "/nowhere/${K}"

[connectors.arguments]
kind = "stdio"
command = "sh"
args = ["-c", "echo \"wrong key: $0\" >&2; exit 3", "${K}"]

[connectors.inside]
kind = "stdio"
command = "sh"
args = ["-c", "echo \"wrong option: $0\" >&2; exit 3", "--key=x${K}x"]

[connectors.environment]
kind = "stdio"
command = "sh"
args = ["-c", "echo \"wrong key: $KEY\" >&2; exit 3"]
env = { KEY = "${K}" }

[connectors.escaped]
kind = "stdio"
command = "sh"
args = ["-c", "printf 'wrong key: {\"key\":\"%s\"}' \"$0\" >&2; exit 3", "${Q}"]

[connectors.directory]
kind = "stdio"
command = "sh"
cwd = "/nowhere/${K}"

[connectors.no-url]
kind = "remote"
url = "${K}"

[connectors.path]
kind = "remote"
url = "http://127.0.0.1:1/${W}?key=${W}"

[connectors.host]
kind = "remote"
url = "http://${W}.invalid/"

[connectors.header]
kind = "remote"
url = "http://127.0.0.1:1/"
headers = { Authorization = "Bearer ${B}" }

[connectors.folder]
kind = "builtin"
name = "files"
options = { path = "/nowhere/${K}" }
"#;

const VARIABLES: [(&str, &str); 4] =
    [("K", SECRET), ("Q", "S3cret-T0ken\"q"), ("W", "S3cret-T0ken"), ("B", "S3cret-T0ken-b\nx")];

/// A connector that comes up and repeats its secret: in its error output, in lists that fail or are not complete, and
/// while a tool runs. The result of the tool has the secret only if the tool is `say`.
const TALKING: &str = r#"
echo "my key is $KEY" >&2
say() { printf '{"jsonrpc":"2.0",%s}\n' "$1"; }
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}; id=${id%\}}
  case $line in
    *'"initialize"'*) say "\"id\":$id,"'"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"prompts":{},"resources":{},"logging":{}},"serverInfo":{"name":"x","version":"1"}}' ;;
    *'"tools/list"'*) say "\"id\":$id,"'"result":{"tools":[{"name":"say","inputSchema":{"type":"object"}},{"name":"run","inputSchema":{"type":"object"}},{"name":"bad\n'"$KEY"'"}]}' ;;
    *'"prompts/list"'*) say "\"id\":$id,\"error\":{\"code\":-32603,\"message\":\"no $KEY\"}" ;;
    *'"resources/list"'*) say "\"id\":$id,"'"result":{"resources":[]}' ;;
    *'"resources/templates/list"'*) say "\"id\":$id,\"error\":{\"code\":-32603,\"message\":\"no $KEY\"}" ;;
    *'"logging/setLevel"'*) say "\"id\":$id,\"result\":{}" ;;
    *'"tools/call"'*)
      token=${line#*\"progressToken\":}; token=${token%%[,\}]*}
      say "\"method\":\"notifications/progress\",\"params\":{\"progressToken\":$token,\"progress\":1,\"message\":\"progress with $KEY\"}"
      say "\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"logger\":\"$KEY\",\"data\":\"log with $KEY\"}"
      case $line in *'"say"'*) result=$KEY ;; *) result=done ;; esac
      say "\"id\":$id,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$result\"}]}" ;;
    *'"id"'*) say "\"id\":$id,"'"error":{"code":-32601,"message":"no"}' ;;
  esac
done
"#;
/// The configuration for it.
const TALKING_CONFIG: &str = "[connectors.talking]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"talking.sh\"]\nenv = { KEY = \"${W}\" }\n";

/// Runs `up --stdio` in `folder` until it has said each of `marks` on stderr, and does `work` before it ends.
fn up_until(folder: &Path, log: &str, marks: &[String], work: impl FnOnce()) -> Run {
    let mut up = command(folder, &["up", "--stdio"]);
    let mut child =
        up.envs(VARIABLES).env("LOGGIA_LOG", log).stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut said = String::new();
    while !marks.iter().all(|mark| said.contains(mark)) {
        assert_ne!(stderr.read_line(&mut said).expect("it prints UTF-8"), 0, "it ended: {said}");
    }
    work();
    writeln!(child.stdin.take().expect("it is piped")).expect("it reads");
    stderr.read_to_string(&mut said).expect("it prints UTF-8");
    let mut run = Run::from(child.wait_with_output().expect("it ends with its input"));
    run.stderr = said;
    run
}

fn names(config: &str) -> Vec<&str> {
    config.lines().filter_map(|line| line.strip_prefix("[connectors.")?.strip_suffix(']')).collect()
}

#[test]
fn no_output_has_a_value_that_a_variable_stands_for() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("loggia.toml"), REPEATING).expect("written");
    let shows_none = |run: &Run, what: &str| {
        let shown = format!("{}{}", run.stdout, run.stderr).to_lowercase();
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{what}: {run}");
    };
    let marks: Vec<String> = names(REPEATING).iter().map(|name| format!("✗ {name}")).collect();
    let up = up_until(folder.path(), "trace", &marks, || {});
    shows_none(&up, "up");
    for part in ["/nowhere/${K}", "wrong key: ${K}", "--key=x${K}x", "${W}.invalid", "folder /nowhere/${K}"] {
        assert!(up.stderr.contains(part), "{part}: {up}");
    }
    for name in names(REPEATING) {
        for line in [
            &["tools", "-vv", name] as &[&str],
            &["inspect", "-o", "json", name],
            &["call", "--trace", name, "x"],
            &["auth", "status", "-o", "json", name],
            &["auth", "login", "--no-browser", name],
            &["auth", "logout", name],
        ] {
            let run: Run = command(folder.path(), line).envs(VARIABLES).output().expect("it runs").into();
            shows_none(&run, &format!("{line:?}"));
        }
    }
}

#[test]
fn a_connector_that_is_up_shows_its_secret_in_results_of_tools_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("loggia.toml"), TALKING_CONFIG).expect("written");
    std::fs::write(folder.path().join("talking.sh"), TALKING).expect("written");
    let run = |line: &[&str]| -> Run {
        command(folder.path(), line).envs(VARIABLES).output().expect("it runs").into()
    };
    let shows_none = |run: &Run, what: &str| {
        assert!(!run.to_string().to_lowercase().contains("s3cret"), "{what}: {run}");
    };
    let mut told = Vec::new();
    let up = up_until(folder.path(), "trace", &["! talking".to_owned(), "no ${W}".to_owned()], || {
        // The hub reads the error output and the lists side by side.
        let is_read = |status: &Run| status.stdout.contains("my key is");
        told.push(run_until(folder.path(), &["status", "-o", "json"], is_read));
        told.push(run(&["status"]));
    });
    shows_none(&up, "up");
    told.iter().for_each(|status| shows_none(status, "status"));
    assert!(told[0].stdout.contains("my key is ${W}") && told[0].stdout.contains("no ${W}"), "{}", told[0]);
    for (line, shown) in [
        (&["tools", "talking"] as &[&str], "warning: "),
        (&["tools", "talking", "-o", "json"], "warning: "),
        (&["prompts", "-vv", "talking"], "no ${W}"),
        (&["resources", "talking"], "the resource templates cannot be listed: "),
        (&["inspect", "talking"], "prompts cannot be listed: "),
        (&["inspect", "talking", "-o", "json"], "no ${W}"),
        (&["call", "talking", "run"], "progress with ${W}"),
        (&["call", "--log-level", "error", "talking", "run", "-o", "json"], "error ${W}: log with ${W}"),
        (&["call", "--trace", "talking", "run"], "log with ${W}"),
    ] {
        let run = run(line);
        shows_none(&run, &format!("{line:?}"));
        assert!(run.to_string().contains(shown), "{line:?}, {shown:?}: {run}");
    }
    for line in [&["call", "talking", "say"] as &[&str], &["call", "talking", "say", "-o", "json"]] {
        let run = run(line);
        assert!(run.stdout.contains("S3cret-T0ken"), "a result is printed as it is: {line:?}: {run}");
        assert!(!run.stderr.to_lowercase().contains("s3cret"), "{line:?}: {run}");
    }
}

/// A server whose list fails with `$0`, again and again, and which complains with `$1`.
const FAILING: &str = r#"
printf '%s\n' "$1" >&2
while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
    case "$line" in
        *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}}\n' "$id" ;;
        *'"notifications/'*) ;;
        *'"tools/list"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"%s"}}\n' "$id" "$0"; echo "$1"; exec cat >/dev/null ;;
        *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"%s"}}\n' "$id" "$0" ;;
    esac
done
"#;

/// Text that tries to look like two lines, to rewrite the screen and to be read in another order.
const FORGED_JSON: &str =
    r"bad\n2026-01-01T00:00:00Z  WARN all is well\r\u001b[2J\u009b1A\u202eabc\u2066\u200b\ttab";
const FORGED: &str =
    "bad\n2026-01-01T00:00:00Z  WARN all is well\r\u{1b}[2J\u{9b}1A\u{202e}abc\u{2066}\u{200b}";

#[test]
fn text_from_outside_stays_on_one_line_that_names_its_connector() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("server.sh"), FAILING).expect("written");
    let text = |text: &str| serde_json::to_string(text).expect("a text").replace('\u{9b}', "\\u009b");
    let script = text(FAILING);
    let config = format!(
        "[connectors.lists]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"-c\", {script}, {}, {}]\n\
         [connectors.dies]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"-c\", {}]\n",
        text(FORGED_JSON),
        text(FORGED),
        text(&format!("printf '%s\\n' '{FORGED}' >&2; exit 3")),
    );
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let marks = ["✗ dies", "connector{name=lists}"].map(str::to_owned);
    let up = up_until(folder.path(), "warn", &marks, || {});
    for line in up.stderr.lines() {
        let unsafe_char = |c: char| {
            c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}')
        };
        assert!(!line.contains(unsafe_char), "{line:?}");
        assert!(!line.starts_with("2026-01-01T00"), "{up}");
        if line.contains("all is well") {
            assert!(
                line.contains("lists") || line.contains("dies") || line.contains("server=sh"),
                "{line:?}"
            );
        }
    }
    for part in ["connector{name=lists}", "bad\\n2026-01-01T00:00:00Z", "\\u{202e}abc"] {
        assert!(up.stderr.contains(part), "{part}: {up}");
    }
    let run: Run = command(folder.path(), &["tools", "lists"]).output().expect("it runs").into();
    let lines: Vec<&str> = run.stderr.lines().filter(|line| line.contains("all is well")).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| !line.starts_with("2026")), "{run}");
    assert!(!run.stderr.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\r']), "{run}");
}
