//! Contexts that wait for their sockets by one system call.

use std::{
    cell::{Cell, RefCell},
    io::Write,
    net::TcpStream,
    ptr,
    rc::Rc,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use futures::channel::oneshot;
use gio::{IOErrorEnum as E, prelude::*};
use glib::{
    ffi::{
        GPollFD, g_main_context_get_poll_func, g_main_context_set_poll_func, g_main_context_wakeup,
        g_poll,
    },
    translate::ToGlibPtr,
};
use gsock::{ReadHalf, engine, prelude::*};

use crate::{polling::*, support::*};

pub(crate) type PollFunction = unsafe extern "C" fn(*mut GPollFD, u32, i32) -> i32;

pub(crate) const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

thread_local! {
    static POLLS: Cell<usize> = const { Cell::new(0) };
}

pub(crate) unsafe extern "C" fn counting(
    descriptors: *mut GPollFD,
    count: u32,
    milliseconds: i32,
) -> i32 {
    POLLS.set(POLLS.get() + 1);
    // SAFETY: the caller's arguments, passed on.
    unsafe { g_poll(descriptors, count, milliseconds) }
}

pub(crate) fn function_of(context: &glib::MainContext) -> PollFunction {
    // SAFETY: a live context.
    unsafe { g_main_context_get_poll_func(context.to_glib_none().0) }.expect("there always is one")
}

pub(crate) fn set_function(context: &glib::MainContext, function: PollFunction) {
    // SAFETY: a live context, and a function that stays.
    unsafe { g_main_context_set_poll_func(context.to_glib_none().0, Some(function)) };
}

pub(crate) fn has(context: &glib::MainContext, function: PollFunction) -> bool {
    ptr::fn_addr_eq(function_of(context), function)
}

/// Without epoll, or with its use turned off, there is nothing to turn on.
pub(crate) fn is_portable() -> bool {
    std::env::var_os("GSOCK_BACK_END").is_some_and(|back_end| back_end == "sources")
}

/// Turns it on where that can be done; everything else must hold elsewhere too.
#[track_caller]
pub(crate) fn turn_on(context: &glib::MainContext) {
    let on = engine::use_poll_function(context, true);
    if is_portable() {
        assert_fails(on, E::NotSupported);
    } else {
        on.unwrap();
    }
}

/// A context whose polls are counted; at the end it is as it was.
pub(crate) struct Watched<'a> {
    context: &'a glib::MainContext,
    original: PollFunction,
}

impl<'a> Watched<'a> {
    pub(crate) fn new(context: &'a glib::MainContext) -> Self {
        // With all contexts as this would have them.
        engine::use_poll_function(context, false).unwrap();
        let original = function_of(context);
        set_function(context, counting);
        Self { context, original }
    }

    /// How often the function from before was called by now, since the last time.
    pub(crate) fn polls(&self) -> usize {
        POLLS.replace(0)
    }

    /// Turns it on, and lets the context wait once: then it knows what wakes it.
    #[track_caller]
    pub(crate) fn folds(&self) {
        turn_on(self.context);
        assert_eq!(has(self.context, counting), is_portable());
        self.waits_once();
    }

    /// Lets the context wait; on a busy machine a moment may be over before anybody waits for it.
    fn waits_once(&self) {
        for milliseconds in [1, 10, 100, 1000] {
            self.polls();
            wait_for(self.context, milliseconds);
            if self.polls() == 0 || is_portable() {
                break;
            }
        }
    }

    #[track_caller]
    pub(crate) fn assert_none_polled(&self) {
        assert_eq!(self.polls() == 0, !is_portable());
    }

    #[track_caller]
    pub(crate) fn assert_polled(&self) {
        assert_ne!(self.polls(), 0);
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // An error would say that it is off by now.
        let _ = engine::use_poll_function(self.context, false);
        set_function(self.context, self.original);
    }
}

pub(crate) fn wait_for_a_moment(context: &glib::MainContext) {
    wait_for(context, 1);
}

fn wait_for(context: &glib::MainContext, milliseconds: u64) {
    context.block_on(glib::timeout_future(Duration::from_millis(milliseconds)));
}

/// Sends four bytes a few times, now and then.
fn feeding(mut peer: TcpStream) -> thread::JoinHandle<TcpStream> {
    thread::spawn(move || {
        for _ in 0..20 {
            peer.write_all(b"four").unwrap();
            thread::sleep(Duration::from_micros(300));
        }
        peer
    })
}

async fn read_all_of_it(mut reader: ReadHalf) {
    let (mut count, mut buffer) = (0, [0; 4]);
    while count < 80 {
        count += reader.read(&mut buffer).await.unwrap();
    }
}

/// Data that comes while `context` waits.
pub(crate) fn talk(context: &glib::MainContext) {
    let (connection, peer) = connected_bare();
    let (reader, _writer) = connection.halves();
    let feeder = feeding(peer);
    run(context, read_all_of_it(reader));
    drop(feeder.join().unwrap());
}

#[test]
fn a_context_that_waits_for_sockets_alone_does_not_poll() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        talk(context);
        watched.assert_polled();
        watched.folds();
        talk(context);
        watched.assert_none_polled();
        // Blocked in a callback's place, where GLib's functions are.
        let (connection, mut peer) = connected();
        let read = Rc::new(RefCell::new(None));
        let slot = read.clone();
        let input = connection.input_stream();
        input.read_async(vec![0; 8], DEFAULT, gio::Cancellable::NONE, move |result| {
            *slot.borrow_mut() = Some(result.unwrap());
        });
        let sender = thread::spawn(move || {
            thread::sleep(Duration::from_millis(2));
            peer.write_all(b"late").unwrap();
            peer
        });
        until(context, || read.borrow().is_some());
        assert_eq!(read.take().unwrap().1, 4);
        watched.assert_none_polled();
        drop(sender.join().unwrap());
    });
}

#[test]
fn timers_and_idle_sources_need_no_poll() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        watched.folds();
        let begin = Instant::now();
        context.block_on(glib::timeout_future(Duration::from_millis(20)));
        assert!(begin.elapsed() >= Duration::from_millis(20));
        // Sockets have their turn beside an idle source that is always due.
        let always = glib::idle_source_new(None, glib::Priority::DEFAULT_IDLE, || {
            glib::ControlFlow::Continue
        });
        always.attach(Some(context));
        let (connection, peer) = connected_bare();
        let (reader, _writer) = connection.halves();
        let task = engine::spawn_local(context, read_all_of_it(reader));
        let feeder = feeding(peer);
        until(context, || task.is_finished());
        always.destroy();
        value_of(context.block_on(task));
        drop(feeder.join().unwrap());
        watched.assert_none_polled();
    });
}

#[test]
fn other_threads_wake_a_context_that_waits_so() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        watched.folds();
        for _ in 0..100 {
            let (send, receive) = oneshot::channel();
            let task = engine::spawn_local(context, receive);
            let sender = thread::spawn(move || send.send(3).unwrap());
            assert_eq!(value_of(context.block_on(task)).unwrap(), 3);
            sender.join().unwrap();
        }
        // A source from elsewhere, and the bare wake-up.
        let (send, receive) = mpsc::channel();
        let here = context.clone();
        let sender = thread::spawn(move || {
            thread::sleep(Duration::from_millis(2));
            here.invoke(move || send.send(()).unwrap());
        });
        until(context, || receive.try_recv().is_ok());
        sender.join().unwrap();
        let here = context.clone();
        let waker = thread::spawn(move || {
            thread::sleep(Duration::from_millis(2));
            // SAFETY: a live context.
            unsafe { g_main_context_wakeup(here.to_glib_none().0) };
        });
        context.iteration(true);
        waker.join().unwrap();
        watched.assert_none_polled();
    });
}

#[test]
fn a_wake_up_of_the_past_is_told_once() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        watched.folds();
        // SAFETY: a live context.
        unsafe { g_main_context_wakeup(context.to_glib_none().0) };
        assert!(!context.iteration(true));
        let fired = Rc::new(Cell::new(false));
        let fire = fired.clone();
        context.spawn_local(async move {
            glib::timeout_future(Duration::from_millis(50)).await;
            fire.set(true);
        });
        let mut iterations = 0;
        until(context, || {
            iterations += 1;
            fired.get()
        });
        // Untold, or told again and again, it would keep the context from waiting.
        assert!(iterations < 10, "{iterations}");
        watched.assert_none_polled();
    });
}

#[test]
fn an_iteration_that_may_not_block_does_not() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        watched.folds();
        let (connection, mut peer) = connected_bare();
        let (mut reader, _writer) = connection.halves();
        let task = engine::spawn_local(context, async move {
            let mut buffer = [0; 8];
            reader.read(&mut buffer).await.unwrap()
        });
        while context.iteration(false) {}
        assert!(!context.iteration(false));
        assert!(!context.pending());
        peer.write_all(b"four").unwrap();
        while !task.is_finished() {
            context.iteration(false);
        }
        assert_eq!(value_of(context.block_on(task)), 4);
        watched.assert_none_polled();
    });
}

#[test]
fn a_descriptor_of_somebody_elses_brings_the_function_from_before_back() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        watched.folds();
        for _ in 0..3 {
            let (mut peer, fd) = tcp_pair();
            let socket = gio::Socket::from_fd(fd).unwrap();
            let seen = Rc::new(Cell::new(false));
            let tell = seen.clone();
            let source = SocketExtManual::create_source(
                &socket,
                glib::IOCondition::IN,
                gio::Cancellable::NONE,
                None,
                DEFAULT,
                move |_, _| {
                    tell.set(true);
                    glib::ControlFlow::Break
                },
            );
            source.attach(Some(context));
            talk(context);
            watched.assert_polled();
            assert!(!seen.get());
            let sender = thread::spawn(move || {
                thread::sleep(Duration::from_millis(2));
                peer.write_all(b"x").unwrap();
                peer
            });
            until(context, || seen.get());
            watched.assert_polled();
            drop(sender.join().unwrap());
            // It has gone, and its descriptor with it.
            drop((source, socket));
            talk(context);
            watched.assert_none_polled();
        }
    });
}

/// What is less urgent than what is about to run is not polled at all, what wakes the context neither.
#[test]
fn an_urgent_descriptor_is_not_taken_for_what_wakes_the_context() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        let (_peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).unwrap();
        let urgent = SocketExtManual::create_source(
            &socket,
            glib::IOCondition::IN,
            gio::Cancellable::NONE,
            None,
            glib::Priority::from(-100),
            |_, _| panic!("nothing was sent"),
        );
        urgent.attach(Some(context));
        turn_on(context);
        for _ in 0..3 {
            let due =
                glib::idle_source_new(None, glib::Priority::from(-50), || glib::ControlFlow::Break);
            due.attach(Some(context));
            assert!(context.iteration(true));
        }
        urgent.destroy();
        drop((urgent, socket));
        watched.waits_once();
        talk(context);
        watched.assert_none_polled();
    });
}

#[test]
fn loops_inside_of_tasks_wait_so_as_well() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        watched.folds();
        let here = context.clone();
        let outer = engine::spawn_local(context, async move {
            talk(&here);
            let nested = here.clone();
            let inner = engine::spawn_local(&here, async move { talk(&nested) });
            value_of(here.block_on(inner));
        });
        value_of(context.block_on(outer));
        watched.assert_none_polled();
    });
}

#[test]
fn another_context_in_between_waits_for_its_own() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        watched.folds();
        let other = glib::MainContext::new();
        for on in [false, true, false] {
            if on {
                turn_on(&other);
            } else {
                engine::use_poll_function(&other, false).unwrap();
            }
            let inner = other.clone();
            let outer = engine::spawn_local(context, async move {
                inner.with_thread_default(|| talk(&inner)).unwrap();
            });
            value_of(context.block_on(outer));
            talk(context);
        }
        watched.assert_none_polled();
    });
}

#[test]
fn more_than_a_batch_is_told() {
    const MANY: usize = 300;
    on_private_context(|context| {
        let watched = Watched::new(context);
        watched.folds();
        let (mut tasks, mut peers) = (Vec::new(), Vec::new());
        for _ in 0..MANY {
            let (connection, peer) = connected_bare();
            let (mut reader, _writer) = connection.halves();
            peers.push(peer);
            tasks.push(engine::spawn_local(context, async move {
                let mut buffer = [0; 8];
                reader.read(&mut buffer).await.unwrap()
            }));
        }
        while context.iteration(false) {}
        for peer in &mut peers {
            peer.write_all(b"four").unwrap();
        }
        for task in tasks {
            assert_eq!(value_of(context.block_on(task)), 4);
        }
        watched.assert_none_polled();
    });
}

#[test]
fn contexts_on_threads_of_their_own_wait_each_for_its_own() {
    on_private_context(|_| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(|| {
                    let context = glib::MainContext::new();
                    let work = || {
                        let watched = Watched::new(&context);
                        watched.folds();
                        for _ in 0..5 {
                            talk(&context);
                        }
                        watched.assert_none_polled();
                    };
                    context.with_thread_default(work).unwrap();
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
