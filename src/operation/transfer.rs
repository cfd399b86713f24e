//! Moving bytes, as attempts that never wait.

use std::sync::Arc;

use super::{Attempt, Progress, Wait};
use crate::{
    error,
    reactor::{Interest, Registration},
    transport::{Attempted, Operation, Transport},
};

/// One transfer of bytes in one direction, tried until it moves some.
pub(crate) struct Transfer<F> {
    transport: Arc<Transport>,
    interest: Interest,
    call: F,
    deadline: Option<i64>,
    _operation: Operation,
}

impl<F: FnMut(&Transport, Option<&Registration>) -> Attempted<usize>> Transfer<F> {
    pub(crate) fn new(transport: Arc<Transport>, interest: Interest, call: F) -> Self {
        let deadline = transport.deadline();
        let operation = transport.operation(interest.into());
        Self {
            transport,
            interest,
            call,
            deadline,
            _operation: operation,
        }
    }
}

impl<F: FnMut(&Transport, Option<&Registration>) -> Attempted<usize>> Attempt for Transfer<F> {
    type Output = usize;

    fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn left_over(&self) -> Option<glib::Error> {
        let timed_out = self.transport.take_timed_out(self.interest);
        timed_out.then(error::timed_out)
    }

    fn attempt(&mut self, registered: Option<&Registration>) -> Progress<usize> {
        match (self.call)(&self.transport, registered) {
            Ok(Some(moved)) => Progress::Done(Ok(moved)),
            Ok(None) => Progress::Wait(Wait::for_event(self.interest)),
            Err(failure) => Progress::Done(Err(failure)),
        }
    }
}
