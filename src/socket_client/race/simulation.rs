//! The race in simulated time, over all kinds of lookups, addresses and outcomes.

use std::collections::BTreeMap;

use super::*;
use crate::simulation::{self, Random};

/// What comes of an address.
#[derive(Clone, Copy, Debug)]
struct Fate {
    family: Family,
    /// After the start.
    connects_after: Moment,
    /// Whether it connects; `None` is neither for as long as anybody waits.
    connects: Option<bool>,
    /// How the upgrade ends, and when, if there is one.
    upgrade: Option<(Moment, bool)>,
    rank: u32,
}

impl Fate {
    fn is_good(self) -> bool {
        self.connects == Some(true) && self.upgrade.is_none_or(|(_, succeeds)| succeeds)
    }
}

#[derive(Clone, Debug)]
enum World {
    /// Lookups with the time of their answer, whether they hold, and what they answer.
    Names(Vec<(Moment, bool, Result<Vec<Fate>, ()>)>),
    /// One address after the other, with the time that the answer takes, and how it ends.
    Addresses(Vec<(Moment, Fate)>, Result<(), ()>),
}

struct Chance(Random);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0.next() % below
    }

    fn time(&mut self) -> Moment {
        const TIMES: [Moment; 8] = [0, 1, 10_000, 49_000, 51_000, 200_000, 250_000, 900_000];
        TIMES[self.next(8) as usize]
    }

    fn fate(&mut self, family: Family, upgrades: bool) -> Fate {
        Fate {
            family,
            connects_after: self.time(),
            connects: [None, Some(false), Some(false), Some(true)][self.next(4) as usize],
            upgrade: upgrades.then(|| (self.time(), self.next(2) == 0)),
            rank: [0, 0, 0, 1][self.next(4) as usize],
        }
    }

    fn world(&mut self) -> World {
        let upgrades = self.next(2) == 0;
        if self.next(3) == 0 {
            let addresses = (0..self.next(6))
                .map(|_| {
                    let family = [Family::Ipv6, Family::Ipv4, Family::Other][self.next(3) as usize];
                    (self.time(), self.fate(family, upgrades))
                })
                .collect();
            let end = if self.next(2) == 0 { Ok(()) } else { Err(()) };
            return World::Addresses(addresses, end);
        }
        let mut lookups: Vec<_> = [(Family::Ipv6, true), (Family::Ipv4, false)]
            .into_iter()
            .map(|(family, holds)| {
                let answer = if self.next(4) == 0 {
                    Err(())
                } else {
                    Ok((0..self.next(4))
                        .map(|_| self.fate(family, upgrades))
                        .collect())
                };
                (self.time(), holds, answer)
            })
            .collect();
        // What version 3 would add.
        if self.next(3) == 0 {
            let found = (0..self.next(3))
                .map(|_| self.fate(Family::Ipv6, upgrades))
                .collect();
            lookups.push((self.time(), true, Ok(found)));
        }
        World::Names(lookups)
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Answer(usize),
    More,
    Connect(Attempt, bool),
    Upgrade(Attempt, bool),
}

/// An error is told by the moment it came at.
type Failure = (Phase, u32);

#[derive(Default)]
struct Seen {
    starts: Vec<(Moment, Family)>,
    failures: u32,
    alive: Vec<Attempt>,
    fates: BTreeMap<u32, Fate>,
    /// The ranks of the addresses that are known and were not tried.
    waiting: Vec<u32>,
    asked: u32,
    most_asked: u32,
    cancelled: Vec<Attempt>,
    failed: Vec<Attempt>,
    /// The furthest, and the latest of these.
    best: Option<Failure>,
    won: Option<(Moment, Fate)>,
    lost: Option<Option<Failure>>,
}

impl Seen {
    fn fails(&mut self, phase: Phase) -> Failure {
        self.failures += 1;
        let failure = (phase, self.failures);
        if self.best.is_none_or(|(best, _)| best <= phase) {
            self.best = Some(failure);
        }
        failure
    }
}

const DELAYS: Delays = Delays {
    attempt: 250_000,
    resolution: 50_000,
    asks_last: false,
};

/// Long after everything that can happen has happened.
const END: Moment = 60_000_000;

fn candidate(fate: Fate) -> Candidate<Fate> {
    Candidate {
        address: fate,
        family: fate.family,
        rank: fate.rank,
    }
}

fn run(world: &World, delays: Delays) -> Seen {
    let mut race = Race::<Fate, Failure>::new(delays);
    let mut seen = Seen::default();
    // By time, and by the order in which they were scheduled.
    let mut events: BTreeMap<(Moment, u32), Event> = BTreeMap::new();
    let mut count = 0;
    let mut given = 0;
    let mut now = 0;
    let mut plan = |events: &mut BTreeMap<_, _>, at: Moment, event| {
        count += 1;
        events.insert((at, count), event);
    };
    if let World::Names(lookups) = world {
        race.no_more(None);
        for (at, (time, holds, _)) in lookups.iter().enumerate() {
            race.expect(Lookup(at as u32), *holds);
            plan(&mut events, *time, Event::Answer(at));
        }
    }
    loop {
        simulation::step();
        let wake = match race.step(now) {
            Step::Start(attempt, fate) => {
                let first = seen.waiting.iter().min();
                assert_eq!(first, Some(&fate.rank), "an address before its turn");
                let at = seen.waiting.iter().position(|rank| *rank == fate.rank);
                seen.waiting.swap_remove(at.expect("it was the first"));
                simulation::print(|| format!("{now}: {attempt:?} at {fate:?}"));
                seen.starts.push((now, fate.family));
                seen.alive.push(attempt);
                seen.fates.insert(attempt.0, fate);
                if let Some(connects) = fate.connects {
                    let at = now + fate.connects_after;
                    plan(&mut events, at, Event::Connect(attempt, connects));
                }
                continue;
            }
            Step::Upgrade(attempt) => {
                let (time, succeeds) = seen.fates[&attempt.0].upgrade.expect("one was asked for");
                plan(&mut events, now + time, Event::Upgrade(attempt, succeeds));
                continue;
            }
            Step::Cancel(attempt) => {
                assert!(seen.alive.contains(&attempt), "cancels what is not there");
                seen.alive.retain(|known| *known != attempt);
                seen.cancelled.push(attempt);
                continue;
            }
            Step::More => {
                seen.asked += 1;
                seen.most_asked = seen.most_asked.max(seen.asked);
                let World::Addresses(addresses, _) = world else {
                    panic!("asks for more than all lookups")
                };
                let time = addresses.get(given).map_or(0, |(time, _)| *time);
                plan(&mut events, now + time, Event::More);
                continue;
            }
            Step::Won(attempt) => {
                seen.won = Some((now, seen.fates[&attempt.0]));
                return seen;
            }
            Step::Lost => {
                assert_eq!(seen.alive, [], "gives up with something under way");
                seen.lost = Some(race.take_failure());
                return seen;
            }
            Step::Wait(until) => until,
        };
        let event = events.keys().next().copied();
        let next = event.map(|(at, _)| at);
        assert!(wake.is_none_or(|at| at > now), "waits for what has been");
        now = match (next, wake) {
            (Some(event), Some(wake)) => event.min(wake),
            (one, other) => one.or(other).unwrap_or(END),
        };
        if now >= END {
            return seen;
        }
        let Some(key) = event.filter(|(at, _)| *at <= now) else {
            continue;
        };
        let event = events.remove(&key).expect("it was looked at just now");
        simulation::print(|| format!("{now}: {event:?}"));
        simulation::step();
        match event {
            Event::Answer(at) => {
                let World::Names(lookups) = world else {
                    unreachable!("only names are looked up")
                };
                let answer = match &lookups[at].2 {
                    Ok(fates) => {
                        seen.waiting.extend(fates.iter().map(|fate| fate.rank));
                        Ok(fates.iter().copied().map(candidate).collect())
                    }
                    Err(()) => Err(seen.fails(Phase::Resolving)),
                };
                race.answered(Lookup(at as u32), answer, now);
            }
            Event::More => {
                seen.asked -= 1;
                let World::Addresses(addresses, end) = world else {
                    unreachable!("only addresses are asked for")
                };
                if let Some((_, fate)) = addresses.get(given) {
                    seen.waiting.push(fate.rank);
                    race.more(Some(candidate(*fate)));
                } else {
                    let failure = end.err().map(|()| seen.fails(Phase::Resolving));
                    race.no_more(failure);
                }
                given += 1;
            }
            Event::Connect(attempt, connects) if seen.alive.contains(&attempt) => {
                if connects {
                    race.connected(attempt, seen.fates[&attempt.0].upgrade.is_some());
                } else {
                    seen.alive.retain(|known| *known != attempt);
                    seen.failed.push(attempt);
                    let failure = seen.fails(Phase::Connecting);
                    race.failed(attempt, Phase::Connecting, failure);
                }
            }
            Event::Upgrade(attempt, succeeds) if seen.alive.contains(&attempt) => {
                if succeeds {
                    race.upgraded(attempt);
                } else {
                    seen.alive.retain(|known| *known != attempt);
                    seen.failed.push(attempt);
                    let failure = seen.fails(Phase::Tls);
                    race.failed(attempt, Phase::Tls, failure);
                }
            }
            // Of an attempt that was cancelled.
            Event::Connect(..) | Event::Upgrade(..) => {}
        }
    }
}

fn fates(world: &World) -> Vec<Fate> {
    match world {
        World::Names(lookups) => lookups
            .iter()
            .flat_map(|(.., answer)| answer.iter().flatten().copied())
            .collect(),
        World::Addresses(addresses, _) => addresses.iter().map(|(_, fate)| *fate).collect(),
    }
}

type Promise = (&'static str, fn(&World, &Seen));

/// What is promised, and whether it was kept.
const PROMISES: [Promise; 6] = [
    (
        "it succeeds whenever any address would",
        succeeds_whenever_any_would,
    ),
    ("it never asks while it is being answered", asks_once),
    (
        "it cancels every loser and nobody else",
        cancels_every_loser,
    ),
    (
        "the error of the furthest attempt is reported and the latest of these",
        reports_the_furthest,
    ),
    (
        "a failure and a delay each let one attempt start",
        starts_for_a_reason,
    ),
    ("the families alternate from IPv6 on", alternates),
];

#[test]
fn whatever_the_addresses_do_it_keeps_its_promises() {
    let name = "whatever_the_addresses_do_it_keeps_its_promises";
    simulation::play(module_path!(), name, |seed| {
        let world = Chance(Random::new(seed)).world();
        simulation::print(|| format!("{world:?}"));
        let seen = run(&world, DELAYS);
        for (promise, is_kept) in PROMISES {
            let kept = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                is_kept(&world, &seen);
            }));
            assert!(kept.is_ok(), "broken: {promise}");
        }
    });
}

fn succeeds_whenever_any_would(world: &World, seen: &Seen) {
    let any = fates(world).into_iter().any(Fate::is_good);
    // An address that neither connects nor fails keeps the rest from nothing.
    assert_eq!(seen.won.is_some(), any, "won: {:?}", seen.won);
    assert!(seen.won.is_none_or(|(_, fate)| fate.is_good()));
}

fn asks_once(_: &World, seen: &Seen) {
    assert!(seen.most_asked <= 1);
}

fn cancels_every_loser(_: &World, seen: &Seen) {
    let winners = u32::from(seen.won.is_some());
    let left = seen.alive.len();
    // The one that is left has won; where none has won, those that never end are.
    assert!(winners == 0 || left == 1, "{:?}", seen.alive);
    assert!(winners == 1 || seen.cancelled.is_empty());
    assert_eq!(
        seen.starts.len(),
        left + seen.cancelled.len() + seen.failed.len()
    );
    let twice = seen.cancelled.iter().any(|it| seen.failed.contains(it));
    assert!(!twice, "cancels what has failed");
}

fn reports_the_furthest(world: &World, seen: &Seen) {
    if let Some(reported) = seen.lost {
        assert_eq!(reported, seen.best);
    }
    let hangs = fates(world).iter().any(|fate| fate.connects.is_none());
    assert!(
        seen.won.is_some() || seen.lost.is_some() || hangs,
        "neither won nor lost"
    );
}

fn starts_for_a_reason(_: &World, seen: &Seen) {
    let failures = seen.failures as usize;
    for (at, (end, _)) in seen.starts.iter().enumerate() {
        for (first, (begin, _)) in seen.starts.iter().enumerate().take(at) {
            let delays = ((end - begin) / DELAYS.attempt) as usize;
            assert!(at - first <= delays + failures, "{:?}", seen.starts);
        }
    }
    if failures == 0 {
        let mut pairs = seen.starts.windows(2);
        assert!(pairs.all(|pair| pair[1].0 - pair[0].0 >= DELAYS.attempt));
    }
}

fn alternates(world: &World, seen: &Seen) {
    let World::Names(lookups) = world else {
        return;
    };
    let all_there = lookups.iter().all(|(time, ..)| *time == 0);
    let has_ranks = fates(world).iter().any(|fate| fate.rank > 0);
    if !all_there || has_ranks || seen.starts.len() < 2 {
        return;
    }
    let has = |family| {
        let mut fates = fates(world).into_iter();
        fates.any(|fate: Fate| fate.family == family)
    };
    if has(Family::Ipv6) {
        assert_eq!(seen.starts[0].1, Family::Ipv6);
    }
    if has(Family::Ipv6) && has(Family::Ipv4) {
        assert_eq!(seen.starts[1].1, Family::Ipv4);
    }
}

fn good(family: Family, connects_after: Moment) -> Fate {
    Fate {
        family,
        connects_after,
        connects: Some(true),
        upgrade: None,
        rank: 0,
    }
}

fn bad(family: Family, connects_after: Moment) -> Fate {
    Fate {
        connects: Some(false),
        ..good(family, connects_after)
    }
}

#[test]
fn an_early_error_of_one_family_does_not_end_the_other() {
    let world = World::Names(vec![
        (200_000, true, Ok(vec![good(Family::Ipv6, 0)])),
        (0, false, Err(())),
    ]);
    let seen = run(&world, DELAYS);
    assert_eq!(seen.won.map(|(at, _)| at), Some(200_000));
}

#[test]
fn ipv4_waits_for_ipv6_a_little() {
    let lookups = |ipv6| {
        World::Names(vec![
            (ipv6, true, Ok(vec![good(Family::Ipv6, 1_000)])),
            (0, false, Ok(vec![good(Family::Ipv4, 1_000)])),
        ])
    };
    let seen = run(&lookups(49_000), DELAYS);
    assert_eq!(seen.starts, [(49_000, Family::Ipv6)]);
    let seen = run(&lookups(51_000), DELAYS);
    assert_eq!(seen.starts, [(50_000, Family::Ipv4)]);
    // An answer of IPv6 waits for nobody.
    let world = World::Names(vec![
        (0, true, Ok(vec![good(Family::Ipv6, 1_000)])),
        (900_000, false, Ok(vec![])),
    ]);
    assert_eq!(run(&world, DELAYS).won.map(|(at, _)| at), Some(1_000));
}

#[test]
fn the_failure_of_the_last_address_leaves_those_under_way_alone() {
    let slow = (0, good(Family::Ipv4, 2_000_000));
    let refused = (0, bad(Family::Ipv4, 1_000_000));
    let seen = run(&World::Addresses(vec![slow, refused], Ok(())), DELAYS);
    assert_eq!(seen.won.map(|(at, _)| at), Some(2_000_000));
    // Nor does the enumeration's own failure.
    let seen = run(&World::Addresses(vec![slow], Err(())), DELAYS);
    assert_eq!(seen.won.map(|(at, _)| at), Some(2_000_000));
}

#[test]
fn no_address_at_all_is_no_error_of_anybody() {
    assert_eq!(
        run(&World::Addresses(vec![], Ok(())), DELAYS).lost,
        Some(None)
    );
}

#[test]
fn who_asks_last_does_it_when_nothing_is_under_way() {
    let delays = Delays {
        asks_last: true,
        ..DELAYS
    };
    let world = World::Addresses(
        vec![(0, bad(Family::Ipv4, 900_000)), (0, good(Family::Ipv4, 0))],
        Ok(()),
    );
    let seen = run(&world, delays);
    assert_eq!(seen.starts, [(0, Family::Ipv4), (900_000, Family::Ipv4)]);
}

#[test]
fn a_target_comes_after_those_of_a_lower_rank() {
    let mut race = Race::<u32, ()>::new(DELAYS);
    race.no_more(None);
    race.expect(Lookup(0), true);
    let ranked = |address, family, rank| Candidate {
        address,
        family,
        rank,
    };
    race.answered(
        Lookup(0),
        Ok(vec![
            ranked(3, Family::Ipv6, 1),
            ranked(2, Family::Ipv4, 0),
            ranked(1, Family::Ipv6, 0),
        ]),
        0,
    );
    for address in 1..=3 {
        let Step::Start(attempt, started) = race.step(0) else {
            panic!("nothing was started")
        };
        assert_eq!(started, address);
        race.failed(attempt, Phase::Connecting, ());
    }
}
