//! `GSocketClient` fact by fact.

use std::{
    cell::RefCell,
    io::Write,
    net::SocketAddr,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum as E, SocketClientEvent as Event, TlsError, prelude::*};
use gsock::prelude::*;

use crate::{
    client_tools::{
        Next, enumerator_was_called_in, letter, listener_on, lookups, name, scripted,
        slow_listener, use_resolver_of_names,
    },
    differs::differs,
    support::*,
    under::*,
};

on_both!(
    addr_11_an_address_is_not_looked_up,
    addr_5_localhost_is_this_machine_whichever_resolver_is_set,
    client_2_setters_notify_what_is_new_and_the_local_address_always,
    client_5_without_a_proxy_resolver_the_default_one_is_read,
    client_7_the_signal_runs_its_class_last_and_answers_nothing,
    client_8_complete_comes_once_and_last,
    client_9_the_connectable_is_the_one_that_was_passed,
    client_13_any_finish_takes_the_result_of_any_operation,
    client_17_the_type_of_the_connection_goes_with_the_socket,
    client_18_what_cannot_be_bound_or_made_is_not_connecting,
    client_21_the_timeout_stays_with_the_socket,
    client_23_while_connecting_the_remote_address_is_the_target,
    client_24_the_socket_is_in_blocking_mode,
    client_29_who_blocks_has_all_events_on_the_thread_and_iterates_nothing,
    client_30_resolving_is_emitted_by_the_call_and_the_rest_in_its_context,
    client_31_a_lookup_that_fails_is_resolved_to_who_blocks_only,
    client_33_after_a_failure_the_next_address_is_tried_at_once,
    client_39_the_operation_keeps_the_client,
    client_40_complete_comes_before_the_callback,
    client_42_the_furthest_error_wins_and_of_these_the_last,
    client_44_a_failed_connect_says_where_to,
    client_45_the_codes_of_failed_connects,
    client_46_a_name_without_addresses_is_the_resolvers_error,
    client_47_the_error_of_a_later_enumeration_does_not_win,
    client_50_each_address_that_is_tried_has_its_connecting,
    client_53_an_address_that_is_dead_is_left_behind,
    client_55_the_events_of_tls,
    client_57_after_tls_has_failed_the_next_address_is_tried,
    client_58_to_64_what_a_cancellation_in_each_event_leads_to,
    client_61_another_thread_ends_what_is_under_way,
    client_63_who_blocks_is_told_of_a_failed_lookup_first,
    client_76_tls_gives_a_wrapper_around_it,
    client_76_a_handler_that_closes_what_is_encrypted_fails_nothing,
    client_81_what_cannot_be_parsed_is_an_error_without_events,
    client_82_a_port_in_the_string_wins,
    client_83_a_uris_scheme_means_nothing,
    client_84_a_service_without_targets_is_its_domain,
);

/// A client of either class, by what both have in common.
#[derive(Clone)]
pub(crate) struct Client(pub(crate) glib::Object);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Blocking,
    Callback,
}

pub(crate) const FORMS: [Form; 2] = [Form::Blocking, Form::Callback];

pub(crate) type Made = Result<gio::IOStream, glib::Error>;

/// Finishes by the function of connecting to a URI.
fn finish(client: &glib::Object, result: &gio::AsyncResult) -> Made {
    if let Some(client) = client.downcast_ref::<gio::SocketClient>() {
        // gio-rs has no finish functions.
        let mut failure = std::ptr::null_mut();
        use glib::translate::{ToGlibPtr, from_glib_full};
        // SAFETY: live arguments; NULL without an error would fail the test.
        unsafe {
            let made = gio::ffi::g_socket_client_connect_to_uri_finish(
                client.to_glib_none().0,
                result.to_glib_none().0,
                &raw mut failure,
            );
            if !failure.is_null() {
                return Err(from_glib_full(failure));
            }
            let made: gio::SocketConnection = from_glib_full(made);
            return Ok(made.upcast());
        }
    }
    let client = client.downcast_ref::<gsock::SocketClient>().expect("ours");
    client.connect_to_uri_finish(result).map(Cast::upcast)
}

impl Side {
    pub(crate) fn client(self) -> Client {
        Client(match self {
            Self::Gio => gio::SocketClient::new().upcast(),
            Self::Ours => gsock::SocketClient::new().upcast(),
        })
    }
}

/// A call of one of the four operations.
pub(crate) enum To<'a> {
    Connectable(&'a gio::SocketConnectable),
    Host(&'a str, u16),
    Service(&'a str, &'a str),
    Uri(&'a str, u16),
}

impl Client {
    /// The letters of the events: see the tests of the client.
    pub(crate) fn events(&self) -> Rc<RefCell<String>> {
        let seen = Rc::new(RefCell::new(String::new()));
        let letters = seen.clone();
        self.on_event(move |event, _, stream| {
            letters.borrow_mut().push(letter(event, stream.is_some()));
        });
        seen
    }

    pub(crate) fn on_event(
        &self,
        f: impl Fn(Event, gio::SocketConnectable, Option<gio::IOStream>) + 'static,
    ) {
        self.0.connect_local("event", false, move |values| {
            let event = values[1].get().unwrap();
            let connectable = values[2].get().unwrap();
            f(event, connectable, values[3].get().unwrap());
            None
        });
    }

    pub(crate) fn run(
        &self,
        form: Form,
        to: &To<'_>,
        cancellable: Option<&Cancellable>,
        context: &glib::MainContext,
    ) -> Made {
        match form {
            Form::Blocking => self.block(to, cancellable),
            Form::Callback => {
                let result = self.start(to, cancellable);
                iterate_until(context, || result.borrow().is_some());
                finish(&self.0, &result.take().unwrap())
            }
        }
    }

    pub(crate) fn connect(
        &self,
        form: Form,
        connectable: &impl IsA<gio::SocketConnectable>,
        context: &glib::MainContext,
    ) -> Made {
        self.run(form, &To::Connectable(connectable.as_ref()), None, context)
    }

    pub(crate) fn add_application_proxy(&self, protocol: &str) {
        if let Some(client) = self.0.downcast_ref::<gio::SocketClient>() {
            return client.add_application_proxy(protocol);
        }
        let client = self.0.downcast_ref::<gsock::SocketClient>().expect("ours");
        gsock::SocketClientExt::add_application_proxy(client, protocol);
    }

    fn block(&self, to: &To<'_>, cancellable: Option<&Cancellable>) -> Made {
        if let Some(client) = self.0.downcast_ref::<gio::SocketClient>() {
            return match to {
                To::Connectable(to) => SocketClientExt::connect(client, *to, cancellable),
                To::Host(host, port) => client.connect_to_host(host, *port, cancellable),
                To::Service(domain, service) => {
                    client.connect_to_service(domain, service, cancellable)
                }
                To::Uri(uri, port) => client.connect_to_uri(uri, *port, cancellable),
            }
            .map(Cast::upcast);
        }
        let client = self.0.downcast_ref::<gsock::SocketClient>().expect("ours");
        match to {
            To::Connectable(to) => client.connect(*to, cancellable),
            To::Host(host, port) => {
                gsock::SocketClientExt::connect_to_host(client, host, *port, cancellable)
            }
            To::Service(domain, service) => {
                gsock::SocketClientExt::connect_to_service(client, domain, service, cancellable)
            }
            To::Uri(uri, port) => {
                gsock::SocketClientExt::connect_to_uri(client, uri, *port, cancellable)
            }
        }
        .map(Cast::upcast)
    }

    pub(crate) fn start(
        &self,
        to: &To<'_>,
        cancellable: Option<&Cancellable>,
    ) -> Rc<RefCell<Option<gio::AsyncResult>>> {
        use glib::translate::{ToGlibPtr, from_glib_none};
        type Slot = Rc<RefCell<Option<gio::AsyncResult>>>;
        unsafe extern "C" fn done(
            _: *mut glib::gobject_ffi::GObject,
            result: *mut gio::ffi::GAsyncResult,
            data: glib::ffi::gpointer,
        ) {
            // SAFETY: the box made below, called back once.
            let slot = unsafe { Box::from_raw(data.cast::<Slot>()) };
            // SAFETY: a live result.
            slot.replace(Some(unsafe { from_glib_none(result) }));
        }
        let slot = Slot::default();
        if let Some(client) = self.0.downcast_ref::<gio::SocketClient>() {
            let data = Box::into_raw(Box::new(slot.clone())).cast();
            let client: *mut gio::ffi::GSocketClient = client.to_glib_none().0;
            let cancellable: *mut gio::ffi::GCancellable = cancellable.to_glib_none().0;
            // SAFETY: live arguments; the callback and its data belong together.
            unsafe {
                match to {
                    To::Connectable(to) => gio::ffi::g_socket_client_connect_async(
                        client,
                        to.to_glib_none().0,
                        cancellable,
                        Some(done),
                        data,
                    ),
                    To::Host(host, port) => gio::ffi::g_socket_client_connect_to_host_async(
                        client,
                        host.to_glib_none().0,
                        *port,
                        cancellable,
                        Some(done),
                        data,
                    ),
                    To::Service(domain, service) => {
                        gio::ffi::g_socket_client_connect_to_service_async(
                            client,
                            domain.to_glib_none().0,
                            service.to_glib_none().0,
                            cancellable,
                            Some(done),
                            data,
                        );
                    }
                    To::Uri(uri, port) => gio::ffi::g_socket_client_connect_to_uri_async(
                        client,
                        uri.to_glib_none().0,
                        *port,
                        cancellable,
                        Some(done),
                        data,
                    ),
                }
            }
            return slot;
        }
        let client = self.0.downcast_ref::<gsock::SocketClient>().expect("ours");
        let result = slot.clone();
        let callback = move |_: &gsock::SocketClient, it: &gio::AsyncResult| {
            result.replace(Some(it.clone()));
        };
        match to {
            To::Connectable(to) => {
                gsock::SocketClientExt::connect_async(client, *to, cancellable, callback);
            }
            To::Host(host, port) => gsock::SocketClientExt::connect_to_host_async(
                client,
                host,
                *port,
                cancellable,
                callback,
            ),
            To::Service(domain, service) => gsock::SocketClientExt::connect_to_service_async(
                client,
                domain,
                service,
                cancellable,
                callback,
            ),
            To::Uri(uri, port) => gsock::SocketClientExt::connect_to_uri_async(
                client,
                uri,
                *port,
                cancellable,
                callback,
            ),
        }
        slot
    }
}

/// The same questions of a connection of either class.
fn remote_port(stream: &gio::IOStream) -> u16 {
    let address = if let Some(connection) = stream.downcast_ref::<gio::SocketConnection>() {
        SocketConnectionExt::remote_address(connection)
    } else {
        let connection = stream.downcast_ref::<gsock::SocketConnection>();
        gsock::SocketConnectionExt::remote_address(connection.expect("ours"))
    };
    let address = address.unwrap().downcast::<gio::InetSocketAddress>();
    address.unwrap().port()
}

fn socket_of(stream: &gio::IOStream) -> gio::Socket {
    stream.property("socket")
}

/// Without the prefix that tells whose class it is.
fn name_of(type_: glib::Type) -> String {
    type_.name().replacen("Gsock", "G", 1)
}

fn dead() -> Next {
    Next::Address(refused_address())
}

fn client_2_setters_notify_what_is_new_and_the_local_address_always(
    side: Side,
    _: &glib::MainContext,
) {
    let client = side.client();
    let seen = notifications(&client.0);
    for _ in 0..2 {
        match side {
            Side::Gio => {
                let client = client.0.downcast_ref::<gio::SocketClient>().unwrap();
                client.set_family(gio::SocketFamily::Ipv4);
                client.set_timeout(2);
                client.set_tls(true);
                client.set_local_address(gio::SocketAddress::NONE);
                client.set_proxy_resolver(gio::ProxyResolver::NONE);
            }
            Side::Ours => {
                let client = client.0.downcast_ref::<gsock::SocketClient>().unwrap();
                gsock::SocketClientExt::set_family(client, gio::SocketFamily::Ipv4);
                gsock::SocketClientExt::set_timeout(client, 2);
                gsock::SocketClientExt::set_tls(client, true);
                gsock::SocketClientExt::set_local_address(client, gio::SocketAddress::NONE);
                gsock::SocketClientExt::set_proxy_resolver(client, gio::ProxyResolver::NONE);
            }
        }
    }
    let expected = ["family", "timeout", "tls", "local-address", "local-address"];
    assert_eq!(*seen.borrow(), expected);
    // GObject's own way tells always.
    client
        .0
        .set_property("proxy-resolver", gio::ProxyResolver::NONE);
    client.0.set_property("timeout", 2_u32);
    assert_eq!(seen.borrow()[5..], ["proxy-resolver", "timeout"]);
}

fn addr_5_localhost_is_this_machine_whichever_resolver_is_set(
    side: Side,
    context: &glib::MainContext,
) {
    // It knows of none of these.
    use_resolver_of_names();
    let (_listener, port) = listener_on("127.0.0.1");
    for form in FORMS {
        for host in ["localhost", "LocalHost", "a.b.localhost", "localhost."] {
            let host = gio::NetworkAddress::new(host, port);
            let client = side.client();
            let seen = client.events();
            client.connect(form, &host, context).unwrap();
            // IPv6 first, where nobody listens.
            assert_eq!(seen.take(), "RrCCcK", "{host:?}");
        }
        for host in ["notlocalhost", "localhost.test"] {
            let host = gio::NetworkAddress::new(host, port);
            let failed = side.client().connect(form, &host, context);
            assert!(failed.unwrap_err().matches(gio::ResolverError::NotFound));
        }
    }
}

fn client_5_without_a_proxy_resolver_the_default_one_is_read(side: Side, _: &glib::MainContext) {
    let client = side.client();
    let default = gio::ProxyResolver::default();
    assert_eq!(
        client.0.property::<gio::ProxyResolver>("proxy-resolver"),
        default
    );
    let own = gio::SimpleProxyResolver::new(None, ["x"]);
    client.0.set_property("proxy-resolver", &own);
    let read = client.0.property::<gio::ProxyResolver>("proxy-resolver");
    assert_eq!(read, own.upcast::<gio::ProxyResolver>());
    client
        .0
        .set_property("proxy-resolver", gio::ProxyResolver::NONE);
    assert_eq!(
        client.0.property::<gio::ProxyResolver>("proxy-resolver"),
        default
    );
}

fn client_7_the_signal_runs_its_class_last_and_answers_nothing(side: Side, _: &glib::MainContext) {
    let type_ = side.client().0.type_();
    let signal = glib::subclass::SignalId::lookup("event", type_)
        .unwrap()
        .query();
    assert_eq!(signal.flags(), glib::SignalFlags::RUN_LAST);
    assert_eq!(signal.return_type().type_(), glib::Type::UNIT);
    let params: Vec<glib::Type> = signal.param_types().iter().map(|it| it.type_()).collect();
    assert_eq!(
        params,
        [
            Event::static_type(),
            gio::SocketConnectable::static_type(),
            gio::IOStream::static_type(),
        ]
    );
}

fn client_8_complete_comes_once_and_last(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    for form in FORMS {
        for (target, last) in [(address, 'K'), (refused_address(), '0')] {
            let client = side.client();
            let seen = client.events();
            let _ = client.connect(form, &gio_address(target), context);
            settle_a_little(context);
            let seen = seen.borrow();
            assert_eq!(seen.matches(['K', '0']).count(), 1);
            assert!(seen.ends_with(last));
        }
    }
}

fn settle_a_little(context: &glib::MainContext) {
    iterate_for(context, Duration::from_millis(10));
}

fn client_9_the_connectable_is_the_one_that_was_passed(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    for form in FORMS {
        let target: gio::SocketConnectable = gio_address(address).upcast();
        let client = side.client();
        let count = Rc::new(RefCell::new(0));
        let (seen, expected) = (count.clone(), target.clone());
        client.on_event(move |_, connectable, _| {
            assert_eq!(connectable, expected);
            *seen.borrow_mut() += 1;
        });
        client.connect(form, &target, context).unwrap();
        assert_eq!(*count.borrow(), 5);
    }
}

fn client_13_any_finish_takes_the_result_of_any_operation(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    // All are finished by the function of URIs.
    let target: gio::SocketConnectable = gio_address(address).upcast();
    let host = address.to_string();
    for to in [To::Connectable(&target), To::Host(&host, 1)] {
        let made = side
            .client()
            .run(Form::Callback, &to, None, context)
            .unwrap();
        assert_eq!(remote_port(&made), address.port());
    }
}

fn client_17_the_type_of_the_connection_goes_with_the_socket(
    side: Side,
    context: &glib::MainContext,
) {
    let path = std::env::temp_dir().join(format!("gsock-parity-{}-{side:?}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let _unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (_listener, address) = listener();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for form in FORMS {
        let made = |type_: gio::SocketType, to: &gio::SocketConnectable| {
            let client = side.client();
            client.0.set_property("type", type_);
            let made = client.connect(form, to, context).unwrap();
            name_of(made.type_())
        };
        let stream = gio::SocketType::Stream;
        let tcp = gio_address(address).upcast();
        assert_eq!(made(stream, &tcp), "GTcpConnection");
        let unix = gio::UnixSocketAddress::new(&path).upcast();
        assert_eq!(made(stream, &unix), "GUnixConnection");
        let datagrams = gio_address(udp.local_addr().unwrap()).upcast();
        assert_eq!(
            made(gio::SocketType::Datagram, &datagrams),
            "GSocketConnection"
        );
    }
    std::fs::remove_file(&path).unwrap();
}

fn client_18_what_cannot_be_bound_or_made_is_not_connecting(
    side: Side,
    context: &glib::MainContext,
) {
    let (_listener, taken) = listener();
    for form in FORMS {
        let client = side.client();
        let seen = client.events();
        client.0.set_property("local-address", gio_address(taken));
        let failed = client
            .connect(form, &gio_address(taken), context)
            .unwrap_err();
        assert_eq!(code(&failed), E::AddressInUse);
        assert!(failed.message().starts_with("Error binding to address "));
        assert_eq!(seen.take(), "Rr0");
        client
            .0
            .set_property("local-address", gio::SocketAddress::NONE);
        client.0.set_property("protocol", gio::SocketProtocol::Udp);
        assert_fails(
            client.connect(form, &gio_address(taken), context),
            E::NotSupported,
        );
        assert_eq!(seen.take(), "Rr0");
    }
}

fn client_21_the_timeout_stays_with_the_socket(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    for form in FORMS {
        let client = side.client();
        client.0.set_property("timeout", 7_u32);
        let made = client
            .connect(form, &gio_address(address), context)
            .unwrap();
        assert_eq!(socket_of(&made).timeout(), 7);
        // And it is that of a connect.
        client.0.set_property("timeout", 1_u32);
        let deaf = deaf_listener();
        let begun = Instant::now();
        assert_fails(
            client.connect(form, &gio_address(deaf.address), context),
            E::TimedOut,
        );
        assert!(begun.elapsed() >= Duration::from_millis(990));
    }
}

fn client_23_while_connecting_the_remote_address_is_the_target(
    side: Side,
    context: &glib::MainContext,
) {
    let (_listener, address) = listener();
    for form in FORMS {
        let client = side.client();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let ports = seen.clone();
        client.on_event(move |event, _, stream| {
            if matches!(event, Event::Connecting | Event::Connected) {
                let stream = stream.unwrap();
                let connected = socket_of(&stream).is_connected();
                ports.borrow_mut().push((remote_port(&stream), connected));
            }
        });
        client
            .connect(form, &gio_address(address), context)
            .unwrap();
        let port = address.port();
        assert_eq!(*seen.borrow(), [(port, false), (port, true)]);
    }
}

fn client_24_the_socket_is_in_blocking_mode(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    for form in FORMS {
        let client = side.client();
        let seen = Rc::new(RefCell::new(None));
        let socket = seen.clone();
        client.on_event(move |event, _, stream| {
            if event == Event::Connecting {
                socket.replace(stream.map(|stream| socket_of(&stream)));
            }
        });
        let made = client
            .connect(form, &gio_address(address), context)
            .unwrap();
        assert!(socket_of(&made).is_blocking());
        assert_eq!(seen.take(), Some(socket_of(&made)));
        let plain = side.client().connect(form, &gio_address(address), context);
        assert!(socket_of(&plain.unwrap()).is_blocking());
    }
}

fn addr_11_an_address_is_not_looked_up(side: Side, context: &glib::MainContext) {
    let (_listener, port) = listener_on("127.0.0.1");
    let (_six, six) = listener_on("::1");
    use_resolver_of_names();
    lookups();
    for form in FORMS {
        for (host, port) in [("127.0.0.1", port), ("::1", six)] {
            let host = gio::NetworkAddress::new(host, port);
            side.client().connect(form, &host, context).unwrap();
        }
    }
    assert_eq!(lookups(), 0);
}

fn client_29_who_blocks_has_all_events_on_the_thread_and_iterates_nothing(
    side: Side,
    context: &glib::MainContext,
) {
    let (_listener, address) = listener();
    let client = side.client();
    let (here, count) = (thread::current().id(), Rc::new(RefCell::new(0)));
    let seen = count.clone();
    client.on_event(move |_, _, _| {
        assert_eq!(thread::current().id(), here);
        *seen.borrow_mut() += 1;
    });
    let dispatched = Rc::new(RefCell::new(false));
    let flag = dispatched.clone();
    context.spawn_local(async move {
        flag.replace(true);
    });
    let target = gio_address(address);
    client.connect(Form::Blocking, &target, context).unwrap();
    assert_eq!(*count.borrow(), 5);
    assert!(!*dispatched.borrow());
}

fn client_61_another_thread_ends_what_is_under_way(side: Side, context: &glib::MainContext) {
    let deaf = deaf_listener();
    let target = scripted([deaf.address; 3].map(Next::Address)).upcast();
    for (form, letters) in [(Form::Blocking, "RrC0"), (Form::Callback, "RrCCC0")] {
        let client = side.client();
        let seen = client.events();
        let cancellable = Cancellable::new();
        let canceller = cancellable.clone();
        // Two more attempts of the asynchronous form have begun by then.
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(700));
            canceller.cancel();
        });
        let to = To::Connectable(&target);
        let failed = client.run(form, &to, Some(&cancellable), context);
        assert_fails(failed, E::Cancelled);
        settle_a_little(context);
        assert_eq!(seen.take(), letters);
        thread.join().unwrap();
    }
}

fn client_30_resolving_is_emitted_by_the_call_and_the_rest_in_its_context(
    side: Side,
    context: &glib::MainContext,
) {
    let (_listener, address) = listener();
    let client = side.client();
    let seen = client.events();
    let target = gio_address(address).upcast();
    let result = client.start(&To::Connectable(&target), None);
    assert_eq!(*seen.borrow(), "R");
    thread::sleep(Duration::from_millis(10));
    assert_eq!(*seen.borrow(), "R");
    iterate_until(context, || result.borrow().is_some());
    assert_eq!(*seen.borrow(), "RrCcK");
}

fn client_31_a_lookup_that_fails_is_resolved_to_who_blocks_only(
    side: Side,
    context: &glib::MainContext,
) {
    for (form, letters) in [(Form::Blocking, "Rr0"), (Form::Callback, "R0")] {
        let client = side.client();
        let seen = client.events();
        let nowhere = name("v6-error.v4-error.test", 1);
        assert!(client.connect(form, &nowhere, context).is_err());
        assert_eq!(*seen.borrow(), letters);
    }
}

fn client_33_after_a_failure_the_next_address_is_tried_at_once(
    side: Side,
    context: &glib::MainContext,
) {
    let (_listener, address) = listener();
    for form in FORMS {
        let refused = (0..20).map(|_| dead());
        let all = scripted(refused.chain([Next::Address(address)]));
        let begun = Instant::now();
        side.client().connect(form, &all, context).unwrap();
        // A quarter of a second for each would be more.
        assert!(begun.elapsed() < Duration::from_millis(20 * 250) * slowness());
    }
}

fn client_39_the_operation_keeps_the_client(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    let client = side.client();
    let gone = Gone::of(&client.0);
    let target = gio_address(address).upcast();
    let result = client.start(&To::Connectable(&target), None);
    drop(client);
    assert!(!gone.is_gone());
    iterate_until(context, || result.borrow().is_some());
    assert!(!gone.is_gone());
    result.take();
    iterate_until(context, || gone.is_gone());
}

fn client_40_complete_comes_before_the_callback(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    let client = side.client();
    let slot = Rc::new(RefCell::new(None::<Rc<RefCell<Option<gio::AsyncResult>>>>));
    let seen = Rc::new(RefCell::new(None));
    let (at_complete, result) = (seen.clone(), slot.clone());
    client.on_event(move |event, _, _| {
        if event == Event::Complete {
            let called = result.borrow().as_ref().map(|it| it.borrow().is_some());
            at_complete.replace(called);
        }
    });
    let target = gio_address(address).upcast();
    let result = client.start(&To::Connectable(&target), None);
    assert!(result.borrow().is_none(), "called back before it returned");
    slot.replace(Some(result.clone()));
    iterate_until(context, || result.borrow().is_some());
    assert_eq!(*seen.borrow(), Some(false));
    // The handler has the result, which has the client.
    slot.take();
}

/// Answers each connection in plain text, for ever.
fn plain_server() -> SocketAddr {
    let (listener, address) = listener();
    thread::spawn(move || {
        for mut peer in listener.incoming().flatten() {
            let _ = peer.write_all(b"220 here is no TLS at all\r\n");
        }
    });
    address
}

fn client_42_the_furthest_error_wins_and_of_these_the_last(
    side: Side,
    context: &glib::MainContext,
) {
    let plain = plain_server();
    for form in FORMS {
        let client = side.client();
        client.0.set_property("tls", true);
        let both = scripted([Next::Address(plain), dead()]);
        let failed = client.connect(form, &both, context).unwrap_err();
        assert!(failed.is::<TlsError>(), "{failed:?}");
        let client = side.client();
        let port = refused_address().port();
        let both = gio::NetworkAddress::new_loopback(port);
        assert_fails(client.connect(form, &both, context), E::ConnectionRefused);
    }
}

fn client_44_a_failed_connect_says_where_to(side: Side, context: &glib::MainContext) {
    let port = refused_address().port();
    for form in FORMS {
        let message = |to: &gio::SocketConnectable| {
            let failed = side.client().connect(form, to, context).unwrap_err();
            failed.message().to_owned()
        };
        let name = name("v4-ok.test", port);
        assert_eq!(
            message(name.upcast_ref()),
            "Could not connect to v4-ok.test: Connection refused"
        );
        let address = gio_address(([127, 0, 0, 1], port).into());
        assert_eq!(
            message(address.upcast_ref()),
            "Could not connect to 127.0.0.1: Connection refused"
        );
        assert_eq!(
            message(scripted([dead()]).upcast_ref()),
            "Could not connect: Connection refused"
        );
    }
}

fn client_45_the_codes_of_failed_connects(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        let address = gio_address(([127, 0, 0, 1], 0).into());
        assert_fails(
            side.client().connect(form, &address, context),
            E::ConnectionRefused,
        );
        let path = std::env::temp_dir().join("gsock-no-such-socket");
        let missing = gio::UnixSocketAddress::new(&path);
        assert_fails(side.client().connect(form, &missing, context), E::NotFound);
    }
}

fn client_46_a_name_without_addresses_is_the_resolvers_error(
    side: Side,
    context: &glib::MainContext,
) {
    for form in FORMS {
        let nowhere = name("v6-error.v4-error.test", 1);
        let failed = side.client().connect(form, &nowhere, context).unwrap_err();
        assert!(failed.matches(gio::ResolverError::NotFound));
        assert_eq!(failed.message(), "no address of v4");
    }
}

fn client_47_the_error_of_a_later_enumeration_does_not_win(
    side: Side,
    context: &glib::MainContext,
) {
    // GIO's asynchronous form has a flaw here.
    let late = scripted([dead(), Next::Error(E::Busy)]);
    let failed = side.client().connect(Form::Blocking, &late, context);
    assert_fails(failed, E::ConnectionRefused);
}

fn client_50_each_address_that_is_tried_has_its_connecting(
    side: Side,
    context: &glib::MainContext,
) {
    let (_listener, good) = listener();
    for form in FORMS {
        for (script, letters) in [
            (vec![Next::Address(good)], "RrCcK"),
            (vec![dead()], "RrC0"),
            (vec![dead(), Next::Address(good)], "RrCCcK"),
            (vec![dead(), dead(), dead()], "RrCCC0"),
        ] {
            let client = side.client();
            let seen = client.events();
            let _ = client.connect(form, &scripted(script), context);
            assert_eq!(*seen.borrow(), letters, "{form:?}");
        }
    }
}

fn client_53_an_address_that_is_dead_is_left_behind(side: Side, context: &glib::MainContext) {
    let deaf = deaf_listener();
    let (_listener, good) = listener();
    for form in FORMS {
        let client = side.client();
        client.0.set_property("timeout", 1_u32);
        let seen = client.events();
        let both = scripted([deaf.address, good].map(Next::Address));
        let begun = Instant::now();
        client.connect(form, &both, context).unwrap();
        assert_eq!(*seen.borrow(), "RrCCcK");
        let least = if form == Form::Blocking { 990 } else { 240 };
        assert!(begun.elapsed() >= Duration::from_millis(least));
    }
}

/// A server by GIO's own TLS, whose certificate nobody has signed but itself.
fn tls_server() -> SocketAddr {
    let backend = gio::TlsBackend::default();
    assert!(
        backend.supports_tls(),
        "GIO has no TLS here: install glib-networking"
    );
    let pem = |label: &str, der: &[u8]| {
        let base64 = glib::base64_encode(der);
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    };
    let made = rcgen::generate_simple_self_signed(["v4-ok.test".to_owned()]).unwrap();
    let own = pem("CERTIFICATE", made.cert.der())
        + &pem("PRIVATE KEY", &made.signing_key.serialize_der());
    let (listener, address) = listener();
    thread::spawn(move || {
        let certificate = gio::TlsCertificate::from_pem(&own).unwrap();
        for peer in listener.incoming().flatten() {
            let socket = gio::Socket::from_fd(peer.into()).unwrap();
            let base = socket.connection_factory_create_connection();
            let tls = gio::TlsServerConnection::new(&base, Some(&certificate)).unwrap();
            let tls = tls.upcast::<gio::TlsConnection>();
            let _ = tls.handshake(Cancellable::NONE);
        }
    });
    address
}

fn client_55_the_events_of_tls(side: Side, context: &glib::MainContext) {
    let address = tls_server();
    for form in FORMS {
        let client = side.client();
        client.0.set_property("tls", true);
        let seen = client.events();
        let failed = client
            .connect(form, &gio_address(address), context)
            .unwrap_err();
        assert!(failed.matches(TlsError::BadCertificate), "{failed:?}");
        assert_eq!(seen.take(), "RrCcT0");
        client
            .0
            .set_property("tls-validation-flags", gio::TlsCertificateFlags::empty());
        client
            .connect(form, &gio_address(address), context)
            .unwrap();
        assert_eq!(seen.take(), "RrCcTtK");
    }
}

fn client_57_after_tls_has_failed_the_next_address_is_tried(
    side: Side,
    context: &glib::MainContext,
) {
    let (plain, good) = (plain_server(), tls_server());
    for form in FORMS {
        let client = side.client();
        client.0.set_property("tls", true);
        client
            .0
            .set_property("tls-validation-flags", gio::TlsCertificateFlags::empty());
        let seen = client.events();
        let failing = scripted([Next::Address(plain), dead()]);
        assert!(client.connect(form, &failing, context).is_err());
        assert_eq!(seen.take(), "RrCcTC0");
        let both = scripted([plain, good].map(Next::Address));
        client.connect(form, &both, context).unwrap();
        assert_eq!(seen.take(), "RrCcTCcTtK");
    }
}

fn client_76_tls_gives_a_wrapper_around_it(side: Side, context: &glib::MainContext) {
    let address = tls_server();
    for form in FORMS {
        let client = side.client();
        client.0.set_property("tls", true);
        client
            .0
            .set_property("tls-validation-flags", gio::TlsCertificateFlags::empty());
        let target = name("v4-ok.test", address.port());
        let made = client.connect(form, &target, context).unwrap();
        assert_eq!(name_of(made.type_()), "GTcpWrapperConnection");
        assert_eq!(remote_port(&made), address.port());
        let tls = made.property::<gio::IOStream>("base-io-stream");
        let tls = tls.downcast::<gio::TlsClientConnection>().unwrap();
        assert_eq!(
            tls.server_identity(),
            Some(target.upcast::<gio::SocketConnectable>())
        );
    }
}

fn client_76_a_handler_that_closes_what_is_encrypted_fails_nothing(
    side: Side,
    context: &glib::MainContext,
) {
    let address = tls_server();
    for form in FORMS {
        for closes_socket in [false, true] {
            let client = side.client();
            client.0.set_property("tls", true);
            client
                .0
                .set_property("tls-validation-flags", gio::TlsCertificateFlags::empty());
            client.on_event(move |event, _, tls| {
                if event != Event::TlsHandshaked {
                    return;
                }
                let base = tls.unwrap().property::<gio::IOStream>("base-io-stream");
                if closes_socket {
                    base.property::<gio::Socket>("socket").close().unwrap();
                } else {
                    base.close(Cancellable::NONE).unwrap();
                }
            });
            let made = client.connect(form, &name("v4-ok.test", address.port()), context);
            let made = made.unwrap();
            assert_eq!(name_of(made.type_()), "GTcpWrapperConnection");
            assert!(made.property::<gio::Socket>("socket").is_closed());
            let read = made.input_stream().read(&mut [0], Cancellable::NONE);
            assert!(read.is_err(), "{form:?} {closes_socket}");
        }
    }
}

/// Cancels in the handler of an event, or before: the events, and the outcome.
fn cancelled_in(
    client: &Client,
    form: Form,
    event: Option<Event>,
    to: &gio::SocketConnectable,
    context: &glib::MainContext,
) -> (String, Made) {
    let seen = client.events();
    let cancellable = Cancellable::new();
    let canceller = cancellable.clone();
    client.on_event(move |it, _, _| {
        if Some(it) == event {
            canceller.cancel();
        }
    });
    if event.is_none() {
        cancellable.cancel();
    }
    let made = client.run(form, &To::Connectable(to), Some(&cancellable), context);
    (seen.take(), made)
}

fn client_58_to_64_what_a_cancellation_in_each_event_leads_to(
    side: Side,
    context: &glib::MainContext,
) {
    let address = tls_server();
    let target = gio_address(address).upcast();
    let (blocking, callback) = (Form::Blocking, Form::Callback);
    for (form, event, letters) in [
        (blocking, None, "0"),
        (callback, None, "R0"),
        (blocking, Some(Event::Resolving), "Rr0"),
        (callback, Some(Event::Resolving), "R0"),
        (blocking, Some(Event::Resolved), "RrC0"),
        (callback, Some(Event::Resolved), "RrC0"),
        (blocking, Some(Event::Connecting), "RrC0"),
        (callback, Some(Event::Connecting), "RrC0"),
        (callback, Some(Event::Connected), "RrCc0"),
    ] {
        let client = side.client();
        let (seen, made) = cancelled_in(&client, form, event, &target, context);
        assert_eq!(seen, letters, "{form:?} {event:?}");
        let failed = made.unwrap_err();
        assert_eq!(code(&failed), E::Cancelled);
        assert_eq!(failed.message(), "Operation was cancelled");
    }
    let (seen, made) = cancelled_in(
        &side.client(),
        blocking,
        Some(Event::Connected),
        &target,
        context,
    );
    assert_eq!(seen, "RrCcK");
    made.unwrap();
    for form in FORMS {
        let client = side.client();
        client.0.set_property("tls", true);
        let event = Some(Event::TlsHandshaking);
        let (seen, made) = cancelled_in(&client, form, event, &target, context);
        assert_eq!(seen, "RrCcT0");
        assert_fails(made, E::Cancelled);
    }
}

fn client_63_who_blocks_is_told_of_a_failed_lookup_first(side: Side, context: &glib::MainContext) {
    let nowhere = name("v6-error.v4-error.test", 1).upcast();
    let event = Some(Event::Resolved);
    let (seen, made) = cancelled_in(&side.client(), Form::Blocking, event, &nowhere, context);
    assert_eq!(seen, "Rr0");
    assert!(made.unwrap_err().matches(gio::ResolverError::NotFound));
}

fn client_81_what_cannot_be_parsed_is_an_error_without_events(
    side: Side,
    context: &glib::MainContext,
) {
    for form in FORMS {
        for to in [
            To::Host("[::1", 1),
            To::Host("host:no-such-service", 1),
            To::Host("host:70000", 1),
            To::Uri("nowhere", 1),
            To::Uri("http://host:70000/", 1),
        ] {
            let client = side.client();
            let seen = client.events();
            assert_fails(client.run(form, &to, None, context), E::InvalidArgument);
            assert_eq!(*seen.borrow(), "");
        }
    }
}

fn client_82_a_port_in_the_string_wins(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    let port = address.port();
    let (with_port, without) = (address.to_string(), "127.0.0.1");
    for form in FORMS {
        for to in [To::Host(&with_port, 1), To::Host(without, port)] {
            let made = side.client().run(form, &to, None, context).unwrap();
            assert_eq!(remote_port(&made), port);
        }
        // None is a port, there.
        let none = To::Host("127.0.0.1:0", port);
        assert_fails(
            side.client().run(form, &none, None, context),
            E::ConnectionRefused,
        );
        let none = To::Uri("http://127.0.0.1:0/", port);
        side.client().run(form, &none, None, context).unwrap();
    }
}

fn client_83_a_uris_scheme_means_nothing(side: Side, context: &glib::MainContext) {
    let (_listener, address) = listener();
    for form in FORMS {
        for scheme in ["https", "x"] {
            let uri = format!("{scheme}://user@127.0.0.1/path?query");
            let to = To::Uri(&uri, address.port());
            let made = side.client().run(form, &to, None, context).unwrap();
            assert_eq!(name_of(made.type_()), "GTcpConnection");
        }
    }
}

fn client_84_a_service_without_targets_is_its_domain(side: Side, context: &glib::MainContext) {
    use_resolver_of_names();
    let (_listener, port) = listener_on("127.0.0.1");
    let targets = format!("v4_ok_0x{port}.test");
    // The resolver of the tests knows services when it is asked asynchronously.
    let form = Form::Callback;
    let to = To::Service(&targets, "some");
    let made = side.client().run(form, &to, None, context).unwrap();
    assert_eq!(remote_port(&made), port);
    // Nobody listens there, which is how far it is to get.
    let to = To::Service("v4-ok.test", "discard");
    assert_fails(
        side.client().run(form, &to, None, context),
        E::ConnectionRefused,
    );
    let to = To::Service("v4-ok.test", "no-such-service");
    let failed = side.client().run(form, &to, None, context).unwrap_err();
    assert!(failed.matches(gio::ResolverError::NotFound));
}

// --- Where we differ ---------------------------------------------------------------------------------

/// CLIENT-26: one address after the other, where the asynchronous form begins the next one meanwhile.
#[test]
fn differs_client_26_a_blocking_connect_does_not_wait_for_a_dead_address() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let deaf = deaf_listener();
                let port = deaf.address.port();
                let Ok(_six) = std::net::TcpListener::bind(("::1", port)) else {
                    panic!("the port is taken in IPv6");
                };
                let client = side.client();
                client.0.set_property("timeout", 1_u32);
                // IPv4 first, for both: the answer of IPv6 comes later, or second.
                let target = scripted_pair(side, deaf.address, ([0, 0, 0, 0, 0, 0, 0, 1], port));
                let begun = Instant::now();
                client.connect(Form::Blocking, &target, context).unwrap();
                begun.elapsed() >= Duration::from_millis(990)
            },
            true,
            false,
        );
    });
}

/// A name of both, whose IPv4 address comes first.
fn scripted_pair(
    side: Side,
    four: SocketAddr,
    (_, port): ([u16; 8], u16),
) -> gio::SocketConnectable {
    match side {
        // Its blocking form takes them in the order of the resolver, which is IPv6 first here.
        Side::Gio => scripted([
            Next::Address(four),
            Next::Address(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))),
        ])
        .upcast(),
        Side::Ours => name("v4-ok-0.v6-ok-80.test", port).upcast(),
    }
}

/// ADDR-13: the first answer of the two lookups, if it is an error.
#[test]
fn differs_addr_13_an_early_error_of_ipv4_does_not_end_a_late_answer_of_ipv6() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, port) = listener_on("::1");
                let slow = name("v4-error-0.v6-ok-200.test", port);
                side.client()
                    .connect(Form::Callback, &slow, context)
                    .is_ok()
            },
            false,
            true,
        );
    });
}

/// CLIENT-33: at the end of the enumeration the first failure ends everything.
#[test]
fn differs_client_33_an_attempt_under_way_survives_the_failure_of_the_last() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                // In flight until the kernel asks again, which is after a second: by then the first refuses, and
                // the second, begun a quarter of a second later, has room.
                let refuses_late = deaf_listener();
                let (slow, _) = slow_listener();
                let both = scripted([refuses_late.address, slow].map(Next::Address)).upcast();
                let result = side.client().start(&To::Connectable(&both), None);
                iterate_for(context, Duration::from_millis(600));
                assert!(result.borrow().is_none());
                drop(refuses_late);
                iterate_until(context, || result.borrow().is_some());
                let result = result.take().unwrap();
                let source = result.source_object().unwrap();
                finish(&source, &result)
                    .map(drop)
                    .map_err(|failure| code(&failure))
            },
            Err(E::ConnectionRefused),
            Ok(()),
        );
    });
}

/// CLIENT-19: addresses of another family are tried, and fail.
#[test]
fn differs_client_19_addresses_of_another_family_are_left_out() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, port) = listener_on("127.0.0.1");
                let client = side.client();
                client.0.set_property("family", gio::SocketFamily::Ipv4);
                let seen = client.events();
                let both = gio::NetworkAddress::new_loopback(port);
                client.connect(Form::Blocking, &both, context).unwrap();
                seen.take()
            },
            "RrCCcK".to_owned(),
            "RrCcK".to_owned(),
        );
    });
}

/// CLIENT-73.
#[test]
fn differs_client_73_a_service_asks_the_proxy_resolver_that_was_set() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                use_resolver_of_names();
                let (_listener, port) = listener_on("127.0.0.1");
                let client = side.client();
                let proxy = gio::SimpleProxyResolver::new(Some("socks5://127.0.0.1:1"), ["x"]);
                client.0.set_property("proxy-resolver", &proxy);
                let domain = format!("v4_ok_0x{port}.test");
                let to = To::Service(&domain, "some");
                client.run(Form::Callback, &to, None, context).is_ok()
            },
            true,
            false,
        );
    });
}

/// CLIENT-16.
#[test]
fn differs_client_16_tcp_connections_send_at_once_and_say_their_protocol() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, address) = listener();
                let made = side
                    .client()
                    .connect(Form::Blocking, &gio_address(address), context)
                    .unwrap();
                let socket = socket_of(&made);
                let no_delay = socket.option(libc::IPPROTO_TCP, libc::TCP_NODELAY).unwrap();
                (no_delay, socket.protocol())
            },
            (0, gio::SocketProtocol::Default),
            (1, gio::SocketProtocol::Tcp),
        );
    });
}

/// ADDR-10: a name that was looked up is not looked up again by whoever has the same object.
#[test]
fn differs_addr_10_a_name_is_looked_up_for_each_connect() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, port) = listener_on("127.0.0.1");
                let name = name("v6-ok.v4-ok.test", port);
                lookups();
                FORMS.map(|form| {
                    side.client().connect(form, &name, context).unwrap();
                    lookups() > 0
                })
            },
            [true, false],
            [true, true],
        );
    });
}

/// ADDR-13: who answers first comes first, although the other one was waited for.
#[test]
fn differs_addr_13_ipv6_comes_first_if_its_answer_is_a_little_late() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                // Both are refused: what is told is who was tried first.
                let name = name("v4-ok-0.v6-ok-10.test", refused_address().port());
                let client = side.client();
                let families = Rc::new(RefCell::new(Vec::new()));
                let seen = families.clone();
                client.on_event(move |event, _, stream| {
                    if event == Event::Connecting {
                        let family = socket_of(&stream.unwrap()).family();
                        seen.borrow_mut().push(family);
                    }
                });
                let failed = client.connect(Form::Callback, &name, context);
                assert_fails(failed, E::ConnectionRefused);
                families.take()
            },
            vec![gio::SocketFamily::Ipv4, gio::SocketFamily::Ipv6],
            vec![gio::SocketFamily::Ipv6, gio::SocketFamily::Ipv4],
        );
    });
}

/// CLIENT-41: an enumerator that only blocks is called before the asynchronous call returns.
#[test]
fn differs_client_41_an_asynchronous_connect_does_not_wait_for_an_enumerator_before_it_returns() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, address) = listener();
                let own = scripted([Next::Address(address)]).upcast();
                enumerator_was_called_in();
                let result = side.client().start(&To::Connectable(&own), None);
                let was_called = enumerator_was_called_in().is_some();
                iterate_until(context, || result.borrow().is_some());
                was_called
            },
            true,
            false,
        );
    });
}

/// CLIENT-15: a result of something else.
#[test]
fn differs_client_15_a_wrong_result_is_an_error_and_no_critical() {
    use glib::translate::{ToGlibPtr, from_glib_full};
    on_private_context(|_| {
        // SAFETY: no callback, and nothing that is waited for.
        let result = unsafe {
            let null = std::ptr::null_mut();
            let task = gio::ffi::g_task_new(null, std::ptr::null_mut(), None, std::ptr::null_mut());
            gio::ffi::g_task_return_boolean(task, glib::ffi::GTRUE);
            from_glib_full::<_, gio::AsyncResult>(task.cast::<gio::ffi::GAsyncResult>())
        };
        let ((), logged) = logged(|| {
            let client = gio::SocketClient::new();
            let mut failure = std::ptr::null_mut();
            // SAFETY: live arguments.
            let (made, failure) = unsafe {
                let made = gio::ffi::g_socket_client_connect_finish(
                    client.to_glib_none().0,
                    result.to_glib_none().0,
                    &raw mut failure,
                );
                let made: Option<gio::SocketConnection> = from_glib_full(made);
                (made, failure)
            };
            assert!(made.is_none() && failure.is_null());
        });
        assert_eq!(logged.len(), 1, "{logged:?}");
        let client = Side::Ours.client();
        assert_fails(finish(&client.0, &result), E::InvalidArgument);
    });
}
