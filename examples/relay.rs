//! A proxy for one client: what it sends goes to a peer, what comes back goes to it.
//!
//! `relay` brings its own peer; `relay HOST:PORT` talks to yours, which must send back what it gets
//! until the end of file. The client is a thread of this program.

use std::{
    error::Error,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::ExitCode,
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::{SocketConnection, engine, prelude::*, relay};

/// Whatever happens, the program ends.
const LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let context = glib::MainContext::default();
    let proxy = engine::spawn_local(&context, glib::future_with_timeout(LIMIT, run()));
    let result = match context.block_on(proxy) {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err("it took too long".into()),
        Err(failure) => Err(failure.to_string().into()),
    };
    match result {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("relay: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<String, Box<dyn Error + Send + Sync>> {
    let peer = match std::env::args().nth(1) {
        Some(name) => name,
        None => start_peer()?,
    };
    let theirs = dial(&peer)
        .await
        .map_err(|failure| format!("no connection: {failure}"))?;

    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let client = thread::spawn(move || be_a_client(address));
    let (accepted, _) = listener.accept()?;
    let ours = SocketConnection::factory_create_connection_from_fd(accepted.into())?;

    let relayed = relay(&ours, &theirs).await?;
    // Neither was closed: whoever relays says when.
    ours.close_future(glib::Priority::DEFAULT).await?;
    theirs.close_future(glib::Priority::DEFAULT).await?;

    let sent = client.join().map_err(|_| "the client has panicked")??;
    if relayed.a_to_b != sent || relayed.b_to_a != sent {
        return Err(format!("{sent} bytes were sent, and relayed were {relayed:?}").into());
    }
    Ok(format!(
        "ok: {} bytes went to the peer and {} came back",
        relayed.a_to_b, relayed.b_to_a
    ))
}

/// Connects to the first of the peer's addresses where somebody answers.
async fn dial(peer: &str) -> Result<SocketConnection, glib::Error> {
    let addresses = gio::NetworkAddress::parse(peer, 0)?.enumerate();
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

/// Sends much, says that this is all, and waits for it to come back. Answers how much it was.
fn be_a_client(proxy: SocketAddr) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let mut stream = TcpStream::connect(proxy)?;
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|at| at.to_le_bytes()[1] ^ 7)
        .collect();
    let sending = {
        let (mut stream, bytes) = (stream.try_clone()?, bytes.clone());
        thread::spawn(move || {
            stream.write_all(&bytes)?;
            stream.shutdown(Shutdown::Write)
        })
    };
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    sending.join().map_err(|_| "the sender has panicked")??;
    if received != bytes {
        return Err(format!("something else came back, {} bytes", received.len()).into());
    }
    Ok(bytes.len() as u64)
}

/// A peer on loopback that sends back what it gets.
fn start_peer() -> std::io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = [0; 65536];
        loop {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return stream.shutdown(Shutdown::Write);
            }
            stream.write_all(&buffer[..count])?;
        }
    });
    Ok(address.to_string())
}
