//! The two ends of a network of the test's own. `networks.sh` makes both: the test runs in the near one, and on threads
//! that have gone there in the far one.

use std::{
    fs::File,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use crate::support::gio_address;

const NEAR: [u8; 4] = [10, 77, 0, 1];
const FAR: [u8; 4] = [10, 77, 0, 2];
const FAR6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);

/// Fails where there is no such network.
pub(crate) fn assert_is_there() {
    assert!(
        std::env::var_os("GSOCK_TEST_NETWORK").is_some(),
        "this wants a network of its own, which .ci/nets/networks.sh makes"
    );
}

/// Runs it there, on a thread of its own. Its sockets stay there.
pub(crate) fn in_the_far_end<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            go_to_the_far_end();
            work()
        });
        worker.join().expect("no panic")
    })
}

/// With this thread, for good.
pub(crate) fn go_to_the_far_end() {
    let there = File::open("/run/netns/far").expect("networks.sh has made it");
    // SAFETY: a descriptor of a namespace, and this thread has nothing of the other one.
    let gone = unsafe { libc::setns(there.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(gone, 0, "{}", std::io::Error::last_os_error());
}

/// A command, which must succeed; words are taken apart at blanks.
#[track_caller]
pub(crate) fn run(command: &str) {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().expect("a word"))
        .args(words)
        .output()
        .unwrap_or_else(|failure| panic!("{command}: {failure}"));
    assert!(output.status.success(), "{command}: {output:?}");
}

/// A rule for what arrives at the far end; away with the value.
pub(crate) struct Rule;

impl Rule {
    #[track_caller]
    pub(crate) fn new(rule: &str) -> Self {
        run(&format!(
            "ip netns exec far nft add rule inet gsock arrives {rule}"
        ));
        Self
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        run("ip netns exec far nft flush chain inet gsock arrives");
    }
}

/// What a peer does with those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// What comes in goes back.
    Echo,
    /// Reads nothing and says nothing.
    Silent,
    /// Nobody takes a connection, and two fill the queue.
    Full,
}

/// Somebody who listens at the far end, on both families.
pub(crate) struct Peer {
    port: u16,
    manner: Manner,
    listener: TcpListener,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    accepting: Option<JoinHandle<()>>,
}

impl Peer {
    pub(crate) fn new(manner: Manner) -> Self {
        let listener = in_the_far_end(|| TcpListener::bind(("::", 0)).expect("a port"));
        let mut peer = Self {
            port: listener.local_addr().expect("bound").port(),
            manner,
            listener,
            streams: Arc::default(),
            accepting: None,
        };
        if manner == Manner::Full {
            // SAFETY: no pointers. It changes the backlog.
            let changed = unsafe { libc::listen(peer.listener.as_raw_fd(), 0) };
            assert_eq!(changed, 0);
        } else {
            peer.begin_to_accept();
        }
        peer
    }

    pub(crate) fn begin_to_accept(&mut self) {
        let listener = self.listener.try_clone().expect("a descriptor");
        let (streams, manner) = (self.streams.clone(), self.manner);
        let accepting = move || {
            let mut serving = Vec::new();
            for stream in listener.incoming() {
                // The end of the listener.
                let Ok(stream) = stream else { break };
                if manner != Manner::Silent {
                    let stream = stream.try_clone().expect("a descriptor");
                    serving.push(thread::spawn(move || send_back(stream)));
                }
                let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
                streams.push(stream);
            }
            drop(listener);
            let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
            for stream in streams.drain(..) {
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
            for thread in serving {
                let _ = thread.join();
            }
        };
        self.accepting = Some(thread::spawn(accepting));
    }

    pub(crate) fn ip4(&self) -> SocketAddr {
        (Ipv4Addr::from(FAR), self.port).into()
    }

    pub(crate) fn ip6(&self) -> SocketAddr {
        (FAR6, self.port).into()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn at(&self) -> gio::InetSocketAddress {
        gio_address(self.ip4())
    }

    /// By the line whose weather a test makes.
    pub(crate) fn at_by_tunnel(&self) -> gio::InetSocketAddress {
        gio_address((Ipv4Addr::new(10, 78, 0, 2), self.port).into())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Wakes who waits in accept(2).
        // SAFETY: no pointers.
        unsafe { libc::shutdown(self.listener.as_raw_fd(), libc::SHUT_RDWR) };
        if let Some(accepting) = self.accepting.take() {
            let ended = accepting.join();
            assert!(ended.is_ok() || thread::panicking(), "the peer panicked");
        }
    }
}

fn send_back(mut stream: TcpStream) {
    let mut buffer = [0; 65536];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// Comes from the far end to a service of the near one.
pub(crate) fn client_from_there(port: u16) -> TcpStream {
    in_the_far_end(|| TcpStream::connect((IpAddr::from(NEAR), port)).expect("it listens"))
}
