//! How many connections a listener takes, how fast, and what it counts.
//!
//! Whoever accepts asks for a ticket before accept(2) is called, so that what is over the limit is not taken from the kernel:
//! it waits in the queue there, and when that is full, at the client. A ticket that comes to nothing is given back; one
//! that does becomes the [`Lease`] of the connection, which ends when its descriptor is closed. A place that becomes free
//! wakes whoever was turned away.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use super::{
    listening::Accepted,
    sockets::Sockets,
    teller::{Teller, count},
};
use crate::transport::{Lease, Lessor};

const SECOND: i64 = 1_000_000;

/// What a listener was told to keep to; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) max_connections: u32,
    pub(super) max_connections_per_peer: u32,
    /// A second.
    pub(super) accept_rate: u32,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Limits {
    ledger: Mutex<Ledger>,
    /// There is none but that of peers: nobody need be asked before accept(2).
    is_unlimited: AtomicBool,
    counts_peers: AtomicBool,
    /// Somebody waits until there is room.
    is_waited_for: AtomicBool,
    accepted: AtomicU64,
    refused: AtomicU64,
    active: AtomicU32,
    teller: Arc<Teller>,
}

#[derive(Debug)]
struct Ledger {
    settings: Settings,
    /// Tickets that are out.
    reserved: u32,
    /// How many connections each peer has, of those that were accepted since there is a limit for it.
    peers: HashMap<IpAddr, u32>,
    bucket: Bucket,
}

/// What may be taken now, in millionths of a connection.
#[derive(Debug)]
struct Bucket {
    held: i64,
    filled: i64,
}

impl Bucket {
    /// What it can hold: a tenth of a second's worth, and one connection at least.
    fn room(rate: u32) -> i64 {
        (i64::from(rate) * SECOND / 10).max(SECOND)
    }

    fn full(rate: u32, now: i64) -> Self {
        Self {
            held: Self::room(rate),
            filled: now,
        }
    }

    /// Takes one connection out, or answers when there will be one.
    fn take(&mut self, rate: u32, now: i64) -> Result<(), i64> {
        let passed = now.saturating_sub(self.filled).clamp(0, SECOND);
        self.held = (self.held + passed * i64::from(rate)).min(Self::room(rate));
        self.filled = now;
        if self.held >= SECOND {
            self.held -= SECOND;
            return Ok(());
        }
        // Rounded up, so that there is one then. A rate of 0 does not come here.
        let missing = SECOND - self.held;
        Err(now + (missing + i64::from(rate) - 1) / i64::from(rate.max(1)))
    }

    fn give_back(&mut self) {
        self.held += SECOND;
    }
}

/// Whether somebody may call accept(2) now.
pub(super) enum Admission<'a> {
    Granted(Ticket<'a>),
    /// When a place becomes free, whoever waits for a change is woken.
    Full,
    /// The rate allows for none before that moment.
    NotBefore(i64),
}

/// The right to accept one connection.
pub(super) struct Ticket<'a> {
    /// None where there was no limit to keep to.
    limits: Option<&'a Limits>,
}

impl Limits {
    /// Whoever makes it is at the listener's home.
    pub(super) fn new() -> Self {
        Self {
            ledger: Mutex::new(Ledger {
                settings: Settings::default(),
                reserved: 0,
                peers: HashMap::new(),
                bucket: Bucket::full(0, 0),
            }),
            is_unlimited: AtomicBool::new(true),
            counts_peers: AtomicBool::new(false),
            is_waited_for: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            active: AtomicU32::new(0),
            teller: Arc::new(Teller::here()),
        }
    }

    /// Nothing that belongs to somebody else is called or dropped while it is held.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Plain numbers: a panic leaves nothing half done.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn settings(&self) -> Settings {
        self.ledger().settings
    }

    /// Changes the settings. Whoever waits must be woken afterwards if this answers so.
    pub(super) fn set(&self, change: impl FnOnce(&mut Settings)) -> bool {
        let mut ledger = self.ledger();
        let before = ledger.settings;
        change(&mut ledger.settings);
        let after = ledger.settings;
        if after.accept_rate != before.accept_rate {
            ledger.bucket = Bucket::full(after.accept_rate, glib::monotonic_time());
        }
        let is_unlimited = after.max_connections == 0 && after.accept_rate == 0;
        self.is_unlimited.store(is_unlimited, Ordering::Release);
        let counts_peers = after.max_connections_per_peer != 0;
        self.counts_peers.store(counts_peers, Ordering::Release);
        after != before
    }

    pub(super) fn accepted(&self) -> u64 {
        self.teller.catch_up();
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.teller.catch_up();
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn active(&self) -> u32 {
        self.teller.catch_up();
        self.active.load(Ordering::Acquire)
    }

    pub(super) fn teller(&self) -> &Arc<Teller> {
        &self.teller
    }

    /// Asks whether a connection may be taken. Whoever is turned away because it is full asks again when he is in the list
    /// of those who are woken, or a place could become free unseen.
    pub(super) fn admit(&self) -> Admission<'_> {
        if self.is_unlimited.load(Ordering::Acquire) {
            return Admission::Granted(Ticket { limits: None });
        }
        let mut ledger = self.ledger();
        if self.is_full(&ledger) {
            return Admission::Full;
        }
        let rate = ledger.settings.accept_rate;
        if rate != 0
            && let Err(moment) = ledger.bucket.take(rate, glib::monotonic_time())
        {
            return Admission::NotBefore(moment);
        }
        ledger.reserved += 1;
        Admission::Granted(Ticket { limits: Some(self) })
    }

    /// Whether there is room now. If not, whoever asks is going to be woken.
    pub(super) fn has_room(&self) -> bool {
        let ledger = self.ledger();
        !self.is_full(&ledger)
    }

    fn is_full(&self, ledger: &Ledger) -> bool {
        let most = ledger.settings.max_connections;
        let is_full = || {
            let active = self.active.load(Ordering::SeqCst);
            most != 0 && active.saturating_add(ledger.reserved) >= most
        };
        if !is_full() {
            return false;
        }
        // Before the look that counts: whoever leaves after that one finds the mark.
        self.is_waited_for.store(true, Ordering::SeqCst);
        is_full()
    }

    /// A connection was taken from the kernel. Answers under whom it counts if it may stay; else it is counted as refused,
    /// and the ticket is good for another one.
    fn let_in<'a>(
        &self,
        ticket: Ticket<'a>,
        peer: Option<IpAddr>,
    ) -> Result<Option<IpAddr>, Ticket<'a>> {
        let counted = match peer {
            None => None,
            Some(peer) => {
                let mut ledger = self.ledger();
                let most = ledger.settings.max_connections_per_peer;
                let has = ledger.peers.get(&peer).copied().unwrap_or(0);
                if most != 0 && has >= most {
                    drop(ledger);
                    self.refuse();
                    return Err(ticket);
                }
                ledger.peers.insert(peer, has + 1);
                Some(peer)
            }
        };
        ticket.use_up(&self.active);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.teller.tell(count::ACCEPTED | count::ACTIVE);
        Ok(counted)
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.teller.tell(count::REFUSED);
    }

    /// One that was let in is closed. Answers whether somebody waits for the place.
    fn leave(&self, peer: Option<IpAddr>) -> bool {
        if let Some(peer) = peer {
            let mut ledger = self.ledger();
            if let Entry::Occupied(mut has) = ledger.peers.entry(peer) {
                *has.get_mut() -= 1;
                if *has.get() == 0 {
                    has.remove();
                }
            }
        }
        self.active.fetch_sub(1, Ordering::SeqCst);
        self.teller.tell(count::ACTIVE);
        self.take_waited_for()
    }

    fn take_waited_for(&self) -> bool {
        self.is_waited_for.load(Ordering::SeqCst)
            && self.is_waited_for.swap(false, Ordering::SeqCst)
    }
}

impl Sockets {
    /// Lets a connection in that was taken from the kernel, or refuses it, for which the ticket is not used up.
    pub(super) fn let_in<'a>(
        self: &Arc<Self>,
        mut accepted: Accepted,
        ticket: Ticket<'a>,
    ) -> Result<Accepted, Ticket<'a>> {
        if !accepted.is_admitted() {
            self.limits.refuse();
            accepted.refuse();
            return Err(ticket);
        }
        let peer = || accepted.peer().and_then(|peer| peer.ip());
        let counts_peers = self.limits.counts_peers.load(Ordering::Acquire);
        match self
            .limits
            .let_in(ticket, counts_peers.then(peer).flatten())
        {
            Ok(counted) => {
                accepted.take_lease(Lease::new(self.clone(), counted));
                Ok(accepted)
            }
            Err(ticket) => {
                accepted.refuse();
                Err(ticket)
            }
        }
    }

    /// Changes the limits, and has whoever waits look whether there is room now. Answers whether they are others.
    pub(super) fn set_limits(&self, change: impl FnOnce(&mut Settings)) -> bool {
        let differs = self.limits.set(change);
        if differs {
            self.wake_all();
        }
        differs
    }
}

impl Lessor for Sockets {
    fn ended(&self, peer: Option<IpAddr>) {
        if self.limits.leave(peer) {
            self.wake_all();
        }
    }
}

impl Ticket<'_> {
    /// It has become a connection.
    fn use_up(mut self, active: &AtomicU32) {
        let Some(limits) = self.limits.take() else {
            active.fetch_add(1, Ordering::AcqRel);
            return;
        };
        // Both under the lock, so that nobody counts it twice, or not at all.
        let mut ledger = limits.ledger();
        active.fetch_add(1, Ordering::AcqRel);
        ledger.reserved -= 1;
    }

    /// There was none to accept. Answers whether somebody waits for the place.
    pub(super) fn give_back(mut self) -> bool {
        self.limits.take().is_some_and(Limits::take_back)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(limits) = self.limits.take() {
            limits.take_back();
        }
    }
}

impl Limits {
    fn take_back(&self) -> bool {
        {
            let mut ledger = self.ledger();
            ledger.reserved -= 1;
            if ledger.settings.accept_rate != 0 {
                ledger.bucket.give_back();
            }
        }
        self.take_waited_for()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Condvar, thread, time::Duration};

    use super::*;

    #[test]
    fn a_bucket_gives_as_much_in_a_second_as_its_rate_says() {
        for rate in [1, 7, 50, 1_000, 100_000] {
            let mut bucket = Bucket::full(rate, 0);
            let mut now = 0;
            // What it holds at first is beyond that.
            while bucket.take(rate, now).is_ok() {}
            let mut taken = 0_u32;
            while now < 2 * SECOND {
                match bucket.take(rate, now) {
                    Ok(()) => taken += 1,
                    Err(moment) => {
                        let later = moment > now;
                        now = moment;
                        if !later {
                            break;
                        }
                    }
                }
            }
            let expected = 2 * rate;
            let is_close = taken <= expected && taken + 2 >= expected;
            assert!(is_close && now >= 2 * SECOND, "{rate}: {taken} until {now}");
        }
    }

    #[test]
    fn a_bucket_holds_no_more_than_a_tenth_of_a_second_however_long_nobody_came() {
        let mut bucket = Bucket::full(100, 0);
        let held = (0..1_000)
            .take_while(|_| bucket.take(100, 3_600 * SECOND).is_ok())
            .count();
        assert_eq!(held, 10);
    }

    /// Those who were turned away, as the list of a listener has them.
    #[derive(Default)]
    struct Turned {
        woken: Mutex<u64>,
        bell: Condvar,
    }

    impl Turned {
        fn wake(&self) {
            *self.woken.lock().expect("no panic under it") += 1;
            self.bell.notify_all();
        }

        /// Answers whether somebody has woken in time.
        fn wait(&self, limits: &Limits) -> bool {
            let woken = self.woken.lock().expect("no panic under it");
            let before = *woken;
            drop(woken);
            if limits.has_room() {
                return true;
            }
            let woken = self.woken.lock().expect("no panic under it");
            let limit = Duration::from_secs(60);
            let waited = self
                .bell
                .wait_timeout_while(woken, limit, |woken| *woken == before)
                .expect("no panic under it");
            !waited.1.timed_out()
        }
    }

    #[test]
    fn threads_share_the_room_that_there_is_and_none_is_forgotten() {
        const THREADS: usize = 8;
        const TIMES: usize = 5_000;
        let (limits, turned) = (Limits::new(), Turned::default());
        limits.set(|settings| settings.max_connections = 3);
        let most = AtomicU32::new(0);
        let forgotten = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut entered = 0;
                    while entered < TIMES && !forgotten.load(Ordering::Relaxed) {
                        match limits.admit() {
                            // Now and then there is nobody to accept.
                            Admission::Granted(ticket) if entered % 3 == 0 => {
                                if ticket.give_back() {
                                    turned.wake();
                                }
                                entered += 1;
                            }
                            Admission::Granted(ticket) => {
                                let entry = limits.let_in(ticket, None);
                                most.fetch_max(limits.active(), Ordering::Relaxed);
                                thread::yield_now();
                                if limits.leave(entry.unwrap_or(None)) {
                                    turned.wake();
                                }
                                entered += 1;
                            }
                            Admission::Full => {
                                if !turned.wait(&limits) {
                                    forgotten.store(true, Ordering::Relaxed);
                                }
                            }
                            Admission::NotBefore(_) => unreachable!("there is no rate"),
                        }
                    }
                });
            }
        });
        assert!(
            !forgotten.into_inner(),
            "there was room, and nobody was told"
        );
        assert_eq!((limits.active(), limits.ledger().reserved), (0, 0));
        let most = most.into_inner();
        assert!(most <= 3, "{most}");
    }
}
