//! The rows of the table: what runs against what, and the goals.

use std::error::Error;

use crate::{
    measure::{Figure, Series},
    sockets::Peers,
    table::{Goal, Reading, Row},
    work::Work,
};

use Goal::{AtLeast, AtMost};

type Answer<T> = Result<T, Box<dyn Error>>;

/// An entrant: its name in the series, who does the work, and the work.
type Entrant = (String, (&'static str, Work));

/// How many connections are idle in the growth curve.
pub const GROWTH: [usize; 4] = [10, 1000, 5000, 10_000];
/// Whom it shows, by their names and in words.
pub const GROWING: [(&str, &str); 7] = [
    ("own-spawn", "gsock, futures in its tasks"),
    ("callbacks", "gsock, callbacks through GIO"),
    ("direct", "gsock, callbacks, direct entry"),
    ("tokio", "tokio"),
    ("epoll", "raw epoll"),
    ("c", "C GIO, callbacks"),
    ("gio-rs", "gio-rs, futures"),
];

const REPETITIONS: usize = 7;
/// Where there is time for more.
const MANY_REPETITIONS: usize = 9;
/// Bytes of the heap are the same each time.
const FEW_REPETITIONS: usize = 2;

const COLUMNS: [&str; 5] = ["c", "gio-rs", "tokio", "", "epoll"];

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

/// Those that take several times as long as the others.
fn is_slow(variant: &str) -> bool {
    matches!(variant, "c" | "c-plain" | "gio-rs")
}

pub fn measure_echo(peers: &Peers) -> Answer<Series> {
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

pub fn echo(series: &Series) -> Vec<Row> {
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
pub fn growing(variant: &str, idle: usize) -> String {
    format!("{variant} beside {idle}")
}

pub fn measure_idle(peers: &Peers) -> Answer<Series> {
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

pub fn idle(series: &Series) -> Vec<Row> {
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

pub fn active(peers: &Peers) -> Answer<Vec<Row>> {
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

pub fn sync(peers: &Peers) -> Answer<Vec<Row>> {
    let variants = [
        "ours",
        "ours-given",
        "ours+cancellable",
        "ours-given+cancellable",
        "c",
        "c+cancellable",
        "std",
    ];
    let entrants = all_do(&variants, |_| Work::Sync { messages: 4000 });
    let series = run(peers, MANY_REPETITIONS, &entrants)?;
    let reading = microseconds(&series, Figure::Cpu);
    let plain = ["c", "", "", "std", ""];
    let cancellable = ["c+cancellable", "", "", "std", ""];
    Ok(vec![
        reading
            .row("blocking echo 64 B", "ours", plain)
            .to("std", "std", Some(AtMost(1.05)))
            .to("C", "c", None)
            .done(),
        reading
            .row("  around a given GSocket", "ours-given", plain)
            .to("C", "c", Some(AtMost(1.0)))
            .done(),
        reading
            .row("  with a cancellable", "ours+cancellable", cancellable)
            .to("std", "std", Some(AtMost(1.1)))
            .to("C", "c+cancellable", None)
            .done(),
        reading
            .row(
                "  a given GSocket, a cancellable",
                "ours-given+cancellable",
                cancellable,
            )
            .to("C", "c+cancellable", Some(AtMost(1.0)))
            .done(),
    ])
}

pub fn bulk(peers: &Peers) -> Answer<Vec<Row>> {
    let variants = ["ours", "ours-sync", "c-sync", "gio-rs", "tokio", "std"];
    let entrants = all_do(&variants, |_| Work::Bulk { mebibytes: 256 });
    let series = run(peers, MANY_REPETITIONS, &entrants)?;
    let reading = Reading {
        series: &series,
        figure: Figure::Cpu,
        unit: "ns CPU/KiB",
        scale: 1.0,
    };
    let columns = ["c-sync", "gio-rs", "tokio", "std", ""];
    Ok(vec![
        reading
            .row("writes of 64 KiB, a future in our task", "ours", columns)
            .minimum_to("std", "std", Some(AtMost(1.1)))
            .minimum_to("tokio", "tokio", Some(AtMost(1.05)))
            .faster_than("gio-rs fut.", "gio-rs", Some(AtLeast(1.5)))
            .done(),
        reading
            .row("writes of 64 KiB, blocking", "ours-sync", columns)
            .minimum_to("std", "std", Some(AtMost(1.1)))
            .minimum_to("C", "c-sync", None)
            .done(),
    ])
}

/// The goals of the same names are about instructions, which `counts` counts.
pub fn construction(peers: &Peers) -> Answer<Vec<Row>> {
    let variants = [
        "ours",
        "ours+streams",
        "ours-given",
        "c",
        "c+streams",
        "c-given",
    ];
    let entrants = all_do(&variants, |_| Work::Construction { count: 3000 });
    let series = run(peers, MANY_REPETITIONS, &entrants)?;
    let reading = microseconds(&series, Figure::Cpu);
    let row = |what, ours, c| {
        reading
            .row(what, ours, [c, "", "", "", ""])
            .to("C", c, None)
            .done()
    };
    Ok(vec![
        row("descriptor to connection (goal: see counts)", "ours", "c"),
        row(
            "  and both streams (goal: see counts)",
            "ours+streams",
            "c+streams",
        ),
        row(
            "  around a given GSocket (goal: see counts)",
            "ours-given",
            "c-given",
        ),
    ])
}

pub fn memory(peers: &Peers) -> Answer<Vec<Row>> {
    let variants = [
        "own-spawn-halves",
        "own-spawn",
        "callbacks-plain",
        "callbacks",
        "direct-plain",
        "c-plain",
        "c",
        "gio-rs",
        "tokio",
    ];
    let entrants = all_do(&variants, |_| Work::Memory { count: 5000 });
    let series = run(peers, FEW_REPETITIONS, &entrants)?;
    let reading = Reading {
        series: &series,
        figure: Figure::Cpu,
        unit: "bytes",
        scale: 1.0,
    };
    let plain = ["c-plain", "gio-rs", "tokio", "", ""];
    let cancellable = ["c", "gio-rs", "tokio", "", ""];
    Ok(vec![
        reading
            .row(
                "idle connection, a future in our task, halves alone",
                "own-spawn-halves",
                plain,
            )
            .value(Some(AtMost(300.0)))
            .done(),
        reading
            .row("  the GObject kept too", "own-spawn", plain)
            .to("gio-rs fut.", "gio-rs", None)
            .done(),
        reading
            .row(
                "idle connection, a read with a callback",
                "callbacks-plain",
                plain,
            )
            .value(Some(AtMost(600.0)))
            .to("C", "c-plain", Some(AtMost(1.0 / 3.0)))
            .to("tokio", "tokio", Some(AtMost(0.7)))
            .done(),
        reading
            .row("  with a cancellable", "callbacks", cancellable)
            .to("C", "c", None)
            .done(),
        reading
            .row("idle connection, direct entry", "direct-plain", plain)
            .value(Some(AtMost(600.0)))
            .to("C", "c-plain", None)
            .done(),
    ])
}

pub fn connect() -> Vec<Row> {
    vec![Row::absent(
        "connect + accept + close",
        "comes with the client",
    )]
}
