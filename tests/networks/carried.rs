//! Lines that lose, delay, mix up, or are narrow: all data arrives as it was.

use std::{
    net::{Ipv4Addr, TcpStream},
    sync::atomic::Ordering,
    time::Duration,
};

use gio::{Cancellable, SocketClientEvent, prelude::*};
use gsock::prelude::*;

use crate::{
    authority::*,
    forms::*,
    link::*,
    net::*,
    ours::{Ours, Work},
    scene::*,
    table::Table,
};

/// Each form, a service, frames and a reconnector over one line.
fn carries(
    context: &glib::MainContext,
    table: &mut Table,
    at: &gio::InetSocketAddress,
    size: usize,
    come: fn(u16) -> TcpStream,
) {
    for (form, seed) in FORMS.into_iter().zip(1..) {
        table.check(form, "all comes back as it was", || {
            let made = connect(form, &patient(), at, context).expect("it listens");
            assert_carries(form, &made, &pattern(size, seed), context);
            close(&made);
        });
    }
    table.check("service", "all comes back as it was", || {
        assert_serves(come, &pattern(size, 4), context);
    });
    encrypted(context, table, at, size);
    table.check("Framed", "each frame comes back as it was", || {
        let made = connect(Form::Future, &patient(), at, context).expect("it listens");
        assert_frames_come_back(&made, (size / 5_000).clamp(4, 20), context);
    });
    table.check("Reconnector", "connects, and all comes back", || {
        let again = Again::new(&patient(), at);
        again.assert_carries(context);
        again.end();
    });
}

/// TLS by GIO over our connections, at both ends.
fn encrypted(
    context: &glib::MainContext,
    table: &mut Table,
    at: &gio::InetSocketAddress,
    size: usize,
) {
    let bytes = pattern(size, 5);
    let authority = Authority::new("an-authority");
    let work = Work::Tls(authority.right(), bytes.len());
    let server = Ours::new_after(work, go_to_the_far_end);
    let to = gio::NetworkAddress::new(&at.address().to_string(), server.address.port());
    for form in FORMS {
        let what = format!("all comes back as it was: {form}");
        table.check("TLS", &what, || {
            assert_carries_in_tls(form, &authority, &to, &bytes, context);
        });
    }
}

fn assert_carries_in_tls(
    form: Form,
    authority: &Authority,
    to: &gio::NetworkAddress,
    bytes: &[u8],
    context: &glib::MainContext,
) {
    let (client, _) = authority.client();
    client.set_connect_timeout(PATIENCE);
    client.set_io_timeout(PATIENCE);
    // Under whichever address, it is the peer of that name.
    client.connect_event(|_, event, _, stream| {
        if event == SocketClientEvent::TlsHandshaking {
            let tls = stream.and_then(|stream| stream.downcast_ref());
            let tls: &gio::TlsClientConnection = tls.expect("it is about to shake hands");
            tls.set_server_identity(&gio::NetworkAddress::new(NAME, 443));
        }
    });
    let made = connect(form, &client, to, context).expect("it is trusted");
    let back = exchange(form, &made, bytes, context).expect("it goes on");
    assert_identical(&back, bytes);
    // The last word may find the peer gone.
    let _ = made.close(Cancellable::NONE);
}

/// TLS has threads of its own, and what these have is made once.
fn encrypted_once(context: &glib::MainContext) {
    let bytes = pattern(1_000, 6);
    let authority = Authority::new("another-authority");
    let server = Ours::new(Work::Tls(authority.right(), bytes.len()));
    let to = gio::NetworkAddress::new("127.0.0.1", server.address.port());
    for form in FORMS {
        assert_carries_in_tls(form, &authority, &to, &bytes, context);
    }
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn loss() {
    scene_after(encrypted_once, "loss of 30 %", |context, table| {
        let peer = Peer::new(Manner::Echo);
        let rule = Rule::new("meta l4proto tcp numgen random mod 100 < 30 drop");
        carries(context, table, &peer.at(), 100_000, client_from_there);
        drop(rule);
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn narrow() {
    scene_after(encrypted_once, "200 kbit/s", |context, table| {
        let peer = Peer::new(Manner::Echo);
        run("tc qdisc add dev near root tbf rate 200kbit burst 3kb latency 400ms");
        carries(context, table, &peer.at(), 20_000, client_from_there);
    });
}

fn come_by_tunnel(port: u16) -> TcpStream {
    in_the_far_end(|| TcpStream::connect((Ipv4Addr::new(10, 78, 0, 1), port)).expect("it listens"))
}

/// Over a line of our own, on which what is said to have happened has.
fn over(name: &'static str, size: usize, weather: Weather, happened: fn(&Seen) -> u32) {
    scene_after(encrypted_once, name, move |context, table| {
        let link = Link::new(weather);
        let peer = Peer::new(Manner::Echo);
        carries(context, table, &peer.at_by_tunnel(), size, come_by_tunnel);
        table.check("line", "it was as bad as it was to be", || {
            assert!(happened(&link.seen) > 0, "{:?}", link.seen);
        });
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn delay() {
    let weather = Weather {
        delay: Duration::from_millis(50),
        ..Weather::default()
    };
    over("delay", 200_000, weather, |seen| {
        seen.carried.load(Ordering::Relaxed)
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn disorder() {
    let weather = Weather {
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(15),
        ..Weather::default()
    };
    over("jitter and disorder", 200_000, weather, |seen| {
        seen.overtaken.load(Ordering::Relaxed)
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn twice() {
    let weather = Weather {
        delay: Duration::from_millis(2),
        jitter: Duration::from_millis(2),
        twice: 20,
        lost: 5,
        ..Weather::default()
    };
    over("duplicates and loss", 200_000, weather, |seen| {
        seen.twice
            .load(Ordering::Relaxed)
            .min(seen.lost.load(Ordering::Relaxed))
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn far_away() {
    let weather = Weather {
        delay: Duration::from_millis(30),
        width: 50_000,
        ..Weather::default()
    };
    over("narrow and far away", 30_000, weather, |seen| {
        seen.carried.load(Ordering::Relaxed)
    });
}
