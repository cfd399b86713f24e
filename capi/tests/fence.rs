//! No panic leaves an exported function, and C gets what it is promised instead.

#![cfg(test)]
#![allow(unsafe_code, reason = "calls exported functions as C does")]
#![allow(dead_code, reason = "the modules of the library are used in part")]

#[path = "../src/argument.rs"]
mod argument;
#[path = "../src/export.rs"]
mod export;
#[path = "../src/fence.rs"]
mod fence;

use std::{
    ffi::c_int,
    panic, ptr,
    sync::{Mutex, Once},
};

use gio::prelude::*;
use glib::{
    ffi::GError,
    translate::{ToGlibPtr, from_glib_full},
};

use argument::Out;
use export::exported;

/// Panics when it is dropped, which the payload of a panic may.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("again");
    }
}

exported! {
    /// Has no place for an error.
    fn fence_test_plain(value: c_int) -> c_int, else -1 => {
        if value < 0 { panic!("on purpose") } else { value }
    }

    /// Has one.
    try fn fence_test_error(value: c_int, out: Out<u32>) -> c_int, else -2 => {
        if value < 0 {
            panic!("on purpose");
        }
        out.set(7);
        Ok(value)
    }

    /// Panics with more than a text.
    fn fence_test_bomb() -> c_int, else -3 => {
        if true { panic::panic_any(Bomb) } else { 0 }
    }

    /// Refuses what is no socket.
    try fn fence_test_socket(socket: gio::Socket) -> c_int, else -4 => {
        socket.check_connect_result().map(|()| 1)
    }
}

/// The critical messages of our domain that name `function`.
fn criticals(function: &str) -> Vec<String> {
    let all = MESSAGES.lock().unwrap();
    all.iter()
        .filter(|message| message.contains(function))
        .cloned()
        .collect()
}

static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|_| {}));
        glib::log_set_handler(
            Some("Gsock"),
            glib::LogLevels::LEVEL_CRITICAL,
            true,
            false,
            |_, _, message| MESSAGES.lock().unwrap().push(message.to_owned()),
        );
    });
}

fn taken(error: *mut GError) -> Option<glib::Error> {
    // SAFETY: NULL or an error that is ours to free.
    (!error.is_null()).then(|| unsafe { from_glib_full(error) })
}

#[test]
fn a_panic_becomes_a_critical_message_and_the_fallback_value() {
    quietly();
    // SAFETY: no pointers.
    assert_eq!(unsafe { fence_test_plain(5) }, 5);
    assert!(criticals("fence_test_plain").is_empty());
    // SAFETY: likewise.
    assert_eq!(unsafe { fence_test_plain(-5) }, -1);
    assert_eq!(criticals("fence_test_plain").len(), 1);
}

#[test]
fn a_panic_becomes_the_error_failed_where_there_is_a_place_for_one() {
    quietly();
    let (mut error, mut out) = (ptr::null_mut(), 0);
    // SAFETY: places that live long enough.
    let value = unsafe { fence_test_error(5, &raw mut out, &raw mut error) };
    assert_eq!((value, out), (5, 7));
    assert!(taken(error).is_none());

    // SAFETY: likewise; a place for the number is not needed.
    let value = unsafe { fence_test_error(-5, ptr::null_mut(), &raw mut error) };
    assert_eq!(value, -2);
    let error = taken(error).expect("it panicked");
    assert!(error.matches(gio::IOErrorEnum::Failed), "{error:?}");
    assert!(criticals("fence_test_error").is_empty());

    // SAFETY: likewise; nor is one for the error.
    let value = unsafe { fence_test_error(-5, ptr::null_mut(), ptr::null_mut()) };
    assert_eq!(value, -2);
    assert_eq!(criticals("fence_test_error").len(), 1);
}

#[test]
fn what_a_panic_carries_is_not_dropped() {
    quietly();
    // SAFETY: no pointers.
    assert_eq!(unsafe { fence_test_bomb() }, -3);
    assert_eq!(criticals("fence_test_bomb").len(), 1);
}

#[test]
fn a_refused_argument_is_a_critical_message_and_no_error() {
    quietly();
    let mut error = ptr::null_mut();
    // SAFETY: NULL, and a place for an error.
    let value = unsafe { fence_test_socket(ptr::null_mut(), &raw mut error) };
    assert_eq!(value, -4);
    assert!(taken(error).is_none());
    let messages = criticals("fence_test_socket");
    assert_eq!(messages.len(), 1);
    assert!(messages[0].contains("G_IS_SOCKET (socket)"), "{messages:?}");
}

#[test]
fn an_error_goes_out_as_it_is() {
    quietly();
    let socket = gio::Socket::new(
        gio::SocketFamily::Ipv4,
        gio::SocketType::Stream,
        gio::SocketProtocol::Default,
    )
    .expect("loopback");
    socket.close().expect("it is open");
    let mut error = ptr::null_mut();
    // SAFETY: a live socket, and a place for an error.
    let value = unsafe { fence_test_socket(socket.to_glib_none().0, &raw mut error) };
    assert_eq!(value, -4);
    let error = taken(error).expect("the socket is closed");
    assert!(error.matches(gio::IOErrorEnum::Closed), "{error:?}");
    // SAFETY: likewise; a place is not needed.
    let value = unsafe { fence_test_socket(socket.to_glib_none().0, ptr::null_mut()) };
    assert_eq!(value, -4);
}
