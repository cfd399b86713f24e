//! Coming, talking, cancelling, closing, for as long as is asked for: memory, descriptors and objects stay as they were.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    net::{Ipv4Addr, SocketAddr},
    os::{fd::AsFd, unix::net::UnixStream},
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum as E, prelude::*};
use gsock::{
    Framed, Framing, Reconnector, SocketClient, SocketConnection, UnixConnection, living,
    prelude::*,
};

use crate::{
    far::{Far, LOOPBACKS},
    hold::{self, resident_memory},
    soak_services::Services,
    support::*,
};

const DEFAULT: glib::Priority = glib::Priority::DEFAULT;
/// So many come and go at once.
const AT_ONCE: usize = 48;
/// How many ways there are to come and go.
const WAYS: usize = 14;
/// A part of the time in which the heap finds its size.
const WARM_UP: f64 = 0.2;
/// By how much memory may grow from the warm-up to the end, by the line through all samples: less than the smallest object of
/// ours for a thousandth of the connections of a minute.
const MOST_GROWTH: f64 = 1024.0 * 1024.0;
/// Likewise of descriptors, and of objects. They go up and down with what is under way.
const MOST_MORE: f64 = 24.0;

/// Who is at it, and where to.
struct Soak {
    client: SocketClient,
    /// Those who echo, those who end it, those who reset: so many of each.
    peers: Vec<SocketAddr>,
    tried: Cell<u64>,
    right: Cell<u64>,
    is_over: Cell<bool>,
    under_way: Cell<usize>,
}

/// How things are at a moment.
struct Sample {
    at: f64,
    memory: f64,
    descriptors: f64,
    objects: f64,
}

pub(crate) fn run(context: &glib::MainContext, test: &str, time: Duration) {
    hold::raise_the_limit(0);
    let before = sockets_and_pipes();
    let mut echo = Far::start(test, "echo");
    let peers = echo.addresses();
    let services = Services::new(context, &peers[..usize::from(LOOPBACKS)]);
    let mut churn = Far::start(test, &format!("churn{}", services.addresses()));
    churn.says("churns");
    let client = SocketClient::new();
    client.set_enable_proxy(false);
    let soak = Rc::new(Soak {
        client,
        peers,
        tried: Cell::new(0),
        right: Cell::new(0),
        is_over: Cell::new(false),
        under_way: Cell::new(0),
    });
    let blocking = Blocking::start(&soak.peers);

    for first in 0..AT_ONCE {
        let soak = soak.clone();
        soak.under_way.set(soak.under_way.get() + 1);
        spawn(context, async move {
            let mut number = first * WAYS + first;
            while !soak.is_over.get() {
                soak.tried.set(soak.tried.get() + 1);
                match come_and_go(&soak, number).await {
                    Ok(()) => soak.right.set(soak.right.get() + 1),
                    Err(error) => println!("wrong: way {}: {error}", number % WAYS),
                }
                number += 1;
                let_others().await;
            }
            soak.under_way.set(soak.under_way.get() - 1);
        });
    }

    let begin = Instant::now();
    let mut samples: Vec<Sample> = Vec::new();
    while begin.elapsed() < time {
        let next = begin + time.mul_f64((samples.len() + 1) as f64 / 200.0);
        iterate_until(context, || Instant::now() >= next);
        let objects = living::everything();
        samples.push(Sample {
            at: begin.elapsed().as_secs_f64() / time.as_secs_f64(),
            memory: resident_memory() as f64,
            descriptors: open_descriptors() as f64,
            objects: objects.iter().map(|(_, count)| *count as f64).sum(),
        });
    }
    churn.end();
    soak.is_over.set(true);
    let (blocked, blocked_right) = blocking.end();
    iterate_until(context, || soak.under_way.get() == 0);
    let (served, served_right) = services.end(context);
    echo.end();

    samples.retain(|sample| sample.at >= WARM_UP);
    let grown =
        |of: fn(&Sample) -> f64| growth(samples.iter().map(|sample| (sample.at, of(sample))));
    let memory = grown(|sample| sample.memory);
    let descriptors = grown(|sample| sample.descriptors);
    let objects = grown(|sample| sample.objects);
    println!(
        "soak: {} tried, {} right: {} s, {WAYS} ways and those of a thread that blocks, {served} connections served; from the \
         warm-up to the end memory grew by {:.0} KiB of {:.0}, descriptors by {descriptors:.1}, objects by {objects:.1} ({} samples)",
        soak.tried.get() + blocked + served,
        soak.right.get() + blocked_right + served_right,
        time.as_secs(),
        memory / 1024.0,
        samples.last().map_or(0.0, |sample| sample.memory / 1024.0),
        samples.len(),
    );
    assert_eq!(soak.tried.get() + blocked, soak.right.get() + blocked_right);
    assert_eq!(served, served_right);
    assert!(served > 0 && blocked > 0);
    assert!(memory < MOST_GROWTH, "memory grows");
    assert!(descriptors < MOST_MORE, "descriptors grow");
    assert!(objects < MOST_MORE * 20.0, "objects grow");
    // Halves and tasks that were given up are gone an iteration later.
    iterate_until(context, || sockets_and_pipes() <= before);
}

/// A task that nobody waits for.
pub(crate) fn spawn(context: &glib::MainContext, work: impl Future<Output = ()> + 'static) {
    drop(gsock::engine::spawn_local(context, work));
}

/// On the loopback much is done at once, and what never waits lets nobody else have his turn.
async fn let_others() {
    let mut has_let = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_let, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// By how much the line of least squares rises over all of its points.
fn growth(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = points.clone().count() as f64;
    let mean = |of: fn((f64, f64)) -> f64| points.clone().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|(x, _)| x), mean(|(_, y)| y));
    let spread: f64 = points.clone().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let slope: f64 = points
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum::<f64>()
        / spread;
    slope * (1.0 - WARM_UP)
}

/// How many descriptors there are of the kinds that connections have; contexts and threads have others.
fn sockets_and_pipes() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").expect("Linux").flatten();
    let targets = open.filter_map(|one| std::fs::read_link(one.path()).ok());
    let counted = targets.filter(|target| {
        let target = target.to_string_lossy();
        target.starts_with("socket:") || target.starts_with("pipe:")
    });
    counted.count()
}

fn wrong(what: &str) -> glib::Error {
    glib::Error::new(E::InvalidData, what)
}

fn expect_code<T>(result: Result<T, glib::Error>, expected: &[E]) -> Result<(), glib::Error> {
    match result {
        Err(error) if expected.iter().any(|code| error.matches(*code)) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(wrong("it succeeded")),
    }
}

async fn echoed(connection: &SocketConnection, number: usize) -> Result<(), glib::Error> {
    let frame = hold::frame(number, 0);
    let written = connection
        .output_stream()
        .write_all_future(frame.clone(), DEFAULT)
        .await;
    let (_, _, failure) = written.map_err(|(_, error)| error)?;
    if let Some(error) = failure {
        return Err(error);
    }
    let input = connection.input_stream();
    let mut got = Vec::new();
    while got.len() < frame.len() {
        let read = input
            .read_bytes_future(frame.len() - got.len(), DEFAULT)
            .await?;
        if read.is_empty() {
            return Err(wrong("an end before its time"));
        }
        got.extend_from_slice(&read);
    }
    (got == frame)
        .then_some(())
        .ok_or_else(|| wrong("other bytes came back"))
}

async fn is_at_its_end(connection: &SocketConnection) -> Result<(), glib::Error> {
    let end = connection
        .input_stream()
        .read_bytes_future(1, DEFAULT)
        .await?;
    end.is_empty()
        .then_some(())
        .ok_or_else(|| wrong("more came"))
}

/// Once, and not to its end, unless that comes at once.
async fn polled_once<F: Future>(future: F) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

async fn come_and_go(soak: &Soak, number: usize) -> Result<(), glib::Error> {
    let echoes = usize::from(LOOPBACKS);
    let at = |manner: usize| gio_address(soak.peers[manner * echoes + number % echoes]);
    let (echo, finish, reset) = (at(0), at(1), at(2));
    match number % WAYS {
        0 => {
            let connection = soak.client.connect_future(&echo).await?;
            echoed(&connection, number).await?;
            connection.close_future(DEFAULT).await
        }
        1 => {
            let connection = soak.client.connect_future(&echo).await?;
            echoed(&connection, number).await?;
            connection.socket().shutdown(false, true)?;
            is_at_its_end(&connection).await
        }
        2 => {
            let connection = soak.client.connect_future(&finish).await?;
            echoed(&connection, number).await?;
            is_at_its_end(&connection).await
        }
        3 => {
            let connection = soak.client.connect_future(&reset).await?;
            expect_code(echoed(&connection, number).await, &[E::BrokenPipe])
        }
        4 => {
            polled_once(soak.client.connect_future(&echo)).await;
            Ok(())
        }
        5 => {
            let connection = soak.client.connect_future(&echo).await?;
            polled_once(connection.input_stream().read_bytes_future(1, DEFAULT)).await;
            Ok(())
        }
        6 => {
            let connection = soak.client.connect_future(&echo).await?;
            let cancellable = Cancellable::new();
            let (sender, receiver) = futures::channel::oneshot::channel();
            connection.input_stream().read_bytes_async(
                1,
                DEFAULT,
                Some(&cancellable),
                move |read| {
                    let _ = sender.send(read);
                },
            );
            cancellable.cancel();
            let read = receiver.await.map_err(|_| wrong("no answer"))?;
            expect_code(read, &[E::Cancelled])?;
            echoed(&connection, number).await
        }
        7 => {
            let connection = soak.client.connect_future(&echo).await?;
            let (mut reader, _writer) = connection.halves();
            let mut room = [0; 8];
            let mut reading = pin!(reader.read(&mut room));
            poll_fn(|cx| {
                assert!(reading.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            connection.close(Cancellable::NONE)?;
            expect_code(reading.await, &[E::Closed])
        }
        8 => {
            let connection = soak.client.connect_future(&echo).await?;
            let framed = Framed::new(&connection, Framing::LengthPrefixed);
            for round in 0..3 {
                framed.send(&hold::frame(number, round))?;
            }
            for round in 0..3 {
                let frame = framed.read_frame_future().await?;
                if frame.is_none_or(|frame| frame != hold::frame(number, round)) {
                    return Err(wrong("another frame came back"));
                }
            }
            // One is dropped with what it has under way.
            polled_once(framed.read_frame_future()).await;
            if number.is_multiple_of(2) {
                framed.close_future().await
            } else {
                Ok(())
            }
        }
        9 => {
            let connection = soak.client.connect_future(&echo).await?;
            let (mut reader, mut writer) = connection.halves();
            drop(connection);
            let frame = hold::frame(number, 1);
            writer.write_all(&frame).await?;
            writer.shutdown().await?;
            let (mut got, mut room) = (Vec::new(), [0; 256]);
            loop {
                match reader.read(&mut room).await? {
                    0 => break,
                    count => got.extend_from_slice(&room[..count]),
                }
            }
            (got == frame)
                .then_some(())
                .ok_or_else(|| wrong("other bytes came back"))
        }
        10 => {
            let refused = soak
                .client
                .connect_future(&gio_address(refused_address()))
                .await;
            expect_code(refused, &[E::ConnectionRefused])
        }
        11 => {
            let reconnector = Reconnector::builder(&soak.client, &finish)
                .initial_delay(Duration::from_millis(1))
                .max_delay(Duration::from_millis(2))
                .build();
            reconnector.start();
            for _ in 0..2 {
                let stream = reconnector.wait_connected_future().await?;
                let connection = stream.downcast::<SocketConnection>();
                let connection = connection.map_err(|_| wrong("of another class"))?;
                // The first may still be the one whose end is not seen yet.
                let _ = echoed(&connection, number).await;
            }
            reconnector.stop();
            Ok(())
        }
        12 => {
            let connection = soak.client.connect_future(&echo).await?;
            let other = soak.client.connect_future(&finish).await?;
            polled_once(gsock::relay(&connection, &other)).await;
            Ok(())
        }
        _ => {
            let (one, other) = UnixStream::pair().map_err(|error| wrong(&error.to_string()))?;
            let [one, other] = [one, other].map(|end| {
                let made = SocketConnection::factory_create_connection_from_fd(end.into());
                made.map(|made| made.downcast::<UnixConnection>().expect("of a Unix socket"))
            });
            let (one, other) = (one?, other?);
            one.send_fd_future(std::io::stderr().as_fd()).await?;
            drop(other.receive_fd_future().await?);
            other.send_credentials_future().await?;
            one.receive_credentials_future().await.map(drop)
        }
    }
}

/// The forms that block, in a thread.
struct Blocking {
    is_over: Arc<AtomicBool>,
    counts: Arc<[AtomicU64; 2]>,
    thread: thread::JoinHandle<()>,
}

impl Blocking {
    fn start(peers: &[SocketAddr]) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let counts: Arc<[AtomicU64; 2]> = Arc::default();
        let peers = peers.to_vec();
        let (over, counted) = (is_over.clone(), counts.clone());
        let thread = thread::spawn(move || {
            // One that is run, so that what belongs to this thread can go.
            let context = glib::MainContext::new();
            let looped = context.with_thread_default(|| {
                let client = SocketClient::new();
                client.set_enable_proxy(false);
                for number in 0.. {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    counted[0].fetch_add(1, Ordering::SeqCst);
                    match Self::come_and_go(&client, &peers, number) {
                        Ok(()) => drop(counted[1].fetch_add(1, Ordering::SeqCst)),
                        Err(error) => println!("wrong: blocking: {error}"),
                    }
                    while context.iteration(false) {}
                }
            });
            looped.expect("nobody else has it");
        });
        Self {
            is_over,
            counts,
            thread,
        }
    }

    fn come_and_go(
        client: &SocketClient,
        peers: &[SocketAddr],
        number: usize,
    ) -> Result<(), glib::Error> {
        let echoes = usize::from(LOOPBACKS);
        let address = gio_address(peers[number % echoes]);
        if number % 5 == 4 {
            let cancellable = Cancellable::new();
            cancellable.cancel();
            return expect_code(
                client.connect(&address, Some(&cancellable)),
                &[E::Cancelled],
            );
        }
        let connection = client.connect(&address, Cancellable::NONE)?;
        let frame = hold::frame(number, 2);
        connection
            .output_stream()
            .write_all(&frame, Cancellable::NONE)?;
        let mut room = vec![0; frame.len()];
        connection
            .input_stream()
            .read_all(&mut room, Cancellable::NONE)?;
        if room != frame {
            return Err(wrong("other bytes came back"));
        }
        match number % 3 {
            0 => connection.close(Cancellable::NONE),
            1 => {
                connection.socket().shutdown(false, true)?;
                let left = connection
                    .input_stream()
                    .read(&mut room, Cancellable::NONE)?;
                (left == 0).then_some(()).ok_or_else(|| wrong("more came"))
            }
            _ => Ok(()),
        }
    }

    fn end(self) -> (u64, u64) {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().expect("no panic");
        let [tried, right] = &*self.counts;
        (tried.load(Ordering::SeqCst), right.load(Ordering::SeqCst))
    }
}

/// Addresses of which each is on a loopback of its own.
pub(crate) fn any_on_each_loopback() -> impl Iterator<Item = gio::InetSocketAddress> {
    (1..=LOOPBACKS).map(|number| gio_address((Ipv4Addr::new(127, 0, 0, number), 0).into()))
}
