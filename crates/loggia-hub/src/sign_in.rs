//! Calls of users who have to sign in first. A client that can open pages is asked to open the sign-in page, and the
//! call goes on after the sign-in; any other client gets the URL. The page is served by the gateway, which checks
//! there which user opens it.

use loggia::edge::capability;
use loggia::exchange::Exchange;
use loggia::model::{
    CallToolResult, ElicitAction, ElicitParams, ElicitResult, ElicitUrlParams, InputRequest, InputRequests,
    InputRequired, ServerResult, UrlMode,
};
use loggia::service::{Reply, Request};
use loggia::{Error, edge};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::connector_handle::ConnectorHandle;
use crate::hub::{Refusal, Shared, refusal};
use crate::user_connections::{NoConnection, UserConnectionGuard, UserConnections};
use loggia::wire::RawObject;

/// The key of the question in the rounds of a call.
const KEY: &str = "loggia-sign-in";
/// The pause between two looks for a sign-in at another replica.
const LOOK: std::time::Duration = std::time::Duration::from_secs(3);

/// Why there is no connection yet.
enum NotYet {
    /// The client has to ask its person.
    Ask(Box<InputRequired>),
    /// In words.
    Refused(String),
}

impl From<NotYet> for Result<Reply, Refusal> {
    fn from(not_yet: NotYet) -> Result<Reply, Refusal> {
        match not_yet {
            NotYet::Ask(input) => Ok(Reply::from(ServerResult::from(*input))),
            NotYet::Refused(why) => Err(Refusal::Unavailable(why)),
        }
    }
}

impl Shared {
    /// Sends a request over the connection of whoever makes it.
    pub(crate) async fn relay_own(
        &self,
        handle: &ConnectorHandle,
        own: &UserConnections,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let person = person(own, handle, &request)?;
        let (request, answer) = without_answer(request);
        // Subscribed before the call, so that a sign-in that finishes while it runs counts.
        let heard = match answer {
            Some(ElicitAction::Accept) => own.hear(&person, self.limits.own_links).ok(),
            _ => None,
        };
        let in_use = match self.connect_or_ask(handle, own, &person, answer, &request, &exchange).await {
            Ok(in_use) => in_use,
            Err(not_yet) => return not_yet.into(),
        };
        match in_use.link.call(request.clone(), exchange.clone()).await {
            Ok(outcome) => outcome.map_err(Refusal::Rpc),
            // The upstream accepted the credential until now.
            Err(Error::Unauthorized(_)) => {
                own.leave(&person).await;
                match heard {
                    None => self.ask(handle, own, &person, &request, &exchange).await.into(),
                    Some(heard) => self.once_more(handle, own, &person, heard, request, exchange).await,
                }
            }
            Err(error) => {
                in_use.suspect();
                Err(refusal(handle, error))
            }
        }
    }

    /// Repeats a call whose credential was refused after the user agreed to sign in: waits until they have signed in,
    /// then tries once more.
    async fn once_more(
        &self,
        handle: &ConnectorHandle,
        own: &UserConnections,
        person: &str,
        mut heard: watch::Receiver<()>,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        if !matches!(tokio::time::timeout(self.limits.sign_in_wait, heard.changed()).await, Ok(Ok(()))) {
            return NotYet::Refused(unfinished(&handle.connector.name)).into();
        }
        let in_use = match own.link(self, handle, person).await {
            Ok(in_use) => in_use,
            Err(NoConnection::Unavailable(why)) => return Err(Refusal::Unavailable(why)),
            Err(NoConnection::SignIn) => return told(handle, own, person).await.into(),
        };
        match in_use.link.call(request, exchange).await {
            Ok(outcome) => outcome.map_err(Refusal::Rpc),
            Err(Error::Unauthorized(_)) => told(handle, own, person).await.into(),
            Err(error) => Err(refusal(handle, error)),
        }
    }

    /// Handles the sign-in tool, which the hub offers until the user has signed in.
    pub(crate) async fn sign_in(
        &self,
        handle: &ConnectorHandle,
        own: &UserConnections,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let person = person(own, handle, &request)?;
        let (request, answer) = without_answer(request);
        match self.connect_or_ask(handle, own, &person, answer, &request, &exchange).await {
            Ok(_) => {
                let text = format!("You are signed in to {:?}.", handle.connector.name);
                Ok(Reply::from(ServerResult::from(CallToolResult::text(text))))
            }
            Err(not_yet) => not_yet.into(),
        }
    }

    /// Returns the connection of a user. Asks a user without one to sign in, and waits if they accept.
    async fn connect_or_ask(
        &self,
        handle: &ConnectorHandle,
        own: &UserConnections,
        person: &str,
        answer: Option<ElicitAction>,
        request: &Request,
        exchange: &Exchange,
    ) -> Result<UserConnectionGuard, NotYet> {
        match (own.link(self, handle, person).await, answer) {
            (Ok(in_use), _) => Ok(in_use),
            (Err(NoConnection::Unavailable(why)), _) => Err(NotYet::Refused(why)),
            (Err(NoConnection::SignIn), None) => Err(self.ask(handle, own, person, request, exchange).await),
            (Err(NoConnection::SignIn), Some(ElicitAction::Accept)) => self.wait(handle, own, person).await,
            // The client may have declined without asking; the user may read the message later.
            (Err(NoConnection::SignIn), Some(_)) => Err(told(handle, own, person).await),
        }
    }

    /// Waits until the person has signed in, here or at another replica.
    async fn wait(
        &self,
        handle: &ConnectorHandle,
        own: &UserConnections,
        person: &str,
    ) -> Result<UserConnectionGuard, NotYet> {
        let deadline = Instant::now() + self.limits.sign_in_wait;
        let name = &handle.connector.name;
        let mut heard = own.hear(person, self.limits.own_links).map_err(|_| too_many(name))?;
        while Instant::now() < deadline {
            let next = deadline.min(Instant::now() + LOOK);
            // Nobody signing in for a while is an answer too.
            let _ = tokio::time::timeout_at(next, heard.changed()).await;
            match own.link(self, handle, person).await {
                Ok(in_use) => return Ok(in_use),
                Err(NoConnection::SignIn) => {}
                Err(NoConnection::Unavailable(why)) => return Err(NotYet::Refused(why)),
            }
        }
        Err(NotYet::Refused(unfinished(name)))
    }

    async fn ask(
        &self,
        handle: &ConnectorHandle,
        own: &UserConnections,
        person: &str,
        request: &Request,
        exchange: &Exchange,
    ) -> NotYet {
        let url = match sign_in_url(handle, own, person).await {
            Ok(url) => url,
            Err(not_yet) => return not_yet,
        };
        let question = question(&handle.connector.name, &url);
        let meta = &request.meta;
        let can = capability::check(&question, meta.version, &meta.client_capabilities).is_ok()
            && request.method.may_require_input()
            && (meta.version.is_modern() || exchange.live().is_some());
        match can {
            true => NotYet::Ask(Box::new(InputRequired {
                input_requests: Some(InputRequests::from([(KEY.to_owned(), question)])),
                ..InputRequired::default()
            })),
            false => NotYet::Refused(where_to(&handle.connector.name, &url)),
        }
    }
}

async fn told(handle: &ConnectorHandle, own: &UserConnections, person: &str) -> NotYet {
    match sign_in_url(handle, own, person).await {
        Ok(url) => NotYet::Refused(where_to(&handle.connector.name, &url)),
        Err(not_yet) => not_yet,
    }
}

async fn sign_in_url(
    handle: &ConnectorHandle,
    own: &UserConnections,
    person: &str,
) -> Result<String, NotYet> {
    let name = &handle.connector.name;
    own.people.sign_in_url(person).await.map_err(|error| {
        let reference = edge::correlation_id();
        tracing::warn!(connector = name, %error, reference, "nobody can be invited to sign in");
        NotYet::Refused(format!(
            "You have to sign in to {name:?}, and that is not possible now (reference {reference} in Loggia's log)."
        ))
    })
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

fn too_many(name: &str) -> NotYet {
    NotYet::Refused(format!("Too many people use {name:?} at once. Try again later."))
}

/// Returns the user who makes a request.
fn person(own: &UserConnections, handle: &ConnectorHandle, request: &Request) -> Result<String, Refusal> {
    let nobody = || {
        Refusal::Unavailable(format!(
            "Everybody signs in to {:?} for themselves, and it is not known who you are.",
            handle.connector.name
        ))
    };
    request.principal.as_deref().map(|principal| own.people.person(principal)).ok_or_else(nobody)
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

/// The request as the upstream is to see it, and what the person answered to our question, if this is the round
/// that brings the answer.
fn without_answer(request: Request) -> (Request, Option<ElicitAction>) {
    if request.params.routing().is_some_and(|routing| !routing.again) {
        return (request, None);
    }
    let answer = (|| {
        let responses = RawObject::of(&request.params).ok()?.value("inputResponses")?;
        let answer = RawObject::of(&responses).ok()?.value(KEY)?;
        // An answer that makes no sense is none that agrees.
        Some(answer.decode::<ElicitResult>().map_or(ElicitAction::Cancel, |result| result.action))
    })();
    if answer.is_none() {
        return (request, None);
    }
    let params =
        RawObject::of(&request.params).map(|params| params.rewrite(&[], &["inputResponses", "requestState"]));
    match params {
        Ok(params) => (Request { params: params.into(), ..request }, answer),
        Err(_) => (request, answer),
    }
}
