//! A socket as a connection uses it: its descriptor, state, counters and waits.
//!
//! Everything that reads, writes, connects or closes goes through one [`Transport`]; any number of
//! threads may use it at once. It holds the descriptor, never the connection object.

#![allow(unsafe_code, reason = "system calls on the descriptor")]

mod accept;
mod address;
mod agreement;
mod cargo;
mod companions;
mod connect;
mod create;
mod descriptor;
mod drain;
mod freed;
mod gsocket;
mod holding;
mod io;
mod kind;
mod lease;
mod loans;
mod machine;
mod moving;
pub(crate) mod options;
mod shared;
mod splice;
mod state;
mod stream;
mod wait;
mod watch;
mod way;
mod wire;

use std::{
    fmt, mem,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::Waker,
};

use gio::prelude::*;
use once_cell::sync::OnceCell;

pub(crate) use accept::{NoneTaken, bind_to_listen, is_for_good, listen_beside_others};
pub(crate) use address::{KeptAddress, NativeAddress};
pub(crate) use agreement::Speaker;
pub(crate) use connect::Connect;
pub(crate) use create::{MULTIPATH_TCP, NewSocket, bind_to_connect};
pub(crate) use descriptor::Use;
pub(crate) use drain::{DRAIN_SECONDS, Drain};
pub(crate) use freed::Freed;
pub(crate) use gsocket::{placeholder, socket_in};
pub(crate) use holding::Holding;
pub(crate) use io::{Attempted, Patience};
pub(crate) use kind::{Bare, Kind, kind_of_socket};
pub(crate) use lease::{Lease, Lessor};
pub(crate) use loans::Loans;
pub use options::KeepaliveParams;
pub use state::ConnectionState;
pub(crate) use stream::Direction;
pub(crate) use wait::Waiter;
pub(crate) use way::Way;
pub(crate) use wire::{Tap, Wire, hand_over};

use crate::{
    error,
    home::{Notifier, WeakObject, change},
    living::{self, Living},
    reactor::Interest,
    vfunc::Owned,
};
use agreement::Agreement;
use descriptor::Descriptor;
use kind::Origin;
use stream::SharedDeadline;
use watch::Registrations;

struct State {
    is: ConnectionState,
    last_error: Option<glib::Error>,
    /// `last_error` was made up, because asking would have taken the error from the next read.
    error_is_guess: bool,
    local: Option<KeptAddress>,
    remote: Option<KeptAddress>,
}

/// What few who use a transport need.
#[derive(Default)]
struct Rare {
    /// Whom to wake when the descriptor is closed, or the connection breaks.
    waiters: Mutex<Vec<(u64, Waker)>>,
    /// Of those who poll the connection itself, by direction.
    shared_deadlines: [Mutex<Vec<SharedDeadline>>; 2],
    /// The connection of GIO's class that shares it.
    twin: Mutex<Option<WeakObject>>,
    /// The peer is a proxy, and this says whose.
    proxy: OnceCell<Owned<gio::ProxyAddress>>,
    agreement: Agreement,
}

/// See the module's documentation. What a transfer touches stands together at the beginning.
#[repr(C)]
pub(crate) struct Transport {
    descriptor: Descriptor,
    notifier: Arc<Notifier>,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    kind: Kind,
    /// Operations that are under way, by [`Occupation`]: a change of the socket would tear them.
    operations: [AtomicU32; 3],
    /// A wait that was handed out as a `GSource` has timed out; the next operation says so.
    timed_out: [AtomicBool; 2],
    /// Not the connection's socket: not yet, not any more, or the connection is gone.
    detached: AtomicBool,
    /// The descriptor is in blocking mode, in which it came: a call may wait in the kernel.
    waits_in_call: AtomicBool,
    /// Asked of a bare descriptor, which has no flag of its own.
    unblocked: AtomicBool,
    /// With a proxy, in the `agreement`, which is far from here.
    is_agreeing: AtomicBool,
    state: Mutex<State>,
    rare: OnceCell<Box<Rare>>,
    /// How engines watch the descriptor; the one at home sees the peer go away.
    registrations: Mutex<Registrations>,
    /// How many halves keep the socket, with or without the connection.
    holders: AtomicU32,
    /// There is no connection, or it is gone.
    orphaned: AtomicBool,
    /// A connection of ours has it.
    claimed: AtomicBool,
    /// Another stream lies over the socket, and what passes through it is that stream's.
    overlaid: AtomicBool,
    _living: Living<{ living::TRANSPORT }>,
}

impl Transport {
    pub(crate) fn of_socket(socket: &gio::Socket, notifier: &Arc<Notifier>) -> Arc<Self> {
        let descriptor = Descriptor::of_socket(socket, notifier.clone());
        let transport = Self::new(descriptor, Kind::of_socket(socket), notifier);
        if transport.is_closed() {
            transport.state().is = ConnectionState::Closed;
            return transport;
        }
        if socket.is_connected() {
            transport.become_connected();
        }
        transport.meet_companions(socket);
        transport
    }

    pub(crate) fn of_bare(bare: Bare, notifier: &Arc<Notifier>) -> Arc<Self> {
        let Bare {
            fd,
            kind,
            origin,
            lease,
        } = bare;
        let number = fd.as_raw_fd();
        let (addresses, waits) = match origin {
            Origin::Made => (None, false),
            Origin::Accepted { local, peer, waits } => (Some((local, peer)), waits),
            Origin::Given { local } => {
                options::set_close_on_exec(number);
                let peer = NativeAddress::remote_of(number).ok();
                let addresses = peer.map(|peer| (Some(local), peer.into()));
                (addresses, !options::is_nonblocking(number))
            }
        };
        // As a GSocket does with its own: connect(2) has no flag for it. Once connected every call says by itself
        // whether it waits. The mode is not the descriptor's alone: who has a duplicate that does not wait
        // would be made to.
        let waits_in_call = waits && addresses.is_some() && kind.is_stream();
        if waits && !waits_in_call {
            options::set_nonblocking(number);
        }
        let transport = Self::new(
            Descriptor::of_fd(fd, lease, notifier.clone()),
            kind,
            notifier,
        );
        transport
            .waits_in_call
            .store(waits_in_call, Ordering::Relaxed);
        if let Some((local, peer)) = addresses {
            transport.become_connected_between(local, Some(peer));
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
                error_is_guess: false,
                local: None,
                remote: None,
            }),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            timed_out: Default::default(),
            unblocked: AtomicBool::new(false),
            is_agreeing: AtomicBool::new(false),
            waits_in_call: AtomicBool::new(false),
            rare: OnceCell::new(),
            operations: Default::default(),
            registrations: Mutex::default(),
            notifier: notifier.clone(),
            detached: AtomicBool::new(true),
            holders: AtomicU32::new(0),
            orphaned: AtomicBool::new(false),
            claimed: AtomicBool::new(true),
            _living: Living::default(),
            overlaid: AtomicBool::new(false),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain data: a panic while it was held left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This is the connection's socket now: from here on its changes are told.
    pub(crate) fn attach(&self) {
        self.detached.store(false, Ordering::Release);
    }

    /// What a connection that moves from this one to `after` has to tell.
    pub(crate) fn differences(&self, after: &Self) -> u32 {
        let (was, is) = (self.connection_state(), after.connection_state());
        let alive = |state| state == ConnectionState::Connected;
        [
            (change::STATE, was != is),
            (change::ALIVE, alive(was) != alive(is)),
            (
                change::LOCAL_ADDRESS,
                self.native_local().ok() != after.native_local().ok(),
            ),
            (
                change::REMOTE_ADDRESS,
                self.native_remote().ok() != after.native_remote().ok(),
            ),
            (
                change::LAST_ERROR,
                self.last_error().is_some() || after.last_error().is_some(),
            ),
            (change::BYTES_READ, self.bytes_read() != after.bytes_read()),
            (
                change::BYTES_WRITTEN,
                self.bytes_written() != after.bytes_written(),
            ),
        ]
        .into_iter()
        .filter_map(|(bit, differs)| differs.then_some(bit))
        .sum()
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

    /// What was done to the `GSocket` without us is seen when somebody asks.
    pub(crate) fn catch_up(self: &Arc<Self>) {
        match self.connection_state() {
            ConnectionState::Closed => {}
            _ if self.is_closed() => {
                let _ = self.close();
            }
            ConnectionState::Unconnected
                if self.descriptor.ask_socket(SocketExt::is_connected) == Some(true) =>
            {
                self.become_connected();
            }
            _ => {}
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.descriptor.is_closed()
    }

    /// From now on the bytes of this socket are those of a stream over it.
    pub(crate) fn overlay(&self) {
        self.overlaid.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_overlaid(&self) -> bool {
        self.overlaid.load(Ordering::Acquire)
    }

    /// The number, for somebody else to use: in the mode in which a `GSocket` has its descriptor.
    pub(crate) fn fd_number(&self) -> RawFd {
        self.end_waits_in_call();
        self.descriptor.number()
    }

    /// Whether an operation without a time limit may wait in the system call that it makes.
    ///
    /// Only a shutdown ends such a wait, which a close by whoever has the `GSocket` is not, nor a connection that
    /// lets go of a `GSocket`. While home itself waits, nobody can ask for one there.
    pub(crate) fn may_wait_in_call(&self) -> bool {
        self.waits_in_call.load(Ordering::Relaxed) && self.timeout() == 0 && self.notifier.is_home()
    }

    /// No system call waits any more, whatever its flags; one that is waiting goes on.
    pub(crate) fn end_waits_in_call(&self) {
        if self.waits_in_call.load(Ordering::Acquire)
            && let Ok(using) = self.enter()
        {
            options::set_nonblocking(using.fd());
            // Not before: another thread that finds it done relies on it.
            self.waits_in_call.store(false, Ordering::Release);
        }
    }

    pub(crate) fn socket(self: &Arc<Self>) -> gio::Socket {
        self.descriptor.socket(self.kind, |socket| {
            // It has set the mode itself.
            self.waits_in_call.store(false, Ordering::Relaxed);
            self.remember_local();
            self.watch_lent();
            self.meet_companions(socket);
            if self.unblocked.load(Ordering::Relaxed) {
                self.descriptor
                    .set_in_socket(|socket| socket.set_blocking(false));
            }
        })
    }

    /// Runs `f` with the `GSocket` if there is one already.
    pub(crate) fn with_socket<R>(&self, f: impl FnOnce(&gio::Socket) -> R) -> Option<R> {
        self.descriptor.with_socket(f)
    }

    /// Whether this is the transport of `socket`.
    pub(crate) fn is_around(&self, socket: &gio::Socket) -> bool {
        self.descriptor
            .with_socket(|own| own == socket)
            .unwrap_or(false)
    }

    /// Whether both use one socket, which is open.
    pub(crate) fn shares_socket_with(&self, other: &Self) -> bool {
        self.descriptor.is_of_the_socket_of(&other.descriptor)
    }

    pub(crate) fn is_connected(&self) -> bool {
        // A GSocket whose close(2) failed goes on saying that it is connected.
        if self.is_closed() {
            return false;
        }
        self.descriptor
            .ask_socket(SocketExt::is_connected)
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
        self.native_local()?
            .to_gio()
            .ok_or_else(error::not_connected)
    }

    /// # Errors
    ///
    /// `NotConnected` for a socket that never had a peer.
    pub(crate) fn remote_address(&self) -> Result<gio::SocketAddress, glib::Error> {
        if let Some(proxy) = self.rare.get().and_then(|rare| rare.proxy.get()) {
            return Ok(proxy.get().clone().upcast());
        }
        self.native_remote()?
            .to_gio()
            .ok_or_else(error::not_connected)
    }

    fn native_local(&self) -> Result<NativeAddress, glib::Error> {
        if let Some(known) = &self.state().local {
            return Ok(known.get());
        }
        let using = self.enter().map_err(|_| error::not_connected())?;
        NativeAddress::local_of(using.fd())
            .map_err(|errno| error::prefixed("could not get local address", errno))
    }

    fn native_remote(&self) -> Result<NativeAddress, glib::Error> {
        if let Some(known) = &self.state().remote {
            return Ok(known.get());
        }
        let using = self.enter().map_err(|_| error::not_connected())?;
        NativeAddress::remote_of(using.fd())
            .map_err(|errno| error::prefixed("could not get remote address", errno))
    }

    /// In seconds, 0 for none.
    #[inline]
    pub(crate) fn timeout(&self) -> u32 {
        self.descriptor.timeout()
    }

    /// When an operation that begins now runs out of time, on the monotonic clock.
    pub(crate) fn deadline(&self) -> Option<i64> {
        self.deadline_or(None)
    }

    /// Likewise, with a default in seconds for a socket without a timeout.
    pub(crate) fn deadline_or(&self, default: Option<u32>) -> Option<i64> {
        // In 64 bits: C wraps a source's timeout above 4294 s.
        let timeout = match self.descriptor.timeout_exactly() {
            0 => i64::from(default?) * 1_000_000,
            timeout => i64::try_from(timeout).unwrap_or(i64::MAX),
        };
        Some(glib::monotonic_time().saturating_add(timeout))
    }

    // --- Uses and operations -------------------------------------------------------------------

    /// # Errors
    ///
    /// `Closed`; `Failed` in a child process that has the socket from its parent.
    pub(crate) fn enter(&self) -> Result<Use<'_>, glib::Error> {
        if self.is_inherited() && !self.is_closed() {
            return Err(error::forked());
        }
        self.descriptor.enter().ok_or_else(error::closed)
    }

    /// Whether this process has the socket from its parent, which uses it.
    pub(crate) fn is_inherited(&self) -> bool {
        self.descriptor.is_inherited()
    }

    /// Counts an operation for as long as the result lives.
    pub(crate) fn operation(self: &Arc<Self>, occupation: Occupation) -> Operation {
        let mut operation = Operation {
            transport: self.clone(),
            occupation,
            is_paused: true,
        };
        operation.go_on();
        operation
    }

    pub(crate) fn is_occupied(&self, occupation: Occupation) -> bool {
        self.operations[occupation as usize].load(Ordering::Acquire) != 0
    }

    pub(crate) fn is_busy(&self) -> bool {
        [
            Occupation::Reading,
            Occupation::Writing,
            Occupation::Connecting,
        ]
        .into_iter()
        .any(|what| self.is_occupied(what))
    }

    /// Clears the socket's blocking flag, as GIO documents of an asynchronous connect.
    pub(crate) fn clear_blocking(self: &Arc<Self>) {
        self.unblocked.store(true, Ordering::Relaxed);
        self.at_home(|socket| socket.set_blocking(false));
    }

    /// Keeps the property of the `GSocket` true.
    fn tell_socket_of_keepalive(self: &Arc<Self>, on: bool) {
        self.at_home(move |socket| socket.set_keepalive(on));
    }

    /// Calls a setter of the `GSocket`, if there is one, at home: it notifies, which handlers written
    /// in Rust may see nowhere else.
    fn at_home(self: &Arc<Self>, set: impl FnOnce(&gio::Socket) + Send + 'static) {
        if self.notifier.is_home() {
            self.descriptor.set_in_socket(set);
            return;
        }
        let transport = Arc::downgrade(self);
        self.notifier.home().engine.at(None, move || {
            if let Some(transport) = transport.upgrade()
                && transport.notifier.is_home()
            {
                transport.descriptor.set_in_socket(set);
            }
        });
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.end_registrations();
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

/// What an operation keeps busy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Occupation {
    Reading,
    Writing,
    Connecting,
}

impl From<Interest> for Occupation {
    fn from(interest: Interest) -> Self {
        match interest {
            Interest::Read => Self::Reading,
            Interest::Write => Self::Writing,
        }
    }
}

/// An operation that is under way, or paused.
pub(crate) struct Operation {
    transport: Arc<Transport>,
    occupation: Occupation,
    is_paused: bool,
}

impl Operation {
    fn count(&self) -> &AtomicU32 {
        &self.transport.operations[self.occupation as usize]
    }

    fn pause(&mut self) {
        if !mem::replace(&mut self.is_paused, true) {
            self.count().fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn go_on(&mut self) {
        if mem::replace(&mut self.is_paused, false) {
            self.count().fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.pause();
    }
}
