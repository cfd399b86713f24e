//! Classes that override the blocking close alone.

use std::{
    net::TcpStream,
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
};

use gio::prelude::*;
use gsock::{SocketConnection, TcpConnection, subclass::prelude::*};

use crate::{support::*, tools::*};

/// Where and how often `close` was called.
type Closes = Mutex<Vec<ThreadId>>;

macro_rules! closing {
    ($module:ident, $name:ident, $gtype:literal, $parent:ty, [$($also:ident)?], [$($middle:ty,)?]) => {
        mod $module {
            use std::sync::OnceLock;

            use gsock::subclass::prelude::*;

            #[derive(Debug, Default)]
            pub(super) struct $name {
                /// Outlives the instance.
                pub(super) closes: OnceLock<std::sync::Arc<super::Closes>>,
            }

            #[glib::object_subclass]
            impl ObjectSubclass for $name {
                const NAME: &'static str = $gtype;
                type Type = super::$name;
                type ParentType = $parent;
            }

            impl ObjectImpl for $name {}
            impl IOStreamImpl for $name {
                fn close(
                    &self,
                    cancellable: Option<&gio::Cancellable>,
                ) -> Result<(), glib::Error> {
                    let closes = self.closes.get().expect("set after it was made");
                    closes.lock().expect("no panic").push(std::thread::current().id());
                    self.parent_close(cancellable)
                }
            }
            impl SocketConnectionImpl for $name {}
            $(impl $also for $name {})?
        }

        glib::wrapper! {
            struct $name(ObjectSubclass<$module::$name>)
                @extends $($middle,)? SocketConnection, gio::IOStream;
        }

        impl $name {
            fn watched() -> (Self, TcpStream, Arc<Closes>) {
                let (connection, peer) = make::<Self>();
                let closes = Arc::new(Closes::default());
                connection.imp().closes.set(closes.clone()).expect("a new connection");
                (connection, peer, closes)
            }
        }
    };
}

closing!(
    closing,
    Closing,
    "TestClosing",
    gsock::SocketConnection,
    [],
    []
);
closing!(
    closing_tcp,
    ClosingTcp,
    "TestClosingTcp",
    gsock::TcpConnection,
    [TcpConnectionImpl],
    [TcpConnection,]
);

#[track_caller]
fn assert_closed_here_once(closes: &Closes) {
    assert_eq!(*closes.lock().expect("no panic"), [thread::current().id()]);
}

/// SC-25, SC-30, IOS-13, IOS-24, F-23.
macro_rules! a_close_override_alone_is_enough {
    ($test:ident, $class:ident) => {
        #[test]
        fn $test() {
            on_private_context(|context| {
                // Blocking, twice, then dropped.
                let (connection, mut peer, closes) = $class::watched();
                connection.close(gio::Cancellable::NONE).expect("open");
                assert_closed(&connection);
                assert_closed_here_once(&closes);
                connection
                    .close(gio::Cancellable::NONE)
                    .expect("a second close is fine");
                drop(connection);
                assert_closed_here_once(&closes);
                assert!(read_to_end(&mut peer).is_empty());

                // Asynchronous, twice, then dropped.
                let (connection, mut peer, closes) = $class::watched();
                end(context, &begin_close(&connection, None)).expect("open");
                assert_closed(&connection);
                assert_closed_here_once(&closes);
                end(context, &begin_close(&connection, None)).expect("a second close is fine");
                drop(connection);
                assert_closed_here_once(&closes);
                assert!(read_to_end(&mut peer).is_empty());

                // A future.
                let (connection, mut peer, closes) = $class::watched();
                let closing = connection.close_future(glib::Priority::LOW);
                block_on(context, closing).expect("open");
                assert_closed(&connection);
                assert_closed_here_once(&closes);
                assert!(read_to_end(&mut peer).is_empty());

                // Cancelled beforehand: IOS-19.
                let (connection, mut peer, closes) = $class::watched();
                let cancellable = gio::Cancellable::new();
                cancellable.cancel();
                let outcome = begin_close(&connection, Some(&cancellable));
                assert_fails(end(context, &outcome), gio::IOErrorEnum::Cancelled);
                assert_closed(&connection);
                assert_closed_here_once(&closes);
                assert!(read_to_end(&mut peer).is_empty());

                // Merely dropped.
                let (connection, mut peer, closes) = $class::watched();
                let gone = Gone::of(&connection);
                drop(connection);
                assert!(gone.is_gone());
                assert_closed_here_once(&closes);
                assert!(read_to_end(&mut peer).is_empty());

                // Disposed by hand, then dropped.
                let (connection, mut peer, closes) = $class::watched();
                // SAFETY: GObject allows it at any time.
                unsafe { connection.run_dispose() };
                assert!(connection.is_closed());
                drop(connection);
                assert_closed_here_once(&closes);
                assert!(read_to_end(&mut peer).is_empty());
            });
        }
    };
}

a_close_override_alone_is_enough!(
    a_close_override_alone_is_called_exactly_once_by_every_close,
    Closing
);
a_close_override_alone_is_enough!(
    a_close_override_below_tcp_is_called_exactly_once_by_every_close,
    ClosingTcp
);
