use loggia_auth::secret::Secret;
use loggia_store::{KeyTool, MasterKeys};

use crate::Folder;

#[test]
fn keys_are_read_and_written() {
    let keys = MasterKeys::generate().rotated().rotated();
    assert_eq!(keys.names().len(), 3);
    assert_eq!(keys.current(), keys.names()[0]);
    let again = MasterKeys::parse(&keys.to_text()).unwrap();
    assert_eq!(again.names(), keys.names());
    let commas = Secret::new(keys.to_text().expose().replace('\n', " , "));
    assert_eq!(MasterKeys::parse(&commas).unwrap().names(), keys.names());
    assert_eq!(keys.newest().names(), [keys.current()]);
    let shown = format!("{keys:?}");
    assert!(keys.to_text().expose().lines().all(|key| !shown.contains(key)), "{shown}");
    let short = "AAAA".repeat(10);
    let many = vec![keys.newest().to_text().expose().to_owned(); 33].join(" ");
    for (text, reason) in [
        ("", "no key"),
        (" , ", "no key"),
        ("not base64!", "base64"),
        (&short, "32 bytes"),
        (&many, "more than 32"),
    ] {
        let error = MasterKeys::parse(&Secret::new(text)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new("keyfile");
    let path = folder.file("master.key");
    let made = MasterKeys::from_file(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(MasterKeys::from_file(&path).unwrap().names(), made.names());
    let rotated = made.rotated();
    rotated.save(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(MasterKeys::from_file(&path).unwrap().names(), rotated.names());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    for mode in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = MasterKeys::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{mode:o}: {error}");
    }
    assert!(MasterKeys::from_file(folder.file("no/such/folder")).is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_gives_the_keys() {
    let keys = MasterKeys::generate();
    let printed = keys.to_text();
    let given = KeyTool::command(["echo", printed.expose()]);
    assert_eq!(given.load().await.unwrap().names(), keys.names());
    assert!(given.save(&keys).await.unwrap_err().to_string().contains("only reads"));
    for (command, reason) in [
        (vec!["true"], "gives none"),
        (vec!["false"], "gives none"),
        (vec!["sh", "-c", "echo AAAA; exit 3"], "failed"),
        (vec!["echo", "sesame"], "base64"),
        (vec!["no-such-program"], "cannot be run"),
        (vec![], "not a command"),
    ] {
        let error = KeyTool::command(command.clone()).load().await.unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains("sesame"), "{command:?}: {error}");
    }
    assert!(MasterKeys::from_env("LOGGIA_NO_SUCH_VARIABLE").is_err());
}
