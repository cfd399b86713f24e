//! Writing what is queued: one step of it, and the task that makes such steps in a main context.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use glib::Bytes;

use super::{
    bell::Place,
    core::{Begun, Core, Failure},
    ends::Ends,
    queue::{Gone, Window},
    teller::change,
    waiting::{Interrupt, Waiting},
};
use crate::{error, reactor::Engine, thread, unix_connection::Cargo};

/// How often a task goes on before others have had their turn.
const MOST_IN_A_TURN: u32 = 16;
/// What a stream is given at once that may want to be given it again: a record of TLS.
const POLLED_PIECE: usize = 16 * 1024;
const BEGUN_PIECE: usize = 64 * 1024;

/// What came of a step.
pub(super) enum Step {
    /// Another one is worth it.
    Went,
    /// The stream takes nothing now.
    Waits(Arc<Ends>),
    /// The stream is at it by itself, and wakes who has asked.
    Begun,
    /// Somebody else is in a step; the bell is rung when that has ended.
    Busy,
    /// There is nothing to be done, or no stream to do it with.
    Idle,
}

/// What a step is about, while nobody else makes one.
struct Job {
    ends: Arc<Ends>,
    generation: u64,
    clears: u64,
    task: Task,
}

enum Task {
    /// Of the socket's own stream: TLS that is asked without waiting would begin something in the background.
    Window(Window),
    Piece(Bytes),
    Pass(Arc<Cargo>),
    GoOn(Begun),
    Flush,
}

enum Outcome {
    Wrote(usize),
    Flushed,
    Waits,
    Begun(Begun),
    /// In a call that was interrupted.
    Nothing,
    Failed(glib::Error),
}

impl Core {
    fn job(&self) -> Result<Job, Step> {
        let mut state = self.lock();
        let state = &mut *state;
        if state.is_written {
            return Err(Step::Busy);
        }
        let Some(ends) = state.ends.clone().filter(|_| state.has_work()) else {
            return Err(Step::Idle);
        };
        let task = if let Some(begun) = state.begun.take() {
            Task::GoOn(begun)
        } else if state.queue.is_empty() {
            Task::Flush
        } else if let Some(cargo) = state.queue.cargo() {
            Task::Pass(cargo)
        } else if ends.is_plain_output() && ends.output_polls() {
            Task::Window(state.queue.window())
        } else {
            let most = if ends.output_polls() {
                POLLED_PIECE
            } else {
                BEGUN_PIECE
            };
            let queue = &mut state.queue;
            let (piece, from) = state.offer.get_or_insert_with(|| (queue.piece(most), 0));
            Task::Piece(Bytes::from_bytes(piece, *from..piece.len()))
        };
        state.is_written = true;
        Ok(Job {
            ends,
            generation: state.generation,
            clears: state.clears,
            task,
        })
    }

    /// Makes a step without waiting. `cx`: of who goes on when the stream has ended what it has begun, on a thread that
    /// owns its context.
    pub(super) fn write_now(self: &Arc<Self>, place: Place, cx: Option<&mut Context<'_>>) -> Step {
        let Job {
            ends,
            generation,
            clears,
            task,
        } = match self.job() {
            Ok(job) => job,
            Err(step) => return step,
        };
        let polls = ends.output_polls();
        let outcome = match task {
            Task::Window(window) => wrote(ends.try_write(&window)),
            Task::Piece(piece) if polls => wrote(ends.try_write_piece(&piece)),
            Task::Piece(piece) => begin(cx, || Begun::Write(ends.begin_write(&piece))),
            Task::Pass(cargo) => wrote(ends.try_pass(&cargo)),
            Task::Flush => begin(cx, || Begun::Flush(ends.begin_flush())),
            Task::GoOn(begun) => go_on(begun, cx),
        };
        self.settle(ends, (generation, clears), outcome, place)
    }

    /// Makes a step in a call that blocks.
    ///
    /// # Errors
    ///
    /// `Pending` when the stream is at something that was begun in a main context.
    pub(super) fn write_blocking(
        self: &Arc<Self>,
        place: Place,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<Step, glib::Error> {
        let Job {
            ends,
            generation,
            clears,
            task,
        } = match self.job() {
            Ok(job) => job,
            Err(step) => return Ok(step),
        };
        let of = (generation, clears);
        let task = match task {
            Task::GoOn(begun) => {
                let step = self.settle(ends, of, go_on(begun, None), place);
                return match step {
                    Step::Begun => Err(super::core::pending()),
                    step => Ok(step),
                };
            }
            Task::Window(window) => match wrote(ends.try_write(&window)) {
                Outcome::Waits => Task::Window(window),
                outcome => return Ok(self.settle(ends, of, outcome, place)),
            },
            task => task,
        };
        let interrupt = Interrupt::new(cancellable);
        {
            let mut state = self.lock();
            if state.generation == generation {
                state.write_interrupt = Some(interrupt.cancellable().clone());
            } else {
                drop(state);
                return Ok(self.settle(ends, of, Outcome::Nothing, place));
            }
        }
        let cancellable = interrupt.cancellable();
        let outcome = match task {
            Task::Window(window) => wrote(ends.write(&window, cancellable).map(Some)),
            Task::Piece(piece) => wrote(ends.write_piece(&piece, cancellable).map(Some)),
            Task::Pass(cargo) => wrote(ends.pass(cargo, cancellable).map(Some)),
            Task::Flush | Task::GoOn(_) => match ends.flush(cancellable) {
                Ok(()) => Outcome::Flushed,
                Err(failure) => Outcome::Failed(failure),
            },
        };
        let outcome = match outcome {
            Outcome::Failed(failure) if interrupt.explains(&failure) => Outcome::Nothing,
            outcome => outcome,
        };
        let ended = self.lock().write_interrupt.take();
        drop(ended);
        Ok(self.settle(ends, of, outcome, place))
    }

    fn settle(
        self: &Arc<Self>,
        ends: Arc<Ends>,
        (generation, clears): (u64, u64),
        outcome: Outcome,
        place: Place,
    ) -> Step {
        let mut told = 0;
        let mut failure = None;
        let (mut left_over, mut ended, mut stale) = (None, None, None);
        let (step, gone, left_open) = {
            let mut state = self.lock();
            let state = &mut *state;
            state.is_written = false;
            let left_open = state.left_open.1.take();
            let is_current = state.generation == generation;
            if ends.is_plain_output() && ends.output_polls() {
                // What it has not taken it has forgotten.
                state.queue.release();
            }
            let mut gone = Vec::new();
            let step = match outcome {
                Outcome::Wrote(count) => {
                    if state.clears == clears {
                        gone = state.queue.advance(count);
                        told |= state.account();
                    }
                    if is_current {
                        state.is_kept_back |= ends.keeps_back();
                        let is_done = match &mut state.offer {
                            Some((piece, from)) => {
                                *from += count;
                                *from >= piece.len()
                            }
                            None => false,
                        };
                        if is_done {
                            left_over = state.offer.take();
                            state.queue.release();
                        }
                    }
                    Step::Went
                }
                Outcome::Flushed => {
                    state.is_kept_back &= !is_current;
                    Step::Went
                }
                Outcome::Waits => Step::Waits(ends),
                Outcome::Begun(begun) if is_current => {
                    state.begun = Some(begun);
                    Step::Begun
                }
                Outcome::Begun(begun) => {
                    // It is cancelled where no lock is held.
                    ended = Some(begun);
                    Step::Went
                }
                Outcome::Nothing => Step::Went,
                Outcome::Failed(why) if is_current => {
                    let why = Failure::new(why);
                    (gone, stale) = state.fail(&why);
                    told |= state.account() | change::LAST_ERROR;
                    failure = Some(why);
                    Step::Went
                }
                Outcome::Failed(why) => {
                    stale = Some(why.into());
                    Step::Went
                }
            };
            if !is_current {
                left_over = state.offer.take();
                state.queue.start_over();
                told |= state.account();
            }
            (step, gone, left_open)
        };
        if let Some(ends) = left_open {
            ends.close_output();
        }
        if failure.is_none() {
            let watchers = gone.iter().filter_map(|(watcher, ..)| *watcher);
            watchers.for_each(|watcher| self.writers.call(watcher));
        }
        drop((gone, left_over, ended, stale));
        if let Some(failure) = &failure {
            self.teller.note_failure(failure);
        }
        if failure.is_some() {
            self.writers.ring_for_all();
        } else {
            self.writers.ring(Some(place));
        }
        self.teller.tell(told);
        step
    }

    /// Sees to it that there is a task that writes at home.
    pub(super) fn write_at_home(self: &Arc<Self>) {
        let home = self.teller.home();
        let (engine, thread) = (home.engine.clone(), home.thread);
        self.write_on(&engine, thread);
    }

    /// Likewise in the context of the caller, which may be one that is iterated while that of home is not.
    pub(super) fn write_here(self: &Arc<Self>) {
        let engine = Engine::current();
        self.write_on(&engine, thread::here());
    }

    fn write_on(self: &Arc<Self>, engine: &Arc<Engine>, thread: usize) {
        let address = Arc::as_ptr(engine).addr();
        {
            let mut state = self.lock();
            if !state.has_work() || state.drivers.contains(&address) || engine.is_ended() {
                return;
            }
            state.drivers.push(address);
        }
        let driver = Driver {
            core: self.clone(),
            thread,
            address: Some(address),
            place: Place::new(),
            waiting: Waiting::default(),
        };
        engine.spawn(glib::Priority::DEFAULT, driver);
    }
}

impl super::core::State {
    /// Answers what is to be dropped where no lock is held.
    #[must_use]
    fn fail(&mut self, failure: &Failure) -> (Vec<Gone>, Option<Failure>) {
        self.failure = Some(failure.clone());
        let before = self.last_error.replace(failure.clone());
        self.offer = None;
        self.is_kept_back = false;
        if self.settings.keep_queue {
            self.queue.start_over();
            return (Vec::new(), before);
        }
        (self.clear_queue(failure), before)
    }
}

fn wrote(result: Result<Option<usize>, glib::Error>) -> Outcome {
    match result {
        Ok(Some(0)) => Outcome::Failed(error::failed("The stream takes nothing")),
        Ok(Some(count)) => Outcome::Wrote(count),
        Ok(None) => Outcome::Waits,
        Err(failure) => Outcome::Failed(failure),
    }
}

/// Has the stream begin something, where somebody can be told of its end.
fn begin(cx: Option<&mut Context<'_>>, begin: impl FnOnce() -> Begun) -> Outcome {
    match cx {
        Some(cx) => go_on(begin(), Some(cx)),
        None => Outcome::Nothing,
    }
}

fn go_on(mut begun: Begun, cx: Option<&mut Context<'_>>) -> Outcome {
    let mut noop = Context::from_waker(Waker::noop());
    let cx = cx.unwrap_or(&mut noop);
    let (Begun::Write(answer) | Begun::Flush(answer)) = &mut begun;
    match Pin::new(answer).poll(cx) {
        Poll::Pending => Outcome::Begun(begun),
        Poll::Ready(Err(failure)) => Outcome::Failed(failure),
        Poll::Ready(Ok(count)) => match begun {
            Begun::Write(_) => wrote(Ok(Some(count))),
            Begun::Flush(_) => Outcome::Flushed,
        },
    }
}

/// Writes what is queued, in a main context, until there is nothing left.
struct Driver {
    core: Arc<Core>,
    /// The only one that may do so there.
    thread: usize,
    /// Until it has struck itself off the list.
    address: Option<usize>,
    place: Place,
    waiting: Waiting,
}

impl Driver {
    /// Whether it has ended. Whoever queues something after that makes another one.
    fn ends_if_idle(&mut self) -> bool {
        let mut state = self.core.lock();
        if state.has_work() {
            return false;
        }
        if let Some(address) = self.address.take() {
            state.drivers.retain(|known| *known != address);
        }
        true
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.thread != thread::here() {
            // Whoever waits here for what is queued has a task of his own.
            return Poll::Ready(());
        }
        for _ in 0..MOST_IN_A_TURN {
            // Before the look, so that a change in between is not missed.
            this.core.writers.wait(this.place, cx.waker());
            match this.core.write_now(this.place, Some(cx)) {
                Step::Went => {}
                Step::Waits(ends) => {
                    this.core.teller.catch_up();
                    // Woken by somebody else, it tries again: the place at the bell stays.
                    return match this.waiting.begin(&ends, false, cx.waker()) {
                        Ok(()) => Poll::Pending,
                        Err(_) => Poll::Ready(()),
                    };
                }
                Step::Begun | Step::Busy => {
                    this.core.teller.catch_up();
                    return Poll::Pending;
                }
                Step::Idle => {
                    if this.ends_if_idle() {
                        this.core.teller.catch_up();
                        return Poll::Ready(());
                    }
                }
            }
        }
        this.core.teller.catch_up();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.core.writers.leave(self.place);
        if let Some(address) = self.address.take() {
            let mut state = self.core.lock();
            state.drivers.retain(|known| *known != address);
        }
    }
}
