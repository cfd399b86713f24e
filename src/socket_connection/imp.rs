//! State of a [`SocketConnection`](super::SocketConnection).

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use gio::{prelude::*, subclass::prelude::*};
use glib::{ParamFlags, ParamSpec, Value, subclass::InitializingType};
use once_cell::sync::{Lazy, OnceCell};

use super::{
    overlaid::{Overlay, OwnStreams, dead_input, dead_output},
    streams::Streams,
};
use crate::{
    error,
    fence::{fence, fence_or},
    home::{Notifier, change},
    living::{self, Living},
    socket_input_stream::SocketInputStream,
    socket_output_stream::SocketOutputStream,
    subclass::{
        SocketConnectionClass, SocketConnectionImpl, SocketConnectionInstance,
        socket_connection as slots,
    },
    transport::{
        ConnectionState, Kind, Loans, Occupation, Transport, Wire,
        hand_over::{self, Cargo},
        placeholder, socket_in,
    },
    vfunc::TransportStream,
};

/// States of `departure`, after 0.
const ASKED: u8 = 1;
const THROUGH: u8 = 2;

/// Of a class of ours.
#[derive(Debug)]
struct Restriction {
    class: glib::Type,
    carries: fn(Kind) -> bool,
}

#[derive(Debug)]
pub struct SocketConnection {
    notifier: Arc<Notifier>,
    /// The socket of now, shared with both streams.
    wire: Arc<Wire>,
    /// Sockets that C has borrowed.
    loans: Loans,
    /// What this object was made around in place of a socket, until it is constructed.
    handed: Mutex<Option<Cargo>>,
    /// The sockets that the instance's own class can carry; unset is all.
    carries: OnceCell<Restriction>,
    /// Set by a class whose streams are another object's.
    overlay: OnceCell<Box<Overlay>>,
    streams: Streams,
    /// The object is going away: its socket is let go of, not closed.
    disposing: AtomicBool,
    /// Whether the thread that dropped the last reference has been asked, and is, through with it.
    departure: AtomicU8,
    /// `notify::closed` is left to the asynchronous close that is under way.
    closing_async: AtomicBool,
    /// An asynchronous close has called the close of the object's own class, which may not chain up.
    close_called: AtomicBool,
    _living: Living<{ living::SOCKET_CONNECTION }>,
}

#[glib::object_subclass]
impl ObjectSubclass for SocketConnection {
    const NAME: &'static str = "GsockSocketConnection";
    type Type = super::SocketConnection;
    type ParentType = gio::IOStream;
    type Instance = SocketConnectionInstance;
    type Class = SocketConnectionClass;

    fn type_init(_type: &mut InitializingType<Self>) {
        // What the class and its instances name, before it is initialised. That is done under a lock of GObject's
        // which the registration of some of these types takes too: to wait for another thread's
        // registration while holding it would be to wait for ever.
        for type_ in [
            gio::Socket::static_type(),
            gio::SocketAddress::static_type(),
            ConnectionState::static_type(),
            glib::Error::static_type(),
            SocketInputStream::static_type(),
            SocketOutputStream::static_type(),
        ] {
            debug_assert!(type_.is_valid());
        }
    }

    fn class_init(class: &mut Self::Class) {
        slots::fill_class(class);
    }

    fn new() -> Self {
        // First of all that happens to a new instance: no other one can come between.
        let handed = hand_over::take();
        let notifier = match &handed {
            Some(Cargo::Shared(transport)) => transport.notifier().clone(),
            _ => Notifier::new(),
        };
        Self {
            wire: Wire::new(),
            loans: Loans::new(notifier.clone()),
            handed: Mutex::new(handed),
            carries: OnceCell::new(),
            overlay: OnceCell::new(),
            streams: Streams::default(),
            disposing: AtomicBool::new(false),
            departure: AtomicU8::new(0),
            closing_async: AtomicBool::new(false),
            close_called: AtomicBool::new(false),
            _living: Living::default(),
            notifier,
        }
    }
}

impl ObjectImpl for SocketConnection {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<Vec<ParamSpec>> = Lazy::new(|| {
            let read = ParamFlags::READABLE | ParamFlags::EXPLICIT_NOTIFY;
            let bytes = |name| glib::ParamSpecUInt64::builder(name).flags(read).build();
            let address = |name| {
                glib::ParamSpecObject::builder::<gio::SocketAddress>(name)
                    .flags(read)
                    .build()
            };
            vec![
                glib::ParamSpecObject::builder::<gio::Socket>("socket")
                    .flags(
                        ParamFlags::READWRITE | ParamFlags::CONSTRUCT | ParamFlags::EXPLICIT_NOTIFY,
                    )
                    .build(),
                glib::ParamSpecEnum::builder_with_default("state", ConnectionState::Unconnected)
                    .flags(read)
                    .build(),
                glib::ParamSpecBoolean::builder("alive").flags(read).build(),
                address("local-address"),
                address("remote-address"),
                glib::ParamSpecBoxed::builder::<glib::Error>("last-error")
                    .flags(read)
                    .build(),
                bytes("bytes-read"),
                bytes("bytes-written"),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &Value, _pspec: &ParamSpec) {
        fence_or((), || {
            // There is one that may be written, the socket.
            let socket = socket_in(value);
            let result = match (self.wire.get(), socket) {
                (None, None) => Ok(()),
                (None, Some(socket)) => self.adopt(&socket),
                (Some(_), socket) => self.replace_socket(socket.as_ref()),
            };
            if let Err(refusal) = result {
                glib::g_critical!("Gsock", "the socket was refused: {}", refusal.message());
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| {
            let transport = self.transport();
            transport.catch_up();
            match pspec.name() {
                "socket" => transport.socket().to_value(),
                "state" => transport.connection_state().to_value(),
                "alive" => (transport.connection_state() == ConnectionState::Connected).to_value(),
                "local-address" => transport.local_address().ok().to_value(),
                "remote-address" => transport.remote_address().ok().to_value(),
                "last-error" => transport.last_error().to_value(),
                "bytes-read" => transport.bytes_read().to_value(),
                "bytes-written" => transport.bytes_written().to_value(),
                // GObject asks for no others.
                _ => Value::from_type(pspec.value_type()),
            }
        })
        .unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }

    fn dispatch_properties_changed(&self, properties: &[ParamSpec]) {
        fence_or((), || {
            let asked = self.departure.compare_exchange(
                ASKED,
                THROUGH,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            // The answer to `is_through`, and the last that its thread does with the object.
            let is_answer = asked.is_ok();
            // What a dispose has notified, on a thread where no handler may run.
            let is_stray = self.disposing.load(Ordering::Acquire) && !self.notifier.is_home();
            if !is_answer && !is_stray {
                self.parent_dispatch_properties_changed(properties);
            }
        });
    }

    fn constructed(&self) {
        self.parent_constructed();
        fence_or((), || {
            self.notifier
                .set_object(self.obj().upcast_ref(), self.is_of_ours());
            // Taken in any case: it closes with this scope unless it becomes the connection's.
            let handed = self
                .handed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if self.wire.get().is_some() {
                return;
            }
            let transport = handed.map(|handed| match handed {
                Cargo::Bare(bare) => Transport::of_bare(bare, &self.notifier),
                Cargo::Shared(transport) => transport,
            });
            if let Some(transport) = transport {
                if self.check(transport.kind()).is_ok() {
                    return self.install(transport);
                }
                transport.unclaim();
            }
            self.be_born_closed("a socket");
        });
    }
}

impl IOStreamImpl for SocketConnection {
    fn input_stream(&self) -> gio::InputStream {
        self.make_input_stream()
    }

    fn output_stream(&self) -> gio::OutputStream {
        self.make_output_stream()
    }

    /// Closes the socket and marks both streams closed; `cancellable` has no effect, as nothing
    /// waits.
    fn close(&self, _cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
        // First: from now on nobody puts another one in its place.
        self.loans.end(&self.wire);
        let transport = self.transport();
        let disposing = self.disposing.load(Ordering::Acquire);
        let result = if disposing {
            transport.let_go();
            Ok(())
        } else {
            transport.close()
        };
        self.close_streams(&transport);
        result
    }
}

impl SocketConnectionImpl for SocketConnection {}

impl SocketConnection {
    /// The transport of now. Without a socket there is a closed one.
    pub(crate) fn transport(&self) -> Arc<Transport> {
        self.wire
            .get()
            .unwrap_or_else(|| Transport::of_socket(&placeholder(), &self.notifier))
    }

    pub(crate) fn notifier(&self) -> &Arc<Notifier> {
        &self.notifier
    }

    /// Tells what happened on other threads, if this one is home.
    pub(crate) fn catch_up(&self) {
        if let Some(transport) = self.wire.get() {
            transport.catch_up();
        }
        self.notifier.catch_up();
    }

    /// Called by a class of ours while the instance is being made.
    pub(crate) fn restrict(&self, class: glib::Type, carries: fn(Kind) -> bool) {
        // The most derived of our classes comes last and there is one such restriction in any line.
        let _ = self.carries.set(Restriction { class, carries });
    }

    /// Likewise, by a class of ours that derives from such a one and whose streams are another object's: the
    /// bytes of the socket are not the connection's.
    pub(crate) fn overlay(&self, class: glib::Type) {
        let _ = self.overlay.set(Box::new(Overlay::new(class)));
    }

    pub(super) fn is_overlaid(&self) -> bool {
        self.overlay.get().is_some()
    }

    /// What takes the place of the socket for who would move bytes through it.
    pub(crate) fn own_streams(&self) -> Option<OwnStreams<'_>> {
        let overlay = self.overlay.get()?;
        Some(OwnStreams::new(self, overlay))
    }

    /// Whether the object's own class is one of ours: it does nothing of its own when a property changes.
    fn is_of_ours(&self) -> bool {
        let class = match (self.overlay.get(), self.carries.get()) {
            (Some(overlay), _) => overlay.class(),
            (None, Some(known)) => known.class,
            (None, None) => Self::type_(),
        };
        self.obj().type_() == class
    }

    fn install(&self, transport: Arc<Transport>) {
        if self.is_overlaid() {
            transport.overlay();
        }
        self.wire.set(transport.clone());
        transport.attach();
    }

    /// For an object that was built without what it needs: every operation says so, and nothing is NULL. A
    /// socket that it was given stays as it is.
    pub(crate) fn be_born_closed(&self, without: &str) {
        glib::g_critical!(
            "Gsock",
            "a {} was built without {without}",
            self.obj().type_().name()
        );
        let before = self.wire.get();
        self.install(Transport::of_socket(&placeholder(), &self.notifier));
        if let Some(before) = before {
            before.detach();
        }
        let _ = self.obj().close(gio::Cancellable::NONE);
    }

    pub(super) fn check(&self, kind: Kind) -> Result<(), glib::Error> {
        let is_fit = if self.is_overlaid() {
            // Whose bytes are those of a stream above it, which does not mind the family.
            kind.is_stream() && (kind.is_inet() || kind.is_unix())
        } else {
            self.carries.get().is_none_or(|known| (known.carries)(kind))
        };
        if is_fit {
            return Ok(());
        }
        Err(error::invalid(
            "This type of connection cannot carry such a socket",
        ))
    }

    /// Takes the socket that the object is built with.
    fn adopt(&self, socket: &gio::Socket) -> Result<(), glib::Error> {
        let transport = Transport::of_socket(socket, &self.notifier);
        self.check(transport.kind())?;
        self.install(transport);
        Ok(())
    }

    /// See [`SocketConnectionExt::set_socket`](super::SocketConnectionExt::set_socket).
    pub(super) fn replace_socket(&self, socket: Option<&gio::Socket>) -> Result<(), glib::Error> {
        let socket = socket.ok_or_else(|| error::invalid("A connection needs a socket"))?;
        let before = self.transport();
        if before.is_around(socket) {
            return Ok(());
        }
        self.check_free(&before)?;
        let after = Transport::of_socket(socket, &self.notifier);
        self.check(after.kind())?;
        self.put(before, &after)
    }

    /// Whether another socket may take the place of this one.
    pub(super) fn check_free(&self, before: &Transport) -> Result<(), glib::Error> {
        if self.is_overlaid() {
            return Err(error::invalid(
                "The base stream of a wrapper goes with its socket",
            ));
        }
        let object = self.obj();
        if object.is_closed() {
            return Err(closed());
        }
        if object.has_pending() || before.is_busy() || self.has_pending_stream() {
            return Err(busy());
        }
        Ok(())
    }

    /// Puts `after` in the place of `before`.
    pub(super) fn put(
        &self,
        before: Arc<Transport>,
        after: &Arc<Transport>,
    ) -> Result<(), glib::Error> {
        if !self.loans.exchange(&self.wire, &before, after) {
            return Err(if self.wire.is_ended() {
                closed()
            } else {
                busy()
            });
        }
        after.attach();
        // Asked now: what happened to it until now was told to nobody.
        let changes = change::SOCKET | before.differences(after);
        before.detach();
        drop(before);
        self.loans.close_unused();
        self.notifier.tell(changes);
        Ok(())
    }

    /// The socket of now, kept alive until this object is gone: C takes no reference to it.
    pub(super) fn lend_socket(&self) -> gio::Socket {
        self.loans.lend(&self.wire)
    }

    // --- The streams ---------------------------------------------------------------------------

    pub(crate) fn make_input_stream(&self) -> gio::InputStream {
        if self.is_overlaid() {
            return dead_input();
        }
        SocketInputStream::new(&self.wire).upcast()
    }

    pub(crate) fn make_output_stream(&self) -> gio::OutputStream {
        if self.is_overlaid() {
            return dead_output();
        }
        SocketOutputStream::new(&self.wire).upcast()
    }

    /// Whether `stream` is what the base class reads with, and of this connection.
    pub(crate) fn has_plain_input(&self, stream: &gio::InputStream) -> bool {
        stream.type_() == SocketInputStream::static_type()
            && stream
                .downcast_ref::<SocketInputStream>()
                .is_some_and(|stream| stream.imp().tap().is_on(&self.wire))
    }

    /// Likewise for writing.
    pub(crate) fn has_plain_output(&self, stream: &gio::OutputStream) -> bool {
        stream.type_() == SocketOutputStream::static_type()
            && stream
                .downcast_ref::<SocketOutputStream>()
                .is_some_and(|stream| stream.imp().tap().is_on(&self.wire))
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Whether nobody has anything of it but the caller with his one reference: no other one to it, to its socket or to
    /// a stream of it, and no handler on any of these.
    pub(crate) fn is_nobody_elses(&self) -> bool {
        // The list's reference, or the transport's, and that of the look.
        fn is_unused(part: &impl IsA<glib::Object>) -> bool {
            part.ref_count() <= 2 && !slots::has_handlers(part.upcast_ref())
        }
        let object = self.obj();
        object.ref_count() == 1
            && !slots::has_handlers(object.upcast_ref())
            && self.transport().with_socket(is_unused).unwrap_or(true)
            && self.streams.all::<gio::InputStream>().iter().all(is_unused)
            && self
                .streams
                .all::<gio::OutputStream>()
                .iter()
                .all(is_unused)
    }

    fn has_pending_stream(&self) -> bool {
        self.streams
            .all::<gio::InputStream>()
            .iter()
            .any(InputStreamExt::has_pending)
            || self
                .streams
                .all::<gio::OutputStream>()
                .iter()
                .any(OutputStreamExt::has_pending)
    }

    /// Marks the base class' streams closed; one with an operation under way is marked by its end.
    fn close_streams(&self, transport: &Transport) {
        let base = <Self as ObjectSubclassType>::type_();
        close_streams(
            transport,
            self.streams.known::<gio::OutputStream>(base).as_ref(),
            self.streams.known::<gio::InputStream>(base).as_ref(),
        );
    }

    // --- Going away ----------------------------------------------------------------------------

    /// Whether the thread that dropped the last reference is through with the object, whose dispose has taken a
    /// new one. GObject holds notifications back around a dispose, and looks after them when it has
    /// given its reference up: one that is not held back says that it has done so, and one that is
    /// comes when it does. No handlers may be left.
    pub(crate) fn is_through(&self) -> bool {
        if self.departure.load(Ordering::Acquire) == 0 {
            self.departure.store(ASKED, Ordering::Release);
            self.obj().notify("closed");
        }
        self.departure.load(Ordering::Acquire) == THROUGH
    }

    /// From here on nothing is told, and the socket is let go of, not closed.
    pub(crate) fn begin_dispose(&self) {
        self.disposing.store(true, Ordering::Release);
        self.departure.store(0, Ordering::Release);
        self.notifier.forget_object();
    }

    /// Ends what is under way and gives the socket back, before GIOStream's part of a dispose.
    pub(crate) fn let_go(&self) {
        self.loans.end(&self.wire);
        let transport = self.transport();
        transport.let_go();
    }

    // --- Closing -------------------------------------------------------------------------------

    /// Whether the class' own close has run.
    pub(crate) fn is_ended(&self) -> bool {
        self.wire.is_ended()
    }

    /// A blocking close has been carried out, by whichever class: GIO marks the object closed next.
    pub(crate) fn end_close(&self) {
        if !self.disposing.load(Ordering::Acquire) && !self.closing_async.load(Ordering::Acquire) {
            self.notifier.tell_later(change::CLOSED);
        }
    }

    /// From now on `notify::closed` waits for the callback.
    pub(crate) fn begin_async_close(&self) {
        self.closing_async.store(true, Ordering::Release);
    }

    pub(crate) fn note_close_call(&self) {
        self.close_called.store(true, Ordering::Release);
    }

    pub(crate) fn was_close_called(&self) -> bool {
        self.close_called.load(Ordering::Acquire)
    }

    /// After a close that was cancelled or failed: GIO calls the stream closed, so it must be.
    pub(crate) fn ensure_closed(&self) {
        if !self.wire.is_ended() {
            self.loans.end(&self.wire);
            let transport = self.transport();
            let _ = transport.close();
            self.close_streams(&transport);
        }
    }
}

/// Marks streams closed; one with an operation under way is marked by its end.
pub(crate) fn close_streams(
    transport: &Transport,
    output: Option<&gio::OutputStream>,
    input: Option<&gio::InputStream>,
) {
    if let Some(stream) = output
        && !transport.is_occupied(Occupation::Writing)
    {
        let _ = stream.close(gio::Cancellable::NONE);
    }
    if let Some(stream) = input
        && !transport.is_occupied(Occupation::Reading)
    {
        let _ = stream.close(gio::Cancellable::NONE);
    }
}

impl Drop for SocketConnection {
    fn drop(&mut self) {
        // Whoever shares it may share it with another connection.
        if let Some(transport) = self.wire.get() {
            transport.unclaim();
        }
    }
}

fn closed() -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::Closed, "The connection is already closed")
}

fn busy() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::Pending,
        "The connection or one of its streams has an outstanding operation",
    )
}
