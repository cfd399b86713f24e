//! Connections on which nothing arrives any more, and nobody says so.

use std::{io::Write, time::Duration};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{ConnectionState, Framed, Framing, SocketService, TcpConnection, prelude::*};

use crate::{cut::assert_arrives, forms::*, net::*, scene::*, support::*};

const HOLE: &str = "meta l4proto tcp drop";

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn silence() {
    scene("silence", |context, table| {
        let peer = Peer::new(Manner::Echo);
        for form in FORMS {
            table.check(
                form,
                "a read ends by its timeout, and nothing is lost",
                || {
                    let made =
                        connect(form, &hasty_then(), &peer.at(), context).expect("it listens");
                    assert_carries(form, &made, &pattern(100_000, 1), context);
                    let rule = Rule::new(HOLE);
                    write_all(form, &made, b"meanwhile", context).expect("room");
                    assert_ends(form, context, IOErrorEnum::TimedOut, || {
                        read(form, &made, context)
                    });
                    assert_eq!(made.state(), ConnectionState::Connected);
                    drop(rule);
                    assert_arrives(form, &made, b"meanwhile", context);
                    close(&made);
                },
            );
            table.check(
                form,
                "a read that has no timeout ends by the liveness",
                || {
                    let client = patient();
                    client.set_io_timeout(Duration::ZERO);
                    let made = connect(form, &client, &peer.at(), context).expect("it listens");
                    let tcp = made.downcast_ref::<TcpConnection>().expect("over TCP");
                    tcp.set_user_timeout(SOON).expect("an option");
                    let rule = Rule::new(HOLE);
                    assert_ends(form, context, IOErrorEnum::TimedOut, || {
                        write_all(form, &made, b"not heard", context)?;
                        read(form, &made, context)
                    });
                    assert_eq!(made.state(), ConnectionState::Disconnected);
                    close(&made);
                    drop(rule);
                },
            );
            table.check(form, "a write ends by its timeout", || {
                let made = connect(form, &hasty_then(), &peer.at(), context).expect("it listens");
                let rule = Rule::new(HOLE);
                let much = vec![0; 16 << 20];
                assert_ends(form, context, IOErrorEnum::TimedOut, || {
                    write_all(form, &made, &much, context)
                });
                close(&made);
                drop(rule);
            });
        }
        for form in [Form::Blocking, Form::Future] {
            table.check(
                "Framed",
                "a read ends by the timeout of the connection",
                || {
                    let made =
                        connect(form, &hasty_then(), &peer.at(), context).expect("it listens");
                    let framed = Framed::new(&made, Framing::Lines);
                    let rule = Rule::new(HOLE);
                    framed.send(&b"a line"[..]).expect("room");
                    assert_ends(form, context, IOErrorEnum::TimedOut, || match form {
                        Form::Blocking => framed.read_frame(Cancellable::NONE),
                        _ => block_on(context, framed.read_frame_future()),
                    });
                    close(&made);
                    drop(rule);
                },
            );
        }
        table.check("service", "a client that is not heard any more", || {
            let service = SocketService::new();
            let port = service
                .add_any_inet_port(glib::Object::NONE)
                .expect("a port");
            let mut stream = client_from_there(port);
            let (made, _) = {
                service.stop();
                block_on(context, service.accept_future()).expect("it waits")
            };
            let made = noted(made);
            made.socket().set_timeout(1);
            let rule = Rule::new(HOLE);
            stream.write_all(b"heard").expect("connected");
            assert_eq!(
                read(Form::Callback, &made, context).expect("heard"),
                b"heard"
            );
            for form in FORMS {
                assert_ends(form, context, IOErrorEnum::TimedOut, || {
                    read(form, &made, context)
                });
            }
            close(&made);
            drop(rule);
            service.close();
        });
        table.check(
            "Reconnector",
            "notices it by its liveness, and comes back",
            || {
                let again = Again::new(&hasty(), &peer.at());
                again.reconnector.connect_connected(|_, stream| {
                    let connection = stream.downcast_ref::<TcpConnection>().expect("over TCP");
                    let second = Duration::from_secs(1);
                    connection
                        .set_keepalive_params(second, second, 1)
                        .expect("options");
                    connection.set_user_timeout(second).expect("an option");
                });
                again.assert_carries(context);
                let rule = Rule::new(HOLE);
                iterate_until(context, || again.lost.borrow().len() == 1);
                again.wait_for_failures(1, context);
                drop(rule);
                again.assert_carries(context);
                again.assert_all_failed_with(IOErrorEnum::TimedOut);
                let lost: Vec<_> = again.lost.borrow().iter().flatten().map(code).collect();
                // Nobody was reading: the reason is still in the socket.
                assert_eq!(lost, [IOErrorEnum::BrokenPipe]);
                again.end();
            },
        );
    });
}

/// What is as large as the line of the other end says is lost behind it, without a word. A system that probes finds
/// out how much gets through.
#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn small_packets() {
    scene("small packets", |context, table| {
        let peer = Peer::new(Manner::Echo);
        let _rule = Rule::new("meta length > 1100 drop");
        let much = pattern(40_000, 5);
        for form in FORMS {
            table.check(
                form,
                "the small get through, the large end by the timeout",
                || {
                    let made =
                        connect(form, &hasty_then(), &peer.at(), context).expect("it listens");
                    assert_carries(form, &made, b"small", context);
                    write_all(form, &made, &much, context).expect("room");
                    assert_ends(form, context, IOErrorEnum::TimedOut, || {
                        read(form, &made, context)
                    });
                    close(&made);
                },
            );
        }
        run("sysctl -q -w net.ipv4.tcp_mtu_probing=2 net.ipv4.tcp_base_mss=1000");
        for form in FORMS {
            table.check(
                form,
                "all gets through in pieces that are small enough",
                || {
                    let made = connect(form, &patient(), &peer.at(), context).expect("it listens");
                    assert_carries(form, &made, &much, context);
                    close(&made);
                },
            );
        }
        table.check("Framed", "all gets through", || {
            let made = connect(Form::Future, &patient(), &peer.at(), context).expect("it listens");
            assert_frames_come_back(&made, 20, context);
        });
        table.check("Reconnector", "all gets through", || {
            let again = Again::new(&patient(), &peer.at());
            again.assert_carries(context);
            again.end();
        });
    });
}
