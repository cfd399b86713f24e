//! `GDataInputStream` and `GDataOutputStream`: lines and numbers, cut anywhere on their way.

use std::{io::Write, net::Shutdown, time::Duration};

use gio::{Cancellable, DataStreamNewlineType, IOErrorEnum, prelude::*};

use crate::{pairs::*, support::*, tools::*, under::*};

on_both_to_the_end!(
    lines_end_as_they_are_told_to,
    a_line_is_put_together_from_packets,
    an_end_between_two_packets_is_one_end,
    the_last_line_needs_no_end,
    a_line_that_is_waited_for_is_cancelled_and_not_lost,
    lines_are_read_blocking,
    numbers_have_their_byte_order,
    what_is_behind_the_lines_is_read_on_from_the_same_stream,
);

fn lines_over(under: &Under, newline: DataStreamNewlineType) -> gio::DataInputStream {
    let lines = gio::DataInputStream::new(&under.input());
    lines.set_newline_type(newline);
    lines
}

type Line = Result<Option<String>, glib::Error>;

fn start_line(lines: &gio::DataInputStream, cancellable: Option<&Cancellable>) -> Slot<Line> {
    let slot = Slot::new();
    let put = slot.put();
    lines.read_line_async(DEFAULT, cancellable, move |line| {
        put(line.map(|line| line.map(|line| String::from_utf8(line.to_vec()).expect("text"))));
    });
    slot
}

fn lines_end_as_they_are_told_to(side: Side, context: &glib::MainContext) {
    use DataStreamNewlineType as Type;
    let sent = b"one\r\ntwo\nthree\rfour\r\n";
    let cases: [(Type, &[&str]); 4] = [
        (Type::Lf, &["one\r", "two", "three\rfour\r"]),
        (Type::CrLf, &["one", "two\nthree\rfour"]),
        (Type::Cr, &["one", "\ntwo\nthree", "four", "\n"]),
        (Type::Any, &["one", "two", "three", "four"]),
    ];
    for (newline, expected) in cases {
        let (under, mut peer) = connected_of(side);
        let lines = lines_over(&under, newline);
        peer.write_all(sent).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        for line in expected.iter().map(|line| Some(*line)).chain([None]) {
            let read = start_line(&lines, None).wait(context);
            assert_eq!(read.unwrap().as_deref(), line, "{newline:?}");
        }
    }
}

fn a_line_is_put_together_from_packets(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let lines = lines_over(&under, DataStreamNewlineType::Lf);
    let reading = start_line(&lines, None);
    for part in ["in ", "three ", "parts"] {
        peer.write_all(part.as_bytes()).unwrap();
        settle(context, Duration::from_millis(5));
        assert!(!reading.is_set());
    }
    peer.write_all(b"\nand the next\n").unwrap();
    assert_eq!(reading.wait(context).unwrap().unwrap(), "in three parts");
    let next = start_line(&lines, None).wait(context);
    assert_eq!(next.unwrap().unwrap(), "and the next");
}

fn an_end_between_two_packets_is_one_end(side: Side, context: &glib::MainContext) {
    for newline in [DataStreamNewlineType::CrLf, DataStreamNewlineType::Any] {
        let (under, mut peer) = connected_of(side);
        let lines = lines_over(&under, newline);
        let reading = start_line(&lines, None);
        peer.write_all(b"cut\r").unwrap();
        settle(context, Duration::from_millis(5));
        peer.write_all(b"\nnext\r\n").unwrap();
        assert_eq!(
            reading.wait(context).unwrap().unwrap(),
            "cut",
            "{newline:?}"
        );
        let next = start_line(&lines, None).wait(context);
        assert_eq!(next.unwrap().unwrap(), "next", "{newline:?}");
    }
}

fn the_last_line_needs_no_end(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let lines = lines_over(&under, DataStreamNewlineType::Any);
    peer.write_all(b"whole\nhalf").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    for line in [Some("whole"), Some("half"), None] {
        let read = start_line(&lines, None).wait(context);
        assert_eq!(read.unwrap().as_deref(), line);
    }
}

fn a_line_that_is_waited_for_is_cancelled_and_not_lost(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let lines = lines_over(&under, DataStreamNewlineType::Lf);
    let cancellable = Cancellable::new();
    let reading = start_line(&lines, Some(&cancellable));
    peer.write_all(b"half of").unwrap();
    settle(context, Duration::from_millis(10));
    cancellable.cancel();
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    peer.write_all(b" a line\n").unwrap();
    let line = start_line(&lines, None).wait(context);
    assert_eq!(line.unwrap().unwrap(), "half of a line");
}

fn lines_are_read_blocking(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = connected_of(side);
    let lines = lines_over(&under, DataStreamNewlineType::CrLf);
    let long = "l".repeat(100_000);
    let sent = format!("{long}\r\n\r\nlast\r\n");
    let writing = std::thread::spawn(move || {
        for part in sent.as_bytes().chunks(7_001) {
            peer.write_all(part).unwrap();
        }
    });
    let line = || lines.read_line_utf8(Cancellable::NONE).unwrap();
    assert!(line().unwrap() == long);
    assert_eq!(line().unwrap(), "");
    assert_eq!(line().unwrap(), "last");
    writing.join().unwrap();
    assert!(line().is_none());
}

fn numbers_have_their_byte_order(side: Side, _: &glib::MainContext) {
    let (one, other) = base_pair(side);
    let output = gio::DataOutputStream::new(&one.output());
    let input = gio::DataInputStream::new(&other.input());
    output.put_uint32(0x0102_0304, Cancellable::NONE).unwrap();
    output.put_int16(-9, Cancellable::NONE).unwrap();
    assert_eq!(input.read_uint32(Cancellable::NONE), Ok(0x0102_0304));
    output.put_uint32(0x0102_0304, Cancellable::NONE).unwrap();
    input.set_byte_order(gio::DataStreamByteOrder::LittleEndian);
    assert_eq!(input.read_int16(Cancellable::NONE), Ok(-2_049));
    assert_eq!(input.read_uint32(Cancellable::NONE), Ok(0x0403_0201));
}

fn what_is_behind_the_lines_is_read_on_from_the_same_stream(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = connected_of(side);
    let lines = lines_over(&under, DataStreamNewlineType::CrLf);
    lines.set_close_base_stream(false);
    let body = payload(50_000, 65);
    peer.write_all(b"Content-Length: 50000\r\n\r\n").unwrap();
    let sent = body.clone();
    let writing = std::thread::spawn(move || peer.write_all(&sent).map(|()| peer).unwrap());
    let head = start_line(&lines, None).wait(context);
    assert_eq!(head.unwrap().unwrap(), "Content-Length: 50000");
    assert_eq!(start_line(&lines, None).wait(context).unwrap().unwrap(), "");
    let read = read_exactly(lines.upcast_ref(), body.len());
    assert!(read.unwrap() == body);
    lines.close(Cancellable::NONE).unwrap();
    assert!(!under.input().is_closed());
    drop(writing.join().unwrap());
}
