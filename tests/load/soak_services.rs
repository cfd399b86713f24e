//! Those to whom others come, and who send back what they say.

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
    Framed, Framing, SocketClient, SocketConnection, SocketListener, SocketService,
    ThreadedSocketService, prelude::*,
};

use crate::{
    soak::{any_on_each_loopback, spawn},
    support::*,
};

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

/// One of each kind.
pub(crate) struct Services {
    service: SocketService,
    threaded: ThreadedSocketService,
    relaying: SocketService,
    listener: SocketListener,
    counts: Rc<Counts>,
    in_threads: Arc<[AtomicU64; 2]>,
}

/// Connections that have come, and that have gone.
#[derive(Default)]
struct Counts {
    come: Cell<u64>,
    gone: Cell<u64>,
}

/// Counts one that has come, and that it has gone when that is dropped.
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

fn listen(listener: &impl IsA<SocketListener>) {
    listener.set_backlog(1_000);
    for any in any_on_each_loopback() {
        let (stream, tcp) = (gio::SocketType::Stream, gio::SocketProtocol::Tcp);
        let bound = listener.add_address(&any, stream, tcp, None::<&glib::Object>);
        bound.expect("loopback");
    }
}

impl Services {
    pub(crate) fn new(context: &glib::MainContext, echoes: &[SocketAddr]) -> Self {
        let counts = Rc::new(Counts::default());

        let service = SocketService::new();
        let (spawner, counted) = (context.clone(), counts.clone());
        service.connect_incoming(move |_, connection, _| {
            let served = Served::new(&counted);
            spawn(&spawner, send_back(connection.clone(), served));
            true
        });

        let threaded = ThreadedSocketService::new(4);
        let in_threads: Arc<[AtomicU64; 2]> = Arc::default();
        let counted = in_threads.clone();
        threaded.connect_run(move |_, connection, _| {
            counted[0].fetch_add(1, Ordering::SeqCst);
            let mut room = [0; 512];
            while let Ok(count @ 1..) = connection.input_stream().read(&mut room, Cancellable::NONE)
            {
                let output = connection.output_stream();
                if output.write_all(&room[..count], Cancellable::NONE).is_err() {
                    break;
                }
            }
            counted[1].fetch_add(1, Ordering::SeqCst);
            true
        });

        let relaying = SocketService::new();
        let client = SocketClient::new();
        client.set_enable_proxy(false);
        let echoes = echoes.to_vec();
        let (spawner, counted) = (context.clone(), counts.clone());
        relaying.connect_incoming(move |_, connection, _| {
            let served = Served::new(&counted);
            let at = usize::try_from(counted.come.get()).unwrap_or(0) % echoes.len();
            let connecting = client.connect_future(&gio_address(echoes[at]));
            let connection = connection.clone();
            spawn(&spawner, async move {
                let _served = served;
                let other = connecting.await.expect("it echoes");
                // Its error is a reset.
                let _ = gsock::relay(&connection, &other).await;
            });
            true
        });

        let listener = SocketListener::new();
        listen(&service);
        listen(&threaded);
        listen(&relaying);
        listen(&listener);
        let (accepting, spawner, counted) = (listener.downgrade(), context.clone(), counts.clone());
        spawn(context, async move {
            while let Some(listener) = accepting.upgrade() {
                let accepted = listener.accept_future();
                drop(listener);
                let Ok((connection, _)) = accepted.await else {
                    break;
                };
                let served = Served::new(&counted);
                spawn(&spawner, send_lines_back(connection, served));
            }
        });
        Self {
            service,
            threaded,
            relaying,
            listener,
            counts,
            in_threads,
        }
    }

    /// Each with a blank before it.
    pub(crate) fn addresses(&self) -> String {
        let listeners: [&SocketListener; 4] = [
            self.service.upcast_ref(),
            self.threaded.upcast_ref(),
            self.relaying.upcast_ref(),
            &self.listener,
        ];
        let addresses = listeners
            .into_iter()
            .flat_map(|listener| listener.addresses());
        let addresses = addresses.map(|address| {
            let address = address.downcast::<gio::InetSocketAddress>().expect("of IP");
            format!(" {}:{}", address.address(), address.port())
        });
        addresses.collect()
    }

    /// How many connections were served, and how many of them have ended.
    pub(crate) fn end(self, context: &glib::MainContext) -> (u64, u64) {
        self.service.close();
        self.relaying.close();
        self.listener.close();
        self.threaded.close();
        block_on(context, self.threaded.drain_future());
        let in_threads = |at: usize| self.in_threads[at].load(Ordering::SeqCst);
        let counts = self.counts.clone();
        iterate_until(context, || counts.gone.get() == counts.come.get());
        (
            self.counts.come.get() + in_threads(0),
            self.counts.gone.get() + in_threads(1),
        )
    }
}

async fn send_back(connection: SocketConnection, _served: Served) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    // Ends with the peer's end, or its reset.
    while let Ok(bytes) = input.read_bytes_future(512, DEFAULT).await {
        if bytes.is_empty() || output.write_all_future(bytes, DEFAULT).await.is_err() {
            break;
        }
    }
}

async fn send_lines_back(connection: SocketConnection, _served: Served) {
    let framed = Framed::new(&connection, Framing::Lines);
    while let Ok(Some(line)) = framed.read_frame_future().await {
        if framed.send(line).is_err() {
            break;
        }
    }
    let _ = framed.flush_future().await;
}
