//! How engines watch the descriptor.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{Transport, io::events_of};
use crate::{
    error,
    reactor::{Engine, Events, Interest, Observer, Purpose, Registration},
};

/// One for each engine that has waited for the descriptor, and the one at home.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    all: Vec<(Arc<Engine>, Arc<Registration>)>,
    /// The descriptor is closed, or about to be.
    ended: bool,
}

impl Registrations {
    fn of(&self, engine: &Arc<Engine>) -> Option<Arc<Registration>> {
        self.all
            .iter()
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
        // Its engine has ended, or begun anew after a fork.
        registrations
            .all
            .retain(|(known, _)| !Arc::ptr_eq(known, engine));
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
        registrations
            .all
            .push((engine.clone(), registration.clone()));
        Ok(registration)
    }

    /// From now on somebody else may close the descriptor.
    pub(super) fn watch_lent(self: &Arc<Self>) {
        let engines: Vec<_> = self
            .registrations()
            .all
            .iter()
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
        if self.registrations().all.is_empty() {
            return;
        }
        self.forget_registrations();
        self.watch_peer();
    }

    /// Whoever waits finds out for himself.
    pub(super) fn forget_registrations(&self) {
        let all = std::mem::take(&mut self.registrations().all);
        self.remove(all);
    }

    /// Likewise, and there will be no more of them.
    pub(super) fn end_registrations(&self) {
        let all = {
            let mut registrations = self.registrations();
            registrations.ended = true;
            std::mem::take(&mut registrations.all)
        };
        self.remove(all);
    }

    fn remove(&self, all: Vec<(Arc<Engine>, Arc<Registration>)>) {
        // Of a number that somebody else has closed nothing is known any more.
        let using = self.enter();
        for (engine, registration) in all {
            engine.remove(&registration, using.is_ok());
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
