//! What was read to find out whether there is something to read.

/// What was read before somebody asked for it.
#[derive(Default)]
pub(super) struct Ahead {
    bytes: Vec<u8>,
    taken: usize,
    /// What comes after the bytes.
    failure: Option<glib::Error>,
    has_ended: bool,
}

impl Ahead {
    pub(super) fn put(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
        self.taken = 0;
    }

    pub(super) fn fail(&mut self, failure: glib::Error) {
        self.failure = Some(failure);
    }

    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    pub(super) fn is_something(&self) -> bool {
        self.taken < self.bytes.len() || self.failure.is_some() || self.has_ended
    }

    pub(super) fn take(&mut self, buffer: &mut [u8]) -> Option<Result<usize, glib::Error>> {
        let left = &self.bytes[self.taken..];
        if !left.is_empty() {
            let count = left.len().min(buffer.len());
            buffer[..count].copy_from_slice(&left[..count]);
            self.taken += count;
            if self.taken == self.bytes.len() {
                // A stream that nobody polls keeps no memory for it.
                self.bytes = Vec::new();
                self.taken = 0;
            }
            return Some(Ok(count));
        }
        if let Some(failure) = self.failure.take() {
            return Some(Err(failure));
        }
        self.has_ended.then_some(Ok(0))
    }
}
