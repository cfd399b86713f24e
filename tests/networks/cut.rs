//! Connections that somebody ends in the middle, and networks that go.

use std::{thread, time::Duration};

use gio::{IOErrorEnum, prelude::*};
use gsock::{ConnectionState, Framed, Framing, SocketConnection, prelude::*, relay};

use crate::{
    forms::*,
    net::*,
    scene::*,
    support::{self, *},
};

/// A read that waits ends with this code, and so does what comes after it; the state says why.
fn assert_is_lost(
    form: Form,
    connection: &SocketConnection,
    expected: IOErrorEnum,
    context: &glib::MainContext,
) {
    assert_fails(read(form, connection, context), expected);
    iterate_until(context, || {
        connection.state() == ConnectionState::Disconnected
    });
    let failure = connection.last_error().expect("it was no end of file");
    assert_eq!(code(&failure), expected, "{failure:?}");
    // From here on it is a pipe without an end, whatever has ended it.
    write_all(form, connection, b"too late", context).expect_err("nobody is there");
}

/// While a read waits: `cut` is run on a thread of its own.
fn cut_under_a_read(
    form: Form,
    connection: &SocketConnection,
    expected: IOErrorEnum,
    cut: impl FnOnce() + Send + 'static,
    context: &glib::MainContext,
) {
    let cutter = thread::spawn(move || {
        thread::sleep(Duration::from_millis(150));
        cut();
    });
    assert_is_lost(form, connection, expected, context);
    cutter.join().expect("no panic");
    close(connection);
}

fn kill(port: u16) {
    run(&format!("ss -K dport = :{port}"));
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn killed() {
    scene("killed", |context, table| {
        let peer = Peer::new(Manner::Echo);
        let port = peer.port();
        let expected = code_of(libc::ECONNABORTED);
        for form in FORMS {
            table.check(form, "under a read that waits", || {
                let made = connect(form, &patient(), &peer.at(), context).expect("it listens");
                assert_carries(form, &made, &pattern(100_000, 1), context);
                cut_under_a_read(form, &made, expected, move || kill(port), context);
            });
        }
        let silent = Peer::new(Manner::Silent);
        for form in FORMS {
            table.check(form, "under a write that waits", || {
                let made = connect(form, &patient(), &silent.at(), context).expect("it listens");
                let port = silent.port();
                let cutter = thread::spawn(move || {
                    thread::sleep(Duration::from_millis(150));
                    kill(port);
                });
                let much = vec![0; 32 << 20];
                assert_fails(write_all(form, &made, &much, context), expected);
                cutter.join().expect("no panic");
                iterate_until(context, || made.state() == ConnectionState::Disconnected);
                close(&made);
            });
        }
        drop(silent);
        table.check("Framed", "under a read of a frame", || {
            let made = connect(Form::Future, &patient(), &peer.at(), context).expect("it listens");
            let framed = Framed::new(&made, Framing::Lines);
            framed.send(&b"a line"[..]).expect("room");
            let line = block_on(context, framed.read_frame_future()).expect("a line");
            assert_eq!(line.as_deref(), Some(&b"a line"[..]));
            let cutter = thread::spawn(move || {
                thread::sleep(Duration::from_millis(150));
                kill(port);
            });
            assert_fails(block_on(context, framed.read_frame_future()), expected);
            cutter.join().expect("no panic");
            close(&made);
        });
        table.check("Reconnector", "connects again, the same object", || {
            let again = Again::new(&patient(), &peer.at());
            again.assert_carries(context);
            let first = again.reconnector.connection();
            for round in 1..=3 {
                kill(port);
                iterate_until(context, || again.lost.borrow().len() == round);
                again.assert_carries(context);
            }
            assert_eq!(first, again.reconnector.connection());
            assert!(again.failed.borrow().is_empty());
            // Nobody was reading: the reason is still in the socket, and it is told that there is one.
            for failure in &*again.lost.borrow() {
                let told = failure.as_ref().map(code);
                assert_eq!(told, Some(IOErrorEnum::BrokenPipe), "{failure:?}");
            }
            again.end();
        });
        table.check("service", "serves the next one", || {
            let (service, port) = service(context);
            let stream = client_from_there(port);
            iterate_until(context, || service.active_connections() == 1);
            run(&format!("ss -K sport = :{port}"));
            iterate_until(context, || service.active_connections() == 0);
            drop(stream);
            service.close();
            assert_serves(client_from_there, &pattern(100_000, 2), context);
        });
        table.check("relay", "ends, and says why", || {
            let made: [SocketConnection; 2] = std::array::from_fn(|_| {
                connect(Form::Future, &patient(), &peer.at(), context).expect("it listens")
            });
            let [one, other] = made.clone();
            let relaying =
                gsock::engine::spawn_local(context, async move { relay(&one, &other).await });
            iterate_for(context, Duration::from_millis(50));
            kill(port);
            let ended = block_on(context, relaying).expect("not cancelled");
            assert_fails(ended, expected);
            made.iter().for_each(close);
        });
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn reset() {
    scene("reset", |context, table| {
        let peer = Peer::new(Manner::Echo);
        let expected = code_of(libc::ECONNRESET);
        let rule = || {
            // The last acknowledgement, which may be late, is not what is to be answered.
            iterate_for(context, Duration::from_millis(300));
            Rule::new("meta l4proto tcp reject with tcp reset")
        };
        for form in FORMS {
            table.check(form, "the answer to a write", || {
                let made = connect(form, &patient(), &peer.at(), context).expect("it listens");
                assert_carries(form, &made, &pattern(100_000, 1), context);
                let rule = rule();
                write_all(form, &made, b"too much", context).expect("room");
                assert_is_lost(form, &made, expected, context);
                close(&made);
                drop(rule);
            });
        }
        table.check("Framed", "the answer to a frame", || {
            let made = connect(Form::Future, &patient(), &peer.at(), context).expect("it listens");
            let rule = rule();
            let framed = Framed::new(&made, Framing::Lines);
            framed.send(&b"a line"[..]).expect("room");
            assert_fails(block_on(context, framed.read_frame_future()), expected);
            close(&made);
            drop(rule);
        });
        table.check("Reconnector", "connects when it may", || {
            let again = Again::new(&patient(), &peer.at());
            again.assert_carries(context);
            let rule = rule();
            let connection = again.reconnector.connection().expect("connected");
            write_all(Form::Callback, &connection, b"too much", context).expect("room");
            again.wait_for_failures(3, context);
            drop(rule);
            again.assert_carries(context);
            again.assert_all_failed_with(IOErrorEnum::ConnectionRefused);
            let lost: Vec<_> = again.lost.borrow().iter().flatten().map(code).collect();
            assert_eq!(lost, [expected]);
            drop(connection);
            again.end();
        });
        table.check("service", "serves the next one", || {
            let (service, port) = service(context);
            let stream = client_from_there(port);
            iterate_until(context, || service.active_connections() == 1);
            support::reset(stream);
            iterate_until(context, || service.active_connections() == 0);
            service.close();
            assert_serves(client_from_there, &pattern(100_000, 2), context);
        });
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/networks.sh"]
fn interface_down() {
    scene("interface down", |context, table| {
        let peer = Peer::new(Manner::Echo);
        for form in FORMS {
            table.check(form, "goes on when it is up again", || {
                let made = connect(form, &hasty_then(), &peer.at(), context).expect("it listens");
                assert_carries(form, &made, &pattern(100_000, 1), context);
                run("ip link set near down");
                write_all(form, &made, b"meanwhile", context).expect("room");
                assert_ends(form, context, IOErrorEnum::TimedOut, || {
                    read(form, &made, context)
                });
                assert_eq!(made.state(), ConnectionState::Connected);
                run("ip link set near up");
                assert_arrives(form, &made, b"meanwhile", context);
                close(&made);
            });
        }
        run("ip link set near down");
        for form in FORMS {
            table.check(form, "there is no way", || {
                let failed = connect(form, &patient(), &peer.at(), context);
                assert_fails(failed, IOErrorEnum::NetworkUnreachable);
            });
        }
        table.check("Reconnector", "connects when it is up again", || {
            let again = Again::new(&patient(), &peer.at());
            again.wait_for_failures(3, context);
            run("ip link set near up");
            again.assert_carries(context);
            again.assert_all_failed_with(IOErrorEnum::NetworkUnreachable);
            again.end();
        });
        // Of the machine that was there nobody answers any more.
        run("ip -n far link set far down");
        run("ip neigh flush dev near");
        for form in FORMS {
            table.check(form, "there is no machine", || {
                let failed = connect(form, &patient(), &peer.at(), context);
                assert_fails(failed, IOErrorEnum::HostUnreachable);
            });
        }
        run("ip -n far link set far up");
        table.check("service", "is there when it is up again", || {
            assert_serves(client_from_there, &pattern(100_000, 2), context);
        });
    });
}

/// However often the time is up meanwhile.
pub(crate) fn assert_arrives(
    form: Form,
    connection: &SocketConnection,
    bytes: &[u8],
    context: &glib::MainContext,
) {
    let mut back = Vec::new();
    for _ in 0..30 {
        match read(form, connection, context) {
            Ok(more) => {
                assert!(!more.is_empty(), "an end after {} bytes", back.len());
                back.extend_from_slice(&more);
            }
            Err(failure) => assert_eq!(code(&failure), IOErrorEnum::TimedOut, "{failure:?}"),
        }
        if back.len() >= bytes.len() {
            break;
        }
    }
    assert_identical(&back, bytes);
    // Nothing is pending that nobody knows of.
    assert!(!connection.has_pending());
}
