//! The end of a command: the exit code for scripts, and the sentence for people.

use std::fmt;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use loggia_auth::error::AuthError;
use loggia_auth::restricted_http::FetchError;
use loggia_connect::clients::ClientError;
use loggia_connect::redact::Redactor;
use loggia_gateway::GatewayError;
use loggia_gateway::add::AddError;

use crate::text::indented;

/// Exit codes, as `loggia --help` documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The tool ran and reported an error.
    Tool = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The server cannot be reached, or asks for authorization.
    Connect = 3,
    /// The server answered with an error, or violated the protocol.
    Protocol = 4,
    /// No answer within the time limit.
    Timeout = 5,
    /// A later preflight may succeed.
    TryAgain = 10,
    /// A person must act before a preflight succeeds.
    PersonNeeded = 11,
    /// A preflight fails, and the remedy is not known.
    UnknownFault = 12,
    /// Cancelled by the user.
    Cancelled = 130,
}

/// Phrases by which servers, and Loggia, report that a valid credential lacks a scope.
const LACKS_SCOPE: [&str; 2] = ["insufficient_scope", "wants the scopes"];

/// The failure of a command.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    hint: Option<String>,
    /// True if a sign-in helps.
    sign_in: bool,
}

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with a message.
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Failure {
        Failure { code, message: message.to_string(), hint: None, sign_in: false }
    }

    /// Creates the failure of a wrong command line or file.
    pub(crate) fn usage(message: impl fmt::Display) -> Failure {
        Failure::new(Code::Usage, message)
    }

    /// Creates a failure that prints nothing, because the command has printed the reason already.
    pub(crate) fn silent(code: Code) -> Failure {
        Failure { code, message: String::new(), hint: None, sign_in: false }
    }

    /// Replaces the code `from` by `to`: an error has another meaning while a connection is being opened.
    pub(crate) fn context(mut self, from: Code, to: Code) -> Failure {
        if self.code == from {
            self.code = to;
        }
        self
    }

    /// Adds the next step.
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Failure {
        self.hint = Some(hint.to_string());
        self
    }

    /// Returns the failure of an authorization at `target`, with the next step where one helps.
    pub(crate) fn authorization(error: AuthError, target: &str) -> Failure {
        let code = match &error {
            AuthError::Configuration(_) | AuthError::Store(_) | AuthError::StoreUnavailable(_) => Code::Usage,
            AuthError::Discovery(_) | AuthError::AuthorizationResponse(_) => Code::Protocol,
            AuthError::Fetch(FetchError::TimedOut { .. }) => Code::Timeout,
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

    /// Names the server to sign in to, if a sign-in helps.
    pub(crate) fn at(self, target: Option<&String>) -> Failure {
        let Some(target) = target.filter(|_| self.sign_in) else { return self };
        // A valid credential without the scope would only be confirmed again.
        let lacks_scope = LACKS_SCOPE.iter().any(|words| self.message.contains(words));
        let scope = if lacks_scope { " --scope SCOPE" } else { "" };
        self.hint(format!(
            "sign in with `loggia auth login {target}{scope}`, or give a token with --header 'Authorization: Bearer …'"
        ))
    }

    /// Prints the failure on stderr and gives the code for the shell. It may quote a server or a file: `redactor` takes
    /// secrets out of it, and nothing in it reaches the terminal as a command or as a line of ours.
    pub(crate) fn report(&self, redactor: &Redactor) -> ExitCode {
        use std::io::Write;
        let shown = |text: &str| indented(&redactor.redact(text));
        let mut err = anstream::stderr().lock();
        let (red, dim) = (AnsiColor::Red.on_default().bold(), Style::new().dimmed());
        if !self.message.is_empty() {
            // If stderr itself is closed, no output is left for this error.
            let _ = writeln!(err, "{red}error{red:#}: {}", shown(&self.message));
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(err, "{dim}  hint: {}{dim:#}", shown(hint));
        }
        ExitCode::from(self.code as u8)
    }
}

impl From<loggia::Error> for Failure {
    fn from(error: loggia::Error) -> Failure {
        use loggia::Error;
        let code = match &error {
            Error::Rpc(_) | Error::Protocol(_) | Error::TooLarge(_) | Error::Unanswered(_) => Code::Protocol,
            Error::Timeout(_) => Code::Timeout,
            Error::Configuration(_) => Code::Usage,
            _ => Code::Connect,
        };
        let failure = match &error {
            Error::Rpc(error) => Failure::new(code, format!("the server answered with an error: {error}")),
            Error::Protocol(what) => Failure::new(code, format!("the server violated the protocol: {what}")),
            other => Failure::new(code, other),
        };
        match error {
            Error::Timeout(_) => failure.hint("--timeout sets a longer limit"),
            Error::Unauthorized(_) => Failure { sign_in: true, ..failure },
            _ => failure,
        }
    }
}

/// An error of the gateway, with the options of the command line as the next step where they are one.
impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Failure {
        let hint = match &error {
            GatewayError::NoPublicUrl(_) => Some(
                "--public-url https://HOST (or server.public_url) names it; --no-auth needs no sign-in"
                    .to_owned(),
            ),
            other => other.next_step(),
        };
        let failure = match error {
            GatewayError::Mcp(error) => error.into(),
            error => Failure::usage(error),
        };
        hint.into_iter().fold(failure, Failure::hint)
    }
}

/// An error of `loggia add`: the connector, the sign-in or the line is at fault.
impl From<AddError> for Failure {
    fn from(error: AddError) -> Failure {
        let hint = error.next_step();
        let failure = match error {
            AddError::Gateway(error) => error.into(),
            AddError::SignIn { url, error } => Failure::authorization(error, &url),
            AddError::SignInNeeded(_) | AddError::BrowserNeeded(_) | AddError::Unproven { .. } => {
                Failure::new(Code::Connect, error)
            }
            error => Failure::usage(error),
        };
        hint.into_iter().fold(failure, Failure::hint)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        error.next_step().into_iter().fold(Failure::usage(error), Failure::hint)
    }
}

/// A reader that goes away (`loggia tools … | head -1`) has seen enough: that is no failure.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::new(Code::Usage, error)
    }
}
