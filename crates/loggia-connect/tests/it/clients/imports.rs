//! The servers of each application as connectors.

use std::fmt::Write as _;
use std::path::Path;

use loggia_connect::clients::ConfigFormat;
use loggia_connect::import::Import;

use super::machine::{Machine, client, fixture, with_files};

#[test]
fn the_servers_of_every_client_are_connectors() {
    let mut shown = String::new();
    for client in with_files() {
        // The file of a user: applications with a project file only are imported by its path.
        if client.user_templates(loggia_connect::clients::OperatingSystem::Linux).is_empty() {
            continue;
        }
        let machine = Machine::new();
        machine.write(&client, fixture(&client).as_bytes());
        // The gateway cannot be its own connector.
        machine.install(&client).unwrap();
        writeln!(shown, "##### {}", client.name).unwrap();
        match Import::of_application(&machine.installer, &client.name, &[]) {
            Ok(import) => {
                let text = import.add_to("", Path::new("loggia.toml")).unwrap();
                assert!(!text.contains("127.0.0.1:4000"), "{text}");
                shown.push_str(&text);
                for server in import.servers() {
                    server
                        .notes
                        .iter()
                        .for_each(|note| writeln!(shown, "# {}: {note}", server.name).unwrap());
                }
                if !import.left_out().is_empty() {
                    writeln!(shown, "# left out: {}", import.left_out().join(", ")).unwrap();
                }
            }
            Err(error) => writeln!(shown, "# {error}").unwrap(),
        }
        shown.push('\n');
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn files_of_unknown_clients_are_read_in_their_format() {
    for (name, file) in
        [("librechat", "librechat.yaml"), ("codex", "config.toml"), ("mistral-vibe", "a.toml")]
    {
        let format = ConfigFormat::of_file(Path::new(file));
        let import = Import::parse_as(format, &fixture(&client(name)), &[]).unwrap();
        assert_eq!(import.servers().len(), 2, "{name}");
    }
    for (format, text, expected) in [
        (ConfigFormat::Toml, "a = s3cret", "this is not TOML: line 1, column 5"),
        (ConfigFormat::Yaml, "a: [s3cret", "this is not YAML: line 1"),
        (ConfigFormat::Yaml, "a: 1", "there are no servers in it"),
    ] {
        let error = Import::parse_as(format, text, &[]).unwrap_err().to_string();
        assert!(error.starts_with(expected) && !error.contains("s3cret"), "{error}");
    }
}
