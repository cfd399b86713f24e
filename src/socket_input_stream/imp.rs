//! State of a [`SocketInputStream`](super::SocketInputStream).

use gio::{prelude::*, subclass::prelude::*};
use glib::{ParamSpec, Value, subclass::InitializingType};
use once_cell::sync::Lazy;

use crate::{
    fence::{fence, fence_or},
    living::{self, Living},
    transport::Tap,
    vfunc::{TransportStream, add_input_interfaces, fill_input_class},
};

#[derive(Debug, Default)]
pub struct SocketInputStream {
    tap: Tap,
    _living: Living<{ living::SOCKET_INPUT_STREAM }>,
}

#[glib::object_subclass]
impl ObjectSubclass for SocketInputStream {
    const NAME: &'static str = "GsockSocketInputStream";
    type Type = super::SocketInputStream;
    type ParentType = gio::InputStream;

    fn type_init(_type: &mut InitializingType<Self>) {
        // Named by the class, so known before it: see the connection's class.
        let named = gio::Socket::static_type();
        debug_assert!(named.is_valid());
        // Registered a moment ago, under this name.
        if let Some(type_) = glib::Type::from_name(Self::NAME) {
            add_input_interfaces::<Self>(type_);
        }
    }

    fn class_init(class: &mut Self::Class) {
        fill_input_class::<Self>(class);
    }
}

impl ObjectImpl for SocketInputStream {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<[ParamSpec; 1]> = Lazy::new(|| [Tap::socket_property()]);
        &*PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &Value, _pspec: &ParamSpec) {
        fence_or((), || {
            self.tap.set_property(value);
        });
    }

    fn dispatch_properties_changed(&self, properties: &[ParamSpec]) {
        fence_or((), || {
            if !self.tap.tells_in_vain() {
                self.parent_dispatch_properties_changed(properties);
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| self.tap.property()).unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }
}

impl InputStreamImpl for SocketInputStream {}

impl TransportStream for SocketInputStream {
    fn tap(&self) -> &Tap {
        &self.tap
    }
}
