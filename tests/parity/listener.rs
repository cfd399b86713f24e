//! `GSocketListener` fact by fact.

use std::{
    cell::{Cell, RefCell},
    mem::MaybeUninit,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gio::{
    Cancellable, IOErrorEnum as E, SocketFamily, SocketListenerEvent as Event, ffi as gio_ffi,
    prelude::*,
};
use glib::{
    ffi::gpointer,
    gobject_ffi,
    translate::{FromGlib, IntoGlib, ToGlibPtr},
};

use crate::{accepting::*, support::*, tools::*, under::*};

#[path = "listener_alone.rs"]
pub(crate) mod alone;
#[path = "listener_differs.rs"]
mod differing;

on_both!(
    listen_1_the_type_stands_below_gobject_and_its_slots_are_empty,
    listen_2_the_backlog_is_a_property_of_ten,
    listen_3_the_backlog_of_a_closed_listener_stays,
    listen_4_the_signal_runs_its_class_last_and_answers_nothing,
    listen_4_a_socket_that_is_added_has_no_event,
    listen_6_a_closed_listener_takes_nothing_more,
    listen_7_an_address_is_bound_and_listened_to_step_by_step,
    listen_7_the_set_has_grown_when_changed_is_called,
    listen_8_the_codes_of_what_cannot_be_listened_to,
    listen_8_an_address_in_use_ends_the_events_after_binding,
    listen_8_datagrams_end_the_events_after_listening,
    listen_9_whether_an_ipv6_wildcard_takes_ipv4_is_the_systems_choice,
    listen_10_a_unix_path_is_made_and_left,
    listen_10_a_stale_path_is_in_use,
    listen_11_a_closed_socket_is_not_added,
    listen_11_a_socket_that_does_not_listen_is_added_and_fails_to_accept,
    listen_11_a_socket_keeps_its_backlog_and_its_timeout,
    listen_13_the_source_object_comes_with_the_connection,
    listen_15_a_port_is_listened_to_in_both_families_by_one_socket,
    listen_15_a_port_that_is_taken_in_ipv4_alone_is_in_use,
    listen_15_where_ipv6_cannot_be_bound_ipv4_is_not_tried,
    listen_17_a_port_of_two_sockets_has_its_events_twice,
    listen_18_any_port_is_free_and_serves_both_families,
    listen_18_any_port_of_two_sockets_binds_both_before_it_listens,
    listen_19_any_port_has_its_backlog_when_it_is_to_listen,
    listen_20_where_no_family_can_listen_it_fails,
    listen_21_what_is_accepted_is_in_blocking_mode,
    listen_22_who_blocks_does_not_run_his_context,
    listen_24_a_cancellation_ends_every_form,
    listen_24_cancelled_before_it_fails_and_who_blocks_on_one_socket_takes_nothing,
    listen_25_the_timeout_of_a_socket_limits_the_wait,
    listen_27_the_type_of_the_connection_goes_with_the_socket,
    listen_28_either_finish_takes_the_result_of_either_operation,
    listen_28_the_answer_comes_in_the_context_of_the_call_and_never_before_it_returns,
    listen_28_accepts_that_wait_get_a_connection_each,
    listen_30_a_second_close_does_nothing,
    listen_30_a_close_ends_the_accepts_that_wait_each_once,
    listen_31_finalizing_leaves_the_sockets_that_others_hold,
    listen_31_finalizing_gives_up_the_sockets_of_its_own,
    listen_31_an_accept_that_waits_keeps_the_listener,
    listen_33_threads_that_block_get_a_connection_each,
    listen_28_two_sockets_ready_at_once_answer_one_accept_once,
    listen_7_an_address_is_let_go_of_once,
    listen_24_cancelled_before_a_socket_in_either_mode_keeps_its_connection,
);

fn loopback() -> gio::InetSocketAddress {
    gio_address(([127, 0, 0, 1], 0).into())
}

/// Bound to loopback, and listening if asked.
fn bound(listens: bool) -> gio::Socket {
    let socket = ipv4_socket();
    socket.bind(&loopback(), false).unwrap();
    if listens {
        socket.listen().unwrap();
    }
    socket
}

fn address_of(socket: &gio::Socket) -> SocketAddr {
    std_address(&socket.local_address().unwrap())
}

fn accept_code(taken: Accepted) -> Result<(), E> {
    taken.map(drop).map_err(|failure| code(&failure))
}

// --- The class -----------------------------------------------------------------------------------

/// The slots `changed` and `event`, which both classes have in these places.
fn class_of(type_: glib::Type) -> [bool; 2] {
    // SAFETY: a class of objects, live from here on; it is one of listeners.
    unsafe {
        let class = gobject_ffi::g_type_class_ref(type_.into_glib());
        let slots = &*class.cast::<gio_ffi::GSocketListenerClass>();
        [slots.changed.is_some(), slots.event.is_some()]
    }
}

fn listen_1_the_type_stands_below_gobject_and_its_slots_are_empty(
    side: Side,
    _: &glib::MainContext,
) {
    let type_ = side.listener_type();
    assert_eq!(name_of(type_), "GSocketListener");
    assert_eq!(type_.parent(), Some(glib::Type::OBJECT));
    assert!(type_.interfaces().is_empty());
    assert_eq!(class_of(type_), [false, false]);
}

/// By name, as the function of C does: a value that is out of range does not get past `GParamSpec`.
fn set_backlog_property(listener: &Listener, backlog: i32) {
    // SAFETY: a live object and a value of the property's type.
    unsafe {
        gobject_ffi::g_object_set_property(
            listener.0.as_ptr(),
            c"listen-backlog".as_ptr(),
            backlog.to_value().to_glib_none().0,
        );
    }
}

fn listen_2_the_backlog_is_a_property_of_ten(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    assert_eq!(listener.backlog(), 10);
    let seen = notifications(&listener.0);
    set_backlog_property(&listener, 20);
    assert_eq!(listener.backlog(), 20);
    set_backlog_property(&listener, 20);
    // By name each time.
    assert_eq!(*seen.borrow(), ["listen-backlog"; 2]);
    for wrong in [-1, 2001] {
        let ((), said) = logged(|| set_backlog_property(&listener, wrong));
        assert_eq!(said.len(), 1);
        assert_eq!(listener.backlog(), 20);
    }
    let made = glib::Object::builder_with_type(side.listener_type())
        .property("listen-backlog", 2000)
        .build();
    assert_eq!(Listener(made).backlog(), 2000);
}

fn listen_3_the_backlog_of_a_closed_listener_stays(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    listener.close();
    let seen = notifications(&listener.0);
    listener.set_backlog(20);
    assert_eq!(listener.backlog(), 10);
    assert!(seen.borrow().is_empty());
}

fn listen_4_the_signal_runs_its_class_last_and_answers_nothing(side: Side, _: &glib::MainContext) {
    let signal = glib::subclass::SignalId::lookup("event", side.listener().0.type_())
        .unwrap()
        .query();
    assert_eq!(signal.flags(), glib::SignalFlags::RUN_LAST);
    assert_eq!(signal.return_type().type_(), glib::Type::UNIT);
    let params: Vec<glib::Type> = signal.param_types().iter().map(|it| it.type_()).collect();
    assert_eq!(params, [Event::static_type(), gio::Socket::static_type()]);
}

fn listen_4_a_socket_that_is_added_has_no_event(side: Side, context: &glib::MainContext) {
    let listener = side.listener();
    let seen = listener.events();
    listener.add_socket(&bound(true), None).unwrap();
    iterate_for(context, Duration::from_millis(10));
    assert_eq!(*seen.borrow(), "");
}

thread_local! {
    static CHANGES: Cell<usize> = const { Cell::new(0) };
}

unsafe extern "C" fn counting_changed(_: *mut gio_ffi::GSocketListener) {
    CHANGES.set(CHANGES.get() + 1);
}

unsafe extern "C" fn init_with_counting_changed(class: gpointer, _: gpointer) {
    // SAFETY: GObject initialises a class once, alone; the slot is where GIO's is.
    unsafe { (*class.cast::<gio_ffi::GSocketListenerClass>()).changed = Some(counting_changed) };
}

/// Of a class as C makes it.
fn with_counting_changed(side: Side) -> Listener {
    let parent = side.listener_type();
    let name = format!("TestParityCounting{}", parent.name());
    let type_ = glib::Type::from_name(&name).unwrap_or_else(|| {
        let mut query = MaybeUninit::<gobject_ffi::GTypeQuery>::zeroed();
        // SAFETY: a registered type, whose class is made by then, and room for the answer.
        unsafe {
            gobject_ffi::g_type_class_ref(parent.into_glib());
            gobject_ffi::g_type_query(parent.into_glib(), query.as_mut_ptr());
        }
        // SAFETY: filled in, and valid when zero.
        let query = unsafe { query.assume_init() };
        // SAFETY: the sizes are the parent's, which is derivable.
        unsafe {
            glib::Type::from_glib(gobject_ffi::g_type_register_static_simple(
                parent.into_glib(),
                name.to_glib_none().0,
                query.class_size,
                Some(init_with_counting_changed),
                query.instance_size,
                None,
                0,
            ))
        }
    });
    Listener(glib::Object::with_type(type_))
}

// --- Adding --------------------------------------------------------------------------------------

fn listen_6_a_closed_listener_takes_nothing_more(side: Side, context: &glib::MainContext) {
    let listener = side.listener();
    listener.close();
    let message = "Listener is already closed";
    let port = free_port();
    for failure in [
        listener.add_socket(&bound(true), None).unwrap_err(),
        listener.add_address(&loopback(), None).unwrap_err(),
        listener.add_inet_port(port, None).unwrap_err(),
        listener.accept_socket(None).unwrap_err(),
        listener.run(Form::Blocking, None, context).unwrap_err(),
        listener.run(Form::Callback, None, context).unwrap_err(),
    ] {
        assert_eq!(code(&failure), E::Closed);
        assert_eq!(failure.message(), message);
    }
    let waiting = listener.start(None);
    assert!(!waiting.is_set());
    assert!(waiting.wait(context).is_err());
}

fn listen_7_an_address_is_bound_and_listened_to_step_by_step(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    listener.set_backlog(7);
    let seen = listener.events();
    let steps = Rc::new(RefCell::new(Vec::new()));
    let noted = steps.clone();
    let caller = thread::current().id();
    listener.on_event(move |_, socket| {
        assert_eq!(thread::current().id(), caller);
        let reuses = option_of(socket, libc::SOL_SOCKET, libc::SO_REUSEADDR);
        let listens = option_of(socket, libc::SOL_SOCKET, libc::SO_ACCEPTCONN);
        let is_bound = address_of(socket).port() != 0;
        noted
            .borrow_mut()
            .push((reuses, is_bound, listens, socket.listen_backlog()));
    });
    let address = listener.listen();
    assert_eq!(*seen.borrow(), "B4b4L4l4");
    assert_eq!(
        steps.take(),
        [
            (0, false, 0, 7),
            (1, true, 0, 7),
            (1, true, 0, 7),
            (1, true, 1, 7)
        ]
    );
    assert_ne!(address.port(), 0);
    let client = client_of(address);
    let (made, _) = listener.accept(None).unwrap();
    assert_eq!(peer_of(&made), client.local_addr().unwrap());
}

fn listen_7_the_set_has_grown_when_changed_is_called(side: Side, _: &glib::MainContext) {
    let listener = with_counting_changed(side);
    CHANGES.set(0);
    listener.listen();
    assert_eq!(CHANGES.get(), 1);
    listener.add_socket(&bound(true), None).unwrap();
    assert_eq!(CHANGES.get(), 2);
    // Once, however many sockets.
    listener.add_any_inet_port(None).unwrap();
    assert_eq!(CHANGES.get(), 3);
    let closed = bound(true);
    closed.close().unwrap();
    assert!(listener.add_socket(&closed, None).is_err());
    listener.close();
    assert_eq!(CHANGES.get(), 3);
}

fn listen_8_the_codes_of_what_cannot_be_listened_to(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    let seen = listener.events();
    let here = loopback();
    let refused = listener.add_address_of(&here, gio::SocketType::Seqpacket, None);
    assert_fails(refused, E::NotSupported);
    assert_eq!(seen.take(), "");
    let missing = gio::UnixSocketAddress::new(std::path::Path::new("/no-such-place/socket"));
    assert!(listener.add_address(&missing, None).is_err());
    assert_eq!(seen.take(), "Bu");
}

fn listen_8_an_address_in_use_ends_the_events_after_binding(side: Side, _: &glib::MainContext) {
    let (_taken, address) = listener();
    let listener = side.listener();
    let seen = listener.events();
    let failure = listener
        .add_address(&gio_address(address), None)
        .unwrap_err();
    assert_eq!(code(&failure), E::AddressInUse);
    assert!(failure.message().contains(&address.to_string()));
    assert_eq!(*seen.borrow(), "B4");
}

fn listen_8_datagrams_end_the_events_after_listening(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    let seen = listener.events();
    let refused = listener.add_address_of(&loopback(), gio::SocketType::Datagram, None);
    assert_fails(refused, E::NotSupported);
    assert_eq!(*seen.borrow(), "B4b4L4");
}

fn listen_9_whether_an_ipv6_wildcard_takes_ipv4_is_the_systems_choice(
    side: Side,
    _: &glib::MainContext,
) {
    let listener = side.listener();
    let only = Rc::new(Cell::new(-1));
    let seen = only.clone();
    listener.on_event(move |_, socket| {
        seen.set(option_of(socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY));
    });
    let any = gio::InetSocketAddress::new(&gio::InetAddress::new_any(SocketFamily::Ipv6), 0);
    listener.add_address(&any, None).unwrap();
    let system = std::fs::read_to_string("/proc/sys/net/ipv6/bindv6only").unwrap();
    assert_eq!(only.get().to_string(), system.trim());
}

fn directory() -> std::path::PathBuf {
    glib::mkdtemp(std::env::temp_dir().join("parity-XXXXXX")).unwrap()
}

fn listen_10_a_unix_path_is_made_and_left(side: Side, _: &glib::MainContext) {
    let directory = directory();
    let path = directory.join("socket");
    let listener = side.listener();
    let address = gio::UnixSocketAddress::new(&path);
    let effective = listener.add_address(&address, None).unwrap();
    assert_eq!(effective.property::<String>("path"), path.to_str().unwrap());
    assert!(path.exists());
    let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let (made, _) = listener.accept(None).unwrap();
    assert_eq!(name_of(made.type_()), "GUnixConnection");
    listener.close();
    drop((made, listener));
    assert!(path.exists());
    std::fs::remove_dir_all(&directory).unwrap();
}

fn listen_10_a_stale_path_is_in_use(side: Side, _: &glib::MainContext) {
    let directory = directory();
    let path = directory.join("socket");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address = gio::UnixSocketAddress::new(&path);
    let refused = side.listener().add_address(&address, None);
    std::fs::remove_dir_all(&directory).unwrap();
    assert_fails(refused, E::AddressInUse);
}

fn listen_11_a_closed_socket_is_not_added(side: Side, _: &glib::MainContext) {
    let closed = bound(true);
    closed.close().unwrap();
    let failure = side.listener().add_socket(&closed, None).unwrap_err();
    assert_eq!(code(&failure), E::Failed);
    assert_eq!(failure.message(), "Added socket is closed");
}

fn listen_11_a_socket_that_does_not_listen_is_added_and_fails_to_accept(
    side: Side,
    context: &glib::MainContext,
) {
    for form in FORMS {
        let listener = side.listener();
        listener.add_socket(&bound(false), None).unwrap();
        assert_fails(listener.run(form, None, context), E::InvalidArgument);
    }
}

fn listen_11_a_socket_keeps_its_backlog_and_its_timeout(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    listener.set_backlog(7);
    let socket = bound(true);
    socket.set_timeout(5);
    let before = queue_of(&socket).0;
    listener.add_socket(&socket, None).unwrap();
    assert_eq!(socket.listen_backlog(), 10);
    assert_eq!(queue_of(&socket).0, before);
    assert_eq!(socket.timeout(), 5);
}

fn listen_13_the_source_object_comes_with_the_connection(side: Side, context: &glib::MainContext) {
    for form in FORMS {
        let listener = side.listener();
        let marks = [mark(), mark()];
        let addresses = [
            listener.listen_for(Some(&marks[0])),
            listener.listen_for(Some(&marks[1])),
        ];
        let none = listener.listen();
        for (address, expected) in addresses.iter().zip(&marks) {
            let _client = client_of(*address);
            let (_, source) = listener.run(form, None, context).unwrap();
            assert_eq!(source.as_ref(), Some(expected));
        }
        let _client = client_of(none);
        let (_, source) = listener.run(form, None, context).unwrap();
        assert_eq!(source, None);
        // Of an error there is none, which `finish` looks at.
        let cancellable = Cancellable::new();
        cancellable.cancel();
        let cancelled = listener.run(form, Some(&cancellable), context);
        assert_fails(cancelled, E::Cancelled);
    }
}

fn both_families(port: u16) -> [SocketAddr; 2] {
    [
        SocketAddr::from(([127, 0, 0, 1], port)),
        SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
    ]
}

/// A connection from either family.
fn serves_both(listener: &Listener, port: u16) {
    for address in both_families(port) {
        let client = client_of(address);
        let (made, _) = listener.accept(None).unwrap();
        assert_eq!(peer_of(&made).port(), client.local_addr().unwrap().port());
    }
}

fn listen_15_a_port_is_listened_to_in_both_families_by_one_socket(
    side: Side,
    _: &glib::MainContext,
) {
    // Another process may take the port meanwhile.
    let (listener, seen, port) = (0..20)
        .find_map(|_| {
            let listener = side.listener();
            let seen = listener.events();
            let port = free_port();
            let added = listener.add_inet_port(port, None).is_ok();
            added.then_some((listener, seen, port))
        })
        .unwrap();
    assert_eq!(*seen.borrow(), "B6b6L6l6");
    serves_both(&listener, port);
}

fn listen_15_a_port_that_is_taken_in_ipv4_alone_is_in_use(side: Side, _: &glib::MainContext) {
    let taken = TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let listener = side.listener();
    let port = taken.local_addr().unwrap().port();
    assert_fails(listener.add_inet_port(port, None), E::AddressInUse);
}

/// From `BINDING` on its IPv6 sockets take IPv6 alone, as on a system that is set up so.
fn ipv6_alone(listener: &Listener) {
    listener.on_event(|event, socket| {
        if event == Event::Binding && socket.family() == SocketFamily::Ipv6 {
            socket
                .set_option(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)
                .unwrap();
        }
    });
}

/// Adds some port that is free in both families.
fn add_a_port(make: impl Fn() -> Listener) -> (Listener, Rc<RefCell<String>>, u16) {
    (0..20)
        .find_map(|_| {
            let listener = make();
            let seen = listener.events();
            let port = free_port();
            let added = listener.add_inet_port(port, None).is_ok();
            added.then_some((listener, seen, port))
        })
        .unwrap()
}

fn listen_17_a_port_of_two_sockets_has_its_events_twice(side: Side, _: &glib::MainContext) {
    let (listener, seen, port) = add_a_port(|| {
        let listener = side.listener();
        ipv6_alone(&listener);
        listener
    });
    assert_eq!(*seen.borrow(), "B6b6L6l6B4b4L4l4");
    serves_both(&listener, port);
}

fn listen_18_any_port_is_free_and_serves_both_families(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    let seen = listener.events();
    let port = listener.add_any_inet_port(None).unwrap();
    assert_ne!(port, 0);
    assert_eq!(*seen.borrow(), "B6b6L6l6");
    serves_both(&listener, port);
}

fn listen_18_any_port_of_two_sockets_binds_both_before_it_listens(
    side: Side,
    _: &glib::MainContext,
) {
    let listener = side.listener();
    ipv6_alone(&listener);
    let seen = listener.events();
    let port = listener.add_any_inet_port(None).unwrap();
    // Another process may have the port in IPv4, and then it is tried again.
    assert!(seen.borrow().ends_with("B6b6B4b4L6l6L4l4"), "{seen:?}");
    serves_both(&listener, port);
}

fn listen_19_any_port_has_its_backlog_when_it_is_to_listen(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    listener.set_backlog(7);
    let backlogs = Rc::new(RefCell::new(Vec::new()));
    let noted = backlogs.clone();
    listener.on_event(move |_, socket| {
        noted
            .borrow_mut()
            .push((socket.listen_backlog(), queue_of(socket).0));
    });
    listener.add_any_inet_port(None).unwrap();
    // Before it listens the kernel has no number.
    let own: Vec<_> = backlogs.borrow().iter().map(|it| it.0).collect();
    assert_eq!(own, [10, 10, 7, 7]);
    assert_eq!(backlogs.borrow()[3].1, 7);
}

fn listen_15_where_ipv6_cannot_be_bound_ipv4_is_not_tried(side: Side, _: &glib::MainContext) {
    for any in [true, false] {
        let listener = side.listener();
        let seen = listener.events();
        // It is closed in its last event before that.
        listener.on_event(|event, socket| {
            if event == Event::Binding && socket.family() == SocketFamily::Ipv6 {
                socket.close().unwrap();
            }
        });
        let added = if any {
            listener.add_any_inet_port(None).map(drop)
        } else {
            let port = free_port();
            listener.add_inet_port(port, None).map(drop)
        };
        assert_fails(added, E::Closed);
        assert_eq!(*seen.borrow(), "B6");
    }
}

fn listen_20_where_no_family_can_listen_it_fails(side: Side, _: &glib::MainContext) {
    for (any, alone) in [(true, true), (true, false), (false, true), (false, false)] {
        let listener = side.listener();
        if alone {
            ipv6_alone(&listener);
        }
        listener.on_event(|event, socket| {
            if event == Event::Listening {
                socket.close().unwrap();
            }
        });
        let added = if any {
            listener.add_any_inet_port(None).map(drop)
        } else {
            let port = free_port();
            listener.add_inet_port(port, None).map(drop)
        };
        assert_fails(added, E::Closed);
    }
}

// --- Accepting -----------------------------------------------------------------------------------

fn listen_21_what_is_accepted_is_in_blocking_mode(side: Side, context: &glib::MainContext) {
    let listener = side.listener();
    let address = listener.listen();
    for form in FORMS {
        let _client = client_of(address);
        let (made, _) = listener.run(form, None, context).unwrap();
        assert!(made.property::<gio::Socket>("socket").is_blocking());
    }
    let _client = client_of(address);
    assert!(listener.accept_socket(None).unwrap().0.is_blocking());
}

fn listen_22_who_blocks_does_not_run_his_context(side: Side, context: &glib::MainContext) {
    // One socket, and several.
    for count in [1, 3] {
        let listener = side.listener();
        let addresses: Vec<_> = (0..count).map(|_| listener.listen()).collect();
        let ran = Arc::new(AtomicBool::new(false));
        let runs = ran.clone();
        let idle = glib::source::idle_source_new(None, glib::Priority::HIGH, move || {
            runs.store(true, Ordering::SeqCst);
            glib::ControlFlow::Break
        });
        idle.attach(Some(context));
        let last = *addresses.last().unwrap();
        let client = thread::spawn(move || {
            a_moment();
            client_of(last)
        });
        listener.accept(None).unwrap();
        drop(client.join().unwrap());
        assert!(!ran.load(Ordering::SeqCst));
        idle.destroy();
    }
}

fn listen_24_a_cancellation_ends_every_form(side: Side, context: &glib::MainContext) {
    for count in [1, 2] {
        let listener = side.listener();
        for _ in 0..count {
            listener.listen();
        }
        for form in FORMS {
            let cancellable = Cancellable::new();
            let from_there = cancellable.clone();
            let canceller = thread::spawn(move || {
                a_moment();
                from_there.cancel();
            });
            let failure = listener.run(form, Some(&cancellable), context).unwrap_err();
            canceller.join().unwrap();
            assert_eq!(code(&failure), E::Cancelled);
            assert_eq!(failure.message(), "Operation was cancelled");
        }
    }
}

fn listen_24_cancelled_before_it_fails_and_who_blocks_on_one_socket_takes_nothing(
    side: Side,
    context: &glib::MainContext,
) {
    let cancellable = Cancellable::new();
    cancellable.cancel();
    for count in [1, 2] {
        let listener = side.listener();
        for _ in 0..count {
            listener.listen();
        }
        for form in FORMS {
            let cancelled = listener.run(form, Some(&cancellable), context);
            assert_fails(cancelled, E::Cancelled);
        }
    }
    let listener = side.listener();
    let client = client_of(listener.listen());
    let cancelled = listener.accept(Some(&cancellable));
    assert_fails(cancelled, E::Cancelled);
    let (made, _) = listener.accept(None).unwrap();
    assert_eq!(peer_of(&made), client.local_addr().unwrap());
}

fn listen_25_the_timeout_of_a_socket_limits_the_wait(side: Side, context: &glib::MainContext) {
    for count in [1, 2] {
        for form in FORMS {
            let listener = side.listener();
            for _ in 0..count {
                let socket = bound(true);
                socket.set_timeout(1);
                listener.add_socket(&socket, None).unwrap();
            }
            let begun = std::time::Instant::now();
            assert_fails(listener.run(form, None, context), E::TimedOut);
            assert!(begun.elapsed() >= Duration::from_millis(990));
        }
    }
}

fn listen_27_the_type_of_the_connection_goes_with_the_socket(
    side: Side,
    context: &glib::MainContext,
) {
    for form in FORMS {
        let listener = side.listener();
        let _client = client_of(listener.listen());
        let (made, _) = listener.run(form, None, context).unwrap();
        assert_eq!(name_of(made.type_()), "GTcpConnection");
    }
}

fn listen_28_either_finish_takes_the_result_of_either_operation(
    side: Side,
    context: &glib::MainContext,
) {
    let listener = side.listener();
    let address = listener.listen();
    for what in [What::Connection, What::Socket] {
        for as_connection in [true, false] {
            let client = client_of(address);
            let slot = Slot::new();
            listener.start_raw(what, None, slot.put());
            let result = slot.wait(context);
            assert_eq!(result.source_object().as_ref(), Some(&listener.0));
            let peer = if as_connection {
                peer_of(&finish(&listener.0, &result).unwrap().0)
            } else {
                let (socket, _) = finish_socket(&listener.0, &result).unwrap();
                std_address(&socket.remote_address().unwrap())
            };
            assert_eq!(peer, client.local_addr().unwrap());
        }
    }
}

fn listen_28_the_answer_comes_in_the_context_of_the_call_and_never_before_it_returns(
    side: Side,
    context: &glib::MainContext,
) {
    let listener = side.listener();
    let _client = client_of(listener.listen());
    let waiting = listener.start(None);
    assert!(!waiting.is_set());
    // Another context does not answer.
    let other = glib::MainContext::new();
    iterate_for(&other, Duration::from_millis(20));
    assert!(!waiting.is_set());
    waiting.wait(context).unwrap();
}

fn listen_28_accepts_that_wait_get_a_connection_each(side: Side, context: &glib::MainContext) {
    let listener = side.listener();
    let address = listener.listen();
    let waiting: Vec<_> = (0..3).map(|_| listener.start(None)).collect();
    iterate_for(context, Duration::from_millis(10));
    assert!(waiting.iter().all(|slot| !slot.is_set()));
    let clients: Vec<_> = (0..3).map(|_| client_of(address)).collect();
    let mut peers: Vec<_> = waiting
        .iter()
        .map(|slot| peer_of(&slot.wait(context).unwrap().0))
        .collect();
    let mut expected: Vec<_> = clients.iter().map(|it| it.local_addr().unwrap()).collect();
    peers.sort();
    expected.sort();
    assert_eq!(peers, expected);
}

// --- The end -------------------------------------------------------------------------------------

fn listen_30_a_second_close_does_nothing(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    let socket = bound(true);
    listener.add_socket(&socket, None).unwrap();
    let address = listener.listen();
    listener.close();
    assert!(socket.is_closed());
    assert!(std::net::TcpStream::connect(address).is_err());
    listener.close();
}

fn listen_30_a_close_ends_the_accepts_that_wait_each_once(side: Side, context: &glib::MainContext) {
    for count in [1, 2] {
        let listener = side.listener();
        for _ in 0..count {
            listener.listen();
        }
        let waiting = [listener.start(None), listener.start(None)];
        iterate_for(context, Duration::from_millis(10));
        listener.close();
        assert!(waiting.iter().all(|slot| !slot.is_set()));
        for slot in waiting {
            let failure = slot.wait(context).unwrap_err();
            assert_eq!(code(&failure), E::Closed);
            assert_eq!(failure.message(), "Socket is already closed");
        }
        // A second answer would fail the test.
        iterate_for(context, Duration::from_millis(10));
    }
}

fn listen_31_finalizing_leaves_the_sockets_that_others_hold(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    let socket = bound(true);
    listener.add_socket(&socket, None).unwrap();
    let gone = Gone::of(&listener.0);
    drop(listener);
    assert!(gone.is_gone());
    assert!(!socket.is_closed());
    let client = client_of(address_of(&socket));
    let taken = socket.accept(Cancellable::NONE).unwrap();
    assert_eq!(
        std_address(&taken.remote_address().unwrap()),
        client.local_addr().unwrap()
    );
}

fn listen_31_finalizing_gives_up_the_sockets_of_its_own(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    let address = listener.listen();
    drop(client_of(address));
    drop(listener);
    assert!(std::net::TcpStream::connect(address).is_err());
}

fn listen_31_an_accept_that_waits_keeps_the_listener(side: Side, context: &glib::MainContext) {
    let listener = side.listener();
    let address = listener.listen();
    let gone = Gone::of(&listener.0);
    let waiting = listener.start(None);
    drop(listener);
    iterate_for(context, Duration::from_millis(10));
    assert!(!gone.is_gone());
    let _client = client_of(address);
    waiting.wait(context).unwrap();
    iterate_until(context, || gone.is_gone());
}

fn listen_33_threads_that_block_get_a_connection_each(side: Side, _: &glib::MainContext) {
    let listener = side.listener();
    let address = listener.listen();
    let takers: Vec<_> = (0..3)
        .map(|_| {
            let sent = Sent::new(listener.clone());
            thread::spawn(move || {
                let (made, _) = sent.get().accept(None).unwrap();
                peer_of(&made)
            })
        })
        .collect();
    a_moment();
    let clients: Vec<_> = (0..3).map(|_| client_of(address)).collect();
    let mut peers: Vec<_> = takers.into_iter().map(|it| it.join().unwrap()).collect();
    let mut expected: Vec<_> = clients.iter().map(|it| it.local_addr().unwrap()).collect();
    peers.sort();
    expected.sort();
    assert_eq!(peers, expected);
}

// --- What was wrong in GIO once ------------------------------------------------------------------

/// LISTEN-28.
fn listen_28_two_sockets_ready_at_once_answer_one_accept_once(
    side: Side,
    context: &glib::MainContext,
) {
    let listener = side.listener();
    let addresses = [listener.listen(), listener.listen(), listener.listen()];
    let clients = addresses.map(client_of);
    for left in (0..3).rev() {
        // A second answer would fail the test.
        listener.start(None).wait(context).unwrap();
        iterate_for(context, Duration::from_millis(5));
        let cancellable = Cancellable::new();
        if left == 0 {
            let none = listener.start(Some(&cancellable));
            iterate_for(context, Duration::from_millis(5));
            cancellable.cancel();
            assert_fails(none.wait(context), E::Cancelled);
        }
    }
    drop(clients);
}

/// LISTEN-7.
fn listen_7_an_address_is_let_go_of_once(side: Side, _: &glib::MainContext) {
    let (_taken, taken) = listener();
    for (address, type_) in [
        (loopback(), gio::SocketType::Stream),
        (gio_address(taken), gio::SocketType::Stream),
        (loopback(), gio::SocketType::Datagram),
        (loopback(), gio::SocketType::Seqpacket),
    ] {
        let listener = side.listener();
        let effective = listener.add_address_of(&address, type_, None);
        assert_eq!(address.ref_count(), 1);
        let left = effective.map(|effective| effective.ref_count());
        assert!(left.is_err() || left.unwrap() == 1);
        let gone = Gone::of(&listener.0);
        drop(listener);
        assert!(gone.is_gone());
    }
}

/// LISTEN-24.
fn listen_24_cancelled_before_a_socket_in_either_mode_keeps_its_connection(
    side: Side,
    _: &glib::MainContext,
) {
    for blocking in [true, false] {
        let listener = side.listener();
        let socket = bound(true);
        socket.set_blocking(blocking);
        listener.add_socket(&socket, None).unwrap();
        let _client = client_of(address_of(&socket));
        let cancellable = Cancellable::new();
        cancellable.cancel();
        let cancelled = listener.accept(Some(&cancellable));
        assert_eq!(accept_code(cancelled), Err(E::Cancelled));
        assert_eq!(queue_of(&socket).1, 1);
    }
}
