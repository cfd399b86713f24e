//! A server that serves each connection on a thread, where it may block: it sends back each line turned round, for up to
//! four clients at once: `threaded_server [PORT]`.
//!
//! It takes a port, 0 for any that is free, serves until its standard input ends (Ctrl-D), and then ends what it has begun.
//! Without a port it brings its own clients and ends after them.

use std::{
    cell::RefCell,
    error::Error,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::ExitCode,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::{SocketConnection, ThreadedSocketService, prelude::*};

const THREADS: i32 = 4;
const CLIENTS: usize = 20;

fn main() -> ExitCode {
    match run() {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("threaded_server: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What the threads have done so far.
#[derive(Default)]
struct Tally {
    now: AtomicUsize,
    most: AtomicUsize,
    lines: AtomicUsize,
}

fn run() -> Result<String, Box<dyn Error>> {
    let port_given: Option<u16> = std::env::args()
        .nth(1)
        .map(|port| port.parse())
        .transpose()?;
    let service = ThreadedSocketService::new(THREADS);
    let tally = Arc::new(Tally::default());
    service.connect_run({
        let tally = tally.clone();
        move |_, connection, _| {
            let now = tally.now.fetch_add(1, Ordering::SeqCst) + 1;
            tally.most.fetch_max(now, Ordering::SeqCst);
            if let Err(failure) = turn_round(connection, &tally.lines) {
                eprintln!("a connection has ended: {failure}");
            }
            tally.now.fetch_sub(1, Ordering::SeqCst);
            // It is closed now.
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

    // Nobody new; who is being served is served to the end.
    service.close();
    glib::MainContext::default().block_on(service.drain_future());
    outcome.replace(Ok(()))?;
    Ok(format!(
        "ok: {} lines, up to {} connections at once",
        tally.lines.load(Ordering::SeqCst),
        tally.most.load(Ordering::SeqCst)
    ))
}

/// Line by line, with the streams that block.
fn turn_round(connection: &SocketConnection, lines: &AtomicUsize) -> Result<(), glib::Error> {
    let input = gio::DataInputStream::new(&connection.input_stream());
    let output = connection.output_stream();
    while let Some(line) = input.read_line_utf8(gio::Cancellable::NONE)? {
        let mut turned: String = line.chars().rev().collect();
        turned.push('\n');
        output
            .write_all(turned.as_bytes(), gio::Cancellable::NONE)
            .map(drop)?;
        lines.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Each says a line, and waits for it.
fn own_clients(port: u16) -> std::io::Result<()> {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| thread::spawn(move || client(port, number)))
        .collect();
    for client in clients {
        client
            .join()
            .unwrap_or_else(|_| Err(std::io::Error::other("a client has panicked")))?;
    }
    Ok(())
}

fn client(port: u16, number: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let said = format!("client {number}");
    writeln!(stream, "{said}")?;
    let mut back = String::new();
    BufReader::new(&stream).read_line(&mut back)?;
    let expected: String = said.chars().rev().collect();
    if back.trim_end() != expected {
        return Err(std::io::Error::other("something else came back"));
    }
    Ok(())
}
