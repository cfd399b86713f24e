//! The graceful part of a close: say that we are done, and wait for the peer to say so too.

use std::sync::Arc;

use super::{Transport, descriptor::shutdown_write};
use crate::{
    error,
    operation::{Attempt, Progress, Wait},
    reactor::{Interest, Registration},
};

/// For a socket without a timeout.
pub(crate) const DRAIN_SECONDS: u32 = 30;
const PIECE: usize = 64 * 1024;
/// How much one attempt throws away before others get a turn.
const PIECES: usize = 16;

/// Shuts the sending side down, then reads and throws away until the peer's end of file.
pub(crate) struct Drain {
    transport: Arc<Transport>,
    deadline: Option<i64>,
    begun: bool,
    scratch: Vec<u8>,
}

impl Drain {
    pub(crate) fn new(transport: Arc<Transport>) -> Self {
        let deadline = transport.deadline_or(Some(DRAIN_SECONDS));
        Self {
            transport,
            deadline,
            begun: false,
            scratch: Vec::new(),
        }
    }
}

impl Attempt for Drain {
    type Output = ();

    fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn attempt(&mut self, registered: Option<&Registration>) -> Progress<()> {
        if self.transport.is_inherited() {
            // The peer is the parent's.
            return Progress::Done(Ok(()));
        }
        if !self.begun {
            let shut = self
                .transport
                .enter()
                .and_then(|using| shutdown_write(&using));
            if let Err(failure) = shut {
                return Progress::Done(Err(failure));
            }
            self.begun = true;
            self.scratch = vec![0; PIECE];
        }
        for _ in 0..PIECES {
            match self.transport.discard(&mut self.scratch, registered) {
                Ok(Some(0)) => return Progress::Done(Ok(())),
                Ok(Some(_)) => {}
                Ok(None) => return Progress::Wait(Wait::for_event(Interest::Read)),
                Err(failure) => return Progress::Done(Err(failure)),
            }
        }
        // There is more. A peer that sends without end is stopped by the deadline.
        if self
            .deadline
            .is_some_and(|deadline| glib::monotonic_time() >= deadline)
        {
            return Progress::Done(Err(error::timed_out()));
        }
        Progress::Yield
    }
}
