//! A `GIOStream` over whatever implements the traits of `futures-io`.

#![allow(unsafe_code, reason = "class slots are C functions")]

mod ahead;
mod core;
mod held;
mod input;
mod memory;
mod output;
mod waiters;
mod waiting;

use std::{ptr, sync::Arc};

use futures_io::{AsyncRead, AsyncWrite};
use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    ffi::{gboolean, gpointer},
    translate::{ToGlibPtr, from_glib_full},
};
use once_cell::sync::OnceCell;

use self::core::Core;
use crate::{
    fence::{fence, fence_or},
    living::{self, Living},
    operation::{Answers, Owed, Tag, Task, finish, owing},
    vfunc::{Owned, boolean, fenced},
};
use held::Held;
use input::AdapterInputStream;
use output::AdapterOutputStream;

static CLOSE: Tag = Tag::new();

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct IoStreamAdapter {
        pub(super) core: OnceCell<Arc<Core>>,
        input: OnceCell<Owned<gio::InputStream>>,
        output: OnceCell<Owned<gio::OutputStream>>,
        _living: Living<{ living::IO_STREAM_ADAPTER }>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for IoStreamAdapter {
        const NAME: &'static str = "GsockIoStreamAdapter";
        type Type = super::IoStreamAdapter;
        type ParentType = gio::IOStream;

        fn class_init(class: &mut Self::Class) {
            fill_class(class);
        }
    }

    impl ObjectImpl for IoStreamAdapter {
        fn dispose(&self) {
            fence_or((), || {
                // GIOStream closes it next.
                self.core().begin_to_go();
            });
        }
    }

    impl IOStreamImpl for IoStreamAdapter {}

    impl IoStreamAdapter {
        fn core(&self) -> &Arc<Core> {
            self.core.get_or_init(Core::dead)
        }

        pub(super) fn input(&self) -> &gio::InputStream {
            let make = || Owned::new(AdapterInputStream::new(self.core()).upcast());
            self.input.get_or_init(make).get()
        }

        pub(super) fn output(&self) -> &gio::OutputStream {
            let make = || Owned::new(AdapterOutputStream::new(self.core()).upcast());
            self.output.get_or_init(make).get()
        }
    }
}

glib::wrapper! {
    /// A [`gio::IOStream`] over any stream with the traits of `futures-io`: over TLS by rustls, a channel of SSH, a
    /// pipe made of futures, so that whatever GIO has for streams works on it.
    ///
    /// Its two streams are pollable: [`gio::PollableInputStream`] and [`gio::PollableOutputStream`], with sources.
    /// Asynchronous operations poll the stream in tasks of the main context in which they were asked for, and need
    /// no worker thread. Closing the output stream is `poll_close`, which ends what is sent; once both streams are
    /// closed, as [`close`](gio::prelude::IOStreamExt::close) does, the stream is dropped. An adapter that is merely
    /// dropped polls that close once, and does not wait.
    ///
    /// Whether something can be read is found out by reading: up to 4 KiB wait in the input stream for who asked. Whether something can
    /// be written cannot be asked: a writer is told so until the stream has refused once, and again
    /// when it has woken him.
    ///
    /// # Threads
    ///
    /// A stream that is not `Send` ([`new`](Self::new)) is polled on the thread that made the adapter; on any other
    /// one every operation answers `NotSupported`. GLib's TLS shakes hands on a thread of its own, and so wants
    /// one that is `Send` ([`for_any_thread`](Self::for_any_thread)).
    ///
    /// # Blocking
    ///
    /// A blocking operation polls the stream until it is done. Meanwhile it iterates a main context of its own, which is
    /// thread-default there, so that a stream waits that itself waits in main contexts, as the connections of
    /// this crate do. A stream that is fed by a task of the caller's own context is waited for in vain: nobody runs that
    /// meanwhile. A cancellation ends the wait.
    ///
    /// # Errors
    ///
    /// Those of the stream: its `io::Error` by the number that the system gave it, else by its kind, and a
    /// [`glib::Error`] inside of it as it is. What ends without an end (`UnexpectedEof`) is `ConnectionClosed`. A panic of
    /// the stream is `Failed`, then and from then on.
    ///
    /// # Cancel safety
    ///
    /// As far as the stream's polls are: a cancelled operation is not polled any more, and what was
    /// read ahead stays.
    ///
    /// There is nothing of it in C, which has no such streams.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::io::Cursor;
    /// use gio::prelude::*;
    /// use gsock::IoStreamAdapter;
    ///
    /// # fn main() -> Result<(), glib::Error> {
    /// let stream = IoStreamAdapter::new(Cursor::new(b"one\ntwo\n".to_vec()));
    /// let lines = gio::DataInputStream::new(&stream.input_stream());
    /// let first = lines.read_line_utf8(gio::Cancellable::NONE)?;
    /// assert_eq!(first.as_deref(), Some("one"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "GsockIoStreamAdapter")]
    pub struct IoStreamAdapter(ObjectSubclass<imp::IoStreamAdapter>) @extends gio::IOStream;
}

const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::IoStreamAdapter>();
};

impl IoStreamAdapter {
    /// No stream, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;

    /// For use on the calling thread.
    pub fn new(stream: impl AsyncRead + AsyncWrite + 'static) -> Self {
        Self::around(Held::here(stream))
    }

    /// For use on any thread. One that finds it being polled on another waits until that has ended.
    pub fn for_any_thread(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self::around(Held::anywhere(stream))
    }

    fn around(held: Held) -> Self {
        let adapter: Self = glib::Object::new();
        let _ = adapter.imp().core.set(Core::new(held));
        adapter
    }
}

fn fill_class(class: &mut glib::Class<gio::IOStream>) {
    let class = class.as_mut();
    class.get_input_stream = Some(get_input_stream);
    class.get_output_stream = Some(get_output_stream);
    class.close_async = Some(close_async);
    class.close_finish = Some(close_finish);
}

/// # Safety
///
/// `stream` is a live instance of the class; the result lives no longer.
unsafe fn imp_of<'a>(stream: *mut gio_ffi::GIOStream) -> &'a imp::IoStreamAdapter {
    // SAFETY: as the caller says.
    let instance = unsafe { &*stream.cast::<<imp::IoStreamAdapter as ObjectSubclass>::Instance>() };
    instance.imp()
}

unsafe extern "C" fn get_input_stream(
    stream: *mut gio_ffi::GIOStream,
) -> *mut gio_ffi::GInputStream {
    // SAFETY: called on instances of the class. Borrowed from the object, which keeps it for its whole life.
    let of_object = || unsafe { imp_of(stream) }.input().to_glib_none().0;
    fence(of_object)
        .or_else(|| fence(of_object))
        .unwrap_or(ptr::null_mut())
}

unsafe extern "C" fn get_output_stream(
    stream: *mut gio_ffi::GIOStream,
) -> *mut gio_ffi::GOutputStream {
    // SAFETY: called on instances of the class. Borrowed from the object, which keeps it for its whole life.
    let of_object = || unsafe { imp_of(stream) }.output().to_glib_none().0;
    fence(of_object)
        .or_else(|| fence(of_object))
        .unwrap_or(ptr::null_mut())
}

/// The output, then the input, as the blocking close does. GIO's own fails where the output is closed already (F-7).
unsafe extern "C" fn close_async(
    stream: *mut gio_ffi::GIOStream,
    priority: i32,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let body = |owed: &Owed| {
        // SAFETY: GIO's own arguments, passed on.
        let task = unsafe {
            Task::new(
                stream.cast(),
                cancellable,
                owed.take(),
                data,
                &CLOSE,
                Answers::Nothing,
                priority,
            )
        };
        // SAFETY: called on instances of the class.
        let imp = unsafe { imp_of(stream) };
        let (input, output) = (Owned::new(imp.input().clone()), imp.output());
        let close = Close { task, input };
        if output.is_closed() {
            return close.end(Ok(()));
        }
        // SAFETY: live arguments; `output_closed` agrees with the type of its data.
        unsafe {
            gio_ffi::g_output_stream_close_async(
                output.as_ptr(),
                priority,
                cancellable,
                Some(output_closed),
                Box::into_raw(Box::new(close)).cast(),
            );
        }
    };
    // SAFETY: the caller's arguments, passed on.
    unsafe { owing(stream.cast(), callback, data, &CLOSE, priority, body) }
}

/// An asynchronous close whose output is closed first, on whatever thread that ends.
struct Close {
    task: Task,
    input: Owned<gio::InputStream>,
}

impl Close {
    fn end(self, closed: Result<(), glib::Error>) {
        let rest = self.input.get().close(gio::Cancellable::NONE);
        self.task.answer(closed.and(rest));
    }
}

unsafe extern "C" fn output_closed(
    output: *mut glib::gobject_ffi::GObject,
    result: *mut gio_ffi::GAsyncResult,
    data: gpointer,
) {
    // SAFETY: the box of `close_async`, called back once.
    let close = unsafe { Box::from_raw(data.cast::<Close>()) };
    // A task that is dropped by a panic answers by itself.
    fence_or((), move || {
        let mut failure = ptr::null_mut();
        // SAFETY: GIO's own arguments, passed on.
        unsafe {
            gio_ffi::g_output_stream_close_finish(output.cast(), result, &raw mut failure);
        }
        let closed = if failure.is_null() {
            Ok(())
        } else {
            // SAFETY: a set error is ours to free.
            Err(unsafe { from_glib_full(failure) })
        };
        close.end(closed);
    });
}

unsafe extern "C" fn close_finish(
    stream: *mut gio_ffi::GIOStream,
    result: *mut gio_ffi::GAsyncResult,
    out: *mut *mut glib::ffi::GError,
) -> gboolean {
    let result = fenced(|| {
        // SAFETY: GIO's own arguments, passed on.
        unsafe { finish(stream.cast(), result, &CLOSE) }
    });
    // SAFETY: the caller's place for an error.
    unsafe { boolean(result, out) }
}
