//! Making a [`Framed`] with its properties.

use gio::prelude::*;

use super::{Framed, Framing};

/// Makes a [`Framed`], from [`Framed::builder`].
#[must_use = "it makes nothing before `build()`"]
pub struct FramedBuilder(glib::object::ObjectBuilder<'static, Framed>);

impl FramedBuilder {
    pub(super) fn new() -> Self {
        Self(glib::Object::builder())
    }

    /// The stream; none by default.
    pub fn io_stream(self, io_stream: &impl IsA<gio::IOStream>) -> Self {
        Self(self.0.property("io-stream", io_stream.as_ref()))
    }

    /// How frames are told apart; [`Framing::Lines`] by default.
    pub fn framing(self, framing: Framing) -> Self {
        Self(self.0.property("framing", framing))
    }

    /// Of [`Framing::LengthPrefixed`], in bytes: 1, 2, 4 or 8; 4 by default. Any other leaves it at that, with a critical
    /// message.
    pub fn prefix_size(self, bytes: u32) -> Self {
        Self(self.0.property("prefix-size", bytes.clamp(1, 8)))
    }

    /// Of the prefix; big endian by default.
    pub fn byte_order(self, byte_order: gio::DataStreamByteOrder) -> Self {
        Self(self.0.property("byte-order", byte_order))
    }

    /// Whether a line that is sent ends with CRLF, as in most protocols of the Internet, and not with LF; false by default.
    pub fn crlf(self, crlf: bool) -> Self {
        Self(self.0.property("crlf", crlf))
    }

    /// See [`Framed::set_max_frame_size`].
    pub fn max_frame_size(self, bytes: u64) -> Self {
        Self(self.0.property("max-frame-size", bytes))
    }

    /// See [`Framed::set_read_ahead`].
    pub fn read_ahead(self, read_ahead: bool) -> Self {
        Self(self.0.property("read-ahead", read_ahead))
    }

    /// See [`Framed::set_high_water`].
    pub fn high_water(self, bytes: u64) -> Self {
        Self(self.0.property("high-water", bytes))
    }

    /// See [`Framed::set_low_water`].
    pub fn low_water(self, bytes: u64) -> Self {
        Self(self.0.property("low-water", bytes))
    }

    /// See [`Framed::set_max_pending_bytes`].
    pub fn max_pending_bytes(self, bytes: u64) -> Self {
        Self(self.0.property("max-pending-bytes", bytes))
    }

    /// See [`Framed::set_keep_queue`].
    pub fn keep_queue(self, keep_queue: bool) -> Self {
        Self(self.0.property("keep-queue", keep_queue))
    }

    /// Makes it.
    #[must_use]
    pub fn build(self) -> Framed {
        self.0.build()
    }
}

impl std::fmt::Debug for FramedBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FramedBuilder").finish_non_exhaustive()
    }
}
