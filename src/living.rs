//! How many of our objects there are, so that each test can say that none of its own is left.
//!
//! Counted where debug assertions are, and by the test whose thread has made them. No locks, and no memory of their own: a
//! child that is forked in the middle of anything can count on.

/// What is counted: its place in [`NAMES`].
pub(crate) type What = usize;

macro_rules! what {
    ($($name:ident = $number:literal),+ $(,)?) => {
        $(pub(crate) const $name: What = $number;)+

        /// As messages have them.
        pub const NAMES: &[&str] = &[$(stringify!($name)),+];

        // Each number is the place of its name.
        const _: () = {
            let numbers = [$($number),+];
            let mut at = 0;
            while at < numbers.len() {
                assert!(numbers[at] == at);
                at += 1;
            }
        };
    };
}

what!(
    SOCKET_CONNECTION = 0,
    TCP_CONNECTION = 1,
    TCP_WRAPPER_CONNECTION = 2,
    UNIX_CONNECTION = 3,
    SOCKET_INPUT_STREAM = 4,
    SOCKET_OUTPUT_STREAM = 5,
    SOCKET_CLIENT = 6,
    SOCKET_LISTENER = 7,
    SOCKET_SERVICE = 8,
    THREADED_SOCKET_SERVICE = 9,
    FRAMED = 10,
    RECONNECTOR = 11,
    IO_STREAM_ADAPTER = 12,
    ADAPTER_INPUT_STREAM = 13,
    ADAPTER_OUTPUT_STREAM = 14,
    GIO_TWIN = 15,
    GIO_TWIN_OUTPUT_STREAM = 16,
    TRANSFER_RESULT = 17,
    // What stands behind the objects, and may outlive them for a moment only.
    TRANSPORT = 18,
    DESCRIPTOR = 19,
    CONNECT = 20,
    FRAMES = 21,
    // As long as its main context.
    ENGINE = 22,
);

#[cfg(debug_assertions)]
mod counted {
    use std::{
        cell::Cell,
        sync::atomic::{AtomicBool, AtomicIsize, Ordering},
    };

    use super::{NAMES, What};

    const KINDS: usize = NAMES.len();
    /// The first is for whoever has none.
    const SLOTS: usize = 64;

    struct Slot {
        taken: AtomicBool,
        living: [AtomicIsize; KINDS],
        made: [AtomicIsize; KINDS],
    }

    static SLOTS_: [Slot; SLOTS] = [const {
        Slot {
            taken: AtomicBool::new(false),
            living: [const { AtomicIsize::new(0) }; KINDS],
            made: [const { AtomicIsize::new(0) }; KINDS],
        }
    }; SLOTS];

    thread_local! {
        static HERE: Cell<u8> = const { Cell::new(0) };
    }

    /// A field of whatever is counted.
    #[derive(Debug)]
    pub(crate) struct Living<const WHAT: What> {
        slot: u8,
    }

    impl<const WHAT: What> Default for Living<WHAT> {
        fn default() -> Self {
            let slot = HERE.get();
            let counts = &SLOTS_[usize::from(slot)];
            counts.living[WHAT].fetch_add(1, Ordering::Relaxed);
            counts.made[WHAT].fetch_add(1, Ordering::Relaxed);
            Self { slot }
        }
    }

    impl<const WHAT: What> Drop for Living<WHAT> {
        fn drop(&mut self) {
            // What another thread looks at once it has seen the count has happened before.
            SLOTS_[usize::from(self.slot)].living[WHAT].fetch_sub(1, Ordering::Release);
        }
    }

    /// What this thread makes from now on, until it is dropped. A thread has one at a time.
    #[derive(Debug)]
    pub struct Tally {
        slot: u8,
    }

    impl Tally {
        /// `None` where nothing is counted, or too many count already.
        pub fn begin() -> Option<Self> {
            let slot = (1..SLOTS).find(|slot| !SLOTS_[*slot].taken.swap(true, Ordering::AcqRel))?;
            let slot = u8::try_from(slot).ok()?;
            HERE.set(slot);
            for made in &SLOTS_[usize::from(slot)].made {
                made.store(0, Ordering::Relaxed);
            }
            Some(Self { slot })
        }

        /// Those that are still there, by name.
        pub fn left(&self) -> Vec<(&'static str, isize)> {
            named(&SLOTS_[usize::from(self.slot)].living)
        }

        /// How many there have been, by name.
        pub fn made(&self) -> Vec<(&'static str, isize)> {
            named(&SLOTS_[usize::from(self.slot)].made)
        }
    }

    impl Drop for Tally {
        fn drop(&mut self) {
            HERE.set(0);
            // One with something left is nobody's any more: it would be blamed on the next.
            if self.left().is_empty() {
                SLOTS_[usize::from(self.slot)]
                    .taken
                    .store(false, Ordering::Release);
            }
        }
    }

    /// What this thread has made and what is still there, while it has a tally.
    pub fn left_here() -> Vec<(&'static str, isize)> {
        let slot = HERE.get();
        if slot == 0 {
            return Vec::new();
        }
        named(&SLOTS_[usize::from(slot)].living)
    }

    /// Everything in the process that is there, by name.
    pub fn everything() -> Vec<(&'static str, isize)> {
        let sum = |kind: usize| {
            let of_slot = |slot: &Slot| slot.living[kind].load(Ordering::Acquire);
            AtomicIsize::new(SLOTS_.iter().map(of_slot).sum())
        };
        named(&std::array::from_fn(sum))
    }

    fn named(counts: &[AtomicIsize; KINDS]) -> Vec<(&'static str, isize)> {
        let counts = counts.iter().map(|count| count.load(Ordering::Acquire));
        let named = NAMES.iter().copied().zip(counts);
        named.filter(|(_, count)| *count != 0).collect()
    }
}

#[cfg(not(debug_assertions))]
mod counted {
    use super::What;

    /// Nothing, where nothing is counted.
    #[derive(Debug, Default)]
    pub(crate) struct Living<const WHAT: What>;

    /// There is none.
    #[derive(Debug)]
    pub enum Tally {}

    impl Tally {
        pub fn begin() -> Option<Self> {
            None
        }

        pub fn left(&self) -> Vec<(&'static str, isize)> {
            match *self {}
        }

        pub fn made(&self) -> Vec<(&'static str, isize)> {
            match *self {}
        }
    }

    pub fn left_here() -> Vec<(&'static str, isize)> {
        Vec::new()
    }

    pub fn everything() -> Vec<(&'static str, isize)> {
        Vec::new()
    }
}

pub(crate) use counted::Living;
pub use counted::{Tally, everything, left_here};

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_makes_is_its_own_and_is_counted_until_it_goes() {
        let tally = Tally::begin().expect("nobody counts here");
        let first = Living::<SOCKET_CLIENT>::default();
        let second = Living::<SOCKET_CLIENT>::default();
        assert_eq!(tally.left(), [("SOCKET_CLIENT", 2)]);
        assert_eq!(left_here(), tally.left());
        // Elsewhere, and it goes elsewhere.
        std::thread::spawn(|| {
            let elsewhere = Living::<FRAMED>::default();
            drop((first, elsewhere));
        })
        .join()
        .expect("no panic");
        assert_eq!(tally.left(), [("SOCKET_CLIENT", 1)]);
        drop(second);
        assert_eq!(tally.left(), []);
        assert_eq!(tally.made(), [("SOCKET_CLIENT", 2)]);
    }
}
