//! Descriptors and credentials, which GIO passes on the socket itself.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use gio::prelude::*;
use gsock::{SocketConnection, prelude::*};

use crate::{support::*, tools::*};

fn pair() -> (gio::UnixConnection, gio::UnixConnection) {
    let (one, two) = UnixStream::pair().expect("a pair");
    (unix(one), unix(two))
}

fn a_file(text: &[u8]) -> File {
    // SAFETY: a new descriptor, or -1.
    let fd = unsafe { libc::memfd_create(c"gsock-test".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: ours.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.write_all(text).expect("memory");
    file.rewind().expect("memory");
    file
}

fn text_of(fd: i32) -> String {
    // SAFETY: received a moment ago, and nobody else's.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    let mut text = String::new();
    file.read_to_string(&mut text).expect("memory");
    text
}

#[test]
fn descriptors_and_bytes_pass_in_the_order_in_which_they_were_sent() {
    adopted(|context| {
        let (sender, receiver) = pair();
        let file = a_file(b"inside");
        write_all(&sender, b"before");
        sender
            .send_fd(file.as_raw_fd(), gio::Cancellable::NONE)
            .expect("room");
        write_all(&sender, b"after");

        assert_eq!(read_exactly(&receiver, 6), b"before");
        // A read that was given up takes nothing of what comes next.
        let cancellable = gio::Cancellable::new();
        let ended = std::rc::Rc::new(std::cell::Cell::new(false));
        let flag = ended.clone();
        let input = receiver.input_stream();
        input.read_bytes_async(
            64,
            glib::Priority::DEFAULT,
            Some(&cancellable),
            move |result| {
                assert_fails(result, gio::IOErrorEnum::Cancelled);
                flag.set(true);
            },
        );
        cancellable.cancel();
        iterate_until(context, || ended.get());

        let fd = receiver
            .receive_fd(gio::Cancellable::NONE)
            .expect("it waits");
        assert_eq!(text_of(fd), "inside");
        assert_eq!(read_exactly(&receiver, 5), b"after");
    });
}

fn read_exactly(connection: &gio::UnixConnection, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let read = connection
        .input_stream()
        .read_all(&mut bytes, gio::Cancellable::NONE)
        .expect("sent");
    assert_eq!(read, (count, None));
    bytes
}

#[test]
fn credentials_pass() {
    adopted(|_| {
        let (sender, receiver) = pair();
        // Streams that were made before, whose transport knows the socket.
        let _streams = (sender.output_stream(), receiver.input_stream());
        sender
            .send_credentials(gio::Cancellable::NONE)
            .expect("room");
        let credentials = receiver
            .receive_credentials(gio::Cancellable::NONE)
            .expect("sent");
        assert_eq!(
            credentials.unix_user().expect("the kernel says so"),
            // SAFETY: it asks for a number.
            unsafe { libc::getuid() }
        );
    });
}

#[test]
fn one_end_of_gios_and_one_of_ours_pass_descriptors_to_each_other() {
    adopted(|_| {
        let (gios, other) = pair();
        let ours: gsock::UnixConnection = SocketConnection::from_gio(&other)
            .downcast()
            .expect("a Unix connection");
        gios.send_fd(a_file(b"to ours").as_raw_fd(), gio::Cancellable::NONE)
            .expect("room");
        let received =
            gsock::UnixConnectionExt::receive_fd(&ours, gio::Cancellable::NONE).expect("sent");
        let mut text = String::new();
        File::from(received)
            .read_to_string(&mut text)
            .expect("memory");
        assert_eq!(text, "to ours");

        let file = a_file(b"to GIO's");
        gsock::UnixConnectionExt::send_fd(&ours, file.as_fd(), gio::Cancellable::NONE)
            .expect("room");
        let fd = gios.receive_fd(gio::Cancellable::NONE).expect("sent");
        assert_eq!(text_of(fd), "to GIO's");
        assert!(ours.is_alive());
    });
}
