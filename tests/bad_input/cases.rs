//! How cases are run, many at once, and counted.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use gsock::living;

use crate::support::iterate_until_none_lives;

/// They wait for each other's ends more than they work.
const AT_ONCE: usize = 8;

/// What has to be true of one input, or what is wrong.
pub(crate) type Verdict = Result<(), String>;

/// Judges every case, on threads that have a context of their own each, and fails if one is wrong.
///
/// The label of a case is all that is needed to play it again: with `BAD_INPUT_ONLY` in the environment only the cases
/// whose labels contain that are run.
pub(crate) fn judge<C: Sync>(
    what: &str,
    cases: &[C],
    label: impl Fn(&C) -> String + Sync,
    one: impl Fn(&C, &glib::MainContext) -> Verdict + Sync,
) {
    let only = std::env::var("BAD_INPUT_ONLY").unwrap_or_default();
    let chosen: Vec<&C> = cases
        .iter()
        .filter(|case| label(case).contains(&only))
        .collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let context = glib::MainContext::new();
                let tally = living::Tally::begin();
                let work = || {
                    while let Some(case) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let verdict = catch_unwind(AssertUnwindSafe(|| one(case, &context)));
                        let verdict = verdict.unwrap_or_else(|_| Err("it panicked".to_owned()));
                        if let Err(why) = verdict {
                            let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                            wrong.push(format!("{}: {why}", label(case)));
                        }
                    }
                    if tally.is_some() {
                        iterate_until_none_lives(&context);
                    }
                };
                context.with_thread_default(work).expect("a new context");
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    tell(what, chosen.len(), &wrong);
}

/// Says how many cases there were, and fails if one is wrong.
pub(crate) fn tell(what: &str, tried: usize, wrong: &[String]) {
    println!(
        "bad input: {tried} cases, {} right: {what}",
        tried - wrong.len()
    );
    for line in wrong {
        println!("wrong: {what}: {line}");
    }
    assert!(wrong.is_empty(), "{what}: {} of {tried}", wrong.len());
}

/// Every text that differs from `text` in one byte, as `(place, byte, text)`: each bit of it turned, and nothing and
/// everything in its place; of the bytes that `selects` names, all values, and of all bytes with `BAD_INPUT_EVERY` in the
/// environment.
pub(crate) fn mutations(text: &[u8], selects: impl Fn(usize) -> bool) -> Vec<(usize, u8, Vec<u8>)> {
    let every = std::env::var_os("BAD_INPUT_EVERY").is_some();
    let mut all = Vec::new();
    for (at, &was) in text.iter().enumerate() {
        let mut values: Vec<u8> = if every || selects(at) {
            (0..=255).collect()
        } else {
            let flipped = (0..8).map(|bit| was ^ (1 << bit));
            flipped.chain([0, 0xff]).collect()
        };
        values.sort_unstable();
        values.dedup();
        for value in values.into_iter().filter(|value| *value != was) {
            let mut changed = text.to_vec();
            changed[at] = value;
            all.push((at, value, changed));
        }
    }
    all
}
