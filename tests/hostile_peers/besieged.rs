//! Each kind of server, and each kind of hostile peer: another one's visits go well meanwhile.

use std::time::Duration;

use crate::{
    guests::{Habit, Hostile, MOST_TAKEN, VISITS, how_many, visit},
    servers::{Kind, MAX_PENDING, Server},
    support::*,
};

/// They are a few seconds where threads have to wait for a timeout.
const LONG_LIMIT: Duration = Duration::from_secs(100);

/// Where each waits for a timeout or two.
const FEW_VISITS: usize = 4;

fn besieged(kind: Kind, habit: Habit, visits: usize) {
    on_private_context_within(LONG_LIMIT, move |context| {
        let server = Server::start(context, kind);
        let hostile = Hostile::start(habit, server.address);
        // All of them are there, and have begun.
        iterate_until(context, || {
            hostile.steps() >= 20 && server.come() >= how_many().min(threads_of(kind)) as u64
        });
        let visiting = visit(server.address, visits);
        iterate_until_within(context, || visiting.is_finished());
        let right = visiting.join().expect("no panic");
        let steps = hostile.steps();
        // They are still at it.
        iterate_until(context, || hostile.steps() > steps);
        let harm = hostile.end();
        println!(
            "hostile: {kind:?} {habit:?}: {visits} tried, {right} right; {} peers, {} connections, {} bytes taken of one at \
             most",
            how_many(),
            harm.connected,
            harm.most_taken,
        );
        assert_eq!(right, visits, "visits");
        assert!(harm.connected >= how_many() as u64);
        assert!(harm.most_taken < MOST_TAKEN, "{harm:?}");
        assert!(
            server.most_pending() <= MAX_PENDING,
            "a queue without a bound"
        );
        server.end(context);
    });
}

fn threads_of(kind: Kind) -> usize {
    match kind {
        Kind::Threaded(threads) => usize::try_from(threads).unwrap_or(usize::MAX),
        _ => usize::MAX,
    }
}

fn iterate_until_within(context: &glib::MainContext, mut done: impl FnMut() -> bool) {
    // The limit is that of the whole test.
    while !done() {
        iterate_for(context, Duration::from_millis(5));
    }
}

macro_rules! besieged {
    ($($module:ident: $kind:expr;)+) => {
        $(mod $module {
            use super::*;

            #[test]
            fn peers_that_say_nothing_keep_nobody_from_being_served() {
                besieged($kind, Habit::Silent, VISITS);
            }

            #[test]
            fn peers_that_speak_byte_by_byte_keep_nobody_from_being_served() {
                besieged($kind, Habit::ByteByByte, VISITS);
            }

            #[test]
            fn peers_that_never_read_keep_nobody_from_being_served() {
                besieged($kind, Habit::NeverReads, VISITS);
            }

            #[test]
            fn peers_that_hardly_read_keep_nobody_from_being_served() {
                besieged($kind, Habit::HardlyReads, VISITS);
            }

            #[test]
            fn peers_that_never_come_to_an_end_keep_nobody_from_being_served() {
                besieged($kind, Habit::Endless, VISITS);
            }

            #[test]
            fn peers_that_reset_at_once_keep_nobody_from_being_served() {
                besieged($kind, Habit::Resets, VISITS);
            }
        })+
    };
}

besieged!(
    a_service: Kind::Service;
    a_listener: Kind::Listener;
    a_service_of_frames: Kind::Framed;
    a_service_of_threads: Kind::Threaded(-1);
);

/// Each of its threads is a peer's who says nothing, until the timeout of the socket.
#[test]
fn with_few_threads_a_timeout_lets_others_have_their_turn() {
    besieged(Kind::Threaded(8), Habit::Silent, FEW_VISITS);
}

#[test]
fn with_few_threads_those_who_take_nothing_are_let_go() {
    besieged(Kind::Threaded(8), Habit::NeverReads, FEW_VISITS);
}
