//! Streams and properties, asked for by several threads.

use std::{
    cell::Cell,
    io::Write,
    os::fd::AsRawFd,
    rc::Rc,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use gio::prelude::*;
use gsock::prelude::*;

use crate::raw::*;
use crate::support::*;
use crate::tools::*;

#[test]
fn threads_that_ask_at_once_get_the_same_streams() {
    on_private_context(|_| {
        for round in 0..200 {
            let (connection, _peer) = if round % 2 == 0 {
                connected()
            } else {
                connected_bare()
            };
            let raw = Raw::of(&connection);
            let start = Arc::new(Barrier::new(4));
            let askers: Vec<_> = (0..4)
                .map(|_| {
                    let start = start.clone();
                    thread::spawn(move || {
                        start.wait();
                        (raw.input() as usize, raw.output() as usize)
                    })
                })
                .collect();
            let mut streams: Vec<_> = askers
                .into_iter()
                .map(|asker| asker.join().expect("no panic"))
                .collect();
            streams.dedup();
            assert_eq!(streams.len(), 1);
            let (input, output) = (connection.input_stream(), connection.output_stream());
            assert_eq!(
                streams[0],
                (input.as_ptr() as usize, output.as_ptr() as usize)
            );
            let gone = [Gone::of(&connection), Gone::of(&input), Gone::of(&output)];
            drop((connection, input, output));
            assert!(gone.iter().all(Gone::is_gone), "the losers of the race too");
        }
    });
}

const PROPERTIES: [(&std::ffi::CStr, &str); 12] = [
    (c"socket", "socket"),
    (c"state", "state"),
    (c"alive", "alive"),
    (c"local-address", "local-address"),
    (c"remote-address", "remote-address"),
    (c"last-error", "last-error"),
    (c"bytes-read", "bytes-read"),
    (c"bytes-written", "bytes-written"),
    (c"closed", "closed"),
    (c"input-stream", "input-stream"),
    (c"output-stream", "output-stream"),
    (c"graceful-disconnect", "graceful-disconnect"),
];

#[test]
fn properties_are_read_on_other_threads_while_home_works() {
    at_length(|context| {
        let echo = echo_server();
        let connection = unconnected();
        let here = thread::current().id();
        let told = Rc::new(Cell::new(0_u32));
        let counted = told.clone();
        connection.connect_notify_local(None, move |_, _| {
            assert_eq!(thread::current().id(), here, "at home only");
            counted.set(counted.get() + 1);
        });
        let raw = Raw::of(&connection);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicUsize::new(0));
        let types = PROPERTIES.map(|(name, text)| {
            let spec = connection.find_property(text).expect("a property");
            (name, spec.value_type())
        });
        let askers: Vec<_> = (0..3)
            .map(|_| {
                let (stop, asked) = (stop.clone(), asked.clone());
                thread::spawn(move || {
                    let mut most = 0;
                    while !stop.load(Ordering::Relaxed) {
                        for (name, type_) in types {
                            let value = raw.property(name, type_);
                            if name == c"socket" {
                                assert!(
                                    value
                                        .get::<Option<gio::Socket>>()
                                        .expect("a socket")
                                        .is_some(),
                                    "never NULL"
                                );
                            }
                            if name == c"bytes-read" {
                                most = most.max(value.get::<u64>().expect("a number"));
                            }
                        }
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                    most
                })
            })
            .collect();
        for round in 0..60 {
            if round > 0 {
                connection
                    .set_socket(&ipv4_socket())
                    .expect("nothing is pending");
            }
            let form = FORMS[round % FORMS.len()];
            connect_by(form, context, &connection, &gio_address(echo)).expect("it listens");
            for _ in 0..20 {
                assert_echoes(&connection);
                context.iteration(false);
            }
            assert_eq!(connection.bytes_read(), 80);
        }
        connection.close(gio::Cancellable::NONE).expect("open");
        let before = asked.load(Ordering::Relaxed);
        while asked.load(Ordering::Relaxed) < before + 10 {
            context.iteration(false);
        }
        stop.store(true, Ordering::Relaxed);
        for asker in askers {
            let most = asker.join().expect("no panic");
            assert!(most <= 80, "one connection's bytes, not the sum");
        }
        iterate_until(context, || !context.pending());
        assert!(told.get() > 0);
        let gone = Gone::of(&connection);
        drop(connection);
        assert_idle(context);
        assert!(gone.is_gone());
    });
}

#[test]
fn a_bare_connection_shows_its_socket_to_another_thread_under_a_waiting_reader() {
    on_private_context(|_| {
        for _ in 0..50 {
            let (connection, mut peer) = connected_bare();
            let raw = Raw::of(&connection);
            let (sleeper, call) = sleeping(move || {
                let mut buffer = [0; 4];
                raw.read(&mut buffer, None)
                    .map(|count| buffer[..count].to_vec())
            });
            sleeper.wait();
            let askers: Vec<_> = (0..3)
                .map(|_| {
                    thread::spawn(move || {
                        let value = raw.property(c"socket", gio::Socket::static_type());
                        let socket = value.get::<gio::Socket>().expect("a socket");
                        assert!(socket.is_connected());
                        (socket.as_ptr() as usize, socket.as_raw_fd())
                    })
                })
                .collect();
            let mut sockets: Vec<_> = askers
                .into_iter()
                .map(|asker| asker.join().expect("no panic"))
                .collect();
            sockets.dedup();
            assert_eq!(sockets.len(), 1, "one and the same");
            assert!(!call.is_finished(), "the reader was not disturbed");
            peer.write_all(b"here").expect("a working connection");
            assert_eq!(call.join().expect("no panic").expect("four bytes"), b"here");
            assert_eq!(connection.socket().as_ptr() as usize, sockets[0].0);
        }
    });
}
