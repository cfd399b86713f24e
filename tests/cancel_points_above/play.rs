//! One operation of any class, made anew for each point, and what may become of it.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
};

use gio::IOErrorEnum as E;
use glib::object::ObjectType;

use crate::room::Room;
use crate::support::*;

/// How an operation ended, comparable. What it has handed out is its play's.
pub(crate) type End = Result<(), E>;

pub(crate) type Running = Pin<Box<dyn Future<Output = End>>>;

pub(crate) fn end_of<T>(result: Result<T, glib::Error>) -> End {
    // Those of other domains are none that these operations are expected to end with.
    result
        .map(drop)
        .map_err(|failure| failure.kind::<E>().unwrap_or(E::Failed))
}

/// What the other side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has done it before the operation begins.
    AtOnce,
    /// It does it when nothing moves any more.
    Later,
    Never,
    /// It refuses, or goes away, when nothing moves any more.
    Reset,
}

/// Who gets to know how the operation ended, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A callback that finishes.
    Callback,
    /// A callback that leaves finishing for later.
    LaterFinish,
    /// A future that the context runs.
    Spawned,
    /// A future that the test polls, with a waker of its own.
    ByHand,
}

/// What befalls the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    Cancel,
    /// From another thread, while this one goes on.
    CancelElsewhere,
    DropFuture,
    /// The last reference to the object, but for the operation's own.
    DropReference,
    /// The object is closed, stopped or aborted.
    Close,
    /// From another thread, as C may do it.
    CloseElsewhere,
    /// A main loop inside of a callback, and inside of the operation's own.
    NestedLoop,
}

impl Strike {
    pub(crate) fn closes(self) -> bool {
        matches!(self, Self::Close | Self::CloseElsewhere)
    }

    pub(crate) fn cancels(self) -> bool {
        matches!(self, Self::Cancel | Self::CancelElsewhere)
    }
}

pub(crate) fn strikes(way: Way) -> &'static [Strike] {
    match way {
        Way::Callback => &[
            Strike::Cancel,
            Strike::CancelElsewhere,
            Strike::DropReference,
            Strike::Close,
            Strike::CloseElsewhere,
            Strike::NestedLoop,
        ],
        Way::LaterFinish => &[Strike::Cancel, Strike::CancelElsewhere, Strike::Close],
        Way::Spawned => &[
            Strike::DropFuture,
            Strike::DropReference,
            Strike::Close,
            Strike::CloseElsewhere,
            Strike::NestedLoop,
        ],
        Way::ByHand => &[Strike::DropFuture, Strike::DropReference, Strike::Close],
    }
}

type Parked = Box<dyn FnOnce() -> End>;

/// What an operation has told: exactly once, or not at all if its future was dropped.
#[derive(Default)]
pub(crate) struct Told {
    calls: Cell<u32>,
    end: Cell<Option<End>>,
    parked: RefCell<Option<Parked>>,
    pub(crate) later: bool,
    /// Where the callback runs a main loop of its own.
    nested: Option<glib::MainContext>,
}

impl Told {
    pub(crate) fn new(later: bool, nested: Option<glib::MainContext>) -> Self {
        Self {
            later,
            nested,
            ..Self::default()
        }
    }

    /// The callback: `finish` takes the result, now or later.
    pub(crate) fn finish(self: &Rc<Self>, finish: impl FnOnce() -> End + 'static) {
        self.calls.set(self.calls.get() + 1);
        if self.later {
            self.parked.replace(Some(Box::new(finish)));
        } else {
            self.end.set(Some(finish()));
        }
        self.nest();
    }

    fn nest(&self) {
        if let Some(context) = &self.nested {
            for _ in 0..5 {
                context.iteration(false);
            }
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.calls.get() != 0
    }

    pub(crate) fn end(&self) -> Option<End> {
        assert!(self.calls.get() <= 1, "{} answers", self.calls.get());
        let parked = self.parked.take();
        if let Some(finish) = parked {
            self.end.set(Some(finish()));
        }
        self.end.get()
    }
}

/// How it was struck, and how it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) end: Option<End>,
    pub(crate) strike: Strike,
    /// Before the strike.
    pub(crate) had_ended: bool,
    /// A future that was never polled has not.
    pub(crate) had_begun: bool,
}

impl Fate {
    pub(crate) fn succeeded(&self) -> bool {
        self.end == Some(Ok(()))
    }
}

pub(crate) type Elsewhere = Box<dyn FnOnce() + Send>;

pub(crate) trait Play {
    /// How it ends when nothing befalls it; `None` is never.
    fn natural(&self) -> Option<End>;

    fn start(&mut self, cancellable: &gio::Cancellable, told: Rc<Told>);

    fn future(&mut self) -> Running;

    /// What the other side does. It may be refused: the connection may be closed by now.
    fn act(&mut self);

    /// Whether once is not enough.
    fn acts_again(&self) -> bool {
        false
    }

    /// Closes the object; answers whether that ends the operation.
    fn close(&mut self) -> bool;

    /// What closes the object on another thread, as C may do it.
    fn close_elsewhere(&mut self) -> Elsewhere {
        unreachable!("nobody may")
    }

    /// How it may end, other than by nature, once the object was closed.
    fn closed(&self) -> &'static [End] {
        &[Err(E::Closed)]
    }

    /// Whether it may wait for ever, struck so: the test gives it up then.
    fn may_hang(&self, _: Strike, _had_begun: bool) -> bool {
        false
    }

    /// Gives the references up, but for those of the operation.
    fn forget(&mut self);

    /// How it may end, other than by nature, once nobody else has the object.
    fn forgotten(&self) -> &'static [End] {
        &[]
    }

    /// How one may end, other than as cancelled, that was cancelled as soon as it had begun.
    fn cancelled_at_once(&self) -> &'static [End] {
        &[]
    }

    /// GLib's own outer task asks the cancellable once more when it is finished.
    fn looks_at_finish(&self) -> bool {
        false
    }

    /// That it has done what it said, and nothing else; the rest is given up.
    fn check(&mut self, room: &Room, fate: &Fate);

    /// Must be gone in the end.
    fn objects(&self) -> Vec<(&'static str, Gone)>;
}

/// A reference that another thread uses, as C may.
pub(crate) struct Reference<T: ObjectType>(*mut T::GlibType);

// SAFETY: the classes may be used from any thread in C; what their wrappers are not fit for is not done.
unsafe impl<T: ObjectType> Send for Reference<T> {}

impl<T: ObjectType> Reference<T> {
    pub(crate) fn of(object: &T) -> Self {
        let pointer = object.as_ptr();
        // SAFETY: a live object, given up again when this goes.
        unsafe { glib::gobject_ffi::g_object_ref(pointer.cast()) };
        Self(pointer)
    }

    pub(crate) fn borrow(&self) -> *mut T::GlibType {
        self.0
    }
}

impl<T: ObjectType> Drop for Reference<T> {
    fn drop(&mut self) {
        // SAFETY: the one of `of`.
        unsafe { glib::gobject_ffi::g_object_unref(self.0.cast()) };
    }
}
