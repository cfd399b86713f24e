//! A connection that is made again.

mod builder;
mod calls;
mod carry;
mod connecting;
mod driving;
mod farewell;
mod imp;
mod network;
mod policy;
mod shared;
mod state;
mod tell;
mod telling;
mod waiters;
mod waiting;

use std::{future::Future, pin::Pin, time::Duration};

use gio::prelude::*;
use glib::subclass::prelude::*;

use self::waiting::Connected;
pub use self::{builder::ReconnectorBuilder, state::ReconnectorState};
use crate::{SocketClient, SocketConnection, vfunc::fenced_handler};

glib::wrapper! {
    /// Connects, and connects again when the connection is lost.
    ///
    /// It connects by a [`SocketClient`] to a connectable, which is resolved anew for each attempt. An attempt that fails,
    /// whatever the error (a name that is not found, too: the network may be a different one soon), is followed by
    /// another one after a delay, which doubles from `initial-delay-ms` to `max-delay-ms`, and of which chance takes
    /// a part off so that the clients of a server that restarts do not come all at once. A connection that is lost is
    /// made again after such a delay, and the delays begin anew only when a connection has lasted for `stable-after-ms`.
    /// How long one attempt may take is the client's matter: see `connect-timeout-ms` there.
    ///
    /// # One connection for all
    ///
    /// [`connection`](Self::connection) is the same object from the first success on: each new
    /// socket is put into it by [`set_socket`](crate::SocketConnectionExt::set_socket), so that property bindings and
    /// handlers on it and on its two streams live on. Its `state`, its addresses and so on follow, its byte counters and
    /// `last-error` begin anew. What is pending on the old socket ends before that, since the old socket is shut down; as long as it has not
    /// ended, the new socket waits, for three seconds at most, after which the attempt has failed with
    /// `Pending`. Options of the old socket, such as [`set_liveness`](crate::TcpConnectionExt::set_liveness), are to be set
    /// on the new one: in a handler of `connected`. So are sources of its streams, which fire once more and then no more,
    /// and whatever was laid over it by hand, such as a TLS stream after `STARTTLS`.
    /// A new object takes the place of one that was closed, or whose class cannot carry the new socket: a
    /// [`TcpConnection`](crate::TcpConnection) carries IPv4 and IPv6, and no Unix socket.
    ///
    /// [`io_stream`](Self::io_stream) is what the bytes go through: the connection itself, or where the client has set up
    /// TLS the [`TcpWrapperConnection`](crate::TcpWrapperConnection) around the TLS stream, a new one each time. It is notified
    /// at each connect, also when the object is the same. With TLS nobody reads from or writes to `connection`, whose socket
    /// is the one beneath, and whose `state` and addresses are as useful as without.
    ///
    /// From a loss on writes fail, instead of going where nobody is; what the peer has sent before it went away can be
    /// read until the next connection is there.
    ///
    /// # The network
    ///
    /// While `network-monitor` says that there is no network, there are no attempts. When it has said for `debounce-ms`
    /// that there is one again, an attempt follows at once, whatever the delay. What is on this machine (a Unix socket,
    /// `localhost`, a loopback address) needs no network. In a network without a way out, where a monitor says that there
    /// is none, set it to none. A connection that is there is not given up on the monitor's word.
    ///
    /// # Properties
    ///
    /// | name | type | default | |
    /// | --- | --- | --- | --- |
    /// | `client` | [`SocketClient`] | | construct-only: connects |
    /// | `connectable` | [`gio::SocketConnectable`] | | construct-only: to what |
    /// | `network-monitor` | [`gio::NetworkMonitor`] or none | GIO's default | whose word is heard |
    /// | `initial-delay-ms` | milliseconds | 500 | the first delay; 1 or more |
    /// | `max-delay-ms` | milliseconds | 30000 | the longest; 1 or more |
    /// | `jitter` | 0.0 to 1.0 | 0.5 | the part of a delay that is left to chance: `d` becomes something from `(1 - jitter) * d` to `d` |
    /// | `max-attempts` | `u32` | 0, no bound | how many attempts there are, without a stable connection, before it gives up |
    /// | `stable-after-ms` | milliseconds | 10000 | how long a connection has to last for `attempt` and delays to begin anew |
    /// | `debounce-ms` | milliseconds | 1000 | how long the monitor has to say that the network is back |
    /// | `reconnect` | `bool` | true | whether a connection that is lost is made again; else the state is `Stopped` then |
    /// | `state` | [`ReconnectorState`], read-only | `Stopped` | what it is at |
    /// | `connection` | [`SocketConnection`] or none, read-only | none | see above |
    /// | `io-stream` | [`gio::IOStream`] or none, read-only | none | see above |
    /// | `attempt` | `u32`, read-only | 0 | how many attempts there were since the last stable connection |
    /// | `next-attempt-in-ms` | milliseconds, read-only | 0 | how long it is to the next attempt, while `state` is `Delaying`; notified when an attempt is given its time, not as that comes nearer |
    /// | `last-error` | [`glib::Error`] or none, read-only | none | of the last attempt that failed, or of the loss; none once connected |
    ///
    /// Those from `network-monitor` to `reconnect` may be set at any time: another monitor counts at once, the others from
    /// the next delay on.
    ///
    /// # Signals
    ///
    /// * `attempt (number)`: an attempt begins.
    /// * `attempt-failed (number, error, delay)`: it has failed, and after so many milliseconds follows the next one; 0 if none does.
    /// * `connected (io-stream)`: there is a connection.
    /// * `disconnected (error)`: there is none any more. Without an error: the peer has closed it, or [`stop`](Self::stop)
    ///   or [`retry_now`](Self::retry_now) has.
    /// * `given-up (error)`: there will be no further attempt.
    ///
    /// After `stop` there is none of them, but for the `disconnected` that belongs to a `connected`. Handlers may call
    /// anything of it, and run a main loop, in which it goes on: what happens meanwhile is told when they have returned.
    /// Who waits for a connection on the thread where it was made goes on after the handlers.
    ///
    /// # Main context
    ///
    /// It makes its attempts, notifies and emits on the thread that makes it, and the context that is thread-default there.
    /// Any thread may call it in C. Properties are right at once, also where nobody runs that context yet. Dropped, it
    /// leaves what it has connected to whoever has that.
    ///
    /// # Examples
    ///
    /// ```
    /// use gio::prelude::*;
    /// use gsock::{Reconnector, ReconnectorState, SocketClient};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let host = gio::NetworkAddress::new("127.0.0.1", listener.local_addr()?.port());
    /// let reconnector = Reconnector::new(&SocketClient::new(), &host);
    /// reconnector.connect_disconnected(|_, error| println!("lost: {error:?}"));
    ///
    /// let context = glib::MainContext::default();
    /// let stream = context.block_on(reconnector.wait_connected_future())?;
    /// assert_eq!(reconnector.connection().and_upcast(), Some(stream));
    ///
    /// // The peer goes away, and is there again.
    /// drop(listener.accept()?);
    /// while reconnector.state() == ReconnectorState::Connected {
    ///     context.iteration(true);
    /// }
    /// let before = reconnector.connection();
    /// reconnector.retry_now();
    /// context.block_on(reconnector.wait_connected_future())?;
    /// assert_eq!(reconnector.connection(), before, "the same object");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "GsockReconnector")]
    pub struct Reconnector(ObjectSubclass<imp::Reconnector>);
}

// C calls from any thread; the wrapper stays on one, as gio-rs' own.
const _: () = {
    const fn state_is_shared<T: Send + Sync>() {}
    state_is_shared::<imp::Reconnector>();
};

/// What a wait for a connection resolves to.
type Waiting = Pin<Box<dyn Future<Output = Result<gio::IOStream, glib::Error>> + 'static>>;

/// A getter of plain data.
macro_rules! read {
    ($get:ident -> $type:ty, $notify:ident, $name:literal, $getter:literal, $what:literal) => {
        #[doc = concat!("The property `", $name, "`: ", $what)]
        #[doc(alias = $getter)]
        #[must_use]
        pub fn $get(&self) -> $type {
            self.imp().$get()
        }

        notify!($notify, $name);
    };
}

macro_rules! notify {
    ($method:ident, $property:literal) => {
        #[doc = concat!("Calls `f` whenever `", $property, "` has changed.")]
        #[doc(alias = $property)]
        pub fn $method<F: Fn(&Self) + 'static>(&self, f: F) -> glib::SignalHandlerId {
            self.connect_notify_local(Some($property), move |reconnector, _| {
                fenced_handler($property, || f(reconnector));
            })
        }
    };
}

macro_rules! property {
    ($get:ident, $set:ident, $field:ident: $type:ty, $notify:ident, $name:literal, $getter:literal, $setter:literal,
     $what:literal) => {
        #[doc = concat!("The property `", $name, "`: ", $what)]
        #[doc(alias = $getter)]
        #[must_use]
        pub fn $get(&self) -> $type {
            self.imp().settings().$field
        }

        #[doc = concat!("Sets the property `", $name, "`: ", $what)]
        #[doc(alias = $name)]
        #[doc(alias = $setter)]
        pub fn $set(&self, value: $type) {
            self.imp()
                .set($name, |settings| &mut settings.$field, value);
        }

        notify!($notify, $name);
    };
}

macro_rules! milliseconds {
    ($get:ident, $set:ident, $field:ident, $least:literal, $notify:ident, $name:literal, $getter:literal,
     $setter:literal, $what:literal) => {
        #[doc = concat!("The property `", $name, "`: ", $what)]
        #[doc(alias = $getter)]
        #[must_use]
        pub fn $get(&self) -> Duration {
            duration(imp::milliseconds(self.imp().settings().$field))
        }

        #[doc = concat!("Sets the property `", $name, "`: ", $what, " Rounded up to milliseconds.")]
        #[doc(alias = $name)]
        #[doc(alias = $setter)]
        pub fn $set(&self, value: Duration) {
            let value = imp::microseconds(in_milliseconds(value).max($least));
            self.imp()
                .set($name, |settings| &mut settings.$field, value);
        }

        notify!($notify, $name);
    };
}

impl Reconnector {
    /// No reconnector, for parameters that take an optional one.
    pub const NONE: Option<&'static Self> = None;

    /// One that is to connect `client` to `connectable`, with the properties' defaults. It does nothing before it is
    /// [started](Self::start).
    #[doc(alias = "gsock_reconnector_new")]
    #[must_use]
    pub fn new(client: &SocketClient, connectable: &impl IsA<gio::SocketConnectable>) -> Self {
        Self::builder(client, connectable).build()
    }

    /// Likewise with other properties.
    pub fn builder(
        client: &SocketClient,
        connectable: &impl IsA<gio::SocketConnectable>,
    ) -> ReconnectorBuilder {
        ReconnectorBuilder::new(client, connectable.upcast_ref())
    }

    /// Begins to connect, if it is stopped or has given up. It does not wait.
    #[doc(alias = "gsock_reconnector_start")]
    pub fn start(&self) {
        self.imp().start();
    }

    /// Ends everything: no attempt is under way any more or follows, and what is connected is closed. Who waits for a connection
    /// gets `Closed`.
    ///
    /// The socket is closed, the connection object is not, so that it takes the next socket after another
    /// [`start`](Self::start). With TLS its end is told to the peer first, on the context where the reconnector was made
    /// and for a second at most.
    #[doc(alias = "gsock_reconnector_stop")]
    pub fn stop(&self) {
        self.imp().shared().stop();
    }

    /// Has the next attempt made now, whatever the delay and the network.
    ///
    /// While there is a connection, that is given up: its socket is shut down, so that what waits on it ends. While an
    /// attempt is under way, and while it is stopped, it does nothing; after it has given up it begins anew. If
    /// the attempt fails, the delays go on growing.
    #[doc(alias = "gsock_reconnector_retry_now")]
    pub fn retry_now(&self) {
        self.imp().shared().retry_now();
    }

    /// Blocks until there is a connection, and answers its [`io_stream`](Self::io_stream); at once if there is one.
    /// Starts it if need be.
    ///
    /// This thread makes the attempts that are due, unless the one where the reconnector was made does; one that has begun
    /// there is waited for, so that its loop has to go on. Do not block a thread in whose context something is still
    /// pending on the connection: it could not end.
    ///
    /// # Errors
    ///
    /// That of the last attempt, when it gives up; in `gio::IOErrorEnum`: `Cancelled`; `Closed` when it is stopped.
    ///
    /// # Cancel safety
    ///
    /// Cancelled from any thread it waits no more, and the reconnector goes on; an attempt of this thread is given up and
    /// begun again by the reconnector's own.
    ///
    /// # Main context
    ///
    /// None of the caller's is iterated, and the thread need not own one. Where this is the thread that has made the
    /// reconnector, it is told here what there is to tell.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gio::prelude::*;
    /// use gsock::{Reconnector, ReconnectorState, SocketClient};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let address = gio::NetworkAddress::new("127.0.0.1", port);
    /// let reconnector = Reconnector::builder(&SocketClient::new(), &address)
    ///     .initial_delay(Duration::from_millis(100))
    ///     .max_attempts(5)
    ///     .build();
    /// let stream = reconnector.wait_connected(gio::Cancellable::NONE)?;
    /// stream.output_stream().write_all(b"hello", gio::Cancellable::NONE)?;
    /// assert_eq!(reconnector.state(), ReconnectorState::Connected);
    /// reconnector.stop();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// RECONNECT-10, RECONNECT-26, RECONNECT-27.
    #[doc(alias = "gsock_reconnector_wait_connected")]
    pub fn wait_connected(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
    ) -> Result<gio::IOStream, glib::Error> {
        waiting::block(self, cancellable.map(AsRef::as_ref))
    }

    /// Starts to wait for a connection, and starts the reconnector if need be. `callback` gets the result to hand to
    /// [`wait_connected_finish`](Self::wait_connected_finish), never before this returns.
    ///
    /// # Errors
    ///
    /// Those of [`wait_connected`](Self::wait_connected), from `wait_connected_finish`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it waits no more, and the reconnector goes on.
    ///
    /// # Main context
    ///
    /// `callback` runs in the context that is thread-default now.
    ///
    /// # Panics
    ///
    /// If this thread neither owns that context nor can acquire it.
    #[doc(alias = "gsock_reconnector_wait_connected_async")]
    pub fn wait_connected_async(
        &self,
        cancellable: Option<&impl IsA<gio::Cancellable>>,
        callback: impl FnOnce(&Self, &gio::AsyncResult) + 'static,
    ) {
        calls::start(self, cancellable.map(AsRef::as_ref), callback);
    }

    /// Takes the outcome of [`wait_connected_async`](Self::wait_connected_async), once.
    ///
    /// # Errors
    ///
    /// Those of [`wait_connected`](Self::wait_connected); `InvalidArgument` for anything but a result of a wait of
    /// this object that has ended and was not taken yet.
    ///
    /// # Cancel safety
    ///
    /// It does not wait; a wait that has ended keeps its result when it is cancelled afterwards.
    ///
    /// # Main context
    ///
    /// Any thread may call it.
    #[doc(alias = "gsock_reconnector_wait_connected_finish")]
    pub fn wait_connected_finish(
        &self,
        result: &impl IsA<gio::AsyncResult>,
    ) -> Result<gio::IOStream, glib::Error> {
        calls::finish(self, result.as_ref())
    }

    /// A future that starts the reconnector if need be, from its first poll on, and waits for a connection.
    ///
    /// # Errors
    ///
    /// Those of [`wait_connected`](Self::wait_connected).
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the reconnector going on.
    ///
    /// # Main context
    ///
    /// Any executor on the thread of the reconnector may poll it; the attempts are made where the reconnector was.
    ///
    /// # Panics
    ///
    /// The first poll, on a thread that neither owns its thread-default context nor can acquire it.
    #[doc(alias = "gsock_reconnector_wait_connected_async")]
    pub fn wait_connected_future(&self) -> Waiting {
        let connected = Connected::new(self, true);
        Box::pin(async move { connected.await.map(|stream| stream.get().clone()) })
    }

    // --- Signals -----------------------------------------------------------------------------------

    /// Calls `f` when an attempt begins, with its number since the last stable connection.
    #[doc(alias = "attempt")]
    pub fn connect_attempt<F: Fn(&Self, u32) + 'static>(&self, f: F) -> glib::SignalHandlerId {
        self.connect_closure(
            "attempt",
            false,
            glib::closure_local!(move |reconnector: Self, number: u32| {
                fenced_handler("attempt", || f(&reconnector, number));
            }),
        )
    }

    /// Calls `f` when an attempt has failed, with its number, the error, and the delay before the next one; zero when none follows.
    #[doc(alias = "attempt-failed")]
    pub fn connect_attempt_failed<F: Fn(&Self, u32, &glib::Error, Duration) + 'static>(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        self.connect_closure(
            "attempt-failed",
            false,
            glib::closure_local!(move |reconnector: Self,
                                       number: u32,
                                       error: glib::Error,
                                       delay: u32| {
                fenced_handler("attempt-failed", || {
                    f(&reconnector, number, &error, duration(delay))
                });
            }),
        )
    }

    /// Calls `f` when there is a connection, with what the bytes go through.
    #[doc(alias = "connected")]
    pub fn connect_connected<F: Fn(&Self, &gio::IOStream) + 'static>(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        self.connect_closure(
            "connected",
            false,
            glib::closure_local!(move |reconnector: Self, stream: gio::IOStream| {
                fenced_handler("connected", || f(&reconnector, &stream));
            }),
        )
    }

    /// Calls `f` when there is no connection any more, with the error that has ended it; none where the peer has closed it or
    /// it was given up here.
    #[doc(alias = "disconnected")]
    pub fn connect_disconnected<F: Fn(&Self, Option<&glib::Error>) + 'static>(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        self.connect_closure(
            "disconnected",
            false,
            glib::closure_local!(move |reconnector: Self, error: Option<glib::Error>| {
                fenced_handler("disconnected", || f(&reconnector, error.as_ref()));
            }),
        )
    }

    /// Calls `f` when there will be no further attempt, with the error of the last one, or of the loss that came after it.
    #[doc(alias = "given-up")]
    pub fn connect_given_up<F: Fn(&Self, &glib::Error) + 'static>(
        &self,
        f: F,
    ) -> glib::SignalHandlerId {
        self.connect_closure(
            "given-up",
            false,
            glib::closure_local!(move |reconnector: Self, error: glib::Error| {
                fenced_handler("given-up", || f(&reconnector, &error));
            }),
        )
    }

    // --- Properties --------------------------------------------------------------------------------

    /// The property `client`: who connects.
    #[doc(alias = "gsock_reconnector_get_client")]
    #[must_use]
    pub fn client(&self) -> Option<SocketClient> {
        self.imp().client()
    }

    /// The property `connectable`: what is connected to.
    #[doc(alias = "gsock_reconnector_get_connectable")]
    #[must_use]
    pub fn connectable(&self) -> Option<gio::SocketConnectable> {
        self.imp().connectable()
    }

    /// The property `network-monitor`: whose word on the network is heard. GIO's default one is loaded by this, if no other was set.
    #[doc(alias = "gsock_reconnector_get_network_monitor")]
    #[must_use]
    pub fn network_monitor(&self) -> Option<gio::NetworkMonitor> {
        self.imp().network_monitor()
    }

    /// Sets the property `network-monitor`: whose word on the network is heard, from now on. None for nobody's.
    #[doc(alias = "network-monitor")]
    #[doc(alias = "gsock_reconnector_set_network_monitor")]
    pub fn set_network_monitor(&self, monitor: Option<&impl IsA<gio::NetworkMonitor>>) {
        let monitor = monitor.map(|monitor| monitor.as_ref().clone());
        self.imp().set_network_monitor(monitor);
    }

    notify!(connect_network_monitor_notify, "network-monitor");

    milliseconds!(
        initial_delay,
        set_initial_delay,
        initial_delay,
        1,
        connect_initial_delay_ms_notify,
        "initial-delay-ms",
        "gsock_reconnector_get_initial_delay_ms",
        "gsock_reconnector_set_initial_delay_ms",
        "the first delay."
    );
    milliseconds!(
        max_delay,
        set_max_delay,
        max_delay,
        1,
        connect_max_delay_ms_notify,
        "max-delay-ms",
        "gsock_reconnector_get_max_delay_ms",
        "gsock_reconnector_set_max_delay_ms",
        "the longest delay."
    );
    /// The property `jitter`: the part of a delay that is left to chance, from 0.0 to 1.0.
    #[doc(alias = "gsock_reconnector_get_jitter")]
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.imp().settings().jitter
    }

    /// Sets the property `jitter`: the part of a delay that is left to chance. What is not from 0.0 to 1.0 is brought to the nearest of
    /// these.
    #[doc(alias = "jitter")]
    #[doc(alias = "gsock_reconnector_set_jitter")]
    pub fn set_jitter(&self, value: f64) {
        self.imp().set_jitter(value);
    }

    notify!(connect_jitter_notify, "jitter");

    property!(max_attempts, set_max_attempts, max_attempts: u32, connect_max_attempts_notify,
        "max-attempts", "gsock_reconnector_get_max_attempts", "gsock_reconnector_set_max_attempts",
        "how many attempts there are, without a stable connection, before it gives up; 0 for no bound.");
    milliseconds!(
        stable_after,
        set_stable_after,
        stable_after,
        0,
        connect_stable_after_ms_notify,
        "stable-after-ms",
        "gsock_reconnector_get_stable_after_ms",
        "gsock_reconnector_set_stable_after_ms",
        "how long a connection has to last for the delays to begin anew."
    );
    milliseconds!(
        debounce,
        set_debounce,
        debounce,
        0,
        connect_debounce_ms_notify,
        "debounce-ms",
        "gsock_reconnector_get_debounce_ms",
        "gsock_reconnector_set_debounce_ms",
        "how long the monitor has to say that the network is back."
    );
    property!(reconnect, set_reconnect, reconnect: bool, connect_reconnect_notify,
        "reconnect", "gsock_reconnector_get_reconnect", "gsock_reconnector_set_reconnect",
        "whether a connection that is lost is made again.");

    read!(state -> ReconnectorState, connect_state_notify,
        "state", "gsock_reconnector_get_state", "what it is at.");
    read!(connection -> Option<SocketConnection>, connect_connection_notify,
        "connection", "gsock_reconnector_get_connection", "the lasting connection; none before the first.");
    read!(io_stream -> Option<gio::IOStream>, connect_io_stream_notify,
        "io-stream", "gsock_reconnector_get_io_stream", "what the bytes go through; none before the first connection.");
    read!(attempt -> u32, connect_attempt_notify,
        "attempt", "gsock_reconnector_get_attempt", "how many attempts there were since the last stable connection.");
    read!(last_error -> Option<glib::Error>, connect_last_error_notify,
        "last-error", "gsock_reconnector_get_last_error", "that of the last attempt that failed, or of the loss.");

    /// The property `next-attempt-in-ms`: how long it is to the next attempt; zero while there is none to come, or it is not known when.
    #[doc(alias = "gsock_reconnector_get_next_attempt_in_ms")]
    #[must_use]
    pub fn next_attempt_in(&self) -> Duration {
        duration(self.imp().next_attempt_in())
    }

    notify!(connect_next_attempt_in_ms_notify, "next-attempt-in-ms");
}

fn duration(milliseconds: u32) -> Duration {
    Duration::from_millis(u64::from(milliseconds))
}

/// Rounded up.
fn in_milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}
