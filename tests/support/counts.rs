//! What a test has made of our classes is gone at its end: every object is counted, by type, whoever made it.

use std::{
    cell::Cell,
    env,
    fmt::Write as _,
    fs::OpenOptions,
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use gsock::living;

use super::slowness;

/// How long something may take to go, where others want the processors too.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many results the threads of GIO's may keep.
const SPARES: isize = 64;

/// Where a line of each test goes, for whoever adds them up.
const LINES: &str = "GSOCK_TEST_COUNTS";

thread_local! {
    static MAY_STAY: Cell<bool> = const { Cell::new(false) };
}

/// What the test has made so far may outlive it.
pub(super) fn let_stay() {
    MAY_STAY.set(true);
}

pub(super) fn may_stay() -> bool {
    MAY_STAY.get()
}

/// Whether what this test's thread has made is gone, but for what its contexts have, and results that are used again.
pub(super) fn none_lives_here() -> bool {
    let left = living::left_here();
    left.iter()
        .all(|(name, _)| matches!(*name, "ENGINE" | "TRANSFER_RESULT"))
}

/// What there is of a test's.
#[derive(Debug)]
pub(super) struct Counts {
    /// None where nothing is counted.
    tally: Option<living::Tally>,
    /// In a process of its own, so that all there is in it is the test's.
    before: Option<Vec<(&'static str, isize)>>,
    may_stay: bool,
    name: String,
}

impl Counts {
    /// Counts from now on what this thread makes, and where a process has one test, what any thread does.
    pub(super) fn begin() -> Self {
        MAY_STAY.set(false);
        let alone = env::var("NEXTEST_EXECUTION_MODE").is_ok_and(|mode| mode == "process-per-test");
        Self {
            tally: living::Tally::begin(),
            before: alone.then(living::everything),
            may_stay: false,
            name: thread::current().name().unwrap_or("a test").to_owned(),
        }
    }

    /// The test is over; its thread, which may keep something until it ends, is not.
    pub(super) fn noting_what_may_stay(mut self) -> Self {
        self.may_stay = MAY_STAY.get();
        self
    }

    /// The thread is gone too.
    pub(super) fn assert_none_left(self) {
        let Some(tally) = &self.tally else { return };
        if self.may_stay {
            return;
        }
        let until = Instant::now() + PATIENCE * slowness();
        // Other threads may be about to give something up.
        let left = loop {
            let left = self.left(tally);
            if left.is_empty() || Instant::now() >= until {
                break left;
            }
            if self.before.is_some() {
                // Threads without a context of their own leave what they have begun in that one, which nobody runs.
                glib::MainContext::default().iteration(false);
            }
            thread::sleep(Duration::from_millis(1));
        };
        self.write_line(tally, &left);
        assert!(
            left.is_empty(),
            "the test is over, and there are still: {}",
            listed(&left)
        );
    }

    fn left(&self, tally: &living::Tally) -> Vec<(&'static str, isize)> {
        let mut left = match &self.before {
            None => tally.left(),
            Some(before) => living::everything()
                .into_iter()
                .map(|(name, count)| (name, count - number_of(before, name)))
                .filter(|(_, count)| *count != 0)
                .collect(),
        };
        // No object, and as long as its main context, which a task that GIO leaks, or a thread of its own, may keep.
        left.retain(|(name, _)| *name != "ENGINE");
        if self.before.is_some() {
            // Threads of GIO's that outlive the test keep some results to use them again.
            left.retain(|(name, count)| *name != "TRANSFER_RESULT" || *count > SPARES);
        }
        left
    }

    fn write_line(&self, tally: &living::Tally, left: &[(&'static str, isize)]) {
        let Some(path) = env::var_os(LINES) else {
            return;
        };
        let made = tally.made();
        let sum = |counts: &[(&'static str, isize)], only: Option<&str>| -> isize {
            let counts = counts.iter();
            let counts = counts.filter(|(name, _)| only.is_none_or(|only| *name == only));
            counts.map(|(_, count)| count.abs()).sum()
        };
        let program = env::current_exe().expect("the test itself");
        let program = program.file_name().unwrap_or_default().to_string_lossy();
        let line = format!(
            "{program} {} objects {} left {} descriptors {} left {}\n",
            self.name,
            sum(&made, None),
            sum(left, None),
            sum(&made, Some("DESCRIPTOR")),
            sum(left, Some("DESCRIPTOR")),
        );
        // One write, so that those of other processes do not mix with it.
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("a file for the counts");
    }
}

fn number_of(counts: &[(&'static str, isize)], name: &str) -> isize {
    let found = counts.iter().find(|(of, _)| *of == name);
    found.map_or(0, |(_, count)| *count)
}

fn listed(counts: &[(&'static str, isize)]) -> String {
    let mut list = String::new();
    for (name, count) in counts {
        let _ = write!(list, "{count} {name} ");
    }
    list
}
