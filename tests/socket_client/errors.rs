//! What is answered when it does not work.

use gio::{IOErrorEnum, SocketFamily, prelude::*, subclass::prelude::*};
use glib::subclass::types::IsImplementable;
use gsock::{SocketClient, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn an_error_says_where_to() {
    on_private_context(|context| {
        let dead = refused_address();
        let message = |connectable: &gio::SocketConnectable| {
            let client = SocketClient::new();
            let messages = FORMS.map(|form| {
                let failed = connect(form, &client, connectable, None, context).unwrap_err();
                assert_eq!(code(&failed), IOErrorEnum::ConnectionRefused);
                failed.message().to_owned()
            });
            assert!(messages.iter().all(|it| *it == messages[0]), "{messages:?}");
            messages[0].clone()
        };
        let address = gio_address(dead);
        assert!(message(address.upcast_ref()).starts_with("Could not connect to 127.0.0.1: "));
        let name = name("v4-ok.test", dead.port());
        assert!(message(name.upcast_ref()).starts_with("Could not connect to v4-ok.test: "));
        let custom = scripted([dead; 3].map(Next::Address));
        assert!(message(custom.upcast_ref()).starts_with("Could not connect: "));
    });
}

#[test]
fn a_lookup_fails_with_the_resolvers_own_error() {
    on_private_context(|context| {
        for form in FORMS {
            let nowhere = name("v6-error.v4-error-10.test", 1);
            let failed = connect(form, &SocketClient::new(), &nowhere, None, context);
            let failed = failed.unwrap_err();
            assert!(failed.matches(gio::ResolverError::NotFound));
            // The later one of two.
            assert_eq!(failed.message(), "no address of v4");
        }
    });
}

#[test]
fn of_two_that_are_refused_the_last_is_told_and_one_error_beats_a_lookups() {
    on_private_context(|context| {
        for form in FORMS {
            let dead = Next::Address(refused_address());
            let failing = scripted([dead, Next::Error(IOErrorEnum::Busy)]);
            let failed = connect(form, &SocketClient::new(), &failing, None, context);
            assert_fails(failed, IOErrorEnum::ConnectionRefused);
            let failing = scripted([Next::Error(IOErrorEnum::Busy)]);
            let failed = connect(form, &SocketClient::new(), &failing, None, context);
            assert_fails(failed, IOErrorEnum::Busy);
        }
    });
}

#[test]
fn a_type_of_socket_that_there_is_not_is_an_error() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_socket_type(gio::SocketType::Invalid);
            let failed = connect(form, &client, &gio_address(address), None, context);
            assert_fails(failed, IOErrorEnum::InvalidArgument);
            let client = SocketClient::new();
            client.set_protocol(gio::SocketProtocol::Udp);
            let failed = connect(form, &client, &gio_address(address), None, context);
            assert_fails(failed, IOErrorEnum::NotSupported);
        }
    });
}

#[test]
fn addresses_of_another_family_are_left_out() {
    on_private_context(|context| {
        for (family, address) in [
            (SocketFamily::Ipv4, "127.0.0.1"),
            (SocketFamily::Ipv6, "::1"),
        ] {
            let (_listener, port) = listener_on(address);
            for form in FORMS {
                let client = SocketClient::new();
                client.set_family(family);
                let seen = events(&client);
                let both = name("v6-ok.v4-ok.test", port);
                connect(form, &client, &both, None, context).unwrap();
                assert_eq!(*seen.borrow(), "RrCcK");
            }
            // The other family is not looked up, which would take for ever.
            let other = match family {
                SocketFamily::Ipv4 => "v4-none.v6-never.test",
                _ => "v6-none.v4-never.test",
            };
            let client = SocketClient::new();
            client.set_family(family);
            let failed = connect(Form::Blocking, &client, &name(other, port), None, context);
            assert_fails(failed, IOErrorEnum::NotFound);
            // The family of the address to bind to counts as well.
            let client = SocketClient::new();
            let any = gio::InetAddress::new_any(family);
            client.set_local_address(Some(&gio::InetSocketAddress::new(&any, 0)));
            let failed = connect(Form::Blocking, &client, &name(other, port), None, context);
            assert_fails(failed, IOErrorEnum::NotFound);
            let seen = events(&client);
            let localhost = gio::NetworkAddress::new_loopback(port);
            connect(Form::Blocking, &client, &localhost, None, context).unwrap();
            assert_eq!(*seen.borrow(), "RrCcK");
        }
    });
}

#[test]
fn where_all_are_of_another_family_it_fails_as_a_connect_would() {
    on_private_context(|context| {
        let (_listener, port) = listener_on("127.0.0.1");
        for form in FORMS {
            let client = SocketClient::new();
            client.set_family(SocketFamily::Ipv6);
            let address = gio::InetSocketAddress::from_string("127.0.0.1", u32::from(port));
            let failed = connect(form, &client, &address.unwrap(), None, context);
            assert_fails(failed, IOErrorEnum::InvalidArgument);
            client.set_family(SocketFamily::Ipv4);
            let address = gio::InetSocketAddress::from_string("::1", u32::from(port));
            let failed = connect(form, &client, &address.unwrap(), None, context);
            assert_fails(failed, IOErrorEnum::NotSupported);
        }
    });
}

#[test]
fn a_future_that_was_never_polled_has_done_nothing() {
    on_private_context(|_| {
        let (listener, address) = listener();
        listener.set_nonblocking(true).unwrap();
        let client = SocketClient::new();
        let seen = events(&client);
        drop(client.connect_future(&gio_address(address)));
        assert_eq!(*seen.borrow(), "");
        assert!(listener.accept().is_err());
    });
}

mod nowhere {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Imp;

    #[glib::object_subclass]
    impl ObjectSubclass for Imp {
        const NAME: &'static str = "GsockTestNowhere";
        type Type = Nowhere;
        type Interfaces = (gio::SocketConnectable,);
    }

    impl ObjectImpl for Imp {}

    unsafe impl IsImplementable<Imp> for gio::SocketConnectable {
        fn interface_init(iface: &mut glib::Interface<Self>) {
            let iface: *mut glib::Interface<Self> = iface;
            let iface = unsafe { &mut *iface.cast::<gio::ffi::GSocketConnectableIface>() };
            iface.enumerate = Some(none);
        }
    }

    unsafe extern "C" fn none(
        _: *mut gio::ffi::GSocketConnectable,
    ) -> *mut gio::ffi::GSocketAddressEnumerator {
        std::ptr::null_mut()
    }
}

glib::wrapper! {
    /// What has nothing to enumerate its addresses with.
    pub struct Nowhere(ObjectSubclass<nowhere::Imp>) @implements gio::SocketConnectable;
}

#[test]
fn a_connectable_that_has_no_enumerator_is_an_error_and_its_events_are_whole() {
    on_private_context(|context| {
        let nowhere: Nowhere = glib::Object::new();
        for form in FORMS {
            let client = SocketClient::new();
            let seen = events(&client);
            let failed = connect(form, &client, &nowhere, None, context);
            assert_fails(failed, IOErrorEnum::Failed);
            let expected = if form == Form::Blocking { "Rr0" } else { "R0" };
            assert_eq!(*seen.borrow(), expected);
        }
    });
}

#[test]
fn a_protocol_that_is_unknown_is_an_error() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_protocol(gio::SocketProtocol::Unknown);
            let failed = connect(form, &client, &gio_address(address), None, context);
            assert_fails(failed, IOErrorEnum::NotSupported);
        }
    });
}

/// What the C face has instead of the pair that the future answers.
#[test]
fn a_blocking_connect_that_fails_has_its_report() {
    on_private_context(|_| {
        let dead = refused_address();
        let connectable = gio_address(dead).upcast();
        let (report, made) = SocketClient::new().block_with_report(&connectable, None);
        assert!(made.is_none());
        let [attempt] = &report.attempts[..] else {
            panic!("one address: {report:?}");
        };
        let failure = attempt.error.as_ref().expect("it was refused");
        assert_eq!(code(failure), IOErrorEnum::ConnectionRefused);
    });
}
