//! Memory that C lends for as long as an operation takes.

#![allow(
    unsafe_code,
    reason = "the memory is C's: whoever calls vouches for it"
)]

use std::{ptr, slice};

/// What one poll may fill: it is cleared before, because a stream may look at what it is given.
const MOST: usize = 64 * 1024;

pub(super) struct Memory {
    start: *mut u8,
    len: usize,
}

// SAFETY: lent to the operation, on whatever thread that runs.
unsafe impl Send for Memory {}

impl Memory {
    /// # Safety
    ///
    /// `len` bytes from `start` may be written to, and are nobody else's, for as long as the result lives.
    pub(super) unsafe fn to_fill(start: *mut u8, len: usize) -> Self {
        let len = len.min(MOST);
        if len > 0 {
            // SAFETY: as the caller says.
            unsafe { ptr::write_bytes(start, 0, len) };
        }
        Self { start, len }
    }

    /// # Safety
    ///
    /// `len` bytes from `start` may be read, and change for nobody, for as long as the result lives.
    pub(super) unsafe fn to_read(start: *mut u8, len: usize) -> Self {
        Self { start, len }
    }

    /// Of memory to fill.
    pub(super) fn fill(&mut self) -> &mut [u8] {
        if self.len == 0 {
            return &mut [];
        }
        // SAFETY: as the caller of `to_fill` has said, and cleared there.
        unsafe { slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// Of memory to read.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: as the caller of `to_read` has said.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}
