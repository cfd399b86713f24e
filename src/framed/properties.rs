//! The properties and signals of a [`Framed`].

use gio::{prelude::*, subclass::prelude::*};

use super::{Framed, Framing};
use crate::{vfunc::Resident, vfunc::fenced_handler};

macro_rules! property {
    ($get:ident, $set:ident, $set_any:ident, $type:ty, $name:literal, $field:ident, $get_alias:literal, $set_alias:literal, $doc:literal) => {
        #[doc = $doc]
        #[doc = concat!("\n\nThe property `", $name, "`.")]
        #[doc(alias = $get_alias)]
        #[must_use]
        pub fn $get(&self) -> $type {
            self.catch_up();
            self.imp().core.lock().settings.$field
        }

        #[doc = concat!("Sets [`", stringify!($get), "`](Self::", stringify!($get), ").")]
        #[doc = concat!("\n\nThe property `", $name, "`.")]
        #[doc(alias = $set_alias)]
        pub fn $set(&self, value: $type) {
            self.imp().$set_any($name, value);
        }
    };
}

macro_rules! notify {
    ($method:ident, $property:literal) => {
        #[doc = concat!("Calls `f` whenever `", $property, "` has changed.")]
        #[doc(alias = $property)]
        pub fn $method<F: Fn(&Self) + 'static>(&self, f: F) -> glib::SignalHandlerId {
            self.connect_notify_local(Some($property), move |framed, _| {
                fenced_handler($property, || f(framed));
            })
        }
    };
}

impl Framed {
    /// The stream, the property `io-stream`.
    #[doc(alias = "gsock_framed_get_io_stream")]
    #[must_use]
    pub fn io_stream(&self) -> Option<gio::IOStream> {
        self.imp().core.io_stream()
    }

    /// Starts over on a stream, be it the same one: see the class.
    #[doc(alias = "gsock_framed_set_io_stream")]
    pub fn set_io_stream(&self, io_stream: Option<&impl IsA<gio::IOStream>>) {
        self.imp().set_io_stream(io_stream.map(AsRef::as_ref));
    }

    /// How frames are told apart.
    #[doc(alias = "gsock_framed_get_framing")]
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.imp().core.lock().format.framing
    }

    /// How many bytes the length before a frame has.
    #[doc(alias = "gsock_framed_get_prefix_size")]
    #[must_use]
    pub fn prefix_size(&self) -> u32 {
        // At most 8.
        self.imp().core.lock().format.prefix_size as u32
    }

    /// Of the length before a frame.
    #[doc(alias = "gsock_framed_get_byte_order")]
    #[must_use]
    pub fn byte_order(&self) -> gio::DataStreamByteOrder {
        self.imp().core.lock().format.byte_order
    }

    /// Whether a line that is sent ends with CRLF, and not with LF.
    #[doc(alias = "gsock_framed_get_crlf")]
    #[must_use]
    pub fn crlf(&self) -> bool {
        self.imp().core.lock().format.crlf
    }

    property!(
        max_frame_size,
        set_max_frame_size,
        set_bytes,
        u64,
        "max-frame-size",
        max_frame_size,
        "gsock_framed_get_max_frame_size",
        "gsock_framed_set_max_frame_size",
        "How many bytes a frame may have, in either direction, without what tells it apart."
    );
    property!(
        read_ahead,
        set_read_ahead,
        set_switch,
        bool,
        "read-ahead",
        read_ahead,
        "gsock_framed_get_read_ahead",
        "gsock_framed_set_read_ahead",
        "Whether more may be taken from the stream than the frame that is asked for.\n\nWithout it, the stream can be given to \
         somebody else between two frames: to TLS, after the line that has agreed on it. What was read ahead before is still \
         read first. A prefix and a frame are two reads then; a line is looked at before it is taken on a connection of this crate, \
         and read byte by byte on any other stream."
    );
    property!(
        high_water,
        set_high_water,
        set_bytes,
        u64,
        "high-water",
        high_water,
        "gsock_framed_get_high_water",
        "gsock_framed_set_high_water",
        "With more bytes than that in the queue it is congested."
    );
    property!(
        low_water,
        set_low_water,
        set_bytes,
        u64,
        "low-water",
        low_water,
        "gsock_framed_get_low_water",
        "gsock_framed_set_low_water",
        "A congestion ends when no more bytes than that are in the queue."
    );
    property!(
        max_pending_bytes,
        set_max_pending_bytes,
        set_bytes,
        u64,
        "max-pending-bytes",
        max_pending_bytes,
        "gsock_framed_get_max_pending_bytes",
        "gsock_framed_set_max_pending_bytes",
        "How many bytes the queue may hold. A single frame that is larger is taken when the queue is empty."
    );
    property!(
        keep_queue,
        set_keep_queue,
        set_switch,
        bool,
        "keep-queue",
        keep_queue,
        "gsock_framed_get_keep_queue",
        "gsock_framed_set_keep_queue",
        "Whether what is queued when the stream fails waits for the next one, and more may be queued meanwhile. Else it fails."
    );

    /// How many bytes of frames, and of what tells them apart, the stream has not taken yet.
    #[doc(alias = "gsock_framed_get_pending_bytes")]
    #[must_use]
    pub fn pending_bytes(&self) -> u64 {
        self.catch_up();
        self.imp().core.lock().queue.bytes()
    }

    /// How many frames the stream has not taken, or not wholly.
    #[doc(alias = "gsock_framed_get_pending_frames")]
    #[must_use]
    pub fn pending_frames(&self) -> u64 {
        self.catch_up();
        self.imp().core.lock().queue.frames()
    }

    /// Whether more is queued than is good.
    #[doc(alias = "gsock_framed_is_congested")]
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.catch_up();
        self.imp().core.lock().is_congested
    }

    /// Why the stream of now cannot be read from or written to.
    #[doc(alias = "gsock_framed_get_last_error")]
    #[must_use]
    pub fn last_error(&self) -> Option<glib::Error> {
        self.catch_up();
        self.imp().core.last_error()
    }

    // --- Signals -------------------------------------------------------------------------------

    /// Calls `f` when a congestion has ended.
    #[doc(alias = "drained")]
    pub fn connect_drained<F: Fn(&Self) + 'static>(&self, f: F) -> glib::SignalHandlerId {
        let handler = Resident::new(f);
        self.connect_closure(
            "drained",
            false,
            glib::RustClosure::new(move |values| {
                if let [framed] = values
                    && let Ok(framed) = framed.get::<Self>()
                {
                    handler.call("drained", |f| f(&framed));
                }
                None
            }),
        )
    }

    /// Calls `f` when writing has failed.
    #[doc(alias = "error")]
    pub fn connect_error<F: Fn(&Self, &glib::Error) + 'static>(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        let handler = Resident::new(f);
        self.connect_closure(
            "error",
            false,
            glib::RustClosure::new(move |values| {
                if let [framed, failure] = values
                    && let Ok(framed) = framed.get::<Self>()
                    && let Ok(failure) = failure.get::<glib::Error>()
                {
                    handler.call("error", |f| f(&framed, &failure));
                }
                None
            }),
        )
    }

    notify!(connect_io_stream_notify, "io-stream");
    notify!(connect_pending_bytes_notify, "pending-bytes");
    notify!(connect_pending_frames_notify, "pending-frames");
    notify!(connect_congested_notify, "congested");
    notify!(connect_last_error_notify, "last-error");
}
