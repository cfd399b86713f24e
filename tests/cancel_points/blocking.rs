//! Blocking operations, cancelled from another thread: before they begin, at moments while they wait, and after.

use std::{io::Write, net::Shutdown, net::TcpStream, os::fd::AsFd, thread, time::Duration};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{SocketConnection, prelude::*};

use crate::effects::check;
use crate::expected::*;
use crate::lines::*;
use crate::operations::*;
use crate::points::*;
use crate::scene::*;
use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    /// So many microseconds after it began.
    While(u64),
    After,
}

const MOMENTS: [Moment; 8] = [
    Moment::Before,
    Moment::While(0),
    Moment::While(20),
    Moment::While(100),
    Moment::While(500),
    Moment::While(2_000),
    Moment::While(10_000),
    Moment::After,
];

/// Each moment anew so often: where exactly it falls is chance.
const ROUNDS: u32 = 5;

fn answers(op: Op) -> &'static [Answer] {
    match op {
        Op::Read | Op::GracefulClose => &[Answer::AtOnce, Answer::Later, Answer::Never],
        _ if op.receives() => &[Answer::AtOnce, Answer::Later, Answer::Never],
        _ => &[Answer::AtOnce, Answer::Never],
    }
}

/// The peer answers in the same moment.
fn answer(op: Op, peer: &mut TcpStream) {
    if op == Op::Read {
        peer.write_all(PING).expect("connected");
    } else if op.receives() {
        pass(op, peer);
    } else {
        peer.shutdown(Shutdown::Write).expect("connected");
    }
}

fn run(scene: &Scene<'_>, cancellable: &gio::Cancellable) -> End {
    let connection = scene.connection.as_ref().expect("just made");
    let failed = |failure: glib::Error| code(&failure);
    match scene.case.op {
        Op::Connect => {
            let address = scene.address().expect("somebody to connect to");
            SocketConnection::connect(connection, &address, Some(cancellable))
                .map(|()| 0)
                .map_err(failed)
        }
        Op::Read => connection
            .input_stream()
            .read([0; 4], Some(cancellable))
            .map_err(failed),
        Op::Write => {
            let written = connection.output_stream().write(PING, Some(cancellable));
            written
                .map(|count| usize::try_from(count).expect("not negative"))
                .map_err(failed)
        }
        Op::SendFd | Op::SendFds | Op::SendCredentials => {
            let (unix, stdin) = (unix_of(connection), std::io::stdin());
            let sent = match scene.case.op {
                Op::SendFd => unix.send_fd(stdin.as_fd(), Some(cancellable)),
                Op::SendFds => unix.send_fds(&[stdin.as_fd(); 2], Some(cancellable)),
                _ => unix.send_credentials(Some(cancellable)),
            };
            sent.map(|()| 1).map_err(failed)
        }
        Op::ReceiveFd => {
            let received = unix_of(connection).receive_fd(Some(cancellable));
            received.map(|_| 1).map_err(failed)
        }
        Op::ReceiveFds => {
            let received = unix_of(connection).receive_fds(2, Some(cancellable));
            received.map(|fds| fds.len() / 2).map_err(failed)
        }
        Op::ReceiveCredentials => {
            let received = unix_of(connection).receive_credentials(Some(cancellable));
            received.map(|_| 1).map_err(failed)
        }
        _ => connection
            .close(Some(cancellable))
            .map(|()| 0)
            .map_err(failed),
    }
}

fn point(world: &World, case: Case, moment: Moment) {
    let mut scene = Scene::without_a_run(world, case);
    let cancellable = gio::Cancellable::new();
    if moment == Moment::Before {
        cancellable.cancel();
    }
    let other = (case.answer == Answer::Later).then(|| {
        scene.has_acted();
        scene.peers[0].try_clone().expect("a descriptor")
    });
    let helper = match (moment, other) {
        (Moment::While(delay), mut peer) => {
            let cancellable = cancellable.clone();
            Some(thread::spawn(move || {
                thread::sleep(Duration::from_micros(delay));
                if let Some(peer) = &mut peer {
                    answer(case.op, peer);
                }
                cancellable.cancel();
            }))
        }
        (_, Some(mut peer)) => {
            answer(case.op, &mut peer);
            None
        }
        (_, None) => None,
    };
    let natural = case.natural();
    if moment == Moment::After && natural.is_none() {
        // It never ends: there is no after.
        cancellable.cancel();
    }
    let end = run(&scene, &cancellable);
    if let Some(helper) = helper {
        helper.join().expect("no panic there");
    }
    cancellable.cancel();
    let cancelled = Err(E::Cancelled);
    let allowed = match (moment, natural) {
        // Nothing waits in it any more.
        (Moment::Before, _) if case.op == Op::GracefulClose => vec![Ok(0)],
        (Moment::After, None) if case.op == Op::GracefulClose => vec![Ok(0)],
        (Moment::Before, _) => vec![cancelled],
        (Moment::After, Some(natural)) => vec![natural],
        // A close that finds itself cancelled at its beginning does not wait.
        (_, None) if case.op == Op::GracefulClose => vec![cancelled, Ok(0)],
        (_, None) => vec![cancelled],
        (Moment::While(_), Some(natural)) => vec![natural, cancelled],
    };
    assert!(
        allowed.contains(&end),
        "it said {end:?}, not one of {allowed:?}"
    );
    check(&mut scene, Some(end), false);
    assert_eq!(cancellable.ref_count(), 1);
    scene.leave();
}

fn every_moment(op: Op) {
    on(Where::Private, move |context| {
        let mut world = World::new(context);
        world.prepare(op);
        let mut points = Points::default();
        for line in LINES {
            if !op.is_of(line) {
                continue;
            }
            for answer in answers(op) {
                let case = Case {
                    op,
                    line,
                    answer: *answer,
                    way: Way::Callback,
                    strike: Strike::Cancel,
                };
                // Once for what a thread that waits opens for itself.
                point(&world, case, Moment::While(2_000));
                for moment in MOMENTS {
                    for _ in 0..ROUNDS {
                        points.attempt(&format!("{case:?} {moment:?}"), || {
                            point(&world, case, moment);
                        });
                        if points.is_enough() {
                            return points.report(&format!("{op:?}, blocking"));
                        }
                    }
                }
            }
        }
        points.report(&format!("{op:?}, blocking"));
    });
}

#[test]
fn a_blocking_connect_is_right_whenever_it_is_cancelled() {
    every_moment(Op::Connect);
}

#[test]
fn a_blocking_read_is_right_whenever_it_is_cancelled() {
    every_moment(Op::Read);
}

#[test]
fn a_blocking_write_is_right_whenever_it_is_cancelled() {
    every_moment(Op::Write);
}

#[test]
fn a_blocking_graceful_close_is_right_whenever_it_is_cancelled() {
    every_moment(Op::GracefulClose);
}

#[test]
fn a_blocking_send_of_a_descriptor_is_right_whenever_it_is_cancelled() {
    every_moment(Op::SendFd);
}

#[test]
fn a_blocking_receive_of_a_descriptor_is_right_whenever_it_is_cancelled() {
    every_moment(Op::ReceiveFd);
}

#[test]
fn a_blocking_send_of_descriptors_is_right_whenever_it_is_cancelled() {
    every_moment(Op::SendFds);
}

#[test]
fn a_blocking_receive_of_descriptors_is_right_whenever_it_is_cancelled() {
    every_moment(Op::ReceiveFds);
}

#[test]
fn a_blocking_send_of_credentials_is_right_whenever_it_is_cancelled() {
    every_moment(Op::SendCredentials);
}

#[test]
fn a_blocking_receive_of_credentials_is_right_whenever_it_is_cancelled() {
    every_moment(Op::ReceiveCredentials);
}
