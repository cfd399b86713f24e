//! What was taken out of one socket and is not in the other yet.

use std::fmt;

use super::{Attempted, Transport};
use crate::reactor::Registration;

/// For messages, and to find out whether there is more than messages.
const SMALL: usize = 16 * 1024;
/// For a stream of bytes that must be copied.
const LARGE: usize = 64 * 1024;

/// Nothing, or bytes in a buffer. It is filled when it is empty only.
#[derive(Default)]
pub(super) struct Cargo {
    bytes: Vec<u8>,
    /// How many of the bytes were delivered.
    sent: usize,
    /// The last read has left something behind, by the looks of it.
    is_bulk: bool,
}

impl Cargo {
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Takes from `from` what there is, or a part of it, for `to`. 0 is the end of file.
    pub(super) fn take(
        &mut self,
        from: &Transport,
        _to: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        let size = if self.is_bulk { LARGE } else { SMALL };
        self.bytes.clear();
        self.sent = 0;
        self.bytes.reserve_exact(size);
        let room = &mut self.bytes.spare_capacity_mut()[..size];
        let Some(count) = from.try_read(room, registered)? else {
            // Who waits for long needs no memory.
            self.bytes = Vec::new();
            self.is_bulk = false;
            return Ok(None);
        };
        // SAFETY: as many were written to.
        unsafe { self.bytes.set_len(count) };
        self.is_bulk = count >= SMALL;
        Ok(Some(count))
    }

    /// Gives `to` as much as it takes now.
    pub(super) fn deliver(
        &mut self,
        to: &Transport,
        registered: Option<&Registration>,
    ) -> Attempted<usize> {
        let sent = to.try_write(&self.bytes[self.sent..], registered)?;
        self.sent += sent.unwrap_or(0);
        Ok(sent)
    }
}

impl fmt::Debug for Cargo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cargo")
            .field("bytes", &(self.bytes.len() - self.sent))
            .field("is_bulk", &self.is_bulk)
            .finish_non_exhaustive()
    }
}
