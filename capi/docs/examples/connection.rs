//! What every connection can do, in Rust, as the documentation shows it; see operations.rs.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    thread,
};

use gio::prelude::*;
use glib::subclass::prelude::*;
use gsock::{SocketConnection, prelude::*};

use super::{Outcome, connected_to, in_time, loopback_listener};

// {GsockSocketConnection}
fn say_and_hear(connection: &SocketConnection, length: usize) -> Result<Vec<u8>, glib::Error> {
    let mut answer = vec![0; length];
    // Reading, writing and closing are those of every IOStream; the connection itself is an AsyncRead and AsyncWrite.
    let output = connection.output_stream();
    output.write_all(b"hello", gio::Cancellable::NONE)?;
    let input = connection.input_stream();
    input.read_all(&mut answer, gio::Cancellable::NONE)?;
    connection.close(gio::Cancellable::NONE)?;
    Ok(answer)
}

async fn say_and_hear_later(connection: &SocketConnection) -> Result<glib::Bytes, glib::Error> {
    let (output, input) = (connection.output_stream(), connection.input_stream());
    let written = output.write_all_future("hello", glib::Priority::DEFAULT);
    written.await.map_err(|(_, error)| error)?;
    let heard = input.read_bytes_future(1024, glib::Priority::DEFAULT);
    heard.await
}
// {}

// {GsockSocketConnection:socket gsock_socket_connection_is_connected}
fn connect_anew(
    connection: &SocketConnection,
    address: &gio::SocketAddress,
) -> Result<bool, glib::Error> {
    let (kind, protocol) = (gio::SocketType::Stream, gio::SocketProtocol::Default);
    let socket = gio::Socket::new(connection.socket().family(), kind, protocol)?;
    // The object stays the same one: what is bound to its properties stays bound.
    connection.set_socket(&socket)?;
    connection.connect(address, gio::Cancellable::NONE)?;
    Ok(connection.is_connected())
}
// {}

// {GsockSocketConnection:*-address}
fn who_talks(connection: &SocketConnection) -> Result<String, glib::Error> {
    // They are kept after a close.
    let (here, there) = (connection.local_address()?, connection.remote_address()?);
    let (here, there) = (
        SocketConnectableExt::to_string(&here),
        SocketConnectableExt::to_string(&there),
    );
    Ok(format!("{here} to {there}"))
}
// {}

// {gsock_socket_connection_is_alive gsock_socket_connection_get_last_error gsock_*_get_bytes_*}
fn tell_of(connection: &SocketConnection) {
    println!("alive: {}", connection.is_alive());
    let (read, written) = (connection.bytes_read(), connection.bytes_written());
    println!("{read} bytes read, {written} written");
    if let Some(error) = connection.last_error() {
        println!("{error}");
    }
}
// {}

// {GsockSocketConnection:alive :state}
fn show_in(connection: &SocketConnection, view: &impl IsA<glib::Object>) {
    // In GTK: "sensitive" of a button, "label" of a label.
    let alive = connection.bind_property("alive", view, "enabled");
    alive.sync_create().build();
    let state = connection.bind_property("state", view, "name");
    state
        .transform_to(|_, state: gsock::ConnectionState| Some(format!("{state:?}")))
        .sync_create()
        .build();
}
// {}

// {gsock_socket_connection_set_home}
struct OnItsWay(SocketConnection);

// SAFETY: the thread that made it keeps nothing of it.
unsafe impl Send for OnItsWay {}

fn made_elsewhere(address: std::net::SocketAddr) -> Option<SocketConnection> {
    let maker = thread::spawn(move || {
        let address = gio::InetSocketAddress::from(address).upcast();
        connected_to(&address).ok().map(OnItsWay)
    });
    let OnItsWay(connection) = maker.join().ok()??;
    // SAFETY: there are no handlers yet, and no thread but this one has it.
    unsafe { connection.set_home(&glib::MainContext::ref_thread_default()) };
    // Its notifications come to this thread from now on.
    Some(connection)
}
// {}

// {gsock_socket_connection_send_async gsock_socket_connection_send_finish}
fn send_later(
    connection: &SocketConnection,
    text: &'static str,
    done: impl FnOnce(Result<usize, glib::Error>) + 'static,
) {
    let (text, priority) = (
        glib::Bytes::from_static(text.as_bytes()),
        glib::Priority::DEFAULT,
    );
    // It may be less than was given.
    connection.send_async(text, priority, gio::Cancellable::NONE, |_, sent| done(sent));
}
// {}

// {gsock_socket_connection_receive_async gsock_socket_connection_receive_finish}
fn receive_later(
    connection: &SocketConnection,
    done: impl FnOnce(Result<Vec<u8>, glib::Error>) + 'static,
) {
    let (buffer, priority) = (vec![0; 1024], glib::Priority::DEFAULT);
    // The buffer comes back with the answer. 0 is the end.
    connection.receive_async(
        buffer,
        priority,
        gio::Cancellable::NONE,
        |_, mut buffer, received| {
            done(received.map(|length| {
                buffer.truncate(length);
                buffer
            }));
        },
    );
}
// {}

// {gsock_socket_connection_factory_create_connection_from_fd}
fn connection_of(fd: OwnedFd) -> Result<SocketConnection, glib::Error> {
    // The descriptor is the connection's from now on.
    SocketConnection::factory_create_connection_from_fd(fd)
}
// {}

// {gsock_socket_connection_factory_register_type gsock_socket_connection_factory_lookup_type}
mod imp {
    use std::cell::Cell;

    use gsock::{TcpConnection, subclass::prelude::*};

    #[derive(Default)]
    pub struct OwnConnection {
        pub(super) connects: Cell<u32>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for OwnConnection {
        const NAME: &'static str = "OwnConnection";
        type Type = super::OwnConnection;
        type ParentType = TcpConnection;
    }

    impl ObjectImpl for OwnConnection {}
    impl IOStreamImpl for OwnConnection {}
    impl TcpConnectionImpl for OwnConnection {}

    impl SocketConnectionImpl for OwnConnection {
        // A class whose users do not block overrides `connect_future` as well.
        fn connect(
            &self,
            address: &gio::SocketAddress,
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<(), glib::Error> {
            self.connects.set(self.connects.get() + 1);
            self.parent_connect(address, cancellable)
        }
    }
}

glib::wrapper! {
    pub struct OwnConnection(ObjectSubclass<imp::OwnConnection>)
        @extends gsock::TcpConnection, SocketConnection, gio::IOStream;
}

fn use_own_class() -> bool {
    let (family, kind) = (gio::SocketFamily::Ipv4, gio::SocketType::Stream);
    // From now on the client, the listener and the factory make it for such sockets.
    SocketConnection::factory_register_type(OwnConnection::static_type(), family, kind, 0);
    SocketConnection::factory_lookup_type(family, kind, 0) == OwnConnection::static_type()
}
// {}

// {gsock_socket_connection_to_gio gsock_socket_connection_new_from_gio}
fn there_and_back(connection: &SocketConnection) -> bool {
    // What GDBus and others want, on the same transport.
    let of_gio = connection.to_gio();
    of_gio.is_connected() && SocketConnection::from_gio(&of_gio) == *connection
}
// {}

// {gsock_socket_connection_beneath}
fn peer_of(stream: &impl IsA<gio::IOStream>) -> Option<gio::SocketAddress> {
    // Of TLS over a connection, for example, which does not tell.
    SocketConnection::beneath(stream)?.remote_address().ok()
}
// {}

// {gsock_engine_use_poll_function}
fn wait_by_one_call(context: &glib::MainContext) -> Result<(), glib::Error> {
    // Not where a toolkit has a poll function of its own.
    gsock::engine::use_poll_function(context, true)
}
// {}

// {gsock_adopt_gio}
fn with_code_of_gio(address: &gio::SocketAddress) -> Result<gio::SocketConnection, glib::Error> {
    // GIO's own client makes its connections on this library's transport from now on.
    gsock::adopt_gio()?;
    let client = gio::SocketClient::new();
    SocketClientExt::connect(&client, address, gio::Cancellable::NONE)
}
// {}

// ---- Running them

mod view {
    use std::cell::{Cell, RefCell};

    use glib::{prelude::*, subclass::prelude::*};

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = super::View)]
    pub struct View {
        #[property(get, set)]
        enabled: Cell<bool>,
        #[property(get, set)]
        name: RefCell<String>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for View {
        const NAME: &'static str = "View";
        type Type = super::View;
    }

    #[glib::derived_properties]
    impl ObjectImpl for View {}
}

glib::wrapper! {
    pub struct View(ObjectSubclass<view::View>);
}

/// Awaits what calls back.
async fn answer_of<T: 'static>(
    connection: &SocketConnection,
    start: impl FnOnce(&SocketConnection, Box<dyn FnOnce(Result<T, glib::Error>)>) + 'static,
) -> Result<T, glib::Error> {
    gio::GioFuture::new(connection, move |connection, _, send| {
        start(connection, Box::new(move |answer| send.resolve(answer)));
    })
    .await
}

async fn run() -> Outcome {
    wait_by_one_call(&glib::MainContext::ref_thread_default())?;
    let (listener, address) = loopback_listener()?;
    let one = connected_to(&address)?;
    let (other, _) = listener.accept(gio::Cancellable::NONE)?;
    assert!(who_talks(&one)?.contains(" to 127.0.0.1:"));
    let view: View = glib::Object::new();
    show_in(&one, &view);
    assert_eq!((view.enabled(), &*view.name()), (true, "Connected"));

    let to_one = other.output_stream();
    to_one.write_all(b"there", gio::Cancellable::NONE)?;
    assert_eq!(&say_and_hear_later(&one).await?[..], b"there");
    let sent = answer_of(&one, |one, done| send_later(one, "more", done)).await?;
    assert_eq!(sent, 4);
    let received = answer_of(&other, receive_later).await?;
    assert_eq!(received, b"hellomore");
    to_one.write_all(b"again", gio::Cancellable::NONE)?;
    assert!(there_and_back(&one));
    assert!(peer_of(&one).is_some());
    assert_eq!(say_and_hear(&one, 5)?, b"again");
    tell_of(&one);
    assert_eq!((view.enabled(), &*view.name()), (false, "Closed"));

    assert!(connect_anew(&other, &address)?);
    let inet: gio::InetSocketAddress = address.clone().downcast().map_err(|_| "no such address")?;
    let elsewhere = made_elsewhere(inet.into()).ok_or("not made")?;
    assert!(elsewhere.is_alive());

    assert!(use_own_class());
    let (family, kind) = (gio::SocketFamily::Ipv4, gio::SocketType::Stream);
    let socket = gio::Socket::new(family, kind, gio::SocketProtocol::Default)?;
    let own = SocketConnection::factory_create_connection(&socket);
    own.connect(&address, gio::Cancellable::NONE)?;
    let own: OwnConnection = own.downcast().map_err(|_| "another class")?;
    assert_eq!(own.imp().connects.get(), 1);

    let (left, right) = UnixStream::pair()?;
    assert!(connection_of(left.into())?.is_connected());
    assert!(connection_of(right.into())?.is_connected());
    assert!(with_code_of_gio(&address)?.is_connected());
    Ok(())
}

#[test]
fn the_connection_of_the_documentation_does_what_it_says() {
    in_time(run());
}
