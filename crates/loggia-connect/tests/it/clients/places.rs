//! Applications on a machine: which are found, and which have the gateway.

use super::machine::{Machine, client};

#[test]
fn applications_are_found_by_their_files_and_folders() {
    let machine = Machine::new();
    assert!(machine.installer.found("loggia").is_empty());
    for folder in ["home/.cursor", "home/.claude", "home/.config/Code/User", "home/.codex"] {
        std::fs::create_dir_all(machine.path(folder)).unwrap();
    }
    machine.write(&client("goose"), b"a: 1\n");
    machine.install(&client("codex")).unwrap();
    let found = machine.installer.found("loggia");
    let found: Vec<_> = found.iter().map(|found| (found.client.name.as_str(), found.is_installed)).collect();
    let expected =
        [("claude-code", false), ("cursor", false), ("vscode", false), ("codex", true), ("goose", false)];
    assert_eq!(found, expected);
}

#[test]
fn files_of_projects_are_edited_beside_those_of_the_user() {
    use loggia_connect::clients::InstallRequest;
    let machine = Machine::new();
    for name in ["claude-code", "cursor", "vscode", "codex", "opencode", "amp"] {
        let client = client(name);
        let request = InstallRequest { project: Some(machine.path("shop")), ..InstallRequest::default() };
        machine.install_with(&client, &request).unwrap();
        let file = machine.path("shop").join(&client.project_files()[0]);
        assert!(std::fs::read_to_string(&file).unwrap().contains("127.0.0.1:4000"), "{name}");
        assert!(!machine.file(&client).exists(), "{name}");
    }
    let request = InstallRequest { project: Some(machine.path("shop")), ..InstallRequest::default() };
    let error = machine.installer.install("windsurf", &request).unwrap_err();
    assert!(error.to_string().contains("no file for a project"), "{error}");
    let error = machine.installer.install("librechat", &InstallRequest::default()).unwrap_err();
    assert!(error.next_step().unwrap().contains("--project=DIR"), "{error}");
}

#[test]
fn a_person_chooses_by_numbers_and_names() {
    let machine = Machine::new();
    assert!(machine.installer.choice("loggia", false).is_err());
    for name in ["cursor", "codex", "goose"] {
        machine.write(&client(name), b"");
    }
    machine.install(&client("codex")).unwrap();
    let choice = machine.installer.choice("loggia", false).unwrap();
    for (answer, expected) in [
        ("1, 3", &["cursor", "goose"] as &[&str]),
        ("2 zed\n", &["codex", "zed"]),
        ("all", &["cursor", "codex", "goose"]),
        ("\n", &[]),
    ] {
        assert_eq!(choice.chosen(answer).unwrap(), expected, "{answer}");
    }
    for answer in ["0", "4"] {
        assert!(choice.chosen(answer).unwrap_err().to_string().contains("no number"), "{answer}");
    }
    assert_eq!(choice.to_string().lines().count(), 3);
    assert_eq!(machine.installer.choice("loggia", true).unwrap().names(), ["codex"]);
}
