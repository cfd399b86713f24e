//! A version of the link under the hands of the tests, whichever it is.

use std::{
    future::Future,
    net::{Ipv6Addr, TcpListener},
    ops::RangeInclusive,
    rc::Rc,
};

use futures::{StreamExt, channel::mpsc};
use gio::prelude::*;
use glib::Error;

use super::{
    device::{Device, Packet, Role},
    on_gio, ours,
};
use crate::support::*;

/// What both versions can do, as the functions are in each.
pub(crate) trait Port: Clone + 'static {
    type Server: 'static;

    fn listen(
        device: &Rc<Device>,
        ports: RangeInclusive<u16>,
        on_link: impl Fn(Result<Self, Error>) + 'static,
    ) -> Result<Self::Server, Error>;
    fn port(server: &Self::Server) -> u16;
    fn stop(server: &Self::Server);
    async fn connect(device: &Rc<Device>, host: &str, port: u16) -> Result<Self, Error>;
    fn peer(&self) -> &str;
    fn remote_address(&self) -> Result<gio::SocketAddress, Error>;
    fn is_alive(&self) -> bool;
    fn connect_lost(&self, f: impl Fn() + 'static);
    fn send(&self, packet: &Packet) -> Result<(), Error>;
    async fn receive(&self) -> Result<Option<Packet>, Error>;
    async fn close(&self) -> Result<(), Error>;
    async fn upload(
        &self,
        name: &str,
        size: u64,
        content: &gio::InputStream,
        ports: RangeInclusive<u16>,
        cancellable: &gio::Cancellable,
        progress: impl Fn(u64) + 'static,
    ) -> Result<(), Error>;
    async fn download(
        &self,
        offer: &Packet,
        into: &gio::OutputStream,
        cancellable: &gio::Cancellable,
        progress: impl Fn(u64) + 'static,
    ) -> Result<(), Error>;
}

macro_rules! port {
    ($version:ident) => {
        impl Port for $version::Link {
            type Server = $version::Server;

            fn listen(
                device: &Rc<Device>,
                ports: RangeInclusive<u16>,
                on_link: impl Fn(Result<Self, Error>) + 'static,
            ) -> Result<Self::Server, Error> {
                $version::Server::listen(device, ports, on_link)
            }

            fn port(server: &Self::Server) -> u16 {
                server.port()
            }

            fn stop(server: &Self::Server) {
                server.close();
            }

            async fn connect(device: &Rc<Device>, host: &str, port: u16) -> Result<Self, Error> {
                Self::connect(device, host, port).await
            }

            fn peer(&self) -> &str {
                self.peer()
            }

            fn remote_address(&self) -> Result<gio::SocketAddress, Error> {
                self.remote_address()
            }

            fn is_alive(&self) -> bool {
                self.is_alive()
            }

            fn connect_lost(&self, f: impl Fn() + 'static) {
                self.connect_lost(f);
            }

            fn send(&self, packet: &Packet) -> Result<(), Error> {
                self.send(packet)
            }

            async fn receive(&self) -> Result<Option<Packet>, Error> {
                self.receive().await
            }

            async fn close(&self) -> Result<(), Error> {
                self.close().await
            }

            async fn upload(
                &self,
                name: &str,
                size: u64,
                content: &gio::InputStream,
                ports: RangeInclusive<u16>,
                cancellable: &gio::Cancellable,
                progress: impl Fn(u64) + 'static,
            ) -> Result<(), Error> {
                self.upload(name, size, content, ports, cancellable, progress)
                    .await
            }

            async fn download(
                &self,
                offer: &Packet,
                into: &gio::OutputStream,
                cancellable: &gio::Cancellable,
                progress: impl Fn(u64) + 'static,
            ) -> Result<(), Error> {
                self.download(offer, into, cancellable, progress).await
            }
        }
    };
}

port!(on_gio);
port!(ours);

/// Makes two tests of each scenario, which is a future of one version.
macro_rules! on_both {
    ($($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            use crate::{kde_link, support::*};

            #[test]
            fn on_gio() {
                on_private_context(|context| {
                    block_on(context, super::$scenario::<kde_link::on_gio::Link>());
                });
            }

            #[test]
            fn on_ours() {
                on_private_context(|context| {
                    block_on(context, super::$scenario::<kde_link::ours::Link>());
                });
            }
        }
    )+};
}
pub(crate) use on_both;

/// Runs `future` of a test on its context.
pub(crate) fn run<R: Send + 'static, F: Future<Output = R> + 'static>(
    test: impl FnOnce() -> F + Send + 'static,
) -> R {
    on_private_context(move |context| block_on(context, test()))
}

/// Ports, of which nearly all are free: many more than are needed.
pub(crate) fn ports() -> RangeInclusive<u16> {
    let any = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).expect("a port");
    let first = any.local_addr().expect("bound").port();
    first..=first.saturating_add(40)
}

/// A device that listens, and the links that have come.
pub(crate) struct Home<P: Port> {
    server: P::Server,
    links: mpsc::UnboundedReceiver<Result<P, Error>>,
}

impl<P: Port> Home<P> {
    pub(crate) fn new() -> Self {
        let device = Device::new("desktop");
        let (told, links) = mpsc::unbounded();
        let server = P::listen(&device, ports(), move |link| {
            let _ = told.unbounded_send(link);
        });
        Self {
            server: server.expect("a free port"),
            links,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        P::port(&self.server)
    }

    /// The next link that has come, or why it has not.
    pub(crate) async fn next(&mut self) -> Result<P, Error> {
        self.links.next().await.expect("a server")
    }

    /// Both ends of a link: of who connects, and of who listens.
    pub(crate) async fn link<Q: Port>(&mut self, device: &Rc<Device>) -> (Q, P) {
        let port = self.port();
        let (there, here) = futures::join!(Q::connect(device, "127.0.0.1", port), self.next());
        (there.expect("a link"), here.expect("a link"))
    }
}

impl<P: Port> Drop for Home<P> {
    fn drop(&mut self) {
        P::stop(&self.server);
    }
}

/// Waits for the end of a link, unless it is over.
pub(crate) async fn lost<P: Port>(link: &P) {
    let (told, mut lost) = mpsc::unbounded();
    link.connect_lost(move || {
        let _ = told.unbounded_send(());
    });
    if link.is_alive() {
        lost.next().await.expect("the link");
    }
    assert!(!link.is_alive());
}

pub(crate) fn ping(number: u64) -> Packet {
    Packet::new(
        "kdeconnect.ping",
        serde_json::json!({ "number": number, "message": "hé \" \n there" }),
    )
}

/// A peer that is neither version: what it writes is up to the test.
pub(crate) async fn plain_peer(name: &str, port: u16) -> gio::TlsConnection {
    let device = Device::new(name);
    let client = gio::SocketClient::new();
    let connection = client.connect_to_host_future("127.0.0.1", port).await;
    let connection = connection.expect("it listens");
    let identity = device.identity().to_line() + "\n";
    write(&connection, identity.into_bytes())
        .await
        .expect("room");
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let input = connection.input_stream();
        let byte = input.read_bytes_future(1, glib::Priority::DEFAULT).await;
        line.extend_from_slice(&byte.expect("an answer"));
    }
    let peer = Packet::parse(&line).and_then(|packet| packet.peer());
    let peer = peer.expect("an identity");
    let tls = device.secure(&connection, &peer, Role::Server).await;
    tls.expect("a handshake")
}

pub(crate) async fn write(stream: &impl IsA<gio::IOStream>, bytes: Vec<u8>) -> Result<(), Error> {
    let output = stream.output_stream();
    match output
        .write_all_future(bytes, glib::Priority::DEFAULT)
        .await
    {
        Ok((_, _, None)) => Ok(()),
        Ok((_, _, Some(failure))) | Err((_, failure)) => Err(failure),
    }
}
