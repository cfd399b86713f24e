//! Threads that do not own their thread-default context.

use std::{cell::Cell, ffi::c_void, panic::AssertUnwindSafe, panic::catch_unwind, rc::Rc, thread};

use gio::{Cancellable, prelude::*};
use glib::translate::from_glib_none;
use gsock::{ConnectionState, SocketConnection, prelude::*, subclass::SocketConnectionInstance};

use crate::{support::*, tools::*};

/// Runs `f` on a thread whose thread-default context is owned by the calling one, which waits.
fn on_a_thread_without_context<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(f).join().expect("no panic"))
}

/// The message of a panic, which `f` must end in.
#[track_caller]
fn panic_message<R>(f: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("no panic");
    };
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a message")).to_owned(),
    }
}

/// RS-5.
#[test]
fn an_asynchronous_connect_needs_a_context_that_the_thread_can_own() {
    on_default_context(|_| {
        let (listener, address) = listener();
        on_a_thread_without_context(|| {
            const EXPECTED: &str =
                "Async operations only allowed if the thread is owning the MainContext";
            let connection = unconnected();
            let message = panic_message(|| {
                connection.connect_async(&gio_address(address), Cancellable::NONE, |_, _| {
                    unreachable!("it was not started")
                });
            });
            assert!(message.contains(EXPECTED), "{message}");
            assert!(connection.socket().is_blocking(), "nothing has started");

            let mut future = connection.connect_future(&gio_address(address));
            let message = panic_message(|| poll(&mut future));
            assert!(message.contains(EXPECTED), "{message}");
            assert!(connection.socket().is_blocking(), "nothing has started");
            assert_eq!(connection.state(), ConnectionState::Unconnected);

            // A blocking one needs no context.
            connection
                .connect(&gio_address(address), Cancellable::NONE)
                .expect("it listens");
        });
        listener.accept().expect("the blocking one");
        assert_nobody_connected(&listener);
    });
}

/// C needs not own the context: the operation is started there.
#[test]
fn c_may_start_a_connect_from_a_thread_that_does_not_own_its_context() {
    on_default_context(|context| {
        let (listener, address) = listener();
        let connection = unconnected();
        let home = thread::current().id();
        let ended = Rc::new(Cell::new(false));

        unsafe extern "C" fn end(
            object: *mut glib::gobject_ffi::GObject,
            result: *mut gio::ffi::GAsyncResult,
            data: *mut c_void,
        ) {
            // SAFETY: the pair below, which lives until this was called.
            let (home, ended) = unsafe { &*data.cast::<(thread::ThreadId, Rc<Cell<bool>>)>() };
            assert_eq!(thread::current().id(), *home);
            // SAFETY: the connection that the operation was started on.
            let connection: SocketConnection =
                unsafe { from_glib_none(object.cast::<SocketConnectionInstance>()) };
            connect_finish_as_c(&connection, result).expect("it listens");
            ended.set(true);
        }

        let data = Box::new((home, ended.clone()));
        let place = &raw const *data as usize;
        let pointer = Pointer::of(&connection);
        on_a_thread_without_context(move || {
            // SAFETY: a class slot is called, and the reference given back while another is held.
            let connection = unsafe { pointer.object() };
            connect_async_as_c(&connection, address, Some(end), place as *mut c_void);
        });
        assert!(!ended.get());
        iterate_until(context, || ended.get());
        assert!(connection.is_alive());
        assert!(!connection.socket().is_blocking());
        let _peer = listener.accept().expect("connected");
    });
}
