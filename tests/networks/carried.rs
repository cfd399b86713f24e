//! Lines that lose, delay, mix up, or are narrow: all data arrives as it was.

use std::{
    net::{Ipv4Addr, TcpStream},
    sync::atomic::Ordering,
    time::Duration,
};

use crate::{forms::*, link::*, net::*, scene::*, table::Table};

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

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn loss() {
    scene("loss of 30 %", |context, table| {
        let peer = Peer::new(Manner::Echo);
        let rule = Rule::new("meta l4proto tcp numgen random mod 100 < 30 drop");
        carries(context, table, &peer.at(), 100_000, client_from_there);
        drop(rule);
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn narrow() {
    scene("200 kbit/s", |context, table| {
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
    scene(name, move |context, table| {
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
