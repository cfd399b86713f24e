//! Links: how they are made and refused, what goes through them, how they end.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv6Addr, TcpListener, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
    thread,
};

use gio::{IOErrorEnum, prelude::*};

use super::{
    device::{Device, Packet, Role},
    on_gio, ours,
    scene::*,
};
use crate::support::*;

on_both!(
    a_port_that_is_taken_is_passed_over_and_the_range_has_an_end,
    each_is_told_who_the_other_is_and_where,
    packets_go_both_ways_and_arrive_in_order,
    nothing_is_read_beyond_the_line_that_comes_before_tls,
    the_certificate_of_the_first_time_is_the_one_that_is_trusted,
    a_stranger_who_is_connected_to_is_refused,
    a_peer_that_says_too_much_of_itself_is_given_up,
    a_peer_that_speaks_something_else_is_given_up,
    a_peer_that_goes_before_it_has_said_who_it_is_is_given_up,
    a_packet_that_is_none_is_told_and_the_next_one_read,
    more_packets_than_may_wait_are_refused,
    what_was_queued_is_sent_before_the_close,
    a_peer_that_goes_is_noticed,
    a_link_that_is_closed_is_lost_and_still_knows_whose_it_was,
);

/// Two neighbours, taken: where the kernel takes none from for those who ask for any.
fn taken() -> (TcpListener, TcpListener) {
    let begin = std::process::id() % 150 * 100;
    let found = (0..200).find_map(|turn| {
        let port = u16::try_from(12_000 + (begin + turn * 100) % 15_000).ok()?;
        let first = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).ok()?;
        let second = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port + 1)).ok()?;
        Some((first, second))
    });
    found.expect("two ports in a row")
}

async fn a_port_that_is_taken_is_passed_over_and_the_range_has_an_end<P: Port>() {
    let (first, second) = taken();
    let [first, second] = [&first, &second].map(|it| it.local_addr().expect("bound").port());
    let device = Device::new("desktop");
    let full = P::listen(&device, first..=second, |_| ());
    assert_fails(full.map(drop), IOErrorEnum::AddressInUse);
    let server = P::listen(&device, first..=second + 100, |_| ()).expect("a free port");
    assert!((second + 1..=second + 100).contains(&P::port(&server)));
    P::stop(&server);
}

async fn each_is_told_who_the_other_is_and_where<P: Port>() {
    let mut home = Home::<P>::new();
    let (phone, desktop): (P, P) = home.link(&Device::new("phone")).await;
    assert_eq!((phone.peer(), desktop.peer()), ("desktop", "phone"));
    let [there, here] = [&phone, &desktop].map(|link| {
        let address = link.remote_address().expect("connected");
        let inet = address.downcast::<gio::InetSocketAddress>();
        inet.expect("an address of IP")
    });
    assert_eq!(there.port(), home.port());
    assert!(there.address().is_loopback());
    assert!(here.address().to_string().ends_with("127.0.0.1"));
}

async fn packets_go_both_ways_and_arrive_in_order<P: Port>() {
    let mut home = Home::<P>::new();
    let (phone, desktop): (P, P) = home.link(&Device::new("phone")).await;
    for number in 0..100 {
        phone.send(&ping(number)).expect("room");
        desktop.send(&ping(1000 + number)).expect("room");
    }
    for number in 0..100 {
        assert_eq!(desktop.receive().await, Ok(Some(ping(number))));
        assert_eq!(phone.receive().await, Ok(Some(ping(1000 + number))));
    }
}

/// A peer whose line and whose first words of TLS are one piece for the network.
fn peer_in_one_piece(listener: &TcpListener) -> Result<Vec<u8>, glib::Error> {
    let (mut stream, _) = listener.accept().expect("a client");
    let mut line = String::new();
    // What follows it is not before the answer.
    BufReader::new(&stream)
        .read_line(&mut line)
        .expect("a line");
    let name = Packet::parse(line.as_bytes())?.peer()?;
    let cork = 1_i32;
    // SAFETY: a live descriptor, and an option of this size.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CORK,
            (&raw const cork).cast(),
            size_of_val(&cork) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
    let device = Device::new("desktop");
    let identity = device.identity().to_line() + "\n";
    stream.write_all(identity.as_bytes()).expect("room");
    let socket = gio::Socket::from_fd(OwnedFd::from(stream))?;
    let connection = socket.connection_factory_create_connection();
    let context = glib::MainContext::new();
    context
        .with_thread_default(|| {
            context.block_on(async {
                let tls = device.secure(&connection, &name, Role::Client).await?;
                let input = tls.input_stream();
                let read = input.read_bytes_future(64, glib::Priority::DEFAULT).await?;
                Ok(read.to_vec())
            })
        })
        .expect("a new context has no owner")
}

async fn nothing_is_read_beyond_the_line_that_comes_before_tls<P: Port>() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let peer = thread::spawn(move || peer_in_one_piece(&listener));
    let link = P::connect(&Device::new("phone"), "127.0.0.1", port).await;
    let link = link.expect("a link");
    link.send(&Packet::new("a", serde_json::Value::Null))
        .expect("room");
    let read = gio::spawn_blocking(|| peer.join().expect("no panic")).await;
    let read = read.expect("no panic").expect("a line");
    assert_eq!(read, b"{\"body\":null,\"type\":\"a\"}\n");
}

async fn the_certificate_of_the_first_time_is_the_one_that_is_trusted<P: Port>() {
    let mut home = Home::<P>::new();
    let phone = Device::new("phone");
    for _ in 0..2 {
        let (link, _desktop): (P, P) = home.link(&phone).await;
        link.close().await.expect("open");
    }
    let stranger = Device::new("phone");
    let port = home.port();
    let (there, here) = futures::join!(P::connect(&stranger, "127.0.0.1", port), home.next());
    let refused = here.map(|_| ()).expect_err("another certificate");
    assert!(refused.matches(gio::TlsError::BadCertificate), "{refused}");
    assert!(there.is_err());
    // And the one who is known is not forgotten.
    let _: (P, P) = home.link(&phone).await;
}

async fn a_stranger_who_is_connected_to_is_refused<P: Port>() {
    let phone = Device::new("phone");
    let _: (P, P) = Home::<P>::new().link(&phone).await;
    let elsewhere = Home::<P>::new();
    let refused = P::connect(&phone, "127.0.0.1", elsewhere.port()).await;
    let refused = refused.map(|_| ()).expect_err("another certificate");
    assert!(refused.matches(gio::TlsError::BadCertificate), "{refused}");
}

/// What a server says of a peer with these words, who then goes or stays.
async fn told_of<P: Port>(words: Vec<u8>, stays: bool) -> glib::Error {
    let mut home = Home::<P>::new();
    let mut stream = TcpStream::connect(("127.0.0.1", home.port())).expect("it listens");
    let peer = thread::spawn(move || {
        // Who is given up has not read all.
        let _ = stream.write_all(&words);
        stays.then_some(stream)
    });
    let told = home.next().await.map(|_| ());
    drop(peer.join().expect("no panic"));
    told.expect_err("no link")
}

async fn a_peer_that_says_too_much_of_itself_is_given_up<P: Port>() {
    let told = told_of::<P>(vec![b'x'; 9000], true).await;
    assert!(told.matches(IOErrorEnum::MessageTooLarge), "{told}");
}

async fn a_peer_that_speaks_something_else_is_given_up<P: Port>() {
    for words in [&b"GET / HTTP/1.0\r\n"[..], b"{}\n", b"\n", b"\xff\xfe\n"] {
        let told = told_of::<P>(words.to_vec(), true).await;
        assert!(told.matches(IOErrorEnum::InvalidData), "{told}");
    }
}

async fn a_peer_that_goes_before_it_has_said_who_it_is_is_given_up<P: Port>() {
    for words in [&b""[..], b"{\"type\":"] {
        let told = told_of::<P>(words.to_vec(), false).await;
        assert!(told.matches(IOErrorEnum::PartialInput), "{told}");
    }
}

async fn a_packet_that_is_none_is_told_and_the_next_one_read<P: Port>() {
    let mut home = Home::<P>::new();
    let port = home.port();
    let (peer, link) = futures::join!(plain_peer("phone", port), home.next());
    let link = link.expect("a link");
    let lines = b"{\n{\"type\":\"kdeconnect.ping\"}\n".to_vec();
    write(&peer, lines).await.expect("room");
    assert_fails(link.receive().await, IOErrorEnum::InvalidData);
    let packet = link.receive().await.expect("a packet").expect("a packet");
    assert_eq!(packet.kind(), Some("kdeconnect.ping"));
}

async fn more_packets_than_may_wait_are_refused<P: Port>() {
    let mut home = Home::<P>::new();
    let (phone, _desktop): (P, P) = home.link(&Device::new("phone")).await;
    let large = Packet::new("large", serde_json::Value::from("x".repeat(1000)));
    let refused = (0..10_000).find_map(|_| phone.send(&large).err());
    let refused = refused.expect("an end");
    assert!(refused.matches(IOErrorEnum::WouldBlock), "{refused}");
}

async fn what_was_queued_is_sent_before_the_close<P: Port>() {
    let mut home = Home::<P>::new();
    let (phone, desktop): (P, P) = home.link(&Device::new("phone")).await;
    for number in 0..200 {
        phone.send(&ping(number)).expect("room");
    }
    let closing = async { phone.close().await };
    let reading = async {
        for number in 0..200 {
            assert_eq!(desktop.receive().await, Ok(Some(ping(number))));
        }
        assert_eq!(desktop.receive().await, Ok(None));
    };
    let (closed, ()) = futures::join!(closing, reading);
    assert_eq!(closed, Ok(()));
    assert!(phone.send(&ping(0)).is_err());
}

async fn a_peer_that_goes_is_noticed<P: Port>() {
    // TLS is glib-networking's, which keeps what was not closed for as long as it likes.
    let_stay();
    let mut home = Home::<P>::new();
    let (phone, desktop): (P, P) = home.link(&Device::new("phone")).await;
    assert!(phone.is_alive() && desktop.is_alive());
    drop(phone);
    lost(&desktop).await;
    let (phone, desktop): (P, P) = home.link(&Device::new("phone 2")).await;
    desktop.close().await.expect("open");
    lost(&phone).await;
    assert_eq!(phone.receive().await, Ok(None));
}

async fn a_link_that_is_closed_is_lost_and_still_knows_whose_it_was<P: Port>() {
    let mut home = Home::<P>::new();
    let (phone, desktop): (P, P) = home.link(&Device::new("phone")).await;
    let address = phone.remote_address().expect("connected").to_string();
    phone.close().await.expect("open");
    lost(&phone).await;
    // glib-networking keeps what was not closed for as long as it likes.
    let _ = desktop.close().await;
    assert_eq!(phone.peer(), "desktop");
    assert_eq!(phone.remote_address().expect("kept").to_string(), address);
}

/// The versions speak with each other.
async fn mixed<P: Port, Q: Port>() {
    let mut home = Home::<P>::new();
    let (phone, desktop): (Q, P) = home.link(&Device::new("phone")).await;
    phone.send(&ping(1)).expect("room");
    desktop.send(&ping(2)).expect("room");
    assert_eq!(desktop.receive().await, Ok(Some(ping(1))));
    assert_eq!(phone.receive().await, Ok(Some(ping(2))));
    phone.close().await.expect("open");
    assert_eq!(desktop.receive().await, Ok(None));
}

#[test]
fn each_version_links_to_the_other() {
    run(mixed::<on_gio::Link, ours::Link>);
    run(mixed::<ours::Link, on_gio::Link>);
}
