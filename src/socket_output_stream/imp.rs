//! State of a [`SocketOutputStream`](super::SocketOutputStream).

use std::sync::Arc;

use gio::subclass::prelude::*;
use glib::subclass::InitializingType;
use once_cell::sync::OnceCell;

use crate::{
    home::Notifier,
    transport::{Transport, Wire, placeholder},
    vfunc::{TransportStream, add_output_interfaces, fill_output_class},
};

#[derive(Debug, Default)]
pub struct SocketOutputStream {
    /// Follows the connection to another socket.
    wire: OnceCell<Arc<Wire>>,
}

#[glib::object_subclass]
impl ObjectSubclass for SocketOutputStream {
    const NAME: &'static str = "GsockSocketOutputStream";
    type Type = super::SocketOutputStream;
    type ParentType = gio::OutputStream;

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

impl ObjectImpl for SocketOutputStream {}
impl OutputStreamImpl for SocketOutputStream {}

impl TransportStream for SocketOutputStream {
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

impl SocketOutputStream {
    pub(super) fn set_wire(&self, wire: Arc<Wire>) {
        // Called once, by the constructor.
        let _ = self.wire.set(wire);
    }
}
