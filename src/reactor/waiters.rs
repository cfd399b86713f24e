//! Who waits for a descriptor.

use std::{collections::VecDeque, mem, num::NonZeroU64, task::Waker};

use super::events::{Events, Interest};
use crate::fence::caught;

/// Names a wait; its holder asks for one thing at a time.
pub(crate) type WaitId = NonZeroU64;

/// Those who wait for either direction of one descriptor. Any number may wait for the same one.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    reading: Line,
    writing: Line,
}

/// Nearly always there is one, for whom no memory is asked for.
#[derive(Debug, Default)]
struct Line {
    first: Option<Place>,
    #[allow(
        clippy::box_collection,
        reason = "one word in place of three, in every registration"
    )]
    others: Option<Box<Vec<Place>>>,
}

#[derive(Debug)]
struct Place {
    /// None for one who is known by his waker.
    id: Option<WaitId>,
    waker: Waker,
}

/// Wakes `waker`, whose code is anybody's: a panic in it must not keep others from being woken.
pub(crate) fn call(waker: Waker) {
    if caught(|| waker.wake()).is_none() {
        glib::g_critical!("Gsock", "a waker panicked");
    }
}

impl Waiters {
    fn line(&mut self, interest: Interest) -> &mut Line {
        match interest {
            Interest::Read => &mut self.reading,
            Interest::Write => &mut self.writing,
        }
    }

    /// Takes a place, or changes the waker of the place that `id` has. A waker that is not needed is returned,
    /// to be dropped where no lock is held.
    pub(super) fn put(&mut self, interest: Interest, id: WaitId, waker: Waker) -> Option<Waker> {
        let line = self.line(interest);
        for place in line.places() {
            if place.id == Some(id) {
                return Some(if place.waker.will_wake(&waker) {
                    waker
                } else {
                    mem::replace(&mut place.waker, waker)
                });
            }
        }
        line.add(Place {
            id: Some(id),
            waker,
        });
        None
    }

    /// Likewise, for one who is known by his waker.
    pub(super) fn put_by_waker(&mut self, interest: Interest, waker: Waker) -> Option<Waker> {
        let line = self.line(interest);
        let known = |place: &mut Place| place.id.is_none() && place.waker.will_wake(&waker);
        if line.places().any(known) {
            return Some(waker);
        }
        line.add(Place { id: None, waker });
        None
    }

    /// Gives the place up, if it was not called on meanwhile.
    pub(super) fn remove(&mut self, interest: Interest, id: WaitId) -> Option<Waker> {
        let line = self.line(interest);
        let is_its = |place: &Place| place.id == Some(id);
        if line.first.as_ref().is_some_and(is_its) {
            return line.first.take().map(|place| place.waker);
        }
        let others = line.others.as_mut()?;
        let at = others.iter().position(is_its)?;
        let waker = others.swap_remove(at).waker;
        if others.is_empty() {
            line.others = None;
        }
        Some(waker)
    }

    pub(super) fn are_any(&self) -> bool {
        !self.reading.is_empty() || !self.writing.is_empty()
    }

    pub(super) fn is_waited_for(&self, interest: Interest) -> bool {
        let line = match interest {
            Interest::Read => &self.reading,
            Interest::Write => &self.writing,
        };
        !line.is_empty()
    }

    /// Hands out those whom `events` concern, who have to ask again.
    pub(super) fn call(&mut self, events: Events, called: &mut VecDeque<Waker>) {
        let both = Events::ERROR.or(Events::HANGUP);
        if events.has(
            Events::IN
                .or(Events::PEER_HANGUP)
                .or(Events::URGENT)
                .or(both),
        ) {
            self.reading.call(called);
        }
        if events.has(Events::OUT.or(both)) {
            self.writing.call(called);
        }
    }
}

impl Line {
    fn is_empty(&self) -> bool {
        self.first.is_none() && self.others.is_none()
    }

    fn places(&mut self) -> impl Iterator<Item = &mut Place> {
        let others = self.others.iter_mut().flat_map(|others| others.iter_mut());
        self.first.iter_mut().chain(others)
    }

    fn add(&mut self, place: Place) {
        if self.first.is_none() {
            self.first = Some(place);
        } else {
            self.others.get_or_insert_default().push(place);
        }
    }

    fn call(&mut self, called: &mut VecDeque<Waker>) {
        if let Some(place) = self.first.take() {
            called.push_back(place.waker);
        }
        if let Some(others) = self.others.take() {
            called.extend(others.into_iter().map(|place| place.waker));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn id(number: u64) -> WaitId {
        NonZeroU64::new(number).expect("they begin at 1")
    }

    fn call_all(waiters: &mut Waiters, events: Events) {
        let mut called = VecDeque::new();
        waiters.call(events, &mut called);
        called.into_iter().for_each(call);
    }

    #[test]
    fn all_who_wait_for_a_direction_are_called_once() {
        let mut waiters = Waiters::default();
        let readers: Vec<_> = (0..4).map(|_| Arc::new(Count::default())).collect();
        let writer = Arc::new(Count::default());
        for (at, reader) in readers.iter().enumerate() {
            waiters.put(
                Interest::Read,
                id(at as u64 + 1),
                Waker::from(reader.clone()),
            );
        }
        waiters.put(Interest::Write, id(1), Waker::from(writer.clone()));
        for _ in 0..2 {
            call_all(&mut waiters, Events::IN);
            for reader in &readers {
                assert_eq!(reader.0.load(Ordering::Relaxed), 1);
            }
            assert_eq!(writer.0.load(Ordering::Relaxed), 0);
        }
        call_all(&mut waiters, Events::HANGUP);
        assert_eq!(writer.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_asks_again_has_one_place() {
        let mut waiters = Waiters::default();
        let (one, other) = (Arc::new(Count::default()), Arc::new(Count::default()));
        for _ in 0..3 {
            waiters.put(Interest::Read, id(7), Waker::from(one.clone()));
            waiters.put(Interest::Read, id(8), Waker::from(one.clone()));
            waiters.put(Interest::Read, id(8), Waker::from(other.clone()));
        }
        call_all(&mut waiters, Events::IN);
        assert_eq!(one.0.load(Ordering::Relaxed), 1);
        assert_eq!(other.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_is_known_by_his_waker_has_one_place_beside_those_with_a_number() {
        let mut waiters = Waiters::default();
        let (one, other) = (Arc::new(Count::default()), Arc::new(Count::default()));
        for _ in 0..3 {
            waiters.put_by_waker(Interest::Read, Waker::from(one.clone()));
            waiters.put_by_waker(Interest::Read, Waker::from(other.clone()));
            waiters.put(Interest::Read, id(1), Waker::from(one.clone()));
        }
        assert!(waiters.remove(Interest::Read, id(1)).is_some());
        call_all(&mut waiters, Events::IN);
        assert_eq!(one.0.load(Ordering::Relaxed), 1);
        assert_eq!(other.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_leaves_is_not_called() {
        let mut waiters = Waiters::default();
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        waiters.put(Interest::Read, id(1), waker.clone());
        waiters.put(Interest::Read, id(2), waker);
        assert!(waiters.remove(Interest::Read, id(1)).is_some());
        assert!(waiters.remove(Interest::Read, id(2)).is_some());
        assert!(waiters.remove(Interest::Read, id(2)).is_none());
        assert!(!waiters.is_waited_for(Interest::Read));
        call_all(&mut waiters, Events::IN);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
    }
}
