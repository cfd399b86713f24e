//! Sockets that the listener makes: for an address, or for a port in both families.

use std::{ops::RangeInclusive, os::fd::AsRawFd, sync::Arc};

use gio::{
    SocketFamily, SocketListenerEvent as Event, SocketProtocol, SocketType, prelude::*,
    subclass::prelude::*,
};

use super::{SocketListener, listening::Listening};
use crate::{
    error,
    transport::{NativeAddress, bind_to_listen},
};

/// So many times any port that is free in both families is looked for.
const TRIES: usize = 37;

/// A socket that is to listen, on its way there. It is closed if it does not get there: a handler may have kept it, and
/// the port with it.
pub(super) struct Candidate {
    pub(super) socket: gio::Socket,
    pub(super) is_added: bool,
}

impl Drop for Candidate {
    fn drop(&mut self) {
        if !self.is_added {
            let _ = self.socket.close();
        }
    }
}

impl Candidate {
    pub(super) fn new(
        family: SocketFamily,
        type_: SocketType,
        protocol: SocketProtocol,
    ) -> Result<Self, glib::Error> {
        // GIO ends the process for others.
        if !matches!(
            type_,
            SocketType::Stream | SocketType::Datagram | SocketType::Seqpacket
        ) {
            return Err(error::invalid("There are no sockets of this type"));
        }
        let socket = gio::Socket::new(family, type_, protocol)?;
        Ok(Self {
            socket,
            is_added: false,
        })
    }

    /// Of TCP, as GLib makes them from 2.86.0 on.
    fn tcp(family: SocketFamily) -> Result<Self, glib::Error> {
        let candidate = Self::new(family, SocketType::Stream, SocketProtocol::Default)?;
        candidate.socket.set_blocking(false);
        Ok(candidate)
    }

    pub(super) fn bind(
        &self,
        listener: &SocketListener,
        address: &gio::SocketAddress,
    ) -> Result<(), glib::Error> {
        self.tell(listener, Event::Binding)?;
        // Not by GIO, whose codes for it have changed.
        bind_to_listen(self.socket.as_raw_fd(), address)?;
        self.tell(listener, Event::Bound)
    }

    /// A handler has the socket, and may have closed it: its number is somebody else's then.
    pub(super) fn tell(&self, listener: &SocketListener, event: Event) -> Result<(), glib::Error> {
        listener.imp().emit(event, &self.socket);
        if self.socket.is_closed() {
            return Err(error::closed());
        }
        Ok(())
    }

    pub(super) fn listen(&self, listener: &SocketListener) -> Result<(), glib::Error> {
        self.tell(listener, Event::Listening)?;
        self.socket.listen()?;
        self.tell(listener, Event::Listened)
    }

    pub(super) fn take_backlog(&self, listener: &SocketListener) {
        self.socket.set_listen_backlog(listener.imp().backlog());
    }
}

/// Makes them the listener's, all or none.
fn add(
    listener: &SocketListener,
    candidates: &mut [Candidate],
    source_object: Option<&glib::Object>,
) -> Result<(), glib::Error> {
    let more: Vec<_> = candidates
        .iter()
        .map(|candidate| Listening::new(&candidate.socket, source_object, false))
        .collect();
    listener.imp().sockets.add(&more)?;
    for candidate in candidates {
        candidate.is_added = true;
    }
    listener.imp().changed();
    Ok(())
}

pub(super) fn add_socket(
    listener: &SocketListener,
    socket: &gio::Socket,
    source_object: Option<&glib::Object>,
) -> Result<(), glib::Error> {
    let imp = listener.imp();
    imp.sockets.check_open()?;
    if socket.is_closed() {
        return Err(error::failed("Added socket is closed"));
    }
    imp.sockets
        .add(&[Listening::new(socket, source_object, true)])?;
    imp.changed();
    Ok(())
}

pub(super) fn add_address(
    listener: &SocketListener,
    address: &gio::SocketAddress,
    type_: SocketType,
    protocol: SocketProtocol,
    source_object: Option<&glib::Object>,
) -> Result<gio::SocketAddress, glib::Error> {
    listener.imp().sockets.check_open()?;
    let candidate = Candidate::new(address.family(), type_, protocol)?;
    candidate.take_backlog(listener);
    candidate.bind(listener, address)?;
    candidate.listen(listener)?;
    let effective = candidate.socket.local_address()?;
    add(listener, &mut [candidate], source_object)?;
    Ok(effective)
}

fn any_address(family: SocketFamily, port: u16) -> gio::SocketAddress {
    gio::InetSocketAddress::new(&gio::InetAddress::new_any(family), port).upcast()
}

/// Whether IPv6 is of no use here, rather than taken or forbidden.
fn is_family_missing(failure: &glib::Error) -> bool {
    // The code of EADDRNOTAVAIL, and that of EAFNOSUPPORT.
    failure.matches(gio::IOErrorEnum::ConnectionRefused)
        || failure.matches(gio::IOErrorEnum::NotSupported)
}

/// A socket of IPv6 that is bound, or none where there is no IPv6.
fn bound_to_ipv6(
    listener: &SocketListener,
    port: u16,
    prepare: impl FnOnce(&Candidate),
) -> Result<Result<Candidate, glib::Error>, glib::Error> {
    let candidate = match Candidate::tcp(SocketFamily::Ipv6) {
        Ok(candidate) => candidate,
        Err(failure) => return Ok(Err(failure)),
    };
    prepare(&candidate);
    match candidate.bind(listener, &any_address(SocketFamily::Ipv6, port)) {
        Ok(()) => Ok(Ok(candidate)),
        Err(failure) if is_family_missing(&failure) => Ok(Err(failure)),
        Err(failure) => Err(failure),
    }
}

pub(super) fn add_inet_port(
    listener: &SocketListener,
    port: u16,
    source_object: Option<&glib::Object>,
) -> Result<(), glib::Error> {
    listener.imp().sockets.check_open()?;
    if port == 0 {
        return Err(error::invalid(
            "Port 0 stands for none: add_any_inet_port() finds one that is free",
        ));
    }
    let mut candidates = Vec::new();
    let six = bound_to_ipv6(listener, port, |candidate| candidate.take_backlog(listener))?;
    // One that has failed does not keep the port from the other family.
    let six = six.and_then(|candidate| candidate.listen(listener).map(|()| candidate));
    let failure = match six {
        Ok(candidate) => {
            let is_enough = candidate.socket.speaks_ipv4();
            candidates.push(candidate);
            if is_enough {
                return add(listener, &mut candidates, source_object);
            }
            None
        }
        Err(failure) => Some(failure),
    };
    match Candidate::tcp(SocketFamily::Ipv4) {
        Ok(candidate) => {
            candidate.take_backlog(listener);
            candidate.bind(listener, &any_address(SocketFamily::Ipv4, port))?;
            match (candidate.listen(listener), failure) {
                (Ok(()), _) => candidates.push(candidate),
                (Err(_), Some(failure)) => return Err(failure),
                // IPv6 listens.
                (Err(_), None) => {}
            }
        }
        Err(_) if !candidates.is_empty() => {}
        Err(own) => return Err(failure.unwrap_or(own)),
    }
    add(listener, &mut candidates, source_object)
}

pub(super) fn add_inet_port_in_range(
    listener: &SocketListener,
    ports: RangeInclusive<u16>,
    source_object: Option<&glib::Object>,
) -> Result<u16, glib::Error> {
    listener.imp().sockets.check_open()?;
    let mut failure = error::invalid("There is no port in this range");
    for port in ports {
        match add_inet_port(listener, port, source_object) {
            Ok(()) => return Ok(port),
            Err(taken) if taken.matches(gio::IOErrorEnum::AddressInUse) => failure = taken,
            Err(other) => return Err(other),
        }
    }
    Err(failure)
}

fn port_of(candidate: &Candidate) -> Result<u16, glib::Error> {
    let address = candidate.socket.local_address()?;
    address
        .downcast_ref::<gio::InetSocketAddress>()
        .map(InetSocketAddressExt::port)
        .ok_or_else(|| error::failed("A bound socket has no port"))
}

pub(super) fn add_any_inet_port(
    listener: &SocketListener,
    source_object: Option<&glib::Object>,
) -> Result<u16, glib::Error> {
    listener.imp().sockets.check_open()?;
    let (port, mut candidates) = bound_to_any_port(listener)?;
    let mut failure = None;
    candidates.retain(|candidate| {
        candidate.take_backlog(listener);
        match candidate.listen(listener) {
            Ok(()) => true,
            Err(own) => {
                // That of IPv6, which comes first.
                failure.get_or_insert(own);
                false
            }
        }
    });
    match failure {
        Some(failure) if candidates.is_empty() => Err(failure),
        _ => {
            add(listener, &mut candidates, source_object)?;
            Ok(port)
        }
    }
}

/// A port, and sockets in both families, if there are two, that have it.
fn bound_to_any_port(listener: &SocketListener) -> Result<(u16, Vec<Candidate>), glib::Error> {
    // Kept, so that each try is given another port.
    let mut others = Vec::new();
    loop {
        let Ok(six) = bound_to_ipv6(listener, 0, |_| {})? else {
            let candidate = Candidate::tcp(SocketFamily::Ipv4)?;
            candidate.bind(listener, &any_address(SocketFamily::Ipv4, 0))?;
            return Ok((port_of(&candidate)?, vec![candidate]));
        };
        let port = port_of(&six)?;
        if six.socket.speaks_ipv4() {
            return Ok((port, vec![six]));
        }
        let Ok(four) = Candidate::tcp(SocketFamily::Ipv4) else {
            return Ok((port, vec![six]));
        };
        match four.bind(listener, &any_address(SocketFamily::Ipv4, port)) {
            Ok(()) => return Ok((port, vec![six, four])),
            Err(failure) if others.len() + 1 >= TRIES => return Err(failure),
            Err(_) => others.push(six),
        }
    }
}

pub(super) fn addresses(listener: &SocketListener) -> Vec<gio::SocketAddress> {
    let sockets = listener.imp().sockets.see();
    sockets
        .all
        .iter()
        .filter_map(|listening| listening.address())
        .collect()
}

pub(super) fn remove_address(
    listener: &SocketListener,
    address: &gio::SocketAddress,
) -> Result<(), glib::Error> {
    let imp = listener.imp();
    imp.sockets.check_open()?;
    let native = NativeAddress::from_gio(address)?;
    let sockets = imp.sockets.see();
    let gone: Vec<Arc<Listening>> = sockets
        .all
        .iter()
        .filter(|listening| listening.is_at(&native))
        .cloned()
        .collect();
    if gone.is_empty() {
        return Err(glib::Error::new(
            gio::IOErrorEnum::NotFound,
            "The listener has no socket with this address",
        ));
    }
    imp.sockets.remove(&gone);
    for listening in gone {
        listening.close();
    }
    Ok(())
}
