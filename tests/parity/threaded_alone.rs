//! Threaded services in a process of their own: what crashes or hangs, and the limit, where GIO's may.

use std::{
    io::Read,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gio::prelude::*;

use super::{Gate, waiting_at};
use crate::{accepting::*, apart::*, support::*, tools::*, under::*};

/// Runs a part on GIO's class, which may crash as 2.74.6 does at the limit (THREADED-11), or do what it is said to.
/// No assertion: what may or may not be reached is none.
#[track_caller]
fn gio_may_crash_or(test: &str, says: Ended) {
    let gio = apart(test, "gio");
    println!("GIO: {gio:?}");
    let is_known = glib::check_version(2, 75, 0).is_some();
    if is_known && ![Crashes, says].contains(&gio) {
        panic!("this GLib 2.74.6 does not do what it is said to: {gio:?}, not {says:?}");
    }
}

fn side_of(part: &str) -> Side {
    match part {
        "gio" => Side::Gio,
        _ => Side::Ours,
    }
}

/// On a context that is not the default one, whatever the tests are run on.
fn on_another_context<R>(f: impl FnOnce(&glib::MainContext) -> R) -> R {
    let context = glib::MainContext::new();
    context
        .with_thread_default(|| {
            let result = f(&context);
            let_come_home(&context);
            result
        })
        .expect("a new context has no owner")
}

/// THREADED-7: on two threads at most two at once, and the others wait in the queue. SERVICE-10: GIO's accepts in the
/// default context, once a worker has started it again, where nobody waits here.
#[test]
fn differs_threaded_7_beyond_the_limit_clients_wait_and_are_served_where_the_service_was_made() {
    const TEST: &str = "threaded::alone::differs_threaded_7_beyond_the_limit_clients_wait_and_are_served_where_the_service_was_made";
    run_if_asked(|part, _| {
        let side = side_of(part);
        on_another_context(|context| {
            let service = side.threaded(2);
            let (gate, running, most) = (
                Gate::default(),
                Arc::new(AtomicUsize::new(0)),
                Arc::new(AtomicUsize::new(0)),
            );
            let served = Arc::new(AtomicUsize::new(0));
            let (waits, now, top, total) =
                (gate.clone(), running.clone(), most.clone(), served.clone());
            service.on_connection("run", move |_, _| {
                let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                top.fetch_max(running, Ordering::SeqCst);
                waits.wait();
                thread::sleep(Duration::from_millis(2));
                now.fetch_sub(1, Ordering::SeqCst);
                total.fetch_add(1, Ordering::SeqCst);
                true
            });
            let socket = ipv4_socket();
            let here = gio_address(([127, 0, 0, 1], 0).into());
            socket.bind(&here, false).unwrap();
            socket.listen().unwrap();
            let address = std_address(&socket.local_address().unwrap());
            service.add_socket(&socket, None).unwrap();
            iterate_for(context, Duration::from_millis(10));
            let _clients = [(); 6].map(|()| client_of(address));
            iterate_until(context, || running.load(Ordering::SeqCst) == 2);
            iterate_for(context, Duration::from_millis(50));
            let waiting = queue_of(&socket).1;
            gate.open();
            let all = side.comes(context, || served.load(Ordering::SeqCst) == 6);
            assert!(most.load(Ordering::SeqCst) <= 2);
            i32::from(waiting == 4) + 2 * i32::from(all)
        })
    });
    gio_may_crash_or(TEST, Says(1));
    assert_eq!(apart(TEST, "ours"), Says(3));
}

/// THREADED-8: stopped by the user while jobs run at the limit. Whether it is active when they have ended.
#[test]
fn differs_threaded_8_a_stop_at_the_limit_holds() {
    const TEST: &str = "threaded::alone::differs_threaded_8_a_stop_at_the_limit_holds";
    run_if_asked(|part, _| {
        on_another_context(|context| {
            let service = side_of(part).threaded(1);
            let gate = Gate::default();
            let jobs = waiting_at(&service, &gate);
            let address = service.listen();
            let mut client = client_of(address);
            iterate_until(context, || jobs.begun() == 1);
            service.stop_service();
            assert!(!service.is_active());
            gate.open();
            assert!(is_left(&mut client));
            iterate_for(context, Duration::from_millis(50));
            i32::from(service.is_active())
        })
    });
    gio_may_crash_or(TEST, Says(1));
    assert_eq!(apart(TEST, "ours"), Says(0));
}

/// THREADED-7: one job, at the limit. How often `active` is notified, and whether that is on another thread.
#[test]
fn differs_threaded_7_the_limit_leaves_active_alone() {
    const TEST: &str = "threaded::alone::differs_threaded_7_the_limit_leaves_active_alone";
    run_if_asked(|part, _| {
        on_another_context(|context| {
            let service = side_of(part).threaded(1);
            let gate = Gate::default();
            let jobs = waiting_at(&service, &gate);
            let notified = Arc::new(Mutex::new(Vec::new()));
            let noted = notified.clone();
            service.0.connect("notify::active", false, move |_| {
                noted.lock().unwrap().push(thread::current().id());
                None
            });
            let mut client = client_of(service.listen());
            iterate_until(context, || jobs.begun() == 1);
            iterate_for(context, Duration::from_millis(10));
            let active = service.is_active();
            gate.open();
            assert!(is_left(&mut client));
            iterate_for(context, Duration::from_millis(50));
            let notified = notified.lock().unwrap();
            let here = thread::current().id();
            let elsewhere = notified.iter().any(|it| *it != here);
            i32::try_from(notified.len()).unwrap()
                + 4 * i32::from(elsewhere)
                + 8 * i32::from(active)
        })
    });
    gio_may_crash_or(TEST, Says(6));
    assert_eq!(apart(TEST, "ours"), Says(8));
}

/// THREADED-4: a service that may have no thread at all. Whether its client is served.
#[test]
fn differs_threaded_4_no_threads_at_all_is_refused() {
    const TEST: &str = "threaded::alone::differs_threaded_4_no_threads_at_all_is_refused";
    run_if_asked(|part, context| {
        let service = side_of(part).threaded(0);
        let gate = Gate::default();
        gate.open();
        let jobs = waiting_at(&service, &gate);
        let _client = client_of(service.listen());
        let served = side_of(part).comes(context, || jobs.ended() == 1);
        // One that accepts keeps itself.
        service.close();
        drop(service);
        iterate_until_none_lives(context);
        i32::from(served) + 2 * i32::from(logged_so_far() > 0)
    });
    gio_may_crash_or(TEST, Says(0));
    assert_eq!(apart(TEST, "ours"), Says(3));
}

/// THREADED-11: one thread, and clients that come quickly, on the default context, where a worker starts the
/// service again while it is iterated. Says whether all were served.
#[test]
fn threaded_11_clients_that_come_quickly_to_one_thread_are_served() {
    const TEST: &str =
        "threaded::alone::threaded_11_clients_that_come_quickly_to_one_thread_are_served";
    const CLIENTS: usize = 50;
    if std::env::var_os("GSOCK_TEST_PART").is_some() {
        ends_after(LIMIT);
    }
    run_on_default_if_asked(|part, context| {
        let service = side_of(part).threaded(1);
        service.on_connection("run", |_, _| true);
        let address = service.listen();
        let clients = thread::spawn(move || {
            (0..CLIENTS)
                .filter(|_| {
                    let mut pair = [client_of(address), client_of(address)];
                    pair.iter_mut()
                        .all(|client| matches!(client.read(&mut [0; 1]), Ok(0)))
                })
                .count()
        });
        iterate_until(context, || clients.is_finished());
        // One that accepts keeps itself.
        service.close();
        i32::from(clients.join().unwrap() == CLIENTS)
    });
    let gio: Vec<_> = (0..5).map(|_| apart(TEST, "gio")).collect();
    println!("GIO, of five times: {gio:?}");
    assert_eq!(apart(TEST, "ours"), Says(1));
}

/// THREADED-9: a handler of `notify::active` in which another threaded service has a connection.
#[test]
fn differs_threaded_9_no_lock_is_held_while_handlers_run() {
    differs_apart(
        "threaded::alone::differs_threaded_9_no_lock_is_held_while_handlers_run",
        |side, _| {
            on_another_context(|context| {
                let (one, other) = (side.threaded(1), side.threaded(10));
                let gate = Gate::default();
                gate.open();
                let jobs = [waiting_at(&one, &gate), waiting_at(&other, &gate)];
                let address = other.listen();
                let inner = Sent::new(context.clone());
                let here = thread::current().id();
                let client = Arc::new(Mutex::new(None));
                let begun = Sent::new(jobs[1].clone());
                let handler = move || {
                    if thread::current().id() == here && client.lock().unwrap().is_none() {
                        client.lock().unwrap().replace(client_of(address));
                        iterate_until(inner.get(), || begun.get().begun() == 1);
                    }
                };
                let handler = Mutex::new(handler);
                one.0.connect("notify::active", false, move |_| {
                    if let Ok(handler) = handler.try_lock() {
                        handler();
                    }
                    None
                });
                let _client = client_of(one.listen());
                iterate_until(context, || jobs[0].ended() == 1);
                // Where the limit notifies nothing, the user does.
                if jobs[1].begun() == 0 {
                    one.stop_service();
                }
                i32::from(jobs[1].begun() == 1)
            })
        },
        Hangs,
        Says(1),
    );
}

/// From now on this process has no new thread: the calls that make one answer as at a limit of the system.
fn no_thread_can_be_made() {
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let number = |call: libc::c_long| u32::try_from(call).expect("a number");
    let load = |offset| libc::sock_filter {
        code: 0x20,
        jt: 0,
        jf: 0,
        k: offset,
    };
    let unless = |value, skip| libc::sock_filter {
        code: 0x15,
        jt: 0,
        jf: skip,
        k: value,
    };
    let answer = |what| libc::sock_filter {
        code: 0x06,
        jt: 0,
        jf: 0,
        k: what,
    };
    let mut filter = [
        load(0),
        unless(number(libc::SYS_clone3), 1),
        // Then the C library takes the older one.
        answer(ERRNO | libc::ENOSYS as u32),
        unless(number(libc::SYS_clone), 1),
        answer(ERRNO | libc::EAGAIN as u32),
        answer(ALLOW),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).expect("a few"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: a live program, which the kernel copies.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let flags = libc::SECCOMP_FILTER_FLAG_TSYNC;
        let set = libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        );
        assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    }
}

/// THREADED-10: no thread can be made. Whether the process lives, says so, and keeps the connection. What
/// GIO's does with what it has let go of is a matter of luck.
#[test]
fn threaded_10_without_threads_a_connection_is_kept_and_the_service_says_so() {
    const TEST: &str =
        "threaded::alone::threaded_10_without_threads_a_connection_is_kept_and_the_service_says_so";
    if std::env::var_os("GSOCK_TEST_PART").is_some() {
        ends_after(LIMIT);
    }
    run_if_asked(|part, context| {
        // Nobody can serve what is kept, for which the service looks on and on, closed or not.
        let_stay();
        let side = side_of(part);
        let service = side.threaded(4);
        let gate = Gate::default();
        gate.open();
        let jobs = waiting_at(&service, &gate);
        let errors = Arc::new(AtomicUsize::new(0));
        if side == Side::Ours {
            let counted = errors.clone();
            service.0.connect("error", false, move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
                None
            });
        }
        let mut client = client_of(service.listen());
        client
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        no_thread_can_be_made();
        let said = side.comes(context, || errors.load(Ordering::SeqCst) > 0);
        assert_eq!(jobs.begun(), 0);
        let closed = matches!(client.read(&mut [0; 1]), Ok(0));
        println!(
            "{} messages, {} errors, {closed}",
            logged_so_far(),
            errors.load(Ordering::SeqCst)
        );
        i32::from(closed) + 2 * i32::from(said)
    });
    println!("GIO: {:?}", apart(TEST, "gio"));
    assert_eq!(apart(TEST, "ours"), Says(2));
}

/// THREADED-10: no thread can be made for the second connection, and then the first one's is free. GIO's has that go on
/// with what it has let go of, and what comes of it is a matter of luck.
#[test]
fn threaded_10_what_has_no_thread_is_served_by_the_next_that_is_free() {
    const TEST: &str =
        "threaded::alone::threaded_10_what_has_no_thread_is_served_by_the_next_that_is_free";
    if std::env::var_os("GSOCK_TEST_PART").is_some() {
        ends_after(LIMIT);
    }
    run_if_asked(|part, context| {
        let side = side_of(part);
        let service = side.threaded(4);
        let gate = Gate::default();
        let jobs = waiting_at(&service, &gate);
        let address = service.listen();
        iterate_for(context, Duration::from_millis(10));
        let mut first = client_of(address);
        iterate_until(context, || jobs.begun() == 1);
        no_thread_can_be_made();
        let _second = client_of(address);
        iterate_for(context, Duration::from_millis(100));
        let begun = jobs.begun();
        gate.open();
        assert!(is_left(&mut first));
        let served = side.comes(context, || jobs.ended() == 2);
        println!("{} messages, {} of 2 ended", logged_so_far(), jobs.ended());
        // One that accepts keeps itself.
        service.close();
        drop(service);
        iterate_until_none_lives(context);
        i32::from(begun == 1) + 2 * i32::from(served)
    });
    println!("GIO: {:?}", apart(TEST, "gio"));
    assert_eq!(apart(TEST, "ours"), Says(3));
}
