//! Making sequences, playing them, and making those that fail shorter.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use proptest::{
    collection::vec,
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::support::*;

/// How many sequences there are among the other tests, of all models.
const CASES: u64 = 2_000;
/// How long a sequence is at most.
pub(crate) const LENGTH: usize = 40;
/// For how many tries one that fails is made shorter, and for how long.
const TRIES: usize = 400;
const PATIENCE: Duration = Duration::from_secs(20);

fn number(name: &str) -> Option<u64> {
    let number = std::env::var(name).ok()?;
    Some(number.parse().expect("a number"))
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, random)
}

/// What a sequence has failed with.
fn failure(play: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(play)).err()?;
    let what = panic.downcast_ref::<String>().cloned();
    let what = what.or_else(|| panic.downcast_ref().map(|what: &&str| (*what).to_owned()));
    Some(what.unwrap_or_default())
}

/// Plays `percent` of the sequences, of steps that `step` makes, for `test`.
pub(crate) fn explore<S>(
    test: &str,
    percent: u64,
    step: impl Fn() -> S + Send + 'static,
    play: fn(&glib::MainContext, &[S::Value]),
) where
    S: Strategy,
    S::Value: Debug + Clone + 'static,
{
    let only = number("SEED");
    let cases = number("CASES").unwrap_or(CASES) * percent / 100;
    let first = only.unwrap_or_else(|| number("FROM").unwrap_or(0));
    let seeds = first..first + only.map_or(cases, |_| 1);
    let at = Arc::new(AtomicU64::new(first));
    let played = at.clone();
    let limit = 2 * LIMIT + PATIENCE + Duration::from_millis(20 * cases);
    let test = test.trim_start_matches("model::").to_owned();
    let replay = test.clone();
    let outcome = failure(move || {
        on_private_context_within(limit, move |context| {
            let mut wrong = None;
            for seed in seeds.clone() {
                played.store(seed, Ordering::Relaxed);
                wrong = one(&step, seed, context, play);
                if wrong.is_some() {
                    break;
                }
            }
            let right = played.load(Ordering::Relaxed) - first + u64::from(wrong.is_none());
            let tried = right + u64::from(wrong.is_some());
            println!("model {test}: {tried} sequences tried, {right} right");
            assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
        });
    });
    if let Some(what) = outcome {
        let seed = at.load(Ordering::Relaxed);
        panic!("{what}\n  SEED={seed} cargo test --test model {replay}");
    }
}

fn one<S>(
    step: &impl Fn() -> S,
    seed: u64,
    context: &glib::MainContext,
    play: fn(&glib::MainContext, &[S::Value]),
) -> Option<String>
where
    S: Strategy,
    S::Value: Debug + Clone,
{
    let steps = vec(step(), 1..=LENGTH);
    let mut tree = steps
        .new_tree(&mut runner(seed))
        .expect("there are no filters");
    if number("SEED").is_some() {
        // One that hangs is not made shorter.
        println!("{:?}", tree.current());
    }
    let mut what = failure(|| play(context, &tree.current()))?;
    let mut shortest = tree.current();
    let mut tries = 0;
    let until = Instant::now() + PATIENCE;
    let mut may = tree.simplify();
    while may && tries < TRIES && Instant::now() < until {
        tries += 1;
        let steps = tree.current();
        if let Some(found) = failure(|| play(context, &steps)) {
            (what, shortest) = (found, steps);
            may = tree.simplify();
        } else {
            may = tree.complicate();
        }
    }
    Some(format!("{what}, after {shortest:?}"))
}
