//! States of a connection and what each operation answers in them: one table for both classes.

use std::{
    any::Any,
    io::Write,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, prelude::*};

use crate::{support::*, tools::*, under::*};

/// A connection in some state, the peer, and what must live meanwhile.
struct Scene {
    under: Under,
    peer: Option<TcpStream>,
    /// Where a connect goes to.
    address: SocketAddr,
    cancellable: Option<Cancellable>,
    _kept: Vec<Box<dyn Any>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Read,
    Write,
    WriteVectors,
    Skip,
    Flush,
    ReadAsync,
    WriteAsync,
    WriteVectorsAsync,
    FlushAsync,
    ReadNow,
    WriteNow,
    ReadNothing,
    WriteNothing,
    ReadNothingNow,
    Connect,
    ConnectAsync,
    CloseInput,
    CloseOutput,
    CloseInputAsync,
    CloseOutputAsync,
    Close,
    CloseAsync,
}

use Op::*;

/// A blocking operation, on another thread; ended by its cancellable if it is expected to wait.
fn blocking<T: Clone + 'static, R: Into<Outcome> + Send + 'static>(
    scene: &Scene,
    waits: bool,
    on: &T,
    work: impl FnOnce(&T, Option<&Cancellable>) -> R + Send + 'static,
) -> Outcome {
    let cancellable = match &scene.cancellable {
        Some(cancellable) => Some(cancellable.clone()),
        None if waits => Some(Cancellable::new()),
        None => None,
    };
    let with = cancellable.clone();
    let worker = on_thread(on, move |on| work(on, with.as_ref()));
    if waits {
        a_moment();
        if !worker.is_finished() {
            cancellable.expect("made above").cancel();
            assert_eq!(worker.join().unwrap().into(), Fails(IOErrorEnum::Cancelled));
            return Waits;
        }
    }
    worker.join().unwrap().into()
}

fn answered<T: Into<Outcome> + 'static>(
    slot: &Slot<T>,
    waits: bool,
    context: &glib::MainContext,
) -> Outcome {
    if waits {
        iterate_for(context, Duration::from_millis(40));
        if !slot.is_set() {
            return Waits;
        }
    }
    slot.wait(context).into()
}

fn perform(op: Op, scene: &Scene, waits: bool, context: &glib::MainContext) -> Outcome {
    let under = &scene.under;
    let cancellable = scene.cancellable.as_ref();
    let (input, output) = (under.input(), under.output());
    match op {
        Read => blocking(scene, waits, &input, |input, cancellable| {
            let mut buffer = vec![0; 16];
            input.read(&mut buffer, cancellable).map(|count| {
                buffer.truncate(count);
                buffer
            })
        }),
        Write => blocking(scene, waits, &output, |output, cancellable| {
            output.write(b"w", cancellable)
        }),
        WriteVectors => blocking(scene, waits, &output, |output, cancellable| {
            output.writev(&[gio::OutputVector::new(b"w")], cancellable)
        }),
        Skip => blocking(scene, waits, &input, |input, cancellable| {
            input.skip(2, cancellable)
        }),
        Flush => output.flush(cancellable).into(),
        ReadAsync => answered(&start_read(&input, 16, cancellable), waits, context),
        WriteAsync => answered(
            &start_write(&output, b"w".to_vec(), cancellable),
            waits,
            context,
        ),
        WriteVectorsAsync => {
            let slot = Slot::new();
            let put = slot.put();
            output.writev_async(["w"], DEFAULT, cancellable, move |result| {
                put(result
                    .map(|(_, count)| count)
                    .map_err(|(_, failure)| failure));
            });
            answered(&slot, waits, context)
        }
        FlushAsync => {
            let slot = Slot::new();
            output.flush_async(DEFAULT, cancellable, slot.put());
            answered(&slot, waits, context)
        }
        ReadNow => {
            let mut buffer = vec![0; 16];
            let read = pollable_input(&**under).read_nonblocking(&mut buffer, cancellable);
            read.map(|count| buffer[..usize::try_from(count).expect("a count")].to_vec())
                .into()
        }
        WriteNow => pollable_output(&**under)
            .write_nonblocking(b"w", cancellable)
            .into(),
        ReadNothing => input.read([], cancellable).into(),
        WriteNothing => output.write(b"", cancellable).into(),
        ReadNothingNow => pollable_input(&**under)
            .read_nonblocking(&mut [], cancellable)
            .into(),
        Connect => {
            let address = scene.address;
            blocking(scene, waits, under, move |under, cancellable| {
                under.connect(address, cancellable)
            })
        }
        ConnectAsync => answered(
            &under.start_connect(scene.address, cancellable),
            waits,
            context,
        ),
        CloseInput => input.close(cancellable).into(),
        CloseOutput => output.close(cancellable).into(),
        CloseInputAsync => {
            let slot = Slot::new();
            input.close_async(DEFAULT, cancellable, slot.put());
            answered(&slot, waits, context)
        }
        CloseOutputAsync => {
            let slot = Slot::new();
            output.close_async(DEFAULT, cancellable, slot.put());
            answered(&slot, waits, context)
        }
        Close => under.close(cancellable).into(),
        CloseAsync => answered(&under.start_close(cancellable), waits, context),
    }
}

/// Each row on a scene of its own; a close is followed by a look whether it closed.
#[track_caller]
fn check(
    side: Side,
    context: &glib::MainContext,
    scene: impl Fn(Side, &glib::MainContext) -> Scene,
    rows: &[(Op, Outcome)],
) {
    let mut wrong = Vec::new();
    for (op, expected) in rows {
        let scene = scene(side, context);
        let was_closed = scene.under.is_closed();
        let actual = perform(*op, &scene, *expected == Waits, context);
        if actual != *expected {
            wrong.push(format!("{op:?}: {actual:?}, and {expected:?} was expected"));
        }
        if matches!(op, Close | CloseAsync) && *expected != Fails(IOErrorEnum::Pending) {
            assert!(scene.under.is_closed(), "{op:?}");
            assert!(scene.under.socket().is_closed(), "{op:?}");
            assert!(!scene.under.is_connected(), "{op:?}");
        } else {
            assert_eq!(scene.under.is_closed(), was_closed, "{op:?}");
        }
        // Whatever waits is answered before the scene goes.
        let _ = scene.under.close(Cancellable::NONE);
        iterate_for(context, Duration::from_millis(2));
        drop(scene.peer);
    }
    assert!(wrong.is_empty(), "{side:?}:\n{}", wrong.join("\n"));
}

fn scene(under: Under, peer: impl Into<Option<TcpStream>>) -> Scene {
    Scene {
        under,
        peer: peer.into(),
        address: SocketAddr::from(([127, 0, 0, 1], 9)),
        cancellable: None,
        _kept: Vec::new(),
    }
}

fn cancelled() -> Option<Cancellable> {
    let cancellable = Cancellable::new();
    cancellable.cancel();
    Some(cancellable)
}

fn bytes(bytes: &[u8]) -> Outcome {
    Bytes(bytes.to_vec())
}

fn idle(side: Side) -> Scene {
    let (under, peer) = side.connected();
    scene(under, peer)
}

fn with_data(side: Side) -> Scene {
    let mut scene = idle(side);
    scene
        .peer
        .as_mut()
        .expect("connected")
        .write_all(b"data")
        .expect("connected");
    wait_readable(&*scene.under);
    scene
}

on_both!(
    never_connected,
    never_connected_unix,
    connect_in_progress,
    connected_and_idle,
    connected_and_there_is_data,
    other_operations_pending_on_the_streams,
    an_operation_pending_on_the_connection,
    streams_closed,
    connection_closed,
    cancelled_before,
    cancelled_before_a_connect,
    cancelled_and_never_connected,
    peer_closed,
    peer_reset,
    refused,
    closed_and_cancelled,
    socket_timeout,
    timeout_of_a_connect,
);

fn never_connected(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let (listener, address) = listener();
            let mut scene = scene(side.unconnected(), None);
            scene.address = address;
            scene._kept.push(Box::new(listener));
            scene
        },
        &[
            (Read, Fails(IOErrorEnum::NotConnected)),
            (ReadAsync, Fails(IOErrorEnum::NotConnected)),
            (ReadNow, Fails(IOErrorEnum::NotConnected)),
            (Skip, Fails(IOErrorEnum::NotConnected)),
            (Write, Fails(IOErrorEnum::BrokenPipe)),
            (WriteVectors, Fails(IOErrorEnum::BrokenPipe)),
            (WriteAsync, Fails(IOErrorEnum::BrokenPipe)),
            (WriteVectorsAsync, Fails(IOErrorEnum::BrokenPipe)),
            (WriteNow, Fails(IOErrorEnum::BrokenPipe)),
            (ReadNothing, Count(0)),
            (WriteNothing, Count(0)),
            (Flush, Done),
            (FlushAsync, Done),
            (Connect, Done),
            (ConnectAsync, Done),
            (CloseInput, Done),
            (CloseOutput, Done),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn never_connected_unix(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let socket = gio::Socket::new(
                gio::SocketFamily::Unix,
                gio::SocketType::Stream,
                gio::SocketProtocol::Default,
            )
            .expect("a socket");
            scene(side.around(&socket), None)
        },
        &[
            (Read, Fails(IOErrorEnum::InvalidArgument)),
            (ReadAsync, Fails(IOErrorEnum::InvalidArgument)),
            (ReadNow, Fails(IOErrorEnum::InvalidArgument)),
            (Write, Fails(IOErrorEnum::NotConnected)),
            (WriteVectors, Fails(IOErrorEnum::NotConnected)),
            (WriteAsync, Fails(IOErrorEnum::NotConnected)),
            (WriteNow, Fails(IOErrorEnum::NotConnected)),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn connect_in_progress(side: Side, context: &glib::MainContext) {
    let deaf = deaf_listener();
    check(
        side,
        context,
        |side, context| {
            let mut scene = scene(side.unconnected(), None);
            scene.address = deaf.address;
            let connecting = scene.under.start_connect(deaf.address, None);
            iterate_for(context, Duration::from_millis(5));
            assert!(!connecting.is_set());
            scene._kept.push(Box::new(connecting));
            scene
        },
        &[
            (Read, Waits),
            (ReadAsync, Waits),
            (ReadNow, Fails(IOErrorEnum::WouldBlock)),
            (Write, Waits),
            (WriteAsync, Waits),
            (WriteVectors, Waits),
            (WriteNow, Fails(IOErrorEnum::WouldBlock)),
            (Connect, Fails(IOErrorEnum::Failed)),
            (ConnectAsync, Fails(IOErrorEnum::Failed)),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn connected_and_idle(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| idle(side),
        &[
            (Read, Waits),
            (ReadAsync, Waits),
            (ReadNow, Fails(IOErrorEnum::WouldBlock)),
            (ReadNothing, Count(0)),
            (ReadNothingNow, Count(0)),
            (Skip, Waits),
            (Write, Count(1)),
            (WriteVectors, Count(1)),
            (WriteAsync, Count(1)),
            (WriteVectorsAsync, Count(1)),
            (WriteNow, Count(1)),
            (WriteNothing, Count(0)),
            (Flush, Done),
            (FlushAsync, Done),
            (Connect, Fails(IOErrorEnum::Failed)),
            (ConnectAsync, Fails(IOErrorEnum::Failed)),
            (CloseInput, Done),
            (CloseInputAsync, Done),
            (CloseOutput, Done),
            (CloseOutputAsync, Done),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn connected_and_there_is_data(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| with_data(side),
        &[
            (Read, bytes(b"data")),
            (ReadAsync, bytes(b"data")),
            (ReadNow, bytes(b"data")),
            (Skip, Count(2)),
            (CloseInput, Done),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn other_operations_pending_on_the_streams(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, context| {
            let mut scene = idle(side);
            let peer = scene.peer.as_ref().expect("connected");
            fill(&*scene.under, peer);
            let read = start_read(&scene.under.input(), 16, None);
            let written = start_write(&scene.under.output(), b"x".to_vec(), None);
            iterate_for(context, Duration::from_millis(5));
            assert!(!read.is_set() && !written.is_set());
            scene._kept.push(Box::new((read, written)));
            scene
        },
        &[
            (Read, Fails(IOErrorEnum::Pending)),
            (ReadAsync, Fails(IOErrorEnum::Pending)),
            (Skip, Fails(IOErrorEnum::Pending)),
            // ST-51: it does not look.
            (ReadNow, Fails(IOErrorEnum::WouldBlock)),
            (ReadNothing, Count(0)),
            (Write, Fails(IOErrorEnum::Pending)),
            (WriteVectors, Fails(IOErrorEnum::Pending)),
            (WriteAsync, Fails(IOErrorEnum::Pending)),
            (WriteVectorsAsync, Fails(IOErrorEnum::Pending)),
            (WriteNow, Fails(IOErrorEnum::WouldBlock)),
            (WriteNothing, Count(0)),
            (Flush, Fails(IOErrorEnum::Pending)),
            (FlushAsync, Fails(IOErrorEnum::Pending)),
            (CloseInput, Fails(IOErrorEnum::Pending)),
            (CloseInputAsync, Fails(IOErrorEnum::Pending)),
            (CloseOutput, Fails(IOErrorEnum::Pending)),
            (CloseOutputAsync, Fails(IOErrorEnum::Pending)),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn an_operation_pending_on_the_connection(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let scene = with_data(side);
            scene.under.set_pending().expect("it is idle");
            scene
        },
        &[
            // IOS-12.
            (Read, bytes(b"data")),
            (ReadAsync, bytes(b"data")),
            (ReadNow, bytes(b"data")),
            (Write, Count(1)),
            (WriteAsync, Count(1)),
            (WriteNow, Count(1)),
            (CloseInput, Done),
            (CloseOutput, Done),
            (Close, Fails(IOErrorEnum::Pending)),
            (CloseAsync, Fails(IOErrorEnum::Pending)),
        ],
    );
}

fn streams_closed(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let scene = with_data(side);
            scene.under.input().close(Cancellable::NONE).expect("idle");
            scene.under.output().close(Cancellable::NONE).expect("idle");
            scene
        },
        &[
            (Read, Fails(IOErrorEnum::Closed)),
            (ReadAsync, Fails(IOErrorEnum::Closed)),
            (Skip, Fails(IOErrorEnum::Closed)),
            (ReadNothing, Count(0)),
            (Write, Fails(IOErrorEnum::Closed)),
            (WriteVectors, Fails(IOErrorEnum::Closed)),
            (WriteAsync, Fails(IOErrorEnum::Closed)),
            (WriteVectorsAsync, Fails(IOErrorEnum::Closed)),
            (WriteNothing, Count(0)),
            (Flush, Fails(IOErrorEnum::Closed)),
            (FlushAsync, Fails(IOErrorEnum::Closed)),
            (CloseInput, Done),
            (CloseInputAsync, Done),
            (CloseOutput, Done),
            // ST-38, F-7: GLib's own function, around our slot.
            (CloseOutputAsync, Fails(IOErrorEnum::Closed)),
            (Connect, Fails(IOErrorEnum::Failed)),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn connection_closed(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let scene = with_data(side);
            // SC-6: their place is taken before.
            let (_input, _output) = (scene.under.input(), scene.under.output());
            scene.under.close(Cancellable::NONE).expect("open");
            scene
        },
        &[
            (Read, Fails(IOErrorEnum::Closed)),
            (ReadAsync, Fails(IOErrorEnum::Closed)),
            (ReadNow, Fails(IOErrorEnum::Closed)),
            (ReadNothing, Count(0)),
            (ReadNothingNow, Count(0)),
            (Skip, Fails(IOErrorEnum::Closed)),
            (Write, Fails(IOErrorEnum::Closed)),
            (WriteVectors, Fails(IOErrorEnum::Closed)),
            (WriteAsync, Fails(IOErrorEnum::Closed)),
            (WriteVectorsAsync, Fails(IOErrorEnum::Closed)),
            (WriteNow, Fails(IOErrorEnum::Closed)),
            (WriteNothing, Count(0)),
            (Flush, Fails(IOErrorEnum::Closed)),
            (FlushAsync, Fails(IOErrorEnum::Closed)),
            (Connect, Fails(IOErrorEnum::Closed)),
            (ConnectAsync, Fails(IOErrorEnum::Closed)),
            (CloseInput, Done),
            (CloseInputAsync, Done),
            (CloseOutput, Done),
            (CloseOutputAsync, Fails(IOErrorEnum::Closed)),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn cancelled_before(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let mut scene = with_data(side);
            scene.cancellable = cancelled();
            scene
        },
        &[
            (Read, Fails(IOErrorEnum::Cancelled)),
            (ReadAsync, Fails(IOErrorEnum::Cancelled)),
            (ReadNow, Fails(IOErrorEnum::Cancelled)),
            (ReadNothing, Count(0)),
            (ReadNothingNow, Fails(IOErrorEnum::Cancelled)),
            (Skip, Fails(IOErrorEnum::Cancelled)),
            (Write, Fails(IOErrorEnum::Cancelled)),
            (WriteVectors, Fails(IOErrorEnum::Cancelled)),
            (WriteAsync, Fails(IOErrorEnum::Cancelled)),
            (WriteVectorsAsync, Fails(IOErrorEnum::Cancelled)),
            (WriteNow, Fails(IOErrorEnum::Cancelled)),
            (WriteNothing, Count(0)),
            (CloseInput, Done),
            // ST-24.
            (CloseInputAsync, Done),
            (CloseOutput, Done),
            // ST-39.
            (CloseOutputAsync, Fails(IOErrorEnum::Cancelled)),
            // SC-24.
            (Close, Done),
            // IOS-19: it is closed all the same.
            (CloseAsync, Fails(IOErrorEnum::Cancelled)),
        ],
    );
}

fn cancelled_before_a_connect(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let (listener, address) = listener();
            let mut scene = scene(side.unconnected(), None);
            scene.address = address;
            scene.cancellable = cancelled();
            scene._kept.push(Box::new(listener));
            scene
        },
        &[
            (Connect, Fails(IOErrorEnum::Cancelled)),
            (ConnectAsync, Fails(IOErrorEnum::Cancelled)),
        ],
    );
}

fn cancelled_and_never_connected(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let mut scene = scene(side.unconnected(), None);
            scene.cancellable = cancelled();
            scene
        },
        &[
            (Read, Fails(IOErrorEnum::Cancelled)),
            (ReadAsync, Fails(IOErrorEnum::Cancelled)),
            (Write, Fails(IOErrorEnum::Cancelled)),
            (WriteAsync, Fails(IOErrorEnum::Cancelled)),
            (Close, Done),
            (CloseAsync, Fails(IOErrorEnum::Cancelled)),
        ],
    );
}

fn peer_closed(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let mut scene = idle(side);
            scene.peer = None;
            wait_readable(&*scene.under);
            scene
        },
        &[
            (Read, bytes(b"")),
            (ReadAsync, bytes(b"")),
            (ReadNow, bytes(b"")),
            (Skip, Count(0)),
            // The first goes out.
            (Write, Count(1)),
            (WriteAsync, Count(1)),
            (WriteNow, Count(1)),
            (Connect, Fails(IOErrorEnum::Failed)),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn peer_reset(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let mut scene = idle(side);
            reset(scene.peer.take().expect("connected"));
            wait_readable(&*scene.under);
            scene
        },
        &[
            (Read, Fails(IOErrorEnum::BrokenPipe)),
            (ReadAsync, Fails(IOErrorEnum::BrokenPipe)),
            (ReadNow, Fails(IOErrorEnum::BrokenPipe)),
            (Skip, Fails(IOErrorEnum::BrokenPipe)),
            (Write, Fails(IOErrorEnum::BrokenPipe)),
            (WriteVectors, Fails(IOErrorEnum::BrokenPipe)),
            (WriteAsync, Fails(IOErrorEnum::BrokenPipe)),
            (WriteVectorsAsync, Fails(IOErrorEnum::BrokenPipe)),
            (WriteNow, Fails(IOErrorEnum::BrokenPipe)),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn refused(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let mut scene = scene(side.unconnected(), None);
            scene.address = refused_address();
            scene
        },
        &[
            (Connect, Fails(IOErrorEnum::ConnectionRefused)),
            (ConnectAsync, Fails(IOErrorEnum::ConnectionRefused)),
        ],
    );
}

fn closed_and_cancelled(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let mut scene = with_data(side);
            let (_input, _output) = (scene.under.input(), scene.under.output());
            scene.under.close(Cancellable::NONE).expect("open");
            scene.cancellable = cancelled();
            scene
        },
        &[
            (Read, Fails(IOErrorEnum::Closed)),
            (ReadAsync, Fails(IOErrorEnum::Closed)),
            (ReadNow, Fails(IOErrorEnum::Cancelled)),
            (Write, Fails(IOErrorEnum::Closed)),
            (WriteAsync, Fails(IOErrorEnum::Cancelled)),
            (WriteNow, Fails(IOErrorEnum::Cancelled)),
            (Connect, Fails(IOErrorEnum::Closed)),
            (ConnectAsync, Fails(IOErrorEnum::Cancelled)),
            (CloseInput, Done),
            // ST-24.
            (CloseInputAsync, Fails(IOErrorEnum::Cancelled)),
            (CloseOutput, Done),
            (CloseOutputAsync, Fails(IOErrorEnum::Cancelled)),
            (Close, Done),
            (CloseAsync, Fails(IOErrorEnum::Cancelled)),
        ],
    );
}

fn socket_timeout(side: Side, context: &glib::MainContext) {
    check(
        side,
        context,
        |side, _| {
            let scene = idle(side);
            fill(&*scene.under, scene.peer.as_ref().expect("connected"));
            scene.under.socket().set_timeout(1);
            scene
        },
        &[
            (Read, Fails(IOErrorEnum::TimedOut)),
            (ReadAsync, Fails(IOErrorEnum::TimedOut)),
            (ReadNow, Fails(IOErrorEnum::WouldBlock)),
            (Write, Fails(IOErrorEnum::TimedOut)),
            (WriteAsync, Fails(IOErrorEnum::TimedOut)),
            (WriteNow, Fails(IOErrorEnum::WouldBlock)),
            (Close, Done),
            (CloseAsync, Done),
        ],
    );
}

fn timeout_of_a_connect(side: Side, context: &glib::MainContext) {
    let deaf = deaf_listener();
    check(
        side,
        context,
        |side, _| {
            let mut scene = scene(side.unconnected(), None);
            scene.under.socket().set_timeout(1);
            scene.address = deaf.address;
            scene
        },
        &[
            (Connect, Fails(IOErrorEnum::TimedOut)),
            (ConnectAsync, Fails(IOErrorEnum::TimedOut)),
        ],
    );
}
