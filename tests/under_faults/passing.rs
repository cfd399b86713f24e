//! Descriptors and credentials while system calls fail.

use std::{
    cell::RefCell,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    rc::Rc,
    thread,
};

use gio::prelude::*;
use gsock::{SocketConnection, UnixConnection, prelude::*};

use crate::{
    ends::{Kind, Peer, around, pair},
    scene::{Own, Scene, drive, iterate_while, pause, play_the_peer},
    unix_messages::{Parcel, send_by_hand},
};

/// How often each is passed.
const ROUNDS: usize = 3;
const NOBODY: Option<&gio::Cancellable> = gio::Cancellable::NONE;

#[derive(Clone, Copy)]
enum Form {
    Blocking,
    Async,
}

/// Runs one that is started, to its end.
fn ended<T: 'static>(
    scene: &Scene<'_>,
    start: impl FnOnce(Box<dyn FnOnce(Result<T, glib::Error>)>),
) -> Result<T, glib::Error> {
    let place = Rc::new(RefCell::new(None));
    let put = place.clone();
    start(Box::new(move |result| {
        let before = put.borrow_mut().replace(result);
        assert!(before.is_none(), "answered twice");
    }));
    iterate_while(scene.context, || place.borrow().is_none());
    while scene.context.iteration(false) {}
    place.take().expect("it has ended")
}

/// One by the function for one, more by that for more.
fn receive_fds(
    scene: &Scene<'_>,
    form: Form,
    count: usize,
    one: &UnixConnection,
) -> Result<Vec<OwnedFd>, glib::Error> {
    match (form, count) {
        (Form::Blocking, 1) => one.receive_fd(NOBODY).map(|fd| vec![fd]),
        (Form::Blocking, _) => one.receive_fds(count, NOBODY),
        (Form::Async, 1) => ended(scene, |put| {
            one.receive_fd_async(NOBODY, |one, result| {
                put(one.receive_fd_finish(result).map(|fd| vec![fd]));
            });
        }),
        (Form::Async, _) => ended(scene, |put| {
            one.receive_fds_async(count, NOBODY, |one, result| {
                put(one.receive_fds_finish(result));
            });
        }),
    }
}

fn receive_credentials(
    scene: &Scene<'_>,
    form: Form,
    one: &UnixConnection,
) -> Result<gio::Credentials, glib::Error> {
    match form {
        Form::Blocking => one.receive_credentials(NOBODY),
        Form::Async => ended(scene, |put| {
            one.receive_credentials_async(NOBODY, |one, result| {
                put(one.receive_credentials_finish(result));
            });
        }),
    }
}

/// Likewise.
fn send_fds(
    scene: &Scene<'_>,
    form: Form,
    one: &UnixConnection,
    fds: &[BorrowedFd<'_>],
) -> Result<(), glib::Error> {
    match (form, fds) {
        (Form::Blocking, [fd]) => one.send_fd(*fd, NOBODY),
        (Form::Blocking, fds) => one.send_fds(fds, NOBODY),
        (Form::Async, [fd]) => ended(scene, |put| {
            one.send_fd_async(*fd, NOBODY, |one, result| put(one.send_fd_finish(result)));
        }),
        (Form::Async, fds) => ended(scene, |put| {
            one.send_fds_async(fds, NOBODY, |one, result| put(one.send_fds_finish(result)));
        }),
    }
}

fn send_credentials(
    scene: &Scene<'_>,
    form: Form,
    one: &UnixConnection,
) -> Result<(), glib::Error> {
    match form {
        Form::Blocking => one.send_credentials(NOBODY),
        Form::Async => ended(scene, |put| {
            one.send_credentials_async(NOBODY, |one, result| {
                put(one.send_credentials_finish(result));
            });
        }),
    }
}

fn connected(scene: &Scene<'_>, bare: bool) -> (UnixConnection, OwnedFd) {
    let kind = Kind { unix: true, bare };
    let (peer, fd) = pair(kind);
    let Peer::Unix(peer) = peer else {
        unreachable!("a Unix socket");
    };
    let connection = around(scene, kind, fd);
    (connection.downcast().expect("Unix"), peer.into())
}

/// What has arrived of what the peer sends in turn, descriptors and its credentials.
#[derive(Default)]
struct Arrived {
    fds: Vec<OwnedFd>,
    credentials: usize,
}

fn receive_the_rest(
    scene: &Scene<'_>,
    form: Form,
    count: usize,
    one: &UnixConnection,
    arrived: &mut Arrived,
) -> Result<(), glib::Error> {
    while arrived.credentials < ROUNDS {
        if arrived.fds.len() == arrived.credentials * count {
            let fds = receive_fds(scene, form, count, one)?;
            assert_eq!(fds.len(), count);
            arrived.fds.extend(fds);
        } else {
            receive_credentials(scene, form, one)?;
            arrived.credentials += 1;
        }
    }
    Ok(())
}

/// Nothing is lost, also where receiving failed: what it did not take is there for the next one.
fn receives(bare: bool, form: Form, count: usize) {
    let own = Own {
        calls: &["recvmsg"],
        again: &[("recvmsg", libc::EINTR), ("recvmsg", libc::EAGAIN)],
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let (connection, peer) = connected(scene, bare);
        let mut parcel = Parcel::new();
        let file = parcel.fd().try_clone_to_owned().expect("room");
        let peer = thread::spawn(move || {
            play_the_peer();
            for _ in 0..ROUNDS {
                pause();
                send_by_hand(&peer, b"\0", &vec![file.as_fd(); count], false);
                pause();
                send_by_hand(&peer, b"\0", &[], true);
            }
            peer
        });
        let mut arrived = Arrived::default();
        let outcome =
            scene.under_faults(|| receive_the_rest(scene, form, count, &connection, &mut arrived));
        if outcome.is_err() {
            let rest = receive_the_rest(scene, form, count, &connection, &mut arrived);
            rest.expect("nothing fails any more");
        }
        assert_eq!(arrived.fds.len(), ROUNDS * count);
        assert!(arrived.fds.iter().all(|fd| parcel.is(fd)));
        assert_eq!(connection.bytes_read(), 2 * ROUNDS as u64);
        connection.close(NOBODY).expect("open");
        peer.join().expect("no panic");
        drop(arrived);
        assert!(parcel.is_closed_everywhere());
        outcome
    });
}

/// The peer gets each once, also where sending failed: nothing was sent then.
fn sends(bare: bool, form: Form, count: usize) {
    let own = Own {
        calls: &["sendmsg"],
        again: &[],
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
    drive(own, move |scene| {
        let (connection, peer) = connected(scene, bare);
        let mut parcel = Parcel::new();
        let peer = thread::spawn(move || {
            play_the_peer();
            let peer = SocketConnection::factory_create_connection_from_fd(peer);
            let peer: UnixConnection = peer.expect("a socket").downcast().expect("Unix");
            let fds: Vec<OwnedFd> = (0..ROUNDS)
                .flat_map(|_| {
                    let fds = peer.receive_fds(count, NOBODY).expect("sent");
                    peer.receive_credentials(NOBODY).expect("sent");
                    fds
                })
                .collect();
            fds
        });
        let sent = RefCell::new(0);
        let rest = || {
            while *sent.borrow() < 2 * ROUNDS {
                if sent.borrow().is_multiple_of(2) {
                    send_fds(scene, form, &connection, &vec![parcel.fd(); count])?;
                } else {
                    send_credentials(scene, form, &connection)?;
                }
                *sent.borrow_mut() += 1;
            }
            Ok(())
        };
        let outcome = scene.under_faults(rest);
        if outcome.is_err() {
            rest().expect("nothing fails any more");
        }
        assert_eq!(connection.bytes_written(), 2 * ROUNDS as u64);
        let fds = peer.join().expect("no panic");
        assert_eq!(fds.len(), ROUNDS * count);
        assert!(fds.iter().all(|fd| parcel.is(fd)));
        connection.close(NOBODY).expect("open");
        drop(fds);
        assert!(parcel.is_closed_everywhere());
        outcome
    });
}

macro_rules! drivers {
    ($($name:ident: $body:expr;)*) => {$(
        #[test]
        fn $name() {
            $body;
        }
    )*};
}

drivers! {
    receive_blocking: receives(false, Form::Blocking, 1);
    receive_blocking_bare: receives(true, Form::Blocking, 1);
    receive_async: receives(false, Form::Async, 1);
    receive_async_bare: receives(true, Form::Async, 1);
    receive_many_blocking: receives(false, Form::Blocking, 3);
    receive_many_async_bare: receives(true, Form::Async, 3);
    send_blocking: sends(false, Form::Blocking, 1);
    send_blocking_bare: sends(true, Form::Blocking, 1);
    send_async: sends(false, Form::Async, 1);
    send_async_bare: sends(true, Form::Async, 1);
    send_many_blocking_bare: sends(true, Form::Blocking, 3);
    send_many_async: sends(false, Form::Async, 3);
}
