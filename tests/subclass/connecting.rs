//! A class that overrides connecting: it counts, and goes somewhere else.

use std::net::SocketAddr;

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, TcpConnection, prelude::*, subclass::prelude::*};

use crate::{support::*, tools::*};

mod redirecting {
    use std::{
        net::SocketAddr,
        sync::{Mutex, OnceLock},
    };

    use glib::prelude::Cast;
    use gsock::{TcpConnection, subclass::prelude::*};

    /// Counts connects and goes somewhere else.
    #[derive(Debug, Default)]
    pub(crate) struct Redirecting {
        pub(crate) target: OnceLock<SocketAddr>,
        pub(crate) calls: Mutex<Vec<&'static str>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Redirecting {
        const NAME: &'static str = "TestRedirecting";
        type Type = super::Redirecting;
        type ParentType = TcpConnection;
    }

    impl Redirecting {
        fn redirect(&self, call: &'static str, address: &gio::SocketAddress) -> gio::SocketAddress {
            self.calls.lock().expect("no panic").push(call);
            match self.target.get() {
                Some(target) => gio::InetSocketAddress::from(*target).upcast(),
                None => address.clone(),
            }
        }
    }

    impl ObjectImpl for Redirecting {}
    impl IOStreamImpl for Redirecting {}
    impl SocketConnectionImpl for Redirecting {
        fn connect(
            &self,
            address: &gio::SocketAddress,
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<(), glib::Error> {
            let address = self.redirect("connect", address);
            self.parent_connect(&address, cancellable)
        }

        fn connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
            let address = self.redirect("connect_future", address);
            self.parent_connect_future(&address)
        }
    }
    impl TcpConnectionImpl for Redirecting {}
}

glib::wrapper! {
    pub(crate) struct Redirecting(ObjectSubclass<redirecting::Redirecting>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}

fn redirecting_to(target: SocketAddr) -> Redirecting {
    let connection: Redirecting = make_unconnected();
    connection.imp().target.set(target).expect("once");
    connection
}

#[test]
fn every_form_of_connect_calls_the_override_once() {
    on_private_context(|context| {
        let (listener, target) = listener();
        // Nobody is there: only the redirected attempt can succeed.
        let asked_for = gio_address(refused_address());
        type Form = fn(
            &glib::MainContext,
            &Redirecting,
            &gio::InetSocketAddress,
        ) -> Result<(), glib::Error>;
        let forms: [(&str, Form); 8] = [
            ("connect", |_, connection, address| {
                base_of(connection).connect(address, gio::Cancellable::NONE)
            }),
            ("connect", |_, connection, address| {
                let connection = connection.upcast_ref::<TcpConnection>();
                connection.connect(address, gio::Cancellable::NONE)
            }),
            ("connect", |_, connection, address| {
                gsock::SocketConnectionExt::connect(connection, address, gio::Cancellable::NONE)
            }),
            ("connect", |_, connection, address| {
                c_connect(connection, address)
            }),
            ("connect_future", |context, connection, address| {
                connect_async(context, connection, address, None)
            }),
            ("connect_future", |context, connection, address| {
                connect_async(context, connection, address, Some(&gio::Cancellable::new()))
            }),
            ("connect_future", |context, connection, address| {
                block_on(context, connection.connect_future(address))
            }),
            ("connect_future", c_connect_async),
        ];
        for (number, (called, form)) in forms.into_iter().enumerate() {
            let connection = redirecting_to(target);
            form(context, &connection, &asked_for).expect("somebody listens there");
            assert_eq!(
                *connection.imp().calls.lock().expect("no panic"),
                [called],
                "form {number}"
            );
            assert_eq!(connection.state(), ConnectionState::Connected);
            let remote = connection.remote_address().expect("connected");
            let remote = remote.downcast::<gio::InetSocketAddress>().expect("IPv4");
            assert_eq!(SocketAddr::from(remote), target);
            listener.accept().expect("it has connected");
        }
    });
}

#[test]
fn errors_of_the_parents_connect_come_through_the_override() {
    on_private_context(|context| {
        let refused = gio_address(refused_address());
        let code = gio::IOErrorEnum::ConnectionRefused;
        let connection: Redirecting = make_unconnected();
        assert_fails(c_connect(&connection, &refused), code);
        let connection: Redirecting = make_unconnected();
        assert_fails(connect_async(context, &connection, &refused, None), code);
        let connection: Redirecting = make_unconnected();
        assert_fails(block_on(context, connection.connect_future(&refused)), code);
        assert_eq!(connection.state(), ConnectionState::Unconnected);
    });
}

/// A connect that goes on for ever ends when it is cancelled, and so does the parent's part.
#[test]
fn cancelling_reaches_the_parents_part_of_an_override() {
    on_private_context(|context| {
        let deaf = deaf_listener();
        let connection = redirecting_to(deaf.address);
        let cancellable = gio::Cancellable::new();
        let asked_for = gio_address(refused_address());
        let outcome = begin_connect(&connection, &asked_for, Some(&cancellable));
        iterate_until(context, || {
            connection.state() == ConnectionState::Connecting
        });
        cancellable.cancel();
        assert_fails(end(context, &outcome), gio::IOErrorEnum::Cancelled);
        assert_eq!(connection.state(), ConnectionState::Unconnected);

        let connecting = context.spawn_local(connection.connect_future(&asked_for));
        iterate_until(context, || {
            connection.state() == ConnectionState::Connecting
        });
        connecting.abort();
        // The handle keeps the future, too.
        drop(connecting);
        iterate_until(context, || {
            connection.state() == ConnectionState::Unconnected
        });
    });
}
