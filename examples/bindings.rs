//! A connection's properties are bound to another object, in both directions.
//!
//! A panel shows what the connection does, as the widgets of a window would; and the panel's `socket`
//! is bound to the connection's, so that one connection object lives through two connections.
//! `bindings` brings its own peer; `bindings HOST:PORT` talks to yours, which must send back what it
//! gets.

#![allow(
    unreachable_pub,
    reason = "the derive of properties makes public methods"
)]

use std::{
    cell::Cell,
    error::Error,
    io::{Read, Write},
    net::TcpListener,
    process::ExitCode,
    rc::Rc,
    thread,
    time::Duration,
};

use gio::prelude::*;
use gsock::{ConnectionState, SocketConnection, prelude::*};

/// Whatever happens, the program ends.
const LIMIT: Duration = Duration::from_secs(20);
const HOME: &str = "home";

mod imp {
    use std::cell::{Cell, RefCell};

    use gio::prelude::*;
    use glib::subclass::prelude::*;

    /// What there is to be seen, and one thing to be set.
    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Panel)]
    pub(super) struct Panel {
        #[property(get, set)]
        status: RefCell<String>,
        #[property(get, set)]
        peer: RefCell<String>,
        #[property(get, set)]
        received: Cell<u64>,
        #[property(get, set, nullable)]
        socket: RefCell<Option<gio::Socket>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Panel {
        const NAME: &'static str = "Panel";
        type Type = super::Panel;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Panel {}
}

glib::wrapper! {
    struct Panel(ObjectSubclass<imp::Panel>);
}

fn main() -> ExitCode {
    match run() {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("bindings: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Box<dyn Error + Send + Sync>> {
    let peer = match std::env::args().nth(1) {
        Some(name) => name,
        None => start_peer()?,
    };
    // Any thread with a main context of its own will do; there the connection is made, and there,
    // and nowhere else, its changes are notified.
    let home = thread::Builder::new().name(HOME.into()).spawn(move || {
        let context = glib::MainContext::new();
        context.with_thread_default(|| {
            context
                .block_on(glib::future_with_timeout(LIMIT, show(peer)))
                .map_err(|_| "it took too long")?
        })?
    })?;
    home.join().map_err(|_| "the thread has panicked")?
}

async fn show(peer: String) -> Result<String, Box<dyn Error + Send + Sync>> {
    let peer = gio::NetworkAddress::parse(&peer, 0)?;
    if peer.port() == 0 {
        return Err("the peer is given as HOST:PORT".into());
    }
    let connection =
        SocketConnection::factory_create_connection(&new_socket(gio::SocketFamily::Ipv4)?);
    let panel: Panel = glib::Object::new();
    let changes = watch(&panel);
    bind(&connection, &panel);

    for message in ["There ", "and back again, on another socket."] {
        dial(&peer, &panel, &connection)
            .await
            .map_err(|failure| format!("no connection: {failure}"))?;
        exchange(&connection, message).await?;
        // The counters are notified ten times a second at most, and their last value always.
        while panel.received() != connection.bytes_read() {
            glib::timeout_future(Duration::from_millis(10)).await;
        }
        if panel.received() != message.len() as u64 || panel.status() != "Connected" {
            return Err("the panel shows something else".into());
        }
    }
    connection.close_future(glib::Priority::DEFAULT).await?;
    Ok(format!(
        "ok: {} changes shown, all on the thread '{HOME}'; the panel says: {}, was with {}",
        changes.get(),
        panel.status(),
        panel.peer(),
    ))
}

/// Three properties of the connection are shown, and one of the panel's sets the socket.
fn bind(connection: &SocketConnection, panel: &Panel) {
    connection
        .bind_property("state", panel, "status")
        .transform_to(|_, state: ConnectionState| Some(format!("{state:?}")))
        .sync_create()
        .build();
    connection
        .bind_property("remote-address", panel, "peer")
        .transform_to(|_, address: Option<gio::SocketAddress>| {
            Some(match address {
                Some(address) => SocketConnectableExt::to_string(&address).into(),
                None => String::from("nobody"),
            })
        })
        .sync_create()
        .build();
    connection
        .bind_property("bytes-read", panel, "received")
        .sync_create()
        .build();
    panel.bind_property("socket", connection, "socket").build();
}

/// Prints every change of the panel, and counts them.
fn watch(panel: &Panel) -> Rc<Cell<u32>> {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    panel.connect_notify_local(None, move |panel, property| {
        counted.set(counted.get() + 1);
        let value = match property.name() {
            "status" => panel.status(),
            "peer" => panel.peer(),
            "received" => panel.received().to_string(),
            _ => String::from("a new one"),
        };
        let thread = thread::current();
        let thread = thread.name().unwrap_or("?");
        println!("  [{thread}] {}: {value}", property.name());
    });
    count
}

/// Connects `connection` to the peer's addresses, one after the other, each time by a new socket.
async fn dial(
    peer: &gio::NetworkAddress,
    panel: &Panel,
    connection: &SocketConnection,
) -> Result<(), glib::Error> {
    let addresses = peer.enumerate();
    let mut failure = glib::Error::new(gio::IOErrorEnum::NotFound, "that name has no address");
    while let Some(address) = addresses.next_future().await? {
        let socket = new_socket(address.family())?;
        // The binding hands it on; what was bound to the connection stays bound.
        panel.set_socket(Some(&socket));
        if connection.socket() != socket {
            return Err(glib::Error::new(
                gio::IOErrorEnum::Failed,
                "the binding has not handed the socket on",
            ));
        }
        match connection.connect_future(&address).await {
            Ok(()) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn new_socket(family: gio::SocketFamily) -> Result<gio::Socket, glib::Error> {
    gio::Socket::new(
        family,
        gio::SocketType::Stream,
        gio::SocketProtocol::Default,
    )
}

/// Sends `message` and waits until it has come back.
async fn exchange(
    connection: &SocketConnection,
    message: &'static str,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let output = connection.output_stream();
    let (_, _, failure) = output
        .write_all_future(message, glib::Priority::DEFAULT)
        .await
        .map_err(|(_, failure)| failure)?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let input = connection.input_stream();
    let (received, count, failure) = input
        .read_all_future(vec![0; message.len()], glib::Priority::DEFAULT)
        .await
        .map_err(|(_, failure)| failure)?;
    match failure {
        Some(failure) => Err(failure.into()),
        None if received[..count] == *message.as_bytes() => Ok(()),
        None => Err(format!("something else came back, {count} bytes").into()),
    }
}

/// A peer on loopback that sends back what it gets, from one connection after the other.
fn start_peer() -> std::io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> std::io::Result<()> {
        for stream in listener.incoming() {
            let mut stream = stream?;
            let mut buffer = [0; 4096];
            loop {
                let count = stream.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                stream.write_all(&buffer[..count])?;
            }
        }
        Ok(())
    });
    Ok(address.to_string())
}
