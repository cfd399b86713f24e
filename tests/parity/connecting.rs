//! `GSocketConnection` fact by fact: connecting, and the addresses.

use std::{
    cell::{Cell, RefCell},
    ffi::c_void,
    io::Read,
    os::fd::AsRawFd,
    path::Path,
    ptr,
    rc::Rc,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, SocketFamily, SocketType, ffi as gio_ffi, prelude::*};
use glib::{
    ffi::gpointer,
    gobject_ffi,
    translate::{FromGlibPtrNone, ToGlibPtr, from_glib_full},
};
use gsock::{SocketConnection, prelude::*};

use crate::{differs::differs, support::*, tools::*, under::*};

on_both!(
    sc_9_a_blocking_connect_connects_or_says_why_not,
    sc_10_the_blocking_flag_is_cleared_however_the_connect_ends,
    sc_11_what_is_known_at_once_is_answered_later,
    sc_11_a_connect_answers_with_default_priority,
    sc_14_a_blocking_connect_that_is_cancelled_before_does_not_connect,
    sc_19_the_local_address_follows_the_socket,
);

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

pub(crate) fn unix_socket() -> gio::Socket {
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

pub(crate) type Kept = Rc<RefCell<Option<gio::AsyncResult>>>;

/// A C callback that keeps the result; its data is an `Rc` of the place for it.
pub(crate) unsafe extern "C" fn keep(
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
pub(crate) fn kept() -> (Kept, gpointer) {
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
                let (wrong, logged) = logged(|| finish_connect(side, &other, &result));
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
                let found = remote(&under);
                // Nothing is left in a context that others use too.
                under.close(Cancellable::NONE).unwrap();
                assert_fails(connecting.wait(context), IOErrorEnum::Closed);
                found
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
