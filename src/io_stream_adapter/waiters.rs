//! Who waits for one direction of a stream that remembers the last waker only.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
};

/// Wakes all of them. It is what the stream is polled with.
#[derive(Default)]
pub(super) struct Waiters(Mutex<State>);

#[derive(Default)]
struct State {
    all: Vec<Waker>,
    /// The main context in which the stream has said that it must be waited for, and nobody was woken since.
    blocked: Option<usize>,
}

/// A main context, as a number to compare.
pub(super) fn number_of(context: &glib::MainContext) -> usize {
    use glib::translate::ToGlibPtr;
    let pointer: *mut glib::ffi::GMainContext = context.to_glib_none().0;
    pointer.addr()
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a poll in `context`: the answer may be there before it returns.
    pub(super) fn begin(&self, waker: Option<&Waker>, context: usize) {
        let mut state = self.lock();
        state.blocked = Some(context);
        if let Some(waker) = waker
            && !state.all.iter().any(|known| known.will_wake(waker))
        {
            state.all.push(waker.clone());
        }
    }

    /// After one that has not to be waited for any more.
    pub(super) fn end(&self, waker: Option<&Waker>) {
        let mut state = self.lock();
        state.blocked = None;
        let at = waker.and_then(|waker| state.all.iter().position(|its| its.will_wake(waker)));
        let its = at.map(|at| state.all.swap_remove(at));
        drop(state);
        drop(its);
    }

    /// Whether a poll in `context` would be for nothing; if so, `waker` is woken when that changes.
    pub(super) fn is_blocked(&self, context: usize, waker: Option<&Waker>) -> bool {
        let mut state = self.lock();
        let is_blocked = state.blocked == Some(context);
        if is_blocked
            && let Some(waker) = waker
            && !state.all.iter().any(|known| known.will_wake(waker))
        {
            state.all.push(waker.clone());
        }
        is_blocked
    }

    /// `waker` is nobody's any more.
    pub(super) fn forget(&self, waker: &Waker) {
        let mut state = self.lock();
        let (its, others) = mem::take(&mut state.all)
            .into_iter()
            .partition(|known| known.will_wake(waker));
        state.all = others;
        drop(state);
        let its: Vec<Waker> = its;
        drop(its);
    }

    pub(super) fn wake_all(&self) {
        let all = {
            let mut state = self.lock();
            state.blocked = None;
            mem::take(&mut state.all)
        };
        all.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}
