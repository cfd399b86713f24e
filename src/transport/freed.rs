//! Word of a descriptor that was closed here, for who found that there was none to be had.
//!
//! It is a hint: most descriptors of a process are closed by others, of whom nobody hears. As long as nobody waits
//! for it, closing one costs a look at an integer.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Waker,
};

use crate::reactor::wake;

struct Waiting {
    waker: Waker,
    came: Arc<AtomicBool>,
}

static WAITING: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());
/// Its length, readable without the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn waiting() -> MutexGuard<'static, Vec<Waiting>> {
    // Whole values are exchanged under it: a panic leaves nothing half done.
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who waits, until this is dropped.
#[derive(Debug)]
pub(crate) struct Freed(Arc<AtomicBool>);

impl Freed {
    /// Wakes `waker` once, when a descriptor is closed from now on.
    pub(crate) fn wake(waker: &Waker) -> Self {
        let came = Arc::new(AtomicBool::new(false));
        let one = Waiting {
            waker: waker.clone(),
            came: came.clone(),
        };
        let mut waiting = waiting();
        waiting.push(one);
        COUNT.store(waiting.len(), Ordering::Release);
        Self(came)
    }

    /// Whether that has happened.
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Freed {
    fn drop(&mut self) {
        if self.came() {
            return;
        }
        let gone = {
            let mut waiting = waiting();
            let at = waiting
                .iter()
                .position(|one| Arc::ptr_eq(&one.came, &self.0));
            let gone = at.map(|at| waiting.swap_remove(at));
            COUNT.store(waiting.len(), Ordering::Release);
            gone
        };
        drop(gone);
    }
}

/// A descriptor was closed. No lock may be held by the caller.
pub(super) fn tell() {
    if COUNT.load(Ordering::Acquire) == 0 {
        return;
    }
    let told = {
        let mut waiting = waiting();
        COUNT.store(0, Ordering::Release);
        mem::take(&mut *waiting)
    };
    for one in told {
        one.came.store(true, Ordering::Release);
        wake(one.waker);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Calls(AtomicUsize);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_waits_is_woken_once_and_who_has_gone_is_not() {
        let calls = Arc::new(Calls::default());
        let waker = Waker::from(calls.clone());
        let (one, other) = (Freed::wake(&waker), Freed::wake(&waker));
        assert!(!one.came());
        drop(other);
        // Descriptors of other tests may be closed meanwhile, which is word as good as this.
        tell();
        tell();
        assert!(one.came());
        drop(one);
        tell();
        assert!((1..=2).contains(&calls.0.load(Ordering::SeqCst)));
        assert_eq!(Arc::strong_count(&calls), 2);
    }
}
