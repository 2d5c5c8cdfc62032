//! The permissions of a policy: a server that keeps to them runs as it does without a sandbox.

use loggia_sandbox::SandboxPart;

use crate::fixture::{Surroundings, confined, output_of, python, sandbox, text};

/// The cases that need namespaces: without them a name is not answered, and shared memory is that of others.
const IN_NAMESPACES: [&str; 2] = ["finds a listed name", "has locks between processes"];

#[test]
fn a_program_does_what_its_policy_permits() {
    let surroundings = Surroundings::new();
    let (allowed, own) = (surroundings.path("allowed"), surroundings.path("own"));
    let home = surroundings.path("home");
    let cases = [
        ("reads a listed folder", format!("print(open('{}/note').read())", text(&allowed)), "a note"),
        ("changes a listed folder", format!("print(open('{}/x', 'w').write('four'))", text(&own)), "4"),
        (
            "has a temporary folder",
            "import tempfile; print(tempfile.TemporaryFile().write(b'four'))".to_owned(),
            "4",
        ),
        ("has a home", "import os; print(os.path.expanduser('~'))".to_owned(), text(&home)),
        ("writes to its home", "import os; print(open(os.path.expanduser('~/x'), 'w').write('x'))".to_owned(), "1"),
        ("starts programs", "import subprocess as s; print(s.check_output(['echo', 'hi'], text=True))".to_owned(), "hi"),
        ("starts threads", "import threading as t; x = t.Thread(target=print, args=('hi',)); x.start(); x.join()".to_owned(), "hi"),
        ("has locks between processes", "import multiprocessing as m; print(m.Lock().acquire())".to_owned(), "True"),
        (
            "connects to a listed host",
            format!("import socket; print(socket.create_connection(('127.0.0.1', {})).recv(5).decode())", surroundings.listed),
            "HELLO",
        ),
        (
            "finds a listed name",
            "import socket; print(socket.gethostbyname('listed.example').startswith('127.'))".to_owned(),
            "True",
        ),
        (
            "has a loopback network of its own",
            "import socket as s; l = s.create_server(('127.0.0.1', 0)); print(s.create_connection(l.getsockname()) is not None)"
                .to_owned(),
            "True",
        ),
    ];
    let (policy, python) = (surroundings.policy(), python());
    let has_namespaces = sandbox().enforcement().is_enforced(SandboxPart::ProcessEnd);
    for (what, script, expected) in cases {
        if !has_namespaces && IN_NAMESPACES.contains(&what) {
            println!("not enforceable here: {what}");
            continue;
        }
        let output = output_of(confined(&policy, &python).args(["-c", &script]));
        assert_eq!(output.trim(), expected, "{what}");
    }
}
