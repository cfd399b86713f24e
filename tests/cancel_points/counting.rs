//! Every point of every case, counted.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::effects::check;
use crate::expected::*;
use crate::operations::*;
use crate::scene::*;
use crate::support::*;

/// Thousands of points, on a busy machine.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(70);
/// After so many wrong ones a test stops looking,
const ENOUGH: u32 = 3;
/// or after one that took so long: it hung.
const SLOW: Duration = Duration::from_secs(5);

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
}

impl Points {
    /// Tries one: it is right if `point` does not panic and leaves as many descriptors as it found.
    pub(crate) fn attempt(&mut self, name: &str, point: impl FnOnce()) {
        self.tried += 1;
        let before = open_descriptors();
        let start = Instant::now();
        if catch_unwind(AssertUnwindSafe(point)).is_err() {
            eprintln!("wrong: {name}");
            self.hung = start.elapsed() > SLOW;
        } else if open_descriptors() != before {
            eprintln!(
                "wrong: {name}: {before} descriptors before, {} after: {:?}",
                open_descriptors(),
                descriptor_targets()
            );
        } else {
            self.right += 1;
        }
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

/// Learns how long the operation of `case` is, and lets its strike befall it at every point.
pub(crate) fn every_point(points: &mut Points, world: &World, case: Case) {
    if points.is_enough() {
        return;
    }
    let mut length = None;
    points.warm_up(|| _ = undisturbed(world, case));
    points.attempt(&format!("{case:?} undisturbed"), || {
        length = Some(undisturbed(world, case));
    });
    for k in 0..=length.unwrap_or(0) {
        if points.is_enough() {
            return;
        }
        points.attempt(&format!("{case:?} at {k}"), || point(world, case, k));
    }
}

fn undisturbed(world: &World, case: Case) -> u32 {
    // A strike that does nothing is none.
    let case = Case {
        strike: if matches!(case.way, Way::Callback | Way::LaterFinish) {
            Strike::DropFuture
        } else {
            Strike::Cancel
        },
        ..case
    };
    let mut scene = Scene::new(world, case);
    let length = scene.length();
    if case.natural().is_none() {
        assert!(!scene.has_ended(), "nobody answered");
        scene.drop_future();
    }
    if !scene.is_dropped() {
        scene.go_to_the_end();
        let end = scene.end();
        let natural = case.natural().unwrap_or(Err(gio::IOErrorEnum::Cancelled));
        assert_eq!(end, Some(natural));
    }
    assert_idle_and_leave(scene);
    length
}

fn assert_idle_and_leave(scene: Scene<'_>) {
    crate::tools::assert_idle(&scene.world.context);
    scene.leave();
}

fn point(world: &World, case: Case, k: u32) {
    let mut scene = Scene::new(world, case);
    for _ in 0..k {
        scene.step();
    }
    let (ended, done) = (scene.has_ended(), scene.is_done());
    let begun = scene.was_begun();
    scene.strike();
    scene.go_to_the_end();
    let end = scene.end();
    match end {
        Some(end) => {
            let mut allowed = case.allowed(ended, done);
            if !begun && matches!(case.strike, Strike::Close | Strike::DropReference) {
                // The other close was first.
                match case.op {
                    Op::Close | Op::GracefulClose if case.strike == Strike::Close => {
                        allowed = vec![Ok(0)];
                    }
                    Op::GracefulClose if case.answer == Answer::Reset => {
                        allowed = vec![Err(gio::IOErrorEnum::NotConnected)];
                    }
                    Op::Flush => allowed = vec![Err(gio::IOErrorEnum::Closed)],
                    _ => {}
                }
            }
            assert!(
                allowed.contains(&end),
                "it said {end:?}, not one of {allowed:?}"
            );
        }
        None => assert!(!ended && scene.is_dropped(), "it said nothing"),
    }
    check(&mut scene, end, ended);
    assert_idle_and_leave(scene);
}
