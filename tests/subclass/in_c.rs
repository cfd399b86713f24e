//! Classes in C, and tasks that C makes.

use std::{
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ffi::{GError, gboolean, gpointer},
    gobject_ffi,
    translate::{FromGlibPtrFull, IntoGlibPtr},
};
use gsock::{
    ConnectionState, TcpConnection,
    prelude::*,
    subclass::{SocketConnectionClass, SocketConnectionInstance, prelude::*},
};

use crate::{connecting::Redirecting, support::*, tools::*};

/// A class in C: both connects go through slots of its own.
mod both_connects {
    use super::*;

    pub(super) static CONNECTS: AtomicU32 = AtomicU32::new(0);
    pub(super) static ASYNC_CONNECTS: AtomicU32 = AtomicU32::new(0);

    unsafe extern "C" fn connect(
        _: *mut SocketConnectionInstance,
        _: *mut gio_ffi::GSocketAddress,
        _: *mut gio_ffi::GCancellable,
        out: *mut *mut GError,
    ) -> gboolean {
        if CONNECTS.fetch_add(1, Ordering::SeqCst) == 0 {
            return glib::ffi::GTRUE;
        }
        if !out.is_null() {
            let failure = glib::Error::new(gio::IOErrorEnum::NoSpace, "C's own");
            // SAFETY: the caller's place for an error.
            unsafe { *out = failure.into_glib_ptr() };
        }
        glib::ffi::GFALSE
    }

    /// A task without a tag, as a C class that knows nothing of ours makes.
    unsafe extern "C" fn connect_async(
        instance: *mut SocketConnectionInstance,
        _: *mut gio_ffi::GSocketAddress,
        cancellable: *mut gio_ffi::GCancellable,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    ) {
        let first = ASYNC_CONNECTS.fetch_add(1, Ordering::SeqCst) == 0;
        // SAFETY: the caller's arguments, passed on.
        let task = unsafe { gio_ffi::g_task_new(instance.cast(), cancellable, callback, data) };
        if first {
            // SAFETY: a live task.
            unsafe { gio_ffi::g_task_return_boolean(task, glib::ffi::GTRUE) };
        } else {
            let failure = glib::Error::new(gio::IOErrorEnum::NoSpace, "C's own");
            // SAFETY: a live task; the error is handed over.
            unsafe { gio_ffi::g_task_return_error(task, failure.into_glib_ptr()) };
        }
        // SAFETY: our own reference.
        unsafe { gobject_ffi::g_object_unref(task.cast()) };
    }

    pub(super) unsafe extern "C" fn init(class: *mut SocketConnectionClass) {
        // SAFETY: GObject initialises a class once, alone.
        let class = unsafe { &mut *class };
        class.connect = Some(connect);
        class.connect_async = Some(connect_async);
    }
}

#[test]
fn slots_overridden_in_c_are_seen_by_every_form_in_rust() {
    on_private_context(|context| {
        let type_ = c_class("TestInC", TcpConnection::static_type(), both_connects::init);
        let connection: TcpConnection = glib::Object::builder_with_type(type_)
            .property("socket", ipv4_socket())
            .build()
            .downcast()
            .expect("below our class");
        let address = gio_address(refused_address());

        connection
            .connect(&address, gio::Cancellable::NONE)
            .expect("C says so");
        let failed =
            gsock::SocketConnectionExt::connect(&connection, &address, gio::Cancellable::NONE);
        assert_fails(failed, gio::IOErrorEnum::NoSpace);
        assert_eq!(both_connects::CONNECTS.load(Ordering::SeqCst), 2);

        // The first one succeeds; its task is taken once.
        let answer = Answer::default();
        let slot = answer.clone();
        connection.connect_async(&address, gio::Cancellable::NONE, move |_, result| {
            *slot.borrow_mut() = Some(result.clone());
        });
        assert!(answer.borrow().is_none());
        iterate_until(context, || answer.borrow().is_some());
        let result = answer.take().expect("called back");
        connection.connect_finish(&result).expect("C says so");
        let twice = connection.connect_finish(&result);
        assert_fails(twice, gio::IOErrorEnum::InvalidArgument);
        let as_c = c_finish(&connection, Some(&result));
        assert_fails(as_c, gio::IOErrorEnum::InvalidArgument);

        let failed = connect_async(context, &connection, &address, None);
        assert_fails(failed, gio::IOErrorEnum::NoSpace);
        let failed = block_on(context, connection.connect_future(&address));
        assert_fails(failed, gio::IOErrorEnum::NoSpace);
        assert_eq!(both_connects::ASYNC_CONNECTS.load(Ordering::SeqCst), 3);

        // What C left alone is the parent's.
        assert_eq!(connection.state(), ConnectionState::Unconnected);
        end(context, &begin_close(&connection, None)).expect("open");
        assert_closed(&connection);
    });
}

/// A class in C whose connects fail and do not say why.
mod without_a_word {
    use super::*;

    unsafe extern "C" fn connect(
        _: *mut SocketConnectionInstance,
        _: *mut gio_ffi::GSocketAddress,
        _: *mut gio_ffi::GCancellable,
        _: *mut *mut GError,
    ) -> gboolean {
        glib::ffi::GFALSE
    }

    unsafe extern "C" fn connect_async(
        instance: *mut SocketConnectionInstance,
        _: *mut gio_ffi::GSocketAddress,
        cancellable: *mut gio_ffi::GCancellable,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    ) {
        // SAFETY: the caller's arguments, passed on; the reference is our own.
        unsafe {
            let task = gio_ffi::g_task_new(instance.cast(), cancellable, callback, data);
            gio_ffi::g_task_return_boolean(task, glib::ffi::GFALSE);
            gobject_ffi::g_object_unref(task.cast());
        }
    }

    pub(super) unsafe extern "C" fn init(class: *mut SocketConnectionClass) {
        // SAFETY: GObject initialises a class once, alone.
        let class = unsafe { &mut *class };
        class.connect = Some(connect);
        class.connect_async = Some(connect_async);
    }
}

#[test]
fn what_fails_in_c_without_a_word_is_an_error_in_every_form_in_rust() {
    on_private_context(|context| {
        let type_ = c_class(
            "TestWithoutAWord",
            TcpConnection::static_type(),
            without_a_word::init,
        );
        let connection = make_c(type_);
        let address = gio_address(refused_address());
        let failed = connection.connect(&address, gio::Cancellable::NONE);
        assert_fails(failed, gio::IOErrorEnum::Failed);
        let failed = connect_async(context, &connection, &address, None);
        assert_fails(failed, gio::IOErrorEnum::Failed);
        let failed = block_on(context, connection.connect_future(&address));
        assert_fails(failed, gio::IOErrorEnum::Failed);
        assert_eq!(connection.state(), ConnectionState::Unconnected);
    });
}

/// A class in C whose connect and close answer at once, by tasks that do not say whose they are.
mod answers_of_nobody {
    use super::*;

    unsafe fn answer(callback: gio_ffi::GAsyncReadyCallback, data: gpointer) {
        // SAFETY: a callback of the caller's, with its data.
        unsafe {
            let task = gio_ffi::g_task_new(ptr::null_mut(), ptr::null_mut(), callback, data);
            gio_ffi::g_task_return_boolean(task, glib::ffi::GTRUE);
            gobject_ffi::g_object_unref(task.cast());
        }
    }

    unsafe extern "C" fn connect_async(
        _: *mut SocketConnectionInstance,
        _: *mut gio_ffi::GSocketAddress,
        _: *mut gio_ffi::GCancellable,
        callback: gio_ffi::GAsyncReadyCallback,
        data: gpointer,
    ) {
        // SAFETY: the caller's.
        unsafe { answer(callback, data) };
    }

    unsafe extern "C" fn finish(
        _: *mut SocketConnectionInstance,
        result: *mut gio_ffi::GAsyncResult,
        error: *mut *mut GError,
    ) -> gboolean {
        // SAFETY: the result of one of the above.
        unsafe { gio_ffi::g_task_propagate_boolean(result.cast(), error) }
    }

    pub(super) unsafe extern "C" fn init(class: *mut SocketConnectionClass) {
        // SAFETY: GObject initialises a class once, alone.
        let class = unsafe { &mut *class };
        class.connect_async = Some(connect_async);
        class.connect_finish = Some(finish);
    }
}

/// The context may go to another thread: what was dropped is forgotten there, and what is waited for comes from there.
#[test]
fn the_answer_of_a_slot_in_c_may_come_on_another_thread() {
    on_private_context(|_| {
        let type_ = c_class(
            "TestAnswersOfNobody",
            TcpConnection::static_type(),
            answers_of_nobody::init,
        );
        for is_dropped in [true, false] {
            let connection = make_c(type_);
            let context = glib::MainContext::new();
            let address = gio_address(refused_address());
            let waker = std::task::Waker::noop();
            let mut cx = std::task::Context::from_waker(waker);
            let mut connecting = context
                .with_thread_default(|| {
                    let mut connecting = connection.connect_future(&address);
                    assert!(connecting.as_mut().poll(&mut cx).is_pending());
                    (!is_dropped).then_some(connecting)
                })
                .expect("nobody else has it");
            let elsewhere = context.clone();
            std::thread::spawn(move || while elsewhere.iteration(false) {})
                .join()
                .expect("it iterates");
            let done = connecting.as_mut().map(|it| it.as_mut().poll(&mut cx));
            let is_done = matches!(done, Some(std::task::Poll::Ready(Ok(()))));
            assert_eq!(is_done, !is_dropped);
        }
    });
}

/// A task without a tag, made by hand, that has returned TRUE.
fn untagged_task(source: &impl IsA<glib::Object>, tag: Option<&'static u8>) -> gio::AsyncResult {
    // SAFETY: a live object and no callback.
    unsafe {
        let task = gio_ffi::g_task_new(
            source.as_ref().as_ptr(),
            ptr::null_mut(),
            None,
            ptr::null_mut(),
        );
        if let Some(tag) = tag {
            gio_ffi::g_task_set_source_tag(task, ptr::from_ref(tag).cast_mut().cast());
        }
        gio_ffi::g_task_return_boolean(task, glib::ffi::GTRUE);
        gio::AsyncResult::from_glib_full(task.cast())
    }
}

/// No critical, no panic: an error (and SC-16's guards in C).
#[test]
fn connect_finish_takes_an_untagged_task_of_this_object_once_and_no_other() {
    static FOREIGN: u8 = 0;
    on_private_context(|context| {
        let invalid = gio::IOErrorEnum::InvalidArgument;
        let connection = unconnected();
        let result = untagged_task(&connection, None);
        connection.connect_finish(&result).expect("a C class' own");
        assert_fails(connection.connect_finish(&result), invalid);
        assert_fails(c_finish(&connection, Some(&result)), invalid);

        let another = untagged_task(&unconnected(), None);
        assert_fails(connection.connect_finish(&another), invalid);
        let foreign = untagged_task(&connection, Some(&FOREIGN));
        assert_fails(connection.connect_finish(&foreign), invalid);
        assert_fails(c_finish(&connection, None), invalid);

        // Not even an untagged one passes through another operation's finish of the object.
        let connection: Redirecting = make_unconnected();
        let result = untagged_task(&connection, None);
        connection.connect_finish(&result).expect("a C class' own");
        assert_fails(connection.connect_finish(&result), invalid);
        iterate_for(context, Duration::from_millis(5));
    });
}

/// Below a class of a third party in Rust, and back.
mod in_c_below_rust {
    use super::*;

    pub(super) static CLOSES: AtomicU32 = AtomicU32::new(0);
    static PARENT: Mutex<Option<CloseSlot>> = Mutex::new(None);

    type CloseSlot = unsafe extern "C" fn(
        *mut gio_ffi::GIOStream,
        *mut gio_ffi::GCancellable,
        *mut *mut GError,
    ) -> gboolean;

    unsafe extern "C" fn close(
        stream: *mut gio_ffi::GIOStream,
        cancellable: *mut gio_ffi::GCancellable,
        out: *mut *mut GError,
    ) -> gboolean {
        CLOSES.fetch_add(1, Ordering::SeqCst);
        let parent = PARENT.lock().expect("no panic").expect("there is one");
        // SAFETY: the caller's arguments, passed on.
        unsafe { parent(stream, cancellable, out) }
    }

    pub(super) unsafe extern "C" fn init(class: *mut SocketConnectionClass) {
        // SAFETY: GObject initialises a class once, alone.
        let class = unsafe { &mut *class };
        *PARENT.lock().expect("no panic") = class.parent_class.close_fn;
        class.parent_class.close_fn = Some(close);
    }
}

#[test]
fn a_class_in_c_below_one_in_rust_has_its_slots_and_its_parents() {
    on_private_context(|context| {
        let type_ = c_class(
            "TestInCBelowRust",
            Redirecting::static_type(),
            in_c_below_rust::init,
        );
        let (listener, target) = listener();
        let connection: Redirecting = glib::Object::builder_with_type(type_)
            .property("socket", ipv4_socket())
            .build()
            .downcast()
            .expect("below it");
        connection.imp().target.set(target).expect("once");
        let nowhere = gio_address(refused_address());
        connect_async(context, &connection, &nowhere, None).expect("redirected");
        let (mut peer, _) = listener.accept().expect("connected");

        end(context, &begin_close(&connection, None)).expect("open");
        assert_eq!(in_c_below_rust::CLOSES.load(Ordering::SeqCst), 1);
        assert_closed(&connection);
        assert!(read_to_end(&mut peer).is_empty());
    });
}
