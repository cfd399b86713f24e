//! Connections of GIO's classes whose streams are ours.

#![allow(unsafe_code, reason = "derives from classes that gio-rs has as C's")]

use gio::{prelude::*, subclass::prelude::*};

use super::{core::Core, slots};

use crate::fence::fence_or;

/// A class that derives from one of GIO's connections.
pub(super) trait Twin: ObjectSubclass<Type: IsA<gio::SocketConnection>> {
    fn core(&self) -> &Core;
}

/// A type that derives from the first of its parents.
macro_rules! twin {
    ($(#[$attr:meta])* $name:ident, $parent:ident $(, $more:ident)?) => {
        glib::wrapper! {
            $(#[$attr])*
            pub struct $name(ObjectSubclass<imp::$name>)
                @extends gio::$parent, $(gio::$more,)? gio::IOStream;
        }

        impl Twin for imp::$name {
            fn core(&self) -> &Core {
                &self.core
            }
        }
    };
}

twin!(
    /// A `GSocketConnection`.
    GioSocketConnection, SocketConnection
);
twin!(
    /// A `GTcpConnection`.
    GioTcpConnection, TcpConnection, SocketConnection
);
twin!(
    /// A `GUnixConnection`.
    GioUnixConnection, UnixConnection, SocketConnection
);

mod imp {
    use glib::subclass::InitializingType;

    use super::*;
    use crate::{
        living::{self, Living},
        socket_input_stream::SocketInputStream,
        socket_output_stream::SocketOutputStream,
    };

    macro_rules! twin_imp {
        ($name:ident, $gtype:literal, $parent:ident) => {
            #[derive(Debug, Default)]
            pub struct $name {
                pub(super) core: Core,
                _living: Living<{ living::GIO_TWIN }>,
            }

            #[glib::object_subclass]
            impl ObjectSubclass for $name {
                const NAME: &'static str = $gtype;
                type Type = super::$name;
                type ParentType = gio::$parent;

                fn type_init(_type: &mut InitializingType<Self>) {
                    // What its instances name, before the class is initialised: see the base class of ours.
                    for type_ in [
                        gio::Socket::static_type(),
                        SocketInputStream::static_type(),
                        SocketOutputStream::static_type(),
                    ] {
                        debug_assert!(type_.is_valid());
                    }
                }
            }

            impl ObjectImpl for $name {
                fn dispose(&self) {
                    fence_or((), || {
                        self.core.begin_dispose();
                    });
                }
            }

            // Called by none of the slots.
            impl IOStreamImpl for $name {}

            // SAFETY: the functions treat instances as this type's; GIO's class has no other slots that an instance
            // would have to fill.
            unsafe impl IsSubclassable<$name> for gio::SocketConnection {
                fn class_init(class: &mut glib::Class<Self>) {
                    Self::parent_class_init::<$name>(class);
                    slots::fill_class::<$name>(&mut class.as_mut().parent_class);
                }
            }
        };
    }

    twin_imp!(
        GioSocketConnection,
        "GsockGioSocketConnection",
        SocketConnection
    );
    twin_imp!(GioTcpConnection, "GsockGioTcpConnection", TcpConnection);
    twin_imp!(GioUnixConnection, "GsockGioUnixConnection", UnixConnection);

    // SAFETY: as of the parent.
    unsafe impl IsSubclassable<GioTcpConnection> for gio::TcpConnection {}
    // SAFETY: as of the parent.
    unsafe impl IsSubclassable<GioUnixConnection> for gio::UnixConnection {}
}
