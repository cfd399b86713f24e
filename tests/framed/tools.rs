//! Streams for frames, and peers that do as they are told.

use std::{
    os::unix::net::UnixStream,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use gio::prelude::*;
use gsock::{Framed, FramedBuilder, Framing, SocketConnection};

pub(crate) const NONE: Option<&gio::Cancellable> = gio::Cancellable::NONE;

/// A connection of ours, and its peer's bare end.
pub(crate) fn pair() -> (SocketConnection, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    (over(ours), theirs)
}

pub(crate) fn over(end: UnixStream) -> SocketConnection {
    SocketConnection::factory_create_connection_from_fd(end.into()).expect("a connection")
}

/// The same of GIO's class.
pub(crate) fn gio_pair() -> (gio::SocketConnection, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let socket = gio::Socket::from_fd(ours.into()).expect("a socket");
    (socket.connection_factory_create_connection(), theirs)
}

/// What can be read, with nothing to write to.
pub(crate) fn over_bytes(bytes: &[u8]) -> gio::IOStream {
    let input = gio::MemoryInputStream::from_bytes(&glib::Bytes::from(bytes));
    let output = gio::MemoryOutputStream::new_resizable();
    gio::SimpleIOStream::new(&input, &output).upcast()
}

pub(crate) fn lines(bytes: &[u8]) -> Framed {
    Framed::new(&over_bytes(bytes), Framing::Lines)
}

pub(crate) fn json(bytes: &[u8]) -> Framed {
    Framed::new(&over_bytes(bytes), Framing::JsonLines)
}

pub(crate) fn prefixed(bytes: &[u8]) -> FramedBuilder {
    Framed::builder()
        .io_stream(&over_bytes(bytes))
        .framing(Framing::LengthPrefixed)
}

/// What a blocking read gets, as text: a frame, the end, or the code of a failure.
pub(crate) fn next(framed: &Framed) -> String {
    told(framed.read_frame(NONE))
}

pub(crate) fn told(read: Result<Option<glib::Bytes>, glib::Error>) -> String {
    match read {
        Ok(Some(frame)) => String::from_utf8_lossy(&frame).into_owned(),
        Ok(None) => "END".to_owned(),
        Err(failure) => format!("{:?}", crate::support::code(&failure)),
    }
}

/// How many kinds of streams there are.
pub(crate) const KINDS: usize = 3;
/// The one that cannot be polled.
pub(crate) const UNPOLLABLE: usize = 2;

/// What frames go over, what it stands on, and the peer.
pub(crate) fn stream_of(kind: usize) -> (gio::IOStream, gio::IOStream, UnixStream) {
    if kind == 0 {
        let (ours, theirs) = pair();
        return (ours.clone().upcast(), ours.upcast(), theirs);
    }
    let (ours, theirs) = gio_pair();
    let base: gio::IOStream = ours.upcast();
    if kind == UNPOLLABLE {
        (buffered(&base), base, theirs)
    } else {
        (base.clone(), base, theirs)
    }
}

/// One that keeps back what it is given, and cannot be polled.
pub(crate) fn buffered(stream: &gio::IOStream) -> gio::IOStream {
    let input = gio::BufferedInputStream::new(&stream.input_stream());
    let output = gio::BufferedOutputStream::new(&stream.output_stream());
    gio::SimpleIOStream::new(&input, &output).upcast()
}

/// A certificate, on its way to another thread.
pub(crate) struct Certificate(String);

impl Certificate {
    pub(crate) fn get(&self) -> gio::TlsCertificate {
        gio::TlsCertificate::from_pem(&self.0).expect("a certificate")
    }

    pub(crate) fn is(&self, other: &gio::TlsCertificate) -> bool {
        self.get().is_same(other)
    }
}

/// One for the server, and the same to know it by.
pub(crate) fn certificate() -> (Certificate, Certificate) {
    let made = rcgen::generate_simple_self_signed(["test.invalid".to_owned()]);
    let made = made.expect("a certificate");
    let pem = pem("CERTIFICATE", made.cert.der())
        + &pem("PRIVATE KEY", &made.signing_key.serialize_der());
    (Certificate(pem.clone()), Certificate(pem))
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = glib::base64_encode(der);
    format!("-----BEGIN {label}-----\n{encoded}\n-----END {label}-----\n")
}

/// Polls it, and nobody is told when that is worth it again.
pub(crate) fn once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}
