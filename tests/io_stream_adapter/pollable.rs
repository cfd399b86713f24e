//! What does not wait, and sources.

use std::{cell::Cell, rc::Rc, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt};
use gio::prelude::*;
use gsock::IoStreamAdapter;

use crate::{support::*, tools::*};

fn fires(source: &glib::Source, context: &glib::MainContext) {
    source.attach(Some(context));
}

fn count_source(
    input: &gio::PollableInputStream,
    cancellable: Option<&gio::Cancellable>,
) -> (glib::Source, Rc<Cell<usize>>) {
    let count = Rc::new(Cell::new(0));
    let its = count.clone();
    let source = input.create_source(cancellable, None, DEFAULT, move |_| {
        its.set(its.get() + 1);
        glib::ControlFlow::Continue
    });
    (source, count)
}

#[test]
fn what_is_not_there_would_block() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(4);
        let stream = IoStreamAdapter::new(ours);
        let (input, output) = (pollable_input(&stream), pollable_output(&stream));
        assert!(input.can_poll());
        assert!(output.can_poll());
        assert!(!input.is_readable());
        assert_fails(
            input.read_nonblocking(&mut [0; 4], NONE),
            gio::IOErrorEnum::WouldBlock,
        );
        assert!(output.is_writable());
        assert_eq!(output.write_nonblocking(b"12345", NONE).expect("room"), 4);
        assert_fails(
            output.write_nonblocking(b"5", NONE),
            gio::IOErrorEnum::WouldBlock,
        );
        assert!(!output.is_writable());

        let (read, _theirs) = block_on(context, async move {
            theirs.write_all(b"abc").await.expect("room");
            let mut buffer = [0; 8];
            let count = theirs.read(&mut buffer).await.expect("bytes");
            (buffer[..count].to_vec(), theirs)
        });
        assert_eq!(read, b"1234");
        assert!(output.is_writable());
        // To ask takes nothing away.
        assert!(input.is_readable());
        assert!(input.is_readable());
        let mut buffer = [0; 2];
        assert_eq!(input.read_nonblocking(&mut buffer, NONE).expect("there"), 2);
        assert_eq!(&buffer, b"ab");
        assert!(input.is_readable());
        let rest = stream.input_stream().read_bytes(8, NONE).expect("there");
        assert_eq!(&*rest, b"c");
        assert!(!input.is_readable());
        let cancelled = gio::Cancellable::new();
        cancelled.cancel();
        assert_fails(
            input.read_nonblocking(&mut buffer, Some(&cancelled)),
            gio::IOErrorEnum::Cancelled,
        );
    });
}

#[test]
fn a_source_fires_for_as_long_as_there_is_something_to_read() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let input = pollable_input(&stream);
        let (source, count) = count_source(&input, None);
        fires(&source, context);
        iterate_for(context, Duration::from_millis(10));
        assert_eq!(count.get(), 0);
        let _theirs = block_on(context, async move {
            theirs.write_all(b"two").await.expect("room");
            theirs
        });
        iterate_until(context, || count.get() >= 2);
        let mut buffer = [0; 8];
        assert_eq!(input.read_nonblocking(&mut buffer, NONE).expect("there"), 3);
        assert_eq!(&buffer[..3], b"two");
        let before = count.get();
        iterate_for(context, Duration::from_millis(10));
        assert_eq!(count.get(), before);
        source.destroy();
    });
}

#[test]
fn a_source_fires_at_the_end_and_once_after_a_close() {
    on_private_context(|context| {
        let (ours, theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let input = pollable_input(&stream);
        let (source, count) = count_source(&input, None);
        fires(&source, context);
        drop(theirs);
        iterate_until(context, || count.get() >= 2);
        assert_eq!(
            input.read_nonblocking(&mut [0; 4], NONE).expect("the end"),
            0
        );
        source.destroy();

        let (source, count) = count_source(&input, None);
        stream.close(NONE).expect("nothing is in the way");
        assert_fails(
            input.read_nonblocking(&mut [0; 4], NONE),
            gio::IOErrorEnum::Closed,
        );
        fires(&source, context);
        iterate_until(context, || count.get() == 1);
        iterate_for(context, Duration::from_millis(10));
        assert_eq!(count.get(), 1);
        source.destroy();
    });
}

#[test]
fn a_cancellation_makes_a_source_fire() {
    on_private_context(|context| {
        let (ours, _theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let cancellable = gio::Cancellable::new();
        let (source, count) = count_source(&pollable_input(&stream), Some(&cancellable));
        fires(&source, context);
        iterate_for(context, Duration::from_millis(5));
        assert_eq!(count.get(), 0);
        cancellable.cancel();
        iterate_until(context, || count.get() > 0);
        source.destroy();
    });
}

#[test]
fn a_source_for_writing_fires_when_the_stream_has_woken_whom_it_refused() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(2);
        let stream = IoStreamAdapter::new(ours);
        let output = pollable_output(&stream);
        assert_eq!(output.write_nonblocking(b"ab", NONE).expect("room"), 2);
        assert_fails(
            output.write_nonblocking(b"c", NONE),
            gio::IOErrorEnum::WouldBlock,
        );
        let count = Rc::new(Cell::new(0));
        let its = count.clone();
        let source = output.create_source(NONE, None, DEFAULT, move |_| {
            its.set(its.get() + 1);
            glib::ControlFlow::Break
        });
        fires(&source, context);
        iterate_for(context, Duration::from_millis(10));
        assert_eq!(count.get(), 0);
        let _theirs = block_on(context, async move {
            theirs.read_exact(&mut [0; 1]).await.expect("a byte");
            theirs
        });
        iterate_until(context, || count.get() == 1);
        assert_eq!(output.write_nonblocking(b"c", NONE).expect("room"), 1);
    });
}

#[test]
fn a_source_of_a_closed_stream_fires_once_though_the_other_one_is_open() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let input = pollable_input(&stream);
        stream.input_stream().close(NONE).expect("not busy");
        block_on(context, async move {
            theirs.write_all(b"for nobody").await.expect("room");
        });
        let (source, count) = count_source(&input, None);
        fires(&source, context);
        iterate_until(context, || count.get() == 1);
        iterate_for(context, Duration::from_millis(10));
        assert_eq!(count.get(), 1);
        source.destroy();
    });
}

/// All are woken, and look for themselves: the stream knows of one only.
#[test]
fn sources_and_a_read_wait_for_one_stream() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let input = pollable_input(&stream);
        let read = start_read(&stream.input_stream(), 1, None);
        let (one, ones) = count_source(&input, None);
        let (other, others) = count_source(&input, None);
        fires(&one, context);
        fires(&other, context);
        iterate_for(context, Duration::from_millis(5));
        let _theirs = block_on(context, async move {
            theirs.write_all(b"abc").await.expect("room");
            theirs
        });
        iterate_until(context, || {
            read.borrow().is_some() && ones.get() > 0 && others.get() > 0
        });
        assert_eq!(read.take().expect("ended").expect("bytes"), b"a");
        one.destroy();
        other.destroy();
        let rest = stream.input_stream().read_bytes(8, NONE).expect("there");
        assert_eq!(&*rest, b"bc");
    });
}

/// A source that nobody destroys goes with its context, and leaves no waker behind.
#[test]
fn a_source_does_not_keep_its_context() {
    on_private_context(|_| {
        let (ours, _theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let input = pollable_input(&stream);
        let context = glib::MainContext::new();
        let (source, count) = count_source(&input, None);
        let gone = Rc::downgrade(&count);
        fires(&source, &context);
        drop((source, count));
        context
            .with_thread_default(|| context.iteration(false))
            .expect("nobody else has it");
        assert!(gone.upgrade().is_some());
        drop(context);
        assert!(gone.upgrade().is_none());
    });
}

/// GIO's own functions for what does not wait do not look.
#[test]
fn what_does_not_wait_finds_a_closed_output_closed() {
    on_private_context(|_| {
        let stream = IoStreamAdapter::new(futures::io::Cursor::new(Vec::new()));
        let output = stream.output_stream();
        let pollable = pollable_output(&stream);
        assert_eq!(pollable.write_nonblocking(b"one", NONE).expect("room"), 3);
        output.close(NONE).expect("open");
        assert_fails(
            pollable.write_nonblocking(b"two", NONE),
            gio::IOErrorEnum::Closed,
        );
    });
}
