//! Connected sockets, and the process that holds their other ends.
//!
//! The limit of open descriptors is one of a process: ten thousand connections with both ends in one do not
//! fit under it everywhere. So a child of the bench holds the ends that do nothing, and is also the peer of
//! blocking calls and of bulk writes.

use std::{
    env,
    error::Error,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
};

use crate::sys::{self, Epoll, Event};

/// The ports on which the peers' process listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// Holds what connects, and says nothing.
    pub(crate) hold: u16,
    /// Sends back what it gets.
    pub(crate) echo: u16,
    /// Reads and throws away.
    pub(crate) sink: u16,
}

/// The peers' process, which ends with this value.
pub(crate) struct Peers {
    child: Child,
    pub(crate) ports: Ports,
}

impl Peers {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(env::current_exe()?)
            .arg("peers")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the peers have no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let ports: Vec<u16> = line.split_whitespace().flat_map(str::parse).collect();
        let &[hold, echo, sink] = ports.as_slice() else {
            return Err("the peers did not say their ports".into());
        };
        let ports = Ports { hold, echo, sink };
        Ok(Self { child, ports })
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What that process does: until its standard input ends.
pub(crate) fn serve_peers() -> Result<(), Box<dyn Error>> {
    sys::raise_descriptor_limit();
    let [hold, echo, sink] = [listener()?, listener()?, listener()?];
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    println!("{} {} {}", port(&hold)?, port(&echo)?, port(&sink)?);
    thread::spawn(move || serve_held(&hold));
    thread::spawn(move || serve_each(&echo, echo_back));
    thread::spawn(move || serve_each(&sink, swallow));
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn listener() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    sys::listen_long(&listener)?;
    Ok(listener)
}

/// Keeps every connection until the other side has ended it.
fn serve_held(listener: &TcpListener) -> io::Result<()> {
    let epoll = Epoll::new()?;
    listener.set_nonblocking(true)?;
    epoll.add(listener, false, u64::MAX)?;
    let mut held: Vec<Option<TcpStream>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut events = vec![Event { events: 0, u64: 0 }; 256];
    loop {
        for event in epoll.wait(&mut events)? {
            let key = event.u64;
            if key == u64::MAX {
                while let Some(socket) = accept_now(listener)? {
                    let slot = free.pop().unwrap_or(held.len());
                    epoll.add(&socket, false, slot as u64)?;
                    if slot == held.len() {
                        held.push(None);
                    }
                    held[slot] = Some(socket);
                }
            } else if let Some(slot) = held.get_mut(key as usize) {
                // Nobody sends anything here, so this is the end.
                drop(slot.take());
                free.push(key as usize);
            }
        }
    }
}

/// `None` when nobody is waiting to be accepted.
fn accept_now(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((socket, _)) => Ok(Some(socket)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn serve_each(listener: &TcpListener, serve: fn(TcpStream) -> io::Result<()>) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        thread::spawn(move || serve(socket));
    }
}

fn echo_back(mut socket: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        socket.write_all(&buffer[..count])?;
    }
}

fn swallow(mut socket: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    while socket.read(&mut buffer)? > 0 {}
    Ok(())
}

/// A connection to one of the ports above.
pub(crate) fn connect(port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    sys::reset_on_close(&socket)?;
    Ok(socket)
}

/// Connections with both ends in this process.
pub(crate) struct Pairs(TcpListener);

impl Pairs {
    pub(crate) fn new() -> io::Result<Self> {
        listener().map(Self)
    }

    pub(crate) fn pair(&self) -> io::Result<(TcpStream, TcpStream)> {
        let client = connect(self.0.local_addr()?.port())?;
        let (server, _) = self.0.accept()?;
        server.set_nodelay(true)?;
        sys::reset_on_close(&server)?;
        Ok((client, server))
    }
}
