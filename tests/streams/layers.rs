//! What others build on the streams: GIO's filter streams and the standard library's traits.

use std::{
    io::{Read, Write},
    thread,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};

use crate::{support::*, tools::*};

over_both!(
    lines_are_read_through_a_data_stream,
    a_buffered_stream_writes_when_it_is_flushed,
    a_converter_passes_through_both_directions,
    the_standard_librarys_traits_work,
);

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

fn lines_are_read_through_a_data_stream(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let lines = gio::DataInputStream::new(&connection.input_stream());
    let late = thread::spawn(move || {
        for piece in ["one\ntw", "o\n", "three\nfo", "ur"] {
            a_moment();
            peer.write_all(piece.as_bytes()).unwrap();
        }
    });
    let line = lines.read_line_utf8(Cancellable::NONE).unwrap();
    assert_eq!(line.as_deref(), Some("one"));
    let (second, third) = block_on(context, {
        let lines = lines.clone();
        async move {
            let second = lines.read_line_utf8_future(DEFAULT).await.unwrap();
            (second, lines.read_line_utf8_future(DEFAULT).await.unwrap())
        }
    });
    assert_eq!(second.as_deref(), Some("two"));
    assert_eq!(third.as_deref(), Some("three"));
    let last = lines.read_line_utf8(Cancellable::NONE).unwrap();
    assert_eq!(last.as_deref(), Some("four"));
    assert_eq!(lines.read_line_utf8(Cancellable::NONE).unwrap(), None);
    late.join().unwrap();
}

fn a_buffered_stream_writes_when_it_is_flushed(make: Make, context: &glib::MainContext) {
    let (connection, mut peer) = make();
    let buffered = gio::BufferedOutputStream::new(&connection.output_stream());
    buffered.set_close_base_stream(false);
    buffered.write_all(b"kept back", Cancellable::NONE).unwrap();
    peer.set_nonblocking(true).unwrap();
    let nothing = peer.read(&mut [0; 16]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    peer.set_nonblocking(false).unwrap();
    buffered.flush(Cancellable::NONE).unwrap();
    let mut received = [0; 9];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"kept back");
    buffered
        .write_all(b" and again", Cancellable::NONE)
        .unwrap();
    block_on(context, buffered.flush_future(DEFAULT)).unwrap();
    let mut received = [0; 10];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b" and again");
    block_on(context, buffered.close_future(DEFAULT)).unwrap();
    assert!(!connection.output_stream().is_closed());
}

/// Which is pollable because the stream under it is.
fn a_converter_passes_through_both_directions(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let deflate = gio::ZlibCompressor::new(gio::ZlibCompressorFormat::Zlib, -1);
    let inflate = gio::ZlibDecompressor::new(gio::ZlibCompressorFormat::Zlib);
    let output = gio::ConverterOutputStream::new(&one.output_stream(), &deflate);
    let input = gio::ConverterInputStream::new(&other.input_stream(), &inflate);
    let pollable = input.clone().upcast::<gio::PollableInputStream>();
    assert!(pollable.can_poll());
    let mut buffer = [0; 16];
    assert_fails(
        pollable.read_nonblocking(&mut buffer, Cancellable::NONE),
        IOErrorEnum::WouldBlock,
    );
    let bytes = payload(300_000, 71);
    let expected = bytes.clone();
    let received = block_on(context, async move {
        let reading = input.read_all_future(vec![0; 300_000], DEFAULT);
        let writing = async move {
            output
                .write_all_future(bytes, DEFAULT)
                .await
                .plain()
                .unwrap();
            output.close_future(DEFAULT).await.unwrap();
        };
        let writing = glib::MainContext::ref_thread_default().spawn_local(writing);
        let received = reading.await.plain().unwrap().0;
        writing.await.unwrap();
        received
    });
    assert!(received == expected);
}

fn the_standard_librarys_traits_work(make: Make, _: &glib::MainContext) {
    let (connection, mut peer) = make();
    let mut reader = connection.input_stream().into_read();
    let mut writer = connection.output_stream().into_write();
    writer.write_all(b"written").unwrap();
    writer.flush().unwrap();
    let mut received = [0; 7];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"written");
    peer.write_all(b"read").unwrap();
    drop(peer);
    let mut received = String::new();
    reader.read_to_string(&mut received).unwrap();
    assert_eq!(received, "read");
    connection.close(Cancellable::NONE).unwrap();
    // std has no kind for it: what is left is GIO's error, by which the caller knows.
    let failure = reader.read(&mut [0]).unwrap_err();
    let failure = failure
        .get_ref()
        .and_then(|error| error.downcast_ref::<glib::Error>());
    assert_eq!(failure.map(code), Some(IOErrorEnum::Closed));
}
