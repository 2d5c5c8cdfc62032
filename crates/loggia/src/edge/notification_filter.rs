//! Selects the notifications of a running request that its client asked for, and writes them in its revision.

use bytes::Bytes;
use loggia_wire::model::{LoggingLevel, ProgressToken, ServerNotification};
use loggia_wire::{RequestMeta, Version};

use super::listen;

/// The notifications that one request asked for.
#[derive(Debug)]
pub(crate) struct NotificationFilter {
    version: Version,
    log_level: Option<LoggingLevel>,
    progress_token: Option<ProgressToken>,
    progress: f64,
}

impl NotificationFilter {
    /// Returns the filter of the request that carries `meta`.
    pub(crate) fn new(meta: &RequestMeta) -> NotificationFilter {
        NotificationFilter {
            version: meta.version,
            log_level: meta.log_level,
            progress_token: meta.progress_token.clone(),
            progress: f64::NEG_INFINITY,
        }
    }

    /// The client's session wants another level of log messages from now on.
    pub(crate) fn set_log_level(&mut self, level: Option<LoggingLevel>) {
        self.log_level = level;
    }

    /// The message to send for `notification`; `None` where the client did not ask for it (progress without
    /// a token, a log message below its level) or its revision lacks it.
    pub(crate) fn write(&mut self, mut notification: ServerNotification) -> Option<Bytes> {
        let wanted = match &mut notification {
            ServerNotification::Progress(params) => {
                params.progress_token = self.progress_token.clone()?;
                // "The progress value MUST increase with each notification."
                let grows = params.progress > self.progress;
                self.progress = self.progress.max(params.progress);
                grows
            }
            ServerNotification::Log(params) => self.log_level.is_some_and(|least| params.level >= least),
            ServerNotification::ElicitationComplete(_) | ServerNotification::Custom { .. } => true,
            // Changes travel on subscriptions, and a server cancels nothing of its client's.
            _ => false,
        };
        wanted.then(|| listen::notification(notification, self.version)).flatten()
    }
}
