//! Connections whose streams are those of a base stream, to and fro.

use std::net::TcpStream;

use gio::{IOErrorEnum, prelude::*};
use gsock::{SocketConnection, TcpWrapperConnection, prelude::*};

use crate::support::*;

/// A stream that is none of the socket's: what is written to it stays here, and there is something to read.
fn base() -> (gio::SimpleIOStream, gio::MemoryOutputStream) {
    let input = gio::MemoryInputStream::from_bytes(&glib::Bytes::from_static(b"from the base"));
    let output = gio::MemoryOutputStream::new_resizable();
    (gio::SimpleIOStream::new(&input, &output), output)
}

fn talk(stream: &impl IsA<gio::IOStream>, written: &gio::MemoryOutputStream) {
    let mut bytes = [0; 13];
    let read = stream
        .input_stream()
        .read_all(&mut bytes, gio::Cancellable::NONE)
        .expect("it is in memory");
    assert_eq!(read, (13, None));
    assert_eq!(&bytes, b"from the base");
    stream
        .output_stream()
        .write_all(b"to the base", gio::Cancellable::NONE)
        .expect("it is in memory");
    assert_eq!(written.data_size(), 11);
}

fn socket() -> (gio::Socket, TcpStream) {
    let (peer, fd) = tcp_pair();
    (gio::Socket::from_fd(fd).expect("a socket"), peer)
}

#[test]
fn from_gio_of_a_wrapper_is_a_wrapper_on_the_same_base_stream() {
    on_private_context(|_| {
        let ((base, written), (socket, mut peer)) = (base(), socket());
        let wrapper = gio::TcpWrapperConnection::new(&base, &socket);
        wrapper.set_graceful_disconnect(true);
        let ours: TcpWrapperConnection = SocketConnection::from_gio(&wrapper)
            .downcast()
            .expect("a wrapper");
        assert_eq!(
            ours.base_io_stream(),
            base.clone().upcast::<gio::IOStream>()
        );
        assert_eq!(ours.socket(), socket);
        assert!(gsock::TcpConnectionExt::is_graceful_disconnect(&ours));
        talk(&ours, &written);
        gsock::TcpConnectionExt::set_graceful_disconnect(&ours, false);
        ours.close(gio::Cancellable::NONE).expect("it was open");
        assert!(base.is_closed() && socket.is_closed());
        // Nothing has gone through the socket itself.
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn to_gio_of_a_wrapper_is_gios_on_the_same_base_stream() {
    on_private_context(|_| {
        let ((base, written), (socket, mut peer)) = (base(), socket());
        let ours = TcpWrapperConnection::new(&base, &socket).expect("an internet stream");
        let connection = ours.to_gio();
        assert_eq!(ours.to_gio(), connection);
        let wrapper: &gio::TcpWrapperConnection = connection.downcast_ref().expect("a wrapper");
        assert_eq!(
            wrapper.base_io_stream(),
            base.clone().upcast::<gio::IOStream>()
        );
        assert_eq!(wrapper.socket(), socket);
        talk(wrapper, &written);
        ours.close(gio::Cancellable::NONE).expect("it was open");
        assert!(socket.is_closed());
        assert_fails(
            wrapper.input_stream().read_bytes(1, gio::Cancellable::NONE),
            IOErrorEnum::Closed,
        );
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

/// GIO makes such a one (F-13).
#[test]
fn around_a_wrapper_without_a_base_stream_there_is_none() {
    on_private_context(|_| {
        let (socket, _peer) = socket();
        let wrapper: gio::TcpWrapperConnection =
            glib::Object::builder().property("socket", &socket).build();
        let ours = with_one_critical(|| SocketConnection::from_gio(&wrapper));
        assert!(ours.is_closed());
        assert!(!socket.is_closed());
    });
}
