//! A network that a test has for itself: another process of the same test, in a namespace that begins with nothing but a
//! loopback interface that is down.

use std::{
    env,
    fs::{File, OpenOptions},
    io,
    mem::zeroed,
    net::UdpSocket,
    os::{fd::AsRawFd, unix::process::CommandExt},
    process::Command,
};

use crate::support::*;

/// Says to a process that it has one.
const INSIDE: &str = "GSOCK_TEST_NETWORK";

#[derive(Clone, Copy)]
pub(crate) struct Network(());

/// Runs `inside` in a process that is this very test again, whose path in its file `test` is. It begins on a thread that is
/// the test's own.
pub(crate) fn in_a_network_of_its_own(test: &str, inside: impl FnOnce(Network)) {
    if env::var_os(INSIDE).is_some() {
        return inside(Network(()));
    }
    let mut command = Command::new(env::current_exe().expect("the test itself"));
    command
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(INSIDE, "1");
    // SAFETY: no arguments.
    let namespaces = match unsafe { libc::geteuid() } {
        0 => libc::CLONE_NEWNET,
        // Where one has the rights of root.
        _ => libc::CLONE_NEWNET | libc::CLONE_NEWUSER,
    };
    // SAFETY: a system call and nothing else in the child.
    unsafe {
        command.pre_exec(move || match libc::unshare(namespaces) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        })
    };
    let output = within(LIMIT * 3, move || command.output());
    let output = output.expect("the right to make a network of its own");
    for said in [&output.stdout, &output.stderr] {
        print!("{}", String::from_utf8_lossy(said));
    }
    assert!(output.status.success(), "{:?}", output.status);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: a structure of integers.
    let mut request: libc::ifreq = unsafe { zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn ask(fd: &impl AsRawFd, what: libc::Ioctl, request: &mut libc::ifreq) {
    // SAFETY: each of these takes such a structure.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), what, request) };
    assert_eq!(done, 0, "{:?}", io::Error::last_os_error());
}

impl Network {
    fn raise(self, name: &str) {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        let mut request = request(name);
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        ask(&socket, libc::SIOCSIFFLAGS as _, &mut request);
    }

    /// With the addresses of both families, which the kernel gives it.
    pub(crate) fn raise_loopback(self) {
        self.raise("lo");
        // The address of IPv6 is there a moment later.
        let until = std::time::Instant::now() + LIMIT;
        while UdpSocket::bind("[::1]:0").is_err() && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
    }

    pub(crate) fn take_ipv4_away(self) {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        let mut request = request("lo");
        request.ifr_ifru.ifru_addr.sa_family = libc::AF_INET as libc::sa_family_t;
        ask(&socket, libc::SIOCSIFADDR as _, &mut request);
    }

    /// An interface that is up and has no address, nor one of its hardware. It goes with the file.
    pub(crate) fn add_tunnel(self) -> File {
        const TUNSETIFF: u32 = 0x4004_54ca;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun");
        let file = file.expect("a kernel with tunnels");
        let mut request = request("without");
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
        ask(&file, TUNSETIFF as _, &mut request);
        self.raise("without");
        file
    }
}
