//! Servers that send lines back, as somebody would write them.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use gio::{Cancellable, prelude::*};
use gsock::{
    Framed, Framing, SocketConnection, SocketListener, SocketService, ThreadedSocketService,
    prelude::*,
};

use crate::support::*;

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A service, a task for each connection.
    Service,
    /// A service with so many threads, whose sockets have a timeout of a second.
    Threaded(i32),
    /// A listener that is accepted from.
    Listener,
    /// A service whose connections carry frames.
    Framed,
}

/// The longest line.
pub(crate) const MAX_FRAME: u64 = 1024;
/// How much a peer that reads nothing may leave to us.
pub(crate) const MAX_PENDING: u64 = 4096;

pub(crate) struct Server {
    listener: SocketListener,
    pub(crate) address: SocketAddr,
    /// Connections that have come and gone, where it is done in tasks.
    counts: Rc<Counts>,
    threaded: Option<(ThreadedSocketService, Arc<[AtomicU64; 2]>)>,
}

#[derive(Default)]
pub(crate) struct Counts {
    come: Cell<u64>,
    gone: Cell<u64>,
    most_pending: Cell<u64>,
}

struct Served(Rc<Counts>);

impl Served {
    fn new(counts: &Rc<Counts>) -> Self {
        counts.come.set(counts.come.get() + 1);
        Self(counts.clone())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.gone.set(self.0.gone.get() + 1);
    }
}

impl Server {
    pub(crate) fn start(context: &glib::MainContext, kind: Kind) -> Self {
        let counts = Rc::new(Counts::default());
        let mut threaded = None;
        let listener: SocketListener = match kind {
            Kind::Service | Kind::Framed => {
                let service = SocketService::new();
                let (spawner, counted) = (context.clone(), counts.clone());
                service.connect_incoming(move |_, connection, _| {
                    let (connection, served) = (connection.clone(), Served::new(&counted));
                    if kind == Kind::Framed {
                        spawner.spawn_local(send_frames_back(connection, served));
                    } else {
                        spawner.spawn_local(send_back(connection, served));
                    }
                    true
                });
                service.upcast()
            }
            Kind::Threaded(threads) => {
                let service = ThreadedSocketService::new(threads);
                let come_and_gone: Arc<[AtomicU64; 2]> = Arc::default();
                let counted = come_and_gone.clone();
                service.connect_run(move |_, connection, _| {
                    counted[0].fetch_add(1, Ordering::SeqCst);
                    block_and_send_back(connection);
                    counted[1].fetch_add(1, Ordering::SeqCst);
                    true
                });
                threaded = Some((service.clone(), come_and_gone));
                service.upcast()
            }
            Kind::Listener => SocketListener::new(),
        };
        listener.set_backlog(500);
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let (stream, tcp) = (gio::SocketType::Stream, gio::SocketProtocol::Tcp);
        let bound = listener.add_address(&any, stream, tcp, None::<&glib::Object>);
        let bound = bound
            .expect("loopback")
            .downcast::<gio::InetSocketAddress>();
        let port = bound.expect("of IP").port();
        if kind == Kind::Listener {
            let (accepting, spawner) = (listener.downgrade(), context.clone());
            let counted = counts.clone();
            context.spawn_local(async move {
                while let Some(listener) = accepting.upgrade() {
                    let accepted = listener.accept_future();
                    drop(listener);
                    match accepted.await {
                        Ok((connection, _)) => {
                            let served = Served::new(&counted);
                            spawner.spawn_local(send_back(connection, served));
                        }
                        Err(_) => break,
                    }
                }
            });
        }
        Self {
            listener,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            counts,
            threaded,
        }
    }

    pub(crate) fn listener(&self) -> &SocketListener {
        &self.listener
    }

    pub(crate) fn come(&self) -> u64 {
        let in_threads = self.threaded.as_ref();
        let in_threads = in_threads.map_or(0, |(_, counts)| counts[0].load(Ordering::SeqCst));
        self.counts.come.get() + in_threads
    }

    /// The most that a connection had to write and could not.
    pub(crate) fn most_pending(&self) -> u64 {
        self.counts.most_pending.get()
    }

    /// Those who are served now are served to their end.
    pub(crate) fn end(self, context: &glib::MainContext) {
        self.listener.close();
        if let Some((service, _)) = &self.threaded {
            block_on(context, service.drain_future());
        }
        let counts = self.counts.clone();
        iterate_until(context, || counts.gone.get() == counts.come.get());
    }
}

/// Reads no more before what was read has gone back, so that a peer who reads nothing is not read from.
async fn send_back(connection: SocketConnection, _served: Served) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    while let Ok(bytes) = input.read_bytes_future(512, DEFAULT).await {
        if bytes.is_empty() || output.write_all_future(bytes, DEFAULT).await.is_err() {
            break;
        }
    }
}

fn block_and_send_back(connection: &SocketConnection) {
    // A peer that says nothing, or takes nothing, for so long is let go: it has a thread of ours.
    connection.socket().set_timeout(1);
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let mut room = [0; 512];
    while let Ok(count @ 1..) = input.read(&mut room, Cancellable::NONE) {
        if output.write_all(&room[..count], Cancellable::NONE).is_err() {
            break;
        }
    }
}

/// Sends without waiting: the queue's bound ends who takes nothing.
async fn send_frames_back(connection: SocketConnection, served: Served) {
    let framed = Framed::builder()
        .io_stream(&connection)
        .framing(Framing::Lines)
        .max_frame_size(MAX_FRAME)
        .max_pending_bytes(MAX_PENDING)
        .build();
    while let Ok(Some(line)) = framed.read_frame_future().await {
        let sent = framed.send(line);
        let counts = &served.0;
        counts
            .most_pending
            .set(counts.most_pending.get().max(framed.pending_bytes()));
        if sent.is_err() {
            return;
        }
    }
}
