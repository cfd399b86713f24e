//! Frames that bring descriptors along.

use std::{
    io::{PipeReader, PipeWriter, Read, Write, pipe},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{Framed, Framing, SocketConnection, UnixConnection, prelude::*};

use crate::{support::*, tools::*};

/// A connection, and one who takes no byte from it that he was not asked for.
fn receiver(theirs: UnixStream, framing: Framing) -> (UnixConnection, Framed) {
    let theirs = SocketConnection::factory_create_connection_from_fd(theirs.into());
    let theirs: UnixConnection = theirs.expect("a socket").downcast().expect("a Unix socket");
    let framed = Framed::builder()
        .io_stream(&theirs)
        .framing(framing)
        .read_ahead(false)
        .build();
    (theirs, framed)
}

/// What can be read, once all that write to it are closed.
fn rest_of(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    text
}

fn write_to(fd: OwnedFd, text: &str) {
    PipeWriter::from(fd)
        .write_all(text.as_bytes())
        .expect("room");
}

#[test]
fn descriptors_come_right_behind_their_frame() {
    on_private_context(|context| {
        for framing in [Framing::Lines, Framing::LengthPrefixed, Framing::JsonLines] {
            let (ours, theirs) = pair();
            let sender = Framed::new(&ours, framing);
            let (connection, receiver) = receiver(theirs, framing);
            let mut readers = Vec::new();
            for number in 0..20 {
                let (reader, writer) = pipe().expect("a pipe");
                let frame = number.to_string();
                sender.send(frame.as_bytes()).expect("room");
                let frame = format!("[{number}]");
                let fds = [writer.as_fd(), reader.as_fd()];
                sender
                    .send_with_fds(frame.as_bytes(), &fds[..1 + number % 2])
                    .expect("room");
                readers.push(reader);
            }
            assert_eq!(sender.pending_frames(), 40);
            for (number, reader) in readers.into_iter().enumerate() {
                let frame = block_on(context, receiver.read_frame_future());
                assert_eq!(told(frame), number.to_string());
                let frame = block_on(context, receiver.read_frame_future());
                assert_eq!(told(frame), format!("[{number}]"));
                let fds = block_on(context, connection.receive_fds_future(2));
                let mut fds = fds.expect("descriptors").into_iter();
                assert_eq!(fds.len(), 1 + number % 2);
                write_to(fds.next().expect("the first"), "here");
                drop(fds);
                assert_eq!(rest_of(reader), "here");
            }
            assert_eq!(sender.pending_bytes(), 0);
        }
    });
}

#[test]
fn a_blocking_flush_passes_them_and_waits_for_a_peer_that_is_slow() {
    within(LIMIT, || {
        let (ours, theirs) = pair();
        let sender = Framed::new(&ours, Framing::Lines);
        let (reader, writer) = pipe().expect("a pipe");
        // More than the system takes for a peer that does not read.
        let long = vec![b'x'; 600_000];
        sender.send(&long).expect("room");
        sender
            .send_with_fds(b"end", &[writer.as_fd()])
            .expect("room");
        drop(writer);
        let receiving = thread::spawn(move || {
            let (connection, receiver) = receiver(theirs, Framing::Lines);
            assert_eq!(next(&receiver).len(), 600_000);
            assert_eq!(next(&receiver), "end");
            write_to(connection.receive_fd(NONE).expect("a descriptor"), "here");
            assert_eq!(next(&receiver), "END");
        });
        sender.flush(NONE).expect("it reads");
        assert_eq!(rest_of(reader), "here");
        ours.close(NONE).expect("open");
        receiving.join().expect("no panic");
    });
}

#[test]
fn a_frame_that_finds_no_room_leaves_no_descriptor_and_the_byte_counts() {
    on_private_context(|_| {
        let framed = Framed::builder()
            .keep_queue(true)
            .max_pending_bytes(20)
            .build();
        let (reader, writer) = pipe().expect("a pipe");
        framed.send(b"123456789").expect("room");
        let fds = [writer.as_fd()];
        assert_fails(framed.send_with_fds(b"123456789", &fds), E::WouldBlock);
        assert_eq!(framed.pending_bytes(), 10);
        framed.send_with_fds(b"12345678", &fds).expect("room");
        assert_eq!(framed.pending_bytes(), 20);
        drop(writer);
        // What was queued is all that holds it.
        drop(framed);
        assert_eq!(rest_of(reader), "");
    });
}

#[test]
fn what_cannot_be_passed_is_refused_at_once() {
    on_private_context(|_| {
        let (ours, theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        assert_fails(framed.send_with_fds(b"none", &[]), E::InvalidArgument);
        let many = [theirs.as_fd(); 254];
        assert_fails(framed.send_with_fds(b"many", &many), E::InvalidArgument);
        assert_fails(
            framed.send_with_fds(b"two\nlines", &many[..1]),
            E::InvalidData,
        );
        let (tcp, _peer) = connected();
        let (gio, _peer) = gio_pair();
        let others: [gio::IOStream; 3] = [tcp.upcast(), gio.upcast(), over_bytes(b"")];
        for other in others {
            let framed = Framed::new(&other, Framing::Lines);
            assert_fails(framed.send_with_fds(b"one", &many[..1]), E::NotSupported);
            assert_eq!(framed.pending_frames(), 0);
        }
    });
}

#[test]
fn they_wait_with_their_frame_for_a_stream_that_passes_them() {
    on_private_context(|context| {
        let framed = Framed::builder().keep_queue(true).build();
        let (reader, writer) = pipe().expect("a pipe");
        framed
            .send_with_fds(b"one", &[writer.as_fd()])
            .expect("room");
        framed.send(b"two").expect("room");
        drop(writer);
        // It gets the frame, and nothing that belongs to it.
        let (tcp, mut peer) = connected();
        framed.set_io_stream(Some(&tcp));
        iterate_until(context, || framed.last_error().is_some());
        assert_eq!(code(&framed.last_error().expect("seen")), E::NotSupported);
        let mut got = [0; 4];
        peer.read_exact(&mut got).expect("the frame");
        assert_eq!(&got, b"one\n");
        assert_eq!(framed.pending_frames(), 2);

        let (ours, theirs) = pair();
        let (connection, receiver) = receiver(theirs, Framing::Lines);
        framed.set_io_stream(Some(&ours));
        assert_eq!(told(block_on(context, receiver.read_frame_future())), "one");
        let fd = block_on(context, connection.receive_fd_future());
        write_to(fd.expect("a descriptor"), "here");
        assert_eq!(rest_of(reader), "here");
        assert_eq!(told(block_on(context, receiver.read_frame_future())), "two");
    });
}

#[test]
fn a_frame_whose_descriptors_have_not_gone_out_is_sent_again_as_a_whole() {
    on_private_context(|context| {
        let framed = Framed::builder()
            .keep_queue(true)
            .max_pending_bytes(1 << 20)
            .build();
        let (_reader, writer) = pipe().expect("a pipe");
        let long = vec![b'x'; 600_000];
        framed
            .send_with_fds(&long, &[writer.as_fd()])
            .expect("room");
        let (first, peer) = pair();
        framed.set_io_stream(Some(&first));
        iterate_until(context, || framed.pending_bytes() < 600_002);
        drop(peer);
        iterate_until(context, || framed.last_error().is_some());
        assert_eq!(framed.pending_bytes(), 600_002);
        let (second, theirs) = pair();
        let (connection, receiver) = receiver(theirs, Framing::Lines);
        framed.set_io_stream(Some(&second));
        let frame = block_on(context, receiver.read_frame_future());
        assert_eq!(
            frame.expect("the frame").map(|frame| frame.len()),
            Some(600_000)
        );
        block_on(context, connection.receive_fd_future()).expect("a descriptor");
    });
}
