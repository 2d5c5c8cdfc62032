//! `loggia auth`: sign in to servers, ask them whether they take the credential, renew it, forget it.

use std::io::{BufRead, ErrorKind, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use loggia_auth::error::AuthError;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::secret::Secret;
use loggia_gateway::{
    CredentialReport, Credentials, ManifestSignIn, PreregisteredClient, SignInOptions, TokenSource,
};

use super::report::show;
use crate::args::{AuthArgs, AuthCommand, FormatArgs, LoginArgs};
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, BAD, DIM, NAME, WARN};
use crate::target::{self, Target, read_all};
use crate::text::one_line;
use loggia::transport::TerminationSignals;

/// The variable for the secret of the client.
const CLIENT_SECRET: &str = "LOGGIA_CLIENT_SECRET";
/// The variable for the secret of the client at the identity provider.
const SSO_SECRET: &str = "LOGGIA_SSO_CLIENT_SECRET";
/// Longest line that is read for an answer.
const MAX_LINE: u64 = 16 << 10;
/// The longest wait for the browser to load the last page, and the interval between checks.
const GOODBYE: Duration = Duration::from_secs(2);
const GOODBYE_POLL: Duration = Duration::from_millis(5);

/// `loggia auth`.
pub(crate) async fn run(args: &AuthArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let mut signals = TerminationSignals::listen();
    tokio::select! {
        outcome = Box::pin(act(&args.command, config, credentials)) => outcome,
        () = signals.next() => Err(cancelled()),
    }
}

async fn act(command: &AuthCommand, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let url = async |target: &str| url(target, config, credentials).await;
    let report = |report: Result<CredentialReport, AuthError>, target: &str, format| {
        let report = report.map_err(|error| Failure::authorization(error, target))?;
        let report = report.redacted(credentials.redactor());
        show(format, &report, &report.to_text()).map(|()| report.state)
    };
    match command {
        AuthCommand::Login(args) => Box::pin(login(args, config, credentials)).await,
        AuthCommand::Status { target: Some(target), format } => {
            match report(credentials.report(&url(target).await?).await, target, *format)?.is_well() {
                true => Ok(()),
                false => {
                    out::note(format!("{DIM}`loggia auth login {target}` signs in{DIM:#}"));
                    Err(Failure::silent(Code::Connect))
                }
            }
        }
        AuthCommand::Status { target: None, format } => all(credentials, *format).await,
        AuthCommand::Refresh(at) => {
            report(credentials.renew_and_report(&url(&at.target).await?).await, &at.target, at.format)
                .map(drop)
        }
        AuthCommand::Logout(at) => {
            report(credentials.sign_out_and_report(&url(&at.target).await?).await, &at.target, at.format)
                .map(drop)
        }
        AuthCommand::Keys(args) => super::keys::run(args, config, credentials).await,
        AuthCommand::People(args) => super::people::run(args, config, credentials).await,
    }
}

/// Returns the URL that a word on the line means.
async fn url(word: &str, config: Option<&Path>, credentials: &Credentials) -> Outcome<String> {
    Ok(server(word, config, credentials).await?.url)
}

/// A server that the line names.
struct NamedServer {
    url: String,
    /// The issuer that its connector names.
    issuer: Option<String>,
    /// The facts for a sign-in, if a manifest describes its connector.
    manifest: Option<ManifestSignIn>,
}

/// Returns the server that a word on the line means.
async fn server(word: &str, config: Option<&Path>, credentials: &Credentials) -> Outcome<NamedServer> {
    let words = [word.to_owned()];
    match target::split(&words, &[])?.0 {
        Target::Url(url) => Ok(NamedServer { url: url.to_owned(), issuer: None, manifest: None }),
        Target::Connector(name) => {
            let config = read_all(config, credentials).await?;
            let url = config.remote(name)?.ok_or_else(|| target::no_connector(name, &config))?;
            Ok(NamedServer { url, issuer: config.issuer(name), manifest: config.manifest_sign_in(name) })
        }
        Target::Command(_) => Err(Failure::usage("a command needs no sign-in: name a URL or a connector")),
    }
}

/// Returns the client that the line names.
async fn client(args: &LoginArgs) -> Outcome<Option<PreregisteredClient>> {
    let Some(id) = args.client_id.clone() else { return Ok(None) };
    let secret = match args.client_secret {
        true => Some(secret(CLIENT_SECRET, "Client secret").await?),
        false => None,
    };
    Ok(Some(PreregisteredClient { id, secret }))
}

/// Returns the token source that the line names; `None` for the sign-in page of the server.
async fn token_source(
    args: &LoginArgs,
    client: Option<&PreregisteredClient>,
) -> Outcome<Option<TokenSource>> {
    let Some(client) = client.cloned() else { return Ok(None) };
    let (Some(issuer), Some(id)) = (args.sso.clone(), args.sso_client_id.clone()) else {
        return Ok(args.program.then_some(TokenSource::ClientCredentials(client)));
    };
    let secret = match args.sso_client_secret {
        true => Some(secret(SSO_SECRET, "Client secret at the identity provider").await?),
        false => None,
    };
    Ok(Some(TokenSource::EnterpriseManaged {
        issuer,
        provider_client: PreregisteredClient { id, secret },
        server_client: client,
    }))
}

/// Reads a secret from a variable or from the terminal. It is no argument, because all users of the machine can see those.
async fn secret(variable: &str, prompt: &'static str) -> Outcome<Secret> {
    let given = std::env::var(variable).ok();
    let given = match given.filter(|secret| !secret.is_empty()) {
        Some(given) => Some(given),
        None => match tokio::task::spawn_blocking(move || typed_secret(prompt)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => return Err(cancelled()),
            typed => typed.ok().and_then(Result::ok),
        },
    };
    let secret = given.map(|given| Secret::new(given.trim())).filter(|secret| !secret.expose().is_empty());
    let none = || {
        Failure::usage("no client secret was given")
            .hint(format!("set {variable}, or enter the secret when the command asks for it"))
    };
    secret.ok_or_else(none)
}

fn typed_secret(prompt: &str) -> std::io::Result<String> {
    match std::io::stdin().is_terminal() {
        true => rpassword::prompt_password(format!("{prompt}: ")),
        false => Ok(pasted().unwrap_or_default()),
    }
}

fn cancelled() -> Failure {
    out::note(format!("{WARN}cancelled{WARN:#}"));
    Failure::silent(Code::Cancelled)
}

async fn login(args: &LoginArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let target = &args.at.target;
    let NamedServer { url, issuer, manifest } = server(target, config, credentials).await?;
    let client = client(args).await?;
    let source = token_source(args, client.as_ref()).await?;
    let scopes = args.scope.iter().flat_map(|scope| scope.split_whitespace()).collect();
    let usual_scopes = manifest.as_ref().map(|manifest| manifest.scopes.clone()).unwrap_or_default();
    let issuer = args.issuer.clone().or(issuer);
    let (resource, register_at) =
        manifest.as_ref().map(|one| (one.resource.clone(), one.register_at.clone())).unwrap_or_default();
    let options = SignInOptions { client, source, issuer, resource, register_at, scopes, usual_scopes };
    let wrong = |error| {
        let is_unlisted = matches!(error, AuthError::Registration(_));
        let alternative = manifest.as_ref().filter(|_| is_unlisted).map(|manifest| &manifest.alternative[..]);
        for sentence in alternative.unwrap_or_default() {
            out::note(format!("{WARN}{}{WARN:#}", one_line(sentence)));
        }
        Failure::authorization(error, target)
    };
    if let Some(why) = credentials.unreadable(&url).await.map_err(wrong)? {
        out::note(format!("{WARN}{}; the new sign-in replaces it{WARN:#}", one_line(&why)));
    }
    let is_shown = Arc::new(AtomicBool::new(false));
    let browser = browser(args.no_browser, &is_shown).port(args.callback_port.unwrap_or_default());
    let report = Box::pin(credentials.sign_in(&url, options, browser)).await;
    goodbye(&is_shown).await;
    let report = report.map_err(wrong)?.redacted(credentials.redactor());
    show(args.at.format, &report, &report.to_text())
}

/// Waits until the browser has the last page, because the task that sends it ends with the program. If no page was shown, does
/// not wait: the tasks that are left are those of open connections.
pub(super) async fn goodbye(is_shown: &AtomicBool) {
    if !is_shown.load(Ordering::SeqCst) {
        return;
    }
    let tasks = tokio::runtime::Handle::current().metrics();
    let over = async {
        while tasks.num_alive_tasks() > 0 {
            tokio::time::sleep(GOODBYE_POLL).await;
        }
    };
    // A browser that does not read must not hold up the command.
    let _ = tokio::time::timeout(GOODBYE, over).await;
}

async fn all(credentials: &Credentials, format: FormatArgs) -> Outcome {
    let reports = credentials.reports().await.map_err(|error| Failure::authorization(error, "TARGET"))?;
    if reports.is_empty() && format.is_human() {
        out::note("you have signed in to no server");
    }
    let text = reports.iter().map(CredentialReport::to_text).collect();
    show(format, &serde_json::json!({ "servers": reports }), &text)?;
    match reports.iter().all(|report| report.state.is_well()) {
        true => Ok(()),
        false => Err(Failure::silent(Code::Connect)),
    }
}

/// Returns the browser of the user, on this machine or on another. `is_shown` becomes true when it shows a page.
pub(super) fn browser(no_browser: bool, is_shown: &Arc<AtomicBool>) -> LoopbackUserAgent {
    // If stdin is no terminal, it belongs to another program.
    let reads = no_browser || std::io::stdin().is_terminal();
    let is_shown = is_shown.clone();
    let show = move |page: &url::Url| {
        // The server chose this page, and a desktop opens other programs for other schemes.
        if !matches!(page.scheme(), "https" | "http") {
            out::note(format!("{BAD}the sign-in page has no http or https address: {page}{BAD:#}"));
            return Err("it has no http or https address".to_owned());
        }
        is_shown.store(true, Ordering::SeqCst);
        let opened = !no_browser && open::that_detached(page.as_str()).is_ok();
        let how = if opened { "Sign in in your browser. If no browser opens, open" } else { "Open" };
        out::note(format!("{how} this page:\n  {NAME}{page}{NAME:#}"));
        if reads {
            out::note(format!(
                "{DIM}If the browser is on another machine, it ends at an address that it cannot open: paste that address here.{DIM:#}"
            ));
        }
        Ok(())
    };
    LoopbackUserAgent::new(show).paste(move |wrong| async move {
        if let Some(wrong) = wrong {
            out::note(format!("{WARN}{}{WARN:#}", one_line(&wrong)));
        }
        tokio::task::spawn_blocking(move || reads.then(pasted).flatten()).await.ok().flatten()
    })
}

/// Returns the first line of stdin that is not blank.
pub(super) fn pasted() -> Option<String> {
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
