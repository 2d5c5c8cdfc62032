//! The directory of connectors: further folders, and search.

use std::path::Path;

use loggia_connect::manifest::{
    ConnectorManifest, DirectoryNotice, ManifestDirectory, ManifestFolders, ManifestOrigin, embedded,
};

use super::files;

fn write(folder: &Path, name: &str, title: &str, description: &str, categories: &str, tools: &[&str]) {
    let mut text = format!(
        "name = {name:?}\ntitle = {title:?}\nversion = \"1.0.0\"\ndescription = {description:?}\ncategories = {categories}\n\
         [[backends]]\nkind = \"remote\"\nurl = \"https://mcp.example.com\"\n"
    );
    for tool in tools {
        text.push_str(&format!("[[backends.tools]]\nname = {tool:?}\n"));
    }
    std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(
        path,
        "acme-notes",
        "Acme Notes",
        "Pages and databases of a team.",
        r#"["documents"]"#,
        &["search_pages"],
    );
    write(path, "board", "Board", "Issues and projects.", r#"["tasks"]"#, &["create_issue", "list_issues"]);
    write(path, "crates", "Crates", "Boards with shelves.", r#"["code"]"#, &["search_crates"]);
    write(path, "mailer", "Mailer", "Messages.", r#"["mail"]"#, &["send_message"]);
    folder
}

#[test]
fn connectors_are_found_by_words() {
    let folder = folder();
    let mut directory = ManifestDirectory::default();
    directory.add_folder(folder.path());
    assert_eq!(directory.notices(), []);
    for (query, expected) in [
        ("", &["acme-notes", "board", "crates", "mailer"][..]),
        ("board", &["board", "crates"]),
        ("BOARD", &["board", "crates"]),
        ("acme", &["acme-notes"]),
        ("notes", &["acme-notes"]),
        ("tasks", &["board"]),
        ("mails", &["mailer"]),
        ("issue", &["board"]),
        ("search", &["acme-notes", "crates"]),
        ("search code", &["crates"]),
        ("bord", &["board"]),
        ("maiker", &["mailer"]),
        ("databases", &["acme-notes"]),
        ("payments", &[]),
    ] {
        let found: Vec<&str> = directory.search(query).iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(found, expected, "{query}");
    }
    for (name, expected) in [
        ("bord", &["board"][..]),
        ("boards", &["board", "crates"]),
        ("acme", &["acme-notes"]),
        ("acmenotes", &["acme-notes"]),
        ("issue", &["board"]),
        ("zzz", &[]),
    ] {
        assert_eq!(directory.suggestions(name), expected, "{name}");
    }
    assert_eq!(directory.get("Board").map(|entry| entry.title.as_str()), Some("Board"));
    assert!(directory.get("bord").is_none());
}

#[test]
fn a_file_of_the_user_wins_and_says_so() {
    let (first, second) = (folder(), tempfile::tempdir().unwrap());
    write(first.path(), "linear", "My Linear", "Mine.", "[]", &[]);
    write(second.path(), "board", "My board", "Mine.", "[]", &[]);
    std::fs::write(second.path().join("broken.toml"), "name = \"broken\"\n").unwrap();
    std::fs::write(
        second.path().join("other.toml"),
        std::fs::read(first.path().join("mailer.toml")).unwrap(),
    )
    .unwrap();
    std::fs::write(second.path().join("notes.txt"), "no manifest").unwrap();
    let folders = [first.path().to_owned(), second.path().to_owned(), second.path().join("absent")];
    let directory = ManifestFolders::new(folders.to_vec()).directory();
    let linear = directory.get("linear").unwrap();
    assert_eq!(linear.title, "My Linear");
    assert_eq!(linear.origin, ManifestOrigin::File(first.path().join("linear.toml")));
    assert_eq!(linear.manifest().unwrap().title, "My Linear");
    let notices: Vec<String> = directory
        .notices()
        .iter()
        .map(|notice| match notice {
            DirectoryNotice::Replaced { name, replaced, .. } => {
                assert_eq!(*replaced, ManifestOrigin::Embedded);
                format!("replaced {name}")
            }
            DirectoryNotice::Duplicate(duplicate) => {
                let files = [first.path().join("board.toml"), second.path().join("board.toml")];
                assert_eq!(duplicate.files, files);
                format!("two of {}", duplicate.name)
            }
            DirectoryNotice::Unusable { file, reason } => {
                format!("{}: {}", file.file_name().unwrap().to_str().unwrap(), reason.lines().count())
            }
        })
        .collect();
    assert_eq!(notices, ["replaced linear", "two of board", "broken.toml: 4", "other.toml: 1", "absent: 1"]);
}

#[test]
fn the_manifests_of_the_repository_are_embedded() {
    let names: Vec<String> = files().into_iter().map(|(name, _)| name).collect();
    let embedded: Vec<(&str, &str)> = embedded().collect();
    assert_eq!(embedded.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    let directory = ManifestDirectory::embedded();
    assert_eq!(directory.notices(), []);
    assert_eq!(directory.entries().iter().map(|entry| entry.name.clone()).collect::<Vec<_>>(), names);
    for (name, text) in embedded {
        assert!(ConnectorManifest::parse(text, name).is_ok(), "{name}");
    }
}

/// A device has no size, and gives bytes for ever.
#[cfg(unix)]
#[test]
fn a_file_without_an_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("acme.toml");
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    let reason = ManifestDirectory::default().add_file(&file).expect_err("no manifest");
    assert!(reason.ends_with("it is longer than 1 MiB"), "{reason}");
}
