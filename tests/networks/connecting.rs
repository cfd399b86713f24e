//! Who cannot be reached: silence, refusals, a queue that is full, one of two families.

use std::{net::SocketAddr, time::Duration};

use gio::{IOErrorEnum, prelude::*};
use gsock::prelude::*;

use crate::{forms::*, net::*, scene::*, support::*};

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn black_hole() {
    scene("black hole", |context, table| {
        let peer = Peer::new(Manner::Echo);
        let rule = Rule::new("meta l4proto tcp drop");
        for form in FORMS {
            for at in [peer.ip4(), peer.ip6()] {
                table.check(form, "a connect ends by its timeout", || {
                    let client = hasty();
                    assert_ends(form, context, IOErrorEnum::TimedOut, || {
                        connect(form, &client, &gio_address(at), context)
                    });
                });
            }
        }
        table.check("Reconnector", "tries on until it is heard", || {
            let again = Again::new(&hasty(), &peer.at());
            again.wait_for_failures(2, context);
            drop(rule);
            again.assert_carries(context);
            again.assert_all_failed_with(IOErrorEnum::TimedOut);
            again.end();
        });
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn refused() {
    scene("refused", |context, table| {
        let peer = Peer::new(Manner::Echo);
        let rule = Rule::new("meta l4proto tcp reject with tcp reset");
        for form in FORMS {
            for at in [peer.ip4(), peer.ip6()] {
                table.check(form, "a reset is a refusal", || {
                    let refused = connect(form, &patient(), &gio_address(at), context);
                    assert_fails(refused, IOErrorEnum::ConnectionRefused);
                });
            }
        }
        table.check("Reconnector", "tries on until it is let in", || {
            let again = Again::new(&patient(), &peer.at());
            again.wait_for_failures(3, context);
            drop(rule);
            again.assert_carries(context);
            again.assert_all_failed_with(IOErrorEnum::ConnectionRefused);
            again.end();
        });
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn unreachable() {
    scene("unreachable", |context, table| {
        let peer = Peer::new(Manner::Echo);
        let answers = [
            (peer.ip4(), "icmp host-unreachable", libc::EHOSTUNREACH),
            (peer.ip4(), "icmp net-unreachable", libc::ENETUNREACH),
            (peer.ip4(), "icmp port-unreachable", libc::ECONNREFUSED),
            (peer.ip4(), "icmp prot-unreachable", libc::ENOPROTOOPT),
            (peer.ip4(), "icmp admin-prohibited", libc::EHOSTUNREACH),
            (peer.ip6(), "icmpv6 no-route", libc::ENETUNREACH),
            (peer.ip6(), "icmpv6 addr-unreachable", libc::EHOSTUNREACH),
            (peer.ip6(), "icmpv6 port-unreachable", libc::ECONNREFUSED),
            (peer.ip6(), "icmpv6 admin-prohibited", libc::EACCES),
        ];
        for (at, answer, errno) in answers {
            let _rule = Rule::new(&format!("meta l4proto tcp reject with {answer}"));
            for form in FORMS {
                table.check(form, answer, || {
                    let failed = connect(form, &patient(), &gio_address(at), context);
                    assert_fails(failed, code_of(errno));
                });
            }
        }
        // In the middle it is no end: what is lost is sent again.
        for form in FORMS {
            table.check(form, "in the middle of a connection", || {
                let made = connect(form, &patient(), &peer.at(), context).expect("no rule yet");
                assert_carries(form, &made, b"before", context);
                let rule = Rule::new("meta l4proto tcp reject with icmp host-unreachable");
                write_all(form, &made, b"meanwhile", context).expect("it is sent in time");
                iterate_for(context, Duration::from_millis(100));
                drop(rule);
                assert_eq!(read(form, &made, context).expect("no end"), b"meanwhile");
                close(&made);
            });
        }
        table.check("Reconnector", "tries on until it is let through", || {
            let rule = Rule::new("meta l4proto tcp reject with icmp host-unreachable");
            let again = Again::new(&patient(), &peer.at());
            again.wait_for_failures(3, context);
            drop(rule);
            again.assert_carries(context);
            again.assert_all_failed_with(IOErrorEnum::HostUnreachable);
            again.end();
        });
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn full_queue() {
    scene("full queue", |context, table| {
        let mut peer = Peer::new(Manner::Full);
        let at = peer.ip4();
        let mut fillers = Vec::new();
        while let Ok(filler) = std::net::TcpStream::connect_timeout(&at, SOON) {
            fillers.push(filler);
            assert!(fillers.len() < 10, "a queue without an end");
        }
        for form in FORMS {
            table.check(form, "a connect ends by its timeout", || {
                assert_ends(form, context, IOErrorEnum::TimedOut, || {
                    connect(form, &hasty(), &peer.at(), context)
                });
            });
        }
        // One is there already, and gets in.
        let waiting = patient().connect_future(&peer.at());
        let waiting = gsock::engine::spawn_local(context, waiting);
        iterate_for(context, Duration::from_millis(100));
        peer.begin_to_accept();
        table.check("future", "gets in when there is room", || {
            let made = block_on(context, waiting).expect("not cancelled");
            let made = noted(made.expect("there is room"));
            assert_carries(Form::Future, &made, b"at last", context);
            close(&made);
        });
        for form in [Form::Blocking, Form::Callback] {
            table.check(form, "gets in after it", || {
                let made = connect(form, &patient(), &peer.at(), context).expect("there is room");
                assert_carries(form, &made, b"at last", context);
                close(&made);
            });
        }
        drop(fillers);
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn one_family() {
    scene("one family", |context, table| {
        let peer = Peer::new(Manner::Echo);
        // Has an address of each family, in a file of names.
        let name = gio::NetworkAddress::new("far.test", peer.port());
        let at = |is_v4| if is_v4 { peer.ip4() } else { peer.ip6() };
        for (rule, is_v4) in [
            ("meta nfproto ipv6 tcp flags syn drop", true),
            (
                "meta nfproto ipv6 meta l4proto tcp reject with tcp reset",
                true,
            ),
            (
                "meta nfproto ipv6 meta l4proto tcp reject with icmpv6 no-route",
                true,
            ),
            ("meta nfproto ipv4 tcp flags syn drop", false),
            (
                "meta nfproto ipv4 meta l4proto tcp reject with tcp reset",
                false,
            ),
        ] {
            let _rule = Rule::new(rule);
            for form in FORMS {
                table.check(form, rule, || {
                    let made = connect(form, &patient(), &name, context).expect("by the other one");
                    assert_eq!(remote_of(&made), at(is_v4));
                    assert_carries(form, &made, b"by the other one", context);
                    close(&made);
                });
            }
        }
        let rule = Rule::new("tcp flags syn drop");
        for form in FORMS {
            table.check(form, "neither is an end by the timeout", || {
                assert_ends(form, context, IOErrorEnum::TimedOut, || {
                    connect(form, &hasty(), &name, context)
                });
            });
        }
        drop(rule);
        run("ip -6 addr flush dev near");
        for form in FORMS {
            table.check(form, "no address of that family", || {
                let made = connect(form, &patient(), &name, context).expect("by the other one");
                assert_eq!(remote_of(&made), peer.ip4());
                assert_carries(form, &made, b"by the other one", context);
                close(&made);
            });
        }
    });
}

fn remote_of(connection: &gsock::SocketConnection) -> SocketAddr {
    let remote = connection.remote_address().expect("connected");
    let remote = remote.downcast::<gio::InetSocketAddress>();
    SocketAddr::from(remote.expect("an internet address"))
}
