//! A class of somebody else's below it that overrides `close`.

use std::{net::TcpStream, sync::atomic::Ordering, thread, time::Duration};

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, TcpConnection, subclass::prelude::*};

use crate::{support::*, tools::*};

mod imp {
    use std::{
        sync::{
            Arc, Mutex, OnceLock,
            atomic::{AtomicBool, Ordering},
        },
        thread::{self, ThreadId},
    };

    use gsock::{ConnectionState, TcpConnection, prelude::*, subclass::prelude::*};

    /// What `close` found: the thread, whether the peer had closed, and the state.
    pub(super) type Call = (ThreadId, bool, ConnectionState);

    #[derive(Debug, Default)]
    pub(super) struct ClosingConnection {
        pub(super) peer_closing: OnceLock<Arc<AtomicBool>>,
        pub(super) calls: Mutex<Vec<Call>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ClosingConnection {
        const NAME: &'static str = "TestClosingConnection";
        type Type = super::ClosingConnection;
        type ParentType = TcpConnection;
    }

    impl ObjectImpl for ClosingConnection {}
    impl IOStreamImpl for ClosingConnection {
        fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            let closing = self.peer_closing.get();
            self.calls.lock().expect("no panic").push((
                thread::current().id(),
                closing.is_some_and(|closing| closing.load(Ordering::SeqCst)),
                self.obj().state(),
            ));
            self.parent_close(cancellable)
        }
    }
    impl SocketConnectionImpl for ClosingConnection {}
    impl TcpConnectionImpl for ClosingConnection {}
}

glib::wrapper! {
    struct ClosingConnection(ObjectSubclass<imp::ClosingConnection>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}

fn closing_connection() -> (ClosingConnection, TcpStream) {
    let (peer, fd) = tcp_pair();
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    let connection: ClosingConnection = glib::Object::builder()
        .property("socket", socket)
        .property("graceful-disconnect", true)
        .build();
    (connection, peer)
}

/// TCP-11a: after the wait, once, on the caller's thread.
#[test]
fn an_overridden_close_runs_in_the_asynchronous_graceful_close_too() {
    on_private_context(|context| {
        let (connection, peer) = closing_connection();
        let (peer, closing) = reading_peer(peer, drop);
        connection.imp().peer_closing.set(closing).expect("once");
        let outcome = begin_close(connection.upcast_ref(), None);
        end_close(context, &outcome).expect("the peer closes too");
        assert_closed(connection.upcast_ref());
        let calls = connection.imp().calls.lock().expect("no panic").clone();
        assert_eq!(calls.len(), 1, "{calls:?}");
        let (thread, peer_had_closed, state) = calls[0];
        assert_eq!(thread, thread::current().id());
        assert!(peer_had_closed, "called before the wait was over");
        assert_ne!(state, ConnectionState::Closed);
        peer.join().expect("no panic");
    });
}

#[test]
fn an_overridden_close_waits_in_its_parents_part_of_a_blocking_graceful_close() {
    on_private_context(|_| {
        let (connection, peer) = closing_connection();
        let (peer, closing) = reading_peer(peer, drop);
        connection
            .close(gio::Cancellable::NONE)
            .expect("the peer closes too");
        assert!(closing.load(Ordering::SeqCst), "it did not wait");
        assert_closed(connection.upcast_ref());
        assert_eq!(connection.imp().calls.lock().expect("no panic").len(), 1);
        peer.join().expect("no panic");
    });
}

/// TCP-11a, TCP-10.
#[test]
fn a_cancelled_graceful_close_calls_an_overridden_close_as_well() {
    on_private_context(|context| {
        let (connection, mut peer) = closing_connection();
        let cancellable = gio::Cancellable::new();
        let outcome = begin_close(connection.upcast_ref(), Some(&cancellable));
        iterate_for(context, Duration::from_millis(20));
        cancellable.cancel();
        assert_fails(end_close(context, &outcome), gio::IOErrorEnum::Cancelled);
        assert_closed(connection.upcast_ref());
        assert_eq!(connection.imp().calls.lock().expect("no panic").len(), 1);
        assert_cut_off(&mut peer);
    });
}
