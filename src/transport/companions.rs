//! Connections of ours that have one `GSocket` in common: when one of them closes it, it is closed once none of them uses it any
//! more, so that no call of another one meets a number that the kernel has given to somebody else.

use std::{
    mem::ManuallyDrop,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use gio::prelude::*;

use super::Transport;
use crate::fork::{self, Birthplace};

/// An address as the tables have it. What looks for leaks takes each word that is an address for a use of what is there: a connection
/// that nobody has any more would never be found by valgrind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unseen(usize);

impl Unseen {
    fn new(address: usize) -> Self {
        Self(!address)
    }
}

/// A weak reference as the tables have it.
#[derive(Debug)]
struct UnseenTransport(*const Transport);

impl UnseenTransport {
    fn new(transport: Weak<Transport>) -> Self {
        Self(Weak::into_raw(transport).map_addr(|address| !address))
    }

    fn seen(&self) -> ManuallyDrop<Weak<Transport>> {
        let transport = self.0.map_addr(|address| !address);
        // SAFETY: it comes from `into_raw`, and what that gave is given back in `drop` alone.
        ManuallyDrop::new(unsafe { Weak::from_raw(transport) })
    }

    fn upgrade(&self) -> Option<Arc<Transport>> {
        self.seen().upgrade()
    }
}

impl Clone for UnseenTransport {
    fn clone(&self) -> Self {
        Self::new(Weak::clone(&self.seen()))
    }
}

impl Drop for UnseenTransport {
    fn drop(&mut self) {
        drop(ManuallyDrop::into_inner(self.seen()));
    }
}

// SAFETY: it is a `Weak`, which may be sent where its transport may be used from all threads.
unsafe impl Send for UnseenTransport where Weak<Transport>: Send {}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Companions(Mutex<Company>);

#[derive(Debug, Default)]
struct Company {
    /// Those that may still use the number, by the address of their descriptor.
    members: Vec<(Unseen, UnseenTransport)>,
    /// One of them has closed it.
    is_ending: bool,
}

impl Companions {
    fn company(&self) -> MutexGuard<'_, Company> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers whether it comes too late.
    fn add(&self, address: Unseen, member: UnseenTransport) -> bool {
        let mut company = self.company();
        company.members.push((address, member));
        company.is_ending
    }

    /// The socket is to be closed: answers, once, those who are to end besides the one at this address.
    pub(super) fn end(&self, beside: usize) -> Vec<Arc<Transport>> {
        let beside = Unseen::new(beside);
        let mut company = self.company();
        if company.is_ending {
            return Vec::new();
        }
        company.is_ending = true;
        let others = company.members.iter();
        let others = others.filter(|(address, _)| *address != beside);
        others.filter_map(|(_, member)| member.upgrade()).collect()
    }

    /// The one at this address uses the number no more. Answers whether the socket is to be closed by who asks.
    pub(super) fn leave(&self, address: usize) -> bool {
        let address = Unseen::new(address);
        let mut company = self.company();
        let before = company.members.len();
        company.members.retain(|(member, _)| *member != address);
        company.is_ending && company.members.is_empty() && before != 0
    }
}

/// One that has a `GSocket`.
struct Owner {
    /// The address of the socket, which its descriptor keeps for as long as this stands here.
    socket: Unseen,
    /// That of the descriptor.
    descriptor: Unseen,
    transport: UnseenTransport,
    /// What a child process has from its parent is nobody's companion there.
    birthplace: Birthplace,
    /// None where it has always been alone.
    companions: Option<Arc<Companions>>,
}

/// A table of them that is cheap where each is alone. GObject's data of the socket would do, at ten times the cost. Nobody is kept by
/// a look at it: whoever lets go of the last reference gives up the socket, and that is for its own thread to do.
static OWNERS: [Mutex<Vec<Owner>>; SHARDS] = [const { Mutex::new(Vec::new()) }; SHARDS];
const SHARDS: usize = 1024;

/// Those of whose number the rest is this one. None in a child process in which a thread of its parent's is at it for ever.
fn owners(socket: usize) -> Option<MutexGuard<'static, Vec<Owner>>> {
    // Objects are hundreds of bytes apart.
    let shard = &OWNERS[(socket >> 6) % SHARDS];
    if fork::is_child() {
        return shard.try_lock().ok();
    }
    // Whole values are exchanged under it: a panic leaves nothing half done.
    Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Those that the descriptor at this address has, or had, the socket in common with.
pub(super) fn companions_of(socket: usize, descriptor: usize) -> Option<Arc<Companions>> {
    let owners = owners(socket)?;
    let descriptor = Unseen::new(descriptor);
    let mut of_it = owners.iter().filter(|one| one.descriptor == descriptor);
    of_it.next()?.companions.clone()
}

/// The descriptor at this address is going.
pub(super) fn forget(socket: usize, descriptor: usize) -> Option<Arc<Companions>> {
    let mut owners = owners(socket)?;
    let descriptor = Unseen::new(descriptor);
    let place = owners.iter().position(|one| one.descriptor == descriptor)?;
    let gone = owners.swap_remove(place);
    if owners.is_empty() {
        // What many had is not kept when they are gone.
        drop(std::mem::take(&mut *owners));
    }
    gone.companions
}

impl Transport {
    /// From now on others may find that this one has the `GSocket`; those that have it already are its companions.
    pub(super) fn meet_companions(self: &Arc<Self>, socket: &gio::Socket) {
        let socket = socket.as_ptr().addr();
        let Some(mut owners) = owners(socket) else {
            return;
        };
        let socket = Unseen::new(socket);
        let descriptor = Unseen::new(self.descriptor.address());
        let mut companions: Option<Arc<Companions>> = None;
        let is_met = |one: &&mut Owner| one.socket == socket && !one.birthplace.is_elsewhere();
        for other in owners.iter_mut().filter(is_met) {
            let companions = companions.get_or_insert_with(|| {
                let known = other.companions.clone();
                known.unwrap_or_default()
            });
            if other.companions.is_none() {
                companions.add(other.descriptor, other.transport.clone());
                other.companions = Some(companions.clone());
            }
        }
        let this = || UnseenTransport::new(Arc::downgrade(self));
        let is_late = match &companions {
            Some(companions) => companions.add(descriptor, this()),
            None => false,
        };
        owners.push(Owner {
            socket,
            descriptor,
            transport: this(),
            birthplace: Birthplace::here(),
            companions,
        });
        drop(owners);
        if is_late {
            let _ = self.close();
        }
    }
}
