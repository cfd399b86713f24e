//! Many accepts, many sockets, many connections: each is given out once, and in turn.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    net::{SocketAddr, TcpStream},
    rc::Rc,
};

use gio::{Cancellable, SocketType, prelude::*};
use gsock::{SocketConnection, SocketListener, prelude::*};

use crate::{support::*, tools::*};

fn ended(begun: &[Begun]) -> usize {
    begun.iter().filter(|one| one.borrow().is_some()).count()
}

/// The addresses of one connection, its client's first: who connects to another socket may have the same port.
type Ends = (SocketAddr, SocketAddr);

fn ends_of(accepted: &SocketConnection) -> Ends {
    let here = accepted.local_address().expect("connected");
    (peer_of(accepted), std_address(&here))
}

fn all_ends_of(peers: &[TcpStream]) -> BTreeSet<Ends> {
    let ends = peers
        .iter()
        .map(|peer| (peer.local_addr().unwrap(), peer.peer_addr().unwrap()));
    ends.collect()
}

/// Takes what has ended out.
fn take(begun: &mut Vec<Begun>) -> BTreeSet<Ends> {
    let (done, rest) = begun
        .drain(..)
        .partition::<Vec<_>, _>(|one| one.borrow().is_some());
    *begun = rest;
    let peers = done
        .into_iter()
        .map(|one| ends_of(&one.take().unwrap().unwrap().0));
    peers.collect()
}

/// LISTEN-28; LISTEN-29, where C stands still, up to GLib 2.85.3.
#[test]
fn bug_23_of_many_accepts_as_many_end_as_have_connected() {
    on_private_context(|context| {
        for sockets in 1..4 {
            let listener = SocketListener::new();
            let addresses: Vec<_> = (0..sockets)
                .map(|_| add_loopback(&listener, NONE))
                .collect();
            let mut begun: Vec<_> = (0..10).map(|_| begin(&listener, None)).collect();
            iterate_until(context, || !context.pending());
            let connect_some = |count: usize| -> Vec<_> {
                let address = addresses.iter().cycle();
                address.take(count).map(|one| connect(*one)).collect()
            };
            let peers = connect_some(4);
            iterate_until(context, || ended(&begun) == 4);
            iterate_until(context, || !context.pending());
            assert_eq!(ended(&begun), 4, "{sockets} sockets");
            assert_eq!(take(&mut begun), all_ends_of(&peers));

            let peers = connect_some(9);
            iterate_until(context, || ended(&begun) == 6);
            let mut seen = take(&mut begun);
            for _ in 0..3 {
                let (connection, _) = accept(Form::Blocking, &listener, None, context).unwrap();
                assert!(seen.insert(ends_of(&connection)), "given out twice");
            }
            assert_eq!(seen, all_ends_of(&peers));
        }
    });
}

/// Each callback accepts the next one, until there are as many.
fn accept_in_turn(listener: &SocketListener, seen: &Rc<RefCell<Vec<Ends>>>, most: usize) {
    let slot = seen.clone();
    listener.accept_async(Cancellable::NONE, move |listener, result| {
        let (connection, _) = listener.accept_finish(result).unwrap();
        slot.borrow_mut().push(ends_of(&connection));
        let so_far = slot.borrow().len();
        if so_far < most {
            accept_in_turn(listener, &slot, most);
        }
    });
}

/// GLib 2.85.3: what the sockets shared for one accept was freed when the first of them was ready.
#[test]
fn bug_21_where_many_sockets_are_ready_at_once_a_callback_may_accept_again() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let gone = Gone::of(&listener);
        let addresses: Vec<_> = (0..5).map(|_| add_loopback(&listener, NONE)).collect();
        let seen = Rc::default();
        accept_in_turn(&listener, &seen, addresses.len());
        iterate_until(context, || !context.pending());
        let peers: Vec<_> = addresses.into_iter().map(connect).collect();
        iterate_until(context, || seen.borrow().len() == peers.len());
        let seen: BTreeSet<_> = seen.take().into_iter().collect();
        assert_eq!(seen, all_ends_of(&peers));
        drop(listener);
        iterate_until(context, || gone.is_gone());
    });
}

/// GLib 2.59.3: an accept was answered once for each socket that was ready.
#[test]
fn bug_22_where_many_sockets_are_ready_at_once_one_accept_is_answered_once() {
    on_private_context(|context| {
        for sockets in 2..5 {
            let listener = SocketListener::new();
            let addresses: Vec<_> = (0..sockets)
                .map(|_| add_loopback(&listener, NONE))
                .collect();
            let mut begun = vec![begin(&listener, None)];
            iterate_until(context, || !context.pending());
            let peers: Vec<_> = addresses.into_iter().map(connect).collect();
            // It panics where it is called back again.
            iterate_until(context, || ended(&begun) == 1);
            iterate_until(context, || !context.pending());
            let mut seen = take(&mut begun);
            // Those that it was not answered with are there for others.
            for _ in 1..sockets {
                let (connection, _) = accept(Form::Callback, &listener, None, context).unwrap();
                assert!(seen.insert(ends_of(&connection)), "given out twice");
            }
            assert_eq!(seen, all_ends_of(&peers));
        }
    });
}

#[test]
fn two_sockets_that_are_ready_at_once_serve_two_accepts() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        let objects = [some_object(), some_object()];
        let addresses = objects
            .each_ref()
            .map(|object| add_loopback(&listener, Some(object)));
        let begun = [begin(&listener, None), begin(&listener, None)];
        iterate_until(context, || !context.pending());
        let peers = addresses.map(connect);
        iterate_until(context, || ended(&begun) == 2);
        let outcomes = begun.map(|one| one.take().unwrap().unwrap());
        let seen: BTreeSet<_> = outcomes.iter().map(|(one, _)| ends_of(one)).collect();
        assert_eq!(seen, all_ends_of(&peers));
        let sources: Vec<_> = outcomes
            .iter()
            .filter_map(|(_, source)| source.as_ref())
            .collect();
        assert!(objects.iter().all(|object| sources.contains(&object)));
    });
}

/// LISTEN-26; in C one of them is preferred.
#[test]
fn sockets_are_served_in_turn() {
    on_private_context(|context| {
        for form in FORMS {
            let listener = SocketListener::new();
            let objects = [some_object(), some_object(), some_object()];
            let addresses = objects
                .each_ref()
                .map(|object| add_loopback(&listener, Some(object)));
            let _peers: Vec<_> = addresses
                .iter()
                .flat_map(|address| [connect(*address), connect(*address), connect(*address)])
                .collect();
            for _ in 0..3 {
                let served: Vec<_> = (0..3)
                    .map(|_| accept(form, &listener, None, context).unwrap().1.unwrap())
                    .collect();
                let all = objects.iter().all(|object| served.contains(object));
                assert!(all, "{form:?}: each once in a round");
            }
        }
    });
}

#[test]
fn one_wake_up_is_enough_for_many_connections() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let mut begun: Vec<_> = (0..8).map(|_| begin(&listener, None)).collect();
        iterate_until(context, || !context.pending());
        let peers: Vec<_> = (0..8).map(|_| connect(address)).collect();
        iterate_until(context, || ended(&begun) == 8);
        assert_eq!(take(&mut begun), all_ends_of(&peers));
    });
}

#[test]
fn accepts_that_are_cancelled_among_others_take_nothing_from_them() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let cancellables: Vec<_> = (0..20).map(|_| Cancellable::new()).collect();
        let begun: Vec<_> = cancellables
            .iter()
            .map(|cancellable| begin(&listener, Some(cancellable)))
            .collect();
        iterate_until(context, || !context.pending());
        let peers: Vec<_> = (0..10).map(|_| connect(address)).collect();
        for cancellable in cancellables.iter().step_by(2) {
            cancellable.cancel();
        }
        iterate_until(context, || ended(&begun) == 20);
        let accepted: BTreeSet<_> = begun
            .iter()
            .filter_map(|one| one.take().unwrap().ok())
            .map(|(connection, _)| ends_of(&connection))
            .collect();
        assert_eq!(accepted, all_ends_of(&peers));
    });
}

#[test]
fn futures_and_callbacks_share_what_comes() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let mut begun: Vec<_> = (0..5).map(|_| begin(&listener, None)).collect();
        let futures = (0..5).map(|_| listener.accept_future());
        let all = futures::future::join_all(futures);
        iterate_until(context, || !context.pending());
        let peers: Vec<_> = (0..10).map(|_| connect(address)).collect();
        let mut seen: BTreeSet<_> = block_on(context, all)
            .into_iter()
            .map(|outcome| ends_of(&outcome.unwrap().0))
            .collect();
        iterate_until(context, || ended(&begun) == 5);
        seen.extend(take(&mut begun));
        assert_eq!(seen, all_ends_of(&peers));
    });
}

/// LISTEN-28: each accept in the context of its caller.
#[test]
fn accepts_of_two_contexts_share_a_listener() {
    on_private_context(|context| {
        let (listener, address) = listening();
        let other = glib::MainContext::new();
        let here = begin(&listener, None);
        let there = other
            .with_thread_default(|| begin(&listener, None))
            .unwrap();
        iterate_until(context, || !context.pending());
        iterate_until(&other, || !other.pending());
        let peers = [connect(address), connect(address)];
        iterate_until(&other, || there.borrow().is_some());
        iterate_until(context, || here.borrow().is_some());
        let outcomes = [here, there].map(|one| one.take().unwrap().unwrap());
        let seen: BTreeSet<_> = outcomes.iter().map(|(one, _)| ends_of(one)).collect();
        assert_eq!(seen, all_ends_of(&peers));
    });
}

#[test]
fn a_thousand_connections_come_out_once_each() {
    on_private_context(|context| {
        let listener = SocketListener::new();
        listener.set_backlog(100);
        let addresses = [add_loopback(&listener, NONE), add_loopback(&listener, NONE)];
        let mut seen = BTreeSet::new();
        for _ in 0..20 {
            let peers: Vec<_> = (0..50)
                .map(|at: usize| connect(addresses[at % 2]))
                .collect();
            let mut begun: Vec<_> = (0..50).map(|_| begin(&listener, None)).collect();
            iterate_until(context, || ended(&begun) == 50);
            let round = take(&mut begun);
            assert_eq!(round, all_ends_of(&peers));
            seen.extend(round);
        }
        assert!(
            seen.len() > 50,
            "ports are used again at the earliest after a while"
        );
    });
}

#[test]
fn a_socket_that_was_added_twice_serves_each_connection_once() {
    on_private_context(|context| {
        let (socket, address) = listening_socket();
        assert_eq!(socket.socket_type(), SocketType::Stream);
        let listener = SocketListener::new();
        listener.add_socket(&socket, NONE).unwrap();
        listener.add_socket(&socket, NONE).unwrap();
        for form in FORMS {
            let peers = [connect(address), connect(address)];
            let seen: BTreeSet<_> = (0..2)
                .map(|_| ends_of(&accept(form, &listener, None, context).unwrap().0))
                .collect();
            assert_eq!(seen, all_ends_of(&peers));
        }
        let begun = begin(&listener, None);
        iterate_until(context, || !context.pending());
        let peer = connect(address);
        iterate_until(context, || begun.borrow().is_some());
        let (connection, _) = begun.take().unwrap().unwrap();
        assert_eq!(peer_of(&connection), peer.local_addr().unwrap());
    });
}
