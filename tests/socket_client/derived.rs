//! A client of a type of one's own, and connections of one.

use std::{cell::RefCell, rc::Rc};

use gio::{Cancellable, SocketClientEvent as Event, prelude::*};
use gsock::{SocketClient, SocketConnection, TcpConnection, prelude::*, subclass::prelude::*};

use crate::{support::*, tools::*};

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct ListeningClient {
        pub heard: RefCell<String>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ListeningClient {
        const NAME: &'static str = "GsockTestListeningClient";
        type Type = super::ListeningClient;
        type ParentType = SocketClient;
    }

    impl ObjectImpl for ListeningClient {}
    impl SocketClientImpl for ListeningClient {
        fn event(
            &self,
            event: Event,
            connectable: &gio::SocketConnectable,
            connection: Option<&gio::IOStream>,
        ) {
            self.heard
                .borrow_mut()
                .push(letter(event, connection.is_some()));
            self.parent_event(event, connectable, connection);
        }
    }

    #[derive(Debug, Default)]
    pub struct EvenMore;

    #[glib::object_subclass]
    impl ObjectSubclass for EvenMore {
        const NAME: &'static str = "GsockTestListeningClientBelow";
        type Type = super::EvenMore;
        type ParentType = super::ListeningClient;
    }

    impl ObjectImpl for EvenMore {}
    impl SocketClientImpl for EvenMore {}
    impl ListeningClientImpl for EvenMore {}

    #[derive(Debug, Default)]
    pub struct CountingConnection {
        pub connects: std::cell::Cell<u32>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for CountingConnection {
        const NAME: &'static str = "GsockTestCountingConnection";
        type Type = super::CountingConnection;
        type ParentType = TcpConnection;
    }

    impl ObjectImpl for CountingConnection {}
    impl IOStreamImpl for CountingConnection {}
    impl SocketConnectionImpl for CountingConnection {
        fn connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
            self.connects.set(self.connects.get() + 1);
            self.parent_connect_future(address)
        }
    }
    impl TcpConnectionImpl for CountingConnection {}
}

glib::wrapper! {
    pub struct ListeningClient(ObjectSubclass<imp::ListeningClient>) @extends SocketClient;
}

trait ListeningClientImpl: SocketClientImpl {}
unsafe impl<T: ListeningClientImpl> IsSubclassable<T> for ListeningClient {}

glib::wrapper! {
    pub struct EvenMore(ObjectSubclass<imp::EvenMore>) @extends ListeningClient, SocketClient;
}

glib::wrapper! {
    pub struct CountingConnection(ObjectSubclass<imp::CountingConnection>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}

#[test]
fn a_class_hears_each_event_after_the_handlers() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in FORMS {
            let client = glib::Object::new::<ListeningClient>();
            let seen = Rc::new(RefCell::new(Vec::new()));
            let order = seen.clone();
            client.connect_event(move |client, _, _, _| {
                order.borrow_mut().push(client.imp().heard.borrow().len());
            });
            connect(
                form,
                client.upcast_ref(),
                &gio_address(address),
                None,
                context,
            )
            .unwrap();
            assert_eq!(*client.imp().heard.borrow(), "RrCcK");
            assert_eq!(*seen.borrow(), [0, 1, 2, 3, 4]);
        }
    });
}

#[test]
fn a_class_without_a_handler_of_its_own_has_its_parents() {
    on_private_context(|_| {
        let client = glib::Object::new::<EvenMore>();
        let dead = gio_address(refused_address());
        assert_fails(
            gsock::SocketClientExt::connect(&client, &dead, Cancellable::NONE),
            gio::IOErrorEnum::ConnectionRefused,
        );
        let client = client.upcast::<ListeningClient>();
        assert_eq!(*client.imp().heard.borrow(), "RrC0");
    });
}

#[test]
fn a_connection_of_ones_own_type_connects_by_its_own_way_in_blocking_mode() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let (family, stream) = (gio::SocketFamily::Ipv4, gio::SocketType::Stream);
        // A protocol that no other test uses.
        let protocol = gio::SocketProtocol::Tcp;
        SocketConnection::factory_register::<CountingConnection>(family, stream, libc::IPPROTO_TCP);
        for form in FORMS {
            let client = SocketClient::new();
            client.set_protocol(protocol);
            let made = connect(form, &client, &gio_address(address), None, context).unwrap();
            let made = made.downcast::<CountingConnection>().unwrap();
            assert_eq!(made.imp().connects.get(), 1);
            assert!(made.socket().is_blocking());
        }
        SocketConnection::factory_register::<TcpConnection>(family, stream, libc::IPPROTO_TCP);
    });
}

/// GObject lets anybody emit a signal, and without an object where one is declared.
#[test]
fn an_event_that_is_emitted_without_a_connectable_is_a_message() {
    on_private_context(|_| {
        let client: ListeningClient = glib::Object::new();
        let (nothing, nobody) = (None::<gio::SocketConnectable>, None::<gio::IOStream>);
        with_one_critical(|| {
            client.emit_by_name::<()>("event", &[&Event::Resolving, &nothing, &nobody]);
        });
        assert!(client.imp().heard.borrow().is_empty());
    });
}
