//! Control messages from a peer that makes them by hand.

use std::os::unix::net::UnixStream;

use gio::{Cancellable, prelude::*};
use gsock::{SocketConnection, UnixConnection, prelude::*};

use crate::{cases::*, support::*, unix_messages::*};

/// What comes along with a message of so many bytes.
#[derive(Clone, Copy, Debug)]
struct Cargo {
    bytes: usize,
    descriptors: usize,
    credentials: bool,
}

/// How it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Read(usize),
    One,
    Many(usize),
    Credentials,
}

#[derive(Debug)]
struct Case {
    messages: Vec<Cargo>,
    asks: Asks,
    /// Of the socket that receives.
    option: Option<i32>,
}

/// Asks until there is nothing any more; bytes in order, descriptors those that were sent, and each of them once.
fn one(case: &Case, _: &glib::MainContext) -> Verdict {
    let (ours, peer) = UnixStream::pair().expect("a pair");
    ours.set_nonblocking(true).expect("an option");
    if let Some(option) = case.option {
        set_option(&ours, option, 1);
    }
    let made = SocketConnection::factory_create_connection_from_fd(ours.into());
    let connection: UnixConnection = made.expect("a socket").downcast().expect("a Unix socket");
    let mut parcel = Parcel::new();
    let (mut place, mut sent) = (0_u8, 0);
    for cargo in &case.messages {
        let text: Vec<u8> = (place..).take(cargo.bytes).collect();
        let fds = vec![parcel.fd(); cargo.descriptors];
        send_by_hand(&peer, &text, &fds, cargo.credentials);
        place += cargo.bytes as u8;
        sent += cargo.descriptors;
    }
    drop(peer);
    let (mut next, mut received, mut told) = (0, 0, 0);
    for _ in 0..64 {
        let found = match case.asks {
            Asks::Read(_) => Err(None),
            Asks::One => connection
                .receive_fd(Cancellable::NONE)
                .map(|fd| vec![fd])
                .map_err(Some),
            Asks::Many(most) => connection
                .receive_fds(most, Cancellable::NONE)
                .map_err(Some),
            Asks::Credentials => {
                let credentials = connection.receive_credentials(Cancellable::NONE);
                match credentials {
                    Ok(credentials) => {
                        told += 1;
                        if credentials.unix_pid() != Ok(std::process::id() as i32) {
                            return Err(format!("{credentials:?}"));
                        }
                        next += 1;
                        continue;
                    }
                    Err(failure) => Err(Some(failure)),
                }
            }
        };
        match found {
            Ok(fds) => {
                received += fds.len();
                next += 1;
                if !fds.iter().all(|fd| parcel.is(fd) && is_close_on_exec(fd)) {
                    return Err("other descriptors".to_owned());
                }
                continue;
            }
            // It is not what comes next, or was cut: a plain read goes on.
            Err(Some(failure)) if failure.kind::<gio::IOErrorEnum>().is_none() => {
                return Err(format!("{failure:?}"));
            }
            Err(_) => {}
        }
        let count = if let Asks::Read(count) = case.asks {
            count
        } else {
            1
        };
        let read = connection
            .input_stream()
            .read_bytes(count, Cancellable::NONE);
        match read {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => {
                for byte in bytes.iter() {
                    // A byte may have gone with what was cut off.
                    if *byte < next {
                        return Err(format!("byte {byte} after {next}"));
                    }
                    next = byte + 1;
                }
            }
            Err(failure) => return Err(format!("{failure:?}")),
        }
    }
    if received > sent || next > place {
        return Err(format!("{received} of {sent}, {next} of {place}"));
    }
    // Each byte of a message has its sender.
    if told > usize::from(place) {
        return Err(format!("told {told} times"));
    }
    drop(connection);
    if parcel.is_closed_everywhere() {
        Ok(())
    } else {
        Err("a descriptor is left".to_owned())
    }
}

#[test]
fn whatever_comes_along_nothing_of_it_is_left_and_the_bytes_are_in_order() {
    on_private_context_within(LIMIT * 8, |_| {
        let cargo = |bytes, descriptors, credentials| Cargo {
            bytes,
            descriptors,
            credentials,
        };
        let plain = cargo(3, 0, false);
        let mut cases = Vec::new();
        for count in [1, 2, 3, 4, 16, 252, 253] {
            for bytes in [1, 2, 5] {
                for credentials in [false, true] {
                    let own = cargo(bytes, count, credentials);
                    for messages in [
                        vec![own],
                        vec![plain, own],
                        vec![own, plain],
                        vec![plain, own, plain, own],
                        vec![own, cargo(1, 0, true), own],
                    ] {
                        for asks in [
                            Asks::Read(1),
                            Asks::Read(8),
                            Asks::One,
                            Asks::Many(1),
                            Asks::Many(2),
                            Asks::Many(253),
                            Asks::Credentials,
                        ] {
                            let options = [None, Some(libc::SO_PASSCRED), Some(libc::SO_TIMESTAMP)];
                            let option = options[cases.len() % options.len()];
                            cases.push(Case {
                                messages: messages.clone(),
                                asks,
                                option,
                            });
                        }
                    }
                }
            }
        }
        judge(
            "control messages of a raw peer",
            &cases,
            |case| format!("{case:?}"),
            one,
        );
    });
}
