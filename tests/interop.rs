//! Connections of ours where GIO's class is asked for, and the reverse, with GIO as it is: nothing is adopted here.

#![cfg(test)]
#![allow(unsafe_code, reason = "a descriptor that GIO hands out as a number")]

mod support;

#[path = "interop/beneath.rs"]
mod beneath;
#[path = "interop/dbus.rs"]
mod dbus;
#[path = "interop/dbus_talk.rs"]
mod dbus_talk;
#[path = "interop/from_gio.rs"]
mod from_gio;
#[path = "interop/to_gio.rs"]
mod to_gio;
#[path = "interop/wrappers.rs"]
mod wrappers;
