//! The events of a legacy session's streams, kept for a while so that a client whose connection
//! broke can take a stream up where it was (`Last-LogEvent-ID`). A value without I/O; times are handed in.
//!
//! Each POST that is answered by a stream has one, numbered from 1; stream 0 is the one a client opens with
//! GET. An event's id names its stream and its place in it. What was never sent is only ever given up when
//! no connection carries its stream and the bounds are reached, oldest first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::limits::Limits;

/// The stream that a client opens with GET.
pub(super) const STANDALONE: u64 = 0;

/// Most events that wait for the connection that carries their stream, before what can be spared is left out.
const MAX_UNSENT: u64 = 1024;

/// The shortest message that may have a guard, which lasts until its event was sent.
pub(super) const LARGE: usize = 16 << 10;

/// The event streams of one session.
pub(super) struct EventLog {
    streams: BTreeMap<u64, LogStream>,
    next_stream: u64,
    /// The place of the first event of the GET stream.
    first_place: u64,
    events: usize,
    bytes: usize,
    most_events: usize,
    most_bytes: usize,
    /// In seconds.
    window: u64,
}

#[derive(Default)]
struct LogStream {
    kept: VecDeque<LogEvent>,
    /// The place of its first event.
    first: u64,
    /// The place of the next event that is pushed.
    end: u64,
    /// The place of the next event that is sent.
    cursor: u64,
    /// The connection that carries the stream; a later one takes over from an earlier.
    carrier: Option<u64>,
    carriers: u64,
    /// True if a client knows an id of this stream, and so can come back to it.
    known: bool,
    finished: bool,
    released: bool,
    ready: Arc<Notify>,
}

struct LogEvent {
    place: u64,
    at: u64,
    message: Bytes,
    answer: bool,
}

/// One connection's hold on one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Carrier {
    pub(super) stream: u64,
    number: u64,
}

/// An event's id on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) stream: u64,
    pub(super) place: u64,
}

/// The next step of a connection that carries a stream.
#[derive(Debug)]
pub(super) enum CarrierStep {
    /// Send this.
    Send(EventId, Bytes),
    /// Nothing yet.
    Wait(Arc<Notify>),
    /// The connection may close: the client comes back for the rest.
    Release,
    /// The stream is over, or carried by another connection now.
    End,
}

/// The form in which a POST can be answered by now.
#[derive(Debug)]
pub(super) enum AnswerShape {
    /// Not known yet.
    Wait(Arc<Notify>),
    /// Nothing but answers came: they can be sent as JSON.
    Answers(Vec<Bytes>),
    /// Something came that only a stream can carry.
    Stream,
}

impl EventId {
    /// Reads what a client sends as `Last-LogEvent-ID`.
    pub(super) fn parse(text: &str) -> Option<EventId> {
        let (stream, place) = text.split_once('-')?;
        Some(EventId { stream: stream.parse().ok()?, place: place.parse().ok()? })
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.stream, self.place)
    }
}

impl EventLog {
    pub(super) fn new(limits: &Limits) -> EventLog {
        EventLog {
            streams: BTreeMap::new(),
            next_stream: STANDALONE + 1,
            first_place: 1,
            events: 0,
            bytes: 0,
            most_events: limits.resume_events,
            most_bytes: limits.resume_bytes,
            window: limits.resume_window.as_secs(),
        }
    }

    /// Numbers streams and the events of the GET stream from `first` on. A session may have had a log before
    /// (in another process, or in this one before it was forgotten), and an id from there must name nothing
    /// here.
    pub(super) fn starting_at(self, first: u32) -> EventLog {
        let first = u64::from(first).max(1) << 20;
        EventLog { next_stream: first, first_place: first, ..self }
    }

    /// Opens the stream of a POST, carried by its connection.
    pub(super) fn open(&mut self) -> Carrier {
        let stream = self.next_stream;
        self.next_stream += 1;
        self.streams.insert(stream, LogStream { first: 1, end: 1, cursor: 1, ..LogStream::default() });
        self.carry(stream).expect("it was just inserted")
    }

    /// Takes up the GET stream, opened at the first call. Events after `last` are sent again.
    pub(super) fn open_standalone(&mut self, last: Option<EventId>) -> Carrier {
        let first = self.first_place;
        let opened = || LogStream { first, end: first, cursor: first, ..LogStream::default() };
        self.streams.entry(STANDALONE).or_insert_with(opened);
        last.and_then(|last| self.resume(last))
            .or_else(|| self.carry(STANDALONE))
            .expect("the stream is there")
    }

    /// Takes up the stream of `last`, after that event. `None` where it is not kept any more.
    pub(super) fn resume(&mut self, last: EventId) -> Option<Carrier> {
        let known = |stream: &&mut LogStream| (stream.first - 1..stream.end).contains(&last.place);
        let stream = self.streams.get_mut(&last.stream).filter(known)?;
        stream.cursor = last.place + 1;
        self.carry(last.stream)
    }

    fn carry(&mut self, stream: u64) -> Option<Carrier> {
        let state = self.streams.get_mut(&stream)?;
        state.carriers += 1;
        state.carrier = Some(state.carriers);
        state.released = false;
        // The connection that carried it before wakes up and ends.
        std::mem::take(&mut state.ready).notify_one();
        let number = state.carriers;
        self.trim();
        Some(Carrier { stream, number })
    }

    /// Adds a message to a stream. `answer`: it is a response to what the POST asked.
    pub(super) fn push(&mut self, stream: u64, message: Bytes, answer: bool, now: u64) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        self.events += 1;
        self.bytes += message.len();
        state.kept.push_back(LogEvent { place: state.end, at: now, message, answer });
        state.end += 1;
        state.ready.notify_one();
        self.trim();
    }

    /// Returns whether so much waits for the stream's connection that notifications should be dropped.
    pub(super) fn is_crowded(&self, stream: u64) -> bool {
        let Some(state) = self.streams.get(&stream) else { return false };
        state.end - state.cursor >= MAX_UNSENT || self.bytes > self.most_bytes.saturating_mul(4)
    }

    /// Nothing will be added to this stream any more.
    pub(super) fn finish(&mut self, stream: u64) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        state.finished = true;
        state.ready.notify_one();
        if state.carrier.is_none() && !state.known {
            self.remove(stream);
        }
    }

    /// The connection that carries this stream may close.
    pub(super) fn release(&mut self, stream: u64) {
        if let Some(state) = self.streams.get_mut(&stream) {
            state.released = true;
            state.ready.notify_one();
        }
    }

    /// Returns the form in which the POST of this stream can be answered.
    pub(super) fn shape(&self, stream: u64) -> AnswerShape {
        let Some(state) = self.streams.get(&stream) else { return AnswerShape::Answers(Vec::new()) };
        if state.released || state.kept.iter().any(|event| !event.answer) {
            return AnswerShape::Stream;
        }
        if state.finished {
            return AnswerShape::Answers(state.kept.iter().map(|event| event.message.clone()).collect());
        }
        AnswerShape::Wait(state.ready.clone())
    }

    /// The id that primes a client to come back: before the first event that is still to be sent.
    pub(super) fn prime(&mut self, carrier: Carrier) -> Option<EventId> {
        let state = self.carried(carrier)?;
        state.known = true;
        Some(EventId { stream: carrier.stream, place: state.cursor - 1 })
    }

    /// Returns the next step of the connection.
    pub(super) fn next(&mut self, carrier: Carrier) -> CarrierStep {
        let most = self.most_bytes;
        let Some(state) = self.carried(carrier) else { return CarrierStep::End };
        let Some(event) = state.kept.iter_mut().find(|event| event.place >= state.cursor) else {
            return match (state.finished, std::mem::take(&mut state.released)) {
                (true, _) => CarrierStep::End,
                (false, true) => CarrierStep::Release,
                (false, false) => CarrierStep::Wait(state.ready.clone()),
            };
        };
        let (place, message) = (event.place, event.message.clone());
        if (LARGE..=most).contains(&message.len()) {
            // The copy that is kept for resumption has its own bound, and no guard.
            event.message = Bytes::copy_from_slice(&message);
        }
        state.cursor = place + 1;
        state.known = true;
        self.trim();
        CarrierStep::Send(EventId { stream: carrier.stream, place }, message)
    }

    fn carried(&mut self, carrier: Carrier) -> Option<&mut LogStream> {
        self.streams.get_mut(&carrier.stream).filter(|stream| stream.carrier == Some(carrier.number))
    }

    /// The connection is gone.
    pub(super) fn leave(&mut self, carrier: Carrier) {
        let Some(state) = self.carried(carrier) else { return };
        state.carrier = None;
        if state.finished && !state.known {
            self.remove(carrier.stream);
        }
        self.trim();
    }

    /// Forgets a stream whose POST was answered otherwise.
    pub(super) fn remove(&mut self, stream: u64) {
        if let Some(state) = self.streams.remove(&stream) {
            self.events -= state.kept.len();
            self.bytes -= state.kept.iter().map(|event| event.message.len()).sum::<usize>();
        }
    }

    /// Returns whether any connection carries a stream.
    pub(super) fn is_carried(&self) -> bool {
        self.streams.values().any(|stream| stream.carrier.is_some())
    }

    /// Lets go of what was kept long enough.
    pub(super) fn sweep(&mut self, now: u64) {
        let window = self.window;
        let old = |event: &LogEvent| event.at.saturating_add(window) <= now;
        let (mut events, mut bytes) = (0, 0);
        self.streams.retain(|_, stream| {
            while stream.kept.front().is_some_and(|event| old(event) && stream.may_drop(event)) {
                let event = stream.kept.pop_front().expect("there is a front");
                (events, bytes) = (events + 1, bytes + event.message.len());
            }
            !(stream.finished && stream.kept.is_empty() && stream.carrier.is_none())
        });
        (self.events, self.bytes) = (self.events - events, self.bytes - bytes);
    }

    /// Back within the bounds: what was sent goes first, then what waits for a client that is away.
    fn trim(&mut self) {
        while self.events > self.most_events || self.bytes > self.most_bytes {
            let sent =
                |stream: &LogStream| stream.kept.front().is_some_and(|event| event.place < stream.cursor);
            let away = |stream: &LogStream| stream.carrier.is_none() && stream.kept.len() > 1;
            let victim = self
                .streams
                .iter_mut()
                .filter(|(_, stream)| sent(stream) || away(stream))
                .max_by_key(|(_, stream)| (sent(stream), stream.finished, stream.kept.len()));
            let Some((number, stream)) = victim else { return };
            let (number, Some(event)) = (*number, stream.kept.pop_front()) else { return };
            let over = stream.finished && stream.kept.is_empty() && stream.carrier.is_none();
            self.events -= 1;
            self.bytes -= event.message.len();
            if over {
                // Nothing to come back for: streams cost something even when they are empty.
                self.streams.remove(&number);
            }
        }
    }
}

impl LogStream {
    /// Returns whether an old event may go: it was sent, or no connection carries the stream.
    fn may_drop(&self, event: &LogEvent) -> bool {
        event.place < self.cursor || self.carrier.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn log(events: usize, bytes: usize) -> EventLog {
        EventLog::new(&Limits {
            resume_events: events,
            resume_bytes: bytes,
            resume_window: Duration::from_secs(60),
            ..Limits::default()
        })
    }

    fn sent(log: &mut EventLog, carrier: Carrier) -> (Vec<String>, &'static str) {
        let mut out = Vec::new();
        loop {
            match log.next(carrier) {
                CarrierStep::Send(id, message) => {
                    out.push(format!("{id}:{}", String::from_utf8_lossy(&message)))
                }
                CarrierStep::Wait(_) => return (out, "wait"),
                CarrierStep::Release => return (out, "release"),
                CarrierStep::End => return (out, "end"),
            }
        }
    }

    fn push(log: &mut EventLog, carrier: Carrier, messages: &[&'static str]) {
        messages.iter().for_each(|message| log.push(carrier.stream, message.as_bytes().into(), false, 0));
    }

    #[test]
    fn a_stream_is_sent_then_taken_up_again() {
        let mut log = log(100, 1000);
        let first = log.open();
        push(&mut log, first, &["a", "b"]);
        assert_eq!(sent(&mut log, first), (vec!["1-1:a".into(), "1-2:b".into()], "wait"));
        log.leave(first);
        push(&mut log, first, &["c"]);
        log.finish(first.stream);
        let again = log.resume(EventId::parse("1-1").expect("id")).expect("kept");
        assert_eq!(sent(&mut log, again), (vec!["1-2:b".into(), "1-3:c".into()], "end"));
        log.leave(again);
        let last = log.resume(EventId::parse("1-3").expect("id")).expect("kept");
        assert_eq!(sent(&mut log, last), (vec![], "end"));
    }

    #[test]
    fn a_later_connection_takes_over() {
        let mut log = log(100, 1000);
        let first = log.open();
        log.prime(first);
        let second = log.resume(EventId { stream: 1, place: 0 }).expect("kept");
        push(&mut log, first, &["a"]);
        assert_eq!(sent(&mut log, first), (vec![], "end"));
        log.leave(first);
        assert_eq!(sent(&mut log, second), (vec!["1-1:a".into()], "wait"));
    }

    #[test]
    fn what_nobody_can_come_back_for_is_not_kept() {
        let mut log = log(100, 1000);
        let unknown = log.open();
        log.leave(unknown);
        push(&mut log, unknown, &["a"]);
        log.finish(unknown.stream);
        assert!(log.streams.is_empty());
        assert_eq!((log.events, log.bytes), (0, 0));
        assert!(log.resume(EventId { stream: 1, place: 0 }).is_none());
        assert!(log.resume(EventId { stream: 7, place: 0 }).is_none());
    }

    #[test]
    fn finished_streams_do_not_outlive_their_events() {
        let mut log = log(10, 1000);
        for _ in 0..100 {
            let carrier = log.open();
            push(&mut log, carrier, &["a", "b"]);
            log.finish(carrier.stream);
            sent(&mut log, carrier);
            log.leave(carrier);
        }
        assert!(log.events == 10 && log.streams.len() <= 10, "{} {}", log.events, log.streams.len());
    }

    #[test]
    fn an_id_from_before_names_nothing() {
        let mut before = log(100, 1000).starting_at(7);
        let mut now = log(100, 1000).starting_at(8);
        let (old, new) = (before.open(), now.open());
        push(&mut now, new, &["a", "b"]);
        assert!(now.resume(EventId { stream: old.stream, place: 1 }).is_none());
        let standalone = before.open_standalone(None);
        push(&mut before, standalone, &["a"]);
        let CarrierStep::Send(last, _) = before.next(standalone) else { panic!("an event waits") };
        let standalone = now.open_standalone(None);
        push(&mut now, standalone, &["c", "d"]);
        let again = now.open_standalone(Some(last));
        assert_eq!(sent(&mut now, again).0.len(), 2);
    }

    #[test]
    fn a_stream_that_nobody_reads_is_crowded() {
        let mut log = log(10, 1000);
        let carrier = log.open();
        (0..MAX_UNSENT).for_each(|_| push(&mut log, carrier, &["a"]));
        assert!(log.is_crowded(carrier.stream));
        sent(&mut log, carrier);
        assert!(!log.is_crowded(carrier.stream));
        log.push(carrier.stream, vec![b'x'; 4001].into(), false, 0);
        assert!(log.is_crowded(carrier.stream));
    }

    #[test]
    fn a_release_comes_after_what_was_said_before_it() {
        let mut log = log(100, 1000);
        let carrier = log.open();
        push(&mut log, carrier, &["a"]);
        log.release(carrier.stream);
        assert_eq!(sent(&mut log, carrier), (vec!["1-1:a".into()], "release"));
        assert_eq!(sent(&mut log, carrier), (vec![], "wait"));
    }

    #[test]
    fn the_shape_of_an_answer() {
        let mut log = log(100, 1000);
        let carrier = log.open();
        assert!(matches!(log.shape(carrier.stream), AnswerShape::Wait(_)));
        log.push(carrier.stream, "1".into(), true, 0);
        assert!(matches!(log.shape(carrier.stream), AnswerShape::Wait(_)));
        log.finish(carrier.stream);
        assert!(matches!(log.shape(carrier.stream), AnswerShape::Answers(list) if list == ["1"]));
        let carrier = log.open();
        push(&mut log, carrier, &["n"]);
        assert!(matches!(log.shape(carrier.stream), AnswerShape::Stream));
        let carrier = log.open();
        log.release(carrier.stream);
        assert!(matches!(log.shape(carrier.stream), AnswerShape::Stream));
    }

    #[test]
    fn old_events_go() {
        let mut log = log(100, 1000);
        let open = log.open_standalone(None);
        push(&mut log, open, &["a"]);
        sent(&mut log, open);
        let done = log.open();
        push(&mut log, done, &["b"]);
        log.prime(done);
        log.leave(done);
        log.finish(done.stream);
        log.sweep(59);
        assert_eq!((log.streams.len(), log.events), (2, 2));
        log.sweep(60);
        assert_eq!((log.streams.len(), log.events, log.bytes), (1, 0, 0));
        assert!(log.is_carried());
    }

    proptest! {
        #[test]
        fn the_bounds_hold_and_nothing_waiting_is_lost(
            operations in proptest::collection::vec((0u8..8, 0u64..4, 0usize..60), 0..200)
        ) {
            let mut log = log(10, 100);
            let mut carriers: Vec<Carrier> = Vec::new();
            for (operation, which, size) in operations {
                let carrier = carriers.get(which as usize).copied();
                match (operation, carrier) {
                    (0, _) if carriers.len() < 4 => carriers.push(log.open()),
                    (1 | 2, Some(carrier)) => log.push(carrier.stream, vec![b'x'; size].into(), false, 0),
                    (3, Some(carrier)) => drop(sent(&mut log, carrier)),
                    (4, Some(carrier)) => log.leave(carrier),
                    (5, Some(carrier)) => log.finish(carrier.stream),
                    (6, Some(carrier)) => drop(log.resume(EventId { stream: carrier.stream, place: size as u64 % 5 })),
                    _ => {}
                }
                let kept: Vec<_> = log.streams.values().flat_map(|stream| &stream.kept).collect();
                prop_assert_eq!(log.events, kept.len());
                prop_assert_eq!(log.bytes, kept.iter().map(|event| event.message.len()).sum::<usize>());
                if log.events > log.most_events || log.bytes > log.most_bytes {
                    for stream in log.streams.values() {
                        let unsent = stream.kept.iter().all(|event| event.place >= stream.cursor);
                        prop_assert!(unsent && (stream.carrier.is_some() || stream.kept.len() <= 1));
                    }
                }
            }
        }
    }
}
