//! The common part of the commands that talk to one server: connect, do one thing, let a signal cancel it, close
//! the connection.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use loggia::client::{Client, NotificationSink, RequestOptions};
use loggia::model::{LoggingLevel, ServerCapabilities, ServerNotification, ServerResult};
use loggia::transport::TerminationSignals;
use loggia::wire::{Method, RawJson};
use loggia_gateway::Credentials;

use crate::args::GlobalClientArgs;
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, WARN};
use crate::progress::Screen;
use crate::target;
use crate::text::one_line;

/// The longest wait for a server when the connection closes.
const GOODBYE: Duration = Duration::from_secs(5);

/// One command and its connection to one server.
pub(crate) struct Session<'a> {
    args: &'a GlobalClientArgs,
    config: Option<&'a Path>,
    credentials: &'a Credentials,
    screen: Arc<Screen>,
    client: OnceLock<Client>,
    connected_in: OnceLock<Duration>,
    is_direct: bool,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        args: &'a GlobalClientArgs,
        config: Option<&'a Path>,
        credentials: &'a Credentials,
    ) -> Session<'a> {
        Session {
            args,
            config,
            credentials,
            screen: Arc::new(Screen::new(credentials.redactor().clone())),
            client: OnceLock::new(),
            connected_in: OnceLock::new(),
            is_direct: false,
        }
    }

    /// Connects to the server of a connector itself, without the settings of its tools.
    pub(crate) fn direct(self, is_direct: bool) -> Session<'a> {
        Session { is_direct, ..self }
    }

    /// Connects to the target that `words` name, and lets `act` do what the words after it say.
    pub(crate) async fn run(
        &self,
        words: &[String],
        act: impl AsyncFn(&Session<'_>, &[String]) -> Outcome,
    ) -> Outcome {
        let (target, rest) = target::split(words, &self.args.server)?;
        let mut signals = TerminationSignals::listen();
        let work = async {
            let started = Instant::now();
            let (credentials, screen) = (self.credentials, &self.screen);
            let client =
                target::connect(&target, self.args, self.config, credentials, screen, self.is_direct).await?;
            // Each is set once: a session runs one command.
            let _ = self.connected_in.set(started.elapsed());
            let _ = self.client.set(client);
            Box::pin(act(self, rest)).await
        };
        let outcome = tokio::select! {
            outcome = work => outcome.map_err(|failure| failure.at(words.first())),
            () = signals.next() => Err(self.cancelled(signals)),
        };
        self.screen.clear();
        if let Some(client) = self.client.get() {
            // Dropping the request has cancelled it. Closing sends the cancellation, and lets a child process end itself.
            let _ = tokio::time::timeout(GOODBYE, client.close()).await;
        }
        outcome
    }

    /// The first signal cancels. The second ends the program without waiting for the server.
    fn cancelled(&self, mut signals: TerminationSignals) -> Failure {
        self.screen.note(format!("{WARN}cancelled{WARN:#}"));
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(Code::Cancelled as i32);
        });
        Failure::silent(Code::Cancelled)
    }

    /// The connected client.
    pub(crate) fn client(&self) -> &Client {
        self.client.get().expect("commands run after the connection is made")
    }

    /// Returns the capabilities of the server.
    pub(crate) fn capabilities(&self) -> ServerCapabilities {
        self.client().capabilities().unwrap_or_default()
    }

    /// Returns the time that connecting took.
    pub(crate) fn connected_in(&self) -> Duration {
        self.connected_in.get().copied().unwrap_or_default()
    }

    /// Returns the text of an error, a warning or a problem, without secrets.
    pub(crate) fn told(&self, problem: &impl fmt::Display) -> String {
        self.credentials.redactor().redact(&problem.to_string()).into_owned()
    }

    /// Writes a warning to stderr, without secrets and on one line.
    pub(crate) fn warn(&self, warning: &impl fmt::Display) {
        out::note(format!("{WARN}warning{WARN:#}: {}", one_line(&self.told(warning))));
    }

    /// Returns whether the output is for programs.
    pub(crate) fn json(&self) -> bool {
        !self.args.format.is_human()
    }

    /// Makes a request and gives its result as the server wrote it, and as the model has it.
    pub(crate) async fn request(
        &self,
        method: Method,
        params: RawJson,
        log_level: Option<LoggingLevel>,
    ) -> Outcome<(RawJson, ServerResult)> {
        let options =
            RequestOptions { on_notification: Some(self.sink()), log_level, ..RequestOptions::default() };
        let reply = self.client().request(method.clone(), params, options).await?;
        self.screen.clear();
        let result = reply.decode(&method).map_err(|error| {
            Failure::new(Code::Protocol, format!("the server's answer makes no sense: {error}"))
        })?;
        Ok((reply.result, result))
    }

    /// Shows what the server tells while a request runs.
    fn sink(&self) -> NotificationSink {
        let screen = self.screen.clone();
        Arc::new(move |notification| match notification {
            ServerNotification::Progress(progress) => screen.progress(&progress),
            ServerNotification::Log(log) => screen.log(&log),
            _ => {}
        })
    }

    /// Prints the result of the command: `raw` for programs, `human` for people.
    pub(crate) fn print(&self, raw: &RawJson, human: impl FnOnce() -> Outcome<String>) -> Outcome {
        if self.json() {
            return self.print_json(raw);
        }
        Ok(out::print(human()?)?)
    }

    /// Prints one JSON value and a line break.
    pub(crate) fn print_json(&self, raw: &RawJson) -> Outcome {
        Ok(out::print_json(&String::from_utf8_lossy(raw.as_bytes()))?)
    }
}

/// Creates the failure for a result of another method.
pub(crate) fn wrong_result() -> Failure {
    Failure::new(Code::Protocol, "the server answered with the result of something else")
}

/// Creates the failure for a name that does not exist, with similar names.
pub(crate) fn unknown<'n>(what: &str, name: &str, names: impl IntoIterator<Item = &'n str>) -> Failure {
    const MAX: usize = 12;
    let all: Vec<&str> = names.into_iter().collect();
    let mut alike: Vec<&str> = all.iter().copied().filter(|other| is_alike(other, name)).collect();
    alike.truncate(MAX);
    let failure = Failure::usage(format!("there is no {what} {name:?}"));
    match (alike.len(), all.len()) {
        (_, 0) => failure.hint(format!("this server has no {what}s at all")),
        (0, ..=MAX) => failure.hint(format!("there are: {}", all.join(", "))),
        (0, count) => failure.hint(format!("there are {count} others: `loggia {what}s` lists them")),
        _ => failure.hint(format!("did you mean {}?", alike.join(" or "))),
    }
}

/// Returns whether one name contains the other, or both are similar.
fn is_alike(name: &str, wanted: &str) -> bool {
    const ALIKE: f64 = 0.8;
    let (name, wanted) = (name.to_lowercase(), wanted.to_lowercase());
    name.contains(&wanted) || wanted.contains(&name) || strsim::jaro_winkler(&name, &wanted) > ALIKE
}
