//! A loop with connections on which nothing happens.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::unknown;
use crate::{
    contestants,
    measure::{Clocks, Sample},
    sockets::connect,
};

const CONNECTIONS: usize = 100;

/// For so many seconds, at the end of which one timer comes.
pub fn rest(
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
    let clocks = Clocks::start();
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
    }
    Ok(clocks.stop(1))
}
