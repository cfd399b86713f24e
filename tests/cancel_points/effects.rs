//! That an operation has done what it said, and nothing that it did not say.

use std::{os::fd::AsRawFd, time::Duration};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{ConnectionState, SocketConnection, prelude::*};

use crate::expected::*;
use crate::lines::*;
use crate::operations::*;
use crate::scene::*;
use crate::support::*;
use crate::tools::*;

/// `ended` says whether the callback had come before the strike.
#[track_caller]
pub(crate) fn check(scene: &mut Scene<'_>, end: Option<End>, ended: bool) {
    match scene.case.op {
        Op::Connect => check_connect(scene, end),
        Op::Read | Op::Skip => check_read(scene, end),
        Op::Write | Op::Writev => check_write(scene, end, ended),
        Op::Flush => {}
        Op::CloseInput | Op::CloseOutput => check_stream(scene),
        Op::Close | Op::GracefulClose => check_close(scene, end),
        Op::Splice => check_splice(scene),
        Op::Relay => check_relay(scene, end),
        op if op.sends() => check_send(scene, end),
        _ => check_receive(scene, end),
    }
}

/// SC-13, F-2.
fn check_connect(scene: &mut Scene<'_>, end: Option<End>) {
    let Some(connection) = scene.connection.clone() else {
        return;
    };
    let case = scene.case;
    let state = connection.state();
    match end {
        Some(Ok(_)) if state == ConnectionState::Closed => {
            assert_eq!(case.strike, Strike::Close);
        }
        Some(Ok(_)) => {
            assert_eq!(state, ConnectionState::Connected);
            assert!(connection.is_connected());
            let mut peer = scene.target().expect("somebody").accept();
            scene.world.talks(&connection, &mut peer);
        }
        Some(Err(E::Closed)) => assert_eq!(state, ConnectionState::Closed),
        _ if case.strike == Strike::Close => assert_eq!(state, ConnectionState::Closed),
        Some(Err(_)) | None => {
            assert_eq!(state, ConnectionState::Unconnected);
            assert!(!connection.is_connected());
            if case.line.is_tcp() {
                let socket = connection.socket();
                assert_eq!(
                    tcp_state(socket.as_raw_fd()),
                    TCP_CLOSE,
                    "something is in flight"
                );
            }
            let target = Target::answering(case.line);
            connection
                .connect(&target.address(), gio::Cancellable::NONE)
                .expect("the same socket can try again");
            scene.world.talks(&connection, &mut target.accept());
        }
    }
}

/// What can still be read, when there must be something.
fn rest(connection: &SocketConnection) -> usize {
    let input = pollable_input(connection);
    let mut polled = libc::pollfd {
        fd: connection.socket().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one element, as said.
    let count = unsafe { libc::poll(&raw mut polled, 1, 2_000) };
    if count == 0 {
        return 0;
    }
    let read = input.read_nonblocking(&mut [0; 16], gio::Cancellable::NONE);
    usize::try_from(read.expect("it is ready")).expect("not negative")
}

fn check_read(scene: &mut Scene<'_>, end: Option<End>) {
    let moved = match end {
        Some(Ok(count)) => count,
        _ => 0,
    };
    if moved > 0
        && scene.case.op == Op::Read
        && let Some(bytes) = scene.bytes(moved)
    {
        assert_eq!(bytes, PING[..moved]);
    }
    let Some(connection) = scene.connection.clone() else {
        return;
    };
    let mut read = usize::try_from(connection.bytes_read()).expect("not many");
    // RS-7, GLib's own: gio's future loses what it read when it is dropped between its end and its poll.
    let lost_by_gio = matches!(scene.case.way, Way::Spawned | Way::ByHand) && end.is_none();
    if lost_by_gio && read == 4 {
        read = 0;
    } else {
        assert_eq!(read, moved, "bytes were read that nobody was given");
    }
    let sent = match scene.case.answer {
        Answer::AtOnce | Answer::Later => 4,
        _ => 0,
    };
    if read == moved && sent > moved && !connection.is_closed() {
        scene.act();
        if usize::try_from(connection.bytes_read()).expect("not many") == moved {
            assert_eq!(rest(&connection), sent - moved, "bytes are gone");
        }
    }
}

fn check_write(scene: &mut Scene<'_>, end: Option<End>, ended: bool) {
    let case = scene.case;
    let moved = match end {
        Some(Ok(count)) => count,
        _ => 0,
    };
    // GLib's own (ST-41): cancelled between its end and its finish, a write says so although it was done; and
    // a future that is dropped there says nothing.
    let concealed = match (case.way, case.strike) {
        (_, Strike::CancelElsewhere) => case.op.looks_at_finish(),
        (Way::LaterFinish, _) => ended && case.op.looks_at_finish(),
        (_, Strike::DropFuture) => true,
        _ => false,
    };
    let mut expected = vec![scene.filled + moved];
    if concealed && moved == 0 {
        expected.push(scene.filled + PING.len());
    }
    if ended && moved == 0 && case.natural() == Some(Ok(PING.len())) {
        // It was done, and nothing else.
        expected.remove(0);
    }
    if let Some(connection) = scene.connection.take() {
        let written = usize::try_from(connection.bytes_written()).expect("not much");
        assert!(
            expected.contains(&written),
            "{written} were written, not one of {expected:?}"
        );
        expected = vec![written];
        let _ = connection.close(gio::Cancellable::NONE);
    }
    assert_idle(&scene.world.context);
    if case.answer != Answer::Reset {
        let received = scene.drained + read_to_end(&mut scene.peers[0]).len();
        assert!(
            expected.contains(&received),
            "{received} arrived, not one of {expected:?}"
        );
    }
}

/// What was received was answered, and what was not is there.
fn check_receive(scene: &mut Scene<'_>, end: Option<End>) {
    let moved = usize::from(matches!(end, Some(Ok(_))));
    let Some(connection) = scene.connection.clone() else {
        return;
    };
    let read = usize::try_from(connection.bytes_read()).expect("not many");
    assert_eq!(read, moved, "something was received that nobody was given");
    let sent = matches!(scene.case.answer, Answer::AtOnce | Answer::Later);
    if sent && moved == 0 && !connection.is_closed() {
        scene.act();
        let unix = unix_of(&connection);
        match scene.case.op {
            Op::ReceiveFd => unix.receive_fd(gio::Cancellable::NONE).map(drop),
            Op::ReceiveFds => unix.receive_fds(2, gio::Cancellable::NONE).map(drop),
            _ => unix.receive_credentials(gio::Cancellable::NONE).map(drop),
        }
        .expect("it is still there");
    }
}

/// What was sent was said to be, and nothing else.
fn check_send(scene: &mut Scene<'_>, end: Option<End>) {
    let moved = usize::from(matches!(end, Some(Ok(_))));
    let expected = scene.filled + moved;
    if let Some(connection) = scene.connection.take() {
        let written = usize::try_from(connection.bytes_written()).expect("not much");
        assert_eq!(written, expected);
        let _ = connection.close(gio::Cancellable::NONE);
    }
    assert_idle(&scene.world.context);
    if scene.case.answer != Answer::Reset {
        let received = scene.drained + read_to_end(&mut scene.peers[0]).len();
        assert_eq!(received, expected);
    }
}

/// Closed, cancelled or not: nothing waits in it.
fn check_stream(scene: &Scene<'_>) {
    let Some(connection) = &scene.connection else {
        return;
    };
    if scene.case.op == Op::CloseInput {
        assert!(connection.input_stream().is_closed());
    } else {
        assert!(connection.output_stream().is_closed());
    }
    if scene.case.strike != Strike::Close {
        assert!(!connection.is_closed());
        assert_eq!(connection.state(), ConnectionState::Connected);
    }
}

/// IOS-13, TCP-10: closed however it ended, once it has begun.
fn check_close(scene: &mut Scene<'_>, end: Option<End>) {
    let begun = scene.was_begun();
    let case = scene.case;
    if let Some(connection) = &scene.connection {
        if end.is_none() && !begun {
            assert!(!connection.is_closed());
            assert_eq!(connection.bytes_read(), 0);
            return;
        }
        let closed = connection.clone();
        iterate_until(&scene.world.context, || closed.is_closed());
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert!(connection.socket().is_closed());
    }
    if case.answer != Answer::Reset {
        let peer = &mut scene.peers[0];
        peer.set_read_timeout(Some(Duration::from_secs(5)))
            .expect("an option");
        assert!(read_to_end(peer).is_empty());
    }
}

/// What one side read and could not hand on is GLib's own loop's; what was handed on arrives.
fn check_splice(scene: &mut Scene<'_>) {
    if let (Some(first), Some(second)) = (scene.connection.take(), scene.other.take()) {
        let context = scene.world.context.clone();
        iterate_until(&context, || first.is_closed() && second.is_closed());
        let (read, written) = (first.bytes_read(), second.bytes_written());
        assert!(written <= read && read <= 4);
        drop((first, second));
        assert_idle(&context);
        let last = scene.peers.last_mut().expect("the other one's");
        assert_eq!(read_to_end(last).len() as u64, written);
    }
}

/// What was taken from the first has arrived, since there is room; and what was not taken is there.
fn check_relay(scene: &mut Scene<'_>, end: Option<End>) {
    let case = scene.case;
    let sent = match case.answer {
        Answer::AtOnce | Answer::Later => PING.len(),
        _ => 0,
    };
    let mut arrives = matches!(end, Some(Ok(_))).then_some(sent);
    if let (Some(first), Some(second)) = (scene.connection.take(), scene.other.take()) {
        let taken = usize::try_from(first.bytes_read()).expect("not many");
        assert_eq!(second.bytes_written(), first.bytes_read());
        if case.strike != Strike::Close {
            assert!(!first.is_closed() && !second.is_closed());
        }
        if !first.is_closed() && taken < sent {
            scene.act();
            assert_eq!(rest(&first), sent - taken, "bytes are gone");
        }
        assert!(arrives.is_none_or(|arrives| arrives == taken));
        arrives = Some(taken);
        let _ = first.close(gio::Cancellable::NONE);
        let _ = second.close(gio::Cancellable::NONE);
    }
    assert_idle(&scene.world.context);
    if let Some(arrives) = arrives {
        let last = scene.peers.last_mut().expect("the other one's");
        assert_eq!(read_to_end(last).len(), arrives);
    }
}
