//! Connects to a host by its name, says each step as it happens, and passes on what comes and goes:
//! `client [HOST:PORT] [--tls] [--insecure] [--proxy URI] [--report]`.
//!
//! What is read from the standard input goes to the peer, what the peer sends to the standard output, all else to the standard
//! error. It ends with the peer. Without a host it brings its own peer, of which one address is refused.

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use gio::{SocketClientEvent, prelude::*};
use gsock::{ConnectReport, SocketClient, SocketConnection, TcpWrapperConnection, prelude::*};

#[derive(Default)]
struct Arguments {
    peer: Option<String>,
    tls: bool,
    insecure: bool,
    proxy: Option<String>,
    report: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments()?;
    let peer = match &arguments.peer {
        Some(peer) => peer.clone(),
        None => own_peer()?,
    };
    // Of anybody else's peer nothing but its words goes to the standard output.
    let is_own = arguments.peer.is_none();
    let client = client(&arguments);
    let context = glib::MainContext::default();
    context.block_on(async move {
        let host = gio::NetworkAddress::parse(&peer, 7000)?;
        let (made, report) = match client.connect_with_report(&host).await {
            Ok((connection, report)) => (Ok(connection), report),
            Err((failure, report)) => (Err(failure), report),
        };
        if arguments.report {
            tell(&report);
        }
        pass_on(made?).await?;
        let end = format!("ok: {peer} is through");
        if is_own {
            println!("{end}");
        } else {
            eprintln!("{end}");
        }
        Ok(())
    })
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut read = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--tls" => read.tls = true,
            "--insecure" => read.insecure = true,
            "--report" => read.report = true,
            "--proxy" => read.proxy = Some(words.next().ok_or("--proxy wants a URI")?),
            option if option.starts_with('-') => {
                return Err(format!("there is no option {option}").into());
            }
            _ if read.peer.is_some() => return Err("there is one host to connect to".into()),
            _ => read.peer = Some(word),
        }
    }
    Ok(read)
}

fn client(arguments: &Arguments) -> SocketClient {
    let client = SocketClient::new();
    // Of everything, from the name on.
    client.set_connect_timeout(Duration::from_secs(10));
    client.set_tls(arguments.tls);
    if let Some(proxy) = &arguments.proxy {
        let nowhere: [&str; 0] = [];
        client.set_proxy_resolver(Some(&gio::SimpleProxyResolver::new(Some(proxy), nowhere)));
    }
    let insecure = arguments.insecure;
    client.connect_event(move |_, event, connectable, stream| {
        let to = SocketConnectableExt::to_string(connectable);
        match stream.and_then(|stream| stream.downcast_ref::<SocketConnection>()) {
            Some(connection) => match connection.remote_address() {
                Ok(peer) => {
                    let peer = SocketConnectableExt::to_string(&peer);
                    eprintln!("{event:?}: {to} at {peer}, {:?}", connection.state());
                }
                Err(_) => eprintln!("{event:?}: {to}, {:?}", connection.state()),
            },
            None => eprintln!("{event:?}: {to}"),
        }
        // The only moment for a word on certificates.
        if event == SocketClientEvent::TlsHandshaking
            && let Some(tls) = stream.and_then(|it| it.downcast_ref::<gio::TlsConnection>())
        {
            tls.connect_accept_certificate(move |_, _, what_is_wrong| {
                eprintln!("the certificate is not trusted: {what_is_wrong:?}");
                insecure
            });
        }
    });
    client
}

fn tell(report: &ConnectReport) {
    eprintln!("name: {:?}", report.resolve);
    for attempt in &report.attempts {
        let address = SocketConnectableExt::to_string(&attempt.address);
        match &attempt.error {
            Some(failure) => eprintln!("{address}: {failure} after {:?}", attempt.took),
            None => eprintln!("{address}: connected after {:?}", attempt.took),
        }
    }
    if let Some(proxy) = report.proxy {
        eprintln!("proxy: {proxy:?}");
    }
    if let Some(tls) = report.tls {
        eprintln!("TLS: {tls:?}");
    }
}

/// Both ways until the peer has nothing more to say.
async fn pass_on(connection: SocketConnection) -> Result<(), glib::Error> {
    glib::MainContext::default().spawn_local({
        let connection = connection.clone();
        async move {
            // Who has heard everything may go while there is something to send.
            if let Err(failure) = send(&connection).await
                && !connection.is_closed()
            {
                eprintln!("sending: {failure}");
            }
        }
    });
    let input = connection.input_stream();
    loop {
        let read = input.read_bytes_future(65536, glib::Priority::DEFAULT);
        let bytes = match read.await {
            // Some do, once they have heard that there is nothing more to come.
            Err(failure) if failure.matches(gio::TlsError::Eof) => {
                eprintln!("the peer went without TLS's last word");
                break;
            }
            read => read?,
        };
        if bytes.is_empty() {
            break;
        }
        let mut output = std::io::stdout().lock();
        if output
            .write_all(&bytes)
            .and_then(|()| output.flush())
            .is_err()
        {
            break;
        }
    }
    connection.close_future(glib::Priority::DEFAULT).await
}

async fn send(connection: &SocketConnection) -> Result<(), glib::Error> {
    let output = connection.output_stream();
    loop {
        let read = gio::spawn_blocking(|| {
            let mut buffer = vec![0; 65536];
            let count = std::io::stdin().read(&mut buffer).unwrap_or(0);
            buffer.truncate(count);
            buffer
        });
        let Ok(bytes) = read.await else {
            return Ok(());
        };
        if bytes.is_empty() {
            break;
        }
        let (_, _, failure) = output
            .write_all_future(bytes, glib::Priority::DEFAULT)
            .await
            .map_err(|(_, failure)| failure)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
    // The peer is told that this was all, and may go on for its part.
    if connection.is::<TcpWrapperConnection>() {
        output.close_future(glib::Priority::DEFAULT).await
    } else {
        connection.socket().shutdown(false, true)
    }
}

/// Has a word for one connection.
fn own_peer() -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let peer = format!("localhost:{}", listener.local_addr()?.port());
    thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"hello\n")
    });
    Ok(peer)
}
