//! What was taken out of one socket and is not in the other yet.

use std::fmt;

use super::{
    Attempted, Transport,
    splice::{Pipe, Spliced},
};
use crate::reactor::{Interest, Registration};

/// How much is copied at once: a message is not cut in two, which would make the second part wait for the peer's
/// word on the first one (Nagle's algorithm).
const BUFFER: usize = 64 * 1024;
/// With less than that at once, copying costs less than a pipe.
const BULK: usize = 16 * 1024;

/// Nothing, or bytes in a buffer or in a pipe. It is filled when it is empty only.
///
/// A pipe is made when a buffer was filled to the brim, so that who sends little needs none.
#[derive(Default)]
pub(super) struct Cargo {
    bytes: Vec<u8>,
    /// How many of the bytes were delivered.
    sent: usize,
    pipe: Option<Pipe>,
    is_unfit: bool,
    /// The last read has left something behind, by the looks of it.
    is_bulk: bool,
}

impl Cargo {
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() && self.pipe.as_ref().is_none_or(Pipe::is_empty)
    }

    /// Takes from `from` what there is, or a part of it, for `to`. 0 is the end of file.
    pub(super) fn take(
        &mut self,
        from: &Transport,
        to: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        if registered.is_some_and(|known| !known.look().is_ready(Interest::Read)) {
            return Ok(None);
        }
        if self.is_bulk
            && let Some(pipe) = self.pipe_between(from, to)
        {
            match from.splice_into(pipe)? {
                Spliced::Moved(count @ 1..) => {
                    self.is_bulk = count >= BULK;
                    return Ok(Some(count));
                }
                // A read knows for sure. Nothing is not the end either: at an urgent byte there is nothing, once the
                // peer has closed.
                Spliced::Moved(0) | Spliced::NotNow => {}
                Spliced::Unfit => self.give_pipe_up(),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        self.bytes.reserve_exact(BUFFER);
        let room = &mut self.bytes.spare_capacity_mut()[..BUFFER];
        let Some(count) = from.try_read(room, registered)? else {
            // Who waits for long needs no memory.
            self.bytes = Vec::new();
            self.is_bulk = false;
            return Ok(None);
        };
        // SAFETY: as many were written to.
        unsafe { self.bytes.set_len(count) };
        self.is_bulk = count == BUFFER;
        Ok(Some(count))
    }

    /// Gives `to` as much as it takes now.
    pub(super) fn deliver(
        &mut self,
        to: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        if let Some(pipe) = self.pipe.as_mut().filter(|pipe| !pipe.is_empty()) {
            match to.splice_out_of(pipe, registered)? {
                Spliced::Moved(count) => return Ok(Some(count)),
                Spliced::NotNow => return Ok(None),
                Spliced::Unfit => {
                    self.sent = 0;
                    pipe.empty_into(&mut self.bytes)?;
                    self.give_pipe_up();
                }
            }
        }
        let sent = to.try_write(&self.bytes[self.sent..], registered)?;
        self.sent += sent.unwrap_or(0);
        Ok(sent)
    }

    fn pipe_between(&mut self, from: &Transport, to: &Transport) -> Option<&mut Pipe> {
        if self.pipe.is_none() && !self.is_unfit {
            // splice(2) waits as the sockets' own flags say.
            from.end_waits_in_call();
            to.end_waits_in_call();
            self.pipe = (from.is_nonblocking() && to.is_nonblocking())
                .then(Pipe::new)
                .flatten();
            self.is_unfit = self.pipe.is_none();
        }
        self.pipe.as_mut()
    }

    fn give_pipe_up(&mut self) {
        self.pipe = None;
        self.is_unfit = true;
    }
}

impl fmt::Debug for Cargo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cargo")
            .field("is_empty", &self.is_empty())
            .field("has_pipe", &self.pipe.is_some())
            .field("is_bulk", &self.is_bulk)
            .finish_non_exhaustive()
    }
}
