//! A connection class of one's own comes from the factory: what goes through it is compressed.
//!
//! `custom_connection` brings its own peer; `custom_connection HOST:PORT` talks to yours, which must
//! send back what it gets. The peer sees compressed bytes only.

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpListener,
    process::ExitCode,
    time::Duration,
};

use gio::prelude::*;
use gsock::{SocketConnection, prelude::*};

/// Whatever happens, the program ends.
const LIMIT: Duration = Duration::from_secs(20);

mod imp {
    use gio::prelude::*;
    use gsock::{TcpConnection, prelude::*, subclass::prelude::*};

    #[derive(Debug, Default)]
    pub(super) struct CompressedConnection;

    #[glib::object_subclass]
    impl ObjectSubclass for CompressedConnection {
        const NAME: &'static str = "CompressedConnection";
        type Type = super::CompressedConnection;
        type ParentType = TcpConnection;
    }

    impl ObjectImpl for CompressedConnection {}

    impl IOStreamImpl for CompressedConnection {
        // Both are called once for each connection, and may wrap what the parent's return.
        fn input_stream(&self) -> gio::InputStream {
            let decompressor = gio::ZlibDecompressor::new(gio::ZlibCompressorFormat::Raw);
            gio::ConverterInputStream::new(&self.parent_input_stream(), &decompressor).upcast()
        }

        fn output_stream(&self) -> gio::OutputStream {
            let compressor = gio::ZlibCompressor::new(gio::ZlibCompressorFormat::Raw, -1);
            gio::ConverterOutputStream::new(&self.parent_output_stream(), &compressor).upcast()
        }

        // Called by every close, whether blocking or not.
        fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            let connection = self.obj();
            println!(
                "closing after {} bytes sent and {} received, compressed",
                connection.bytes_written(),
                connection.bytes_read(),
            );
            self.parent_close(cancellable)
        }
    }

    impl SocketConnectionImpl for CompressedConnection {
        // The form that does not block; a class whose users block overrides `connect` as well.
        fn connect_future(&self, address: &gio::SocketAddress) -> UnitFuture {
            println!("connecting to {}", SocketConnectableExt::to_string(address));
            self.parent_connect_future(address)
        }
    }

    impl TcpConnectionImpl for CompressedConnection {}
}

glib::wrapper! {
    struct CompressedConnection(ObjectSubclass<imp::CompressedConnection>)
        @extends gsock::TcpConnection, SocketConnection, gio::IOStream;
}

fn main() -> ExitCode {
    match run() {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("custom_connection: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Box<dyn Error>> {
    let peer = match std::env::args().nth(1) {
        Some(name) => name,
        None => start_peer()?,
    };
    let peer = gio::NetworkAddress::parse(&peer, 0)?;
    if peer.port() == 0 {
        return Err("the peer is given as HOST:PORT".into());
    }

    // From now on the factory makes ours for TCP over either family.
    for family in [gio::SocketFamily::Ipv4, gio::SocketFamily::Ipv6] {
        SocketConnection::factory_register::<CompressedConnection>(
            family,
            gio::SocketType::Stream,
            0,
        );
    }

    let context = glib::MainContext::default();
    context
        .block_on(glib::future_with_timeout(LIMIT, round_trip(peer)))
        .map_err(|_| "it took too long")?
}

/// Code that knows nothing of the class: it connects, sends, receives and closes.
async fn round_trip(peer: gio::NetworkAddress) -> Result<String, Box<dyn Error>> {
    let connection = connect(&peer)
        .await
        .map_err(|failure| format!("no connection: {failure}"))?;
    println!("the factory made a {}", connection.type_().name());

    let message = "There and back again. ".repeat(1000).into_bytes();
    let output = connection.output_stream();
    let (_, _, failure) = output
        .write_all_future(message.clone(), glib::Priority::DEFAULT)
        .await
        .map_err(|(_, failure)| failure)?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    // The compressor keeps what may still become smaller.
    output.flush_future(glib::Priority::DEFAULT).await?;

    let buffer = vec![0; message.len()];
    let input = connection.input_stream();
    let (received, count, failure) = input
        .read_all_future(buffer, glib::Priority::DEFAULT)
        .await
        .map_err(|(_, failure)| failure)?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let same = received[..count] == *message;
    connection.close_future(glib::Priority::DEFAULT).await?;
    if !same {
        return Err(format!("something else came back, {count} bytes").into());
    }
    Ok(format!(
        "ok: {count} bytes there and back, as {} on the wire, by a {}",
        connection.bytes_written(),
        connection.type_().name(),
    ))
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
