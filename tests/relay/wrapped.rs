//! A class that puts streams of its own in the place of its parent's has those used.

use std::{
    io::{Read, Write},
    net::Shutdown,
};

use gio::{prelude::*, subclass::prelude::*};
use gsock::{SocketConnection, TcpConnection, relay, subclass::prelude::*};

use crate::{parties::*, polling::*, support::*, tools::*};

/// A cipher of its own, kept simple: each byte on the wire is another one.
const KEY: u8 = 0x5a;

pub(crate) fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ KEY).collect()
}

mod imp {
    use std::sync::OnceLock;

    use super::*;

    /// A stream that other threads may use: GIO reads on a worker where there is no other way.
    #[derive(Debug)]
    pub(super) struct Shared<T>(pub(super) T);

    // SAFETY: the streams of a connection may be used from any thread; no handlers are on these.
    unsafe impl<T> Send for Shared<T> {}
    // SAFETY: likewise.
    unsafe impl<T> Sync for Shared<T> {}

    #[derive(Debug, Default)]
    pub(crate) struct Input(pub(super) OnceLock<Shared<gio::InputStream>>);

    #[glib::object_subclass]
    impl ObjectSubclass for Input {
        const NAME: &'static str = "TestRelayInput";
        type Type = super::Input;
        type ParentType = gio::InputStream;
    }

    impl ObjectImpl for Input {}
    impl InputStreamImpl for Input {
        fn read(
            &self,
            buffer: &mut [u8],
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<usize, glib::Error> {
            let inner = &self.0.get().expect("set when made").0;
            let count = inner.read(&mut *buffer, cancellable)?;
            buffer[..count].iter_mut().for_each(|byte| *byte ^= KEY);
            Ok(count)
        }
    }

    /// Keeps what is written until it is flushed.
    #[derive(Debug, Default)]
    pub(crate) struct Output(
        pub(super) OnceLock<Shared<gio::OutputStream>>,
        std::sync::Mutex<Vec<u8>>,
    );

    #[glib::object_subclass]
    impl ObjectSubclass for Output {
        const NAME: &'static str = "TestRelayOutput";
        type Type = super::Output;
        type ParentType = gio::OutputStream;
    }

    impl ObjectImpl for Output {}
    impl OutputStreamImpl for Output {
        fn write(
            &self,
            buffer: &[u8],
            _cancellable: Option<&gio::Cancellable>,
        ) -> Result<usize, glib::Error> {
            let some = buffer.len().min(3_000);
            let mut kept = self.1.lock().expect("nobody panics");
            kept.extend(turned(&buffer[..some]));
            Ok(some)
        }

        fn flush(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            let kept = std::mem::take(&mut *self.1.lock().expect("nobody panics"));
            let inner = &self.0.get().expect("set when made").0;
            inner.write_all(&kept, cancellable).map(drop)
        }

        fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            let inner = &self.0.get().expect("set when made").0;
            // What this class ends with.
            inner.write_all(b".", cancellable).map(drop)
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Wrapped;

    #[glib::object_subclass]
    impl ObjectSubclass for Wrapped {
        const NAME: &'static str = "TestRelayWrapped";
        type Type = super::Wrapped;
        type ParentType = SocketConnection;
    }

    impl ObjectImpl for Wrapped {}
    impl IOStreamImpl for Wrapped {
        fn input_stream(&self) -> gio::InputStream {
            let stream: super::Input = glib::Object::new();
            let inner = Shared(self.parent_input_stream());
            stream.imp().0.set(inner).expect("a new stream");
            stream.upcast()
        }

        fn output_stream(&self) -> gio::OutputStream {
            let stream: super::Output = glib::Object::new();
            let inner = Shared(self.parent_output_stream());
            stream.imp().0.set(inner).expect("a new stream");
            stream.upcast()
        }
    }
    impl SocketConnectionImpl for Wrapped {}

    /// Overrides its streams by what its parent has.
    #[derive(Debug, Default)]
    pub(crate) struct Unchanged;

    #[glib::object_subclass]
    impl ObjectSubclass for Unchanged {
        const NAME: &'static str = "TestRelayUnchanged";
        type Type = super::Unchanged;
        type ParentType = TcpConnection;
    }

    impl ObjectImpl for Unchanged {}
    impl IOStreamImpl for Unchanged {
        fn input_stream(&self) -> gio::InputStream {
            self.parent_input_stream()
        }
    }
    impl SocketConnectionImpl for Unchanged {}
    impl TcpConnectionImpl for Unchanged {}
}

glib::wrapper! {
    pub(crate) struct Input(ObjectSubclass<imp::Input>) @extends gio::InputStream;
}

glib::wrapper! {
    pub(crate) struct Output(ObjectSubclass<imp::Output>) @extends gio::OutputStream;
}

glib::wrapper! {
    pub(crate) struct Wrapped(ObjectSubclass<imp::Wrapped>) @extends SocketConnection, gio::IOStream;
}

glib::wrapper! {
    pub(crate) struct Unchanged(ObjectSubclass<imp::Unchanged>)
        @extends TcpConnection, SocketConnection, gio::IOStream;
}

pub(crate) fn made<T: IsA<SocketConnection> + IsA<glib::Object> + glib::object::IsClass>()
-> (SocketConnection, Peer) {
    let (peer, fd) = tcp_pair();
    let socket = gio::Socket::from_fd(fd).expect("a socket");
    let connection: T = glib::Object::builder().property("socket", socket).build();
    (connection.upcast(), Peer::Tcp(peer))
}

#[test]
fn the_streams_of_a_class_are_used_in_both_directions() {
    on_private_context(|context| {
        for wrapped_first in [true, false] {
            let (plain, peer_plain) = tcp();
            let (wrapped, peer_wrapped) = made::<Wrapped>();
            let (clear, secret) = (payload(400_000, 21), turned(&payload(300_000, 22)));
            let sending = [
                peer_plain.send(clear.clone(), 23),
                peer_wrapped.send(secret.clone(), 24),
            ];
            let receiving = [peer_plain.receive(), peer_wrapped.receive()];
            let relayed = run(context, async move {
                if wrapped_first {
                    relay(&wrapped, &plain).await
                } else {
                    relay(&plain, &wrapped).await
                }
            });
            let relayed = relayed.expect("nothing fails");
            let expected = if wrapped_first {
                counts(secret.len(), clear.len())
            } else {
                counts(clear.len(), secret.len())
            };
            assert_eq!(relayed, expected);
            for thread in sending {
                thread.join().expect("it was read");
            }
            let [at_plain, at_wrapped] = receiving.map(|thread| thread.join().expect("it ended"));
            assert!(at_plain == turned(&secret));
            let mut wire = turned(&clear);
            wire.push(b'.');
            assert!(at_wrapped == wire);
        }
    });
}

#[test]
fn an_answer_is_not_kept_back_by_a_stream_that_waits_for_more() {
    on_private_context(|context| {
        let ((a, mut peer_a), (b, mut peer_b)) = (tcp(), made::<Wrapped>());
        let relaying = start(context, &a, &b);
        let talking = std::thread::spawn(move || {
            let mut buffer = [0; 4];
            for _ in 0..3 {
                peer_a.write_all(b"ping").expect("room");
                peer_b.read_exact(&mut buffer).expect("it comes through");
                peer_b.write_all(&buffer).expect("room");
                peer_a.read_exact(&mut buffer).expect("it comes back");
                assert_eq!(&buffer, b"ping");
            }
            peer_a.shutdown(Shutdown::Write);
            assert_eq!(peer_b.all(), b".");
        });
        let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
        assert_eq!(relayed, counts(12, 12));
        talking.join().expect("all went through");
    });
}

#[test]
fn a_close_ends_a_relay_through_streams_of_a_class() {
    on_private_context(|context| {
        let ((a, _peer_a), (b, _peer_b)) = (tcp(), made::<Wrapped>());
        let relaying = start(context, &a, &b);
        a.close(gio::Cancellable::NONE).expect("open");
        assert_fails(
            value_of(context.block_on(relaying)),
            gio::IOErrorEnum::Closed,
        );
        assert!(!b.is_closed());
        // A thread of GIO's still reads; its answer is for this thread.
        iterate_until(context, || !b.input_stream().has_pending());
    });
}

#[test]
fn a_class_that_changes_nothing_is_relayed_between_the_sockets() {
    on_private_context(|context| {
        let ((a, mut peer_a), (b, mut peer_b)) = (tcp(), made::<Unchanged>());
        let relaying = start(context, &a, &b);
        // A stream that is read from would be busy.
        for connection in [&a, &b] {
            assert!(!connection.input_stream().has_pending());
        }
        peer_a.write_all(b"through").expect("room");
        peer_a.shutdown(Shutdown::Write);
        peer_b.shutdown(Shutdown::Write);
        let relayed = value_of(context.block_on(relaying)).expect("nothing fails");
        assert_eq!(relayed, counts(7, 0));
        assert_eq!(peer_b.all(), b"through");
    });
}
