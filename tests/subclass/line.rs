//! A line of classes, each of which calls its parent.

use std::{
    cell::RefCell,
    io::Write,
    sync::{Arc, Barrier},
    thread::{self},
};

use gio::{ffi as gio_ffi, prelude::*};
use gsock::{SocketConnection, TcpConnection, subclass::prelude::*};

use crate::{support::*, tools::*};

thread_local! {
    static CALLS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn call(name: &str, what: &str) {
    CALLS.with_borrow_mut(|calls| calls.push(format!("{name} {what}")));
}

macro_rules! link {
    ($module:ident, $name:ident, $parent:ty) => {
        mod $module {
            use gio::prelude::*;
            use gsock::subclass::prelude::*;

            use super::call;

            #[derive(Debug, Default)]
            pub(super) struct $name;

            #[glib::object_subclass]
            impl ObjectSubclass for $name {
                const NAME: &'static str = concat!("Test", stringify!($name));
                type Type = super::$name;
                type ParentType = $parent;
            }

            impl ObjectImpl for $name {
                fn constructed(&self) {
                    self.parent_constructed();
                    call(stringify!($name), "constructed");
                }
            }
            impl IOStreamImpl for $name {
                fn input_stream(&self) -> gio::InputStream {
                    call(stringify!($name), "input_stream");
                    gio::BufferedInputStream::new(&self.parent_input_stream()).upcast()
                }

                fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
                    call(stringify!($name), "close");
                    self.parent_close(cancellable)
                }
            }
            impl SocketConnectionImpl for $name {
                fn connect(
                    &self,
                    address: &gio::SocketAddress,
                    cancellable: Option<&gio::Cancellable>,
                ) -> Result<(), glib::Error> {
                    call(stringify!($name), "connect");
                    self.parent_connect(address, cancellable)
                }

                fn connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
                    call(stringify!($name), "connect_future");
                    self.parent_connect_future(address)
                }

                fn close_future(&self, priority: glib::Priority) -> UnitFuture {
                    call(stringify!($name), "close_future");
                    self.parent_close_future(priority)
                }
            }
            impl TcpConnectionImpl for $name {}
        }
    };
}

link!(upper, Upper, gsock::TcpConnection);
link!(lower, Lower, super::Upper);

glib::wrapper! {
    struct Upper(ObjectSubclass<upper::Upper>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}

glib::wrapper! {
    struct Lower(ObjectSubclass<lower::Lower>)
        @extends Upper, TcpConnection, SocketConnection, gio::IOStream;
}

// SAFETY: `Upper` adds no slots; what is below it is initialised as below its parent.
unsafe impl<T: TcpConnectionImpl> IsSubclassable<T> for Upper {}

#[test]
fn each_class_of_a_line_is_called_once_and_in_order() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let address = gio_address(address);
        let calls = || CALLS.take();
        let connection: Lower = make_unconnected();
        assert_eq!(calls(), ["Upper constructed", "Lower constructed"]);

        base_of(&connection)
            .connect(&address, gio::Cancellable::NONE)
            .expect("it listens");
        assert_eq!(calls(), ["Lower connect", "Upper connect"]);
        let (mut peer, _) = listener.accept().expect("connected");

        let input = connection.input_stream();
        assert_eq!(calls(), ["Lower input_stream", "Upper input_stream"]);
        assert_eq!(connection.input_stream(), input);
        assert!(calls().is_empty());
        peer.write_all(b"through both").expect("connected");
        let received = input.read_bytes(64, gio::Cancellable::NONE).expect("sent");
        assert_eq!(*received, *b"through both");

        end(context, &begin_close(&connection, None)).expect("open");
        assert_eq!(
            calls(),
            [
                "Lower close_future",
                "Upper close_future",
                "Lower close",
                "Upper close"
            ]
        );

        let connection: Lower = make_unconnected();
        calls();
        connect_async(context, &connection, &address, None).expect("it listens");
        assert_eq!(calls(), ["Lower connect_future", "Upper connect_future"]);
        connection.close(gio::Cancellable::NONE).expect("open");
        assert_eq!(calls(), ["Lower close", "Upper close"]);
    });
}

/// GIO's own filters close what they wrap when they go: none may be made and thrown away.
#[test]
fn streams_asked_for_by_threads_at_once_work_when_they_wrap_and_close() {
    const ROUNDS: usize = 100;
    on_private_context(|_| {
        for round in 0..ROUNDS {
            let (connection, mut peer) = make::<Lower>();
            let begin = Arc::new(Barrier::new(2));
            let threads = [(), ()].map(|()| {
                let begin = begin.clone();
                let stream = Stream(connection.upcast_ref::<gio::IOStream>().as_ptr());
                thread::spawn(move || {
                    let stream = stream;
                    begin.wait();
                    // SAFETY: a live stream.
                    let input = unsafe { gio_ffi::g_io_stream_get_input_stream(stream.0) };
                    input as usize
                })
            });
            let found = threads.map(|thread| thread.join().expect("no panic"));
            assert_eq!(found[0], found[1], "round {round}");
            peer.write_all(b"still open").expect("connected");
            let input = connection.input_stream();
            let received = input.read_bytes(64, gio::Cancellable::NONE);
            let received = received.unwrap_or_else(|error| panic!("round {round}: {error}"));
            assert_eq!(*received, *b"still open");
        }
    });
}
