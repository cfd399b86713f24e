//! GIO at the other end, in both directions.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use gio::prelude::*;
use gsock::{UnixConnection, prelude::*};

use crate::{support::*, tools::*, unix_tools::*};

const NOBODY: Option<&gio::Cancellable> = gio::Cancellable::NONE;

/// GIO's connection, and ours.
fn gios_and_ours() -> (gio::UnixConnection, UnixConnection) {
    let [theirs, ours] = sockets(STREAM);
    let socket = gio::Socket::from_fd(theirs).expect("a socket");
    let theirs = socket.connection_factory_create_connection();
    (theirs.downcast().expect("GIO's factory"), unix(ours))
}

#[test]
fn what_gio_sends_arrives_here_in_every_form() {
    on_private_context(|context| {
        for form in FORMS {
            let (theirs, ours) = gios_and_ours();
            let mut parcel = Parcel::new();
            // In a row, and with data between.
            theirs
                .send_fd(parcel.fd().as_raw_fd(), NOBODY)
                .expect("room");
            theirs.send_credentials(NOBODY).expect("room");
            theirs
                .output_stream()
                .write_all(b"d", NOBODY)
                .expect("room");
            theirs
                .send_fd(parcel.fd().as_raw_fd(), NOBODY)
                .expect("room");
            let fd = receive_fd(form, context, &ours).expect("sent");
            assert!(parcel.is(&fd));
            let credentials = receive_credentials(form, context, &ours).expect("sent");
            let pid = credentials.unix_pid().expect("known");
            assert_eq!(pid.unsigned_abs(), std::process::id());
            assert_eq!(read_byte(&ours), b'd');
            let fds = receive_fds(form, context, &ours, 5).expect("sent");
            assert_eq!(fds.len(), 1);
            drop((fd, fds));
            assert!(parcel.is_closed_everywhere());
        }
    });
}

#[test]
fn what_is_sent_here_arrives_at_gios() {
    on_private_context(|context| {
        for form in FORMS {
            let (theirs, ours) = gios_and_ours();
            let mut parcel = Parcel::new();
            send_fd(form, context, &ours, parcel.fd()).expect("room");
            send_credentials(form, context, &ours).expect("room");
            ours.output_stream().write_all(b"d", NOBODY).expect("room");
            send_fds(form, context, &ours, &[parcel.fd()]).expect("room");
            let first = theirs.receive_fd(NOBODY).expect("sent");
            let credentials = theirs.receive_credentials(NOBODY).expect("sent");
            credentials
                .is_same_user(&gio::Credentials::new())
                .expect("the same user");
            let mut byte = [0];
            theirs
                .input_stream()
                .read_all(&mut byte, NOBODY)
                .expect("a byte");
            assert_eq!(&byte, b"d");
            let second = theirs.receive_fd(NOBODY).expect("sent");
            // SAFETY: gio-rs answers with the number, which is the caller's.
            let fds = [first, second].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
            assert!(fds.iter().all(|fd| parcel.is(fd)));
            drop(fds);
            assert!(parcel.is_closed_everywhere());
        }
    });
}

/// GIO's asynchronous form, a worker's thread of which waits while ours sends, and the reverse.
#[test]
fn credentials_are_exchanged_while_the_other_waits() {
    on_private_context(|context| {
        let (theirs, ours) = gios_and_ours();
        let at_gios = Slot::new();
        theirs.receive_credentials_async(NOBODY, at_gios.put());
        let here = Slot::new();
        let put = here.put();
        ours.receive_credentials_async(NOBODY, move |ours, result| {
            put(ours.receive_credentials_finish(result));
        });
        settle(context, std::time::Duration::from_millis(20));
        ours.send_credentials(NOBODY).expect("room");
        theirs.send_credentials(NOBODY).expect("room");
        for slot in [at_gios, here] {
            let credentials = slot.wait(context).expect("sent");
            credentials
                .is_same_user(&gio::Credentials::new())
                .expect("the same user");
        }
    });
}
