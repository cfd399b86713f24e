//! Where the versions differ, and why the one on gio's types is written as it is.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gio::{IOErrorEnum, prelude::*};

use super::{on_gio, ours, protocol::Change, scene::*};
use crate::support::*;

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

/// A session whose server has gone, in between.
fn left<S: Session>(context: &glib::MainContext) -> S {
    let (address, playing) = scripted(|peer| peer.say("* OK\r\n"));
    let session: S = block_on(context, greeted(address));
    playing.join().unwrap();
    let socket = session.socket();
    // On loopback the end is there.
    iterate_until(context, || {
        !SocketExt::condition_check(&socket, glib::IOCondition::IN).is_empty()
    });
    session
}

#[test]
fn ours_knows_without_a_read_that_the_server_is_gone() {
    on_private_context(|context| {
        let session: ours::Session = left(context);
        iterate_until(context, || !session.is_alive());
    });
}

#[test]
fn gio_p1_does_not_know_that_the_server_is_gone() {
    on_private_context(|context| {
        let session: on_gio::Session = left(context);
        iterate_for(context, Duration::from_millis(50));
        assert!(session.is_alive());
    });
}

struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Gives up a wait for a change a hundred times. Answers how often it is woken when one comes.
fn woken_after_a_hundred_waits<S: Session>(context: &glib::MainContext, expected: usize) -> usize {
    let (say, may_say) = std::sync::mpsc::channel();
    let (address, playing) = scripted(move |peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 IDLE");
        peer.say("+\r\n");
        may_say.recv().unwrap();
        peer.say("* 9 EXISTS\r\n");
        peer.hear_the_end();
    });
    let mut session: S = block_on(context, async move {
        let mut session: S = greeted(address).await;
        session.idle().await.unwrap();
        session
    });
    let counts = Arc::new(Counts(AtomicUsize::new(0)));
    let waker = Waker::from(counts.clone());
    for _ in 0..100 {
        let change = pin!(session.change());
        assert!(change.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    say.send(()).unwrap();
    let socket = session.socket();
    let has_come = Rc::new(Cell::new(false));
    iterate_until(context, || {
        has_come.set(has_come.get() || socket.available_bytes() > 0);
        has_come.get() && counts.0.load(Ordering::Relaxed) >= expected
    });
    iterate_for(context, Duration::from_millis(20));
    block_on(context, async move {
        assert_eq!(session.change().await, Ok(Change::Exists(9)));
    });
    drop(socket);
    playing.join().unwrap();
    counts.0.load(Ordering::Relaxed)
}

#[test]
fn ours_leaves_nothing_of_a_wait_that_was_dropped() {
    on_private_context(|context| {
        let woken = woken_after_a_hundred_waits::<ours::Session>(context, 0);
        assert!(woken <= 1, "{woken}");
    });
}

#[test]
fn gio_leaves_a_source_of_each_wait_that_was_dropped() {
    on_private_context(|context| {
        let woken = woken_after_a_hundred_waits::<on_gio::Session>(context, 100);
        assert_eq!(woken, 100);
    });
}

/// A connection of GIO's class to a scripted server.
async fn gio_connection(
    client: &gio::SocketClient,
    address: std::net::SocketAddr,
) -> gio::SocketConnection {
    let connecting = client.connect_to_host_future(&address.to_string(), 0);
    connecting.await.expect("it listens")
}

#[test]
fn gio_p4_a_read_that_was_dropped_is_in_the_way_of_the_next() {
    on_private_context(|context| {
        let (address, playing) = scripted(Peer::hear_the_end);
        block_on(context, async move {
            let connection = gio_connection(&gio::SocketClient::new(), address).await;
            let lines = gio::DataInputStream::new(&connection.input_stream());
            assert!(polled(1, lines.read_line_future(DEFAULT)).await.is_none());
            let next = lines.read_line_future(DEFAULT).await;
            assert_eq!(next.err().map(|it| code(&it)), Some(IOErrorEnum::Pending));
        });
        iterate_until(context, || playing.is_finished());
        playing.join().unwrap();
    });
}

#[test]
fn gio_p5_the_time_for_connecting_ends_reads_as_well() {
    on_private_context(|context| {
        let (address, playing) = scripted(Peer::hear_the_end);
        block_on(context, async move {
            let client = gio::SocketClient::new();
            client.set_timeout(1);
            let connection = gio_connection(&client, address).await;
            assert_eq!(connection.socket().timeout(), 1);
            let read = connection.input_stream().read_future([0; 8], DEFAULT).await;
            let failure = read.err().unwrap().1;
            assert_eq!(code(&failure), IOErrorEnum::TimedOut);
        });
        iterate_until(context, || playing.is_finished());
        playing.join().unwrap();
    });
}

#[test]
fn gio_takes_half_a_line_for_a_whole_one_at_the_end() {
    on_private_context(|context| {
        let (address, playing) = scripted(|peer| peer.say("a1 O"));
        block_on(context, async move {
            let connection = gio_connection(&gio::SocketClient::new(), address).await;
            let lines = gio::DataInputStream::new(&connection.input_stream());
            let line = lines.read_line_utf8_future(DEFAULT).await.unwrap();
            assert_eq!(line.as_deref(), Some("a1 O"));
        });
        iterate_until(context, || playing.is_finished());
        playing.join().unwrap();
    });
}

/// Why the version on gio's types closes its connection when it is dropped.
#[test]
fn gio_a_wait_that_was_dropped_keeps_tls_open() {
    on_private_context(|context| {
        let server = start_server();
        block_on(context, async move {
            let client = gio::SocketClient::new();
            let connection = gio_connection(&client, server.address()).await;
            let socket = connection.socket().downgrade();
            let mut plain = connection.clone().into_async_read_write().unwrap();
            plain.write_all(b"a1 STARTTLS\r\n").await.unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"a1 OK begin\r\n") {
                let mut byte = [0];
                plain.read_exact(&mut byte).await.unwrap();
                heard.extend(byte);
            }
            let name = gio::NetworkAddress::new("localhost", 143);
            let tls = gio::TlsClientConnection::new(&connection, Some(&name)).unwrap();
            tls.set_database(Some(&trust(&server)));
            tls.handshake_future(DEFAULT).await.unwrap();
            let mut stream = tls.into_async_read_write().unwrap();
            assert!(polled(1, stream.read(&mut [0; 8])).await.is_none());
            drop((plain, stream, connection));
            glib::timeout_future(Duration::from_millis(50)).await;
            let left = socket.upgrade().expect("it is still there");
            assert!(!left.is_closed());
            left.close().unwrap();
        });
    });
}

/// What the version on gsock's types can do without.
#[test]
fn ours_goes_with_its_session_in_tls() {
    on_private_context(|context| {
        let server = start_server();
        let (gone, _server) = block_on(context, async move {
            let mut session: ours::Session = known(&server).await;
            session.select("INBOX").await.unwrap();
            session.idle().await.unwrap();
            assert!(polled(1, session.change()).await.is_none());
            (Gone::of(&session.socket()), server)
        });
        iterate_until(context, || gone.is_gone());
    });
}
