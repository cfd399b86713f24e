//! The streams of an object, one of each direction for each of its classes.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use glib::prelude::*;

use crate::vfunc::Owned;

/// The streams of one direction, from the base class' to the object's own: a class may wrap what its
/// parent's made. Each is made once, by the thread that asks first.
pub(crate) struct Streams<T> {
    made: Mutex<Vec<(glib::Type, Stream<T>)>>,
    /// Somebody has finished making one.
    changed: Condvar,
}

enum Stream<T> {
    /// By the thread of this number, with no lock held.
    Making(usize),
    Made(Arc<Owned<T>>),
}

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self {
            made: Mutex::default(),
            changed: Condvar::new(),
        }
    }
}

impl<T: IsA<glib::Object>> Streams<T> {
    fn lock(&self) -> MutexGuard<'_, Vec<(glib::Type, Stream<T>)>> {
        // Elements are exchanged whole: a panic leaves nothing half done.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream of the class `type_`, from `make` the first time. A `make` that asks for the very
    /// stream it is making gets one of `otherwise`.
    pub(crate) fn get(
        &self,
        type_: glib::Type,
        otherwise: impl FnOnce() -> T,
        make: impl FnOnce() -> T,
    ) -> T {
        let here = glib::thread_guard::thread_id();
        let mut made = self.lock();
        loop {
            match made
                .iter()
                .find(|(of, _)| *of == type_)
                .map(|(_, stream)| stream)
            {
                Some(Stream::Made(stream)) => return stream.get().clone(),
                Some(Stream::Making(thread)) if *thread == here => {
                    drop(made);
                    return self.put(type_, otherwise());
                }
                Some(Stream::Making(_)) => {
                    made = self
                        .changed
                        .wait(made)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                None => break,
            }
        }
        made.push((type_, Stream::Making(here)));
        drop(made);
        self.put(type_, make())
    }

    /// Keeps `stream`, unless there is one by now; answers the one that is kept.
    fn put(&self, type_: glib::Type, stream: T) -> T {
        let mut made = self.lock();
        let Some((_, place)) = made.iter_mut().find(|(of, _)| *of == type_) else {
            return stream;
        };
        if let Stream::Made(kept) = place {
            let kept = kept.get().clone();
            // Outside the lock: it may be the last reference.
            drop(made);
            return kept;
        }
        *place = Stream::Made(Arc::new(Owned::new(stream.clone())));
        drop(made);
        self.changed.notify_all();
        stream
    }

    /// The stream of the class `type_`, if it was made.
    pub(super) fn known(&self, type_: glib::Type) -> Option<T> {
        self.lock().iter().find_map(|(of, stream)| match stream {
            Stream::Made(stream) if *of == type_ => Some(stream.get().clone()),
            _ => None,
        })
    }

    pub(super) fn all(&self) -> Vec<T> {
        let made = self.lock();
        let streams = made.iter().filter_map(|(_, stream)| match stream {
            Stream::Made(stream) => Some(stream.get().clone()),
            Stream::Making(_) => None,
        });
        streams.collect()
    }
}

impl<T> fmt::Debug for Streams<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}
