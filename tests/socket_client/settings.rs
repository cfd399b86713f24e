//! The properties.

use std::time::Duration;

use gio::{Cancellable, SocketFamily, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketClient, prelude::*};

use crate::{support::*, tools::*};

#[test]
fn setters_notify_what_is_new_and_the_local_address_always() {
    on_private_context(|_| {
        let client = SocketClient::new();
        let seen = notifications(&client);
        for _ in 0..2 {
            client.set_family(SocketFamily::Ipv4);
            client.set_socket_type(SocketType::Datagram);
            client.set_protocol(SocketProtocol::Udp);
            client.set_timeout(3);
            client.set_enable_proxy(false);
            client.set_connect_timeout(Duration::from_micros(1500));
            client.set_io_timeout(Duration::from_secs(1));
            client.set_attempt_delay(Duration::ZERO);
            client.set_local_address(gio::SocketAddress::NONE);
            client.set_proxy_resolver(gio::ProxyResolver::NONE);
        }
        assert_eq!(
            *seen.borrow(),
            [
                "family",
                "type",
                "protocol",
                "timeout",
                "enable-proxy",
                "connect-timeout-ms",
                "io-timeout-ms",
                "attempt-delay-ms",
                "local-address",
                "local-address",
            ]
        );
        assert_eq!(client.connect_timeout(), Duration::from_millis(2));
        assert_eq!(client.attempt_delay(), Duration::from_millis(10));
        assert_eq!(client.property::<u32>("io-timeout-ms"), 1000);
    });
}

#[test]
fn the_properties_are_the_getters() {
    on_private_context(|_| {
        let local = gio_address(([127, 0, 0, 1], 0).into());
        let resolver = gio::SimpleProxyResolver::new(None, ["here"]);
        let client: SocketClient = glib::Object::builder()
            .property("family", SocketFamily::Ipv6)
            .property("type", SocketType::Seqpacket)
            .property("protocol", SocketProtocol::Sctp)
            .property("local-address", &local)
            .property("timeout", 7_u32)
            .property("enable-proxy", false)
            .property("proxy-resolver", &resolver)
            .build();
        assert_eq!(client.family(), SocketFamily::Ipv6);
        assert_eq!(client.socket_type(), SocketType::Seqpacket);
        assert_eq!(client.protocol(), SocketProtocol::Sctp);
        assert_eq!(client.local_address(), Some(local.upcast()));
        assert_eq!(client.timeout(), 7);
        assert!(!client.enables_proxy());
        assert_eq!(
            client.proxy_resolver(),
            resolver.upcast::<gio::ProxyResolver>()
        );
        client.set_proxy_resolver(gio::ProxyResolver::NONE);
        assert_eq!(client.proxy_resolver(), gio::ProxyResolver::default());
    });
}

#[test]
fn sockets_are_bound_to_the_local_address() {
    on_private_context(|context| {
        let (listener, address) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_local_address(Some(&gio_address(([127, 0, 0, 5], 0).into())));
            connect(form, &client, &gio_address(address), None, context).unwrap();
            let (_, from) = listener.accept().unwrap();
            assert_eq!(from.ip(), std::net::Ipv4Addr::new(127, 0, 0, 5));
        }
    });
}

#[test]
fn the_timeout_stays_with_the_socket_unless_there_is_one_for_it() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            client.set_timeout(7);
            let made = connect(form, &client, &gio_address(address), None, context).unwrap();
            assert_eq!(made.socket().timeout(), 7);
            client.set_io_timeout(Duration::from_millis(40));
            let made = connect(form, &client, &gio_address(address), None, context).unwrap();
            // Nothing comes, and it is no second that it waits.
            let begun = std::time::Instant::now();
            let failed = made.input_stream().read(&mut [0], Cancellable::NONE);
            assert_fails(failed, gio::IOErrorEnum::TimedOut);
            assert!(begun.elapsed() >= Duration::from_millis(40));
            assert_eq!(made.socket().timeout(), 1);
            let failed = made.input_stream().read(&mut [0], Cancellable::NONE);
            assert_fails(failed, gio::IOErrorEnum::TimedOut);
        }
    });
}

#[test]
fn tcp_connections_send_at_once() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        for form in FORMS {
            let client = SocketClient::new();
            let made = connect(form, &client, &gio_address(address), None, context).unwrap();
            let made = made.downcast::<gsock::TcpConnection>().unwrap();
            assert!(made.no_delay().unwrap());
            assert_eq!(made.socket().protocol(), SocketProtocol::Tcp);
        }
    });
}

#[test]
fn multipath_tcp_is_used_where_there_is_any_and_is_tcp_elsewhere() {
    on_private_context(|context| {
        let (_listener, address) = listener();
        // The system's own answer.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 262) };
        let expected = if fd < 0 { libc::IPPROTO_TCP } else { 262 };
        unsafe { libc::close(fd) };
        for form in FORMS {
            let client = SocketClient::new();
            client.set_multipath(true);
            let made = connect(form, &client, &gio_address(address), None, context).unwrap();
            let made = made.downcast::<gsock::TcpConnection>().unwrap();
            let protocol = made.socket().option(libc::SOL_SOCKET, libc::SO_PROTOCOL);
            assert_eq!(protocol.unwrap(), expected);
            // What is asked for is what there is.
            client.set_protocol(SocketProtocol::Tcp);
            let made = connect(form, &client, &gio_address(address), None, context).unwrap();
            let protocol = made.socket().option(libc::SOL_SOCKET, libc::SO_PROTOCOL);
            assert_eq!(protocol.unwrap(), libc::IPPROTO_TCP);
        }
    });
}
