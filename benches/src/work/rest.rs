//! A loop with connections on which nothing happens: how often it wakes up.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::unknown;
use crate::{contestants, measure::Sample, sockets::connect, sys::sleeps};

const CONNECTIONS: usize = 100;

/// Answers how often in so many seconds a thread slept and woke, and the loop turned. The timer at their end
/// does not count.
pub(crate) fn rest(
    context: &glib::MainContext,
    variant: &str,
    seconds: u64,
    hold: u16,
) -> Result<Sample, Box<dyn Error>> {
    let mut contestant = contestants::by_name(variant, context).ok_or_else(|| unknown(variant))?;
    for _ in 0..CONNECTIONS {
        contestant.add_idle(connect(hold)?);
    }
    contestant.settle();
    let over = Arc::new(AtomicBool::new(false));
    let end = over.clone();
    let (before, mut turns) = (sleeps(), 0);
    let timer = glib::timeout_source_new(
        Duration::from_secs(seconds),
        None,
        glib::Priority::DEFAULT,
        move || {
            end.store(true, Ordering::Relaxed);
            glib::ControlFlow::Break
        },
    );
    timer.attach(Some(context));
    while !over.load(Ordering::Relaxed) {
        context.iteration(true);
        turns += 1;
    }
    let slept = sleeps() - before;
    Ok(Sample {
        wall: slept as f64 - 1.0,
        cpu: f64::from(turns) - 1.0,
    })
}
