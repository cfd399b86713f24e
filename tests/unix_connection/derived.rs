//! A class of somebody else's below it.

use gio::prelude::*;
use gsock::{SocketConnection, UnixConnection, prelude::*};

use crate::{support::*, tools::*, unix_tools::*};

mod imp {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use gsock::{UnixConnection, subclass::prelude::*};

    #[derive(Debug, Default)]
    pub(super) struct CountingConnection {
        pub(super) closes: AtomicUsize,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for CountingConnection {
        const NAME: &'static str = "TestCountingUnixConnection";
        type Type = super::CountingConnection;
        type ParentType = UnixConnection;
    }

    impl ObjectImpl for CountingConnection {}
    impl IOStreamImpl for CountingConnection {
        fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            self.closes.fetch_add(1, Ordering::SeqCst);
            self.parent_close(cancellable)
        }
    }
    impl SocketConnectionImpl for CountingConnection {}
    impl UnixConnectionImpl for CountingConnection {}
}

glib::wrapper! {
    struct CountingConnection(ObjectSubclass<imp::CountingConnection>)
        @extends UnixConnection, SocketConnection, gio::IOStream;
}

fn counting(fd: std::os::fd::OwnedFd) -> CountingConnection {
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    glib::Object::builder().property("socket", socket).build()
}

#[test]
fn a_derived_connection_passes_and_closes() {
    on_private_context(|context| {
        for type_ in [STREAM, PACKETS] {
            let [one, other] = sockets(type_).map(counting);
            let parcel = Parcel::new();
            one.send_fd(parcel.fd(), gio::Cancellable::NONE)
                .expect("room");
            let slot = Slot::new();
            let put = slot.put();
            // The callback gets the object as what it is.
            other.receive_fd_async(
                gio::Cancellable::NONE,
                move |other: &CountingConnection, result| put(other.receive_fd_finish(result)),
            );
            assert!(parcel.is(&slot.wait(context).expect("sent")));

            let closed = Slot::new();
            other.close_async(
                glib::Priority::DEFAULT,
                gio::Cancellable::NONE,
                closed.put(),
            );
            closed.wait(context).expect("nothing to wait for");
            let closes = &glib::subclass::prelude::ObjectSubclassIsExt::imp(&other).closes;
            assert_eq!(closes.load(std::sync::atomic::Ordering::SeqCst), 1);
            assert!(one.send_fd(parcel.fd(), gio::Cancellable::NONE).is_err());
        }
    });
}

#[test]
fn a_derived_class_takes_no_other_socket_either() {
    on_private_context(|_| {
        let [one, _other] = sockets(STREAM).map(counting);
        assert_fails(
            one.set_socket(&ipv4_socket()),
            gio::IOErrorEnum::InvalidArgument,
        );
    });
}
