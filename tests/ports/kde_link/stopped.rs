//! A peer whose process is stopped: its system goes on answering for it, so that only what it does not read gives it away.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use gio::{IOErrorEnum, prelude::*};
use gsock::{ConnectionState, TcpConnection, prelude::*};

use super::{
    device::{Device, Packet},
    on_gio, ours,
    scene::*,
};

/// Set in the peer's process: whom to link to.
const PORTS: &str = "GSOCK_TEST_STOPPED";

/// The process of the peer, which ends with the test.
struct Peer(Child);

impl Peer {
    fn start(test: &str, ports: [u16; 2]) -> Self {
        let child = Command::new(std::env::current_exe().expect("the test itself"))
            .args(["--exact", test])
            .env(PORTS, format!("{} {}", ports[0], ports[1]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("it runs"))
    }

    fn stop(&self) {
        let id = libc::pid_t::try_from(self.0.id()).expect("a process");
        // SAFETY: our child, which nobody has waited for.
        assert_eq!(unsafe { libc::kill(id, libc::SIGSTOP) }, 0);
        let mut status = 0;
        // SAFETY: likewise, and a place for the status.
        let waited = unsafe { libc::waitpid(id, &raw mut status, libc::WUNTRACED) };
        assert_eq!(waited, id);
        assert!(libc::WIFSTOPPED(status), "{status}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Links to both, and reads until it is ended.
async fn be_the_peer(ports: &str) {
    let mut ports = ports.split(' ').map(|port| port.parse().expect("a port"));
    let mut next = || ports.next().expect("two ports");
    // Two who know nothing of each other, as those to whom they link are two.
    let phones = [Device::new("phone"), Device::new("phone")];
    let first = on_gio::Link::connect(&phones[0], "127.0.0.1", next()).await;
    let second = on_gio::Link::connect(&phones[1], "127.0.0.1", next()).await;
    let (first, second) = (first.expect("a link"), second.expect("a link"));
    // The parent ends at some time.
    while first.receive().await.is_ok_and(|packet| packet.is_some()) {}
    while second.receive().await.is_ok_and(|packet| packet.is_some()) {}
}

/// More than two systems keep of what nobody reads.
async fn send_until_lost<P: Port>(link: &P, packet: &Packet) {
    let sending = async {
        loop {
            while link.send(packet).is_ok() {}
            glib::timeout_future(Duration::from_millis(10)).await;
        }
    };
    futures::pin_mut!(sending);
    let lost = lost(link);
    futures::pin_mut!(lost);
    futures::future::select(lost, sending).await;
}

#[test]
fn gio_sits_there_when_the_peer_is_stopped_and_ours_says_so() {
    let test = "kde_link::stopped::gio_sits_there_when_the_peer_is_stopped_and_ours_says_so";
    if let Ok(ports) = std::env::var(PORTS) {
        return run(move || async move { be_the_peer(&ports).await });
    }
    run(move || async move {
        let (mut gio, mut ours) = (Home::<on_gio::Link>::new(), Home::<ours::Link>::new());
        let peer = Peer::start(test, [gio.port(), ours.port()]);
        let gio = gio.next().await.expect("a link");
        let ours = ours.next().await.expect("a link");
        // Both as impatient as what they use can be told to be.
        let socket = gio.connection().socket();
        for option in [libc::TCP_KEEPIDLE, libc::TCP_KEEPINTVL, libc::TCP_KEEPCNT] {
            socket
                .set_option(libc::IPPROTO_TCP, option, 1)
                .expect("an option");
        }
        let tcp = ours.connection().downcast_ref::<TcpConnection>();
        let second = Duration::from_secs(1);
        tcp.expect("TCP")
            .set_user_timeout(second)
            .expect("an option");
        peer.stop();
        let packet = Packet::new("large", "x".repeat(60_000).into());
        while gio.send(&packet).is_ok() {}
        send_until_lost(&ours, &packet).await;
        assert_eq!(ours.connection().state(), ConnectionState::Disconnected);
        // Who reads or writes next takes the system's own reason, and it is kept.
        let read = ours.receive().await.expect_err("no peer");
        let why = ours.connection().last_error().expect("a reason");
        let is_why = |failure: &glib::Error| failure.matches(IOErrorEnum::TimedOut);
        assert!(is_why(&read) || is_why(&why), "{read}; {why}");
        assert!(gio.is_alive());
        // It only hears of a peer that is no more.
        drop(peer);
        lost(&gio).await;
    });
}
