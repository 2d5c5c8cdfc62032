//! Drives a [`DuplexConnection`] with tasks and pipes. One task reads, writes and runs the machine. A call is
//! first polled by this task, so that a call which never waits costs no task. A call that waits gets a task of its
//! own, which reports through one bounded channel.
//!
//! Back-pressure: while more than [`Limits::write_buffer`] bytes wait for the peer to read, nothing is read
//! from it and no report is taken; calls then wait with their results. A peer that does not read for
//! [`Limits::write_timeout`] is taken for dead.

mod tasks;

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use loggia_wire::model::SubscriptionFilter;
use loggia_wire::{RawJson, RpcError};
use std::collections::BTreeMap;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};

use self::tasks::{CallTask, DuplexPeer, ListenTask, TaskEvent, TaskReports};
use super::connection::{Action, AskKey, CallKey, DuplexConnection};
use crate::error::{Error, Result};
use crate::exchange::{ClientPeer, Exchange};
use crate::framing::{Frame, ReadFrames, WriteFrames};
use crate::future::poll_once;
use crate::limits::Limits;
use crate::service::{Request, Service};
use crate::shutdown::Shutdown;

/// Serves `service` on one connection until the peer closes it or `shutdown` begins. In either case running
/// requests are given [`Limits::drain`] to finish. A peer that goes away is no error.
pub fn serve<R: ReadFrames, W: WriteFrames>(
    service: Arc<dyn Service>,
    reader: R,
    writer: W,
    limits: Limits,
    shutdown: Shutdown,
) -> impl Future<Output = Result<()>> + Send + 'static {
    drive(DuplexDriver::new(service, Box::new(reader), Box::new(writer), limits), shutdown)
}

async fn drive(mut driver: DuplexDriver, shutdown: Shutdown) -> Result<()> {
    match driver.run(&shutdown).await {
        Err(Error::Io(error)) if is_gone(&error) => {
            tracing::debug!(%error, "the peer is gone");
            Ok(())
        }
        other => other,
    }
}

struct DuplexDriver {
    service: Arc<dyn Service>,
    limits: Arc<Limits>,
    machine: DuplexConnection,
    reader: Box<dyn ReadFrames>,
    writer: Box<dyn WriteFrames>,
    /// True if the peer may still send.
    open: bool,
    /// The time since which the peer has read nothing, although bytes wait for it.
    stalled: Option<Instant>,
    /// The number of next calls that get a task at once. It is set after a call that computed for a long time before its
    /// first wait, because similar calls would hold up the connection.
    spawn_at_once: u32,
    closed: bool,
    calls: BTreeMap<CallKey, CallTask>,
    listens: BTreeMap<CallKey, ListenTask>,
    asks: BTreeMap<AskKey, oneshot::Sender<Result<RawJson, RpcError>>>,
    link: Arc<TaskReports>,
    events: mpsc::Receiver<TaskEvent>,
    unasked: mpsc::UnboundedReceiver<AskKey>,
}

/// The maximum number of reports that wait for the connection.
const EVENTS: usize = 64;
/// Time that a call may compute on the connection's own task.
const LONG: Duration = Duration::from_micros(500);
/// Number of calls that get a task of their own after one that took longer.
const AFTER_LONG: u32 = 64;

/// The event that woke the driver.
enum DriverEvent {
    Frame(io::Result<Option<Frame>>),
    Event(TaskEvent),
    Unask(AskKey),
    Wrote(io::Result<()>),
    Time,
    Stop,
}

impl DuplexDriver {
    fn new(
        service: Arc<dyn Service>,
        reader: Box<dyn ReadFrames>,
        writer: Box<dyn WriteFrames>,
        limits: Limits,
    ) -> DuplexDriver {
        let (link, events, unasked) = TaskReports::new(EVENTS);
        DuplexDriver {
            machine: DuplexConnection::new(limits.clone()),
            limits: Arc::new(limits),
            service,
            reader,
            writer,
            open: true,
            stalled: None,
            spawn_at_once: 0,
            closed: false,
            calls: BTreeMap::new(),
            listens: BTreeMap::new(),
            asks: BTreeMap::new(),
            link,
            events,
            unasked,
        }
    }

    async fn run(&mut self, shutdown: &Shutdown) -> Result<()> {
        let mut stop = pin!(shutdown.begun());
        let mut stopping = false;
        let mut timer = pin!(sleep_until(Instant::now()));
        loop {
            self.perform().await;
            self.write_what_fits().await?;
            if self.closed {
                return self.finish().await;
            }
            let woken = self.wait(stop.as_mut(), stopping, timer.as_mut()).await;
            stopping |= matches!(woken, DriverEvent::Stop);
            self.handle(woken)?;
            self.perform().await;
            self.take_what_is_ready().await;
        }
    }

    /// Waits for whatever comes first.
    async fn wait(
        &mut self,
        stop: Pin<&mut impl Future<Output = ()>>,
        stopping: bool,
        mut timer: Pin<&mut Sleep>,
    ) -> DriverEvent {
        let deadline = self.deadline();
        if let Some(deadline) = deadline
            && timer.deadline() != deadline
        {
            timer.as_mut().reset(deadline);
        }
        let reads = self.reads();
        tokio::select! {
            frame = self.reader.next(), if reads => DriverEvent::Frame(frame),
            Some(event) = self.events.recv(), if self.writer.queued() < self.limits.write_buffer => DriverEvent::Event(event),
            Some(ask) = self.unasked.recv() => DriverEvent::Unask(ask),
            wrote = self.writer.progress(), if self.writer.queued() > 0 => DriverEvent::Wrote(wrote),
            () = timer, if deadline.is_some() => DriverEvent::Time,
            () = stop, if !stopping => DriverEvent::Stop,
        }
    }

    fn handle(&mut self, woken: DriverEvent) -> Result<()> {
        let now = Instant::now().into_std();
        match woken {
            DriverEvent::Frame(Ok(Some(frame))) => self.machine.handle_frame(frame, &self.service.describe()),
            DriverEvent::Frame(ended) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "reading from the peer failed");
                }
                self.open = false;
                self.machine.handle_end(now, &self.service.describe());
            }
            DriverEvent::Event(event) => self.handle_event(event),
            DriverEvent::Unask(ask) => {
                self.asks.remove(&ask);
                self.machine.handle_unask(ask);
            }
            DriverEvent::Wrote(wrote) => {
                wrote?;
                self.stalled = None;
            }
            DriverEvent::Time => self.handle_time()?,
            DriverEvent::Stop => self.machine.close(now, &self.service.describe()),
        }
        Ok(())
    }

    fn handle_event(&mut self, event: TaskEvent) {
        match event {
            TaskEvent::Notification(key, notification) => self.machine.handle_notification(key, notification),
            TaskEvent::Finished(key, outcome) => {
                self.calls.remove(&key);
                self.machine.handle_finished(key, outcome, &self.service.describe());
            }
            // The call that asked has ended before its question was taken.
            TaskEvent::Ask { reply, .. } if reply.is_closed() => {}
            TaskEvent::Ask { ask, call, request, reply } => {
                self.asks.insert(ask, reply);
                self.machine.handle_ask(ask, call, *request, Instant::now().into_std());
            }
            TaskEvent::ChangeSubscription(key, opened) => {
                self.machine.handle_listening(key, opened, &self.service.describe());
            }
            TaskEvent::Change(key, change) => self.machine.handle_change(key, change),
            TaskEvent::ListenEnd(key) => {
                self.listens.remove(&key);
                self.machine.handle_listen_end(key, &self.service.describe());
            }
        }
    }

    fn handle_time(&mut self) -> Result<()> {
        let now = Instant::now();
        self.machine.handle_timeout(now.into_std());
        match self.stalled {
            Some(since) if since + self.limits.write_timeout <= now => Err(self.dead()),
            _ => Ok(()),
        }
    }

    /// Performs the actions of the machine.
    async fn perform(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Send(message) => self.writer.queue(message),
                Action::Call { key, request, live } => self.call(key, *request, live).await,
                Action::Abort(key) => drop(self.calls.remove(&key)),
                Action::Listen { key, filter } => self.listen(key, filter).await,
                Action::Unlisten(key) => drop(self.listens.remove(&key)),
                Action::Answer { ask, outcome } => {
                    // The call that asked may have ended.
                    let _ = self.asks.remove(&ask).map(|reply| reply.send(outcome));
                }
                Action::Close => self.closed = true,
            }
        }
    }

    /// Takes the frames and reports that are here already, so that their answers are written together.
    async fn take_what_is_ready(&mut self) {
        for _ in 0..EVENTS {
            if !self.reads() {
                break;
            }
            let Some(frame) = self.reader.ready() else { break };
            self.machine.handle_frame(frame, &self.service.describe());
            self.perform().await;
        }
        for _ in 0..EVENTS {
            if self.writer.queued() >= self.limits.write_buffer {
                break;
            }
            let Ok(event) = self.events.try_recv() else { break };
            self.handle_event(event);
            self.perform().await;
        }
    }

    /// Writes while the peer reads without delay.
    async fn write_what_fits(&mut self) -> Result<()> {
        while self.writer.queued() > 0 {
            match poll_once(self.writer.progress()).await {
                Some(wrote) => {
                    wrote?;
                    self.stalled = None;
                }
                None => {
                    self.stalled.get_or_insert_with(Instant::now);
                    return Ok(());
                }
            }
        }
        self.stalled = None;
        Ok(())
    }

    /// Writes the remaining messages.
    async fn finish(&mut self) -> Result<()> {
        while self.writer.queued() > 0 {
            match tokio::time::timeout(self.limits.write_timeout, self.writer.progress()).await {
                Ok(wrote) => wrote?,
                Err(_) => return Err(self.dead()),
            }
        }
        Ok(())
    }

    async fn call(&mut self, key: CallKey, request: Request, live: bool) {
        let live = live
            .then(|| Arc::new(DuplexPeer { call: key, link: Arc::clone(&self.link) }) as Arc<dyn ClientPeer>);
        let (exchange, outbox, guard) = Exchange::new(live);
        let (service, limits) = (Arc::clone(&self.service), Arc::clone(&self.limits));
        let mut call =
            Box::pin(async move { super::run_request(&*service, request, exchange, &limits).await });
        if self.spawn_at_once > 0 {
            self.spawn_at_once -= 1;
        } else {
            let started = std::time::Instant::now();
            let outcome = poll_once(call.as_mut()).await;
            if started.elapsed() > LONG {
                self.spawn_at_once = AFTER_LONG;
            }
            if let Some(outcome) = outcome {
                while let Some(notification) = outbox.try_next() {
                    self.machine.handle_notification(key, notification);
                }
                return self.machine.handle_finished(key, outcome, &self.service.describe());
            }
        }
        let events = self.link.events.clone();
        self.calls.insert(key, CallTask::spawn(tasks::call(key, call, outbox, events), Some(guard)));
    }

    async fn listen(&mut self, key: CallKey, filter: SubscriptionFilter) {
        let filter = match self.listens.get(&key) {
            Some(open) => match open.refilter(filter) {
                Ok(()) => return,
                Err(filter) => filter,
            },
            None => filter,
        };
        let events = self.link.events.clone();
        let task = ListenTask::open(key, filter, Arc::clone(&self.service), events).await;
        self.listens.insert(key, task);
    }

    fn reads(&self) -> bool {
        self.open && self.machine.wants_input() && self.writer.queued() < self.limits.write_buffer
    }

    fn deadline(&self) -> Option<Instant> {
        let dead = self.stalled.map(|since| since + self.limits.write_timeout);
        [self.machine.poll_timeout().map(Instant::from_std), dead].into_iter().flatten().min()
    }

    fn dead(&self) -> Error {
        let limit = self.limits.write_timeout.as_secs_f32();
        Error::Connection(format!("the peer read nothing for {limit} s"))
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    )
}
