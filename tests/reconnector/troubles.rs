//! Threads, monitors and sockets that get in its way.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, SocketClientEvent, prelude::*};
use gsock::{ConnectionState, ReconnectorState as State, SocketClient, prelude::*};

use crate::{support::*, tools::*};

struct Sent<T>(T);
// SAFETY: as C may.
unsafe impl<T> Send for Sent<T> {}

/// RECONNECT-27: where the context of home has gone in the midst of an attempt, whoever blocks makes it.
#[test]
fn a_wait_outlives_the_context_of_home() {
    on_private_context(|_| {
        for is_home in [false, true] {
            let deaf = deaf_listener();
            let (listener, address) = listener();
            let aim = Aim::at(deaf.address);
            let home = glib::MainContext::new();
            let reconnector = home
                .with_thread_default(|| {
                    let client = SocketClient::new();
                    let is_at_it = Rc::new(Cell::new(false));
                    let told = is_at_it.clone();
                    let telling = client.connect_event(move |_, event, _, _| {
                        told.set(event == SocketClientEvent::Connecting);
                    });
                    let reconnector = eager_with(&client, &aim);
                    reconnector.start();
                    // No thread of GIO's asks for an address any more, whose task would keep the context.
                    iterate_until(&home, || is_at_it.get());
                    // Others may be told by other threads.
                    client.disconnect(telling);
                    reconnector
                })
                .unwrap();
            assert_eq!(reconnector.state(), State::Connecting);
            drop(home);
            aim.point_at(address);
            if is_home {
                reconnector.wait_connected(Cancellable::NONE).unwrap();
            } else {
                let sent = Sent(reconnector.clone());
                let waiting = thread::spawn(move || {
                    let sent = sent;
                    sent.0.wait_connected(Cancellable::NONE).map(Sent)
                });
                let stream = waiting.join().unwrap().unwrap().0;
                assert_eq!(Some(stream), reconnector.io_stream());
            }
            drop(listener);
        }
    });
}

/// RECONNECT-10: who has read the end of a connection, and waits for one, gets the next.
#[test]
fn a_wait_after_the_end_of_file_gets_the_next_connection() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let listener = scene.listener.try_clone().unwrap();
        scene
            .reconnector
            .connect_connected(move |_, _| drop(listener.accept().unwrap()));
        let reconnector = scene.reconnector.clone();
        let reading = gsock::engine::spawn_local(context, async move {
            let mut attempts = Vec::new();
            for _ in 0..4 {
                reconnector.wait_connected_future().await.unwrap();
                attempts.push(reconnector.attempt());
                let (mut half, _) = reconnector.connection().unwrap().halves();
                assert_eq!(half.read(&mut [0; 4]).await.unwrap(), 0);
            }
            attempts
        });
        assert_eq!(block_on(context, reading).unwrap(), [1, 2, 3, 4]);
    });
}

/// RECONNECT-27: another thread that blocks has the connection as soon as it is there, though home runs no loop any more.
#[test]
fn a_thread_that_blocks_needs_no_loop_after_the_connect() {
    on_private_context(|context| {
        for _ in 0..20 {
            let scene = Scene::new(context);
            let sent = Sent(scene.reconnector.clone());
            scene.reconnector.start();
            let waiting = thread::spawn(move || {
                let sent = sent;
                let result = sent.0.wait_connected(Cancellable::NONE);
                result.map(|stream| drop(Sent(stream)))
            });
            scene.until(|| scene.reconnector.state() == State::Connected);
            waiting.join().unwrap().unwrap();
        }
    });
}

/// RECONNECT-27: a blocking call on the thread of home, under another context, makes a connection of home's context.
#[test]
fn what_is_made_under_another_context_belongs_to_that_of_home() {
    on_private_context(|context| {
        let (scene, other) = (Scene::new(context), glib::MainContext::new());
        let connecting = || scene.reconnector.wait_connected(Cancellable::NONE);
        other.with_thread_default(connecting).unwrap().unwrap();
        let (peer, _) = scene.listener.accept().unwrap();
        drop(peer);
        // Seen in an iteration of home's, which is all that there is.
        scene.until_lost();
        scene.accept();
    });
}

/// RECONNECT-22: disposed of while somebody has it yet, as C can, it lets nobody wait.
#[test]
fn disposed_of_it_lets_nobody_wait() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let future = scene.reconnector.wait_connected_future();
        // SAFETY: as C may.
        unsafe { scene.reconnector.run_dispose() };
        let blocking = scene.reconnector.wait_connected(Cancellable::NONE);
        assert_fails(blocking, IOErrorEnum::Closed);
        assert_fails(block_on(context, future), IOErrorEnum::Closed);
        scene.reconnector.start();
        scene.reconnector.retry_now();
        iterate_for(context, SOON);
        assert_eq!(scene.reconnector.state(), State::Stopped);
    });
}

/// RECONNECT-25: several threads wait, some give up, and the others go on.
#[test]
fn of_several_threads_that_wait_some_give_up() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let deaf = deaf_listener();
        scene.aim.point_at(deaf.address);
        let client = scene.reconnector.client().unwrap();
        client.set_connect_timeout(Duration::from_millis(50));
        let waiting: Vec<_> = (0..6)
            .map(|_| {
                let cancellable = Cancellable::new();
                let (sent, handed) = (Sent(scene.reconnector.clone()), cancellable.clone());
                let thread = thread::spawn(move || {
                    let sent = sent;
                    let result = sent.0.wait_connected(Some(&handed));
                    result.map(|_| ()).map_err(|error| code(&error))
                });
                (cancellable, thread)
            })
            .collect();
        scene.until(|| scene.reconnector.attempt() > 0);
        for (cancellable, _) in waiting.iter().step_by(2) {
            cancellable.cancel();
        }
        scene.until(|| {
            let mut cancelled = waiting.iter().step_by(2);
            cancelled.all(|(_, thread)| thread.is_finished())
        });
        scene.come_back();
        scene.until(|| waiting.iter().all(|(_, thread)| thread.is_finished()));
        for (number, (_, thread)) in waiting.into_iter().enumerate() {
            let expected = if number % 2 == 0 {
                Err(IOErrorEnum::Cancelled)
            } else {
                Ok(())
            };
            assert_eq!(thread.join().unwrap(), expected, "{number}");
        }
    });
}

/// RECONNECT-24: threads start, stop, retry and wait as they like; it comes to its senses when they let go of it.
#[test]
fn threads_that_pull_in_all_directions_leave_it_whole() {
    on_private_context_within(3 * LIMIT, |context| {
        let scene = Scene::new(context);
        scene
            .reconnector
            .set_initial_delay(Duration::from_millis(1));
        let listener = scene.listener.try_clone().unwrap();
        listener.set_nonblocking(true).unwrap();
        let threads: Vec<_> = (0..4)
            .map(|kind| {
                let sent = Sent(scene.reconnector.clone());
                thread::spawn(move || {
                    let sent = sent;
                    for round in 0..100 {
                        match (kind + round) % 5 {
                            0 => sent.0.start(),
                            1 => sent.0.retry_now(),
                            2 => {
                                let cancellable = Cancellable::new();
                                let handed = cancellable.clone();
                                let cancelling = thread::spawn(move || handed.cancel());
                                let _ = sent.0.wait_connected(Some(&cancellable));
                                cancelling.join().unwrap();
                            }
                            3 => sent.0.stop(),
                            _ => drop(sent.0.io_stream()),
                        }
                    }
                })
            })
            .collect();
        let mut peers = Vec::new();
        scene.until(|| {
            peers.extend(listener.accept());
            threads.iter().all(thread::JoinHandle::is_finished)
        });
        for thread in threads {
            thread.join().unwrap();
        }
        scene.reconnector.stop();
        iterate_for(context, SOON);
        let told = scene.told();
        let count = |what| told.iter().filter(|told| *told == what).count();
        assert_eq!(count("connected"), count("disconnected"), "{told:?}");
        scene.reconnector.start();
        scene.until(|| {
            peers.extend(listener.accept());
            scene.reconnector.state() == State::Connected
        });
        assert_eq!(scene.connection().state(), ConnectionState::Connected);
    });
}

/// RECONNECT-23: to a `connected` that home was told of belongs a `disconnected`, however often others stop it before home
/// hears of that.
#[test]
fn what_home_was_told_of_ends_there_too() {
    on_private_context(|context| {
        let (scene, _peer) = Scene::connected(context);
        let sent = Sent(scene.reconnector.clone());
        thread::spawn(move || {
            let sent = sent;
            for _ in 0..3 {
                sent.0.stop();
                drop(sent.0.wait_connected(Cancellable::NONE).map(Sent).unwrap());
            }
        })
        .join()
        .unwrap();
        assert_eq!(scene.reconnector.state(), State::Connected);
        assert_eq!(
            scene.told(),
            [
                "attempt 1",
                "connected",
                "disconnected",
                "attempt 1",
                "connected"
            ]
        );
    });
}

/// RECONNECT-14: a monitor that flaps, on a thread of its own.
#[test]
fn a_monitor_may_flap_on_another_thread() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let monitor = Monitor::new(false);
        scene.reconnector.set_debounce(Duration::from_millis(1));
        scene.reconnector.set_network_monitor(Some(&monitor));
        scene.reconnector.start();
        let sent = Sent(monitor.clone());
        let flapping = thread::spawn(move || {
            let sent = sent;
            for round in 0..1_000 {
                sent.0.turn(round % 2 == 0);
            }
            sent.0.turn(true);
        });
        scene.until(|| flapping.is_finished());
        flapping.join().unwrap();
        scene.accept();
        let gone = Gone::of(&monitor);
        drop(monitor);
        scene
            .reconnector
            .set_network_monitor(gio::NetworkMonitor::NONE);
        assert!(gone.is_gone());
    });
}

/// RECONNECT-1: the user gives the connection a socket of his own, and that is looked after.
#[test]
fn a_socket_of_the_users_own_is_looked_after() {
    on_private_context(|context| {
        let (scene, peer) = Scene::connected(context);
        let connection = scene.connection();
        let (listener, address) = listener();
        let socket = ipv4_socket();
        SocketExt::connect(&socket, &gio_address(address), Cancellable::NONE).unwrap();
        gsock::SocketConnectionExt::set_socket(&connection, &socket).unwrap();
        // The one of before is no matter of its any more.
        drop(peer);
        iterate_for(context, 4 * SOON);
        assert_eq!(scene.told(), ["attempt 1", "connected"]);
        drop(listener.accept().unwrap());
        scene.until_lost();
        scene.accept();
        // One without a peer is none.
        gsock::SocketConnectionExt::set_socket(&connection, &ipv4_socket()).unwrap();
        scene.until_lost();
        scene.accept();
        assert_eq!(scene.connection(), connection);
    });
}

/// RECONNECT-3: a source of the socket of before fires once more, and is quiet then.
#[test]
fn a_source_of_before_does_not_keep_the_loop_busy() {
    on_private_context(|context| {
        let (scene, _peer) = Scene::connected(context);
        let input = scene.connection().input_stream();
        let input = input.downcast::<gio::PollableInputStream>().unwrap();
        let calls = Rc::new(Cell::new(0));
        let count = calls.clone();
        let source = input.create_source(
            Cancellable::NONE,
            None,
            glib::Priority::DEFAULT,
            move |_| {
                count.set(count.get() + 1);
                glib::ControlFlow::Continue
            },
        );
        source.attach(Some(context));
        scene.reconnector.retry_now();
        let _next = scene.accept();
        iterate_for(context, SOON);
        assert!(calls.take() > 0, "it has fired");
        iterate_for(context, 4 * SOON);
        assert_eq!(calls.get(), 0);
        source.destroy();
    });
}

/// RECONNECT-3: nothing is left of so many connections.
#[test]
fn nothing_is_left_of_three_hundred_connections() {
    on_private_context_within(3 * LIMIT, |context| {
        let (scene, mut peer) = Scene::connected(context);
        scene
            .reconnector
            .set_initial_delay(Duration::from_millis(1));
        scene.reconnector.set_max_delay(Duration::from_millis(1));
        let mut sockets = Vec::new();
        for round in 0..300 {
            sockets.push(Gone::of(&scene.connection().socket()));
            if round % 2 == 0 {
                drop(peer);
            } else {
                scene.reconnector.retry_now();
            }
            scene.until_lost();
            peer = scene.accept();
        }
        scene.until(|| sockets.iter().all(Gone::is_gone));
        drop(peer);
    });
}

/// A peer that is through with writing takes what is written to it, and whoever writes is left to it: this is the
/// reconnector's own idea of a loss, and no connection's without one.
#[test]
fn a_connection_without_a_reconnector_is_written_to_after_an_end_of_file() {
    on_private_context(|context| {
        const MUCH: usize = 16 << 20;
        let (listener, address) = listener();
        let client = SocketClient::new();
        for blocks in [false, true] {
            let connecting = client.connect_future(&gio_address(address));
            let connection = block_on(context, connecting).unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            peer.shutdown(std::net::Shutdown::Write).unwrap();
            iterate_until(context, || {
                connection.state() == ConnectionState::Disconnected
            });
            let is_reading = Arc::new(AtomicBool::new(false));
            let flag = is_reading.clone();
            let output = connection.output_stream();
            let reading = move || {
                flag.store(true, Ordering::SeqCst);
                read_to_end(&mut peer).len()
            };
            let reading = if blocks {
                let reading = thread::spawn(reading);
                output
                    .write_all(&vec![7; MUCH][..], Cancellable::NONE)
                    .unwrap();
                reading
            } else {
                let writing = output.write_all_future(vec![7_u8; MUCH], glib::Priority::DEFAULT);
                let writing = gsock::engine::spawn_local(context, async move {
                    writing.await.map(|it| it.1).map_err(|it| it.1)
                });
                iterate_for(context, SOON);
                assert!(!is_reading.load(Ordering::SeqCst));
                let reading = thread::spawn(reading);
                let written = block_on(context, writing).unwrap();
                assert_eq!(written.unwrap(), MUCH);
                reading
            };
            connection.close(Cancellable::NONE).unwrap();
            assert_eq!(reading.join().unwrap(), MUCH);
        }
    });
}

/// RECONNECT-9: a peer that takes every connection and ends it at once is not run after.
#[test]
fn a_peer_that_ends_each_connection_is_given_more_and_more_time() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let reconnector = &scene.reconnector;
        reconnector.set_jitter(0.0);
        let hour = Duration::from_secs(3600);
        reconnector.set_initial_delay(hour);
        reconnector.set_max_delay(6 * hour);
        let listener = scene.listener.try_clone().unwrap();
        reconnector.connect_connected(move |_, _| drop(listener.accept().unwrap()));
        let delays = Rc::new(std::cell::RefCell::new(Vec::new()));
        let note = delays.clone();
        reconnector.connect_disconnected(move |reconnector, _| {
            // Some seconds of it may have passed.
            let half_hours = reconnector.next_attempt_in().as_secs() / 1800;
            note.borrow_mut().push(half_hours.div_ceil(2));
            // And this does not make them begin anew.
            if note.borrow().len() < 5 {
                reconnector.retry_now();
            }
        });
        reconnector.start();
        scene.until(|| delays.borrow().len() == 5);
        assert_eq!(*delays.borrow(), [1, 2, 4, 6, 6]);
        assert!(reconnector.attempt() == 5, "none of them has lasted");
    });
}
