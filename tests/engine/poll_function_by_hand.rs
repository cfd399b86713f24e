//! The same, called as somebody may who runs a context step by step; and the end of contexts and of waits.

use std::{future::pending, io::Write, os::unix::thread::JoinHandleExt, thread, time::Duration};

use glib::{
    ffi::{GPollFD, g_main_context_check, g_main_context_prepare, g_main_context_query, g_poll},
    translate::ToGlibPtr,
};
use gsock::{engine, prelude::*};

use crate::{poll_function::*, polling::*, support::*};

/// An iteration in its steps.
struct Steps<'a> {
    context: &'a glib::MainContext,
    priority: i32,
    milliseconds: i32,
    descriptors: Vec<GPollFD>,
}

impl<'a> Steps<'a> {
    /// The caller owns the context.
    fn prepare(context: &'a glib::MainContext) -> Self {
        let nothing = GPollFD {
            fd: -1,
            events: 0,
            revents: 0,
        };
        let mut steps = Self {
            context,
            priority: 0,
            milliseconds: 0,
            descriptors: vec![nothing; 16],
        };
        // SAFETY: a context that this thread owns, and a place for the answer.
        unsafe { g_main_context_prepare(context.to_glib_none().0, &raw mut steps.priority) };
        // SAFETY: likewise, and room for as many as said.
        let count = unsafe {
            g_main_context_query(
                context.to_glib_none().0,
                steps.priority,
                &raw mut steps.milliseconds,
                steps.descriptors.as_mut_ptr(),
                16,
            )
        };
        steps.descriptors.truncate(usize::try_from(count).unwrap());
        steps
    }

    fn poll(&mut self, function: PollFunction) -> i32 {
        let count = u32::try_from(self.descriptors.len()).unwrap();
        // SAFETY: so many are there.
        unsafe { function(self.descriptors.as_mut_ptr(), count, self.milliseconds) }
    }

    fn check_and_dispatch(mut self) {
        let context = self.context.to_glib_none().0;
        let count = i32::try_from(self.descriptors.len()).unwrap();
        // SAFETY: a context that this thread owns, and what it has asked for.
        let due = unsafe {
            g_main_context_check(context, self.priority, self.descriptors.as_mut_ptr(), count)
        };
        if due != glib::ffi::GFALSE {
            // SAFETY: likewise.
            unsafe { glib::ffi::g_main_context_dispatch(context) };
        }
    }
}

/// A task that reads four bytes, which are there or will be.
fn reading(context: &glib::MainContext) -> (engine::JoinHandle<usize>, std::net::TcpStream) {
    let (connection, peer) = connected_bare();
    let (mut reader, _writer) = connection.halves();
    let task = engine::spawn_local(context, async move {
        let mut buffer = [0; 8];
        reader.read(&mut buffer).await.unwrap()
    });
    while context.iteration(false) {}
    (task, peer)
}

#[test]
fn who_polls_by_himself_is_told_as_before() {
    on_private_context(|context| {
        turn_on(context);
        wait_for_a_moment(context);
        let own: PollFunction = g_poll;
        for function in [own, function_of(context), own] {
            let (task, mut peer) = reading(context);
            peer.write_all(b"four").unwrap();
            while !task.is_finished() {
                let mut steps = Steps::prepare(context);
                assert!(steps.poll(function) >= 0);
                steps.check_and_dispatch();
            }
            assert_eq!(value_of(context.block_on(task)), 4);
        }
        engine::use_poll_function(context, false).unwrap();
    });
}

/// GLib gives an iteration up if another thread adds a descriptor while it waits.
#[test]
fn what_an_iteration_that_was_given_up_has_found_is_not_lost() {
    on_private_context(|context| {
        turn_on(context);
        wait_for_a_moment(context);
        let (task, mut peer) = reading(context);
        peer.write_all(b"four").unwrap();
        let mut steps = Steps::prepare(context);
        // It waits for what is there already.
        assert_eq!(steps.poll(function_of(context)), 1);
        drop(steps);
        until(context, || task.is_finished());
        // Also when it is turned off meanwhile, and when the one who goes on polls by himself.
        let (other, mut other_peer) = reading(context);
        other_peer.write_all(b"four").unwrap();
        let mut steps = Steps::prepare(context);
        assert_eq!(steps.poll(function_of(context)), 1);
        engine::use_poll_function(context, false).unwrap();
        drop(steps);
        until(context, || other.is_finished());
        for task in [task, other] {
            assert_eq!(value_of(context.block_on(task)), 4);
        }
    });
}

#[test]
fn polled_without_an_iteration_it_is_the_function_from_before() {
    on_private_context(|context| {
        turn_on(context);
        wait_for_a_moment(context);
        let (task, mut peer) = reading(context);
        peer.write_all(b"four").unwrap();
        let function = function_of(context);
        while !task.is_finished() {
            let mut steps = Steps::prepare(context);
            assert!(steps.poll(function) >= 0);
            steps.check_and_dispatch();
        }
        while context.iteration(false) {}
        // Nobody is about to wait here.
        let mut steps = Steps::prepare(context);
        steps.milliseconds = 0;
        assert_eq!(steps.poll(function), 0);
        assert_eq!(steps.poll(function), 0);
        // On a thread that has prepared nothing.
        let descriptors: Vec<_> = steps.descriptors.iter().map(|polled| polled.fd).collect();
        let polled = thread::spawn(move || {
            let mut again: Vec<_> = descriptors
                .into_iter()
                .map(|fd| GPollFD {
                    fd,
                    events: libc::POLLIN as u16,
                    revents: 0,
                })
                .collect();
            // SAFETY: so many are there.
            unsafe { function(again.as_mut_ptr(), again.len() as u32, 0) }
        });
        assert_eq!(polled.join().unwrap(), 0);
        // SAFETY: nothing to poll, and no place for it.
        assert_eq!(unsafe { function(std::ptr::null_mut(), 0, 0) }, 0);
        steps.check_and_dispatch();
        assert_eq!(value_of(context.block_on(task)), 4);
        engine::use_poll_function(context, false).unwrap();
    });
}

#[test]
fn a_context_that_ends_leaves_nothing_to_another_one() {
    on_private_context(|_| {
        for round in 0..20 {
            // It may have the address, and its descriptors the numbers, of the last one.
            let brief = glib::MainContext::new();
            if round % 2 == 0 {
                turn_on(&brief);
            }
            let owned = brief.acquire().unwrap();
            wait_for_a_moment(&brief);
            let (task, mut peer) = reading(&brief);
            peer.write_all(b"four").unwrap();
            assert_eq!(value_of(brief.block_on(task)), 4);
            let left = engine::spawn_local(&brief, pending::<()>());
            if round % 4 == 0 {
                // With something found that nobody has looked at.
                let (unread, mut late) = reading(&brief);
                late.write_all(b"four").unwrap();
                let mut steps = Steps::prepare(&brief);
                assert_eq!(steps.poll(function_of(&brief)), 1);
                drop((steps, unread));
            }
            drop(owned);
            drop(brief);
            assert!(left.is_finished());
        }
    });
}

/// `poll(2)` is not taken up again after a signal either.
#[test]
fn a_signal_in_a_wait_does_no_harm() {
    extern "C" fn nothing(_: i32) {}

    on_private_context(|_| {
        // SAFETY: all zeroes are an action without flags.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
        let mut before = action;
        // SAFETY: two places; the handler does nothing.
        let set = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, &raw mut before) };
        assert_eq!(set, 0);
        let waiting = thread::spawn(|| {
            let context = glib::MainContext::new();
            let work = || {
                turn_on(&context);
                context.block_on(glib::timeout_future(Duration::from_millis(50)));
                let (task, mut peer) = reading(&context);
                peer.write_all(b"four").unwrap();
                assert_eq!(value_of(context.block_on(task)), 4);
            };
            context.with_thread_default(work).unwrap();
        });
        let thread = waiting.as_pthread_t();
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(2));
            // SAFETY: a thread that is not joined yet.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
        }
        waiting.join().unwrap();
        // SAFETY: the action from before.
        unsafe { libc::sigaction(libc::SIGUSR1, &raw const before, std::ptr::null_mut()) };
    });
}
