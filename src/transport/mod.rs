//! A socket as a connection uses it: its descriptor, state, counters and waits.
//!
//! Everything that reads, writes, connects or closes goes through one [`Transport`]; any number of
//! threads may use it at once. It holds the descriptor, never the connection object.

#![allow(unsafe_code, reason = "system calls on the descriptor")]

mod address;
mod connect;
mod descriptor;
mod drain;
mod options;
mod state;

use std::{
    fmt,
    os::fd::{OwnedFd, RawFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::Waker,
};

use gio::prelude::*;
use glib::translate::{IntoGlib, from_glib};

pub(crate) use address::NativeAddress;
pub(crate) use connect::Connect;
pub(crate) use descriptor::{Use, placeholder};
pub(crate) use drain::Drain;
pub use options::KeepaliveParams;
pub use state::ConnectionState;

use crate::{
    error,
    home::{Notifier, change},
    reactor::{Events, Interest, Source, block_on_events},
};
use descriptor::Descriptor;

/// What kind of socket it is; known for as long as the socket is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    family: i32,
    /// GIO's number.
    type_: i32,
    /// The kernel's number, -1 where it does not tell.
    protocol: i32,
}

impl Kind {
    fn of_socket(socket: &gio::Socket) -> Self {
        use std::os::fd::AsRawFd;
        Self {
            family: socket.family().into_glib(),
            type_: socket.property::<gio::SocketType>("type").into_glib(),
            protocol: options::protocol(socket.as_raw_fd()),
        }
    }

    fn of_fd(fd: RawFd) -> Option<Self> {
        // GIO numbers stream, datagram and seqpacket 1, 2 and 3; the kernel 1, 2 and 5.
        let type_ = match options::get_int(fd, libc::SOL_SOCKET, libc::SO_TYPE).ok()? {
            libc::SOCK_SEQPACKET => gio::ffi::G_SOCKET_TYPE_SEQPACKET,
            type_ => type_,
        };
        let family = NativeAddress::local_of(fd).ok()?.family();
        Some(Self {
            family,
            type_,
            protocol: options::protocol(fd),
        })
    }

    /// Whether `TCP_INFO` tells our own shutdown from the peer's; MPTCP does not say.
    fn has_tcp_state(self) -> bool {
        self.protocol == libc::IPPROTO_TCP
    }

    pub(crate) fn is_inet(self) -> bool {
        self.family == libc::AF_INET || self.family == libc::AF_INET6
    }

    /// A socket that has one peer for life.
    pub(crate) fn has_one_peer(self) -> bool {
        self.type_ != gio::ffi::G_SOCKET_TYPE_DATAGRAM
    }

    pub(crate) fn is_stream(self) -> bool {
        self.type_ == gio::ffi::G_SOCKET_TYPE_STREAM
    }
}

struct State {
    is: ConnectionState,
    last_error: Option<glib::Error>,
    local: Option<NativeAddress>,
    remote: Option<NativeAddress>,
}

/// See the module's documentation.
pub(crate) struct Transport {
    descriptor: Descriptor,
    kind: Kind,
    state: Mutex<State>,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    /// The socket's timeout in seconds, mirrored so that any thread may ask.
    timeout: Arc<AtomicU32>,
    timeout_handler: Mutex<Option<glib::SignalHandlerId>>,
    /// A wait that was handed out as a `GSource` has timed out; the next operation says so.
    timed_out: [AtomicBool; 2],
    /// Asked of a bare descriptor, which has no flag of its own.
    unblocked: AtomicBool,
    /// Whom to wake when the descriptor is closed.
    waiters: Mutex<Vec<(u64, Waker)>>,
    next_waiter: AtomicU64,
    /// Operations that are under way and would be torn by a change of the socket.
    operations: AtomicU32,
    /// Sees the peer go away, at home.
    watch: Mutex<Option<Source>>,
    notifier: Arc<Notifier>,
    /// Not the connection's socket: not yet, not any more, or the connection is gone.
    detached: AtomicBool,
}

impl Transport {
    pub(crate) fn of_socket(socket: &gio::Socket, notifier: &Arc<Notifier>) -> Arc<Self> {
        let descriptor = Descriptor::of_socket(socket, notifier.clone());
        let transport = Self::new(descriptor, Kind::of_socket(socket), notifier);
        transport.mirror_timeout(socket);
        if socket.is_closed() {
            transport.state().is = ConnectionState::Closed;
        } else if socket.is_connected() {
            transport.become_connected();
        }
        transport
    }

    pub(crate) fn of_fd(fd: OwnedFd, notifier: &Arc<Notifier>) -> Arc<Self> {
        use std::os::fd::AsRawFd;
        // Unknown only if the kernel would not describe its own socket: no special treatment then.
        let kind = Kind::of_fd(fd.as_raw_fd()).unwrap_or(Kind {
            family: 0,
            type_: 0,
            protocol: -1,
        });
        let transport = Self::new(Descriptor::of_fd(fd, notifier.clone()), kind, notifier);
        let connected = transport
            .enter()
            .is_ok_and(|using| NativeAddress::remote_of(using.fd()).is_ok());
        if connected {
            transport.become_connected();
        }
        transport
    }

    fn new(descriptor: Descriptor, kind: Kind, notifier: &Arc<Notifier>) -> Arc<Self> {
        Arc::new(Self {
            descriptor,
            kind,
            state: Mutex::new(State {
                is: ConnectionState::Unconnected,
                last_error: None,
                local: None,
                remote: None,
            }),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            timeout: Arc::new(AtomicU32::new(0)),
            timeout_handler: Mutex::new(None),
            timed_out: Default::default(),
            unblocked: AtomicBool::new(false),
            waiters: Mutex::new(Vec::new()),
            next_waiter: AtomicU64::new(0),
            operations: AtomicU32::new(0),
            watch: Mutex::new(None),
            notifier: notifier.clone(),
            detached: AtomicBool::new(true),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain data: a panic while it was held left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mirror_timeout(&self, socket: &gio::Socket) {
        self.timeout.store(socket.timeout(), Ordering::Relaxed);
        let mirror = self.timeout.clone();
        // Touches an atomic only, so that it may run wherever the setter is called.
        let handler = socket.connect_timeout_notify(move |socket| {
            mirror.store(socket.timeout(), Ordering::Relaxed);
        });
        *self
            .timeout_handler
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(handler);
    }

    /// This is the connection's socket now: from here on its changes are told.
    pub(crate) fn attach(&self) {
        self.detached.store(false, Ordering::Release);
    }

    /// What a connection that moves from this one to `after` has to tell.
    pub(crate) fn differences(&self, after: &Self) -> u32 {
        let mut changes = change::ADDRESSES | change::STATE | change::ALIVE;
        if self.last_error().is_some() {
            changes |= change::LAST_ERROR;
        }
        if self.bytes_read() != after.bytes_read() {
            changes |= change::BYTES_READ;
        }
        if self.bytes_written() != after.bytes_written() {
            changes |= change::BYTES_WRITTEN;
        }
        changes
    }

    fn tell(&self, changes: u32) {
        if !self.detached.load(Ordering::Acquire) {
            self.notifier.tell(changes);
        }
    }

    // --- What there is to know -----------------------------------------------------------------

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn connection_state(&self) -> ConnectionState {
        self.state().is
    }

    pub(crate) fn last_error(&self) -> Option<glib::Error> {
        self.state().last_error.clone()
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.descriptor.is_closed()
    }

    pub(crate) fn fd_number(&self) -> RawFd {
        self.descriptor.number()
    }

    pub(crate) fn socket(&self) -> gio::Socket {
        self.descriptor.socket(|socket| {
            self.mirror_timeout(socket);
            if self.unblocked.load(Ordering::Relaxed) {
                socket.set_blocking(false);
            }
        })
    }

    /// Whether this is the transport of `socket`.
    pub(crate) fn is_around(&self, socket: &gio::Socket) -> bool {
        self.descriptor
            .with_socket(|own| own == socket)
            .unwrap_or(false)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.descriptor
            .with_socket(SocketExt::is_connected)
            .unwrap_or_else(|| {
                let state = self.state().is;
                matches!(
                    state,
                    ConnectionState::Connected | ConnectionState::Disconnected
                )
            })
    }

    /// # Errors
    ///
    /// `NotConnected` for a closed socket that never had one.
    pub(crate) fn local_address(&self) -> Result<gio::SocketAddress, glib::Error> {
        let known = self.state().local;
        let native = match known {
            Some(native) => native,
            None => {
                let using = self.enter().map_err(|_| error::not_connected())?;
                NativeAddress::local_of(using.fd())
                    .map_err(|errno| error::prefixed("could not get local address", errno))?
            }
        };
        native.to_gio().ok_or_else(error::not_connected)
    }

    /// # Errors
    ///
    /// `NotConnected` for a socket that never had a peer.
    pub(crate) fn remote_address(&self) -> Result<gio::SocketAddress, glib::Error> {
        let known = self.state().remote;
        let native = match known {
            Some(native) => native,
            None => {
                let using = self.enter().map_err(|_| error::not_connected())?;
                NativeAddress::remote_of(using.fd())
                    .map_err(|errno| error::prefixed("could not get remote address", errno))?
            }
        };
        native.to_gio().ok_or_else(error::not_connected)
    }

    /// When an operation that begins now runs out of time, on the monotonic clock.
    pub(crate) fn deadline(&self) -> Option<i64> {
        self.deadline_or(None)
    }

    /// Likewise, with a default in seconds for a socket without a timeout.
    pub(crate) fn deadline_or(&self, default: Option<u32>) -> Option<i64> {
        let seconds = match self.timeout.load(Ordering::Relaxed) {
            0 => default?,
            seconds => seconds,
        };
        // In 64 bits: C wraps a source's timeout above 4294 s.
        Some(glib::monotonic_time().saturating_add(i64::from(seconds) * 1_000_000))
    }

    // --- Uses and operations -------------------------------------------------------------------

    pub(crate) fn enter(&self) -> Result<Use<'_>, glib::Error> {
        self.descriptor.enter().ok_or_else(error::closed)
    }

    /// Counts an operation for as long as the result lives.
    pub(crate) fn operation(self: &Arc<Self>) -> Operation {
        self.operations.fetch_add(1, Ordering::AcqRel);
        Operation(self.clone())
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.operations.load(Ordering::Acquire) != 0
    }

    /// Clears the socket's blocking flag, as GIO documents of an asynchronous connect.
    pub(crate) fn clear_blocking(self: &Arc<Self>) {
        self.unblocked.store(true, Ordering::Relaxed);
        if self.notifier.is_home() {
            self.descriptor
                .with_socket(|socket| socket.set_blocking(false));
            return;
        }
        // The setter notifies, which handlers written in Rust may see at home only.
        let transport = Arc::downgrade(self);
        let source = Source::new(glib::Priority::DEFAULT, move |_| {
            if let Some(transport) = transport.upgrade()
                && transport.notifier.is_home()
            {
                transport
                    .descriptor
                    .with_socket(|socket| socket.set_blocking(false));
            }
            false
        });
        source.set_ready_time(Some(0));
        source.attach(&self.notifier.home().context);
    }

    /// Keeps the property of the `GSocket` true, at home, where its setter may notify.
    fn tell_socket_of_keepalive(&self, on: bool) {
        if self.notifier.is_home() {
            self.descriptor
                .with_socket(|socket| socket.set_keepalive(on));
        }
    }

    // --- Reading and writing -------------------------------------------------------------------

    /// One `recv(2)` that does not wait.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> Attempted<usize> {
        self.transfer(Some(Interest::Read), |fd| {
            // SAFETY: the buffer is as long as said.
            unsafe {
                libc::recv(
                    fd,
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_DONTWAIT,
                )
            }
        })
    }

    /// One `recv(2)` that does not wait and whose bytes nobody will see.
    fn discard(&self, scratch: &mut [u8]) -> Attempted<usize> {
        self.transfer(None, |fd| {
            // SAFETY: the buffer is as long as said.
            unsafe {
                libc::recv(
                    fd,
                    scratch.as_mut_ptr().cast(),
                    scratch.len(),
                    libc::MSG_DONTWAIT,
                )
            }
        })
    }

    /// One `send(2)` that does not wait.
    pub(crate) fn try_write(&self, buffer: &[u8]) -> Attempted<usize> {
        self.transfer(Some(Interest::Write), |fd| {
            // SAFETY: the buffer is as long as said.
            unsafe { libc::send(fd, buffer.as_ptr().cast(), buffer.len(), SEND_FLAGS) }
        })
    }

    /// One `sendmsg(2)` that does not wait, of at most as many vectors as the system takes.
    ///
    /// # Safety
    ///
    /// Each vector must name memory that may be read.
    pub(crate) unsafe fn try_write_vectored(&self, vectors: &[libc::iovec]) -> Attempted<usize> {
        // SAFETY: all zero is an empty message.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = vectors.as_ptr().cast_mut();
        message.msg_iovlen = vectors.len().min(MOST_VECTORS) as _;
        self.transfer(Some(Interest::Write), |fd| {
            // SAFETY: the caller vouches for the vectors; the kernel only reads them.
            unsafe { libc::sendmsg(fd, &raw const message, SEND_FLAGS) }
        })
    }

    /// `counted` says which counter the bytes go to; without one they were read to be thrown away.
    fn transfer(
        &self,
        counted: Option<Interest>,
        mut call: impl FnMut(RawFd) -> isize,
    ) -> Attempted<usize> {
        let using = self.enter()?;
        if let Some(interest) = counted
            && self.timed_out[interest as usize].swap(false, Ordering::AcqRel)
        {
            return Err(error::timed_out());
        }
        loop {
            let moved = call(using.fd());
            if let Ok(moved) = usize::try_from(moved) {
                if let Some(interest) = counted {
                    self.moved(interest, moved, &using);
                }
                return Ok(Some(moved));
            }
            match error::last_errno() {
                libc::EINTR => {}
                errno if errno == libc::EAGAIN || errno == libc::EWOULDBLOCK => return Ok(None),
                errno => {
                    let what = match counted {
                        Some(Interest::Write) => "Error sending data",
                        _ => "Error receiving data",
                    };
                    let failure = error::prefixed(what, errno);
                    if ends_connection(errno) && self.is_peer_gone(&using) {
                        self.lost(Some(failure.clone()));
                    }
                    // Another thread closed it between our entering and the call.
                    return Err(if self.is_closed() {
                        error::closed()
                    } else {
                        failure
                    });
                }
            }
        }
    }

    fn moved(&self, interest: Interest, count: usize, using: &Use<'_>) {
        if count > 0 {
            let (counter, bit) = match interest {
                Interest::Read => (&self.bytes_read, change::BYTES_READ),
                Interest::Write => (&self.bytes_written, change::BYTES_WRITTEN),
            };
            counter.fetch_add(count as u64, Ordering::Relaxed);
            self.tell(bit);
        } else if interest == Interest::Read && self.kind.is_stream() && self.is_peer_gone(using) {
            self.lost(None);
        }
    }

    /// Whether the peer has closed its side or the connection is broken, as the kernel sees it now.
    fn is_peer_gone(&self, using: &Use<'_>) -> bool {
        self.gone(events_of(using.fd(), GONE), using)
    }

    fn gone(&self, events: Events, using: &Use<'_>) -> bool {
        if events.has(Events::ERROR.or(Events::HANGUP)) {
            return true;
        }
        // Our own shutdown of the reading side looks the same.
        events.has(Events::PEER_HANGUP)
            && !(self.kind.has_tcp_state() && options::is_open_to_read(using.fd()))
    }

    // --- Waiting -------------------------------------------------------------------------------

    /// Blocks until the descriptor is ready for `interest`.
    ///
    /// # Errors
    ///
    /// `Closed`, `Cancelled`, `TimedOut` once `deadline` has passed.
    pub(crate) fn wait_blocking(
        &self,
        interest: Option<Interest>,
        until: Option<i64>,
        deadline: Option<i64>,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), glib::Error> {
        let using = self.enter()?;
        let first = match (until, deadline) {
            (Some(until), Some(deadline)) => Some(until.min(deadline)),
            (until, deadline) => until.or(deadline),
        };
        let fd = interest.map(|interest| (using.fd(), interest.events()));
        let events = block_on_events(fd, first, cancellable)?;
        drop(using);
        if self.is_closed() {
            return Err(error::closed());
        }
        if cancellable.is_some_and(CancellableExt::is_cancelled) {
            return Err(error::cancelled());
        }
        if events == Events::NONE && deadline.is_some_and(|end| glib::monotonic_time() >= end) {
            return Err(error::timed_out());
        }
        Ok(())
    }

    /// Whether the descriptor is ready now; never on a closed one.
    pub(crate) fn is_ready(&self, interest: Interest) -> bool {
        self.enter()
            .is_ok_and(|using| events_of(using.fd(), interest.events()) != Events::NONE)
    }

    /// Wakes `waker` when the descriptor is closed, for as long as the result lives.
    pub(crate) fn wake_on_close(self: &Arc<Self>, waker: &Waker) -> Waiter {
        let id = self.next_waiter.fetch_add(1, Ordering::Relaxed);
        self.waiters().push((id, waker.clone()));
        Waiter {
            transport: self.clone(),
            id,
        }
    }

    fn waiters(&self) -> MutexGuard<'_, Vec<(u64, Waker)>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_all(&self) {
        let wakers: Vec<Waker> = self
            .waiters()
            .iter()
            .map(|(_, waker)| waker.clone())
            .collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// A wait handed out as a `GSource` ran out of time: the next operation reports it.
    pub(crate) fn set_timed_out(&self, interest: Interest) {
        self.timed_out[interest as usize].store(true, Ordering::Release);
    }

    // --- The state machine ---------------------------------------------------------------------

    /// Unconnected, or a socket that may change its peer: to `Connecting`.
    ///
    /// # Errors
    ///
    /// `Closed`; `Failed` while connecting and once connected, as the system calls answer.
    fn begin_connect(&self) -> Result<(), glib::Error> {
        let changes = {
            let mut state = self.state();
            match state.is {
                ConnectionState::Closed => return Err(error::closed()),
                ConnectionState::Connecting => return Err(error::from_errno(libc::EALREADY)),
                ConnectionState::Connected | ConnectionState::Disconnected
                    if self.kind.has_one_peer() =>
                {
                    return Err(error::from_errno(libc::EISCONN));
                }
                _ => {}
            }
            let alive = alive_changes(&state, ConnectionState::Connecting);
            state.is = ConnectionState::Connecting;
            alive | change::STATE
        };
        self.tell(changes);
        Ok(())
    }

    /// A connect has come to nothing.
    fn connect_failed(&self, failure: Option<glib::Error>) {
        let changes = {
            let mut state = self.state();
            if state.is != ConnectionState::Connecting {
                return;
            }
            state.is = ConnectionState::Unconnected;
            let told = if failure.is_some() {
                change::LAST_ERROR
            } else {
                0
            };
            if failure.is_some() {
                state.last_error = failure;
            }
            change::STATE | told
        };
        self.tell(changes);
    }

    /// There is a peer: its address is remembered, and its departure watched for.
    fn become_connected(self: &Arc<Self>) {
        let Ok(using) = self.enter() else { return };
        let local = NativeAddress::local_of(using.fd()).ok();
        let remote = NativeAddress::remote_of(using.fd()).ok();
        let changes = {
            let mut state = self.state();
            if state.is == ConnectionState::Closed {
                return;
            }
            let error = if state.last_error.take().is_some() {
                change::LAST_ERROR
            } else {
                0
            };
            state.is = ConnectionState::Connected;
            state.local = local;
            state.remote = remote;
            change::STATE | change::ALIVE | change::ADDRESSES | error
        };
        if self.kind.has_one_peer() {
            self.watch_peer(&using);
        }
        drop(using);
        self.tell(changes);
    }

    /// The peer is gone.
    fn lost(&self, failure: Option<glib::Error>) {
        let changes = {
            let mut state = self.state();
            match state.is {
                ConnectionState::Connected | ConnectionState::Disconnected => {}
                _ => return,
            }
            let mut changes = alive_changes(&state, ConnectionState::Disconnected);
            if state.is != ConnectionState::Disconnected {
                changes |= change::STATE;
            }
            state.is = ConnectionState::Disconnected;
            if failure.is_some() {
                state.last_error = failure;
                changes |= change::LAST_ERROR;
            }
            changes
        };
        self.tell(changes);
    }

    /// Attaches the source that sees the peer's FIN or reset without a read.
    fn watch_peer(self: &Arc<Self>, using: &Use<'_>) {
        let weak: Weak<Self> = Arc::downgrade(self);
        let tag = Arc::new(once_cell::sync::OnceCell::new());
        let its_tag = tag.clone();
        let source = Source::new(glib::Priority::DEFAULT, move |source| {
            let (Some(transport), Some(tag)) = (weak.upgrade(), its_tag.get()) else {
                return false;
            };
            transport.peer_event(source.query_fd(*tag))
        });
        // A new cell takes its first value.
        let _ = tag.set(source.add_fd(using.fd(), GONE));
        source.attach(&self.notifier.home().context);
        self.replace_watch(Some(source));
    }

    /// Answers whether to go on watching.
    fn peer_event(&self, events: Events) -> bool {
        let Ok(using) = self.enter() else {
            if !events.has(Events::INVALID) {
                return false;
            }
            // Somebody closed the GSocket without us.
            let _ = self.close();
            return false;
        };
        if !self.gone(events, &using) {
            // Our own shutdown of the reading side: nothing more will be seen by this event.
            return false;
        }
        // Left for the next read or write to collect; here it only says that there is one.
        let failure = events.has(Events::ERROR).then(|| {
            glib::Error::new(
                error::CONNECTION_CLOSED,
                "The peer reset the connection or stopped answering",
            )
        });
        drop(using);
        self.lost(failure);
        false
    }

    fn replace_watch(&self, watch: Option<Source>) {
        let mut current = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, watch);
        drop(current);
        if let Some(before) = before {
            before.destroy();
        }
    }

    /// Closes the socket: whoever waits on it, on any thread, ends with `Closed`.
    ///
    /// # Errors
    ///
    /// What `close(2)` answers, when nobody else has to close later.
    pub(crate) fn close(&self) -> Result<(), glib::Error> {
        let changes = {
            let mut state = self.state();
            if state.is == ConnectionState::Closed {
                0
            } else {
                let alive = alive_changes(&state, ConnectionState::Closed);
                self.remember_addresses(&mut state);
                state.is = ConnectionState::Closed;
                alive | change::STATE
            }
        };
        self.replace_watch(None);
        let result = self.descriptor.close();
        self.wake_all();
        self.tell(changes);
        result
    }

    /// An address outlives the socket, for log lines and labels.
    fn remember_addresses(&self, state: &mut State) {
        if state.local.is_none()
            && let Ok(using) = self.enter()
        {
            state.local = NativeAddress::local_of(using.fd()).ok();
        }
    }

    /// The connection lets go of the socket without closing it: others may hold it.
    pub(crate) fn detach(&self) {
        self.detached.store(true, Ordering::Release);
        self.state().is = ConnectionState::Closed;
        self.replace_watch(None);
        self.descriptor.abandon();
        self.wake_all();
        self.drop_timeout_handler();
    }

    fn drop_timeout_handler(&self) {
        let handler = self
            .timeout_handler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(handler) = handler {
            self.descriptor
                .with_socket(|socket| socket.disconnect(handler));
        }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.replace_watch(None);
        self.drop_timeout_handler();
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("descriptor", &self.descriptor)
            .field("kind", &self.kind)
            .field("state", &self.connection_state())
            .finish_non_exhaustive()
    }
}

/// What the factory looks up for a descriptor, in GIO's terms; `None` for what is not a socket.
pub(crate) fn kind_of_fd(fd: RawFd) -> Option<(gio::SocketFamily, gio::SocketType, i32)> {
    let kind = Kind::of_fd(fd)?;
    // SAFETY: GIO's enumerations keep numbers that they do not know.
    let family = unsafe { from_glib(kind.family) };
    // SAFETY: likewise.
    let type_ = unsafe { from_glib(kind.type_) };
    Some((family, type_, kind.protocol.max(0)))
}

/// One attempt: done, `None` for "not now", or failed.
pub(crate) type Attempted<T> = Result<Option<T>, glib::Error>;

/// An operation that is under way.
pub(crate) struct Operation(Arc<Transport>);

impl Drop for Operation {
    fn drop(&mut self) {
        self.0.operations.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A place in the list of those whom a close wakes.
pub(crate) struct Waiter {
    transport: Arc<Transport>,
    id: u64,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = self.transport.waiters();
        let waker = waiters
            .iter()
            .position(|(id, _)| *id == self.id)
            .map(|at| waiters.swap_remove(at));
        drop(waiters);
        drop(waker);
    }
}

/// What tells that the peer is gone.
const GONE: Events = Events::PEER_HANGUP.or(Events::HANGUP).or(Events::ERROR);

/// The process's SIGPIPE disposition is the user's.
const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// IOV_MAX of Linux; sendmsg(2) fails beyond it.
pub(crate) const MOST_VECTORS: usize = 1024;

fn alive_changes(state: &State, next: ConnectionState) -> u32 {
    let alive = |state| state == ConnectionState::Connected;
    if alive(state.is) == alive(next) {
        0
    } else {
        change::ALIVE
    }
}

/// Errors after which a connection is of no more use, if its socket says so too.
fn ends_connection(errno: i32) -> bool {
    matches!(
        errno,
        libc::ECONNRESET
            | libc::EPIPE
            | libc::ETIMEDOUT
            | libc::ECONNABORTED
            | libc::ENETRESET
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH
    )
}

/// `poll(2)` without waiting.
fn events_of(fd: RawFd, wanted: Events) -> Events {
    let mut polled = libc::pollfd {
        fd,
        events: wanted.bits(),
        revents: 0,
    };
    // SAFETY: one element, as said.
    match unsafe { libc::poll(&raw mut polled, 1, 0) } {
        1 => Events::from_bits(polled.revents),
        _ => Events::NONE,
    }
}

/// The transport of now, for those who must follow a connection to another socket.
pub(crate) struct Wire(RwLock<Option<Arc<Transport>>>);

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(RwLock::new(None)))
    }

    pub(crate) fn get(&self) -> Option<Arc<Transport>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set(&self, transport: Arc<Transport>) {
        let before = self
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(transport);
        // Outside the lock: it may be the last reference.
        drop(before);
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").field(&self.get()).finish()
    }
}

/// A bare descriptor on its way into the object that is made around it.
///
/// `g_object_new()` has no way to pass what is not a property.
pub(crate) mod hand_over {
    use std::{cell::Cell, os::fd::OwnedFd};

    thread_local! {
        static HANDED: Cell<Option<OwnedFd>> = const { Cell::new(None) };
    }

    /// For the next object of the crate that this thread makes.
    pub(crate) fn put(fd: OwnedFd) {
        HANDED.set(Some(fd));
    }

    pub(crate) fn take() -> Option<OwnedFd> {
        HANDED.take()
    }
}
