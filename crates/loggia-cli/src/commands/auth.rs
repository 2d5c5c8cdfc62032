//! `loggia auth`: sign in to servers, ask them whether they take the credential, renew it, forget it.

use std::io::{BufRead, ErrorKind, IsTerminal, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use loggia_auth::client::{AuthError, Credential, OAuth, OAuthBuilder, Proof};
use loggia_auth::guard::GuardError;
use loggia_auth::loopback::Loopback;
use loggia_auth::registration::RegisteredClient;
use loggia_auth::scope::Scopes;
use loggia_auth::secret::Secret;
use serde::Serialize;

use super::session::interrupted;
use crate::args::{AuthArgs, AuthCommand, LoginArgs, OutputArg};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, BAD, DIM, GOOD, NAME, WARN};
use crate::render::text::one_line;
use crate::target::{self, Target};

/// Holds the secret of a client that the line names.
const CLIENT_SECRET: &str = "LOGGIA_CLIENT_SECRET";
/// Longest line that is read for an answer.
const MAX_LINE: u64 = 16 << 10;
/// How long a browser may take to hear that we leave, and how often we look.
const GOODBYE: Duration = Duration::from_secs(2);
const GOODBYE_POLL: Duration = Duration::from_millis(5);

/// `loggia auth`.
pub(crate) async fn run(args: &AuthArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    tokio::select! {
        outcome = Box::pin(act(&args.command, config, credentials)) => outcome,
        () = interrupted() => Err(cancelled()),
    }
}

async fn act(command: &AuthCommand, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    match command {
        AuthCommand::Login(args) => {
            let url = url(&args.at.target, config)?;
            let client = client(args).await?;
            let report = login(&url, credentials, args, client).await;
            goodbye().await;
            show(&report.map_err(|error| failed(error, &args.at.target))?, args.at.output)
        }
        AuthCommand::Status { target: Some(target), output } => {
            let report = status(&url(target, config)?, credentials).await;
            let report = report.map_err(|error| failed(error, target))?;
            show(&report, *output)?;
            report.state.outcome(target)
        }
        AuthCommand::Status { target: None, output } => all(credentials, *output).await,
        AuthCommand::Refresh(at) => {
            let report = refresh(&url(&at.target, config)?, credentials).await;
            show(&report.map_err(|error| failed(error, &at.target))?, at.output)
        }
        AuthCommand::Keys(args) => super::keys::run(args, config, credentials).await,
        AuthCommand::People(args) => super::people::run(args, config, credentials).await,
        AuthCommand::Logout(at) => {
            let report = logout(&url(&at.target, config)?, credentials).await;
            show(&report.map_err(|error| failed(error, &at.target))?, at.output)
        }
    }
}

/// The URL that a word on the line means.
fn url(word: &str, config: Option<&Path>) -> Outcome<String> {
    let words = [word.to_owned()];
    match target::split(&words, &[])?.0 {
        Target::Url(url) => Ok(url.to_owned()),
        Target::Connector(name) => {
            let config = Config::read(config)?;
            config.remote(name)?.ok_or_else(|| target::no_connector(name, &config))
        }
        Target::Command(_) => Err(Failure::usage("nobody signs in to a command")),
    }
}

/// The client that the line names.
async fn client(args: &LoginArgs) -> Outcome<Option<RegisteredClient>> {
    let Some(id) = &args.client_id else { return Ok(None) };
    if !args.client_secret {
        return Ok(Some(RegisteredClient::public(id)));
    }
    // Not on the line: what is there can be seen by everybody on the machine.
    let given = std::env::var(CLIENT_SECRET).ok();
    let given = match given.filter(|secret| !secret.is_empty()) {
        Some(given) => Some(given),
        None => match tokio::task::spawn_blocking(typed_secret).await {
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => return Err(cancelled()),
            typed => typed.ok().and_then(Result::ok),
        },
    };
    let secret = given.map(|given| Secret::new(given.trim())).filter(|secret| !secret.expose().is_empty());
    let none = || Failure::usage("no client secret was given").hint(format!("{CLIENT_SECRET} can hold it"));
    Ok(Some(RegisteredClient::with_secret(id, secret.ok_or_else(none)?)))
}

fn typed_secret() -> std::io::Result<String> {
    match std::io::stdin().is_terminal() {
        true => rpassword::prompt_password("Client secret: "),
        false => Ok(pasted().unwrap_or_default()),
    }
}

fn cancelled() -> Failure {
    out::note(format!("{WARN}cancelled{WARN:#}"));
    Failure::silent(Code::Cancelled)
}

async fn login(
    url: &str,
    credentials: &Credentials,
    args: &LoginArgs,
    client: Option<RegisteredClient>,
) -> Result<Report, AuthError> {
    let before = match credentials.oauth(url)?.build()?.credential().await {
        Err(AuthError::Unreadable(why)) => {
            out::note(format!("{WARN}{}, so you sign in anew{WARN:#}", one_line(&why)));
            None
        }
        other => other?,
    };
    let more: Scopes = args.scope.iter().flat_map(|scope| scope.split_whitespace()).collect();
    let anew = client.is_some() || !more.is_empty();
    // A server that wanted more after all has to be asked for what there was, too.
    let scopes = before.as_ref().map_or(more.clone(), |before| more.union(&before.requested));
    let person = person(args.no_browser).port(args.callback_port.unwrap_or_default());
    let oauth = credentials.oauth(url)?.named(client).person(person).scopes(scopes).build()?;
    let credential = match anew {
        true => Some(oauth.sign_in().await?),
        false => oauth.ensure().await?,
    };
    Ok(match (credential, before) {
        (None, _) => Report::new(url, State::NotNeeded),
        (Some(now), Some(before)) if now.access_token == before.access_token => {
            Report::of(url, &now).note("you were signed in already")
        }
        (Some(now), _) => Report::of(url, &now),
    })
}

/// Lets the browser hear what came of the sign-in: the page is sent by a task that would end with the program.
async fn goodbye() {
    let tasks = tokio::runtime::Handle::current().metrics();
    let over = async {
        while tasks.num_alive_tasks() > 0 {
            tokio::time::sleep(GOODBYE_POLL).await;
        }
    };
    // A browser that does not read is not waited for.
    let _ = tokio::time::timeout(GOODBYE, over).await;
}

async fn status(url: &str, credentials: &Credentials) -> Result<Report, AuthError> {
    let oauth = credentials.oauth(url)?.build()?;
    let mut proof = oauth.prove().await?;
    let mut renewed = false;
    // A token that is over, and can be renewed, signs nobody out.
    if matches!(proof, Proof::Refused(_)) && can_renew(&oauth).await? {
        match oauth.refresh().await {
            Ok(_) => (proof, renewed) = (oauth.prove().await?, true),
            Err(AuthError::SignInAgain(_) | AuthError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let credential = oauth.credential().await?;
    let report = |state| match &credential {
        Some(credential) => Report { state, ..Report::of(url, credential) },
        None => Report::new(url, state),
    };
    Ok(match proof {
        Proof::Taken if renewed => {
            report(State::SignedIn).note("the credential was over and has been renewed")
        }
        Proof::Taken => report(State::SignedIn),
        Proof::NotNeeded => report(State::NotNeeded),
        Proof::Missing(_) => report(State::SignedOut),
        Proof::Refused(demand) => {
            let why = demand.description.unwrap_or_else(|| "the server refuses the credential".to_owned());
            report(State::SignInAgain).note(&one_line(&why))
        }
    })
}

async fn can_renew(oauth: &OAuth) -> Result<bool, AuthError> {
    Ok(oauth.credential().await?.is_some_and(|credential| credential.refresh_token.is_some()))
}

async fn all(credentials: &Credentials, output: OutputArg) -> Outcome {
    let urls = credentials.servers().await.map_err(|error| failed(error, "TARGET"))?;
    let mut reports = Vec::new();
    for url in &urls {
        reports.push(status(url, credentials).await.unwrap_or_else(|error| {
            let state = match error {
                AuthError::Unreadable(_) => State::SignInAgain,
                _ => State::Unknown,
            };
            Report::new(url, state).note(&one_line(&error.to_string()))
        }));
    }
    match output {
        OutputArg::Json => json(&serde_json::json!({ "servers": reports }))?,
        OutputArg::Human if reports.is_empty() => out::note("you have signed in to no server"),
        OutputArg::Human => out::print(reports.iter().map(Report::text).collect::<String>())?,
    }
    match reports.iter().all(|report| report.state.is_well()) {
        true => Ok(()),
        false => Err(Failure::silent(Code::Connect)),
    }
}

async fn refresh(url: &str, credentials: &Credentials) -> Result<Report, AuthError> {
    let oauth = credentials.oauth(url).and_then(OAuthBuilder::build)?;
    Ok(Report::of(url, &oauth.refresh().await?).note("the credential has been renewed"))
}

async fn logout(url: &str, credentials: &Credentials) -> Result<Report, AuthError> {
    let oauth = credentials.oauth(url).and_then(OAuthBuilder::build)?;
    let report = Report::new(url, State::SignedOut);
    match oauth.credential().await {
        Ok(None) => return Ok(report.note("you were not signed in")),
        Ok(Some(_)) | Err(AuthError::Unreadable(_)) => oauth.sign_out().await?,
        Err(error) => return Err(error),
    }
    Ok(report.note("the credential is forgotten"))
}

/// Whoever sits here: at a browser of this machine, or of another.
fn person(no_browser: bool) -> Loopback {
    // What else is on stdin is not ours to read.
    let reads = no_browser || std::io::stdin().is_terminal();
    let show = move |page: &url::Url| {
        // The page is of somebody else's choosing, and a desktop starts other things by other schemes.
        if !matches!(page.scheme(), "https" | "http") {
            out::note(format!("{BAD}the sign-in page is at no web address: {page}{BAD:#}"));
            return Err("it is at no web address".to_owned());
        }
        let opened = !no_browser && open::that_detached(page.as_str()).is_ok();
        let how = if opened { "Sign in in your browser. If none opens, open" } else { "Open" };
        out::note(format!("{how} this page:\n  {NAME}{page}{NAME:#}"));
        if reads {
            out::note(format!(
                "{DIM}A browser on another machine ends at an address that leads nowhere: paste it here.{DIM:#}"
            ));
        }
        Ok(())
    };
    Loopback::new(show).paste(move |wrong| async move {
        if let Some(wrong) = wrong {
            out::note(format!("{WARN}{wrong}{WARN:#}"));
        }
        tokio::task::spawn_blocking(move || reads.then(pasted).flatten()).await.ok().flatten()
    })
}

/// The first line of stdin that says anything.
fn pasted() -> Option<String> {
    let mut input = std::io::stdin().lock().take(MAX_LINE);
    let mut line = String::new();
    while input.read_line(&mut line).ok()? > 0 {
        if !line.trim().is_empty() {
            return Some(line);
        }
        line.clear();
    }
    None
}

pub(super) fn failed(error: AuthError, target: &str) -> Failure {
    let code = match &error {
        AuthError::Configuration(_) | AuthError::Store(_) => Code::Usage,
        AuthError::Discovery(_) | AuthError::Answer(_) => Code::Protocol,
        AuthError::Guard(GuardError::TimedOut { .. }) => Code::Timeout,
        _ => Code::Connect,
    };
    let failure = Failure::new(code, &error);
    match error {
        AuthError::Registration(_) => failure.hint(format!(
            "`loggia auth login {target} --client-id ID` signs in as a client that you registered"
        )),
        AuthError::SignInAgain(_) | AuthError::Unreadable(_) => {
            failure.hint(format!("`loggia auth login {target}` signs in"))
        }
        _ => failure,
    }
}

/// How things stand with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    SignedIn,
    NotNeeded,
    SignedOut,
    SignInAgain,
    Unknown,
}

impl State {
    fn is_well(self) -> bool {
        matches!(self, State::SignedIn | State::NotNeeded)
    }

    /// What `status` of one server ends with.
    fn outcome(self, target: &str) -> Outcome {
        if self.is_well() {
            return Ok(());
        }
        out::note(format!("{DIM}`loggia auth login {target}` signs in{DIM:#}"));
        Err(Failure::silent(Code::Connect))
    }
}

/// What there is to say of a credential.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    server: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    /// In seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    renewable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip)]
    remaining: Option<u64>,
}

impl Report {
    fn new(url: &str, state: State) -> Report {
        Report {
            server: url.to_owned(),
            state,
            issuer: None,
            scopes: None,
            expires_at: None,
            renewable: false,
            note: None,
            remaining: None,
        }
    }

    fn of(url: &str, credential: &Credential) -> Report {
        Report {
            issuer: Some(credential.issuer.clone()),
            scopes: Some(credential.granted.iter().map(str::to_owned).collect()),
            expires_at: credential.expires_at,
            renewable: credential.refresh_token.is_some(),
            remaining: credential.remaining(SystemTime::now()).map(|left| left.as_secs()),
            ..Report::new(url, State::SignedIn)
        }
    }

    fn note(mut self, note: &str) -> Report {
        self.note = Some(note.to_owned());
        self
    }

    /// For people.
    fn text(&self) -> String {
        let (mark, what) = match self.state {
            State::SignedIn => (format!("{GOOD}✓{GOOD:#}"), "signed in"),
            State::NotNeeded => (format!("{GOOD}✓{GOOD:#}"), "wants nobody to sign in"),
            State::SignedOut => (format!("{WARN}-{WARN:#}"), "not signed in"),
            State::SignInAgain => (format!("{BAD}✗{BAD:#}"), "sign in again"),
            State::Unknown => (format!("{BAD}✗{BAD:#}"), "nobody knows"),
        };
        let note = self.note.as_ref().map(|note| format!("{DIM} ({note}){DIM:#}")).unwrap_or_default();
        let mut text = format!("{mark} {NAME}{}{NAME:#}: {what}{note}\n", one_line(&self.server));
        let mut line = |name: &str, value: &str| {
            text.push_str(&format!("  {DIM}{name:<8}{DIM:#} {}\n", one_line(value)));
        };
        if let Some(issuer) = &self.issuer {
            line("issuer", issuer);
        }
        if let Some(scopes) = self.scopes.as_ref().filter(|scopes| !scopes.is_empty()) {
            line("scopes", &scopes.join(" "));
        }
        if self.state == State::SignedIn {
            line("expires", &self.expiry());
        }
        text
    }

    fn expiry(&self) -> String {
        let when = match self.remaining {
            None => return "the server does not say when".to_owned(),
            Some(0) => "now".to_owned(),
            Some(left) => format!("in {}", length(left)),
        };
        let then = if self.renewable { ", renewed before that" } else { ", and cannot be renewed" };
        when + then
    }
}

/// A length of time as people say it.
pub(super) fn length(seconds: u64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn show(report: &Report, output: OutputArg) -> Outcome {
    match output {
        OutputArg::Json => json(&report),
        OutputArg::Human => Ok(out::print(report.text())?),
    }
}

pub(super) fn json(value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string(value).expect("reports have no maps and no failing fields");
    Ok(out::print(text + "\n")?)
}
