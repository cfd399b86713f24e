//! `stop`, `retry_now` and the last reference: in each state, and in each handler.

use std::{
    cell::{Cell, RefCell},
    io::Read,
    net::TcpStream,
    rc::Rc,
    time::Duration,
};

use gio::{Cancellable, prelude::*};
use gsock::{ConnectionState, Reconnector, ReconnectorState as State, prelude::*};

use crate::{support::*, tools::*};

/// What keeps a scene in a state.
enum Kept {
    Nothing,
    Deaf(#[allow(dead_code, reason = "it is there")] Deaf),
    Peer(TcpStream),
}

const STATES: [State; 6] = [
    State::Stopped,
    State::WaitingForNetwork,
    State::Delaying,
    State::Connecting,
    State::Connected,
    State::GivenUp,
];

/// A scene in that state, in which it stays.
fn scene_in(state: State, context: &glib::MainContext) -> (Scene, Kept) {
    set(Scene::new(context), state)
}

fn set(scene: Scene, state: State) -> (Scene, Kept) {
    let reconnector = &scene.reconnector;
    let mut kept = Kept::Nothing;
    match state {
        State::WaitingForNetwork => {
            reconnector.set_network_monitor(Some(&Monitor::new(false)));
            reconnector.start();
        }
        State::Delaying => {
            reconnector.set_initial_delay(Duration::from_secs(3600));
            reconnector.set_max_delay(Duration::from_secs(3600));
            scene.go_away();
            reconnector.start();
        }
        State::Connecting => {
            let deaf = deaf_listener();
            scene.aim.point_at(deaf.address);
            kept = Kept::Deaf(deaf);
            reconnector.start();
            scene.until(|| reconnector.attempt() == 1);
            iterate_for(&scene.context, SOON);
        }
        State::Connected => {
            reconnector.start();
            kept = Kept::Peer(scene.accept());
        }
        State::GivenUp => {
            reconnector.set_max_attempts(1);
            scene.go_away();
            reconnector.start();
        }
        _ => {}
    }
    scene.until_state(state);
    scene.told();
    (scene, kept)
}

/// The peer's end of a connection that has ended.
fn assert_ended(kept: Kept) {
    if let Kept::Peer(mut peer) = kept {
        assert_eq!(peer.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}

/// RECONNECT-21: a stop ends everything, in each state, and at once.
#[test]
fn it_is_stopped_in_each_state() {
    on_private_context(|context| {
        for state in STATES {
            let (scene, kept) = scene_in(state, context);
            scene.reconnector.stop();
            assert_eq!(scene.reconnector.state(), State::Stopped, "{state:?}");
            let expected: &[&str] = match state {
                State::Connected => &["disconnected"],
                _ => &[],
            };
            assert_eq!(scene.told(), expected, "{state:?}");
            if state == State::Connected {
                let connection = scene.connection();
                assert_eq!(connection.state(), ConnectionState::Closed);
                assert!(!connection.is_closed(), "it may take another socket");
            }
            assert_ended(kept);
            iterate_for(context, 4 * SOON);
            assert!(scene.told().is_empty(), "{state:?}: nothing follows");
            // And again.
            scene
                .reconnector
                .set_network_monitor(gio::NetworkMonitor::NONE);
            scene.come_back();
            let before = scene.reconnector.connection();
            scene.reconnector.start();
            scene.accept();
            assert!(before.is_none() || before == scene.reconnector.connection());
        }
    });
}

/// RECONNECT-15: in each state.
#[test]
fn it_is_told_to_retry_in_each_state() {
    on_private_context(|context| {
        for state in STATES {
            let (scene, kept) = scene_in(state, context);
            scene.come_back();
            scene.reconnector.retry_now();
            match state {
                State::Stopped => {
                    iterate_for(context, 4 * SOON);
                    assert!(scene.told().is_empty());
                    assert_eq!(scene.reconnector.state(), State::Stopped);
                    continue;
                }
                State::Connecting => {
                    // There is an attempt.
                    iterate_for(context, 4 * SOON);
                    assert!(scene.told().is_empty());
                    assert_eq!(scene.reconnector.state(), State::Connecting);
                    continue;
                }
                _ => assert_eq!(scene.reconnector.state(), State::Connecting, "{state:?}"),
            }
            scene.accept();
            let expected: &[&str] = match state {
                State::Connected => &["disconnected", "attempt 2", "connected"],
                State::Delaying => &["attempt 2", "connected"],
                _ => &["attempt 1", "connected"],
            };
            assert_eq!(scene.told(), expected, "{state:?}");
            assert_ended(kept);
        }
    });
}

/// RECONNECT-22: the last reference ends it in each state, and leaves what is connected to who has it.
#[test]
fn it_is_dropped_in_each_state() {
    on_private_context(|context| {
        for state in STATES {
            let (scene, mut kept) = scene_in(state, context);
            let gone = Gone::of(&scene.reconnector);
            let connection = scene.reconnector.connection();
            let Scene {
                reconnector,
                listener,
                told,
                aim,
                ..
            } = scene;
            drop(reconnector);
            assert!(gone.is_gone(), "{state:?}");
            iterate_for(context, 2 * SOON);
            assert!(told.take().is_empty());
            if let (Some(connection), Kept::Peer(peer)) = (connection, &mut kept) {
                assert_eq!(connection.state(), ConnectionState::Connected);
                let output = connection.output_stream();
                output.write_all(b"x", Cancellable::NONE).unwrap();
                peer.read_exact(&mut [0]).unwrap();
            }
            assert_ended(kept);
            let aim = {
                let gone = Gone::of(&aim);
                drop(aim);
                gone
            };
            iterate_until(context, || aim.is_gone());
            drop(listener);
        }
    });
}

const SIGNALS: [&str; 5] = [
    "attempt",
    "attempt-failed",
    "connected",
    "disconnected",
    "given-up",
];

/// Calls `f` in the first emission of the signal, or of the notification of a property.
fn in_handler(reconnector: &Reconnector, signal: &str, f: impl FnOnce(&Reconnector) + 'static) {
    let f = RefCell::new(Some(f));
    reconnector.connect_local(signal, true, move |values| {
        let f = f.take();
        if let (Some(f), Ok(reconnector)) = (f, values[0].get::<Reconnector>()) {
            f(&reconnector);
        }
        None
    });
}

/// A scene that comes to emit everything that there is, once it is started.
fn eventful(context: &glib::MainContext) -> (Scene, Rc<Cell<bool>>) {
    let scene = Scene::new(context);
    scene.reconnector.set_max_attempts(4);
    let listener = scene.listener.try_clone().unwrap();
    let is_over = Rc::new(Cell::new(false));
    // A peer that comes and goes, and then does not come any more.
    let (aim, back, gone) = (
        scene.aim.clone(),
        listener.local_addr().unwrap(),
        scene.nobody.address,
    );
    aim.point_at(gone);
    let fails = aim.clone();
    scene
        .reconnector
        .connect_attempt_failed(move |_, number, _, _| {
            if number == 1 {
                fails.point_at(back);
            }
        });
    scene.reconnector.connect_connected(move |_, _| {
        drop(listener.accept().unwrap());
        aim.point_at(gone);
    });
    let over = is_over.clone();
    scene
        .reconnector
        .connect_given_up(move |_, _| over.set(true));
    (scene, is_over)
}

/// RECONNECT-23: what an eventful life tells, in order.
#[test]
fn an_eventful_life_is_told_in_order() {
    on_private_context(|context| {
        let (scene, is_over) = eventful(context);
        scene.reconnector.start();
        scene.until(|| is_over.get());
        assert_eq!(
            scene.told(),
            [
                "attempt 1",
                "attempt-failed 1",
                "attempt 2",
                "connected",
                "disconnected",
                "attempt 3",
                "attempt-failed 3",
                "attempt 4",
                "attempt-failed 4",
                "given-up"
            ]
        );
    });
}

/// RECONNECT-21: a stop in any handler is the end.
#[test]
fn it_is_stopped_in_each_handler() {
    on_private_context(|context| {
        let signals = SIGNALS.into_iter().chain([
            "notify::state",
            "notify::connection",
            "notify::io-stream",
            "notify::attempt",
            "notify::next-attempt-in-ms",
            "notify::last-error",
        ]);
        for signal in signals {
            let (scene, _) = eventful(context);
            let is_stopped = Rc::new(Cell::new(false));
            let (flag, told) = (is_stopped.clone(), scene.told.clone());
            in_handler(&scene.reconnector, signal, move |reconnector| {
                reconnector.stop();
                assert_eq!(reconnector.state(), State::Stopped);
                told.borrow_mut().push("stop".to_owned());
                flag.set(true);
            });
            scene.reconnector.start();
            scene.until(|| is_stopped.get());
            iterate_for(context, 4 * SOON);
            assert_eq!(scene.reconnector.state(), State::Stopped, "{signal}");
            let told = scene.told();
            let since = told.iter().skip_while(|told| *told != "stop").skip(1);
            let connected = told.iter().filter(|told| *told == "connected").count();
            let disconnected = told.iter().filter(|told| *told == "disconnected").count();
            assert_eq!(connected, disconnected, "{signal}: {told:?}");
            assert!(
                since.clone().all(|told| told == "disconnected"),
                "{signal}: {told:?}"
            );
            if let Some(connection) = scene.reconnector.connection() {
                assert_eq!(connection.state(), ConnectionState::Closed, "{signal}");
            }
        }
    });
}

/// RECONNECT-21: and so is one in a handler of the connection, or of the client.
#[test]
fn it_is_stopped_in_handlers_of_others() {
    on_private_context(|context| {
        let (scene, peer) = Scene::connected(context);
        let connection = scene.connection();
        let reconnector = scene.reconnector.clone();
        // In the midst of the change from one socket to the next.
        let handler = connection.connect_socket_notify(move |_| reconnector.stop());
        scene.told();
        drop(peer);
        scene.until_state(State::Stopped);
        iterate_for(context, 4 * SOON);
        assert_eq!(scene.told(), ["disconnected", "attempt 2"]);
        assert_eq!(connection.state(), ConnectionState::Closed);
        connection.disconnect(handler);

        for event in [
            gio::SocketClientEvent::Resolving,
            gio::SocketClientEvent::Connecting,
            gio::SocketClientEvent::Complete,
        ] {
            let client = scene.reconnector.client().unwrap();
            let reconnector = scene.reconnector.clone();
            let is_stopped = Rc::new(Cell::new(false));
            let flag = is_stopped.clone();
            let handler = client.connect_event(move |_, now, _, _| {
                if now == event {
                    reconnector.stop();
                    flag.set(true);
                }
            });
            scene.told();
            scene.reconnector.start();
            scene.until(|| is_stopped.get());
            iterate_for(context, 4 * SOON);
            assert_eq!(scene.reconnector.state(), State::Stopped);
            assert_eq!(scene.told(), ["attempt 1"], "{event:?}");
            client.disconnect(handler);
        }
        scene.reconnector.start();
        scene.accept();
    });
}

/// RECONNECT-23: a handler may start it over, and have it try at once.
#[test]
fn it_is_started_and_retried_in_each_handler() {
    on_private_context(|context| {
        let calls: [fn(&Reconnector); 3] = [
            Reconnector::retry_now,
            Reconnector::start,
            |reconnector: &Reconnector| {
                reconnector.stop();
                reconnector.start();
            },
        ];
        for signal in SIGNALS {
            for call in calls {
                let (scene, is_over) = eventful(context);
                in_handler(&scene.reconnector, signal, call);
                scene.reconnector.start();
                // Begun anew with less than four attempts to go, it comes to its end all the same.
                scene.until(|| is_over.get() && scene.reconnector.state() == State::GivenUp);
                let told = scene.told();
                let connected = told.iter().filter(|told| *told == "connected").count();
                let disconnected = told.iter().filter(|told| *told == "disconnected").count();
                assert_eq!(connected, disconnected, "{signal}: {told:?}");
            }
        }
    });
}

/// RECONNECT-22: the last reference may go in any handler.
#[test]
fn it_is_dropped_in_each_handler() {
    on_private_context(|context| {
        for signal in SIGNALS {
            let (scene, _) = eventful(context);
            let gone = Gone::of(&scene.reconnector);
            let Scene {
                reconnector, told, ..
            } = scene;
            let last = Rc::new(RefCell::new(Some(reconnector.clone())));
            let handed = last.clone();
            in_handler(&reconnector, signal, move |_| drop(handed.take()));
            reconnector.start();
            drop(reconnector);
            iterate_until(context, || gone.is_gone());
            let count = told.borrow().len();
            iterate_for(context, 2 * SOON);
            assert_eq!(told.borrow().len(), count, "{signal}: nothing follows");
            assert!(last.borrow().is_none());
        }
    });
}

/// RECONNECT-24: from any thread, as C may. What is to be told is told at home.
#[test]
fn other_threads_start_and_stop_it() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let here = std::thread::current().id();
        scene.reconnector.connect_state_notify(move |_| {
            assert_eq!(std::thread::current().id(), here);
        });
        struct Sent(Reconnector);
        // SAFETY: as C may.
        unsafe impl Send for Sent {}
        let on_thread = |call: fn(&Reconnector)| {
            let sent = Sent(scene.reconnector.clone());
            std::thread::spawn(move || {
                let sent = sent;
                call(&sent.0);
            })
            .join()
            .unwrap();
        };
        for _ in 0..3 {
            on_thread(|reconnector| {
                reconnector.start();
                assert_ne!(reconnector.state(), State::Stopped);
            });
            let peer = scene.accept();
            on_thread(Reconnector::retry_now);
            scene.until(|| scene.told.borrow().contains(&"disconnected".to_owned()));
            let next = scene.accept();
            on_thread(|reconnector| {
                reconnector.stop();
                assert_eq!(reconnector.state(), State::Stopped, "at once");
                let connection = reconnector.connection().unwrap();
                assert_eq!(connection.state(), ConnectionState::Closed);
            });
            scene.until(|| {
                scene
                    .told
                    .borrow()
                    .iter()
                    .filter(|told| *told == "disconnected")
                    .count()
                    == 2
            });
            assert_eq!(
                scene.told(),
                [
                    "attempt 1",
                    "connected",
                    "disconnected",
                    "attempt 2",
                    "connected",
                    "disconnected"
                ]
            );
            drop((peer, next));
        }
    });
}

/// RECONNECT-22: the last reference may go on another thread.
#[test]
fn other_threads_drop_it() {
    on_private_context(|context| {
        for state in STATES {
            // Handlers would be dropped with it, which belong to this thread.
            let (scene, kept) = set(Scene::silent(context), state);
            let gone = Gone::of(&scene.reconnector);
            struct Sent(Option<Reconnector>);
            // SAFETY: as C may.
            unsafe impl Send for Sent {}
            let mut sent = Sent(Some(scene.reconnector));
            std::thread::spawn(move || {
                drop(sent.0.take());
            })
            .join()
            .unwrap();
            iterate_until(context, || gone.is_gone());
            assert_ended(kept);
        }
    });
}
