//! The table of applications.

use std::fmt::Write as _;

use loggia_connect::clients::{ClientTable, InstallOutcome, InstallRequest, MachinePaths, OperatingSystem};

use super::machine::{Machine, bridge, client};

#[test]
fn every_client_has_a_name_a_title_and_a_source_and_either_a_file_or_steps() {
    let table = ClientTable::embedded();
    assert!(table.all().len() >= 30, "{}", table.all().len());
    for (n, client) in table.all().iter().enumerate() {
        let name = &client.name;
        assert!(table.all()[..n].iter().all(|other| other.name != *name), "{name} twice");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        assert!(client.sources.iter().all(|source| source.starts_with("https://")), "{name}");
        assert!(!client.sources.is_empty() && !client.title.is_empty(), "{name}");
        let has_file =
            !client.project_files().is_empty() || !client.user_templates(OperatingSystem::Linux).is_empty();
        assert_eq!(has_file, client.format.is_some(), "{name}");
        assert_eq!(client.format.is_some(), client.steps.is_empty(), "{name}");
        assert_eq!(client.format.is_some(), !client.transports().is_empty(), "{name}");
        assert_eq!(client.format.is_some(), !client.keys.is_empty() && !client.after.is_empty(), "{name}");
    }
}

#[test]
fn a_client_is_found_by_its_name_and_by_its_title() {
    let table = ClientTable::embedded();
    for (word, name) in [
        ("cursor", Some("cursor")),
        ("Cursor", Some("cursor")),
        ("VS Code", Some("vscode")),
        ("claude_code", Some("claude-code")),
        ("GitHub Copilot CLI", Some("copilot-cli")),
        ("emacs", None),
    ] {
        assert_eq!(table.get(word).map(|client| client.name.as_str()), name, "{word}");
    }
    assert_eq!(table.similar("claude"), ["claude-code", "claude-desktop"]);
    assert_eq!(table.similar("curser"), ["cursor"]);
}

#[test]
fn entries_have_the_shape_of_each_client() {
    let machine = Machine::new();
    let mut shown = String::new();
    for client in ClientTable::embedded().all() {
        writeln!(shown, "##### {}", client.title).unwrap();
        let transports = client.transports();
        for transport in transports.iter().map(Some).chain(transports.is_empty().then_some(None)) {
            let request = InstallRequest { transport: transport.copied(), ..machine.request(client) };
            match machine.installer.install(&client.name, &request).unwrap() {
                InstallOutcome::Change(plan) => {
                    let diff = plan.change.diff();
                    let lines = diff.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++"));
                    lines.for_each(|line| writeln!(shown, "{}", &line[1..]).unwrap());
                    assert_eq!(plan.transport, *transport.unwrap());
                }
                InstallOutcome::Manual(steps) => writeln!(shown, "{steps}").unwrap(),
                InstallOutcome::Present { .. } => panic!("{} is not installed", client.name),
            }
        }
        shown.push('\n');
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn files_are_where_each_system_has_them() {
    let machines = [
        MachinePaths::new(OperatingSystem::Linux, "/u/ada", [] as [(&str, &str); 0]),
        MachinePaths::new(OperatingSystem::MacOs, "/Users/ada", [] as [(&str, &str); 0]),
        MachinePaths::new(
            OperatingSystem::Windows,
            r"C:\Users\ada",
            [("APPDATA", r"C:\Users\ada\AppData\Roaming")],
        ),
    ];
    let mut shown = String::new();
    for client in ClientTable::embedded().all().iter().filter(|client| client.format.is_some()) {
        writeln!(shown, "{}", client.name).unwrap();
        for machine in &machines {
            if let Some(file) = client.file(machine, None) {
                writeln!(shown, "  {:8} {}", machine.system().title(), file.path.display()).unwrap();
            }
        }
        for file in client.project_files() {
            writeln!(shown, "  project  {file}").unwrap();
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn environment_variables_move_the_files_of_a_user() {
    for (name, variables, expected) in [
        ("codex", [("CODEX_HOME", "/etc/codex")], "/etc/codex/config.toml"),
        ("claude-code", [("CLAUDE_CONFIG_DIR", "/srv/claude")], "/srv/claude/.claude.json"),
        ("copilot-cli", [("COPILOT_HOME", "/srv/c")], "/srv/c/mcp-config.json"),
        ("opencode", [("XDG_CONFIG_HOME", "/srv/x")], "/srv/x/opencode/opencode.json"),
        ("goose", [("XDG_CONFIG_HOME", "/srv/x")], "/srv/x/goose/config.yaml"),
        ("codex", [("CODEX_HOME", "")], "/u/ada/.codex/config.toml"),
    ] {
        let machine = MachinePaths::new(OperatingSystem::Linux, "/u/ada", variables);
        let file = client(name).file(&machine, None).unwrap();
        assert_eq!(file.path.to_str(), Some(expected), "{name}");
    }
}

#[test]
fn the_first_file_that_exists_is_taken() {
    let machine = Machine::new();
    let opencode = client("opencode");
    let first = machine.file(&opencode);
    let second = first.with_extension("jsonc");
    std::fs::create_dir_all(first.parent().unwrap()).unwrap();
    std::fs::write(&second, "{}\n").unwrap();
    machine.install(&opencode).unwrap();
    assert!(!first.exists());
    assert!(std::fs::read_to_string(second).unwrap().contains("loggia"));
    assert_eq!(bridge().args, ["bridge"]);
}
