//! Who comes: the hostile ones, and the one who only wants an answer.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream},
    os::fd::{FromRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::support::*;

/// What a hostile peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It says nothing, for ever.
    Silent,
    /// A byte from time to time, and never the whole of anything.
    ByteByByte,
    /// It asks, and asks, and takes no answer.
    NeverReads,
    /// It asks, and takes a byte of the answers from time to time.
    HardlyReads,
    /// One message without an end.
    Endless,
    /// It is gone before anybody has looked.
    Resets,
}

/// How many there are at once: a few in the suite, thousands in `load.sh`.
pub(crate) fn how_many() -> usize {
    std::env::var("GSOCK_HOSTILE_PEERS").map_or(16, |count| count.parse().expect("a number"))
}

/// More than the kernel's buffers of both ends have room for where nobody reads, as the peers here have made theirs.
pub(crate) const MOST_TAKEN: u64 = 16 << 20;

/// Connects from `from`, an address on the loopback.
pub(crate) fn connect_from(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let SocketAddr::V4(to) = to else {
        panic!("of IPv4");
    };
    // SAFETY: no pointers involved.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: just made.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let address = |ip: Ipv4Addr, port: u16| libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(ip).to_be(),
        },
        sin_zero: [0; 8],
    };
    let (from, to) = (address(from, 0), address(*to.ip(), to.port()));
    let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    use_socket(&fd, |fd| {
        // SAFETY: a live address, as long as said.
        unsafe { libc::bind(fd, (&raw const from).cast(), size) }
    })?;
    use_socket(&fd, |fd| {
        // SAFETY: likewise.
        unsafe { libc::connect(fd, (&raw const to).cast(), size) }
    })?;
    Ok(fd.into())
}

fn use_socket(fd: &OwnedFd, call: impl FnOnce(i32) -> i32) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    if call(fd.as_raw_fd()) == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// The hostile ones, in a thread.
pub(crate) struct Hostile {
    is_over: Arc<AtomicBool>,
    steps: Arc<AtomicU64>,
    thread: thread::JoinHandle<Harm>,
}

/// What they have got.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Harm {
    /// Bytes that were taken from the one of whom most were taken.
    pub(crate) most_taken: u64,
    /// How often one has connected.
    pub(crate) connected: u64,
}

impl Hostile {
    pub(crate) fn start(habit: Habit, server: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let steps: Arc<AtomicU64> = Arc::default();
        let (over, stepped) = (is_over.clone(), steps.clone());
        let thread = thread::spawn(move || {
            let mut harm = Harm::default();
            let mut peers: Vec<_> = (0..how_many()).map(|_| Peer::default()).collect();
            while !over.load(Ordering::SeqCst) {
                for peer in &mut peers {
                    peer.act(habit, server, &mut harm);
                }
                stepped.fetch_add(1, Ordering::SeqCst);
                // No quicker than a slow server can be, or the kernel has no place for anybody else.
                thread::sleep(Duration::from_millis(1) * slowness());
            }
            harm
        });
        Self {
            is_over,
            steps,
            thread,
        }
    }

    /// How often each of them has done what it does.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    pub(crate) fn end(self) -> Harm {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().expect("no panic")
    }
}

#[derive(Default)]
struct Peer {
    stream: Option<TcpStream>,
    taken: u64,
}

impl Peer {
    fn act(&mut self, habit: Habit, server: SocketAddr, harm: &mut Harm) {
        let Some(stream) = &mut self.stream else {
            // Who was thrown out comes again.
            if let Ok(stream) = connect_from(Ipv4Addr::LOCALHOST, server) {
                harm.connected += 1;
                if habit == Habit::Resets {
                    return reset(stream);
                }
                stream.set_nonblocking(true).expect("an option");
                self.taken = 0;
                self.stream = Some(stream);
            }
            return;
        };
        let said: &[u8] = match habit {
            Habit::Silent | Habit::Resets => b"",
            Habit::ByteByByte => b"x",
            Habit::NeverReads | Habit::HardlyReads => &b"again and again\n".repeat(128),
            Habit::Endless => &[b'x'; 2048],
        };
        let told = match stream.write(said) {
            Ok(count) => {
                self.taken += count as u64;
                harm.most_taken = harm.most_taken.max(self.taken);
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        let heard = if habit == Habit::NeverReads {
            true
        } else {
            match stream.read(&mut [0]) {
                Ok(count) => count > 0,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
        };
        if !told || !heard {
            self.stream = None;
        }
    }
}

/// How often the good one comes.
pub(crate) const VISITS: usize = 25;

/// Comes from another address, asks, gets the answer, and goes: so often.
pub(crate) fn visit(server: SocketAddr, visits: usize) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        (0..visits)
            .filter(|number| {
                let asked = format!("visit {number}\n");
                let from = Ipv4Addr::new(127, 0, 0, 2);
                let mut stream = connect_from(from, server).expect("it listens");
                let limit = Some(LIMIT * slowness());
                stream.set_read_timeout(limit).expect("an option");
                stream.write_all(asked.as_bytes()).expect("room for a line");
                let mut answer = vec![0; asked.len()];
                let answered = stream.read_exact(&mut answer);
                // Until it is over there too, so that the next visit finds the place free.
                let _ = stream.shutdown(Shutdown::Write);
                let ended = stream.read(&mut [0]);
                answered.is_ok()
                    && answer == asked.as_bytes()
                    && ended.is_ok_and(|count| count == 0)
            })
            .count()
    })
}
