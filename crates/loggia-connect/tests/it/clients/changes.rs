//! Changes of a user between installation and removal, other installations, links and permissions.

use std::fs;

use loggia_connect::clients::{GatewayAddress, GatewayTransport, InstallRequest};

use super::machine::{Machine, client, fixture};

/// The client, the file before, replacements after the installation, and the file after the removal.
type UserChange =
    (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

/// Changes of a file after the installation.
const CHANGES: &[UserChange] = &[
    (
        "a server after ours",
        "cursor",
        "{\n  \"mcpServers\": {}\n}\n",
        &[("/mcp\"\n    }", "/mcp\"\n    },\n    \"b\": { \"url\": \"https://b/mcp\" }")],
        "{\n  \"mcpServers\": {\n    \"b\": { \"url\": \"https://b/mcp\" }\n  }\n}\n",
    ),
    (
        "a server before ours, and a comment",
        "zed",
        "{\n  \"context_servers\": {\n    \"a\": {} // mine\n  }\n}\n",
        &[("\"a\": {},", "\"z\": {},\n    // now two\n    \"a\": {},")],
        "{\n  \"context_servers\": {\n    \"z\": {},\n    // now two\n    \"a\": {} // mine\n  }\n}\n",
    ),
    (
        "another setting",
        "codex",
        "model = \"a\"\n",
        &[("model = \"a\"", "model = \"b\" # better")],
        "model = \"b\" # better\n",
    ),
    (
        "a member of our entry",
        "codex",
        "model = \"a\"\n",
        &[("url =", "startup_timeout_sec = 20\nurl =")],
        "model = \"a\"\n",
    ),
    (
        "a section after ours",
        "codex",
        "",
        &[("mcp\"\n", "mcp\"\n\n# mine\n[mcp_servers.b]\nurl = \"https://b/mcp\"\n")],
        "\n# mine\n[mcp_servers.b]\nurl = \"https://b/mcp\"\n",
    ),
    (
        "a setting after the block of servers",
        "goose",
        "GOOSE_MODEL: a\n",
        &[("timeout: 300\n", "timeout: 300\nGOOSE_MODE: auto # new\n")],
        "GOOSE_MODEL: a\nGOOSE_MODE: auto # new\n",
    ),
    (
        "a server after ours in a list",
        "continue",
        "name: mine\nversion: 1.0.0\nschema: v1\nmcpServers:\n  - name: a\n    command: a\n",
        &[("/mcp\"\n", "/mcp\"\n  - name: b\n    command: b\n")],
        "name: mine\nversion: 1.0.0\nschema: v1\nmcpServers:\n  - name: a\n    command: a\n  - name: b\n    command: b\n",
    ),
    (
        "our entry is switched off",
        "cline",
        "{\"mcpServers\":{}}",
        &[("\"disabled\":false", "\"disabled\":true")],
        "{\"mcpServers\":{}}",
    ),
];

#[test]
fn what_the_user_changed_stays() {
    for (what, name, before, changes, after) in CHANGES {
        let (machine, client) = (Machine::new(), client(name));
        let file = machine.write(&client, before.as_bytes());
        machine.install(&client).unwrap();
        let mut text = fs::read_to_string(&file).unwrap();
        for (old, new) in *changes {
            assert!(text.contains(old), "{what}: {text}");
            text = text.replace(old, new);
        }
        fs::write(&file, &text).unwrap();
        let is_restored =
            machine.uninstall(&client).unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
        assert!(!is_restored, "{what}");
        assert_eq!(fs::read_to_string(&file).unwrap(), *after, "{what}");
    }
}

#[test]
fn a_file_that_was_made_goes_with_its_folders_unless_something_was_added() {
    for (name, added, is_left) in [
        ("cursor", None, false),
        ("junie", None, false),
        ("codex", None, false),
        ("goose", None, false),
        ("continue", None, false),
        ("librechat", None, false),
        ("codex", Some("model = \"a\"\n"), true),
    ] {
        let (machine, client) = (Machine::new(), client(name));
        let file = machine.file(&client);
        machine.install(&client).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        if let Some(added) = added {
            fs::write(&file, format!("{added}{text}")).unwrap();
        }
        machine.uninstall(&client).unwrap();
        assert_eq!(file.exists(), is_left, "{name}: {text}");
        assert_eq!(file.parent().unwrap().exists(), is_left, "{name}");
    }
}

#[test]
fn an_entry_is_updated_and_the_first_file_is_restored() {
    let (machine, client) = (Machine::new(), client("claude-code"));
    let text = fixture(&client);
    let file = machine.write(&client, text.as_bytes());
    let request = machine.request(&client);
    for (url, transport) in [
        ("http://127.0.0.1:4000/mcp", GatewayTransport::Http),
        ("https://mcp.example.com/mcp/dev", GatewayTransport::Http),
        ("https://mcp.example.com/mcp/dev", GatewayTransport::Stdio),
    ] {
        let address = GatewayAddress::parse(url).unwrap();
        let request = InstallRequest { address, transport: Some(transport), ..request.clone() };
        assert_ne!(machine.install_with(&client, &request).unwrap(), "", "{url}");
        let installed = fs::read_to_string(&file).unwrap();
        assert!(installed.matches("\"loggia\"").count() == 1 && installed.contains(url), "{installed}");
    }
    assert!(machine.uninstall(&client).unwrap());
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_server_of_the_user_with_our_name_is_replaced_only_on_request_and_comes_back() {
    let (machine, client) = (Machine::new(), client("cursor"));
    let text = "{\"mcpServers\": {\"loggia\": {\"url\": \"https://mine.example/mcp\"}}}\n";
    let file = machine.write(&client, text.as_bytes());
    let error = machine.install(&client).unwrap_err().to_string();
    assert!(error.contains("which is another one"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let error = machine.uninstall(&client).unwrap_err().to_string();
    assert!(error.contains("which is another one"), "{error}");
    let request = InstallRequest { replaces: true, ..machine.request(&client) };
    machine.install_with(&client, &request).unwrap();
    let installed = fs::read_to_string(&file).unwrap();
    assert!(installed.contains("127.0.0.1") && !installed.contains("mine"), "{installed}");
    fs::write(&file, installed.replace("}}}", "}, \"b\": {}}}")).unwrap();
    machine.uninstall(&client).unwrap();
    let expected = text.replace("}}}", "}, \"b\": {}}}");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
}

#[test]
fn an_entry_that_names_another_server_now_stays() {
    let (machine, client) = (Machine::new(), client("windsurf"));
    let file = machine.write(&client, b"{}");
    machine.install(&client).unwrap();
    let changed =
        fs::read_to_string(&file).unwrap().replace("http://127.0.0.1:4000/mcp", "https://other/mcp");
    fs::write(&file, &changed).unwrap();
    let error = machine.uninstall(&client).unwrap_err().to_string();
    assert!(error.contains("names something else now"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), changed);
}

#[test]
fn a_file_that_changes_between_the_plan_and_the_edit_is_not_touched() {
    use loggia_connect::clients::InstallOutcome;
    let (machine, client) = (Machine::new(), client("cursor"));
    let file = machine.write(&client, b"{}");
    let InstallOutcome::Change(plan) =
        machine.installer.install("cursor", &machine.request(&client)).unwrap()
    else {
        panic!("a change");
    };
    fs::write(&file, "{ }").unwrap();
    assert!(plan.apply().unwrap_err().to_string().contains("changed meanwhile"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "{ }");
    assert_eq!(fs::read_dir(machine.path("records")).unwrap().count(), 0);
}

#[test]
fn the_copy_of_a_file_is_kept_until_the_removal() {
    use loggia_connect::clients::InstallOutcome;
    let (machine, client) = (Machine::new(), client("goose"));
    let text = fixture(&client);
    machine.write(&client, text.as_bytes());
    let InstallOutcome::Change(plan) = machine.installer.install("goose", &machine.request(&client)).unwrap()
    else {
        panic!("a change");
    };
    let backup = plan.apply().unwrap().unwrap();
    assert_eq!(fs::read_to_string(&backup).unwrap(), text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for path in [&backup, backup.parent().unwrap()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
        }
    }
    machine.uninstall(&client).unwrap();
    assert!(!backup.exists());
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    for (mode, target_exists) in [(0o600, true), (0o644, true), (0o640, true), (0o644, false)] {
        let (machine, client) = (Machine::new(), client("cursor"));
        let file = machine.file(&client);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let dotfiles = machine.path("dotfiles");
        fs::create_dir(&dotfiles).unwrap();
        let target = dotfiles.join("mcp.json");
        symlink("../../dotfiles/mcp.json", &file).unwrap();
        if target_exists {
            fs::write(&target, "{}\n").unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(mode)).unwrap();
        }
        machine.install(&client).unwrap();
        assert!(file.is_symlink() && fs::read_to_string(&target).unwrap().contains("loggia"));
        if target_exists {
            assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, mode);
            machine.uninstall(&client).unwrap();
            assert!(file.is_symlink());
            assert_eq!(fs::read_to_string(&target).unwrap(), "{}\n");
            assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(fs::read_dir(&dotfiles).unwrap().count(), 1, "nothing is left behind");
    }
}
