//! Questions of a server, put to the user at the terminal. Without a user at the terminal the answer is "declined",
//! and a note says so: a script must not hang.

mod form;

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use loggia::client::ClientBuilder;
use loggia::model::{ElicitFormParams, ElicitResult, ElicitUrlParams};
use loggia::wire::RpcError;

use crate::out::{BOLD, DIM, NAME, WARN};
use crate::progress::Screen;
use crate::text::one_line;

/// The terminal that answers a server's questions.
#[derive(Clone)]
pub(crate) struct Asking {
    screen: Arc<Screen>,
    interactive: bool,
}

impl Asking {
    /// The person at the terminal, if there is one and `no_input` is not set.
    pub(crate) fn new(screen: Arc<Screen>, no_input: bool) -> Asking {
        let interactive = !no_input && io::stdin().is_terminal() && io::stderr().is_terminal();
        Asking { screen, interactive }
    }

    /// Lets `builder`'s client put the server's questions to the person.
    pub(crate) fn handle(self, builder: ClientBuilder) -> ClientBuilder {
        let url = self.clone();
        builder
            .on_elicit(move |params| self.clone().form(params))
            .on_elicit_url(move |params| url.clone().url(params))
    }

    async fn form(self, mut params: ElicitFormParams) -> Result<ElicitResult, RpcError> {
        params.message = self.screen.shown(&params.message);
        let message = params.message.clone();
        self.put(&message, move |console| form::fill(console, &params)).await
    }

    async fn url(self, mut params: ElicitUrlParams) -> Result<ElicitResult, RpcError> {
        params.message = self.screen.shown(&params.message);
        let message = params.message.clone();
        self.put(&message, move |console| visit(console, &params)).await
    }

    async fn put(
        self,
        message: &str,
        ask: impl FnOnce(&mut dyn Console) -> ElicitResult + Send + 'static,
    ) -> Result<ElicitResult, RpcError> {
        if !self.interactive {
            self.screen.note(format!(
                "{WARN}note{WARN:#}: the server asks: {message:?}. There is no terminal to ask on, so the answer is: declined"
            ));
            return Ok(ElicitResult::decline());
        }
        // Reading a line blocks. One question is asked after the other.
        let asked = tokio::task::spawn_blocking(move || {
            let _held = self.screen.hold();
            ask(&mut TerminalConsole)
        });
        Ok(asked.await.unwrap_or_else(|_| ElicitResult::cancel()))
    }
}

/// Asks the user for a line on the terminal.
pub(crate) fn line(prompt: &str) -> Option<String> {
    TerminalConsole.read(prompt)
}

/// Asks the user for a text that is not shown.
pub(crate) fn secret(prompt: &str) -> Option<String> {
    rpassword::prompt_password(anstream::adapter::strip_str(prompt)).ok()
}

/// A place to ask.
trait Console {
    /// Shows a line.
    fn say(&mut self, line: &str);
    /// Shows `prompt` and reads a line; `None` at the end of input.
    fn read(&mut self, prompt: &str) -> Option<String>;
}

struct TerminalConsole;

impl Console for TerminalConsole {
    fn say(&mut self, line: &str) {
        crate::out::note(line);
    }

    fn read(&mut self, prompt: &str) -> Option<String> {
        let mut err = anstream::stderr().lock();
        // A prompt that cannot be shown is only less helpful.
        let _ = write!(err, "{prompt}");
        let _ = err.flush();
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// Asks whether a URL may be opened. It is never opened from here: only the person sees whether the address
/// is the one it should be.
fn visit(console: &mut dyn Console, params: &ElicitUrlParams) -> ElicitResult {
    console.say(&format!("{BOLD}The server asks:{BOLD:#} {}", one_line(&params.message)));
    console.say(&format!(
        "  Open this page in a browser, if you trust it: {NAME}{}{NAME:#}",
        one_line(&params.url)
    ));
    console.say(&format!("  {DIM}Enter: done; d: decline; Ctrl-D: cancel{DIM:#}"));
    match console.read("> ").as_deref().map(str::trim) {
        None => ElicitResult::cancel(),
        Some("d" | "decline" | "n" | "no") => ElicitResult::decline(),
        Some(_) => ElicitResult::without_content(loggia::model::ElicitAction::Accept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loggia::model::ElicitAction;
    use std::collections::VecDeque;

    /// A console with its answers written down.
    #[derive(Default)]
    pub(super) struct Script {
        pub(super) answers: VecDeque<&'static str>,
        pub(super) shown: String,
    }

    impl Console for Script {
        fn say(&mut self, line: &str) {
            self.shown.push_str(&anstream::adapter::strip_str(line).to_string());
            self.shown.push('\n');
        }

        fn read(&mut self, prompt: &str) -> Option<String> {
            let answer = self.answers.pop_front();
            let shown = answer.unwrap_or("^D");
            self.shown.push_str(&format!("{}{shown}\n", anstream::adapter::strip_str(prompt)));
            answer.map(str::to_owned)
        }
    }

    #[test]
    fn a_url_is_shown_and_its_answer_taken() {
        for (answers, expected) in [
            (vec![""], ElicitAction::Accept),
            (vec!["d"], ElicitAction::Decline),
            (vec![], ElicitAction::Cancel),
        ] {
            let params =
                serde_json::json!({ "mode": "url", "message": "Log in", "url": "https://id.example/x" });
            let params: ElicitUrlParams = serde_json::from_value(params).expect("params");
            let mut script = Script { answers: answers.into(), ..Script::default() };
            assert_eq!(visit(&mut script, &params).action, expected);
            assert!(script.shown.contains("https://id.example/x"));
        }
    }
}
