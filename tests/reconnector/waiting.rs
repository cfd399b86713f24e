//! `wait_connected` in its three forms.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{ConnectionState, Reconnector, ReconnectorState as State, SocketClient, prelude::*};

use crate::{support::*, tools::*};

struct Sent<T>(T);
// SAFETY: as C may.
unsafe impl<T> Send for Sent<T> {}

/// Waits by callback.
fn waited(
    reconnector: &Reconnector,
    cancellable: Option<&Cancellable>,
) -> Rc<RefCell<Option<Result<gio::IOStream, glib::Error>>>> {
    let slot = Rc::new(RefCell::new(None));
    let result = slot.clone();
    let is_back = Rc::new(Cell::new(false));
    let returned = is_back.clone();
    reconnector.wait_connected_async(cancellable, move |reconnector, outcome| {
        assert!(returned.get(), "never before the call returns");
        let before = result.replace(Some(reconnector.wait_connected_finish(outcome)));
        assert!(before.is_none(), "called back once");
        assert_fails(
            reconnector.wait_connected_finish(outcome),
            IOErrorEnum::InvalidArgument,
        );
    });
    is_back.set(true);
    slot
}

/// RECONNECT-10: it starts what is stopped, and answers the stream; at once if there is one.
#[test]
fn each_form_starts_it_and_answers_the_stream() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let blocking = scene.reconnector.wait_connected(Cancellable::NONE).unwrap();
        assert_eq!(scene.reconnector.state(), State::Connected);
        assert_eq!(scene.reconnector.io_stream().as_ref(), Some(&blocking));
        assert_eq!(scene.told(), ["attempt 1", "connected"]);
        let again = scene.reconnector.wait_connected(Cancellable::NONE).unwrap();
        assert_eq!(again, blocking);
        scene.reconnector.stop();

        let slot = waited(&scene.reconnector, None);
        assert_eq!(scene.reconnector.state(), State::Connecting);
        scene.until(|| slot.borrow().is_some());
        let called_back = slot.take().unwrap().unwrap();
        assert_eq!(called_back, blocking, "the same object");
        scene.reconnector.stop();

        let future = scene.reconnector.wait_connected_future();
        assert_eq!(
            scene.reconnector.state(),
            State::Stopped,
            "not before it is polled"
        );
        assert_eq!(block_on(context, future).unwrap(), blocking);
    });
}

/// RECONNECT-10: a result of something else is refused.
#[test]
fn finish_takes_its_own_results_only() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let other = eager(&scene.aim);
        let slot = Rc::new(RefCell::new(None));
        let result = slot.clone();
        scene
            .reconnector
            .wait_connected_async(Cancellable::NONE, move |_, outcome| {
                result.replace(Some(outcome.clone()));
            });
        scene.until(|| slot.borrow().is_some());
        let outcome = slot.take().unwrap();
        assert_fails(
            other.wait_connected_finish(&outcome),
            IOErrorEnum::InvalidArgument,
        );
        assert!(scene.reconnector.wait_connected_finish(&outcome).is_ok());
    });
}

/// RECONNECT-10: a stop ends every wait with `Closed`.
#[test]
fn a_stop_ends_the_wait() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let deaf = deaf_listener();
        scene.aim.point_at(deaf.address);
        let (one, other) = (
            waited(&scene.reconnector, None),
            waited(&scene.reconnector, None),
        );
        iterate_for(context, SOON);
        scene.reconnector.stop();
        scene.until(|| one.borrow().is_some() && other.borrow().is_some());
        for slot in [one, other] {
            assert_fails(slot.take().unwrap(), IOErrorEnum::Closed);
        }
        // One that is begun anew before that is seen is another one's.
        let slot = waited(&scene.reconnector, None);
        scene.reconnector.stop();
        scene.come_back();
        scene.reconnector.start();
        scene.until(|| slot.borrow().is_some());
        assert_fails(slot.take().unwrap(), IOErrorEnum::Closed);
        scene.accept();
    });
}

/// RECONNECT-25: cancelled in each state it waits no more, and the reconnector goes on.
#[test]
fn a_cancelled_wait_leaves_it_going_on() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let cancellable = Cancellable::new();
        cancellable.cancel();
        let slot = waited(&scene.reconnector, Some(&cancellable));
        scene.until(|| slot.borrow().is_some());
        assert_fails(slot.take().unwrap(), IOErrorEnum::Cancelled);
        assert_fails(
            scene.reconnector.wait_connected(Some(&cancellable)),
            IOErrorEnum::Cancelled,
        );
        assert_eq!(scene.reconnector.state(), State::Stopped, "not even begun");

        scene.go_away();
        for _ in 0..10 {
            let cancellable = Cancellable::new();
            let slot = waited(&scene.reconnector, Some(&cancellable));
            context.iteration(false);
            cancellable.cancel();
            scene.until(|| slot.borrow().is_some());
            assert_fails(slot.take().unwrap(), IOErrorEnum::Cancelled);
            assert_ne!(scene.reconnector.state(), State::Stopped);
        }
        scene.come_back();
        scene.accept();
    });
}

/// RECONNECT-25: dropped after any number of polls it leaves nothing, and the reconnector goes on.
#[test]
fn a_wait_is_dropped_at_each_point() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        for polls in 0..12 {
            let mut future = scene.reconnector.wait_connected_future();
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                if let Poll::Ready(result) = future.as_mut().poll(&mut cx) {
                    assert!(result.is_ok());
                    break;
                }
                context.iteration(false);
            }
            drop(future);
            scene.reconnector.stop();
            iterate_for(context, Duration::ZERO);
        }
        let gone = Gone::of(&scene.reconnector);
        drop(scene);
        iterate_until(context, || gone.is_gone());
    });
}

/// RECONNECT-26: where it was made the thread that blocks makes the attempts, and nobody runs a loop.
#[test]
fn it_blocks_where_nobody_runs_a_loop() {
    on_private_context(|_| {
        let (listener, address) = listener();
        let nobody = Nobody::here();
        let aim = Aim::at(nobody.address);
        let reconnector = eager(&aim);
        let told = told_by(&reconnector);
        let (failing, back) = (aim.clone(), address);
        reconnector.connect_attempt_failed(move |_, number, _, _| {
            if number == 3 {
                failing.point_at(back);
            }
        });
        let mut connection = None;
        for round in 0..4 {
            let stream = reconnector.wait_connected(Cancellable::NONE).unwrap();
            let now = reconnector.connection().unwrap();
            let first = connection.get_or_insert_with(|| now.clone());
            assert_eq!(*first, now);
            assert_eq!(now.state(), ConnectionState::Connected);
            let (peer, _) = listener.accept().unwrap();
            drop(peer);
            // An end of file, which is all that this thread sees of the loss.
            let mut byte = [0];
            assert_eq!(
                stream
                    .input_stream()
                    .read(&mut byte[..], Cancellable::NONE)
                    .unwrap(),
                0
            );
            assert_ne!(now.state(), ConnectionState::Connected, "round {round}");
        }
        let told = told.take();
        assert_eq!(told.iter().filter(|told| *told == "connected").count(), 4);
        assert_eq!(
            told.iter().filter(|told| *told == "disconnected").count(),
            3
        );
    });
}

/// RECONNECT-26: what its own thread has begun is taken over by a call that blocks that.
#[test]
fn a_thread_that_blocks_takes_over_what_it_has_begun() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let deaf = deaf_listener();
        scene.aim.point_at(deaf.address);
        scene.reconnector.start();
        scene.until(|| scene.told.borrow().contains(&"attempt 1".to_owned()));
        iterate_for(context, SOON);
        scene.come_back();
        scene.reconnector.wait_connected(Cancellable::NONE).unwrap();
        assert_eq!(scene.told(), ["attempt 1", "attempt 1", "connected"]);
        scene.accept();
        // A delay is waited for.
        scene.reconnector.retry_now();
        scene.go_away();
        scene.until_state(State::Delaying);
        scene.come_back();
        scene.reconnector.wait_connected(Cancellable::NONE).unwrap();
    });
}

/// RECONNECT-26: a handler that blocks is not left to wait for itself.
#[test]
fn a_handler_may_block() {
    on_private_context(|context| {
        for signal in [
            "attempt",
            "attempt-failed",
            "disconnected",
            "connected",
            "notify::state",
        ] {
            let scene = Scene::new(context);
            scene.go_away();
            let (aim, back) = (scene.aim.clone(), scene.listener.local_addr().unwrap());
            let outcome = Rc::new(RefCell::new(None));
            let slot = outcome.clone();
            scene
                .reconnector
                .connect_attempt_failed(move |_, _, _, _| aim.point_at(back));
            scene
                .reconnector
                .connect_local(signal, false, move |values| {
                    let reconnector = values[0].get::<Reconnector>().unwrap();
                    if slot.borrow().is_none() {
                        slot.replace(Some(Err(IOErrorEnum::Busy)));
                        let result = reconnector.wait_connected(Cancellable::NONE);
                        slot.replace(Some(result.map_err(|error| code(&error))));
                    }
                    None
                });
            if signal == "attempt" || signal == "notify::state" {
                scene.come_back();
            }
            scene.reconnector.start();
            if signal == "disconnected" {
                drop(scene.accept());
            }
            scene.until(|| matches!(&*outcome.borrow(), Some(Ok(_) | Err(IOErrorEnum::Failed))));
            assert!(outcome.take().unwrap().is_ok(), "{signal}");
            scene.accept();
        }
    });
}

/// RECONNECT-26: cancelled while its own attempt is under way it gives that up, and the reconnector goes on.
#[test]
fn a_wait_that_blocks_is_cancelled_from_another_thread() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let deaf = deaf_listener();
        scene.aim.point_at(deaf.address);
        for at in ["connecting", "delaying"] {
            if at == "delaying" {
                scene.reconnector.stop();
                scene.go_away();
                scene
                    .reconnector
                    .set_initial_delay(Duration::from_secs(3600));
                scene.reconnector.set_max_delay(Duration::from_secs(3600));
            }
            let cancellable = Cancellable::new();
            let canceller = cancellable.clone();
            let (sent, begun) = mpsc::channel();
            let handler = scene
                .reconnector
                .connect_attempt(move |_, _| sent.send(()).unwrap());
            let cancelling = thread::spawn(move || {
                begun.recv().unwrap();
                thread::sleep(SOON);
                canceller.cancel();
            });
            let result = scene.reconnector.wait_connected(Some(&cancellable));
            assert_fails(result, IOErrorEnum::Cancelled);
            cancelling.join().unwrap();
            scene.reconnector.disconnect(handler);
            assert!(matches!(
                scene.reconnector.state(),
                State::Connecting | State::Delaying
            ));
        }
        scene.come_back();
        scene.reconnector.retry_now();
        scene.accept();
    });
}

/// RECONNECT-27: another thread blocks while the loop of home runs: the attempts are made there.
#[test]
fn another_thread_blocks_while_home_connects() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        scene.go_away();
        scene.reconnector.start();
        let sent = Sent(scene.reconnector.clone());
        let blocked = thread::spawn(move || {
            let sent = sent;
            sent.0.wait_connected(Cancellable::NONE).map(Sent)
        });
        scene.until(|| scene.told.borrow().contains(&"attempt-failed 2".to_owned()));
        scene.come_back();
        scene.accept();
        // What is between the two threads is waited for at home.
        scene.until(|| blocked.is_finished());
        let stream = blocked.join().unwrap().unwrap().0;
        assert_eq!(Some(stream), scene.reconnector.io_stream());
    });
}

/// RECONNECT-27: where home runs no loop that thread connects, and what it makes belongs to home.
#[test]
fn another_thread_connects_where_home_runs_no_loop() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let threads = Rc::new(RefCell::new(Vec::new()));
        for round in 0..3 {
            let sent = Sent(scene.reconnector.clone());
            let blocked = thread::spawn(move || {
                let sent = sent;
                let stream = sent.0.wait_connected(Cancellable::NONE).unwrap();
                drop(sent);
                Sent(stream)
            });
            let stream = blocked.join().unwrap().0;
            let connection = scene.reconnector.connection().unwrap();
            assert_eq!(stream, connection.clone().upcast::<gio::IOStream>());
            assert_eq!(scene.reconnector.state(), State::Connected);
            if round == 0 {
                let note = threads.clone();
                connection.connect_state_notify(move |_| {
                    note.borrow_mut().push(thread::current().id());
                });
            }
            let peer = scene.accept();
            // Seen at home, in an iteration.
            drop(peer);
            scene.go_away();
            scene.until(|| scene.reconnector.state() != State::Connected);
            scene.reconnector.stop();
            scene.come_back();
        }
        let here = thread::current().id();
        assert!(!threads.borrow().is_empty());
        assert!(threads.borrow().iter().all(|thread| *thread == here));
        drop((context.clone(), SocketClient::new()));
    });
}

/// RECONNECT-27: a stop ends the attempt of a thread that blocks.
#[test]
fn a_stop_ends_what_another_thread_is_at() {
    on_private_context(|_| {
        let aim = Aim::nowhere();
        let deaf = deaf_listener();
        aim.point_at(deaf.address);
        let reconnector = eager(&aim);
        let sent = Sent(reconnector.clone());
        let blocked = thread::spawn(move || {
            let sent = sent;
            sent.0.wait_connected(Cancellable::NONE).map(drop)
        });
        // It is at it, or about to be.
        while reconnector.attempt() == 0 {
            thread::yield_now();
        }
        reconnector.stop();
        assert_fails(blocked.join().unwrap(), IOErrorEnum::Closed);
        assert_eq!(reconnector.state(), State::Stopped);
    });
}

/// RECONNECT-10: nobody calls for a connection that is not wanted any more.
#[test]
fn a_handler_that_stops_it_as_an_attempt_begins_ends_a_wait_that_blocks() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let id = scene
            .reconnector
            .connect_attempt(|reconnector, _| reconnector.stop());
        let result = scene.reconnector.wait_connected(Cancellable::NONE);
        assert_fails(result, IOErrorEnum::Closed);
        assert_eq!(scene.reconnector.state(), State::Stopped);
        scene.listener.set_nonblocking(true).unwrap();
        let nobody = scene.listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
        // Started anew, it connects.
        scene.reconnector.disconnect(id);
        scene.listener.set_nonblocking(false).unwrap();
        scene.reconnector.wait_connected(Cancellable::NONE).unwrap();
        scene.accept();
    });
}
