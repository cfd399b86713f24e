//! The output stream of a connection.

mod imp;

use std::sync::Arc;

use glib::subclass::prelude::ObjectSubclassIsExt;

use crate::{transport::Wire, vfunc::TransportStream};

glib::wrapper! {
    /// Writes to a connection's socket.
    ///
    /// Used through [`gio::OutputStream`] and [`gio::PollableOutputStream`], as GIO's own private
    /// type is.
    pub struct SocketOutputStream(ObjectSubclass<imp::SocketOutputStream>)
        @extends gio::OutputStream,
        @implements gio::PollableOutputStream;
}

impl SocketOutputStream {
    pub(crate) fn new(wire: &Arc<Wire>) -> Self {
        let stream: Self = glib::Object::new();
        stream.imp().tap().connect(wire);
        stream
    }
}
