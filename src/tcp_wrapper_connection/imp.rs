//! State of a [`TcpWrapperConnection`](super::TcpWrapperConnection).

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gio::{prelude::*, subclass::prelude::*};
use glib::{ParamFlags, ParamSpec, Value, subclass::InitializingObject};
use once_cell::sync::{Lazy, OnceCell};

use super::closing::{self, Closing};
use crate::{
    SocketConnection, TcpConnection,
    fence::{fence, fence_or},
    living::{self, Living},
    socket_connection::overlaid::{dead_input, dead_output},
    subclass::{
        SocketConnectionImpl, TcpConnectionImpl, TcpWrapperConnectionClass,
        TcpWrapperConnectionImpl, TcpWrapperConnectionInstance, tcp_wrapper_connection,
    },
    transport::Transport,
    vfunc::Owned,
};

#[derive(Debug, Default)]
pub struct TcpWrapperConnection {
    /// Set for good when the object is constructed.
    base: OnceCell<Owned<gio::IOStream>>,
    /// What closes before that is an object that was built wrongly, and whatever it was given is not its own.
    constructed: AtomicBool,
    /// An asynchronous close has closed the base stream, or tried.
    base_seen_to: AtomicBool,
    _living: Living<{ living::TCP_WRAPPER_CONNECTION }>,
}

#[glib::object_subclass]
impl ObjectSubclass for TcpWrapperConnection {
    const NAME: &'static str = "GsockTcpWrapperConnection";
    type Type = super::TcpWrapperConnection;
    type ParentType = TcpConnection;
    type Instance = TcpWrapperConnectionInstance;
    type Class = TcpWrapperConnectionClass;

    fn class_init(class: &mut Self::Class) {
        tcp_wrapper_connection::fill_class(class);
    }

    fn instance_init(object: &InitializingObject<Self>) {
        tcp_wrapper_connection::overlay(object);
    }
}

impl ObjectImpl for TcpWrapperConnection {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<Vec<ParamSpec>> = Lazy::new(|| {
            vec![
                glib::ParamSpecObject::builder::<gio::IOStream>("base-io-stream")
                    .flags(ParamFlags::READWRITE | ParamFlags::CONSTRUCT_ONLY)
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &Value, pspec: &ParamSpec) {
        fence_or((), || {
            if pspec.name() == "base-io-stream"
                && let Ok(Some(base)) = value.get()
            {
                // GObject sets it once.
                let _ = self.base.set(Owned::new(base));
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| {
            match pspec.name() {
                "base-io-stream" => self.base().to_value(),
                // GObject asks for no others.
                _ => Value::from_type(pspec.value_type()),
            }
        })
        .unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }

    fn constructed(&self) {
        self.parent_constructed();
        fence_or((), || {
            if self.base.get().is_none() && !self.obj().is_closed() {
                let object = self.obj();
                let connection = object.upcast_ref::<SocketConnection>().imp();
                connection.be_born_closed("a base stream");
            }
            let _ = self.base();
            self.constructed.store(true, Ordering::Release);
        });
    }
}

impl IOStreamImpl for TcpWrapperConnection {
    fn input_stream(&self) -> gio::InputStream {
        // By the property: C may answer NULL.
        self.base()
            .property::<Option<gio::InputStream>>("input-stream")
            .unwrap_or_else(dead_input)
    }

    fn output_stream(&self) -> gio::OutputStream {
        self.base()
            .property::<Option<gio::OutputStream>>("output-stream")
            .unwrap_or_else(dead_output)
    }

    /// Closes the base stream, then the socket whatever has become of that.
    fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
        let base_closed = self.close_base(cancellable);
        let transport = self.transport();
        // Whoever is still at it down there may wait in a call that does not see a descriptor go.
        let _used = (!self.base().is_closed() && !self.is_disposing()).then(|| transport.enter());
        self.obj().upcast_ref::<TcpConnection>().imp().set_drained();
        let closed = self.parent_close(cancellable);
        // The first error is the one to report.
        base_closed.and(closed)
    }
}

impl SocketConnectionImpl for TcpWrapperConnection {}
impl TcpConnectionImpl for TcpWrapperConnection {}
impl TcpWrapperConnectionImpl for TcpWrapperConnection {}

impl TcpWrapperConnection {
    /// Never absent: an object that was built without one is closed, and so is what stands in.
    pub(super) fn base(&self) -> &gio::IOStream {
        let stand_in = || {
            let stream = gio::SimpleIOStream::new(&dead_input(), &dead_output());
            let _ = stream.close(gio::Cancellable::NONE);
            Owned::new(stream.upcast())
        };
        self.base.get_or_init(stand_in).get()
    }

    fn is_disposing(&self) -> bool {
        self.obj()
            .upcast_ref::<TcpConnection>()
            .imp()
            .is_disposing()
    }

    fn transport(&self) -> Arc<Transport> {
        self.obj()
            .upcast_ref::<SocketConnection>()
            .imp()
            .transport()
    }

    /// What a close has to do with the base stream, if anything.
    fn closing(&self, cancellable: Option<&gio::Cancellable>) -> Option<Closing> {
        let base = self.base.get()?.get();
        let transport = self.transport();
        let is_to_do = self.constructed.load(Ordering::Acquire)
            && !self.base_seen_to.load(Ordering::Acquire)
            && !base.is_closed()
            // In a child process its last words would be the parent's.
            && !transport.is_inherited();
        is_to_do.then(|| Closing {
            base: base.clone(),
            transport,
            is_graceful: self
                .obj()
                .upcast_ref::<TcpConnection>()
                .imp()
                .is_to_wait(cancellable),
        })
    }

    fn close_base(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
        if self.is_disposing() {
            self.give_base_up();
            return Ok(());
        }
        self.closing(cancellable)
            .map_or(Ok(()), |closing| closing.block(cancellable))
    }

    /// The base stream of a connection that is merely dropped goes as the socket does: it is closed, unless others
    /// have it. By its own dispose that would be done too, when the socket may be gone.
    fn give_base_up(&self) {
        if let Some(base) = self.base.get().map(Owned::get)
            && base.ref_count() == 1
            && self.closing(None).is_some()
        {
            let _ = base.close(gio::Cancellable::NONE);
        }
    }

    /// To be polled in the caller's context.
    pub(crate) fn close_base_async(
        &self,
        priority: glib::Priority,
        cancellable: Option<gio::Cancellable>,
    ) -> impl Future<Output = Result<(), glib::Error>> + 'static {
        let closing = self.closing(cancellable.as_ref());
        async move {
            match closing {
                Some(closing) => closing::close(closing, priority, cancellable).await,
                None => Ok(()),
            }
        }
    }

    /// The close that follows leaves the base stream alone.
    pub(crate) fn set_base_seen_to(&self) {
        self.base_seen_to.store(true, Ordering::Release);
    }
}
