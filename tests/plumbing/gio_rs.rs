//! What gio-rs makes of any stream: the traits of the standard library and of futures-io.

use std::io::{BufRead, Read, Write};

use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt};
use gio::prelude::*;

use crate::{pairs::*, support::*, tools::*, under::*};

on_both_to_the_end!(
    a_connection_is_read_and_written_by_the_traits_of_futures_io,
    lines_are_a_stream_of_futures,
    streams_are_read_and_written_by_the_traits_of_std,
    readiness_is_a_future_and_a_stream,
);

fn a_connection_is_read_and_written_by_the_traits_of_futures_io(
    side: Side,
    context: &glib::MainContext,
) {
    let (one, other) = base_pair(side);
    let sent = payload(400_000, 91);
    let expected = sent.clone();
    let read = block_on(context, async move {
        let one = (*one).clone().into_async_read_write().unwrap();
        let other = (*other).clone().into_async_read_write().unwrap();
        let (mut from_other, mut to_other) = one.split();
        let (mut from_one, mut to_one) = other.split();
        let echo = async {
            let mut bytes = vec![0; sent.len()];
            from_one.read_exact(&mut bytes).await.unwrap();
            to_one.write_all(&bytes).await.unwrap();
            to_one.close().await.unwrap();
        };
        let asking = async {
            to_other.write_all(&sent).await.unwrap();
            let mut bytes = vec![0; sent.len()];
            from_other.read_exact(&mut bytes).await.unwrap();
            bytes
        };
        futures::join!(echo, asking).1
    });
    assert!(read == expected);
}

fn lines_are_a_stream_of_futures(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    peer.write_all(b"one\ntwo\r\nthree").unwrap();
    drop(peer);
    let lines = block_on(context, async move {
        let input = under.input_stream().into_async_buf_read(16);
        let lines: Vec<_> = input.lines().map(Result::unwrap).collect().await;
        lines
    });
    assert_eq!(lines, ["one", "two", "three"]);
}

fn streams_are_read_and_written_by_the_traits_of_std(side: Side, _: &glib::MainContext) {
    let (one, other) = base_pair(side);
    let mut output = one.output().into_write();
    output.write_all(b"a line\nand the rest").unwrap();
    output.flush().unwrap();
    one.socket().shutdown(false, true).unwrap();
    let mut input = std::io::BufReader::new(other.input().into_read());
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    assert_eq!(line, "a line\n");
    let mut rest = String::new();
    input.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "and the rest");
}

fn readiness_is_a_future_and_a_stream(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let (input, output) = (pollable_input(&*under), pollable_output(&*under));
    let writable = output.create_source_future(gio::Cancellable::NONE, DEFAULT);
    block_on(context, writable);
    let mut readable = input.create_source_stream(gio::Cancellable::NONE, DEFAULT);
    for message in [&b"first"[..], b"second"] {
        let next = async move { (readable.next().await, readable) };
        peer.write_all(message).unwrap();
        let (told, stream) = block_on(context, next);
        assert_eq!(told, Some(()));
        readable = stream;
        wait_readable(&*under);
        assert_eq!(read_now(&*under, 8).unwrap(), message);
    }
}
