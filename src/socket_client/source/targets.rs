//! What addresses are looked for, and what a proxy resolver is asked of it.

use gio::prelude::*;

/// A name or an address.
pub(super) enum Target {
    Name(gio::NetworkAddress),
    Address(gio::SocketAddress),
}

impl Target {
    /// What is asked of a proxy resolver, for what may have a proxy.
    pub(super) fn uri(&self) -> Option<String> {
        let (scheme, host, port) = match self {
            Self::Name(name) => (name.scheme(), name.hostname().to_string(), name.port()),
            Self::Address(address) => {
                let address = address.downcast_ref::<gio::InetSocketAddress>()?;
                let host = InetAddressExt::to_str(&address.address()).to_string();
                (None, host, address.port())
            }
        };
        let scheme = scheme.as_deref().unwrap_or("none").to_owned();
        let uri = glib::Uri::join(
            glib::UriFlags::NONE,
            Some(&scheme),
            None,
            Some(&host),
            i32::from(port),
            "",
            None,
            None,
        );
        Some(uri.to_string())
    }

    pub(super) fn connectable(&self) -> &gio::SocketConnectable {
        match self {
            Self::Name(name) => name.upcast_ref(),
            Self::Address(address) => address.upcast_ref(),
        }
    }
}

/// The targets of a service, or its domain itself where it has none but its port is known.
pub(super) fn targets_of(
    service: &gio::NetworkService,
    found: Result<Vec<gio::SrvTarget>, glib::Error>,
) -> Result<Vec<Target>, glib::Error> {
    let target = |host: &str, port: u16| {
        let name = glib::Object::builder::<gio::NetworkAddress>()
            .property("hostname", host)
            .property("port", u32::from(port))
            .property("scheme", service.scheme())
            .build();
        Target::Name(name)
    };
    match found {
        Ok(found) => Ok(found
            .into_iter()
            .map(|mut found| target(&found.hostname(), found.port()))
            .collect()),
        Err(failure) if failure.matches(gio::ResolverError::NotFound) => {
            let port = port_of(&service.service()).ok_or(failure)?;
            Ok(vec![target(&service.domain(), port)])
        }
        Err(failure) => Err(failure),
    }
}

/// The port of a service's name, as the system knows it.
fn port_of(service: &str) -> Option<u16> {
    let is_name = service.bytes().any(|byte| !byte.is_ascii_digit());
    // Who parses addresses knows the names.
    let parsed = is_name.then(|| gio::NetworkAddress::parse(&format!("host:{service}"), 0));
    parsed?.ok().map(|parsed| parsed.port())
}

/// Whether a name is this machine, by RFC 6761.
pub(super) fn is_loopback(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let parent = name.rsplit('.').next().unwrap_or(name);
    parent.eq_ignore_ascii_case("localhost")
}

pub(super) fn is_direct(uris: &[glib::GString]) -> bool {
    !uris.is_empty() && uris.iter().all(|uri| uri.starts_with("direct:"))
}

/// Whether one of these names a login in a way that nobody can read: GIO would warn of it, or look a part of it up, with the
/// password in what it says.
pub(super) fn has_unreadable_login(uris: &[glib::GString]) -> bool {
    uris.iter().filter(|uri| uri.contains('@')).any(|uri| {
        let authority = uri.split_once("://").map_or(uri.as_str(), |(_, rest)| rest);
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        // An at sign that belongs to a password stands there as %40.
        authority.matches('@').count() > 1
            || glib::Uri::is_valid(uri, glib::UriFlags::NONE).is_err()
    })
}
