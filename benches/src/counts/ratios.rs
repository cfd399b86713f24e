//! Which counts are compared with which, and what is wanted of the ratio.

use std::error::Error;

use super::Counts;
use crate::table::Goal;

use Goal::AtMost;
use What::{Calls, Instructions};

/// Of what.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Instructions,
    Calls,
}

/// One entrant's count divided by another's.
pub(crate) struct Ratio {
    what: What,
    ours: &'static str,
    other: &'static str,
    pub(crate) goal: Option<Goal>,
}

const fn ratio(what: What, ours: &'static str, other: &'static str, goal: Option<Goal>) -> Ratio {
    Ratio {
        what,
        ours,
        other,
        goal,
    }
}

const TOKIO: &str = "echo: tokio";

/// Eight system calls where tokio makes six: without a poll function of one's own, a loop asks twice.
const EIGHT_OF_SIX: f64 = 1.34;

pub(crate) const RATIOS: [Ratio; 33] = [
    ratio(
        Instructions,
        "echo: futures, our tasks",
        TOKIO,
        Some(AtMost(0.6)),
    ),
    ratio(
        Instructions,
        "echo: futures, our tasks",
        "echo: gio-rs",
        Some(AtMost(1.0 / 40.0)),
    ),
    ratio(Instructions, "echo: futures, GLib's tasks", TOKIO, None),
    ratio(Instructions, "echo: callbacks", TOKIO, None),
    ratio(Instructions, "echo: callbacks", "echo: C", None),
    ratio(
        Instructions,
        "echo: callbacks, cancellable",
        "echo: C, cancellable",
        None,
    ),
    ratio(Instructions, "echo: direct", TOKIO, None),
    ratio(Instructions, "echo: direct", "echo: C", None),
    ratio(
        Instructions,
        "echo: direct, cancellable",
        "echo: C, cancellable",
        None,
    ),
    ratio(
        Calls,
        "echo: futures, our tasks",
        TOKIO,
        Some(AtMost(EIGHT_OF_SIX)),
    ),
    ratio(Calls, "echo: futures, GLib's tasks", TOKIO, None),
    ratio(Calls, "echo: callbacks", TOKIO, Some(AtMost(EIGHT_OF_SIX))),
    ratio(Calls, "echo: direct", TOKIO, Some(AtMost(EIGHT_OF_SIX))),
    ratio(
        Instructions,
        "blocking: ours",
        "blocking: C",
        Some(AtMost(0.55)),
    ),
    ratio(
        Instructions,
        "blocking: ours, GSocket",
        "blocking: C",
        Some(AtMost(1.0)),
    ),
    ratio(
        Instructions,
        "blocking: ours, cancellable",
        "blocking: C, cancellable",
        Some(AtMost(0.4)),
    ),
    ratio(
        Instructions,
        "blocking: ours, both",
        "blocking: C, cancellable",
        Some(AtMost(1.0)),
    ),
    ratio(Calls, "blocking: ours", "blocking: std", Some(AtMost(1.0))),
    ratio(
        Calls,
        "blocking: ours, GSocket",
        "blocking: C",
        Some(AtMost(1.0)),
    ),
    ratio(
        Calls,
        "blocking: ours, cancellable",
        "blocking: C, cancellable",
        None,
    ),
    ratio(Instructions, "connect: ours", "connect: C", None),
    ratio(
        Instructions,
        "connect: ours, blocking",
        "connect: C, blocking",
        None,
    ),
    ratio(Calls, "connect: ours", "connect: C", None),
    ratio(
        Calls,
        "connect: ours, blocking",
        "connect: C, blocking",
        Some(AtMost(1.0)),
    ),
    ratio(Instructions, "both sides: ours", "both sides: C", None),
    ratio(
        Calls,
        "both sides: ours",
        "both sides: tokio",
        Some(AtMost(1.0)),
    ),
    ratio(Instructions, "accept: ours", "accept: C", None),
    ratio(Calls, "accept: ours", "accept: tokio", Some(AtMost(1.0))),
    ratio(
        Instructions,
        "construction: ours",
        "construction: C",
        Some(AtMost(0.5)),
    ),
    ratio(
        Instructions,
        "construction: ours, streams",
        "construction: C, streams",
        Some(AtMost(0.6)),
    ),
    ratio(
        Instructions,
        "construction: ours, GSocket",
        "construction: C, GSocket",
        Some(AtMost(1.0)),
    ),
    ratio(Calls, "construction: ours", "construction: C", None),
    ratio(
        Calls,
        "construction: ours, streams",
        "construction: C, streams",
        None,
    ),
];

impl Ratio {
    /// What it is called in the file.
    pub(crate) fn name(&self) -> String {
        let what = match self.what {
            Instructions => "instructions",
            Calls => "system calls",
        };
        format!("{what}, {} ÷ {}", self.ours, self.other)
    }

    pub(crate) fn of(&self, counts: &Counts) -> Result<f64, Box<dyn Error>> {
        let count = |name: &str| -> Result<f64, Box<dyn Error>> {
            let count = counts
                .of(name)
                .ok_or_else(|| format!("{name} was not counted"))?;
            Ok(match self.what {
                Instructions => count.instructions,
                Calls => count.calls,
            })
        };
        Ok(count(self.ours)? / count(self.other)?)
    }
}
