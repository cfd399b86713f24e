//! Connecting: the race with real addresses, sockets and events.
//!
//! [`Run::advance`] goes on until it has to wait or something belongs to somebody else: an event, the making of
//! a connection, an enumerator that blocks. Each form does these where they have to be done.

mod attempt;
mod ends;
mod layers;

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use gio::{
    SocketClientEvent as Event, SocketConnectable, SocketFamily, SocketType, prelude::*,
    subclass::prelude::*,
};

use self::attempt::{Attempt, Layer};
use super::{
    SocketClient,
    opening::{Making, open, prefixed},
    race::{Attempt as Number, Delays, Moment, Phase, Race, Step},
    report::{Attempt as Tried, ConnectReport},
    source::{Addresses, BlockingNext, Source, Wishes},
};
use crate::{
    SocketConnection, SocketConnectionExt, error,
    living::{self, Living},
    reactor::{CancelWatch, Engine, Wait, earlier},
    thread,
};

/// RFC 8305: for how long IPv4 waits for the answer of IPv6.
const RESOLUTION_DELAY: Moment = 50_000;

/// In small things GIO's forms differ: what is emitted when, and whether a late cancellation counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Blocking,
    Asynchronous,
}

pub(super) type Outcome = Result<SocketConnection, glib::Error>;
pub(super) type Ended = Result<SocketConnection, (glib::Error, ConnectReport)>;

/// What is done outside of [`Run::advance`]: see there.
pub(super) enum Call {
    Emit(Event, Option<gio::IOStream>),
    Make(Number, Box<Making>),
    Connected(Number, SocketConnection),
    /// Agree with the proxy, or encrypt it.
    Upgrade(Number),
    /// A layer is there.
    Upgraded(Number, Layer),
    Next(BlockingNext),
}

pub(super) enum Advance {
    Call(Call),
    Done(Outcome),
}

/// See the module's documentation.
pub(super) struct Run {
    client: SocketClient,
    connectable: SocketConnectable,
    cancellable: Option<gio::Cancellable>,
    cancel: Option<CancelWatch>,
    form: Form,
    race: Addresses,
    source: Option<Source>,
    attempts: Vec<Attempt>,
    /// In this order.
    calls: std::collections::VecDeque<Call>,
    wait: Wait,
    begun: Moment,
    deadline: Option<Moment>,
    /// The thread where handlers may run.
    thread: usize,
    is_resolving: bool,
    is_resolved: bool,
    is_complete: bool,
    outcome: Option<Outcome>,
    report: ConnectReport,
    upgrade_begun: Moment,
    _living: Living<{ living::CONNECT }>,
}

impl Run {
    pub(super) fn new(
        client: &SocketClient,
        connectable: SocketConnectable,
        cancellable: Option<gio::Cancellable>,
        form: Form,
    ) -> Self {
        let begun = glib::monotonic_time();
        let limit = client.imp().settings().connect_timeout_ms;
        Self {
            race: Race::new(Delays {
                attempt: 0,
                resolution: RESOLUTION_DELAY,
                asks_last: false,
            }),
            source: None,
            attempts: Vec::new(),
            calls: std::collections::VecDeque::new(),
            wait: Wait::new(),
            begun,
            deadline: (limit != 0).then(|| begun.saturating_add(i64::from(limit) * 1000)),
            thread: thread::here(),
            is_resolving: false,
            is_resolved: false,
            is_complete: false,
            outcome: None,
            report: ConnectReport::default(),
            upgrade_begun: begun,
            _living: Living::default(),
            cancel: cancellable.as_ref().map(CancelWatch::new),
            client: client.clone(),
            connectable,
            cancellable,
            form,
        }
    }

    /// Calls the connectable, and emits the first event. It is done where handlers may run.
    pub(super) fn begin(&mut self) {
        if self.form == Form::Blocking && self.is_cancelled() {
            return self.end(Err(error::cancelled()));
        }
        let wishes = self.wishes();
        let source = Source::new(&self.connectable, wishes);
        let delay = self.client.imp().settings().attempt_delay_ms;
        self.race = Race::new(Delays {
            attempt: i64::from(delay) * 1000,
            resolution: RESOLUTION_DELAY,
            asks_last: source.as_ref().is_ok_and(Source::blocks),
        });
        self.is_resolving = true;
        self.emit(Event::Resolving, None);
        match source {
            Ok(source) => self.source = Some(source),
            Err(failure) => self.end(Err(failure)),
        }
    }

    fn wishes(&self) -> Wishes {
        let imp = self.client.imp();
        let (family, has_proxies) = {
            let settings = imp.settings();
            let is_stream = settings.type_ == SocketType::Stream;
            (settings.family, settings.enable_proxy && is_stream)
        };
        let local = imp.local_address().map(|address| address.family());
        Wishes {
            family: Some(family)
                .filter(|family| *family != SocketFamily::Invalid)
                .or(local),
            proxies: has_proxies.then(|| imp.proxy_resolver()),
            is_blocking: self.form == Form::Blocking,
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(CancelWatch::is_cancelled)
    }

    /// Runs it in a future.
    pub(super) async fn drive(mut self) -> Ended {
        if !self.is_resolving {
            self.begin();
        }
        poll_fn(|cx| {
            self.thread = thread::here();
            loop {
                match self.advance(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Advance::Call(call)) => self.call(call),
                    Poll::Ready(Advance::Done(outcome)) => {
                        return Poll::Ready(self.ended(outcome));
                    }
                }
            }
        })
        .await
    }

    /// A failure has what it took; otherwise that is with the connection.
    pub(super) fn ended(&mut self, outcome: Outcome) -> Ended {
        outcome.map_err(|failure| {
            let mut report = std::mem::take(&mut self.report);
            report.fail(&failure);
            (failure, report)
        })
    }

    // --- Going on --------------------------------------------------------------------------------

    /// What comes next as far as that is known already: the calls, and after the last of them the outcome.
    pub(super) fn known(&mut self) -> Option<Advance> {
        if let Some(call) = self.calls.pop_front() {
            return Some(Advance::Call(call));
        }
        self.outcome.take().map(Advance::Done)
    }

    /// As far as it gets. After the last event comes the outcome.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Advance> {
        loop {
            if let Some(known) = self.known() {
                return Poll::Ready(known);
            }
            let now = glib::monotonic_time();
            self.look(cx, now);
            if !self.calls.is_empty() {
                continue;
            }
            match self.race.step(now) {
                Step::Won(number) => self.win(number),
                Step::Lost => self.lose(),
                Step::Cancel(number) => {
                    let failure = Some(error::cancelled());
                    if let Some(attempt) = self.take(number, failure) {
                        attempt.give_up();
                    }
                }
                Step::Upgrade(number) => self.calls.push_back(Call::Upgrade(number)),
                _ if self.is_cancelled() => self.end(Err(error::cancelled())),
                _ if self.deadline.is_some_and(|deadline| deadline <= now) => {
                    let failure = self.too_late();
                    self.end(Err(failure));
                }
                Step::Start(number, address) => self.start(number, address),
                Step::More => {
                    let blocking = self
                        .source
                        .as_mut()
                        .and_then(|source| source.more(&mut self.race));
                    self.calls.extend(blocking.map(Call::Next));
                }
                Step::Wait(_) if self.attempts.is_empty() && self.goes_direct() => {}
                Step::Wait(until) => {
                    let until = earlier(until, self.deadline);
                    self.wait.until(until, &Engine::current(), cx.waker());
                    if let Some(cancel) = &mut self.cancel {
                        cancel.wake(cx.waker());
                        if cancel.is_cancelled() {
                            continue;
                        }
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn goes_direct(&mut self) -> bool {
        let race = &mut self.race;
        self.source
            .as_mut()
            .is_some_and(|source| source.go_direct(race))
    }

    /// Tells the race what has happened.
    fn look(&mut self, cx: &mut Context<'_>, now: Moment) {
        if let Some(source) = &mut self.source {
            source.poll(&mut self.race, cx, now);
        }
        let mut at = 0;
        while let Some(attempt) = self.attempts.get_mut(at) {
            at += 1;
            let Some(doing) = &mut attempt.doing else {
                continue;
            };
            let Poll::Ready(done) = doing.as_mut().poll(cx) else {
                continue;
            };
            attempt.doing = None;
            let number = attempt.number;
            if let Some(negotiation) = attempt.negotiation.take() {
                return self.negotiated(number, negotiation, done, now);
            }
            match done {
                Ok(_) => {
                    attempt.connected = Some(now);
                    let connection = attempt.connection.clone();
                    self.calls.push_back(Call::Connected(number, connection));
                    // It is told before anything else happens.
                    return;
                }
                Err(failure) => {
                    let proxy = attempt.proxy.as_ref();
                    let failure = prefixed(&self.connectable, proxy, &failure);
                    self.fail(number, Phase::Connecting, failure);
                    at -= 1;
                }
            }
        }
    }

    /// The next address.
    fn start(&mut self, number: Number, address: gio::SocketAddress) {
        self.note_resolved();
        match open(&self.client, &self.connectable, &address) {
            Ok(making) => self.calls.push_back(Call::Make(number, Box::new(making))),
            Err((phase, failure)) => {
                let begun = self.since(glib::monotonic_time());
                self.report.attempts.push(Tried {
                    address,
                    begun,
                    took: Duration::ZERO,
                    error: Some(failure.clone()),
                });
                self.race.failed(number, phase, failure);
            }
        }
    }

    fn note_resolved(&mut self) {
        if !self.is_resolved {
            self.is_resolved = true;
            self.note_found();
            self.emit_later(Event::Resolved, None);
        }
    }

    /// There is an address, or it is clear that there is none.
    fn note_found(&mut self) {
        self.report.resolve = self.since(glib::monotonic_time());
    }

    // --- What is done outside ----------------------------------------------------------------------

    /// Where handlers may run, and with the home that the connection is to have.
    pub(super) fn call(&mut self, call: Call) {
        match call {
            Call::Emit(event, stream) => self.emit(event, stream.as_ref()),
            Call::Make(number, making) => self.make(number, making),
            Call::Connected(number, connection) => {
                let transport = connection.imp().transport();
                transport.restore_blocking();
                let limit = self.client.imp().settings().io_timeout_ms;
                if limit != 0 {
                    transport.set_timeout_exactly(u64::from(limit) * 1000);
                }
                self.emit(Event::Connected, Some(connection.upcast_ref()));
                self.connected(number);
            }
            Call::Upgrade(number) => self.upgrade(number),
            Call::Upgraded(number, layer) => self.upgraded(number, layer),
            Call::Next(enumerator) => {
                let next = enumerator.next(self.cancellable.as_ref());
                if let Some(source) = &mut self.source {
                    source.enumerated(next, &mut self.race);
                }
            }
        }
    }

    /// What is to lie over the connection: so also when a handler of the event has said so.
    fn connected(&mut self, number: Number) {
        let Some(attempt) = self.attempts.iter_mut().find(|it| it.number == number) else {
            return;
        };
        let settings = self.client.imp().settings();
        // A proxy that is the program's own business, with all that comes behind it.
        let is_left = attempt.proxy.as_ref().is_some_and(|proxy| {
            let protocol = proxy.protocol();
            settings.application_proxies.contains(protocol.as_str())
        });
        let upgrade = !is_left && (attempt.proxy.is_some() || settings.tls);
        drop(settings);
        if is_left {
            attempt.proxy = None;
        }
        self.race.connected(number, upgrade);
    }

    fn make(&mut self, number: Number, making: Box<Making>) {
        let address = making.address.clone();
        let (connection, proxy) = making.connection(&self.client);
        let (begun, tried) = (glib::monotonic_time(), self.report.attempts.len());
        self.report.attempts.push(Tried {
            address: address.clone(),
            begun: self.since(begun),
            took: Duration::ZERO,
            error: None,
        });
        self.emit(Event::Connecting, Some(connection.upcast_ref()));
        self.attempts.push(Attempt {
            number,
            doing: None,
            negotiation: None,
            proxy,
            stream: connection.clone().upcast(),
            connected: None,
            address,
            begun,
            tried,
            connection,
        });
        // Begun by the next step, unless it was cancelled just now.
        if !self.is_cancelled()
            && let Some(attempt) = self.attempts.last_mut()
        {
            let connecting = attempt.connection.connect_future(&attempt.address);
            attempt.doing = Some(Box::pin(async move { connecting.await.map(|()| None) }));
        }
    }

    fn attempt(&mut self, number: Number) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|it| it.number == number)
    }

    fn emit(&self, event: Event, stream: Option<&gio::IOStream>) {
        let client = self.client.imp();
        client.emit(event, &self.connectable, stream);
    }

    fn emit_later(&mut self, event: Event, stream: Option<gio::IOStream>) {
        self.calls.push_back(Call::Emit(event, stream));
    }

    fn since(&self, moment: Moment) -> Duration {
        duration(moment.saturating_sub(self.begun))
    }
}

fn duration(microseconds: i64) -> Duration {
    Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
}
