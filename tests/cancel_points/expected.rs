//! What must come of an operation that something befalls at some point.

use gio::IOErrorEnum as E;

use crate::lines::Line;
use crate::operations::{End, Op};
use crate::tools::CONNECTION_CLOSED;

/// What the peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has answered before the operation begins.
    AtOnce,
    /// It answers when the operation waits.
    Later,
    Never,
    /// It resets the connection when the operation waits, or refuses it.
    Reset,
    /// It says that it is done when the operation waits.
    End,
}

/// Who gets to know how the operation ended, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A callback that finishes.
    Callback,
    /// A callback that leaves finishing for later.
    LaterFinish,
    /// A future that the context runs.
    Spawned,
    /// A future that the test polls, with a waker of its own.
    ByHand,
}

/// What befalls the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    Cancel,
    /// From another thread, while this one goes on.
    CancelElsewhere,
    DropFuture,
    DropReference,
    Close,
    /// A main loop inside of a callback, and inside of the operation's own.
    NestedLoop,
}

pub(crate) fn strikes(way: Way) -> &'static [Strike] {
    match way {
        Way::Callback => &[
            Strike::Cancel,
            Strike::CancelElsewhere,
            Strike::DropReference,
            Strike::Close,
            Strike::NestedLoop,
        ],
        Way::LaterFinish => &[Strike::Cancel, Strike::CancelElsewhere, Strike::Close],
        Way::Spawned => &[
            Strike::DropFuture,
            Strike::DropReference,
            Strike::Close,
            Strike::NestedLoop,
        ],
        Way::ByHand => &[Strike::DropFuture, Strike::DropReference, Strike::Close],
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) op: Op,
    pub(crate) line: Line,
    pub(crate) answer: Answer,
    pub(crate) way: Way,
    pub(crate) strike: Strike,
}

impl Case {
    /// How it ends when nothing befalls it; `None` is never.
    pub(crate) fn natural(&self) -> Option<End> {
        let tcp = self.line.is_tcp();
        Some(match (self.op, self.answer) {
            (Op::Flush | Op::CloseInput | Op::CloseOutput | Op::Close, _) => Ok(0),
            (_, Answer::Never) => return None,
            (Op::Connect, Answer::Reset) => Err(E::ConnectionRefused),
            (Op::Read | Op::Skip, Answer::AtOnce | Answer::Later) => Ok(4),
            // A Unix socket's peer that goes away is an end of file.
            (Op::Read | Op::Skip, Answer::Reset) if !tcp => Ok(0),
            (Op::Read | Op::Skip, Answer::End) => Ok(0),
            (Op::Write | Op::Writev, Answer::AtOnce | Answer::Later) => Ok(4),
            (op, Answer::AtOnce | Answer::Later) if op.receives() || op.sends() => Ok(1),
            (op, Answer::End) if op.receives() => Err(CONNECTION_CLOSED),
            (Op::Relay, Answer::AtOnce | Answer::Later) => Ok(4),
            (Op::GracefulClose | Op::Splice, Answer::Reset) if !tcp => Ok(0),
            (_, Answer::Reset) => Err(CONNECTION_CLOSED),
            // Of the others.
            (_, Answer::AtOnce | Answer::Later | Answer::End) => Ok(0),
        })
    }

    /// All that may come of it. `ended`: the callback had come before the strike; `done`: the operation itself
    /// had, though the callback was still to come.
    pub(crate) fn allowed(&self, ended: bool, done: bool) -> Vec<End> {
        let natural = self.natural().unwrap_or(Err(E::Cancelled));
        let finishes_later = self.way == Way::LaterFinish;
        let cancelled = Err(E::Cancelled);
        match self.strike {
            Strike::NestedLoop | Strike::DropFuture => vec![natural],
            Strike::Cancel | Strike::CancelElsewhere if ended => {
                // A completed operation keeps its result, but for GLib's own tasks.
                if finishes_later && self.op.looks_at_finish() {
                    vec![cancelled]
                } else {
                    vec![natural]
                }
            }
            _ if ended => vec![natural],
            // Nothing waits in it, and GIO does not look (ST-39).
            Strike::Cancel | Strike::CancelElsewhere if self.op == Op::CloseInput => vec![natural],
            Strike::Cancel | Strike::CancelElsewhere if self.op == Op::Connect && done => {
                vec![natural]
            }
            Strike::Cancel => vec![cancelled],
            Strike::CancelElsewhere => vec![natural, cancelled],
            Strike::DropReference | Strike::Close => match self.op {
                Op::Read | Op::Skip | Op::Write | Op::Writev => {
                    // gio's future learns of it an iteration later; of an end or an error nothing is seen
                    // from outside.
                    let is_future = matches!(self.way, Way::Spawned | Way::ByHand);
                    let unseen = matches!(self.answer, Answer::Reset | Answer::End);
                    match (is_future, done) {
                        (true, true) => vec![natural],
                        (true, false) if unseen => vec![natural, Err(E::Closed)],
                        _ => vec![Err(E::Closed)],
                    }
                }
                op if op.receives() || op.sends() => {
                    // The operation keeps its connection; of an error nothing is seen from outside.
                    let unseen = matches!(self.answer, Answer::Reset | Answer::End);
                    match self.strike {
                        Strike::Close if !done && unseen => vec![natural, Err(E::Closed)],
                        Strike::Close if !done => vec![Err(E::Closed)],
                        _ => vec![natural],
                    }
                }
                Op::Connect if self.strike == Strike::Close && !done => vec![Err(E::Closed)],
                Op::Relay if self.strike == Strike::Close && self.natural().is_none() => {
                    vec![Err(E::Closed)]
                }
                // All of it may be done by then, or some.
                Op::Relay if self.strike == Strike::Close => vec![natural, Err(E::Closed)],
                // Some of it may be done by then.
                Op::Splice if self.strike == Strike::Close => vec![natural, Err(E::Closed)],
                _ => vec![natural],
            },
        }
    }
}
