//! Turning the poll function on and off, and what others may set in between.

use std::thread;

use gio::IOErrorEnum as E;
use glib::ffi::{GPollFD, g_poll};
use gsock::engine;

use crate::{poll_function::*, support::*};

unsafe extern "C" fn another(descriptors: *mut GPollFD, count: u32, milliseconds: i32) -> i32 {
    // SAFETY: the caller's arguments, passed on.
    unsafe { g_poll(descriptors, count, milliseconds) }
}

#[test]
fn on_and_off_and_on_again() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        for _ in 0..3 {
            watched.folds();
            let ours = function_of(context);
            turn_on(context);
            assert!(has(context, ours));
            talk(context);
            watched.assert_none_polled();
            for _ in 0..2 {
                engine::use_poll_function(context, false).unwrap();
                assert!(has(context, counting));
            }
            talk(context);
            watched.assert_polled();
        }
    });
}

#[test]
fn who_has_set_another_function_since_keeps_it() {
    on_private_context(|context| {
        let watched = Watched::new(context);
        watched.folds();
        set_function(context, another);
        if is_portable() {
            engine::use_poll_function(context, false).unwrap();
            assert!(has(context, another));
            return;
        }
        assert_fails(engine::use_poll_function(context, true), E::Busy);
        assert_fails(engine::use_poll_function(context, false), E::Busy);
        assert!(has(context, another));
        talk(context);
        // It is off by now, and may come back around the other one.
        engine::use_poll_function(context, false).unwrap();
        assert!(has(context, another));
        turn_on(context);
        assert!(!has(context, another));
        talk(context);
        engine::use_poll_function(context, false).unwrap();
        assert!(has(context, another));
        assert_eq!(watched.polls(), 0);
    });
}

#[test]
fn a_context_of_another_thread_is_left_alone() {
    on_private_context(|context| {
        let here = context.clone();
        let before = function_of(context);
        thread::spawn(move || {
            assert_fails(engine::use_poll_function(&here, true), E::Busy);
            assert_fails(engine::use_poll_function(&here, false), E::Busy);
        })
        .join()
        .unwrap();
        assert!(has(context, before));
    });
}
