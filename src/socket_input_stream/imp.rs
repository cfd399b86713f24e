//! State of a [`SocketInputStream`](super::SocketInputStream).

use std::sync::Arc;

use gio::subclass::prelude::*;
use glib::subclass::InitializingType;
use once_cell::sync::OnceCell;

use crate::{
    home::Notifier,
    transport::{Transport, Wire, placeholder},
    vfunc::{TransportStream, add_input_interfaces, fill_input_class},
};

#[derive(Debug, Default)]
pub struct SocketInputStream {
    /// Follows the connection to another socket.
    wire: OnceCell<Arc<Wire>>,
}

#[glib::object_subclass]
impl ObjectSubclass for SocketInputStream {
    const NAME: &'static str = "GsockSocketInputStream";
    type Type = super::SocketInputStream;
    type ParentType = gio::InputStream;

    fn type_init(_type: &mut InitializingType<Self>) {
        // Registered a moment ago, under this name.
        if let Some(type_) = glib::Type::from_name(Self::NAME) {
            add_input_interfaces::<Self>(type_);
        }
    }

    fn class_init(class: &mut Self::Class) {
        fill_input_class::<Self>(class);
    }
}

impl ObjectImpl for SocketInputStream {}
impl InputStreamImpl for SocketInputStream {}

impl TransportStream for SocketInputStream {
    fn transport(&self) -> Arc<Transport> {
        // One made by hand, through its GType, has no connection: a closed one, then.
        self.wire
            .get()
            .and_then(|wire| wire.get())
            .unwrap_or_else(|| Transport::of_socket(&placeholder(), &Notifier::new()))
    }

    fn is_ended(&self) -> bool {
        self.wire.get().is_some_and(|wire| wire.is_ended())
    }
}

impl SocketInputStream {
    pub(super) fn set_wire(&self, wire: Arc<Wire>) {
        // Called once, by the constructor.
        let _ = self.wire.set(wire);
    }
}
