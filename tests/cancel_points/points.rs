//! Points, counted: how many were tried, and how many were right.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::support::*;

/// Thousands of points, on a busy machine.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(70);
/// After so many wrong ones a test stops looking,
const ENOUGH: u32 = 3;
/// or after one that took so long: it hung.
const SLOW: Duration = Duration::from_secs(5);
/// How soon a thread of GIO's has closed what it had.
const MOMENT: Duration = Duration::from_secs(2);

/// Descriptors are the whole process': one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[derive(Clone, Copy, Debug)]
pub(crate) enum Where {
    Private,
    Default,
}

/// Runs `test` on a thread and a context of its own, or on the global one, alone in the process.
pub(crate) fn on(place: Where, test: impl FnOnce(&glib::MainContext) + Send + 'static) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // GIO opens a descriptor for the process with the class of its tasks, which no point is to be blamed for.
    // SAFETY: a type function without arguments.
    unsafe { gio::ffi::g_task_get_type() };
    within(LONG_LIMIT, move || match place {
        Where::Private => {
            let context = glib::MainContext::new();
            context
                .with_thread_default(|| test(&context))
                .expect("a new context has no owner");
        }
        Where::Default => {
            let context = glib::MainContext::default();
            let _owned = context.acquire().expect("nobody else iterates it");
            test(&context);
        }
    });
}

/// How many points were tried, and how many of them were right.
#[derive(Default)]
pub(crate) struct Points {
    tried: u32,
    right: u32,
    hung: bool,
    operations: Vec<&'static str>,
    /// Of descriptors with this in their names there may be more or less.
    passed_over: Option<&'static str>,
}

impl Points {
    /// Which of the library's operations these points are of, as `.ci/nets/operations.sh` names them.
    #[allow(dead_code, reason = "not of all files that count points")]
    pub(crate) fn covers(&mut self, operations: &[&'static str]) {
        self.operations.extend(operations);
    }

    /// Tries one: it is right if `point` does not panic and leaves as many descriptors as it found.
    pub(crate) fn attempt(&mut self, name: &str, mut point: impl FnMut()) {
        self.tried += 1;
        for is_last in [false, false, true] {
            let before = self.descriptors();
            let start = Instant::now();
            if catch_unwind(AssertUnwindSafe(&mut point)).is_err() {
                eprintln!("wrong: {name}");
                self.hung = start.elapsed() > SLOW;
                return;
            }
            if self.comes_to(before) {
                self.right += 1;
                return;
            }
            // Fewer: something that was there before it has ended late, on a busy machine. What closes too many does so again.
            // More, under a sanitizer: the program by which it names functions was started, once. What leaves some does so again.
            if is_last || (self.descriptors() > before && slowness() == 1) {
                eprintln!(
                    "wrong: {name}: {before} descriptors before, {} after: {:?}",
                    self.descriptors(),
                    descriptor_targets()
                );
                return;
            }
        }
    }

    /// Whether there are so many descriptors, or are in a moment: a thread of GIO's may be about to close one.
    fn comes_to(&self, before: usize) -> bool {
        let until = Instant::now() + MOMENT * slowness();
        while self.descriptors() != before {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_micros(200));
        }
        true
    }

    fn descriptors(&self) -> usize {
        match self.passed_over {
            None => open_descriptors(),
            Some(name) => {
                let targets = descriptor_targets();
                targets.iter().filter(|it| !it.contains(name)).count()
            }
        }
    }

    /// GIO's threads open and close some of their own when they like.
    #[allow(dead_code, reason = "not of all files that count points")]
    pub(crate) fn pass_over(&mut self, name: &'static str) {
        self.passed_over = Some(name);
    }

    /// Tries one that is not counted, for what is opened once and stays.
    pub(crate) fn warm_up(&mut self, point: impl FnOnce()) {
        if self.tried == 0 {
            let _ = catch_unwind(AssertUnwindSafe(point));
        }
    }

    pub(crate) fn is_enough(&self) -> bool {
        self.hung || self.tried - self.right >= ENOUGH
    }

    #[track_caller]
    pub(crate) fn report(&self, what: &str) {
        println!(
            "cancel points: {} tried, {} right: {what}",
            self.tried, self.right
        );
        for operation in &self.operations {
            println!("cancel points of {operation}");
        }
        assert_eq!(
            self.tried, self.right,
            "cancel points tried and right: {what}"
        );
        assert_ne!(self.tried, 0);
    }
}

/// What is behind each, for who has to find the one too many.
fn descriptor_targets() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    let mut targets: Vec<String> = entries
        .flatten()
        .map(|entry| {
            let target = std::fs::read_link(entry.path());
            format!("{:?} {target:?}", entry.file_name())
        })
        .collect();
    targets.sort();
    targets
}
