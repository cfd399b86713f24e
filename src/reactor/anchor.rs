//! A main context that is known without being kept alive.
//!
//! GLib has no weak reference to a context, but a context that goes drops the closures of its
//! sources: one source in it, shared by all who know it, tells when.

#![allow(
    unsafe_code,
    reason = "a pointer to a context, valid until its sources have gone"
)]

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use glib::translate::ToGlibPtr;
use once_cell::sync::Lazy;

use super::Source;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Anchor(Arc<Ground>);

struct Ground {
    /// NULL once the context has gone.
    context: Mutex<*mut glib::ffi::GMainContext>,
    source: Source,
}

// SAFETY: the pointer is used under its lock only. The context clears it, under the lock, while it
// goes, and is not freed before.
unsafe impl Send for Ground {}
// SAFETY: likewise.
unsafe impl Sync for Ground {}

/// By address of the context. An address that is used anew has a new anchor.
static GROUNDS: Lazy<Mutex<HashMap<usize, Weak<Ground>>>> = Lazy::new(Mutex::default);

fn grounds() -> MutexGuard<'static, HashMap<usize, Weak<Ground>>> {
    // Whole entries are exchanged: a panic leaves nothing half done.
    GROUNDS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Anchor {
    pub(crate) fn of(context: &glib::MainContext) -> Self {
        let pointer: *mut glib::ffi::GMainContext = context.to_glib_none().0;
        let known = grounds().get(&pointer.addr()).cloned();
        // Outside the lock: it may turn out to be the last reference.
        if let Some(ground) = known.and_then(|ground| ground.upgrade())
            && !ground.context().is_null()
        {
            return Self(ground);
        }
        let ground = Arc::new_cyclic(|weak: &Weak<Ground>| {
            let cut = Cut(weak.clone());
            let source = Source::new(glib::Priority::LOW, move |_| {
                let _with_the_source = &cut;
                true
            });
            Ground {
                context: Mutex::new(pointer),
                source,
            }
        });
        ground.source.attach(context);
        grounds().insert(pointer.addr(), Arc::downgrade(&ground));
        Self(ground)
    }

    /// Attaches `source` to the context, unless that has gone: answers whether it could.
    pub(crate) fn attach(&self, source: &Source) -> bool {
        let context = self.0.context();
        if context.is_null() {
            return false;
        }
        // SAFETY: not freed while its pointer stands here, under the lock; a source of ours that is
        // not attached yet.
        unsafe { glib::ffi::g_source_attach(source.as_ptr(), *context) };
        true
    }
}

impl Ground {
    fn context(&self) -> MutexGuard<'_, *mut glib::ffi::GMainContext> {
        self.context.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.source.destroy();
        let pointer = *self.context();
        let mut grounds = grounds();
        if grounds
            .get(&pointer.addr())
            .is_some_and(|ground| ground.strong_count() == 0)
        {
            grounds.remove(&pointer.addr());
        }
    }
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground")
            .field("context", &*self.context())
            .finish_non_exhaustive()
    }
}

/// Part of the source's closure: dropped with the source, and so by a context that goes.
struct Cut(Weak<Ground>);

impl Drop for Cut {
    fn drop(&mut self) {
        if let Some(ground) = self.0.upgrade() {
            let mut context = ground.context();
            let gone = std::mem::replace(&mut *context, std::ptr::null_mut());
            drop(context);
            let mut grounds = grounds();
            if grounds
                .get(&gone.addr())
                .is_some_and(|known| std::ptr::eq(known.as_ptr(), &*ground))
            {
                grounds.remove(&gone.addr());
            }
            drop(grounds);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn an_anchor_does_not_keep_its_context_and_attaches_nothing_afterwards() {
        let context = glib::MainContext::new();
        let anchor = Anchor::of(&context);
        let ran = Arc::new(AtomicBool::new(false));
        let seen = ran.clone();
        let source = Source::new(glib::Priority::DEFAULT, move |_| {
            seen.store(true, Ordering::Relaxed);
            false
        });
        source.set_ready_time(Some(0));
        assert!(anchor.attach(&source));
        context.iteration(false);
        assert!(ran.load(Ordering::Relaxed));
        drop(context);
        assert!(!anchor.attach(&Source::new(glib::Priority::DEFAULT, |_| false)));
    }

    #[test]
    fn one_context_has_one_anchor_for_as_long_as_somebody_holds_it() {
        let context = glib::MainContext::new();
        let anchor = Anchor::of(&context);
        assert!(Arc::ptr_eq(&anchor.0, &Anchor::of(&context).0));
        let pointer: *mut glib::ffi::GMainContext = context.to_glib_none().0;
        assert!(grounds().contains_key(&pointer.addr()));
        drop(anchor);
        assert!(!grounds().contains_key(&pointer.addr()));
        assert!(!context.pending());
    }
}
