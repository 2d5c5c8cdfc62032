//! Digests of a connector's configuration. A fingerprint leaves its secrets out: the remembered lists of a server must not
//! be shown for another one. A revision includes them: a connection is kept only as long as everything is the same.

use ring::digest::{Context, SHA256};
use ring::hmac;

use super::{Backend, Builtin, ConfigValue, Connector, Personal, ProgramSandbox};
use crate::secret::{Environment, Secret, Template};

/// Bytes of the digest that are kept.
const BYTES: usize = 8;

impl Connector {
    /// A digest of how it is reached, as the configuration file writes it. The values of headers and of environment variables
    /// are left out: they are secrets, and change without another server being meant.
    pub fn fingerprint(&self) -> String {
        let options: Vec<String>;
        let mut parts: Vec<&str> = Vec::new();
        match &self.backend {
            Backend::Stdio(stdio) => {
                parts.extend(["stdio", stdio.command.written()]);
                parts.extend(stdio.args.iter().map(|arg| arg.written()));
                parts.extend(stdio.env.keys().map(String::as_str));
                parts.extend(stdio.cwd.iter().map(|cwd| cwd.written()));
            }
            Backend::Remote(remote) => {
                parts.extend(["remote", remote.url.written()]);
                parts.extend(remote.headers.keys().map(String::as_str));
            }
            Backend::OpenApi(api) => {
                parts.extend(["openapi", api.description.written()]);
                parts.extend(api.base_url.iter().map(|url| url.written()));
                parts.extend(api.headers.keys().map(String::as_str));
            }
            Backend::Manifest(used) => {
                parts.extend(["manifest", &used.manifest]);
                parts.extend(used.backend.as_deref());
                parts.extend(used.values.keys().map(String::as_str));
            }
            Backend::Builtin(builtin) => {
                options = written_options(builtin);
                parts.push(builtin.kind.as_str());
                parts.extend(options.iter().map(String::as_str));
            }
        }
        parts.extend(self.protocol.map(|version| version.as_str()));
        digest(&parts)
    }
}

impl Connector {
    /// Returns a keyed digest of everything that decides how it is reached, with the values of its variables; `None` where a
    /// variable has no value. Without the key it reveals nothing of a secret.
    pub fn revision(&self, environment: &Environment<'_>, key: &str) -> Option<String> {
        let mut parts = Parts(hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())));
        parts.backend(&self.resolve(environment).ok()?);
        parts.text(self.protocol.map_or("", |version| version.as_str()));
        let digest = parts.0.sign();
        Some(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Returns the options of a built-in connector as the configuration file writes them.
fn written_options(builtin: &Builtin<Template>) -> Vec<String> {
    let mut written = Vec::new();
    for (name, value) in &builtin.options {
        written.push(format!("{name} {}", value.plain()));
        written.extend(value.texts().iter().map(|text| text.written().to_owned()));
    }
    written
}

/// Writes the parts of a backend to a digest, each with its length, so that no two lists of parts have one digest.
struct Parts(hmac::Context);

impl Parts {
    fn backend(&mut self, backend: &Backend<Secret>) {
        match backend {
            Backend::Stdio(stdio) => {
                self.text("stdio");
                self.secret(&stdio.command);
                self.secrets(&stdio.args);
                self.named(&stdio.env);
                self.secrets(&stdio.cwd);
                self.sandbox(&stdio.sandbox);
            }
            Backend::Remote(remote) => {
                self.text("remote");
                self.secret(&remote.url);
                self.named(&remote.headers);
                self.text(&format!("{:?} {:?}", remote.transport, remote.issuer));
                self.personal(remote.personal.as_ref());
            }
            Backend::OpenApi(api) => {
                self.text("openapi");
                self.secret(&api.description);
                self.secrets(&api.base_url);
                self.secrets(&api.credential);
                self.named(&api.headers);
            }
            Backend::Manifest(used) => {
                self.text("manifest");
                self.text(&used.manifest);
                self.text(&format!("{:?} {:?}", used.backend, used.sandbox));
                self.secrets(&used.credential);
                for (name, value) in &used.values {
                    self.text(name);
                    match value {
                        ConfigValue::Text(text) => self.secret(text),
                        ConfigValue::Json(json) => self.text(&json.to_string()),
                    }
                }
            }
            Backend::Builtin(builtin) => {
                self.text(builtin.kind.as_str());
                for (name, value) in &builtin.options {
                    self.text(&format!("{name} {}", value.plain()));
                    self.secrets(value.texts());
                }
            }
        }
    }

    fn sandbox(&mut self, sandbox: &ProgramSandbox<Secret>) {
        self.text(&format!("{:?}", sandbox.mode));
        if let Some(own) = &sandbox.permissions {
            self.secrets(&own.read);
            self.secrets(&own.write);
            self.text(&format!("{:?} {:?} {:?}", own.hosts, own.memory, own.processes));
        }
    }

    fn personal(&mut self, personal: Option<&Personal<Secret>>) {
        match personal {
            None => self.text("shared"),
            Some(Personal::SignIn(client)) => {
                self.text("sign-in");
                if let Some(client) = client {
                    self.text(&client.id);
                    self.secrets(&client.secret);
                }
            }
            Some(Personal::ApiKey(header)) => {
                self.text("api-key");
                self.text(&format!("{header:?}"));
            }
        }
    }

    fn named(&mut self, values: &std::collections::BTreeMap<String, Secret>) {
        self.text(&values.len().to_string());
        for (name, value) in values {
            self.text(name);
            self.secret(value);
        }
    }

    fn secrets<'s>(&mut self, values: impl IntoIterator<Item = &'s Secret>) {
        let values: Vec<&Secret> = values.into_iter().collect();
        self.text(&values.len().to_string());
        values.into_iter().for_each(|value| self.secret(value));
    }

    fn secret(&mut self, value: &Secret) {
        self.text(value.expose());
    }

    fn text(&mut self, text: &str) {
        self.0.update(&text.len().to_be_bytes());
        self.0.update(text.as_bytes());
    }
}

fn digest(parts: &[&str]) -> String {
    let mut digest = Context::new(&SHA256);
    for part in parts {
        digest.update(&part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finish().as_ref()[..BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}
