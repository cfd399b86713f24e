//! What the finish functions take, and what becomes of results that nobody takes.

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{UnixConnection, prelude::*};

use crate::{support::*, tools::*, unix_tools::*};

const NOBODY: Option<&gio::Cancellable> = gio::Cancellable::NONE;

type Done = Box<dyn FnOnce(&UnixConnection, &gio::AsyncResult)>;
type Finish = fn(&UnixConnection, &gio::AsyncResult) -> Result<(), glib::Error>;

/// Starts one of each, each of which can succeed, and gives their results.
fn results(context: &glib::MainContext, one: &UnixConnection) -> Vec<gio::AsyncResult> {
    let parcel = Parcel::new();
    let mut all = Vec::new();
    let mut run = |start: &dyn Fn(Done)| {
        let slot = Slot::new();
        let put = slot.put();
        start(Box::new(move |_, result| put(result.clone())));
        all.push(slot.wait(context));
    };
    let fds = [parcel.fd()];
    run(&|done| one.send_fd_async(fds[0], NOBODY, done));
    run(&|done| one.send_fds_async(&fds, NOBODY, done));
    run(&|done| one.send_credentials_async(NOBODY, done));
    run(&|done| one.receive_fd_async(NOBODY, done));
    run(&|done| one.receive_fds_async(1, NOBODY, done));
    run(&|done| one.receive_credentials_async(NOBODY, done));
    all
}

/// The finish functions, in the same order.
const FINISHES: [Finish; 6] = [
    |one, result| one.send_fd_finish(result),
    |one, result| one.send_fds_finish(result),
    |one, result| one.send_credentials_finish(result),
    |one, result| one.receive_fd_finish(result).map(drop),
    |one, result| one.receive_fds_finish(result).map(drop),
    |one, result| one.receive_credentials_finish(result).map(drop),
];

/// A connection that gets what it sends itself.
fn looped() -> (UnixConnection, UnixConnection, impl Fn()) {
    let (one, other) = unix_pair();
    let (from, to) = (other.clone(), other.clone());
    let feed = move || {
        let parcel = Parcel::new();
        from.send_fd(parcel.fd(), NOBODY).expect("room");
        from.send_fd(parcel.fd(), NOBODY).expect("room");
        from.send_credentials(NOBODY).expect("room");
    };
    (one, to, feed)
}

#[test]
fn each_result_is_taken_by_its_own_finish_function_once() {
    on_private_context(|context| {
        let (one, _other, feed) = looped();
        feed();
        let results = results(context, &one);
        for (at, result) in results.iter().enumerate() {
            for (other, finish) in FINISHES.iter().enumerate() {
                if other != at {
                    assert_fails(finish(&one, result), E::InvalidArgument);
                }
            }
            FINISHES[at](&one, result).expect("it succeeded");
            assert_fails(FINISHES[at](&one, result), E::InvalidArgument);
        }
    });
}

#[test]
fn results_of_others_are_refused() {
    on_private_context(|context| {
        let (one, other, feed) = looped();
        feed();
        for (at, result) in results(context, &one).iter().enumerate() {
            // Another object's.
            assert_fails(FINISHES[at](&other, result), E::InvalidArgument);
            // Another kind of operation's.
            assert_fails(one.connect_finish(result), E::InvalidArgument);
        }
        let slot = Slot::new();
        let put = slot.put();
        one.close_async(glib::Priority::DEFAULT, NOBODY, put);
        slot.wait(context).expect("nothing to wait for");
    });
}

/// A task without a tag says nothing of what it answers.
#[test]
fn a_task_without_a_tag_has_no_descriptor_to_give() {
    on_private_context(|context| {
        let (one, _peer) = with_peer();
        for finish in &FINISHES[3..] {
            // SAFETY: a live object; the callback is none.
            let task = unsafe {
                gio::ffi::g_task_new(
                    glib::translate::ToGlibPtr::<*mut glib::gobject_ffi::GObject>::to_glib_none(
                        one.upcast_ref::<glib::Object>(),
                    )
                    .0,
                    std::ptr::null_mut(),
                    None,
                    std::ptr::null_mut(),
                )
            };
            // SAFETY: a task that was not answered yet.
            unsafe { gio::ffi::g_task_return_int(task, 7) };
            // SAFETY: the reference of its making.
            let result: gio::AsyncResult =
                unsafe { glib::translate::from_glib_full(task.cast::<gio::ffi::GAsyncResult>()) };
            assert_fails(finish(&one, &result), E::InvalidArgument);
            settle(context, std::time::Duration::from_millis(1));
        }
    });
}

/// The descriptors that nobody takes are closed with their results.
#[test]
fn what_nobody_finishes_leaks_nothing() {
    on_private_context(|context| {
        let (one, other) = unix_pair();
        let mut parcel = Parcel::new();
        for _ in 0..2 {
            other.send_fd(parcel.fd(), NOBODY).expect("room");
        }
        let kept = Slot::new();
        let put = kept.put();
        one.receive_fd_async(NOBODY, move |_, result| put(result.clone()));
        let kept = kept.wait(context);
        let told = Slot::new();
        let put = told.put();
        one.receive_fds_async(3, NOBODY, move |_, _| put(()));
        told.wait(context);
        parcel.let_go();
        assert!(!parcel.is_closed_everywhere(), "the result has it");
        drop(kept);
        settle(context, std::time::Duration::from_millis(1));
        assert!(parcel.is_closed_everywhere());
    });
}

/// It has ended, and keeps what it has.
#[test]
fn a_result_outlives_a_cancellation_and_a_close() {
    on_private_context(|context| {
        let (one, other) = unix_pair();
        let parcel = Parcel::new();
        other.send_fd(parcel.fd(), NOBODY).expect("room");
        let cancellable = gio::Cancellable::new();
        let slot = Slot::new();
        let put = slot.put();
        one.receive_fd_async(Some(&cancellable), move |_, result| put(result.clone()));
        let result = slot.wait(context);
        cancellable.cancel();
        one.close(NOBODY).expect("nothing to wait for");
        let fd = one.receive_fd_finish(&result).expect("received");
        assert!(parcel.is(&fd));
    });
}

/// As C may do it.
#[test]
fn a_result_is_taken_on_any_thread() {
    on_private_context(|context| {
        let (one, other) = unix_pair();
        let parcel = Parcel::new();
        other.send_fd(parcel.fd(), NOBODY).expect("room");
        let slot = Slot::new();
        let put = slot.put();
        one.receive_fd_async(NOBODY, move |_, result| put(result.clone()));
        let both = (one.clone(), slot.wait(context));
        let fd = on_thread(&both, |(one, result)| one.receive_fd_finish(result));
        assert!(parcel.is(&fd.join().expect("no panic").expect("received")));
    });
}

#[test]
fn callbacks_come_after_the_call_and_in_the_callers_context() {
    on_private_context(|context| {
        let (one, other) = unix_pair();
        let parcel = Parcel::new();
        other.send_fd(parcel.fd(), NOBODY).expect("room");
        let slot = Slot::new();
        let put = slot.put();
        let here = context.clone();
        one.receive_fd_async(NOBODY, move |one, result| {
            assert!(here.is_owner());
            put(one.receive_fd_finish(result));
        });
        assert!(!slot.is_set());
        assert!(parcel.is(&slot.wait(context).expect("sent")));
    });
}
