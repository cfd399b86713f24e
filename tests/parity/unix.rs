//! `GUnixConnection` fact by fact: descriptors and credentials that travel with a byte.

use std::{
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use gio::{Cancellable, IOErrorEnum, SocketFamily, SocketType, prelude::*};
use gsock::{UnixConnection, prelude::*};

use crate::{
    by_hand::signals_of, classes::slots_of, differs::differs, support::*, tools::*, under::*,
    unix_tools::*,
};

on_both!(
    unix_1_it_is_a_connection_and_adds_nothing_but_operations,
    unix_2_they_take_no_notice_of_streams_that_are_busy,
    unix_3_a_descriptor_is_sent_with_one_zero_byte,
    unix_4_what_cannot_be_sent_says_why,
    unix_5_what_is_received_is_close_on_exec_whatever_the_byte,
    unix_6_two_descriptors_are_one_too_many_and_are_closed,
    unix_6_a_wait_ends_when_it_is_cancelled_or_out_of_time,
    unix_9_credentials_are_sent_with_one_zero_byte,
    unix_10_the_senders_credentials_arrive_and_the_option_is_off_again,
    unix_11_descriptors_are_no_credentials,
    unix_14_credentials_answer_in_the_context_of_the_call,
    unix_15_each_takes_one_byte_and_data_stands_between,
    unix_17_what_nobody_knows_comes_along_unnoticed,
    unix_18_a_read_loses_what_came_along,
);

const NOBODY: Option<&Cancellable> = Cancellable::NONE;

/// A connection around a Unix socket, and the peer's end.
pub(crate) fn connected(side: Side) -> (Under, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    let socket = gio::Socket::from_fd(OwnedFd::from(ours)).unwrap();
    (side.around(&socket), peer)
}

fn class_of(side: Side) -> glib::Type {
    match side {
        Side::Gio => gio::UnixConnection::static_type(),
        Side::Ours => UnixConnection::static_type(),
    }
}

/// What GIO answers at the end of file: no descriptor, and no error.
pub(crate) type Received = Result<Option<OwnedFd>, IOErrorEnum>;

fn gios(under: &Under) -> &gio::UnixConnection {
    under.downcast_ref().unwrap()
}

fn ours(under: &Under) -> &UnixConnection {
    under.downcast_ref().unwrap()
}

fn send_fd(under: &Under, fd: RawFd, cancellable: Option<&Cancellable>) -> Outcome {
    let sent = match under.side() {
        Side::Gio => gios(under).send_fd(fd, cancellable),
        Side::Ours => {
            // SAFETY: whatever the number, the kernel looks at it.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            ours(under).send_fd(fd, cancellable)
        }
    };
    sent.into()
}

pub(crate) fn receive_fd(under: &Under, cancellable: Option<&Cancellable>) -> Received {
    let received = match under.side() {
        Side::Gio => gios(under).receive_fd(cancellable).map(|fd| {
            // SAFETY: gio-rs answers with the number, which is the caller's.
            (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
        }),
        Side::Ours => ours(under).receive_fd(cancellable).map(Some),
    };
    received.map_err(|failure| code(&failure))
}

fn send_credentials(under: &Under, cancellable: Option<&Cancellable>) -> Outcome {
    let sent = match under.side() {
        Side::Gio => gios(under).send_credentials(cancellable),
        Side::Ours => ours(under).send_credentials(cancellable),
    };
    sent.into()
}

/// The number of the sender's process.
pub(crate) fn receive_credentials(
    under: &Under,
    cancellable: Option<&Cancellable>,
) -> Result<u32, IOErrorEnum> {
    let received = match under.side() {
        Side::Gio => gios(under).receive_credentials(cancellable),
        Side::Ours => ours(under).receive_credentials(cancellable),
    };
    pid(received)
}

pub(crate) fn start_receive_credentials(under: &Under) -> Slot<Result<u32, IOErrorEnum>> {
    let slot = Slot::new();
    let put = slot.put();
    match under.side() {
        Side::Gio => {
            gios(under).receive_credentials_async(NOBODY, move |received| put(pid(received)));
        }
        Side::Ours => ours(under).receive_credentials_async(NOBODY, move |under, result| {
            put(pid(under.receive_credentials_finish(result)));
        }),
    }
    slot
}

pub(crate) fn start_send_credentials(under: &Under) -> Slot<Outcome> {
    let slot = Slot::new();
    let put = slot.put();
    match under.side() {
        Side::Gio => gios(under).send_credentials_async(NOBODY, move |sent| put(sent.into())),
        Side::Ours => ours(under).send_credentials_async(NOBODY, move |under, result| {
            put(under.send_credentials_finish(result).into());
        }),
    }
    slot
}

fn pid(received: Result<gio::Credentials, glib::Error>) -> Result<u32, IOErrorEnum> {
    let credentials = received.map_err(|failure| code(&failure))?;
    Ok(credentials.unix_pid().unwrap().unsigned_abs())
}

fn our_pid() -> u32 {
    std::process::id()
}

fn read_byte(under: &Under) -> u8 {
    let mut byte = [0];
    assert_eq!(under.input().read(&mut byte, NOBODY).unwrap(), 1);
    byte[0]
}

/// A connection of the class for Unix sockets whatever the factory says, and the peer's end.
fn with_packets(side: Side) -> (Under, OwnedFd) {
    let [ours, peer] = sockets(PACKETS);
    let socket = gio::Socket::from_fd(ours).unwrap();
    let connection = glib::Object::builder_with_type(class_of(side)).property("socket", &socket);
    let connection: glib::Object = connection.build();
    (side.wrap(connection.downcast().unwrap()), peer)
}

// --- The same ------------------------------------------------------------------------------------

fn unix_1_it_is_a_connection_and_adds_nothing_but_operations(side: Side, _: &glib::MainContext) {
    let type_ = class_of(side);
    assert_eq!(type_.parent(), Some(side.base()));
    assert_eq!(*type_.interfaces(), []);
    assert_eq!(signals_of(type_), 0);
    let properties = |type_| {
        let class = glib::Class::<glib::Object>::from_type(type_).unwrap();
        class.list_properties().len()
    };
    assert_eq!(properties(type_), properties(side.base()));
    let (own, parents) = (slots_of(type_), slots_of(side.base()));
    let [input, output, _, close_async, close_finish] = [0, 1, 2, 3, 4];
    for slot in [input, output, close_async, close_finish] {
        assert_eq!(own[slot], parents[slot]);
    }
    let (under, _peer) = connected(side);
    assert_eq!(under.type_(), type_);
}

fn unix_2_they_take_no_notice_of_streams_that_are_busy(side: Side, _: &glib::MainContext) {
    let (under, peer) = connected(side);
    let (input, output) = (under.input(), under.output());
    input.set_pending().unwrap();
    output.set_pending().unwrap();
    let parcel = Parcel::new();
    send_by_hand(&peer, b"\0", &[parcel.fd()], false);
    assert!(parcel.is(&receive_fd(&under, None).unwrap().unwrap()));
    assert_eq!(send_credentials(&under, None), Done);
    input.clear_pending();
    output.clear_pending();
}

fn unix_3_a_descriptor_is_sent_with_one_zero_byte(side: Side, _: &glib::MainContext) {
    let (under, peer) = connected(side);
    let mut parcel = Parcel::new();
    assert_eq!(send_fd(&under, parcel.fd().as_raw_fd(), None), Done);
    // The sender's stays open.
    let peer = unix(peer);
    let fds = peer.receive_fds(9, NOBODY).unwrap();
    assert_eq!(fds.len(), 1);
    assert!(parcel.is(&fds[0]));
    drop(fds);
    assert_eq!(send_fd(&under, parcel.fd().as_raw_fd(), None), Done);
    let mut bytes = [1; 4];
    assert_eq!(peer.input_stream().read(&mut bytes, NOBODY).unwrap(), 1);
    assert_eq!(bytes[0], 0);
    assert!(parcel.is_closed_everywhere());
}

fn unix_4_what_cannot_be_sent_says_why(side: Side, _: &glib::MainContext) {
    let parcel = Parcel::new();
    let fd = parcel.fd().as_raw_fd();
    let (under, peer) = connected(side);
    // What is not open.
    assert_eq!(send_fd(&under, 1_000_000, None), Fails(IOErrorEnum::Failed));
    let cancelled = Cancellable::new();
    cancelled.cancel();
    let outcomes = |under: &Under, cancellable: Option<&Cancellable>| {
        [
            send_fd(under, fd, cancellable),
            send_credentials(under, cancellable),
        ]
    };
    assert_eq!(
        outcomes(&under, Some(&cancelled)),
        [(); 2].map(|()| Fails(IOErrorEnum::Cancelled))
    );
    under.socket().set_timeout(1);
    let mut sent = 0;
    let ended = loop {
        match send_credentials(&under, None) {
            Done => sent += 1,
            other => break other,
        }
    };
    assert_eq!(ended, Fails(IOErrorEnum::TimedOut));
    assert!(sent > 0);
    drop(peer);
    assert_eq!(
        outcomes(&under, None),
        [(); 2].map(|()| Fails(IOErrorEnum::BrokenPipe))
    );
    under.close(NOBODY).unwrap();
    assert_eq!(
        outcomes(&under, None),
        [(); 2].map(|()| Fails(IOErrorEnum::Closed))
    );
}

fn unix_5_what_is_received_is_close_on_exec_whatever_the_byte(side: Side, _: &glib::MainContext) {
    let (under, peer) = connected(side);
    let parcel = Parcel::new();
    for byte in [b"\0", b"x"] {
        send_by_hand(&peer, byte, &[parcel.fd()], false);
        let fd = receive_fd(&under, None).unwrap().unwrap();
        assert!(parcel.is(&fd));
        assert!(is_close_on_exec(&fd));
    }
    // One byte and no more.
    send_by_hand(&peer, b"xy", &[parcel.fd()], false);
    assert!(parcel.is(&receive_fd(&under, None).unwrap().unwrap()));
    assert_eq!(read_byte(&under), b'y');
}

fn unix_6_two_descriptors_are_one_too_many_and_are_closed(side: Side, _: &glib::MainContext) {
    let (under, peer) = connected(side);
    let mut parcel = Parcel::new();
    send_by_hand(&peer, b"\0", &[parcel.fd(), parcel.fd()], false);
    send_bytes(&peer, b"next");
    assert_eq!(receive_fd(&under, None).err(), Some(IOErrorEnum::Failed));
    assert_eq!(read_byte(&under), b'n');
    assert!(parcel.is_closed_everywhere());
}

fn unix_6_a_wait_ends_when_it_is_cancelled_or_out_of_time(side: Side, _: &glib::MainContext) {
    let (under, _peer) = connected(side);
    let cancellable = Cancellable::new();
    let for_thread = cancellable.clone();
    let waiting = on_thread(&under, move |under| {
        [
            receive_fd(under, Some(&for_thread)).err(),
            receive_credentials(under, Some(&for_thread)).err(),
        ]
    });
    a_moment();
    assert!(!waiting.is_finished());
    cancellable.cancel();
    assert_eq!(waiting.join().unwrap(), [Some(IOErrorEnum::Cancelled); 2]);
    under.socket().set_timeout(1);
    assert_eq!(receive_fd(&under, None).err(), Some(IOErrorEnum::TimedOut));
    assert_eq!(
        receive_credentials(&under, None),
        Err(IOErrorEnum::TimedOut)
    );
}

fn unix_9_credentials_are_sent_with_one_zero_byte(side: Side, context: &glib::MainContext) {
    let (under, peer) = connected(side);
    let peer = unix(peer);
    assert_eq!(send_credentials(&under, None), Done);
    assert_eq!(start_send_credentials(&under).wait(context), Done);
    let credentials = peer.receive_credentials(NOBODY).unwrap();
    credentials.is_same_user(&gio::Credentials::new()).unwrap();
    assert_eq!(pid(Ok(credentials)), Ok(our_pid()));
    let mut bytes = [1; 4];
    assert_eq!(peer.input_stream().read(&mut bytes, NOBODY).unwrap(), 1);
    assert_eq!(bytes[0], 0);
}

fn unix_10_the_senders_credentials_arrive_and_the_option_is_off_again(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, peer) = connected(side);
    for byte in [b"\0", b"x"] {
        send_by_hand(&peer, byte, &[], true);
        send_by_hand(&peer, byte, &[], true);
        assert_eq!(receive_credentials(&under, None), Ok(our_pid()));
        let received = start_receive_credentials(&under).wait(context);
        assert_eq!(received, Ok(our_pid()));
    }
    assert_eq!(option(&under.socket(), libc::SO_PASSCRED), 0);
    set_option(&under.socket(), libc::SO_PASSCRED, 1);
    send_by_hand(&peer, b"\0", &[], true);
    assert_eq!(receive_credentials(&under, None), Ok(our_pid()));
    assert_eq!(option(&under.socket(), libc::SO_PASSCRED), 1);
}

fn unix_11_descriptors_are_no_credentials(side: Side, _: &glib::MainContext) {
    let (under, peer) = connected(side);
    let parcel = Parcel::new();
    send_by_hand(&peer, b"\0", &[parcel.fd()], false);
    assert_eq!(receive_credentials(&under, None), Err(IOErrorEnum::Failed));
}

fn unix_14_credentials_answer_in_the_context_of_the_call(side: Side, context: &glib::MainContext) {
    let (under, peer) = connected(side);
    let waiting = start_receive_credentials(&under);
    settle(context, Duration::from_millis(20));
    assert!(!waiting.is_set());
    send_by_hand(&peer, b"\0", &[], true);
    // Nothing is told outside of the context.
    a_moment();
    assert!(!waiting.is_set());
    assert_eq!(waiting.wait(context), Ok(our_pid()));
    let sending = start_send_credentials(&under);
    a_moment();
    assert!(!sending.is_set());
    assert_eq!(sending.wait(context), Done);
}

fn unix_15_each_takes_one_byte_and_data_stands_between(side: Side, _: &glib::MainContext) {
    let (under, peer) = connected(side);
    let parcel = Parcel::new();
    send_by_hand(&peer, b"\0", &[parcel.fd()], false);
    send_bytes(&peer, b"A");
    send_by_hand(&peer, b"\0", &[], true);
    send_bytes(&peer, b"B");
    send_by_hand(&peer, b"\0", &[parcel.fd()], false);
    assert!(parcel.is(&receive_fd(&under, None).unwrap().unwrap()));
    assert_eq!(read_byte(&under), b'A');
    assert_eq!(receive_credentials(&under, None), Ok(our_pid()));
    assert_eq!(read_byte(&under), b'B');
    assert!(parcel.is(&receive_fd(&under, None).unwrap().unwrap()));
}

/// The kernel says of each packet when it came, and nobody has a type for that.
fn unix_17_what_nobody_knows_comes_along_unnoticed(side: Side, _: &glib::MainContext) {
    let (under, peer) = with_packets(side);
    set_option(&under.socket(), libc::SO_TIMESTAMP, 1);
    let mut parcel = Parcel::new();
    send_by_hand(&peer, b"\0", &[parcel.fd()], false);
    assert!(parcel.is(&receive_fd(&under, None).unwrap().unwrap()));
    send_by_hand(&peer, b"\0", &[], true);
    assert_eq!(receive_credentials(&under, None), Ok(our_pid()));
    assert!(parcel.is_closed_everywhere());
}

fn unix_18_a_read_loses_what_came_along(side: Side, _: &glib::MainContext) {
    let (under, peer) = connected(side);
    let mut parcel = Parcel::new();
    send_by_hand(&peer, b"\0", &[parcel.fd()], false);
    assert_eq!(read_byte(&under), 0);
    assert!(parcel.is_closed_everywhere());
}

// --- Not the same --------------------------------------------------------------------------------

/// UNIX-2, which `connect_async` brings about: SC-10.
#[test]
fn differs_f1_descriptors_and_credentials_wait_on_a_nonblocking_socket_too() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, peer) = connected(side);
                under.socket().set_blocking(false);
                let sender = on_thread(&peer.try_clone().map(OwnedFd::from).map(unix).unwrap(), {
                    |peer| {
                        a_moment();
                        let parcel = Parcel::new();
                        peer.send_fd(parcel.fd(), NOBODY).unwrap();
                        a_moment();
                        peer.send_credentials(NOBODY).unwrap();
                        a_moment();
                        peer.send_credentials(NOBODY).unwrap();
                    }
                });
                let outcomes = [
                    receive_fd(&under, None).err(),
                    receive_credentials(&under, None).err(),
                    start_receive_credentials(&under).wait(context).err(),
                ];
                sender.join().unwrap();
                outcomes
            },
            [Some(IOErrorEnum::WouldBlock); 3],
            [None; 3],
        );
    });
}

/// UNIX-6.
#[test]
fn differs_f15_the_end_is_an_error() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, peer) = connected(side);
                drop(peer);
                receive_fd(&under, None).map(|fd| fd.is_some())
            },
            Ok(false),
            Err(IOErrorEnum::BrokenPipe),
        );
    });
}

/// UNIX-6, UNIX-8, UNIX-15: what is not a descriptor.
#[test]
fn differs_f15_what_has_no_descriptor_is_left_where_it_is() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, peer) = connected(side);
                send_bytes(&peer, b"AB");
                assert_eq!(receive_fd(&under, None).err(), Some(IOErrorEnum::Failed));
                let data = read_byte(&under);
                let (under, peer) = connected(side);
                send_by_hand(&peer, b"\0", &[], true);
                send_bytes(&peer, b"C");
                assert_eq!(receive_fd(&under, None).err(), Some(IOErrorEnum::Failed));
                (data, read_byte(&under))
            },
            (b'B', b'C'),
            (b'A', b'\0'),
        );
    });
}

/// UNIX-11.
#[test]
fn differs_f14_a_byte_of_data_is_not_swallowed_as_credentials() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, peer) = connected(side);
                send_bytes(&peer, b"AB");
                (receive_credentials(&under, None), read_byte(&under))
            },
            (Ok(our_pid()), b'B'),
            (Err(IOErrorEnum::Failed), b'A'),
        );
    });
}

/// UNIX-11: the descriptors are lost.
#[test]
fn differs_f14_descriptors_are_left_by_one_who_wants_credentials() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, peer) = connected(side);
                let parcel = Parcel::new();
                send_by_hand(&peer, b"\0", &[parcel.fd()], false);
                assert_eq!(receive_credentials(&under, None), Err(IOErrorEnum::Failed));
                under.socket().set_blocking(false);
                under.socket().set_timeout(1);
                receive_fd(&under, None).is_ok()
            },
            false,
            true,
        );
    });
}

/// UNIX-10: GIO has it on for as long as it waits, and everybody's messages have credentials then.
#[test]
fn differs_f14_a_wait_for_credentials_does_not_change_the_socket() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, peer) = connected(side);
                let waiting = start_receive_credentials(&under);
                settle(context, Duration::from_millis(50));
                let told = option(&under.socket(), libc::SO_PASSCRED);
                send_by_hand(&peer, b"\0", &[], true);
                waiting.wait(context).unwrap();
                told
            },
            1,
            0,
        );
    });
}

/// UNIX-7.
#[test]
fn differs_f14_a_descriptor_arrives_where_the_kernel_adds_credentials() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, peer) = connected(side);
                set_option(&under.socket(), libc::SO_PASSCRED, 1);
                let parcel = Parcel::new();
                send_by_hand(&peer, b"\0", &[parcel.fd()], false);
                receive_fd(&under, None).map(|fd| fd.is_some())
            },
            Err(IOErrorEnum::Failed),
            Ok(true),
        );
    });
}

/// UNIX-12: GIO's code is that of some call of before.
#[test]
fn differs_f14_on_a_closed_socket_credentials_say_closed() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let (under, peer) = connected(side);
                drop(peer);
                let other = connected(side).0;
                other.close(NOBODY).unwrap();
                assert_eq!(
                    send_credentials(&under, None),
                    Fails(IOErrorEnum::BrokenPipe)
                );
                receive_credentials(&other, None) == Err(IOErrorEnum::Closed)
            },
            false,
            true,
        );
    });
}

/// UNIX-1, SC-32.
#[test]
fn differs_f28_sequenced_packets_can_pass_descriptors() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                let [ours, theirs] = sockets(PACKETS);
                let under = side.around(&gio::Socket::from_fd(ours).unwrap());
                let parcel = Parcel::new();
                send_by_hand(&theirs, b"\0", &[parcel.fd()], false);
                let name = under.type_().name().replace("Gsock", "G");
                (name, under.type_() == class_of(side))
            },
            ("GSocketConnection".to_owned(), false),
            ("GUnixConnection".to_owned(), true),
        );
        let found = gsock::SocketConnection::factory_lookup_type(
            SocketFamily::Unix,
            SocketType::Seqpacket,
            0,
        );
        assert_eq!(found, UnixConnection::static_type());
    });
}
