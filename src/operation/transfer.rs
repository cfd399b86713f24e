//! Moving bytes, as attempts that never wait.

use std::sync::Arc;

use super::{Attempt, Progress, Wait};
use crate::{
    error,
    reactor::{Interest, Registration},
    transport::{Attempted, Operation, Transport},
};

/// A try to move bytes.
pub(crate) trait Moving {
    fn try_to_move(
        &mut self,
        transport: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize>;

    /// Whether there is nothing to move, which is done at once.
    fn is_for_nothing(&self) -> bool {
        false
    }
}

impl<F: FnMut(&Transport, Option<&Registration>) -> Attempted<usize>> Moving for F {
    fn try_to_move(
        &mut self,
        transport: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        self(transport, registered)
    }
}

/// One transfer of bytes in one direction, tried until it moves some.
pub(crate) struct Transfer<F> {
    transport: Arc<Transport>,
    interest: Interest,
    pub(crate) moving: F,
    deadline: Option<i64>,
    _operation: Operation,
}

impl<F: Moving> Transfer<F> {
    pub(crate) fn new(transport: Arc<Transport>, interest: Interest, moving: F) -> Self {
        let deadline = transport.deadline();
        let operation = transport.operation(interest.into());
        Self {
            transport,
            interest,
            moving,
            deadline,
            _operation: operation,
        }
    }
}

impl<F: Moving> Attempt for Transfer<F> {
    type Output = usize;

    fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn has_to_wait(&self, registered: &Registration) -> Option<Interest> {
        let waits = !registered.look().is_ready(self.interest)
            && !self.transport.is_closed()
            && !self.transport.has_timed_out(self.interest)
            && !self.moving.is_for_nothing();
        waits.then_some(self.interest)
    }

    fn left_over(&self) -> Option<glib::Error> {
        let timed_out = self.transport.take_timed_out(self.interest);
        timed_out.then(error::timed_out)
    }

    fn attempt(&mut self, registered: Option<&Registration>) -> Progress<usize> {
        match self.moving.try_to_move(&self.transport, registered) {
            Ok(Some(moved)) => Progress::Done(Ok(moved)),
            Ok(None) => Progress::Wait(Wait::for_event(self.interest)),
            Err(failure) => Progress::Done(Err(failure)),
        }
    }
}
