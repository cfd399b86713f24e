//! Writing in tasks.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures::AsyncReadExt;
use gio::prelude::*;
use gsock::IoStreamAdapter;

use crate::{support::*, tools::*};

#[test]
fn a_write_takes_what_there_is_room_for() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(3);
        let stream = IoStreamAdapter::new(ours);
        let output = stream.output_stream();
        let count = block_on(
            context,
            output.write_bytes_future(&glib::Bytes::from_static(b"too much"), DEFAULT),
        );
        assert_eq!(count.expect("some room"), 3);

        // The rest waits, and goes on as the other end reads.
        let written = Rc::new(RefCell::new(None));
        let slot = written.clone();
        output.write_all_async(b" of it all".to_vec(), DEFAULT, NONE, move |result| {
            let (_, count, failure) = result.expect("its buffer");
            *slot.borrow_mut() = Some((count, failure));
        });
        iterate_for(context, Duration::from_millis(10));
        assert!(written.borrow().is_none());
        let read = block_on(context, async move {
            let mut buffer = [0; 13];
            theirs.read_exact(&mut buffer).await.expect("all of it");
            buffer
        });
        assert_eq!(&read, b"too of it all");
        iterate_until(context, || written.borrow().is_some());
        let (count, failure) = written.take().expect("ended");
        assert!(failure.is_none(), "{failure:?}");
        assert_eq!(count, 10);
    });
}

#[test]
fn a_cancelled_write_has_written_nothing() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(4);
        let stream = IoStreamAdapter::new(ours);
        let output = stream.output_stream();
        assert_eq!(output.write(b"full", NONE).expect("room"), 4);
        let cancellable = gio::Cancellable::new();
        let written = Slot::default();
        let put = written.clone();
        output.write_bytes_async(
            &glib::Bytes::from_static(b"never"),
            DEFAULT,
            Some(&cancellable),
            move |result| *put.borrow_mut() = Some(result),
        );
        iterate_for(context, Duration::from_millis(5));
        cancellable.cancel();
        iterate_until(context, || written.borrow().is_some());
        assert_fails(written.take().expect("ended"), gio::IOErrorEnum::Cancelled);
        stream.close(NONE).expect("nothing waits");
        let read = block_on(context, async move {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.map(|_| all)
        });
        assert_eq!(read.expect("an end"), b"full");
    });
}

#[test]
fn vectors_and_nothing_are_written_too() {
    on_private_context(|context| {
        let (ours, mut theirs) = pipe(64);
        let stream = IoStreamAdapter::new(ours);
        let output = stream.output_stream();
        assert_eq!(output.write(b"", NONE).expect("nothing to do"), 0);
        let vectors = [b"one ".as_slice(), b"", b"two"].map(gio::OutputVector::new);
        let count = output.writev(&vectors, NONE).expect("room");
        output.flush(NONE).expect("nothing is kept back");
        block_on(context, output.flush_future(DEFAULT)).expect("nothing is kept back");
        let read = block_on(context, async move {
            let mut buffer = [0; 16];
            let count = theirs.read(&mut buffer).await.expect("bytes");
            buffer[..count].to_vec()
        });
        assert_eq!(read.len(), count);
        assert!(b"one two".starts_with(&read[..]));
    });
}
