//! The connections that people have for themselves, where one for everybody would let all of them act in the
//! name of one. There is one for each person who signed in and calls, opened when it is first needed and closed
//! when it has rested for a while.
//!
//! A call finds the connection of its person in a snapshot, and holds nothing that the call of another might
//! want. What opens connections, and knows who has signed in, is the connector's [`People`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use loggia::Error;
use tokio::sync::watch;

use crate::catalog::{Catalog, ListSource};
use crate::connector::{Opened, People};
use crate::hub::Shared;
use crate::link::Link;
use crate::relay::Relay;
use crate::slot::{Listed, Slot, now};
use crate::supervisor;

/// How often a connection is opened anew because its person signed in meanwhile.
const OPENINGS: usize = 3;
/// How soon a list waits again for an upstream that it waited for in vain.
const RETRY: Duration = Duration::from_secs(30);

/// The connections of one connector, by person.
pub(crate) struct Own {
    pub(crate) people: Arc<dyn People>,
    seats: ArcSwap<HashMap<String, Arc<Seat>>>,
    /// Held while a seat is added or taken away: never while one is only used.
    changing: Mutex<()>,
    begun: Instant,
}

/// One person's place.
struct Seat {
    link: ArcSwapOption<Link>,
    /// What the upstream offers this person, as far as it is known.
    listed: ArcSwapOption<Listed>,
    /// Held while a connection is being opened: one at a time.
    opening: tokio::sync::Mutex<()>,
    /// How often the person has signed in: what is opened with what they had before is of no use.
    sign_ins: AtomicU64,
    running: AtomicUsize,
    /// When it was used last, in milliseconds after the beginning.
    used: AtomicU64,
    /// When a list waited for a connection in vain; in milliseconds after the beginning, and 0 for never.
    in_vain: AtomicU64,
    /// Changes when the person signs in.
    signed_in: watch::Sender<()>,
}

/// A connection that a call uses, for as long as it is kept.
pub(crate) struct InUse {
    pub(crate) link: Arc<Link>,
    counted: Counted,
}

struct Counted {
    seat: Arc<Seat>,
    begun: Instant,
}

impl InUse {
    /// What the upstream offers the person, read again where that was too long ago.
    async fn listed(&self, shared: &Shared, slot: &Slot) -> Option<Arc<Listed>> {
        let listed = || self.counted.seat.listed.load_full();
        let old =
            |listed: &Listed| now().saturating_duration_since(listed.read_at) >= shared.limits.refresh_after;
        if listed().is_none_or(|listed| old(&listed)) {
            self.read(shared, slot).await;
        }
        listed()
    }

    /// Reads what the upstream offers the person, and announces what is new.
    async fn read(&self, shared: &Shared, slot: &Slot) {
        let (link, connector) = (&*self.link, &*slot.connector.name);
        let source = ListSource { link, connector, limits: &shared.limits };
        let catalog = match Catalog::read(source).await {
            Ok(catalog) => catalog,
            Err(error) => {
                return tracing::warn!(connector = slot.connector.name, %error, "lists cannot be read");
            }
        };
        let next = Arc::new(Listed { catalog, read_at: now(), remembered: false });
        let before = self.counted.seat.listed.swap(Some(next.clone()));
        next.catalog.log_problems(&slot.connector.name, before.as_ref().map(|before| &before.catalog));
        let nothing = Catalog::default();
        let changes = next.catalog.changes_since(before.as_ref().map_or(&nothing, |before| &before.catalog));
        // Whoever it is not for finds everything as it was.
        changes.into_iter().for_each(|change| shared.announce(change));
    }

    /// A request failed as if the connection were gone: finds out whether it is.
    pub(crate) fn suspect(&self) {
        let (seat, link) = (self.counted.seat.clone(), self.link.clone());
        tokio::spawn(async move {
            if link.probe(supervisor::PROBE).await.is_err() && is_current(&seat, &link) {
                leave(&seat).await;
            }
        });
    }
}

/// Why a person has no connection.
pub(crate) enum NoLink {
    /// They have to sign in.
    SignIn,
    /// Something else; in words for them.
    Unavailable(String),
}

impl Own {
    pub(crate) fn new(people: Arc<dyn People>) -> Own {
        Own { people, seats: ArcSwap::default(), changing: Mutex::default(), begun: now() }
    }

    /// The connection of a person, opened if there is none.
    pub(crate) async fn link(&self, shared: &Shared, slot: &Slot, person: &str) -> Result<InUse, NoLink> {
        let seat = self.seat(person, shared.limits.own_links)?;
        let counted = Counted::new(&seat, self.begun);
        if let Some(link) = seat.link.load_full() {
            return Ok(InUse { link, counted });
        }
        let _alone = seat.opening.lock().await;
        if let Some(link) = seat.link.load_full() {
            return Ok(InUse { link, counted });
        }
        let link = self.seated(shared, slot, person, &seat).await?;
        seat.in_vain.store(0, Ordering::Relaxed);
        self.keep(person, &seat);
        tokio::spawn(watch_end(seat.clone(), link.clone()));
        let in_use = InUse { link, counted };
        in_use.read(shared, slot).await;
        Ok(in_use)
    }

    /// Opens a connection with what the person has now, and not with what they had when it was begun: they may sign in,
    /// maybe as somebody else, while it is opened.
    async fn seated(
        &self,
        shared: &Shared,
        slot: &Slot,
        person: &str,
        seat: &Seat,
    ) -> Result<Arc<Link>, NoLink> {
        let mut outcome = Err(NoLink::SignIn);
        for _ in 0..OPENINGS {
            let sign_ins = seat.sign_ins.load(Ordering::SeqCst);
            outcome = self.open(shared, slot, person).await;
            if let Ok(link) = &outcome {
                seat.link.store(Some(link.clone()));
            }
            // Looked at after it was stored: who signs in now finds it, and closes it.
            if seat.sign_ins.load(Ordering::SeqCst) == sign_ins {
                return outcome;
            }
            leave(seat).await;
        }
        outcome
    }

    async fn open(&self, shared: &Shared, slot: &Slot, person: &str) -> Result<Arc<Link>, NoLink> {
        let limit = shared.limits.connect_timeout;
        let opening = self.people.open(supervisor::client(shared), person);
        let opened = tokio::time::timeout(limit, opening).await.unwrap_or(Err(Error::timeout(limit)));
        match opened {
            Ok(Some(Opened::Service(service))) => Ok(Arc::new(Link::Service(service))),
            Ok(Some(Opened::Client(client))) => {
                let relay = Relay::new(client, &slot.connector, &shared.limits);
                Ok(Arc::new(Link::Client(Box::new(relay))))
            }
            // What was given once is not taken any more.
            Ok(None) | Err(Error::Unauthorized(_)) => Err(NoLink::SignIn),
            Err(error) => {
                let name = &slot.connector.name;
                let reference = loggia::edge::correlation_id();
                tracing::warn!(connector = name, %error, reference, "no connection for a person");
                Err(NoLink::Unavailable(format!(
                    "The connector {name:?} cannot be reached now (reference {reference} in Loggia's log). Try again \
                     later."
                )))
            }
        }
    }

    /// What the upstream offers a person. Who asks for a list waits a little for it, but not each time for one
    /// that does not answer: it must not hide the others.
    pub(crate) async fn listed(&self, shared: &Shared, slot: &Slot, person: &str) -> Option<Arc<Listed>> {
        let seat = self.seat(person, shared.limits.own_links).ok()?;
        let in_vain = seat.in_vain.load(Ordering::Relaxed);
        if in_vain > 0 && since(self.begun).saturating_sub(in_vain) < millis(RETRY) {
            return None;
        }
        let look = async {
            match self.link(shared, slot, person).await {
                Ok(in_use) => Ok(in_use.listed(shared, slot).await),
                Err(NoLink::SignIn) => Ok(None),
                Err(NoLink::Unavailable(_)) => Err(()),
            }
        };
        match tokio::time::timeout(shared.limits.patience, look).await {
            Ok(Ok(listed)) => listed,
            Ok(Err(())) | Err(_) => {
                seat.in_vain.store(since(self.begun).max(1), Ordering::Relaxed);
                None
            }
        }
    }

    /// Hears when a person signs in.
    pub(crate) fn hear(&self, person: &str, most: usize) -> Result<watch::Receiver<()>, NoLink> {
        Ok(self.seat(person, most)?.signed_in.subscribe())
    }

    /// A person signed in, maybe as somebody else than before: the next call opens another connection.
    pub(crate) async fn signed_in(&self, person: &str) {
        let Some(seat) = self.seats.load().get(person).cloned() else { return };
        seat.sign_ins.fetch_add(1, Ordering::SeqCst);
        leave(&seat).await;
        seat.signed_in.send_replace(());
    }

    /// The connection of a person is of no use any more.
    pub(crate) async fn leave(&self, person: &str) {
        let seat = self.seats.load().get(person).cloned();
        if let Some(seat) = seat {
            leave(&seat).await;
        }
    }

    /// Closes the connections that have rested for so long.
    pub(crate) async fn sweep(&self, idle: Duration) {
        let Some(before) = since(self.begun).checked_sub(millis(idle)) else { return };
        for seat in self.take_away(|seat| seat.rests_since() <= before) {
            leave(&seat).await;
        }
    }

    /// Closes everything.
    pub(crate) async fn close(&self) {
        for seat in self.take_away(|_| true) {
            leave(&seat).await;
        }
    }

    fn seat(&self, person: &str, most: usize) -> Result<Arc<Seat>, NoLink> {
        if let Some(seat) = self.seats.load().get(person) {
            return Ok(seat.clone());
        }
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seats = HashMap::clone(&self.seats.load());
        if let Some(seat) = seats.get(person) {
            return Ok(seat.clone());
        }
        if seats.len() >= most {
            let unused = seats.iter().filter(|(_, seat)| seat.rests_since() < u64::MAX);
            // Who has no connection loses nothing.
            let longest = unused.min_by_key(|(_, seat)| (seat.link.load().is_some(), seat.rests_since()));
            let longest = longest.map(|(name, _)| name.clone());
            let busy =
                || NoLink::Unavailable("Too many people use this connector at once. Try again later.".into());
            let away = seats.remove(&longest.ok_or_else(busy)?);
            tokio::spawn(async move {
                if let Some(seat) = away {
                    leave(&seat).await;
                }
            });
        }
        let seat = Arc::new(Seat {
            link: ArcSwapOption::empty(),
            listed: ArcSwapOption::empty(),
            opening: tokio::sync::Mutex::default(),
            sign_ins: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            used: AtomicU64::new(since(self.begun)),
            in_vain: AtomicU64::new(0),
            signed_in: watch::Sender::new(()),
        });
        seats.insert(person.to_owned(), seat.clone());
        self.seats.store(Arc::new(seats));
        Ok(seat)
    }

    /// Keeps a seat that was taken away for resting just as it was used again.
    fn keep(&self, person: &str, seat: &Arc<Seat>) {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let seats = self.seats.load();
        if !seats.contains_key(person) {
            let mut seats = HashMap::clone(&seats);
            seats.insert(person.to_owned(), seat.clone());
            self.seats.store(Arc::new(seats));
        }
    }

    fn take_away(&self, which: impl Fn(&Seat) -> bool) -> Vec<Arc<Seat>> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let seats = self.seats.load();
        let (away, kept): (HashMap<_, _>, HashMap<_, _>) =
            seats.iter().map(|(name, seat)| (name.clone(), seat.clone())).partition(|(_, seat)| which(seat));
        if !away.is_empty() {
            self.seats.store(Arc::new(kept));
        }
        away.into_values().collect()
    }
}

impl Seat {
    /// Since when nobody uses it; later than ever where somebody does.
    fn rests_since(&self) -> u64 {
        let listened = self.signed_in.receiver_count() > 0;
        match self.running.load(Ordering::Acquire) > 0 || listened {
            true => u64::MAX,
            false => self.used.load(Ordering::Relaxed),
        }
    }
}

impl Counted {
    fn new(seat: &Arc<Seat>, begun: Instant) -> Counted {
        seat.running.fetch_add(1, Ordering::AcqRel);
        Counted { seat: seat.clone(), begun }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.seat.used.store(since(self.begun), Ordering::Relaxed);
        self.seat.running.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn leave(seat: &Seat) {
    if let Some(link) = seat.link.swap(None) {
        link.close().await;
    }
}

/// Takes a connection that ended by itself out of use.
async fn watch_end(seat: Arc<Seat>, link: Arc<Link>) {
    let why = link.closed().await;
    tracing::debug!(why, "the connection of a person ended");
    if is_current(&seat, &link) {
        seat.link.store(None);
    }
}

fn is_current(seat: &Seat, link: &Arc<Link>) -> bool {
    seat.link.load_full().is_some_and(|current| Arc::ptr_eq(&current, link))
}

/// Milliseconds from then until now.
fn since(begun: Instant) -> u64 {
    millis(now().saturating_duration_since(begun))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
