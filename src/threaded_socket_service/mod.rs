//! The service that serves each connection on a thread.

pub(crate) mod imp;
mod job;
mod workers;

use gio::prelude::*;
use glib::subclass::prelude::*;

use crate::{
    SocketConnection, SocketListener, SocketService, socket_service::handed_out,
    vfunc::fenced_handler,
};

glib::wrapper! {
    /// A [`SocketService`] that has each connection served by the signal `run` on a thread of its own, where it may
    /// block.
    ///
    /// There are no more threads than `max-threads`. While all of them are at work nothing is accepted, and connections wait
    /// in the kernel; `active` says nothing of that, and [`stop`](crate::SocketServiceExt::stop) stays in force when a
    /// thread becomes free. A thread that has nothing to do for a while ends.
    ///
    /// # Properties
    ///
    /// | name | type | default | |
    /// | --- | --- | --- | --- |
    /// | `max-threads` | `i32`, construct-only | 10 | how many connections are served at once; -1 for as many as come. 0 is refused with a critical message, and taken for 10 |
    ///
    /// # The signal `run`
    ///
    /// It has the connection and the source object of the socket through which it came. The first handler that answers true
    /// ends the emission. After it the thread gives the connection up, which closes it unless somebody has kept it.
    ///
    /// A connection is handed to `run` when the emission of the signal `incoming` is over: a handler of that which answers
    /// true keeps it from there. One that answers false has nothing left of it by then, neither a reference (to the
    /// connection, its socket or a stream of it) nor a handler, or else this would be used on two threads. Where a handler or
    /// a class that is written in Rust does have something, a critical message is logged, and the connection stays with it.
    /// The same goes for a connection with which somebody emits `incoming` by himself, in the context of the service.
    /// What cannot be seen is a [`WeakRef`](glib::WeakRef), and a handler that was connected to `incoming` by its name:
    /// these are on their honour.
    ///
    /// # Main context
    ///
    /// `incoming` and `error` are emitted as by any [`SocketService`]; `run` on the thread that serves the connection. Each
    /// such thread has a main context of its own, thread-default while it is there, which is the home of the
    /// connection, so that asynchronous operations work there too when the handler iterates it. What is pending in it after
    /// `run` is dispatched once.
    ///
    /// Where a thread cannot be made, the connection waits for one; the signal `error` is emitted, and it is tried again as it says
    /// there.
    ///
    /// # References
    ///
    /// As long as connections are served the service is kept alive, and goes where it was made. If that context is gone
    /// while some are served it is never freed: no other thread may drop handlers that are written in Rust.
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{SocketClient, ThreadedSocketService, prelude::*};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let context = glib::MainContext::default();
    /// let service = ThreadedSocketService::new(4);
    /// service.connect_run(|_, connection, _| {
    ///     let output = connection.output_stream();
    ///     let _ = output.write_all(b"hello", gio::Cancellable::NONE);
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
    ///
    /// service.close();
    /// context.block_on(service.drain_future());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// GIO: THREADED-1, THREADED-3, THREADED-5.
    #[doc(alias = "GsockThreadedSocketService")]
    #[doc(alias = "GThreadedSocketService")]
    pub struct ThreadedSocketService(ObjectSubclass<imp::ThreadedSocketService>)
        @extends SocketService, SocketListener;
}

// C calls from any thread, and so do our own; the wrapper stays on one, as gio-rs' own.
const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::ThreadedSocketService>();
};

impl ThreadedSocketService {
    /// No service, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;

    /// A service that serves up to `max_threads` connections at once, -1 for as many as come.
    ///
    /// 0 would serve none: it is refused with a critical message, and taken for 10.
    ///
    /// # Main context
    ///
    /// The thread-default context of now is where it accepts.
    ///
    /// GIO: THREADED-2.
    #[doc(alias = "gsock_threaded_socket_service_new")]
    #[doc(alias = "g_threaded_socket_service_new")]
    #[must_use]
    pub fn new(max_threads: i32) -> Self {
        // Out of range it would be GObject's to refuse.
        let max_threads = max_threads.max(-1);
        glib::Object::builder()
            .property("max-threads", max_threads)
            .build()
    }
}

/// The methods of [`ThreadedSocketService`] and every type that derives from it.
pub trait ThreadedSocketServiceExt: IsA<ThreadedSocketService> + 'static {
    /// The property `max-threads`: how many connections are served at once, -1 for as many as come.
    ///
    /// GIO: THREADED-2.
    #[doc(alias = "max-threads")]
    fn max_threads(&self) -> i32 {
        self.upcast_ref().imp().max_threads()
    }

    /// Calls `f` for each connection, on a thread of the service. When it answers true no handler is called after it.
    ///
    /// A panic in it ends that connection, and nothing else.
    ///
    /// GIO: THREADED-3.
    #[doc(alias = "run")]
    fn connect_run<
        F: Fn(&Self, &SocketConnection, Option<&glib::Object>) -> bool + Send + Sync + 'static,
    >(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        self.connect_closure(
            "run",
            false,
            glib::RustClosure::new(move |values| {
                let handled = handed_out::<ThreadedSocketService>(values).and_then(
                    |(service, connection, source_object)| {
                        let service = service.downcast_ref()?;
                        fenced_handler("run", || f(service, &connection, source_object.as_ref()))
                    },
                );
                Some(handled.unwrap_or(false).to_value())
            }),
        )
    }
}

impl<O: IsA<ThreadedSocketService>> ThreadedSocketServiceExt for O {}
