//! What the type system says of GIO's live classes it says of ours, but for a list of differences.
//!
//! Both classes are walked in the same way and written down as lines; what differs must be in
//! `LISTED`, and what is in there must differ.

#![cfg(test)]
#![allow(unsafe_code, reason = "the type system is asked as C asks it")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a question to the type system and the reading of its answer"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{CStr, c_int},
    mem::{offset_of, size_of},
};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    ParamFlags, ffi::gpointer, gobject_ffi, object::ObjectExt, translate::IntoGlib,
    types::StaticType,
};
use gsock::{
    ConnectionState, SocketClient, SocketConnection, SocketListener, SocketService, TcpConnection,
    TcpWrapperConnection, ThreadedSocketService, UnixConnection,
};

use crate::support::*;

/// What a class is like: a line for each thing that there is to know.
type Facts = BTreeMap<String, String>;

/// Classes, what, as GIO has it, as we have it.
type Listed = (&'static str, &'static str, &'static str, &'static str);

const SOCKET: &str = "GSocketConnection";
const TCP: &str = "GTcpConnection";
const WRAPPER: &str = "GTcpWrapperConnection";
const UNIX: &str = "GUnixConnection";
const INPUT: &str = "GSocketInputStream";
const OUTPUT: &str = "GSocketOutputStream";
const CONNECTIONS: &str = "GSocketConnection GTcpConnection GTcpWrapperConnection GUnixConnection";
const ALL: &str = concat!(
    "GSocketConnection GTcpConnection GTcpWrapperConnection GUnixConnection ",
    "GSocketInputStream GSocketOutputStream",
);
const DERIVED: &str = "GTcpConnection GTcpWrapperConnection GUnixConnection";
const CLIENT: &str = "GSocketClient";
const LISTENER: &str = "GSocketListener";
const SERVICE: &str = "GSocketService";
const THREADED: &str = "GThreadedSocketService";
const ACCEPTING: &str = "GSocketListener GSocketService GThreadedSocketService";
const NONE: &str = "-";

/// The enumeration's value is named for the library.
const STATE: &str = concat!(
    "GSocketConnection GConnectionState read|explicit-notify",
    " = GSOCK_CONNECTION_STATE_UNCONNECTED"
);

/// Every difference there is.
const LISTED: &[Listed] = &[
    // Properties of our own.
    (CONNECTIONS, "property state", NONE, STATE),
    (
        CONNECTIONS,
        "property alive",
        NONE,
        "GSocketConnection gboolean read|explicit-notify = FALSE",
    ),
    (
        CONNECTIONS,
        "property local-address",
        NONE,
        "GSocketConnection GSocketAddress read|explicit-notify = NULL",
    ),
    (
        CONNECTIONS,
        "property remote-address",
        NONE,
        "GSocketConnection GSocketAddress read|explicit-notify = NULL",
    ),
    (
        CONNECTIONS,
        "property last-error",
        NONE,
        "GSocketConnection GError read|explicit-notify = NULL",
    ),
    (
        CONNECTIONS,
        "property bytes-read",
        NONE,
        "GSocketConnection guint64 read|explicit-notify = 0",
    ),
    (
        CONNECTIONS,
        "property bytes-written",
        NONE,
        "GSocketConnection guint64 read|explicit-notify = 0",
    ),
    // May be written after construction, as a binding does.
    (
        CONNECTIONS,
        "property socket",
        "GSocketConnection GSocket read|write|construct-only = NULL",
        "GSocketConnection GSocket read|write|construct|explicit-notify = NULL",
    ),
    // Set to what it is, it tells nobody.
    (
        "GTcpConnection GTcpWrapperConnection",
        "property graceful-disconnect",
        "GTcpConnection gboolean read|write = FALSE",
        "GTcpConnection gboolean read|write|explicit-notify = FALSE",
    ),
    // Limits of time of our own.
    (
        CLIENT,
        "property connect-timeout-ms",
        NONE,
        "GSocketClient guint read|write|explicit-notify = 0",
    ),
    (
        CLIENT,
        "property io-timeout-ms",
        NONE,
        "GSocketClient guint read|write|explicit-notify = 0",
    ),
    (
        CLIENT,
        "property attempt-delay-ms",
        NONE,
        "GSocketClient guint read|write|explicit-notify = 250",
    ),
    (
        CLIENT,
        "property multipath",
        NONE,
        "GSocketClient gboolean read|write|explicit-notify = FALSE",
    ),
    // One slot, and ten of room; private data lies before the instance.
    (
        CLIENT,
        "class struct beyond its parent's",
        "5 pointers",
        "11 pointers",
    ),
    (
        CLIENT,
        "instance struct beyond its parent's",
        "1 pointers",
        "0 pointers",
    ),
    // Limits, and what is counted.
    (
        ACCEPTING,
        "property max-connections",
        NONE,
        "GSocketListener guint read|write = 0",
    ),
    (
        ACCEPTING,
        "property max-connections-per-peer",
        NONE,
        "GSocketListener guint read|write = 0",
    ),
    (
        ACCEPTING,
        "property accept-rate",
        NONE,
        "GSocketListener guint read|write = 0",
    ),
    (
        ACCEPTING,
        "property accepted",
        NONE,
        "GSocketListener guint64 read = 0",
    ),
    (
        ACCEPTING,
        "property refused",
        NONE,
        "GSocketListener guint64 read = 0",
    ),
    (
        ACCEPTING,
        "property active-connections",
        NONE,
        "GSocketListener guint read = 0",
    ),
    // Two slots for two; one for one, and one for the signal of our own; one for one; and ten of room in each.
    (
        LISTENER,
        "class struct beyond its parent's",
        "7 pointers",
        "12 pointers",
    ),
    (
        SERVICE,
        "class struct beyond its parent's",
        "7 pointers",
        "12 pointers",
    ),
    (
        THREADED,
        "class struct beyond its parent's",
        "6 pointers",
        "11 pointers",
    ),
    (
        ACCEPTING,
        "instance struct beyond its parent's",
        "1 pointers",
        "0 pointers",
    ),
    (
        "GSocketService GThreadedSocketService",
        "signal error",
        NONE,
        SERVICE,
    ),
    // The base stream is closed first: F-13.
    (WRAPPER, "GIOStreamClass.close_fn", "inherited", "own"),
    (WRAPPER, "GIOStreamClass.close_async", "inherited", "own"),
    // Three slots for connecting, and ten of room; private data lies before the instance.
    (
        SOCKET,
        "class struct beyond its parent's",
        "6 pointers",
        "13 pointers",
    ),
    (
        DERIVED,
        "class struct beyond its parent's",
        "0 pointers",
        "10 pointers",
    ),
    (
        ALL,
        "instance struct beyond its parent's",
        "1 pointers",
        "0 pointers",
    ),
    // No worker's thread, the priority kept, results kept.
    (INPUT, "GInputStreamClass.read_async", "inherited", "own"),
    (INPUT, "GInputStreamClass.read_finish", "inherited", "own"),
    (INPUT, "GInputStreamClass.close_async", "inherited", "own"),
    (INPUT, "GInputStreamClass.close_finish", "inherited", "own"),
    (OUTPUT, "GOutputStreamClass.write_async", "inherited", "own"),
    (
        OUTPUT,
        "GOutputStreamClass.write_finish",
        "inherited",
        "own",
    ),
    (
        OUTPUT,
        "GOutputStreamClass.writev_async",
        "inherited",
        "own",
    ),
    (
        OUTPUT,
        "GOutputStreamClass.writev_finish",
        "inherited",
        "own",
    ),
    (OUTPUT, "GOutputStreamClass.flush_async", "inherited", "own"),
    (
        OUTPUT,
        "GOutputStreamClass.flush_finish",
        "inherited",
        "own",
    ),
    (OUTPUT, "GOutputStreamClass.close_async", "inherited", "own"),
    (
        OUTPUT,
        "GOutputStreamClass.close_finish",
        "inherited",
        "own",
    ),
    // The same as the defaults, by way of gio-rs.
    (INPUT, "GInputStreamClass.skip", "inherited", "own"),
    (OUTPUT, "GOutputStreamClass.splice", "inherited", "own"),
    (INPUT, "GPollableInputStream.can_poll", "inherited", "own"),
    (OUTPUT, "GPollableOutputStream.can_poll", "inherited", "own"),
];

// --- Writing a class down -----------------------------------------------------------------------

/// A name without what tells our types from GIO's.
fn plain(name: &str) -> String {
    name.replace("Gsock", "G")
}

fn name_of(type_: glib::Type) -> String {
    plain(type_.name())
}

fn has_flag(type_: glib::Type, flag: u32) -> bool {
    // SAFETY: a registered type.
    unsafe { gobject_ffi::g_type_test_flags(type_.into_glib(), flag) != glib::ffi::GFALSE }
}

fn sizes(type_: glib::Type) -> (u32, u32) {
    // SAFETY: all zero is valid; a registered type whose class is there.
    let sizes = unsafe {
        let mut sizes: gobject_ffi::GTypeQuery = std::mem::zeroed();
        gobject_ffi::g_type_query(type_.into_glib(), &raw mut sizes);
        sizes
    };
    (sizes.class_size, sizes.instance_size)
}

/// The names of the signals of a type, not of its parents.
fn signals(type_: glib::Type) -> Vec<String> {
    let mut count = 0;
    // SAFETY: a registered type, whose class is there; the list is ours to free.
    unsafe {
        let ids = gobject_ffi::g_signal_list_ids(type_.into_glib(), &raw mut count);
        let names = (0..count as usize)
            .map(|at| CStr::from_ptr(gobject_ffi::g_signal_name(*ids.add(at))))
            .map(|name| name.to_str().expect("ASCII").to_owned())
            .collect();
        glib::ffi::g_free(ids.cast());
        names
    }
}

/// Owner, type, how it behaves, and its default, in one line.
fn property(pspec: &glib::ParamSpec) -> String {
    let flags: Vec<&str> = [
        (ParamFlags::READABLE, "read"),
        (ParamFlags::WRITABLE, "write"),
        (ParamFlags::CONSTRUCT, "construct"),
        (ParamFlags::CONSTRUCT_ONLY, "construct-only"),
        (ParamFlags::LAX_VALIDATION, "lax"),
        (ParamFlags::EXPLICIT_NOTIFY, "explicit-notify"),
        (ParamFlags::DEPRECATED, "deprecated"),
    ]
    .into_iter()
    .filter(|(flag, _)| pspec.flags().contains(*flag))
    .map(|(_, name)| name)
    .collect();
    let default = pspec.default_value();
    let default = default
        .transform::<String>()
        .ok()
        .and_then(|text| text.get::<Option<String>>().ok().flatten())
        .unwrap_or_else(|| "NULL".to_owned());
    format!(
        "{} {} {} = {}",
        name_of(pspec.owner_type()),
        name_of(pspec.value_type()),
        flags.join("|"),
        plain(&default)
    )
}

/// Named places of a table of functions.
type Places = &'static [(&'static str, usize)];

macro_rules! places {
    ($table:ty, $($name:ident),+ $(,)?) => {
        &[$((stringify!($name), offset_of!($table, $name))),+]
    };
}

const IO_STREAM: Places = places!(
    gio_ffi::GIOStreamClass,
    get_input_stream,
    get_output_stream,
    close_fn,
    close_async,
    close_finish,
);
const CLIENT_CLASS: Places = places!(gio_ffi::GSocketClientClass, event);
const LISTENER_CLASS: Places = places!(gio_ffi::GSocketListenerClass, changed, event);
const INPUT_STREAM: Places = places!(
    gio_ffi::GInputStreamClass,
    read_fn,
    skip,
    close_fn,
    read_async,
    read_finish,
    skip_async,
    skip_finish,
    close_async,
    close_finish,
);
const OUTPUT_STREAM: Places = places!(
    gio_ffi::GOutputStreamClass,
    write_fn,
    splice,
    flush,
    close_fn,
    write_async,
    write_finish,
    splice_async,
    splice_finish,
    flush_async,
    flush_finish,
    close_async,
    close_finish,
    writev_fn,
    writev_async,
    writev_finish,
);
const POLLABLE_INPUT: Places = places!(
    gio_ffi::GPollableInputStreamInterface,
    can_poll,
    is_readable,
    create_source,
    read_nonblocking,
);
const POLLABLE_OUTPUT: Places = places!(
    gio_ffi::GPollableOutputStreamInterface,
    can_poll,
    is_writable,
    create_source,
    write_nonblocking,
    writev_nonblocking,
);

/// `struct _GFileDescriptorBasedIface`, which gio-rs keeps in another crate.
#[repr(C)]
struct FileDescriptorBasedIface {
    g_iface: gobject_ffi::GTypeInterface,
    get_fd: Option<unsafe extern "C" fn(gpointer) -> c_int>,
}

const DESCRIPTOR: Places = places!(FileDescriptorBasedIface, get_fd);

/// The word at `offset` of a table, 0 where there is no table.
///
/// # Safety
///
/// `table` is NULL or has a word there.
unsafe fn word(table: *const u8, offset: usize) -> usize {
    if table.is_null() {
        return 0;
    }
    // SAFETY: as the caller says.
    unsafe { table.add(offset).cast::<usize>().read() }
}

/// Writes down what each place holds: nothing, what `base` holds there, or a function of its own.
///
/// # Safety
///
/// Both tables are NULL or `size` bytes long.
unsafe fn add_slots(
    facts: &mut Facts,
    title: &str,
    table: *const u8,
    base: *const u8,
    range: std::ops::Range<usize>,
    places: Places,
) {
    for offset in range.step_by(size_of::<usize>()) {
        // SAFETY: as the caller says.
        let (here, below) = unsafe { (word(table, offset), word(base, offset)) };
        let name = places
            .iter()
            .find(|(_, place)| *place == offset)
            .map_or_else(|| format!("byte {offset}"), |(name, _)| (*name).to_owned());
        let filled = match here {
            0 => "empty",
            here if here == below => "inherited",
            _ => "own",
        };
        facts.insert(format!("{title}.{name}"), filled.to_owned());
    }
}

/// The table of functions that a class adds to GObject's: its title, its size, its places.
fn table_of(type_: glib::Type) -> (&'static str, usize, Places) {
    if type_.is_a(gio::IOStream::static_type()) {
        let size = size_of::<gio_ffi::GIOStreamClass>();
        ("GIOStreamClass", size, IO_STREAM)
    } else if type_.is_a(gio::InputStream::static_type()) {
        let size = size_of::<gio_ffi::GInputStreamClass>();
        ("GInputStreamClass", size, INPUT_STREAM)
    } else if type_.is_a(gio::SocketClient::static_type())
        || type_.is_a(SocketClient::static_type())
    {
        let size = size_of::<gio_ffi::GSocketClientClass>();
        ("GSocketClientClass", size, CLIENT_CLASS)
    } else if type_.is_a(gio::SocketListener::static_type())
        || type_.is_a(SocketListener::static_type())
    {
        // What a service adds stands behind more room than GIO's has.
        let size = size_of::<gio_ffi::GSocketListenerClass>();
        ("GSocketListenerClass", size, LISTENER_CLASS)
    } else {
        let size = size_of::<gio_ffi::GOutputStreamClass>();
        ("GOutputStreamClass", size, OUTPUT_STREAM)
    }
}

fn interface_table(name: &str) -> (usize, Places) {
    match name {
        "GPollableInputStream" => (
            size_of::<gio_ffi::GPollableInputStreamInterface>(),
            POLLABLE_INPUT,
        ),
        "GPollableOutputStream" => (
            size_of::<gio_ffi::GPollableOutputStreamInterface>(),
            POLLABLE_OUTPUT,
        ),
        "GFileDescriptorBased" => (size_of::<FileDescriptorBasedIface>(), DESCRIPTOR),
        _ => panic!("nothing is known of the table of {name}"),
    }
}

/// Everything that the type system tells of a class.
fn facts_of(type_: glib::Type) -> Facts {
    let class = glib::Class::<glib::Object>::from_type(type_).expect("a class");
    let mut facts = Facts::new();
    let mut add = |what: String, how: String| {
        assert!(facts.insert(what, how).is_none(), "twice");
    };
    add("name".to_owned(), name_of(type_));
    let mut parents = Vec::new();
    let mut above = type_.parent();
    while let Some(parent) = above {
        parents.push(parent);
        above = parent.parent();
    }
    let names: Vec<String> = parents.iter().copied().map(name_of).collect();
    add("parents".to_owned(), names.join(" < "));
    for child in type_.children().iter().copied() {
        add(format!("child {}", name_of(child)), "yes".to_owned());
    }
    for (name, flag) in [
        ("abstract", gobject_ffi::G_TYPE_FLAG_ABSTRACT),
        ("value-abstract", gobject_ffi::G_TYPE_FLAG_VALUE_ABSTRACT),
        ("final", gobject_ffi::G_TYPE_FLAG_FINAL),
        ("classed", gobject_ffi::G_TYPE_FLAG_CLASSED),
        ("instantiatable", gobject_ffi::G_TYPE_FLAG_INSTANTIATABLE),
        ("derivable", gobject_ffi::G_TYPE_FLAG_DERIVABLE),
        ("deep-derivable", gobject_ffi::G_TYPE_FLAG_DEEP_DERIVABLE),
    ] {
        add(name.to_owned(), has_flag(type_, flag).to_string());
    }
    let (mine, parents_own) = (sizes(type_), sizes(parents[0]));
    let pointer = u32::try_from(size_of::<usize>()).expect("eight");
    let beyond = |size: u32, parent: u32| format!("{} pointers", (size - parent) / pointer);
    add(
        "class struct beyond its parent's".to_owned(),
        beyond(mine.0, parents_own.0),
    );
    add(
        "instance struct beyond its parent's".to_owned(),
        beyond(mine.1, parents_own.1),
    );
    for pspec in class.list_properties().iter() {
        add(format!("property {}", pspec.name()), property(pspec));
    }
    for owner in std::iter::once(type_).chain(parents.iter().copied()) {
        for signal in signals(owner) {
            add(format!("signal {signal}"), name_of(owner));
        }
    }
    for interface in type_.interfaces().iter().copied() {
        add(
            format!("interface {}", name_of(interface)),
            "yes".to_owned(),
        );
        for signal in signals(interface) {
            add(format!("signal {signal}"), name_of(interface));
        }
    }

    let (title, size, places) = table_of(type_);
    let first = size_of::<gobject_ffi::GObjectClass>();
    let table: *const u8 = std::ptr::from_ref(class.as_ref()).cast();
    // SAFETY: a class begins with its parent's, and with GIO's struct in both.
    unsafe {
        let base = gobject_ffi::g_type_class_peek_parent(table.cast_mut().cast());
        // GObject's own has nothing at these places.
        let has_more = parents[0] != glib::Object::static_type();
        let base = if has_more { base } else { std::ptr::null_mut() };
        add_slots(&mut facts, title, table, base.cast(), first..size, places);
    }
    for interface in type_.interfaces().iter().copied() {
        let title = name_of(interface);
        let (size, places) = interface_table(&title);
        let first = size_of::<gobject_ffi::GTypeInterface>();
        // SAFETY: the class has this interface; GIO's default table is there with it.
        unsafe {
            let id = interface.into_glib();
            let table = gobject_ffi::g_type_interface_peek(table.cast_mut().cast(), id);
            let base = gobject_ffi::g_type_default_interface_peek(id);
            let (table, base) = (table.cast_const().cast(), base.cast_const().cast());
            add_slots(&mut facts, &title, table, base, first..size, places);
        }
    }
    facts
}

// --- Comparing ----------------------------------------------------------------------------------

/// What differs between two classes, and is not listed; what is listed, and does not differ so.
fn unlisted(class: &str, gio: &Facts, ours: &Facts, listed: &[Listed]) -> Vec<String> {
    let keys: BTreeSet<&String> = gio.keys().chain(ours.keys()).collect();
    let found: BTreeSet<(String, String, String)> = keys
        .into_iter()
        .filter(|key| gio.get(*key) != ours.get(*key))
        .map(|key| {
            let of = |facts: &Facts| facts.get(key).map_or(NONE, String::as_str).to_owned();
            (key.clone(), of(gio), of(ours))
        })
        .collect();
    let listed: BTreeSet<(String, String, String)> = listed
        .iter()
        .filter(|row| row.0.split(' ').any(|name| name == class))
        .map(|row| (row.1.to_owned(), row.2.to_owned(), row.3.to_owned()))
        .collect();
    let unlisted = found
        .difference(&listed)
        .map(|row| format!("not listed: {row:?}"));
    let untrue = listed
        .difference(&found)
        .map(|row| format!("no such difference: {row:?}"));
    unlisted.chain(untrue).collect()
}

#[track_caller]
fn assert_as_listed(class: &str, gio: glib::Type, ours: glib::Type) {
    let (gio, ours) = (facts_of(gio), facts_of(ours));
    assert_eq!(gio.get("name").map(String::as_str), Some(class));
    let wrong = unlisted(class, &gio, &ours, LISTED);
    assert!(wrong.is_empty(), "{class}:\n{}", wrong.join("\n"));
}

/// Every type of GIO's layer, so that all children are there.
fn load_all() {
    for type_ in [
        gio::TcpConnection::static_type(),
        gio::UnixConnection::static_type(),
        TcpConnection::static_type(),
        TcpWrapperConnection::static_type(),
        UnixConnection::static_type(),
        ConnectionState::static_type(),
    ] {
        assert!(type_.is_valid());
    }
    // SAFETY: a type function without arguments.
    let wrapper = unsafe { gio_ffi::g_tcp_wrapper_connection_get_type() };
    assert_ne!(wrapper, gobject_ffi::G_TYPE_INVALID);
}

/// SC-1 to SC-4, IOS-2, IOS-3.
#[test]
fn a_socket_connection_is_as_gios_but_for_what_is_listed() {
    on_private_context(|_| {
        load_all();
        assert_as_listed(
            SOCKET,
            gio::SocketConnection::static_type(),
            SocketConnection::static_type(),
        );
    });
}

/// TCP-1, TCP-2.
#[test]
fn a_tcp_connection_is_as_gios_but_for_what_is_listed() {
    on_private_context(|_| {
        load_all();
        assert_as_listed(
            TCP,
            gio::TcpConnection::static_type(),
            TcpConnection::static_type(),
        );
    });
}

/// WRAP-1, WRAP-2.
#[test]
fn a_wrapper_connection_is_as_gios_but_for_what_is_listed() {
    on_private_context(|_| {
        load_all();
        assert_as_listed(
            WRAPPER,
            gio::TcpWrapperConnection::static_type(),
            TcpWrapperConnection::static_type(),
        );
    });
}

/// CLIENT-1, CLIENT-2, CLIENT-7.
#[test]
fn a_socket_client_is_as_gios_but_for_what_is_listed() {
    on_private_context(|_| {
        assert_as_listed(
            CLIENT,
            gio::SocketClient::static_type(),
            SocketClient::static_type(),
        );
    });
}

/// LISTEN-1, LISTEN-2, SERVICE-1 to SERVICE-3, THREADED-1 to THREADED-3.
#[test]
fn listeners_and_services_are_as_gios_but_for_what_is_listed() {
    on_private_context(|_| {
        for type_ in [
            gio::ThreadedSocketService::static_type(),
            ThreadedSocketService::static_type(),
        ] {
            assert!(type_.is_valid());
        }
        assert_as_listed(
            LISTENER,
            gio::SocketListener::static_type(),
            SocketListener::static_type(),
        );
        assert_as_listed(
            SERVICE,
            gio::SocketService::static_type(),
            SocketService::static_type(),
        );
        assert_as_listed(
            THREADED,
            gio::ThreadedSocketService::static_type(),
            ThreadedSocketService::static_type(),
        );
    });
}

/// UNIX-1.
#[test]
fn a_unix_connection_is_as_gios_but_for_what_is_listed() {
    on_private_context(|_| {
        load_all();
        assert_as_listed(
            UNIX,
            gio::UnixConnection::static_type(),
            UnixConnection::static_type(),
        );
    });
}

/// GIO's connection and ours, each around a socket of its own.
fn both() -> [gio::IOStream; 2] {
    [
        ipv4_socket()
            .connection_factory_create_connection()
            .upcast(),
        unconnected().upcast(),
    ]
}

/// ST-1 to ST-3, ST-7 to ST-9, ST-50.
#[test]
fn the_streams_are_as_gios_but_for_what_is_listed() {
    on_private_context(|_| {
        let [gio, ours] = both();
        assert_as_listed(
            INPUT,
            gio.input_stream().type_(),
            ours.input_stream().type_(),
        );
        assert_as_listed(
            OUTPUT,
            gio.output_stream().type_(),
            ours.output_stream().type_(),
        );
    });
}

/// Whatever GIO's class can be called through, ours can.
#[test]
fn every_slot_that_gio_fills_is_filled() {
    on_private_context(|_| {
        load_all();
        let [gio, ours] = both();
        let mut filled = 0;
        for (gio, ours) in [
            (gio.type_(), ours.type_()),
            (
                gio::SocketConnection::static_type(),
                SocketConnection::static_type(),
            ),
            (gio.input_stream().type_(), ours.input_stream().type_()),
            (gio.output_stream().type_(), ours.output_stream().type_()),
        ] {
            let (gio, ours) = (facts_of(gio), facts_of(ours));
            for (slot, how) in gio.iter().filter(|(what, _)| what.contains('.')) {
                if how != "empty" {
                    filled += 1;
                    assert_ne!(ours[slot], "empty", "{slot}");
                }
            }
        }
        // Five of each connection, and most of the streams' and their interfaces'.
        assert!(filled > 40, "{filled} slots");
    });
}

/// VER-6: the newest GLib has no words about its properties, nor have we.
#[test]
fn our_properties_carry_no_nick_and_no_blurb() {
    on_private_context(|_| {
        let class = glib::Class::<TcpConnection>::from_type(TcpConnection::static_type());
        let class = class.expect("its own class");
        for pspec in class.list_properties().iter() {
            if pspec.owner_type() == gio::IOStream::static_type() {
                continue;
            }
            // Where there is none, GObject answers with the name.
            assert_eq!(pspec.nick(), pspec.name());
            assert_eq!(pspec.blurb(), None, "{}", pspec.name());
        }
    });
}

/// That the comparison finds what is not listed, and what is listed in vain.
#[test]
fn a_difference_that_is_not_listed_is_found_and_so_is_one_that_is_none() {
    let facts = |rows: &[(&str, &str)]| -> Facts {
        rows.iter()
            .map(|(what, how)| ((*what).to_owned(), (*how).to_owned()))
            .collect()
    };
    let gio = facts(&[("same", "yes"), ("other", "theirs"), ("theirs", "yes")]);
    let ours = facts(&[("same", "yes"), ("other", "ours"), ("ours", "yes")]);
    let all: [Listed; 3] = [
        ("Class", "other", "theirs", "ours"),
        ("Class", "theirs", "yes", NONE),
        ("Class Other", "ours", NONE, "yes"),
    ];
    assert!(unlisted("Class", &gio, &ours, &all).is_empty());
    for missing in 0..all.len() {
        let mut rows = all.to_vec();
        rows.remove(missing);
        assert_eq!(unlisted("Class", &gio, &ours, &rows).len(), 1);
    }
    let mut rows = all.to_vec();
    rows.push(("Class", "same", "yes", "no"));
    assert_eq!(unlisted("Class", &gio, &ours, &rows).len(), 1);
    rows[3] = ("Another", "same", "yes", "no");
    assert!(unlisted("Class", &gio, &ours, &rows).is_empty());
    // One that differs in another way than listed is both.
    rows[0] = ("Class", "other", "theirs", "different");
    assert_eq!(unlisted("Class", &gio, &ours, &rows).len(), 2);
}
