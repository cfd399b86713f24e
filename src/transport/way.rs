//! What one peer sends, on its way to another one.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{Direction, Operation, Transport, cargo::Cargo};
use crate::reactor::Interest;

/// How many transfers one poll makes before others have their turn.
const ROUNDS: usize = 16;

/// From one transport to another, until the end of file, which is passed on.
///
/// It takes in nothing new before the last was delivered, so that what it holds is bounded. Dropped, it
/// delivers what can be delivered without waiting.
pub(crate) struct Way {
    from: Arc<Transport>,
    to: Arc<Transport>,
    read: Direction,
    write: Direction,
    cargo: Cargo,
    taken: u64,
    delivered: u64,
    has_ended: bool,
    /// Nobody puts another socket in the place of one that is in use.
    _operations: [Operation; 2],
}

impl Way {
    pub(crate) fn new(from: &Arc<Transport>, to: &Arc<Transport>) -> Self {
        Self {
            from: from.clone(),
            to: to.clone(),
            read: Direction::without_deadline(Interest::Read),
            write: Direction::without_deadline(Interest::Write),
            cargo: Cargo::default(),
            taken: 0,
            delivered: 0,
            has_ended: false,
            _operations: [
                from.operation(Interest::Read.into()),
                to.operation(Interest::Write.into()),
            ],
        }
    }

    /// How many bytes the receiving socket has.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Changes whenever something has moved.
    pub(crate) fn progress(&self) -> u64 {
        self.taken.wrapping_add(self.delivered)
    }

    /// Goes on until the end of file was passed on.
    ///
    /// # Errors
    ///
    /// Those of the first transfer that fails.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<(), glib::Error>> {
        for _ in 0..ROUNDS {
            if !self.cargo.is_empty() {
                let (write, cargo) = (&mut self.write, &mut self.cargo);
                let delivered =
                    ready!(write.poll(&self.to, cx, |to, known| cargo.deliver(to, known)))?;
                self.delivered += delivered as u64;
                continue;
            }
            if self.has_ended {
                return Poll::Ready(self.to.pass_end_on());
            }
            let (read, cargo, to) = (&mut self.read, &mut self.cargo, &self.to);
            let taken = ready!(read.poll(&self.from, cx, |from, known| {
                cargo.take(from, to, known)
            }))?;
            self.taken += taken as u64;
            self.has_ended = taken == 0;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        while !self.cargo.is_empty() && matches!(self.cargo.deliver(&self.to, None), Ok(Some(1..)))
        {
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way")
            .field("delivered", &self.delivered)
            .field("cargo", &self.cargo)
            .finish_non_exhaustive()
    }
}
