//! Redaction of texts that are shown or logged: a value that `${NAME}` stands for is replaced by `${NAME}`.
//!
//! Programs and servers repeat what they were given: a command that cannot be started is named, a child prints its
//! arguments when it fails, a server quotes a header. Loggia does not write these texts, so values are looked for in
//! all of them. Invariant: a [`Redactor`] knows the values before anything is opened with them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::secret::{Environment, Secret, Template};

/// Shorter values are no secrets, and replacing them would make texts unreadable.
const SHORTEST: usize = 3;
/// From this length on, a value is found inside words, too.
const INSIDE_WORDS: usize = 8;

/// Replaces the values of variables in texts. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<KnownValues>>);

/// The values, the longest first.
struct KnownValues {
    redactions: Vec<Redaction>,
    /// The first bytes of the values, in small letters. Most places of a text are excluded by this table alone.
    first_bytes: [bool; 256],
}

impl Default for KnownValues {
    fn default() -> KnownValues {
        KnownValues { redactions: Vec::new(), first_bytes: [false; 256] }
    }
}

/// One form of one value, and the text that takes its place.
struct Redaction {
    value: Secret,
    replacement: String,
}

impl Redactor {
    /// Learns the values that the environment gives to the variables of `templates`.
    pub fn learn<'t>(
        &self,
        templates: impl IntoIterator<Item = &'t Template>,
        environment: &Environment<'_>,
    ) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for template in templates {
            let values = template.values(environment);
            if values.is_empty() {
                continue;
            }
            let whole = template.expand(environment).ok().map(|whole| (template.written().to_owned(), whole));
            let named = values.into_iter().map(|(name, value)| (format!("${{{name}}}"), value));
            for (replacement, value) in named.chain(whole) {
                known.add(value.expose(), &replacement);
            }
        }
        known.index();
    }

    /// Learns a value that no variable stands for, with the text that takes its place.
    pub fn learn_secret(&self, secret: &Secret, replacement: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.add(secret.expose(), replacement);
        known.index();
    }

    /// Returns `text` with `${NAME}` in the place of each known value. Letters are compared without regard to ASCII case,
    /// because host names are written in small letters.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.redact_start(text, usize::MAX).0
    }

    /// Returns the start of `text`, redacted, in about `most` characters, and how many bytes of `text` it stands for. Only
    /// these are looked at, however long the text is.
    pub fn redact_start<'t>(&self, text: &'t str, most: usize) -> (Cow<'t, str>, usize) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut redacted = String::new();
        let (mut copied, mut at, mut shown) = (0, 0, 0);
        while let Some(next) = text[at..].chars().next().filter(|_| shown < most) {
            match known.find(text, at) {
                Some(Redaction { value, replacement }) => {
                    redacted.push_str(&text[copied..at]);
                    redacted.push_str(replacement);
                    shown += replacement.chars().count();
                    at += value.expose().len();
                    copied = at;
                }
                None => {
                    shown += 1;
                    at += next.len_utf8();
                }
            }
        }
        if copied == 0 {
            return (Cow::Borrowed(&text[..at]), at);
        }
        redacted.push_str(&text[copied..at]);
        (Cow::Owned(redacted), at)
    }
}

impl KnownValues {
    /// Adds the forms of a value. A configuration is read many times, so what is known is not added again.
    fn add(&mut self, value: &str, replacement: &str) {
        for value in forms(value) {
            if !self.redactions.iter().any(|known| known.value.expose() == value.expose()) {
                self.redactions.push(Redaction { value, replacement: replacement.to_owned() });
            }
        }
    }

    fn index(&mut self) {
        // Of two values that begin at the same place, the longer one is replaced.
        self.redactions.sort_by_key(|redaction| Reverse(redaction.value.expose().len()));
        for n in 0..self.redactions.len() {
            let first = self.redactions[n].first_byte();
            self.first_bytes[first] = true;
        }
    }

    /// Returns the longest value that begins at the byte `at` of `text`.
    fn find(&self, text: &str, at: usize) -> Option<&Redaction> {
        let first = text.as_bytes()[at].to_ascii_lowercase();
        let may_begin = self.first_bytes[usize::from(first)];
        self.redactions.iter().filter(|_| may_begin).find(|redaction| redaction.matches(text, at))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redactor]")
    }
}

impl Redaction {
    /// Returns the first byte of the value, in small letters.
    fn first_byte(&self) -> usize {
        self.value.expose().bytes().next().map_or(0, |byte| usize::from(byte.to_ascii_lowercase()))
    }

    fn matches(&self, text: &str, at: usize) -> bool {
        let value = self.value.expose();
        let end = at + value.len();
        let same =
            text.as_bytes().get(at..end).is_some_and(|part| part.eq_ignore_ascii_case(value.as_bytes()));
        // The end is between characters: what differs in ASCII case alone has its characters in the same places.
        same && (value.len() >= INSIDE_WORDS || stands_alone(&text[..at], &text[end..]))
    }
}

fn stands_alone(before: &str, after: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    !before.ends_with(is_word) && !after.starts_with(is_word)
}

/// The forms in which a value turns up: as it is, line by line, escaped as Rust and JSON do, and in a URL.
fn forms(value: &str) -> Vec<Secret> {
    let lines = value.lines().map(str::trim).filter(|line| line.len() >= INSIDE_WORDS);
    let json = serde_json::to_string(value).unwrap_or_default();
    let in_url = |c: char| c.is_ascii_graphic() && !"\"<>`{}#".contains(c);
    let in_query = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let mut forms: Vec<String> = lines.map(str::to_owned).collect();
    forms.push(value.to_owned());
    forms.push(value.trim().to_owned());
    forms.push(value.escape_debug().to_string());
    forms.push(json.trim_matches('"').to_owned());
    forms.push(percent_encoded(value, in_url));
    forms.push(percent_encoded(value, in_query));
    forms.into_iter().filter(|form| form.len() >= SHORTEST).map(Secret::new).collect()
}

fn percent_encoded(value: &str, keep: impl Fn(char) -> bool) -> String {
    let encode = |c: char| match keep(c) {
        true => c.to_string(),
        false => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
    };
    value.chars().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Location;

    fn environment(name: &str) -> Option<String> {
        let set = [
            ("KEY", "s3cret-t0ken"),
            ("PEM", "-----BEGIN KEY-----\nQUJDREVG\nR0hJSktM\n"),
            ("PASSWORD", "p\"a b/ä\\"),
            ("TENANT", "Acme"),
            ("ONE", "1"),
            ("EMPTY", ""),
        ];
        set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn redactor(templates: &[&str]) -> Redactor {
        let location = Location { file: "x.toml".into(), line: 1, column: 1 };
        let parse = |text: &&str| Template::parse(*text, location.clone()).expect("a template");
        let redactor = Redactor::default();
        redactor.learn(&templates.iter().map(parse).collect::<Vec<_>>(), &environment);
        redactor
    }

    #[test]
    fn values_are_replaced_by_the_names_of_their_variables() {
        let known = [
            "/x/${KEY}",
            "${PEM}",
            "${PASSWORD}",
            "https://${TENANT}.example/",
            "${ONE}${EMPTY}",
            "a${UNSET:-b}",
        ];
        let redactor = redactor(&known);
        for (text, expected) in [
            ("nothing of this", "nothing of this"),
            ("`/x/s3cret-t0ken` could not be started", "`/x/${KEY}` could not be started"),
            ("xs3cret-t0kenx S3CRET-T0KEN", "x${KEY}x ${KEY}"),
            ("bad line QUJDREVG in the key", "bad line ${PEM} in the key"),
            ("-----BEGIN KEY-----\\nQUJDREVG\\nR0hJSktM\\n", "${PEM}"),
            ("password p\"a b/ä\\!", "password ${PASSWORD}!"),
            (r#"{"password":"p\"a b/ä\\"}"#, r#"{"password":"${PASSWORD}"}"#),
            ("?p=p%22a%20b%2F%C3%A4%5C&q", "?p=${PASSWORD}&q"),
            ("/p%22a%20b/%C3%A4\\/q", "/${PASSWORD}/q"),
            (
                "no host acme.example; acmes and an_acme stay",
                "no host ${TENANT}.example; acmes and an_acme stay",
            ),
            ("cannot reach https://acme.example/mcp", "cannot reach https://${TENANT}.example/mcp"),
            ("1 of 1 b", "1 of 1 b"),
            ("ä€😀", "ä€😀"),
        ] {
            assert_eq!(redactor.redact(text), expected, "{text}");
        }
    }

    #[test]
    fn the_start_of_a_text_is_redacted_as_the_whole_is() {
        let redactor = redactor(&["${KEY}"]);
        let long = "s3cret-t0ken ".repeat(100_000);
        for (text, most, expected, bytes) in [
            ("plain", 0, "", 0),
            ("plain", 2, "pl", 2),
            ("plain", 9, "plain", 5),
            ("äöü", 2, "äö", 4),
            ("a s3cret-t0ken b", 2, "a ", 2),
            // A value that begins within the part that is shown is replaced as a whole.
            ("a s3cret-t0ken b", 3, "a ${KEY}", 14),
            ("a s3cret-t0ken b", 9, "a ${KEY} ", 15),
            (&long, 14, "${KEY} ${KEY} ", 26),
        ] {
            let (redacted, read) = redactor.redact_start(text, most);
            assert_eq!((&*redacted, read), (expected, bytes), "{most}");
        }
    }

    /// A gateway reads its configuration again each time that it changes.
    #[test]
    fn what_is_known_is_not_added_again() {
        let redactor = Redactor::default();
        let count = || redactor.0.read().expect("no panic").redactions.len();
        let secrets = ["s3cret-t0ken", "s3cret-t1ken", "s3cret-t2ken"].map(Secret::new);
        let learn = || secrets.iter().for_each(|secret| redactor.learn_secret(secret, "[key]"));
        learn();
        let first = count();
        learn();
        assert_eq!((first, count()), (3, 3));
        assert_eq!(redactor.redact("xs3cret-t1kenx"), "x[key]x");
    }

    #[test]
    fn clones_share_what_is_learnt_and_show_nothing() {
        let first = Redactor::default();
        let second = first.clone();
        assert_eq!(second.redact("s3cret-t0ken"), "s3cret-t0ken");
        let location = Location { file: "x.toml".into(), line: 1, column: 1 };
        first.learn([&Template::parse("${KEY}", location).expect("a template")], &environment);
        assert_eq!(second.redact("s3cret-t0ken"), "${KEY}");
        assert_eq!(format!("{second:?}"), "[redactor]");
    }
}
