//! Routes the notifications of one call to the client that made it, under the progress token of that client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loggia::client::NotificationSink;
use loggia::exchange::Exchange;
use loggia::model::{LoggingLevel, ProgressToken, ServerNotification};
use loggia::service::Request;

use crate::elicitation_router::ElicitationRouter;

/// The destination of the notifications of one call. A suspended call has no destination until it continues under
/// another request of the client.
pub(crate) struct NotificationRouter {
    current: Mutex<Option<NotificationTarget>>,
    router: Arc<ElicitationRouter>,
}

struct NotificationTarget {
    exchange: Exchange,
    progress_token: Option<ProgressToken>,
    log_level: Option<LoggingLevel>,
}

impl NotificationTarget {
    fn of(request: &Request, exchange: Exchange) -> NotificationTarget {
        NotificationTarget {
            exchange,
            progress_token: request.meta.progress_token.clone(),
            log_level: request.meta.log_level,
        }
    }

    /// Rewrites a notification for the client, with the progress token of the client.
    fn tell(&self, notification: ServerNotification) {
        match notification {
            ServerNotification::Progress(mut progress) => {
                if let Some(token) = &self.progress_token {
                    progress.progress_token = token.clone();
                    self.exchange.notify(ServerNotification::Progress(progress));
                }
            }
            ServerNotification::Log(log) if self.log_level.is_some_and(|least| log.level >= least) => {
                self.exchange.notify(ServerNotification::Log(log));
            }
            ServerNotification::ElicitationComplete(done) => {
                self.exchange.notify(ServerNotification::ElicitationComplete(done));
            }
            // Changes are sent by the subscription; other notifications do not belong to a request.
            _ => {}
        }
    }
}

impl NotificationRouter {
    pub(crate) fn new(
        router: &Arc<ElicitationRouter>,
        request: &Request,
        exchange: Exchange,
    ) -> Arc<NotificationRouter> {
        Arc::new(NotificationRouter {
            current: Mutex::new(Some(NotificationTarget::of(request, exchange))),
            router: router.clone(),
        })
    }

    /// Returns a receiver of the notifications; `None` if the client wants none.
    pub(crate) fn sink(self: &Arc<NotificationRouter>) -> Option<NotificationSink> {
        let wanted = lock(&self.current)
            .as_ref()
            .is_some_and(|listener| listener.progress_token.is_some() || listener.log_level.is_some());
        let router = self.clone();
        wanted.then(|| -> NotificationSink {
            Arc::new(move |notification| {
                // On a shared channel, the request of a log message is unknown.
                if matches!(notification, ServerNotification::Log(_)) && !router.router.one_person() {
                    return;
                }
                if let Some(listener) = &*lock(&router.current) {
                    listener.tell(notification);
                }
            })
        })
    }

    /// Sends later notifications to another request of the client, under which the call continues.
    pub(crate) fn moved(&self, request: &Request, exchange: Exchange) {
        *lock(&self.current) = Some(NotificationTarget::of(request, exchange));
    }

    /// Drops notifications until the call continues.
    pub(crate) fn gone(&self) {
        *lock(&self.current) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
