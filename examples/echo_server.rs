//! A server that sends back what it gets, any number of connections on one thread: `echo_server [PORT]`.
//!
//! It takes a port, 0 for any that is free, serves until its standard input ends (Ctrl-D), and then ends what it has begun.
//! Without a port it brings its own clients and ends after them.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    process::ExitCode,
    rc::Rc,
    thread,
    time::Duration,
};

use gsock::{SocketConnection, SocketService, prelude::*};

const CLIENTS: usize = 20;
const MESSAGE: &[u8] = b"There and back again.\n";

fn main() -> ExitCode {
    match run() {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("echo_server: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What the server has done so far.
#[derive(Default)]
struct Tally {
    connections: Cell<usize>,
    open: Cell<usize>,
    bytes: Cell<u64>,
}

fn run() -> Result<String, Box<dyn Error>> {
    let port_given: Option<u16> = std::env::args()
        .nth(1)
        .map(|port| port.parse())
        .transpose()?;
    let service = SocketService::new();
    // Those who come all at once wait in the kernel, and beyond that number for a second or more.
    service.set_backlog(1000);
    let tally = Rc::new(Tally::default());
    service.connect_incoming({
        let tally = tally.clone();
        move |_, connection, _| {
            let (connection, tally) = (connection.clone(), tally.clone());
            tally.connections.set(tally.connections.get() + 1);
            tally.open.set(tally.open.get() + 1);
            // It lives as long as this task.
            glib::spawn_future_local(async move {
                if let Err(failure) = echo(&connection, &tally.bytes).await {
                    eprintln!("a connection has ended: {failure}");
                }
                tally.open.set(tally.open.get() - 1);
            });
            true
        }
    });
    service.connect_error(|_, failure| eprintln!("no connections for now: {failure}"));
    let port = match port_given {
        None | Some(0) => service.add_any_inet_port(glib::Object::NONE)?,
        Some(port) => {
            service.add_inet_port(port, glib::Object::NONE)?;
            port
        }
    };
    println!("listening on port {port}");

    let main_loop = glib::MainLoop::new(None, false);
    // Either is done on a thread that may block.
    let until = match port_given {
        Some(_) => gio::spawn_blocking(|| {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).map(drop)
        }),
        None => gio::spawn_blocking(move || own_clients(port)),
    };
    let outcome = Rc::new(RefCell::new(Ok(())));
    glib::spawn_future_local({
        let (main_loop, outcome) = (main_loop.clone(), outcome.clone());
        async move {
            *outcome.borrow_mut() = until
                .await
                .unwrap_or_else(|_| Err(std::io::Error::other("a client has panicked")));
            main_loop.quit();
        }
    });
    main_loop.run();

    // Nobody new; who is there comes to his end.
    service.close();
    let context = glib::MainContext::default();
    context.block_on(service.drain_future());
    while tally.open.get() > 0 {
        context.iteration(true);
    }
    outcome.replace(Ok(()))?;
    Ok(format!(
        "ok: {} connections, {} bytes there and back",
        tally.connections.get(),
        tally.bytes.get()
    ))
}

/// Until the peer has said all, and has got it back.
async fn echo(connection: &SocketConnection, bytes: &Cell<u64>) -> Result<(), glib::Error> {
    let (mut reading, mut writing) = connection.halves();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = reading.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        writing.write_all(&buffer[..count]).await?;
        bytes.set(bytes.get() + count as u64);
    }
}

/// Each says its message, and waits for it.
fn own_clients(port: u16) -> std::io::Result<()> {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| thread::spawn(move || client(port)))
        .collect();
    for client in clients {
        client
            .join()
            .unwrap_or_else(|_| Err(std::io::Error::other("a client has panicked")))?;
    }
    Ok(())
}

fn client(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(MESSAGE)?;
    stream.shutdown(Shutdown::Write)?;
    let mut back = Vec::new();
    stream.read_to_end(&mut back)?;
    if back != MESSAGE {
        return Err(std::io::Error::other("something else came back"));
    }
    Ok(())
}
