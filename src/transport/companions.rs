//! Connections of ours that have one `GSocket` in common: when one of them closes it, it is closed once none of them uses it any
//! more, so that no call of another one meets a number that the kernel has given to somebody else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gio::prelude::*;

use super::Transport;
use crate::fork::{self, Birthplace};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Companions(Mutex<Company>);

#[derive(Debug, Default)]
struct Company {
    /// Those that may still use the number, by the address of their descriptor.
    members: Vec<(usize, Weak<Transport>)>,
    /// One of them has closed it.
    is_ending: bool,
}

impl Companions {
    fn company(&self) -> MutexGuard<'_, Company> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers whether it comes too late.
    fn add(&self, address: usize, member: Weak<Transport>) -> bool {
        let mut company = self.company();
        company.members.push((address, member));
        company.is_ending
    }

    /// The socket is to be closed: answers, once, those who are to end besides the one at this address.
    pub(super) fn end(&self, beside: usize) -> Vec<Arc<Transport>> {
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
        let mut company = self.company();
        let before = company.members.len();
        company.members.retain(|(member, _)| *member != address);
        company.is_ending && company.members.is_empty() && before != 0
    }
}

/// One that has a `GSocket`.
struct Owner {
    /// The address of the socket, which its descriptor keeps for as long as this stands here.
    socket: usize,
    /// That of the descriptor.
    descriptor: usize,
    transport: Weak<Transport>,
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
    let mut of_it = owners.iter().filter(|one| one.descriptor == descriptor);
    of_it.next()?.companions.clone()
}

/// The descriptor at this address is going.
pub(super) fn forget(socket: usize, descriptor: usize) -> Option<Arc<Companions>> {
    let mut owners = owners(socket)?;
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
        let descriptor = self.descriptor.address();
        let Some(mut owners) = owners(socket) else {
            return;
        };
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
        let this = || Arc::downgrade(self);
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
