//! Where the addresses come from.
//!
//! `GNetworkAddress` and `GNetworkService` are resolved here, both families at once; every other
//! connectable has an enumerator of its own.

mod targets;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use gio::{ResolverNameLookupFlags as Only, SocketFamily, prelude::*};
use once_cell::sync::Lazy;

use self::targets::{Target, has_unreadable_login, is_direct, is_loopback, targets_of};
use super::{
    answers::{self, Answer},
    calls::{enumerate, has_async_next, knows_proxies},
    race::{Candidate, Family, Lookup, Moment, Race},
};
use crate::error;

pub(super) type Addresses = Race<gio::SocketAddress, glib::Error>;

/// What a source is to heed.
#[derive(Debug)]
pub(super) struct Wishes {
    /// The family that the sockets are going to have, if that is known.
    pub(super) family: Option<SocketFamily>,
    /// Whether proxies are used, and the resolver that was set to name them.
    pub(super) proxies: Option<Option<gio::ProxyResolver>>,
    pub(super) is_blocking: bool,
}

/// The next call of a blocking `next()`, which is made where user code may run.
pub(super) type BlockingNext = gio::SocketAddressEnumerator;

/// See the module's documentation.
pub(super) struct Source {
    wishes: Wishes,
    /// To be looked up first, once.
    service: Option<gio::NetworkService>,
    service_lookup: Option<(gio::NetworkService, Answer<Vec<gio::SrvTarget>>)>,
    targets: VecDeque<Target>,
    /// Of the target that is being looked at.
    rank: u32,
    proxy_lookup: Option<(Target, Answer<Vec<glib::GString>>)>,
    lookups: Vec<(Lookup, u16, Answer<Vec<gio::InetAddress>>)>,
    count: u32,
    enumerator: Option<gio::SocketAddressEnumerator>,
    /// The resolver is asked for each address that it names.
    asks_for_each: bool,
    /// Such an address, until the next poll: its answer is to come where those come.
    named: Option<Target>,
    /// The one that has named the address whose proxies `enumerator` has now, and whether it blocks.
    outer: Option<(gio::SocketAddressEnumerator, bool)>,
    /// Why a target has no more addresses, to tell if there are none at all.
    failure: Option<glib::Error>,
    next: Option<Answer<Option<gio::SocketAddress>>>,
    /// Its enumerator has no way of its own not to block.
    blocks: bool,
    /// The enumerator has named a proxy.
    has_proxy: bool,
    /// And, behind that, an address without one, which waits until all proxies have failed.
    direct: Option<Candidate<gio::SocketAddress>>,
}

impl Source {
    /// Calls the connectable.
    ///
    /// # Errors
    ///
    /// `Failed` for a connectable that has no enumerator.
    pub(super) fn new(
        connectable: &gio::SocketConnectable,
        wishes: Wishes,
    ) -> Result<Self, glib::Error> {
        let mut source = Self {
            service: None,
            service_lookup: None,
            targets: VecDeque::new(),
            rank: 0,
            proxy_lookup: None,
            lookups: Vec::new(),
            count: 0,
            enumerator: None,
            asks_for_each: false,
            named: None,
            outer: None,
            failure: None,
            next: None,
            blocks: false,
            has_proxy: false,
            direct: None,
            wishes,
        };
        let type_ = connectable.type_();
        // Exactly these: what derives from them may enumerate otherwise.
        if type_ == gio::NetworkAddress::static_type() {
            let name = connectable.downcast_ref().cloned();
            source.targets.extend(name.map(Target::Name));
        } else if type_ == gio::NetworkService::static_type() {
            source.service = connectable.downcast_ref().cloned();
        } else if type_ == gio::InetSocketAddress::static_type()
            || type_ == gio::UnixSocketAddress::static_type()
        {
            let address = connectable.downcast_ref().cloned();
            source.targets.extend(address.map(Target::Address));
        } else {
            source.use_enumerator_of(connectable)?;
            // A program that has set a resolver counts on it: nobody is to go past its proxies unasked.
            let has_resolver = matches!(&source.wishes.proxies, Some(Some(_)));
            source.asks_for_each = has_resolver && !knows_proxies(connectable);
        }
        Ok(source)
    }

    fn use_enumerator_of(
        &mut self,
        connectable: &gio::SocketConnectable,
    ) -> Result<(), glib::Error> {
        let enumerator = enumerate(connectable, self.wishes.proxies.is_some())
            .ok_or_else(|| error::failed("The connectable has no addresses to enumerate"))?;
        if let Some(Some(resolver)) = &self.wishes.proxies
            && enumerator.is::<gio::ProxyAddressEnumerator>()
        {
            enumerator.set_property("proxy-resolver", resolver);
        }
        self.blocks = self.wishes.is_blocking && !has_async_next(&enumerator);
        self.enumerator = Some(enumerator);
        Ok(())
    }

    /// Whether asking for an address keeps everything else from going on.
    pub(super) fn blocks(&self) -> bool {
        self.blocks
    }

    /// Does what [`Step::More`](super::race::Step::More) asks for, or answers whose `next()` is to be called.
    pub(super) fn more(&mut self, race: &mut Addresses) -> Option<BlockingNext> {
        if let Some(enumerator) = &self.enumerator {
            if self.blocks {
                return Some(enumerator.clone());
            }
            self.next = Some(answers::next_of(enumerator));
        } else if let Some(service) = self.service.take() {
            let lookup = answers::targets_of(&gio::Resolver::default(), &service);
            self.service_lookup = Some((service, lookup));
        } else if let Some(target) = self.targets.pop_front() {
            self.rank += 1;
            self.look_at(target, race);
        } else {
            race.no_more(self.failure.take());
        }
        None
    }

    fn look_at(&mut self, target: Target, race: &mut Addresses) {
        let Some(resolver) = &self.wishes.proxies else {
            return self.open(target, race);
        };
        let resolver = resolver.clone().unwrap_or_else(gio::ProxyResolver::default);
        // The one that is there when there is no other: it knows of none.
        let uri = (resolver.type_().name() != "GDummyProxyResolver")
            .then(|| target.uri())
            .flatten();
        match uri {
            None => self.open(target, race),
            Some(uri) => self.proxy_lookup = Some((target, answers::proxies_for(&resolver, &uri))),
        }
    }

    /// Without a proxy.
    fn open(&mut self, target: Target, race: &mut Addresses) {
        let name = match target {
            Target::Address(address) => return race.more(Some(self.candidate(address))),
            Target::Name(name) => name,
        };
        let (host, port) = (name.hostname(), name.port());
        if let Some(address) = gio::InetSocketAddress::from_string(&host, u32::from(port)) {
            return race.more(Some(self.candidate(address.upcast())));
        }
        if is_loopback(&host) {
            return self.open_loopback(port, race);
        }
        let resolver = gio::Resolver::default();
        for (family, only) in [
            (SocketFamily::Ipv6, Only::IPV6_ONLY),
            (SocketFamily::Ipv4, Only::IPV4_ONLY),
        ] {
            if self.is_wanted(family) {
                self.count += 1;
                let lookup = Lookup(self.count);
                race.expect(lookup, family == SocketFamily::Ipv6);
                let answer = answers::addresses_of(&resolver, &host, only);
                self.lookups.push((lookup, port, answer));
            }
        }
        race.more(None);
    }

    fn is_wanted(&self, family: SocketFamily) -> bool {
        match self.wishes.family {
            Some(wanted @ (SocketFamily::Ipv4 | SocketFamily::Ipv6)) => wanted == family,
            _ => true,
        }
    }

    /// What `GResolver` answers itself, whichever resolver is set: there is nothing to ask or to wait for.
    fn open_loopback(&mut self, port: u16, race: &mut Addresses) {
        self.count += 1;
        let lookup = Lookup(self.count);
        race.expect(lookup, false);
        race.more(None);
        // Never changed, so that one of each will do.
        static LOOPBACKS: Lazy<[gio::InetAddress; 2]> = Lazy::new(|| {
            [SocketFamily::Ipv6, SocketFamily::Ipv4].map(gio::InetAddress::new_loopback)
        });
        let found = LOOPBACKS
            .iter()
            .filter(|address| self.is_wanted(address.family()))
            .map(|address| gio::InetSocketAddress::new(address, port).upcast())
            .map(|address| self.candidate(address))
            .collect();
        race.answered(lookup, Ok(found), glib::monotonic_time());
    }

    fn candidate(&self, address: gio::SocketAddress) -> Candidate<gio::SocketAddress> {
        Candidate {
            family: match address.family() {
                SocketFamily::Ipv6 => Family::Ipv6,
                SocketFamily::Ipv4 => Family::Ipv4,
                _ => Family::Other,
            },
            rank: self.rank,
            address,
        }
    }

    /// Tells the race what has been answered.
    pub(super) fn poll(&mut self, race: &mut Addresses, cx: &mut Context<'_>, now: Moment) {
        if let Some((_, answer)) = &mut self.service_lookup
            && let Poll::Ready(found) = Pin::new(answer).poll(cx)
            && let Some((service, _)) = self.service_lookup.take()
        {
            match targets_of(&service, found) {
                Ok(targets) => {
                    self.targets = targets.into();
                    race.more(None);
                }
                Err(failure) => race.no_more(Some(failure)),
            }
        }
        if let Some(answer) = &mut self.next
            && let Poll::Ready(next) = Pin::new(answer).poll(cx)
        {
            self.next = None;
            self.enumerated(next, race);
        }
        if let Some(target) = self.named.take() {
            self.look_at(target, race);
        }
        if let Some((_, answer)) = &mut self.proxy_lookup
            && let Poll::Ready(uris) = Pin::new(answer).poll(cx)
            && let Some((target, _)) = self.proxy_lookup.take()
        {
            let used = match uris {
                Ok(uris) if is_direct(&uris) => {
                    self.open(target, race);
                    Ok(())
                }
                Ok(uris) if has_unreadable_login(&uris) => Err(error::failed(
                    "The URI of a proxy cannot be read, and is not repeated: it has a login in it",
                )),
                // GIO's enumerator pairs the proxies with the addresses.
                uris => {
                    let outer = self.enumerator.take();
                    self.outer = outer.map(|outer| (outer, self.blocks));
                    uris.and_then(|_| self.use_enumerator_of(target.connectable()))
                        .map(|()| race.more(None))
                }
            };
            if let Err(failure) = used {
                // Of this target, as if it had no address.
                self.enumerated(Err(failure), race);
            }
        }
        // In the order in which they were begun, which is that of two answers that are there at once.
        let mut at = 0;
        while let Some((lookup, port, answer)) = self.lookups.get_mut(at) {
            let (lookup, port) = (*lookup, *port);
            let Poll::Ready(found) = Pin::new(answer).poll(cx) else {
                at += 1;
                continue;
            };
            drop(self.lookups.remove(at));
            let found = found.map(|found| {
                found
                    .iter()
                    .map(|address| gio::InetSocketAddress::new(address, port).upcast())
                    .map(|address| self.candidate(address))
                    .collect()
            });
            race.answered(lookup, found, now);
        }
    }

    /// Nothing is under way any more: if an address has waited for that, its time has come.
    pub(super) fn go_direct(&mut self, race: &mut Addresses) -> bool {
        let direct = self.direct.take();
        let has_one = direct.is_some();
        if has_one {
            race.more(direct);
        }
        has_one
    }

    /// An enumerator has answered.
    pub(super) fn enumerated(
        &mut self,
        next: Result<Option<gio::SocketAddress>, glib::Error>,
        race: &mut Addresses,
    ) {
        let is_inner = self.outer.is_some() || !self.targets.is_empty();
        match next {
            Ok(Some(address)) => {
                let is_proxy = address.is::<gio::ProxyAddress>();
                if self.asks_for_each && self.outer.is_none() && !is_proxy {
                    self.named = Some(Target::Address(address));
                    return;
                }
                let candidate = self.candidate(address);
                if self.has_proxy && !is_proxy {
                    self.direct = Some(candidate);
                    return;
                }
                self.has_proxy |= is_proxy;
                race.more(Some(candidate));
            }
            // The proxies of one address or of one target of a service are used up: on to the next one.
            Ok(None) | Err(_) if is_inner => {
                self.failure = next.err().or_else(|| self.failure.take());
                let outer = self.outer.take();
                self.blocks = outer.as_ref().is_some_and(|(_, blocks)| *blocks);
                self.enumerator = outer.map(|(outer, _)| outer);
                self.has_proxy = false;
                race.more(None);
            }
            Ok(None) => race.no_more(self.failure.take()),
            Err(failure) => race.no_more(Some(failure)),
        }
    }
}
