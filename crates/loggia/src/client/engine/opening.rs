//! The opening of a connection: asks the questions of the negotiation and passes the answers to it. Then the requests
//! that waited are sent.

use std::sync::Arc;
use std::time::Instant;

use loggia_wire::{Method, RawJson, Version, codec};

use super::write::outgoing;
use super::{Engine, EngineOutput, EnginePhase, EngineSettings, OpeningRequest, OutgoingCall};
use crate::client::negotiate::{Opening, OpeningAnswer, OpeningStep, ServerFacts};
use crate::client::params;
use crate::error::Error;
use crate::transport::child::StartClock;

impl Engine {
    /// Asks the first question. `start` is the clock of a process that was just started.
    pub(super) fn begin_opening(&mut self, now: Instant, start: Option<StartClock>) {
        let EngineSettings { negotiation, patience, sse_allowed, .. } = self.settings;
        let mut machine = Box::new(Opening::new(negotiation, patience, self.known, sse_allowed));
        let step = machine.start();
        self.phase = EnginePhase::Opening { machine, asked: None, overdue: None, closed: None, start };
        self.step(now, step);
    }

    pub(super) fn step(&mut self, now: Instant, step: OpeningStep) {
        match step {
            OpeningStep::Ask { method, version, limit, is_probe } => {
                let asked = OpeningRequest { id: self.ids.next(), since: now, limit, is_probe };
                self.ask_server(asked, method, version);
            }
            OpeningStep::OpenSse => self.outputs.push_back(EngineOutput::OpenSse),
            OpeningStep::Done(facts) => self.ready(Arc::new(*facts)),
            OpeningStep::Failed(error) => {
                self.phase = EnginePhase::Down;
                self.fail_waiting(&error);
                self.outputs.push_back(EngineOutput::Refused(error));
            }
        }
    }

    /// Ends the start of a server at its first message: from now on the limits of the negotiation apply.
    pub(super) fn spoke(&mut self, now: Instant) {
        if let EnginePhase::Opening { asked, start, .. } = &mut self.phase
            && start.take().is_some()
            && let Some(asked) = asked
        {
            asked.since = now;
        }
    }

    /// Ends the wait for an answer at its deadline.
    pub(super) fn opening_timeout(&mut self, now: Instant) {
        let EnginePhase::Opening { machine, asked, overdue, start, .. } = &mut self.phase else { return };
        let Some(late) = asked.filter(|asked| asked.until(start.as_ref()) <= now) else { return };
        *asked = None;
        let step = match start.filter(|clock| clock.give_up_at() <= now) {
            Some(clock) => OpeningStep::Failed(Error::timeout(clock.limit())),
            None => {
                *overdue = Some(late.id);
                machine.answer(OpeningAnswer::Silence)
            }
        };
        self.step(now, step);
    }

    fn ask_server(&mut self, question: OpeningRequest, method: Method, version: Version) {
        let id = question.id;
        if let EnginePhase::Opening { asked, .. } = &mut self.phase {
            *asked = Some(question);
        }
        let request = match method {
            Method::Initialize => {
                let params = Some(self.initialize_params(version));
                Ok(outgoing(id, method, version, params))
            }
            _ => self.composer.request(&OutgoingCall::bare(method), version, id),
        };
        match request {
            Ok(request) => self.transmits.push_back(request),
            // The client's own params are objects, so this cannot happen; but it must not block if it does.
            Err(error) => self.outputs.push_back(EngineOutput::Refused(error)),
        }
    }

    pub(super) fn initialize_params(&self, version: Version) -> RawJson {
        // Each part is written for the revision; together they are the params.
        let part = |name, value| (name, Some(value));
        let parts = [
            part("protocolVersion", RawJson::from(&serde_json::Value::from(version.as_str()))),
            part("capabilities", codec::encode_params(self.settings.capabilities.clone(), version)),
            part("clientInfo", codec::encode_params(self.settings.identity.clone(), version)),
        ];
        params::with_members(&RawJson::empty_object(), &parts).unwrap_or(RawJson::empty_object())
    }

    pub(super) fn ready(&mut self, facts: Arc<ServerFacts>) {
        self.known = Some(facts.version);
        if let EnginePhase::Opening { overdue, asked, .. } = self.phase {
            let open = overdue.into_iter().chain(asked.map(|asked| asked.id));
            self.outputs.extend(open.map(EngineOutput::Abandon));
        }
        if !facts.version.is_modern() {
            self.transmit_notification(facts.version, Method::Initialized, None);
        }
        self.phase = EnginePhase::Ready(facts.clone());
        self.outputs.push_back(EngineOutput::Ready(facts));
        let waiting: Vec<i64> =
            self.pending.iter().filter(|(_, p)| p.sent.is_none()).map(|(id, _)| *id).collect();
        for id in waiting {
            self.send_request(id);
        }
    }

    /// Returns the step of the opening that `id` answers, if any.
    pub(super) fn opening_answered(
        &mut self,
        now: Instant,
        id: i64,
        answer: OpeningAnswer,
    ) -> Option<OpeningAnswer> {
        let EnginePhase::Opening { machine, asked, overdue, .. } = &mut self.phase else {
            return Some(answer);
        };
        if asked.is_some_and(|asked| asked.id == id) {
            *asked = None;
            let answer = bounded(answer, self.settings.most_opening);
            let step = machine.answer(answer);
            self.step(now, step);
            None
        } else if *overdue == Some(id) {
            *overdue = None;
            if let Some(step) = machine.late_answer(answer) {
                self.step(now, step);
            }
            None
        } else {
            Some(answer)
        }
    }
}

/// Returns the answer, unless it is too long: it is kept while the connection is open.
fn bounded(answer: OpeningAnswer, most: usize) -> OpeningAnswer {
    match answer {
        OpeningAnswer::Result(result) if result.as_bytes().len() > most => {
            OpeningAnswer::Failed(Error::Protocol(format!(
                "the server describes itself in more than {most} bytes (`opening_bytes`)"
            )))
        }
        answer => answer,
    }
}
