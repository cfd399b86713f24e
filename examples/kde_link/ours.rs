//! The link on gsock.

use std::{ops::RangeInclusive, rc::Rc};

use gio::{IOErrorEnum, prelude::*};
use glib::Priority;
use gsock::{
    Framed, Framing, Liveness, SocketClient, SocketConnection, SocketListener, SocketService,
    TcpConnection, prelude::*,
};

use super::device::{Device, Packet, Role, copy, in_time, with_port};

/// No identity is longer.
const MAX_IDENTITY: u64 = 8192;

/// Accepts links on one port of a range.
pub(crate) struct Server {
    service: SocketService,
    port: u16,
}

impl Server {
    pub(crate) fn listen(
        device: &Rc<Device>,
        ports: RangeInclusive<u16>,
        on_link: impl Fn(Result<Link, glib::Error>) + 'static,
    ) -> Result<Self, glib::Error> {
        let service = SocketService::new();
        let port = service.add_inet_port_in_range(ports, glib::Object::NONE)?;
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
pub(crate) struct Link {
    device: Rc<Device>,
    peer: String,
    connection: SocketConnection,
    packets: Framed,
}

impl Link {
    pub(crate) async fn connect(
        device: &Rc<Device>,
        host: &str,
        port: u16,
    ) -> Result<Self, glib::Error> {
        let client = SocketClient::new();
        client.set_enable_proxy(false);
        in_time(async {
            let connection = client.connect_to_host_future(host, port).await?;
            let identities = identities_over(&connection)?;
            let own = device.identity().to_line();
            identities.write_frame_future(own.as_bytes()).await?;
            let peer = read_packet(&identities).await?.ok_or_else(gone)?.peer()?;
            let tls = device.secure(&connection, &peer, Role::Server).await?;
            Ok(Self::new(device, peer, connection, &tls))
        })
        .await
    }

    async fn accept(
        device: &Rc<Device>,
        connection: SocketConnection,
    ) -> Result<Self, glib::Error> {
        let identities = identities_over(&connection)?;
        let peer = read_packet(&identities).await?.ok_or_else(gone)?.peer()?;
        let own = device.identity().to_line();
        identities.write_frame_future(own.as_bytes()).await?;
        let tls = device.secure(&connection, &peer, Role::Client).await?;
        Ok(Self::new(device, peer, connection, &tls))
    }

    fn new(
        device: &Rc<Device>,
        peer: String,
        connection: SocketConnection,
        tls: &gio::TlsConnection,
    ) -> Self {
        Self {
            device: device.clone(),
            peer,
            connection,
            packets: Framed::new(tls, Framing::Lines),
        }
    }

    pub(crate) fn peer(&self) -> &str {
        &self.peer
    }

    pub(crate) fn connection(&self) -> &SocketConnection {
        &self.connection
    }

    pub(crate) fn remote_address(&self) -> Result<gio::SocketAddress, glib::Error> {
        self.connection.remote_address()
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.connection.is_alive()
    }

    pub(crate) fn connect_lost(&self, f: impl Fn() + 'static) {
        self.connection.connect_alive_notify(move |_| f());
    }

    /// Queues a packet, or fails with `WouldBlock` where too many wait.
    pub(crate) fn send(&self, packet: &Packet) -> Result<(), glib::Error> {
        self.packets.send(packet.to_line().as_bytes())
    }

    /// The next packet; none once the peer has closed.
    pub(crate) async fn receive(&self) -> Result<Option<Packet>, glib::Error> {
        read_packet(&self.packets).await
    }

    /// Sends what is queued, and closes.
    pub(crate) async fn close(&self) -> Result<(), glib::Error> {
        self.packets.close_future().await
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
            let listener = SocketListener::new();
            let port = listener.add_inet_port_in_range(ports, glib::Object::NONE)?;
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
            let address = with_port(&self.remote_address()?, port)?;
            let client = SocketClient::new();
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
        connection: &SocketConnection,
        role: Role,
    ) -> Result<gio::TlsConnection, glib::Error> {
        watch(connection)?;
        in_time(self.device.secure(connection, &self.peer, role)).await
    }
}

/// Has the system see whether the peer is still there.
fn watch(connection: &SocketConnection) -> Result<(), glib::Error> {
    match connection.downcast_ref::<TcpConnection>() {
        Some(tcp) => tcp.set_liveness(Liveness::Interactive),
        None => Ok(()),
    }
}

/// The lines that come before TLS: what follows them is TLS's.
fn identities_over(connection: &SocketConnection) -> Result<Framed, glib::Error> {
    watch(connection)?;
    Ok(Framed::builder()
        .io_stream(connection)
        .framing(Framing::Lines)
        .max_frame_size(MAX_IDENTITY)
        .read_ahead(false)
        .build())
}

async fn read_packet(packets: &Framed) -> Result<Option<Packet>, glib::Error> {
    let line = packets.read_frame_future().await?;
    line.map(|line| Packet::parse(&line)).transpose()
}

fn gone() -> glib::Error {
    glib::Error::new(
        IOErrorEnum::PartialInput,
        "The peer went before it said who it is",
    )
}
