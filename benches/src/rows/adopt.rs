//! C's own API, adopted and not: the same functions on the same classes.

use super::{Answer, REPETITIONS, all_do, microseconds, run};
use crate::{
    measure::Figure,
    sockets::Peers,
    table::{Goal::AtLeast, Row},
    work::Work,
};

const COLUMNS: [&str; 5] = ["c", "", "", "", ""];
const IDLE: usize = 10_000;

pub(crate) fn adopt(peers: &Peers) -> Answer<Vec<Row>> {
    let variants = ["c-adopted", "c", "c-adopted-plain", "c-plain"];
    let entrants = all_do(&variants, |variant| Work::Loop {
        messages: if variant.contains("adopted") {
            5000
        } else {
            1500
        },
        warmup: 300,
        idle: 0,
        active: 1,
    });
    let series = run(peers, REPETITIONS, &entrants)?;
    let reading = microseconds(&series, Figure::Wall);
    let mut rows = vec![
        reading
            .row("adopted: echo 64 B, cancellable", "c-adopted", COLUMNS)
            .faster_than("C", "c", Some(AtLeast(1.9)))
            .done(),
        reading
            .row(
                "adopted:   no cancellable",
                "c-adopted-plain",
                ["c-plain", "", "", "", ""],
            )
            .faster_than("C", "c-plain", None)
            .done(),
    ];

    let entrants = all_do(&["c-adopted", "c"], |variant| Work::Loop {
        messages: if variant == "c" { 20 } else { 3000 },
        warmup: if variant == "c" { 2 } else { 375 },
        idle: IDLE,
        active: 1,
    });
    let series = run(peers, REPETITIONS, &entrants)?;
    rows.push(
        microseconds(&series, Figure::Cpu)
            .row(
                format!("adopted: {IDLE} idle + 1 active"),
                "c-adopted",
                COLUMNS,
            )
            .faster_than("C", "c", Some(AtLeast(100.0)))
            .done(),
    );
    Ok(rows)
}
