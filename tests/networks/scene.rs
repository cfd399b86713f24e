//! What the scenarios have in common: how one is told, and what must be true of each.

use std::{
    cell::RefCell,
    fmt::Debug,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::{
    Framed, Framing, Reconnector, SocketClient, SocketConnection, SocketService, engine, prelude::*,
};

use crate::{forms::*, net, support::*, table::Table};

/// How long who is hasty waits.
pub(crate) const SOON: Duration = Duration::from_millis(700);
/// Within this everything ends, on a machine with much to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// In a network of its own. At its end nothing is left.
pub(crate) fn scene(
    name: &'static str,
    work: impl FnOnce(&glib::MainContext, &mut Table) + Send + 'static,
) {
    scene_after(|_| (), name, work);
}

/// `first` makes what is made once, beyond what any connection needs.
pub(crate) fn scene_after(
    first: fn(&glib::MainContext),
    name: &'static str,
    work: impl FnOnce(&glib::MainContext, &mut Table) + Send + 'static,
) {
    net::assert_is_there();
    on_private_context_within(Duration::from_secs(60), move |context| {
        let mut table = Table::new(name);
        first(context);
        let before = Before::now(context);
        work(context, &mut table);
        table.check("left", "no connection and no descriptor", || {
            before.assert_nothing_is_left(context);
        });
        table.end();
    });
}

/// Whose connects, reads and writes may take their time.
pub(crate) fn patient() -> SocketClient {
    let client = SocketClient::new();
    client.set_connect_timeout(PATIENCE);
    client.set_io_timeout(PATIENCE);
    client
}

pub(crate) fn hasty() -> SocketClient {
    let client = patient();
    client.set_connect_timeout(SOON);
    client
}

/// Whose reads and writes are hasty, once it is connected.
pub(crate) fn hasty_then() -> SocketClient {
    let client = patient();
    client.set_io_timeout(SOON);
    client
}

/// The code GIO has for it.
pub(crate) fn code_of(errno: i32) -> IOErrorEnum {
    // SAFETY: a function of numbers.
    let code = unsafe { gio::ffi::g_io_error_from_errno(errno) };
    // SAFETY: what GIO itself says.
    unsafe { glib::translate::from_glib(code) }
}

/// The error comes in its time: not before it, if it is that of a timeout; and the loop goes on meanwhile.
#[track_caller]
pub(crate) fn assert_ends<T: Debug>(
    form: Form,
    context: &glib::MainContext,
    expected: IOErrorEnum,
    work: impl FnOnce() -> Outcome<T>,
) {
    let began = Instant::now();
    let (result, ticks) = ticks_while(context, work);
    let took = began.elapsed();
    assert_fails(result, expected);
    assert!(took < PATIENCE, "it took {took:?}");
    if expected == IOErrorEnum::TimedOut {
        assert!(took >= SOON, "it took {took:?} and not {SOON:?}");
        // Of sixty that there could be.
        let enough = form == Form::Blocking || ticks >= 6;
        assert!(enough, "the loop had {ticks} turns in {took:?}");
    }
}

/// One more transfer, whole.
#[track_caller]
pub(crate) fn assert_carries(
    form: Form,
    connection: &SocketConnection,
    bytes: &[u8],
    context: &glib::MainContext,
) {
    let began = Instant::now();
    let (back, ticks) = ticks_while(context, || exchange(form, connection, bytes, context));
    let took = began.elapsed();
    assert_identical(&back.expect("a connection that goes on"), bytes);
    // One of twenty that there could be.
    let enough = form == Form::Blocking || u128::from(ticks) >= took.as_millis() / 200;
    assert!(enough, "the loop had {ticks} turns in {took:?}");
}

pub(crate) fn close(connection: &SocketConnection) {
    connection.close(Cancellable::NONE).expect("idle");
}

/// Messages that come back as they were, by both ways of sending.
pub(crate) fn assert_frames_come_back(
    connection: &SocketConnection,
    count: usize,
    context: &glib::MainContext,
) {
    let framed = Framed::new(connection, Framing::LengthPrefixed);
    let frames: Vec<_> = (0..count)
        .map(|number| pattern(1 + number * 97 % 4_000, number as u64))
        .collect();
    for frame in &frames {
        framed.send(&frame[..]).expect("room");
    }
    for frame in &frames {
        let back = block_on(context, framed.read_frame_future());
        let back = back.expect("a stream that goes on").expect("no end");
        assert_identical(&back, frame);
    }
    for frame in frames.iter().take(3) {
        framed
            .write_frame(&frame[..], Cancellable::NONE)
            .expect("room");
        let back = framed.read_frame(Cancellable::NONE);
        let back = back.expect("a stream that goes on").expect("no end");
        assert_identical(&back, frame);
    }
    block_on(context, framed.close_future()).expect("a stream that goes on");
}

/// A service of ours that sends back what it gets, and its port.
pub(crate) fn service(context: &glib::MainContext) -> (SocketService, u16) {
    let service = SocketService::new();
    let port = service
        .add_any_inet_port(glib::Object::NONE)
        .expect("a port");
    let context = context.clone();
    service.connect_incoming(move |_, connection, _| {
        let connection = noted(connection.clone());
        let task = engine::spawn_local(&context, async move {
            send_back(&connection).await;
        });
        drop(task);
        true
    });
    (service, port)
}

/// Somebody else's client gets back what it sends to a service of ours.
pub(crate) fn assert_serves(
    come: impl FnOnce(u16) -> TcpStream + Send + 'static,
    bytes: &[u8],
    context: &glib::MainContext,
) {
    let (service, port) = service(context);
    let sent = bytes.to_vec();
    let client = thread::spawn(move || {
        let mut stream = come(port);
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        let mut writes = stream.try_clone().expect("a descriptor");
        let writer = thread::spawn(move || {
            writes.write_all(&sent).expect("a stream that goes on");
            writes.shutdown(Shutdown::Write).expect("connected");
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).expect("an end");
        writer.join().expect("no panic");
        back
    });
    iterate_until(context, || client.is_finished());
    assert_identical(&client.join().expect("no panic"), bytes);
    service.close();
}

/// A reconnector, and what it has told: `attempt-failed`, `disconnected`.
pub(crate) struct Again {
    pub(crate) reconnector: Reconnector,
    pub(crate) failed: Rc<RefCell<Vec<glib::Error>>>,
    pub(crate) lost: Rc<RefCell<Vec<Option<glib::Error>>>>,
}

impl Again {
    pub(crate) fn new(client: &SocketClient, to: &gio::InetSocketAddress) -> Self {
        let reconnector = Reconnector::builder(client, to)
            .initial_delay(Duration::from_millis(50))
            .max_delay(Duration::from_millis(200))
            .build();
        // It sees no way out of here.
        reconnector.set_network_monitor(None::<&gio::NetworkMonitor>);
        let failed = Rc::<RefCell<Vec<glib::Error>>>::default();
        let told = failed.clone();
        reconnector.connect_attempt_failed(move |_, _, failure, _| {
            told.borrow_mut().push(failure.clone());
        });
        let lost = Rc::<RefCell<Vec<Option<glib::Error>>>>::default();
        let told = lost.clone();
        reconnector.connect_disconnected(move |_, failure| {
            told.borrow_mut().push(failure.cloned());
        });
        reconnector.start();
        Self {
            reconnector,
            failed,
            lost,
        }
    }

    /// Once it is connected it carries.
    pub(crate) fn assert_carries(&self, context: &glib::MainContext) {
        block_on(context, self.reconnector.wait_connected_future()).expect("it goes on trying");
        let connection = self.reconnector.connection().expect("connected");
        let bytes = pattern(10_000, 3);
        assert_carries(Form::Future, &connection, &bytes, context);
    }

    pub(crate) fn wait_for_failures(&self, count: usize, context: &glib::MainContext) {
        iterate_until(context, || self.failed.borrow().len() >= count);
    }

    #[track_caller]
    pub(crate) fn assert_all_failed_with(&self, expected: IOErrorEnum) {
        for failure in &*self.failed.borrow() {
            assert_eq!(code(failure), expected, "{failure:?}");
        }
    }

    pub(crate) fn end(self) {
        let connection = self.reconnector.connection();
        self.reconnector.stop();
        if let Some(connection) = connection {
            let _ = connection.close(Cancellable::NONE);
        }
    }
}
