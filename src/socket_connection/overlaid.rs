//! Connections whose streams are another object's: what moves bytes goes through those.
//!
//! The socket beneath carries something else, TLS or whatever it is; a byte put there or taken from there
//! by hand would tear it.

use std::{
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use gio::prelude::*;
use glib::subclass::prelude::*;

use super::imp;
use crate::{error, reactor::Engine};

/// What polling such a connection keeps between two polls.
pub(crate) struct Overlay {
    class: glib::Type,
    readers: Waiting,
    writers: Waiting,
    flush: Arc<Step>,
    close: Arc<Step>,
}

impl Overlay {
    pub(super) fn new(class: glib::Type) -> Self {
        Self {
            class,
            readers: Waiting::default(),
            writers: Waiting::default(),
            flush: Arc::default(),
            close: Arc::default(),
        }
    }

    pub(super) fn class(&self) -> glib::Type {
        self.class
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

/// Such a connection, for who polls it.
pub(crate) struct OwnStreams<'a> {
    connection: &'a imp::SocketConnection,
    overlay: &'a Overlay,
}

impl<'a> OwnStreams<'a> {
    pub(super) fn new(connection: &'a imp::SocketConnection, overlay: &'a Overlay) -> Self {
        Self {
            connection,
            overlay,
        }
    }

    /// # Errors
    ///
    /// Those of the stream; `NotSupported` where that cannot be polled, and on a thread that does not own its
    /// thread-default context.
    pub(crate) fn poll_read(
        &self,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, glib::Error>> {
        let input = self.connection.obj().input_stream();
        let Some(input) = input
            .dynamic_cast_ref::<gio::PollableInputStream>()
            .filter(|input| input.can_poll())
        else {
            return Poll::Ready(Err(not_pollable()));
        };
        let none = gio::Cancellable::NONE;
        let moved = input.read_nonblocking(buffer, none);
        self.overlay.readers.after(moved, cx.waker(), |mut wake| {
            input.create_source(none, None, glib::Priority::DEFAULT, move |_| wake())
        })
    }

    /// # Errors
    ///
    /// As of [`poll_read`](Self::poll_read).
    pub(crate) fn poll_write(
        &self,
        cx: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, glib::Error>> {
        let output = self.connection.obj().output_stream();
        let Some(output) = output
            .dynamic_cast_ref::<gio::PollableOutputStream>()
            .filter(|output| output.can_poll())
        else {
            return Poll::Ready(Err(not_pollable()));
        };
        let none = gio::Cancellable::NONE;
        let moved = output.write_nonblocking(bytes, none);
        self.overlay.writers.after(moved, cx.waker(), |mut wake| {
            output.create_source(none, None, glib::Priority::DEFAULT, move |_| wake())
        })
    }

    /// # Errors
    ///
    /// Those of the stream; `NotSupported` on a thread that does not own its thread-default context.
    pub(crate) fn poll_flush(&self, cx: &Context<'_>) -> Poll<Result<(), glib::Error>> {
        let output = self.connection.obj().output_stream();
        Step::poll(&self.overlay.flush, cx.waker(), |done| {
            let (priority, none) = (glib::Priority::DEFAULT, gio::Cancellable::NONE);
            output.flush_async(priority, none, done);
        })
    }

    /// Ends what is sent, above and below: the connection stays open.
    ///
    /// # Errors
    ///
    /// As of [`poll_flush`](Self::poll_flush).
    pub(crate) fn poll_close(&self, cx: &Context<'_>) -> Poll<Result<(), glib::Error>> {
        let output = self.connection.obj().output_stream();
        let closed = if output.is_closed() {
            Poll::Ready(Ok(()))
        } else {
            Step::poll(&self.overlay.close, cx.waker(), |done| {
                let (priority, none) = (glib::Priority::DEFAULT, gio::Cancellable::NONE);
                output.close_async(priority, none, done);
            })
        };
        closed.map(|closed| closed.and_then(|()| self.connection.transport().shutdown_write()))
    }
}

fn not_pollable() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::NotSupported,
        "The base stream cannot be polled",
    )
}

/// Who waits for one direction, each known by its waker. One source calls all who wait in a context.
#[derive(Default)]
struct Waiting(Mutex<Vec<Group>>);

struct Group {
    /// Of the context, as a number: one that is gone has destroyed the source.
    context: usize,
    source: glib::Source,
    wakers: Arc<Wakers>,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Vec<Group>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a try has come to; `source` makes one that fires once another try is worth it.
    fn after(
        &self,
        moved: Result<isize, glib::Error>,
        waker: &Waker,
        source: impl FnOnce(Wake) -> glib::Source,
    ) -> Poll<Result<usize, glib::Error>> {
        let waits = matches!(&moved, Err(failure) if failure.matches(gio::IOErrorEnum::WouldBlock));
        if !waits {
            self.leave(waker, None);
            // Not negative without an error.
            return Poll::Ready(moved.map(isize::unsigned_abs));
        }
        if !Engine::current().is_owned_here() {
            self.leave(waker, None);
            return Poll::Ready(Err(error::not_owned()));
        }
        let context = glib::MainContext::ref_thread_default();
        let number = context.as_ptr().addr();
        // Of one who waits on, the place stays, if it is in the context of now.
        self.leave(waker, Some(number));
        let mut its = Some(waker.clone());
        let is_in = self
            .lock()
            .iter()
            .any(|group| group.context == number && group.wakers.add(&mut its));
        if is_in {
            return Poll::Pending;
        }
        let wakers = Arc::new(Wakers(Mutex::new(Some(its.into_iter().collect()))));
        let called = wakers.clone();
        let source = source(Box::new(move || {
            called.call();
            glib::ControlFlow::Break
        }));
        // Nobody else iterates the context.
        source.attach(Some(&context));
        self.lock().push(Group {
            context: number,
            source,
            wakers,
        });
        Poll::Pending
    }

    /// `waker` is not called any more but in the context `kept`. What calls nobody ends.
    fn leave(&self, waker: &Waker, kept: Option<usize>) {
        let mut gone = Vec::new();
        let ended: Vec<Group> = {
            let mut all = self.lock();
            let is_over = |group: &mut Group| {
                group.source.is_destroyed()
                    || kept != Some(group.context) && group.wakers.remove(waker, &mut gone)
            };
            all.extract_if(.., is_over).collect()
        };
        for group in &ended {
            group.source.destroy();
        }
        drop((ended, gone));
    }
}

type Wake = Box<dyn FnMut() -> glib::ControlFlow>;

impl Drop for Waiting {
    fn drop(&mut self) {
        for group in mem::take(&mut *self.lock()) {
            group.source.destroy();
        }
    }
}

/// `None` once they were called.
struct Wakers(Mutex<Option<Vec<Waker>>>);

impl Wakers {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Waker>>> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers whether `waker` will be called.
    fn add(&self, waker: &mut Option<Waker>) -> bool {
        let mut all = self.lock();
        let (Some(all), Some(its)) = (&mut *all, &*waker) else {
            return false;
        };
        if !all.iter().any(|known| known.will_wake(its)) {
            all.extend(waker.take());
        }
        true
    }

    /// Answers whether nobody is left. What is removed is to be dropped where no lock is held.
    fn remove(&self, waker: &Waker, removed: &mut Vec<Waker>) -> bool {
        let mut all = self.lock();
        let Some(all) = &mut *all else { return true };
        removed.extend(all.extract_if(.., |known| known.will_wake(waker)));
        all.is_empty()
    }

    fn call(&self) {
        let all = self.lock().take();
        all.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Something that is done once for all who wait for it.
#[derive(Default)]
struct Step(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    Running(Vec<Waker>),
    /// And those who have not been told.
    Done(Result<(), glib::Error>, Vec<Waker>),
}

impl Step {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(
        this: &Arc<Self>,
        waker: &Waker,
        start: impl FnOnce(Box<dyn FnOnce(Result<(), glib::Error>)>),
    ) -> Poll<Result<(), glib::Error>> {
        let is_owned = Engine::current().is_owned_here();
        let ended = {
            let mut stage = this.lock();
            match &mut *stage {
                Stage::Running(wakers) => {
                    if !wakers.iter().any(|known| known.will_wake(waker)) {
                        wakers.push(waker.clone());
                    }
                    return Poll::Pending;
                }
                Stage::Done(result, wakers) => {
                    // What ended before somebody came is not what he waits for.
                    if let Some(at) = wakers.iter().position(|known| known.will_wake(waker)) {
                        let its = wakers.swap_remove(at);
                        let result = result.clone();
                        drop(stage);
                        drop(its);
                        return Poll::Ready(result);
                    }
                }
                Stage::Idle => {}
            }
            if !is_owned {
                return Poll::Ready(Err(error::not_owned()));
            }
            mem::replace(&mut *stage, Stage::Running(vec![waker.clone()]))
        };
        drop(ended);
        let done = this.clone();
        start(Box::new(move |result| {
            let woken = {
                let mut stage = done.lock();
                let wakers = match mem::take(&mut *stage) {
                    Stage::Running(wakers) => wakers,
                    _ => Vec::new(),
                };
                *stage = Stage::Done(result, wakers.clone());
                wakers
            };
            woken.into_iter().for_each(Waker::wake);
        }));
        Poll::Pending
    }
}

/// What stands in for a stream that cannot be had.
pub(crate) fn dead_input() -> gio::InputStream {
    let stream = gio::MemoryInputStream::new();
    let _ = stream.close(gio::Cancellable::NONE);
    stream.upcast()
}

/// Likewise.
pub(crate) fn dead_output() -> gio::OutputStream {
    let stream = gio::MemoryOutputStream::new_resizable();
    let _ = stream.close(gio::Cancellable::NONE);
    stream.upcast()
}
