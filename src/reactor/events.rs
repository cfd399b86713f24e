//! What may happen to a descriptor.

/// `poll(2)` events, in the numbers that `GIOCondition` and `epoll` share with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Events(u32);

impl Events {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const IN: Self = Self(libc::POLLIN as u32);
    pub(crate) const OUT: Self = Self(libc::POLLOUT as u32);
    pub(crate) const ERROR: Self = Self(libc::POLLERR as u32);
    pub(crate) const HANGUP: Self = Self(libc::POLLHUP as u32);
    pub(crate) const URGENT: Self = Self(libc::POLLPRI as u32);
    /// The peer will send no more.
    #[cfg(peer_hangup)]
    pub(crate) const PEER_HANGUP: Self = Self(libc::POLLRDHUP as u32);
    /// No event says so on this system: a read does.
    #[cfg(not(peer_hangup))]
    pub(crate) const PEER_HANGUP: Self = Self::NONE;
    /// What may tell that the peer is gone.
    pub(crate) const GONE: Self = Self::PEER_HANGUP.or(Self::HANGUP).or(Self::ERROR);

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn has(self, any_of: Self) -> bool {
        self.0 & any_of.0 != 0
    }

    pub(crate) const fn bits(self) -> i16 {
        self.0 as i16
    }

    pub(crate) const fn from_bits(bits: i16) -> Self {
        Self(bits as u16 as u32)
    }

    /// The number that `GIOCondition` and `epoll` know it by.
    pub(super) const fn number(self) -> u32 {
        self.0
    }

    pub(super) const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// What an operation waits for on its descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
}

impl Interest {
    /// The events that end such a wait: an error or a hang-up ends every one.
    pub(crate) fn events(self) -> Events {
        let wanted = match self {
            Self::Read => Events::IN,
            Self::Write => Events::OUT,
        };
        wanted.or(Events::ERROR).or(Events::HANGUP)
    }
}
