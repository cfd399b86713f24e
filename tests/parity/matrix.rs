//! States of a connection and what each operation answers in them: one table for both classes.

use std::{io::Write, time::Duration};

use gio::{Cancellable, IOErrorEnum, prelude::*};

use crate::{states::*, support::*, tools::*, under::*};

/// Of each table one for TCP and one for Unix sockets, on either class.
macro_rules! on_both_of_both_families {
    ($($table:ident),+ $(,)?) => {$(
        mod $table {
            use crate::{states::Family, under::Side};

            fn tcp(side: Side, context: &glib::MainContext) {
                super::$table(Family::Tcp, side, context);
            }

            fn unix(side: Side, context: &glib::MainContext) {
                super::$table(Family::Unix, side, context);
            }

            on_both!(tcp, unix);
        }
    )+};
}

on_both!(
    never_connected,
    never_connected_unix,
    connect_in_progress,
    cancelled_and_never_connected,
    socket_timeout_of_blocking_operations,
    socket_timeout_of_asynchronous_operations,
    socket_timeout_of_a_connect,
    socket_timeout_of_a_graceful_close,
    peer_closed,
    peer_closed_unix,
    peer_closed_and_it_was_written_to,
    peer_reset,
    peer_reset_and_that_was_told,
    peer_reset_unix,
);

on_both_of_both_families!(
    connected_and_idle,
    connected_and_there_is_data,
    other_operations_pending_on_the_streams,
    other_operations_pending_and_ready,
    an_operation_pending_on_the_connection,
    streams_closed,
    connection_closed,
    nothing_to_read_or_write,
    cancelled_before,
    cancelled_while_it_waits,
    closed_and_cancelled,
    refused,
);

fn never_connected(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| Tcp.to_a_listener(side));
    assert_eq!(state.gives(Read), NOT_CONNECTED);
    assert_eq!(state.gives(ReadAsync), NOT_CONNECTED);
    assert_eq!(state.gives(ReadNow), NOT_CONNECTED);
    assert_eq!(state.gives(Skip), NOT_CONNECTED);
    assert_eq!(state.gives(SkipAsync), NOT_CONNECTED);
    assert_eq!(state.gives(Write), BROKEN_PIPE);
    assert_eq!(state.gives(WriteAsync), BROKEN_PIPE);
    assert_eq!(state.gives(WriteNow), BROKEN_PIPE);
    assert_eq!(state.gives(WriteVectors), BROKEN_PIPE);
    assert_eq!(state.gives(WriteVectorsAsync), BROKEN_PIPE);
    assert_eq!(state.gives(WriteVectorsNow), BROKEN_PIPE);
    assert_eq!(state.gives(Flush), Done);
    assert_eq!(state.gives(FlushAsync), Done);
    assert_eq!(state.gives(Connect), Done);
    assert_eq!(state.gives(ConnectAsync), Done);
    assert_eq!(state.gives(CloseInput), Done);
    assert_eq!(state.gives(CloseInputAsync), Done);
    assert_eq!(state.gives(CloseOutput), Done);
    assert_eq!(state.gives(CloseOutputAsync), Done);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
    // TCP-5. The asynchronous one is F-12.
    assert_eq!(state.gives(CloseGracefully), NOT_CONNECTED);
}

fn never_connected_unix(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| Unix.to_a_listener(side));
    assert_eq!(state.gives(Read), INVALID_ARGUMENT);
    assert_eq!(state.gives(ReadAsync), INVALID_ARGUMENT);
    assert_eq!(state.gives(ReadNow), INVALID_ARGUMENT);
    assert_eq!(state.gives(Skip), INVALID_ARGUMENT);
    assert_eq!(state.gives(SkipAsync), INVALID_ARGUMENT);
    assert_eq!(state.gives(Write), NOT_CONNECTED);
    assert_eq!(state.gives(WriteAsync), NOT_CONNECTED);
    assert_eq!(state.gives(WriteNow), NOT_CONNECTED);
    assert_eq!(state.gives(WriteVectors), NOT_CONNECTED);
    assert_eq!(state.gives(WriteVectorsAsync), NOT_CONNECTED);
    assert_eq!(state.gives(WriteVectorsNow), NOT_CONNECTED);
    assert_eq!(state.gives(Connect), Done);
    assert_eq!(state.gives(ConnectAsync), Done);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
}

fn connect_in_progress(side: Side, context: &glib::MainContext) {
    let deaf = deaf_listener();
    let state = state(side, context, |side, context| {
        let mut scene = scene(side.unconnected(), None, deaf.address);
        let connecting = scene.under.start_connect(deaf.address, None);
        iterate_for(context, Duration::from_millis(5));
        assert!(!connecting.is_set());
        scene.kept.push(Box::new(connecting));
        scene
    });
    assert!(state.waits(Read));
    assert!(state.waits(ReadAsync));
    assert_eq!(state.gives(ReadNow), WOULD_BLOCK);
    assert!(state.waits(Write));
    assert!(state.waits(WriteAsync));
    assert_eq!(state.gives(WriteNow), WOULD_BLOCK);
    assert!(state.waits(WriteVectors));
    assert!(state.waits(WriteVectorsAsync));
    assert_eq!(state.gives(WriteVectorsNow), WOULD_BLOCK);
    assert_eq!(state.gives(Connect), FAILED);
    assert_eq!(state.gives(ConnectAsync), FAILED);
    // What the connect answers then: SC-17a.
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
}

fn connected_and_idle(family: Family, side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| family.idle(side));
    assert!(state.waits(Read));
    assert!(state.waits(ReadAsync));
    assert_eq!(state.gives(ReadNow), WOULD_BLOCK);
    assert!(state.waits(Skip));
    assert!(state.waits(SkipAsync));
    assert_eq!(state.gives(Write), Count(1));
    assert_eq!(state.gives(WriteAsync), Count(1));
    assert_eq!(state.gives(WriteNow), Count(1));
    assert_eq!(state.gives(WriteVectors), Count(1));
    assert_eq!(state.gives(WriteVectorsAsync), Count(1));
    assert_eq!(state.gives(WriteVectorsNow), Count(1));
    assert_eq!(state.gives(Flush), Done);
    assert_eq!(state.gives(FlushAsync), Done);
    // The one that succeeds once more is SC-17's.
    assert_eq!(state.gives(Connect), FAILED);
    assert_eq!(state.gives(ConnectAsync), FAILED);
    assert_eq!(state.gives(CloseInput), Done);
    assert_eq!(state.gives(CloseInputAsync), Done);
    assert_eq!(state.gives(CloseOutput), Done);
    assert_eq!(state.gives(CloseOutputAsync), Done);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
    if family == Tcp {
        assert!(state.waits(CloseGracefully));
        assert!(state.waits(CloseGracefullyAsync));
    }
}

fn connected_and_there_is_data(family: Family, side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| family.with_data(side));
    assert_eq!(state.gives(Read), data());
    assert_eq!(state.gives(ReadAsync), data());
    assert_eq!(state.gives(ReadNow), data());
    assert_eq!(state.gives(Skip), Count(2));
    assert_eq!(state.gives(SkipAsync), Count(2));
    assert_eq!(state.gives(CloseInput), Done);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
}

fn other_operations_pending_on_the_streams(
    family: Family,
    side: Side,
    context: &glib::MainContext,
) {
    let state = state(side, context, |side, context| {
        let mut scene = family.full(side);
        let read = start_read(&scene.under.input(), 16, None);
        let written = start_write(&scene.under.output(), b"x".to_vec(), None);
        iterate_for(context, Duration::from_millis(5));
        assert!(!read.is_set());
        assert!(!written.is_set());
        scene.kept.push(Box::new((read, written)));
        scene
    });
    assert_eq!(state.gives(Read), PENDING);
    assert_eq!(state.gives(ReadAsync), PENDING);
    assert_eq!(state.gives(Skip), PENDING);
    assert_eq!(state.gives(SkipAsync), PENDING);
    // ST-51: it does not look.
    assert_eq!(state.gives(ReadNow), WOULD_BLOCK);
    assert_eq!(state.gives(Write), PENDING);
    assert_eq!(state.gives(WriteAsync), PENDING);
    assert_eq!(state.gives(WriteNow), WOULD_BLOCK);
    assert_eq!(state.gives(WriteVectors), PENDING);
    assert_eq!(state.gives(WriteVectorsAsync), PENDING);
    assert_eq!(state.gives(WriteVectorsNow), WOULD_BLOCK);
    assert_eq!(state.gives(Flush), PENDING);
    assert_eq!(state.gives(FlushAsync), PENDING);
    assert_eq!(state.gives(Connect), FAILED);
    assert_eq!(state.gives(ConnectAsync), FAILED);
    assert_eq!(state.gives(CloseInput), PENDING);
    assert_eq!(state.gives(CloseInputAsync), PENDING);
    assert_eq!(state.gives(CloseOutput), PENDING);
    assert_eq!(state.gives(CloseOutputAsync), PENDING);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
}

/// ST-51, F-22: what does not wait takes the bytes that a pending operation waits for.
fn other_operations_pending_and_ready(family: Family, side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, context| {
        let mut scene = family.idle(side);
        let read = start_read(&scene.under.input(), 16, None);
        iterate_for(context, Duration::from_millis(5));
        // Neither is dispatched any more.
        let peer = scene.peer.as_mut().expect("connected");
        peer.write_all(b"data").expect("connected");
        wait_readable(&*scene.under);
        let written = start_write(&scene.under.output(), b"x".to_vec(), None);
        assert!(scene.under.input().has_pending());
        assert!(scene.under.output().has_pending());
        scene.kept.push(Box::new((read, written)));
        scene
    });
    assert_eq!(state.gives(ReadNow), data());
    assert_eq!(state.gives(WriteNow), Count(1));
    assert_eq!(state.gives(WriteVectorsNow), Count(1));
}

/// IOS-12: whatever is not about the connection itself does not look.
fn an_operation_pending_on_the_connection(family: Family, side: Side, context: &glib::MainContext) {
    let busy = |scene: Scene| {
        scene.under.set_pending().expect("it is idle");
        scene
    };
    let connected = state(side, context, |side, _| busy(family.with_data(side)));
    assert_eq!(connected.gives(Read), data());
    assert_eq!(connected.gives(ReadAsync), data());
    assert_eq!(connected.gives(ReadNow), data());
    assert_eq!(connected.gives(Write), Count(1));
    assert_eq!(connected.gives(WriteAsync), Count(1));
    assert_eq!(connected.gives(WriteNow), Count(1));
    assert_eq!(connected.gives(WriteVectors), Count(1));
    assert_eq!(connected.gives(WriteVectorsAsync), Count(1));
    assert_eq!(connected.gives(WriteVectorsNow), Count(1));
    assert_eq!(connected.gives(CloseInput), Done);
    assert_eq!(connected.gives(CloseInputAsync), Done);
    assert_eq!(connected.gives(CloseOutput), Done);
    assert_eq!(connected.gives(CloseOutputAsync), Done);
    assert_eq!(connected.gives(Close), PENDING);
    assert_eq!(connected.gives(CloseAsync), PENDING);
    if family == Tcp {
        assert_eq!(connected.gives(CloseGracefully), PENDING);
        assert_eq!(connected.gives(CloseGracefullyAsync), PENDING);
    }
    // SC-17.
    let unconnected = state(side, context, |side, _| busy(family.to_a_listener(side)));
    assert_eq!(unconnected.gives(Connect), Done);
    assert_eq!(unconnected.gives(ConnectAsync), Done);
}

/// What does not wait works on GIO's closed streams: F-22.
fn streams_closed(family: Family, side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| {
        let scene = family.with_data(side);
        scene.under.input().close(Cancellable::NONE).expect("idle");
        scene.under.output().close(Cancellable::NONE).expect("idle");
        scene
    });
    assert_eq!(state.gives(Read), CLOSED);
    assert_eq!(state.gives(ReadAsync), CLOSED);
    assert_eq!(state.gives(Skip), CLOSED);
    assert_eq!(state.gives(SkipAsync), CLOSED);
    assert_eq!(state.gives(Write), CLOSED);
    assert_eq!(state.gives(WriteAsync), CLOSED);
    assert_eq!(state.gives(WriteVectors), CLOSED);
    assert_eq!(state.gives(WriteVectorsAsync), CLOSED);
    assert_eq!(state.gives(Flush), CLOSED);
    assert_eq!(state.gives(FlushAsync), CLOSED);
    assert_eq!(state.gives(Connect), FAILED);
    assert_eq!(state.gives(ConnectAsync), FAILED);
    assert_eq!(state.gives(CloseInput), Done);
    assert_eq!(state.gives(CloseInputAsync), Done);
    assert_eq!(state.gives(CloseOutput), Done);
    // ST-38, F-7: GLib's own function, around our slot.
    assert_eq!(state.gives(CloseOutputAsync), CLOSED);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
}

fn connection_closed(family: Family, side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| family.closed(side));
    assert_eq!(state.gives(Read), CLOSED);
    assert_eq!(state.gives(ReadAsync), CLOSED);
    assert_eq!(state.gives(ReadNow), CLOSED);
    assert_eq!(state.gives(Skip), CLOSED);
    assert_eq!(state.gives(SkipAsync), CLOSED);
    assert_eq!(state.gives(Write), CLOSED);
    assert_eq!(state.gives(WriteAsync), CLOSED);
    assert_eq!(state.gives(WriteNow), CLOSED);
    assert_eq!(state.gives(WriteVectors), CLOSED);
    assert_eq!(state.gives(WriteVectorsAsync), CLOSED);
    assert_eq!(state.gives(WriteVectorsNow), CLOSED);
    assert_eq!(state.gives(Flush), CLOSED);
    assert_eq!(state.gives(FlushAsync), CLOSED);
    assert_eq!(state.gives(Connect), CLOSED);
    assert_eq!(state.gives(ConnectAsync), CLOSED);
    assert_eq!(state.gives(CloseInput), Done);
    assert_eq!(state.gives(CloseInputAsync), Done);
    assert_eq!(state.gives(CloseOutput), Done);
    assert_eq!(state.gives(CloseOutputAsync), CLOSED);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
    if family == Tcp {
        assert_eq!(state.gives(CloseGracefully), Done);
        assert_eq!(state.gives(CloseGracefullyAsync), Done);
    }
}

/// The row "count 0": nothing is looked at, apart from the cancellable by what does not wait.
fn nothing_to_read_or_write(family: Family, side: Side, context: &glib::MainContext) {
    let idle = state(side, context, |side, _| family.idle(side));
    assert_eq!(idle.gives(ReadNothing), Count(0));
    assert_eq!(idle.gives(ReadNothingAsync), bytes(b""));
    assert_eq!(idle.gives(ReadNothingNow), Count(0));
    assert_eq!(idle.gives(WriteNothing), Count(0));
    assert_eq!(idle.gives(WriteNothingAsync), Count(0));
    assert_eq!(idle.gives(WriteNothingNow), Count(0));
    let closed = state(side, context, |side, _| family.closed(side));
    assert_eq!(closed.gives(ReadNothing), Count(0));
    assert_eq!(closed.gives(ReadNothingAsync), bytes(b""));
    assert_eq!(closed.gives(ReadNothingNow), Count(0));
    assert_eq!(closed.gives(WriteNothing), Count(0));
    assert_eq!(closed.gives(WriteNothingAsync), Count(0));
    assert_eq!(closed.gives(WriteNothingNow), Count(0));
    let cancelled = state(side, context, |side, _| {
        let mut scene = family.idle(side);
        scene.cancellable = cancelled();
        scene
    });
    assert_eq!(cancelled.gives(ReadNothing), Count(0));
    assert_eq!(cancelled.gives(ReadNothingAsync), CANCELLED);
    assert_eq!(cancelled.gives(ReadNothingNow), CANCELLED);
    assert_eq!(cancelled.gives(WriteNothing), Count(0));
    assert_eq!(cancelled.gives(WriteNothingAsync), CANCELLED);
    assert_eq!(cancelled.gives(WriteNothingNow), CANCELLED);
}

fn cancelled_before(family: Family, side: Side, context: &glib::MainContext) {
    let connected = state(side, context, |side, _| {
        let mut scene = family.with_data(side);
        scene.cancellable = cancelled();
        scene
    });
    assert_eq!(connected.gives(Read), CANCELLED);
    assert_eq!(connected.gives(ReadAsync), CANCELLED);
    assert_eq!(connected.gives(ReadNow), CANCELLED);
    assert_eq!(connected.gives(Skip), CANCELLED);
    assert_eq!(connected.gives(SkipAsync), CANCELLED);
    assert_eq!(connected.gives(Write), CANCELLED);
    assert_eq!(connected.gives(WriteAsync), CANCELLED);
    assert_eq!(connected.gives(WriteNow), CANCELLED);
    assert_eq!(connected.gives(WriteVectors), CANCELLED);
    assert_eq!(connected.gives(WriteVectorsAsync), CANCELLED);
    assert_eq!(connected.gives(WriteVectorsNow), CANCELLED);
    assert_eq!(connected.gives(CloseInput), Done);
    // ST-24.
    assert_eq!(connected.gives(CloseInputAsync), Done);
    assert_eq!(connected.gives(CloseOutput), Done);
    // ST-39.
    assert_eq!(connected.gives(CloseOutputAsync), CANCELLED);
    // SC-24.
    assert_eq!(connected.gives(Close), Done);
    // IOS-19: it is closed all the same.
    assert_eq!(connected.gives(CloseAsync), CANCELLED);
    if family == Tcp {
        // TCP-7.
        assert_eq!(connected.gives(CloseGracefully), Done);
        assert_eq!(connected.gives(CloseGracefullyAsync), CANCELLED);
    }
    let unconnected = state(side, context, |side, _| {
        let mut scene = family.to_a_listener(side);
        scene.cancellable = cancelled();
        scene
    });
    // A Unix connect has nothing to wait for: VER-4.
    if family == Tcp {
        assert_eq!(unconnected.gives(Connect), CANCELLED);
    }
    assert_eq!(unconnected.gives(ConnectAsync), CANCELLED);
}

fn cancelled_and_never_connected(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| {
        let mut scene = Tcp.unconnected(side);
        scene.cancellable = cancelled();
        scene
    });
    assert_eq!(state.gives(Read), CANCELLED);
    assert_eq!(state.gives(ReadAsync), CANCELLED);
    assert_eq!(state.gives(ReadNow), CANCELLED);
    assert_eq!(state.gives(Write), CANCELLED);
    assert_eq!(state.gives(WriteAsync), CANCELLED);
    assert_eq!(state.gives(WriteNow), CANCELLED);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), CANCELLED);
}

fn cancelled_while_it_waits(family: Family, side: Side, context: &glib::MainContext) {
    let full = state(side, context, |side, _| family.full(side));
    assert_eq!(full.gives_when_cancelled(Read), CANCELLED);
    assert_eq!(full.gives_when_cancelled(ReadAsync), CANCELLED);
    assert_eq!(full.gives_when_cancelled(Skip), CANCELLED);
    assert_eq!(full.gives_when_cancelled(SkipAsync), CANCELLED);
    assert_eq!(full.gives_when_cancelled(Write), CANCELLED);
    assert_eq!(full.gives_when_cancelled(WriteAsync), CANCELLED);
    assert_eq!(full.gives_when_cancelled(WriteVectors), CANCELLED);
    assert_eq!(full.gives_when_cancelled(WriteVectorsAsync), CANCELLED);
    if family == Tcp {
        assert_eq!(full.gives_when_cancelled(CloseGracefully), CANCELLED);
        assert_eq!(full.gives_when_cancelled(CloseGracefullyAsync), CANCELLED);
        // What the socket is afterwards: F-2. On Unix nothing waits: F-17.
        let deaf = deaf_listener();
        let unconnected = state(side, context, |side, _| {
            scene(side.unconnected(), None, deaf.address)
        });
        assert_eq!(unconnected.gives_when_cancelled(Connect), CANCELLED);
        assert_eq!(unconnected.gives_when_cancelled(ConnectAsync), CANCELLED);
    }
}

fn closed_and_cancelled(family: Family, side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| {
        let mut scene = family.closed(side);
        scene.cancellable = cancelled();
        scene
    });
    assert_eq!(state.gives(Read), CLOSED);
    assert_eq!(state.gives(ReadAsync), CLOSED);
    assert_eq!(state.gives(ReadNow), CANCELLED);
    assert_eq!(state.gives(Skip), CLOSED);
    assert_eq!(state.gives(Write), CLOSED);
    assert_eq!(state.gives(WriteAsync), CANCELLED);
    assert_eq!(state.gives(WriteNow), CANCELLED);
    assert_eq!(state.gives(WriteVectors), CLOSED);
    assert_eq!(state.gives(WriteVectorsNow), CANCELLED);
    assert_eq!(state.gives(Connect), CLOSED);
    assert_eq!(state.gives(ConnectAsync), CANCELLED);
    assert_eq!(state.gives(CloseInput), Done);
    // ST-24.
    assert_eq!(state.gives(CloseInputAsync), CANCELLED);
    assert_eq!(state.gives(CloseOutput), Done);
    assert_eq!(state.gives(CloseOutputAsync), CANCELLED);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), CANCELLED);
}

/// Reads have nothing to read, writes have no room, for a second.
fn full_for_a_second(side: Side) -> Scene {
    let scene = Tcp.full(side);
    scene.under.socket().set_timeout(1);
    scene
}

fn socket_timeout_of_blocking_operations(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| full_for_a_second(side));
    assert_eq!(state.gives(Read), TIMED_OUT);
    assert_eq!(state.gives(Write), TIMED_OUT);
    assert_eq!(state.gives(WriteVectors), TIMED_OUT);
    assert_eq!(state.gives(Close), Done);
}

/// A time-out that is left over, which GIO's next operation answers: F-18.
fn socket_timeout_of_asynchronous_operations(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| full_for_a_second(side));
    assert_eq!(state.gives(ReadNow), WOULD_BLOCK);
    assert_eq!(state.gives(WriteNow), WOULD_BLOCK);
    assert_eq!(state.gives(WriteVectorsNow), WOULD_BLOCK);
    assert_eq!(state.gives(ReadAsync), TIMED_OUT);
    assert_eq!(state.gives(WriteAsync), TIMED_OUT);
    assert_eq!(state.gives(WriteVectorsAsync), TIMED_OUT);
    assert_eq!(state.gives(CloseAsync), Done);
}

fn socket_timeout_of_a_connect(side: Side, context: &glib::MainContext) {
    let deaf = deaf_listener();
    let state = state(side, context, |side, _| {
        let scene = scene(side.unconnected(), None, deaf.address);
        scene.under.socket().set_timeout(1);
        scene
    });
    assert_eq!(state.gives(Connect), TIMED_OUT);
    assert_eq!(state.gives(ConnectAsync), TIMED_OUT);
}

fn socket_timeout_of_a_graceful_close(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| {
        let scene = Tcp.idle(side);
        scene.under.socket().set_timeout(1);
        scene
    });
    assert_eq!(state.gives(CloseGracefully), TIMED_OUT);
    assert_eq!(state.gives(CloseGracefullyAsync), TIMED_OUT);
}

fn peer_has_closed(family: Family, side: Side) -> Scene {
    let mut scene = family.idle(side);
    scene.peer = None;
    wait_readable(&*scene.under);
    scene
}

fn peer_closed(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| peer_has_closed(Tcp, side));
    assert_eq!(state.gives(Read), bytes(b""));
    assert_eq!(state.gives(ReadAsync), bytes(b""));
    assert_eq!(state.gives(ReadNow), bytes(b""));
    assert_eq!(state.gives(Skip), Count(0));
    assert_eq!(state.gives(SkipAsync), Count(0));
    // The first goes out.
    assert_eq!(state.gives(Write), Count(1));
    assert_eq!(state.gives(WriteAsync), Count(1));
    assert_eq!(state.gives(WriteNow), Count(1));
    assert_eq!(state.gives(WriteVectors), Count(1));
    assert_eq!(state.gives(WriteVectorsAsync), Count(1));
    assert_eq!(state.gives(WriteVectorsNow), Count(1));
    assert_eq!(state.gives(Connect), FAILED);
    assert_eq!(state.gives(ConnectAsync), FAILED);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
    assert_eq!(state.gives(CloseGracefully), Done);
    assert_eq!(state.gives(CloseGracefullyAsync), Done);
}

fn peer_closed_unix(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| peer_has_closed(Unix, side));
    assert_eq!(state.gives(Read), bytes(b""));
    assert_eq!(state.gives(ReadAsync), bytes(b""));
    assert_eq!(state.gives(ReadNow), bytes(b""));
    assert_eq!(state.gives(Write), BROKEN_PIPE);
    assert_eq!(state.gives(WriteAsync), BROKEN_PIPE);
    assert_eq!(state.gives(WriteNow), BROKEN_PIPE);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
}

/// It has not read what it was sent.
fn peer_reset_unix(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| {
        let mut scene = Unix.idle(side);
        write(&scene.under.output(), b"unread").expect("connected");
        scene.peer = None;
        wait_readable(&*scene.under);
        scene
    });
    assert_eq!(state.gives(Read), BROKEN_PIPE);
    assert_eq!(state.gives(ReadAsync), BROKEN_PIPE);
    assert_eq!(state.gives(ReadNow), BROKEN_PIPE);
    assert_eq!(state.gives(Write), BROKEN_PIPE);
    assert_eq!(state.gives(WriteAsync), BROKEN_PIPE);
    assert_eq!(state.gives(WriteNow), BROKEN_PIPE);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
}

/// The answer to the first write is a reset.
fn peer_closed_and_it_was_written_to(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| {
        let scene = peer_has_closed(Tcp, side);
        write(&scene.under.output(), b"first").expect("it goes out");
        let socket = scene.under.socket();
        wait_until(|| {
            let condition = SocketExt::condition_check(&socket, glib::IOCondition::HUP);
            condition.contains(glib::IOCondition::HUP)
        });
        scene
    });
    assert_eq!(state.gives(Write), BROKEN_PIPE);
    assert_eq!(state.gives(WriteAsync), BROKEN_PIPE);
    assert_eq!(state.gives(WriteNow), BROKEN_PIPE);
    assert_eq!(state.gives(WriteVectors), BROKEN_PIPE);
    assert_eq!(state.gives(WriteVectorsAsync), BROKEN_PIPE);
    assert_eq!(state.gives(WriteVectorsNow), BROKEN_PIPE);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
}

fn peer_has_reset(side: Side) -> Scene {
    let mut scene = Tcp.idle(side);
    reset(scene.peer.take().expect("connected"));
    wait_readable(&*scene.under);
    scene
}

fn peer_reset(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| peer_has_reset(side));
    assert_eq!(state.gives(Read), BROKEN_PIPE);
    assert_eq!(state.gives(ReadAsync), BROKEN_PIPE);
    assert_eq!(state.gives(ReadNow), BROKEN_PIPE);
    assert_eq!(state.gives(Skip), BROKEN_PIPE);
    assert_eq!(state.gives(SkipAsync), BROKEN_PIPE);
    assert_eq!(state.gives(Write), BROKEN_PIPE);
    assert_eq!(state.gives(WriteAsync), BROKEN_PIPE);
    assert_eq!(state.gives(WriteNow), BROKEN_PIPE);
    assert_eq!(state.gives(WriteVectors), BROKEN_PIPE);
    assert_eq!(state.gives(WriteVectorsAsync), BROKEN_PIPE);
    assert_eq!(state.gives(WriteVectorsNow), BROKEN_PIPE);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
    // TCP-11. The asynchronous one is F-12.
    assert_eq!(state.gives(CloseGracefully), NOT_CONNECTED);
}

/// Once.
fn peer_reset_and_that_was_told(side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| {
        let scene = peer_has_reset(side);
        assert_fails(read_now(&*scene.under, 8), IOErrorEnum::BrokenPipe);
        scene
    });
    assert_eq!(state.gives(Read), bytes(b""));
    assert_eq!(state.gives(ReadAsync), bytes(b""));
    assert_eq!(state.gives(ReadNow), bytes(b""));
    assert_eq!(state.gives(Write), BROKEN_PIPE);
    assert_eq!(state.gives(WriteAsync), BROKEN_PIPE);
    assert_eq!(state.gives(WriteNow), BROKEN_PIPE);
    assert_eq!(state.gives(Close), Done);
    assert_eq!(state.gives(CloseAsync), Done);
    assert_eq!(state.gives(CloseGracefully), NOT_CONNECTED);
}

/// Another try on the same socket: SOCK-24.
fn refused(family: Family, side: Side, context: &glib::MainContext) {
    let state = state(side, context, |side, _| family.unconnected(side));
    assert_eq!(state.gives(Connect), REFUSED);
    assert_eq!(state.gives(ConnectAsync), REFUSED);
}
