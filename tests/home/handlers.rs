//! What a handler may do with the object.

use std::{cell::RefCell, rc::Rc};

use gio::{Cancellable, prelude::*};
use glib::translate::{ToGlibPtr, from_glib_none};
use gsock::{ConnectionState, prelude::*};

use crate::{support::*, tools::*};

/// A handler may use the object, and drop it.
#[test]
fn a_handler_may_drop_the_last_reference() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        let gone = Gone::of(&connection);
        let held = Rc::new(RefCell::new(None));
        let holder = held.clone();
        connection.connect_state_notify(move |_| {
            drop(holder.borrow_mut().take());
        });
        // The only one: the closure's own holds it until the state changes.
        *held.borrow_mut() = Some(connection);
        drop(peer);
        iterate_until(context, || gone.is_gone());
        assert!(held.borrow().is_none());
    });
}

/// A handler may close what it is told about.
#[test]
fn a_handler_may_close_the_connection() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        let told = told(&connection);
        connection.connect_state_notify(|connection| {
            if connection.state() == ConnectionState::Disconnected {
                connection.close(Cancellable::NONE).expect("it is idle");
            }
        });
        drop(peer);
        iterate_until(context, || times(&told, "closed") == 1);
        assert_eq!(connection.state(), ConnectionState::Closed);
        assert_eq!(times(&told, "state"), 2);
    });
}

/// The object that a C callback on a worker gets is the same one.
#[test]
fn the_object_is_the_same_one_everywhere() {
    on_private_context(|_| {
        let (connection, _peer) = connected();
        let socket = connection.socket();
        let address = socket.as_ptr() as usize;
        elsewhere(&connection, move |connection| {
            let mut value = glib::Value::from_type(gio::Socket::static_type());
            // SAFETY: live arguments, and a property of this type.
            unsafe {
                glib::gobject_ffi::g_object_get_property(
                    connection.0.cast(),
                    c"socket".as_ptr(),
                    glib::translate::ToGlibPtrMut::to_glib_none_mut(&mut value).0,
                );
            }
            // SAFETY: the value holds a socket.
            let socket: *mut gio::ffi::GSocket =
                unsafe { glib::gobject_ffi::g_value_get_object(value.to_glib_none().0) }.cast();
            assert_eq!(socket as usize, address);
        });
        // SAFETY: borrowed from the connection, which lives.
        let same: gio::Socket = unsafe { from_glib_none(address as *mut gio::ffi::GSocket) };
        assert_eq!(same, socket);
    });
}
