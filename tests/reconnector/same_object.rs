//! One connection object lives through all sockets, with what is bound to it.

use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::TcpListener,
    rc::Rc,
    thread,
};

use gio::{Cancellable, prelude::*};
use glib::subclass::prelude::*;
use gsock::{
    ConnectionState, ReconnectorState as State, SocketConnection, TcpConnection, UnixConnection,
    prelude::*,
};

use crate::{support::*, tools::*};

mod label {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Label)]
    pub struct Label {
        #[property(get, set)]
        text: RefCell<String>,
        #[property(get, set, nullable)]
        address: RefCell<Option<gio::SocketAddress>>,
        #[property(get, set, nullable)]
        stream: RefCell<Option<gio::IOStream>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Label {
        const NAME: &'static str = "GsockTestReconnectorLabel";
        type Type = super::Label;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Label {}
}

glib::wrapper! {
    /// What a program shows.
    pub struct Label(ObjectSubclass<label::Label>);
}

/// Has `label` show the connection.
fn bind(connection: &SocketConnection, label: &Label) {
    connection
        .bind_property("state", label, "text")
        .transform_to(|_, state: ConnectionState| Some(format!("{state:?}")))
        .sync_create()
        .build();
    connection
        .bind_property("remote-address", label, "address")
        .sync_create()
        .build();
}

/// RECONNECT-1: whatever socket there is, it is one connection, and its bindings follow.
#[test]
fn one_connection_and_its_bindings_live_through_four_reconnects() {
    on_private_context(|context| {
        let (scene, mut peer) = Scene::connected(context);
        let connection = scene.connection();
        assert!(connection.is::<TcpConnection>());
        let label: Label = glib::Object::new();
        bind(&connection, &label);
        let (input, output) = (connection.input_stream(), connection.output_stream());
        let seen = notifications(&connection);
        let objects = notifications(&scene.reconnector);
        let mut ports = Vec::new();
        for round in 0..4_u8 {
            assert_eq!(label.text(), "Connected");
            peer.write_all(&[round; 3]).unwrap();
            let read = input.read_bytes_future(3, glib::Priority::DEFAULT);
            assert_eq!(&block_on(context, read).unwrap()[..], [round; 3]);
            output.write_all(&[round], Cancellable::NONE).unwrap();
            assert_eq!(connection.bytes_read(), 3, "they begin anew");
            assert_eq!(connection.bytes_written(), 1);
            let mut byte = [9];
            peer.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [round]);
            seen.take();

            // Another port, so that the address changes.
            let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            scene.aim.point_at(other.local_addr().unwrap());
            drop(peer);
            scene.until_lost();
            scene.until(|| label.text() == "Connected");
            peer = other.accept().unwrap().0;
            for property in ["socket", "state", "remote-address", "local-address"] {
                scene.until(|| seen.borrow().contains(&property.to_owned()));
            }
            assert_eq!(scene.connection(), connection, "the same object");
            assert_eq!(connection.input_stream(), input);
            assert!(connection.last_error().is_none());
            let address = label.address().and_downcast::<gio::InetSocketAddress>();
            let port = other.local_addr().unwrap().port();
            assert_eq!(address.map(|address| address.port()), Some(port));
            ports.push(other);
        }
        scene.until_state(State::Connected);
        let objects = objects.take();
        assert!(!objects.contains(&"connection".to_owned()));
        let streams = objects.iter().filter(|name| *name == "io-stream").count();
        assert_eq!(streams, 4, "at each connect");
    });
}

/// RECONNECT-2: who follows `io-stream` hears of each connect, though the object is the same.
#[test]
fn a_binding_on_io_stream_is_told_of_each_connect() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let label: Label = glib::Object::new();
        scene
            .reconnector
            .bind_property("io-stream", &label, "stream")
            .sync_create()
            .build();
        let told = Rc::new(Cell::new(0));
        let count = told.clone();
        label.connect_stream_notify(move |_| count.set(count.get() + 1));
        scene.reconnector.start();
        for round in 1..=3 {
            let peer = scene.accept();
            assert_eq!(told.get(), round);
            assert_eq!(label.stream(), scene.reconnector.io_stream());
            assert_eq!(label.stream().and_downcast(), Some(scene.connection()));
            drop(peer);
            scene.until_lost();
        }
    });
}

/// RECONNECT-3: what is pending on the old socket ends, and the next one takes its place.
#[test]
fn what_is_pending_at_the_loss_ends_and_the_connection_goes_on() {
    on_private_context(|context| {
        let (scene, peer) = Scene::connected(context);
        let connection = scene.connection();
        let ended = Rc::new(RefCell::new(Vec::new()));
        let note = ended.clone();
        connection.input_stream().read_bytes_async(
            16,
            glib::Priority::DEFAULT,
            Cancellable::NONE,
            move |result| note.borrow_mut().push(result.map(|bytes| bytes.len())),
        );
        // More than fits, to a peer that reads nothing.
        let (note, written) = (Rc::new(Cell::new(false)), Rc::new(RefCell::new(None)));
        let (noted, slot) = (note.clone(), written.clone());
        connection.output_stream().write_all_async(
            vec![7; 32 << 20],
            glib::Priority::DEFAULT,
            Cancellable::NONE,
            move |result| {
                noted.set(true);
                // Part of it is written, and the rest has an error.
                slot.replace(Some(
                    result.map_or_else(|(_, error)| Some(error), |it| it.2),
                ));
            },
        );
        // A half is of the socket of before.
        let (mut half, _) = connection.halves();
        let reading = gsock::engine::spawn_local(context, async move {
            let mut buffer = [0; 4];
            half.read(&mut buffer).await
        });
        iterate_for(context, SOON);
        assert!(!note.get() && ended.borrow().is_empty(), "they wait");
        // The peer is through with writing, and keeps what it has not read: the write would wait for ever.
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        scene.until_lost();
        let next = scene.accept();
        assert!(note.get(), "it had to end before");
        assert!(written.take().expect("it has ended").is_some());
        assert_eq!(ended.take().len(), 1);
        let _ = block_on(context, reading).expect("it has not panicked");
        assert_eq!(scene.connection(), connection);
        drop(next);
    });
}

/// RECONNECT-3: a thread that blocks in a read is no obstacle either.
#[test]
fn a_read_that_blocks_on_another_thread_ends_and_the_connection_goes_on() {
    on_private_context(|context| {
        let (scene, peer) = Scene::connected(context);
        struct Sent(gio::InputStream);
        // SAFETY: as C may.
        unsafe impl Send for Sent {}
        let sent = Sent(scene.connection().input_stream());
        let reading = thread::spawn(move || {
            let sent = sent;
            let mut buffer = [0; 8];
            sent.0
                .read(&mut buffer[..], Cancellable::NONE)
                .map_err(|error| code(&error))
        });
        iterate_for(context, SOON);
        scene.reconnector.retry_now();
        let next = scene.accept();
        assert!(matches!(
            reading.join().unwrap(),
            Ok(0) | Err(gio::IOErrorEnum::Closed)
        ));
        drop((peer, next));
    });
}

/// RECONNECT-3: who begins again and again is waited for.
#[test]
fn the_new_socket_waits_until_the_last_operation_has_ended() {
    on_private_context(|context| {
        let (scene, peer) = Scene::connected(context);
        let connection = scene.connection();
        // A pending flag that no socket ends.
        let input = connection.input_stream();
        input.set_pending().unwrap();
        drop(peer);
        scene.until(|| {
            scene
                .told
                .borrow()
                .iter()
                .filter(|told| *told == "attempt 2")
                .count()
                == 1
        });
        iterate_for(context, 4 * SOON);
        assert_eq!(scene.reconnector.state(), State::Connecting);
        assert_eq!(connection.state(), ConnectionState::Disconnected);
        input.clear_pending();
        let _next = scene.accept();
        assert_eq!(scene.connection(), connection);
        assert_eq!(
            scene.told(),
            [
                "attempt 1",
                "connected",
                "disconnected",
                "attempt 2",
                "connected"
            ]
        );
    });
}

/// RECONNECT-3: and not for ever: the attempt has failed then.
#[test]
fn the_new_socket_does_not_wait_for_ever() {
    on_private_context(|context| {
        let (scene, peer) = Scene::connected(context);
        let input = scene.connection().input_stream();
        input.set_pending().unwrap();
        let failure = Rc::new(Cell::new(None));
        let note = failure.clone();
        scene
            .reconnector
            .connect_attempt_failed(move |_, _, error, _| note.set(Some(code(error))));
        drop(peer);
        scene.until(|| failure.get().is_some());
        assert_eq!(failure.get(), Some(gio::IOErrorEnum::Pending));
        input.clear_pending();
        let _next = scene.accept();
    });
}

/// RECONNECT-4: TCP goes from IPv6 to IPv4 and back with one object.
#[test]
fn the_family_may_change() {
    on_private_context(|context| {
        let v6 = TcpListener::bind(("::1", 0)).unwrap();
        let v4 = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let aim = Aim::at(v6.local_addr().unwrap());
        let reconnector = eager(&aim);
        reconnector.start();
        let connected = || reconnector.state() == State::Connected;
        iterate_until(context, connected);
        let connection = reconnector.connection().unwrap();
        for listener in [&v4, &v6] {
            aim.point_at(listener.local_addr().unwrap());
            reconnector.retry_now();
            iterate_until(context, connected);
            assert_eq!(reconnector.connection(), Some(connection.clone()));
            let peer = connection.remote_address().unwrap();
            let peer = peer.downcast::<gio::InetSocketAddress>().unwrap();
            assert_eq!(peer.port(), listener.local_addr().unwrap().port());
        }
    });
}

/// The file goes with it.
struct Path(std::path::PathBuf);

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn unix_listener() -> (std::os::unix::net::UnixListener, gio::SocketAddress, Path) {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("gsock-reconnector-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let address = gio::UnixSocketAddress::new(&path);
    (listener, address.upcast(), Path(path))
}

/// RECONNECT-4: a Unix socket, whose connection is one object as well.
#[test]
fn unix_sockets_are_made_again_too() {
    on_private_context(|context| {
        let (listener, address, _path) = unix_listener();
        let reconnector = eager(&address);
        reconnector.start();
        let connected = || reconnector.state() == State::Connected;
        iterate_until(context, connected);
        let connection = reconnector.connection().unwrap();
        assert!(connection.is::<UnixConnection>());
        let losses = Rc::new(Cell::new(0));
        let count = losses.clone();
        reconnector.connect_disconnected(move |_, _| count.set(count.get() + 1));
        for round in 1..=3 {
            drop(listener.accept().unwrap());
            iterate_until(context, || losses.get() == round);
            iterate_until(context, connected);
            assert_eq!(reconnector.connection(), Some(connection.clone()));
        }
    });
}

/// RECONNECT-5: what the class cannot carry gets an object of its own.
#[test]
fn a_socket_that_the_class_cannot_carry_has_a_new_object() {
    on_private_context(|context| {
        let (scene, peer) = Scene::connected(context);
        let before = scene.connection();
        let (listener, address, _path) = unix_listener();
        scene.aim.point(Some(address.clone()));
        let seen = notifications(&scene.reconnector);
        drop(peer);
        scene.until(|| {
            scene
                .told
                .borrow()
                .iter()
                .filter(|told| *told == "connected")
                .count()
                == 2
        });
        let after = scene.connection();
        assert_ne!(after, before);
        assert!(after.is::<UnixConnection>());
        assert_eq!(
            seen.borrow()
                .iter()
                .filter(|name| *name == "connection")
                .count(),
            1
        );
        assert_eq!(before.state(), ConnectionState::Disconnected);
        drop(listener);
    });
}

/// RECONNECT-5: a connection that somebody has closed takes no other socket.
#[test]
fn a_connection_that_was_closed_has_a_successor() {
    on_private_context(|context| {
        let (scene, _peer) = Scene::connected(context);
        let before = scene.connection();
        before.close(Cancellable::NONE).unwrap();
        scene.until(|| scene.connection() != before);
        scene.accept();
        assert!(before.is_closed());
        assert!(!scene.connection().is_closed());
        assert_eq!(
            scene.told(),
            [
                "attempt 1",
                "connected",
                "disconnected",
                "attempt 2",
                "connected"
            ]
        );
    });
}

/// The socket closes with its connection, and not with the one that has made it.
#[test]
fn no_socket_is_left_and_none_is_closed_too_soon() {
    on_private_context(|context| {
        let (scene, mut peer) = Scene::connected(context);
        for _ in 0..4 {
            let socket = Gone::of(&scene.connection().socket());
            drop(peer);
            scene.until_lost();
            peer = scene.accept();
            scene.until(|| socket.is_gone());
            peer.write_all(b"x").unwrap();
            let input = scene.connection().input_stream();
            let read = input.read_bytes_future(1, glib::Priority::DEFAULT);
            assert_eq!(&block_on(context, read).unwrap()[..], b"x");
        }
        // What it took is with the connection, too.
        scene.come_back();
        scene.reconnector.retry_now();
        let _next = scene.accept();
        let report = scene.connection().connect_report().expect("it is kept");
        assert_eq!(report.attempts.len(), 1);
    });
}

/// Its timeouts are those of the client, to the millisecond.
#[test]
fn a_time_limit_comes_with_each_socket() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let client = scene.reconnector.client().unwrap();
        client.set_io_timeout(std::time::Duration::from_millis(30));
        scene.reconnector.start();
        let peer = scene.accept();
        scene.reconnector.retry_now();
        let next = scene.accept();
        let input = scene.connection().input_stream();
        assert_fails(
            input.read_bytes(1, Cancellable::NONE),
            gio::IOErrorEnum::TimedOut,
        );
        drop((peer, next));
    });
}
