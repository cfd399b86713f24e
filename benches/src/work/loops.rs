//! Round trips between two ends on one loop in one thread.

use std::error::Error;

use super::unknown;
use crate::{
    contestants::{self, Errand},
    measure::{Progress, Sample},
    sockets::{Pairs, connect},
};

/// Messages are those of each of the active connections.
pub(crate) struct Load {
    pub(crate) messages: u64,
    pub(crate) warmup: u64,
    pub(crate) idle: usize,
    pub(crate) active: usize,
}

pub(crate) fn round_trips(
    context: &glib::MainContext,
    variant: &str,
    load: &Load,
    hold: u16,
) -> Result<Sample, Box<dyn Error>> {
    let mut contestant = contestants::by_name(variant, context).ok_or_else(|| unknown(variant))?;
    for _ in 0..load.idle {
        contestant.add_idle(connect(hold)?);
    }
    contestant.settle();
    let all = load.active as u64;
    let progress = Progress::leak(load.warmup * all, load.messages * all);
    let errand = Errand {
        messages: load.warmup + load.messages,
        progress,
    };
    let pairs = Pairs::new()?;
    let pairs: Vec<_> = (0..load.active)
        .map(|_| pairs.pair())
        .collect::<Result<_, _>>()?;
    for (client, server) in pairs {
        contestant.add_pair(client, server, errand);
    }
    contestant.run(progress);
    Ok(progress.sample())
}
