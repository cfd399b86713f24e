//! Handlers that run a main loop, and handlers that do not let go.

use std::{
    cell::Cell,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use gio::prelude::*;
use gsock::{Reconnector, ReconnectorState as State};

use crate::{support::*, tools::*};

/// Iterates until `done`, and answers whether it is. In a handler nothing may panic.
fn runs_until(context: &glib::MainContext, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + LIMIT / 2 * slowness();
    while !done() {
        if Instant::now() > end {
            return false;
        }
        if !context.iteration(false) {
            thread::sleep(Duration::from_millis(1));
        }
    }
    true
}

/// RECONNECT-29: a handler runs a main loop until there is a connection, and there comes to be one.
#[test]
fn a_handler_may_run_a_loop() {
    on_private_context_within(6 * LIMIT, |context| {
        for signal in [
            "attempt",
            "attempt-failed",
            "connected",
            "disconnected",
            "notify::state",
            "notify::attempt",
            "notify::io-stream",
            "notify::next-attempt-in-ms",
        ] {
            let scene = Scene::new(context);
            let (aim, back) = (scene.aim.clone(), scene.listener.local_addr().unwrap());
            scene
                .reconnector
                .connect_attempt_failed(move |_, _, _, _| aim.point_at(back));
            let outcome = Rc::new(Cell::new(None));
            let (slot, own) = (outcome.clone(), context.clone());
            let again = scene.aim.clone();
            let is_first = Cell::new(true);
            scene
                .reconnector
                .connect_local(signal, false, move |values| {
                    if let (true, Ok(reconnector)) =
                        (is_first.take(), values[0].get::<Reconnector>())
                    {
                        again.point_at(back);
                        let connects = || reconnector.state() == State::Connected;
                        slot.set(Some(runs_until(&own, connects)));
                    }
                    None
                });
            if signal == "attempt-failed" || signal == "notify::next-attempt-in-ms" {
                scene.go_away();
            }
            scene.reconnector.start();
            if signal == "disconnected" {
                drop(scene.accept());
            }
            scene.until(|| outcome.get().is_some());
            assert_eq!(outcome.get(), Some(true), "{signal}");
            scene.accept();
            // What came meanwhile has been told since, in its order.
            let told = scene.told();
            let expected: &[&str] = match signal {
                "disconnected" => &[
                    "attempt 1",
                    "connected",
                    "disconnected",
                    "attempt 2",
                    "connected",
                ],
                "attempt-failed" | "notify::next-attempt-in-ms" => {
                    &["attempt 1", "attempt-failed 1", "attempt 2", "connected"]
                }
                _ => &["attempt 1", "connected"],
            };
            assert_eq!(told, expected, "{signal}");
        }
    });
}

/// RECONNECT-29: one that tries again at once, for ever, leaves the other sources of the context their turn.
#[test]
fn a_handler_that_retries_for_ever_leaves_others_their_turn() {
    on_private_context(|context| {
        // It is refused in the call itself.
        let nobody = gio::UnixSocketAddress::new(std::path::Path::new("/nonexistent/socket"));
        let reconnector = eager(&nobody);
        reconnector.connect_attempt_failed(|reconnector, _, _, _| reconnector.retry_now());
        reconnector.start();
        iterate_until(context, || reconnector.attempt() > 100);
        reconnector.stop();
        iterate_for(context, SOON);
        assert_eq!(reconnector.state(), State::Stopped);
    });
}

/// RECONNECT-10: whoever waits at home goes on when handlers have been told, which may have set something up.
#[test]
fn who_waits_finds_what_handlers_have_made_of_it() {
    on_private_context(|context| {
        for _ in 0..3 {
            let scene = Scene::new(context);
            let is_told = Rc::new(Cell::new(false));
            let flag = is_told.clone();
            scene
                .reconnector
                .connect_connected(move |_, _| flag.set(true));
            let waits = (0..4).map(|_| {
                let (wait, is_told) = (scene.reconnector.wait_connected_future(), is_told.clone());
                gsock::engine::spawn_local(context, async move {
                    wait.await.unwrap();
                    is_told.get()
                })
            });
            for wait in waits.collect::<Vec<_>>() {
                assert!(block_on(context, wait).unwrap());
            }
        }
    });
}
