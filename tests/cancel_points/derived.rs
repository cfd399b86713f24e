//! A class written in Rust that overrides all that waits, and hands it to its parent.

use gsock::{SocketConnection, TcpConnection};

mod imp {
    use gsock::subclass::prelude::*;

    #[derive(Debug, Default)]
    pub struct Derived;

    #[glib::object_subclass]
    impl ObjectSubclass for Derived {
        const NAME: &'static str = "CancelPointsDerived";
        type Type = super::Derived;
        type ParentType = gsock::TcpConnection;
    }

    impl ObjectImpl for Derived {}

    impl IOStreamImpl for Derived {
        fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            self.parent_close(cancellable)
        }
    }

    impl SocketConnectionImpl for Derived {
        fn connect(
            &self,
            address: &gio::SocketAddress,
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<(), glib::Error> {
            self.parent_connect(address, cancellable)
        }

        fn connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
            self.parent_connect_future(address)
        }

        fn close_future(&self, priority: glib::Priority) -> UnitFuture {
            self.parent_close_future(priority)
        }
    }

    impl TcpConnectionImpl for Derived {}
}

glib::wrapper! {
    pub struct Derived(ObjectSubclass<imp::Derived>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}
