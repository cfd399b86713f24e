//! The operations, as C starts and finishes them, and as futures.

use std::{future::Future, os::fd::AsFd, pin::Pin, ptr};

use gio::{IOErrorEnum as E, prelude::*};
use glib::{
    ffi::{GFALSE, gpointer},
    translate::{ToGlibPtr, from_glib_none},
};
use gsock::{SocketConnection, UnixConnection, UnixOperation, prelude::*, relay};

use crate::lines::Line;
use crate::support::code;
use crate::tools::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Connect,
    Read,
    Skip,
    Write,
    Writev,
    Flush,
    CloseInput,
    CloseOutput,
    Close,
    GracefulClose,
    Splice,
    Relay,
    SendFd,
    SendFds,
    SendCredentials,
    ReceiveFd,
    ReceiveFds,
    ReceiveCredentials,
}

impl Op {
    pub(crate) fn moves_in(self) -> bool {
        matches!(self, Self::Read | Self::Skip) || self.receives()
    }

    pub(crate) fn moves_out(self) -> bool {
        matches!(self, Self::Write | Self::Writev) || self.sends()
    }

    pub(crate) fn receives(self) -> bool {
        matches!(
            self,
            Self::ReceiveFd | Self::ReceiveFds | Self::ReceiveCredentials
        )
    }

    pub(crate) fn sends(self) -> bool {
        matches!(self, Self::SendFd | Self::SendFds | Self::SendCredentials)
    }

    pub(crate) fn is_of_two(self) -> bool {
        matches!(self, Self::Splice | Self::Relay)
    }

    /// Whether `line` can do it.
    pub(crate) fn is_of(self, line: Line) -> bool {
        match self {
            Self::GracefulClose => line.is_tcp(),
            _ if self.receives() || self.sends() => !line.is_tcp(),
            _ => true,
        }
    }

    pub(crate) fn closes(self) -> bool {
        matches!(self, Self::Close | Self::GracefulClose)
    }

    pub(crate) fn has_future(self) -> bool {
        !matches!(
            self,
            Self::Writev | Self::CloseInput | Self::CloseOutput | Self::Splice
        )
    }

    /// GLib's own outer task asks the cancellable once more when it is finished, and says `CANCELLED` of what was
    /// done (`docs/differences.md`, "GLib's own"). The other operations have no such task around ours, or one
    /// that does not ask.
    pub(crate) fn looks_at_finish(self) -> bool {
        matches!(
            self,
            Self::Write
                | Self::Flush
                | Self::CloseOutput
                | Self::Close
                | Self::GracefulClose
                | Self::Splice
        )
    }

    /// As `.ci/nets/operations.sh` names them.
    pub(crate) fn covers(self) -> &'static [&'static str] {
        match self {
            Self::Connect => &[
                "socket_connection::connect_async",
                "socket_connection::connect_future",
                "subclass::socket_connection::connect_future",
                "subclass::socket_connection::connect_async",
                "subclass::socket_connection::parent_connect_future",
            ],
            Self::Read => &["vfunc::input_stream::read_async"],
            Self::Write => &["vfunc::output_stream::write_async"],
            Self::Writev => &["vfunc::output_stream::write_vectored_async"],
            Self::Flush => &["vfunc::output_stream::flush_async"],
            Self::CloseInput => &["vfunc::input_stream::close_async"],
            Self::CloseOutput => &["vfunc::output_stream::close_async"],
            Self::Close => &[
                "subclass::socket_connection::close_future",
                "subclass::socket_connection::close_async",
                "subclass::socket_connection::parent_close_future",
            ],
            Self::GracefulClose => &["subclass::tcp_connection::close_async"],
            Self::Skip | Self::Splice => &[],
            Self::Relay => &["relay::relay", "relay::task::relay_raw_async"],
            Self::SendFd => &[
                "unix_connection::send_fd_async",
                "unix_connection::send_fd_future",
            ],
            Self::SendFds => &[
                "unix_connection::send_fds_async",
                "unix_connection::send_fds_future",
            ],
            Self::SendCredentials => &[
                "unix_connection::send_credentials_async",
                "unix_connection::send_credentials_future",
            ],
            Self::ReceiveFd => &[
                "unix_connection::receive_fd_async",
                "unix_connection::receive_fd_future",
            ],
            Self::ReceiveFds => &[
                "unix_connection::receive_fds_async",
                "unix_connection::receive_fds_future",
            ],
            Self::ReceiveCredentials => &[
                "unix_connection::receive_credentials_async",
                "unix_connection::receive_credentials_future",
            ],
        }
    }

    fn finish(self) -> Finish {
        match self {
            Self::Connect => finish_connect,
            Self::Read => finish_read,
            Self::Skip => finish_skip,
            Self::Write => finish_write,
            Self::Writev => finish_writev,
            Self::Flush => finish_flush,
            Self::CloseInput => finish_close_input,
            Self::CloseOutput => finish_close_output,
            Self::Close | Self::GracefulClose => finish_close,
            Self::Splice => finish_splice,
            Self::Relay => finish_relay,
            _ => finish_unix,
        }
    }

    /// Takes the result of an operation whose callback left it.
    pub(crate) fn finish_later(
        self,
        source: *mut glib::gobject_ffi::GObject,
        result: &gio::AsyncResult,
    ) -> Outcome {
        self.finish()(source, result.to_glib_none().0)
    }
}

pub(crate) const PING: &[u8; 4] = b"ping";

/// How an operation ended, comparable.
pub(crate) type End = Result<usize, E>;

pub(crate) fn end_of(outcome: Outcome) -> End {
    outcome.map_err(|failure| code(&failure))
}

type Callback =
    unsafe extern "C" fn(*mut glib::gobject_ffi::GObject, *mut gio::ffi::GAsyncResult, gpointer);

/// Runs a nested main loop in the callback, after it has taken the result.
unsafe extern "C" fn on_ready_nested(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    data: gpointer,
) {
    // SAFETY: passed on.
    unsafe { on_ready(source, result, data) };
    let context = glib::MainContext::ref_thread_default();
    iterate(&context, 5);
}

/// What a callback operation is started with.
pub(crate) struct Arguments<'a> {
    pub(crate) connection: &'a SocketConnection,
    pub(crate) other: Option<&'a SocketConnection>,
    pub(crate) address: Option<&'a gio::SocketAddress>,
    pub(crate) cancellable: &'a gio::Cancellable,
    /// The result is left to the test.
    pub(crate) later: bool,
    /// The callback runs a main loop.
    pub(crate) nested: bool,
}

/// An operation under way, with what it was lent.
pub(crate) struct Lent {
    pub(crate) started: std::rc::Rc<Started>,
    _vectors: Box<[gio::ffi::GOutputVector; 2]>,
}

pub(crate) fn start(op: Op, with: &Arguments<'_>) -> Lent {
    let started = Started::new(op.finish(), with.later, PING.to_vec());
    let callback: Callback = if with.nested {
        on_ready_nested
    } else {
        on_ready
    };
    let (callback, data) = (Some(callback), started.data());
    let (buffer, count) = started.buffer();
    let half = count / 2;
    let vectors = Box::new([
        gio::ffi::GOutputVector {
            buffer: buffer.cast(),
            size: half,
        },
        gio::ffi::GOutputVector {
            // SAFETY: within the buffer.
            buffer: unsafe { buffer.add(half) }.cast(),
            size: count - half,
        },
    ]);
    let connection = with.connection;
    let stream: *mut gio::ffi::GIOStream =
        connection.upcast_ref::<gio::IOStream>().to_glib_none().0;
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let input: *mut gio::ffi::GInputStream = input.to_glib_none().0;
    let output: *mut gio::ffi::GOutputStream = output.to_glib_none().0;
    let cancellable: *mut gio::ffi::GCancellable = with.cancellable.to_glib_none().0;
    if let Some(unix) = connection.downcast_ref::<UnixConnection>()
        && (op.receives() || op.sends())
    {
        let stdin = std::io::stdin();
        let two = [stdin.as_fd(), stdin.as_fd()];
        let operation = match op {
            Op::SendFd => UnixOperation::SendFd(stdin.as_fd()),
            Op::SendFds => UnixOperation::SendFds(&two),
            Op::SendCredentials => UnixOperation::SendCredentials,
            Op::ReceiveFd => UnixOperation::ReceiveFd,
            Op::ReceiveFds => UnixOperation::ReceiveFds(2),
            _ => UnixOperation::ReceiveCredentials,
        };
        // SAFETY: live arguments; the data lives as long as the thread.
        unsafe { unix.start(operation, cancellable, callback, data) };
    } else if op.moves_in() {
        // SAFETY: the buffer is ours and as long as said.
        unsafe { ptr::write_bytes(buffer, 0, count) };
    }
    // SAFETY: live arguments; buffers, vectors and data live as long as the thread or the scene.
    unsafe {
        match op {
            Op::Connect => {
                let address: *mut gio::ffi::GSocketAddress = with
                    .address
                    .expect("somebody to connect to")
                    .to_glib_none()
                    .0;
                let slot = class_of(connection).connect_async.expect("a slot");
                slot(connection.as_ptr(), address, cancellable, callback, data);
            }
            Op::Read => gio::ffi::g_input_stream_read_async(
                input,
                buffer.cast(),
                count,
                0,
                cancellable,
                callback,
                data,
            ),
            Op::Skip => {
                gio::ffi::g_input_stream_skip_async(input, count, 0, cancellable, callback, data)
            }
            Op::Write => gio::ffi::g_output_stream_write_async(
                output,
                buffer.cast(),
                count,
                0,
                cancellable,
                callback,
                data,
            ),
            Op::Writev => gio::ffi::g_output_stream_writev_async(
                output,
                vectors.as_ptr(),
                vectors.len(),
                0,
                cancellable,
                callback,
                data,
            ),
            Op::Flush => {
                gio::ffi::g_output_stream_flush_async(output, 0, cancellable, callback, data)
            }
            Op::CloseInput => {
                gio::ffi::g_input_stream_close_async(input, 0, cancellable, callback, data)
            }
            Op::CloseOutput => {
                gio::ffi::g_output_stream_close_async(output, 0, cancellable, callback, data)
            }
            Op::Close | Op::GracefulClose => {
                gio::ffi::g_io_stream_close_async(stream, 0, cancellable, callback, data)
            }
            Op::Splice => gio::ffi::g_io_stream_splice_async(
                stream,
                with.other
                    .expect("two of them")
                    .upcast_ref::<gio::IOStream>()
                    .to_glib_none()
                    .0,
                gio::ffi::G_IO_STREAM_SPLICE_CLOSE_STREAM1
                    | gio::ffi::G_IO_STREAM_SPLICE_CLOSE_STREAM2,
                0,
                cancellable,
                callback,
                data,
            ),
            Op::Relay => connection.relay_raw_async(
                with.other.expect("two of them"),
                Some(with.cancellable),
                callback,
                data,
            ),
            // Started above.
            _ => {}
        }
    }
    Lent {
        started,
        _vectors: vectors,
    }
}

pub(crate) type Running = Pin<Box<dyn Future<Output = End>>>;

pub(crate) fn future(
    op: Op,
    connection: &SocketConnection,
    other: Option<&SocketConnection>,
    address: Option<&gio::SocketAddress>,
) -> Running {
    let priority = glib::Priority::DEFAULT;
    let failed = |failure: glib::Error| code(&failure);
    match op {
        Op::Connect => {
            let connecting = connection.connect_future(address.expect("somebody to connect to"));
            Box::pin(async move { connecting.await.map(|()| 0).map_err(failed) })
        }
        Op::Read => {
            let reading = connection.input_stream().read_future([0; 4], priority);
            Box::pin(async move {
                let (bytes, count) = reading.await.map_err(|(_, failure)| failed(failure))?;
                assert_eq!(bytes[..count], PING[..count]);
                Ok(count)
            })
        }
        Op::Skip => {
            let skipping = connection.input_stream().skip_future(4, priority);
            Box::pin(async move {
                let count = skipping.await.map_err(failed)?;
                Ok(usize::try_from(count).expect("not negative"))
            })
        }
        Op::Write => {
            let writing = connection.output_stream().write_future(*PING, priority);
            Box::pin(async move {
                let written = writing.await;
                written
                    .map(|(_, count)| count)
                    .map_err(|(_, failure)| failed(failure))
            })
        }
        Op::Flush => {
            let flushing = connection.output_stream().flush_future(priority);
            Box::pin(async move { flushing.await.map(|()| 0).map_err(failed) })
        }
        Op::Close | Op::GracefulClose => {
            let closing = connection.close_future(priority);
            Box::pin(async move { closing.await.map(|()| 0).map_err(failed) })
        }
        Op::Relay => {
            let (a, b) = (connection.clone(), other.expect("two of them").clone());
            Box::pin(async move {
                let relayed = relay(&a, &b).await.map_err(failed)?;
                assert_eq!(relayed.b_to_a, 0);
                Ok(usize::try_from(relayed.a_to_b).expect("not many"))
            })
        }
        Op::SendFd | Op::SendFds | Op::SendCredentials => {
            let (unix, stdin) = (unix_of(connection), std::io::stdin());
            let sending = match op {
                Op::SendFd => unix.send_fd_future(stdin.as_fd()),
                Op::SendFds => unix.send_fds_future(&[stdin.as_fd(), stdin.as_fd()]),
                _ => unix.send_credentials_future(),
            };
            Box::pin(async move { sending.await.map(|()| 1).map_err(failed) })
        }
        Op::ReceiveFd => {
            let receiving = unix_of(connection).receive_fd_future();
            Box::pin(async move { receiving.await.map(|_| 1).map_err(failed) })
        }
        Op::ReceiveFds => {
            let receiving = unix_of(connection).receive_fds_future(2);
            Box::pin(async move {
                let fds = receiving.await.map_err(failed)?;
                assert_eq!(fds.len(), 2);
                Ok(1)
            })
        }
        Op::ReceiveCredentials => {
            let receiving = unix_of(connection).receive_credentials_future();
            Box::pin(async move { receiving.await.map(|_| 1).map_err(failed) })
        }
        Op::Writev | Op::CloseInput | Op::CloseOutput | Op::Splice => {
            unreachable!("has no future here")
        }
    }
}

pub(crate) fn unix_of(connection: &SocketConnection) -> &UnixConnection {
    connection.downcast_ref().expect("on Unix sockets only")
}

/// Whichever of them it was says so: the others refuse its result.
fn finish_unix(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    // SAFETY: called with a connection, and a result.
    let (connection, result): (glib::Object, gio::AsyncResult) =
        unsafe { (from_glib_none(source), from_glib_none(result)) };
    let connection: UnixConnection = connection.downcast().expect("on Unix sockets only");
    let mut outcomes = [
        connection.send_fd_finish(&result),
        connection.send_fds_finish(&result),
        connection.send_credentials_finish(&result),
        connection.receive_fd_finish(&result).map(drop),
        connection.receive_fds_finish(&result).map(drop),
        connection.receive_credentials_finish(&result).map(drop),
    ]
    .into_iter()
    .filter(|outcome| {
        let refused = |failure: &glib::Error| failure.matches(E::InvalidArgument);
        !outcome.as_ref().is_err_and(refused)
    });
    let outcome = outcomes.next().expect("one of them takes it");
    assert!(outcomes.next().is_none(), "two of them take it");
    outcome.map(|()| 1)
}

/// How many bytes went from the first to the second.
fn finish_relay(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    // SAFETY: called with a connection.
    let connection: glib::Object = unsafe { from_glib_none(source) };
    let connection: SocketConnection = connection.downcast().expect("of connections only");
    // SAFETY: a live result.
    let relayed = unsafe { connection.relay_raw_finish(result) }?;
    assert_eq!(relayed.b_to_a, 0);
    Ok(usize::try_from(relayed.a_to_b).expect("not many"))
}

fn finish_skip(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: called with an input stream.
    let count =
        unsafe { gio::ffi::g_input_stream_skip_finish(source.cast(), result, &raw mut failure) };
    said(usize::try_from(count).unwrap_or(0), count < 0, failure)
}

fn finish_writev(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    let mut written = 0;
    // SAFETY: called with an output stream.
    let done = unsafe {
        gio::ffi::g_output_stream_writev_finish(
            source.cast(),
            result,
            &raw mut written,
            &raw mut failure,
        )
    };
    said(written, done == GFALSE, failure)
}

fn finish_flush(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: called with an output stream.
    let done =
        unsafe { gio::ffi::g_output_stream_flush_finish(source.cast(), result, &raw mut failure) };
    said(0, done == GFALSE, failure)
}

fn finish_close_input(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: called with an input stream.
    let done =
        unsafe { gio::ffi::g_input_stream_close_finish(source.cast(), result, &raw mut failure) };
    said(0, done == GFALSE, failure)
}

fn finish_close_output(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: called with an output stream.
    let done =
        unsafe { gio::ffi::g_output_stream_close_finish(source.cast(), result, &raw mut failure) };
    said(0, done == GFALSE, failure)
}

/// IOS-26: the task has no source object.
fn finish_splice(
    _: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: a live result.
    let done = unsafe { gio::ffi::g_io_stream_splice_finish(result, &raw mut failure) };
    said(0, done == GFALSE, failure)
}
