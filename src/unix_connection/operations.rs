//! What a Unix connection does beyond reading and writing, as attempts that never wait.

use std::{
    borrow::Borrow,
    os::fd::{OwnedFd, RawFd},
    sync::{Arc, Mutex, PoisonError},
};

use super::ancillary::{
    Cargo, Descriptors, Next, Sender, receive_credentials, receive_descriptors,
};
use crate::{
    error,
    operation::{Attempt, Progress, Wait},
    reactor::{Interest, Registration},
    transport::{Attempted, Operation, Transport},
};

/// Whose turn it is to receive: who looks at what comes next is the one to take it.
pub(super) type Turn = Arc<Mutex<()>>;

/// A byte and what it carries, in one direction, tried until it has moved.
struct Passing<F> {
    transport: Arc<Transport>,
    interest: Interest,
    call: F,
    deadline: Option<i64>,
    _operation: Operation,
}

impl<T, F: FnMut(&Transport, Option<&Registration>) -> Attempted<T>> Passing<F> {
    fn new(transport: Arc<Transport>, interest: Interest, call: F) -> Self {
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

impl<T, F: FnMut(&Transport, Option<&Registration>) -> Attempted<T>> Attempt for Passing<F> {
    type Output = T;

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

    fn attempt(&mut self, registered: Option<&Registration>) -> Progress<T> {
        match (self.call)(&self.transport, registered) {
            Ok(Some(value)) => Progress::Done(Ok(value)),
            Ok(None) => Progress::Wait(Wait::for_event(self.interest)),
            Err(failure) => Progress::Done(Err(failure)),
        }
    }
}

/// Sends a byte and what it carries.
pub(super) fn send(
    transport: Arc<Transport>,
    cargo: impl Borrow<Cargo> + Send + 'static,
) -> impl Attempt<Output = ()> + Send + 'static {
    Passing::new(transport, Interest::Write, move |transport, registered| {
        Ok(try_send(transport, cargo.borrow(), registered)?.map(|_| ()))
    })
}

/// Likewise, without waiting.
pub(super) fn try_send(
    transport: &Transport,
    cargo: &Cargo,
    registered: Option<&Registration>,
) -> Attempted<usize> {
    transport.transfer(Some(Interest::Write), 1, registered, |fd| cargo.send(fd))
}

/// Receives the one descriptor of a message.
pub(super) fn receive_one(
    transport: Arc<Transport>,
    turn: Turn,
) -> impl Attempt<Output = OwnedFd> + Send + 'static {
    receive(transport, turn, receive_descriptors, |received| {
        let mut all = checked(received, 1)?;
        all.pop().ok_or_else(cut_off)
    })
}

/// Receives the descriptors of a message.
pub(super) fn receive_some(
    transport: Arc<Transport>,
    turn: Turn,
    most: usize,
) -> Result<impl Attempt<Output = Vec<OwnedFd>> + Send + 'static, glib::Error> {
    if most == 0 {
        return Err(error::invalid("At least one descriptor is to be received"));
    }
    Ok(receive(
        transport,
        turn,
        receive_descriptors,
        move |received| checked(received, most),
    ))
}

/// Receives the credentials of a message.
pub(super) fn receive_sender(
    transport: Arc<Transport>,
    turn: Turn,
) -> impl Attempt<Output = Sender> + Send + 'static {
    receive(transport, turn, receive_credentials, Ok)
}

/// One call that takes what is next if it is what is wanted, and returns as `recvmsg(2)` does.
type Take<T> = fn(RawFd, bool, &mut Next<T>) -> isize;

fn receive<T: Send + 'static, R: 'static>(
    transport: Arc<Transport>,
    turn: Turn,
    take: Take<T>,
    accept: impl Fn(T) -> Result<R, glib::Error> + Send + 'static,
) -> impl Attempt<Output = R> + Send + 'static {
    Passing::new(transport, Interest::Read, move |transport, registered| {
        let is_stream = transport.kind().is_stream();
        let mut next = Next::End;
        let moved = transport.transfer(Some(Interest::Read), 1, registered, |fd| {
            // Between its look and its taking nobody else of this connection receives.
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            take(fd, is_stream, &mut next)
        })?;
        if moved.is_none() {
            return Ok(None);
        }
        match next {
            Next::Taken(value) => accept(value).map(Some),
            Next::End => Err(peer_closed()),
            Next::Other => Err(not_what_was_asked_for()),
        }
    })
}

/// All of them, or none: what is not handed on is closed.
fn checked(received: Descriptors, most: usize) -> Result<Vec<OwnedFd>, glib::Error> {
    if received.is_cut || received.all.is_empty() {
        return Err(cut_off());
    }
    if received.all.len() > most {
        return Err(error::failed("More descriptors came than were asked for"));
    }
    Ok(received.all)
}

fn peer_closed() -> glib::Error {
    glib::Error::new(
        error::CONNECTION_CLOSED,
        "The peer has closed the connection",
    )
}

fn not_what_was_asked_for() -> glib::Error {
    error::failed("What comes next is not what was asked for, and stays to be received")
}

fn cut_off() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::InvalidData,
        "Some of the descriptors that were sent are lost",
    )
}
