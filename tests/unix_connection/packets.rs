//! Sequenced packets, where the byte is a packet of its own.

use gio::{IOErrorEnum as E, prelude::*};
use gsock::prelude::*;

use crate::{support::*, unix_tools::*};

const NOBODY: Option<&gio::Cancellable> = gio::Cancellable::NONE;

#[test]
fn packets_carry_descriptors_and_credentials_in_every_form() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair_of(PACKETS);
            let mut parcel = Parcel::new();
            send_fd(form, context, &one, parcel.fd()).expect("room");
            send_credentials(form, context, &one).expect("room");
            send_fds(form, context, &one, &[parcel.fd(); 253]).expect("room");
            assert!(parcel.is(&receive_fd(form, context, &other).expect("sent")));
            receive_credentials(form, context, &other).expect("sent");
            let fds = receive_fds(form, context, &other, 253).expect("sent");
            assert_eq!(fds.len(), 253);
            drop(fds);
            assert!(parcel.is_closed_everywhere());
            assert_eq!((one.bytes_written(), other.bytes_read()), (3, 3));
            assert_eq!(option(&other.socket(), libc::SO_PASSCRED), 0);
        }
    });
}

#[test]
fn a_packet_of_data_stays_whole() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair_of(PACKETS);
            for told in [0, 1] {
                set_option(&other.socket(), libc::SO_PASSCRED, told);
                send_bytes(&one.socket(), b"hello");
                assert_fails(receive_fd(form, context, &other), E::Failed);
                assert_fails(receive_credentials(form, context, &other), E::Failed);
                let mut bytes = [0; 9];
                let count = other.input_stream().read(&mut bytes, NOBODY);
                assert_eq!(count.expect("a packet"), 5);
                assert_eq!(&bytes[..5], b"hello");
            }
        }
    });
}

/// A packet of data with a descriptor is for somebody who reads both.
#[test]
fn a_packet_of_data_keeps_its_descriptors() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair_of(PACKETS);
            let parcel = Parcel::new();
            send_by_hand(&one.socket(), b"ab", &[parcel.fd()], false);
            assert_fails(receive_fd(form, context, &other), E::Failed);
            let mut bytes = [0; 9];
            let count = other.input_stream().read(&mut bytes, NOBODY);
            assert_eq!(count.expect("a packet"), 2);
        }
    });
}

/// F-14.
#[test]
fn one_byte_without_anything_is_data_also_where_the_kernel_adds_credentials() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair_of(PACKETS);
            send_bytes(&one.socket(), b"x");
            assert_fails(receive_credentials(form, context, &other), E::Failed);
            set_option(&other.socket(), libc::SO_PASSCRED, 1);
            assert_fails(receive_fd(form, context, &other), E::Failed);
            assert_eq!(read_byte(&other), b'x');
            let parcel = Parcel::new();
            send_by_hand(&one.socket(), b"\0", &[parcel.fd()], true);
            assert!(parcel.is(&receive_fd(form, context, &other).expect("sent")));
        }
    });
}

/// What is cut off of a look without room for anything need not be descriptors.
#[test]
fn one_byte_without_anything_is_data_also_where_the_kernel_adds_the_time() {
    on_private_context(|context| {
        let parcel = Parcel::new();
        for time in [
            libc::SO_TIMESTAMP,
            libc::SO_TIMESTAMPNS,
            libc::SO_TIMESTAMPING,
        ] {
            for form in FORMS {
                let (one, other) = unix_pair_of(PACKETS);
                // Of SO_TIMESTAMPING: that of the software, on receipt.
                let on = if time == libc::SO_TIMESTAMPING {
                    0x18
                } else {
                    1
                };
                set_option(&other.socket(), time, on);
                send_bytes(&one.socket(), b"x");
                assert_fails(receive_fd(form, context, &other), E::Failed);
                assert_fails(receive_credentials(form, context, &other), E::Failed);
                assert_eq!(read_byte(&other), b'x');
                send_by_hand(&one.socket(), b"\0", &[parcel.fd()], false);
                assert!(parcel.is(&receive_fd(form, context, &other).expect("sent")));
                send_by_hand(&one.socket(), b"\0", &[parcel.fd(); 3], false);
                let fds = receive_fds(form, context, &other, 3).expect("sent");
                assert_eq!(fds.len(), 3);
                send_credentials(form, context, &one).expect("room");
                receive_credentials(form, context, &other).expect("sent");
            }
        }
    });
}

/// An empty packet is not the end, and may carry something.
#[test]
fn an_empty_packet_is_not_the_end() {
    on_private_context(|context| {
        for form in FORMS {
            let (one, other) = unix_pair_of(PACKETS);
            send_bytes(&one.socket(), b"");
            assert_fails(receive_fd(form, context, &other), E::Failed);
            assert_fails(receive_credentials(form, context, &other), E::Failed);
            assert_eq!(
                other
                    .input_stream()
                    .read(&mut [0], NOBODY)
                    .expect("a packet"),
                0
            );
            let parcel = Parcel::new();
            send_by_hand(&one.socket(), b"", &[parcel.fd()], false);
            assert!(parcel.is(&receive_fd(form, context, &other).expect("sent")));
            send_by_hand(&one.socket(), b"\0", &[parcel.fd()], false);
            drop(one);
            assert!(parcel.is(&receive_fd(form, context, &other).expect("sent")));
            for _ in 0..2 {
                assert_fails(receive_fd(form, context, &other), E::BrokenPipe);
                assert_fails(receive_credentials(form, context, &other), E::BrokenPipe);
            }
        }
    });
}
