//! The poll function of a context that waits by the poller itself: opt-in.
//!
//! Usually a context polls two descriptors, the poller's and the one by which GLib wakes it, and then the
//! collector asks the poller what has happened. If the poller watches the other one as well, waiting on it says all
//! that at once; what it says is kept for the collector. Whatever else there is to poll is left to the function that
//! was there before.
//!
//! GLib does not tell a poll function whose it is. What was there before is therefore told by the function itself,
//! of which there are as many as there may be different ones before; and the engine is the one whose collector has
//! prepared last on the same thread, if the context polls its poller.

#![allow(unsafe_code, reason = "what GLib calls in the place of poll(2)")]

use std::{
    cell::Cell,
    ffi::{c_int, c_uint},
    ptr, slice,
    sync::{Arc, Weak, atomic::Ordering},
};

use glib::{ffi::GPollFD, translate::ToGlibPtr};
use once_cell::sync::OnceCell;

use super::{engine::Engine, events::Events};
use crate::{error, fence::fence_or};

type PollFunction = unsafe extern "C" fn(*mut GPollFD, c_uint, c_int) -> c_int;

/// Those that were there before, each at the number of the function that has it. They stay: anybody may
/// still call that one.
static BEFORE: [OnceCell<PollFunction>; 8] = [const { OnceCell::new() }; 8];

/// By these pointers they are told from others'.
static OURS: [PollFunction; BEFORE.len()] = [
    poll::<0>, poll::<1>, poll::<2>, poll::<3>, poll::<4>, poll::<5>, poll::<6>, poll::<7>,
];

thread_local! {
    /// The engine whose context is going to wait on this thread.
    static ABOUT_TO_WAIT: Cell<Weak<Engine>> = const { Cell::new(Weak::new()) };
}

/// Called by the collector of `engine` before its context waits.
pub(super) fn is_about_to_wait(engine: &Arc<Engine>) {
    if engine.folds.load(Ordering::Acquire) {
        // Nothing is remembered any more when a thread is ending.
        let _ = ABOUT_TO_WAIT.try_with(|about| about.set(Arc::downgrade(engine)));
    }
}

impl Engine {
    /// Sets the poll function of `context`, the engine's own, or takes it back. The calling thread owns it.
    pub(crate) fn use_poll_function(
        &self,
        context: &glib::MainContext,
        on: bool,
    ) -> Result<(), glib::Error> {
        self.look_at_birthplace();
        if !on {
            return self.stop_folding(context);
        }
        if self.portable {
            return Err(unsupported());
        }
        self.core.poller.make().map_err(|errno| match errno {
            libc::ENOSYS => unsupported(),
            errno => error::prefixed("Error creating an epoll instance", errno),
        })?;
        self.fold(context)
    }

    /// For a test of everything. The function does nothing until there is a poller.
    pub(super) fn fold_from_the_beginning(&self, context: &glib::MainContext) {
        let folds = !self.portable && self.fold(context).is_ok();
        debug_assert!(folds, "not many poll functions are in use");
    }

    fn fold(&self, context: &glib::MainContext) -> Result<(), glib::Error> {
        let current = function_of(context);
        if number_of(current).is_none() {
            if self.folds.load(Ordering::Acquire) {
                // It may call ours. With ours around it as well, each might come to call the other.
                return Err(replaced());
            }
            let number = remember(current).ok_or_else(|| {
                glib::Error::new(
                    gio::IOErrorEnum::NoSpace,
                    "Too many different poll functions are in use in this process",
                )
            })?;
            set_function(context, OURS[number]);
        }
        self.folds.store(true, Ordering::Release);
        Ok(())
    }

    fn stop_folding(&self, context: &glib::MainContext) -> Result<(), glib::Error> {
        let folded = self.folds.swap(false, Ordering::AcqRel);
        self.core.poller.forget_wake_up();
        match number_of(function_of(context)) {
            Some(number) => set_function(context, before(number)),
            // If that one calls ours, ours calls the one before.
            None if folded => return Err(replaced()),
            None => {}
        }
        Ok(())
    }
}

fn replaced() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::Busy,
        "The main context has another poll function by now",
    )
}

fn unsupported() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::NotSupported,
        "Sockets are not watched by epoll here, so that there is nothing to poll by it",
    )
}

fn function_of(context: &glib::MainContext) -> PollFunction {
    // SAFETY: a live context.
    let function = unsafe { glib::ffi::g_main_context_get_poll_func(context.to_glib_none().0) };
    function.unwrap_or(glib::ffi::g_poll)
}

fn set_function(context: &glib::MainContext, function: PollFunction) {
    // SAFETY: a live context, and a function that may be called at any time from now on.
    unsafe { glib::ffi::g_main_context_set_poll_func(context.to_glib_none().0, Some(function)) };
}

fn number_of(function: PollFunction) -> Option<usize> {
    OURS.iter()
        .position(|ours| ptr::fn_addr_eq(*ours, function))
}

/// The number at which `function` is, or is from now on.
fn remember(function: PollFunction) -> Option<usize> {
    BEFORE
        .iter()
        .position(|before| ptr::fn_addr_eq(*before.get_or_init(|| function), function))
}

fn before(number: usize) -> PollFunction {
    // Ours is set only once there is one; there is no better guess.
    *BEFORE[number]
        .get()
        .unwrap_or(&(glib::ffi::g_poll as PollFunction))
}

unsafe extern "C" fn poll<const NUMBER: usize>(
    descriptors: *mut GPollFD,
    count: c_uint,
    milliseconds: c_int,
) -> c_int {
    let ready = fence_or(None, || {
        if count != 2 || descriptors.is_null() {
            return None;
        }
        // SAFETY: the caller says that there are so many, which nobody else looks at meanwhile.
        let pair = unsafe { slice::from_raw_parts_mut(descriptors, 2) };
        poll_by_poller(pair, milliseconds)
    });
    if let Some(ready) = ready {
        return ready;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { before(NUMBER)(descriptors, count, milliseconds) }
}

/// Answers how many of the two something has happened to, or that somebody else has to find out.
fn poll_by_poller(pair: &mut [GPollFD], milliseconds: c_int) -> Option<c_int> {
    let about = ABOUT_TO_WAIT.try_with(Cell::take).ok()?;
    let engine = about.upgrade()?;
    // A child process must not take what its parent waits for.
    engine.look_at_birthplace();
    let poller = &engine.core.poller;
    let number = poller.number();
    if number < 0 || !engine.folds.load(Ordering::Acquire) {
        return None;
    }
    let at = pair.iter().position(|polled| polled.fd == number)?;
    let (hosted, other) = (at, 1 - at);
    let asks_to_read = |polled: &GPollFD| u32::from(polled.events) == Events::IN.number();
    if !pair.iter().all(asks_to_read) || pair[other].fd == number {
        return None;
    }
    let wake_up = poller.wake_up();
    if wake_up < 0 {
        // A context that may wait polls everything that it has. One that is about to run something urgent leaves
        // out what is less urgent than that: then the other one might be anybody's.
        if milliseconds == 0 {
            return None;
        }
        if !poller.watch_wake_up(pair[other].fd) {
            engine.folds.store(false, Ordering::Release);
            return None;
        }
    } else if wake_up != pair[other].fd {
        return None;
    }
    // Between `prepare` and `check` this thread owns the context, so that nobody closes the poller.
    let woken = match poller.wait(milliseconds) {
        Ok(woken) => woken,
        // As if the time had passed: whoever polls asks again.
        Err(libc::EINTR) => Events::NONE,
        Err(_) => return None,
    };
    let found = if poller.has_kept() {
        Events::IN
    } else {
        Events::NONE
    };
    pair[hosted].revents = found.bits() as u16;
    pair[other].revents = woken.bits() as u16;
    Some(
        pair.iter()
            .map(|polled| c_int::from(polled.revents != 0))
            .sum(),
    )
}
