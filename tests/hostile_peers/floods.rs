//! More connections than are wanted.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::{Duration, Instant},
};

use gsock::prelude::*;

use crate::{
    guests::{VISITS, connect_from, how_many, visit},
    servers::{Kind, Server},
    support::*,
};

const KINDS: [Kind; 4] = [
    Kind::Service,
    Kind::Listener,
    Kind::Framed,
    Kind::Threaded(-1),
];

/// Whether the other side has ended it.
fn is_ended(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).expect("an option");
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// One address has four places at most, however often it comes; the rest is others'.
#[test]
fn a_flood_from_one_address_leaves_room_for_others() {
    for kind in KINDS {
        on_private_context_within(LIMIT * 3, move |context| {
            let server = Server::start(context, kind);
            server.listener().set_max_connections(8);
            server.listener().set_max_connections_per_peer(4);
            let mut flood: Vec<TcpStream> = (0..how_many())
                .map(|_| connect_from(Ipv4Addr::LOCALHOST, server.address).expect("it listens"))
                .collect();
            let visits = visit(server.address, VISITS);
            let mut most = 0;
            iterate_until(context, || {
                most = most.max(server.listener().active_connections());
                visits.is_finished()
            });
            assert_eq!(visits.join().expect("no panic"), VISITS, "{kind:?}");
            // Four of the flood, and the visitor.
            assert!((4..=8).contains(&most), "{kind:?}: {most} at once");
            let held = |flood: &mut Vec<TcpStream>| {
                flood
                    .iter_mut()
                    .filter_map(|one| (!is_ended(one)).then_some(()))
                    .count()
            };
            // Threads let those go that say nothing, and that frees no place for those who were refused.
            iterate_until(context, || held(&mut flood) <= 4);
            assert!(
                server.listener().refused() >= (how_many() - 4) as u64,
                "{kind:?}"
            );
            drop(flood);
            server.end(context);
        });
    }
}

/// From many addresses: no more than so many at once, the others wait in the kernel, and each has his turn.
#[test]
fn a_flood_from_many_addresses_is_served_as_places_become_free() {
    for kind in KINDS {
        on_private_context_within(LIMIT * 3, move |context| {
            let server = Server::start(context, kind);
            server.listener().set_max_connections(8);
            let mut flood: Vec<TcpStream> = (0..how_many())
                .map(|number| {
                    let from =
                        Ipv4Addr::new(127, 0, 1, u8::try_from(number % 250 + 1).expect("small"));
                    let mut one = connect_from(from, server.address).expect("it listens");
                    one.write_all(b"me\n").expect("room for a line");
                    one
                })
                .collect();
            let (mut answered, mut most) = (0, 0);
            while !flood.is_empty() {
                iterate_for(context, Duration::from_millis(5));
                most = most.max(server.listener().active_connections());
                // Whoever has his answer goes.
                flood.retain_mut(|one| {
                    one.set_nonblocking(true).expect("an option");
                    let has_answer = one.read(&mut [0; 8]).is_ok_and(|count| count > 0);
                    answered += usize::from(has_answer);
                    !has_answer
                });
            }
            assert_eq!(answered, how_many(), "{kind:?}");
            assert!(most <= 8, "{kind:?}: {most} at once");
            server.end(context);
        });
    }
}

/// So many a second and a tenth of that at once, whoever comes; whoever waits is served in the end.
#[test]
fn a_flood_faster_than_the_rate_is_taken_at_the_rate() {
    const RATE: u32 = 200;
    for kind in KINDS {
        on_private_context_within(LIMIT * 3, move |context| {
            let server = Server::start(context, kind);
            server.listener().set_accept_rate(RATE);
            let begin = Instant::now();
            let flood: Vec<TcpStream> = (0..how_many().min(400))
                .map(|_| connect_from(Ipv4Addr::LOCALHOST, server.address).expect("it listens"))
                .collect();
            let visits = visit(server.address, VISITS);
            iterate_until(context, || {
                // Looked at before the clock, so that no time is missing.
                let accepted = server.listener().accepted();
                let passed = begin.elapsed().as_secs_f64();
                let most = f64::from(RATE / 10) + f64::from(RATE) * passed + 1.0;
                assert!(
                    accepted as f64 <= most,
                    "{kind:?}: {accepted} after {passed} s"
                );
                visits.is_finished()
            });
            assert_eq!(visits.join().expect("no panic"), VISITS, "{kind:?}");
            drop(flood);
            server.end(context);
        });
    }
}
