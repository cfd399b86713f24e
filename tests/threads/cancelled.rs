//! A cancellable that one thread cancels while what it is for ends on another: bugs of GIO's cancellable that were seen by
//! whoever waits with one.
//!
//! The source that GIO makes of a cancellable is in no operation of ours. What `create_source()` of a stream answers has one in
//! it, which is as good as the system's GLib.

use std::{
    cell::RefCell,
    io::Write,
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use glib::translate::ToGlibPtr;
use gsock::{SocketClient, SocketConnection, SocketListener, prelude::*};

use crate::raw::*;
use crate::support::*;

/// A cancellation on another thread that has begun, and whose emission goes no further than its first handler for now.
struct Cancelling {
    thread: JoinHandle<()>,
    go_on: mpsc::Sender<()>,
}

/// Of what is connected to it, the first that is told: it waits.
fn hold_first(cancellable: &Cancellable) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begun, begin) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let goes_on = Mutex::new(goes_on);
    cancellable.connect_cancelled(move |_| {
        let _ = begun.send(());
        let _ = goes_on.lock().expect("no panic").recv();
    });
    (begin, go_on)
}

impl Cancelling {
    fn begin(cancellable: &Cancellable, hold: (mpsc::Receiver<()>, mpsc::Sender<()>)) -> Self {
        let (begin, go_on) = hold;
        let cancellable = cancellable.clone();
        let thread = thread::spawn(move || cancellable.cancel());
        begin.recv().expect("the handler runs");
        Self { thread, go_on }
    }

    fn end(self) {
        self.go_on.send(()).expect("it waits");
        self.thread.join().expect("no panic");
    }
}

/// As C does, which Rust has no way to.
fn reset(cancellable: &Cancellable) {
    // SAFETY: a live object.
    unsafe { gio::ffi::g_cancellable_reset(cancellable.to_glib_none().0) };
}

type Outcomes<T> = Rc<RefCell<Vec<Result<T, glib::Error>>>>;

fn start_read(connection: &SocketConnection, cancellable: &Cancellable) -> Outcomes<usize> {
    let outcomes = Outcomes::default();
    let slot = outcomes.clone();
    connection.input_stream().read_async(
        vec![0; 4],
        glib::Priority::DEFAULT,
        Some(cancellable),
        move |read| {
            let read = read.map(|(_, count)| count).map_err(|(_, failure)| failure);
            slot.borrow_mut().push(read);
        },
    );
    outcomes
}

fn start_accept(listener: &SocketListener, cancellable: &Cancellable) -> Outcomes<()> {
    let outcomes = Outcomes::default();
    let slot = outcomes.clone();
    listener.accept_async(Some(cancellable), move |listener, result| {
        slot.borrow_mut()
            .push(listener.accept_finish(result).map(drop));
    });
    outcomes
}

fn start_connect(client: &SocketClient, deaf: &Deaf, cancellable: &Cancellable) -> Outcomes<()> {
    let outcomes = Outcomes::default();
    let slot = outcomes.clone();
    client.connect_async(
        &gio_address(deaf.address),
        Some(cancellable),
        move |client, result| {
            slot.borrow_mut()
                .push(client.connect_finish(result).map(drop));
        },
    );
    outcomes
}

fn answered<T>(context: &glib::MainContext, outcomes: &Outcomes<T>) -> Result<T, glib::Error> {
    iterate_until(context, || !outcomes.borrow().is_empty());
    while context.iteration(false) {}
    let mut outcomes = outcomes.take();
    assert_eq!(outcomes.len(), 1, "answered once");
    outcomes.remove(0)
}

/// Three operations that have begun to wait, and what wakes them.
struct Waiting {
    client: SocketClient,
    deaf: Deaf,
    listener: SocketListener,
    address: SocketAddr,
    connection: SocketConnection,
    peer: TcpStream,
}

impl Waiting {
    fn new() -> Self {
        let (connection, peer) = connected();
        let listener = SocketListener::new();
        let port = listener.add_any_inet_port(None::<&glib::Object>);
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("loopback")));
        Self {
            client: SocketClient::new(),
            deaf: deaf_listener(),
            listener,
            address,
            connection,
            peer,
        }
    }

    fn begin(&self, cancellable: &Cancellable) -> (Outcomes<usize>, Outcomes<()>, Outcomes<()>) {
        (
            start_read(&self.connection, cancellable),
            start_accept(&self.listener, cancellable),
            start_connect(&self.client, &self.deaf, cancellable),
        )
    }

    fn wake(&mut self) -> TcpStream {
        self.peer.write_all(b"data").expect("room");
        TcpStream::connect(self.address).expect("it listens")
    }

    /// What was not taken is there for the next one.
    fn assert_nothing_lost(&self, context: &glib::MainContext) {
        let never = Cancellable::new();
        let read = answered(context, &start_read(&self.connection, &never));
        assert_eq!(read.expect("it was sent"), 4);
        answered(context, &start_accept(&self.listener, &never)).expect("it has connected");
    }
}

/// GLib 2.65.0: a source was disposed of while another thread cancelled.
///
/// What was cancelled ends although the cancellation has not: whoever waits for its handlers may be one that they wait for.
#[test]
fn bug_41_what_is_cancelled_ends_in_the_midst_of_the_cancellation() {
    on_private_context(|context| {
        let mut waiting = Waiting::new();
        let cancellable = Cancellable::new();
        let hold = hold_first(&cancellable);
        let (read, accept, connect) = waiting.begin(&cancellable);
        while context.iteration(false) {}
        let cancelling = Cancelling::begin(&cancellable, hold);
        let _client = waiting.wake();
        assert_fails(answered(context, &read), E::Cancelled);
        assert_fails(answered(context, &accept), E::Cancelled);
        cancelling.end();
        // Nobody has woken this one before.
        assert_fails(answered(context, &connect), E::Cancelled);
        waiting.assert_nothing_lost(context);
    });
}

/// The same at any moment.
#[test]
fn bug_41_what_is_cancelled_at_any_moment_ends_once_and_loses_nothing() {
    at_length(|context| {
        let (connection, mut peer) = connected();
        let (next, others) = mpsc::channel::<Cancellable>();
        let canceller = thread::spawn(move || others.iter().for_each(|one| one.cancel()));
        let (mut sent, mut got) = (0, 0);
        for round in 0..ROUNDS {
            let cancellable = Cancellable::new();
            let read = start_read(&connection, &cancellable);
            next.send(cancellable).expect("it runs");
            if round % 3 != 0 {
                peer.write_all(b"x").expect("room");
                sent += 1;
            }
            match answered(context, &read) {
                Ok(count) => got += count,
                Err(failure) => assert!(failure.matches(E::Cancelled), "{failure:?}"),
            }
        }
        drop(next);
        canceller.join().expect("no panic");
        while got < sent {
            let read = start_read(&connection, &Cancellable::new());
            got += answered(context, &read).expect("it was sent");
        }
        assert_eq!(got, sent);
    });
}

/// GLib 2.75.1: one that was reset while somebody connected to it.
///
/// A cancellation that is taken back before anybody has looked was none, and the next one is told like the first.
#[test]
fn bug_42_a_cancellation_that_was_taken_back_hides_none_that_comes_after_it() {
    on_private_context(|context| {
        let waiting = Waiting::new();
        let cancellable = Cancellable::new();
        let (read, accept, connect) = waiting.begin(&cancellable);
        for _ in 0..20 {
            while context.iteration(false) {}
            let one = cancellable.clone();
            let there_and_back = thread::spawn(move || {
                one.cancel();
                reset(&one);
            });
            there_and_back.join().expect("no panic");
        }
        while context.iteration(false) {}
        assert!(read.borrow().is_empty() && accept.borrow().is_empty());
        assert!(connect.borrow().is_empty());
        let last = cancellable.clone();
        thread::spawn(move || last.cancel())
            .join()
            .expect("no panic");
        assert_fails(answered(context, &read), E::Cancelled);
        assert_fails(answered(context, &accept), E::Cancelled);
        assert_fails(answered(context, &connect), E::Cancelled);
    });
}

/// The same at any moment, with one cancellable for all.
#[test]
fn bug_42_operations_that_share_a_cancellable_end_once_whoever_resets_it() {
    at_length(|context| {
        let (connection, mut peer) = connected();
        let cancellable = Cancellable::new();
        let (stop, one) = (Arc::new(AtomicBool::new(false)), cancellable.clone());
        let stopped = stop.clone();
        let canceller = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                one.cancel();
                reset(&one);
                thread::yield_now();
            }
        });
        let (mut sent, mut got) = (0, 0);
        for _ in 0..ROUNDS {
            let read = start_read(&connection, &cancellable);
            peer.write_all(b"x").expect("room");
            sent += 1;
            match answered(context, &read) {
                Ok(count) => got += count,
                Err(failure) => assert!(failure.matches(E::Cancelled), "{failure:?}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        canceller.join().expect("no panic");
        while got < sent {
            let read = start_read(&connection, &Cancellable::new());
            got += answered(context, &read).expect("it was sent");
        }
        assert_eq!(got, sent);
    });
}

/// GLib 2.83.4: a source was told of a cancellation after it was disposed of.
///
/// The operation ends, and all that it was of goes, before the cancellation comes to what it had connected.
#[test]
fn bug_43_a_cancellation_comes_to_nobody_who_is_gone() {
    on_private_context(|context| {
        for _ in 0..10 {
            let mut waiting = Waiting::new();
            let cancellable = Cancellable::new();
            let hold = hold_first(&cancellable);
            let read = start_read(&waiting.connection, &cancellable);
            let accept = start_accept(&waiting.listener, &cancellable);
            while context.iteration(false) {}
            let cancelling = Cancelling::begin(&cancellable, hold);
            let client = waiting.wake();
            assert_fails(answered(context, &read), E::Cancelled);
            assert_fails(answered(context, &accept), E::Cancelled);
            let gone = [Gone::of(&waiting.connection), Gone::of(&waiting.listener)];
            drop((waiting, client));
            iterate_until(context, || gone.iter().all(Gone::is_gone));
            cancelling.end();
        }
    });
}
