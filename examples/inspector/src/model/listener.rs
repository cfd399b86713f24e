//! The service that sends back what it gets.

use std::cell::{Cell, RefCell};

use gio::prelude::*;
use glib::subclass::prelude::*;
use gsock::{SocketService, prelude::*};

use super::Session;

mod imp {
    use super::*;

    #[derive(Debug, glib::Properties)]
    #[properties(wrapper_type = super::Listener)]
    pub struct Listener {
        /// Each time it is started another one; never none.
        #[property(get, set)]
        service: RefCell<SocketService>,
        #[property(get, set)]
        listening: Cell<bool>,
        #[property(get, set)]
        port: Cell<u32>,
        /// The connections that it has accepted, as sessions.
        #[property(get)]
        clients: gio::ListStore,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Listener {
        const NAME: &'static str = "InspectorListener";
        type Type = super::Listener;

        fn new() -> Self {
            Self {
                service: RefCell::new(SocketService::new()),
                listening: Cell::default(),
                port: Cell::default(),
                clients: gio::ListStore::new::<Session>(),
            }
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for Listener {}
}

glib::wrapper! {
    /// A service on this computer, and who has come.
    pub struct Listener(ObjectSubclass<imp::Listener>);
}

impl Default for Listener {
    fn default() -> Self {
        glib::Object::new()
    }
}

impl Listener {
    /// Listens on the loopback at `port`, and takes any that is free where that is 0.
    ///
    /// # Errors
    ///
    /// Those of binding and listening.
    pub fn start(&self, port: u16) -> Result<(), glib::Error> {
        self.stop();
        let service = SocketService::new();
        let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
        let wanted = gio::InetSocketAddress::new(&loopback, port);
        let bound = service.add_address(
            &wanted,
            gio::SocketType::Stream,
            gio::SocketProtocol::Tcp,
            glib::Object::NONE,
        )?;
        let bound = bound.downcast::<gio::InetSocketAddress>();
        let clients = self.clients();
        service.connect_incoming(move |_, connection, _| {
            clients.insert(0, &Session::echo(connection));
            true
        });
        self.set_port(bound.map_or(0, |it| u32::from(it.port())));
        self.set_service(&service);
        self.set_listening(true);
        Ok(())
    }

    /// Nobody can come any more; who is there stays.
    pub fn stop(&self) {
        self.service().close();
        self.set_listening(false);
    }

    /// All who have come are told good-bye, and forgotten.
    pub fn dismiss(&self) {
        let clients = self.clients();
        for client in clients.iter::<Session>().flatten() {
            client.close();
        }
        clients.remove_all();
    }
}
