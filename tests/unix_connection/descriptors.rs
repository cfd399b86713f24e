//! Descriptors: one and many, and what becomes of those that are not wanted.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use gio::IOErrorEnum as E;
use gsock::prelude::*;

use crate::{support::*, tools::*, unix_tools::*};

/// UNIX-3, UNIX-5.
#[test]
fn a_descriptor_arrives_in_every_form() {
    on_private_context(|context| {
        for sending in FORMS {
            for receiving in FORMS {
                let (one, other) = unix_pair();
                let parcel = Parcel::new();
                send_fd(sending, context, &one, parcel.fd()).expect("room");
                let fd = receive_fd(receiving, context, &other).expect("sent");
                assert!(parcel.is(&fd), "{sending:?} {receiving:?}");
                assert!(is_close_on_exec(&fd));
            }
        }
    });
}

#[test]
fn what_was_received_is_as_good_as_what_was_sent() {
    on_private_context(|_| {
        let (one, other) = unix_pair();
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        one.send_fd(writer.as_fd(), gio::Cancellable::NONE)
            .expect("room");
        drop(writer);
        let fd = other.receive_fd(gio::Cancellable::NONE).expect("sent");
        File::from(fd).write_all(b"through").expect("open");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("the end");
        assert_eq!(text, "through");
    });
}

/// The caller may close it at once, whatever the form.
#[test]
fn a_descriptor_to_send_is_duplicated_before_the_call_returns() {
    on_private_context(|context| {
        for form in [Form::Async, Form::Future] {
            let (one, other) = unix_pair();
            let mut parcel = Parcel::new();
            let sent = Slot::new();
            let sending = match form {
                Form::Async => {
                    let put = sent.put();
                    one.send_fd_async(parcel.fd(), gio::Cancellable::NONE, move |one, result| {
                        put(one.send_fd_finish(result));
                    });
                    None
                }
                _ => Some(one.send_fd_future(parcel.fd())),
            };
            parcel.let_go();
            match sending {
                None => sent.wait(context).expect("room"),
                Some(sending) => block_on(context, sending).expect("room"),
            }
            let fd = other.receive_fd(gio::Cancellable::NONE).expect("sent");
            assert!(parcel.is(&fd));
            drop(fd);
            assert!(parcel.is_closed_everywhere(), "{form:?} keeps a duplicate");
        }
    });
}

/// 253 is SCM_MAX_FD of Linux.
#[test]
fn as_many_descriptors_as_the_kernel_takes_arrive_together() {
    on_private_context(|context| {
        for (count, form) in [1, 2, 253]
            .into_iter()
            .flat_map(|n| FORMS.map(|form| (n, form)))
        {
            let (one, other) = unix_pair();
            let mut parcel = Parcel::new();
            let fds = vec![parcel.fd(); count];
            send_fds(form, context, &one, &fds).expect("room");
            let fds = receive_fds(form, context, &other, 253).expect("sent");
            assert_eq!(fds.len(), count);
            assert!(fds.iter().all(|fd| parcel.is(fd) && is_close_on_exec(fd)));
            drop(fds);
            assert!(parcel.is_closed_everywhere());
        }
    });
}

#[test]
fn descriptors_keep_their_order() {
    on_private_context(|_| {
        let (one, other) = unix_pair();
        let parcels = [(); 3].map(|()| Parcel::new());
        let fds = parcels.each_ref().map(Parcel::fd);
        one.send_fds(&fds, gio::Cancellable::NONE).expect("room");
        let fds = other.receive_fds(3, gio::Cancellable::NONE).expect("sent");
        for (parcel, fd) in parcels.iter().zip(&fds) {
            assert!(parcel.is(fd));
        }
    });
}

#[test]
fn none_and_more_than_the_kernel_takes_are_refused_and_nothing_is_sent() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair();
            let mut parcel = Parcel::new();
            let many: Vec<BorrowedFd<'_>> = vec![parcel.fd(); 254];
            assert_fails(send_fds(form, context, &one, &many), E::InvalidArgument);
            assert_fails(send_fds(form, context, &one, &[]), E::InvalidArgument);
            assert_eq!(one.bytes_written(), 0);
            assert_fails(receive_fds(form, context, &other, 0), E::InvalidArgument);
            assert!(parcel.is_closed_everywhere());
        }
    });
}

/// UNIX-6: as GIO answers.
#[test]
fn more_descriptors_than_were_asked_for_are_closed() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair();
            let mut parcels = [(); 2].map(|()| Parcel::new());
            let fds = [parcels[0].fd(), parcels[1].fd(), parcels[0].fd()];
            one.send_fds(&fds[..2], gio::Cancellable::NONE)
                .expect("room");
            one.send_fds(&fds, gio::Cancellable::NONE).expect("room");
            one.send_fd(fds[0], gio::Cancellable::NONE).expect("room");
            assert_fails(receive_fd(form, context, &other), E::Failed);
            assert_fails(receive_fds(form, context, &other, 2), E::Failed);
            // Both messages are gone, and the one behind them is not.
            let fd = receive_fd(form, context, &other).expect("sent");
            assert!(parcels[0].is(&fd));
            drop(fd);
            for parcel in &mut parcels {
                assert!(parcel.is_closed_everywhere());
            }
        }
    });
}

/// F-15: the byte stays.
#[test]
fn a_byte_of_data_is_not_taken_for_a_descriptor() {
    on_private_context(|context| {
        for form in FORMS {
            let (connection, peer) = with_peer();
            let parcel = Parcel::new();
            send_bytes(&peer, b"A");
            send_by_hand(&peer, b"\0", &[parcel.fd()], false);
            send_bytes(&peer, b"B");
            for _ in 0..2 {
                assert_fails(receive_fd(form, context, &connection), E::Failed);
                assert_fails(receive_fds(form, context, &connection, 9), E::Failed);
            }
            assert_eq!(connection.bytes_read(), 0);
            assert_eq!(read_byte(&connection), b'A');
            assert!(parcel.is(&receive_fd(form, context, &connection).expect("sent")));
            assert_fails(receive_fd(form, context, &connection), E::Failed);
            assert_eq!(read_byte(&connection), b'B');
        }
    });
}

/// UNIX-8, where the byte of the credentials is lost.
#[test]
fn credentials_are_not_taken_for_a_descriptor() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair();
            one.send_credentials(gio::Cancellable::NONE).expect("room");
            assert_fails(receive_fd(form, context, &other), E::Failed);
            receive_credentials(form, context, &other).expect("still there");
        }
    });
}

/// UNIX-7, F-14: the kernel adds credentials to each message.
#[test]
fn a_descriptor_arrives_on_a_socket_that_is_told_who_sends() {
    on_private_context(|context| {
        for form in FORMS {
            let (connection, peer) = with_peer();
            set_option(&connection.socket(), libc::SO_PASSCRED, 1);
            let parcel = Parcel::new();
            send_bytes(&peer, b"A");
            send_by_hand(&peer, b"\0", &[parcel.fd()], false);
            send_by_hand(&peer, b"\0", &[parcel.fd()], true);
            assert_fails(receive_fd(form, context, &connection), E::Failed);
            assert_eq!(read_byte(&connection), b'A');
            for _ in 0..2 {
                assert!(parcel.is(&receive_fd(form, context, &connection).expect("sent")));
            }
            assert_eq!(option(&connection.socket(), libc::SO_PASSCRED), 1);
        }
    });
}

/// The same where what is added is a descriptor, which nobody has asked for.
#[test]
fn a_descriptor_that_stands_for_the_sender_is_not_taken_for_one_that_was_sent() {
    on_private_context(|context| {
        for form in FORMS {
            let (connection, peer) = with_peer();
            set_option(&connection.socket(), libc::SO_PASSPIDFD, 1);
            let mut parcel = Parcel::new();
            send_bytes(&peer, b"A");
            send_by_hand(&peer, b"\0", &[parcel.fd()], false);
            assert_fails(receive_fd(form, context, &connection), E::Failed);
            assert_eq!(read_byte(&connection), b'A');
            let fds = receive_fds(form, context, &connection, 9).expect("sent");
            assert_eq!(fds.len(), 1);
            assert!(parcel.is(&fds[0]));
            drop(fds);
            assert!(parcel.is_closed_everywhere());
        }
    });
}

/// UNIX-15: what follows the first byte of such a message is data.
#[test]
fn data_that_was_sent_along_stays_to_be_read() {
    on_private_context(|_| {
        let (connection, peer) = with_peer();
        let parcel = Parcel::new();
        send_by_hand(&peer, b"xyz", &[parcel.fd()], false);
        let fd = connection.receive_fd(gio::Cancellable::NONE).expect("sent");
        assert!(parcel.is(&fd));
        assert_eq!([read_byte(&connection), read_byte(&connection)], *b"yz");
    });
}

/// UNIX-18.
#[test]
fn a_read_of_the_stream_loses_the_descriptor_and_leaks_nothing() {
    on_private_context(|_| {
        let (one, other) = unix_pair();
        let mut parcel = Parcel::new();
        one.send_fd(parcel.fd(), gio::Cancellable::NONE)
            .expect("room");
        assert_eq!(read_byte(&other), 0);
        assert!(parcel.is_closed_everywhere());
    });
}

#[test]
fn descriptors_on_their_way_are_closed_with_the_connection() {
    on_private_context(|_| {
        let (one, other) = unix_pair();
        let mut parcel = Parcel::new();
        one.send_fds(&[parcel.fd(); 4], gio::Cancellable::NONE)
            .expect("room");
        drop(other);
        drop(one);
        assert!(parcel.is_closed_everywhere());
    });
}

/// Each byte is one of the connection's.
#[test]
fn the_byte_that_carries_is_counted_on_both_sides() {
    on_private_context(|context| {
        let (one, other) = unix_pair();
        let (written, read) = (notifications(&one), notifications(&other));
        let parcel = Parcel::new();
        one.send_fds(&[parcel.fd(); 3], gio::Cancellable::NONE)
            .expect("room");
        one.send_credentials(gio::Cancellable::NONE).expect("room");
        assert_eq!((one.bytes_written(), one.bytes_read()), (2, 0));
        let fds: Vec<OwnedFd> = other.receive_fds(3, gio::Cancellable::NONE).expect("sent");
        assert_eq!(fds.len(), 3);
        other
            .receive_credentials(gio::Cancellable::NONE)
            .expect("sent");
        assert_eq!((other.bytes_written(), other.bytes_read()), (0, 2));
        let told = |names: &std::cell::RefCell<Vec<String>>, name: &str| {
            names.borrow().iter().any(|told| told == name)
        };
        iterate_until(context, || told(&written, "bytes-written"));
        iterate_until(context, || told(&read, "bytes-read"));
    });
}
