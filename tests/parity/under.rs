//! A connection of GIO's class or of ours, under the same hands.

use std::{
    fmt,
    net::{SocketAddr, TcpStream},
    ops::Deref,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::{ToGlibPtr, from_glib_full};
use gsock::{SocketConnection, prelude::*};

use crate::{support::*, tools::*};

pub(crate) const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

/// Whose class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Gio,
    Ours,
}

impl Side {
    /// At which priority a source comes before a read of the default priority that waits already, and in the
    /// iteration that wakes both. Ours waits in the engine, whose source is older than any.
    pub(crate) fn in_front_of_a_read(self) -> glib::Priority {
        match self {
            Self::Gio if !is_adopted() => glib::Priority::DEFAULT,
            _ => glib::Priority::HIGH,
        }
    }
}

/// Whether GIO's class is on our transport, in this process.
pub(crate) fn is_adopted() -> bool {
    glib::Type::from_name("GsockGioSocketConnection").is_some()
}

/// Makes two tests of each scenario.
macro_rules! on_both {
    ($($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            #[test]
            fn on_gio() {
                crate::support::on_private_context(|context| {
                    super::$scenario(crate::under::Side::Gio, context);
                });
            }

            #[test]
            fn on_ours() {
                crate::support::on_private_context(|context| {
                    super::$scenario(crate::under::Side::Ours, context);
                });
            }
        }
    )+};
}

/// A connection of either class.
#[derive(Clone)]
pub(crate) struct Under {
    side: Side,
    stream: gio::IOStream,
}

impl Deref for Under {
    type Target = gio::IOStream;

    fn deref(&self) -> &gio::IOStream {
        &self.stream
    }
}

impl Side {
    /// Of the type that the factory of this side has for the socket.
    pub(crate) fn around(self, socket: &gio::Socket) -> Under {
        let stream = match self {
            Self::Gio => socket.connection_factory_create_connection().upcast(),
            Self::Ours => SocketConnection::factory_create_connection(socket).upcast(),
        };
        Under { side: self, stream }
    }

    /// A connection of a class below this side's.
    pub(crate) fn wrap(self, stream: gio::IOStream) -> Under {
        Under { side: self, stream }
    }

    pub(crate) fn connected(self) -> (Under, TcpStream) {
        let (peer, fd) = tcp_pair();
        (
            self.around(&gio::Socket::from_fd(fd).expect("a socket")),
            peer,
        )
    }

    pub(crate) fn unconnected(self) -> Under {
        self.around(&ipv4_socket())
    }

    /// The class for sockets of any kind.
    pub(crate) fn base(self) -> glib::Type {
        match self {
            Self::Gio => gio::SocketConnection::static_type(),
            Self::Ours => SocketConnection::static_type(),
        }
    }

    pub(crate) fn tcp(self) -> glib::Type {
        match self {
            Self::Gio => gio::TcpConnection::static_type(),
            Self::Ours => gsock::TcpConnection::static_type(),
        }
    }

    /// Of this class, or of one below it.
    pub(crate) fn of_type(self, type_: glib::Type, socket: &gio::Socket) -> Under {
        let stream = glib::Object::builder_with_type(type_)
            .property("socket", socket)
            .build();
        Under {
            side: self,
            stream: stream.downcast().expect("a class of connections"),
        }
    }
}

impl Under {
    pub(crate) fn side(&self) -> Side {
        self.side
    }

    pub(crate) fn gio(&self) -> &gio::SocketConnection {
        self.stream.downcast_ref().expect("tested")
    }

    pub(crate) fn ours(&self) -> &SocketConnection {
        self.stream.downcast_ref().expect("tested")
    }

    pub(crate) fn connect(
        &self,
        address: SocketAddr,
        cancellable: Option<&Cancellable>,
    ) -> Result<(), glib::Error> {
        self.connect_to(&gio_address(address), cancellable)
    }

    pub(crate) fn connect_to(
        &self,
        address: &impl IsA<gio::SocketAddress>,
        cancellable: Option<&Cancellable>,
    ) -> Result<(), glib::Error> {
        match self.side {
            Side::Gio => {
                SocketConnectionExt::connect(self.gio(), address.upcast_ref(), cancellable)
            }
            Side::Ours => self.ours().connect(address, cancellable),
        }
    }

    pub(crate) fn start_connect(
        &self,
        address: SocketAddr,
        cancellable: Option<&Cancellable>,
    ) -> Slot<Result<(), glib::Error>> {
        let slot = Slot::new();
        self.start_connect_to(&gio_address(address), cancellable, slot.put());
        slot
    }

    pub(crate) fn start_connect_to(
        &self,
        address: &impl IsA<gio::SocketAddress>,
        cancellable: Option<&Cancellable>,
        put: impl FnOnce(Result<(), glib::Error>) + 'static,
    ) {
        match self.side {
            Side::Gio => self.gio().connect_async(address, cancellable, put),
            Side::Ours => {
                self.ours()
                    .connect_async(address, cancellable, move |connection, result| {
                        put(connection.connect_finish(result))
                    })
            }
        }
    }

    pub(crate) fn socket(&self) -> gio::Socket {
        match self.side {
            Side::Gio => self.gio().socket(),
            Side::Ours => self.ours().socket(),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        match self.side {
            Side::Gio => self.gio().is_connected(),
            Side::Ours => self.ours().is_connected(),
        }
    }

    pub(crate) fn local_address(&self) -> Result<gio::SocketAddress, glib::Error> {
        match self.side {
            Side::Gio => self.gio().local_address(),
            Side::Ours => self.ours().local_address(),
        }
    }

    /// `None` for NULL without an error, of which gio-rs makes an object.
    pub(crate) fn remote_address(&self) -> Result<Option<gio::SocketAddress>, glib::Error> {
        if self.side == Side::Ours {
            return self.ours().remote_address().map(Some);
        }
        let mut failure = std::ptr::null_mut();
        // SAFETY: live arguments; a set error and the result are ours.
        unsafe {
            let address = gio::ffi::g_socket_connection_get_remote_address(
                self.gio().to_glib_none().0,
                &raw mut failure,
            );
            if failure.is_null() {
                Ok(from_glib_full(address))
            } else {
                Err(from_glib_full(failure))
            }
        }
    }

    pub(crate) fn set_graceful(&self, graceful: bool) {
        match self.side {
            Side::Gio => {
                let tcp = self
                    .stream
                    .downcast_ref::<gio::TcpConnection>()
                    .expect("TCP");
                tcp.set_graceful_disconnect(graceful);
            }
            Side::Ours => {
                let tcp = self
                    .stream
                    .downcast_ref::<gsock::TcpConnection>()
                    .expect("TCP");
                tcp.set_graceful_disconnect(graceful);
            }
        }
    }

    pub(crate) fn input(&self) -> gio::InputStream {
        self.stream.input_stream()
    }

    pub(crate) fn output(&self) -> gio::OutputStream {
        self.stream.output_stream()
    }

    pub(crate) fn start_close(&self, cancellable: Option<&Cancellable>) -> Slot<Outcome> {
        let slot = Slot::new();
        let put = slot.put();
        self.stream
            .close_async(DEFAULT, cancellable, move |result| put(result.into()));
        slot
    }
}

/// How an operation ended, as far as it must be the same.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Count(usize),
    Bytes(Vec<u8>),
    Fails(IOErrorEnum),
    /// It has not ended.
    Waits,
}

pub(crate) use Outcome::*;

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Done => f.write_str("Done"),
            Count(count) => write!(f, "Count({count})"),
            Bytes(bytes) => write!(f, "Bytes({:?})", String::from_utf8_lossy(bytes)),
            Fails(code) => write!(f, "Fails({code:?})"),
            Waits => f.write_str("Waits"),
        }
    }
}

impl From<Result<(), glib::Error>> for Outcome {
    fn from(result: Result<(), glib::Error>) -> Self {
        result.map_or_else(|failure| Fails(code(&failure)), |()| Done)
    }
}

impl From<Result<usize, glib::Error>> for Outcome {
    fn from(result: Result<usize, glib::Error>) -> Self {
        result.map_or_else(|failure| Fails(code(&failure)), Count)
    }
}

impl From<Result<isize, glib::Error>> for Outcome {
    fn from(result: Result<isize, glib::Error>) -> Self {
        result
            .map(|count| usize::try_from(count).expect("a count"))
            .into()
    }
}

impl From<Result<Vec<u8>, glib::Error>> for Outcome {
    fn from(result: Result<Vec<u8>, glib::Error>) -> Self {
        result.map_or_else(|failure| Fails(code(&failure)), Bytes)
    }
}

/// What GIO does where we differ, as seen on GLib 2.74: a newer one may have mended it.
#[track_caller]
pub(crate) fn assert_gio<T: PartialEq + fmt::Debug>(actual: T, expected: T) {
    if glib::check_version(2, 75, 0).is_some() {
        assert_eq!(
            actual, expected,
            "this GLib 2.74 does not do what it is said to"
        );
    } else {
        println!("GIO: {actual:?}; in 2.74: {expected:?}");
    }
}
