//! A call of a legacy upstream that may ask questions while it runs, and waits for the answers.

use std::sync::Arc;

use loggia::model::InputRequests;
use loggia::service::BoxFuture;
use loggia::wire::RawObject;
use tokio::sync::mpsc;

use crate::notification_router::NotificationRouter;
use crate::question::{Question, QuestionSender};

/// The maximum number of questions of one call that wait at the same time.
const MAX_QUESTIONS: usize = 64;

/// A call that runs at the upstream and may wait for answers of its client.
pub(crate) struct SuspendableCall<T> {
    call: Option<BoxFuture<'static, T>>,
    finished: Option<T>,
    questions: mpsc::Receiver<Question>,
    pending: Vec<(String, Question)>,
    asked: u32,
    /// The destination of its notifications.
    pub(crate) notifications: Arc<NotificationRouter>,
}

/// The progress of a call.
pub(crate) enum CallProgress<T> {
    /// The outcome of a call that has ended.
    Finished(T),
    /// It waits for answers.
    NeedsInput,
}

impl<T> SuspendableCall<T> {
    /// Returns both ends of the channel for the questions of a call.
    pub(crate) fn channel() -> (QuestionSender, mpsc::Receiver<Question>) {
        mpsc::channel(MAX_QUESTIONS)
    }

    /// Creates a call that runs as `call` and sends its questions to `questions`.
    pub(crate) fn new(
        call: BoxFuture<'static, T>,
        questions: mpsc::Receiver<Question>,
        notifications: Arc<NotificationRouter>,
    ) -> SuspendableCall<T> {
        SuspendableCall {
            call: Some(call),
            finished: None,
            questions,
            pending: Vec::new(),
            asked: 0,
            notifications,
        }
    }

    /// Runs the call until it ends or asks a question.
    pub(crate) async fn advance(&mut self) -> CallProgress<T> {
        loop {
            if let Some(outcome) = self.finished.take() {
                return CallProgress::Finished(outcome);
            }
            // The upstream may have cancelled a question; it needs no answer.
            self.pending.retain(|(_, question)| !question.answer.is_closed());
            if !self.pending.is_empty() && self.questions.is_empty() {
                return CallProgress::NeedsInput;
            }
            self.step().await;
        }
    }

    /// Keeps the call running while no request of its client waits for it. Never returns.
    pub(crate) async fn idle(&mut self) {
        loop {
            self.step().await;
        }
    }

    /// Waits for the next question or the end of the call, and stores it.
    async fn step(&mut self) {
        let call = async {
            match &mut self.call {
                Some(call) => call.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(question) = self.questions.recv() => {
                self.asked += 1;
                self.pending.push((format!("question-{}", self.asked), question));
            }
            outcome = call => {
                self.call = None;
                self.finished = Some(outcome);
            }
        }
    }

    /// Returns the questions without an answer.
    pub(crate) fn requests(&self) -> InputRequests {
        self.pending.iter().map(|(key, question)| (key.clone(), question.request.clone())).collect()
    }

    /// Passes on the answers in `responses`. Questions without an answer stay open; answers without a question are
    /// ignored (MRTR, "Error Handling").
    pub(crate) fn answer(&mut self, responses: &RawObject<'_>) {
        for (key, question) in std::mem::take(&mut self.pending) {
            match responses.value(&key) {
                // If the upstream no longer waits, the answer is dropped.
                Some(answer) => drop(question.answer.send(Ok(answer))),
                None => self.pending.push((key, question)),
            }
        }
    }
}
