//! What a connection and its peer say to each other, known beforehand to the byte.

use crate::talk::Entry;

/// What a peer is to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Send it back.
    Echo = 0,
    /// Send it back, and nothing after it.
    Finish = 1,
    /// Reset the connection.
    Reset = 2,
}

/// Its length, the number of the connection, the count of its frames, and the order: each four bytes.
const HEAD: usize = 16;
/// More than the system takes at once where there is little room; a few connections send one.
const LARGE: usize = 400_000;

/// How many bytes the first frame of `bytes` has, once that is known, and what is ordered in it.
pub(crate) fn head_of(bytes: &[u8]) -> Option<(usize, Order)> {
    let head = bytes.first_chunk::<HEAD>()?;
    let field = |at: usize| {
        let field = [head[at], head[at + 1], head[at + 2], head[at + 3]];
        u32::from_le_bytes(field) as usize
    };
    let order = [Order::Echo, Order::Finish, Order::Reset][field(12)];
    Some((field(0), order))
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By the peer's FIN, halfway.
    Finished,
    /// By the peer's reset, halfway.
    Reset,
    /// By our close, while a read waits.
    ClosedWaiting,
    /// By our close, with nothing under way.
    ClosedIdle,
}

/// What a connection does, by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    number: usize,
}

impl Plan {
    pub(crate) fn of(number: usize) -> Self {
        Self { number }
    }

    /// Half of them in halves, a quarter each by callbacks of GIO's and of ours.
    pub(crate) fn entry(self) -> Entry {
        [Entry::Halves, Entry::Gio, Entry::Halves, Entry::Direct][self.number % 4]
    }

    /// Each ending with each entry.
    pub(crate) fn ending(self) -> Ending {
        [
            Ending::Finished,
            Ending::Reset,
            Ending::ClosedWaiting,
            Ending::ClosedIdle,
        ][self.number / 4 % 4]
    }

    /// How many frames come back.
    pub(crate) fn echoed(self) -> usize {
        2 + self.number % 3
    }

    /// How many frames there are.
    pub(crate) fn frames(self) -> usize {
        self.echoed() + usize::from(self.ending() == Ending::Reset)
    }

    /// Whether it is one of the few whose writes are to wait.
    pub(crate) fn needs_room(self) -> bool {
        self.number.is_multiple_of(501)
    }

    fn size(self, count: usize) -> usize {
        if self.needs_room() && count == 1 {
            LARGE
        } else {
            HEAD + (self.number * 37 + count * 101) % 500
        }
    }

    fn order(self, count: usize) -> Order {
        match self.ending() {
            Ending::Finished if count + 1 == self.frames() => Order::Finish,
            Ending::Reset if count + 1 == self.frames() => Order::Reset,
            _ => Order::Echo,
        }
    }

    /// Frame `count` of this connection, and of no other.
    pub(crate) fn frame(self, count: usize) -> Vec<u8> {
        let size = self.size(count);
        let mut bytes = Vec::with_capacity(size);
        for field in [size, self.number, count, self.order(count) as usize] {
            bytes.extend((field as u32).to_le_bytes());
        }
        // No two connections have the same, and no two of its frames.
        let period = format!("{}/{count};", self.number);
        while bytes.len() < size {
            let left = size - bytes.len();
            bytes.extend_from_slice(&period.as_bytes()[..left.min(period.len())]);
        }
        bytes
    }

    /// How many bytes it reads and writes.
    pub(crate) fn bytes(self) -> (u64, u64) {
        let sum = |frames: usize| (0..frames).map(|count| self.size(count) as u64).sum();
        (sum(self.echoed()), sum(self.frames()))
    }
}
