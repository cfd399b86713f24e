//! State of a [`Framed`](super::Framed).

use std::sync::Arc;

use gio::{prelude::*, subclass::prelude::*};
use glib::{ParamFlags, ParamSpec, Value, subclass::Signal};
use once_cell::sync::Lazy;

use super::{
    Framing,
    core::{Core, Settings},
    teller::change,
};
use crate::{
    fence::{fence, fence_or},
    living::{self, Living},
};

pub struct Framed {
    pub(super) core: Arc<Core>,
    _living: Living<{ living::FRAMED }>,
}

#[glib::object_subclass]
impl ObjectSubclass for Framed {
    const NAME: &'static str = "GsockFramed";
    type Type = super::Framed;
    type ParentType = glib::Object;

    fn new() -> Self {
        Self {
            core: Core::here(),
            _living: Living::default(),
        }
    }
}

fn bytes(name: &'static str, minimum: u64, default: u64) -> ParamSpec {
    glib::ParamSpecUInt64::builder(name)
        .minimum(minimum)
        .default_value(default)
        .explicit_notify()
        .build()
}

fn switch(name: &'static str, default: bool) -> ParamSpec {
    glib::ParamSpecBoolean::builder(name)
        .default_value(default)
        .explicit_notify()
        .build()
}

impl ObjectImpl for Framed {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<Vec<ParamSpec>> = Lazy::new(|| {
            let default = Settings::DEFAULT;
            vec![
                glib::ParamSpecObject::builder::<gio::IOStream>("io-stream")
                    .flags(ParamFlags::READWRITE | ParamFlags::CONSTRUCT)
                    .explicit_notify()
                    .build(),
                glib::ParamSpecEnum::builder_with_default("framing", Framing::Lines)
                    .construct_only()
                    .build(),
                glib::ParamSpecUInt::builder("prefix-size")
                    .minimum(1)
                    .maximum(8)
                    .default_value(4)
                    .construct_only()
                    .build(),
                glib::ParamSpecEnum::builder_with_default(
                    "byte-order",
                    gio::DataStreamByteOrder::BigEndian,
                )
                .construct_only()
                .build(),
                glib::ParamSpecBoolean::builder("crlf")
                    .construct_only()
                    .build(),
                bytes("max-frame-size", 0, default.max_frame_size),
                switch("read-ahead", default.read_ahead),
                bytes("high-water", 0, default.high_water),
                bytes("low-water", 0, default.low_water),
                bytes("max-pending-bytes", 0, default.max_pending_bytes),
                switch("keep-queue", default.keep_queue),
                glib::ParamSpecUInt64::builder("pending-bytes")
                    .read_only()
                    .build(),
                glib::ParamSpecUInt64::builder("pending-frames")
                    .read_only()
                    .build(),
                glib::ParamSpecBoolean::builder("congested")
                    .read_only()
                    .build(),
                glib::ParamSpecBoxed::builder::<glib::Error>("last-error")
                    .read_only()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn signals() -> &'static [Signal] {
        static SIGNALS: Lazy<Vec<Signal>> = Lazy::new(|| {
            vec![
                Signal::builder("drained").run_last().build(),
                Signal::builder("error")
                    .param_types([glib::Error::static_type()])
                    .run_last()
                    .build(),
            ]
        });
        &SIGNALS
    }

    fn constructed(&self) {
        self.parent_constructed();
        fence_or((), || {
            self.core.teller.set_object(&*self.obj());
        });
    }

    fn set_property(&self, _id: usize, value: &Value, pspec: &ParamSpec) {
        fence_or((), || {
            // GObject has checked type and range of the value, and asks for no other property.
            match pspec.name() {
                "io-stream" => {
                    if let Ok(stream) = value.get::<Option<gio::IOStream>>() {
                        self.set_io_stream(stream.as_ref());
                    }
                }
                "framing" => {
                    if let Ok(framing) = value.get() {
                        self.core.lock().format.framing = framing;
                    }
                }
                "prefix-size" => {
                    if let Ok(size) = value.get() {
                        self.set_prefix_size(size);
                    }
                }
                "byte-order" => {
                    if let Ok(order) = value.get() {
                        self.core.lock().format.byte_order = order;
                    }
                }
                "crlf" => {
                    if let Ok(crlf) = value.get() {
                        self.core.lock().format.crlf = crlf;
                    }
                }
                name => {
                    if let Ok(bytes) = value.get() {
                        self.set_bytes(name, bytes);
                    } else if let Ok(is_on) = value.get() {
                        self.set_switch(name, is_on);
                    }
                }
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| {
            if pspec.name() == "io-stream" {
                return self.core.io_stream().to_value();
            }
            if pspec.name() == "last-error" {
                return self.core.last_error().to_value();
            }
            let state = self.core.lock();
            match pspec.name() {
                "framing" => state.format.framing.to_value(),
                "prefix-size" => (state.format.prefix_size as u32).to_value(),
                "byte-order" => state.format.byte_order.to_value(),
                "crlf" => state.format.crlf.to_value(),
                "max-frame-size" => state.settings.max_frame_size.to_value(),
                "read-ahead" => state.settings.read_ahead.to_value(),
                "high-water" => state.settings.high_water.to_value(),
                "low-water" => state.settings.low_water.to_value(),
                "max-pending-bytes" => state.settings.max_pending_bytes.to_value(),
                "keep-queue" => state.settings.keep_queue.to_value(),
                "pending-bytes" => state.queue.bytes().to_value(),
                "pending-frames" => state.queue.frames().to_value(),
                "congested" => state.is_congested.to_value(),
                // GObject asks for no others.
                _ => Value::from_type(pspec.value_type()),
            }
        })
        .unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }
}

impl Drop for Framed {
    fn drop(&mut self) {
        self.core.abandon();
    }
}

impl Framed {
    pub(super) fn set_io_stream(&self, stream: Option<&gio::IOStream>) {
        self.core.set_io_stream(stream);
        // The same one too: it starts over.
        self.obj().notify("io-stream");
    }

    fn set_prefix_size(&self, size: u32) {
        if matches!(size, 1 | 2 | 4 | 8) {
            self.core.lock().format.prefix_size = size as usize;
        } else {
            glib::g_critical!("Gsock", "a prefix has 1, 2, 4 or 8 bytes, not {size}");
        }
    }

    pub(super) fn set_bytes(&self, name: &str, bytes: u64) {
        self.set(name, |settings| {
            let its = match name {
                "max-frame-size" => &mut settings.max_frame_size,
                "high-water" => &mut settings.high_water,
                "low-water" => &mut settings.low_water,
                "max-pending-bytes" => &mut settings.max_pending_bytes,
                _ => return false,
            };
            std::mem::replace(its, bytes) != bytes
        });
    }

    pub(super) fn set_switch(&self, name: &str, is_on: bool) {
        self.set(name, |settings| {
            let its = match name {
                "read-ahead" => &mut settings.read_ahead,
                "keep-queue" => &mut settings.keep_queue,
                _ => return false,
            };
            std::mem::replace(its, is_on) != is_on
        });
    }

    fn set(&self, name: &str, change: impl FnOnce(&mut Settings) -> bool) {
        let told = {
            let mut state = self.core.lock();
            if !change(&mut state.settings) {
                return;
            }
            state.account() & !change::PENDING
        };
        self.obj().notify(name);
        self.core.teller.tell(told);
        // There may be room now, or no hope of any.
        self.core.writers.ring_for_all();
    }
}

impl std::fmt::Debug for Framed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Framed")
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}
