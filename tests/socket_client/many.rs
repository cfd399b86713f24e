//! Many connects at once.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    io::Write,
    os::fd::AsRawFd,
    rc::Rc,
    thread,
};

use gio::{Cancellable, prelude::*};
use gsock::{SocketClient, prelude::*};

use crate::{support::*, tools::*};

const MANY: usize = 1000;

/// Both ends of each are in this process.
fn allow_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: room for the answer, and that with another number.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        let wanted = limit.rlim_cur.max(2 * MANY as libc::rlim_t + 500);
        limit.rlim_cur = wanted.min(limit.rlim_max);
        limit.rlim_cur >= wanted && libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
    };
    assert!(raised, "this process may not have as many descriptors");
}

/// Each gets the number under which it was accepted.
fn numbering_server() -> (
    std::net::SocketAddr,
    thread::JoinHandle<Vec<std::net::TcpStream>>,
) {
    let (listener, address) = listener();
    // Where its queue is full the kernel drops what comes, and the client's tries again after seconds.
    // SAFETY: a descriptor that listens already; only the length of its queue changes.
    let outcome = unsafe { libc::listen(listener.as_raw_fd(), MANY as libc::c_int) };
    assert_eq!(outcome, 0);
    let accepting = thread::spawn(move || {
        (0..MANY)
            .map(|number| {
                let (mut peer, _) = listener.accept().unwrap();
                peer.write_all(&u32::try_from(number).unwrap().to_le_bytes())
                    .unwrap();
                peer
            })
            .collect()
    });
    (address, accepting)
}

#[test]
fn a_thousand_connects_of_one_client_at_once_lose_none() {
    on_private_context_within(LIMIT * 3, |context| {
        allow_descriptors();
        for is_future in [false, true] {
            let (address, accepting) = numbering_server();
            let client = SocketClient::new();
            let (ends, most, under_way) = (
                Rc::new(Cell::new(0_usize)),
                Rc::new(Cell::new(0_usize)),
                Rc::new(Cell::new(0_usize)),
            );
            let (counted, open) = (most.clone(), under_way.clone());
            client.connect_event(move |_, event, _, _| match event {
                gio::SocketClientEvent::Resolving => {
                    open.set(open.get() + 1);
                    counted.set(counted.get().max(open.get()));
                }
                gio::SocketClientEvent::Complete => open.set(open.get() - 1),
                _ => {}
            });
            let made = Rc::new(RefCell::new(Vec::new()));
            for number in 0..MANY {
                // By a name, by an address, by a host: all at once.
                let to: gio::SocketConnectable = if number % 2 == 0 {
                    gio_address(address).upcast()
                } else {
                    name("v6-none.v4-ok.test", address.port()).upcast()
                };
                let (ends, made) = (ends.clone(), made.clone());
                let end = move |connection: Result<_, glib::Error>| {
                    made.borrow_mut().push(connection.unwrap());
                    ends.set(ends.get() + 1);
                };
                if is_future {
                    let connecting = client.connect_future(&to);
                    context.spawn_local(async move { end(connecting.await) });
                } else {
                    client.connect_async(&to, Cancellable::NONE, move |client, result| {
                        end(client.connect_finish(result));
                    });
                }
            }
            iterate_until(context, || ends.get() == MANY);
            let _peers = accepting.join().unwrap();
            assert!(most.get() > 1, "one after the other");
            let numbers: HashSet<Vec<u8>> = made
                .take()
                .into_iter()
                .map(|connection: gsock::SocketConnection| {
                    let input = connection.input_stream();
                    let mut number = vec![0; 4];
                    input.read_all(&mut number, Cancellable::NONE).unwrap();
                    number
                })
                .collect();
            assert_eq!(numbers.len(), MANY);
        }
    });
}
