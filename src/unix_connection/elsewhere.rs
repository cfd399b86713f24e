//! In the place of `ancillary` and `sender`, on systems where what comes next cannot be looked at.

use std::{
    convert::Infallible,
    os::fd::{BorrowedFd, OwnedFd, RawFd},
};

fn not_supported() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::NotSupported,
        "Descriptors and credentials are not passed on this system",
    )
}

#[derive(Debug)]
pub(crate) struct Cargo(Infallible);

impl Cargo {
    pub(super) fn of_borrowed(_: &[BorrowedFd<'_>]) -> Result<Self, glib::Error> {
        Err(not_supported())
    }

    pub(crate) fn of_duplicates(_: &[BorrowedFd<'_>]) -> Result<Self, glib::Error> {
        Err(not_supported())
    }

    pub(super) fn of_credentials() -> Result<Self, glib::Error> {
        Err(not_supported())
    }

    pub(super) fn send(&self, _: RawFd) -> isize {
        match self.0 {}
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Sender(Infallible);

impl Sender {
    pub(super) fn to_gio(self) -> gio::Credentials {
        match self.0 {}
    }
}

#[allow(dead_code, reason = "there is nothing to take")]
#[derive(Debug)]
pub(super) enum Next<T> {
    End,
    Other,
    Taken(T),
}

#[derive(Debug)]
pub(super) struct Descriptors {
    pub(super) all: Vec<OwnedFd>,
    pub(super) is_cut: bool,
}

/// Never called: a message that nobody can send is not waited for.
pub(super) fn receive_descriptors(_: RawFd, _: bool, _: &mut Next<Descriptors>) -> isize {
    0
}

/// Likewise.
pub(super) fn receive_credentials(_: RawFd, _: bool, _: &mut Next<Sender>) -> isize {
    0
}

pub(super) fn peer_credentials(_: RawFd) -> Result<Sender, glib::Error> {
    Err(not_supported())
}

pub(super) fn peer_pidfd(_: RawFd) -> Result<OwnedFd, glib::Error> {
    Err(not_supported())
}
