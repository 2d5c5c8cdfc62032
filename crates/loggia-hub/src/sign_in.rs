//! Calls of users who have to sign in first. A client that can open pages is asked to open the sign-in page, and the
//! call continues after the sign-in. Any other client gets the URL as text. The gateway serves the page, and checks
//! there which user opens it.

use loggia::exchange::Exchange;
use loggia::model::{
    CallToolResult, ElicitAction, ElicitParams, ElicitUrlParams, InputRequest, InputRequired, ServerResult,
    UrlMode,
};
use loggia::service::{Reply, Request};
use loggia::{Error, edge};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::connector_handle::ConnectorHandle;
use crate::hub_question::{ask, can_ask, take_answer};
use crate::limits::HubLimits;
use crate::refusal::Refusal;
use crate::unanswered::unanswered;
use crate::user_connections::{UserConnectionError, UserConnectionGuard, UserConnections};

/// The key of the question in the rounds of a call.
const KEY: &str = "loggia-sign-in";
/// The pause between two checks for a sign-in at another replica.
const LOOK: std::time::Duration = std::time::Duration::from_secs(3);

/// The answer to a request whose user has no connection yet.
enum SignInAnswer {
    /// The client has to ask its user.
    Ask(Box<InputRequired>),
    /// A text for the user.
    Refused(String),
}

impl From<SignInAnswer> for Result<Reply, Refusal> {
    fn from(answer: SignInAnswer) -> Result<Reply, Refusal> {
        match answer {
            SignInAnswer::Ask(input) => Ok(Reply::from(ServerResult::from(*input))),
            SignInAnswer::Refused(why) => Err(Refusal::Unavailable(why)),
        }
    }
}

/// One request of a user, to a connector that each user signs in to.
pub(crate) struct SignInFlow<'a> {
    limits: &'a HubLimits,
    handle: &'a ConnectorHandle,
    own: &'a UserConnections,
    user: String,
}

impl<'a> SignInFlow<'a> {
    /// Returns the flow for the user who makes `request`.
    pub(crate) fn of_request(
        limits: &'a HubLimits,
        handle: &'a ConnectorHandle,
        request: &Request,
    ) -> Result<SignInFlow<'a>, Refusal> {
        let unknown_user = || {
            Refusal::Unavailable(format!(
                "Everybody signs in to {:?} for themselves, and it is not known who you are.",
                handle.settings.name
            ))
        };
        let own = handle.own.as_deref().ok_or_else(unknown_user)?;
        let user = request.principal.as_deref().map(|principal| own.people.person(principal));
        Ok(SignInFlow { limits, handle, own, user: user.ok_or_else(unknown_user)? })
    }

    /// Sends the request over the connection of its user.
    pub(crate) async fn relay(&self, request: Request, exchange: Exchange) -> Result<Reply, Refusal> {
        let (request, answer) = take_answer(request, KEY);
        // This subscribes before the call, so that a sign-in during the call is not missed.
        let sign_ins = match answer {
            Some(ElicitAction::Accept) => self.sign_ins().ok(),
            _ => None,
        };
        let in_use = match self.connect_or_ask(answer, &request, &exchange).await {
            Ok(in_use) => in_use,
            Err(answer) => return answer.into(),
        };
        match in_use.link.call(request.clone(), exchange.clone()).await {
            Ok(outcome) => outcome.map_err(Refusal::Rpc),
            // The upstream accepted the credential before this request.
            Err(Error::Unauthorized(_)) => {
                self.own.leave(&self.user).await;
                match sign_ins {
                    None => self.ask(&request, &exchange).await.into(),
                    Some(sign_ins) => self.repeat(sign_ins, request, exchange).await,
                }
            }
            Err(error) => {
                in_use.suspect();
                Err(unanswered(self.handle, error))
            }
        }
    }

    /// Answers the sign-in tool, which the hub lists for each connector that users sign in to.
    pub(crate) async fn sign_in(&self, request: Request, exchange: Exchange) -> Result<Reply, Refusal> {
        let (request, answer) = take_answer(request, KEY);
        match self.connect_or_ask(answer, &request, &exchange).await {
            Ok(_) => {
                let text = format!("You are signed in to {:?}.", self.handle.settings.name);
                Ok(Reply::from(ServerResult::from(CallToolResult::text(text))))
            }
            Err(answer) => answer.into(),
        }
    }

    /// Repeats a call whose credential was refused, if the user agreed to sign in: waits until the user has signed
    /// in, then tries once more.
    async fn repeat(
        &self,
        mut sign_ins: watch::Receiver<()>,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let limit = self.limits.sign_in_wait;
        if !matches!(tokio::time::timeout(limit, sign_ins.changed()).await, Ok(Ok(()))) {
            return SignInAnswer::Refused(unfinished(&self.handle.settings.name)).into();
        }
        let in_use = match self.connect().await {
            Ok(in_use) => in_use,
            Err(UserConnectionError::Unavailable(why)) => return Err(Refusal::Unavailable(why)),
            Err(UserConnectionError::SignIn) => return self.refuse_with_url().await.into(),
        };
        match in_use.link.call(request, exchange).await {
            Ok(outcome) => outcome.map_err(Refusal::Rpc),
            Err(Error::Unauthorized(_)) => self.refuse_with_url().await.into(),
            Err(error) => Err(unanswered(self.handle, error)),
        }
    }

    async fn connect(&self) -> Result<UserConnectionGuard, UserConnectionError> {
        self.own.link(&self.user).await
    }

    fn sign_ins(&self) -> Result<watch::Receiver<()>, UserConnectionError> {
        self.own.sign_ins(&self.user, self.limits.user_connections)
    }

    /// Returns the connection of the user. If there is none, asks the user to sign in, and waits if the user accepts.
    async fn connect_or_ask(
        &self,
        answer: Option<ElicitAction>,
        request: &Request,
        exchange: &Exchange,
    ) -> Result<UserConnectionGuard, SignInAnswer> {
        match (self.connect().await, answer) {
            (Ok(in_use), _) => Ok(in_use),
            (Err(UserConnectionError::Unavailable(why)), _) => Err(SignInAnswer::Refused(why)),
            (Err(UserConnectionError::SignIn), None) => Err(self.ask(request, exchange).await),
            (Err(UserConnectionError::SignIn), Some(ElicitAction::Accept)) => self.wait().await,
            // The client may have declined without asking the user, who may read the message later.
            (Err(UserConnectionError::SignIn), Some(_)) => Err(self.refuse_with_url().await),
        }
    }

    /// Waits until the user has signed in, here or at another replica.
    async fn wait(&self) -> Result<UserConnectionGuard, SignInAnswer> {
        let deadline = Instant::now() + self.limits.sign_in_wait;
        let name = &self.handle.settings.name;
        let mut sign_ins = self.sign_ins().map_err(|_| too_many(name))?;
        while Instant::now() < deadline {
            let next = deadline.min(Instant::now() + LOOK);
            // The connection is also tried periodically without a notification.
            let _ = tokio::time::timeout_at(next, sign_ins.changed()).await;
            match self.connect().await {
                Ok(in_use) => return Ok(in_use),
                Err(UserConnectionError::SignIn) => {}
                Err(UserConnectionError::Unavailable(why)) => return Err(SignInAnswer::Refused(why)),
            }
        }
        Err(SignInAnswer::Refused(unfinished(name)))
    }

    async fn ask(&self, request: &Request, exchange: &Exchange) -> SignInAnswer {
        let url = match self.url().await {
            Ok(url) => url,
            Err(answer) => return answer,
        };
        let question = question(&self.handle.settings.name, &url);
        if can_ask(&question, request, exchange) {
            SignInAnswer::Ask(Box::new(ask(KEY, question)))
        } else {
            SignInAnswer::Refused(where_to(&self.handle.settings.name, &url))
        }
    }

    async fn refuse_with_url(&self) -> SignInAnswer {
        match self.url().await {
            Ok(url) => SignInAnswer::Refused(where_to(&self.handle.settings.name, &url)),
            Err(answer) => answer,
        }
    }

    /// Returns the URL at which the user signs in.
    async fn url(&self) -> Result<String, SignInAnswer> {
        let name = &self.handle.settings.name;
        self.own.people.sign_in_url(&self.user).await.map_err(|error| {
            let reference = edge::correlation_id();
            tracing::warn!(connector = name, %error, reference, "the sign-in URL cannot be made");
            SignInAnswer::Refused(format!(
                "You have to sign in to {name:?}, and that is not possible now (reference {reference} in Loggia's log)."
            ))
        })
    }
}

fn where_to(name: &str, url: &str) -> String {
    format!(
        "You have to sign in to {name:?} first: open {url} in your browser, sign in there, and then call this again. The \
         link is for you alone, and works once."
    )
}

fn unfinished(name: &str) -> String {
    format!("The sign-in to {name:?} is not finished yet. Once it is, call this again.")
}

fn too_many(name: &str) -> SignInAnswer {
    SignInAnswer::Refused(format!("Too many people use {name:?} at once. Try again later."))
}

fn question(name: &str, url: &str) -> InputRequest {
    InputRequest::Elicit(Box::new(ElicitParams::Url(ElicitUrlParams {
        mode: UrlMode::Url,
        message: format!("Sign in to {name}, so that Loggia can use it in your name."),
        url: url.to_owned(),
        elicitation_id: Some(edge::correlation_id()),
        meta: None,
        extra: Default::default(),
    })))
}
