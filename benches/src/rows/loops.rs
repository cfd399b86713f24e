//! Loops with both ends in one thread: an echo, beside idle connections, and a thousand at once.

use super::{Answer, MANY_REPETITIONS, REPETITIONS, all_do, microseconds, run};
use crate::{
    measure::{Figure, Series},
    sockets::Peers,
    table::{
        Goal::{AtLeast, AtMost},
        Row,
    },
    work::Work,
};

/// How many connections are idle in the growth curve.
pub(crate) const GROWTH: [usize; 4] = [10, 1000, 5000, 10_000];
/// Whom it shows, by their names and in words.
pub(crate) const GROWING: [(&str, &str); 7] = [
    ("own-spawn", "gsock, futures in its tasks"),
    ("callbacks", "gsock, callbacks through GIO"),
    ("direct", "gsock, callbacks, direct entry"),
    ("tokio", "tokio"),
    ("epoll", "raw epoll"),
    ("c", "C GIO, callbacks"),
    ("gio-rs", "gio-rs, futures"),
];

const COLUMNS: [&str; 5] = ["c", "gio-rs", "tokio", "", "epoll"];

/// Those that take several times as long as the others.
fn is_slow(variant: &str) -> bool {
    matches!(variant, "c" | "c-plain" | "gio-rs")
}

pub(crate) fn measure_echo(peers: &Peers) -> Answer<Series> {
    let variants = [
        "own-spawn",
        "own-spawn+socket",
        "glib-spawn",
        "callbacks",
        "callbacks+socket",
        "callbacks-plain",
        "direct",
        "direct-plain",
        "c",
        "c-plain",
        "gio-rs",
        "tokio",
        "epoll",
    ];
    let entrants = all_do(&variants, |variant| Work::Loop {
        messages: if is_slow(variant) { 1500 } else { 5000 },
        warmup: 300,
        idle: 0,
        active: 1,
    });
    run(peers, MANY_REPETITIONS, &entrants)
}

pub(crate) fn echo(series: &Series) -> Vec<Row> {
    let reading = microseconds(series, Figure::Wall);
    let with_c_plain = ["c-plain", "gio-rs", "tokio", "", "epoll"];
    vec![
        reading
            .row("echo 64 B, futures in our tasks", "own-spawn", COLUMNS)
            .to("tokio", "tokio", Some(AtMost(1.0)))
            .faster_than("gio-rs fut.", "gio-rs", Some(AtLeast(4.5)))
            .done(),
        reading
            .row("  after socket() was read", "own-spawn+socket", COLUMNS)
            .to("tokio", "tokio", None)
            .done(),
        reading
            .row("echo 64 B, futures in GLib's tasks", "glib-spawn", COLUMNS)
            .to("tokio", "tokio", Some(AtMost(1.6)))
            .faster_than("gio-rs fut.", "gio-rs", Some(AtLeast(2.7)))
            .done(),
        reading
            .row(
                "echo 64 B, callbacks through GIO, cancellable",
                "callbacks",
                COLUMNS,
            )
            .to("tokio", "tokio", Some(AtMost(1.5)))
            .faster_than("C", "c", Some(AtLeast(2.0)))
            .done(),
        reading
            .row("  after socket() was read", "callbacks+socket", COLUMNS)
            .to("tokio", "tokio", None)
            .done(),
        reading
            .row("  no cancellable", "callbacks-plain", with_c_plain)
            .to("tokio", "tokio", None)
            .faster_than("C", "c-plain", None)
            .done(),
        reading
            .row(
                "echo 64 B, callbacks, direct entry, cancellable",
                "direct",
                COLUMNS,
            )
            .to("tokio", "tokio", Some(AtMost(1.1)))
            .faster_than("C", "c", Some(AtLeast(2.7)))
            .done(),
        reading
            .row("  no cancellable", "direct-plain", with_c_plain)
            .to("tokio", "tokio", None)
            .faster_than("C", "c-plain", None)
            .done(),
    ]
}

/// The entrant of the growth curve.
pub(crate) fn growing(variant: &str, idle: usize) -> String {
    format!("{variant} beside {idle}")
}

pub(crate) fn measure_idle(peers: &Peers) -> Answer<Series> {
    let mut entrants = Vec::new();
    for idle in GROWTH {
        for (variant, _) in GROWING {
            let messages = match (variant, idle) {
                ("c" | "gio-rs", 0..=100) => 800,
                ("c" | "gio-rs", 0..=1000) => 60,
                ("c", _) => 20,
                ("gio-rs", _) => 8,
                _ => 3000,
            };
            let work = Work::Loop {
                messages,
                // The first events find the caches cold, which a mean of few would show.
                warmup: (messages / 8).max(2),
                idle,
                active: 1,
            };
            entrants.push((growing(variant, idle), (variant, work)));
        }
    }
    run(peers, REPETITIONS, &entrants)
}

pub(crate) fn idle(series: &Series) -> Vec<Row> {
    let reading = microseconds(series, Figure::Cpu);
    let mut rows = Vec::new();
    for n in GROWTH {
        let others = COLUMNS.map(|other| growing(other, n));
        let others = others.each_ref().map(String::as_str);
        let (tokio, c, gio_rs) = (growing("tokio", n), growing("c", n), growing("gio-rs", n));
        for (variant, words) in [
            ("own-spawn", "futures in our tasks"),
            ("callbacks", "callbacks through GIO"),
            ("direct", "callbacks, direct entry"),
        ] {
            let ours = growing(variant, n);
            let mut row = reading
                .row(format!("{n} idle + 1 active, {words}"), &ours, others)
                .to("tokio", &tokio, Some(AtMost(1.5)));
            let (beyond_c, beyond_gio_rs) = match n {
                1000 => (Some(AtLeast(50.0)), Some(AtLeast(150.0))),
                10_000 => (Some(AtLeast(800.0)), Some(AtLeast(3000.0))),
                _ => (None, None),
            };
            if n > GROWTH[0] {
                let first = growing(variant, GROWTH[0]);
                let goal = (n == 10_000).then_some(AtMost(1.5));
                row = row.to("itself at 10", &first, goal);
            }
            row = match variant {
                "own-spawn" => row.faster_than("gio-rs fut.", &gio_rs, beyond_gio_rs),
                _ => row.faster_than("C", &c, beyond_c),
            };
            rows.push(row.done());
        }
    }
    rows
}

pub(crate) fn active(peers: &Peers) -> Answer<Vec<Row>> {
    let variants = [
        "own-spawn",
        "callbacks",
        "direct",
        "c",
        "gio-rs",
        "tokio",
        "epoll",
    ];
    let entrants = all_do(&variants, |variant| Work::Loop {
        messages: if is_slow(variant) { 8000 } else { 30_000 },
        warmup: 2000,
        idle: 0,
        active: 1000,
    });
    let series = run(peers, REPETITIONS, &entrants)?;
    let reading = microseconds(&series, Figure::Cpu);
    Ok(vec![
        reading
            .row("1000 active, futures in our tasks", "own-spawn", COLUMNS)
            .to("tokio", "tokio", Some(AtMost(0.9)))
            .faster_than("gio-rs fut.", "gio-rs", Some(AtLeast(4.5)))
            .done(),
        reading
            .row("1000 active, callbacks through GIO", "callbacks", COLUMNS)
            .to("tokio", "tokio", Some(AtMost(1.1)))
            .faster_than("C", "c", Some(AtLeast(2.4)))
            .done(),
        reading
            .row("1000 active, callbacks, direct entry", "direct", COLUMNS)
            .to("tokio", "tokio", Some(AtMost(1.1)))
            .faster_than("C", "c", Some(AtLeast(2.4)))
            .done(),
    ])
}
