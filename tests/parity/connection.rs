//! `GSocketConnection` fact by fact: its class, closing, the factory.

use std::{
    io::{Read, Write},
    mem::MaybeUninit,
    os::fd::AsRawFd,
    process::Command,
    ptr,
    thread::{self},
};

use gio::{Cancellable, IOErrorEnum, SocketFamily, SocketType, ffi as gio_ffi, prelude::*};
use glib::{
    ParamFlags,
    ffi::gpointer,
    gobject_ffi,
    translate::{IntoGlib, ToGlibPtr, from_glib_full},
};
use gsock::SocketConnection;

pub(crate) use crate::classes::slots_of;
use crate::{
    by_hand::signals_of,
    classes::{closes, with_counting_close},
    connecting::{keep, kept},
    differs::differs,
    support::*,
    tools::*,
    under::*,
};

on_both!(
    sc_1_it_is_a_class_below_giostream_for_sockets_of_any_kind,
    sc_3_the_socket_is_a_property_that_is_given_when_it_is_made,
    sc_4_the_streams_and_the_close_are_slots_of_its_own,
    sc_5_the_streams_are_pollable_have_the_descriptor_and_keep_the_socket,
    sc_7_it_is_connected_until_both_directions_are_shut_down,
    sc_23_a_close_closes_both_streams_and_the_socket,
    sc_25_an_asynchronous_close_has_closed_the_socket_when_it_returns,
    sc_25_an_overridden_close_is_called_by_either_close,
    sc_26_closing_both_streams_asynchronously_closes_nothing_else,
    sc_29_the_streams_go_before_the_socket,
    sc_30_a_second_close_does_not_call_an_overridden_one,
    sc_31_a_registration_is_for_its_key_and_for_every_thread,
    sc_31_a_type_that_is_no_connection_is_refused_with_a_critical,
    sc_32_internet_streams_are_tcp_connections,
    sc_32_unix_streams_are_unix_connections,
    sc_32_what_is_not_registered_is_a_connection_of_the_base_class,
    sc_33_a_connection_is_made_by_what_its_socket_is_and_keeps_it,
    ios_19_a_close_cancelled_between_its_callback_and_its_finish_says_so,
);

// --- The class -----------------------------------------------------------------------------------

fn sc_1_it_is_a_class_below_giostream_for_sockets_of_any_kind(side: Side, _: &glib::MainContext) {
    let type_ = side.base();
    assert_eq!(type_.parent(), Some(gio::IOStream::static_type()));
    // SAFETY: a registered type.
    let is_abstract = unsafe {
        gobject_ffi::g_type_test_flags(type_.into_glib(), gobject_ffi::G_TYPE_FLAG_ABSTRACT)
    };
    assert_eq!(is_abstract, glib::ffi::GFALSE);
    assert_eq!(*type_.interfaces(), []);
    // G-4.
    assert_eq!(signals_of(type_), 0);
    for (family, kind) in [
        (SocketFamily::Ipv4, SocketType::Stream),
        (SocketFamily::Ipv6, SocketType::Datagram),
        (SocketFamily::Unix, SocketType::Seqpacket),
    ] {
        let socket = gio::Socket::new(family, kind, gio::SocketProtocol::Default).unwrap();
        let under = side.of_type(type_, &socket);
        assert_eq!(under.type_(), type_);
        assert_eq!(under.socket(), socket);
    }
}

fn class_size(type_: glib::Type) -> usize {
    // The sizes are known once the class is there.
    let _class = glib::Class::<gio::IOStream>::from_type(type_);
    let mut query = MaybeUninit::<gobject_ffi::GTypeQuery>::zeroed();
    // SAFETY: a registered type, and room for the answer.
    unsafe { gobject_ffi::g_type_query(type_.into_glib(), query.as_mut_ptr()) };
    // SAFETY: filled in, and valid when zero.
    unsafe { query.assume_init() }.class_size as usize
}

/// SC-2: six places for later, and no virtual function. Ours has three, and ten places.
#[test]
fn differs_sc_2_connecting_is_virtual() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let more = class_size(side.base()) - class_size(gio::IOStream::static_type());
                more / size_of::<gpointer>()
            },
            6,
            13,
        );
    });
}

fn sc_3_the_socket_is_a_property_that_is_given_when_it_is_made(side: Side, _: &glib::MainContext) {
    let class = glib::Class::<glib::Object>::from_type(side.base()).unwrap();
    let property = class.find_property("socket").unwrap();
    assert_eq!(property.value_type(), gio::Socket::static_type());
    assert_eq!(property.owner_type(), side.base());
    assert!(property.flags().contains(ParamFlags::READWRITE));
    let default = property.default_value().get::<Option<gio::Socket>>();
    assert_eq!(default, Ok(None));
    let socket = ipv4_socket();
    let under = side.of_type(side.tcp(), &socket);
    assert_eq!(
        under.property::<Option<gio::Socket>>("socket"),
        Some(socket)
    );
}

/// SC-3.
#[test]
fn differs_sc_3_the_socket_may_be_set_later() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let class = glib::Class::<glib::Object>::from_type(side.base()).unwrap();
                let flags = class.find_property("socket").unwrap().flags();
                flags.contains(ParamFlags::CONSTRUCT_ONLY)
            },
            true,
            false,
        );
    });
}

const WITHOUT_A_SOCKET: &str = "GSOCK_PARITY_WITHOUT_A_SOCKET";

/// SC-3: an assertion of GIO's ends the process, so that another one must try it.
#[test]
fn differs_sc_3_without_a_socket_the_process_goes_on() {
    let build = |side: Side| {
        glib::Object::builder_with_type(side.base()).build();
    };
    if std::env::var_os(WITHOUT_A_SOCKET).is_some() {
        return build(Side::Gio);
    }
    let ended = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "connection::differs_sc_3_without_a_socket_the_process_goes_on",
        ])
        .env(WITHOUT_A_SOCKET, "1")
        .output()
        .unwrap();
    let by_a_signal = std::os::unix::process::ExitStatusExt::signal(&ended.status);
    assert_gio(by_a_signal, Some(libc::SIGABRT));
    on_private_context(move |_| {
        let ((), logged) = logged(|| build(Side::Ours));
        assert_eq!(logged.len(), 1, "{logged:?}");
    });
}

fn sc_4_the_streams_and_the_close_are_slots_of_its_own(side: Side, _: &glib::MainContext) {
    let parents = slots_of(gio::IOStream::static_type());
    for (own, parents) in slots_of(side.base()).into_iter().zip(parents) {
        assert_ne!(own, 0);
        assert_ne!(own, parents);
    }
}

fn sc_5_the_streams_are_pollable_have_the_descriptor_and_keep_the_socket(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let (socket, gone) = (under.socket(), Gone::of(&under.socket()));
    let (input, output) = (pollable_input(&*under), pollable_output(&*under));
    assert!(input.can_poll());
    assert!(output.can_poll());
    assert_eq!(descriptor_of(&input), socket.as_raw_fd());
    assert_eq!(descriptor_of(&output), socket.as_raw_fd());
    drop((under, socket));
    assert!(!gone.is_gone());
    drop(input);
    assert!(!gone.is_gone());
    drop(output);
    assert!(gone.is_gone());
    assert_eq!(read_to_end(&mut peer), b"");
}

fn sc_7_it_is_connected_until_both_directions_are_shut_down(side: Side, _: &glib::MainContext) {
    for read_first in [true, false] {
        let (under, _peer) = side.connected();
        under.socket().shutdown(read_first, !read_first).unwrap();
        assert!(under.is_connected());
        under.socket().shutdown(!read_first, read_first).unwrap();
        assert!(!under.is_connected());
        assert!(!under.is_closed());
    }
}

// --- Closing -------------------------------------------------------------------------------------

fn sc_23_a_close_closes_both_streams_and_the_socket(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    under.close(Cancellable::NONE).unwrap();
    assert!(input.is_closed());
    assert!(output.is_closed());
    assert!(under.is_closed());
    assert!(under.socket().is_closed());
    assert_eq!(read_to_end(&mut peer), b"");
}

fn sc_25_an_asynchronous_close_has_closed_the_socket_when_it_returns(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let (input, output) = (under.input(), under.output());
    let closing = under.start_close(None);
    assert!(under.socket().is_closed());
    assert!(input.is_closed());
    assert!(output.is_closed());
    assert!(!under.is_closed());
    assert_eq!(read_to_end(&mut peer), b"");
    assert!(!closing.is_set());
    assert_eq!(closing.wait(context), Done);
    assert!(under.is_closed());
}

fn sc_25_an_overridden_close_is_called_by_either_close(side: Side, context: &glib::MainContext) {
    let here = thread::current().id();
    for parent in [side.base(), side.tcp()] {
        let type_ = with_counting_close(parent);
        let under = side.of_type(type_, &ipv4_socket());
        let closing = under.start_close(None);
        // Before it returned, and here.
        assert_eq!(closes(), [here]);
        assert_eq!(closing.wait(context), Done);
        assert_eq!(closes(), []);
        assert!(under.socket().is_closed());
        let under = side.of_type(type_, &ipv4_socket());
        under.close(Cancellable::NONE).unwrap();
        assert_eq!(closes(), [here]);
    }
}

fn sc_30_a_second_close_does_not_call_an_overridden_one(side: Side, context: &glib::MainContext) {
    let type_ = with_counting_close(side.base());
    let under = side.of_type(type_, &ipv4_socket());
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(closes().len(), 1);
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(under.start_close(None).wait(context), Done);
    drop(under);
    assert_eq!(closes().len(), 0);
}

fn sc_26_closing_both_streams_asynchronously_closes_nothing_else(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let (input, output) = (Slot::new(), Slot::new());
    under
        .input()
        .close_async(DEFAULT, Cancellable::NONE, input.put());
    under
        .output()
        .close_async(DEFAULT, Cancellable::NONE, output.put());
    input.wait(context).unwrap();
    output.wait(context).unwrap();
    assert!(under.input().is_closed());
    assert!(under.output().is_closed());
    assert!(!under.is_closed());
    assert!(under.is_connected());
    assert!(!under.socket().is_closed());
    // Nor is it shut down.
    under.socket().send(b"x", Cancellable::NONE).unwrap();
    peer.read_exact(&mut [0]).unwrap();
    peer.write_all(b"y").unwrap();
    let received = under.socket().receive(&mut [0], Cancellable::NONE);
    assert_eq!(received.unwrap(), 1);
}

fn sc_29_the_streams_go_before_the_socket(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let log = Log::default();
    let objects: [(glib::Object, _); 3] = [
        (under.socket().upcast(), "socket"),
        (under.output().upcast(), "output"),
        (under.input().upcast(), "input"),
    ];
    for (object, name) in &objects {
        let log = log.clone();
        let name = *name;
        object.add_weak_ref_notify(move || log.add(name));
    }
    drop(objects);
    assert!(log.lines().is_empty());
    drop(under);
    assert_eq!(log.lines(), ["input", "output", "socket"]);
}

/// GIO's own outer task looks at the cancellable when it is finished: the third time to cancel.
fn ios_19_a_close_cancelled_between_its_callback_and_its_finish_says_so(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let cancellable = Cancellable::new();
    let (place, data) = kept();
    // SAFETY: live arguments; the callback belongs to the data.
    unsafe {
        gio_ffi::g_io_stream_close_async(
            (*under).as_ptr(),
            DEFAULT.into_glib(),
            cancellable.to_glib_none().0,
            Some(keep),
            data,
        );
    }
    iterate_until(context, || place.borrow().is_some());
    assert!(under.is_closed());
    cancellable.cancel();
    let result = place.take().expect("tested");
    let mut failure = ptr::null_mut();
    // SAFETY: live arguments; a set error is ours.
    let failure: Option<glib::Error> = unsafe {
        gio_ffi::g_io_stream_close_finish(
            (*under).as_ptr(),
            result.to_glib_none().0,
            &raw mut failure,
        );
        from_glib_full(failure)
    };
    let failure = failure.map(|failure| code(&failure));
    assert_eq!(failure, Some(IOErrorEnum::Cancelled));
    assert!(under.socket().is_closed());
}

// --- The factory ---------------------------------------------------------------------------------

fn register(side: Side, type_: glib::Type, key: (SocketFamily, SocketType, i32)) {
    let (family, kind, protocol) = key;
    match side {
        Side::Gio => {
            gio::SocketConnection::factory_register_type(type_, family, kind, protocol);
        }
        Side::Ours => SocketConnection::factory_register_type(type_, family, kind, protocol),
    }
}

fn lookup(side: Side, key: (SocketFamily, SocketType, i32)) -> glib::Type {
    let (family, kind, protocol) = key;
    match side {
        Side::Gio => gio::SocketConnection::factory_lookup_type(family, kind, protocol),
        Side::Ours => SocketConnection::factory_lookup_type(family, kind, protocol),
    }
}

/// Under a key that nobody else has: there is no way back.
fn sc_31_a_registration_is_for_its_key_and_for_every_thread(side: Side, _: &glib::MainContext) {
    let key = (SocketFamily::Ipv4, SocketType::Seqpacket, 3001);
    assert_eq!(lookup(side, key), side.base());
    let type_ = with_counting_close(side.base());
    let ((), logged) = logged(|| register(side, type_, key));
    assert_eq!(logged.len(), 0, "{logged:?}");
    assert_eq!(lookup(side, key), type_);
    let found = thread::spawn(move || lookup(side, key)).join().unwrap();
    assert_eq!(found, type_);
    for other in [
        (SocketFamily::Ipv6, SocketType::Seqpacket, 3001),
        (SocketFamily::Ipv4, SocketType::Datagram, 3001),
        (SocketFamily::Ipv4, SocketType::Seqpacket, 3003),
    ] {
        assert_eq!(lookup(side, other), side.base());
    }
}

const REGISTERS_TWICE: &str = "GSOCK_PARITY_REGISTERS_TWICE";

/// SC-31: GIO frees what it has just put into its table. Another process asks, in which whatever
/// is freed is overwritten: else the right answer may still stand there.
#[test]
fn differs_sc_31_the_last_registration_wins() {
    fn finds_the_last(side: Side) -> bool {
        let key = (SocketFamily::Ipv4, SocketType::Seqpacket, 3004);
        register(side, side.base(), key);
        register(side, side.tcp(), key);
        lookup(side, key) == side.tcp()
    }
    if let Some(side) = std::env::var_os(REGISTERS_TWICE) {
        let side = [Side::Gio, Side::Ours][usize::from(side == "ours")];
        std::process::exit(if finds_the_last(side) { 3 } else { 4 });
    }
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let side = ["gio", "ours"][usize::from(side == Side::Ours)];
                let test = "connection::differs_sc_31_the_last_registration_wins";
                // In the words of the C library, and of the address sanitizer, which replaces it.
                let overwrites = "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165";
                let sanitizer = "max_free_fill_size=4096:detect_leaks=0";
                let ended = Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", test])
                    .env(REGISTERS_TWICE, side)
                    .env("GLIBC_TUNABLES", overwrites)
                    .env("ASAN_OPTIONS", sanitizer)
                    .output()
                    .unwrap();
                ended.status.code()
            },
            Some(4),
            Some(3),
        );
    });
}

fn sc_31_a_type_that_is_no_connection_is_refused_with_a_critical(
    side: Side,
    _: &glib::MainContext,
) {
    let key = (SocketFamily::Ipv4, SocketType::Seqpacket, 3002);
    register(side, side.tcp(), key);
    for stranger in [gio::IOStream::static_type(), gio::Socket::static_type()] {
        let ((), logged) = logged(|| register(side, stranger, key));
        assert_eq!(logged.len(), 1, "{logged:?}");
        assert_eq!(lookup(side, key), side.tcp());
    }
}

fn sc_32_internet_streams_are_tcp_connections(side: Side, _: &glib::MainContext) {
    for family in [SocketFamily::Ipv4, SocketFamily::Ipv6] {
        for protocol in [0, 6] {
            let found = lookup(side, (family, SocketType::Stream, protocol));
            assert_eq!(found, side.tcp(), "{family:?}, {protocol}");
        }
    }
}

fn sc_32_what_is_not_registered_is_a_connection_of_the_base_class(
    side: Side,
    _: &glib::MainContext,
) {
    for key in [
        (SocketFamily::Ipv4, SocketType::Stream, 132),
        (SocketFamily::Ipv4, SocketType::Stream, -1),
        (SocketFamily::Ipv6, SocketType::Datagram, 0),
        (SocketFamily::Unix, SocketType::Datagram, 0),
        (SocketFamily::Unix, SocketType::Stream, -1),
        (SocketFamily::Unix, SocketType::Stream, 6),
    ] {
        assert_eq!(lookup(side, key), side.base(), "{key:?}");
    }
}

fn sc_32_unix_streams_are_unix_connections(side: Side, _: &glib::MainContext) {
    let found = lookup(side, (SocketFamily::Unix, SocketType::Stream, 0));
    let expected = match side {
        Side::Gio => gio::UnixConnection::static_type(),
        Side::Ours => gsock::UnixConnection::static_type(),
    };
    assert_eq!(found, expected);
}

fn sc_33_a_connection_is_made_by_what_its_socket_is_and_keeps_it(
    side: Side,
    _: &glib::MainContext,
) {
    for (family, kind, expected) in [
        (SocketFamily::Ipv4, SocketType::Stream, side.tcp()),
        (SocketFamily::Ipv6, SocketType::Stream, side.tcp()),
        (SocketFamily::Ipv4, SocketType::Datagram, side.base()),
    ] {
        let socket = gio::Socket::new(family, kind, gio::SocketProtocol::Default).unwrap();
        // It need not be connected.
        assert!(!socket.is_connected());
        let under = side.around(&socket);
        assert_eq!(under.type_(), expected);
        let gone = Gone::of(&socket);
        drop(socket);
        assert!(!gone.is_gone());
        drop(under);
        assert!(gone.is_gone());
    }
}

/// TCP-11a, F-23.
#[test]
fn differs_f23_an_asynchronous_graceful_close_calls_an_overridden_close() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let type_ = with_counting_close(side.tcp());
                let make = || {
                    let (mut peer, fd) = tcp_pair();
                    let socket = gio::Socket::from_fd(fd).unwrap();
                    let under = side.of_type(type_, &socket);
                    under.set_graceful(true);
                    let peers = thread::spawn(move || assert_eq!(read_to_end(&mut peer), b""));
                    (under, peers)
                };
                let (under, peers) = make();
                under.close(Cancellable::NONE).unwrap();
                peers.join().unwrap();
                let blocking = closes().len();
                let (under, peers) = make();
                assert_eq!(under.start_close(None).wait(context), Done);
                peers.join().unwrap();
                (blocking, closes().len())
            },
            (1, 0),
            (1, 1),
        );
    });
}
