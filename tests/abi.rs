//! What C sees of the classes: sizes, slots, names, parents, properties, and the enumeration.

#![cfg(test)]
#![allow(unsafe_code, reason = "the type system is asked as C asks it")]

mod support;

use std::mem::{MaybeUninit, align_of, offset_of};

use gio::prelude::*;
use glib::{
    ParamFlags, gobject_ffi,
    translate::{FromGlib, IntoGlib},
};
use gsock::{
    ConnectionState, Liveness, SocketClient, SocketConnection, SocketListener, SocketService,
    TcpConnection, TcpWrapperConnection, ThreadedSocketService, UnixConnection,
    subclass::{
        SocketClientClass, SocketClientInstance, SocketConnectionClass, SocketConnectionInstance,
        SocketListenerClass, SocketListenerInstance, SocketServiceClass, SocketServiceInstance,
        TcpConnectionClass, TcpConnectionInstance, TcpWrapperConnectionClass,
        TcpWrapperConnectionInstance, ThreadedSocketServiceClass, ThreadedSocketServiceInstance,
        UnixConnectionClass, UnixConnectionInstance,
    },
};
use support::*;

const POINTER: usize = size_of::<usize>();

fn query(type_: glib::Type) -> gobject_ffi::GTypeQuery {
    // The sizes are known once the class is there.
    let _class = glib::Class::<SocketConnection>::from_type(type_);
    let mut query = MaybeUninit::<gobject_ffi::GTypeQuery>::zeroed();
    // SAFETY: a registered type, and room for the answer.
    unsafe { gobject_ffi::g_type_query(type_.into_glib(), query.as_mut_ptr()) };
    // SAFETY: filled in, and valid when zero.
    unsafe { query.assume_init() }
}

#[test]
fn the_sizes_that_the_type_system_knows_are_those_of_the_structs() {
    on_private_context(|_| {
        for (type_, class, instance) in [
            (
                SocketClient::static_type(),
                size_of::<SocketClientClass>(),
                size_of::<SocketClientInstance>(),
            ),
            (
                SocketConnection::static_type(),
                size_of::<SocketConnectionClass>(),
                size_of::<SocketConnectionInstance>(),
            ),
            (
                SocketListener::static_type(),
                size_of::<SocketListenerClass>(),
                size_of::<SocketListenerInstance>(),
            ),
            (
                SocketService::static_type(),
                size_of::<SocketServiceClass>(),
                size_of::<SocketServiceInstance>(),
            ),
            (
                ThreadedSocketService::static_type(),
                size_of::<ThreadedSocketServiceClass>(),
                size_of::<ThreadedSocketServiceInstance>(),
            ),
            (
                TcpConnection::static_type(),
                size_of::<TcpConnectionClass>(),
                size_of::<TcpConnectionInstance>(),
            ),
            (
                TcpWrapperConnection::static_type(),
                size_of::<TcpWrapperConnectionClass>(),
                size_of::<TcpWrapperConnectionInstance>(),
            ),
            (
                UnixConnection::static_type(),
                size_of::<UnixConnectionClass>(),
                size_of::<UnixConnectionInstance>(),
            ),
        ] {
            let known = query(type_);
            assert_eq!(known.type_, type_.into_glib());
            assert_eq!(known.class_size as usize, class, "{type_:?}");
            assert_eq!(known.instance_size as usize, instance, "{type_:?}");
        }
    });
}

/// The parent's class struct, three slots, ten pointers of room.
#[test]
fn the_class_structs_are_laid_out_as_documented() {
    type Parent = gio::ffi::GIOStreamClass;
    assert_eq!(offset_of!(SocketConnectionClass, parent_class), 0);
    let slots = size_of::<Parent>();
    assert_eq!(offset_of!(SocketConnectionClass, connect), slots);
    assert_eq!(
        offset_of!(SocketConnectionClass, connect_async),
        slots + POINTER
    );
    assert_eq!(
        offset_of!(SocketConnectionClass, connect_finish),
        slots + 2 * POINTER
    );
    assert_eq!(
        offset_of!(SocketConnectionClass, padding),
        slots + 3 * POINTER
    );
    assert_eq!(size_of::<SocketConnectionClass>(), slots + 13 * POINTER);
    assert_eq!(align_of::<SocketConnectionClass>(), align_of::<Parent>());

    assert_eq!(offset_of!(TcpConnectionClass, parent_class), 0);
    let room = size_of::<SocketConnectionClass>();
    assert_eq!(offset_of!(TcpConnectionClass, padding), room);
    assert_eq!(size_of::<TcpConnectionClass>(), room + 10 * POINTER);
    assert_eq!(align_of::<TcpConnectionClass>(), align_of::<Parent>());

    assert_eq!(offset_of!(TcpWrapperConnectionClass, parent_class), 0);
    let more = size_of::<TcpConnectionClass>();
    assert_eq!(offset_of!(TcpWrapperConnectionClass, padding), more);
    assert_eq!(size_of::<TcpWrapperConnectionClass>(), more + 10 * POINTER);
    assert_eq!(
        align_of::<TcpWrapperConnectionClass>(),
        align_of::<Parent>()
    );

    assert_eq!(offset_of!(SocketClientClass, parent_class), 0);
    let object = size_of::<gobject_ffi::GObjectClass>();
    assert_eq!(offset_of!(SocketClientClass, event), object);
    assert_eq!(offset_of!(SocketClientClass, padding), object + POINTER);
    assert_eq!(size_of::<SocketClientClass>(), object + 11 * POINTER);

    assert_eq!(offset_of!(SocketListenerClass, parent_class), 0);
    assert_eq!(offset_of!(SocketListenerClass, changed), object);
    assert_eq!(offset_of!(SocketListenerClass, event), object + POINTER);
    assert_eq!(
        offset_of!(SocketListenerClass, padding),
        object + 2 * POINTER
    );
    assert_eq!(size_of::<SocketListenerClass>(), object + 12 * POINTER);

    let listener = size_of::<SocketListenerClass>();
    assert_eq!(offset_of!(SocketServiceClass, parent_class), 0);
    assert_eq!(offset_of!(SocketServiceClass, incoming), listener);
    assert_eq!(offset_of!(SocketServiceClass, error), listener + POINTER);
    assert_eq!(
        offset_of!(SocketServiceClass, padding),
        listener + 2 * POINTER
    );
    assert_eq!(size_of::<SocketServiceClass>(), listener + 12 * POINTER);

    let service = size_of::<SocketServiceClass>();
    assert_eq!(offset_of!(ThreadedSocketServiceClass, parent_class), 0);
    assert_eq!(offset_of!(ThreadedSocketServiceClass, run), service);
    assert_eq!(
        offset_of!(ThreadedSocketServiceClass, padding),
        service + POINTER
    );
    assert_eq!(
        size_of::<ThreadedSocketServiceClass>(),
        service + 11 * POINTER
    );

    assert_eq!(offset_of!(UnixConnectionClass, parent_class), 0);
    assert_eq!(offset_of!(UnixConnectionClass, padding), room);
    assert_eq!(size_of::<UnixConnectionClass>(), room + 10 * POINTER);
    assert_eq!(align_of::<UnixConnectionClass>(), align_of::<Parent>());
}

/// Private data lies before the instance, out of C's sight.
#[test]
fn the_instance_structs_are_their_parents() {
    type Parent = gio::ffi::GIOStream;
    assert_eq!(size_of::<SocketConnectionInstance>(), size_of::<Parent>());
    assert_eq!(align_of::<SocketConnectionInstance>(), align_of::<Parent>());
    assert_eq!(size_of::<TcpConnectionInstance>(), size_of::<Parent>());
    assert_eq!(align_of::<TcpConnectionInstance>(), align_of::<Parent>());
    assert_eq!(
        size_of::<TcpWrapperConnectionInstance>(),
        size_of::<Parent>()
    );
    assert_eq!(
        align_of::<TcpWrapperConnectionInstance>(),
        align_of::<Parent>()
    );
    assert_eq!(size_of::<UnixConnectionInstance>(), size_of::<Parent>());
    assert_eq!(align_of::<UnixConnectionInstance>(), align_of::<Parent>());

    let object = size_of::<gobject_ffi::GObject>();
    assert_eq!(size_of::<SocketClientInstance>(), object);
    assert_eq!(size_of::<SocketListenerInstance>(), object);
    assert_eq!(size_of::<SocketServiceInstance>(), object);
    assert_eq!(size_of::<ThreadedSocketServiceInstance>(), object);
}

#[test]
fn the_slots_are_filled_and_the_room_is_empty() {
    on_private_context(|_| {
        for type_ in [
            SocketConnection::static_type(),
            TcpConnection::static_type(),
            TcpWrapperConnection::static_type(),
            UnixConnection::static_type(),
        ] {
            let class = glib::Class::<SocketConnection>::from_type(type_).expect("its own class");
            let class = class.as_ref();
            assert!(class.connect.is_some());
            assert!(class.connect_async.is_some());
            assert!(class.connect_finish.is_some());
            assert!(class.padding.iter().all(|pointer| pointer.is_null()));
            let parent = &class.parent_class;
            assert!(parent.get_input_stream.is_some());
            assert!(parent.get_output_stream.is_some());
            assert!(parent.close_fn.is_some());
            assert!(parent.close_async.is_some());
            assert!(parent.close_finish.is_some());
        }
        let type_ = TcpConnection::static_type();
        let class = glib::Class::<TcpConnection>::from_type(type_).expect("its own class");
        assert!(
            class
                .as_ref()
                .padding
                .iter()
                .all(|pointer| pointer.is_null())
        );
    });
}

/// GIO's too have nothing by default but what makes a service accept. LISTEN-1, SERVICE-1, THREADED-1.
#[test]
fn what_accepts_fills_the_slots_that_do_something() {
    on_private_context(|_| {
        let listener = glib::Class::<SocketListener>::from_type(SocketListener::static_type());
        let listener = listener.expect("a class");
        let listener = listener.as_ref();
        assert!(listener.changed.is_none());
        assert!(listener.event.is_none());
        assert!(listener.padding.iter().all(|pointer| pointer.is_null()));
        let service = glib::Class::<SocketService>::from_type(SocketService::static_type());
        let service = service.expect("a class");
        let service = service.as_ref();
        assert!(service.parent_class.changed.is_some());
        assert!(service.incoming.is_some());
        assert!(service.error.is_some());
        assert!(service.padding.iter().all(|pointer| pointer.is_null()));
        let threaded = ThreadedSocketService::static_type();
        let threaded = glib::Class::<ThreadedSocketService>::from_type(threaded);
        let threaded = threaded.expect("a class");
        let threaded = threaded.as_ref();
        assert!(threaded.parent_class.incoming.is_some());
        assert!(threaded.run.is_none());
        assert!(threaded.padding.iter().all(|pointer| pointer.is_null()));
    });
}

// --- Types ---------------------------------------------------------------------------------------

fn has_flag(type_: glib::Type, flag: u32) -> bool {
    // SAFETY: a registered type.
    unsafe { gobject_ffi::g_type_test_flags(type_.into_glib(), flag) != glib::ffi::GFALSE }
}

#[test]
fn the_types_are_named_derived_and_derivable() {
    on_private_context(|_| {
        for (type_, name, parent) in [
            (
                SocketConnection::static_type(),
                "GsockSocketConnection",
                gio::IOStream::static_type(),
            ),
            (
                TcpConnection::static_type(),
                "GsockTcpConnection",
                SocketConnection::static_type(),
            ),
            (
                TcpWrapperConnection::static_type(),
                "GsockTcpWrapperConnection",
                TcpConnection::static_type(),
            ),
            (
                UnixConnection::static_type(),
                "GsockUnixConnection",
                SocketConnection::static_type(),
            ),
            (
                SocketClient::static_type(),
                "GsockSocketClient",
                glib::Object::static_type(),
            ),
            (
                SocketListener::static_type(),
                "GsockSocketListener",
                glib::Object::static_type(),
            ),
            (
                SocketService::static_type(),
                "GsockSocketService",
                SocketListener::static_type(),
            ),
            (
                ThreadedSocketService::static_type(),
                "GsockThreadedSocketService",
                SocketService::static_type(),
            ),
        ] {
            assert_eq!(type_.name(), name);
            assert_eq!(glib::Type::from_name(name), Some(type_));
            assert_eq!(type_.parent(), Some(parent));
            assert!(type_.interfaces().is_empty());
            assert!(has_flag(type_, gobject_ffi::G_TYPE_FLAG_CLASSED));
            assert!(has_flag(type_, gobject_ffi::G_TYPE_FLAG_INSTANTIATABLE));
            assert!(has_flag(type_, gobject_ffi::G_TYPE_FLAG_DERIVABLE));
            assert!(has_flag(type_, gobject_ffi::G_TYPE_FLAG_DEEP_DERIVABLE));
            assert!(!has_flag(type_, gobject_ffi::G_TYPE_FLAG_ABSTRACT));
            assert!(!has_flag(type_, gobject_ffi::G_TYPE_FLAG_FINAL));
        }
    });
}

/// GLib owns the names without our prefix; both families live in one process.
#[test]
fn gios_own_classes_are_other_types() {
    on_private_context(|_| {
        let pairs = [
            (
                gio::SocketConnection::static_type(),
                SocketConnection::static_type(),
            ),
            (
                gio::TcpConnection::static_type(),
                TcpConnection::static_type(),
            ),
            (
                gio::TcpWrapperConnection::static_type(),
                TcpWrapperConnection::static_type(),
            ),
            (
                gio::UnixConnection::static_type(),
                UnixConnection::static_type(),
            ),
            (
                gio::SocketClient::static_type(),
                SocketClient::static_type(),
            ),
            (
                gio::SocketListener::static_type(),
                SocketListener::static_type(),
            ),
            (
                gio::SocketService::static_type(),
                SocketService::static_type(),
            ),
            (
                gio::ThreadedSocketService::static_type(),
                ThreadedSocketService::static_type(),
            ),
        ];
        for (theirs, ours) in pairs {
            assert_eq!(theirs.name().to_owned(), ours.name().replace("Gsock", "G"));
            assert!(!ours.is_a(theirs));
            assert!(!theirs.is_a(ours));
        }
    });
}

/// G-4.
#[test]
fn no_class_has_signals_of_its_own() {
    on_private_context(|_| {
        for type_ in [
            SocketConnection::static_type(),
            TcpConnection::static_type(),
            TcpWrapperConnection::static_type(),
            UnixConnection::static_type(),
        ] {
            let _class = glib::Class::<SocketConnection>::from_type(type_);
            let mut count = 0;
            // SAFETY: a registered type, and room for the answer.
            let ids = unsafe { gobject_ffi::g_signal_list_ids(type_.into_glib(), &raw mut count) };
            // SAFETY: the list is ours to free.
            unsafe { glib::ffi::g_free(ids.cast()) };
            assert_eq!(count, 0, "{type_:?}");
        }
    });
}

// --- Properties ----------------------------------------------------------------------------------

const READ: ParamFlags = ParamFlags::READABLE;

/// What says how a property behaves; the rest is about who owns its strings.
fn behaviour(flags: ParamFlags) -> ParamFlags {
    flags
        & (ParamFlags::READWRITE
            | ParamFlags::CONSTRUCT
            | ParamFlags::CONSTRUCT_ONLY
            | ParamFlags::LAX_VALIDATION
            | ParamFlags::EXPLICIT_NOTIFY
            | ParamFlags::DEPRECATED)
}

/// name, owner, value type, flags
type Property = (&'static str, &'static str, glib::Type, ParamFlags);

fn expected_of_socket_connection() -> Vec<Property> {
    let quiet = READ | ParamFlags::EXPLICIT_NOTIFY;
    let ours = "GsockSocketConnection";
    let address = gio::SocketAddress::static_type();
    vec![
        // IOS-3.
        ("closed", "GIOStream", glib::Type::BOOL, READ),
        (
            "input-stream",
            "GIOStream",
            gio::InputStream::static_type(),
            READ,
        ),
        (
            "output-stream",
            "GIOStream",
            gio::OutputStream::static_type(),
            READ,
        ),
        (
            "socket",
            ours,
            gio::Socket::static_type(),
            quiet | ParamFlags::WRITABLE | ParamFlags::CONSTRUCT,
        ),
        ("state", ours, ConnectionState::static_type(), quiet),
        ("alive", ours, glib::Type::BOOL, quiet),
        ("local-address", ours, address, quiet),
        ("remote-address", ours, address, quiet),
        ("last-error", ours, glib::Error::static_type(), quiet),
        ("bytes-read", ours, glib::Type::U64, quiet),
        ("bytes-written", ours, glib::Type::U64, quiet),
    ]
}

fn assert_properties(type_: glib::Type, expected: &[Property]) {
    let class = glib::Class::<glib::Object>::from_type(type_).expect("a class");
    let mut found: Vec<_> = class
        .list_properties()
        .iter()
        .map(|pspec| {
            (
                pspec.name().to_owned(),
                pspec.owner_type().name().to_owned(),
                pspec.value_type(),
                behaviour(pspec.flags()),
            )
        })
        .collect();
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(name, owner, value, flags)| {
            ((*name).to_owned(), (*owner).to_owned(), *value, *flags)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);
}

#[test]
fn a_socket_connection_has_these_properties() {
    on_private_context(|_| {
        assert_properties(
            SocketConnection::static_type(),
            &expected_of_socket_connection(),
        );
    });
}

/// UNIX-1.
#[test]
fn a_unix_connection_has_no_others() {
    on_private_context(|_| {
        let expected = expected_of_socket_connection();
        assert_properties(UnixConnection::static_type(), &expected);
    });
}

/// TCP-2.
#[test]
fn a_tcp_connection_has_one_more() {
    on_private_context(|_| {
        let mut expected = expected_of_socket_connection();
        expected.push((
            "graceful-disconnect",
            "GsockTcpConnection",
            glib::Type::BOOL,
            ParamFlags::READWRITE | ParamFlags::EXPLICIT_NOTIFY,
        ));
        assert_properties(TcpConnection::static_type(), &expected);
    });
}

#[test]
fn the_defaults_are_those_of_a_connection_that_nothing_has_happened_to() {
    on_private_context(|_| {
        let type_ = TcpConnection::static_type();
        let class = glib::Class::<glib::Object>::from_type(type_).expect("a class");
        let default = |name: &str| {
            let pspec = class.find_property(name).expect("in the list");
            pspec.default_value().clone()
        };
        for name in ["closed", "alive", "graceful-disconnect"] {
            assert_eq!(default(name).get::<bool>(), Ok(false), "{name}");
        }
        for name in ["bytes-read", "bytes-written"] {
            assert_eq!(default(name).get::<u64>(), Ok(0), "{name}");
            let pspec = class.find_property(name).expect("in the list");
            let range = pspec
                .downcast_ref::<glib::ParamSpecUInt64>()
                .expect("a u64");
            assert_eq!((range.minimum(), range.maximum()), (0, u64::MAX));
        }
        assert_eq!(
            default("state").get::<ConnectionState>(),
            Ok(ConnectionState::Unconnected)
        );
        assert_eq!(default("socket").get::<Option<gio::Socket>>(), Ok(None));
        for name in ["local-address", "remote-address"] {
            assert_eq!(
                default(name).get::<Option<gio::SocketAddress>>(),
                Ok(None),
                "{name}"
            );
        }
        assert_eq!(default("last-error").get::<Option<glib::Error>>(), Ok(None));

        // And what a new connection answers agrees with them.
        let connection: TcpConnection = unconnected().downcast().expect("TCP");
        for name in ["closed", "alive", "graceful-disconnect"] {
            assert!(!connection.property::<bool>(name), "{name}");
        }
        for name in ["bytes-read", "bytes-written"] {
            assert_eq!(connection.property::<u64>(name), 0, "{name}");
        }
        let state = connection.property::<ConnectionState>("state");
        assert_eq!(state, ConnectionState::Unconnected);
        assert!(
            connection
                .property::<Option<gio::SocketAddress>>("remote-address")
                .is_none()
        );
        assert!(
            connection
                .property::<Option<glib::Error>>("last-error")
                .is_none()
        );
    });
}

// --- The enumerations ----------------------------------------------------------------------------

/// Names and numbers of an enumeration's values, from 0 on.
fn assert_enumeration<E>(name: &str, prefix: &str, expected: &[(E, &str)])
where
    E: StaticType + IntoGlib<GlibType = i32> + FromGlib<i32> + PartialEq + std::fmt::Debug + Copy,
{
    let type_ = E::static_type();
    assert_eq!(type_.name(), name);
    assert_eq!(type_.parent(), Some(glib::Type::ENUM));
    let class = glib::EnumClass::with_type(type_).expect("an enumeration");
    let found: Vec<_> = class
        .values()
        .iter()
        .map(|value| {
            (
                value.value(),
                value.name().to_owned(),
                value.nick().to_owned(),
            )
        })
        .collect();
    assert_eq!(found.len(), expected.len());
    for (number, (value, name)) in expected.iter().enumerate() {
        let number = i32::try_from(number).expect("a few");
        let full = format!("{prefix}_{name}");
        assert_eq!(found[number as usize], (number, full, name.to_lowercase()));
        assert_eq!(value.into_glib(), number);
        // SAFETY: one of the numbers of the enumeration.
        assert_eq!(unsafe { E::from_glib(number) }, *value);
    }
}

#[test]
fn the_states_are_an_enumeration_of_gobject() {
    on_private_context(|_| {
        assert_enumeration(
            "GsockConnectionState",
            "GSOCK_CONNECTION_STATE",
            &[
                (ConnectionState::Unconnected, "UNCONNECTED"),
                (ConnectionState::Connecting, "CONNECTING"),
                (ConnectionState::Connected, "CONNECTED"),
                (ConnectionState::Disconnected, "DISCONNECTED"),
                (ConnectionState::Closed, "CLOSED"),
            ],
        );
    });
}

#[test]
fn the_degrees_of_liveness_are_an_enumeration_of_gobject() {
    on_private_context(|_| {
        assert_enumeration(
            "GsockLiveness",
            "GSOCK_LIVENESS",
            &[
                (Liveness::Off, "OFF"),
                (Liveness::Background, "BACKGROUND"),
                (Liveness::Interactive, "INTERACTIVE"),
            ],
        );
    });
}
