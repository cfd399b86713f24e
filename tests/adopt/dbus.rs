//! GDBus as it is, on adopted connections.

use std::{cell::RefCell, os::unix::net::UnixStream, rc::Rc};

use gio::prelude::*;

use crate::{dbus_talk::*, support::*, tools::*};

#[test]
fn a_pair_of_peers_know_each_other_and_pass_descriptors() {
    adopted(|context| {
        let (one, two) = UnixStream::pair().expect("a pair");
        let (server, client) = (unix(one), unix(two));
        assert_eq!(server.type_().name(), "GsockGioUnixConnection");
        let [served, calling] =
            authenticate(context, &server, &client).expect("EXTERNAL is enough");
        assert_eq!(user_of_peer(&served), Some(own_user()));
        let object = serve(&served);
        assert_eq!(
            call(context, &calling, Some("passed")).expect("served"),
            "passed"
        );
        served.unregister_object(object).expect("it was there");
    });
}

#[test]
fn a_server_and_a_client_by_their_address() {
    adopted(|context| {
        let server = gio::DBusServer::new_sync(
            "unix:tmpdir=/tmp",
            gio::DBusServerFlags::NONE,
            &gio::dbus_generate_guid(),
            Some(&external_only()),
            gio::Cancellable::NONE,
        )
        .expect("there is room in /tmp");
        let accepted: Rc<RefCell<Option<gio::DBusConnection>>> = Rc::default();
        let slot = accepted.clone();
        server.connect_new_connection(move |_, connection| {
            serve(connection);
            *slot.borrow_mut() = Some(connection.clone());
            true
        });
        server.start();
        let calling = block_on(
            context,
            gio::DBusConnection::for_address_future(
                &server.client_address(),
                gio::DBusConnectionFlags::AUTHENTICATION_CLIENT,
                None,
            ),
        )
        .expect("it listens");
        iterate_until(context, || accepted.borrow().is_some());
        let served = accepted.take().expect("waited for");
        for connection in [&calling, &served] {
            assert_eq!(connection.stream().type_().name(), "GsockGioUnixConnection");
            assert!(passes_descriptors(connection));
        }
        assert_eq!(user_of_peer(&served), Some(own_user()));
        assert_eq!(call(context, &calling, None).expect("served"), "none");
        assert_eq!(
            call(context, &calling, Some("passed")).expect("served"),
            "passed"
        );
        block_on(context, calling.close_future()).expect("it was open");
        iterate_until(context, || served.is_closed());
        server.stop();
        let streams = [&calling, &served].map(|connection| Gone::of(&connection.stream()));
        drop((calling, served, server));
        // GIO's thread leaves the end of what the server has accepted to the default context, as it does with its own class.
        let default = glib::MainContext::default();
        iterate_until(context, || {
            default.iteration(false);
            streams.iter().all(Gone::is_gone)
        });
    });
}
