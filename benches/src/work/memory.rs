//! What an idle connection with a pending read keeps of the heap.

use std::error::Error;

use super::unknown;
use crate::{contestants, measure::Sample, sockets::connect, sys::heap_in_use};

/// So many before it is counted: classes, tables and the engine are there then.
const WARMUP: usize = 50;

pub(crate) fn per_connection(
    context: &glib::MainContext,
    variant: &str,
    count: u64,
    hold: u16,
) -> Result<Sample, Box<dyn Error>> {
    let mut contestant = contestants::by_name(variant, context).ok_or_else(|| unknown(variant))?;
    for _ in 0..WARMUP {
        contestant.add_idle(connect(hold)?);
    }
    contestant.settle();
    let before = heap_in_use();
    for _ in 0..count {
        contestant.add_idle(connect(hold)?);
    }
    contestant.settle();
    let bytes = (heap_in_use() - before) as f64 / count as f64;
    Ok(Sample {
        wall: bytes,
        cpu: bytes,
    })
}
