//! State of a [`TcpConnection`](super::TcpConnection).

use std::sync::atomic::{AtomicBool, Ordering};

use gio::{prelude::*, subclass::prelude::*};
use glib::{ParamFlags, ParamSpec, Value, subclass::InitializingObject};
use once_cell::sync::Lazy;

use crate::{
    SocketConnection,
    fence::{fence, fence_or},
    home::change,
    living::{self, Living},
    operation::block,
    subclass::{
        SocketConnectionImpl, TcpConnectionClass, TcpConnectionImpl, TcpConnectionInstance,
        tcp_connection,
    },
    transport::{Drain, Kind},
};

#[derive(Debug, Default)]
pub struct TcpConnection {
    graceful: AtomicBool,
    /// An asynchronous close has done the waiting already.
    drained: AtomicBool,
    /// Dropping an object never waits for its peer.
    disposing: AtomicBool,
    _living: Living<{ living::TCP_CONNECTION }>,
}

#[glib::object_subclass]
impl ObjectSubclass for TcpConnection {
    const NAME: &'static str = "GsockTcpConnection";
    type Type = super::TcpConnection;
    type ParentType = SocketConnection;
    type Instance = TcpConnectionInstance;
    type Class = TcpConnectionClass;

    fn class_init(class: &mut Self::Class) {
        tcp_connection::fill_class(class);
    }

    fn instance_init(object: &InitializingObject<Self>) {
        tcp_connection::restrict(object, is_tcp);
    }
}

/// Any protocol number: a fall-back from MPTCP, or from IPv6 to IPv4, keeps the object.
fn is_tcp(kind: Kind) -> bool {
    kind.is_inet() && kind.is_stream()
}

impl ObjectImpl for TcpConnection {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<Vec<ParamSpec>> = Lazy::new(|| {
            vec![
                glib::ParamSpecBoolean::builder("graceful-disconnect")
                    .flags(ParamFlags::READWRITE | ParamFlags::EXPLICIT_NOTIFY)
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &Value, pspec: &ParamSpec) {
        fence_or((), || {
            if pspec.name() == "graceful-disconnect"
                && let Ok(graceful) = value.get()
            {
                self.set_graceful(graceful);
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| {
            match pspec.name() {
                "graceful-disconnect" => self.is_graceful().to_value(),
                // GObject asks for no others.
                _ => Value::from_type(pspec.value_type()),
            }
        })
        .unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }

    fn dispose(&self) {
        fence_or((), || {
            self.disposing.store(true, Ordering::Release);
        });
    }
}

impl IOStreamImpl for TcpConnection {
    fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
        let waits = self.is_to_wait(cancellable);
        self.drained.store(false, Ordering::Release);
        if !waits {
            return self.parent_close(cancellable);
        }
        let transport = self
            .obj()
            .upcast_ref::<SocketConnection>()
            .imp()
            .transport();
        let drained = block(Drain::new(transport), cancellable);
        // Nothing keeps the socket open, and the first error is the one to report.
        let closed = self.parent_close(cancellable);
        drained.and(closed)
    }
}

impl SocketConnectionImpl for TcpConnection {}
impl TcpConnectionImpl for TcpConnection {}

impl TcpConnection {
    pub(crate) fn is_graceful(&self) -> bool {
        self.graceful.load(Ordering::Acquire)
    }

    pub(super) fn set_graceful(&self, graceful: bool) {
        if self.graceful.swap(graceful, Ordering::AcqRel) != graceful {
            let object = self.obj();
            let base = object.upcast_ref::<SocketConnection>().imp();
            base.notifier().tell(change::GRACEFUL_DISCONNECT);
        }
    }

    /// Whether a close of now waits for the peer.
    pub(crate) fn is_to_wait(&self, cancellable: Option<&gio::Cancellable>) -> bool {
        let cancelled = cancellable.is_some_and(CancellableExt::is_cancelled);
        self.is_graceful()
            && !cancelled
            && !self.is_disposing()
            && !self.drained.load(Ordering::Acquire)
    }

    pub(crate) fn is_disposing(&self) -> bool {
        self.disposing.load(Ordering::Acquire)
    }

    /// The close that follows does not wait again.
    pub(crate) fn set_drained(&self) {
        self.drained.store(true, Ordering::Release);
    }
}
