//! Scenarios in a process of their own: what ends it, changes all of it, or never ends.

use std::{env, process::Command, thread, time::Duration};

use crate::{support::*, under::*};

/// Says to a process which part of a test it is to run.
const PART: &str = "GSOCK_TEST_PART";
/// What a scenario says is its process' exit code, from here on: others are the runner's.
const SAYS: i32 = 64;
/// Of what a scenario can say, what [`ends_after`] says for it.
const LAST: i32 = 31;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With what the scenario answers.
    Says(i32),
    /// By [`ends_after`]: the scenario hangs.
    Hangs,
    /// By a failed assertion in the test.
    Panics,
    /// In any other way: by a signal, or by what watches over signals.
    Crashes,
}

pub(crate) use Ended::*;

/// Runs one part of a test, whose path in its file this is, in another process, which is this very test again.
pub(crate) fn apart(test: &str, part: &str) -> Ended {
    let mut command = Command::new(env::current_exe().expect("the test itself"));
    command
        .args([test, "--exact", "--nocapture"])
        .env(PART, part)
        .env_remove("G_DEBUG");
    // A child that does not end in time says so itself.
    let output = within(LIMIT * 2, move || command.output().expect("it can be run"));
    // Shown if this test fails.
    for said in [&output.stdout, &output.stderr] {
        print!("{}", String::from_utf8_lossy(said));
    }
    match output.status.code() {
        Some(code) if code == SAYS + LAST => Hangs,
        Some(code) if (SAYS..SAYS + LAST).contains(&code) => Says(code - SAYS),
        Some(101) => Panics,
        Some(0) => panic!("there is no test of the name {test}"),
        _ => Crashes,
    }
}

/// In the process that is to run a part of a test: runs it, and ends with what it says.
pub(crate) fn run_if_asked(run: impl FnOnce(&str, &glib::MainContext) -> i32 + Send + 'static) {
    run_part_on(on_private_context, run);
}

/// Likewise, on the default context, whatever the tests are run on.
pub(crate) fn run_on_default_if_asked(
    run: impl FnOnce(&str, &glib::MainContext) -> i32 + Send + 'static,
) {
    run_part_on(on_default_context, run);
}

type Run = Box<dyn FnOnce(&glib::MainContext) -> i32 + Send>;

fn run_part_on(
    context: fn(Run) -> i32,
    run: impl FnOnce(&str, &glib::MainContext) -> i32 + Send + 'static,
) {
    let Ok(part) = env::var(PART) else { return };
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a limit as the system takes it. No core is wanted of what crashes on purpose.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    // Critical messages are what some of these are about.
    let says = context(Box::new(move |context| logged(|| run(&part, context)).0));
    // SAFETY: at once. Some leave a thread in a wait, which nothing is to wait for.
    unsafe { libc::_exit(SAYS + says) };
}

/// In such a process: ends it after this long, if it has not ended by itself.
pub(crate) fn ends_after(limit: Duration) {
    let limit = limit * slowness();
    thread::spawn(move || {
        thread::sleep(limit);
        // SAFETY: at once, and without the thread that hangs. Not by _exit(3), which a sanitizer's does not come through beside it.
        unsafe { libc::syscall(libc::SYS_exit_group, SAYS + LAST) };
    });
}

/// Runs a scenario on each class, in a process of its own, and compares with what it is said to do.
#[track_caller]
pub(crate) fn differs_apart(
    test: &str,
    scenario: impl FnOnce(Side, &glib::MainContext) -> i32 + Send + 'static,
    gio: Ended,
    ours: Ended,
) {
    run_if_asked(move |part, context| {
        let side = match part {
            "gio" => Side::Gio,
            _ => Side::Ours,
        };
        // What hangs there is not waited for as long as what must not hang.
        if side == Side::Gio && gio == Hangs {
            ends_after(Duration::from_secs(1));
        }
        scenario(side, context)
    });
    assert_ne!(gio, ours, "it is no difference");
    assert_gio(apart(test, "gio"), gio);
    assert_eq!(apart(test, "ours"), ours);
}
