//! A class that wraps its parent's streams, to count and to transform.

use std::{
    cell::RefCell,
    io::{Read, Write},
    rc::Rc,
    sync::{Arc, Barrier, atomic::Ordering},
    thread::{self},
    time::Duration,
};

use gio::{ffi as gio_ffi, prelude::*};
use gsock::{SocketConnection, prelude::*, subclass::prelude::*};

use crate::{support::*, tools::*};

mod rot13 {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    };

    use gio::prelude::*;
    use gsock::{SocketConnection, subclass::prelude::*};

    /// A stream that other threads may use: GIO reads on a worker where there is no other way.
    #[derive(Debug)]
    struct Shared<T>(T);

    // SAFETY: the streams of a connection may be used from any thread; no handlers are on these.
    unsafe impl<T> Send for Shared<T> {}
    // SAFETY: likewise.
    unsafe impl<T> Sync for Shared<T> {}

    pub(super) fn rotate(byte: u8) -> u8 {
        match byte {
            b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
            b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
            other => other,
        }
    }

    #[derive(Debug, Default)]
    pub(super) struct Input {
        inner: OnceLock<Shared<gio::InputStream>>,
        pub(super) bytes: AtomicU64,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Input {
        const NAME: &'static str = "TestRot13Input";
        type Type = super::Rot13Input;
        type ParentType = gio::InputStream;
    }

    impl ObjectImpl for Input {}
    impl InputStreamImpl for Input {
        fn read(
            &self,
            buffer: &mut [u8],
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<usize, glib::Error> {
            let inner = &self.inner.get().expect("set when made").0;
            let count = inner.read(&mut *buffer, cancellable)?;
            buffer[..count]
                .iter_mut()
                .for_each(|byte| *byte = rotate(*byte));
            self.bytes.fetch_add(count as u64, Ordering::SeqCst);
            Ok(count)
        }
    }

    #[derive(Debug, Default)]
    pub(super) struct Output {
        inner: OnceLock<Shared<gio::OutputStream>>,
        pub(super) bytes: AtomicU64,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Output {
        const NAME: &'static str = "TestRot13Output";
        type Type = super::Rot13Output;
        type ParentType = gio::OutputStream;
    }

    impl ObjectImpl for Output {}
    impl OutputStreamImpl for Output {
        fn write(
            &self,
            buffer: &[u8],
            cancellable: Option<&gio::Cancellable>,
        ) -> Result<usize, glib::Error> {
            let inner = &self.inner.get().expect("set when made").0;
            let rotated: Vec<u8> = buffer.iter().copied().map(rotate).collect();
            let count = inner.write(&rotated, cancellable)?;
            let count = usize::try_from(count).expect("not an error");
            self.bytes.fetch_add(count as u64, Ordering::SeqCst);
            Ok(count)
        }
    }

    /// Transforms what goes through it.
    #[derive(Debug, Default)]
    pub(crate) struct Connection {
        pub(super) inputs: AtomicU32,
        pub(super) outputs: AtomicU32,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Connection {
        const NAME: &'static str = "TestRot13Connection";
        type Type = super::Rot13Connection;
        type ParentType = SocketConnection;
    }

    impl ObjectImpl for Connection {}
    impl IOStreamImpl for Connection {
        fn input_stream(&self) -> gio::InputStream {
            self.inputs.fetch_add(1, Ordering::SeqCst);
            let stream: super::Rot13Input = glib::Object::new();
            let inner = Shared(self.parent_input_stream());
            stream.imp().inner.set(inner).expect("a new stream");
            stream.upcast()
        }

        fn output_stream(&self) -> gio::OutputStream {
            self.outputs.fetch_add(1, Ordering::SeqCst);
            let stream: super::Rot13Output = glib::Object::new();
            let inner = Shared(self.parent_output_stream());
            stream.imp().inner.set(inner).expect("a new stream");
            stream.upcast()
        }
    }
    impl SocketConnectionImpl for Connection {}
}

glib::wrapper! {
    struct Rot13Input(ObjectSubclass<rot13::Input>) @extends gio::InputStream;
}

glib::wrapper! {
    struct Rot13Output(ObjectSubclass<rot13::Output>) @extends gio::OutputStream;
}

glib::wrapper! {
    pub(crate) struct Rot13Connection(ObjectSubclass<rot13::Connection>)
        @extends SocketConnection, gio::IOStream;
}

#[test]
fn wrapped_streams_transform_and_count_what_goes_through() {
    on_private_context(|_| {
        let (connection, mut peer) = make::<Rot13Connection>();
        let (input, output) = (connection.input_stream(), connection.output_stream());
        output
            .write_all(b"Hello, peer!", gio::Cancellable::NONE)
            .expect("connected");
        let mut sent = [0; 12];
        peer.read_exact(&mut sent).expect("it was sent");
        assert_eq!(sent, *b"Uryyb, crre!");

        peer.write_all(b"Uryyb, lbh!").expect("connected");
        let received = input.read_bytes(64, gio::Cancellable::NONE).expect("sent");
        assert_eq!(*received, *b"Hello, you!");

        let input = input.downcast::<Rot13Input>().expect("its own type");
        let output = output.downcast::<Rot13Output>().expect("its own type");
        assert_eq!(input.imp().bytes.load(Ordering::SeqCst), 11);
        assert_eq!(output.imp().bytes.load(Ordering::SeqCst), 12);
        // The parent's streams did the work, and the connection counts as ever.
        assert_eq!(connection.bytes_read(), 11);
        assert_eq!(connection.bytes_written(), 12);
    });
}

/// ST-22: GIO reads such a stream on a worker. The connection's home stays where it is.
#[test]
fn wrapped_streams_work_asynchronously_and_notify_at_home() {
    on_private_context(|context| {
        let (connection, mut peer) = make::<Rot13Connection>();
        let home = thread::current().id();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let names = seen.clone();
        connection.connect_notify_local(None, move |_, property| {
            assert_eq!(thread::current().id(), home);
            names.borrow_mut().push(property.name().to_owned());
        });
        let (input, output) = (connection.input_stream(), connection.output_stream());
        let (_, count) = block_on(
            context,
            output.write_future(b"ping".to_vec(), glib::Priority::DEFAULT),
        )
        .expect("connected");
        assert_eq!(count, 4);
        let mut sent = [0; 4];
        peer.read_exact(&mut sent).expect("it was sent");
        assert_eq!(sent, *b"cvat");
        peer.write_all(b"cbat").expect("connected");
        let (buffer, count) = block_on(
            context,
            input.read_future(vec![0; 16], glib::Priority::DEFAULT),
        )
        .expect("connected");
        assert_eq!(buffer[..count], *b"pong");
        iterate_until(context, || {
            let seen = seen.borrow();
            ["bytes-read", "bytes-written"]
                .iter()
                .all(|name| seen.iter().any(|seen| seen == name))
        });
    });
}

#[test]
fn closing_ends_a_read_that_waits_on_a_worker_behind_a_wrapper() {
    on_private_context(|context| {
        let (connection, mut peer) = make::<Rot13Connection>();
        let read = Rc::new(RefCell::new(None));
        let slot = read.clone();
        connection.input_stream().read_async(
            vec![0; 16],
            glib::Priority::DEFAULT,
            gio::Cancellable::NONE,
            move |result| *slot.borrow_mut() = Some(result.map(|_| ()).map_err(|(_, error)| error)),
        );
        iterate_for(context, Duration::from_millis(30));
        assert!(read.borrow().is_none());
        let outcome = begin_close(&connection, None);
        end(context, &outcome).expect("nothing is in the way");
        iterate_until(context, || read.borrow().is_some());
        assert_fails(read.take().expect("it has ended"), gio::IOErrorEnum::Closed);
        assert!(read_to_end(&mut peer).is_empty());

        // And whatever comes afterwards is told at once.
        let failure = connection
            .input_stream()
            .read_bytes(1, gio::Cancellable::NONE);
        assert_fails(failure, gio::IOErrorEnum::Closed);
    });
}

/// IOS-7: one stream for life, made at the first call.
#[test]
fn stream_overrides_are_called_once() {
    on_private_context(|_| {
        let (connection, _peer) = make::<Rot13Connection>();
        assert_eq!(connection.imp().inputs.load(Ordering::SeqCst), 0);
        let (input, output) = (connection.input_stream(), connection.output_stream());
        for _ in 0..3 {
            assert_eq!(connection.input_stream(), input);
            assert_eq!(connection.output_stream(), output);
            assert_eq!(
                connection.property::<gio::InputStream>("input-stream"),
                input
            );
            assert_eq!(
                connection.property::<gio::OutputStream>("output-stream"),
                output
            );
        }
        connection.close(gio::Cancellable::NONE).expect("open");
        assert_eq!(connection.input_stream(), input);
        assert_eq!(connection.imp().inputs.load(Ordering::SeqCst), 1);
        assert_eq!(connection.imp().outputs.load(Ordering::SeqCst), 1);
    });
}

/// C asks from any thread. A second wrapper must not be made, not even to be thrown away: streams
/// that wrap another close it when they go (`GFilterInputStream`).
#[test]
fn threads_that_ask_for_a_stream_at_once_get_one_object_made_by_one_call() {
    const ROUNDS: usize = 300;
    const THREADS: usize = 3;
    on_private_context(|_| {
        for round in 0..ROUNDS {
            let connection: Rot13Connection = make_unconnected();
            let begin = Arc::new(Barrier::new(THREADS));
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let begin = begin.clone();
                    let stream = Stream(connection.upcast_ref::<gio::IOStream>().as_ptr());
                    thread::spawn(move || {
                        let stream = stream;
                        begin.wait();
                        // SAFETY: a live stream.
                        let input = unsafe { gio_ffi::g_io_stream_get_input_stream(stream.0) };
                        // SAFETY: a live stream.
                        let output = unsafe { gio_ffi::g_io_stream_get_output_stream(stream.0) };
                        (input as usize, output as usize)
                    })
                })
                .collect();
            let found: Vec<_> = threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect();
            let input: *mut gio_ffi::GInputStream = connection.input_stream().as_ptr();
            let output: *mut gio_ffi::GOutputStream = connection.output_stream().as_ptr();
            for pair in found {
                assert_eq!(pair, (input as usize, output as usize), "round {round}");
            }
            let imp = connection.imp();
            assert_eq!(imp.inputs.load(Ordering::SeqCst), 1, "round {round}");
            assert_eq!(imp.outputs.load(Ordering::SeqCst), 1, "round {round}");
        }
    });
}
