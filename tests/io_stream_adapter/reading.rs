//! Reading in tasks.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures::AsyncWriteExt;
use gio::prelude::*;
use gsock::IoStreamAdapter;

use crate::{support::*, tools::*};

#[test]
fn gios_lines_are_read_over_a_pipe_of_futures() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(4);
        let stream = IoStreamAdapter::new(ours);
        let lines = gio::DataInputStream::new(&stream.input_stream());
        let seen = Rc::new(RefCell::new(Vec::new()));
        let slot = seen.clone();
        context.spawn_local(async move {
            while let Some(line) = lines.read_line_utf8_future(DEFAULT).await.expect("text") {
                slot.borrow_mut().push(line.to_string());
            }
            slot.borrow_mut().push("end".to_owned());
        });
        block_on(context, async move {
            theirs
                .write_all(b"the first line\nthe second, which is longer\nlast")
                .await
                .expect("room");
        });
        iterate_until(context, || seen.borrow().len() == 4);
        assert_eq!(
            *seen.borrow(),
            [
                "the first line",
                "the second, which is longer",
                "last",
                "end"
            ]
        );
    });
}

#[test]
fn a_read_that_waits_is_woken_by_the_stream_and_answers_later() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let input = stream.input_stream();
        let read = start_read(&input, 16, None);
        iterate_for(context, Duration::from_millis(10));
        assert!(read.borrow().is_none());
        assert!(input.has_pending());
        let again = start_read(&input, 16, None);
        iterate_until(context, || again.borrow().is_some());
        assert_fails(again.take().expect("ended"), gio::IOErrorEnum::Pending);

        let _theirs = block_on(context, async move {
            theirs.write_all(b"here").await.expect("room");
            theirs
        });
        iterate_until(context, || read.borrow().is_some());
        assert_eq!(read.take().expect("ended").expect("bytes"), b"here");
        assert!(!input.has_pending());
    });
}

/// What is there already: the callback comes all the same when the call has returned.
#[test]
fn a_callback_never_comes_before_the_call_returns() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        block_on(context, async move {
            theirs.write_all(b"ready").await.expect("room");
        });
        let read = start_read(&stream.input_stream(), 3, None);
        assert!(read.borrow().is_none());
        iterate_until(context, || read.borrow().is_some());
        assert_eq!(read.take().expect("ended").expect("bytes"), b"rea");
        let read = start_read(&stream.input_stream(), 3, None);
        iterate_until(context, || read.borrow().is_some());
        assert_eq!(read.take().expect("ended").expect("bytes"), b"dy");
        // The end, again and again.
        for _ in 0..2 {
            let read = start_read(&stream.input_stream(), 3, None);
            iterate_until(context, || read.borrow().is_some());
            assert!(read.take().expect("ended").expect("the end").is_empty());
        }
    });
}

#[test]
fn a_cancelled_read_takes_nothing() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let input = stream.input_stream();
        let cancellable = gio::Cancellable::new();
        let read = start_read(&input, 16, Some(&cancellable));
        iterate_for(context, Duration::from_millis(5));
        cancellable.cancel();
        iterate_until(context, || read.borrow().is_some());
        assert_fails(read.take().expect("ended"), gio::IOErrorEnum::Cancelled);

        // Cancelled before, with bytes there.
        block_on(context, async move {
            theirs.write_all(b"all here").await.expect("room");
        });
        let read = start_read(&input, 16, Some(&cancellable));
        iterate_until(context, || read.borrow().is_some());
        assert_fails(read.take().expect("ended"), gio::IOErrorEnum::Cancelled);
        // A future that is dropped on its way.
        let mut reading = input.read_bytes_future(16, DEFAULT);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(reading.as_mut().poll(&mut cx).is_pending());
        drop(reading);
        iterate_until(context, || !input.has_pending());
        let read = start_read(&input, 16, None);
        iterate_until(context, || read.borrow().is_some());
        assert_eq!(read.take().expect("ended").expect("bytes"), b"all here");
    });
}

/// It was read: whoever cancels then has it.
#[test]
fn a_read_that_is_cancelled_in_its_callback_keeps_its_bytes() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        block_on(context, async move {
            theirs.write_all(b"kept").await.expect("room");
        });
        let cancellable = gio::Cancellable::new();
        let its = cancellable.clone();
        let read = Slot::default();
        let put = read.clone();
        let input = stream.input_stream();
        // SAFETY: the source object of a result lives as long as that.
        let finish = move |result: &gio::AsyncResult| unsafe {
            let mut failure = std::ptr::null_mut();
            let count = gio::ffi::g_input_stream_read_finish(
                input.as_ptr(),
                result.as_ptr(),
                &raw mut failure,
            );
            (count, failure.is_null())
        };
        let mut buffer = Box::new([0_u8; 8]);
        type Callback = Box<dyn FnOnce(&gio::AsyncResult)>;
        let callback: Callback = Box::new(move |result| {
            its.cancel();
            *put.borrow_mut() = Some(finish(result));
        });
        unsafe extern "C" fn ready(
            _: *mut glib::gobject_ffi::GObject,
            result: *mut gio::ffi::GAsyncResult,
            data: glib::ffi::gpointer,
        ) {
            // SAFETY: the box below, called back once.
            let callback = unsafe { Box::from_raw(data.cast::<Callback>()) };
            // SAFETY: a live result.
            let result = unsafe { glib::translate::from_glib_none(result) };
            callback(&result);
        }
        // SAFETY: the buffer stays until the callback has come.
        unsafe {
            gio::ffi::g_input_stream_read_async(
                stream.input_stream().as_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
                cancellable.as_ptr(),
                Some(ready),
                Box::into_raw(Box::new(callback)).cast(),
            );
        }
        iterate_until(context, || read.borrow().is_some());
        assert_eq!(read.take(), Some((4, true)));
        assert_eq!(&buffer[..4], b"kept");
    });
}
