//! GDBus between peers: what it does with a connection of ours, and with what `to_gio` makes of it.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
};

use gio::prelude::*;
use gsock::{
    ConnectionState, SocketClient, SocketConnection, SocketListener, UnixPathOptions, prelude::*,
};

use crate::{dbus_talk::*, support::*};

fn pair() -> [SocketConnection; 2] {
    let (one, two) = UnixStream::pair().expect("a pair");
    [one, two].map(|end| {
        SocketConnection::factory_create_connection_from_fd(end.into()).expect("a socket")
    })
}

#[test]
fn through_to_gio_it_knows_its_peer_and_passes_descriptors() {
    on_private_context(|context| {
        let [server, client] = pair();
        let (server_end, client_end) = (server.to_gio(), client.to_gio());
        let [served, calling] =
            authenticate(context, &server_end, &client_end).expect("EXTERNAL is enough");
        assert_eq!(user_of_peer(&served), Some(own_user()));
        assert!(passes_descriptors(&served) && passes_descriptors(&calling));

        let object = serve(&served);
        assert_eq!(call(context, &calling, None).expect("served"), "none");
        assert_eq!(
            call(context, &calling, Some("passed")).expect("served"),
            "passed"
        );
        served.unregister_object(object).expect("it was there");

        // It is our connection that GDBus closes.
        assert_eq!(client.state(), ConnectionState::Connected);
        block_on(context, calling.close_future()).expect("it was open");
        iterate_until(context, || client.state() == ConnectionState::Closed);
        iterate_until(context, || served.is_closed());
    });
}

/// As a desktop's parts talk: a listener at a path that only the user's own processes may connect to, and a D-Bus
/// connection without a bus on what it accepts.
#[test]
fn peers_that_meet_at_a_path_know_each_other_and_pass_descriptors() {
    on_private_context(|context| {
        let folder = glib::mkdtemp(std::env::temp_dir().join("gsock-dbus-XXXXXX")).expect("room");
        let path = folder.join("socket");
        let options = UnixPathOptions {
            same_user_only: true,
            ..Default::default()
        };
        let listener = SocketListener::new();
        listener
            .add_unix_path(&path, &options, glib::Object::NONE)
            .expect("a free path");
        let client = SocketClient::new();
        let address = gio::UnixSocketAddress::new(&path);
        let meeting =
            futures::future::join(listener.accept_future(), client.connect_future(&address));
        let (accepted, connected) = block_on(context, meeting);
        let (server, _) = accepted.expect("the client");
        let client = connected.expect("it listens");

        let [served, calling] =
            authenticate(context, &server.to_gio(), &client.to_gio()).expect("EXTERNAL is enough");
        assert_eq!(user_of_peer(&served), Some(own_user()));
        assert!(passes_descriptors(&served) && passes_descriptors(&calling));
        let object = serve(&served);
        for text in ["one", "two"] {
            assert_eq!(call(context, &calling, Some(text)).expect("served"), text);
        }
        assert_eq!(call(context, &calling, None).expect("served"), "none");
        served.unregister_object(object).expect("it was there");

        // The service goes, and the client's connection knows.
        block_on(context, served.close_future()).expect("it was open");
        iterate_until(context, || calling.is_closed());
        iterate_until(context, || client.state() != ConnectionState::Connected);
        listener.close();
        std::fs::remove_dir(&folder).expect("nothing is left in it");
    });
}

/// What the service answers to a client that says who it is and has nothing but the kernel's word for it.
fn answer_to_external(
    context: &glib::MainContext,
    server: &gio::IOStream,
    mut client: UnixStream,
) -> String {
    let guid = gio::dbus_generate_guid();
    let cancellable = gio::Cancellable::new();
    gio::DBusConnection::new(
        server,
        Some(&guid),
        gio::DBusConnectionFlags::AUTHENTICATION_SERVER,
        Some(&external_only()),
        Some(&cancellable),
        |_| {},
    );
    let client = std::thread::spawn(move || {
        let user: String = own_user()
            .to_string()
            .bytes()
            .map(|digit| format!("{digit:02x}"))
            .collect();
        write!(client, "\0AUTH EXTERNAL {user}\r\n").expect("room");
        let mut line = String::new();
        BufReader::new(client)
            .read_line(&mut line)
            .expect("an answer");
        line
    });
    iterate_until(context, || client.is_finished());
    cancellable.cancel();
    client.join().expect("no panic")
}

/// It looks for GIO's class, finds a stream, and does without.
#[test]
fn without_it_there_is_no_telling_who_the_peer_is() {
    on_private_context(|context| {
        let pair = || {
            let (server, client) = UnixStream::pair().expect("a pair");
            let server = SocketConnection::factory_create_connection_from_fd(server.into());
            (server.expect("a socket"), client)
        };
        let (server, client) = pair();
        let answer = answer_to_external(context, server.upcast_ref(), client);
        assert_eq!(answer, "REJECTED EXTERNAL\r\n");
        drop(server);

        let (server, client) = pair();
        let answer = answer_to_external(context, server.to_gio().upcast_ref(), client);
        assert!(answer.starts_with("OK "), "{answer}");
        drop(server);
        // GDBus reads in a thread of its own, whose answer to being cancelled has the stream.
        iterate_until_none_lives(context);
    });
}

/// Where the peer need not be known.
#[test]
fn without_it_calls_work_and_descriptors_do_not() {
    on_private_context(|context| {
        let [server, client] = pair();
        let guid = gio::dbus_generate_guid();
        let anonymous = |stream: &SocketConnection, guid: Option<&str>, flags| {
            gio::DBusConnection::new_future(stream, guid, flags, None)
        };
        let server_end = anonymous(
            &server,
            Some(&guid),
            gio::DBusConnectionFlags::AUTHENTICATION_SERVER
                | gio::DBusConnectionFlags::AUTHENTICATION_ALLOW_ANONYMOUS,
        );
        let client_end = anonymous(
            &client,
            None,
            gio::DBusConnectionFlags::AUTHENTICATION_CLIENT,
        );
        let (served, calling) = block_on(context, futures::future::join(server_end, client_end));
        let (served, calling) = (served.expect("anonymous"), calling.expect("anonymous"));
        assert_eq!(user_of_peer(&served), None);
        assert!(!passes_descriptors(&served));

        let object = serve(&served);
        assert_eq!(call(context, &calling, None).expect("served"), "none");
        assert!(call(context, &calling, Some("refused")).is_err());
        served.unregister_object(object).expect("it was there");
    });
}
