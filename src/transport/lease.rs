//! Who counts a connection for as long as its descriptor is open.

use std::{fmt, net::IpAddr, sync::Arc};

use gio::prelude::*;
use once_cell::sync::Lazy;

/// One who lets so many connections be.
pub(crate) trait Lessor: Send + Sync {
    /// One that was let in is closed. No lock may be held by the caller: others may be woken.
    fn ended(&self, peer: Option<IpAddr>);
}

/// The place that a connection takes up. It is given back when the value is dropped.
pub(crate) struct Lease {
    lessor: Arc<dyn Lessor>,
    /// Under whom it counts, if it counts under anybody.
    peer: Option<IpAddr>,
}

impl Lease {
    pub(crate) fn new(lessor: Arc<dyn Lessor>, peer: Option<IpAddr>) -> Box<Self> {
        Box::new(Self { lessor, peer })
    }
}

/// Under which an object keeps it.
static KEY: Lazy<glib::Quark> = Lazy::new(|| glib::Quark::from_str("gsock-listener-lease"));

impl Lease {
    /// Has it end with the object, on whatever thread that is.
    pub(crate) fn keep_with(self: Box<Self>, socket: &gio::Socket) {
        // SAFETY: nobody else uses this key.
        unsafe { socket.set_qdata(*KEY, self) };
    }

    /// Takes it back, for who knows when the socket is closed.
    pub(crate) fn taken_from(socket: &gio::Socket) -> Option<Box<Self>> {
        // SAFETY: what is there under this key is what `keep_with` has put there.
        unsafe { socket.steal_qdata(*KEY) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.lessor.ended(self.peer);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.peer).finish()
    }
}
