//! Connecting, as attempts that never wait.

use std::sync::Arc;

use gio::prelude::SocketExt;

use super::{NativeAddress, Occupation, Operation, Transport};
use crate::{
    error,
    operation::{Attempt, Progress, Wait},
    reactor::{Interest, Registration},
};

/// How long a Unix connect whose listener has no room left waits before it asks again.
const FIRST_RETRY: i64 = 1_000;
const LAST_RETRY: i64 = 50_000;

/// A connect. Dropped or given up before its end it leaves nothing in flight, and the socket is
/// as unconnected as before.
pub(crate) struct Connect {
    transport: Arc<Transport>,
    address: NativeAddress,
    phase: Phase,
    deadline: Option<i64>,
    retry: i64,
    operation: Option<Operation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Begin,
    InFlight,
    /// The listener's queue is full: the kernel has begun nothing.
    Queueing,
    Ended,
}

impl Connect {
    pub(crate) fn new(transport: Arc<Transport>, address: NativeAddress) -> Self {
        let deadline = transport.deadline();
        Self {
            transport,
            address,
            phase: Phase::Begin,
            deadline,
            retry: FIRST_RETRY,
            operation: None,
        }
    }

    fn end(&mut self, result: Result<(), glib::Error>) -> Progress<()> {
        self.phase = Phase::Ended;
        self.operation = None;
        match result {
            Ok(()) => {
                let peer = self.address.is_kept_by_connect().then_some(self.address);
                if !self.transport.become_connected_to(peer) {
                    // Closed by somebody in the last moment.
                    return Progress::Done(Err(error::closed()));
                }
                Progress::Done(Ok(()))
            }
            Err(failure) => {
                self.transport.connect_failed(Some(failure.clone()));
                Progress::Done(Err(failure))
            }
        }
    }

    fn connected(&mut self) -> Progress<()> {
        // Tells the GSocket, which learns of a connect in no other way. It answers TimedOut once for
        // a flag left over by somebody else's wait, and forgets it.
        let told = self.transport.descriptor.ask_socket(|socket| {
            socket
                .check_connect_result()
                .or_else(|_| socket.check_connect_result())
        });
        self.end(told.unwrap_or(Ok(())))
    }
}

impl Attempt for Connect {
    type Output = ();

    fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn attempt(&mut self, _registered: Option<&Registration>) -> Progress<()> {
        if self.transport.is_inherited() {
            // Before any lock: a thread that held one is not here to give it back.
            self.phase = Phase::Ended;
            return Progress::Done(Err(error::forked()));
        }
        if self.phase == Phase::Begin {
            if self.transport.is_closed() {
                self.phase = Phase::Ended;
                return Progress::Done(Err(error::closed()));
            }
            // Before anybody is told, so that nobody swaps the socket under us.
            self.operation = Some(self.transport.operation(Occupation::Connecting));
            if let Err(failure) = self.transport.begin_connect() {
                self.phase = Phase::Ended;
                self.operation = None;
                return Progress::Done(Err(failure));
            }
        }
        let transport = self.transport.clone();
        let using = match transport.enter() {
            Ok(using) => using,
            Err(failure) => return self.end(Err(failure)),
        };
        let mut asked = self.address.connect(using.fd());
        if asked == Err(libc::EINPROGRESS)
            && self.transport.expects(&self.address)
            && self.address.is_loopback()
        {
            // This machine has answered itself by now, as a rule, and nobody else has the socket to ask.
            self.phase = Phase::InFlight;
            asked = self.address.connect(using.fd());
        }
        // Asking a second time tells the outcome, leaves the socket fit for another try after a
        // failure, and does not mistake "not yet" for success as SO_ERROR does.
        let errno = match asked {
            Ok(()) => return self.connected(),
            Err(errno) => errno,
        };
        match (errno, self.phase) {
            (libc::EISCONN, Phase::InFlight) => self.connected(),
            (libc::EINPROGRESS | libc::EALREADY | libc::EINTR, _) => {
                self.phase = Phase::InFlight;
                Progress::Wait(Wait::for_event(Interest::Write))
            }
            (libc::EAGAIN, _) if self.address.is_unix() => {
                self.phase = Phase::Queueing;
                let until = glib::monotonic_time().saturating_add(self.retry);
                self.retry = (self.retry * 2).min(LAST_RETRY);
                Progress::Wait(Wait::until(until))
            }
            _ => self.end(Err(error::from_errno(errno))),
        }
    }

    fn give_up(&mut self, failure: Option<&glib::Error>) {
        if self.phase == Phase::InFlight
            && let Ok(using) = self.transport.enter()
        {
            super::options::abort_connect(using.fd());
        }
        self.operation = None;
        if matches!(self.phase, Phase::InFlight | Phase::Queueing) {
            self.phase = Phase::Ended;
            // A cancelled attempt is the caller's wish, not the connection's failure.
            let failure = failure.filter(|failure| !failure.matches(gio::IOErrorEnum::Cancelled));
            self.transport.connect_failed(failure.cloned());
        }
    }
}

impl Drop for Connect {
    fn drop(&mut self) {
        self.give_up(None);
    }
}
