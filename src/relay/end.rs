//! One of two connections that are joined.

use std::sync::Arc;

use gio::prelude::*;
use glib::subclass::prelude::*;

use crate::{
    SocketConnection, error,
    transport::{ConnectionState, Transport},
};

/// A connection, and the socket that it had when the relay began.
pub(super) struct End {
    connection: SocketConnection,
    transport: Arc<Transport>,
    input: gio::InputStream,
    output: gio::OutputStream,
}

impl End {
    /// # Errors
    ///
    /// Why it cannot be relayed.
    pub(super) fn new(connection: SocketConnection) -> Result<Self, glib::Error> {
        connection.imp().catch_up();
        let transport = connection.imp().transport();
        drop(transport.enter()?);
        if matches!(
            transport.connection_state(),
            ConnectionState::Unconnected | ConnectionState::Connecting
        ) {
            return Err(error::not_connected());
        }
        if !transport.kind().is_stream() {
            return Err(glib::Error::new(
                gio::IOErrorEnum::NotSupported,
                "Only stream sockets can be relayed",
            ));
        }
        let (input, output) = (connection.input_stream(), connection.output_stream());
        if connection.is_closed() || input.is_closed() || output.is_closed() {
            return Err(error::stream_closed());
        }
        if input.has_pending() || output.has_pending() {
            return Err(glib::Error::new(
                gio::IOErrorEnum::Pending,
                "Stream has outstanding operation",
            ));
        }
        Ok(Self {
            connection,
            transport,
            input,
            output,
        })
    }

    pub(super) fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    pub(super) fn input(&self) -> &gio::InputStream {
        &self.input
    }

    pub(super) fn output(&self) -> &gio::OutputStream {
        &self.output
    }

    /// Whether reading from the socket is reading from the stream.
    pub(super) fn has_plain_input(&self) -> bool {
        self.connection.imp().has_plain_input(&self.input)
    }

    /// Whether writing to the socket is writing to the stream.
    pub(super) fn has_plain_output(&self) -> bool {
        self.connection.imp().has_plain_output(&self.output)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // A close that came meanwhile has left streams in use to their user.
        if self.connection.is_closed() && self.has_plain_input() {
            let _ = self.input.close(gio::Cancellable::NONE);
        }
        if self.connection.is_closed() && self.has_plain_output() {
            let _ = self.output.close(gio::Cancellable::NONE);
        }
    }
}
