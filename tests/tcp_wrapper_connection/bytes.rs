//! Whatever moves bytes goes through the base stream, or says that it cannot.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    thread,
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use gio::prelude::*;
use glib::translate::from_glib_none;
use gsock::{SocketConnection, TcpConnection, TcpWrapperConnection, prelude::*, relay};

use crate::{support::*, tools::*};

#[test]
fn halves_are_refused_and_move_nothing() {
    on_private_context(|context| {
        let (wrapper, _, mut peer) = wrapped();
        peer.write_all(b"for the stream").expect("room");
        let (mut read, mut write) = wrapper.halves();
        let refused = block_on(context, async move {
            let mut buffer = [0; 8];
            let mut vectors = [io::IoSliceMut::new(&mut buffer)];
            let mut refused = vec![
                read.read_vectored(&mut vectors).await.map(drop),
                read.read(&mut [0; 8]).await.map(drop),
                read.peek(&mut [0; 8]).await.map(drop),
                read.readable().await,
                write.write(b"raw").await.map(drop),
                write
                    .write_vectored(&[io::IoSlice::new(b"raw")])
                    .await
                    .map(drop),
                write.write_all(b"raw").await,
                write.writable().await,
                write.shutdown().await,
            ];
            for polled in [
                AsyncReadExt::read(&mut read, &mut [0; 8]).await.map(drop),
                AsyncWriteExt::write(&mut write, b"raw").await.map(drop),
                AsyncWriteExt::close(&mut write).await,
            ] {
                let failure = polled.expect_err("refused");
                assert_eq!(failure.kind(), io::ErrorKind::Unsupported);
                let source = failure.into_inner().expect("it has a source");
                refused.push(Err(*source.downcast::<glib::Error>().expect("GIO's")));
            }
            refused
        });
        assert_eq!(refused.len(), 12);
        for one in refused {
            assert_fails(one, gio::IOErrorEnum::NotSupported);
        }
        // Nothing was taken, and nothing sent.
        let read = wrapper.input_stream().read_bytes(64, NONE).expect("bytes");
        assert_eq!(&*read, b"for the stream");
        wrapper.close(NONE).expect("nothing is in the way");
        assert!(read_to_end(&mut peer).is_empty());
    });
}

/// A peer that echoes what it has unpacked, up to the end.
fn echo(peer: std::net::TcpStream) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let (peer, _connection) = zipped_peer(peer);
        let (input, output) = (peer.input_stream(), peer.output_stream());
        loop {
            let bytes = input.read_bytes(64, NONE).expect("not torn");
            if bytes.is_empty() {
                break;
            }
            output.write_all(&bytes, NONE).expect("room");
            output.flush(NONE).expect("room");
        }
        output.close(NONE).expect("room");
    })
}

#[test]
fn the_direct_entry_goes_through_the_base_stream() {
    on_private_context(|context| {
        let (wrapper, peer) = wrapped_zipped();
        let peer = echo(peer);
        let connection: &SocketConnection = wrapper.upcast_ref();
        let sent = Rc::new(RefCell::new(None));
        let slot = sent.clone();
        connection.send_async(
            glib::Bytes::from_static(b"packed"),
            glib::Priority::DEFAULT,
            NONE,
            move |_, result| *slot.borrow_mut() = Some(result),
        );
        assert!(sent.borrow().is_none());
        iterate_until(context, || sent.borrow().is_some());
        assert_eq!(sent.take().expect("ended").expect("room"), 6);
        block_on(
            context,
            wrapper
                .output_stream()
                .flush_future(glib::Priority::DEFAULT),
        )
        .expect("room");

        let received = Rc::new(RefCell::new(None));
        let slot = received.clone();
        connection.receive_async(
            vec![0; 16],
            glib::Priority::DEFAULT,
            NONE,
            move |_, buffer, result| *slot.borrow_mut() = Some((buffer, result)),
        );
        // One at a time, as of any stream.
        let refused = Rc::new(RefCell::new(None));
        let slot = refused.clone();
        connection.receive_async(
            vec![0; 16],
            glib::Priority::DEFAULT,
            NONE,
            move |_, buffer, result| *slot.borrow_mut() = Some((buffer.len(), result)),
        );
        iterate_until(context, || received.borrow().is_some());
        let (buffer, count) = received.take().expect("ended");
        assert_eq!(&buffer[..count.expect("an echo")], b"packed");
        iterate_until(context, || refused.borrow().is_some());
        let (len, result) = refused.take().expect("ended");
        assert_eq!(len, 16);
        assert_fails(result, gio::IOErrorEnum::Pending);

        // What passes through the socket by this object is nothing.
        assert_eq!((wrapper.bytes_read(), wrapper.bytes_written()), (0, 0));
        wrapper.close(NONE).expect("nothing is in the way");
        peer.join().expect("not torn");
    });
}

#[test]
fn the_traits_of_futures_io_go_through_the_base_stream() {
    async fn talk(mut connection: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Vec<u8>> {
        let mut seen = Vec::new();
        for word in [&b"one"[..], b"two", b"three"] {
            connection.write_all(word).await?;
            connection.flush().await?;
            let mut buffer = vec![0; word.len()];
            connection.read_exact(&mut buffer).await?;
            seen.push(buffer);
        }
        connection.close().await?;
        let mut rest = Vec::new();
        connection.read_to_end(&mut rest).await?;
        assert!(rest.is_empty());
        Ok(seen.concat())
    }
    on_private_context(|context| {
        for way in 0..4 {
            let (wrapper, peer) = wrapped_zipped();
            let peer = echo(peer);
            let ours = wrapper.clone();
            let seen = match way {
                0 => block_on(context, talk(ours)),
                1 => block_on(context, async move { talk(&ours).await }),
                2 => block_on(context, talk(ours.upcast::<SocketConnection>())),
                _ => block_on(context, talk(ours.upcast::<TcpConnection>())),
            };
            assert_eq!(seen.expect("not torn"), b"onetwothree");
            // Ended, not closed.
            assert!(!wrapper.is_closed());
            assert!(!wrapper.socket().is_closed());
            peer.join().expect("not torn");
            wait_for_worker(context, wrapper);
        }
    });
}

#[test]
fn tasks_that_poll_one_direction_are_all_woken() {
    on_private_context(|context| {
        let (wrapper, _, mut peer) = wrapped();
        let got = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..3 {
            let (wrapper, got) = (wrapper.clone(), got.clone());
            context.spawn_local(async move {
                let mut byte = [0];
                let count = (&wrapper).read(&mut byte).await.expect("a byte");
                got.borrow_mut().push((count, byte[0]));
            });
        }
        // One that has gone away leaves nothing that matters.
        {
            let mut reading = Box::pin(async {
                let _ = (&wrapper).read(&mut [0]).await;
            });
            let mut cx = Context::from_waker(Waker::noop());
            assert!(reading.as_mut().poll(&mut cx).is_pending());
        }
        iterate_for(context, std::time::Duration::from_millis(10));
        assert!(got.borrow().is_empty());
        peer.write_all(b"abc").expect("room");
        iterate_until(context, || got.borrow().len() == 3);
        let mut got = got.take();
        got.sort_unstable();
        assert_eq!(got, [(1, b'a'), (1, b'b'), (1, b'c')]);
    });
}

/// A flush that nobody waits for any more has flushed nothing of what comes later.
#[test]
fn a_flush_is_of_what_was_written_before_it() {
    on_private_context(|context| {
        let (wrapper, peer) = wrapped_zipped();
        let peer = echo(peer);
        {
            let mut left = Box::pin(async {
                let mut ours = &wrapper;
                ours.flush().await
            });
            let waker = Waker::from(std::sync::Arc::new(Unmoved));
            let mut cx = Context::from_waker(&waker);
            assert!(left.as_mut().poll(&mut cx).is_pending());
        }
        iterate_until(context, || !wrapper.output_stream().has_pending());
        let ours = wrapper.clone();
        let read = block_on(context, async move {
            let mut ours = &ours;
            ours.write_all(b"later").await?;
            ours.flush().await?;
            let mut buffer = [0; 5];
            ours.read_exact(&mut buffer).await?;
            Ok::<_, io::Error>(buffer)
        });
        assert_eq!(&read.expect("an echo"), b"later");
        wrapper.close(NONE).expect("nothing is in the way");
        peer.join().expect("not torn");
    });
}

struct Unmoved;

impl std::task::Wake for Unmoved {
    fn wake(self: std::sync::Arc<Self>) {}
}

/// What lies over the socket knows no pieces: the first one with room is used.
#[test]
fn pieces_go_through_the_base_stream_one_by_one() {
    on_private_context(|context| {
        let (mut wrapper, _base, mut peer) = wrapped();
        block_on(context, async move {
            let pieces = [&b""[..], b"Hello", b"!"].map(io::IoSlice::new);
            let count = wrapper.write_vectored(&pieces).await.expect("room");
            assert_eq!(count, 5);
            assert_eq!(wrapper.write_vectored(&[]).await.expect("nothing"), 0);
            let mut sent = [0; 5];
            peer.read_exact(&mut sent).expect("it was sent");
            assert_eq!(&sent, b"Hello");

            peer.write_all(b"you").expect("connected");
            let (mut none, mut two, mut rest) = ([0; 0], [0; 2], [0; 8]);
            let mut pieces = [&mut none[..], &mut two[..], &mut rest[..]].map(io::IoSliceMut::new);
            let count = wrapper.read_vectored(&mut pieces).await.expect("sent");
            assert_eq!((count, &two), (2, b"yo"));
            assert_eq!(wrapper.read_vectored(&mut []).await.expect("nothing"), 0);
            let mut pieces = [io::IoSliceMut::new(&mut rest)];
            let count = wrapper.read_vectored(&mut pieces).await.expect("sent");
            assert_eq!(&rest[..count], b"u");
        });
    });
}

#[test]
fn a_base_stream_that_cannot_be_polled_says_so() {
    on_private_context(|context| {
        let (wrapper, _base, mut peer) = wrapped_polite();
        peer.write_all(b"there").expect("room");
        let ours = wrapper.clone();
        let (read, write) = block_on(context, async move {
            let mut ours = &ours;
            (ours.read(&mut [0; 8]).await, ours.write(b"raw").await)
        });
        assert_eq!(
            read.expect_err("not pollable").kind(),
            io::ErrorKind::Unsupported
        );
        assert_eq!(
            write.expect_err("not pollable").kind(),
            io::ErrorKind::Unsupported
        );
        let read = wrapper.input_stream().read_bytes(64, NONE).expect("bytes");
        assert_eq!(&*read, b"there");
    });
}

#[test]
fn a_relay_goes_through_the_base_stream() {
    on_private_context(|context| {
        let (wrapper, far) = wrapped_zipped();
        let (plain, mut near) = connected();
        let far = thread::spawn(move || {
            let (far, _connection) = zipped_peer(far);
            far.output_stream()
                .write_all(b"answer", NONE)
                .expect("room");
            far.output_stream().close(NONE).expect("room");
            let mut buffer = [0; 64];
            let (count, failure) = far
                .input_stream()
                .read_all(&mut buffer, NONE)
                .expect("up to the end");
            assert!(failure.is_none(), "{failure:?}");
            // For the relay its end is that of the socket.
            _connection.socket().shutdown(false, true).expect("open");
            buffer[..count].to_vec()
        });
        near.write_all(b"question").expect("room");
        near.shutdown(std::net::Shutdown::Write).expect("open");
        let joined = wrapper.clone().upcast();
        let relayed = block_on(context, async move { relay(&joined, &plain).await });
        let relayed = relayed.expect("both ends");
        assert_eq!((relayed.a_to_b, relayed.b_to_a), (6, 8));
        let mut seen = [0; 6];
        near.read_exact(&mut seen).expect("an answer");
        assert_eq!(&seen, b"answer");
        assert_eq!(far.join().expect("not torn"), b"question");
        wait_for_worker(context, wrapper);
    });
}

/// Whatever is under it: a task that polls is told of a close as one that reads is.
#[test]
fn a_close_ends_a_task_that_polls() {
    on_private_context(|context| {
        for over in [
            |connection: &SocketConnection| plain(connection),
            |connection: &SocketConnection| connection.clone().upcast(),
            |connection: &SocketConnection| {
                let theirs = connection.socket().connection_factory_create_connection();
                theirs.upcast()
            },
            |connection: &SocketConnection| {
                let over_halves = gsock::IoStreamAdapter::new(connection.clone());
                over_halves.upcast()
            },
            |connection: &SocketConnection| zipped(connection),
        ] {
            let (connection, peer) = connected_to_outlive();
            let wrapper = TcpWrapperConnection::new(&over(&connection), &connection.socket())
                .expect("a socket of its kind");
            let (reading, ended) = (wrapper.clone(), Rc::new(RefCell::new(None)));
            let slot = ended.clone();
            context.spawn_local(async move {
                let read = (&reading).read(&mut [0; 4]).await;
                *slot.borrow_mut() = Some(read.map_err(|failure| failure.kind()));
            });
            iterate_for(context, std::time::Duration::from_millis(10));
            assert!(ended.borrow().is_none());
            wrapper.close(NONE).expect("nothing is in the way");
            iterate_until(context, || ended.borrow().is_some());
            assert!(!matches!(*ended.borrow(), Some(Ok(1..))));
            drop(peer);
        }
    });
}

/// Nobody would ever wake who waits there.
#[test]
fn a_wrapper_that_is_polled_where_no_context_is_owned_says_so_when_it_would_wait() {
    on_private_context(|_| {
        let polled = thread::spawn(|| {
            let (connection, mut peer) = connected_to_outlive();
            let base = plain(&connection);
            let wrapper = TcpWrapperConnection::new(&base, &connection.socket()).expect("its kind");
            let mut cx = Context::from_waker(Waker::noop());
            let mut buffer = [0; 4];
            let Poll::Ready(Err(failure)) = Pin::new(&mut &wrapper).poll_read(&mut cx, &mut buffer)
            else {
                panic!("it waits");
            };
            assert_eq!(failure.kind(), io::ErrorKind::Unsupported);
            let Poll::Ready(Err(failure)) = Pin::new(&mut &wrapper).poll_close(&mut cx) else {
                panic!("it waits");
            };
            assert_eq!(failure.kind(), io::ErrorKind::Unsupported);
            // What need not wait is done.
            peer.write_all(b"here").expect("room");
            thread::sleep(std::time::Duration::from_millis(20));
            let Poll::Ready(read) = Pin::new(&mut &wrapper).poll_read(&mut cx, &mut buffer) else {
                panic!("there is something");
            };
            assert_eq!(read.expect("four bytes"), 4);
            assert_eq!(&buffer, b"here");
            wrapper.close(NONE).expect("nothing is in the way");
        });
        polled.join().expect("no panic");
    });
}

type Got = Result<usize, glib::Error>;

/// A transfer as C starts one, of `count` bytes that are said to be there, and what it answers.
fn raw(
    context: &glib::MainContext,
    connection: &SocketConnection,
    writes: bool,
    count: usize,
) -> Got {
    unsafe extern "C" fn ended(
        _: *mut glib::gobject_ffi::GObject,
        result: *mut gio::ffi::GAsyncResult,
        data: glib::ffi::gpointer,
    ) {
        // SAFETY: the place that was given with it, and a live result.
        unsafe { *data.cast::<Option<gio::AsyncResult>>() = Some(from_glib_none(result)) };
    }
    let mut buffer = [0; 8];
    let mut result: Option<gio::AsyncResult> = None;
    let (bytes, priority) = (buffer.as_mut_ptr(), glib::Priority::DEFAULT);
    let place: *mut Option<gio::AsyncResult> = &raw mut result;
    // SAFETY: the memory and the place stay until it has ended; more bytes than there are are asked for only where none is touched.
    unsafe {
        if writes {
            connection.send_raw_async(bytes, count, priority, NONE, Some(ended), place.cast());
        } else {
            connection.receive_raw_async(bytes, count, priority, NONE, Some(ended), place.cast());
        }
    }
    // SAFETY: as of the callback; only one of the two has it at a time.
    iterate_until(context, || unsafe { (*place).is_some() });
    let result = result.expect("it has ended");
    // SAFETY: a live result.
    unsafe {
        if writes {
            connection.send_raw_finish(result.as_ptr())
        } else {
            connection.receive_raw_finish(result.as_ptr())
        }
    }
}

#[test]
fn transfers_of_c_answer_what_the_base_stream_does_and_none_of_more_than_there_can_be() {
    on_private_context(|context| {
        let (plain, _peer) = connected();
        let (wrapper, _, mut peer) = wrapped();
        peer.write_all(b"seen").expect("room");
        assert_eq!(raw(context, wrapper.upcast_ref(), false, 8), Ok(4));
        assert_eq!(raw(context, wrapper.upcast_ref(), true, 8), Ok(8));
        for connection in [&plain, wrapper.upcast_ref()] {
            for writes in [false, true] {
                let failed = raw(context, connection, writes, usize::MAX);
                assert_fails(failed, gio::IOErrorEnum::InvalidArgument);
            }
        }
        wrapper.close(NONE).expect("nothing is in the way");
        for writes in [false, true] {
            let failed = raw(context, wrapper.upcast_ref(), writes, 8);
            assert_fails(failed, gio::IOErrorEnum::Closed);
        }
    });
}
