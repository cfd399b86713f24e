//! The output stream of a connection of GIO's class.
//!
//! GDBus looks at more than the connection: it sends descriptors where the output stream is of GIO's private type, and nowhere
//! else. So that of an adopted connection derives from it.

#![allow(unsafe_code, reason = "derives from a class that GIO has for itself")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gio::{ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    ffi::gpointer,
    subclass::InitializingType,
    translate::{IntoGlib, ToGlibPtr, from_glib_none},
};
use once_cell::sync::OnceCell;

use crate::{
    living::{self, Living},
    socket_output_stream::SocketOutputStream,
    transport::{Tap, Wire},
    vfunc::{TransportStream, add_output_interfaces, fill_output_class},
};

const GIOS_NAME: &std::ffi::CStr = c"GSocketOutputStream";

/// GIO does not say how large these are: as GLib 2.74 has them, and room for more. See [`gios_type`].
#[derive(Debug)]
#[repr(C)]
pub struct Instance {
    parent: gio_ffi::GOutputStream,
    room: [gpointer; 4],
}

#[derive(Debug)]
#[repr(C)]
pub struct Class {
    parent: gio_ffi::GOutputStreamClass,
    room: [gpointer; 4],
}

glib::wrapper! {
    /// GIO's private type.
    pub struct GSocketOutputStream(Object<Instance, Class>) @extends gio::OutputStream;

    match fn {
        type_ => || glib::gobject_ffi::g_type_from_name(GIOS_NAME.as_ptr()),
    }
}

// SAFETY: GIO's class has no slots beyond its parent's.
unsafe impl<T: OutputStreamImpl> IsSubclassable<T> for GSocketOutputStream {}

glib::wrapper! {
    /// Writes to an adopted connection's socket.
    pub struct GioSocketOutputStream(ObjectSubclass<imp::GioSocketOutputStream>)
        @extends GSocketOutputStream, gio::OutputStream,
        @implements gio::PollableOutputStream;
}

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct GioSocketOutputStream {
        pub(super) tap: Tap,
        _living: Living<{ living::GIO_TWIN_OUTPUT_STREAM }>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for GioSocketOutputStream {
        const NAME: &'static str = "GsockGioSocketOutputStream";
        type Type = super::GioSocketOutputStream;
        type ParentType = GSocketOutputStream;

        fn type_init(_type: &mut InitializingType<Self>) {
            // Registered a moment ago, under this name.
            if let Some(type_) = glib::Type::from_name(Self::NAME) {
                add_output_interfaces::<Self>(type_);
            }
        }

        fn class_init(class: &mut Self::Class) {
            fill_output_class::<Self>(class);
        }
    }

    impl ObjectImpl for GioSocketOutputStream {}
    impl OutputStreamImpl for GioSocketOutputStream {}

    impl TransportStream for GioSocketOutputStream {
        fn tap(&self) -> &Tap {
            &self.tap
        }
    }
}

/// For `object`, whose transport is on the wire. Closed, if there will be nowhere to write. `has_gios_stream` is told of a
/// stream that GIO makes, too.
pub(super) fn new(
    object: &gio::SocketConnection,
    wire: &Arc<Wire>,
    has_gios_stream: &AtomicBool,
) -> gio::OutputStream {
    let is_derivable = || is_derivable(object, has_gios_stream);
    let Some(transport) = wire.get().filter(|_| is_derivable()) else {
        return SocketOutputStream::new(wire).upcast();
    };
    let stream: GioSocketOutputStream = glib::Object::builder()
        .property("socket", transport.socket())
        .build();
    stream.imp().tap.connect(wire);
    if wire.is_ended() {
        let _ = stream.close(gio::Cancellable::NONE);
    }
    stream.upcast()
}

/// Whether GIO's part of the stream has a reference to the socket.
pub(super) fn has_socket(stream: &gio::OutputStream) -> bool {
    // The other one there may be. This one's type is not asked for: it cannot be made where GIO's is something else.
    !stream.is::<SocketOutputStream>()
}

/// Whether GIO's type is what it is taken for: its structures may grow.
fn is_derivable(object: &gio::SocketConnection, has_gios_stream: &AtomicBool) -> bool {
    static ANSWER: OnceCell<bool> = OnceCell::new();
    if let Some(answer) = ANSWER.get() {
        return *answer;
    }
    // Outside of the cell: it makes objects.
    has_gios_stream.store(true, Ordering::Release);
    let answer = gios_type(object).is_some_and(|type_| {
        // SAFETY: all zero is what is filled in.
        let mut sizes: glib::gobject_ffi::GTypeQuery = unsafe { std::mem::zeroed() };
        // SAFETY: a registered type, and a place for the answer.
        unsafe { glib::gobject_ffi::g_type_query(type_.into_glib(), &raw mut sizes) };
        sizes.class_size as usize <= size_of::<Class>()
            && sizes.instance_size as usize <= size_of::<Instance>()
            && type_.parent() == Some(gio::OutputStream::static_type())
    });
    *ANSWER.get_or_init(|| answer)
}

/// GIO's private type, which has a name once GIO has made an object of it: it is asked to, for `object`, which keeps what comes of
/// it.
fn gios_type(object: &gio::SocketConnection) -> Option<glib::Type> {
    // SAFETY: a type that exists, as `object` does, and whose class is never unloaded.
    let class = unsafe {
        glib::gobject_ffi::g_type_class_peek(gio::SocketConnection::static_type().into_glib())
    };
    // SAFETY: GIO's class struct begins with that of `GIOStream`.
    let get = unsafe { (*class.cast::<gio_ffi::GIOStreamClass>()).get_output_stream }?;
    let stream: *mut gio_ffi::GSocketConnection = object.to_glib_none().0;
    // SAFETY: the slot's own contract: a live object of the class.
    let stream = unsafe { get(stream.cast()) };
    // SAFETY: a stream that the object keeps, or NULL.
    let stream: Option<gio::OutputStream> = unsafe { from_glib_none(stream) };
    let type_ = stream?.type_();
    (Some(type_.name()) == GIOS_NAME.to_str().ok()).then_some(type_)
}
