//! A peer whose process is stopped: its system goes on answering for it, so that only what it does not read gives it away.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use gio::{IOErrorEnum, prelude::*};
use gsock::{ConnectionState, prelude::*};

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
    fn start(test: &str, ports: [u16; 3]) -> Self {
        let [first, second, third] = ports;
        let child = Command::new(std::env::current_exe().expect("the test itself"))
            .args(["--exact", test])
            .env(PORTS, format!("{first} {second} {third}"))
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
    let mut links = Vec::new();
    for port in ports.split(' ') {
        // Each knows nothing of the other, as those to whom they link are several.
        let phone = Device::new("phone");
        let port = port.parse().expect("a port");
        let link = on_gio::Link::connect(&phone, "127.0.0.1", port).await;
        links.push(link.expect("a link"));
    }
    // The parent ends at some time.
    for link in links {
        while link.receive().await.is_ok_and(|packet| packet.is_some()) {}
    }
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

/// The system is to be as impatient as it can be told to be.
fn be_impatient(socket: &gio::Socket, milliseconds: i32) {
    for (option, value) in [
        (libc::TCP_KEEPIDLE, 1),
        (libc::TCP_KEEPINTVL, 1),
        (libc::TCP_KEEPCNT, 1),
        (libc::TCP_USER_TIMEOUT, milliseconds),
    ] {
        let set = socket.set_option(libc::IPPROTO_TCP, option, value);
        set.expect("an option");
    }
}

fn is_timeout(failure: &glib::Error) -> bool {
    failure.matches(IOErrorEnum::TimedOut)
}

#[test]
fn a_peer_that_is_stopped_is_noticed_by_both_and_keep_alive_alone_does_not_tell() {
    let test = "kde_link::stopped::a_peer_that_is_stopped_is_noticed_by_both_and_keep_alive_alone_does_not_tell";
    if let Ok(ports) = std::env::var(PORTS) {
        return run(move || async move { be_the_peer(&ports).await });
    }
    run(move || async move {
        let mut homes = [Home::<on_gio::Link>::new(), Home::<on_gio::Link>::new()];
        let mut home = Home::<ours::Link>::new();
        let ports = [homes[0].port(), homes[1].port(), home.port()];
        let peer = Peer::start(test, ports);
        let gio = homes[0].next().await.expect("a link");
        let by_keep_alive = homes[1].next().await.expect("a link");
        let ours = home.next().await.expect("a link");
        be_impatient(&gio.connection().socket(), 1000);
        be_impatient(&ours.connection().socket(), 1000);
        be_impatient(&by_keep_alive.connection().socket(), 0);
        peer.stop();
        let packet = Packet::new("large", "x".repeat(60_000).into());
        while by_keep_alive.send(&packet).is_ok() {}
        futures::join!(
            send_until_lost(&gio, &packet),
            send_until_lost(&ours, &packet)
        );
        assert_eq!(ours.connection().state(), ConnectionState::Disconnected);
        // Who reads or writes next takes the system's own reason, and it is kept.
        let read = ours.receive().await.expect_err("no peer");
        let why = ours.connection().last_error().expect("a reason");
        assert!(is_timeout(&read) || is_timeout(&why), "{read}; {why}");
        gio.receive().await.expect_err("no peer");
        assert!(by_keep_alive.is_alive());
        // It only hears of a peer that is no more.
        drop(peer);
        lost(&by_keep_alive).await;
    });
}
