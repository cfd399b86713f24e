//! Much data both ways at once, to the byte.

use std::{
    io::{Read, Write},
    thread,
};

use gio::{Cancellable, prelude::*};
use gsock::{SocketConnection, prelude::*};

use crate::{support::*, tools::*};

over_both!(
    much_data_passes_both_ways_while_blocking,
    much_data_passes_both_ways_in_a_context,
    much_data_passes_between_two_of_ours_while_blocking,
    much_data_passes_between_two_of_ours_in_a_context,
    much_data_passes_in_pieces_of_every_size,
    an_echo_comes_back_to_the_byte,
);

const MUCH: usize = 16 << 20;
const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

/// Writes the payload of a seed, whole.
fn write_much(output: &gio::OutputStream, seed: u64) {
    let written = output
        .write_all(&payload(MUCH, seed), Cancellable::NONE)
        .unwrap();
    assert_eq!(written, (MUCH, None));
}

/// Reads up to the end in pieces, and compares with the payload of a seed.
fn read_much(input: &gio::InputStream, seed: u64) {
    let (mut sum, mut total) = (Checksum::EMPTY, 0);
    let mut buffer = vec![0; 100_003];
    while total < MUCH {
        let count = input.read(&mut buffer, Cancellable::NONE).unwrap();
        assert_ne!(count, 0, "it ended after {total} bytes");
        sum = sum.and(&buffer[..count]);
        total += count;
    }
    assert_eq!((total, sum), (MUCH, Checksum::of(&payload(MUCH, seed))));
}

async fn write_much_async(output: gio::OutputStream, seed: u64) {
    let written = output
        .write_all_future(payload(MUCH, seed), DEFAULT)
        .await
        .plain()
        .unwrap();
    assert_eq!((written.1, written.2), (MUCH, None));
}

async fn read_much_async(input: gio::InputStream, seed: u64) {
    let (mut sum, mut total) = (Checksum::EMPTY, 0);
    let mut buffer = vec![0; 100_003];
    while total < MUCH {
        let (lent, count) = input.read_future(buffer, DEFAULT).await.plain().unwrap();
        assert_ne!(count, 0, "it ended after {total} bytes");
        sum = sum.and(&lent[..count]);
        total += count;
        buffer = lent;
    }
    assert_eq!((total, sum), (MUCH, Checksum::of(&payload(MUCH, seed))));
}

fn assert_counted(connection: &SocketConnection) {
    assert_eq!(connection.bytes_read(), MUCH as u64);
    assert_eq!(connection.bytes_written(), MUCH as u64);
}

/// The peer's part: sends one payload and compares what it gets with another.
fn exchange(peer: std::net::TcpStream, sends: u64, gets: u64) -> thread::JoinHandle<()> {
    let mut sink = peer.try_clone().unwrap();
    let mut source = peer;
    thread::spawn(move || {
        let sending = thread::spawn(move || source.write_all(&payload(MUCH, sends)).unwrap());
        let mut received = vec![0; MUCH];
        sink.read_exact(&mut received).unwrap();
        assert_eq!(Checksum::of(&received), Checksum::of(&payload(MUCH, gets)));
        sending.join().unwrap();
    })
}

fn much_data_passes_both_ways_while_blocking(make: Make, _: &glib::MainContext) {
    let (connection, peer) = make();
    let exchanging = exchange(peer, 31, 32);
    let writer = on_thread(&connection.output_stream(), |output| write_much(output, 32));
    read_much(&connection.input_stream(), 31);
    writer.join().unwrap();
    exchanging.join().unwrap();
    assert_counted(&connection);
}

fn much_data_passes_both_ways_in_a_context(make: Make, context: &glib::MainContext) {
    let (connection, peer) = make();
    let exchanging = exchange(peer, 33, 34);
    let writer = context.spawn_local(write_much_async(connection.output_stream(), 34));
    let reader = context.spawn_local(read_much_async(connection.input_stream(), 33));
    block_on(context, async move {
        writer.await.unwrap();
        reader.await.unwrap();
    });
    exchanging.join().unwrap();
    assert_counted(&connection);
}

fn much_data_passes_between_two_of_ours_while_blocking(make: Make, _: &glib::MainContext) {
    let (one, other) = pair(make);
    let workers = [
        on_thread(&one.output_stream(), |output| write_much(output, 35)),
        on_thread(&other.output_stream(), |output| write_much(output, 36)),
        on_thread(&other.input_stream(), |input| read_much(input, 35)),
    ];
    read_much(&one.input_stream(), 36);
    for worker in workers {
        worker.join().unwrap();
    }
    assert_counted(&one);
    assert_counted(&other);
}

fn much_data_passes_between_two_of_ours_in_a_context(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let tasks = [
        context.spawn_local(write_much_async(one.output_stream(), 37)),
        context.spawn_local(write_much_async(other.output_stream(), 38)),
        context.spawn_local(read_much_async(other.input_stream(), 37)),
        context.spawn_local(read_much_async(one.input_stream(), 38)),
    ];
    block_on(context, async move {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_counted(&one);
    assert_counted(&other);
}

/// Sizes from one byte to more than the system's buffers, of every form of writing in turn.
fn much_data_passes_in_pieces_of_every_size(make: Make, context: &glib::MainContext) {
    let sizes = [
        1, 2, 3, 1000, 1023, 1024, 1025, 4096, 65_535, 65_537, 300_000, 7_000_000,
    ];
    let total: usize = sizes.iter().sum();
    let bytes = payload(total, 39);
    let (one, other) = pair(make);
    let (output, input) = (one.output_stream(), other.input_stream());
    let sent = bytes.clone();
    let writing = context.spawn_local(async move {
        let mut rest = &sent[..];
        for (turn, size) in sizes.into_iter().enumerate() {
            let (piece, after) = rest.split_at(size);
            rest = after;
            let count = match turn % 3 {
                0 => {
                    output
                        .write_all_future(piece.to_vec(), DEFAULT)
                        .await
                        .plain()
                        .unwrap()
                        .1
                }
                1 => {
                    let vectors: Vec<_> = piece.chunks(1500).map(<[u8]>::to_vec).collect();
                    output
                        .writev_all_future(vectors, DEFAULT)
                        .await
                        .plain()
                        .unwrap()
                        .1
                }
                _ => {
                    let mut written = 0;
                    while written < size {
                        let left = glib::Bytes::from(&piece[written..]);
                        let count = output.write_bytes_future(&left, DEFAULT).await.unwrap();
                        written += usize::try_from(count).unwrap();
                    }
                    written
                }
            };
            assert_eq!(count, size);
        }
    });
    let received = block_on(context, async move {
        let read = input
            .read_all_future(vec![0; total], DEFAULT)
            .await
            .unwrap();
        writing.await.unwrap();
        read.0
    });
    assert_eq!(Checksum::of(&received), Checksum::of(&bytes));
}

/// ST-45: one splices its own input into its own output.
fn an_echo_comes_back_to_the_byte(make: Make, context: &glib::MainContext) {
    const SIZE: usize = 1 << 20;
    let (connection, peer) = make();
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let mut sink = peer.try_clone().unwrap();
    let mut source = peer;
    let sending = thread::spawn(move || {
        source.write_all(&payload(SIZE, 40)).unwrap();
        source.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let receiving = thread::spawn(move || {
        let mut received = vec![0; SIZE];
        sink.read_exact(&mut received).unwrap();
        Checksum::of(&received)
    });
    let flags = gio::OutputStreamSpliceFlags::NONE;
    let count = block_on(context, async move {
        output.splice_future(&input, flags, DEFAULT).await.unwrap()
    });
    assert_eq!(count, SIZE as isize);
    sending.join().unwrap();
    assert_eq!(receiving.join().unwrap(), Checksum::of(&payload(SIZE, 40)));
}
