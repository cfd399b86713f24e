//! The link on the types of GIO, as gio-rs has them.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    ops::RangeInclusive,
    rc::Rc,
};

use futures::{
    SinkExt, StreamExt,
    channel::mpsc::{self, Receiver, Sender},
};
use gio::{IOErrorEnum, prelude::*};
use glib::{JoinHandle, Priority};

use super::device::{Device, Packet, Role, copy, in_time, with_port, write_all};

/// No identity is longer.
const MAX_IDENTITY: usize = 8192;
/// So many packets may wait to be sent.
const MAX_OUTGOING: usize = 1024;
/// So many packets may wait to be taken.
const MAX_INCOMING: usize = 16;

/// Accepts links on one port of a range.
pub(crate) struct Server {
    service: gio::SocketService,
    port: u16,
}

impl Server {
    pub(crate) fn listen(
        device: &Rc<Device>,
        ports: RangeInclusive<u16>,
        on_link: impl Fn(Result<Link, glib::Error>) + 'static,
    ) -> Result<Self, glib::Error> {
        let service = gio::SocketService::new();
        let port = add_inet_port_in_range(&service, ports)?;
        let (device, on_link) = (device.clone(), Rc::new(on_link));
        service.connect_incoming(move |_, connection, _| {
            let connection = connection.clone();
            let (device, on_link) = (device.clone(), on_link.clone());
            glib::spawn_future_local(async move {
                on_link(in_time(Link::accept(&device, connection)).await);
            });
            true
        });
        Ok(Self { service, port })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn close(&self) {
        self.service.stop();
        self.service.close();
    }
}

/// A link to another device.
#[derive(Clone)]
pub(crate) struct Link(Rc<Inner>);

struct Inner {
    device: Rc<Device>,
    peer: String,
    connection: gio::SocketConnection,
    /// Asked for in time: that of a closed connection cannot be.
    remote_address: gio::SocketAddress,
    tls: gio::TlsConnection,
    alive: Rc<Alive>,
    /// One write may be under way at a time, so there is a task that does them.
    outgoing: RefCell<Sender<Packet>>,
    writer: Cell<Option<JoinHandle<Result<(), glib::Error>>>>,
    /// Only a read tells that the peer is gone, and one that is dropped may lose what it has read, so there is a task
    /// that always reads.
    incoming: RefCell<Receiver<Result<Packet, glib::Error>>>,
    reader: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.reader.abort();
        if let Some(writer) = self.writer.take() {
            writer.abort();
        }
    }
}

impl Link {
    pub(crate) async fn connect(
        device: &Rc<Device>,
        host: &str,
        port: u16,
    ) -> Result<Self, glib::Error> {
        let client = gio::SocketClient::new();
        client.set_enable_proxy(false);
        in_time(async {
            let connection = client.connect_to_host_future(host, port).await?;
            watch(&connection)?;
            write_line(&connection.output_stream(), &device.identity()).await?;
            let peer = read_identity(&connection.input_stream()).await?.peer()?;
            let tls = device.secure(&connection, &peer, Role::Server).await?;
            Self::new(device, peer, connection, tls)
        })
        .await
    }

    async fn accept(
        device: &Rc<Device>,
        connection: gio::SocketConnection,
    ) -> Result<Self, glib::Error> {
        watch(&connection)?;
        let peer = read_identity(&connection.input_stream()).await?.peer()?;
        write_line(&connection.output_stream(), &device.identity()).await?;
        let tls = device.secure(&connection, &peer, Role::Client).await?;
        Self::new(device, peer, connection, tls)
    }

    fn new(
        device: &Rc<Device>,
        peer: String,
        connection: gio::SocketConnection,
        tls: gio::TlsConnection,
    ) -> Result<Self, glib::Error> {
        let remote_address = connection.remote_address()?;
        let alive = Rc::new(Alive::default());
        let (outgoing, lines) = mpsc::channel(MAX_OUTGOING);
        let (packets, incoming) = mpsc::channel(MAX_INCOMING);
        let writer = glib::spawn_future_local(write_packets(tls.output_stream(), lines));
        let reader = glib::spawn_future_local({
            let (input, alive) = (tls.input_stream(), alive.clone());
            async move {
                read_packets(input, packets).await;
                alive.end();
            }
        });
        Ok(Self(Rc::new(Inner {
            device: device.clone(),
            peer,
            connection,
            remote_address,
            tls,
            alive,
            outgoing: RefCell::new(outgoing),
            writer: Cell::new(Some(writer)),
            incoming: RefCell::new(incoming),
            reader,
        })))
    }

    pub(crate) fn peer(&self) -> &str {
        &self.0.peer
    }

    pub(crate) fn connection(&self) -> &gio::SocketConnection {
        &self.0.connection
    }

    pub(crate) fn remote_address(&self) -> Result<gio::SocketAddress, glib::Error> {
        Ok(self.0.remote_address.clone())
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.0.alive.ended.get()
    }

    pub(crate) fn connect_lost(&self, f: impl Fn() + 'static) {
        self.0.alive.handlers.borrow_mut().push(Rc::new(f));
    }

    /// Queues a packet, or fails with `WouldBlock` where too many wait.
    pub(crate) fn send(&self, packet: &Packet) -> Result<(), glib::Error> {
        let mut outgoing = self.0.outgoing.borrow_mut();
        outgoing.try_send(packet.clone()).map_err(|failure| {
            let code = if failure.is_full() {
                IOErrorEnum::WouldBlock
            } else {
                IOErrorEnum::Closed
            };
            glib::Error::new(code, &failure.to_string())
        })
    }

    /// The next packet; none once the peer has closed.
    pub(crate) async fn receive(&self) -> Result<Option<Packet>, glib::Error> {
        poll_fn(|cx| self.0.incoming.borrow_mut().poll_next_unpin(cx))
            .await
            .transpose()
    }

    /// Sends what is queued, and closes.
    pub(crate) async fn close(&self) -> Result<(), glib::Error> {
        self.0.outgoing.borrow_mut().close_channel();
        if let Some(writer) = self.0.writer.take() {
            writer.await.unwrap_or(Ok(()))?;
        }
        self.0.reader.abort();
        self.0.alive.end();
        self.0.tls.close_future(Priority::DEFAULT).await
    }

    /// Offers a file on a port of `ports`, and sends it to the peer who comes for it.
    pub(crate) async fn upload(
        &self,
        name: &str,
        size: u64,
        content: &gio::InputStream,
        ports: RangeInclusive<u16>,
        cancellable: &gio::Cancellable,
        progress: impl Fn(u64) + 'static,
    ) -> Result<(), glib::Error> {
        let upload = async {
            let listener = gio::SocketListener::new();
            let port = add_inet_port_in_range(&listener, ports)?;
            self.send(&Packet::share(name, size, port))?;
            let (connection, _) = in_time(listener.accept_future()).await?;
            listener.close();
            let tls = self.secure(&connection, Role::Server).await?;
            copy(content, &tls.output_stream(), size, progress).await?;
            tls.close_future(Priority::DEFAULT).await
        };
        gio::CancellableFuture::new(upload, cancellable.clone()).await?
    }

    /// Fetches the file that `offer` tells of.
    pub(crate) async fn download(
        &self,
        offer: &Packet,
        into: &gio::OutputStream,
        cancellable: &gio::Cancellable,
        progress: impl Fn(u64) + 'static,
    ) -> Result<(), glib::Error> {
        let download = async {
            let (size, port) = offer.payload()?;
            let address = with_port(&self.0.remote_address, port)?;
            let client = gio::SocketClient::new();
            client.set_enable_proxy(false);
            let connection = in_time(client.connect_future(&address)).await?;
            let tls = self.secure(&connection, Role::Client).await?;
            copy(&tls.input_stream(), into, size, progress).await
        };
        gio::CancellableFuture::new(download, cancellable.clone()).await?
    }

    /// TLS with the peer of this link over another connection.
    async fn secure(
        &self,
        connection: &gio::SocketConnection,
        role: Role,
    ) -> Result<gio::TlsConnection, glib::Error> {
        watch(connection)?;
        in_time(self.0.device.secure(connection, &self.0.peer, role)).await
    }
}

/// Whether a link lives, and who wants to hear of its end.
#[derive(Default)]
struct Alive {
    ended: Cell<bool>,
    handlers: RefCell<Vec<Rc<dyn Fn()>>>,
}

impl Alive {
    fn end(&self) {
        if !self.ended.replace(true) {
            // A handler may add another one.
            let handlers = self.handlers.borrow().clone();
            for handler in handlers {
                handler();
            }
        }
    }
}

fn add_inet_port_in_range(
    listener: &impl IsA<gio::SocketListener>,
    ports: RangeInclusive<u16>,
) -> Result<u16, glib::Error> {
    let mut failure = glib::Error::new(IOErrorEnum::InvalidArgument, "There are no such ports");
    for port in ports {
        match listener.add_inet_port(port, glib::Object::NONE) {
            Ok(()) => return Ok(port),
            Err(taken) if taken.matches(IOErrorEnum::AddressInUse) => failure = taken,
            Err(other) => return Err(other),
        }
    }
    Err(failure)
}

/// Has the system see whether the peer is still there.
fn watch(connection: &gio::SocketConnection) -> Result<(), glib::Error> {
    let socket = connection.socket();
    socket.set_keepalive(true);
    for (option, value) in [
        (libc::TCP_KEEPIDLE, 10),
        (libc::TCP_KEEPINTVL, 5),
        (libc::TCP_KEEPCNT, 3),
        // Which KDE Connect's programs leave out.
        (libc::TCP_USER_TIMEOUT, 25_000),
    ] {
        socket.set_option(libc::IPPROTO_TCP, option, value)?;
    }
    Ok(())
}

/// The line that comes before TLS, byte by byte: what follows it is TLS's.
async fn read_identity(input: &gio::InputStream) -> Result<Packet, glib::Error> {
    let mut line = Vec::new();
    loop {
        let byte = input.read_bytes_future(1, Priority::DEFAULT).await?;
        match byte.first() {
            None => {
                return Err(glib::Error::new(
                    IOErrorEnum::PartialInput,
                    "The peer went before it said who it is",
                ));
            }
            Some(b'\n') => return Packet::parse(&line),
            Some(_) if line.len() == MAX_IDENTITY => {
                return Err(glib::Error::new(
                    IOErrorEnum::MessageTooLarge,
                    "The peer says too much of itself",
                ));
            }
            Some(byte) => line.push(*byte),
        }
    }
}

async fn write_line(output: &gio::OutputStream, packet: &Packet) -> Result<(), glib::Error> {
    write_all(output, (packet.to_line() + "\n").into_bytes()).await
}

async fn write_packets(
    output: gio::OutputStream,
    mut packets: Receiver<Packet>,
) -> Result<(), glib::Error> {
    while let Some(packet) = packets.next().await {
        write_line(&output, &packet).await?;
    }
    Ok(())
}

async fn read_packets(input: gio::InputStream, mut packets: Sender<Result<Packet, glib::Error>>) {
    let lines = gio::DataInputStream::new(&input);
    loop {
        let (packet, is_last) = match lines.read_line_future(Priority::DEFAULT).await {
            Ok(Some(line)) => (Packet::parse(&line), false),
            Ok(None) => return,
            Err(failure) => (Err(failure), true),
        };
        if packets.send(packet).await.is_err() || is_last {
            return;
        }
    }
}
