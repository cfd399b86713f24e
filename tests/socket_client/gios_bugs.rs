//! Bugs that GIO has had below the client: in enumerators, in the resolver and in what it takes for this machine. The client
//! uses them, and is right wherever they are; where they are used by hand, that is what the system's GLib does.

use std::{
    cell::RefCell,
    net::{Ipv6Addr, TcpListener},
    rc::Rc,
    thread,
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, ResolverError, SocketClientEvent as Event, prelude::*};
use gsock::{SocketClient, prelude::*};

use crate::{own_network::*, proxy_peers::*, support::*, tools::*};

/// Longer than a part of a name may be: the system's resolver knows that nobody has it.
fn nobody() -> String {
    "x".repeat(64)
}

type Outcomes = Rc<RefCell<Vec<Result<(), glib::Error>>>>;

fn answered(context: &glib::MainContext, outcomes: &Outcomes) -> Result<(), glib::Error> {
    iterate_until(context, || !outcomes.borrow().is_empty());
    while context.iteration(false) {}
    let mut outcomes = outcomes.take();
    assert_eq!(outcomes.len(), 1, "answered once");
    outcomes.remove(0)
}

/// Whoever asks for an address may forget the enumerator before the answer, or in it.
fn enumerate_by_hand(context: &glib::MainContext, host: &str, before: bool) {
    let enumerator = gio::NetworkAddress::new(host, 1).enumerate();
    let gone = Gone::of(&enumerator);
    let held = Rc::new(RefCell::new(Some(enumerator.clone())));
    let outcomes = Outcomes::default();
    let (slot, hold) = (outcomes.clone(), held.clone());
    enumerator.next_async(Cancellable::NONE, move |next| {
        drop(hold.take());
        slot.borrow_mut().push(next.map(drop));
    });
    drop(enumerator);
    if before {
        drop(held.take());
    }
    assert_eq!(answered(context, &outcomes).is_ok(), host == "localhost");
    iterate_until(context, || gone.is_gone());
}

/// The proxy has a name, so that its address is enumerated by GIO.
fn enumerate_by_client(context: &glib::MainContext, host: &str, cancelled_at: Option<Event>) {
    let port = refused_address().port();
    let resolver = by(&format!("socks5://{host}:{port}"));
    let client = SocketClient::new();
    client.set_proxy_resolver(Some(&resolver));
    let cancellable = Cancellable::new();
    let canceller = cancellable.clone();
    client.connect_event(move |_, event, _, _| {
        if Some(event) == cancelled_at {
            canceller.cancel();
        }
    });
    let target = gio::NetworkAddress::new("192.0.2.1", 1);
    let gone = [Gone::of(&client), Gone::of(&target), Gone::of(&resolver)];
    let outcomes = Outcomes::default();
    let slot = outcomes.clone();
    client.connect_async(&target, Some(&cancellable), move |client, result| {
        slot.borrow_mut()
            .push(client.connect_finish(result).map(drop));
    });
    drop((client, target, resolver));
    let failed = answered(context, &outcomes).unwrap_err();
    match cancelled_at {
        Some(_) => assert!(failed.matches(IOErrorEnum::Cancelled), "{failed:?}"),
        None if host == "localhost" => {
            assert!(failed.matches(IOErrorEnum::ConnectionRefused), "{failed:?}");
        }
        None => assert!(failed.is::<ResolverError>(), "{failed:?}"),
    }
    iterate_until(context, || gone.iter().all(Gone::is_gone));
}

/// GLib 2.59.1: the enumerator of a name was used after it had gone.
#[test]
fn bug_36_an_enumerator_may_be_forgotten_before_it_answers_and_when_it_does() {
    on_private_context(|context| {
        for host in ["localhost", &nobody()] {
            for before in [true, false] {
                enumerate_by_hand(context, host, before);
            }
            for at in [None, Some(Event::Resolving)] {
                enumerate_by_client(context, host, at);
            }
        }
        for at in [Event::Resolved, Event::Connecting] {
            enumerate_by_client(context, "localhost", Some(at));
        }
    });
}

/// GLib 2.78.1: the time of a lookup was up while somebody cancelled it.
#[test]
fn bug_37_a_lookup_whose_time_is_up_while_it_is_cancelled_ends_once() {
    use_resolver_of_names();
    on_private_context_within(LIMIT * 3, |context| {
        const NEVER: u32 = 0;
        // Of these milliseconds each is the first, or neither.
        let times = [(20, NEVER), (NEVER, 20), (40, 20), (20, 40)];
        let times = times.into_iter().chain([(20, 20); 10]);
        for (limit, cancelled) in times {
            for form in [Form::Blocking, Form::Callback] {
                let client = SocketClient::new();
                client.set_connect_timeout(Duration::from_millis(limit.into()));
                let cancellable = Cancellable::new();
                let to = name("v6-never.v4-never.test", 1);
                let gone = [Gone::of(&client), Gone::of(&to), Gone::of(&cancellable)];
                let canceller = (cancelled != NEVER).then(|| {
                    let cancellable = cancellable.clone();
                    thread::spawn(move || {
                        thread::sleep(Duration::from_millis(cancelled.into()));
                        cancellable.cancel();
                    })
                });
                let failed = connect(form, &client, &to, Some(&cancellable), context).unwrap_err();
                let (late, cancelled) = (
                    failed.matches(IOErrorEnum::TimedOut),
                    failed.matches(IOErrorEnum::Cancelled),
                );
                assert!(late || cancelled, "{failed:?}");
                assert!(limit != NEVER || cancelled, "{failed:?}");
                assert!(canceller.is_some() || late, "{failed:?}");
                canceller.map(thread::JoinHandle::join);
                drop((client, to, cancellable));
                iterate_until(context, || gone.iter().all(Gone::is_gone));
            }
        }
        // What the last of those who blocked has left answers in the next wait.
        let to = name("v6-error-20.v4-error-20.test", 1);
        let last = connect(Form::Blocking, &SocketClient::new(), &to, None, context);
        assert!(last.unwrap_err().is::<ResolverError>());
    });
}

/// The same of GIO's resolver, by hand.
#[test]
fn bug_37_a_lookup_of_gios_that_is_cancelled_ends_once() {
    on_private_context(|context| {
        let resolver = system_resolver();
        for round in 0..50 {
            let cancellable = Cancellable::new();
            let outcomes = Outcomes::default();
            let slot = outcomes.clone();
            resolver.lookup_by_name_async(&nobody(), Some(&cancellable), move |found| {
                slot.borrow_mut().push(found.map(drop));
            });
            let canceller = cancellable.clone();
            let cancelling = thread::spawn(move || {
                thread::sleep(Duration::from_micros(20 * round));
                canceller.cancel();
            });
            let failed = answered(context, &outcomes).unwrap_err();
            let is_one = failed.matches(IOErrorEnum::Cancelled) || failed.is::<ResolverError>();
            assert!(is_one, "{failed:?}");
            cancelling.join().unwrap();
        }
    });
}

/// GLib 2.87.0: what is this machine's was told by the length of an address of IPv4 also where it was of IPv6.
#[test]
fn bug_40_a_name_of_this_machine_is_its_address_of_ipv6_where_nothing_else_answers() {
    on_private_context(|context| {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "LOCALHOST.", "of.localhost"] {
            for form in FORMS {
                let to = gio::NetworkAddress::new(host, port);
                let made = connect(form, &SocketClient::new(), &to, None, context);
                let remote = made.unwrap().remote_address().unwrap();
                assert_eq!(std_of(&remote).ip(), Ipv6Addr::LOCALHOST);
            }
            let to = gio::NetworkAddress::new(host, port);
            let made = connect_by_gio(&to);
            let remote = made.unwrap().remote_address().unwrap();
            assert_eq!(std_of(&remote).ip(), Ipv6Addr::LOCALHOST);
        }
    });
}

fn connect_by_gio(to: &gio::NetworkAddress) -> Result<gio::SocketConnection, glib::Error> {
    let client = gio::SocketClient::new();
    SocketClientExt::connect(&client, to, Cancellable::NONE)
}

fn std_of(address: &gio::SocketAddress) -> std::net::SocketAddr {
    let address: gio::InetSocketAddress = address.clone().downcast().unwrap();
    address.into()
}

/// What a connect by name comes to, of GIO's client and of ours in each form: the same.
#[track_caller]
fn outcome(context: &glib::MainContext, host: &str, port: u16) -> Result<(), glib::Error> {
    let to = gio::NetworkAddress::new(host, port);
    let gios = connect_by_gio(&to);
    let gios = gios.map(drop);
    for form in FORMS {
        let ours = connect(form, &SocketClient::new(), &to, None, context).map(drop);
        match (&gios, &ours) {
            (Ok(()), Ok(())) => {}
            (Err(gios), Err(ours)) => {
                let same = gios.domain() == ours.domain() && code_of(gios) == code_of(ours);
                assert!(same, "{form:?}: {gios:?}, {ours:?}");
            }
            _ => panic!("{form:?}: {gios:?}, {ours:?}"),
        }
    }
    gios
}

fn code_of(failure: &glib::Error) -> i32 {
    let failure: *const glib::ffi::GError = glib::translate::ToGlibPtr::to_glib_none(failure).0;
    unsafe { (*failure).code }
}

/// GLib 2.85.0: an interface without an address was looked at as if it had one.
#[test]
#[ignore = "makes a network of its own, which takes the right to: make nets runs it"]
fn bug_39_an_interface_without_an_address_harms_no_lookup() {
    in_a_network_of_its_own(
        "gios_bugs::bug_39_an_interface_without_an_address_harms_no_lookup",
        |network| {
            let _tunnel = network.add_tunnel();
            on_private_context(move |context| {
                let port = refused_address().port();
                outcome(context, "localhost", port).unwrap_err();
                assert!(
                    outcome(context, &nobody(), 1)
                        .unwrap_err()
                        .is::<ResolverError>()
                );
                network.raise_loopback();
                let failed = outcome(context, "localhost", port).unwrap_err();
                assert!(failed.matches(IOErrorEnum::ConnectionRefused));
                let (_listener, address) = listener();
                outcome(context, "localhost", address.port()).unwrap();
                assert!(
                    outcome(context, &nobody(), 1)
                        .unwrap_err()
                        .is::<ResolverError>()
                );
            });
        },
    );
}

/// GLib 2.87.0, where IPv6 is all that there is.
#[test]
#[ignore = "makes a network of its own, which takes the right to: make nets runs it"]
fn bug_40_where_there_is_ipv6_alone_this_machine_is_found() {
    in_a_network_of_its_own(
        "gios_bugs::bug_40_where_there_is_ipv6_alone_this_machine_is_found",
        |network| {
            network.raise_loopback();
            network.take_ipv4_away();
            on_private_context(|context| {
                TcpListener::bind(("127.0.0.1", 0)).unwrap_err();
                let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
                let port = listener.local_addr().unwrap().port();
                outcome(context, "localhost", port).unwrap();
                outcome(context, "::1", port).unwrap();
                drop(listener);
                outcome(context, "127.0.0.1", port).unwrap_err();
                let failed = outcome(context, "::1", port).unwrap_err();
                assert!(failed.matches(IOErrorEnum::ConnectionRefused));
            });
        },
    );
}
