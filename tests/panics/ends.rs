//! Properties, and the end of objects.

use gio::prelude::*;
use gsock::{
    Framed, Framing, IoStreamAdapter, Reconnector, SocketClient, SocketConnection, SocketListener,
    SocketService, TcpConnection, TcpWrapperConnection, ThreadedSocketService, prelude::*,
};

use crate::{
    scene::{Scene, play},
    support::*,
};

/// Each property is read and, where that is allowed, set to what it is.
fn each_property(object: &impl IsA<glib::Object>) {
    for property in object.list_properties() {
        let flags = property.flags();
        if !flags.contains(glib::ParamFlags::READABLE) {
            continue;
        }
        let value = object.property_value(property.name());
        assert!(value.type_().is_a(property.value_type()), "{property:?}");
        // A socket is not set to what it is twice.
        if flags.contains(glib::ParamFlags::WRITABLE)
            && !flags.contains(glib::ParamFlags::CONSTRUCT_ONLY)
            && property.name() != "socket"
        {
            object.set_property_from_value(property.name(), &value);
        }
    }
}

fn all_of(scene: &Scene<'_>) {
    let (connection, mut peer) = scene.connected();
    each_property(&connection);
    each_property(&connection.input_stream());
    each_property(&connection.output_stream());
    let base = gio::SimpleIOStream::new(&connection.input_stream(), &connection.output_stream());
    // The class of a wrapper without a base stream is of no use.
    if let Ok(wrapper) = TcpWrapperConnection::new(&base, &connection.socket()) {
        each_property(wrapper.upcast_ref::<TcpConnection>());
    }
    each_property(&Framed::new(&connection, Framing::Lines));
    drop((base, connection));
    scene.ends(&mut peer);
    each_property(&SocketClient::new());
    each_property(&SocketListener::new());
    each_property(&SocketService::new());
    each_property(&ThreadedSocketService::new(1));
    let nowhere = gio_address(([127, 0, 0, 1], 1).into());
    each_property(&Reconnector::new(&SocketClient::new(), &nowhere));
    let (one, _other) = crate::pipes::pipe(8);
    each_property(&IoStreamAdapter::new(one));
    let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
    if let Ok(unix) = SocketConnection::factory_create_connection_from_fd(one.into()) {
        each_property(&unix);
    }
}

#[test]
fn properties() {
    // It keeps the context in which somebody asks for it first.
    let _ = gio::NetworkMonitor::default();
    play(all_of);
}

/// The last reference goes on another thread: what has handlers travels home.
#[test]
fn a_connection_ends_elsewhere() {
    /// An object that may go on any thread.
    struct Elsewhere(SocketConnection);
    // SAFETY: as its home allows: C drops references on any thread.
    unsafe impl Send for Elsewhere {}

    play(|scene| {
        for has_handlers in [false, true] {
            let (connection, mut peer) = scene.connected();
            if has_handlers {
                connection.connect_alive_notify(|_| {});
            }
            let weak = connection.downgrade();
            let gone = Elsewhere(connection);
            std::thread::spawn(move || {
                let gone = gone;
                drop(gone.0);
            })
            .join()
            .expect("no panic");
            scene.until(|| weak.upgrade().is_none());
            scene.ends(&mut peer);
        }
    });
}

/// What GIO makes once its classes are adopted. It is for good: these tests are no others' affair.
#[test]
fn connections_that_gio_makes() {
    play(|scene| {
        if scene.call(gsock::adopt_gio).is_none() {
            return;
        }
        let (mut peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        let connection = socket.connection_factory_create_connection();
        drop(socket);
        each_property(&connection);
        drop(connection);
        scene.ends(&mut peer);
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let socket = gio::Socket::from_fd(one.into()).expect("a socket");
        drop(socket.connection_factory_create_connection());
        let (one, _other) = std::os::unix::net::UnixDatagram::pair().expect("a pair");
        let socket = gio::Socket::from_fd(one.into()).expect("a socket");
        drop(socket.connection_factory_create_connection());
    });
}

#[test]
fn connections_that_have_one_socket() {
    play(|scene| {
        let (connection, mut peer) = scene.connected();
        let socket = connection.socket();
        let [other, gone] = [(); 2].map(|()| SocketConnection::factory_create_connection(&socket));
        drop(gone);
        scene.call(|| other.close(gio::Cancellable::NONE));
        drop((connection, other, socket));
        scene.ends(&mut peer);
    });
}
