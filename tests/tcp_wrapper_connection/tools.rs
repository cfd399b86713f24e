//! Base streams: one that only passes on, one that compresses, and one that can be told how to close.

use std::{
    cell::RefCell,
    net::TcpStream,
    os::fd::OwnedFd,
    rc::Rc,
    sync::atomic::{AtomicBool, Ordering},
};

use gio::{prelude::*, subclass::prelude::*};
use gsock::{ConnectionState, SocketConnection, TcpWrapperConnection, prelude::*};

use crate::support::*;

pub(crate) const NONE: Option<&gio::Cancellable> = None;

/// A stream of the two streams of a connection.
pub(crate) fn plain(connection: &SocketConnection) -> gio::IOStream {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    over(gio::SimpleIOStream::new(&input, &output), connection)
}

/// The streams of a connection are of no use without it.
fn over(base: gio::SimpleIOStream, connection: &impl IsA<gio::IOStream>) -> gio::IOStream {
    // SAFETY: never read; dropped with the stream, on this thread.
    unsafe { base.set_data("beneath", connection.clone()) };
    base.upcast()
}

/// A wrapper around such a stream, and the peer.
pub(crate) fn wrapped() -> (TcpWrapperConnection, gio::IOStream, TcpStream) {
    let (connection, peer) = connected();
    let base = plain(&connection);
    let wrapper =
        TcpWrapperConnection::new(&base, &connection.socket()).expect("a socket of its kind");
    (wrapper, base, peer)
}

/// What compresses, as TLS encrypts: it keeps something back until it is flushed or closed, it has last
/// words, and a byte too many or too few in the middle breaks it.
pub(crate) fn zipped(connection: &impl IsA<gio::IOStream>) -> gio::IOStream {
    let format = gio::ZlibCompressorFormat::Gzip;
    let input = gio::ConverterInputStream::new(
        &connection.input_stream(),
        &gio::ZlibDecompressor::new(format),
    );
    let output = gio::ConverterOutputStream::new(
        &connection.output_stream(),
        &gio::ZlibCompressor::new(format, 6),
    );
    over(gio::SimpleIOStream::new(&input, &output), connection)
}

/// Like [`connected`], for base streams that GIO closes on a worker thread: that may be the last to let go of
/// them, after the end of the test.
pub(crate) fn connected_to_outlive() -> (SocketConnection, TcpStream) {
    let (peer, fd) = tcp_pair();
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    (SocketConnection::factory_create_connection(&socket), peer)
}

/// A wrapper around one that compresses, and the peer.
pub(crate) fn wrapped_zipped() -> (TcpWrapperConnection, TcpStream) {
    let (connection, peer) = connected_to_outlive();
    let base = zipped(&connection);
    let wrapper =
        TcpWrapperConnection::new(&base, &connection.socket()).expect("a socket of its kind");
    (wrapper, peer)
}

/// That it does let go.
pub(crate) fn wait_for_worker(context: &glib::MainContext, wrapper: TcpWrapperConnection) {
    let gone = Gone::of(&wrapper.socket());
    drop(wrapper);
    iterate_until(context, || gone.is_gone());
}

/// The peer's end, with GIO's own classes all the way.
pub(crate) fn zipped_peer(peer: TcpStream) -> (gio::IOStream, gio::SocketConnection) {
    peer.set_read_timeout(None).expect("an option");
    let socket = gio::Socket::from_fd(OwnedFd::from(peer)).expect("a socket");
    let connection = socket.connection_factory_create_connection();
    (zipped(&connection), connection)
}

/// A base stream over a socket, which says BYE when it is closed.
pub(crate) fn polite(connection: &SocketConnection) -> Polite {
    let base: Polite = glib::Object::new();
    let socket = connection.socket();
    let (input, output): (PoliteInput, PoliteOutput) = (glib::Object::new(), glib::Object::new());
    let shared = || imp::Shared(socket.clone());
    assert!(input.imp().socket.set(shared()).is_ok());
    assert!(output.imp().socket.set(shared()).is_ok());
    let streams = imp::Streams(input.upcast(), output.upcast());
    assert!(base.imp().streams.set(streams).is_ok());
    base
}

pub(crate) fn wrapped_polite() -> (TcpWrapperConnection, Polite, TcpStream) {
    let (connection, peer) = connected_to_outlive();
    let base = polite(&connection);
    let wrapper =
        TcpWrapperConnection::new(&base, &connection.socket()).expect("a socket of its kind");
    (wrapper, base, peer)
}

impl Polite {
    /// A close fails, once it has said BYE.
    pub(crate) fn fail(&self) {
        self.imp().fails.store(true, Ordering::SeqCst);
    }

    /// A close, and a read, do not listen to cancellations. A close waits for what the peer sends.
    pub(crate) fn be_deaf(&self) {
        self.imp().is_deaf.store(true, Ordering::SeqCst);
        self.be_deaf_reader();
    }

    pub(crate) fn be_deaf_reader(&self) {
        let input = self.input_stream();
        let input = input.downcast_ref::<PoliteInput>().expect("its own");
        input.imp().take_a_number();
        input.imp().is_deaf.store(true, Ordering::SeqCst);
    }

    /// A close waits for what the peer sends, unless it is cancelled.
    pub(crate) fn be_patient(&self) {
        let input = self.input_stream();
        let input = input.downcast_ref::<PoliteInput>().expect("its own");
        input.imp().take_a_number();
        self.imp().is_patient.store(true, Ordering::SeqCst);
    }

    pub(crate) fn closes(&self) -> usize {
        self.imp().closes.load(Ordering::SeqCst)
    }
}

mod imp {
    use std::sync::{OnceLock, atomic::AtomicUsize};

    use super::*;

    /// A `GSocket` may be read from and written to by several threads at once.
    #[derive(Debug)]
    pub(super) struct Shared(pub(super) gio::Socket);
    // SAFETY: see above; its properties are left alone.
    unsafe impl Send for Shared {}
    // SAFETY: likewise.
    unsafe impl Sync for Shared {}

    /// They are handed out only.
    #[derive(Debug)]
    pub(super) struct Streams(pub(super) gio::InputStream, pub(super) gio::OutputStream);
    // SAFETY: see above.
    unsafe impl Send for Streams {}
    // SAFETY: likewise.
    unsafe impl Sync for Streams {}

    #[derive(Debug, Default)]
    pub(crate) struct Polite {
        pub(super) streams: OnceLock<Streams>,
        pub(super) fails: AtomicBool,
        pub(super) is_deaf: AtomicBool,
        pub(super) is_patient: AtomicBool,
        pub(super) closes: AtomicUsize,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Polite {
        const NAME: &'static str = "TestPolite";
        type Type = super::Polite;
        type ParentType = gio::IOStream;
    }

    impl ObjectImpl for Polite {}
    impl IOStreamImpl for Polite {
        fn input_stream(&self) -> gio::InputStream {
            self.streams.get().expect("set").0.clone()
        }

        fn output_stream(&self) -> gio::OutputStream {
            self.streams.get().expect("set").1.clone()
        }

        fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            self.closes.fetch_add(1, Ordering::SeqCst);
            if self.is_deaf.load(Ordering::SeqCst) {
                let _ = self.input_stream().read(&mut [0], NONE);
            }
            if self.is_patient.load(Ordering::SeqCst) {
                let input = self.input_stream();
                let input = input.downcast_ref::<super::PoliteInput>().expect("its own");
                input.imp().read_without_a_limit(&mut [0], cancellable)?;
            }
            self.parent_close(cancellable)?;
            if self.fails.load(Ordering::SeqCst) {
                return Err(glib::Error::new(gio::IOErrorEnum::NoSpace, "it fails"));
            }
            Ok(())
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct PoliteInput {
        pub(super) socket: OnceLock<Shared>,
        pub(super) own_number: OnceLock<Shared>,
        pub(super) is_deaf: AtomicBool,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for PoliteInput {
        const NAME: &'static str = "TestPoliteInput";
        type Type = super::PoliteInput;
        type ParentType = gio::InputStream;
    }

    impl PoliteInput {
        /// Before anybody closes: GIO's wait goes on where the number is another file's meanwhile (F-19),
        /// and a close on another thread may come at any moment.
        pub(super) fn take_a_number(&self) {
            self.own_number.get_or_init(|| {
                let fd = self.socket.get().expect("set").0.fd();
                let fd = fd.try_clone_to_owned().expect("open");
                Shared(gio::Socket::from_fd(fd).expect("a socket"))
            });
        }

        pub(super) fn read_without_a_limit(
            &self,
            buffer: &mut [u8],
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<usize, glib::Error> {
            let own = &self.own_number.get().expect("taken").0;
            own.receive_with_blocking(buffer, true, cancellable)
        }
    }

    impl ObjectImpl for PoliteInput {}
    impl InputStreamImpl for PoliteInput {
        fn read(
            &self,
            buffer: &mut [u8],
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<usize, glib::Error> {
            let socket = &self.socket.get().expect("set").0;
            if self.is_deaf.load(Ordering::SeqCst) && !socket.is_closed() {
                return self.read_without_a_limit(buffer, NONE);
            }
            socket.receive_with_blocking(buffer, true, cancellable)
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct PoliteOutput {
        pub(super) socket: OnceLock<Shared>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for PoliteOutput {
        const NAME: &'static str = "TestPoliteOutput";
        type Type = super::PoliteOutput;
        type ParentType = gio::OutputStream;
    }

    impl ObjectImpl for PoliteOutput {}
    impl OutputStreamImpl for PoliteOutput {
        fn write(
            &self,
            bytes: &[u8],
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<usize, glib::Error> {
            let socket = &self.socket.get().expect("set").0;
            socket.send_with_blocking(bytes, true, cancellable)
        }

        fn close(&self, _: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            self.write(b"BYE", None).map(drop)
        }
    }
}

glib::wrapper! {
    pub(crate) struct Polite(ObjectSubclass<imp::Polite>) @extends gio::IOStream;
}
glib::wrapper! {
    pub(crate) struct PoliteInput(ObjectSubclass<imp::PoliteInput>) @extends gio::InputStream;
}
glib::wrapper! {
    pub(crate) struct PoliteOutput(ObjectSubclass<imp::PoliteOutput>) @extends gio::OutputStream;
}

pub(crate) type Outcome = Rc<RefCell<Option<Result<(), glib::Error>>>>;

pub(crate) fn begin_close(
    connection: &impl IsA<gio::IOStream>,
    cancellable: Option<&gio::Cancellable>,
) -> Outcome {
    let outcome = Outcome::default();
    let slot = outcome.clone();
    connection.close_async(glib::Priority::DEFAULT, cancellable, move |result| {
        *slot.borrow_mut() = Some(result);
    });
    outcome
}

pub(crate) fn end_close(context: &glib::MainContext, outcome: &Outcome) -> Result<(), glib::Error> {
    iterate_until(context, || outcome.borrow().is_some());
    outcome.take().expect("it has ended")
}

/// The three forms of a close, of which all must hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Blocking,
    Asynchronous,
    Future,
}

pub(crate) const FORMS: [Form; 3] = [Form::Blocking, Form::Asynchronous, Form::Future];

impl Form {
    pub(crate) fn close(
        self,
        context: &glib::MainContext,
        connection: &TcpWrapperConnection,
    ) -> Result<(), glib::Error> {
        match self {
            Self::Blocking => connection.close(NONE),
            Self::Asynchronous => end_close(context, &begin_close(connection, None)),
            Self::Future => block_on(context, connection.close_future(glib::Priority::DEFAULT)),
        }
    }
}

#[track_caller]
pub(crate) fn assert_closed(connection: &TcpWrapperConnection) {
    assert!(connection.is_closed());
    assert!(connection.socket().is_closed());
    assert_eq!(connection.state(), ConnectionState::Closed);
}
