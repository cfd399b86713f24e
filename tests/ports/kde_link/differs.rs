//! What one version does and the other does not, as seen on GLib 2.74.6: `examples/kde_link/README.md` lists it.

use std::time::Duration;

use gio::{IOErrorEnum, prelude::*};
use gsock::{ConnectionState, prelude::*};

use super::{
    device::{Device, Packet},
    on_gio, ours,
    scene::*,
};
use crate::support::*;

/// A link whose peer has sent more than the version on GIO keeps, and has gone.
async fn gone_behind_packets<P: Port>() -> P {
    let mut home = Home::<P>::new();
    let (phone, desktop): (P, P) = home.link(&Device::new("phone")).await;
    for number in 0..100 {
        phone.send(&ping(number)).expect("room");
    }
    phone.close().await.expect("open");
    desktop
}

async fn take_them<P: Port>(link: &P) {
    for number in 0..100 {
        assert_eq!(link.receive().await, Ok(Some(ping(number))));
    }
    assert_eq!(link.receive().await, Ok(None));
}

#[test]
fn gio_does_not_notice_the_end_behind_packets_that_nobody_takes() {
    run(|| async {
        let link = gone_behind_packets::<on_gio::Link>().await;
        glib::timeout_future(Duration::from_millis(100)).await;
        assert!(link.is_alive());
        take_them(&link).await;
        lost(&link).await;
    });
}

#[test]
fn ours_notices_the_end_behind_packets_that_nobody_takes() {
    run(|| async {
        let link = gone_behind_packets::<ours::Link>().await;
        lost(&link).await;
        assert_eq!(link.connection().state(), ConnectionState::Disconnected);
        // And loses none of them.
        take_them(&link).await;
        // glib-networking keeps what was not closed for as long as it likes, and what a signal has kept from being closed.
        // Its last word may find the peer gone.
        let_stay();
        let _ = link.close().await;
    });
}

const LARGE: usize = 2 * 1024 * 1024;

/// What comes of a packet as large as a peer likes, and of the next one.
async fn large_then_small<P: Port>() -> [Result<Option<Packet>, glib::Error>; 2] {
    let mut home = Home::<P>::new();
    let port = home.port();
    let (peer, link) = futures::join!(plain_peer("phone", port), home.next());
    let link = link.expect("a link");
    let large = Packet::new("large", "x".repeat(LARGE).into());
    let lines = format!("{}\n{}\n", large.to_line(), ping(1).to_line());
    let writing = write(&peer, lines.into_bytes());
    let reading = async { [link.receive().await, link.receive().await] };
    let (written, read) = futures::join!(writing, reading);
    written.expect("it reads");
    read
}

#[test]
fn gio_keeps_a_packet_of_any_length_in_memory() {
    run(|| async {
        let [large, small] = large_then_small::<on_gio::Link>().await;
        let large = large.expect("no bound").expect("a packet");
        assert_eq!(large.body().as_str().map(str::len), Some(LARGE));
        assert_eq!(small, Ok(Some(ping(1))));
    });
}

#[test]
fn ours_refuses_a_packet_beyond_the_bound_and_reads_the_next() {
    run(|| async {
        let [large, small] = large_then_small::<ours::Link>().await;
        assert_fails(large, IOErrorEnum::MessageTooLarge);
        assert_eq!(small, Ok(Some(ping(1))));
    });
}

/// What comes of a line of which the end is missing when the peer goes.
async fn without_its_end<P: Port>() -> Result<Option<Packet>, glib::Error> {
    let mut home = Home::<P>::new();
    let port = home.port();
    let (peer, link) = futures::join!(plain_peer("phone", port), home.next());
    let link = link.expect("a link");
    write(&peer, br#"{"type":"a"}"#.to_vec())
        .await
        .expect("room");
    let closed = peer.close_future(glib::Priority::DEFAULT).await;
    closed.expect("it was open");
    link.receive().await
}

#[test]
fn gio_takes_a_line_without_its_end_for_a_packet() {
    run(|| async {
        let packet = without_its_end::<on_gio::Link>().await;
        let packet = packet.expect("a packet").expect("a packet");
        assert_eq!(packet.kind(), Some("a"));
    });
}

#[test]
fn ours_says_that_a_line_has_no_end() {
    run(|| async {
        let packet = without_its_end::<ours::Link>().await;
        assert_fails(packet, IOErrorEnum::PartialInput);
    });
}

/// How many of 200 packets of 64 KiB may wait to be sent.
async fn wait_to_be_sent<P: Port>() -> usize {
    let mut home = Home::<P>::new();
    let (phone, _desktop): (P, P) = home.link(&Device::new("phone")).await;
    let packet = Packet::new("large", "x".repeat(64 * 1024).into());
    (0..200).take_while(|_| phone.send(&packet).is_ok()).count()
}

#[test]
fn gio_counts_the_packets_that_wait_to_be_sent_and_not_their_bytes() {
    run(|| async { assert_eq!(wait_to_be_sent::<on_gio::Link>().await, 200) });
}

#[test]
fn ours_bounds_the_bytes_that_wait_to_be_sent() {
    run(|| async {
        let waiting = wait_to_be_sent::<ours::Link>().await;
        assert!((1..=16).contains(&waiting), "{waiting}");
    });
}

/// GLib itself sends at once from 2.80.0 on.
#[test]
fn gio_sends_a_small_packet_when_the_one_before_it_has_arrived() {
    run(|| async {
        let mut home = Home::<on_gio::Link>::new();
        let (phone, _): (on_gio::Link, on_gio::Link) = home.link(&Device::new("phone")).await;
        let socket = phone.connection().socket();
        let no_delay = socket.option(libc::IPPROTO_TCP, libc::TCP_NODELAY);
        let is_new = glib::check_version(2, 80, 0).is_none();
        assert_eq!(no_delay.expect("an option") != 0, is_new);
    });
}

#[test]
fn ours_sends_a_small_packet_at_once() {
    run(|| async {
        let mut home = Home::<ours::Link>::new();
        let (phone, _): (ours::Link, ours::Link) = home.link(&Device::new("phone")).await;
        let socket = phone.connection().socket();
        let no_delay = socket.option(libc::IPPROTO_TCP, libc::TCP_NODELAY);
        assert_ne!(no_delay, Ok(0));
    });
}
