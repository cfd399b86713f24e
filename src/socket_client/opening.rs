//! From an address to a connection that may be connected, and from that to one that is encrypted.

use gio::{SocketConnectable, SocketFamily, prelude::*, subclass::prelude::*};
use glib::translate::IntoGlib;

use super::{SocketClient, race::Phase};
use crate::{
    SocketConnection, SocketConnectionExt, TcpWrapperConnection, error,
    transport::{Bare, NativeAddress, NewSocket, bind_to_connect},
};

/// What a connection is going to be made of, where that may be done.
pub(super) struct Making {
    pub(super) address: gio::SocketAddress,
    native: NativeAddress,
    bare: Bare,
    type_: glib::Type,
}

impl Making {
    /// Its home is here. And the proxy that it goes to, if it is one.
    pub(super) fn connection(
        self,
        client: &SocketClient,
    ) -> (SocketConnection, Option<gio::ProxyAddress>) {
        let connection = SocketConnection::around(self.bare, self.type_);
        let transport = connection.imp().transport();
        let limit = client.imp().settings().timeout;
        transport.set_timeout_exactly(u64::from(limit) * 1_000_000);
        transport.expect_peer(self.native);
        let enable_proxy = client.imp().settings().enable_proxy;
        let proxy = self.address.downcast_ref::<gio::ProxyAddress>();
        let proxy = proxy.filter(|_| enable_proxy).cloned();
        if let Some(proxy) = proxy.clone() {
            transport.expect_proxy(proxy);
        }
        (connection, proxy)
    }
}

/// A socket for an address, if one can be.
pub(super) fn open(
    client: &SocketClient,
    connectable: &SocketConnectable,
    address: &gio::SocketAddress,
) -> Result<Making, (Phase, glib::Error)> {
    let imp = client.imp();
    let local = imp.local_address();
    let (family, new, multipath) = {
        let settings = imp.settings();
        let family = match (settings.family, &local) {
            (SocketFamily::Invalid, Some(local)) => local.family(),
            (SocketFamily::Invalid, None) => address.family(),
            (family, _) => family,
        };
        let new = NewSocket {
            family,
            type_: settings.type_,
            protocol: settings.protocol.into_glib(),
        };
        (family, new, settings.multipath)
    };
    if family != address.family() {
        // The codes of a connect(2) that is bound to fail.
        let code = if family == SocketFamily::Ipv6 {
            gio::IOErrorEnum::InvalidArgument
        } else {
            gio::IOErrorEnum::NotSupported
        };
        let failure = glib::Error::new(code, "The address is of another family than the socket");
        let failure = prefixed(connectable, address.downcast_ref(), &failure);
        return Err((Phase::Choosing, failure));
    }
    let connecting = |failure| (Phase::Connecting, failure);
    let native = NativeAddress::from_gio(address).map_err(connecting)?;
    // A system without it has TCP all the same.
    let multipath = new.of_multipath_tcp().filter(|_| multipath);
    let multipath = multipath.and_then(|new| Some((new.open().ok()?, new)));
    let (bare, new) = match multipath {
        Some(made) => made,
        None => (new.open().map_err(connecting)?, new),
    };
    if let Some(local) = &local {
        bind_to_connect(bare.as_fd(), local).map_err(connecting)?;
    }
    Ok(Making {
        address: address.clone(),
        native,
        bare,
        type_: SocketConnection::factory_lookup_type(family, new.type_, new.protocol),
    })
}

/// With a word on where to, as GIO words it.
pub(super) fn prefixed(
    connectable: &SocketConnectable,
    proxy: Option<&gio::ProxyAddress>,
    failure: &glib::Error,
) -> glib::Error {
    let host = if let Some(proxy) = proxy {
        let address = InetAddressExt::to_str(&proxy.address());
        Some(format!("proxy server {address}"))
    } else if let Some(name) = connectable.downcast_ref::<gio::NetworkAddress>() {
        Some(name.hostname().to_string())
    } else if let Some(service) = connectable.downcast_ref::<gio::NetworkService>() {
        Some(service.domain().to_string())
    } else {
        connectable
            .downcast_ref::<gio::InetSocketAddress>()
            .map(|address| InetAddressExt::to_str(&address.address()).to_string())
    };
    let text = match host {
        Some(host) => format!("Could not connect to {host}: {}", failure.message()),
        None => format!("Could not connect: {}", failure.message()),
    };
    glib::Error::with_domain(failure.domain(), failure.code(), &text)
}

/// TLS over a stream that lies over a connection, before the handshake.
pub(super) fn secure(
    client: &SocketClient,
    connectable: &SocketConnectable,
    connection: &SocketConnection,
    stream: &gio::IOStream,
) -> Result<gio::TlsClientConnection, glib::Error> {
    let kind = connection.imp().transport().kind();
    if !(kind.is_stream() && (kind.is_inet() || kind.is_unix())) {
        // Before a handshake whose connection could not be handed out.
        return Err(glib::Error::new(
            gio::IOErrorEnum::NotSupported,
            "There is no TLS but over streams",
        ));
    }
    let tls = gio::TlsClientConnection::new(stream, Some(&identity(client, connectable)))?;
    let tls: gio::TlsClientConnection = tls
        .downcast()
        .map_err(|_| error::failed("The TLS backend has made something else than a connection"))?;
    let flags = client.imp().settings().tls_validation_flags;
    tls.set_property("validation-flags", flags);
    Ok(tls)
}

/// Whose certificate is to be shown. A proxy that is named by an address is not who is at the end of it: its certificate, for its
/// own address, says nothing of that one.
fn identity(client: &SocketClient, connectable: &SocketConnectable) -> SocketConnectable {
    let proxy = connectable.downcast_ref::<gio::ProxyAddress>();
    match proxy.filter(|_| client.imp().settings().enable_proxy) {
        Some(proxy) => {
            let (host, port) = (proxy.destination_hostname(), proxy.destination_port());
            gio::NetworkAddress::new(&host, port).upcast()
        }
        None => connectable.clone(),
    }
}

/// What is handed out in the place of the connection below, when `stream` lies over it.
pub(super) fn wrap(
    below: &SocketConnection,
    stream: &gio::IOStream,
) -> Result<SocketConnection, glib::Error> {
    if let Some(connection) = stream.downcast_ref::<SocketConnection>() {
        return Ok(connection.clone());
    }
    // A handler may have closed it, which is no failure.
    let was_open = !below.imp().transport().is_closed();
    let socket = below.socket();
    let is_stream =
        socket.socket_type() == gio::SocketType::Stream && socket.family() != SocketFamily::Invalid;
    if !is_stream || (was_open && socket.is_closed()) {
        // The system did not tell what the descriptor is: GIO has closed it, and there is nothing to lie upon.
        return Err(below.last_error().unwrap_or_else(error::closed));
    }
    let wrapper = TcpWrapperConnection::around(stream, &socket);
    let wrapper: SocketConnection = wrapper.upcast();
    let peer = below.remote_address().ok();
    if let Some(proxy) = peer.and_then(|peer| peer.downcast::<gio::ProxyAddress>().ok()) {
        wrapper.imp().transport().expect_proxy(proxy);
    }
    Ok(wrapper)
}
