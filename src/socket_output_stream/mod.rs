//! The output stream of a connection.

mod imp;

use std::sync::Arc;

use gio::prelude::OutputStreamExt;
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
    /// Closed, if there will be nowhere to write.
    pub(crate) fn new(wire: &Arc<Wire>) -> Self {
        let stream: Self = glib::Object::new();
        stream.imp().tap().connect(wire);
        if wire.is_ended() {
            let _ = stream.close(gio::Cancellable::NONE);
        }
        stream
    }
}
