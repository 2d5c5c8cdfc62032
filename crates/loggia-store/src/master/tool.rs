//! Programs that read or save the keys: any command that prints them, or the command-line tool of the operating
//! system's keyring. A library for keyrings would add about a hundred crates only for the D-Bus of Linux desktops.

use std::process::Stdio;
use std::time::Duration;

use loggia_auth::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::{MAX_BYTES, MasterKeys};
use crate::error::StoreError;

/// The time limit of a program. It may have to ask the user.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that reads the keys, and may save them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTool {
    /// The command that prints the keys.
    read: Vec<String>,
    /// The command that saves the keys from its standard input.
    write: Option<KeyWriter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyWriter {
    command: Vec<String>,
    /// The text before and after the keys, for a tool that reads commands.
    around: (String, String),
}

impl KeyTool {
    /// Uses a command that prints the keys in the form that [`MasterKeys::parse`] reads, for example the client of a
    /// key management service. It runs without a shell.
    pub fn command(command: impl IntoIterator<Item = impl Into<String>>) -> KeyTool {
        KeyTool { read: command.into_iter().map(Into::into).collect(), write: None }
    }

    /// Uses the tool of the operating system's keyring, which stores the keys under the name `account`. Returns
    /// `None` if the system has no such tool; use a file there.
    pub fn keyring(account: &str) -> Option<KeyTool> {
        if cfg!(target_os = "macos") {
            return Some(KeyTool::macos(account));
        }
        cfg!(all(unix, not(target_os = "macos"))).then(|| KeyTool::secret_service("secret-tool", account))
    }

    /// Returns the login keychain of macOS, with its tool `security`. The keys are sent to the tool's interactive
    /// mode, because other users of the machine can see the arguments of a process.
    fn macos(account: &str) -> KeyTool {
        let account: String =
            account.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
        KeyTool {
            read: words(&["security", "find-generic-password", "-s", "loggia", "-a", &account, "-w"]),
            write: Some(KeyWriter {
                command: words(&["security", "-i"]),
                around: (format!("add-generic-password -U -s loggia -a {account} -w \""), "\"\n".to_owned()),
            }),
        }
    }

    /// Returns the Secret Service of Linux desktops, with libsecret's tool.
    fn secret_service(tool: &str, account: &str) -> KeyTool {
        let named = ["service", "loggia", "account", account];
        KeyTool {
            read: words(&[&[tool, "lookup"], &named[..]].concat()),
            write: Some(KeyWriter {
                command: words(&[&[tool, "store", "--label=Loggia master key"], &named[..]].concat()),
                around: Default::default(),
            }),
        }
    }

    /// Reads the keys.
    pub async fn load(&self) -> Result<MasterKeys, StoreError> {
        let (text, ended_well) = self.run(&self.read, None).await?;
        match (ended_well, text.expose().trim().is_empty()) {
            (true, false) => MasterKeys::parse(&text),
            (_, true) => Err(StoreError::Key(format!("{} gives none", self.name()))),
            (false, false) => Err(StoreError::Key(format!("{} failed", self.name()))),
        }
    }

    /// Reads the keys. If there are none, generates and saves new ones.
    pub async fn load_or_create(&self) -> Result<MasterKeys, StoreError> {
        let (text, _) = self.run(&self.read, None).await?;
        if !text.expose().trim().is_empty() {
            return MasterKeys::parse(&text);
        }
        self.save(&MasterKeys::generate()).await?;
        // The keys are read again, because the next start reads them, too.
        self.load().await
    }

    /// Saves the keys, and replaces the previous ones.
    pub async fn save(&self, keys: &MasterKeys) -> Result<(), StoreError> {
        let write = self.write.as_ref().ok_or_else(|| {
            StoreError::Key(format!("{} only reads keys: change them where they are kept", self.name()))
        })?;
        let (before, after) = &write.around;
        let text = keys.to_text().expose().replace('\n', ",");
        let input = Secret::new(format!("{before}{text}{after}"));
        match self.run(&write.command, Some(&input)).await? {
            (_, true) => Ok(()),
            _ => Err(StoreError::Key(format!("{} did not keep the keys", self.name()))),
        }
    }

    fn name(&self) -> &str {
        self.read.first().map_or("the command", String::as_str)
    }

    /// Runs a command, and returns its output, or an error if it failed.
    async fn run(&self, command: &[String], input: Option<&Secret>) -> Result<(Secret, bool), StoreError> {
        let failed = |why: String| StoreError::Key(format!("{} {why}", self.name()));
        let (program, arguments) =
            command.split_first().ok_or_else(|| failed("is not a command".to_owned()))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("cannot be run: {error}")))?;
        let exchange = async {
            if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
                stdin.write_all(input.expose().as_bytes()).await?;
            }
            let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES as usize));
            if let Some(stdout) = child.stdout.take() {
                stdout.take(MAX_BYTES).read_to_string(&mut text).await?;
            }
            let status = child.wait().await?;
            Ok::<_, std::io::Error>((Secret::new(text.as_str()), status.success()))
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(done) => done.map_err(|error| failed(format!("broke off: {error}"))),
            Err(_) => Err(failed("took too long".to_owned())),
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A replacement for the keyring's tool: it saves its input in a file and prints it.
    #[tokio::test]
    async fn a_keyring_keeps_keys_that_nobody_else_sees() {
        let folder = std::env::temp_dir().join(format!("loggia-keyring-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (tool, kept) = (folder.join("tool"), folder.join("kept"));
        let script = format!(
            "#!/bin/sh\necho \"$@\" >> {0}.log\ncase $1 in lookup) cat {0} 2>/dev/null;; store) cat > {0};; esac\n",
            kept.display()
        );
        std::fs::write(&tool, script).unwrap();
        std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let keyring = KeyTool::secret_service(tool.to_str().unwrap(), "default");
        assert!(keyring.load().await.is_err());
        let keys = keyring.load_or_create().await.unwrap();
        assert_eq!(keyring.load_or_create().await.unwrap().names(), keys.names());
        let rotated = keys.rotated();
        keyring.save(&rotated).await.unwrap();
        assert_eq!(keyring.load().await.unwrap().names(), rotated.names());
        let log = std::fs::read_to_string(folder.join("kept.log")).unwrap();
        assert!(
            log.contains("service loggia account default") && !log.contains(keys.to_text().expose()),
            "{log}"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
