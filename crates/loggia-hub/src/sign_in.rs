//! A call of somebody who has to sign in first. Where the client can open a page for its person, it is asked to,
//! and the call goes on once they have been there; otherwise the answer says where to go. The page is our own:
//! who opens it is made sure of there.

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

use crate::hub::{Refusal, Shared, refusal};
use crate::own::{InUse, NoLink, Own};
use crate::slot::Slot;
use loggia::wire::Members;

/// What the question is called in the rounds of a call.
const KEY: &str = "loggia-sign-in";
/// How often another replica is asked whether the person signed in there.
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
        slot: &Slot,
        own: &Own,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let person = person(own, slot, &request)?;
        let (request, answer) = without_answer(request);
        // Heard of from now on: a sign-in that ends while the call runs counts.
        let heard = match answer {
            Some(ElicitAction::Accept) => own.hear(&person, self.limits.own_links).ok(),
            _ => None,
        };
        let in_use = match self.seated(slot, own, &person, answer, &request, &exchange).await {
            Ok(in_use) => in_use,
            Err(not_yet) => return not_yet.into(),
        };
        match in_use.link.call(request.clone(), exchange.clone()).await {
            Ok(outcome) => outcome.map_err(Refusal::Rpc),
            // The credential was good until now.
            Err(Error::Unauthorized(_)) => {
                own.leave(&person).await;
                match heard {
                    None => self.ask(slot, own, &person, &request, &exchange).await.into(),
                    Some(heard) => self.once_more(slot, own, &person, heard, request, exchange).await,
                }
            }
            Err(error) => {
                in_use.suspect();
                Err(refusal(slot, error))
            }
        }
    }

    /// A call of somebody who has agreed to sign in, and whose credential is as little use as before: waits until
    /// they have, and tries once more.
    async fn once_more(
        &self,
        slot: &Slot,
        own: &Own,
        person: &str,
        mut heard: watch::Receiver<()>,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        if !matches!(tokio::time::timeout(self.limits.sign_in_wait, heard.changed()).await, Ok(Ok(()))) {
            return NotYet::Refused(unfinished(&slot.connector.name)).into();
        }
        let in_use = match own.link(self, slot, person).await {
            Ok(in_use) => in_use,
            Err(NoLink::Unavailable(why)) => return Err(Refusal::Unavailable(why)),
            Err(NoLink::SignIn) => return told(slot, own, person).await.into(),
        };
        match in_use.link.call(request, exchange).await {
            Ok(outcome) => outcome.map_err(Refusal::Rpc),
            Err(Error::Unauthorized(_)) => told(slot, own, person).await.into(),
            Err(error) => Err(refusal(slot, error)),
        }
    }

    /// The tool of ours by which somebody signs in before anything else.
    pub(crate) async fn sign_in(
        &self,
        slot: &Slot,
        own: &Own,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let person = person(own, slot, &request)?;
        let (request, answer) = without_answer(request);
        match self.seated(slot, own, &person, answer, &request, &exchange).await {
            Ok(_) => {
                let text = format!("You are signed in to {:?}.", slot.connector.name);
                Ok(Reply::from(ServerResult::from(CallToolResult::text(text))))
            }
            Err(not_yet) => not_yet.into(),
        }
    }

    /// The connection of a person, who is asked to sign in, and waited for once they agreed to.
    async fn seated(
        &self,
        slot: &Slot,
        own: &Own,
        person: &str,
        answer: Option<ElicitAction>,
        request: &Request,
        exchange: &Exchange,
    ) -> Result<InUse, NotYet> {
        match (own.link(self, slot, person).await, answer) {
            (Ok(in_use), _) => Ok(in_use),
            (Err(NoLink::Unavailable(why)), _) => Err(NotYet::Refused(why)),
            (Err(NoLink::SignIn), None) => Err(self.ask(slot, own, person, request, exchange).await),
            (Err(NoLink::SignIn), Some(ElicitAction::Accept)) => self.wait(slot, own, person).await,
            // Maybe there was nobody to ask, and somebody reads this later.
            (Err(NoLink::SignIn), Some(_)) => Err(told(slot, own, person).await),
        }
    }

    /// Waits until the person has signed in, here or at another replica.
    async fn wait(&self, slot: &Slot, own: &Own, person: &str) -> Result<InUse, NotYet> {
        let deadline = Instant::now() + self.limits.sign_in_wait;
        let name = &slot.connector.name;
        let mut heard = own.hear(person, self.limits.own_links).map_err(|_| too_many(name))?;
        while Instant::now() < deadline {
            let next = deadline.min(Instant::now() + LOOK);
            // Nobody signing in for a while is an answer too.
            let _ = tokio::time::timeout_at(next, heard.changed()).await;
            match own.link(self, slot, person).await {
                Ok(in_use) => return Ok(in_use),
                Err(NoLink::SignIn) => {}
                Err(NoLink::Unavailable(why)) => return Err(NotYet::Refused(why)),
            }
        }
        Err(NotYet::Refused(unfinished(name)))
    }

    async fn ask(
        &self,
        slot: &Slot,
        own: &Own,
        person: &str,
        request: &Request,
        exchange: &Exchange,
    ) -> NotYet {
        let url = match invite(slot, own, person).await {
            Ok(url) => url,
            Err(not_yet) => return not_yet,
        };
        let question = question(&slot.connector.name, &url);
        let meta = &request.meta;
        let can = capability::check(&question, meta.version, &meta.client_capabilities).is_ok()
            && request.method.may_require_input()
            && (meta.version.is_stateless() || exchange.live().is_some());
        match can {
            true => NotYet::Ask(Box::new(InputRequired {
                input_requests: Some(InputRequests::from([(KEY.to_owned(), question)])),
                ..InputRequired::default()
            })),
            false => NotYet::Refused(where_to(&slot.connector.name, &url)),
        }
    }
}

async fn told(slot: &Slot, own: &Own, person: &str) -> NotYet {
    match invite(slot, own, person).await {
        Ok(url) => NotYet::Refused(where_to(&slot.connector.name, &url)),
        Err(not_yet) => not_yet,
    }
}

async fn invite(slot: &Slot, own: &Own, person: &str) -> Result<String, NotYet> {
    let name = &slot.connector.name;
    own.people.invite(person).await.map_err(|error| {
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

/// Who makes a request.
fn person(own: &Own, slot: &Slot, request: &Request) -> Result<String, Refusal> {
    let nobody = || {
        Refusal::Unavailable(format!(
            "Everybody signs in to {:?} for themselves, and it is not known who you are.",
            slot.connector.name
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
    let answer = (|| {
        let responses = Members::of(&request.params).ok()?.value("inputResponses")?;
        let answer = Members::of(&responses).ok()?.value(KEY)?;
        // An answer that makes no sense is none that agrees.
        Some(answer.decode::<ElicitResult>().map_or(ElicitAction::Cancel, |result| result.action))
    })();
    if answer.is_none() {
        return (request, None);
    }
    let params =
        Members::of(&request.params).map(|params| params.rewrite(&[], &["inputResponses", "requestState"]));
    match params {
        Ok(params) => (Request { params: params.into(), ..request }, answer),
        Err(_) => (request, answer),
    }
}
