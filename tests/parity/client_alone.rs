//! Where GIO's client ends the process, or answers nothing.

use std::{os::unix::net::UnixListener, thread, time::Duration};

use gio::{Cancellable, prelude::*};
use glib::translate::{ToGlibPtr, from_glib_full};

use super::{Crashes, Says, differs_alone};
use crate::{
    client::{Client, Form, To},
    client_tools::{
        Next, listener_on, scripted, scripted_patiently, slow_listener, use_resolver_of_names,
    },
    support::*,
};

const CONNECTED: i32 = 0;
const FAILED: i32 = 1;
/// Neither a connection nor an error.
const NOTHING: i32 = 2;

/// What comes of a connect.
fn outcome(
    client: &Client,
    form: Form,
    to: &gio::SocketConnectable,
    context: &glib::MainContext,
) -> i32 {
    if let (Form::Blocking, Some(client)) = (form, client.0.downcast_ref::<gio::SocketClient>()) {
        let mut failure = std::ptr::null_mut();
        // SAFETY: live arguments. gio-rs would panic where there is neither.
        unsafe {
            let made = gio::ffi::g_socket_client_connect(
                client.to_glib_none().0,
                to.to_glib_none().0,
                std::ptr::null_mut(),
                &raw mut failure,
            );
            let made: Option<gio::SocketConnection> = from_glib_full(made);
            let failure: Option<glib::Error> = from_glib_full(failure);
            return match (made, failure) {
                (Some(_), _) => CONNECTED,
                (None, Some(_)) => FAILED,
                (None, None) => NOTHING,
            };
        }
    }
    match client.run(form, &To::Connectable(to), None, context) {
        Ok(_) => CONNECTED,
        Err(_) => FAILED,
    }
}

#[test]
fn differs_client_20_a_type_that_there_is_not_is_an_error() {
    differs_alone(
        "client_alone::differs_client_20_a_type_that_there_is_not_is_an_error",
        |side, context| {
            let client = side.client();
            client.0.set_property("type", gio::SocketType::Invalid);
            let to = gio_address(refused_address()).upcast();
            outcome(&client, Form::Blocking, &to, context)
        },
        Crashes,
        Says(FAILED),
    );
}

#[test]
fn differs_client_48_who_blocks_is_told_that_there_is_no_address() {
    differs_alone(
        "client_alone::differs_client_48_who_blocks_is_told_that_there_is_no_address",
        |side, context| {
            outcome(
                &side.client(),
                Form::Blocking,
                &scripted([]).upcast(),
                context,
            )
        },
        Says(NOTHING),
        Says(FAILED),
    );
}

#[test]
fn differs_client_48_that_there_is_no_address_ends_no_process() {
    differs_alone(
        "client_alone::differs_client_48_that_there_is_no_address_ends_no_process",
        |side, context| {
            outcome(
                &side.client(),
                Form::Callback,
                &scripted([]).upcast(),
                context,
            )
        },
        Crashes,
        Says(FAILED),
    );
}

#[test]
fn differs_addr_21_a_service_is_good_for_more_than_one_connect() {
    differs_alone(
        "client_alone::differs_addr_21_a_service_is_good_for_more_than_one_connect",
        |side, context| {
            use_resolver_of_names();
            let (_listener, port) = listener_on("127.0.0.1");
            let domain = format!("v4_ok_0x{port}.test");
            let service = gio::NetworkService::new("some", "tcp", &domain).upcast();
            if outcome(&side.client(), Form::Callback, &service, context) != CONNECTED {
                return FAILED;
            }
            outcome(&side.client(), Form::Callback, &service, context)
        },
        Crashes,
        Says(CONNECTED),
    );
}

/// Of the enumerator, while an attempt is under way that succeeds then.
#[test]
fn differs_addr_23_an_error_after_the_first_address_harms_nobody() {
    differs_alone(
        "client_alone::differs_addr_23_an_error_after_the_first_address_harms_nobody",
        |side, context| {
            let (slow, _) = slow_listener();
            let late = [Next::Address(slow), Next::Error(gio::IOErrorEnum::Busy)];
            outcome(
                &side.client(),
                Form::Callback,
                &scripted(late).upcast(),
                context,
            )
        },
        Crashes,
        Says(CONNECTED),
    );
}

/// The delay and the failure of the first address each ask for the next one.
#[test]
fn differs_addr_2_an_enumerator_is_asked_once_at_a_time() {
    differs_alone(
        "client_alone::differs_addr_2_an_enumerator_is_asked_once_at_a_time",
        |side, context| {
            let deaf = deaf_listener();
            let client = side.client();
            client.0.set_property("timeout", 1_u32);
            let addresses = [deaf.address, deaf.address].map(Next::Address);
            let (patient, most) = scripted_patiently(addresses, Duration::from_millis(1200));
            let cancellable = Cancellable::new();
            let result = client.start(&To::Connectable(patient.upcast_ref()), Some(&cancellable));
            // Whatever comes of it: by then it was seen.
            iterate_for(context, Duration::from_millis(2400));
            if side == crate::flaws::Side::Ours {
                cancellable.cancel();
                iterate_until(context, || result.take().is_some());
                drop(client);
                // The enumerator answers when it is so far.
                iterate_until_none_lives(context);
            }
            i32::try_from(most.get()).unwrap_or(-1)
        },
        Says(2),
        Says(1),
    );
}

#[test]
fn differs_client_79_tls_is_spoken_over_a_unix_socket() {
    differs_alone(
        "client_alone::differs_client_79_tls_is_spoken_over_a_unix_socket",
        |side, context| {
            let path = std::env::temp_dir().join(format!("gsock-tls-{}", std::process::id()));
            let _ = std::fs::remove_file(&path);
            let listener = UnixListener::bind(&path).unwrap();
            let certificate = crate::proxies::own_certificate();
            let serving = thread::spawn(move || {
                let certificate = gio::TlsCertificate::from_pem(&certificate).unwrap();
                let (peer, _) = listener.accept().unwrap();
                let socket = gio::Socket::from_fd(peer.into()).unwrap();
                let base = socket.connection_factory_create_connection();
                let tls = gio::TlsServerConnection::new(&base, Some(&certificate)).unwrap();
                let _ = tls.handshake(Cancellable::NONE);
            });
            let client = side.client();
            client.0.set_property("tls", true);
            let none = gio::TlsCertificateFlags::empty();
            client.0.set_property("tls-validation-flags", none);
            let to = gio::UnixSocketAddress::new(&path).upcast();
            let said = outcome(&client, Form::Blocking, &to, context);
            std::fs::remove_file(&path).unwrap();
            drop(client);
            let _ = serving.join();
            said
        },
        Says(NOTHING),
        Says(CONNECTED),
    );
}
