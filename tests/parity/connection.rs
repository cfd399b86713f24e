//! `GSocketConnection` fact by fact: its class, connecting, addresses, closing, the factory.

use std::{
    cell::{Cell, RefCell},
    ffi::c_void,
    io::{Read, Write},
    mem::MaybeUninit,
    os::fd::AsRawFd,
    path::Path,
    process::Command,
    ptr,
    rc::Rc,
    thread::{self, ThreadId},
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, SocketFamily, SocketType, ffi as gio_ffi, prelude::*};
use glib::{
    ParamFlags,
    ffi::{GError, gboolean, gpointer},
    gobject_ffi,
    translate::{FromGlib, FromGlibPtrNone, IntoGlib, ToGlibPtr, from_glib_full},
};
use gsock::{SocketConnection, prelude::*};

use crate::{differs::differs, support::*, tools::*, under::*};

on_both!(
    sc_1_it_is_a_class_below_giostream_for_sockets_of_any_kind,
    sc_3_the_socket_is_a_property_that_is_given_when_it_is_made,
    sc_4_the_streams_and_the_close_are_slots_of_its_own,
    sc_5_the_streams_are_pollable_have_the_descriptor_and_keep_the_socket,
    sc_7_it_is_connected_until_both_directions_are_shut_down,
    sc_9_a_blocking_connect_connects_or_says_why_not,
    sc_10_the_blocking_flag_is_cleared_however_the_connect_ends,
    sc_11_what_is_known_at_once_is_answered_later,
    sc_11_a_connect_answers_with_default_priority,
    sc_14_a_blocking_connect_that_is_cancelled_before_does_not_connect,
    sc_19_the_local_address_follows_the_socket,
    sc_23_a_close_closes_both_streams_and_the_socket,
    sc_25_an_asynchronous_close_has_closed_the_socket_when_it_returns,
    sc_25_an_overridden_close_is_called_by_either_close,
    sc_26_closing_both_streams_asynchronously_closes_nothing_else,
    sc_29_the_streams_go_before_the_socket,
    sc_30_a_second_close_does_not_call_an_overridden_one,
    sc_31_the_last_registration_wins,
    sc_31_a_type_that_is_no_connection_is_refused_with_a_critical,
    sc_32_internet_streams_are_tcp_connections,
    sc_32_what_is_not_registered_is_a_connection_of_the_base_class,
    sc_33_a_connection_is_made_by_what_its_socket_is_and_keeps_it,
    ios_19_a_close_cancelled_between_its_callback_and_its_finish_says_so,
);

// --- The class -----------------------------------------------------------------------------------

pub(crate) fn signals_of(type_: glib::Type) -> usize {
    let mut count = 0;
    // SAFETY: a registered type, and room for the number; the list is freed.
    unsafe {
        glib::ffi::g_free(gobject_ffi::g_signal_list_ids(type_.into_glib(), &raw mut count).cast())
    };
    count as usize
}

/// The slots of `GIOStream` that a class has: of the two streams, then of closing.
pub(crate) fn slots_of(type_: glib::Type) -> [usize; 5] {
    let class = glib::Class::<gio::IOStream>::from_type(type_).expect("a class of streams");
    let class = ptr::from_ref(&*class).cast::<gio_ffi::GIOStreamClass>();
    // SAFETY: the class struct of a class below GIOStream begins with GIOStream's.
    let class = unsafe { &*class };
    [
        class.get_input_stream.map_or(0, |slot| slot as usize),
        class.get_output_stream.map_or(0, |slot| slot as usize),
        class.close_fn.map_or(0, |slot| slot as usize),
        class.close_async.map_or(0, |slot| slot as usize),
        class.close_finish.map_or(0, |slot| slot as usize),
    ]
}

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
        let ((), logged) = criticals(|| build(Side::Ours));
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

// --- Connecting ----------------------------------------------------------------------------------

fn sc_9_a_blocking_connect_connects_or_says_why_not(side: Side, _: &glib::MainContext) {
    let (listener, address) = listener();
    let under = side.unconnected();
    under.connect(address, None).unwrap();
    assert!(under.is_connected());
    let (mut peer, _) = listener.accept().unwrap();
    write(&under.output(), b"here").unwrap();
    let mut received = [0; 4];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"here");

    let under = side.unconnected();
    assert_fails(
        under.connect(refused_address(), None),
        IOErrorEnum::ConnectionRefused,
    );
    assert!(!under.is_connected());
    assert!(!under.socket().is_closed());
    let nowhere = gio::UnixSocketAddress::new(Path::new("/nonexistent/socket"));
    let socket = unix_socket();
    assert_fails(
        side.around(&socket).connect_to(&nowhere, None),
        IOErrorEnum::NotFound,
    );
    assert_fails(
        side.unconnected().connect_to(&nowhere, None),
        IOErrorEnum::NotSupported,
    );
}

fn unix_socket() -> gio::Socket {
    gio::Socket::new(
        SocketFamily::Unix,
        SocketType::Stream,
        gio::SocketProtocol::Default,
    )
    .unwrap()
}

fn sc_10_the_blocking_flag_is_cleared_however_the_connect_ends(
    side: Side,
    context: &glib::MainContext,
) {
    let deaf = deaf_listener();
    let cancellable = Cancellable::new();
    let under = side.unconnected();
    let connecting = under.start_connect(deaf.address, Some(&cancellable));
    assert!(!under.socket().is_blocking());
    iterate_for(context, Duration::from_millis(10));
    cancellable.cancel();
    assert_fails(connecting.wait(context), IOErrorEnum::Cancelled);
    assert!(!under.socket().is_blocking());
    // From the start.
    let under = side.unconnected();
    let connecting = under.start_connect(deaf.address, Some(&cancellable));
    assert_fails(connecting.wait(context), IOErrorEnum::Cancelled);
    assert!(!under.socket().is_blocking());
    // SC-15.
    let under = side.unconnected();
    under.socket().set_timeout(1);
    let connecting = under.start_connect(deaf.address, None);
    assert_fails(connecting.wait(context), IOErrorEnum::TimedOut);
    assert!(!under.socket().is_blocking());
}

/// A Unix connect is done, or has failed, by the time that the system call returns.
fn sc_11_what_is_known_at_once_is_answered_later(side: Side, context: &glib::MainContext) {
    let directory = glib::mkdtemp(std::env::temp_dir().join("parity-XXXXXX")).unwrap();
    let path = directory.join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    for (path, expected) in [
        (&path, Done),
        (&directory.join("nobody"), Fails(IOErrorEnum::NotFound)),
    ] {
        let under = side.around(&unix_socket());
        let connecting = Slot::new();
        under.start_connect_to(&gio::UnixSocketAddress::new(path), None, connecting.put());
        assert!(!connecting.is_set());
        assert_eq!(Outcome::from(connecting.wait(context)), expected);
        assert_eq!(under.is_connected(), expected == Done);
    }
    drop(listener);
    std::fs::remove_dir_all(&directory).unwrap();
}

fn sc_11_a_connect_answers_with_default_priority(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    for (priority, expected) in [
        (glib::Priority::HIGH, ["idle", "connect"]),
        (glib::Priority::HIGH_IDLE, ["connect", "idle"]),
    ] {
        let log = Log::default();
        let under = side.unconnected();
        let lines = log.clone();
        let address = gio_address(address);
        under.start_connect_to(&address, None, move |_| lines.add("connect"));
        // Both are ready when the context looks.
        let socket = under.socket();
        wait_until(|| {
            let out = glib::IOCondition::OUT;
            SocketExt::condition_check(&socket, out).contains(out)
        });
        log.add_when_idle(context, priority, "idle");
        iterate_until(context, || log.lines().len() == 2);
        assert_eq!(log.lines(), expected);
    }
}

/// The number of the kernel's state of a TCP socket.
fn kernel_state(socket: &gio::Socket) -> u8 {
    let mut state = 0_u8;
    let mut size: libc::socklen_t = 1;
    // SAFETY: an open descriptor, and room as long as said: the state comes first.
    let asked = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut state).cast(),
            &raw mut size,
        )
    };
    assert_eq!(asked, 0);
    state
}

const SYN_SENT: u8 = 2;

/// What `SO_ERROR` has, and has no longer.
fn take_error(socket: &gio::Socket) -> i32 {
    let mut error = 0;
    let mut size = size_of_val(&error) as libc::socklen_t;
    // SAFETY: an open descriptor, and room as long as said.
    let asked = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            (&raw mut error).cast(),
            &raw mut size,
        )
    };
    assert_eq!(asked, 0);
    error
}

/// SC-12, SOCK-26: that the descriptor reports a failure does not count.
#[test]
fn differs_f2_a_connect_whose_error_is_gone_has_not_succeeded() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let under = side.unconnected();
                let connecting = under.start_connect(refused_address(), None);
                let socket = under.socket();
                wait_until(|| {
                    let hup = glib::IOCondition::HUP;
                    SocketExt::condition_check(&socket, hup).contains(hup)
                });
                assert_eq!(take_error(&socket), libc::ECONNREFUSED);
                let outcome = Outcome::from(connecting.wait(context));
                (outcome == Done, under.is_connected())
            },
            (true, true),
            (false, false),
        );
    });
}

/// SC-13: and the kernel goes on.
#[test]
fn differs_f2_a_cancelled_connect_is_taken_back() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let deaf = deaf_listener();
                let under = side.unconnected();
                let cancellable = Cancellable::new();
                let connecting = under.start_connect(deaf.address, Some(&cancellable));
                iterate_for(context, Duration::from_millis(20));
                assert_eq!(kernel_state(&under.socket()), SYN_SENT);
                cancellable.cancel();
                assert_fails(connecting.wait(context), IOErrorEnum::Cancelled);
                assert!(!under.socket().is_closed());
                let has_an_address = under.remote_address().is_ok_and(|found| found.is_some());
                (has_an_address, kernel_state(&under.socket()) == SYN_SENT)
            },
            (true, true),
            (false, false),
        );
    });
}

/// SC-15: likewise, and the next look at the outcome may find success.
#[test]
fn differs_f2_a_connect_that_timed_out_is_taken_back() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let deaf = deaf_listener();
                let under = side.unconnected();
                under.socket().set_timeout(1);
                let connecting = under.start_connect(deaf.address, None);
                assert_fails(connecting.wait(context), IOErrorEnum::TimedOut);
                kernel_state(&under.socket()) == SYN_SENT
            },
            true,
            false,
        );
    });
}

fn sc_14_a_blocking_connect_that_is_cancelled_before_does_not_connect(
    side: Side,
    _: &glib::MainContext,
) {
    let (_listener, address) = listener();
    let under = side.unconnected();
    let cancelled = Cancellable::new();
    cancelled.cancel();
    assert_fails(
        under.connect(address, Some(&cancelled)),
        IOErrorEnum::Cancelled,
    );
    assert!(!under.is_connected());
    assert!(!under.is_closed());
    assert!(!under.socket().is_closed());
}

/// SC-14, VER-4: one that has nothing to wait for never looks at the cancellable, before 2.86.
#[test]
fn differs_ver_4_a_unix_connect_that_is_cancelled_before_does_not_connect() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let directory = glib::mkdtemp(std::env::temp_dir().join("parity-XXXXXX")).unwrap();
                let path = directory.join("socket");
                let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
                let under = side.around(&unix_socket());
                let cancelled = Cancellable::new();
                cancelled.cancel();
                let address = gio::UnixSocketAddress::new(&path);
                let outcome = Outcome::from(under.connect_to(&address, Some(&cancelled)));
                drop(listener);
                std::fs::remove_dir_all(&directory).unwrap();
                (outcome, under.is_connected())
            },
            (Done, true),
            (Fails(IOErrorEnum::Cancelled), false),
        );
    });
}

type Kept = Rc<RefCell<Option<gio::AsyncResult>>>;

/// A C callback that keeps the result; its data is an `Rc` of the place for it.
unsafe extern "C" fn keep(
    _: *mut gobject_ffi::GObject,
    result: *mut gio_ffi::GAsyncResult,
    data: *mut c_void,
) {
    // SAFETY: the pointer that `kept` gave away, once.
    let place = unsafe { Rc::from_raw(data.cast::<RefCell<Option<gio::AsyncResult>>>()) };
    // SAFETY: a live result, borrowed for the time of the call.
    *place.borrow_mut() = Some(unsafe { gio::AsyncResult::from_glib_none(result) });
}

/// A place for a result, and what [`keep`] wants as its data.
fn kept() -> (Kept, gpointer) {
    let place = Kept::default();
    let data = Rc::into_raw(place.clone()).cast_mut().cast();
    (place, data)
}

/// The result of a connect that has ended and was not finished.
fn unfinished_connect(
    side: Side,
    context: &glib::MainContext,
    under: &Under,
    address: std::net::SocketAddr,
    cancellable: Option<&Cancellable>,
) -> gio::AsyncResult {
    let address: gio::SocketAddress = gio_address(address).upcast();
    let (place, data) = kept();
    match side {
        // SAFETY: live arguments; the callback belongs to the data.
        Side::Gio => unsafe {
            gio_ffi::g_socket_connection_connect_async(
                (**under).as_ptr().cast(),
                address.to_glib_none().0,
                cancellable.to_glib_none().0,
                Some(keep),
                data,
            );
        },
        Side::Ours => {
            let connection = under.downcast_ref::<SocketConnection>().expect("ours");
            connection.connect_async(&address, cancellable, move |_, result| {
                // SAFETY: a live result; the callback belongs to the data.
                unsafe { keep(ptr::null_mut(), result.to_glib_none().0, data) };
            });
        }
    }
    iterate_until(context, || place.borrow().is_some());
    place.take().expect("tested")
}

/// Whether it succeeded, and with which error.
fn finish_connect(
    side: Side,
    under: &Under,
    result: &gio::AsyncResult,
) -> (bool, Option<IOErrorEnum>) {
    match side {
        Side::Gio => {
            let mut failure = ptr::null_mut();
            // SAFETY: a live connection; a set error is ours.
            unsafe {
                let done = gio_ffi::g_socket_connection_connect_finish(
                    (**under).as_ptr().cast(),
                    result.to_glib_none().0,
                    &raw mut failure,
                );
                let failure: Option<glib::Error> = from_glib_full(failure);
                (
                    done != glib::ffi::GFALSE,
                    failure.map(|failure| code(&failure)),
                )
            }
        }
        Side::Ours => {
            let connection = under.downcast_ref::<SocketConnection>().expect("ours");
            let done = connection.connect_finish(result);
            (done.is_ok(), done.err().map(|failure| code(&failure)))
        }
    }
}

/// SC-16: it is connected, and says that it was cancelled.
#[test]
fn differs_f8_a_connect_cancelled_before_its_finish_has_succeeded() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, address) = listener();
                let under = side.unconnected();
                let cancellable = Cancellable::new();
                let result = unfinished_connect(side, context, &under, address, Some(&cancellable));
                cancellable.cancel();
                let finished = finish_connect(side, &under, &result);
                assert!(under.is_connected());
                finished
            },
            (false, Some(IOErrorEnum::Cancelled)),
            (true, None),
        );
    });
}

/// SC-16: FALSE without an error, and a critical.
#[test]
fn differs_sc_16_another_connections_result_is_an_invalid_argument() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, address) = listener();
                let (under, other) = (side.unconnected(), side.unconnected());
                let result = unfinished_connect(side, context, &under, address, None);
                let (wrong, logged) = criticals(|| finish_connect(side, &other, &result));
                // It was not used up.
                assert_eq!(finish_connect(side, &under, &result), (true, None));
                (wrong, logged.len())
            },
            ((false, None), 1),
            ((false, Some(IOErrorEnum::InvalidArgument)), 0),
        );
    });
}

/// SC-17, SOCK-25: nothing keeps two of them apart.
#[test]
fn differs_sc_17_of_two_connects_at_once_one_succeeds() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, address) = listener();
                let under = side.unconnected();
                let first = under.start_connect(address, None);
                let second = under.start_connect(address, None);
                let first = Outcome::from(first.wait(context));
                let second = Outcome::from(second.wait(context));
                assert!(under.is_connected());
                (first, second)
            },
            (Done, Done),
            (Done, Fails(IOErrorEnum::Failed)),
        );
    });
}

/// SC-17, SOCK-25: after a blocking connect that had to wait as well.
#[test]
fn differs_sc_17_a_second_connect_after_a_blocking_one_is_refused_at_once() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (_listener, address) = listener();
                let under = side.unconnected();
                under.connect(address, None).unwrap();
                let second = Outcome::from(under.connect(address, None));
                (second, Outcome::from(under.connect(address, None)))
            },
            (Done, Fails(IOErrorEnum::Failed)),
            (Fails(IOErrorEnum::Failed), Fails(IOErrorEnum::Failed)),
        );
    });
}

/// SOCK-24.
#[test]
fn differs_sock_24_a_socket_that_was_refused_can_try_again_asynchronously() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let under = side.unconnected();
                let address = refused_address();
                let first = under.start_connect(address, None).wait(context);
                assert_fails(first, IOErrorEnum::ConnectionRefused);
                Outcome::from(under.start_connect(address, None).wait(context))
            },
            Fails(IOErrorEnum::Failed),
            Fails(IOErrorEnum::ConnectionRefused),
        );
    });
}

// --- Addresses -----------------------------------------------------------------------------------

fn sc_19_the_local_address_follows_the_socket(side: Side, _: &glib::MainContext) {
    let under = side.unconnected();
    let socket = under.socket();
    let port = || {
        let local = under.local_address().unwrap();
        local.downcast::<gio::InetSocketAddress>().unwrap().port()
    };
    assert_eq!(port(), 0);
    let any = gio_address(([127, 0, 0, 1], 0).into());
    socket.bind(&any, false).unwrap();
    let bound = socket.local_address().unwrap();
    let bound = bound.downcast::<gio::InetSocketAddress>().unwrap();
    assert_ne!(bound.port(), 0);
    assert_eq!(port(), bound.port());
}

#[derive(Debug, PartialEq, Eq)]
enum Remote {
    Nothing,
    Address,
    NotConnected,
    OtherError,
}

fn remote(under: &Under) -> Remote {
    match under.remote_address() {
        Ok(None) => Remote::Nothing,
        Ok(Some(_)) => Remote::Address,
        Err(failure) if code(&failure) == IOErrorEnum::NotConnected => Remote::NotConnected,
        Err(_) => Remote::OtherError,
    }
}

/// SC-21: the socket itself remembers it.
#[test]
fn differs_f16_the_remote_address_outlives_a_shutdown() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, _peer) = side.connected();
                assert_eq!(remote(&under), Remote::Address);
                under.socket().shutdown(true, true).unwrap();
                remote(&under)
            },
            Remote::Nothing,
            Remote::Address,
        );
    });
}

/// SC-22.
#[test]
fn differs_f16_while_it_connects_there_is_no_remote_address_but_an_error() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let deaf = deaf_listener();
                let under = side.unconnected();
                let connecting = under.start_connect(deaf.address, None);
                iterate_for(context, Duration::from_millis(10));
                assert!(!connecting.is_set());
                assert!(!under.is_connected());
                remote(&under)
            },
            Remote::Nothing,
            Remote::NotConnected,
        );
    });
}

/// SC-22: a setter that only GIO's client has. Ours comes with our client.
#[test]
fn gio_sc_22_the_client_shows_the_address_while_it_connects() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let client = gio::SocketClient::new();
        let seen = Rc::new(Cell::new(None));
        let slot = seen.clone();
        client.connect_event(move |_, event, _, connection| {
            if event == gio::SocketClientEvent::Connecting {
                let connection = connection.expect("there is one");
                let connection = connection
                    .downcast_ref::<gio::SocketConnection>()
                    .expect("of sockets");
                let remote = connection.remote_address().expect("known");
                let remote = remote.downcast::<gio::InetSocketAddress>().expect("TCP");
                slot.set(Some((connection.is_connected(), remote.port())));
            }
        });
        let connected = Slot::new();
        client.connect_async(&gio_address(address), Cancellable::NONE, connected.put());
        connected.wait(context).unwrap();
        assert_eq!(seen.get(), Some((false, address.port())));
    });
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

thread_local! {
    static CLOSES: RefCell<Vec<ThreadId>> = const { RefCell::new(Vec::new()) };
}

/// Counts on the thread that calls, and chains up.
unsafe extern "C" fn counting_close(
    stream: *mut gio_ffi::GIOStream,
    cancellable: *mut gio_ffi::GCancellable,
    failure: *mut *mut GError,
) -> gboolean {
    CLOSES.with_borrow_mut(|closes| closes.push(thread::current().id()));
    // SAFETY: a live instance of a class made by `with_counting_close`, whose parent is one of
    // connections; the caller's arguments are passed on.
    unsafe {
        let class = *stream.cast::<gpointer>();
        let parent = gobject_ffi::g_type_class_peek_parent(class);
        let close = (*parent.cast::<gio_ffi::GIOStreamClass>()).close_fn;
        close.expect("every connection can close")(stream, cancellable, failure)
    }
}

unsafe extern "C" fn init_with_counting_close(class: gpointer, _: gpointer) {
    // SAFETY: GObject initialises a class once, alone; it begins with GIOStream's.
    unsafe { (*class.cast::<gio_ffi::GIOStreamClass>()).close_fn = Some(counting_close) };
}

/// A class as C makes it, below `parent`, that overrides the blocking close alone.
pub(crate) fn with_counting_close(parent: glib::Type) -> glib::Type {
    let name = format!("TestParityCounting{}", parent.name());
    if let Some(type_) = glib::Type::from_name(&name) {
        return type_;
    }
    let _parents_class = glib::Class::<gio::IOStream>::from_type(parent);
    let mut query = MaybeUninit::<gobject_ffi::GTypeQuery>::zeroed();
    // SAFETY: a registered type, and room for the answer.
    unsafe { gobject_ffi::g_type_query(parent.into_glib(), query.as_mut_ptr()) };
    // SAFETY: filled in, and valid when zero.
    let query = unsafe { query.assume_init() };
    // SAFETY: the sizes are the parent's, which is derivable.
    unsafe {
        glib::Type::from_glib(gobject_ffi::g_type_register_static_simple(
            parent.into_glib(),
            name.to_glib_none().0,
            query.class_size,
            Some(init_with_counting_close),
            query.instance_size,
            None,
            0,
        ))
    }
}

/// On which threads the overridden close ran since the last look.
pub(crate) fn closes() -> Vec<ThreadId> {
    CLOSES.take()
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
fn sc_31_the_last_registration_wins(side: Side, _: &glib::MainContext) {
    let key = (SocketFamily::Ipv4, SocketType::Seqpacket, 3001);
    assert_eq!(lookup(side, key), side.base());
    for type_ in [with_counting_close(side.base()), side.tcp(), side.base()] {
        let ((), logged) = criticals(|| register(side, type_, key));
        assert_eq!(logged.len(), 0, "{logged:?}");
        assert_eq!(lookup(side, key), type_);
        // The same for whoever asks from elsewhere.
        let found = thread::spawn(move || lookup(side, key)).join().unwrap();
        assert_eq!(found, type_);
    }
}

fn sc_31_a_type_that_is_no_connection_is_refused_with_a_critical(
    side: Side,
    _: &glib::MainContext,
) {
    let key = (SocketFamily::Ipv4, SocketType::Seqpacket, 3002);
    register(side, side.tcp(), key);
    for stranger in [gio::IOStream::static_type(), gio::Socket::static_type()] {
        let ((), logged) = criticals(|| register(side, stranger, key));
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

/// F-28.
#[test]
fn differs_f28_multipath_tcp_is_tcp() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| lookup(side, (SocketFamily::Ipv4, SocketType::Stream, 262)) == side.tcp(),
            false,
            true,
        );
    });
}

/// SC-32. Our class for them comes later.
#[test]
fn differs_sc_32_unix_streams_have_no_class_of_ours_yet() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| lookup(side, (SocketFamily::Unix, SocketType::Stream, 0)).name(),
            "GUnixConnection",
            "GsockSocketConnection",
        );
    });
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
