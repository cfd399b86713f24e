//! Moments that somebody waits for.

use std::{
    collections::{BTreeMap, VecDeque},
    task::Waker,
};

/// A moment on the monotonic clock, in microseconds.
pub(crate) type Moment = i64;

/// Names a moment somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey(Moment, u64);

impl TimerKey {
    pub(crate) fn moment(self) -> Moment {
        self.0
    }
}

/// In the order of their moments, and of their coming within one. Removed as soon as nobody waits
/// any more: with a timeout on each read there would soon be millions of them.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<TimerKey, Waker>,
    count: u64,
}

impl Timers {
    pub(super) fn insert(&mut self, moment: Moment, waker: Waker) -> TimerKey {
        self.count += 1;
        let key = TimerKey(moment, self.count);
        self.due.insert(key, waker);
        key
    }

    /// The waker is returned to be dropped where no lock is held.
    pub(super) fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        self.due.remove(&key)
    }

    /// Whether `key` has not come yet, and is for `waker`.
    pub(super) fn is_for(&self, key: TimerKey, waker: &Waker) -> bool {
        self.due
            .get(&key)
            .is_some_and(|known| known.will_wake(waker))
    }

    pub(super) fn next(&self) -> Option<Moment> {
        self.due.first_key_value().map(|(key, _)| key.moment())
    }

    /// Hands out those whose moment has come.
    pub(super) fn call(&mut self, now: Moment, called: &mut VecDeque<Waker>) {
        while let Some(first) = self.due.first_entry()
            && first.key().moment() <= now
        {
            called.push_back(first.remove());
        }
    }

    pub(super) fn clear(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.due).into_values().collect()
    }
}

/// How long a wait in whole milliseconds takes that does not end before its moment: it is rounded up,
/// and a long one is taken in parts.
pub(super) fn milliseconds_to(moment: Moment, now: Moment) -> i32 {
    let left = moment.saturating_sub(now).max(0);
    i32::try_from(left.saturating_add(999) / 1000).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, task::Wake};

    use super::*;

    struct Nothing;

    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_moment_is_rounded_up_to_whole_milliseconds() {
        assert_eq!(milliseconds_to(10_500_000, 0), 10_500);
        assert_eq!(milliseconds_to(10_500_001, 0), 10_501);
        assert_eq!(milliseconds_to(4, 5), 0);
        assert_eq!(milliseconds_to(i64::MAX, 0), i32::MAX);
        assert_eq!(milliseconds_to(i64::MAX, -1), i32::MAX);
    }

    /// GLib 2.79.0: a wait that ended at exactly its moment had not timed out yet.
    #[test]
    fn bug_33_a_moment_has_come_when_the_clock_shows_it_and_not_before() {
        for moment in [0, 1, 999, 1000, i64::MAX - 1] {
            let mut timers = Timers::default();
            timers.insert(moment, Waker::from(Arc::new(Nothing)));
            let mut called = VecDeque::new();
            timers.call(moment - 1, &mut called);
            assert!(called.is_empty());
            assert!(milliseconds_to(moment, moment - 1) > 0);
            // A clock that stands still from the wait to the look is late enough.
            assert_eq!(milliseconds_to(moment, moment), 0);
            timers.call(moment, &mut called);
            assert_eq!(called.len(), 1);
            assert_eq!(timers.next(), None);
        }
    }

    #[test]
    fn moments_come_in_order_and_once() {
        let mut timers = Timers::default();
        let waker = Waker::from(Arc::new(Nothing));
        let keys = [30, 10, 20, 10].map(|moment| timers.insert(moment, waker.clone()));
        assert_eq!(timers.next(), Some(10));
        assert!(timers.remove(keys[1]).is_some());
        assert!(timers.remove(keys[1]).is_none());
        let mut called = VecDeque::new();
        timers.call(9, &mut called);
        assert!(called.is_empty());
        timers.call(20, &mut called);
        assert_eq!(called.len(), 2);
        assert_eq!(timers.next(), Some(30));
        assert!(timers.is_for(keys[0], &waker));
        assert!(!timers.is_for(keys[0], &Waker::from(Arc::new(Nothing))));
        assert!(!timers.is_for(keys[2], &waker));
        assert_eq!(timers.clear().len(), 1);
        assert_eq!(timers.next(), None);
    }
}
