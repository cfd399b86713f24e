//! A descriptor that a source has its context poll, and looks at itself.
//!
//! Not one of `g_source_add_unix_fd()`: with those GLib takes the source for ready by itself.

#![allow(unsafe_code, reason = "a GPollFD that GLib reads and writes")]

use std::{cell::UnsafeCell, os::fd::RawFd};

use super::{events::Events, source::Source};

/// See the module's documentation.
pub(super) struct Polled(UnsafeCell<Inner>);

struct Inner {
    /// Where GLib looks for what to poll, and leaves what it has found.
    place: glib::ffi::GPollFD,
    /// GLib does.
    added: bool,
}

// SAFETY: touched by `ask` and `take` only, which the thread that owns the context calls, while GLib, which
// reads and writes it in other parts of an iteration of that thread, does not.
unsafe impl Send for Polled {}
// SAFETY: likewise.
unsafe impl Sync for Polled {}

impl Polled {
    pub(super) fn new() -> Self {
        Self(UnsafeCell::new(Inner {
            place: glib::ffi::GPollFD {
                fd: -1,
                events: 0,
                revents: 0,
            },
            added: false,
        }))
    }

    /// Has the context poll `fd` for `events`, or nothing, from its next wait on.
    ///
    /// # Safety
    ///
    /// Called by the handler of `source`, which this belongs to, in its `prepare`.
    pub(super) unsafe fn ask(&self, source: &Source, asked: Option<(RawFd, Events)>) {
        // SAFETY: nobody else is at it, as the caller says.
        let inner = unsafe { &mut *self.0.get() };
        let place = &raw mut inner.place;
        let fd = asked.map_or(-1, |(fd, _)| fd);
        if inner.added && inner.place.fd != fd {
            source.remove_poll(place);
            inner.added = false;
        }
        let Some((fd, events)) = asked else {
            return;
        };
        inner.place.fd = fd;
        inner.place.events = events.bits() as u16;
        if !inner.added {
            inner.place.revents = 0;
            inner.added = true;
            // SAFETY: the place is in the handler, which is freed after the source has left its context.
            unsafe { source.add_poll(place) };
        }
    }

    /// What the context has found, once.
    ///
    /// # Safety
    ///
    /// Called on the thread that owns the context, but for GLib's own part of an iteration.
    pub(super) unsafe fn take(&self) -> Events {
        // SAFETY: nobody else is at it, as the caller says.
        let inner = unsafe { &mut *self.0.get() };
        Events::from_bits(std::mem::take(&mut inner.place.revents) as i16)
    }
}
