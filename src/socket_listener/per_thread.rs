//! A listener on each of several threads, all at one address: for servers that outgrow one loop.
//!
//! The kernel spreads connections over the sockets of one address that were bound with `SO_REUSEPORT`. So nothing is handed
//! from thread to thread: a connection is accepted, served and closed where it came in. One that waits in the queue of a
//! thread stays there, also while another thread has nothing to do, and goes when that socket is closed.

use std::{
    any::Any,
    fmt,
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle, ThreadId},
};

use gio::prelude::*;

use super::{SocketListener, SocketListenerExt};
use crate::{
    error,
    fence::handed_on,
    thread::new_context,
    transport::{NewSocket, listen_beside_others},
};

/// So many connections wait in the queue of each thread, as far as the system allows.
const BACKLOG: i32 = 1024;

/// So many more turns those have who find out that the listener is closed.
const LAST_TURNS: usize = 64;

/// Has a listener of its own on each of `threads` threads, all of them at `address`, and calls `start` there.
///
/// Each thread has a main context of its own, which is its thread-default one while `start` runs and which it iterates from
/// then on. `start` is called once on each thread, sets up what accepts, such as a task on that context, and returns. The
/// kernel spreads the connections over the threads; a thread that accepts none leaves those that it was given in its queue.
/// With port 0 all have the same free port, which [`PerThread::address`] tells.
///
/// When this returns, all of them listen and all have run `start`. The backlog of each is 1024.
///
/// ```
/// use gio::prelude::*;
/// use gsock::{SocketListener, listen_per_thread, prelude::*};
///
/// # fn main() -> Result<(), glib::Error> {
/// let address = gio::InetSocketAddress::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
/// let server = listen_per_thread(&address, 2, |listener: SocketListener| {
///     glib::MainContext::ref_thread_default().spawn_local(async move {
///         while let Ok((connection, _)) = listener.accept_future().await {
///             let _ = connection.output_stream().write_all_future(b"hello", glib::Priority::DEFAULT).await;
///         }
///     });
///     Ok(())
/// })?;
///
/// let mut greeting = String::new();
/// let mut peer = std::net::TcpStream::connect(server.address()).unwrap();
/// std::io::Read::read_to_string(&mut peer, &mut greeting).unwrap();
/// assert_eq!(greeting, "hello");
///
/// server.stop();
/// server.join()
/// # }
/// ```
///
/// # Errors
///
/// `InvalidArgument` for no thread at all, or an address that is none of the internet; what `bind(2)` and `listen(2)` answer,
/// such as `AddressInUse`, also when another user listens there in this way; what `start` answers on any of the threads;
/// `Failed` when it panics there, or a thread cannot be made. All threads have ended then.
///
/// # Main context
///
/// It blocks until `start` has returned on all threads. `start` must not wait for what this thread does.
#[doc(alias = "SO_REUSEPORT")]
pub fn listen_per_thread(
    address: &impl IsA<gio::SocketAddress>,
    threads: usize,
    start: impl Fn(SocketListener) -> Result<(), glib::Error> + Send + Sync + 'static,
) -> Result<PerThread, glib::Error> {
    if threads == 0 {
        return Err(error::invalid("There must be one thread at least"));
    }
    let (sockets, address) = bind_all(address.upcast_ref(), threads)?;
    let mut server = PerThread {
        address,
        shared: Arc::default(),
        ids: Vec::new(),
        threads: Mutex::default(),
    };
    let start = Arc::new(start);
    let (started, starts) = mpsc::channel();
    for (at, socket) in sockets.into_iter().enumerate() {
        let (shared, start, started) = (server.shared.clone(), start.clone(), started.clone());
        let spawned = thread::Builder::new()
            .name(format!("gsock-listen-{at}"))
            .spawn(move || serve(socket, &shared, &*start, &started));
        match spawned {
            Ok(thread) => server.add(thread),
            // Those that there are end with the value.
            Err(failure) => return Err(server.given_up(error::no_thread(&failure))),
        }
    }
    drop(started);
    for _ in 0..threads {
        let result = starts
            .recv()
            .unwrap_or_else(|_| Err(error::failed("A thread ended before it had begun")));
        if let Err(failure) = result {
            return Err(server.given_up(failure));
        }
    }
    Ok(server)
}

/// Threads that listen at one address: see [`listen_per_thread`].
///
/// They are stopped when it is dropped, without being waited for.
pub struct PerThread {
    address: SocketAddr,
    shared: Arc<Shared>,
    ids: Vec<ThreadId>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    /// Those that nobody has seen the end of.
    running: Vec<JoinHandle<()>>,
    /// What was wrong with the first of the others that has panicked.
    failure: Option<glib::Error>,
}

#[derive(Default)]
struct Shared {
    is_stopped: AtomicBool,
    /// Of the threads that run. Only under the lock is one used elsewhere: the last reference is the thread's own, and with
    /// it goes what was spawned there and may go nowhere else.
    contexts: Mutex<Vec<glib::MainContext>>,
}

impl Shared {
    fn contexts(&self) -> MutexGuard<'_, Vec<glib::MainContext>> {
        // Pushed and taken whole: a panic leaves nothing half done.
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        for context in self.contexts().iter() {
            context.wakeup();
        }
    }
}

impl PerThread {
    /// Where all of them listen, the port included.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many threads there are, or were.
    pub fn threads(&self) -> usize {
        self.ids.len()
    }

    /// Has every thread close its listener and end. What waits for a connection finds that out and has a few turns of the
    /// context to end by itself; then what is spawned there is dropped there. A task that keeps a reference to its
    /// context, and does not end, keeps itself with it. From any thread; it does not wait.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Waits until all threads have ended, after a [`stop`](Self::stop) by whomever.
    ///
    /// # Errors
    ///
    /// `Failed` when one of them has panicked, with its message; or when it is called on one of them, which would wait
    /// for itself.
    ///
    /// # Main context
    ///
    /// None is iterated.
    pub fn join(&self) -> Result<(), glib::Error> {
        if self.ids.contains(&thread::current().id()) {
            return Err(error::failed("A thread cannot wait for its own end"));
        }
        // Nobody else takes it but to wait as well, and none of the threads does.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Threads { running, failure } = &mut *threads;
        for thread in running.drain(..) {
            if let Err(panic) = thread.join() {
                failure.get_or_insert_with(|| panicked(&*panic));
            }
        }
        failure.clone().map_or(Ok(()), Err)
    }

    fn add(&mut self, thread: JoinHandle<()>) {
        self.ids.push(thread.thread().id());
        let threads = self.threads.get_mut();
        threads
            .unwrap_or_else(PoisonError::into_inner)
            .running
            .push(thread);
    }

    fn given_up(self, failure: glib::Error) -> glib::Error {
        self.stop();
        let _ = self.join();
        failure
    }
}

impl Drop for PerThread {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for PerThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerThread")
            .field("address", &self.address)
            .field("is_stopped", &self.shared.is_stopped())
            .finish_non_exhaustive()
    }
}

/// All of them listen before the first thread begins, so that what cannot be is known at once.
fn bind_all(
    address: &gio::SocketAddress,
    count: usize,
) -> Result<(Vec<OwnedFd>, SocketAddr), glib::Error> {
    let mut address = address.clone();
    let mut sockets = Vec::new();
    for _ in 0..count {
        let socket = NewSocket {
            family: address.family(),
            type_: gio::SocketType::Stream,
            protocol: 0,
        };
        let (socket, bound) = listen_beside_others(socket, &address, BACKLOG)?;
        // Of port 0 the first one has made a number.
        address = bound;
        sockets.push(socket);
    }
    let address = address
        .downcast::<gio::InetSocketAddress>()
        .map(SocketAddr::from);
    let address = address.map_err(|_| error::failed("The address is none of the internet"))?;
    Ok((sockets, address))
}

/// What each thread does.
fn serve(
    socket: OwnedFd,
    shared: &Shared,
    start: &(impl Fn(SocketListener) -> Result<(), glib::Error> + ?Sized),
    started: &mpsc::Sender<Result<(), glib::Error>>,
) {
    let context = match new_context() {
        Ok(context) => context,
        Err(failure) => {
            let _ = started.send(Err(failure));
            return;
        }
    };
    let served = context.with_thread_default(|| {
        let listener = SocketListener::new();
        let begun = listen(&listener, socket).and_then(|()| {
            handed_on(|| start(listener.clone())).unwrap_or_else(|panic| Err(panicked(&*panic)))
        });
        let is_begun = begun.is_ok();
        if is_begun {
            shared.contexts().push(context.clone());
        }
        let _ = started.send(begun);
        // A panic in what runs there ends the thread after the rest was seen to.
        let run = handed_on(|| {
            while is_begun && !shared.is_stopped() {
                context.iteration(true);
            }
            listener.close();
            // A task that knows its context would be kept by it for ever if it did not end.
            let mut turns = 0..LAST_TURNS;
            while is_begun && turns.next().is_some() && context.iteration(false) {}
        });
        shared.contexts().retain(|one| *one != context);
        listener.close();
        run
    });
    drop(context);
    if let Ok(Err(panic)) = served {
        std::panic::resume_unwind(panic);
    }
}

fn listen(listener: &SocketListener, socket: OwnedFd) -> Result<(), glib::Error> {
    listener.set_backlog(BACKLOG);
    let socket = gio::Socket::from_fd(socket)?;
    listener.add_socket(&socket, None::<&glib::Object>)
}

fn panicked(panic: &(dyn Any + Send)) -> glib::Error {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    error::failed(&format!(
        "A thread panicked: {}",
        said.unwrap_or("no message")
    ))
}
