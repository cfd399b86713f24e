//! Where we differ on purpose: what GIO does, as seen on GLib 2.74, and what we do.

use std::{
    io::{Read, Write},
    os::{
        fd::AsRawFd,
        unix::net::{UnixListener, UnixStream},
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::{IntoGlib, ToGlibPtr};

use crate::{support::*, tools::*, under::*};

/// Runs a scenario on both classes, and compares each with what it is said to do.
#[track_caller]
pub(crate) fn differs<T: PartialEq + std::fmt::Debug>(
    context: &glib::MainContext,
    scenario: impl Fn(Side, &glib::MainContext) -> T,
    gio: T,
    ours: T,
) {
    assert_ne!(gio, ours, "it is no difference");
    assert_gio(scenario(Side::Gio, context), gio);
    assert_eq!(scenario(Side::Ours, context), ours);
}

/// SC-9: a blocking connect obeys the flag that an asynchronous one clears.
#[test]
fn differs_f1_a_blocking_connect_waits_on_a_nonblocking_socket_too() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (_listener, address) = listener();
                let under = side.unconnected();
                under.socket().set_blocking(false);
                let result = Outcome::from(under.connect(address, None));
                (result, under.socket().is_blocking())
            },
            (Fails(IOErrorEnum::Pending), false),
            (Done, false),
        );
    });
}

/// SC-13.
#[test]
fn differs_f2_a_cancelled_connect_is_not_connected() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let deaf = deaf_listener();
                let under = side.unconnected();
                let cancellable = Cancellable::new();
                let connecting = under.start_connect(deaf.address, Some(&cancellable));
                iterate_for(context, Duration::from_millis(20));
                assert!(!connecting.is_set());
                cancellable.cancel();
                assert_fails(connecting.wait(context), IOErrorEnum::Cancelled);
                assert!(!under.is_closed());
                under.is_connected()
            },
            true,
            false,
        );
    });
}

/// SC-14, VER-4: before 2.86 the attempt is made all the same.
#[test]
fn differs_ver_4_a_connect_that_is_cancelled_before_makes_no_attempt() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (listener, address) = listener();
                let under = side.unconnected();
                let cancelled = Cancellable::new();
                cancelled.cancel();
                let connecting = under.start_connect(address, Some(&cancelled));
                assert_fails(connecting.wait(context), IOErrorEnum::Cancelled);
                settle(context, Duration::from_millis(20));
                listener.set_nonblocking(true).unwrap();
                (under.is_connected(), listener.accept().is_ok())
            },
            (true, true),
            (false, false),
        );
    });
}

/// IOS-16, ST-40.
#[test]
fn differs_f5_the_priority_of_a_write_and_of_a_close_counts() {
    fn order(context: &glib::MainContext, start: impl FnOnce(Log)) -> Vec<&'static str> {
        let log = Log::default();
        start(log.clone());
        log.add_when_idle(context, DEFAULT, "idle");
        iterate_until(context, || log.lines().len() == 2);
        log.lines()
    }
    on_private_context(|context| {
        let low = glib::Priority::LOW;
        differs(
            context,
            |side, context| {
                let (under, _peer) = side.connected();
                let written = order(context, |log| {
                    let output = under.output();
                    output.write_async(b"x".to_vec(), low, Cancellable::NONE, move |_| {
                        log.add("write");
                    });
                });
                let closed = order(context, |log| {
                    under.close_async(low, Cancellable::NONE, move |_| log.add("close"));
                });
                (written, closed)
            },
            (vec!["write", "idle"], vec!["close", "idle"]),
            (vec!["idle", "write"], vec!["idle", "close"]),
        );
    });
}

/// ST-43: the pending bit is cleared by the finish, or never.
#[test]
fn differs_f6_vectors_that_nobody_finishes_do_not_keep_the_stream_busy() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                let output = under.output();
                let vectors = [gio::ffi::GOutputVector {
                    buffer: b"v".as_ptr().cast(),
                    size: 1,
                }];
                // SAFETY: the vectors outlive the operation: the peer waits for its byte.
                unsafe {
                    gio::ffi::g_output_stream_writev_async(
                        output.to_glib_none().0,
                        vectors.as_ptr(),
                        vectors.len(),
                        DEFAULT.into_glib(),
                        std::ptr::null_mut(),
                        None,
                        std::ptr::null_mut(),
                    );
                }
                iterate_for(context, Duration::from_millis(30));
                peer.read_exact(&mut [0]).unwrap();
                Outcome::from(write(&output, b"w"))
            },
            Fails(IOErrorEnum::Pending),
            Count(1),
        );
    });
}

/// And the finish of one that was refused clears the bit of the operation that is under way.
#[test]
fn differs_f6_vectors_that_are_refused_leave_the_one_under_way_its_place() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, peer) = side.connected();
                fill(&*under, &peer);
                let waiting = start_write(&under.output(), b"w".to_vec(), None);
                let refused = Slot::new();
                let put = refused.put();
                under
                    .output()
                    .writev_async(["no"], DEFAULT, Cancellable::NONE, move |result| {
                        put(result.map(drop).map_err(|(_, failure)| failure));
                    });
                assert_fails(refused.wait(context), IOErrorEnum::Pending);
                assert!(!waiting.is_set());
                let pending = under.output().has_pending();
                under.close(Cancellable::NONE).unwrap();
                assert_fails(waiting.wait(context), IOErrorEnum::Closed);
                pending
            },
            false,
            true,
        );
    });
}

/// ST-23: the bytes are gone.
#[test]
fn differs_f8_a_read_cancelled_before_its_finish_keeps_its_bytes() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                peer.write_all(b"abc").unwrap();
                wait_readable(&*under);
                let cancellable = Cancellable::new();
                let (finished, with) = (Slot::new(), cancellable.clone());
                let put = finished.put();
                read_async_in_c(
                    &under.input(),
                    8,
                    Some(&cancellable),
                    move |input, result| {
                        with.cancel();
                        put(read_finish(input, result));
                    },
                );
                let first = Outcome::from(finished.wait(context));
                (first, Outcome::from(read_now(&*under, 8)))
            },
            (
                Fails(IOErrorEnum::Cancelled),
                Fails(IOErrorEnum::WouldBlock),
            ),
            (Count(3), Fails(IOErrorEnum::WouldBlock)),
        );
    });
}

/// ST-21, ST-23: it has read by the time that the call returns.
#[test]
fn differs_f8_a_read_cancelled_before_its_dispatch_has_read_nothing() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                peer.write_all(b"abc").unwrap();
                wait_readable(&*under);
                let cancellable = Cancellable::new();
                let reading = start_read(&under.input(), 8, Some(&cancellable));
                cancellable.cancel();
                assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
                Outcome::from(read_now(&*under, 8))
            },
            Fails(IOErrorEnum::WouldBlock),
            Bytes(b"abc".to_vec()),
        );
    });
}

/// ST-41: the peer has what was "cancelled".
#[test]
fn differs_f8_a_write_cancelled_before_its_dispatch_has_written_nothing() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                let cancellable = Cancellable::new();
                let writing = start_write(&under.output(), b"sent?".to_vec(), Some(&cancellable));
                cancellable.cancel();
                assert_fails(writing.wait(context), IOErrorEnum::Cancelled);
                under.close(Cancellable::NONE).unwrap();
                read_to_end(&mut peer)
            },
            b"sent?".to_vec(),
            Vec::new(),
        );
    });
}

/// SC-24.
#[test]
fn differs_f9_a_close_marks_a_stream_closed_that_was_busy() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, _peer) = side.connected();
                let (input, output) = (under.input(), under.output());
                let reading = start_read(&input, 8, None);
                iterate_for(context, Duration::from_millis(10));
                under.close(Cancellable::NONE).unwrap();
                assert!(output.is_closed());
                assert_fails(reading.wait(context), IOErrorEnum::Closed);
                settle(context, Duration::from_millis(10));
                input.is_closed()
            },
            false,
            true,
        );
    });
}

/// IOS-5.
#[test]
fn differs_f10_closed_is_notified() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let mut told = Vec::new();
                for asynchronous in [false, true] {
                    let (under, _peer) = side.connected();
                    let seen = notifications(&*under);
                    if asynchronous {
                        assert_eq!(under.start_close(None).wait(context), Done);
                    } else {
                        under.close(Cancellable::NONE).unwrap();
                    }
                    settle(context, Duration::from_millis(20));
                    told.push(
                        seen.borrow()
                            .iter()
                            .filter(|name| *name == "closed")
                            .count(),
                    );
                }
                told
            },
            vec![0, 0],
            vec![1, 1],
        );
    });
}

/// TCP-14: dropping blocks, without a limit.
#[test]
fn differs_f11_dropping_a_graceful_connection_does_not_wait() {
    fn drop_with_peer(side: Side) -> bool {
        let (under, mut peer) = side.connected();
        under.set_graceful(true);
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = dropped.clone();
        // Closes when the drop is done, or after a while: was it done by then?
        let peers = thread::spawn(move || {
            let end = Instant::now() + Duration::from_millis(400);
            while !flag.load(Ordering::SeqCst) && Instant::now() < end {
                thread::sleep(Duration::from_millis(5));
            }
            let waited = !flag.load(Ordering::SeqCst);
            assert_eq!(read_to_end(&mut peer), b"");
            waited
        });
        drop(under);
        dropped.store(true, Ordering::SeqCst);
        peers.join().unwrap()
    }
    on_private_context(|_| {
        assert_gio(drop_with_peer(Side::Gio), true);
        // Ours must be done however long the peer takes.
        let (under, mut peer) = Side::Ours.connected();
        under.set_graceful(true);
        drop(under);
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

/// TCP-14: and shuts down a socket that others hold.
#[test]
fn differs_f11_dropping_a_graceful_connection_leaves_a_shared_socket_alone() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, peer) = side.connected();
                under.set_graceful(true);
                let socket = under.socket();
                let peers = thread::spawn(move || {
                    a_moment();
                    peer.shutdown(std::net::Shutdown::Write).unwrap();
                    peer
                });
                drop(under);
                let _peer = peers.join().unwrap();
                assert!(!socket.is_closed());
                Outcome::from(socket.send(b"mine", Cancellable::NONE))
            },
            Fails(IOErrorEnum::BrokenPipe),
            Count(4),
        );
    });
}

/// TCP-8, TCP-11: marked closed, and the socket is open for ever.
#[test]
fn differs_f12_an_asynchronous_graceful_close_closes_even_if_it_fails() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let under = side.unconnected();
                under.set_graceful(true);
                let closed = under.start_close(None).wait(context);
                assert!(under.is_closed());
                (closed, under.socket().is_closed())
            },
            (Fails(IOErrorEnum::NotConnected), false),
            (Fails(IOErrorEnum::NotConnected), true),
        );
    });
}

/// SC-20, SC-21, RS-6: NULL without an error.
#[test]
fn differs_f16_there_is_an_error_where_there_is_no_remote_address() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| match side.unconnected().remote_address() {
                Ok(None) => "nothing",
                Ok(Some(_)) => "an address",
                Err(failure) if code(&failure) == IOErrorEnum::NotConnected => "not connected",
                Err(_) => "another error",
            },
            "nothing",
            "not connected",
        );
    });
}

/// SC-19, SC-21, F-33.
#[test]
fn differs_f16_the_addresses_outlive_a_close() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, _peer) = side.connected();
                let before = (
                    under.local_address().unwrap(),
                    under.remote_address().unwrap(),
                );
                under.close(Cancellable::NONE).unwrap();
                let same = |one: &gio::SocketAddress, other: &gio::SocketAddress| {
                    one.to_string() == other.to_string()
                };
                let local = match under.local_address() {
                    Ok(after) => same(&after, &before.0),
                    Err(failure) => {
                        assert_eq!(code(&failure), IOErrorEnum::Failed);
                        false
                    }
                };
                let remote = under
                    .remote_address()
                    .unwrap()
                    .is_some_and(|after| same(&after, &before.1.expect("connected")));
                (local, remote)
            },
            (false, false),
            (true, true),
        );
    });
}

/// SOCK-27: the first look at the address takes the error that a read should tell.
#[test]
fn differs_f16_asking_for_the_address_takes_no_error_away() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (listener, address) = listener();
                let under = side.unconnected();
                under.start_connect(address, None).wait(context).unwrap();
                let (peer, _) = listener.accept().unwrap();
                reset(peer);
                wait_readable(&*under);
                let remote = match under.remote_address() {
                    Ok(Some(_)) => Done,
                    Ok(None) => Waits,
                    Err(failure) => Fails(code(&failure)),
                };
                (remote, Outcome::from(read(&under.input(), 8)))
            },
            (Fails(IOErrorEnum::BrokenPipe), Bytes(Vec::new())),
            (Done, Fails(IOErrorEnum::BrokenPipe)),
        );
    });
}

/// SOCK-23.
#[test]
fn differs_f17_a_unix_connect_waits_for_a_place_in_a_full_queue() {
    fn connect(side: Side, path: &std::path::Path) -> (Under, Outcome) {
        let socket = gio::Socket::new(
            gio::SocketFamily::Unix,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
        )
        .unwrap();
        let under = side.around(&socket);
        let result = under
            .connect_to(&gio::UnixSocketAddress::new(path), None)
            .into();
        (under, result)
    }
    on_private_context(|_| {
        let directory = glib::mkdtemp(std::env::temp_dir().join("parity-XXXXXX")).unwrap();
        let path = directory.join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        // SAFETY: an open descriptor; a second listen(2) changes the length of the queue.
        let shortened = unsafe { libc::listen(listener.as_raw_fd(), 0) };
        assert_eq!(shortened, 0);
        let filler = UnixStream::connect(&path).unwrap();
        let (_, refused) = connect(Side::Gio, &path);
        assert_gio(refused, Fails(IOErrorEnum::WouldBlock));
        let accepting = thread::spawn(move || {
            a_moment();
            [listener.accept().unwrap(), listener.accept().unwrap()]
        });
        let (connected, waited) = connect(Side::Ours, &path);
        assert_eq!(waited, Done);
        assert!(connected.is_connected());
        accepting.join().unwrap();
        drop(filler);
        std::fs::remove_dir_all(&directory).unwrap();
    });
}

/// SOCK-33: one flag for the whole socket.
#[test]
fn differs_f18_a_wait_that_times_out_does_not_hit_the_other_direction() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, _peer) = side.connected();
                under.socket().set_timeout(1);
                let fired = Slot::new();
                let mut put = Some(fired.put());
                let source = pollable_input(&*under).create_source(
                    Cancellable::NONE,
                    None,
                    DEFAULT,
                    move |_| {
                        (put.take().expect("once"))(());
                        glib::ControlFlow::Break
                    },
                );
                source.attach(Some(context));
                fired.wait(context);
                let written = pollable_output(&*under).write_nonblocking(b"x", Cancellable::NONE);
                (Outcome::from(written), Outcome::from(read_now(&*under, 8)))
            },
            (Fails(IOErrorEnum::TimedOut), Fails(IOErrorEnum::WouldBlock)),
            (Count(1), Fails(IOErrorEnum::TimedOut)),
        );
    });
}

/// SOCK-35.
#[test]
fn differs_f18_a_timeout_of_more_than_4294_seconds_does_not_wrap() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, _peer) = side.connected();
                under.socket().set_timeout(4295);
                let reading = start_read(&under.input(), 8, None);
                iterate_for(context, Duration::from_millis(200));
                if !reading.is_set() {
                    return Waits;
                }
                reading.wait(context).into()
            },
            Fails(IOErrorEnum::TimedOut),
            Waits,
        );
    });
}

/// SOCK-43, SOCK-44: nobody wakes it, and the peer is not told.
#[test]
fn differs_f19_a_close_ends_a_read_that_blocks_another_thread() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, mut peer) = side.connected();
                let input = under.input();
                let cancellable = Cancellable::new();
                let reader = read_on_thread(&input, 8, Some(&cancellable));
                under.close(Cancellable::NONE).unwrap();
                // A while for what must not happen, and all the time there is for what must.
                let (waits, reads) = match side {
                    Side::Gio => (Duration::from_millis(200), Duration::from_millis(100)),
                    Side::Ours => (LIMIT, LIMIT),
                };
                let begun = Instant::now();
                while !reader.is_finished() && begun.elapsed() < waits {
                    thread::sleep(Duration::from_millis(2));
                }
                let woken = reader.is_finished();
                peer.set_read_timeout(Some(reads)).unwrap();
                let told = matches!(peer.read(&mut [0]), Ok(0));
                cancellable.cancel();
                (woken, told, Outcome::from(reader.join().unwrap()))
            },
            (false, false, Fails(IOErrorEnum::Cancelled)),
            (true, true, Fails(IOErrorEnum::Closed)),
        );
    });
}

/// ST-51.
#[test]
fn differs_f22_what_does_not_wait_looks_whether_the_stream_is_closed() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, mut peer) = side.connected();
                peer.write_all(b"data").unwrap();
                wait_readable(&*under);
                under.input().close(Cancellable::NONE).unwrap();
                under.output().close(Cancellable::NONE).unwrap();
                let written = pollable_output(&*under).write_nonblocking(b"w", Cancellable::NONE);
                (Outcome::from(read_now(&*under, 8)), Outcome::from(written))
            },
            (Bytes(b"data".to_vec()), Count(1)),
            (Fails(IOErrorEnum::Closed), Fails(IOErrorEnum::Closed)),
        );
    });
}

/// SC-6.
#[test]
fn differs_f24_streams_fetched_after_a_close_are_closed() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, _peer) = side.connected();
                under.close(Cancellable::NONE).unwrap();
                let (input, output) = (under.input(), under.output());
                assert_fails(read(&input, 8), IOErrorEnum::Closed);
                assert_fails(write(&output, b"no"), IOErrorEnum::Closed);
                (input.is_closed(), output.is_closed())
            },
            (false, false),
            (true, true),
        );
    });
}

/// SC-27: it goes on, and keeps the socket until data comes.
#[test]
fn differs_f24_a_read_that_waits_ends_when_its_connection_is_dropped() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                let reading = start_read(&under.input(), 8, None);
                iterate_for(context, Duration::from_millis(10));
                drop(under);
                settle(context, Duration::from_millis(50));
                let ended = reading.is_set();
                if !ended {
                    peer.write_all(b"late").unwrap();
                }
                (ended, Outcome::from(reading.wait(context)))
            },
            (false, Bytes(b"late".to_vec())),
            (true, Fails(IOErrorEnum::Closed)),
        );
    });
}

/// ST-7.
#[test]
fn differs_f32_readiness_is_true_and_not_a_poll_bit() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, peer) = side.connected();
                drop(peer);
                wait_readable(&*under);
                let (input, output) = (pollable_input(&*under), pollable_output(&*under));
                // SAFETY: live streams.
                unsafe {
                    (
                        gio::ffi::g_pollable_input_stream_is_readable(input.to_glib_none().0),
                        gio::ffi::g_pollable_output_stream_is_writable(output.to_glib_none().0),
                    )
                }
            },
            (1, libc::POLLOUT.into()),
            (glib::ffi::GTRUE, glib::ffi::GTRUE),
        );
    });
}

/// ST-8: a warning is logged, and it never fires.
#[test]
fn differs_st_8_a_source_of_a_closed_connection_fires() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, _peer) = side.connected();
                under.close(Cancellable::NONE).unwrap();
                let fired = Slot::new();
                let mut put = Some(fired.put());
                let ((), lines) = logged(|| {
                    let source = pollable_input(&*under).create_source(
                        Cancellable::NONE,
                        None,
                        DEFAULT,
                        move |_| {
                            (put.take().expect("once"))(());
                            glib::ControlFlow::Break
                        },
                    );
                    source.attach(Some(context));
                    settle(context, Duration::from_millis(50));
                    source.destroy();
                });
                (fired.is_set(), lines.is_empty())
            },
            (false, false),
            (true, true),
        );
    });
}

/// SOCK-24: SO_ERROR, which GIO reads, is all that the kernel would have said.
#[test]
fn differs_sock_24_a_socket_that_was_refused_can_try_again() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let under = side.unconnected();
                let address = refused_address();
                let first = Outcome::from(under.connect(address, None));
                assert_eq!(first, Fails(IOErrorEnum::ConnectionRefused));
                Outcome::from(under.connect(address, None))
            },
            Fails(IOErrorEnum::Failed),
            Fails(IOErrorEnum::ConnectionRefused),
        );
    });
}

/// SC-17, SOCK-25: Linux says "connected" a second time to whoever asks first.
#[test]
fn differs_sc_17_a_second_connect_is_refused_at_once() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, address) = listener();
                let under = side.unconnected();
                under.start_connect(address, None).wait(context).unwrap();
                let second = Outcome::from(under.connect(address, None));
                (second, Outcome::from(under.connect(address, None)))
            },
            (Done, Fails(IOErrorEnum::Failed)),
            (Fails(IOErrorEnum::Failed), Fails(IOErrorEnum::Failed)),
        );
    });
}

/// TCP-3: GIO's setter tells only of a change, and its property tells of every setting.
#[test]
fn differs_tcp_3_a_property_set_to_what_it_is_tells_nobody() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, _peer) = side.connected();
                let seen = notifications(&*under);
                under.set_property("graceful-disconnect", false);
                under.set_property("graceful-disconnect", true);
                under.set_property("graceful-disconnect", true);
                seen.borrow().len()
            },
            3,
            1,
        );
    });
}

/// SC-28: GIO's close has nothing left to do after a dispose, and the socket stays open.
#[test]
fn differs_f24_a_disposed_connection_does_not_keep_its_socket_open() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, mut peer) = side.connected();
                let (gone, input) = (Gone::of(&under.socket()), under.input());
                // SAFETY: the object is used afterwards as one that is closed.
                unsafe { under.run_dispose() };
                assert!(under.is_closed());
                under.close(Cancellable::NONE).unwrap();
                assert_fails(read(&input, 8), IOErrorEnum::Closed);
                let is_open = !under.socket().is_closed();
                drop((under, input));
                assert!(gone.is_gone());
                assert_eq!(read_to_end(&mut peer), b"");
                is_open
            },
            true,
            false,
        );
    });
}

/// SC-27: a dispose closes nothing under those who hold the socket.
#[test]
fn sc_28_a_disposed_connection_leaves_a_socket_open_that_others_hold() {
    for side in [Side::Gio, Side::Ours] {
        on_private_context(move |_| {
            let (under, mut peer) = side.connected();
            let socket = under.socket();
            // SAFETY: the object is used afterwards as one that is closed.
            unsafe { under.run_dispose() };
            assert!(under.is_closed());
            under.close(Cancellable::NONE).unwrap();
            assert!(!socket.is_closed());
            peer.write_all(b"still").unwrap();
            let mut buffer = [0; 5];
            socket.receive(&mut buffer, Cancellable::NONE).unwrap();
            assert_eq!(buffer, *b"still");
        });
    }
}
