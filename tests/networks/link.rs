//! A line between the two ends whose weather a test makes: packets go from one TUN device into the other, later, in another
//! order, twice, or not at all. The kernel's own means for that, netem, is not in every kernel.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::net::in_the_far_end;

/// Shares are of a hundred packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) delay: Duration,
    /// Up to so much more, another time for each packet: so they overtake each other.
    pub(crate) jitter: Duration,
    pub(crate) twice: u64,
    pub(crate) lost: u64,
    /// In bytes for each second; 0 is all that there is.
    pub(crate) width: u32,
}

/// What has happened to packets, in both directions.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) carried: AtomicU32,
    pub(crate) overtaken: AtomicU32,
    pub(crate) twice: AtomicU32,
    pub(crate) lost: AtomicU32,
}

/// Carries until it is dropped.
pub(crate) struct Link {
    pub(crate) seen: Arc<Seen>,
    is_over: Arc<AtomicBool>,
    carriers: Vec<JoinHandle<()>>,
}

impl Link {
    pub(crate) fn new(weather: Weather) -> Self {
        let near = device("gsock-near");
        let far = in_the_far_end(|| device("gsock-far"));
        let seen = Arc::<Seen>::default();
        let is_over = Arc::<AtomicBool>::default();
        let back = (
            far.try_clone().expect("a descriptor"),
            near.try_clone().expect("a descriptor"),
        );
        let carriers = [(near, far), back]
            .into_iter()
            .zip(1..)
            .map(|((from, to), seed)| {
                let carrier = Carrier {
                    from,
                    to,
                    weather,
                    seen: seen.clone(),
                    chance: seed,
                    under_way: BinaryHeap::new(),
                    number: 0,
                    latest: None,
                    free_at: Instant::now(),
                };
                let is_over = is_over.clone();
                thread::spawn(move || carrier.carry(&is_over))
            })
            .collect();
        Self {
            seen,
            is_over,
            carriers,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        for carrier in self.carriers.drain(..) {
            let _ = carrier.join();
        }
    }
}

/// A TUN device that is there and waits for somebody to carry its packets.
fn device(name: &str) -> File {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .expect("networks.sh has looked");
    // SAFETY: it may be all zeroes.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the request is of the form that this call wants.
    let taken = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    assert_eq!(taken, 0, "{name}: {}", io::Error::last_os_error());
    // SAFETY: no pointers.
    let set = unsafe { libc::fcntl(device.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(set, 0);
    device
}

/// When it arrives, and which one it was.
type Packet = Reverse<(Instant, u32, Vec<u8>)>;

/// One direction.
struct Carrier {
    from: File,
    to: File,
    weather: Weather,
    seen: Arc<Seen>,
    chance: u64,
    under_way: BinaryHeap<Packet>,
    number: u32,
    /// The last one of those that have arrived so far.
    latest: Option<u32>,
    /// When a narrow line has room for the next one.
    free_at: Instant,
}

impl Carrier {
    fn carry(mut self, is_over: &AtomicBool) {
        while !is_over.load(Ordering::SeqCst) {
            self.wait();
            self.take_in();
            self.deliver();
        }
    }

    fn wait(&self) {
        let now = Instant::now();
        let next = self.under_way.peek().map(|Reverse((at, ..))| *at);
        let time = next.map_or(20, |at| {
            let time = at
                .saturating_duration_since(now)
                .as_micros()
                .div_ceil(1_000);
            time.min(20) as libc::c_int
        });
        let mut polled = libc::pollfd {
            fd: self.from.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one live value.
        unsafe { libc::poll(&raw mut polled, 1, time) };
    }

    /// From 0 up to what is below `bound`, the same in each run.
    fn chance(&mut self, bound: u64) -> u64 {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % bound.max(1)
    }

    fn take_in(&mut self) {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = self.from.read(&mut buffer) {
            let packet = buffer[..count].to_vec();
            if self.chance(100) < self.weather.lost {
                self.seen.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if self.chance(100) < self.weather.twice {
                self.seen.twice.fetch_add(1, Ordering::Relaxed);
                self.send_off(packet.clone());
            }
            self.send_off(packet);
        }
    }

    fn send_off(&mut self, packet: Vec<u8>) {
        let now = Instant::now();
        let mut at = now.max(self.free_at);
        if self.weather.width > 0 {
            // A queue is no longer than a second.
            if at > now + Duration::from_secs(1) {
                self.seen.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            at += Duration::from_secs(1) * packet.len() as u32 / self.weather.width;
            self.free_at = at;
        }
        let jitter = self.chance(self.weather.jitter.as_micros() as u64);
        at += self.weather.delay + Duration::from_micros(jitter);
        self.number += 1;
        self.under_way.push(Reverse((at, self.number, packet)));
    }

    fn deliver(&mut self) {
        while let Some(Reverse((at, ..))) = self.under_way.peek()
            && *at <= Instant::now()
        {
            let Some(Reverse((_, number, packet))) = self.under_way.pop() else {
                return;
            };
            if self.latest.is_some_and(|latest| latest > number) {
                self.seen.overtaken.fetch_add(1, Ordering::Relaxed);
            }
            self.latest = self.latest.max(Some(number));
            self.seen.carried.fetch_add(1, Ordering::Relaxed);
            // A device that is full or down loses it, as lines do.
            let _ = self.to.write(&packet);
        }
    }
}
