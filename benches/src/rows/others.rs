//! Blocking calls, bulk writes, making connections, and the memory they keep.

use super::{Answer, FEW_REPETITIONS, MANY_REPETITIONS, REPETITIONS, all_do, microseconds, run};
use crate::{
    measure::Figure,
    sockets::Peers,
    table::{Goal::AtLeast, Goal::AtMost, Reading, Row},
    work::Work,
};

pub(crate) fn sync(peers: &Peers) -> Answer<Vec<Row>> {
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

pub(crate) fn bulk(peers: &Peers) -> Answer<Vec<Row>> {
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
pub(crate) fn construction(peers: &Peers) -> Answer<Vec<Row>> {
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

pub(crate) fn memory(peers: &Peers) -> Answer<Vec<Row>> {
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

/// To `localhost`, which is looked up; on IPv6 nobody listens, so that each takes two addresses.
pub(crate) fn connect(peers: &Peers) -> Answer<Vec<Row>> {
    let variants = [
        "ours",
        "ours-direct",
        "ours-sync-direct",
        "c",
        "c-direct",
        "c-sync-direct",
        "tokio",
        "std",
    ];
    let entrants = all_do(&variants, |_| Work::Connect { count: 500 });
    let series = run(peers, MANY_REPETITIONS, &entrants)?;
    let reading = microseconds(&series, Figure::Cpu);
    Ok(vec![
        reading
            .row(
                "connect to localhost, a future",
                "ours-direct",
                ["c-direct", "", "tokio", "std", ""],
            )
            .to("tokio", "tokio", Some(AtMost(1.2)))
            .faster_than("C", "c-direct", Some(AtLeast(2.5)))
            .faster_than("C, asking for proxies", "c", Some(AtLeast(6.0)))
            .done(),
        reading
            .row(
                "  asking for proxies, as by default",
                "ours",
                ["c", "", "", "", ""],
            )
            .faster_than("C", "c", None)
            .done(),
        reading
            .row(
                "connect to localhost, blocking",
                "ours-sync-direct",
                ["c-sync-direct", "", "", "std", ""],
            )
            .to("C", "c-sync-direct", None)
            .to("std", "std", None)
            .done(),
    ])
}

/// With both ends on one loop, and beside others that wait; and accepting alone, while many wait for that.
pub(crate) fn serve(peers: &Peers) -> Answer<Vec<Row>> {
    let variants = [
        "ours",
        "ours-direct",
        "c",
        "c-direct",
        "gio-rs-direct",
        "tokio",
        "std",
    ];
    let work = |count, idle| move |_: &str| Work::Serve { count, idle };
    let series = run(peers, MANY_REPETITIONS, &all_do(&variants, work(500, 0)))?;
    let reading = microseconds(&series, Figure::Cpu);
    let mut rows = vec![
        reading
            .row(
                "connect, accept and close",
                "ours-direct",
                ["c-direct", "gio-rs-direct", "tokio", "std", ""],
            )
            .to("tokio", "tokio", Some(AtMost(0.95)))
            .faster_than("C", "c-direct", Some(AtLeast(2.5)))
            .faster_than("C, asking for proxies", "c", Some(AtLeast(6.0)))
            .done(),
        reading
            .row(
                "  asking for proxies, as by default",
                "ours",
                ["c", "", "", "", ""],
            )
            .faster_than("C", "c", None)
            .done(),
    ];
    for idle in [1000, 10_000] {
        let variants = ["ours-direct", "c-direct", "tokio"];
        let series = run(peers, REPETITIONS, &all_do(&variants, work(100, idle)))?;
        let row = microseconds(&series, Figure::Cpu)
            .row(
                format!("  beside {idle} that are open"),
                "ours-direct",
                ["c-direct", "", "tokio", "", ""],
            )
            .to("tokio", "tokio", Some(AtMost(0.95)))
            .faster_than("C", "c-direct", Some(AtLeast(6.0)))
            .done();
        rows.push(row);
    }
    let variants = ["ours", "ours-listener", "c", "tokio", "std"];
    let entrants = all_do(&variants, |_| Work::Accept { count: 3000 });
    let series = run(peers, MANY_REPETITIONS, &entrants)?;
    let reading = microseconds(&series, Figure::Cpu);
    rows.push(
        reading
            .row(
                "accept and close, a service, 1000 wait",
                "ours",
                ["c", "", "tokio", "std", ""],
            )
            .to("tokio", "tokio", Some(AtMost(0.95)))
            .faster_than("C", "c", Some(AtLeast(5.0)))
            .done(),
    );
    rows.push(
        reading
            .row(
                "  a listener, a future",
                "ours-listener",
                ["", "", "tokio", "std", ""],
            )
            .to("tokio", "tokio", None)
            .done(),
    );
    rows.extend(per_thread(peers)?);
    Ok(rows)
}

/// How it grows from one thread to two: CPU tells what they cost each other, and time what is won where there are cores
/// for both.
fn per_thread(peers: &Peers) -> Answer<[Row; 2]> {
    let entrants = all_do(&["ours-1", "ours-2"], |_| Work::PerThread { count: 1000 });
    let series = run(peers, MANY_REPETITIONS, &entrants)?;
    let nobody = [""; 5];
    Ok([
        microseconds(&series, Figure::Cpu)
            .row("accept and close on two threads", "ours-2", nobody)
            .to("one thread", "ours-1", None)
            .done(),
        microseconds(&series, Figure::Wall)
            .row("  and time", "ours-2", nobody)
            .faster_than("one thread", "ours-1", None)
            .done(),
    ])
}
