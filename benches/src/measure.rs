//! Clocks, and what is made of many readings of them.

use std::{
    error::Error,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::sys;

/// What one operation took, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// A measurement that has begun. CPU is that of the calling thread alone.
#[derive(Clone, Copy)]
pub(crate) struct Clocks {
    wall: u64,
    cpu: u64,
}

impl Clocks {
    pub(crate) fn start() -> Self {
        Self {
            wall: sys::clock(libc::CLOCK_MONOTONIC),
            cpu: sys::clock(libc::CLOCK_THREAD_CPUTIME_ID),
        }
    }

    pub(crate) fn stop(self, operations: u64) -> Sample {
        let end = Self::start();
        let each = |from: u64, to: u64| (to - from) as f64 / operations as f64;
        Sample {
            wall: each(self.wall, end.wall),
            cpu: each(self.cpu, end.cpu),
        }
    }
}

/// The same with the CPU of all threads, for work that hands a part of itself to others.
#[derive(Clone, Copy)]
pub(crate) struct ProcessClocks(Clocks);

impl ProcessClocks {
    pub(crate) fn start() -> Self {
        Self(Clocks {
            wall: sys::clock(libc::CLOCK_MONOTONIC),
            cpu: sys::clock(libc::CLOCK_PROCESS_CPUTIME_ID),
        })
    }

    pub(crate) fn stop(self, operations: u64) -> Sample {
        let end = Self::start();
        let each = |from: u64, to: u64| (to - from) as f64 / operations as f64;
        Sample {
            wall: each(self.0.wall, end.0.wall),
            cpu: each(self.0.cpu, end.0.cpu),
        }
    }
}

/// Counts the messages of all clients of a loop, and reads the clocks at the first that counts and at the
/// last. The same few loads and stores for every contestant; only one thread writes.
pub(crate) struct Progress {
    passed: AtomicU64,
    warmup: u64,
    total: u64,
    started: [AtomicU64; 2],
    result: [AtomicU64; 2],
}

impl Progress {
    /// One for the rest of the process, so that tasks of every kind may refer to it.
    pub(crate) fn leak(warmup: u64, messages: u64) -> &'static Self {
        Box::leak(Box::new(Self {
            passed: AtomicU64::new(0),
            warmup,
            total: warmup + messages,
            started: Default::default(),
            result: Default::default(),
        }))
    }

    /// Called where the first message would be sent, for runs without a warm-up.
    pub(crate) fn begin(&self) {
        if self.warmup == 0 {
            self.start();
        }
    }

    /// A round trip has ended.
    pub(crate) fn tick(&self) {
        let passed = self.passed.load(Ordering::Relaxed) + 1;
        self.passed.store(passed, Ordering::Relaxed);
        if passed == self.warmup {
            self.start();
        }
        if passed == self.total {
            self.stop();
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.passed.load(Ordering::Relaxed) >= self.total
    }

    pub(crate) fn sample(&self) -> Sample {
        let [wall, cpu] = &self.result;
        Sample {
            wall: f64::from_bits(wall.load(Ordering::Relaxed)),
            cpu: f64::from_bits(cpu.load(Ordering::Relaxed)),
        }
    }

    fn start(&self) {
        let Clocks { wall, cpu } = Clocks::start();
        self.started[0].store(wall, Ordering::Relaxed);
        self.started[1].store(cpu, Ordering::Relaxed);
    }

    fn stop(&self) {
        let clocks = Clocks {
            wall: self.started[0].load(Ordering::Relaxed),
            cpu: self.started[1].load(Ordering::Relaxed),
        };
        let Sample { wall, cpu } = clocks.stop(self.total - self.warmup);
        self.result[0].store(wall.to_bits(), Ordering::Relaxed);
        self.result[1].store(cpu.to_bits(), Ordering::Relaxed);
    }
}

/// Smallest, median and largest of some figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Some(Self {
            min: *figures.first()?,
            median: figures[figures.len() / 2],
            max: *figures.last()?,
        })
    }
}

/// The samples of several entrants, one of each from every repetition.
pub(crate) struct Series {
    entrants: Vec<String>,
    samples: Vec<Vec<Sample>>,
}

impl Series {
    /// Runs every entrant once per repetition, a different one first each time.
    pub(crate) fn interleave<E>(
        repetitions: usize,
        entrants: &[(String, E)],
        mut run: impl FnMut(&E) -> Result<Sample, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut samples = vec![Vec::with_capacity(repetitions); entrants.len()];
        for repetition in 0..repetitions {
            for turn in 0..entrants.len() {
                let which = (repetition + turn) % entrants.len();
                samples[which].push(run(&entrants[which].1)?);
            }
        }
        Ok(Self {
            entrants: entrants.iter().map(|(name, _)| name.clone()).collect(),
            samples,
        })
    }

    /// The figures of one entrant, in the order of the repetitions; none if it did not run.
    pub(crate) fn of(&self, entrant: &str, figure: Figure) -> Vec<f64> {
        let which = self.entrants.iter().position(|name| name == entrant);
        which.map_or_else(Vec::new, |which| {
            self.samples[which].iter().map(|s| figure.of(s)).collect()
        })
    }
}

/// Which of the two figures of a sample a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Wall,
    Cpu,
}

impl Figure {
    fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::Wall => sample.wall,
            Self::Cpu => sample.cpu,
        }
    }
}
