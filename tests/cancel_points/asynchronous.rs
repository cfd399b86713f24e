//! Every asynchronous operation, in each way, over each line, with each peer.

use crate::counting::*;
use crate::expected::*;
use crate::lines::*;
use crate::operations::*;
use crate::points::*;
use crate::scene::*;

const ALL: [Answer; 4] = [Answer::AtOnce, Answer::Later, Answer::Never, Answer::Reset];

fn answers(op: Op, line: Line) -> Vec<Answer> {
    match op {
        // A TCP listener answers at once, or after a second: there is no Later.
        Op::Connect if line.is_tcp() => vec![Answer::AtOnce, Answer::Never, Answer::Reset],
        Op::Relay if !line.is_tcp() => {
            vec![Answer::AtOnce, Answer::Later, Answer::Never, Answer::End]
        }
        Op::Read | Op::Relay => ALL.into_iter().chain([Answer::End]).collect(),
        op if op.receives() => ALL.into_iter().chain([Answer::End]).collect(),
        Op::Flush | Op::CloseInput | Op::CloseOutput => vec![Answer::AtOnce],
        Op::Close => vec![Answer::AtOnce, Answer::Reset],
        _ => ALL.into(),
    }
}

fn ways(op: Op) -> Vec<Way> {
    let mut ways = vec![Way::Callback, Way::LaterFinish];
    if op.has_future() {
        ways.extend([Way::Spawned, Way::ByHand]);
    }
    ways
}

/// Dropping the future of an overridden connect has a test of its own.
fn is_apart(case: Case) -> bool {
    case.op == Op::Connect && case.line == Line::TcpDerived && case.strike == Strike::DropFuture
}

fn every_case(op: Op, place: Where) {
    every_case_of(op, place, &format!("{op:?}"), |case| !is_apart(case));
}

fn every_case_of(op: Op, place: Where, name: &str, wanted: fn(Case) -> bool) {
    let name = name.to_owned();
    on(place, move |context| {
        let mut world = World::new(context);
        world.prepare(op);
        let mut points = Points::default();
        points.covers(op.covers());
        for line in LINES {
            if !op.is_of(line) {
                continue;
            }
            for answer in answers(op, line) {
                for way in ways(op) {
                    for strike in strikes(way) {
                        let case = Case {
                            op,
                            line,
                            answer,
                            way,
                            strike: *strike,
                        };
                        if wanted(case) {
                            every_point(&mut points, &world, case);
                        }
                        if points.is_enough() {
                            break;
                        }
                    }
                }
            }
        }
        points.report(&format!("{name}, {place:?} context"));
    });
}

/// Each operation on a context of its own, and on the global one.
macro_rules! on_both {
    ($($name:ident: $op:expr,)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn on_a_private_context_every_point_is_right() {
                every_case($op, Where::Private);
            }

            #[test]
            fn on_the_default_context_every_point_is_right() {
                every_case($op, Where::Default);
            }
        })*
    };
}

on_both! {
    connect: Op::Connect,
    read: Op::Read,
    skip: Op::Skip,
    write: Op::Write,
    writev: Op::Writev,
    flush: Op::Flush,
    close_of_the_input_stream: Op::CloseInput,
    close_of_the_output_stream: Op::CloseOutput,
    close: Op::Close,
    graceful_close: Op::GracefulClose,
    splice: Op::Splice,
    relay: Op::Relay,
    send_fd: Op::SendFd,
    send_fds: Op::SendFds,
    send_credentials: Op::SendCredentials,
    receive_fd: Op::ReceiveFd,
    receive_fds: Op::ReceiveFds,
    receive_credentials: Op::ReceiveCredentials,
}

/// The override is a future as well: nothing may be lost between its end and the poll that tells.
#[test]
fn a_dropped_future_of_an_overridden_connect_leaves_nothing_connected() {
    every_case_of(Op::Connect, Where::Private, "Connect overridden", is_apart);
}
