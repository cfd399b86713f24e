//! State of a [`SocketOutputStream`](super::SocketOutputStream).

use gio::subclass::prelude::*;
use glib::subclass::InitializingType;

use crate::{
    transport::Tap,
    vfunc::{TransportStream, add_output_interfaces, fill_output_class},
};

#[derive(Debug, Default)]
pub struct SocketOutputStream {
    tap: Tap,
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
    fn tap(&self) -> &Tap {
        &self.tap
    }
}
