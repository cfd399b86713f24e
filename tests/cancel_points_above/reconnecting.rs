//! Waiting for a reconnector: it goes on, whoever waits for it.

use std::{
    cell::RefCell,
    fs,
    io::Write,
    os::unix::net::UnixListener,
    path::PathBuf,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use gio::{Cancellable, prelude::*};
use gsock::{Reconnector, ReconnectorState as State, SocketClient, prelude::*};

use crate::play::*;
use crate::points::*;
use crate::room::Room;
use crate::stage::*;
use crate::support::*;

struct Waiting {
    answer: Answer,
    reconnector: Option<Reconnector>,
    reconnects: Gone,
    client: Gone,
    path: PathBuf,
    listener: Option<UnixListener>,
    got: Rc<RefCell<Option<gio::IOStream>>>,
}

impl Waiting {
    fn new(answer: Answer) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gsock-points-above-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let client = SocketClient::new();
        client.set_enable_proxy(false);
        let reconnector = Reconnector::builder(&client, &gio::UnixSocketAddress::new(&path))
            .network_monitor(gio::NetworkMonitor::NONE)
            .initial_delay(Duration::from_millis(1))
            .max_delay(Duration::from_millis(1))
            .build();
        Self {
            answer,
            reconnects: Gone::of(&reconnector),
            client: Gone::of(&client),
            reconnector: Some(reconnector),
            path,
            listener: None,
            got: Rc::default(),
        }
    }
}

impl Play for Waiting {
    fn natural(&self) -> Option<End> {
        (self.answer != Answer::Never).then_some(Ok(()))
    }

    fn start(&mut self, cancellable: &Cancellable, told: Rc<Told>) {
        let got = self.got.clone();
        let reconnector = self.reconnector.as_ref().expect("just made");
        reconnector.wait_connected_async(Some(cancellable), move |reconnector, result| {
            let (reconnector, result) = (reconnector.clone(), result.clone());
            told.finish(move || {
                let made = reconnector.wait_connected_finish(&result);
                end_of(made.map(|stream| got.replace(Some(stream))))
            });
        });
    }

    fn future(&mut self) -> Running {
        let got = self.got.clone();
        let waiting = self
            .reconnector
            .as_ref()
            .expect("just made")
            .wait_connected_future();
        Box::pin(async move {
            let made = waiting.await;
            end_of(made.map(|stream| got.replace(Some(stream))))
        })
    }

    fn act(&mut self) {
        if self.listener.is_none() {
            self.listener = Some(UnixListener::bind(&self.path).expect("a new name"));
        }
    }

    fn close(&mut self) -> bool {
        self.reconnector.as_ref().expect("still there").stop();
        true
    }

    fn close_elsewhere(&mut self) -> Elsewhere {
        let reconnector = Reference::of(self.reconnector.as_ref().expect("still there"));
        Box::new(move || {
            // SAFETY: a live reference.
            let reconnector: Reconnector =
                unsafe { glib::translate::from_glib_none(reconnector.borrow()) };
            reconnector.stop();
        })
    }

    /// A future that has not begun starts it once more.
    fn may_hang(&self, strike: Strike, had_begun: bool) -> bool {
        strike.closes() && !had_begun && self.natural().is_none()
    }

    fn forget(&mut self) {
        self.reconnector = None;
        self.got.take();
    }

    fn check(&mut self, room: &Room, fate: &Fate) {
        let stream = self.got.take();
        if let Some(reconnector) = self.reconnector.take() {
            if fate.strike == Strike::Close && fate.had_begun {
                assert_eq!(reconnector.state(), State::Stopped);
                let made = reconnector.connection();
                assert!(made.is_none_or(|made| !made.is_connected()));
            }
            if !fate.had_begun && fate.strike == Strike::DropFuture {
                assert_eq!(reconnector.state(), State::Stopped);
            }
            reconnector.start();
            self.act();
            iterate_until(&room.context, || reconnector.state() == State::Connected);
            let made = reconnector.io_stream().expect("it has connected");
            if let Some(stream) = stream {
                assert_eq!(stream, made);
            }
            // Attempts that were given up have called as well, and gone.
            let listener = self.listener.as_ref().expect("it listens");
            let peers = std::iter::from_fn(|| {
                listener.set_nonblocking(true).expect("an option");
                listener.accept().ok().map(|(peer, _)| peer)
            });
            let peers: Vec<_> = peers
                .map(|mut peer| {
                    // Fails for one that is gone.
                    let _ = peer.write_all(b"x");
                    peer
                })
                .collect();
            let input = made.input_stream();
            let bytes = input.read_bytes(1, Cancellable::NONE).expect("a byte");
            assert_eq!(&bytes[..], b"x");
            drop(peers);
            reconnector.stop();
        }
    }

    fn objects(&self) -> Vec<(&'static str, Gone)> {
        vec![
            ("reconnector", self.reconnects.clone()),
            ("client", self.client.clone()),
        ]
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn every_case(place: Where) {
    on(place, move |context| {
        let room = Room::new(context);
        let mut points = Points::default();
        Drill {
            name: "wait".to_owned(),
            covers: &[
                "reconnector::wait_connected_async",
                "reconnector::wait_connected_future",
            ],
            answers: &[Answer::AtOnce, Answer::Later, Answer::Never],
            ways: ANY_WAY,
            pause: Duration::from_millis(2),
            most: 12,
            elsewhere: true,
            make: &|_, answer| Box::new(Waiting::new(answer)),
        }
        .every_point(&mut points, &room);
        points.report(&format!("wait for a reconnector, {place:?} context"));
    });
}

on_both! {
    wait: every_case,
}
