//! How engines watch the descriptor.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{Transport, io::events_of};
use crate::{
    error,
    reactor::{Engine, Events, Interest, Observer, Purpose, Registration},
};

type Watched = (Arc<Engine>, Arc<Registration>);

/// One for each engine that has waited for the descriptor, and the one at home.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    /// Nearly always there is one.
    first: Option<Watched>,
    others: Vec<Watched>,
    /// The descriptor is closed, or about to be.
    ended: bool,
}

impl Registrations {
    fn all(&self) -> impl Iterator<Item = &Watched> {
        self.first.iter().chain(&self.others)
    }

    fn add(&mut self, watched: Watched) {
        if self.first.is_none() {
            self.first = Some(watched);
        } else {
            self.others.push(watched);
        }
    }

    fn take_all(&mut self) -> impl Iterator<Item = Watched> + use<> {
        self.first
            .take()
            .into_iter()
            .chain(mem::take(&mut self.others))
    }

    /// Those whose engine has ended, or begun anew after a fork. To be dropped without the lock.
    fn take_ended(&mut self) -> Vec<Watched> {
        let first = self
            .first
            .take_if(|(_, registration)| registration.is_ended());
        let others = self
            .others
            .extract_if(.., |(_, registration)| registration.is_ended());
        first.into_iter().chain(others).collect()
    }

    fn of(&self, engine: &Arc<Engine>) -> Option<Arc<Registration>> {
        self.all()
            .find(|(known, registration)| Arc::ptr_eq(known, engine) && !registration.is_ended())
            .map(|(_, registration)| registration.clone())
    }
}

impl Transport {
    fn registrations(&self) -> MutexGuard<'_, Registrations> {
        let registrations: &Mutex<Registrations> = &self.registrations;
        // Whole values are exchanged under it: a panic leaves nothing half done.
        registrations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How `engine` watches the descriptor, if it does.
    pub(crate) fn known_registration(&self, engine: &Arc<Engine>) -> Option<Arc<Registration>> {
        self.registrations().of(engine)
    }

    /// How `engine` watches the descriptor, which begins now if it does not yet: for one who has found that
    /// it is not ready for `interest`.
    ///
    /// # Errors
    ///
    /// Those of [`enter`](Self::enter).
    pub(crate) fn registration(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        interest: Interest,
    ) -> Result<Arc<Registration>, glib::Error> {
        self.registered(engine, Purpose::Wait(interest))
    }

    fn registered(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        purpose: Purpose,
    ) -> Result<Arc<Registration>, glib::Error> {
        // Before the lock: in a child process it ends what there was.
        engine.look_at_birthplace();
        let mut registrations = self.registrations();
        if let Some(known) = registrations.of(engine) {
            return Ok(known);
        }
        if registrations.ended {
            return Err(error::closed());
        }
        let using = self.enter()?;
        let observer: Weak<dyn Observer> = Arc::<Self>::downgrade(self);
        if self.descriptor.is_lent() {
            engine.watch_lent(observer.clone());
        }
        // Under the lock: an engine watches a descriptor once.
        let registration = engine.register(using.fd(), observer, purpose);
        let ended = registrations.take_ended();
        registrations.add((engine.clone(), registration.clone()));
        drop(registrations);
        drop(ended);
        Ok(registration)
    }

    /// From now on somebody else may close the descriptor.
    pub(super) fn watch_lent(self: &Arc<Self>) {
        let engines: Vec<_> = self
            .registrations()
            .all()
            .map(|(engine, _)| engine.clone())
            .collect();
        for engine in engines {
            let observer: Weak<dyn Observer> = Arc::<Self>::downgrade(self);
            engine.watch_lent(observer);
        }
    }

    /// Has home see the peer's FIN or reset without a read.
    pub(super) fn watch_peer(self: &Arc<Self>) {
        let engine = self.notifier.home().engine;
        let Ok(registration) = self.registered(&engine, Purpose::Watch) else {
            return;
        };
        if engine.watch(&registration) {
            // It has come already, while nobody wanted to know.
            let events = self
                .enter()
                .map_or(Events::NONE, |using| events_of(using.fd(), Events::GONE));
            self.departed(events);
        }
    }

    /// The connection has another home: the peer is watched from there.
    pub(crate) fn move_watch(self: &Arc<Self>) {
        if self.registrations().all().next().is_none() {
            return;
        }
        self.forget_registrations();
        self.watch_peer();
    }

    /// Whoever waits finds out for himself.
    pub(super) fn forget_registrations(&self) {
        let all = self.registrations().take_all();
        self.remove(all);
    }

    /// Likewise, and there will be no more of them.
    pub(super) fn end_registrations(&self) {
        let all = {
            let mut registrations = self.registrations();
            registrations.ended = true;
            registrations.take_all()
        };
        self.remove(all);
    }

    fn remove(&self, all: impl Iterator<Item = Watched>) {
        // Of a number that somebody else has closed nothing is known any more.
        let using = self.descriptor.enter().filter(|_| !self.is_inherited());
        for (engine, registration) in all {
            engine.remove(&registration, using.is_some());
        }
    }
}

impl Observer for Transport {
    fn departed(&self, events: Events) {
        if self.is_inherited() {
            return;
        }
        let Ok(using) = self.enter() else {
            // Somebody closed the GSocket without us; after a close of ours this does nothing.
            let _ = self.close();
            return;
        };
        if !self.gone(events, &using) {
            // Our own shutdown of the reading side, or a queue of notes.
            return;
        }
        // Left for the next read or write to collect; here it only says that there is one.
        let failure = events.has(Events::ERROR).then(|| {
            glib::Error::new(
                error::CONNECTION_CLOSED,
                "The peer reset the connection or stopped answering",
            )
        });
        drop(using);
        self.lost(failure, true);
    }

    fn is_gone(&self) -> bool {
        self.descriptor.is_stranded()
    }

    fn found_gone(&self) {
        let _ = self.close();
    }
}
