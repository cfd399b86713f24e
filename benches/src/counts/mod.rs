//! Instructions and system calls: the same on every run, so that a build can fail by them.
//!
//! Each entrant does 200 operations and then 700 in another process; a 500th of the difference is what one
//! costs, without what the process needs to begin and to end.

mod checked;
mod ratios;
mod tools;

use std::{error::Error, path::Path, sync::Mutex, thread};

use crate::{machine, sockets::Peers, table, work::Work};
use ratios::RATIOS;

const FEW: u64 = 200;
const MANY: u64 = 700;

/// An entrant: name in the table and in the ratios, variant, work, and what of it is only preparation.
struct Entrant {
    name: &'static str,
    variant: &'static str,
    work: fn(u64) -> Work,
    preparation: Option<&'static str>,
}

const fn entrant(name: &'static str, variant: &'static str, work: fn(u64) -> Work) -> Entrant {
    Entrant {
        name,
        variant,
        work,
        preparation: None,
    }
}

const fn construction(
    name: &'static str,
    variant: &'static str,
    preparation: Option<&'static str>,
) -> Entrant {
    Entrant {
        name,
        variant,
        work: |count| Work::Construction { count },
        preparation,
    }
}

const ECHO: fn(u64) -> Work = |messages| Work::Loop {
    messages,
    warmup: 0,
    idle: 0,
    active: 1,
};
const SYNC: fn(u64) -> Work = |messages| Work::Answered { messages };

const CONNECT: fn(u64) -> Work = |count| Work::Connect { count };
const SERVE: fn(u64) -> Work = |count| Work::Serve { count, idle: 0 };
const ACCEPT: fn(u64) -> Work = |count| Work::Accept { count };

/// The sockets that are there before the first connection is made.
const SOCKETS: &str = "construction: sockets";
const GSOCKETS: &str = "construction: GSockets";

const ENTRANTS: [Entrant; 36] = [
    entrant("echo: futures, our tasks", "own-spawn", ECHO),
    entrant("echo: futures, GLib's tasks", "glib-spawn", ECHO),
    entrant("echo: callbacks", "callbacks-plain", ECHO),
    entrant("echo: callbacks, cancellable", "callbacks", ECHO),
    entrant("echo: direct", "direct-plain", ECHO),
    entrant("echo: direct, cancellable", "direct", ECHO),
    entrant("echo: C", "c-plain", ECHO),
    entrant("echo: C, cancellable", "c", ECHO),
    entrant("echo: gio-rs", "gio-rs", ECHO),
    entrant("echo: tokio", "tokio", ECHO),
    entrant("echo: epoll", "epoll", ECHO),
    entrant("blocking: ours", "ours", SYNC),
    entrant("blocking: ours, GSocket", "ours-given", SYNC),
    entrant("blocking: ours, cancellable", "ours+cancellable", SYNC),
    entrant("blocking: ours, both", "ours-given+cancellable", SYNC),
    entrant("blocking: C", "c", SYNC),
    entrant("blocking: C, cancellable", "c+cancellable", SYNC),
    entrant("blocking: std", "std", SYNC),
    entrant("connect: ours", "ours-direct", CONNECT),
    entrant("connect: ours, blocking", "ours-sync-direct", CONNECT),
    entrant("connect: C", "c-direct", CONNECT),
    entrant("connect: C, blocking", "c-sync-direct", CONNECT),
    entrant("both sides: ours", "ours-direct", SERVE),
    entrant("both sides: C", "c-direct", SERVE),
    entrant("both sides: tokio", "tokio", SERVE),
    entrant("accept: ours", "ours", ACCEPT),
    entrant("accept: C", "c", ACCEPT),
    entrant("accept: tokio", "tokio", ACCEPT),
    construction("construction: ours", "ours", Some(SOCKETS)),
    construction("construction: ours, streams", "ours+streams", Some(SOCKETS)),
    construction("construction: ours, GSocket", "ours-given", Some(GSOCKETS)),
    construction("construction: C", "c", Some(SOCKETS)),
    construction("construction: C, streams", "c+streams", Some(SOCKETS)),
    construction("construction: C, GSocket", "c-given", Some(GSOCKETS)),
    construction(SOCKETS, "sockets", None),
    construction(GSOCKETS, "gsockets", None),
];

/// What one operation of an entrant costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) instructions: f64,
    pub(crate) calls: f64,
}

/// The counts of all entrants, by name.
pub(crate) struct Counts(Vec<(&'static str, Count)>);

impl Counts {
    fn of(&self, name: &str) -> Option<Count> {
        let entry = self.0.iter().find(|(entrant, _)| *entrant == name);
        entry.map(|(_, count)| *count)
    }
}

/// Counts, prints, and compares with the ratios in `file`, or writes them there.
pub(crate) fn run(file: &Path, update: bool) -> Result<(), Box<dyn Error>> {
    let before = if update {
        Vec::new()
    } else {
        checked::read(file)?
    };
    let peers = Peers::start()?;
    print!("{}", machine::header());
    let counts = count_all(&peers)?;
    let at_rest = wakes_at_rest(&peers)?;
    let ratios: Vec<(String, f64)> = RATIOS
        .iter()
        .map(|ratio| Ok((ratio.name(), ratio.of(&counts)?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    print_counts(&counts, at_rest);
    print_ratios(&ratios, &before);

    if update {
        checked::write(file, &ratios)?;
    }
    if at_rest > 0 {
        return Err(format!("an idle loop wakes up: {at_rest} times in two seconds").into());
    }
    if update {
        return Ok(());
    }
    let complaints = checked::compare(&before, &ratios);
    if !complaints.is_empty() {
        return Err(complaints.join("\n").into());
    }
    checked::show_that_it_can_fail(&ratios)
}

/// Runs them two at a time, or as many as there are cores: what is counted does not depend on it.
fn count_all(peers: &Peers) -> Result<Counts, Box<dyn Error>> {
    let left = Mutex::new(ENTRANTS.iter());
    let counted = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = left.lock().expect("no worker panics").next();
                    let Some(entrant) = next else { return };
                    let count = count(entrant, peers).map_err(|error| error.to_string());
                    let mut counted = counted.lock().expect("no worker panics");
                    counted.push((entrant.name, count));
                }
            });
        }
    });
    let counted = counted.into_inner().expect("no worker panicked");
    let mut counts = Vec::new();
    for entrant in &ENTRANTS {
        for (name, count) in &counted {
            if *name == entrant.name {
                counts.push((entrant.name, count.clone()?));
            }
        }
    }
    let all = Counts(counts);
    let without_preparation = |entrant: &Entrant| {
        let count = all.of(entrant.name)?;
        let before = match entrant.preparation {
            Some(name) => all.of(name)?,
            None => Count::default(),
        };
        let rest = Count {
            instructions: count.instructions - before.instructions,
            calls: count.calls - before.calls,
        };
        Some((entrant.name, rest))
    };
    Ok(Counts(
        ENTRANTS.iter().filter_map(without_preparation).collect(),
    ))
}

fn count(entrant: &Entrant, peers: &Peers) -> Result<Count, Box<dyn Error>> {
    let each = |tool: tools::Tool| -> Result<f64, Box<dyn Error>> {
        let counted = |count| {
            let work = (entrant.work)(count);
            tool(&work.arguments(entrant.variant, peers.ports))
        };
        let (few, many) = (counted(FEW)?, counted(MANY)?);
        Ok((many as f64 - few as f64) / (MANY - FEW) as f64)
    };
    Ok(Count {
        instructions: each(tools::instructions)?,
        calls: each(tools::calls)?,
    })
}

/// How often threads and loop wake up while nothing happens. A machine with other work to do may put a thread
/// to sleep that did not ask for it; a loop that wakes up by itself does so each time.
fn wakes_at_rest(peers: &Peers) -> Result<u64, Box<dyn Error>> {
    let mut fewest = u64::MAX;
    for _ in 0..3 {
        let sample = Work::Rest { seconds: 2 }.run("own-spawn", peers.ports)?;
        fewest = fewest.min((sample.wall + sample.cpu) as u64);
        if fewest == 0 {
            break;
        }
    }
    Ok(fewest)
}

fn print_counts(counts: &Counts, at_rest: u64) {
    let words = |words: [&str; 3]| words.map(ToOwned::to_owned).to_vec();
    let mut lines = vec![words(["one operation", "instructions", "system calls"])];
    for (name, count) in &counts.0 {
        lines.push(vec![
            (*name).to_owned(),
            format!("{:.0}", count.instructions),
            format!("{:.2}", count.calls),
        ]);
    }
    lines.push(vec![
        "100 idle connections, two seconds: wake-ups".to_owned(),
        String::new(),
        at_rest.to_string(),
    ]);
    table::print_grid(&lines, &[0]);
}

fn print_ratios(ratios: &[(String, f64)], before: &[(String, f64)]) {
    let words = ["ratio", "now", "checked in", "goal", "met"];
    let mut lines = vec![words.map(ToOwned::to_owned).to_vec()];
    for (ratio, (name, now)) in RATIOS.iter().zip(ratios) {
        let before = before.iter().find(|(known, _)| known == name);
        let met = |goal: table::Goal| if goal.is_met(*now) { "yes" } else { "NO" };
        lines.push(vec![
            name.clone(),
            format!("{now:.3}"),
            before.map_or_else(String::new, |(_, ratio)| format!("{ratio:.3}")),
            ratio.goal.map_or_else(String::new, |goal| goal.to_string()),
            ratio.goal.map_or("", met).to_owned(),
        ]);
    }
    println!();
    table::print_grid(&lines, &[0, 3, 4]);
}
