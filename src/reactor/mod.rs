//! Waiting on main contexts: an engine for each of them, and what it is made of.
//!
//! * [`engine`]: its place in the context, its tasks, what it watches; [`turn`] and [`lane`]: how it
//!   runs; [`task`]: a future that it runs; [`collector`]: what it sees;
//! * [`core`]: what it knows of descriptors and moments, over a [`poller`]; [`readiness`], [`waiters`],
//!   [`timers`], [`queue`] and [`slab`] are plain data;
//! * [`fd_source`]: the portable back end, a source for each descriptor in the place of a poller;
//! * [`poll_function`]: waiting by one system call in the place of two;
//! * [`wait`]: waiting in a future; [`blocking`]: waiting by blocking; [`cancel`]: being told of a
//!   cancellation.
//!
//! It knows nothing of sockets.

mod blocking;
mod cancel;
mod clock;
mod collector;
mod core;
mod engine;
mod events;
mod fd_source;
mod lane;
mod lent;
mod poll_function;
mod polled;
mod poller;
mod queue;
mod readiness;
mod registration;
#[cfg(test)]
pub(crate) mod simulation;
mod slab;
mod source;
mod task;
mod timers;
mod turn;
mod wait;
mod waiters;

use std::future::Future;

pub(crate) use blocking::{block_on_any, block_on_events, blocking_waker};
pub(crate) use cancel::CancelWatch;
pub(crate) use clock::now;
pub(crate) use engine::{Engine, Spawned};
pub(crate) use events::{Events, Interest};
pub(crate) use registration::{Observer, Purpose, Registration};
pub(crate) use source::{Due, Handler, Source};
pub(crate) use task::{Answer, Begin, Bound, Local};
pub(crate) use wait::{Wait, earlier};
pub(crate) use waiters::call as wake;

/// Runs `future` on `context`: see [`Engine::spawn`]. Nobody need own the context now.
pub(crate) fn spawn(
    context: &glib::MainContext,
    priority: glib::Priority,
    future: impl Future<Output = ()> + Send + 'static,
) {
    Engine::of(context).spawn(priority, future);
}

#[cfg(epoll)]
type PlatformPoller = poller::Epoll;
#[cfg(not(epoll))]
type PlatformPoller = poller::NoPoller;

/// Whether each descriptor has a source of its own, although there could be a poller.
fn is_portable() -> bool {
    static PORTABLE: once_cell::sync::Lazy<bool> = once_cell::sync::Lazy::new(|| {
        std::env::var_os("GSOCK_BACK_END").is_some_and(|back_end| back_end == "sources")
    });
    *PORTABLE
}

/// Whether each context has the [poll function](poll_function) that is otherwise asked for.
fn folds_polls() -> bool {
    static FOLDS: once_cell::sync::Lazy<bool> = once_cell::sync::Lazy::new(|| {
        std::env::var_os("GSOCK_BACK_END").is_some_and(|back_end| back_end == "poll-function")
    });
    *FOLDS
}

/// Between two steps between which another thread may come: the simulation lets one come here.
#[inline]
pub(crate) fn interleave() {
    #[cfg(test)]
    crate::simulation::interleave();
}
