//! One process connects, and hands the connection to another one.
//!
//! The first process connects over TCP, asks a second one, which it has started, who it is, and passes it the
//! connection's descriptor over a Unix socket. From then on the second process talks to the peer, and
//! the first one has nothing left of it. `fd_passing` brings its own peer; `fd_passing HOST:PORT` talks to
//! yours, which must send back what it gets.

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpListener,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, Command, ExitCode},
    time::Duration,
};

use gio::prelude::*;
use gsock::{SocketConnection, UnixConnection, prelude::*};

/// Whatever happens, the program ends.
const LIMIT: Duration = Duration::from_secs(20);
/// The argument of the second process, whose Unix socket is its standard input.
const WORKER: &str = "--worker";
const MESSAGE: &[u8] = b"hello from another process";

fn main() -> ExitCode {
    let argument = std::env::args().nth(1);
    let result = if argument.as_deref() == Some(WORKER) {
        within_limit(work())
    } else {
        within_limit(hand_over(argument))
    };
    match result {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("fd_passing: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn within_limit(
    program: impl Future<Output = Result<String, Box<dyn Error>>>,
) -> Result<String, Box<dyn Error>> {
    let context = glib::MainContext::default();
    context
        .block_on(glib::future_with_timeout(LIMIT, program))
        .map_err(|_| "it took too long")?
}

/// The first process.
async fn hand_over(peer: Option<String>) -> Result<String, Box<dyn Error>> {
    let peer = match peer {
        Some(name) => name,
        None => start_peer()?,
    };
    let connection = connect(&gio::NetworkAddress::parse(&peer, 0)?)
        .await
        .map_err(|failure| format!("no connection: {failure}"))?;

    let (ours, theirs) = UnixStream::pair()?;
    let mut worker = Worker::start(theirs)?;
    let line = unix(ours.into())?;
    let credentials = line.receive_credentials_future().await?;
    if credentials.unix_pid()?.unsigned_abs() != worker.0.id() {
        return Err(format!("somebody else has answered: {credentials}").into());
    }
    println!("passing the connection on to process {}", worker.0.id());
    let socket = connection.socket();
    line.send_fd_future(socket.as_fd()).await?;
    // The other process has it now.
    drop((connection, socket));

    // It says nothing more, and closes.
    let ended = line.receive_fd_future().await;
    if !ended.is_err_and(|end| end.matches(gio::IOErrorEnum::BrokenPipe)) {
        return Err("the other process has answered something else".into());
    }
    if !worker.0.wait()?.success() {
        return Err("the other process has failed".into());
    }
    Ok(format!(
        "ok: {} bytes sent and {} received to pass one connection on",
        line.bytes_written(),
        line.bytes_read(),
    ))
}

/// The second process.
async fn work() -> Result<String, Box<dyn Error>> {
    let line = unix(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    line.send_credentials_future().await?;
    let fd = line.receive_fd_future().await?;
    let connection = SocketConnection::factory_create_connection_from_fd(fd)?;

    let output = connection.output_stream();
    let (_, _, failure) = output
        .write_all_future(MESSAGE, glib::Priority::DEFAULT)
        .await
        .map_err(|(_, failure)| failure)?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let (answer, count, failure) = connection
        .input_stream()
        .read_all_future(vec![0; MESSAGE.len()], glib::Priority::DEFAULT)
        .await
        .map_err(|(_, failure)| failure)?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    if answer[..count] != *MESSAGE {
        return Err("something else came back".into());
    }
    connection.close_future(glib::Priority::DEFAULT).await?;
    Ok(format!(
        "process {} was given a {} and has talked to its peer",
        std::process::id(),
        connection.type_().name(),
    ))
}

fn unix(fd: OwnedFd) -> Result<UnixConnection, Box<dyn Error>> {
    let connection = SocketConnection::factory_create_connection_from_fd(fd)?;
    connection
        .downcast()
        .map_err(|other| format!("not a Unix socket but for a {}", other.type_().name()).into())
}

/// This program once more. It does not outlive the first process' interest in it.
struct Worker(Child);

impl Worker {
    fn start(line: UnixStream) -> std::io::Result<Self> {
        Command::new(std::env::current_exe()?)
            .arg(WORKER)
            .stdin(OwnedFd::from(line))
            .spawn()
            .map(Self)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Nothing happens to one that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries the peer's addresses one after the other.
async fn connect(peer: &gio::NetworkAddress) -> Result<SocketConnection, glib::Error> {
    let addresses = peer.enumerate();
    let mut failure = glib::Error::new(gio::IOErrorEnum::NotFound, "that name has no address");
    while let Some(address) = addresses.next_future().await? {
        let socket = gio::Socket::new(
            address.family(),
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
        )?;
        let connection = SocketConnection::factory_create_connection(&socket);
        match connection.connect_future(&address).await {
            Ok(()) => return Ok(connection),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A peer on loopback that sends back what it gets from one connection.
fn start_peer() -> std::io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = [0; 4096];
        loop {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            stream.write_all(&buffer[..count])?;
        }
    });
    Ok(address.to_string())
}
