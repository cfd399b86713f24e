//! A connection makes a round trip: it connects, talks, is watched and closes.
//!
//! `echo` brings its own peer; `echo HOST:PORT` talks to yours, which must send back what it gets.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    process::ExitCode,
    rc::Rc,
    time::Duration,
};

use gio::prelude::*;
use gsock::{SocketConnection, prelude::*};

const MESSAGE: &[u8] = b"There and back again.\n";

fn main() -> ExitCode {
    match run() {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("echo: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Box<dyn Error>> {
    let peer = match std::env::args().nth(1) {
        Some(name) => name
            .to_socket_addrs()?
            .next()
            .ok_or("that name has no address")?,
        None => start_peer()?,
    };
    println!("peer: {peer}");

    let main_loop = glib::MainLoop::new(None, false);
    let connection = make_connection(peer)?;
    println!("the factory made a {}", connection.type_().name());
    let changes = watch(&connection);

    let outcome = Rc::new(RefCell::new(Err(String::from("nothing came back in time"))));
    let address = gio::InetSocketAddress::from(peer);
    connection.connect_async(&address, gio::Cancellable::NONE, {
        let (main_loop, outcome) = (main_loop.clone(), outcome.clone());
        move |connection, result| match connection.connect_finish(result) {
            Ok(()) => send(connection, main_loop, outcome),
            Err(failure) => end(
                &main_loop,
                &outcome,
                Err(format!("no connection: {failure}")),
            ),
        }
    });

    // Whatever happens, the program ends.
    glib::timeout_add_local_once(Duration::from_secs(20), {
        let main_loop = main_loop.clone();
        move || main_loop.quit()
    });
    main_loop.run();

    let bytes = outcome.replace(Err(String::new()))?;
    Ok(format!(
        "ok: {bytes} bytes there and back, {} property changes, {} written and {} read in all",
        changes.get(),
        connection.bytes_written(),
        connection.bytes_read(),
    ))
}

type Outcome = Rc<RefCell<Result<usize, String>>>;

fn send(connection: &SocketConnection, main_loop: glib::MainLoop, outcome: Outcome) {
    let connection = connection.clone();
    let output = connection.output_stream();
    output.write_all_async(
        MESSAGE,
        glib::Priority::DEFAULT,
        gio::Cancellable::NONE,
        move |sent| match sent {
            Ok((_, _, None)) => receive(&connection, main_loop, outcome),
            Ok((_, _, Some(failure))) | Err((_, failure)) => {
                end(
                    &main_loop,
                    &outcome,
                    Err(format!("could not send: {failure}")),
                );
            }
        },
    );
}

fn receive(connection: &SocketConnection, main_loop: glib::MainLoop, outcome: Outcome) {
    let connection = connection.clone();
    let buffer = vec![0; MESSAGE.len()];
    let input = connection.input_stream();
    input.read_all_async(
        buffer,
        glib::Priority::DEFAULT,
        gio::Cancellable::NONE,
        move |received| {
            let echoed = match received {
                Ok((buffer, count, None)) if buffer[..count] == *MESSAGE => Ok(count),
                Ok((_, count, None)) => Err(format!("something else came back, {count} bytes")),
                Ok((_, _, Some(failure))) | Err((_, failure)) => {
                    Err(format!("could not receive: {failure}"))
                }
            };
            println!("received {echoed:?}");
            connection.close_async(
                glib::Priority::DEFAULT,
                gio::Cancellable::NONE,
                move |closed| {
                    let closed = closed.map_err(|failure| format!("could not close: {failure}"));
                    end(&main_loop, &outcome, closed.and(echoed));
                },
            );
        },
    );
}

fn end(main_loop: &glib::MainLoop, outcome: &Outcome, result: Result<usize, String>) {
    *outcome.borrow_mut() = result;
    // One more turn, for the notifications that follow this callback.
    let main_loop = main_loop.clone();
    glib::idle_add_local_once(move || main_loop.quit());
}

fn make_connection(peer: SocketAddr) -> Result<SocketConnection, glib::Error> {
    let family = if peer.is_ipv4() {
        gio::SocketFamily::Ipv4
    } else {
        gio::SocketFamily::Ipv6
    };
    let socket = gio::Socket::new(
        family,
        gio::SocketType::Stream,
        gio::SocketProtocol::Default,
    )?;
    Ok(SocketConnection::factory_create_connection(&socket))
}

/// Prints every change of a property, and counts them.
fn watch(connection: &SocketConnection) -> Rc<Cell<u32>> {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    connection.connect_notify_local(None, move |connection, property| {
        counted.set(counted.get() + 1);
        let name = property.name();
        let value = match name {
            "local-address" => address(connection.local_address()),
            "remote-address" => address(connection.remote_address()),
            "state" => format!("{:?}", connection.state()),
            "alive" => connection.is_alive().to_string(),
            "bytes-read" => connection.bytes_read().to_string(),
            "bytes-written" => connection.bytes_written().to_string(),
            "closed" => connection.is_closed().to_string(),
            "last-error" => format!(
                "{:?}",
                connection.last_error().map(|error| error.to_string())
            ),
            _ => String::from("changed"),
        };
        println!("  {name}: {value}");
    });
    count
}

fn address(address: Result<gio::SocketAddress, glib::Error>) -> String {
    match address {
        Ok(address) => SocketConnectableExt::to_string(&address).into(),
        Err(failure) => failure.message().to_owned(),
    }
}

/// A peer on loopback that sends back what it gets from one connection.
fn start_peer() -> std::io::Result<SocketAddr> {
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
    Ok(address)
}
