//! Cancelled, dropped, stopped, retried, with a main loop inside: after each iteration of a connect, a loss and the
//! next connect.

use std::{cell::RefCell, net::TcpStream, rc::Rc, time::Duration};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{ConnectionState, ReconnectorState as State, prelude::*};

use crate::{support::*, tools::*};

/// What happens at the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
    Cancel,
    Stop,
    Retry,
    StopAndStart,
    CloseTheConnection,
    CloseTheSocket,
    Block,
    Drop,
}

const STRIKES: [Strike; 8] = [
    Strike::Cancel,
    Strike::Stop,
    Strike::Retry,
    Strike::StopAndStart,
    Strike::CloseTheConnection,
    Strike::CloseTheSocket,
    Strike::Block,
    Strike::Drop,
];

type Outcome = Rc<RefCell<Option<Result<gio::IOStream, glib::Error>>>>;

/// It connects, the peer goes away and is there again, twice.
struct Life {
    scene: Scene,
    cancellable: Cancellable,
    outcome: Outcome,
    peers: Vec<TcpStream>,
    losses: u32,
}

impl Life {
    fn begin(context: &glib::MainContext) -> Self {
        let scene = Scene::new(context);
        scene.listener.set_nonblocking(true).unwrap();
        let (cancellable, outcome) = (Cancellable::new(), Outcome::default());
        let slot = outcome.clone();
        let wait = Some(&cancellable);
        scene
            .reconnector
            .wait_connected_async(wait, move |reconnector, result| {
                let before = slot.replace(Some(reconnector.wait_connected_finish(result)));
                assert!(before.is_none(), "called back once");
            });
        Self {
            scene,
            cancellable,
            outcome,
            peers: Vec::new(),
            losses: 0,
        }
    }

    /// One iteration. Answers whether it is over: it has connected for the third time.
    fn go_on(&mut self) -> bool {
        while let Ok((peer, _)) = self.scene.listener.accept() {
            self.peers.push(peer);
        }
        if self.scene.reconnector.state() == State::Connected && !self.peers.is_empty() {
            if self.losses == 2 {
                return true;
            }
            self.losses += 1;
            self.peers.clear();
        }
        // A delay has no iterations of its own.
        let tick = glib::source::timeout_source_new(
            Duration::from_millis(1),
            None,
            glib::Priority::LOW,
            || glib::ControlFlow::Continue,
        );
        tick.attach(Some(&self.scene.context));
        self.scene.context.iteration(true);
        tick.destroy();
        false
    }

    fn strike(self, strike: Strike) {
        let Self {
            scene,
            cancellable,
            outcome,
            ..
        } = self;
        let reconnector = &scene.reconnector;
        match strike {
            Strike::Cancel => cancellable.cancel(),
            Strike::Stop => reconnector.stop(),
            Strike::Retry => reconnector.retry_now(),
            Strike::StopAndStart => {
                reconnector.stop();
                reconnector.start();
            }
            Strike::CloseTheConnection => {
                if let Some(connection) = reconnector.connection() {
                    connection.close(Cancellable::NONE).unwrap();
                }
            }
            Strike::CloseTheSocket => {
                if let Some(connection) = reconnector.connection() {
                    connection.socket().close().unwrap();
                }
            }
            Strike::Block => {
                let stream = reconnector.wait_connected(Cancellable::NONE).unwrap();
                assert_eq!(reconnector.io_stream(), Some(stream));
            }
            Strike::Drop => return dropped(scene, &cancellable, &outcome),
        }
        scene.until(|| outcome.borrow().is_some());
        match outcome.take().expect("it has ended") {
            Ok(stream) => drop(stream),
            Err(failure) if strike == Strike::Cancel => {
                assert_eq!(code(&failure), IOErrorEnum::Cancelled);
            }
            Err(failure) => assert_eq!(code(&failure), IOErrorEnum::Closed),
        }
        if strike != Strike::Stop {
            scene.until(|| {
                reconnector.state() == State::Connected
                    && scene.connection().state() == ConnectionState::Connected
            });
            reconnector.stop();
        }
        iterate_for(&scene.context, Duration::from_millis(2));
        assert_eq!(reconnector.state(), State::Stopped);
        if let Some(connection) = reconnector.connection() {
            assert_eq!(connection.state(), ConnectionState::Closed);
        }
        assert_balanced(&scene.told());
    }
}

/// The last reference goes.
fn dropped(scene: Scene, cancellable: &Cancellable, outcome: &Outcome) {
    // The wait that is under way has a reference of its own.
    cancellable.cancel();
    scene.until(|| outcome.borrow().is_some());
    drop(outcome.take());
    let gone = Gone::of(&scene.reconnector);
    let (told, context) = (scene.told.clone(), scene.context.clone());
    drop(scene);
    iterate_until(&context, || gone.is_gone());
    let count = told.borrow().len();
    iterate_for(&context, Duration::from_millis(2));
    assert_eq!(told.borrow().len(), count, "nothing follows");
}

/// To each `connected` belongs one `disconnected`.
fn assert_balanced(told: &[String]) {
    let mut is_connected = false;
    for what in told {
        match what.as_str() {
            "connected" => assert!(!std::mem::replace(&mut is_connected, true), "{told:?}"),
            "disconnected" => assert!(std::mem::take(&mut is_connected), "{told:?}"),
            _ => {}
        }
    }
    assert!(!is_connected, "{told:?}");
}

/// RECONNECT-28: whatever somebody does at whatever point, it goes on, or ends, as wanted.
#[test]
fn it_is_right_at_every_point() {
    on_private_context_within(6 * LIMIT, |context| {
        let mut points = 0;
        for strike in STRIKES {
            for point in 0.. {
                let mut life = Life::begin(context);
                let is_over = (0..point).any(|_| life.go_on());
                life.strike(strike);
                points += 1;
                if is_over {
                    break;
                }
                assert!(point < 1_000, "it has no end");
            }
        }
        assert!(points > 10 * STRIKES.len(), "{points}");
    });
}
