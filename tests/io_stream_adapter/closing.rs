//! Closing, and the end of the stream.

use std::{rc::Rc, time::Duration};

use futures::AsyncReadExt;
use gio::prelude::*;
use gsock::IoStreamAdapter;

use crate::{odd_streams::Noted, support::*, tools::*};

#[test]
fn a_close_ends_what_is_sent_and_drops_the_stream() {
    on_private_context(|context| {
        for form in 0..3 {
            let (ours, mut theirs) = pipe(64);
            let (ours, dropped) = Noted::new(ours);
            let stream = IoStreamAdapter::new(ours);
            let (input, output) = (stream.input_stream(), stream.output_stream());
            output.write_all(b"all", NONE).expect("room");
            match form {
                0 => stream.close(NONE).expect("nothing is in the way"),
                1 => {
                    block_on(context, stream.close_future(DEFAULT)).expect("nothing is in the way")
                }
                _ => {
                    // By hand, one after the other.
                    block_on(context, output.close_future(DEFAULT)).expect("nothing is in the way");
                    assert!(!dropped.get());
                    input.close(NONE).expect("nothing is in the way");
                }
            }
            assert!(dropped.get(), "form {form}");
            assert!(input.is_closed() && output.is_closed());
            assert_fails(input.read(&mut [0], NONE), gio::IOErrorEnum::Closed);
            let read = block_on(context, async move {
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).await.map(|_| all)
            });
            assert_eq!(read.expect("an end"), b"all");
            stream.close(NONE).expect("closed already");
        }
    });
}

/// F-7: GIO's own asynchronous close complains of that.
#[test]
fn after_the_output_was_closed_so_can_the_whole_be() {
    on_private_context(|context| {
        let (ours, _theirs) = pipe(64);
        let (ours, dropped) = Noted::new(ours);
        let stream = IoStreamAdapter::new(ours);
        stream
            .output_stream()
            .close(NONE)
            .expect("nothing is in the way");
        assert!(!dropped.get());
        let outcome = Slot::default();
        let put = outcome.clone();
        stream.close_async(DEFAULT, NONE, move |result| {
            *put.borrow_mut() = Some(result)
        });
        assert!(outcome.borrow().is_none());
        assert!(stream.has_pending());
        iterate_until(context, || outcome.borrow().is_some());
        outcome
            .take()
            .expect("ended")
            .expect("nothing is in the way");
        assert!(stream.is_closed() && stream.input_stream().is_closed());
        assert!(dropped.get());
        block_on(context, stream.close_future(DEFAULT)).expect("closed already");
    });
}

#[test]
fn a_close_under_a_read_says_pending_and_the_read_goes_on() {
    on_private_context(|context| {
        let (ours, theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let read = start_read(&stream.input_stream(), 8, None);
        let closed = block_on(context, stream.close_future(DEFAULT));
        // As of any stream of two streams, one of which is busy.
        assert_fails(closed, gio::IOErrorEnum::Pending);
        assert!(stream.is_closed());
        drop(theirs);
        iterate_until(context, || read.borrow().is_some());
        assert!(read.take().expect("ended").expect("the end").is_empty());
    });
}

#[test]
fn after_the_output_was_closed_there_is_still_something_to_read() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        block_on(context, stream.output_stream().close_future(DEFAULT)).expect("an end");
        let read = start_read(&stream.input_stream(), 16, None);
        block_on(context, async move {
            use futures::AsyncWriteExt;
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.expect("an end");
            theirs.write_all(b"answer").await.expect("room");
        });
        iterate_until(context, || read.borrow().is_some());
        assert_eq!(read.take().expect("ended").expect("bytes"), b"answer");
    });
}

#[test]
fn a_close_waits_for_the_stream_and_can_be_cancelled() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours.lingering());
        stream
            .output_stream()
            .write_all(b"read me", NONE)
            .expect("room");
        let closed = Slot::default();
        let put = closed.clone();
        stream.close_async(DEFAULT, NONE, move |result| {
            *put.borrow_mut() = Some(result)
        });
        iterate_for(context, Duration::from_millis(10));
        assert!(closed.borrow().is_none());
        block_on(context, async move {
            theirs.read_exact(&mut [0; 7]).await.expect("all of it");
        });
        iterate_until(context, || closed.borrow().is_some());
        closed.take().expect("ended").expect("it was read");

        let (ours, _theirs) = pipe(64);
        let (ours, dropped) = Noted::new(ours.lingering());
        let stream = IoStreamAdapter::new(ours);
        stream
            .output_stream()
            .write_all(b"read me", NONE)
            .expect("room");
        let cancellable = gio::Cancellable::new();
        let closed = Slot::default();
        let put = closed.clone();
        stream.close_async(DEFAULT, Some(&cancellable), move |result| {
            *put.borrow_mut() = Some(result);
        });
        iterate_for(context, Duration::from_millis(10));
        cancellable.cancel();
        iterate_until(context, || closed.borrow().is_some());
        assert_fails(closed.take().expect("ended"), gio::IOErrorEnum::Cancelled);
        assert!(stream.is_closed());
        iterate_until(context, || dropped.get());
    });
}

#[test]
fn a_mere_drop_does_not_wait_for_the_stream() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let (ours, dropped) = Noted::new(ours.lingering());
        let stream = IoStreamAdapter::new(ours);
        let output = stream.output_stream();
        output.write_all(b"read me", NONE).expect("room");
        let gone = Gone::of(&stream);
        drop(stream);
        assert!(gone.is_gone());
        assert!(dropped.get());
        assert!(output.is_closed());
        let read = block_on(context, async move {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.map(|_| all)
        });
        assert_eq!(read.expect("an end"), b"read me");
    });
}

#[test]
fn nothing_is_left_of_one_that_is_dropped_with_a_read_under_way() {
    on_private_context(|context| {
        let (ours, theirs) = pipe(64);
        let (ours, dropped) = Noted::new(ours);
        let stream = IoStreamAdapter::new(ours);
        let input = stream.input_stream();
        let read = start_read(&input, 16, None);
        iterate_until(context, || theirs.waiting() == 1);
        drop(stream);
        // GIO does not close a stream that is busy; the read goes on, and ends with the other side.
        drop(theirs);
        iterate_until(context, || read.borrow().is_some());
        assert!(read.take().expect("ended").expect("the end").is_empty());
        let gone = Gone::of(&input);
        drop(input);
        iterate_until(context, || gone.is_gone());
        assert!(dropped.get());
    });
}

#[test]
fn an_object_that_was_made_by_its_type_alone_is_closed() {
    on_private_context(|context| {
        let type_ = IoStreamAdapter::static_type();
        assert_eq!(type_.name(), "GsockIoStreamAdapter");
        let stream: IoStreamAdapter = glib::Object::new();
        let input = stream.input_stream();
        assert_eq!(input, stream.input_stream());
        assert_fails(input.read(&mut [0], NONE), gio::IOErrorEnum::Closed);
        let output = stream.output_stream();
        assert_fails(output.write(b"?", NONE), gio::IOErrorEnum::Closed);
        assert!(pollable_input(&stream).is_readable());
        let read = start_read(&input, 1, None);
        iterate_until(context, || read.borrow().is_some());
        assert_fails(read.take().expect("ended"), gio::IOErrorEnum::Closed);
        drop(Rc::new(stream));
    });
}
