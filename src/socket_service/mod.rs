//! The service, which hands out each connection that comes.

mod accepting;
mod calls;
mod control;
pub(crate) mod imp;

use std::{future::Future, pin::Pin};

use gio::prelude::*;
use glib::{Value, subclass::prelude::*};

pub(crate) use self::control::Control;
use crate::{SocketConnection, SocketListener, vfunc::Resident, vfunc::fenced_handler};

glib::wrapper! {
    /// A [`SocketListener`] that accepts by itself, and hands each connection out by the signal `incoming`.
    ///
    /// It begins when it has a socket, and goes on until [`stop`](SocketServiceExt::stop) or
    /// [`close`](crate::SocketListenerExt::close). While it is stopped, connections wait in the kernel, as many as
    /// the backlog allows; [`start`](SocketServiceExt::start) goes on with them. What was accepted is handed out, whatever
    /// happens meanwhile.
    ///
    /// # Properties
    ///
    /// | name | type | default | |
    /// | --- | --- | --- | --- |
    /// | `active` | `bool` | true | whether it accepts; notified when that changes, on the thread that made the service |
    ///
    /// # The signal `incoming`
    ///
    /// It has the connection, and the source object of the socket through which it came. The first handler that answers
    /// true ends the emission. The connection is closed when nobody keeps a reference to it: whoever goes on with it
    /// keeps one.
    ///
    /// # The signal `error`
    ///
    /// It has a [`glib::Error`]: connections cannot be accepted, such as for want of descriptors (`TooManyOpenFiles`). The
    /// service tries again after 10 ms, then after twice as long each time up to a second, and when a connection of this
    /// crate is closed; meanwhile connections wait in the kernel. The signal is emitted for the first of such failures,
    /// and again when it is another one, or after a connection was accepted. A socket that does not listen is told
    /// once and left alone. Where nobody has connected to the signal a warning is logged.
    ///
    /// That nobody came for as long as a listening socket's timeout is no error, and neither is
    /// [`close`](crate::SocketListenerExt::close): it makes `active` false, and a closed service stays so.
    ///
    /// # Main context
    ///
    /// Connections are accepted, and both signals emitted, in the context that was thread-default where the service was
    /// made, whoever starts it or adds a socket. It takes up to 64 connections at once before others in that context have
    /// their turn; a handler that takes its time holds up all of them.
    ///
    /// # References
    ///
    /// A service that accepts is kept alive by that: dropping it does not end it. After `stop` or `close` it is given up in
    /// the next iteration of its context.
    ///
    /// # Threads
    ///
    /// In C any thread may call any function of it at any time. The wrapper stays on one thread, as gio-rs' own.
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketClient, SocketService, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = glib::MainContext::default();
    /// let service = SocketService::new();
    /// service.connect_incoming(|_, connection, _| {
    ///     let connection = connection.clone();
    ///     glib::spawn_future_local(async move {
    ///         let greeting = glib::Bytes::from_static(b"hello");
    ///         let output = connection.output_stream();
    ///         let _ = output.write_bytes_future(&greeting, glib::Priority::DEFAULT).await;
    ///     });
    ///     true
    /// });
    /// let port = service.add_any_inet_port(None::<&glib::Object>)?;
    ///
    /// let client = SocketClient::new();
    /// let greeting = context.block_on(async move {
    ///     let connection = client.connect_to_host_future("localhost", port).await?;
    ///     let input = connection.input_stream();
    ///     input.read_bytes_future(5, glib::Priority::DEFAULT).await
    /// })?;
    /// assert_eq!(&greeting[..], b"hello");
    /// service.close();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// GIO: SERVICE-1, SERVICE-3, SERVICE-6.
    #[doc(alias = "GsockSocketService")]
    #[doc(alias = "GSocketService")]
    pub struct SocketService(ObjectSubclass<imp::SocketService>) @extends SocketListener;
}

// C calls from any thread; the wrapper stays on one, as gio-rs' own.
const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::SocketService>();
};

impl Default for SocketService {
    fn default() -> Self {
        Self::new()
    }
}

impl SocketService {
    /// No service, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;

    /// A service without sockets, which is active: it accepts as soon as it has one.
    ///
    /// # Main context
    ///
    /// The thread-default context of now is where it accepts.
    #[doc(alias = "gsock_socket_service_new")]
    #[doc(alias = "g_socket_service_new")]
    #[must_use]
    pub fn new() -> Self {
        glib::Object::new()
    }
}

/// What the arguments of a signal are that has a connection and a source object.
pub(crate) fn handed_out<O: IsA<glib::Object>>(
    values: &[Value],
) -> Option<(O, SocketConnection, Option<glib::Object>)> {
    let mut values = values.iter();
    let service = values.next()?.get::<glib::Object>().ok()?;
    let connection = values.next()?.get().ok()?;
    let source_object = values.next()?.get().ok()?;
    Some((service.downcast().ok()?, connection, source_object))
}

/// The methods of [`SocketService`] and every type that derives from it.
pub trait SocketServiceExt: IsA<SocketService> + 'static {
    /// Makes it accept, if it does not: those who wait already, and those who come. A closed service stays as it is.
    ///
    /// # Main context
    ///
    /// Any thread may call it in C. Connections are accepted where the service was made.
    ///
    /// GIO: SERVICE-4, SERVICE-6.
    #[doc(alias = "gsock_socket_service_start")]
    #[doc(alias = "g_socket_service_start")]
    fn start(&self) {
        self.upcast_ref().imp().set_active(true);
    }

    /// Makes it accept no more. Its sockets stay open, and connections wait in the kernel. What was accepted is handed
    /// out yet.
    ///
    /// # Main context
    ///
    /// Any thread may call it in C.
    ///
    /// GIO: SERVICE-4, SERVICE-6.
    #[doc(alias = "gsock_socket_service_stop")]
    #[doc(alias = "g_socket_service_stop")]
    fn stop(&self) {
        self.upcast_ref().imp().set_active(false);
    }

    /// The property `active`: whether it accepts connections, or would if it had a socket.
    ///
    /// GIO: SERVICE-2.
    #[doc(alias = "gsock_socket_service_is_active")]
    #[doc(alias = "g_socket_service_is_active")]
    #[doc(alias = "active")]
    fn is_active(&self) -> bool {
        self.upcast_ref().imp().is_active()
    }

    /// Sets the property `active`, as [`start`](Self::start) and [`stop`](Self::stop) do.
    #[doc(alias = "active")]
    fn set_active(&self, active: bool) {
        self.upcast_ref().imp().set_active(active);
    }

    /// Stops the service at its first poll, and ends when nothing that it has begun is left: no connection that was
    /// accepted and not handed out, and no job of a [`ThreadedSocketService`](crate::ThreadedSocketService).
    ///
    /// What a handler of `incoming` has kept is the handler's. Who starts the service again meanwhile has it wait on, and
    /// who blocks in a handler of `incoming` or `run` until it ends waits for himself, and so for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the service stopped, if it was polled.
    ///
    /// # Main context
    ///
    /// Any executor may poll it; what it waits for happens in the context of the service, and on its threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use gsock::{SocketService, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = glib::MainContext::default();
    /// let service = SocketService::new();
    /// service.add_any_inet_port(glib::Object::NONE)?;
    /// context.block_on(service.drain_future());
    /// // Who comes now waits in the queue, until it is started again or closed.
    /// assert!(!service.is_active());
    /// service.close();
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "gsock_socket_service_drain_async")]
    fn drain_future(&self) -> Pin<Box<dyn Future<Output = ()> + 'static>> {
        let service = self.upcast_ref().clone();
        Box::pin(async move {
            service.stop();
            service.imp().control().drained().await;
        })
    }

    /// Calls `f` with each connection and the source object of its socket. When it answers true no handler is
    /// called after it; who goes on with the connection keeps a clone of it.
    ///
    /// It is called on the thread that connects it: where the context of the service runs on another one, a critical
    /// message is logged in its place.
    ///
    /// GIO: SERVICE-3, SERVICE-9.
    #[doc(alias = "incoming")]
    fn connect_incoming<
        F: Fn(&Self, &SocketConnection, Option<&glib::Object>) -> bool + 'static,
    >(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        let handler = Resident::new(f);
        self.connect_closure(
            "incoming",
            false,
            glib::RustClosure::new(move |values| {
                let handled = handed_out::<SocketService>(values).and_then(
                    |(service, connection, source_object)| {
                        service.imp().shown_to_rust();
                        let service = service.downcast_ref()?;
                        handler.call("incoming", |f| {
                            f(service, &connection, source_object.as_ref())
                        })
                    },
                );
                Some(handled.unwrap_or(false).to_value())
            }),
        )
    }

    /// Calls `f` with each error that keeps the service from accepting; see [`SocketService`](SocketService#the-signal-error).
    ///
    /// It is called on the thread that connects it: where the context of the service runs on another one, a critical
    /// message is logged in its place.
    #[doc(alias = "error")]
    fn connect_error<F: Fn(&Self, &glib::Error) + 'static>(&self, f: F) -> glib::SignalHandlerId {
        let handler = Resident::new(f);
        self.connect_closure(
            "error",
            false,
            glib::RustClosure::new(move |values| {
                if let [service, failure] = values
                    && let Ok(service) = service.get::<SocketService>()
                    && let Some(service) = service.downcast_ref()
                    && let Ok(failure) = failure.get::<glib::Error>()
                {
                    handler.call("error", |f| f(service, &failure));
                }
                None
            }),
        )
    }

    /// Calls `f` whenever `active` has changed.
    #[doc(alias = "active")]
    fn connect_active_notify<F: Fn(&Self) + 'static>(&self, f: F) -> glib::SignalHandlerId {
        self.connect_notify_local(Some("active"), move |service, _| {
            fenced_handler("active", || f(service));
        })
    }
}

impl<O: IsA<SocketService>> SocketServiceExt for O {}
