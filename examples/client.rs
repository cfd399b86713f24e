//! Connects to a host by its name and shows each step, and what it took.
//!
//! Without an argument it brings its own peer: one address of `localhost` is refused, the other one answers.

use std::{error::Error, io::Read, net::TcpListener, thread, time::Duration};

use gio::prelude::*;
use gsock::{SocketClient, prelude::*};

fn main() -> Result<(), Box<dyn Error>> {
    let peer = match std::env::args().nth(1) {
        Some(peer) => peer,
        None => own_peer()?,
    };
    let client = SocketClient::new();
    // Of everything, from the name on; and later of each read and write.
    client.set_connect_timeout(Duration::from_secs(5));
    client.set_io_timeout(Duration::from_secs(5));
    client.connect_event(|_, event, connectable, stream| {
        let to = SocketConnectableExt::to_string(connectable);
        match stream.and_then(|stream| stream.downcast_ref::<gsock::SocketConnection>()) {
            Some(connection) => println!("{event:?}: {to}, {:?}", connection.state()),
            None => println!("{event:?}: {to}"),
        }
    });
    let context = glib::MainContext::default();
    context.block_on(async move {
        let host = gio::NetworkAddress::parse(&peer, 7000)?;
        let (connection, report) = match client.connect_with_report(&host).await {
            Ok(connected) => connected,
            Err((failure, report)) => {
                for attempt in report.attempts {
                    println!("{}: {:?}", attempt.address.to_string(), attempt.error);
                }
                return Err(failure.into());
            }
        };
        for attempt in &report.attempts {
            let address = attempt.address.to_string();
            match &attempt.error {
                Some(failure) => println!("{address}: {failure} after {:?}", attempt.took),
                None => println!("{address}: connected after {:?}", attempt.took),
            }
        }
        let (mut reading, mut writing) = connection.halves();
        writing.write_all(b"hello").await?;
        let mut answer = [0; 5];
        let mut got = 0;
        while got < answer.len() {
            match reading.read(&mut answer[got..]).await? {
                0 => return Err("the peer has closed too early".into()),
                count => got += count,
            }
        }
        assert_eq!(&answer, b"hello");
        connection.close_future(glib::Priority::DEFAULT).await?;
        println!(
            "ok: name in {:?}, connection in {:?}",
            report.resolve, report.connect
        );
        Ok(())
    })
}

/// Sends back what it gets from one connection.
fn own_peer() -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let peer = format!("localhost:{}", listener.local_addr()?.port());
    thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = [0; 5];
        stream.read_exact(&mut buffer)?;
        std::io::Write::write_all(&mut stream, &buffer)
    });
    Ok(peer)
}
