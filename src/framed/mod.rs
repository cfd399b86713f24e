//! Messages over a stream.

mod bell;
mod builder;
mod calls;
mod closing;
mod core;
mod ends;
mod format;
mod frames;
mod imp;
mod input;
mod json;
mod operations;
mod properties;
mod queue;
mod reading;
mod teller;
mod waiting;
mod writing;

use std::{
    future::{Future, poll_fn},
    os::fd::BorrowedFd,
    pin::Pin,
};

use futures_core::Stream;
use gio::{prelude::*, subclass::prelude::*};
use glib::Bytes;
use glib_macros::Enum;

pub use self::{builder::FramedBuilder, calls::FramedOperation};
use self::{
    closing::Close,
    frames::Frames,
    input::Want,
    operations::{Flush, Work, Write},
    reading::Read,
};
use crate::{operation::assert_owns_context, unix_connection::Cargo};

/// How a [`Framed`] tells frames apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enum)]
#[enum_type(name = "GsockFraming")]
#[doc(alias = "GsockFraming")]
#[non_exhaustive]
#[repr(i32)]
pub enum Framing {
    /// Each is a line of bytes. LF or CRLF ends it and is not part of it; what is sent gets LF, or CRLF with `crlf`.
    #[enum_value(name = "GSOCK_FRAMING_LINES", nick = "lines")]
    Lines = 0,
    /// The length of each stands before it, as a number of `prefix-size` bytes, which do not count.
    #[enum_value(name = "GSOCK_FRAMING_LENGTH_PREFIXED", nick = "length-prefixed")]
    LengthPrefixed = 1,
    /// Each is a line that is one JSON text (RFC 8259) in UTF-8, at most 128 arrays and objects deep. Blank lines are passed over.
    #[enum_value(name = "GSOCK_FRAMING_JSON_LINES", nick = "json-lines")]
    JsonLines = 2,
}

glib::wrapper! {
    /// Messages, called frames, over any [`gio::IOStream`]: a connection, TLS over one, whatever else GIO has.
    ///
    /// Frames are read by [`read_frame`](Self::read_frame) in three forms, or come in a stream ([`frames`](Self::frames)).
    /// They are sent by [`send`](Self::send), which never waits: they are queued and written in the background, in their
    /// order and each as a whole. [`write_frame`](Self::write_frame) waits for room in the queue, and until the frame is
    /// written.
    ///
    /// # Properties
    ///
    /// | name | type | default | |
    /// | --- | --- | --- | --- |
    /// | `io-stream` | [`gio::IOStream`], nullable | none | setting it, be it to the same one, starts over on it: see below |
    /// | `framing` | [`Framing`], construct-only | `Lines` | how frames are told apart |
    /// | `prefix-size` | 1, 2, 4 or 8 bytes, construct-only | 4 | of `LengthPrefixed` |
    /// | `byte-order` | [`gio::DataStreamByteOrder`], construct-only | `BigEndian` | of `LengthPrefixed` |
    /// | `crlf` | `bool`, construct-only | false | a line that is sent ends with CRLF, not LF; read are both |
    /// | `max-frame-size` | bytes | 1 MiB | of one frame, in either direction, without what tells it apart |
    /// | `read-ahead` | `bool` | true | false: no byte after a frame is taken from the stream before it is asked for |
    /// | `high-water` | bytes | 64 KiB | with more than that in the queue it is congested |
    /// | `low-water` | bytes | 16 KiB | until no more than that is left |
    /// | `max-pending-bytes` | bytes | 1 MiB | what the queue may hold; a single larger frame is taken when it is empty |
    /// | `keep-queue` | `bool` | false | true: what is queued when the stream fails waits for the next one |
    /// | `pending-bytes` | bytes, read-only | 0 | what is queued and has not been taken by the stream |
    /// | `pending-frames` | `u64`, read-only | 0 | the same in frames |
    /// | `congested` | `bool`, read-only | false | more is queued than is good |
    /// | `last-error` | [`glib::Error`], nullable, read-only | none | why the stream of now cannot be read from or written to |
    ///
    /// The read-only ones are exact when they are read, and notified once in an iteration of the main context. So they can be
    /// bound to what a program shows.
    ///
    /// # Back-pressure
    ///
    /// Stop sending when `congested` turns true, and go on at the signal `drained`. Whoever does not look at it gets
    /// `WouldBlock` from [`send`](Self::send) once `max-pending-bytes` are queued. As long as nobody reads frames, nothing is
    /// read from the stream, and the peer has to wait.
    ///
    /// # Another stream
    ///
    /// When `io-stream` is set, partial input is dropped, the frame that was being written is sent again from its first byte, and the
    /// queue stays, whatever `keep-queue` says. A read that waits goes on with the new stream, or fails with `NotConnected` where
    /// there is none. The property can so be bound to the stream of something that connects anew.
    ///
    /// # The signals
    ///
    /// `drained` is emitted when `congested` has turned false. `error` has a [`glib::Error`] and is emitted when writing
    /// has failed, in the background or in a call.
    ///
    /// # Main context
    ///
    /// Its home is the thread that made it and the context that was thread-default there: there it writes in the background, and
    /// there signals are emitted and properties notified. A blocking call reads or writes in the calling thread and needs no
    /// context. A future, or an asynchronous call, reads and writes in the context in which it waits, too.
    ///
    /// # Streams that cannot be polled
    ///
    /// What implements [`gio::PollableInputStream`] and [`gio::PollableOutputStream`] is read and written when it is
    /// ready. Of other streams, an asynchronous call goes on after who waits for it has gone; a blocking call on the same
    /// side fails with `Pending` until it has ended. What such a stream has taken of a write that was under way when another
    /// stream was set is not known: frames of that write may be sent twice, once on each. The same object cannot be set anew
    /// while it reads or writes.
    ///
    /// # The end
    ///
    /// [`close`](Self::close) writes what is queued and closes the stream. Merely dropped, it forgets what is queued, and leaves the
    /// stream to who else has it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    ///
    /// use gio::prelude::*;
    /// use gsock::{Framed, Framing, SocketConnection};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (ours, theirs) = UnixStream::pair()?;
    /// let ours = SocketConnection::factory_create_connection_from_fd(ours.into())?;
    /// let theirs = SocketConnection::factory_create_connection_from_fd(theirs.into())?;
    ///
    /// let client = Framed::new(&ours, Framing::JsonLines);
    /// client.send(br#"{"method": "ping"}"#)?;
    /// client.flush(gio::Cancellable::NONE)?;
    ///
    /// let server = Framed::new(&theirs, Framing::JsonLines);
    /// let frame = server.read_frame(gio::Cancellable::NONE)?;
    /// assert_eq!(frame.as_deref(), Some(&br#"{"method": "ping"}"#[..]));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "GsockFramed")]
    pub struct Framed(ObjectSubclass<imp::Framed>);
}

// C calls from any thread; the wrapper stays on one, as gio-rs' own.
const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::Framed>();
};

type Pending<T> = Pin<Box<dyn Future<Output = Result<T, glib::Error>> + 'static>>;

impl Framed {
    /// None, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;

    /// Frames over a stream.
    #[doc(alias = "gsock_framed_new")]
    #[must_use]
    pub fn new(io_stream: &impl IsA<gio::IOStream>, framing: Framing) -> Self {
        Self::builder()
            .io_stream(io_stream)
            .framing(framing)
            .build()
    }

    /// Makes one with properties that are not the default ones.
    pub fn builder() -> FramedBuilder {
        FramedBuilder::new()
    }

    fn catch_up(&self) {
        self.imp().core.teller.catch_up();
    }

    // --- Reading -------------------------------------------------------------------------------

    /// Reads the next frame, blocking. `None` is the end of the stream between two frames.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `PartialInput` when the stream ends inside of a frame. `MessageTooLarge` for a frame larger than
    /// `max-frame-size`, and `InvalidData` for a line that is not what [`Framing::JsonLines`] says: that frame is passed over,
    /// without being kept in memory, and the next read gets the next one. `Pending` while somebody else reads; `NotConnected`
    /// without a stream; `Closed`, `Cancelled`, and those of the stream.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was read of a frame stays for the next read.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    #[doc(alias = "gsock_framed_read_frame")]
    pub fn read_frame(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<Option<Bytes>, glib::Error> {
        self.catch_up();
        let read = Read::new(&self.imp().core, Want::Frame)?;
        read.block(cancellable.map(AsRef::as_ref))
    }

    /// Starts to read the next frame; see [`read_frame`](Self::read_frame).
    ///
    /// # Errors
    ///
    /// From [`read_frame_finish`](Self::read_frame_finish).
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// `callback` runs in the thread-default context of the call, never before this returns.
    ///
    /// # Panics
    ///
    /// When another thread owns that context.
    #[doc(alias = "gsock_framed_read_frame_async")]
    pub fn read_frame_async(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        self.begin(FramedOperation::ReadFrame, cancellable, callback);
    }

    /// Takes the frame that [`read_frame_async`](Self::read_frame_async) has read, once.
    ///
    /// # Errors
    ///
    /// The operation's; `InvalidArgument` for anything but a result of its own that was not taken yet.
    #[doc(alias = "gsock_framed_read_frame_finish")]
    pub fn read_frame_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<Option<Bytes>, glib::Error> {
        self.end_reading(false, result)
    }

    /// Reads the next frame; see [`read_frame`](Self::read_frame).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has taken no frame; what was read of one stays for the next read.
    ///
    /// # Main context
    ///
    /// It waits in the thread-default context of the thread that polls it, which that thread must own.
    #[doc(alias = "gsock_framed_read_frame_async")]
    #[doc(alias = "gsock_framed_read_frame_finish")]
    pub fn read_frame_future(&self) -> Pending<Option<Bytes>> {
        let this = self.clone();
        Box::pin(async move {
            assert_owns_context();
            let mut read = Read::new(&this.imp().core, Want::Frame)?;
            poll_fn(|cx| read.poll(cx)).await
        })
    }

    /// Reads exactly so many bytes, blocking, whatever is a frame: what a line has announced, for example.
    ///
    /// # Errors
    ///
    /// As of [`read_frame`](Self::read_frame); with `MessageTooLarge`, for more than `max-frame-size`, nothing has been taken, and an end
    /// of the stream before the last byte is `PartialInput`.
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::{fd::OwnedFd, unix::net::UnixStream};
    /// use gio::prelude::*;
    /// use gsock::{Framed, Framing, SocketConnection};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (one, other) = UnixStream::pair()?;
    /// let [one, other] = [one, other].map(|end| {
    ///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
    /// });
    /// let (one, other) = (one?, other?);
    /// one.output_stream().write_all(b"DATA 6\nab\ncd\nEND\n", gio::Cancellable::NONE)?;
    /// let framed = Framed::new(&other, Framing::Lines);
    /// let announced = framed.read_frame(gio::Cancellable::NONE)?.expect("a line");
    /// assert_eq!(&announced[..], b"DATA 6");
    /// let data = framed.read_exact(6, gio::Cancellable::NONE)?;
    /// assert_eq!(&data[..], b"ab\ncd\n");
    /// let end = framed.read_frame(gio::Cancellable::NONE)?.expect("a line");
    /// assert_eq!(&end[..], b"END");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_framed_read_exact")]
    pub fn read_exact(
        &self,
        count: usize,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<Bytes, glib::Error> {
        self.catch_up();
        let read = Read::new(&self.imp().core, Want::Exactly(count))?;
        read.block(cancellable.map(AsRef::as_ref)).map(some)
    }

    /// Starts to read exactly so many bytes; see [`read_exact`](Self::read_exact).
    ///
    /// # Errors
    ///
    /// From [`read_exact_finish`](Self::read_exact_finish).
    ///
    /// # Cancel safety
    ///
    /// As of [`read_frame`](Self::read_frame).
    ///
    /// # Main context
    ///
    /// As of [`read_frame_async`](Self::read_frame_async).
    ///
    /// # Panics
    ///
    /// As there.
    #[doc(alias = "gsock_framed_read_exact_async")]
    pub fn read_exact_async(
        &self,
        count: usize,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        self.begin(FramedOperation::ReadExact(count), cancellable, callback);
    }

    /// Takes the bytes that [`read_exact_async`](Self::read_exact_async) has read, once.
    ///
    /// # Errors
    ///
    /// As of [`read_frame_finish`](Self::read_frame_finish).
    #[doc(alias = "gsock_framed_read_exact_finish")]
    pub fn read_exact_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<Bytes, glib::Error> {
        self.end_reading(true, result).map(some)
    }

    /// Reads exactly so many bytes; see [`read_exact`](Self::read_exact).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As of [`read_frame_future`](Self::read_frame_future).
    ///
    /// # Main context
    ///
    /// As there.
    #[doc(alias = "gsock_framed_read_exact_async")]
    #[doc(alias = "gsock_framed_read_exact_finish")]
    pub fn read_exact_future(&self, count: usize) -> Pending<Bytes> {
        let this = self.clone();
        Box::pin(async move {
            assert_owns_context();
            let mut read = Read::new(&this.imp().core, Want::Exactly(count))?;
            poll_fn(|cx| read.poll(cx)).await.map(some)
        })
    }

    /// The frames that come, until the stream ends.
    ///
    /// # Errors
    ///
    /// Those of [`read_frame`](Self::read_frame). After one that is about a single frame, or `TimedOut`, more frames may come;
    /// any other one is the last item.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has taken no frame that it has not yielded.
    ///
    /// # Main context
    ///
    /// As of [`read_frame_future`](Self::read_frame_future).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::{fd::OwnedFd, unix::net::UnixStream};
    /// use futures::TryStreamExt;
    /// use gio::prelude::*;
    /// use gsock::{Framed, Framing, SocketConnection};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (one, other) = UnixStream::pair()?;
    /// let [one, other] = [one, other].map(|end| {
    ///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
    /// });
    /// let (one, other) = (one?, other?);
    /// one.output_stream().write_all(b"one\ntwo\n", gio::Cancellable::NONE)?;
    /// one.close(gio::Cancellable::NONE)?;
    /// let framed = Framed::new(&other, Framing::Lines);
    /// let lines: Vec<_> = glib::MainContext::new().block_on(framed.frames().try_collect())?;
    /// assert_eq!(lines, [&b"one"[..], b"two"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn frames(&self) -> Pin<Box<dyn Stream<Item = Result<Bytes, glib::Error>> + 'static>> {
        Box::pin(Frames::new(self))
    }

    /// Takes what was read ahead and belongs to no frame that somebody has got, be it the beginning of one. Empty while
    /// a thread is in a call that reads.
    ///
    /// # Main context
    ///
    /// None is iterated.
    #[doc(alias = "gsock_framed_take_buffered")]
    #[must_use = "these bytes are nowhere else any more"]
    pub fn take_buffered(&self) -> Bytes {
        self.imp().core.lock().input.take_all()
    }

    // --- Writing -------------------------------------------------------------------------------

    /// Queues a frame, whole or not at all, and never waits. It is written in the background.
    ///
    /// # Errors
    ///
    /// In `gio::IOErrorEnum`: `WouldBlock` when more than `max-pending-bytes` would be queued: there is room
    /// at the signal `drained` at the latest. `MessageTooLarge` for more than `max-frame-size`, or more than the prefix can
    /// tell; `InvalidData` for a line with a line break in it, or a CR at its end, and for what is no JSON; `Closed`. Without
    /// `keep-queue`: `NotConnected` without a stream, and the error with which the stream has failed.
    ///
    /// # Main context
    ///
    /// None is iterated. Where nobody iterates that of its home, what is queued is written by the next
    /// [`flush`](Self::flush) or another call that writes.
    #[doc(alias = "gsock_framed_send")]
    pub fn send(&self, frame: impl Into<Bytes>) -> Result<(), glib::Error> {
        self.imp().core.send(frame.into(), None)
    }

    /// Queues a frame and descriptors that go with it, all or nothing, and never waits. The descriptors stay the caller's: they
    /// are duplicated before this returns.
    ///
    /// The stream has to be a [`UnixConnection`](crate::UnixConnection). Behind the frame comes one zero byte that the descriptors
    /// travel with, as [`send_fds`](crate::UnixConnectionExt::send_fds) has it; nothing comes between. Who gets the frame has to
    /// know that from what is in it, and takes them by [`receive_fds`](crate::UnixConnectionExt::receive_fds) before it
    /// reads on. With `read-ahead` they would be lost: it has to be false there.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and in `gio::IOErrorEnum`: `InvalidArgument` for no descriptors or more than 253, `NotSupported`
    /// where the stream is something else, or the system is not Linux, `TooManyOpenFiles`. A stream that is set afterwards and
    /// passes none fails with `NotSupported` when it comes to the frame.
    ///
    /// # Main context
    ///
    /// As of [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::{fd::AsFd, unix::net::UnixStream};
    ///
    /// use gio::prelude::*;
    /// use gsock::{Framed, Framing, SocketConnection, UnixConnection, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (ours, theirs) = UnixStream::pair()?;
    /// let ours = SocketConnection::factory_create_connection_from_fd(ours.into())?;
    /// let theirs = SocketConnection::factory_create_connection_from_fd(theirs.into())?;
    ///
    /// let sender = Framed::new(&ours, Framing::Lines);
    /// sender.send_with_fds(b"a file", &[std::io::stdin().as_fd()])?;
    /// sender.flush(gio::Cancellable::NONE)?;
    ///
    /// let receiver = Framed::builder().io_stream(&theirs).read_ahead(false).build();
    /// assert_eq!(receiver.read_frame(gio::Cancellable::NONE)?.as_deref(), Some(&b"a file"[..]));
    /// let theirs: UnixConnection = theirs.downcast().expect("a Unix socket");
    /// let file = theirs.receive_fd(gio::Cancellable::NONE)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_framed_send_with_fds")]
    pub fn send_with_fds(
        &self,
        frame: impl Into<Bytes>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), glib::Error> {
        let cargo = Cargo::of_duplicates(fds)?;
        self.imp().core.send(frame.into(), Some(cargo))
    }

    /// Queues bytes as they are, between one frame and the next: what a line has announced, as IMAP and HTTP do. The peer gets
    /// them by [`read_exact`](Self::read_exact). They are no frame, and `max-frame-size` is none of their bounds: only
    /// `max-pending-bytes` is, as of [`send`](Self::send), so that more than that is taken when nothing else is queued.
    ///
    /// # Errors
    ///
    /// As of [`send`](Self::send), but `InvalidData` and `MessageTooLarge`: any bytes will do.
    ///
    /// # Main context
    ///
    /// As of [`send`](Self::send).
    #[doc(alias = "gsock_framed_send_exact")]
    pub fn send_exact(&self, bytes: impl Into<Bytes>) -> Result<(), glib::Error> {
        self.imp().core.send_exact(bytes.into())
    }

    /// Waits for room in the queue, queues a frame and waits until the stream has taken it, blocking.
    ///
    /// # Errors
    ///
    /// As of [`send`](Self::send), but `WouldBlock`; those of the stream; `Cancelled`. With `keep-queue` it waits for the next
    /// stream when one fails.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before the first byte is written, the frame is taken out of the queue. After that it is written to its end,
    /// which the operation waits for. TLS, and a stream that cannot be polled, has begun with what it was once given, be it that no
    /// byte has gone yet.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    #[doc(alias = "gsock_framed_write_frame")]
    pub fn write_frame(
        &self,
        frame: impl Into<Bytes>,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<(), glib::Error> {
        let write = Write::new(&self.imp().core, frame.into())?;
        operations::block(write, cancellable.map(AsRef::as_ref))
    }

    /// Starts to write a frame; see [`write_frame`](Self::write_frame).
    ///
    /// # Errors
    ///
    /// From [`write_frame_finish`](Self::write_frame_finish).
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// As of [`read_frame_async`](Self::read_frame_async).
    ///
    /// # Panics
    ///
    /// As there.
    #[doc(alias = "gsock_framed_write_frame_async")]
    pub fn write_frame_async(
        &self,
        frame: impl Into<Bytes>,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        let operation = FramedOperation::WriteFrame(frame.into());
        self.begin(operation, cancellable, callback);
    }

    /// Takes the outcome of [`write_frame_async`](Self::write_frame_async), once.
    ///
    /// # Errors
    ///
    /// As of [`read_frame_finish`](Self::read_frame_finish).
    #[doc(alias = "gsock_framed_write_frame_finish")]
    pub fn write_frame_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<(), glib::Error> {
        let operation = FramedOperation::WriteFrame(Bytes::from_static(b""));
        self.end(&operation, result)
    }

    /// Writes a frame; see [`write_frame`](Self::write_frame).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the first byte is written, the frame is taken out of the queue; after that it is written to its end in
    /// the background.
    ///
    /// # Main context
    ///
    /// As of [`read_frame_future`](Self::read_frame_future).
    #[doc(alias = "gsock_framed_write_frame_async")]
    #[doc(alias = "gsock_framed_write_frame_finish")]
    pub fn write_frame_future(&self, frame: impl Into<Bytes>) -> Pending<()> {
        let (this, frame) = (self.clone(), frame.into());
        Box::pin(async move {
            let write = Write::new(&this.imp().core, frame);
            done(write).await
        })
    }

    /// Waits until the stream has taken all that was queued before, blocking, and has kept nothing of it back.
    ///
    /// # Errors
    ///
    /// Those of the stream, `NotConnected` while there is none, `Closed`, `Cancelled`.
    ///
    /// # Cancel safety
    ///
    /// What is queued stays queued.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    #[doc(alias = "gsock_framed_flush")]
    pub fn flush(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<(), glib::Error> {
        let flush = Flush::new(&self.imp().core);
        operations::block(flush, cancellable.map(AsRef::as_ref))
    }

    /// Starts to wait until the stream has taken all; see [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// From [`flush_finish`](Self::flush_finish).
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// As of [`read_frame_async`](Self::read_frame_async).
    ///
    /// # Panics
    ///
    /// As there.
    #[doc(alias = "gsock_framed_flush_async")]
    pub fn flush_async(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        self.begin(FramedOperation::Flush, cancellable, callback);
    }

    /// Takes the outcome of [`flush_async`](Self::flush_async), once.
    ///
    /// # Errors
    ///
    /// As of [`read_frame_finish`](Self::read_frame_finish).
    #[doc(alias = "gsock_framed_flush_finish")]
    pub fn flush_finish(&self, result: &impl IsA<gio::AsyncResult>) -> Result<(), glib::Error> {
        self.end(&FramedOperation::Flush, result)
    }

    /// Waits until the stream has taken all; see [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// As of [`read_frame_future`](Self::read_frame_future).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::{fd::OwnedFd, unix::net::UnixStream};
    /// use gio::prelude::*;
    /// use gsock::{Framed, Framing, SocketConnection};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (one, other) = UnixStream::pair()?;
    /// let [one, other] = [one, other].map(|end| {
    ///     SocketConnection::factory_create_connection_from_fd(OwnedFd::from(end))
    /// });
    /// let (one, other) = (one?, other?);
    /// let framed = Framed::new(&one, Framing::LengthPrefixed);
    /// // Queued, whole; neither waits.
    /// framed.send(b"one")?;
    /// framed.send(b"two")?;
    /// glib::MainContext::default().block_on(framed.flush_future())?;
    /// assert_eq!(framed.pending_bytes(), 0);
    /// let sent = other.input_stream().read_bytes(64, gio::Cancellable::NONE)?;
    /// assert_eq!(&sent[..], b"\0\0\0\x03one\0\0\0\x03two");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_framed_flush_async")]
    #[doc(alias = "gsock_framed_flush_finish")]
    pub fn flush_future(&self) -> Pending<()> {
        let this = self.clone();
        Box::pin(async move {
            let flush = Flush::new(&this.imp().core);
            done(Ok(flush)).await
        })
    }

    /// Takes no more frames, writes what is queued and closes the stream, blocking. Closing it once more does nothing. A stream
    /// that is set meanwhile is written to and closed in the place of the one of before.
    ///
    /// # Errors
    ///
    /// Why what was queued could not be written: the stream is closed all the same. `Closed` is one of these, where somebody has
    /// closed the stream itself. Then those of closing it. `Cancelled`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before all is written, it is not closed, and takes frames again.
    ///
    /// # Main context
    ///
    /// None is iterated, and the thread need not own one.
    #[doc(alias = "gsock_framed_close")]
    pub fn close(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<(), glib::Error> {
        let close = Close::new(&self.imp().core);
        close.block(cancellable.map(AsRef::as_ref))
    }

    /// Starts to close; see [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// From [`close_finish`](Self::close_finish).
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// # Main context
    ///
    /// As of [`read_frame_async`](Self::read_frame_async).
    ///
    /// # Panics
    ///
    /// As there.
    #[doc(alias = "gsock_framed_close_async")]
    pub fn close_async(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        self.begin(FramedOperation::Close, cancellable, callback);
    }

    /// Takes the outcome of [`close_async`](Self::close_async), once.
    ///
    /// # Errors
    ///
    /// As of [`read_frame_finish`](Self::read_frame_finish).
    #[doc(alias = "gsock_framed_close_finish")]
    pub fn close_finish(&self, result: &impl IsA<gio::AsyncResult>) -> Result<(), glib::Error> {
        self.end(&FramedOperation::Close, result)
    }

    /// Closes; see [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Dropped before all is written, it is not closed.
    ///
    /// # Main context
    ///
    /// As of [`read_frame_future`](Self::read_frame_future).
    #[doc(alias = "gsock_framed_close_async")]
    #[doc(alias = "gsock_framed_close_finish")]
    pub fn close_future(&self) -> Pending<()> {
        let this = self.clone();
        Box::pin(async move {
            assert_owns_context();
            let mut close = Close::new(&this.imp().core);
            poll_fn(|cx| close.poll(&mut None, cx)).await
        })
    }
}

async fn done<W: Work>(work: Result<W, glib::Error>) -> Result<(), glib::Error> {
    assert_owns_context();
    let mut work = work?;
    poll_fn(move |cx| operations::poll(&mut work, &mut None, cx)).await
}

/// What is read exactly is never the end.
fn some(bytes: Option<Bytes>) -> Bytes {
    bytes.unwrap_or_else(|| Bytes::from_static(b""))
}
