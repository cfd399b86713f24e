//! What comes along with the bytes of a Unix socket, in any order, and asked for in any order.

use std::os::{fd::OwnedFd, unix::net::UnixStream};

use futures::FutureExt;
use gio::{Cancellable, prelude::*};
use gsock::{SocketConnection, UnixConnection, prelude::*};

use super::{bytes::Bytes, support::*, unix_messages::*};

const MOST_OPERATIONS: usize = 60;

fn pair(type_: i32) -> (OwnedFd, OwnedFd) {
    use std::os::fd::FromRawFd;
    let mut fds = [-1; 2];
    // SAFETY: room for two.
    let made = unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            type_ | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        )
    };
    assert_eq!(made, 0);
    // SAFETY: open, and nobody else's.
    let [one, other] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    (one, other)
}

pub fn one(data: &[u8], context: &glib::MainContext) {
    let mut bytes = Bytes(data);
    let is_stream = bytes.byte() & 1 == 0;
    let type_ = if is_stream {
        libc::SOCK_STREAM
    } else {
        libc::SOCK_SEQPACKET
    };
    let (ours, theirs) = pair(type_);
    let connection = SocketConnection::factory_create_connection_from_fd(ours).expect("a socket");
    let gone = Gone::of(&connection);
    let connection: UnixConnection = connection.downcast().expect("a Unix socket");
    let mut peer = Some(UnixStream::from(theirs));
    let mut parcel = Parcel::new();
    // Each byte that is sent says its place.
    let (mut sent, mut read, mut descriptors) = (0_u8, None, 0_usize);
    for _ in 0..MOST_OPERATIONS {
        if bytes.is_empty() || sent > 200 {
            break;
        }
        let operation = bytes.below(12);
        match operation {
            0..=3 => {
                let count = 1 + bytes.below(4) as u8;
                let text: Vec<u8> = (sent..sent + count).collect();
                let has_descriptors = operation == 1 || operation == 3;
                let fds = match bytes.byte() {
                    _ if !has_descriptors => 0,
                    255 => 253,
                    many => 1 + usize::from(many % 6),
                };
                let fds = vec![parcel.fd(); fds];
                let Some(peer) = &peer else {
                    continue;
                };
                if try_send_by_hand(peer, &text, &fds, operation >= 2).is_ok() {
                    sent += count;
                    descriptors += fds.len();
                }
            }
            4 => {
                let mut buffer = [0; 8];
                let wanted = 1 + bytes.below(8);
                let input = connection.input_stream();
                let input = input.dynamic_cast::<gio::PollableInputStream>();
                let input = input.expect("it can be polled");
                let got = input.read_nonblocking(&mut buffer[..wanted], Cancellable::NONE);
                for byte in &buffer[..got.unwrap_or(0) as usize] {
                    assert!(read.is_none_or(|read| read < *byte), "in another order");
                    assert!(*byte < sent);
                    read = Some(*byte);
                }
            }
            5 => {
                if let Some(Ok(fd)) = connection.receive_fd_future().now_or_never() {
                    assert!(parcel.is(&fd) && is_close_on_exec(&fd));
                    descriptors = descriptors.checked_sub(1).expect("no more than there were");
                }
            }
            6 => {
                let most = bytes.below(8);
                if let Some(Ok(fds)) = connection.receive_fds_future(most).now_or_never() {
                    assert!(fds.len() <= most);
                    assert!(fds.iter().all(|fd| parcel.is(fd) && is_close_on_exec(fd)));
                    let left = descriptors.checked_sub(fds.len());
                    descriptors = left.expect("no more than there were");
                }
            }
            7 => {
                let told = connection.receive_credentials_future().now_or_never();
                if let Some(Ok(told)) = told {
                    assert_eq!(
                        told.unix_pid().expect("of Linux"),
                        std::process::id() as i32
                    );
                }
            }
            8 => {
                let options = [libc::SO_PASSCRED, libc::SO_TIMESTAMP, libc::SO_PASSSEC];
                let option = options[bytes.below(options.len())];
                set_option(&connection.socket(), option, i32::from(bytes.byte() & 1));
            }
            9 => {
                if let Some(peer) = &peer {
                    let _ = peer.shutdown(std::net::Shutdown::Write);
                }
            }
            10 => peer = None,
            _ => {
                context.iteration(false);
            }
        }
    }
    drop((connection, peer));
    iterate_until(context, || gone.is_gone());
    assert!(parcel.is_closed_everywhere());
}
