//! The streams of an object, one of each direction for each of its classes.

use std::{
    fmt,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use glib::prelude::*;
use once_cell::sync::OnceCell;

use crate::{thread, vfunc::Owned};

/// From the base class' streams to those of the object's own class: a class may wrap what its
/// parent's made. Each is made once, by the thread that asks first; others wait for it, unless it
/// waits for them.
#[derive(Default)]
pub(crate) struct Streams(
    /// Many a connection is used without them.
    OnceCell<Box<Shared>>,
);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Somebody has finished making one.
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct State {
    inputs: Vec<(glib::Type, Stream<gio::InputStream>)>,
    outputs: Vec<(glib::Type, Stream<gio::OutputStream>)>,
    /// Which thread waits for which to make a stream.
    waiting: Vec<(usize, usize)>,
    /// What was handed out in place of a stream that could not be waited for; C has borrowed it.
    spares: Vec<Owned<glib::Object>>,
}

pub(crate) enum Stream<T> {
    /// By the thread of this number, with no lock held.
    Making(usize),
    Made(Owned<T>),
}

/// One of the two directions.
pub(crate) trait Side: IsA<glib::Object> {
    fn list(state: &mut State) -> &mut Vec<(glib::Type, Stream<Self>)>;
}

impl Side for gio::InputStream {
    fn list(state: &mut State) -> &mut Vec<(glib::Type, Stream<Self>)> {
        &mut state.inputs
    }
}

impl Side for gio::OutputStream {
    fn list(state: &mut State) -> &mut Vec<(glib::Type, Stream<Self>)> {
        &mut state.outputs
    }
}

impl State {
    fn place<T: Side>(&mut self, type_: glib::Type) -> Option<&mut Stream<T>> {
        T::list(self)
            .iter_mut()
            .find(|(of, _)| *of == type_)
            .map(|(_, stream)| stream)
    }

    /// Whether `thread` waits for `other`, or for one that does.
    fn waits_for(&self, thread: usize, other: usize) -> bool {
        let mut at = thread;
        // Chains have no rings: nobody waits who would close one.
        while at != other {
            match self.waiting.iter().find(|(waiter, _)| *waiter == at) {
                Some((_, maker)) => at = *maker,
                None => return false,
            }
        }
        true
    }
}

impl Streams {
    fn shared(&self) -> &Shared {
        self.0.get_or_init(Box::default)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Elements are exchanged whole: a panic leaves nothing half done.
        self.shared()
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream of the class `type_`, from `make` the first time. Who asks while making it, or
    /// while its maker waits for him, gets one of `otherwise`.
    pub(crate) fn get<T: Side>(
        &self,
        type_: glib::Type,
        otherwise: impl FnOnce() -> T,
        make: impl FnOnce() -> T,
    ) -> T {
        let here = thread::here();
        let mut state = self.lock();
        loop {
            let maker = match state.place::<T>(type_) {
                Some(Stream::Made(stream)) => return stream.get().clone(),
                Some(Stream::Making(maker)) => *maker,
                None => break,
            };
            if state.waits_for(maker, here) {
                drop(state);
                let spare = otherwise();
                self.lock().spares.push(Owned::new(spare.clone().upcast()));
                return spare;
            }
            state.waiting.push((here, maker));
            state = self
                .shared()
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.waiting.retain(|(waiter, _)| *waiter != here);
        }
        let list = T::list(&mut state);
        // Nearly always there is one.
        list.reserve_exact(1);
        list.push((type_, Stream::Making(here)));
        drop(state);
        let stream = make();
        if let Some(place) = self.lock().place::<T>(type_) {
            *place = Stream::Made(Owned::new(stream.clone()));
        }
        self.shared().changed.notify_all();
        stream
    }

    /// The stream of the class `type_`, if it was made.
    pub(super) fn known<T: Side>(&self, type_: glib::Type) -> Option<T> {
        self.0.get()?;
        match self.lock().place::<T>(type_) {
            Some(Stream::Made(stream)) => Some(stream.get().clone()),
            _ => None,
        }
    }

    pub(super) fn all<T: Side>(&self) -> Vec<T> {
        if self.0.get().is_none() {
            return Vec::new();
        }
        let mut state = self.lock();
        let streams = T::list(&mut state)
            .iter()
            .filter_map(|(_, stream)| match stream {
                Stream::Made(stream) => Some(stream.get().clone()),
                Stream::Making(_) => None,
            });
        streams.collect()
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}
