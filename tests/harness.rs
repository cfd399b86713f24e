//! What the tests stand on: messages that nobody expects are fatal, limits hold, contexts are as asked.

#![cfg(test)]

mod support;

use std::{
    os::unix::process::ExitStatusExt,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Output},
    sync::mpsc,
    thread,
    time::Duration,
};

use glib::{LogField, LogLevel, gstr};
use support::*;

/// Set in a process that is to die, or to run on another context.
const ROLE: &str = "GSOCK_TEST_HARNESS";

/// Runs one test of this file in a process of its own, in a role.
fn run(test: &str, role: &str, context: &str) -> Output {
    Command::new(std::env::current_exe().expect("the test itself"))
        .args(["--exact", test])
        .env(ROLE, role)
        .env("GSOCK_TEST_CONTEXT", context)
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("it runs")
}

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

fn critical() {
    glib::g_critical!("Harness", "nobody expects this");
}

/// What ends a process, and what its message is about.
const FATAL: [(&str, fn(), &str); 6] = [
    ("critical", critical, "Critical"),
    (
        "warning",
        || glib::g_warning!("Harness", "nobody expects this"),
        "Warning",
    ),
    (
        "without a domain",
        || glib::g_log!(LogLevel::Critical, "nobody expects this"),
        "Critical",
    ),
    (
        "structured",
        || {
            let message = LogField::new(gstr!("MESSAGE"), b"nobody expects this");
            glib::log_structured_array(LogLevel::Critical, &[message]);
        },
        "Critical",
    ),
    (
        "on another thread",
        || {
            let _ = logged(|| thread::spawn(critical).join());
        },
        "Critical",
    ),
    (
        "after others were expected",
        || {
            let ((), lines) = logged(critical);
            assert_eq!(lines, ["Harness: nobody expects this"]);
            critical();
        },
        "Critical",
    ),
];

#[test]
fn a_message_that_nobody_expects_ends_the_process_and_is_named() {
    if let Some(role) = role() {
        let (_, log, _) = FATAL.iter().find(|(name, ..)| *name == role).expect("one");
        return on_private_context(|_| log());
    }
    for (name, _, level) in FATAL {
        for context in ["private", "default"] {
            let output = run(
                "a_message_that_nobody_expects_ends_the_process_and_is_named",
                name,
                context,
            );
            assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{name}");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(&format!("unexpected {level} in ")), "{name}");
            assert!(said.contains(": nobody expects this"), "{name}");
        }
    }
}

#[test]
fn what_does_not_go_through_a_context_cannot_log_unseen() {
    if role().is_some() {
        return critical();
    }
    let test = "what_does_not_go_through_a_context_cannot_log_unseen";
    let output = run(test, "critical", "private");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
}

#[test]
fn expected_messages_are_gathered_in_order_and_counted() {
    on_private_context(|_| {
        let (value, lines) = logged(|| {
            glib::g_warning!("One", "a {}", 1);
            // A list of its own.
            let ((), inner) = logged(|| glib::g_critical!("Inner", "b"));
            assert_eq!(inner, ["Inner: b"]);
            glib::g_critical!("Two", "c");
            glib::g_debug!("Three", "nothing of interest");
            7
        });
        assert_eq!(value, 7);
        assert_eq!(lines, ["One: a 1", "Two: c"]);

        with_one_critical(|| glib::g_critical!("Gsock", "one"));
        let wrong: [fn(); 3] = [
            || with_one_critical(|| {}),
            || with_one_critical(|| glib::g_critical!("GLib", "not of this crate")),
            || {
                with_one_critical(|| {
                    glib::g_critical!("Gsock", "one");
                    glib::g_critical!("Gsock", "two");
                });
            },
        ];
        for wrong in wrong {
            assert!(catch_unwind(wrong).is_err());
        }
        // A panic takes its list along.
        let (_, lines) = logged(|| {
            let fails = AssertUnwindSafe(|| logged(|| panic!("on purpose")));
            assert!(catch_unwind(fails).is_err());
            critical();
        });
        assert_eq!(lines.len(), 1);
    });
}

#[test]
fn a_limit_ends_a_test_and_a_panic_goes_through() {
    let (end, ended) = mpsc::channel::<()>();
    let hangs = AssertUnwindSafe(|| within(Duration::from_millis(20), move || ended.recv()));
    let late = catch_unwind(hangs);
    drop(end);
    let message = late.expect_err("it took longer");
    let message = message.downcast::<String>().expect("a message");
    assert!(message.starts_with("not done after"), "{message}");

    let own = catch_unwind(|| within(LIMIT, || panic!("on purpose")));
    let message = own.expect_err("it panicked").downcast::<&str>();
    assert_eq!(*message.expect("a message"), "on purpose");
}

/// The environment says which context; see `on_private_context`.
#[test]
fn a_test_runs_on_the_context_that_was_asked_for() {
    let test = "a_test_runs_on_the_context_that_was_asked_for";
    match role().as_deref() {
        None => {
            for context in ["private", "default"] {
                assert!(run(test, context, context).status.success(), "{context}");
            }
            assert!(!run(test, "private", "default").status.success());
            assert!(!run(test, "default", "another").status.success());
        }
        Some(role) => {
            let on_default = role == "default";
            on_private_context(move |context| {
                assert_eq!(*context == glib::MainContext::default(), on_default);
                assert_eq!(glib::MainContext::thread_default().is_none(), on_default);
                assert_eq!(glib::MainContext::ref_thread_default(), *context);
                assert!(context.is_owner());
            });
        }
    }
}
