//! Deriving from [`UnixConnection`].

#![allow(unsafe_code, reason = "class slots are C functions")]

use gio::{prelude::*, subclass::prelude::*};
use glib::subclass::InitializingObject;

use super::{
    SocketConnectionImpl,
    socket_connection::{inherit_close, inherit_slots},
    structs::{UnixConnectionClass, UnixConnectionInstance},
};
use crate::{SocketConnection, UnixConnection, transport::Kind, unix_connection::imp};

/// What a type deriving from [`UnixConnection`] may override: nothing beyond
/// [`SocketConnectionImpl`], and so without an extension trait for the parent's part of its own.
pub trait UnixConnectionImpl:
    SocketConnectionImpl + ObjectSubclass<Type: IsA<UnixConnection>>
{
}

// SAFETY: the class struct begins with the parent's and has no slots of its own.
unsafe impl<T: UnixConnectionImpl> IsSubclassable<T> for UnixConnection {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<T>(class);
    }
}

/// Sets the slots of the class itself.
pub(crate) fn fill_class(class: &mut UnixConnectionClass) {
    inherit_slots(&mut class.parent_class);
    inherit_close(&mut class.parent_class);
}

// SAFETY: `UnixConnectionClass` begins with the class struct of the parent type.
unsafe impl ClassStruct for UnixConnectionClass {
    type Type = imp::UnixConnection;
}

// SAFETY: `UnixConnectionInstance` begins with the instance struct of the parent type.
unsafe impl InstanceStruct for UnixConnectionInstance {
    type Type = imp::UnixConnection;
}

/// Says which sockets the class can carry, before any is set.
pub(crate) fn restrict(
    object: &InitializingObject<imp::UnixConnection>,
    carries: fn(Kind) -> bool,
) {
    // SAFETY: the parents' private data is ready when a class initialises its own.
    let object = unsafe { object.as_ref() };
    object
        .upcast_ref::<SocketConnection>()
        .imp()
        .restrict(imp::UnixConnection::type_(), carries);
}
