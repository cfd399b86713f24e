//! When the next attempt is, and when there is none any more.

use std::{cell::RefCell, rc::Rc, time::Duration};

use gsock::{ReconnectorState as State, SocketClient, prelude::*};

use crate::{support::*, tools::*};

/// RECONNECT-9: an attempt at once, and after each that has failed a delay, which doubles up to the longest.
#[test]
fn delays_double_and_are_told() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let reconnector = &scene.reconnector;
        reconnector.set_jitter(0.0);
        reconnector.set_initial_delay(Duration::from_millis(2));
        reconnector.set_max_delay(Duration::from_millis(7));
        scene.go_away();
        let delays = Rc::new(RefCell::new(Vec::new()));
        let note = delays.clone();
        reconnector.connect_attempt_failed(move |reconnector, number, error, delay| {
            assert_eq!(code(error), gio::IOErrorEnum::ConnectionRefused);
            assert_eq!(reconnector.attempt(), number);
            assert_eq!(reconnector.state(), State::Delaying);
            assert!(reconnector.next_attempt_in() <= delay);
            note.borrow_mut().push(delay.as_millis());
        });
        reconnector.start();
        assert_eq!(reconnector.state(), State::Connecting, "at once");
        scene.until(|| delays.borrow().len() == 5);
        assert_eq!(*delays.borrow(), [2, 4, 7, 7, 7]);
        assert_eq!(reconnector.attempt(), 5);
        reconnector.stop();
        assert_eq!(reconnector.attempt(), 0);
        assert_eq!(reconnector.next_attempt_in(), Duration::ZERO);
    });
}

/// RECONNECT-9: chance shortens a delay by its part at most.
#[test]
fn chance_shortens_delays() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let reconnector = &scene.reconnector;
        reconnector.set_jitter(0.5);
        reconnector.set_initial_delay(Duration::from_millis(8));
        reconnector.set_max_delay(Duration::from_millis(8));
        scene.go_away();
        let delays = Rc::new(RefCell::new(Vec::new()));
        let note = delays.clone();
        reconnector.connect_attempt_failed(move |_, _, _, delay| {
            note.borrow_mut().push(delay.as_millis());
        });
        reconnector.start();
        scene.until(|| delays.borrow().len() == 20);
        for delay in delays.take() {
            assert!((4..=8).contains(&delay), "{delay}");
        }
    });
}

/// RECONNECT-9: a connection that does not last does not make the delays begin anew, and one that does, does.
#[test]
fn attempts_are_counted_until_a_connection_lasts() {
    on_private_context(|context| {
        let (scene, mut peer) = Scene::connected(context);
        for number in 2..5 {
            drop(peer);
            scene.until_lost();
            peer = scene.accept();
            assert_eq!(scene.reconnector.attempt(), number);
        }
        let seen = notifications(&scene.reconnector);
        scene.reconnector.set_stable_after(Duration::from_millis(1));
        drop(peer);
        scene.until_lost();
        let peer = scene.accept();
        scene.until(|| scene.reconnector.attempt() == 0);
        assert_eq!(scene.reconnector.state(), State::Connected);
        assert_eq!(seen.borrow().last().map(String::as_str), Some("attempt"));
        scene.told();
        drop(peer);
        scene.until(|| scene.told.borrow().contains(&"attempt 1".to_owned()));
    });
}

/// RECONNECT-11: after so many attempts it gives up, with the error of the last.
#[test]
fn it_gives_up_after_the_last_attempt() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        scene.reconnector.set_max_attempts(3);
        scene.go_away();
        let error = Rc::new(RefCell::new(None));
        let note = error.clone();
        scene
            .reconnector
            .connect_given_up(move |reconnector, error| {
                assert_eq!(reconnector.state(), State::GivenUp);
                note.replace(Some(error.clone()));
            });
        let result = block_on(context, scene.reconnector.wait_connected_future());
        assert_fails(result, gio::IOErrorEnum::ConnectionRefused);
        assert_eq!(
            scene.told(),
            [
                "attempt 1",
                "attempt-failed 1",
                "attempt 2",
                "attempt-failed 2",
                "attempt 3",
                "attempt-failed 3",
                "given-up"
            ]
        );
        let error = error.take().expect("it was told");
        assert_eq!(code(&error), gio::IOErrorEnum::ConnectionRefused);
        let last = scene.reconnector.last_error().expect("it is kept");
        assert_eq!(last.message(), error.message());
        iterate_for(context, 10 * SOON);
        assert!(scene.told().is_empty(), "nothing more");
        // It begins anew when it is wanted.
        scene.come_back();
        scene.reconnector.start();
        scene.accept();
        assert_eq!(scene.told(), ["attempt 1", "connected"]);
    });
}

/// RECONNECT-11: connections that do not last use up the attempts, too.
#[test]
fn connections_that_do_not_last_count() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        scene.reconnector.set_max_attempts(2);
        scene.reconnector.start();
        drop(scene.accept());
        scene.until(|| scene.told.borrow().contains(&"disconnected".to_owned()));
        let peer = scene.accept();
        drop(peer);
        scene.until_state(State::GivenUp);
        let error = scene.reconnector.last_error();
        assert!(error.is_none(), "an end of file is none: {error:?}");
        assert_eq!(
            scene.told(),
            [
                "attempt 1",
                "connected",
                "disconnected",
                "attempt 2",
                "connected",
                "disconnected",
                "given-up"
            ]
        );
    });
}

/// RECONNECT-12: no error is for good: where there is no address now, there may be one soon.
#[test]
fn where_there_is_no_address_it_tries_again() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        scene.aim.point(None);
        let errors = Rc::new(RefCell::new(Vec::new()));
        let note = errors.clone();
        scene
            .reconnector
            .connect_attempt_failed(move |_, _, error, _| {
                note.borrow_mut().push(code(error));
            });
        scene.reconnector.start();
        scene.until(|| errors.borrow().len() == 3);
        assert_eq!(*errors.borrow(), [gio::IOErrorEnum::NotFound; 3]);
        scene.come_back();
        scene.accept();
    });
}

/// RECONNECT-12: the name is looked up for each attempt.
#[test]
fn the_connectable_is_asked_for_each_attempt() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        scene.go_away();
        scene.aim.asked();
        scene.reconnector.start();
        scene.until(|| scene.told.borrow().contains(&"attempt-failed 3".to_owned()));
        assert!(scene.aim.asked() >= 3);
    });
}

/// RECONNECT-12: a server that accepts and says nothing is given up by the client's own time limit.
#[test]
fn an_attempt_lasts_as_long_as_the_client_says() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let scene = Scene::new(context);
        scene.aim.point_at(deaf.address);
        let client: SocketClient = scene.reconnector.client().unwrap();
        client.set_connect_timeout(Duration::from_millis(20));
        let error = Rc::new(RefCell::new(None));
        let note = error.clone();
        scene
            .reconnector
            .connect_attempt_failed(move |_, _, error, _| {
                note.replace(Some(code(error)));
            });
        scene.reconnector.start();
        scene.until(|| error.borrow().is_some());
        assert_eq!(error.take(), Some(gio::IOErrorEnum::TimedOut));
    });
}
