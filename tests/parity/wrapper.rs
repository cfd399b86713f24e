//! `GTcpWrapperConnection` fact by fact: a connection whose streams are those of another stream.

use std::{io::Write, net::TcpStream, thread, time::Duration};

use gio::{Cancellable, IOErrorEnum, SocketFamily, SocketType, prelude::*};
use glib::translate::{ToGlibPtr, from_glib_full};
use gsock::{TcpConnection, TcpWrapperConnection};

use crate::{
    by_hand::signals_of, connection::slots_of, differs::differs, support::*, tools::Slot, under::*,
};

on_both!(
    wrap_1_it_is_a_tcp_connection_without_signals,
    wrap_2_the_base_stream_is_a_property_beside_its_parents,
    wrap_3_only_an_internet_stream_will_do,
    wrap_4_the_base_stream_is_the_one_given,
    wrap_5_the_streams_are_the_base_streams_own_objects,
    wrap_9_a_drop_leaves_a_base_stream_that_others_have,
    wrap_10_addresses_state_and_connecting_are_those_of_the_socket,
);

const NOBODY: Option<&Cancellable> = Cancellable::NONE;

fn class_of(side: Side) -> glib::Type {
    match side {
        Side::Gio => gio::TcpWrapperConnection::static_type(),
        Side::Ours => TcpWrapperConnection::static_type(),
    }
}

/// By `g_object_new()`, as all bindings can.
fn made(side: Side, base: &impl IsA<gio::IOStream>, socket: &gio::Socket) -> Under {
    let stream = glib::Object::builder_with_type(class_of(side))
        .property("base-io-stream", base.as_ref())
        .property("socket", socket)
        .build();
    side.wrap(stream.downcast().unwrap())
}

fn base_of(under: &Under) -> gio::IOStream {
    under.property("base-io-stream")
}

/// A wrapper around a stream of GIO's that keeps what is written until it is flushed or closed.
fn wrapped(side: Side) -> (Under, gio::IOStream, TcpStream) {
    let (under, peer) = side.connected();
    let output = gio::BufferedOutputStream::new(&under.output());
    let base: gio::IOStream = gio::SimpleIOStream::new(&under.input(), &output).upcast();
    // SAFETY: never read; dropped with the stream, on this thread.
    unsafe { base.set_data("beneath", under.clone()) };
    (made(side, &base, &under.socket()), base, peer)
}

fn wrap_1_it_is_a_tcp_connection_without_signals(side: Side, _: &glib::MainContext) {
    let class = class_of(side);
    assert_eq!(class.parent(), Some(side.tcp()));
    assert!(class.interfaces().is_empty());
    assert_eq!(signals_of(class), 0);
    // Its streams are its own, and what it connects with is not.
    let (its, parents) = (slots_of(class), slots_of(side.tcp()));
    assert_ne!(its[..2], parents[..2]);
}

fn wrap_2_the_base_stream_is_a_property_beside_its_parents(side: Side, _: &glib::MainContext) {
    let (under, base, _peer) = wrapped(side);
    let pspec = under.find_property("base-io-stream").unwrap();
    assert_eq!(pspec.owner_type(), class_of(side));
    assert_eq!(pspec.value_type(), gio::IOStream::static_type());
    let flags = glib::ParamFlags::READWRITE | glib::ParamFlags::CONSTRUCT_ONLY;
    assert!(pspec.flags().contains(flags));
    assert_eq!(base_of(&under), base);
    assert!(!under.property::<bool>("graceful-disconnect"));
    assert_eq!(under.property::<gio::Socket>("socket"), under.socket());
}

/// What the function that makes one answers, without a binding in between.
fn made_by_function(
    side: Side,
    base: &gio::IOStream,
    socket: &gio::Socket,
) -> Option<gio::IOStream> {
    match side {
        // SAFETY: live arguments; the result is ours, or NULL.
        Side::Gio => unsafe {
            let made = gio::ffi::g_tcp_wrapper_connection_new(
                base.to_glib_none().0,
                socket.to_glib_none().0,
            );
            from_glib_full(made.cast::<gio::ffi::GIOStream>())
        },
        Side::Ours => TcpWrapperConnection::new(base, socket)
            .ok()
            .map(Cast::upcast),
    }
}

/// A critical and NULL there, an error here: G-1.
fn wrap_3_only_an_internet_stream_will_do(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let base: gio::IOStream = under.upcast_ref::<gio::IOStream>().clone();
    for (family, type_, fits) in [
        (SocketFamily::Ipv4, SocketType::Stream, true),
        (SocketFamily::Ipv6, SocketType::Stream, true),
        (SocketFamily::Unix, SocketType::Stream, false),
        (SocketFamily::Ipv4, SocketType::Datagram, false),
        (SocketFamily::Ipv6, SocketType::Datagram, false),
    ] {
        let socket = gio::Socket::new(family, type_, gio::SocketProtocol::Default).unwrap();
        let (made, messages) = logged(|| made_by_function(side, &base, &socket));
        assert_eq!(made.is_some(), fits, "{family:?} {type_:?}");
        let expected = usize::from(!fits && side == Side::Gio);
        assert_eq!(messages.len(), expected, "{messages:?}");
        assert!(!socket.is_closed());
    }
    assert!(!base.is_closed());
}

fn wrap_4_the_base_stream_is_the_one_given(side: Side, _: &glib::MainContext) {
    let (under, base, _peer) = wrapped(side);
    let its = match side {
        Side::Gio => under
            .downcast_ref::<gio::TcpWrapperConnection>()
            .unwrap()
            .base_io_stream(),
        Side::Ours => gsock::TcpWrapperConnectionExt::base_io_stream(
            under.downcast_ref::<TcpWrapperConnection>().unwrap(),
        ),
    };
    assert_eq!(its, base);
}

fn wrap_5_the_streams_are_the_base_streams_own_objects(side: Side, context: &glib::MainContext) {
    let (under, base, mut peer) = wrapped(side);
    assert_eq!(under.input(), base.input_stream());
    assert_eq!(under.output(), base.output_stream());
    under.output().write_all(b"kept", NOBODY).unwrap();
    under.output().flush(NOBODY).unwrap();
    assert_eq!(read_some(&mut peer, 4), b"kept");
    peer.write_all(b"read").unwrap();
    let read = block_on(context, under.input().read_bytes_future(8, DEFAULT));
    assert_eq!(&*read.unwrap(), b"read");
}

fn read_some(peer: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut buffer = vec![0; count];
    std::io::Read::read_exact(peer, &mut buffer).unwrap();
    buffer
}

fn wrap_9_a_drop_leaves_a_base_stream_that_others_have(side: Side, _: &glib::MainContext) {
    let (under, base, mut peer) = wrapped(side);
    let gone = Gone::of(under.upcast_ref::<gio::IOStream>());
    drop(under);
    assert!(gone.is_gone());
    assert!(!base.is_closed());
    let output = base.output_stream();
    output.write_all(b"goes on", NOBODY).unwrap();
    output.flush(NOBODY).unwrap();
    assert_eq!(read_some(&mut peer, 7), b"goes on");
}

fn wrap_10_addresses_state_and_connecting_are_those_of_the_socket(
    side: Side,
    context: &glib::MainContext,
) {
    let (listener, address) = listener();
    let inner = side.unconnected();
    let under = made(side, inner.upcast_ref::<gio::IOStream>(), &inner.socket());
    assert!(!under.is_connected());
    under.start_connect(address, None).wait(context).unwrap();
    let _peer = listener.accept().unwrap();
    assert!(under.is_connected());
    assert!(inner.is_connected());
    assert_eq!(under.socket(), inner.socket());
    let of = |address: gio::SocketAddress| {
        let address = address.downcast::<gio::InetSocketAddress>().unwrap();
        (address.address().to_str().to_string(), address.port())
    };
    let theirs = under.remote_address().unwrap().unwrap();
    assert_eq!(of(theirs), ("127.0.0.1".to_owned(), address.port()));
    assert_eq!(
        of(under.local_address().unwrap()),
        of(inner.local_address().unwrap())
    );
}

/// Closes in one of the forms.
fn close(under: &Under, is_async: bool, context: &glib::MainContext) -> Outcome {
    if is_async {
        under.start_close(None).wait(context)
    } else {
        under.close(NOBODY).into()
    }
}

/// WRAP-6.
#[test]
fn differs_f13_a_close_closes_the_base_stream_first() {
    on_private_context(|context| {
        for is_async in [false, true] {
            differs(
                context,
                |side, context| {
                    let (under, base, mut peer) = wrapped(side);
                    under.output().write_all(b"kept back", NOBODY).unwrap();
                    let outcome = close(&under, is_async, context);
                    assert!(under.is_closed());
                    assert!(under.socket().is_closed());
                    let are_closed = (base.is_closed(), base.input_stream().is_closed());
                    let seen = read_to_end(&mut peer);
                    // What is left in the buffer has nowhere to go.
                    let _ = base.close(NOBODY);
                    (outcome, are_closed, seen)
                },
                (Done, (false, false), Vec::new()),
                (Done, (true, true), b"kept back".to_vec()),
            );
        }
    });
}

/// WRAP-7: what is read there is nothing that a base stream would understand, or count.
#[test]
fn differs_f13_a_graceful_close_reads_what_still_comes_from_the_base_stream() {
    on_private_context(|context| {
        for is_async in [false, true] {
            differs(
                context,
                |side, context| {
                    let (inner, peer) = side.connected();
                    let unpack = gio::ZlibDecompressor::new(gio::ZlibCompressorFormat::Gzip);
                    let input = gio::ConverterInputStream::new(&inner.input(), &unpack);
                    let base = gio::SimpleIOStream::new(&input, &inner.output());
                    let under = made(side, &base, &inner.socket());
                    under.set_graceful(true);
                    // It is no such thing, which only who unpacks it sees.
                    let peer = thread::spawn(move || {
                        let mut peer = peer;
                        let read = read_to_end(&mut peer);
                        let _ = peer.write_all(b"not a packed byte in it");
                        thread::sleep(Duration::from_millis(20));
                        read
                    });
                    let outcome = close(&under, is_async, context);
                    assert!(under.socket().is_closed());
                    assert!(peer.join().unwrap().is_empty());
                    outcome
                },
                Done,
                Fails(IOErrorEnum::InvalidData),
            );
        }
    });
}

/// WRAP-7: bytes that a reader of the stream waits for are not taken away under it.
#[test]
fn differs_f13_a_graceful_close_does_not_read_beside_a_reader() {
    on_private_context(|context| {
        for is_async in [false, true] {
            differs(
                context,
                |side, context| {
                    let (under, base, mut peer) = wrapped(side);
                    under.set_graceful(true);
                    let reading = Slot::new();
                    let put = reading.put();
                    base.input_stream()
                        .read_bytes_async(8, DEFAULT, NOBODY, move |read| put(read.is_ok()));
                    iterate_for(context, Duration::from_millis(5));
                    let peer = thread::spawn(move || read_to_end(&mut peer));
                    let outcome = close(&under, is_async, context);
                    assert!(under.socket().is_closed());
                    reading.wait(context);
                    peer.join().unwrap();
                    // What GIO leaves to its own.
                    let _ = base.close(NOBODY);
                    outcome
                },
                Done,
                Fails(IOErrorEnum::Pending),
            );
        }
    });
}

/// WRAP-8: GIO's is open, and crashes when somebody asks it for a stream.
#[test]
fn differs_f13_without_a_base_stream_it_is_born_closed() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let socket = ipv4_socket();
                let (made, messages) = logged(|| {
                    glib::Object::builder_with_type(class_of(side))
                        .property("socket", &socket)
                        .build()
                });
                let under = side.wrap(made.downcast().unwrap());
                assert!(!socket.is_closed());
                let base: Option<gio::IOStream> = under.property("base-io-stream");
                (messages.len(), under.is_closed(), base.is_some())
            },
            (0, false, false),
            (1, true, true),
        );
    });
}

/// The socket goes with the stream over it.
#[test]
fn a_wrappers_socket_is_writable_nowhere() {
    on_private_context(|_| {
        let (under, _, _peer) = wrapped(Side::Ours);
        let wrapper = under.downcast_ref::<TcpWrapperConnection>().unwrap();
        let tcp: &TcpConnection = wrapper.upcast_ref();
        assert_fails(
            gsock::SocketConnectionExt::set_socket(tcp, &ipv4_socket()),
            IOErrorEnum::InvalidArgument,
        );
        // GIO's is set at construction only: SC-3.
        let (under, _, _peer) = wrapped(Side::Gio);
        let pspec = under.find_property("socket").unwrap();
        assert!(pspec.flags().contains(glib::ParamFlags::CONSTRUCT_ONLY));
    });
}
