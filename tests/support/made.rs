//! What a test makes is gone when the test is over: the connections and sockets that support makes for it.

use std::{
    cell::RefCell,
    panic::Location,
    thread,
    time::{Duration, Instant},
};

use gio::prelude::*;

use super::{Gone, counts, iterate_until, slowness};

/// How soon a thread of GIO's has given up what it held.
const MOMENT: Duration = Duration::from_millis(50);

/// How soon a thread of ours has, if it is given a processor.
const WHILE: Duration = Duration::from_millis(300);

/// How long something may take to go.
const PATIENCE: Duration = Duration::from_secs(2);

thread_local! {
    static MADE: RefCell<Vec<(&'static Location<'static>, glib::Type, Gone)>> =
        const { RefCell::new(Vec::new()) };
}

/// Remembers an object that must be gone at the end of the test that this thread runs.
#[track_caller]
pub(super) fn noted<O: IsA<glib::Object>>(object: O) -> O {
    let place = Location::caller();
    let type_ = object.as_ref().type_();
    MADE.with_borrow_mut(|made| made.push((place, type_, Gone::of(&object))));
    object
}

/// What the test has made so far may outlive it: for tests of what cannot be freed.
pub fn let_stay() {
    MADE.take();
    counts::let_stay();
}

/// At the end of a test that has given something up: what was given up ends in the context, once a thread of GIO's has answered.
/// The context must not go before that, for what waits in it for good keeps it.
#[track_caller]
pub fn iterate_until_none_lives(context: &glib::MainContext) {
    iterate_until(context, counts::none_lives_here);
}

/// What another thread is about to give up comes home first, as long as there is one: before a context goes. What is to end with it
/// does so.
pub fn let_come_home(context: &glib::MainContext) {
    let until = Instant::now() + WHILE * slowness();
    while !counts::none_lives_here() && !counts::may_stay() && Instant::now() < until {
        context.iteration(false);
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs `test`, and fails if anything that it made outlives it.
pub(super) fn none_left<R>(
    context: &glib::MainContext,
    test: impl FnOnce(&glib::MainContext) -> R,
) -> R {
    let result = test(context);
    let made = MADE.take();
    // A thread of GIO's that has ended a task gives its references up a moment later.
    let until = Instant::now() + PATIENCE * slowness();
    loop {
        // What is on its way in the context may still hold it.
        let rest = (0..10_000).position(|_| !context.iteration(false));
        assert!(rest.is_some(), "something in the context runs without end");
        let Some((place, type_, _)) = made.iter().find(|(.., gone)| !gone.is_gone()) else {
            break;
        };
        assert!(
            Instant::now() < until,
            "the {type_} made in {place} outlives its test"
        );
        thread::sleep(Duration::from_millis(1));
    }
    let_come_home(context);
    // So may one that nobody here knows of. Only a sanitizer sees the difference.
    if slowness() > 1 {
        let until = Instant::now() + MOMENT;
        while Instant::now() < until {
            context.iteration(false);
            thread::sleep(Duration::from_millis(1));
        }
    }
    result
}
