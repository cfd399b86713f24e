//! The rows of the table: what runs against what, and the goals.

mod adopt;
mod loops;
mod others;

use std::error::Error;

use crate::{
    measure::{Figure, Series},
    sockets::Peers,
    table::Reading,
    work::Work,
};

pub(crate) use adopt::adopt;
pub(crate) use loops::{GROWING, GROWTH, active, echo, growing, idle, measure_echo, measure_idle};
pub(crate) use others::{bulk, connect, construction, memory, serve, sync};

type Answer<T> = Result<T, Box<dyn Error>>;

/// An entrant: its name in the series, who does the work, and the work.
type Entrant = (String, (&'static str, Work));

const REPETITIONS: usize = 7;
/// Where there is time for more.
const MANY_REPETITIONS: usize = 9;
/// Bytes of the heap are the same each time.
const FEW_REPETITIONS: usize = 2;

fn run(peers: &Peers, repetitions: usize, entrants: &[Entrant]) -> Answer<Series> {
    Series::interleave(repetitions, entrants, |(variant, work)| {
        work.run(variant, peers.ports)
    })
}

fn all_do(variants: &[&'static str], work: impl Fn(&str) -> Work) -> Vec<Entrant> {
    let entrant = |variant: &&'static str| ((*variant).to_owned(), (*variant, work(variant)));
    variants.iter().map(entrant).collect()
}

fn microseconds(series: &Series, figure: Figure) -> Reading<'_> {
    let unit = match figure {
        Figure::Wall => "µs",
        Figure::Cpu => "µs CPU",
    };
    Reading {
        series,
        figure,
        unit,
        scale: 1e3,
    }
}
