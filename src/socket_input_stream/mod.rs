//! The input stream of a connection.

mod imp;

use std::sync::Arc;

use gio::prelude::InputStreamExt;
use glib::subclass::prelude::ObjectSubclassIsExt;

use crate::{transport::Wire, vfunc::TransportStream};

glib::wrapper! {
    /// Reads from a connection's socket.
    ///
    /// Used through [`gio::InputStream`] and [`gio::PollableInputStream`], as GIO's own private
    /// type is.
    pub struct SocketInputStream(ObjectSubclass<imp::SocketInputStream>)
        @extends gio::InputStream,
        @implements gio::PollableInputStream;
}

impl SocketInputStream {
    /// Closed, if there will be nothing to read.
    pub(crate) fn new(wire: &Arc<Wire>) -> Self {
        let stream: Self = glib::Object::new();
        stream.imp().tap().connect(wire);
        if wire.is_ended() {
            let _ = stream.close(gio::Cancellable::NONE);
        }
        stream
    }
}
