//! `GConverterInputStream` and `GConverterOutputStream` with zlib around the streams of a connection.

use std::time::Duration;

use gio::{Cancellable, IOErrorEnum, ZlibCompressorFormat, prelude::*};

use crate::{pairs::*, support::*, tools::*, under::*};

on_both_to_the_end!(
    compressed_on_the_way_out_and_plain_on_the_way_in,
    plain_on_the_way_out_and_compressed_on_the_way_in,
    by_callbacks,
    without_waiting_and_with_sources,
    what_is_no_zlib_is_an_error,
    an_end_in_the_middle_is_an_error,
);

/// Bytes that can be made shorter.
fn compressible(count: usize) -> Vec<u8> {
    let words = payload(4_096, 67);
    words.iter().copied().cycle().take(count).collect()
}

fn compressor() -> gio::ZlibCompressor {
    gio::ZlibCompressor::new(ZlibCompressorFormat::Zlib, -1)
}

fn decompressor() -> gio::ZlibDecompressor {
    gio::ZlibDecompressor::new(ZlibCompressorFormat::Zlib)
}

fn end_of(under: &Under) {
    under.socket().shutdown(false, true).unwrap();
}

fn compressed_on_the_way_out_and_plain_on_the_way_in(side: Side, _: &glib::MainContext) {
    let (one, other) = base_pair(side);
    let sent = compressible(1_000_000);
    let bytes = sent.clone();
    let writing = on_thread(&one, move |one| {
        let output = gio::ConverterOutputStream::new(&one.output(), &compressor());
        write_all(output.upcast_ref(), &bytes).unwrap();
        output.close(Cancellable::NONE).unwrap();
        end_of(one);
    });
    let input = gio::ConverterInputStream::new(&other.input(), &decompressor());
    let read = read_exactly(input.upcast_ref(), sent.len() + 1).unwrap();
    assert!(read == sent);
    writing.join().unwrap();
}

fn plain_on_the_way_out_and_compressed_on_the_way_in(side: Side, _: &glib::MainContext) {
    let (one, other) = base_pair(side);
    let sent = compressible(1_000_000);
    let bytes = sent.clone();
    let writing = on_thread(&one, move |one| {
        write_all(&one.output(), &bytes).unwrap();
        end_of(one);
    });
    let input = gio::ConverterInputStream::new(&other.input(), &compressor());
    let shorter = read_exactly(input.upcast_ref(), sent.len()).unwrap();
    writing.join().unwrap();
    assert!(shorter.len() < sent.len() / 2);
    let shorter = gio::MemoryInputStream::from_bytes(&glib::Bytes::from_owned(shorter));
    let input = gio::ConverterInputStream::new(&shorter, &decompressor());
    assert!(read_exactly(input.upcast_ref(), sent.len() + 1).unwrap() == sent);
}

fn by_callbacks(side: Side, context: &glib::MainContext) {
    let (one, other) = base_pair(side);
    let output = gio::ConverterOutputStream::new(&one.output(), &compressor());
    let input = gio::ConverterInputStream::new(&other.input(), &decompressor());
    for message in [&b"a first message"[..], b"and one more"] {
        let reading = start_read(input.upcast_ref(), 64, None);
        let wrote = start_write(output.upcast_ref(), message.to_vec(), None);
        assert_eq!(wrote.wait(context), Ok(message.len()));
        settle(context, Duration::from_millis(5));
        // Zlib has it until the flush.
        assert!(!reading.is_set());
        let flushed = Slot::new();
        output.flush_async(DEFAULT, Cancellable::NONE, flushed.put());
        assert_eq!(flushed.wait(context), Ok(()));
        assert_eq!(reading.wait(context).unwrap(), message);
    }
}

fn without_waiting_and_with_sources(side: Side, context: &glib::MainContext) {
    let (one, other) = base_pair(side);
    let sent = compressible(600_000);
    let output: gio::PollableOutputStream =
        gio::ConverterOutputStream::new(&one.output(), &compressor())
            .dynamic_cast()
            .unwrap();
    let input: gio::PollableInputStream =
        gio::ConverterInputStream::new(&other.input(), &decompressor())
            .dynamic_cast()
            .unwrap();
    assert!(input.can_poll());
    assert!(output.can_poll());
    let mut buffer = vec![0; 10_000];
    let nothing = input.read_nonblocking(&mut buffer, Cancellable::NONE);
    assert_fails(nothing, IOErrorEnum::WouldBlock);

    let writing = std::rc::Rc::new(std::cell::Cell::new(0));
    let (written, bytes, end) = (writing.clone(), sent.clone(), one.clone());
    let out = output.create_source(Cancellable::NONE, Some("out"), DEFAULT, move |output| {
        let rest = &bytes[written.get()..];
        match output.write_nonblocking(&rest[..rest.len().min(30_000)], Cancellable::NONE) {
            Ok(count) => written.set(written.get() + usize::try_from(count).unwrap()),
            Err(failure) => assert_eq!(code(&failure), IOErrorEnum::WouldBlock),
        }
        if written.get() < bytes.len() {
            return glib::ControlFlow::Continue;
        }
        // What is left in zlib is little, so that it finds room.
        let output = output.dynamic_cast_ref::<gio::OutputStream>().unwrap();
        output.close(Cancellable::NONE).unwrap();
        end_of(&end);
        glib::ControlFlow::Break
    });
    out.attach(Some(context));
    let read = std::rc::Rc::new(std::cell::RefCell::new(Some(Vec::new())));
    let done = Slot::new();
    let put = std::cell::Cell::new(Some(done.put()));
    let into = input.create_source(Cancellable::NONE, Some("in"), DEFAULT, move |input| {
        let mut buffer = vec![0; 10_000];
        match input.read_nonblocking(&mut buffer, Cancellable::NONE) {
            Ok(0) => {
                (put.take().unwrap())(read.take().unwrap());
                glib::ControlFlow::Break
            }
            Ok(count) => {
                let count = usize::try_from(count).unwrap();
                let mut read = read.borrow_mut();
                read.as_mut().unwrap().extend_from_slice(&buffer[..count]);
                glib::ControlFlow::Continue
            }
            Err(failure) => {
                assert_eq!(code(&failure), IOErrorEnum::WouldBlock);
                glib::ControlFlow::Continue
            }
        }
    });
    into.attach(Some(context));
    assert!(done.wait(context) == sent);
}

fn what_is_no_zlib_is_an_error(side: Side, _: &glib::MainContext) {
    let (one, other) = base_pair(side);
    write_all(&one.output(), b"plain text, and not a little of it").unwrap();
    let input = gio::ConverterInputStream::new(&other.input(), &decompressor());
    let read = read(input.upcast_ref(), 64);
    assert_fails(read, IOErrorEnum::InvalidData);
}

fn an_end_in_the_middle_is_an_error(side: Side, context: &glib::MainContext) {
    let (one, other) = base_pair(side);
    let output = gio::ConverterOutputStream::new(&one.output(), &compressor());
    write_all(output.upcast_ref(), &payload(5_000, 68)).unwrap();
    output.flush(Cancellable::NONE).unwrap();
    end_of(&one);
    let input = gio::ConverterInputStream::new(&other.input(), &decompressor());
    assert_eq!(
        read_exactly(input.upcast_ref(), 5_000).unwrap().len(),
        5_000
    );
    let cut = start_read(input.upcast_ref(), 8, None).wait(context);
    assert_fails(cut, IOErrorEnum::PartialInput);
}
