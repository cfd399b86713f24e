//! The run of one operation up to a point, what befalls it there, and its end.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use gio::{IOErrorEnum as E, prelude::*};

use crate::play::*;
use crate::points::Points;
use crate::room::Room;
use crate::support::*;

/// No operation takes more steps, but for time.
pub(crate) const MOST_STEPS: u32 = 40;

/// How soon a thread of GIO's, or of a peer, has given up what it held.
const PATIENCE: Duration = Duration::from_secs(2);

/// The drivers of one operation.
pub(crate) struct Drill<'a> {
    pub(crate) name: String,
    /// As `.ci/nets/operations.sh` names them.
    pub(crate) covers: &'static [&'static str],
    pub(crate) answers: &'static [Answer],
    pub(crate) ways: &'static [Way],
    /// How long nothing may move before nothing will.
    pub(crate) pause: Duration,
    /// After so many steps it does not change any more.
    pub(crate) most: u32,
    /// Whether another thread may close it.
    pub(crate) elsewhere: bool,
    pub(crate) make: &'a dyn Fn(&Room, Answer) -> Box<dyn Play>,
}

pub(crate) const SHORT: Duration = Duration::from_millis(1);
pub(crate) const ANY_WAY: &[Way] = &[Way::Callback, Way::LaterFinish, Way::Spawned, Way::ByHand];
pub(crate) const FUTURES: &[Way] = &[Way::Spawned, Way::ByHand];
pub(crate) const CALLBACKS: &[Way] = &[Way::Callback, Way::LaterFinish];

impl Drill<'_> {
    /// Every strike at every point, in every way.
    pub(crate) fn every_point(&self, points: &mut Points, room: &Room) {
        points.covers(self.covers);
        for answer in self.answers {
            for way in self.ways {
                for strike in strikes(*way) {
                    self.every_point_of(points, room, *answer, *way, *strike);
                    if points.is_enough() {
                        return;
                    }
                }
            }
        }
    }

    fn every_point_of(
        &self,
        points: &mut Points,
        room: &Room,
        answer: Answer,
        way: Way,
        strike: Strike,
    ) {
        let name = format!("{} {answer:?} {way:?} {strike:?}", self.name);
        let stage = || Stage::new(self, room, answer, way, strike);
        if strike == Strike::CloseElsewhere && !self.elsewhere {
            return;
        }
        points.warm_up(|| {
            undisturbed(stage());
        });
        let mut length = None;
        points.attempt(&format!("{name} undisturbed"), || {
            length = Some(undisturbed(stage()));
        });
        for k in 0..=length.unwrap_or(0) {
            if points.is_enough() {
                return;
            }
            points.attempt(&format!("{name} at {k}"), || point(stage(), k));
        }
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

enum Run {
    Callback,
    Spawned {
        task: Option<glib::JoinHandle<()>>,
        polled: Rc<Cell<bool>>,
    },
    ByHand {
        future: Option<Running>,
        woken: Arc<Woken>,
        polled: bool,
    },
}

struct Stage<'r> {
    room: &'r Room,
    play: Box<dyn Play>,
    strike: Strike,
    told: Rc<Told>,
    cancellable: gio::Cancellable,
    run: Run,
    pause: Duration,
    most: u32,
    acted: bool,
    steps: u32,
    ends_when_closed: bool,
    /// Before it was struck.
    begun_before: bool,
    /// Before this number no source is the stage's.
    first_source: u32,
    objects: Vec<(&'static str, Gone)>,
}

impl<'r> Stage<'r> {
    fn new(drill: &Drill<'_>, room: &'r Room, answer: Answer, way: Way, strike: Strike) -> Self {
        let first_source = room.source_number();
        let mut play = (drill.make)(room, answer);
        let cancellable = gio::Cancellable::new();
        let mut objects = play.objects();
        objects.push(("cancellable", Gone::of(&cancellable)));
        let nested = (strike == Strike::NestedLoop).then(|| room.context.clone());
        let told = Rc::new(Told::new(way == Way::LaterFinish, nested));
        let mut acted = answer == Answer::Never;
        if answer == Answer::AtOnce {
            play.act();
            acted = true;
        }
        let run = match way {
            Way::Callback | Way::LaterFinish => {
                play.start(&cancellable, told.clone());
                assert!(!told.has_ended(), "it called back before it returned");
                Run::Callback
            }
            Way::Spawned => {
                let (future, slot) = (play.future(), told.clone());
                let polled = Rc::new(Cell::new(false));
                let begun = polled.clone();
                let task = room.context.spawn_local(async move {
                    begun.set(true);
                    let end = future.await;
                    slot.finish(move || end);
                });
                Run::Spawned {
                    task: Some(task),
                    polled,
                }
            }
            Way::ByHand => Run::ByHand {
                future: Some(play.future()),
                woken: Arc::new(Woken(AtomicBool::new(true))),
                polled: false,
            },
        };
        Self {
            room,
            play,
            strike,
            told,
            cancellable,
            run,
            pause: drill.pause,
            most: drill.most,
            acted,
            steps: 0,
            ends_when_closed: false,
            begun_before: false,
            first_source,
            objects,
        }
    }

    /// One poll, or one iteration in which something ran; answers whether there was one.
    fn step(&mut self) -> bool {
        let mut until = Instant::now() + self.pause;
        loop {
            if self.poll() || self.room.context.iteration(false) {
                self.steps += 1;
                return true;
            }
            if self.has_ended() {
                return false;
            }
            if Instant::now() >= until {
                if self.acted && !self.play.acts_again() {
                    return false;
                }
                self.acted = true;
                self.play.act();
                if self.play.acts_again() && self.steps > self.most {
                    return false;
                }
                until = Instant::now() + self.pause;
            }
            thread::sleep(Duration::from_micros(50));
        }
    }

    fn act(&mut self) {
        if !std::mem::replace(&mut self.acted, true) {
            self.play.act();
        }
    }

    fn poll(&mut self) -> bool {
        if let Run::ByHand {
            future,
            woken,
            polled,
        } = &mut self.run
            && let Some(running) = future
            && woken.0.swap(false, Ordering::SeqCst)
        {
            *polled = true;
            let waker = Waker::from(woken.clone());
            if let Poll::Ready(end) = running.as_mut().poll(&mut Context::from_waker(&waker)) {
                *future = None;
                self.told.finish(move || end);
            }
            return true;
        }
        false
    }

    fn has_ended(&self) -> bool {
        self.told.has_ended()
    }

    fn had_begun(&self) -> bool {
        match &self.run {
            Run::Callback => true,
            Run::Spawned { polled, .. } => polled.get(),
            Run::ByHand { polled, .. } => *polled,
        }
    }

    fn drop_future(&mut self) {
        match &mut self.run {
            Run::Callback => {}
            Run::Spawned { task, .. } => {
                if let Some(task) = task.take() {
                    task.abort();
                }
            }
            Run::ByHand { future, .. } => *future = None,
        }
    }

    fn is_dropped(&self) -> bool {
        match &self.run {
            Run::Callback => false,
            Run::Spawned { task, .. } => task.is_none(),
            Run::ByHand { future, .. } => future.is_none() && !self.has_ended(),
        }
    }

    /// How many steps it takes, until it has ended or nothing moves any more.
    fn length(&mut self) -> u32 {
        while !self.has_ended() && self.steps < self.most && self.step() {}
        self.steps
    }

    fn strike(&mut self) {
        match self.strike {
            Strike::Cancel => self.cancellable.cancel(),
            Strike::CancelElsewhere => {
                let cancellable = self.cancellable.clone();
                self.room.elsewhere(move || cancellable.cancel());
            }
            Strike::DropFuture => self.drop_future(),
            Strike::DropReference => self.play.forget(),
            Strike::Close => self.ends_when_closed = self.play.close(),
            Strike::CloseElsewhere => {
                let close = self.play.close_elsewhere();
                self.room.elsewhere(close);
                self.ends_when_closed = true;
            }
            Strike::NestedLoop => {
                let ran = Rc::new(Cell::new(false));
                // Made and run on this thread.
                let told = glib::thread_guard::ThreadGuard::new(ran.clone());
                let inner = self.room.context.clone();
                let source = glib::source::idle_source_new(None, glib::Priority::HIGH, move || {
                    for _ in 0..5 {
                        inner.iteration(false);
                    }
                    told.get_ref().set(true);
                    glib::ControlFlow::Break
                });
                source.attach(Some(&self.room.context));
                iterate_until(&self.room.context, || ran.get());
            }
        }
    }

    fn waits_elsewhere(&self) -> bool {
        matches!(
            self.strike,
            Strike::CancelElsewhere | Strike::CloseElsewhere
        )
    }

    /// To the end; an operation that would never end is given up.
    fn go_to_the_end(&mut self) {
        if self.is_dropped() {
            return;
        }
        // Nothing more comes of it by itself.
        while !self.has_ended() && self.steps < 2 * self.most && self.step() {}
        self.act();
        let may_hang = self.play.may_hang(self.strike, self.begun_before);
        if (self.play.natural().is_none() || may_hang)
            && !self.has_ended()
            && !self.strike.cancels()
            && (!self.ends_when_closed || may_hang)
        {
            self.cancellable.cancel();
            self.drop_future();
            if self.is_dropped() {
                return;
            }
        }
        let until = Instant::now() + LIMIT;
        while !self.has_ended() {
            assert!(Instant::now() < until, "it does not end");
            self.step();
        }
    }

    /// How it ended, once nothing is to be run any more.
    fn fate(&self, had_ended: bool, had_begun: bool) -> Fate {
        let rest = (0..10_000).position(|_| !self.room.context.iteration(false));
        assert!(rest.is_some(), "something in the context runs without end");
        Fate {
            end: self.told.end(),
            strike: self.strike,
            had_ended,
            had_begun,
        }
    }

    fn allowed(&self, fate: &Fate, at_once: bool) -> Vec<End> {
        let natural = self.play.natural();
        let cancelled = Err(E::Cancelled);
        let mut allowed: Vec<End> = natural.into_iter().collect();
        if natural.is_none() && !fate.had_ended {
            allowed.push(cancelled);
        }
        if fate.had_ended {
            if fate.strike.cancels() && self.told.later && self.play.looks_at_finish() {
                allowed.push(cancelled);
            }
            return allowed;
        }
        match fate.strike {
            Strike::Cancel if at_once => {
                allowed = vec![cancelled];
                allowed.extend(self.play.cancelled_at_once());
            }
            Strike::Cancel | Strike::CancelElsewhere => allowed.push(cancelled),
            Strike::Close | Strike::CloseElsewhere => {
                if natural.is_none() && self.ends_when_closed {
                    allowed.clear();
                }
                allowed.extend(self.play.closed());
            }
            Strike::DropReference => allowed.extend(self.play.forgotten()),
            Strike::DropFuture | Strike::NestedLoop => {}
        }
        allowed
    }

    #[track_caller]
    fn leave(self) {
        let Self {
            room,
            play,
            told,
            cancellable,
            run,
            first_source,
            objects,
            ..
        } = self;
        drop((run, told));
        drop(play);
        let until = Instant::now() + PATIENCE * slowness();
        // A thread of GIO's that has ended a task gives its references up a moment later.
        let settled = |room: &Room| {
            let rest = (0..10_000).position(|_| !room.context.iteration(false));
            assert!(rest.is_some(), "something in the context runs without end");
        };
        settled(room);
        while cancellable.ref_count() != 1 {
            assert!(Instant::now() < until, "somebody holds the cancellable");
            thread::sleep(Duration::from_micros(100));
            settled(room);
        }
        assert!(
            !has_handlers(&cancellable),
            "a handler is left on the cancellable"
        );
        drop(cancellable);
        while let Some((name, _)) = objects.iter().find(|(_, gone)| !gone.is_gone()) {
            assert!(Instant::now() < until, "a {name} is left over");
            thread::sleep(Duration::from_micros(100));
            settled(room);
        }
        while room.sources(first_source) != 0 {
            assert!(Instant::now() < until, "sources are left in the context");
            thread::sleep(Duration::from_micros(100));
            settled(room);
        }
    }
}

fn undisturbed(mut stage: Stage<'_>) -> u32 {
    // A strike that does nothing is none.
    stage.strike = if matches!(stage.run, Run::Callback) {
        Strike::DropFuture
    } else {
        Strike::Cancel
    };
    let length = stage.length();
    let natural = stage.play.natural();
    match natural {
        None => {
            assert!(
                !stage.has_ended(),
                "nobody answered: {:?}",
                stage.told.end()
            );
            stage.cancellable.cancel();
            stage.drop_future();
        }
        Some(_) => stage.strike(),
    }
    if matches!(stage.run, Run::Callback) && natural.is_none() {
        stage.strike = Strike::Cancel;
    }
    stage.go_to_the_end();
    let expected = if stage.is_dropped() {
        None
    } else {
        natural.or(Some(Err(E::Cancelled)))
    };
    let begun = stage.had_begun();
    let fate = stage.fate(true, begun);
    assert_eq!(fate.end, expected, "undisturbed");
    stage.play.check(stage.room, &fate);
    stage.leave();
    length
}

fn point(mut stage: Stage<'_>, k: u32) {
    for _ in 0..k {
        stage.step();
    }
    let (had_ended, had_begun) = (stage.has_ended(), stage.had_begun());
    stage.begun_before = had_begun;
    stage.strike();
    stage.go_to_the_end();
    if stage.waits_elsewhere() {
        stage.room.wait_for_elsewhere();
    }
    let fate = stage.fate(had_ended, had_begun);
    match fate.end {
        Some(end) => {
            let allowed = stage.allowed(&fate, k == 0);
            assert!(
                allowed.contains(&end),
                "it said {end:?}, not one of {allowed:?}"
            );
        }
        None => assert!(!had_ended && stage.is_dropped(), "it said nothing"),
    }
    stage.play.check(stage.room, &fate);
    stage.leave();
}

/// Whether anybody is connected to `cancelled`, blocked or not.
fn has_handlers(cancellable: &gio::Cancellable) -> bool {
    // SAFETY: a live object whose class has the signal.
    unsafe {
        let signal = glib::gobject_ffi::g_signal_lookup(
            c"cancelled".as_ptr(),
            gio::ffi::g_cancellable_get_type(),
        );
        assert_ne!(signal, 0);
        let object: *mut glib::gobject_ffi::GObject = cancellable.as_ptr().cast();
        glib::gobject_ffi::g_signal_has_handler_pending(object, signal, 0, glib::ffi::GTRUE)
            != glib::ffi::GFALSE
    }
}

/// Each operation on a context of its own, and on the global one.
macro_rules! on_both {
    ($($name:ident: $body:expr,)*) => {
        $(mod $name {
            #[allow(unused_imports, reason = "what the bodies name")]
            use super::*;

            #[test]
            fn on_a_private_context_every_point_is_right() {
                $body(Where::Private);
            }

            #[test]
            fn on_the_default_context_every_point_is_right() {
                $body(Where::Default);
            }
        })*
    };
}
pub(crate) use on_both;
