//! What the simulations share: chance that a seed tells, seeds to play, steps to count, others that come in between.
//!
//! `SIM_SEED=…` plays one seed, with each step printed. Otherwise seeds are played from `SIM_FROM` on until `SIM_STEPS`
//! steps are done: `.ci/nets/simulation.sh` has every processor do so, and sums up what each test prints at its end.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Once,
};

/// How many steps each simulation takes among the other tests.
const STEPS: u64 = 300_000;

thread_local! {
    /// Who may come between two steps of what is simulated.
    static OTHERS: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    static PRINTS: Cell<bool> = const { Cell::new(false) };
    /// What is told is told once, with the seed.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    /// What was found where a panic would not come through.
    static FOUND: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// "splitmix64", by Sebastiano Vigna.
#[derive(Debug)]
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Called between two steps between which another thread may come.
pub(crate) fn interleave() {
    let others = OTHERS.with_borrow(Clone::clone);
    if let Some(others) = others {
        others();
    }
}

/// From now on `others` are called by [`interleave`], until the seed is played.
pub(crate) fn let_in(others: Rc<dyn Fn()>) {
    OTHERS.set(Some(others));
}

/// Counts a step.
pub(crate) fn step() {
    TAKEN.set(TAKEN.get() + 1);
}

pub(crate) fn print(what: impl FnOnce() -> String) {
    if PRINTS.get() {
        eprintln!("{}", what());
    }
}

fn number(name: &str) -> Option<u64> {
    let number = std::env::var(name).ok()?;
    Some(number.parse().expect("a number"))
}

/// A panic hook that leaves out what [`caught`] will tell.
fn quieten() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                before(info);
            }
        }));
    });
}

/// What `f` answers, or what it panics with, in one line.
fn caught<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    let is_quiet = IS_QUIET.replace(!PRINTS.get());
    let result = catch_unwind(AssertUnwindSafe(f));
    IS_QUIET.set(is_quiet);
    result.map_err(|panic| {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref().map(|what: &&str| (*what).to_owned()));
        what.unwrap_or_default().replace('\n', " ")
    })
}

/// For what the library calls, and would keep a panic of: it is told at the next [`look`].
pub(crate) fn guarded<R>(f: impl FnOnce() -> R) -> Option<R> {
    match caught(f) {
        Ok(result) => Some(result),
        Err(what) => {
            // The first is the cause of the others.
            FOUND.with_borrow_mut(|found| {
                found.get_or_insert(what);
            });
            None
        }
    }
}

/// Ends the seed if something was found.
pub(crate) fn look() {
    if let Some(what) = FOUND.take() {
        panic!("{what}");
    }
}

/// Plays seeds, each by `one`, for the test `name` of `module`. Answers whether they were many, not one that was asked for.
pub(crate) fn play(module: &str, name: &str, one: impl Fn(u64)) -> bool {
    quieten();
    let test = format!("{}::{name}", module.trim_start_matches("gsock::"));
    let only = number("SIM_SEED");
    let first = only.unwrap_or_else(|| number("SIM_FROM").unwrap_or(0));
    let steps = number("SIM_STEPS").unwrap_or(STEPS);
    PRINTS.set(only.is_some());
    TAKEN.set(0);
    let mut seed = first;
    let mut wrong = None;
    loop {
        let played = caught(|| {
            one(seed);
            look();
        });
        OTHERS.set(None);
        let found = FOUND.take();
        if let Err(what) = played.map_err(|what| found.unwrap_or(what)) {
            wrong = Some(what);
            break;
        }
        seed += 1;
        if only.is_some() || TAKEN.get() >= steps {
            break;
        }
    }
    PRINTS.set(false);
    let (taken, played) = (TAKEN.get(), seed - first);
    let ended = u64::from(wrong.is_some());
    println!("simulation {test}: {taken} steps, {played} seeds right, {ended} wrong");
    if let Some(what) = wrong {
        panic!("{what}: SIM_SEED={seed} cargo test --lib {test}");
    }
    only.is_none()
}
