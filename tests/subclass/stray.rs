//! Callbacks that come where they must not.

use std::{
    cell::Cell,
    ptr,
    rc::Rc,
    sync::{Mutex, atomic::Ordering},
    thread::{self},
    time::Duration,
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{ffi::gpointer, gobject_ffi};
use gsock::{
    SocketConnection,
    prelude::*,
    subclass::{SocketConnectionClass, SocketConnectionInstance},
};

use crate::{support::*, tools::*};

/// A class in C that breaks the rules: it calls back on a thread of its own.
mod breaks_the_rules {
    use super::*;

    struct Strays {
        instance: *mut SocketConnectionInstance,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    }

    // SAFETY: it is wrong, which is what the test is about; C would do it without a word.
    unsafe impl Send for Strays {}

    pub(super) static THREADS: Mutex<Vec<thread::JoinHandle<Vec<String>>>> = Mutex::new(Vec::new());

    unsafe extern "C" fn connect_async(
        instance: *mut SocketConnectionInstance,
        _: *mut gio_ffi::GSocketAddress,
        _: *mut gio_ffi::GCancellable,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    ) {
        let strays = Strays {
            instance,
            callback,
            data,
        };
        let thread = thread::spawn(move || {
            let strays = strays;
            // Where its own task ends; it would do so in the default context, in which nobody looks.
            let context = glib::MainContext::new();
            // SAFETY: the test keeps the instance alive until this thread has ended.
            let call_back = || unsafe {
                let task = gio_ffi::g_task_new(
                    strays.instance.cast(),
                    ptr::null_mut(),
                    None,
                    ptr::null_mut(),
                );
                gio_ffi::g_task_return_boolean(task, glib::ffi::GTRUE);
                let callback = strays.callback.expect("Rust gives one");
                callback(strays.instance.cast(), task.cast(), strays.data);
                gobject_ffi::g_object_unref(task.cast());
            };
            let ((), lines) = logged(|| {
                context
                    .with_thread_default(call_back)
                    .expect("nobody else knows it");
            });
            while context.iteration(false) {}
            lines
        });
        THREADS.lock().expect("no panic").push(thread);
    }

    pub(super) unsafe extern "C" fn init(class: *mut SocketConnectionClass) {
        // SAFETY: GObject initialises a class once, alone.
        unsafe { (*class).connect_async = Some(connect_async) };
    }

    /// Waits for the threads and tells what they left in the log.
    pub(super) fn join() -> Vec<String> {
        let threads = std::mem::take(&mut *THREADS.lock().expect("no panic"));
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic on the stray thread"))
            .collect()
    }
}

/// The closure need not be `Send`: running it, or even dropping it, there would be unsound.
#[test]
fn a_callback_on_a_stray_thread_is_neither_run_nor_dropped_there() {
    on_private_context(|context| {
        let type_ = c_class(
            "TestStray",
            SocketConnection::static_type(),
            breaks_the_rules::init,
        );
        let connection = make_c(type_);
        let address = gio_address(refused_address());

        let (flag, dropped) = DropFlag::new();
        let ran = Rc::new(Cell::new(false));
        let marker = ran.clone();
        connection.connect_async(&address, gio::Cancellable::NONE, move |_, _| {
            let _flag = &flag;
            marker.set(true);
        });
        let logged = breaks_the_rules::join();
        assert_eq!(logged.len(), 1, "{logged:?}");
        assert!(!ran.get());
        assert!(!dropped.load(Ordering::SeqCst));

        // The future is woken from there and goes on where it was made.
        let answered = Rc::new(Cell::new(false));
        let marker = answered.clone();
        let connecting = connection.connect_future(&address);
        context.spawn_local(async move {
            let _ = connecting.await;
            marker.set(true);
        });
        iterate_until(context, || answered.get());
        breaks_the_rules::join();
    });
}

/// ASYNC-1 gives the callback to whoever iterates the context; in Rust that must be the thread
/// that gave the closure.
#[test]
fn a_callback_is_not_run_by_another_thread_that_iterates_the_context() {
    on_private_context(|_| {
        let shared = glib::MainContext::new();
        let (flag, dropped) = DropFlag::new();
        let ran = Rc::new(Cell::new(false));
        let (connection, address) = (unconnected(), gio_address(refused_address()));
        let marker = ran.clone();
        shared
            .with_thread_default(|| {
                connection.connect_async(&address, gio::Cancellable::NONE, move |_, _| {
                    let _flag = &flag;
                    marker.set(true);
                });
            })
            .expect("nobody owns it");

        let theirs = shared.clone();
        let other = thread::spawn(move || {
            let _owned = theirs.acquire().expect("released by now");
            let end = std::time::Instant::now() + LIMIT;
            let mut lines = Vec::new();
            while lines.is_empty() && std::time::Instant::now() < end {
                lines = logged(|| theirs.iteration(false)).1;
                thread::sleep(Duration::from_millis(1));
            }
            lines
        });
        let logged = other.join().expect("no panic there");
        assert_eq!(logged.len(), 1, "{logged:?}");
        assert!(!ran.get());
        assert!(!dropped.load(Ordering::SeqCst));
    });
}
