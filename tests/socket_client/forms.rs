//! Each form of each operation.

use std::{cell::RefCell, rc::Rc, sync::mpsc, thread};

use gio::{Cancellable, IOErrorEnum, SocketClientEvent as Event, prelude::*};
use glib::translate::{ToGlibPtr, from_glib_full, from_glib_none};
use gsock::{
    ConnectionState, SocketClient, SocketConnection, TcpConnection, UnixConnection, prelude::*,
};

use crate::{support::*, tools::*};

#[test]
fn an_address_is_connected_to_in_each_form() {
    on_private_context(|context| {
        let (listener, address) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            let made = connect(form, &client, &gio_address(address), None, context).unwrap();
            let (peer, _) = listener.accept().unwrap();
            assert!(made.is_alive(), "{form:?}");
            assert!(made.is::<TcpConnection>());
            let local = made.local_address().unwrap();
            let local = local.downcast::<gio::InetSocketAddress>().unwrap();
            assert_eq!(std::net::SocketAddr::from(local), peer.peer_addr().unwrap());
            assert!(made.socket().is_blocking(), "{form:?}");
        }
    });
}

#[test]
fn a_name_is_looked_up_in_each_form() {
    on_private_context(|context| {
        for address in ["127.0.0.1", "::1"] {
            let (listener, port) = listener_on(address);
            for form in FORMS {
                let name = name("v6-ok.v4-ok.test", port);
                let made = connect(form, &SocketClient::new(), &name, None, context).unwrap();
                listener.accept().unwrap();
                assert!(made.is_alive());
            }
        }
    });
}

#[test]
fn hosts_services_and_uris_have_each_form() {
    type Call = fn(
        &SocketClient,
        &str,
        u16,
        Box<dyn FnOnce(Result<SocketConnection, glib::Error>)>,
        &glib::MainContext,
    );
    on_private_context(|context| {
        use_resolver_of_names();
        let calls: [Call; 9] = [
            |client, host, port, then, _| {
                then(client.connect_to_host(host, port, Cancellable::NONE));
            },
            |client, host, port, then, _| {
                let host = format!("{host}:{port}");
                client.connect_to_host_async(&host, 1, Cancellable::NONE, |client, result| {
                    then(client.connect_to_host_finish(result));
                });
            },
            |client, host, port, then, context| {
                then(block_on(context, client.connect_to_host_future(host, port)));
            },
            |client, host, port, then, _| {
                then(client.connect_to_uri(&format!("x://{host}:{port}/y"), 1, Cancellable::NONE));
            },
            |client, host, port, then, _| {
                let uri = format!("http://{host}");
                client.connect_to_uri_async(&uri, port, Cancellable::NONE, |client, result| {
                    then(client.connect_to_uri_finish(result));
                });
            },
            |client, host, port, then, context| {
                let uri = format!("http://{host}:{port}");
                then(block_on(context, client.connect_to_uri_future(&uri, 1)));
            },
            |client, _, port, then, _| {
                let domain = format!("v4_ok_0x{port}.test");
                then(client.connect_to_service(&domain, "some", Cancellable::NONE));
            },
            |client, _, port, then, _| {
                let domain = format!("v4_ok_0x{port}.test");
                client.connect_to_service_async(
                    &domain,
                    "some",
                    Cancellable::NONE,
                    |client, result| then(client.connect_to_service_finish(result)),
                );
            },
            |client, _, port, then, context| {
                // The first target refuses.
                let dead = refused_address().port();
                let domain = format!("v4_ok_0x{dead}.v4_ok_0x{port}.test");
                let connecting = client.connect_to_service_future(&domain, "some");
                then(block_on(context, connecting));
            },
        ];
        let (listener, port) = listener_on("127.0.0.1");
        for (at, call) in calls.into_iter().enumerate() {
            let client = SocketClient::new();
            let slot = Rc::new(RefCell::new(None));
            let result = slot.clone();
            let then = Box::new(move |made| {
                result.replace(Some(made));
            });
            call(&client, "v4-ok.test", port, then, context);
            iterate_until(context, || slot.borrow().is_some());
            let made = slot.take().unwrap();
            assert!(
                made.as_ref().is_ok_and(|made| made.is_alive()),
                "{at}: {made:?}"
            );
            listener.accept().unwrap();
        }
    });
}

#[test]
fn a_service_without_targets_is_the_domain_with_the_port_of_its_name() {
    on_private_context(|context| {
        use_resolver_of_names();
        for form in FORMS {
            let client = SocketClient::new();
            let events = events(&client);
            // Nobody listens there, which is how far it is to get.
            let service = gio::NetworkService::new("discard", "tcp", "v4-ok.test");
            let failed = connect(form, &client, &service, None, context);
            assert_fails(failed, IOErrorEnum::ConnectionRefused);
            assert_eq!(*events.borrow(), "RrC0");
            let unknown = gio::NetworkService::new("no-such-service", "tcp", "v4-ok.test");
            let failed = connect(form, &client, &unknown, None, context).unwrap_err();
            assert!(failed.matches(gio::ResolverError::NotFound), "{failed:?}");
        }
    });
}

#[test]
fn what_cannot_be_read_is_an_error_without_events() {
    on_private_context(|context| {
        let client = SocketClient::new();
        let events = events(&client);
        let bad = "[::1";
        assert_fails(
            client.connect_to_host(bad, 1, Cancellable::NONE),
            IOErrorEnum::InvalidArgument,
        );
        assert_fails(
            block_on(context, client.connect_to_uri_future("nowhere", 1)),
            IOErrorEnum::InvalidArgument,
        );
        // Which no string of C can have.
        for failed in [
            client.connect_to_host("a\0b", 1, Cancellable::NONE),
            client.connect_to_uri("some://a\0b", 1, Cancellable::NONE),
            client.connect_to_service("a\0b", "some", Cancellable::NONE),
            client.connect_to_service("a.test", "so\0me", Cancellable::NONE),
        ] {
            assert_fails(failed, IOErrorEnum::InvalidArgument);
        }
        let slot = Rc::new(RefCell::new(None));
        let result = slot.clone();
        client.connect_to_host_async(bad, 1, Cancellable::NONE, move |client, outcome| {
            result.replace(Some(client.connect_finish(outcome)));
        });
        assert!(slot.borrow().is_none(), "called back before it returned");
        iterate_until(context, || slot.borrow().is_some());
        assert_fails(slot.take().unwrap(), IOErrorEnum::InvalidArgument);
        assert_eq!(*events.borrow(), "");
    });
}

#[test]
fn a_unix_socket_gives_a_unix_connection() {
    on_private_context(|context| {
        let path = std::env::temp_dir().join(format!("gsock-client-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let address = gio::UnixSocketAddress::new(&path);
        for form in FORMS {
            let client = SocketClient::new();
            let made = connect(form, &client, &address, None, context).unwrap();
            listener.accept().unwrap();
            assert!(made.is::<UnixConnection>());
        }
        std::fs::remove_file(&path).unwrap();
        assert_fails(
            SocketClient::new().connect(&address, Cancellable::NONE),
            IOErrorEnum::NotFound,
        );
    });
}

#[test]
fn a_datagram_client_gives_a_plain_connection() {
    on_private_context(|context| {
        for form in FORMS {
            let client = SocketClient::new();
            client.set_socket_type(gio::SocketType::Datagram);
            let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = gio_address(peer.local_addr().unwrap());
            let made = connect(form, &client, &address, None, context).unwrap();
            assert_eq!(made.type_(), SocketConnection::static_type());
            made.output_stream()
                .write(b"one", Cancellable::NONE)
                .unwrap();
            let mut buffer = [0; 8];
            assert_eq!(peer.recv(&mut buffer).unwrap(), 3);
        }
    });
}

#[test]
fn any_finish_takes_the_result_of_any_start_and_once() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let client = SocketClient::new();
        let slot = Rc::new(RefCell::new(None));
        let result = slot.clone();
        client.connect_async(
            &gio_address(address),
            Cancellable::NONE,
            move |_, outcome| {
                result.replace(Some(outcome.clone()));
            },
        );
        iterate_until(context, || slot.borrow().is_some());
        let result = slot.take().unwrap();
        let other = SocketClient::new();
        assert_fails(other.connect_finish(&result), IOErrorEnum::InvalidArgument);
        assert!(client.connect_to_uri_finish(&result).unwrap().is_alive());
        assert_fails(client.connect_finish(&result), IOErrorEnum::InvalidArgument);
        listener.accept().unwrap();
    });
}

/// C may take the error out of the task by itself.
#[test]
fn a_result_whose_error_somebody_has_taken_is_a_failure() {
    on_private_context(|context| {
        let client = SocketClient::new();
        let slot = Rc::new(RefCell::new(None));
        let result = slot.clone();
        client.connect_async(
            &gio_address(refused_address()),
            Cancellable::NONE,
            move |_, outcome| {
                result.replace(Some(outcome.clone()));
            },
        );
        iterate_until(context, || slot.borrow().is_some());
        let result = slot.take().unwrap();
        let task: *mut gio::ffi::GAsyncResult = result.to_glib_none().0;
        let mut failure = std::ptr::null_mut();
        // SAFETY: a live task, and a place for its error, which is ours then.
        let taken: glib::Error = unsafe {
            let value = gio::ffi::g_task_propagate_pointer(task.cast(), &raw mut failure);
            assert!(value.is_null());
            from_glib_full(failure)
        };
        assert_eq!(code(&taken), IOErrorEnum::ConnectionRefused);
        let (again, logged) = logged(|| client.connect_finish(&result));
        assert_fails(again, IOErrorEnum::Failed);
        // GLib's own word.
        assert!(
            logged.iter().all(|line| line.contains("g_task_propagate")),
            "{logged:?}"
        );
        assert_fails(client.connect_finish(&result), IOErrorEnum::InvalidArgument);
    });
}

#[test]
fn a_result_that_nobody_takes_closes_its_connection() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let called = Rc::new(RefCell::new(false));
        let flag = called.clone();
        let client = SocketClient::new();
        client.connect_async(&gio_address(address), Cancellable::NONE, move |_, _| {
            flag.replace(true);
        });
        iterate_until(context, || *called.borrow());
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(read_to_end(&mut peer), b"");
    });
}

#[test]
fn the_operation_keeps_the_client() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        let slot = Rc::new(RefCell::new(None));
        let result = slot.clone();
        let client = SocketClient::new();
        let gone = Gone::of(&client);
        client.connect_async(
            &gio_address(address),
            Cancellable::NONE,
            move |client, outcome| {
                result.replace(Some(client.connect_finish(outcome)));
            },
        );
        drop(client);
        assert!(!gone.is_gone());
        iterate_until(context, || slot.borrow().is_some());
        assert!(slot.take().unwrap().unwrap().is_alive());
        iterate_until(context, || gone.is_gone());
    });
}

#[test]
fn a_blocking_connect_iterates_nothing_of_the_callers_and_makes_a_connection_at_home_there() {
    on_private_context(|context| {
        let (listener, address) = listener();
        let dispatched = Rc::new(RefCell::new(false));
        let flag = dispatched.clone();
        context.spawn_local(async move {
            flag.replace(true);
        });
        let client = SocketClient::new();
        let (inside, expected) = (Rc::new(RefCell::new(Vec::new())), context.clone());
        let contexts = inside.clone();
        client.connect_event(move |_, _, _, _| {
            let here = glib::MainContext::ref_thread_default();
            contexts.borrow_mut().push(here == expected);
        });
        // Nor does an enumerator see another one.
        let one = scripted([Next::Address(address)]);
        SocketClient::new()
            .connect(&one, Cancellable::NONE)
            .unwrap();
        assert_eq!(enumerator_was_called_in().as_ref(), Some(context));
        listener.accept().unwrap();
        let made = client
            .connect(&gio_address(address), Cancellable::NONE)
            .unwrap();
        assert!(!*dispatched.borrow());
        assert_eq!(*inside.borrow(), [true; 5]);
        let (peer, _) = listener.accept().unwrap();
        let seen = notifications(&made);
        drop(peer);
        iterate_until(context, || seen.borrow().contains(&"state".to_owned()));
    });
}

#[test]
fn who_is_told_of_a_connections_properties_meanwhile_is_in_the_callers_context() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for (form, target) in FORMS
            .into_iter()
            .flat_map(|form| [address, refused_address()].map(|target| (form, target)))
        {
            let client = SocketClient::new();
            let told = Rc::new(RefCell::new(Vec::new()));
            let (notes, own) = (told.clone(), context.clone());
            client.connect_event(move |_, event, _, stream| {
                if event == Event::Connecting {
                    let connection: Option<&SocketConnection> =
                        stream.and_then(|stream| stream.downcast_ref());
                    let (notes, own) = (notes.clone(), own.clone());
                    let connection = connection.expect("a connection");
                    connection.connect_state_notify(move |connection| {
                        // Where it would wait, and where what it makes would be at home.
                        let is_own = glib::MainContext::ref_thread_default() == own;
                        let _ = SocketClient::new()
                            .connect(&gio_address(refused_address()), Cancellable::NONE);
                        let is_still = glib::MainContext::ref_thread_default() == own;
                        notes
                            .borrow_mut()
                            .push((connection.state(), is_own, is_still));
                    });
                }
            });
            let is_made = connect(form, &client, &gio_address(target), None, context).is_ok();
            let end = if is_made {
                ConnectionState::Connected
            } else {
                ConnectionState::Unconnected
            };
            let expected = [ConnectionState::Connecting, end].map(|state| (state, true, true));
            assert_eq!(told.take(), expected, "{form:?}");
        }
    });
}

#[test]
fn a_type_that_was_registered_comes_back() {
    on_private_context(|context| {
        // Of no other test: sequenced packets over Unix sockets.
        SocketConnection::factory_register_type(
            SocketConnection::static_type(),
            gio::SocketFamily::Unix,
            gio::SocketType::Seqpacket,
            0,
        );
        let path = std::env::temp_dir().join(format!("gsock-packets-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let address = gio::UnixSocketAddress::new(&path);
        let listening = gio::Socket::new(
            gio::SocketFamily::Unix,
            gio::SocketType::Seqpacket,
            gio::SocketProtocol::Default,
        )
        .unwrap();
        listening.bind(&address, false).unwrap();
        listening.listen().unwrap();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_socket_type(gio::SocketType::Seqpacket);
            let made = connect(form, &client, &address, None, context).unwrap();
            assert_eq!(made.type_(), SocketConnection::static_type());
        }
        SocketConnection::factory_register::<UnixConnection>(
            gio::SocketFamily::Unix,
            gio::SocketType::Seqpacket,
            0,
        );
        std::fs::remove_file(&path).unwrap();
    });
}

/// As C may: the operation goes on where the context of the call is iterated.
#[test]
fn a_thread_that_does_not_own_its_context_may_start_it_through_c() {
    struct Sent(SocketClient, gio::SocketConnectable);
    unsafe impl Send for Sent {}

    unsafe extern "C" fn done(
        client: *mut glib::gobject_ffi::GObject,
        result: *mut gio::ffi::GAsyncResult,
        data: glib::ffi::gpointer,
    ) {
        let (sent, thread) =
            *unsafe { Box::from_raw(data.cast::<(mpsc::Sender<bool>, thread::ThreadId)>()) };
        let client: glib::Object = unsafe { from_glib_none(client) };
        let client = client.downcast::<SocketClient>().unwrap();
        let result: gio::AsyncResult = unsafe { from_glib_none(result) };
        let made = client.connect_finish(&result).unwrap();
        let _ = sent.send(made.is_alive() && thread::current().id() == thread);
    }

    on_default_context(|context| {
        let (_listener, address) = listener();
        let sent = Sent(SocketClient::new(), gio_address(address).upcast());
        let (sender, receiver) = mpsc::channel();
        let here = thread::current().id();
        thread::spawn(move || {
            // All of it, not its fields.
            let sent = { sent };
            let data = Box::into_raw(Box::new((sender, here))).cast();
            let Sent(client, connectable) = sent;
            unsafe { client.start(Ok(connectable), std::ptr::null_mut(), Some(done), data) };
        })
        .join()
        .unwrap();
        let mut alive = None;
        iterate_until(context, || {
            alive = receiver.try_recv().ok();
            alive.is_some()
        });
        assert_eq!(alive, Some(true));
    });
}
