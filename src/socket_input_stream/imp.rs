//! State of a [`SocketInputStream`](super::SocketInputStream).

use gio::subclass::prelude::*;
use glib::subclass::InitializingType;

use crate::{
    transport::Tap,
    vfunc::{TransportStream, add_input_interfaces, fill_input_class},
};

#[derive(Debug, Default)]
pub struct SocketInputStream {
    tap: Tap,
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
    fn tap(&self) -> &Tap {
        &self.tap
    }
}
