//! Credentials: who has sent a byte, and who is at the other end.

use std::{os::fd::AsFd, thread};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::prelude::*;

use crate::{support::*, tools::*, unix_tools::*};

#[track_caller]
fn assert_is_us(credentials: &gio::Credentials) {
    credentials
        .is_same_user(&gio::Credentials::new())
        .expect("the same user");
    let pid = credentials.unix_pid().expect("known");
    assert_eq!(pid.unsigned_abs(), std::process::id());
}

/// UNIX-9, UNIX-10: the option is as it was afterwards.
#[test]
fn credentials_arrive_in_every_form() {
    on_private_context(|context| {
        for sending in FORMS {
            for receiving in FORMS {
                let (one, other) = unix_pair();
                send_credentials(sending, context, &one).expect("room");
                let received = receive_credentials(receiving, context, &other).expect("sent");
                assert_is_us(&received);
                assert_eq!(option(&other.socket(), libc::SO_PASSCRED), 0);
            }
        }
    });
}

#[test]
fn a_socket_that_is_told_who_sends_stays_so() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair();
            set_option(&other.socket(), libc::SO_PASSCRED, 1);
            one.send_credentials(gio::Cancellable::NONE).expect("room");
            assert_is_us(&receive_credentials(form, context, &other).expect("sent"));
            assert_eq!(option(&other.socket(), libc::SO_PASSCRED), 1);
        }
    });
}

/// F-14: nobody else's message changes while one waits.
#[test]
fn while_one_waits_the_socket_is_not_told_who_sends() {
    on_private_context(|context| {
        let (one, other) = unix_pair();
        let slot = Slot::new();
        let put = slot.put();
        other.receive_credentials_async(gio::Cancellable::NONE, move |other, result| {
            put(other.receive_credentials_finish(result));
        });
        settle(context, std::time::Duration::from_millis(20));
        assert!(!slot.is_set());
        assert_eq!(option(&other.socket(), libc::SO_PASSCRED), 0);
        one.send_credentials(gio::Cancellable::NONE).expect("room");
        assert_is_us(&slot.wait(context).expect("sent"));
    });
}

/// F-14, UNIX-11: GIO swallows it, and answers with who made the connection.
#[test]
fn a_byte_of_data_is_not_taken_for_credentials() {
    on_private_context(|context| {
        for form in FORMS {
            let (connection, peer) = with_peer();
            send_bytes(&peer, b"\0");
            send_by_hand(&peer, b"x", &[], true);
            assert_fails(receive_credentials(form, context, &connection), E::Failed);
            assert_eq!(connection.bytes_read(), 0);
            assert_eq!(read_byte(&connection), 0);
            // Whatever the byte.
            assert_is_us(&receive_credentials(form, context, &connection).expect("sent"));
        }
    });
}

#[test]
fn descriptors_are_not_lost_to_one_who_wants_credentials() {
    on_private_context(|context| {
        for (form, with_credentials) in FORMS.into_iter().flat_map(|it| [(it, false), (it, true)]) {
            let (connection, peer) = with_peer();
            let parcel = Parcel::new();
            send_by_hand(&peer, b"\0", &[parcel.fd()], with_credentials);
            assert_fails(receive_credentials(form, context, &connection), E::Failed);
            let fd = receive_fd(form, context, &connection).expect("still there");
            assert!(parcel.is(&fd));
        }
    });
}

/// F-14: two threads, one after credentials and one after descriptors, and none in the other's way.
#[test]
fn credentials_and_descriptors_are_received_by_two_threads_at_once() {
    const EACH: usize = 200;
    on_private_context(|_| {
        let (one, other) = unix_pair();
        let sender = on_thread(&one, |one| {
            let parcel = Parcel::new();
            for _ in 0..EACH {
                one.send_fd(parcel.fd(), gio::Cancellable::NONE)
                    .expect("room");
                one.send_credentials(gio::Cancellable::NONE).expect("room");
            }
        });
        let descriptors = on_thread(&other, |other| {
            let mut count = 0;
            while count < EACH {
                match other.receive_fd(gio::Cancellable::NONE) {
                    Ok(fd) => {
                        assert!(is_close_on_exec(&fd));
                        count += 1;
                    }
                    // The other thread's turn.
                    Err(failure) => {
                        assert_eq!(code(&failure), E::Failed);
                        thread::yield_now();
                    }
                }
            }
        });
        let credentials = on_thread(&other, |other| {
            let mut count = 0;
            while count < EACH {
                match other.receive_credentials(gio::Cancellable::NONE) {
                    Ok(credentials) => {
                        assert_is_us(&credentials);
                        count += 1;
                    }
                    Err(failure) => {
                        assert_eq!(code(&failure), E::Failed);
                        thread::yield_now();
                    }
                }
            }
        });
        sender.join().expect("no panic");
        descriptors.join().expect("no panic");
        credentials.join().expect("no panic");
        assert_eq!(other.bytes_read(), 2 * EACH as u64);
        assert_eq!(option(&other.socket(), libc::SO_PASSCRED), 0);
    });
}

// --- The peer ------------------------------------------------------------------------------------

#[test]
fn the_peer_is_known_without_a_message() {
    on_private_context(|_| {
        let (one, other) = unix_pair();
        assert_is_us(&one.peer_credentials().expect("connected"));
        assert_is_us(&other.peer_credentials().expect("connected"));
        assert_eq!((one.bytes_read(), one.bytes_written()), (0, 0));
        drop(other);
        assert_is_us(&one.peer_credentials().expect("it was connected"));
    });
}

#[test]
fn without_a_peer_or_a_socket_there_is_nobody_to_know() {
    on_private_context(|_| {
        let socket = gio::Socket::new(
            gio::SocketFamily::Unix,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
        );
        let connection: gsock::UnixConnection = glib::Object::builder()
            .property("socket", socket.expect("Unix sockets"))
            .build();
        assert_fails(connection.peer_credentials(), E::NotConnected);
        assert_fails(connection.peer_pidfd().map(drop), E::NotConnected);
        connection
            .close(gio::Cancellable::NONE)
            .expect("nothing to wait for");
        assert_fails(connection.peer_credentials(), E::Closed);
        assert_fails(connection.peer_pidfd().map(drop), E::Closed);
    });
}

/// Linux has it from 6.5 on.
#[test]
fn the_peers_process_is_a_descriptor_where_the_kernel_has_such() {
    on_private_context(|_| {
        let (one, _other) = unix_pair();
        match one.peer_pidfd() {
            Ok(pidfd) => {
                assert!(is_close_on_exec(&pidfd));
                let fd = std::os::fd::AsRawFd::as_raw_fd(&pidfd.as_fd());
                let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}"));
                let about = about.expect("open");
                let line = format!("Pid:\t{}\n", std::process::id());
                assert!(about.contains(&line), "{about}");
            }
            Err(failure) => {
                assert_eq!(code(&failure), E::NotSupported);
                let mut value = 0_i32;
                let mut len = 4;
                // SAFETY: room for an integer.
                let got = unsafe {
                    libc::getsockopt(
                        std::os::fd::AsRawFd::as_raw_fd(&one.socket()),
                        libc::SOL_SOCKET,
                        libc::SO_PEERPIDFD,
                        (&raw mut value).cast(),
                        &raw mut len,
                    )
                };
                assert_eq!(got, -1, "the kernel has it");
            }
        }
    });
}
