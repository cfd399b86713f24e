//! Which sockets it takes, and the options of TCP.

use std::{
    io::{ErrorKind, Read},
    net::TcpStream,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use gio::prelude::*;
use gsock::{KeepaliveParams, Liveness, SocketConnection, TcpConnection, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn it_takes_internet_streams_of_either_family_and_nothing_else() {
    on_private_context(|_| {
        let connection: TcpConnection = unconnected().downcast().expect("TCP");
        let before = connection.socket();
        let new = |family, type_| {
            gio::Socket::new(family, type_, gio::SocketProtocol::Default).expect("a common kind")
        };
        for (family, type_) in [
            (gio::SocketFamily::Unix, gio::SocketType::Stream),
            (gio::SocketFamily::Ipv4, gio::SocketType::Datagram),
            (gio::SocketFamily::Unix, gio::SocketType::Datagram),
        ] {
            let refused = connection.set_socket(&new(family, type_));
            assert_fails(refused, gio::IOErrorEnum::InvalidArgument);
            assert_eq!(connection.socket(), before);
        }
        let after = new(gio::SocketFamily::Ipv6, gio::SocketType::Stream);
        connection.set_socket(&after).expect("an IPv6 stream");
        assert_eq!(connection.socket(), after);
    });
}

// --- Options -------------------------------------------------------------------------------------

/// The options as the kernel has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Options {
    no_delay: bool,
    keepalive: bool,
    idle: i32,
    interval: i32,
    count: i32,
    user_timeout: i32,
    linger: (i32, i32),
}

fn options(socket: &impl AsRawFd) -> Options {
    let tcp = |name| read_option::<i32>(socket, libc::IPPROTO_TCP, name);
    let linger: libc::linger = read_option(socket, libc::SOL_SOCKET, libc::SO_LINGER);
    Options {
        no_delay: tcp(libc::TCP_NODELAY) != 0,
        keepalive: read_option::<i32>(socket, libc::SOL_SOCKET, libc::SO_KEEPALIVE) != 0,
        idle: tcp(libc::TCP_KEEPIDLE),
        interval: tcp(libc::TCP_KEEPINTVL),
        count: tcp(libc::TCP_KEEPCNT),
        user_timeout: tcp(libc::TCP_USER_TIMEOUT),
        linger: (linger.l_onoff, linger.l_linger),
    }
}

fn read_option<T>(socket: &impl AsRawFd, level: i32, name: i32) -> T {
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the buffer is as long as said.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    assert_eq!(len as usize, size_of::<T>());
    // SAFETY: integers and structures of integers, filled in by the kernel.
    unsafe { value.assume_init() }
}

/// A connection around a `GSocket` and one around a bare descriptor, each with another descriptor
/// of the same socket to look at it without the connection's help, and the peer.
fn watched() -> [(TcpConnection, OwnedFd, TcpStream); 2] {
    [false, true].map(|bare| {
        let (peer, fd) = tcp_pair();
        let eye = fd.try_clone().expect("a descriptor");
        let connection = if bare {
            SocketConnection::factory_create_connection_from_fd(fd).expect("a socket")
        } else {
            SocketConnection::factory_create_connection(&gio::Socket::from_fd(fd).expect("one"))
        };
        (connection.downcast().expect("TCP"), eye, peer)
    })
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn no_delay_is_what_the_kernel_has() {
    on_private_context(|_| {
        for (connection, eye, _peer) in watched() {
            for on in [true, true, false] {
                connection.set_no_delay(on).expect("an open socket");
                assert_eq!(options(&eye).no_delay, on);
                assert_eq!(connection.no_delay(), Ok(on));
            }
        }
    });
}

#[test]
fn keepalive_params_are_rounded_up_to_what_the_kernel_takes() {
    on_private_context(|_| {
        for (connection, eye, _peer) in watched() {
            assert_eq!(connection.keepalive_params(), Ok(None));
            for (idle, interval, count, expected) in [
                (seconds(60), seconds(5), 4, (60, 5, 4)),
                (
                    Duration::from_millis(1200),
                    Duration::from_nanos(1),
                    1,
                    (2, 1, 1),
                ),
                (
                    Duration::new(7, 1),
                    Duration::from_millis(999),
                    127,
                    (8, 1, 127),
                ),
                (
                    seconds(32_767),
                    Duration::new(32_766, 1),
                    9,
                    (32_767, 32_767, 9),
                ),
            ] {
                connection
                    .set_keepalive_params(idle, interval, count)
                    .expect("all in range");
                let now = options(&eye);
                assert!(now.keepalive);
                assert_eq!((now.idle, now.interval, now.count), expected);
                let (idle, interval, count) = expected;
                let params = KeepaliveParams {
                    idle: seconds(idle as u64),
                    interval: seconds(interval as u64),
                    count: count as u32,
                };
                assert_eq!(connection.keepalive_params(), Ok(Some(params)));
            }
        }
    });
}

#[test]
fn refused_keepalive_params_change_nothing() {
    on_private_context(|_| {
        for (connection, eye, _peer) in watched() {
            for keepalive in [false, true] {
                if keepalive {
                    connection
                        .set_keepalive_params(seconds(60), seconds(5), 4)
                        .expect("all in range");
                }
                let before = options(&eye);
                for (idle, interval, count) in [
                    (Duration::ZERO, seconds(1), 1),
                    (seconds(1), Duration::ZERO, 1),
                    (seconds(1), seconds(1), 0),
                    (seconds(32_768), seconds(1), 1),
                    (Duration::new(32_767, 1), seconds(1), 1),
                    (seconds(1), seconds(32_768), 1),
                    (seconds(1), seconds(1), 128),
                    // Numbers that a cast would make into good ones.
                    (seconds((1 << 32) + 1), seconds(1), 1),
                    (seconds(1), seconds((1 << 32) + 1), 1),
                    (seconds(1), seconds(1), u32::MAX),
                    (Duration::MAX, Duration::MAX, u32::MAX),
                ] {
                    let refused = connection.set_keepalive_params(idle, interval, count);
                    assert_fails(refused, gio::IOErrorEnum::InvalidArgument);
                    assert_eq!(options(&eye), before, "{idle:?}, {interval:?}, {count}");
                }
            }
        }
    });
}

#[test]
fn the_keepalive_property_of_the_socket_follows() {
    on_private_context(|_| {
        for (connection, _eye, _peer) in watched() {
            let socket = connection.socket();
            let seen = notifications(&socket);
            assert!(!socket.is_keepalive());
            connection
                .set_keepalive_params(seconds(60), seconds(5), 4)
                .expect("in range");
            assert!(socket.is_keepalive());
            connection
                .set_keepalive_params(seconds(50), seconds(5), 4)
                .expect("in range");
            connection
                .set_liveness(Liveness::Interactive)
                .expect("an open socket");
            assert!(socket.is_keepalive());
            assert_eq!(*seen.borrow(), ["keepalive"]);
            connection
                .set_liveness(Liveness::Off)
                .expect("an open socket");
            assert!(!socket.is_keepalive());
            assert_eq!(*seen.borrow(), ["keepalive"; 2]);

            // And the other way round.
            socket.set_keepalive(true);
            assert!(
                connection
                    .keepalive_params()
                    .expect("an open socket")
                    .is_some()
            );
            socket.set_keepalive(false);
            assert_eq!(connection.keepalive_params(), Ok(None));
        }
        // A socket that is made afterwards knows too.
        let [_, (connection, ..)] = watched();
        connection
            .set_keepalive_params(seconds(60), seconds(5), 4)
            .expect("in range");
        assert!(connection.socket().is_keepalive());
    });
}

#[test]
fn a_user_timeout_is_rounded_up_to_milliseconds() {
    const MOST: Duration = Duration::from_millis(i32::MAX as u64);
    on_private_context(|_| {
        for (connection, eye, _peer) in watched() {
            assert_eq!(connection.user_timeout(), Ok(Duration::ZERO));
            for (timeout, expected) in [
                (Duration::from_millis(1500), 1500),
                (Duration::from_micros(1501), 2),
                (Duration::from_nanos(1), 1),
                (MOST, i32::MAX),
                (Duration::ZERO, 0),
            ] {
                connection.set_user_timeout(timeout).expect("in range");
                assert_eq!(options(&eye).user_timeout, expected);
                let known = Duration::from_millis(expected as u64);
                assert_eq!(connection.user_timeout(), Ok(known));
            }
            connection.set_user_timeout(seconds(3)).expect("in range");
            let before = options(&eye);
            for timeout in [
                MOST + Duration::from_nanos(1),
                Duration::from_millis((1 << 32) + 1),
                Duration::MAX,
            ] {
                let refused = connection.set_user_timeout(timeout);
                assert_fails(refused, gio::IOErrorEnum::InvalidArgument);
                assert_eq!(options(&eye), before, "{timeout:?}");
            }
        }
    });
}

#[test]
fn linger_zero_is_what_the_kernel_has() {
    on_private_context(|_| {
        for (connection, eye, _peer) in watched() {
            assert_eq!(connection.linger_zero(), Ok(false));
            connection.set_linger_zero(true).expect("an open socket");
            assert_eq!(options(&eye).linger, (1, 0));
            assert_eq!(connection.linger_zero(), Ok(true));
            connection.set_linger_zero(false).expect("an open socket");
            assert_eq!(options(&eye).linger.0, 0);
            assert_eq!(connection.linger_zero(), Ok(false));
        }
    });
}

#[test]
fn with_linger_zero_the_peer_sees_a_reset() {
    fn assert_reset(peer: &mut TcpStream) {
        let error = peer.read(&mut [0]).expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    on_private_context(|context| {
        for pair in [connected, connected_bare] {
            let (connection, mut peer) = tcp(pair());
            connection.set_linger_zero(true).expect("an open socket");
            connection
                .close(gio::Cancellable::NONE)
                .expect("it does not wait");
            assert_reset(&mut peer);

            let (connection, mut peer) = tcp(pair());
            connection.set_linger_zero(true).expect("an open socket");
            end_close(context, &begin_close(&connection, None)).expect("it does not wait");
            assert_reset(&mut peer);

            let (connection, mut peer) = tcp(pair());
            connection.set_linger_zero(true).expect("an open socket");
            drop(connection);
            assert_reset(&mut peer);

            // Set and unset again: an orderly end.
            let (connection, mut peer) = tcp(pair());
            connection.set_linger_zero(true).expect("an open socket");
            connection.set_linger_zero(false).expect("an open socket");
            connection
                .close(gio::Cancellable::NONE)
                .expect("it does not wait");
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

#[test]
fn liveness_sets_probes_and_user_timeout_within_its_promise() {
    on_private_context(|_| {
        for (connection, eye, _peer) in watched() {
            let at_first = options(&eye);
            for (liveness, promise) in [
                (Liveness::Interactive, 30_000),
                (Liveness::Background, 300_000),
            ] {
                connection.set_liveness(liveness).expect("an open socket");
                let now = options(&eye);
                assert!(now.keepalive);
                assert!(
                    1000 * (now.idle + now.interval * now.count) < promise,
                    "an idle peer: {now:?}"
                );
                assert!(
                    (1..promise).contains(&now.user_timeout),
                    "a busy one: {now:?}"
                );
                // The two are one promise, not two.
                assert_eq!(now.no_delay, at_first.no_delay);
                assert_eq!(now.linger, at_first.linger);
            }
            connection
                .set_liveness(Liveness::Off)
                .expect("an open socket");
            let now = options(&eye);
            assert!(!now.keepalive);
            assert_eq!(now.user_timeout, 0);
            assert_eq!(connection.keepalive_params(), Ok(None));
        }
    });
}

#[test]
fn options_set_before_connecting_hold_afterwards() {
    on_private_context(|_| {
        let (listener, address) = listener();
        let connection: TcpConnection = unconnected().downcast().expect("TCP");
        connection.set_no_delay(true).expect("an open socket");
        connection.set_linger_zero(true).expect("an open socket");
        connection
            .set_liveness(Liveness::Interactive)
            .expect("an open socket");
        let before = options(&connection.socket());
        connection
            .connect(&gio_address(address), gio::Cancellable::NONE)
            .expect("it listens");
        assert_eq!(options(&connection.socket()), before);
        drop(listener);
    });
}

#[test]
fn options_belong_to_the_socket_of_now() {
    on_private_context(|_| {
        let connection: TcpConnection = unconnected().downcast().expect("TCP");
        connection.set_no_delay(true).expect("an open socket");
        connection
            .set_liveness(Liveness::Background)
            .expect("an open socket");
        let (before, after) = (connection.socket(), tcp_socket(gio::SocketFamily::Ipv6));
        let expected = options(&after);
        connection.set_socket(&after).expect("nothing is pending");
        assert_eq!(connection.keepalive_params(), Ok(None));
        assert_eq!(connection.user_timeout(), Ok(Duration::ZERO));
        assert_eq!(options(&after), expected);
        connection
            .set_user_timeout(seconds(9))
            .expect("an open socket");
        assert_eq!(options(&after).user_timeout, 9000);
        assert_eq!(options(&before).user_timeout, 270_000);
    });
}

#[test]
fn every_option_of_a_closed_connection_answers_closed() {
    on_private_context(|_| {
        for (connection, _eye, _peer) in watched() {
            connection
                .close(gio::Cancellable::NONE)
                .expect("open so far");
            let closed = gio::IOErrorEnum::Closed;
            assert_fails(connection.no_delay(), closed);
            assert_fails(connection.set_no_delay(true), closed);
            assert_fails(connection.keepalive_params(), closed);
            assert_fails(
                connection.set_keepalive_params(seconds(1), seconds(1), 1),
                closed,
            );
            assert_fails(connection.user_timeout(), closed);
            assert_fails(connection.set_user_timeout(seconds(1)), closed);
            assert_fails(connection.linger_zero(), closed);
            assert_fails(connection.set_linger_zero(true), closed);
            for liveness in [Liveness::Off, Liveness::Background, Liveness::Interactive] {
                assert_fails(connection.set_liveness(liveness), closed);
            }
        }
    });
}

/// Of Multipath TCP, which has keep-alive and no limit for what is not acknowledged.
#[test]
fn liveness_is_set_as_far_as_the_socket_has_it() {
    const MPTCP: i32 = 262;
    on_private_context(|_| {
        // SAFETY: no pointers involved.
        let fd =
            unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, MPTCP) };
        if fd < 0 {
            // A kernel without it.
            let refusal = std::io::Error::last_os_error().raw_os_error();
            assert!(
                [Some(libc::EPROTONOSUPPORT), Some(libc::ENOPROTOOPT)].contains(&refusal),
                "{refusal:?}"
            );
            return;
        }
        // SAFETY: a descriptor of ours, just made.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let connection = SocketConnection::factory_create_connection_from_fd(fd);
        let connection: TcpConnection = connection.expect("a socket").downcast().expect("TCP");
        match connection.set_user_timeout(seconds(3)) {
            // A kernel that has it.
            Ok(()) => assert_eq!(connection.user_timeout(), Ok(seconds(3))),
            failed => {
                assert_fails(failed, gio::IOErrorEnum::NotSupported);
                assert_fails(connection.user_timeout(), gio::IOErrorEnum::NotSupported);
            }
        }
        connection
            .set_liveness(Liveness::Interactive)
            .expect("the probes alone are enough");
        assert!(connection.keepalive_params().expect("it has it").is_some());
        connection.set_liveness(Liveness::Off).expect("likewise");
        assert!(connection.keepalive_params().expect("it has it").is_none());
    });
}
