//! One POST and what comes of it.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use loggia_wire::jsonrpc::Id;
use loggia_wire::{Message, Method, header};
use std::time::Duration;

use super::Remote;
use super::connect::with_sources;
use super::stream::{EventStream, Place, is_event_stream, media_type};
use crate::client::link::{self, Failure, Kind, LinkEvent, Outgoing};
use crate::error::{Error, Result};

/// How much of an error's body is read.
const ERROR_BODY: usize = 64 << 10;
/// How long the end of a session may take.
const DELETE: Duration = Duration::from_secs(2);

impl Remote {
    /// Sends a request and reports everything that comes back for it.
    pub(super) async fn exchange(&self, id: i64, method: &Method, outgoing: &Outgoing) {
        self.open_gate().await;
        if let Err(failure) = self.answer(id, method, outgoing).await {
            self.report(LinkEvent::Failed { id, failure }).await;
        }
    }

    async fn answer(&self, id: i64, method: &Method, outgoing: &Outgoing) -> Result<(), Failure> {
        let in_session = self.session().id.is_some();
        let response = self.post(outgoing).await?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND && in_session {
            return Err(Failure::SessionExpired);
        }
        if !status.is_success() {
            return self.refused(id, method, response).await;
        }
        if *method == Method::Initialize {
            self.session().id = response.headers().get(header::MCP_SESSION_ID).cloned();
        }
        if is_event_stream(response.headers()) {
            return self.streamed(id, outgoing, response).await;
        }
        if self.session().post_url.is_some() {
            // With HTTP+SSE the answer comes on the one stream.
            return Ok(());
        }
        self.whole(id, response).await
    }

    /// An answer that is one JSON text.
    async fn whole(&self, id: i64, response: Response<Incoming>) -> Result<(), Failure> {
        let status = response.status();
        let kind = media_type(response.headers()).unwrap_or("nothing").to_owned();
        let body = self.body(response, self.most_bytes).await.map_err(Failure::Error)?;
        if body.is_empty() {
            return Err(protocol(format!("the server answered a request with {status} and no body")));
        }
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(protocol(format!(
                "the server answered with {kind}; only application/json and text/event-stream are answers"
            )));
        }
        match self.report_text(body, Some(id)).await {
            true => Ok(()),
            false => Err(protocol("the body of the response does not hold the answer".to_owned())),
        }
    }

    /// An answer that comes event by event.
    async fn streamed(
        &self,
        id: i64,
        outgoing: &Outgoing,
        response: Response<Incoming>,
    ) -> Result<(), Failure> {
        let mut stream = EventStream::new(response, self.most_bytes);
        let mut place = Place::default();
        while let Some(event) = stream.next().await.map_err(Failure::Error)? {
            stream.note(&mut place);
            if self.report_event(event, Some(id)).await {
                return Ok(());
            }
        }
        stream.note(&mut place);
        if outgoing.version.is_stateless() || !place.is_known() {
            return Err(Failure::Ended);
        }
        drop(stream);
        self.resume(id, place).await.map_err(Failure::Error)
    }

    /// A refusal: a JSON-RPC error in the body is the answer, anything else a status.
    async fn refused(&self, id: i64, method: &Method, response: Response<Incoming>) -> Result<(), Failure> {
        let status = response.status();
        let body = self.body(response, ERROR_BODY).await.unwrap_or_default();
        let error = link::decode(&body).into_iter().find_map(|message| match message {
            Ok(Message::Response { id: answered, outcome: Err(error) })
                if answered.is_none() || answered == Some(Id::Number(id)) =>
            {
                Some(error)
            }
            _ => None,
        });
        match error {
            // Only a server of the stateless era answers like this: its word counts more than its status.
            Some(error) if error.code.is_modern() || *method != Method::Initialize => {
                let message = Message::Response { id: Some(Id::Number(id)), outcome: Err(error) };
                self.report(LinkEvent::Message { stream: Some(id), message }).await;
                Ok(())
            }
            Some(error) => {
                Err(Failure::Status { status: status.as_u16(), message: format!("{status}: {error}") })
            }
            None => {
                let said = String::from_utf8_lossy(&body);
                let said: String = said.trim().chars().take(200).collect();
                let message = format!("the server answered {status} {said}").trim_end().to_owned();
                Err(Failure::Status { status: status.as_u16(), message })
            }
        }
    }

    /// Sends a message that has no answer.
    pub(super) async fn post_quietly(&self, outgoing: &Outgoing) {
        let posted = tokio::time::timeout(self.connect_timeout, self.post(outgoing)).await;
        match posted.unwrap_or(Err(Failure::Ended)) {
            Ok(response) if response.status().is_success() => {}
            Ok(response) => {
                tracing::debug!(status = %response.status(), kind = ?outgoing.kind, "not accepted")
            }
            Err(_) => tracing::debug!(kind = ?outgoing.kind, "not sent"),
        }
    }

    async fn post(&self, outgoing: &Outgoing) -> Result<Response<Incoming>, Failure> {
        let headers = self.headers_for(outgoing);
        let url = self.session().post_url.clone().unwrap_or_else(|| self.url.clone());
        let body = outgoing.body.clone();
        self.http.request(http::Method::POST, &url, headers, body).await.map_err(Failure::Error)
    }

    fn headers_for(&self, outgoing: &Outgoing) -> HeaderMap {
        let mut headers = self.session_headers();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if outgoing.version.is_stateless() {
            mirror(&mut headers, outgoing);
        }
        headers
    }

    async fn body(&self, response: Response<Incoming>, most: usize) -> Result<Bytes> {
        let body = Limited::new(response.into_body(), most).collect().await;
        body.map(|body| body.to_bytes()).map_err(|error| {
            match error.is::<http_body_util::LengthLimitError>() {
                true => Error::Protocol(format!("the body of the response is longer than {most} bytes")),
                false => Error::Connection(with_sources(&*error)),
            }
        })
    }

    /// Tells the server that the session is over.
    pub(super) async fn delete_session(&self) {
        if self.session().id.is_none() {
            return;
        }
        let headers = self.session_headers();
        let deleted = self.http.request(http::Method::DELETE, &self.url, headers, Bytes::new());
        match tokio::time::timeout(DELETE, deleted).await {
            Ok(Ok(response)) => tracing::debug!(status = %response.status(), "session ended"),
            Ok(Err(error)) => tracing::debug!(%error, "the session's end could not be told"),
            Err(_) => tracing::debug!("the session's end was not acknowledged"),
        }
    }
}

/// Repeats in headers what the body says ("Request Metadata").
fn mirror(headers: &mut HeaderMap, outgoing: &Outgoing) {
    headers.insert(header::MCP_PROTOCOL_VERSION, HeaderValue::from_static(outgoing.version.as_str()));
    if let Kind::Request { method, .. } | Kind::Notification(method) = &outgoing.kind {
        insert(headers, header::MCP_METHOD, method.as_str());
    }
    if let Some(name) = &outgoing.name {
        insert(headers, header::MCP_NAME, &header::encode_value(name));
    }
    for (name, value) in &outgoing.headers {
        insert(headers, name, value);
    }
}

/// What cannot be a header is left out; the server then says that it is missing.
fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

fn protocol(what: String) -> Failure {
    Failure::Error(Error::Protocol(what))
}
