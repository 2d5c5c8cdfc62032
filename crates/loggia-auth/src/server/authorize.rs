//! The authorization endpoint: what a client asks for is checked, the person signs in, is asked, and is sent
//! back with a code, or with the reason why not.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use loggia::transport::http::Body;
use serde::{Deserialize, Serialize};
use url::Url;

use super::clients::{Client, Refused};
use super::family::Families;
use super::http::{OAuthError, Params, comes_from, redirect};
use super::records::Records;
use super::{Shared, pages, redirect_uri};
use crate::error::AuthError;
use crate::jose::{random, sha256};

/// How long a person may take to sign in and to decide.
pub(super) const DECIDES: Duration = Duration::from_secs(15 * 60);
/// How long a code counts. Its record stays longer, so that a code that comes back is known for what it is.
const CODE: Duration = Duration::from_secs(60);
const CODE_KEPT: Duration = Duration::from_secs(60 * 60);
/// How long a person's decision is remembered.
const CONSENT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Most requests that wait for people.
pub(super) const MOST_WAITING: usize = 10_000;
/// Longest `state`.
const MOST_STATE: usize = 4096;

/// What a client asks for, once it has been checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) challenge: String,
    pub(super) resource: String,
    pub(super) scopes: Vec<String>,
    pub(super) key: Option<String>,
    /// Nobody must be asked; or the person must be, whatever was decided before (`prompt` of OpenID Connect).
    pub(super) quiet: bool,
    pub(super) anew: bool,
    /// The session whose page asks, and what only that page knows.
    asked: Option<(String, String)>,
}

/// What a code stands for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Code {
    Fresh { request: Box<Request>, subject: String, seed: String, until: u64 },
    Used { family: String },
}

/// Somebody who signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) subject: String,
    pub(super) name: String,
}

/// A refusal of the authorization endpoint: told to the client, where it is known where that is.
enum Refusal {
    Page(String),
    Answer(Box<Client>, String, Option<String>, OAuthError),
    Failed(AuthError),
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Refusal {
        Refusal::Failed(error)
    }
}

pub(super) fn failed(error: &AuthError) -> Response<Body> {
    tracing::error!(%error, "the authorization server failed");
    pages::failed(error)
}

impl Shared {
    /// `GET authorize`: checks the request and keeps it while the person signs in.
    pub(super) async fn authorize(&self, query: &str, parts: &Parts) -> Response<Body> {
        match self.begin(query, self.rates.address(parts)).await {
            Ok(id) => self.go_on(&id, parts).await,
            Err(Refusal::Failed(error)) => failed(&error),
            Err(Refusal::Page(why)) => pages::problem(StatusCode::BAD_REQUEST, "This cannot be done", &why),
            Err(Refusal::Answer(client, uri, state, error)) => {
                self.send_back(&client, &uri, state.as_deref(), &error)
            }
        }
    }

    /// Tells a client of an error that no person has seen. Whoever registered an address could use us to send people
    /// there, without them seeing us: so where nobody vouched for it, they do.
    fn send_back(
        &self,
        client: &Client,
        uri: &str,
        state: Option<&str>,
        error: &OAuthError,
    ) -> Response<Body> {
        let back = self.answer_with_error(uri, state, error);
        let local = Url::parse(uri).is_ok_and(|uri| redirect_uri::is_local(&uri));
        match client.is_trusted() || local {
            true => redirect(&back),
            false => pages::way_back(&error.description, &redirect_uri::shown(uri), &back),
        }
    }

    async fn begin(&self, query: &str, source: Option<IpAddr>) -> Result<String, Refusal> {
        let params = Params::parse(query.as_bytes()).map_err(|error| Refusal::Page(error.to_string()))?;
        let (client, uri) = self.destination(&params).await?;
        let state = params.get("state").map(str::to_owned);
        let checked = self.check(&params, &client, &uri);
        let refused = |error| Refusal::Answer(Box::new(client.clone()), uri.clone(), state.clone(), error);
        let request = checked.map_err(refused)?;
        let (id, now) = (random(24), self.now());
        if self.requests.add(&id, &request, source, (now, now + DECIDES)).await? {
            return Ok(id);
        }
        Err(refused(OAuthError::new("temporarily_unavailable", "Too many people are signing in at once")))
    }

    /// Who asks, and where the answer goes. As long as that is not certain, nobody is sent anywhere.
    async fn destination(&self, params: &Params) -> Result<(Client, String), Refusal> {
        let page = |why: &str| Refusal::Page(why.to_owned());
        let id = params
            .get("client_id")
            .ok_or_else(|| page("The program that sent you here did not say which it is (client_id)."))?;
        let client = match self.clients.find(id, self.now()).await? {
            Ok(client) => client,
            Err(Refused(_, why)) => return Err(Refusal::Page(why)),
        };
        let uri = params.get("redirect_uri").ok_or_else(|| {
            page("The program that sent you here did not say where to send you afterwards (redirect_uri).")
        })?;
        // A registration can be older than the rule.
        let is_allowed = client.is_trusted() || redirect_uri::check(uri).is_ok();
        match is_allowed && redirect_uri::is_registered(&client.redirect_uris, uri) {
            true => Ok((client, uri.to_owned())),
            false => Err(page(
                "The program that sent you here wants you sent to an address that it has not registered (redirect_uri).",
            )),
        }
    }

    fn check(&self, params: &Params, client: &Client, uri: &str) -> Result<Request, OAuthError> {
        let invalid = |why: &str| Err(OAuthError::new("invalid_request", why));
        if params.get("request").is_some() || params.get("request_uri").is_some() {
            return Err(OAuthError::new("request_not_supported", "Send the parameters themselves"));
        }
        if params.need("response_type")? != "code" {
            return Err(OAuthError::new("unsupported_response_type", "The only response_type is code"));
        }
        if !client.may("authorization_code") {
            return Err(OAuthError::new("unauthorized_client", "The client did not register for this grant"));
        }
        if params.get("response_mode").is_some_and(|mode| mode != "query") {
            return invalid("The only response_mode is query");
        }
        if params.get("state").is_some_and(|state| state.len() > MOST_STATE) {
            return invalid("The state is too long");
        }
        let challenge = params.need("code_challenge")?;
        if params.get("code_challenge_method") != Some("S256") {
            return invalid("PKCE is required, with the code_challenge_method S256");
        }
        if challenge.len() != 43 || crate::jose::decode(challenge).is_err() {
            return invalid("The code_challenge is not the S256 of anything");
        }
        let key = params.get("dpop_jkt");
        if key.is_some_and(|key| key.len() != 43) {
            return invalid("The dpop_jkt is not a thumbprint");
        }
        let (resource, offered) = self.resource(params)?;
        let scopes = self.scopes(params.get("scope"), offered)?;
        Ok(Request {
            client: client.id.clone(),
            redirect_uri: uri.to_owned(),
            state: params.get("state").map(str::to_owned),
            challenge: challenge.to_owned(),
            resource,
            scopes,
            key: key.map(str::to_owned),
            quiet: prompts(params, "none"),
            anew: prompts(params, "consent"),
            asked: None,
        })
    }

    /// The resource that a token is to be for (RFC 8707), and the scopes it knows.
    pub(super) fn resource(&self, params: &Params) -> Result<(String, &[String]), OAuthError> {
        let target = |why: &str| Err(OAuthError::new("invalid_target", why));
        let known = match params.resources() {
            [] => self.resources.first(),
            [one] => self.resources.iter().find(|known| known.is(one)),
            _ => return target("A token is for one resource"),
        };
        match known {
            Some(known) => Ok((known.identifier.clone(), &known.scopes)),
            None => target("This authorization server issues no tokens for that resource"),
        }
    }

    /// The scopes to be granted: those asked for that the resource knows, or its usual ones. What is not
    /// known is left out, and the answer says what is in.
    fn scopes(&self, asked: Option<&str>, offered: &[String]) -> Result<Vec<String>, OAuthError> {
        let Some(asked) = asked else { return Ok(offered.to_vec()) };
        let mut scopes: Vec<String> = Vec::new();
        for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
            let known = scope == "offline_access" || offered.iter().any(|offered| offered == scope);
            if known && !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        match scopes.is_empty() && !offered.is_empty() {
            true => Err(OAuthError::new("invalid_scope", "None of these scopes is known here")),
            false => Ok(scopes),
        }
    }

    /// `GET continue`: whatever comes next for a request that waits.
    pub(super) async fn go_on(&self, id: &str, parts: &Parts) -> Response<Body> {
        self.try_go_on(id, parts).await.unwrap_or_else(|error| failed(&error))
    }

    async fn try_go_on(&self, id: &str, parts: &Parts) -> Result<Response<Body>, AuthError> {
        let name = Records::named("request", id);
        let Some(found) = self.records.get::<Request>(&name).await? else {
            return Ok(self.go_on_visiting(id, parts).await?.unwrap_or_else(too_late));
        };
        let mut request = found.value;
        let session = self.session(&parts.headers).await?;
        if session.is_none() && !request.quiet {
            return Ok(self.sign_in_page(id, parts).await);
        }
        let client = match self.clients.find(&request.client, self.now()).await? {
            Ok(client) if redirect_uri::is_registered(&client.redirect_uris, &request.redirect_uri) => client,
            Ok(_) => return Ok(changed()),
            Err(Refused(_, why)) => {
                return Ok(pages::problem(StatusCode::BAD_REQUEST, "This cannot be done", &why));
            }
        };
        let Some((session_name, session)) = session else {
            return self.refuse_quietly(&name, &client, &request, "login_required").await;
        };
        if !request.anew && self.has_agreed(&session.subject, &client, &request).await? {
            return self.allow(&name, &client, &session.subject).await;
        }
        if request.quiet {
            return self.refuse_quietly(&name, &client, &request, "consent_required").await;
        }
        let ticket = random(24);
        request.asked = Some((session_name, sha256(&ticket)));
        self.records.replace(&name, &request, found.revision, Some(self.now() + DECIDES)).await?;
        Ok(self.ask(id, &ticket, &client, &request, &session))
    }

    fn ask(
        &self,
        id: &str,
        ticket: &str,
        client: &Client,
        request: &Request,
        session: &Session,
    ) -> Response<Body> {
        pages::consent(&pages::Asking {
            action: &self.path("consent"),
            request: id,
            ticket,
            client: &client.name,
            vouched: client.vouched().as_deref(),
            redirect_host: &redirect_uri::shown(&request.redirect_uri),
            is_local: redirect_uri::opens_program(&request.redirect_uri),
            resource: &request.resource,
            scopes: &request.scopes,
            person: &session.name,
            sends_to: &redirect_uri::source(&request.redirect_uri),
        })
    }

    /// `POST consent`: the person decided.
    pub(super) async fn decide(&self, params: &Params, headers: &HeaderMap) -> Response<Body> {
        self.try_decide(params, headers).await.unwrap_or_else(|error| failed(&error))
    }

    async fn try_decide(&self, params: &Params, headers: &HeaderMap) -> Result<Response<Body>, AuthError> {
        let elsewhere = || {
            pages::problem(
                StatusCode::FORBIDDEN,
                "This cannot be done",
                "The form did not come from the page that was shown to you.",
            )
        };
        if !comes_from(headers, &self.origin) {
            return Ok(elsewhere());
        }
        let (Some(id), Some(ticket)) = (params.get("request"), params.get("ticket")) else {
            return Ok(elsewhere());
        };
        let name = Records::named("request", id);
        let Some(found) = self.records.get::<Request>(&name).await? else { return Ok(too_late()) };
        let request = found.value;
        let Some((session_name, session)) = self.session(headers).await? else { return Ok(elsewhere()) };
        if request.asked != Some((session_name, sha256(ticket))) {
            return Ok(elsewhere());
        }
        if params.get("decision") != Some("allow") {
            self.take_request(&name).await?;
            let error = OAuthError::new("access_denied", "The person did not allow it");
            return Ok(redirect(&self.answer_with_error(
                &request.redirect_uri,
                request.state.as_deref(),
                &error,
            )));
        }
        let client = match self.clients.find(&request.client, self.now()).await? {
            Ok(client) if redirect_uri::is_registered(&client.redirect_uris, &request.redirect_uri) => client,
            _ => return Ok(changed()),
        };
        self.agree(&session.subject, &client, &request).await?;
        self.allow(&name, &client, &session.subject).await
    }

    /// Sends the person back with a code. The request is used up.
    async fn allow(&self, name: &str, client: &Client, subject: &str) -> Result<Response<Body>, AuthError> {
        let Some(request) = self.take_request(name).await? else { return Ok(too_late()) };
        self.clients.used(client, self.now()).await?;
        let (uri, state) = (request.redirect_uri.clone(), request.state.clone());
        let code = random(32);
        let until = crate::clock::seconds(self.now() + CODE);
        let record = Code::Fresh {
            request: Box::new(request),
            subject: subject.to_owned(),
            seed: Families::seed(),
            until,
        };
        self.records.add(&Records::named("code", &code), &record, Some(self.now() + CODE_KEPT)).await?;
        let mut answer = vec![("code", code.as_str())];
        answer.extend(state.as_deref().map(|state| ("state", state)));
        answer.push(("iss", &self.issuer));
        Ok(redirect(&redirect_uri::with_answer(&uri, &answer)))
    }

    /// Takes a request that was decided out of the store.
    async fn take_request(&self, name: &str) -> Result<Option<Request>, AuthError> {
        self.requests.finish(name).await?;
        self.records.take::<Request>(name).await
    }

    async fn refuse_quietly(
        &self,
        name: &str,
        client: &Client,
        request: &Request,
        code: &'static str,
    ) -> Result<Response<Body>, AuthError> {
        self.take_request(name).await?;
        let error = OAuthError::new(code, "The person has to be asked");
        Ok(self.send_back(client, &request.redirect_uri, request.state.as_deref(), &error))
    }

    /// RFC 6749, section 4.1.2.1, with the issuer as RFC 9207 has it.
    fn answer_with_error(&self, uri: &str, state: Option<&str>, error: &OAuthError) -> String {
        let mut answer = vec![("error", error.code), ("error_description", error.description.as_str())];
        answer.extend(state.filter(|state| state.len() <= MOST_STATE).map(|state| ("state", state)));
        answer.push(("iss", &self.issuer));
        redirect_uri::with_answer(uri, &answer)
    }

    /// What a person agreed to: this client, as it is now, and this destination. A program on the person's
    /// own machine can be any program, so for one of those nothing is remembered.
    fn agreement(subject: &str, client: &Client, request: &Request) -> Option<(String, String)> {
        let uri = Url::parse(&request.redirect_uri).ok().filter(|uri| uri.scheme() == "https")?;
        let name =
            Records::named("consent", &format!("{subject}\n{}\n{uri}\n{}", client.id, request.resource));
        Some((name, sha256(serde_json::to_string(client).ok()?)))
    }

    async fn has_agreed(&self, subject: &str, client: &Client, request: &Request) -> Result<bool, AuthError> {
        let Some((name, digest)) = Shared::agreement(subject, client, request) else { return Ok(false) };
        let Some(found) = self.records.get::<(String, Vec<String>)>(&name).await? else { return Ok(false) };
        let (agreed, scopes) = found.value;
        Ok(agreed == digest && request.scopes.iter().all(|scope| scopes.contains(scope)))
    }

    async fn agree(&self, subject: &str, client: &Client, request: &Request) -> Result<(), AuthError> {
        let Some((name, digest)) = Shared::agreement(subject, client, request) else { return Ok(()) };
        let until = Some(self.now() + CONSENT);
        let agreed = (digest, request.scopes.clone());
        match self.records.get::<(String, Vec<String>)>(&name).await? {
            Some(found) => self.records.replace(&name, &agreed, found.revision, until).await?,
            None => self.records.add(&name, &agreed, until).await?,
        };
        Ok(())
    }

    /// Who is signed in, and the name of the session's record.
    pub(super) async fn session(&self, headers: &HeaderMap) -> Result<Option<(String, Session)>, AuthError> {
        let Some(cookie) = self.cookies.get(headers, "session") else { return Ok(None) };
        let name = Records::named("session", cookie);
        Ok(self.records.get::<Session>(&name).await?.map(|found| (name, found.value)))
    }

    /// Begins a session: a new one at every sign-in.
    pub(super) async fn signed_in(
        &self,
        session: &Session,
        response: &mut Response<Body>,
    ) -> Result<(), AuthError> {
        let cookie = random(32);
        let until: SystemTime = self.now() + self.session_life;
        self.records.add(&Records::named("session", &cookie), session, Some(until)).await?;
        self.cookies.set(response, "session", &cookie, self.session_life);
        Ok(())
    }
}

pub(super) fn too_late() -> Response<Body> {
    pages::problem(
        StatusCode::BAD_REQUEST,
        "This took too long",
        "The sign-in has ended, or was finished in another window. Begin again in the program you came from.",
    )
}

fn changed() -> Response<Body> {
    pages::problem(
        StatusCode::BAD_REQUEST,
        "This cannot be done",
        "The program that sent you here has changed what it says of itself. Begin again there.",
    )
}

fn prompts(params: &Params, how: &str) -> bool {
    params.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|prompt| prompt == how))
}
