//! The input stream of a connection.

mod imp;

use std::sync::Arc;

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
    pub(crate) fn new(wire: &Arc<Wire>) -> Self {
        let stream: Self = glib::Object::new();
        stream.imp().tap().connect(wire);
        stream
    }
}
