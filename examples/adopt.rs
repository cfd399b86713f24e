//! GIO's own client and service on this crate's transport: one call, and nothing else is changed.
//!
//! `adopt` brings its own service; `adopt HOST:PORT` talks to yours, which must send back what it gets.

use std::{process::ExitCode, time::Duration};

use gio::prelude::*;

const MESSAGE: &[u8] = b"There and back again.\n";

fn main() -> ExitCode {
    match gsock::adopt_gio().and_then(|()| run()) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("adopt: {failure}");
            ExitCode::FAILURE
        }
    }
}

// From here on there is nothing but GIO.

fn run() -> Result<String, glib::Error> {
    let context = glib::MainContext::default();
    let service = gio::SocketService::new();
    let peer = match std::env::args().nth(1) {
        Some(name) => name,
        None => {
            let port = service.add_any_inet_port(glib::Object::NONE)?;
            service.connect_incoming(|_, connection, _| {
                glib::MainContext::default().spawn_local(echo(connection.clone()));
                true
            });
            format!("127.0.0.1:{port}")
        }
    };
    let talk = glib::future_with_timeout(Duration::from_secs(15), talk(peer));
    let said = context
        .block_on(talk)
        .map_err(|_| glib::Error::new(gio::IOErrorEnum::TimedOut, "The peer has not answered"))?;
    service.stop();
    said
}

async fn talk(peer: String) -> Result<String, glib::Error> {
    let client = gio::SocketClient::new();
    let connection = client.connect_to_host_future(&peer, 7).await?;
    let (_, written, failure) = connection
        .output_stream()
        .write_all_future(MESSAGE, glib::Priority::DEFAULT)
        .await
        .map_err(|(_, failure)| failure)?;
    let (answer, read, late) = connection
        .input_stream()
        .read_all_future(vec![0; written], glib::Priority::DEFAULT)
        .await
        .map_err(|(_, failure)| failure)?;
    if let Some(failure) = failure.or(late) {
        return Err(failure);
    }
    if answer[..read] != *MESSAGE {
        let what = "The peer sent back something else";
        return Err(glib::Error::new(gio::IOErrorEnum::InvalidData, what));
    }
    connection.close_future(glib::Priority::DEFAULT).await?;
    let (connection, stream) = (connection.type_(), connection.input_stream().type_());
    Ok(format!(
        "ok: {read} bytes and back, by a {connection} with a {stream}"
    ))
}

/// Sends back what comes in.
async fn echo(connection: gio::SocketConnection) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let copied = output
        .splice_future(
            &input,
            gio::OutputStreamSpliceFlags::CLOSE_TARGET,
            glib::Priority::DEFAULT,
        )
        .await;
    if let Err(failure) = copied {
        eprintln!("adopt: the service: {failure}");
    }
}
