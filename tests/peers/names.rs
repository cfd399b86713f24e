//! dnsmasq answers for names, and beneath it a server of the test's own that fails as servers do.

use std::{
    net::{SocketAddr, UdpSocket},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::{IOErrorEnum, ResolverError, prelude::*};
use gsock::{SocketClient, prelude::*};

use crate::{forms::*, ours::*, servers::program, support::*};

/// Fails for each name that begins with `fails`, and is silent for any other.
struct Failing {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Failing {
    fn new() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
        let address = socket.local_addr().expect("bound");
        let time = Some(Duration::from_millis(50));
        socket.set_read_timeout(time).expect("an option");
        let is_over = Arc::<AtomicBool>::default();
        let over = is_over.clone();
        let thread = thread::spawn(move || {
            let mut packet = [0; 1_500];
            while !over.load(Ordering::SeqCst) {
                let Ok((count, from)) = socket.recv_from(&mut packet) else {
                    continue;
                };
                // Behind the head of twelve bytes is the length of the first word, and that.
                if count > 18 && packet[13..18] == *b"fails" {
                    // It is an answer, and the server has failed.
                    packet[2] |= 0x80;
                    packet[3] = 0x80 | 2;
                    let _ = socket.send_to(&packet[..count], from);
                }
            }
        });
        Self {
            address,
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

struct Dnsmasq(std::process::Child);

impl Dnsmasq {
    fn new(arguments: &[String]) -> Self {
        let child = program("dnsmasq")
            .args([
                "--keep-in-foreground",
                "--user=root",
                "--pid-file",
                "--conf-file=/dev/null",
            ])
            .args([
                "--no-resolv",
                "--no-hosts",
                "--bind-interfaces",
                "--log-facility=/dev/null",
            ])
            .args(["--listen-address=127.0.0.1", "--local=/test/"])
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()
            .expect("make setup unpacks dnsmasq on Debian; elsewhere install it");
        let mut server = Self(child);
        for _ in 0..500 {
            assert!(
                server.0.try_wait().expect("our child").is_none(),
                "it has ended"
            );
            if std::net::TcpStream::connect("127.0.0.1:53").is_ok() {
                return server;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("dnsmasq does not listen");
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        self.0.kill().expect("our child");
        self.0.wait().expect("our child");
    }
}

fn is_resolver_error(failure: &glib::Error, expected: ResolverError) {
    assert_eq!(
        failure.kind::<ResolverError>(),
        Some(expected),
        "{failure:?}"
    );
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn dnsmasq_answers() {
    scene("dnsmasq: resolves", |context, table| {
        let service = Ours::new(Work::Echo);
        let port = service.address.port();
        let failing = Failing::new();
        let hosts = std::env::temp_dir().join(format!("gsock-hosts-{}", std::process::id()));
        // A network of which nobody answers: peers.sh has made it.
        let mut lines = "127.0.0.1 one.test\n10.66.0.9 dead.test\n127.0.0.1 dead.test\n\
             ::1 both.test\n127.0.0.1 both.test\n10.66.0.9 gone.test\nfd66::9 dead6.test\n127.0.0.1 dead6.test\n"
            .to_owned();
        for number in 1..=100 {
            lines += &format!("127.0.1.{number} many.test\n");
        }
        std::fs::write(&hosts, lines).expect("a file");
        let below = failing.address;
        let _server = Dnsmasq::new(&[
            format!("--addn-hosts={}", hosts.display()),
            format!("--srv-host=_echo._tcp.test,one.test,{port}"),
            "--txt-record=empty.test,words".to_owned(),
            format!("--server=/below.example/{}#{}", below.ip(), below.port()),
        ]);
        let client = SocketClient::new();
        client.set_connect_timeout(Duration::from_secs(10));
        let there = |name: &str| gio::NetworkAddress::new(name, port);
        for form in FORMS {
            for name in [
                "one.test",
                "both.test",
                "many.test",
                "dead.test",
                "dead6.test",
            ] {
                table.check(form, name, || {
                    let made = connect(form, &client, &there(name), context).expect("one is there");
                    assert_echoes(form, &made, b"found", context);
                });
            }
            table.check(form, "the place of a service", || {
                let target = gio::NetworkService::new("echo", "tcp", "test");
                let made = connect(form, &client, &target, context).expect("one is there");
                assert_echoes(form, &made, b"found", context);
            });
            for (name, expected) in [
                ("nobody.test", ResolverError::NotFound),
                ("empty.test", ResolverError::NotFound),
                ("fails.below.example", ResolverError::TemporaryFailure),
                // Of which nobody has told dnsmasq anything: it refuses.
                ("somewhere.example", ResolverError::TemporaryFailure),
                // Silence, for as long as the resolver waits.
                ("silent.below.example", ResolverError::TemporaryFailure),
            ] {
                table.check(form, name, || {
                    let failed = connect(form, &client, &there(name), context);
                    is_resolver_error(&failed.expect_err("no address"), expected);
                });
            }
            table.check(form, "no service of that name", || {
                let target = gio::NetworkService::new("none", "tcp", "test");
                let failed = connect(form, &client, &target, context);
                is_resolver_error(&failed.expect_err("no address"), ResolverError::NotFound);
            });
            for name in ["silent.below.example", "gone.test"] {
                table.check(
                    form,
                    &format!("{name}, by the timeout of the connect"),
                    || {
                        let hasty = SocketClient::new();
                        hasty.set_connect_timeout(Duration::from_millis(300));
                        let failed = connect(form, &hasty, &there(name), context);
                        assert_fails(failed, IOErrorEnum::TimedOut);
                    },
                );
            }
        }
        table.check(
            "all of them",
            "an answer that is cut off is asked for by TCP",
            || {
                let found = gio::Resolver::default()
                    .lookup_by_name("many.test", gio::Cancellable::NONE)
                    .expect("there are");
                assert_eq!(found.len(), 100);
            },
        );
        std::fs::remove_file(&hosts).expect("our file");
    });
}
