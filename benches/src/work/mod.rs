//! What is measured: each kind of work in a process of its own, so that no run finds what another has left
//! behind, and so that its instructions and system calls can be counted as they are.

mod bulk;
mod connecting;
mod construction;
mod loops;
mod memory;
mod per_thread;
mod rest;
mod serving;
mod sync;

use std::{env, error::Error, fmt, process::Command};

use crate::{measure::Sample, sockets::Ports, sys, ticking};

/// After this many seconds a measurement has hung; under valgrind everything takes fifty times as long.
const LIMIT: u32 = 100;

/// In the environment of a process that is counted: see [`ticking`].
pub(crate) const TICKING: &str = "BENCHES_TICKING";

/// A piece of work, and who does it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Round trips between two ends on one loop, per round trip.
    Loop {
        messages: u64,
        warmup: u64,
        idle: usize,
        active: usize,
    },
    /// Blocking round trips to another process, per round trip.
    Sync { messages: u64 },
    /// The same with a peer that has answered already.
    Answered { messages: u64 },
    /// Writes of 64 KiB to another process, per KiB.
    Bulk { mebibytes: u64 },
    /// Making a connection and dropping it, per connection.
    Construction { count: u64 },
    /// Connecting to `localhost` by its name and dropping the connection, per connection.
    Connect { count: u64 },
    /// Connecting, accepting and dropping both ends, per connection, beside so many that wait.
    Serve { count: u64, idle: usize },
    /// Accepting connections that wait and dropping them, per connection.
    Accept { count: u64 },
    /// Accepting connections that wait, on as many threads as the variant says, per connection.
    PerThread { count: u64 },
    /// Bytes of the heap per connection with a pending read.
    Memory { count: u64 },
    /// How often a loop wakes up on which nothing happens, in so many seconds.
    Rest { seconds: u64 },
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Loop {
                messages,
                warmup,
                idle,
                active,
            } => write!(f, "loop {messages} {warmup} {idle} {active}"),
            Self::Sync { messages } => write!(f, "sync {messages}"),
            Self::Answered { messages } => write!(f, "answered {messages}"),
            Self::Bulk { mebibytes } => write!(f, "bulk {mebibytes}"),
            Self::Construction { count } => write!(f, "construction {count}"),
            Self::Connect { count } => write!(f, "connect {count}"),
            Self::Serve { count, idle } => write!(f, "serve {count} {idle}"),
            Self::Accept { count } => write!(f, "accept {count}"),
            Self::PerThread { count } => write!(f, "per-thread {count}"),
            Self::Memory { count } => write!(f, "memory {count}"),
            Self::Rest { seconds } => write!(f, "rest {seconds}"),
        }
    }
}

impl Work {
    fn parse(words: &[String]) -> Option<Self> {
        let number = |at: usize| words.get(at)?.parse::<u64>().ok();
        Some(match words.first()?.as_str() {
            "loop" => Self::Loop {
                messages: number(1)?,
                warmup: number(2)?,
                idle: usize::try_from(number(3)?).ok()?,
                active: usize::try_from(number(4)?).ok()?,
            },
            "sync" => Self::Sync {
                messages: number(1)?,
            },
            "answered" => Self::Answered {
                messages: number(1)?,
            },
            "bulk" => Self::Bulk {
                mebibytes: number(1)?,
            },
            "construction" => Self::Construction { count: number(1)? },
            "connect" => Self::Connect { count: number(1)? },
            "serve" => Self::Serve {
                count: number(1)?,
                idle: usize::try_from(number(2)?).ok()?,
            },
            "accept" => Self::Accept { count: number(1)? },
            "per-thread" => Self::PerThread { count: number(1)? },
            "memory" => Self::Memory { count: number(1)? },
            "rest" => Self::Rest {
                seconds: number(1)?,
            },
            _ => return None,
        })
    }

    /// The command line after the program's name.
    pub(crate) fn arguments(&self, variant: &str, ports: Ports) -> Vec<String> {
        let Ports { hold, echo, sink } = ports;
        let line = format!("once {variant} {hold} {echo} {sink} {self}");
        line.split(' ').map(ToOwned::to_owned).collect()
    }

    /// Has a process do it. Answers what that took.
    pub(crate) fn run(&self, variant: &str, ports: Ports) -> Result<Sample, Box<dyn Error>> {
        let output = Command::new(env::current_exe()?)
            .args(self.arguments(variant, ports))
            .envs(self.environment())
            .output()?;
        let figures = String::from_utf8_lossy(&output.stdout);
        let figures: Vec<f64> = figures.split_whitespace().flat_map(str::parse).collect();
        let &[wall, cpu] = figures.as_slice() else {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{variant}, {self}: {}, {why}", output.status).into());
        };
        Ok(Sample { wall, cpu })
    }

    /// GLib's own allocator takes its memory in blocks; what a connection takes of them shows only without.
    fn environment(&self) -> Option<(&'static str, &'static str)> {
        matches!(self, Self::Memory { .. }).then_some(("G_SLICE", "always-malloc"))
    }
}

/// What such a process does: `VARIANT HOLD ECHO SINK WORK…`. It prints the sample.
pub(crate) fn once(words: &[String]) -> Result<(), Box<dyn Error>> {
    let usage = "once VARIANT HOLD ECHO SINK WORK…";
    let [variant, hold, echo, sink, work @ ..] = words else {
        return Err(usage.into());
    };
    let ports = Ports {
        hold: hold.parse()?,
        echo: echo.parse()?,
        sink: sink.parse()?,
    };
    let work = Work::parse(work).ok_or(usage)?;
    sys::end_after(LIMIT);
    sys::raise_descriptor_limit();
    if env::var_os(TICKING).is_some() {
        ticking::tick_by_looks();
    }
    let context = glib::MainContext::new();
    let sample = context.with_thread_default(|| match work {
        Work::Loop {
            messages,
            warmup,
            idle,
            active,
        } => {
            let share = |all: u64| all / active as u64;
            loops::round_trips(
                &context,
                variant,
                &loops::Load {
                    messages: share(messages),
                    warmup: share(warmup),
                    idle,
                    active,
                },
                ports.hold,
            )
        }
        Work::Sync { messages } => sync::round_trips(variant, messages, ports.echo),
        Work::Answered { messages } => sync::answered_before(variant, messages),
        Work::Bulk { mebibytes } => bulk::write(&context, variant, mebibytes, ports.sink),
        Work::Construction { count } => construction::construct(variant, count, ports.hold),
        Work::Connect { count } => connecting::connect(&context, variant, count, ports.hold),
        Work::Serve { count, idle } => {
            serving::connect_and_accept(&context, variant, count, idle, ports.hold)
        }
        Work::Accept { count } => serving::accept(&context, variant, count),
        Work::PerThread { count } => per_thread::accept(variant, count),
        Work::Memory { count } => memory::per_connection(&context, variant, count, ports.hold),
        Work::Rest { seconds } => rest::rest(&context, variant, seconds, ports.hold),
    })??;
    println!("{} {}", sample.wall, sample.cpu);
    sys::exit_now()
}

/// There is no such variant of this work.
fn unknown(variant: &str) -> Box<dyn Error> {
    format!("nobody is called {variant}").into()
}
