//! A mail session: STARTTLS, a message, and IDLE with other things going on meanwhile.
//!
//! ```text
//! imap                              the server, and a client of it
//! imap server [PORT [CERTIFICATE]]  the server alone, with a message every second, until its standard input ends;
//!                                   its certificate will be in that file
//! imap client HOST:PORT CERTIFICATE the client alone; CERTIFICATE is the file that the server names
//! ```
//!
//! With `--gio` the client is the one on gio's own types.

#[path = "gio.rs"]
mod on_gio;
mod ours;
mod protocol;
mod server;

use std::{
    error::Error,
    path::Path,
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use gio::prelude::*;
use protocol::Change;
use server::{PASSWORD, Server, USER};

/// Whatever happens, the client ends.
const LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("imap: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<String, Box<dyn Error>> {
    let is_on_gio = words.contains(&"--gio");
    let words: Vec<&str> = words.iter().copied().filter(|it| *it != "--gio").collect();
    match *words.as_slice() {
        [] => {
            let server = Server::start(0, messages())?;
            let host = server.address().to_string();
            client(&host, server.certificate(), is_on_gio, Some(&server))
        }
        ["server"] => serve(0, None),
        ["server", port] => serve(port.parse()?, None),
        ["server", port, certificate] => serve(port.parse()?, Some(certificate.as_ref())),
        ["client", host, certificate] => client(host, certificate.as_ref(), is_on_gio, None),
        _ => Err(
            "imap [--gio] | imap server [PORT [CERTIFICATE]] | imap client HOST:PORT CERTIFICATE [--gio]".into(),
        ),
    }
}

fn messages() -> Vec<Vec<u8>> {
    vec![b"Subject: hello\r\n\r\nNot a reply:\r\na5 OK\r\n".to_vec()]
}

fn serve(port: u16, certificate: Option<&Path>) -> Result<String, Box<dyn Error>> {
    let server = Server::start(port, messages())?;
    if let Some(path) = certificate {
        std::fs::copy(server.certificate(), path)?;
    }
    let certificate = certificate.unwrap_or(server.certificate());
    println!("imap client {} {}", server.address(), certificate.display());
    let (end, ended) = mpsc::channel::<()>();
    thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(end);
    });
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(Duration::from_secs(1)) {
        server.deliver(b"Subject: another second\r\n\r\n");
    }
    Ok("ok: served".to_owned())
}

fn client(
    host: &str,
    certificate: &Path,
    is_on_gio: bool,
    server: Option<&Server>,
) -> Result<String, Box<dyn Error>> {
    let trust = gio::TlsFileDatabase::new(certificate)?.upcast();
    let context = glib::MainContext::default();
    let ended = if is_on_gio {
        context.block_on(glib::future_with_timeout(
            LIMIT,
            on_gio(host, &trust, server),
        ))
    } else {
        context.block_on(glib::future_with_timeout(LIMIT, ours(host, &trust, server)))
    };
    ended.map_err(|_| "it took too long")??;
    let which = if is_on_gio { "gio" } else { "gsock" };
    Ok(format!("ok: the session on {which} is over"))
}

/// The same with either version.
macro_rules! client {
    ($name:ident, $session:ty) => {
        async fn $name(
            host: &str,
            trust: &gio::TlsDatabase,
            server: Option<&Server>,
        ) -> Result<(), glib::Error> {
            let session = <$session>::connect(host, Duration::from_secs(5)).await?;
            println!("connected to {}", session.peer()?.to_string());
            let mut session = session.start_tls(Some(trust)).await?;
            println!("in TLS, it can {}", session.capability().await?.join(", "));
            session.login(USER, PASSWORD).await?;
            println!("{} messages", session.select("INBOX").await?);
            println!("{}", String::from_utf8_lossy(&session.fetch(1).await?));
            session.append("INBOX", b"Subject: mine\r\n\r\n").await?;
            println!("{} messages", session.select("INBOX").await?);
            session.idle().await?;
            // The wait is given up now and then, for something else, and taken up again.
            let (mut seen, mut dropped) = (0, 0);
            while seen < 3 {
                if let Some(server) = server {
                    server.deliver(b"Subject: now\r\n\r\n");
                }
                let moment = Duration::from_millis(300);
                match glib::future_with_timeout(moment, session.change()).await {
                    Ok(change) => {
                        if let Change::Exists(count) = change? {
                            println!("{count} messages");
                        }
                        seen += 1;
                    }
                    Err(_) => dropped += 1,
                }
            }
            session.done().await?;
            println!(
                "{dropped} waits were dropped; it is alive: {}",
                session.is_alive()
            );
            session.logout().await
        }
    };
}
client!(ours, ours::Session);
client!(on_gio, on_gio::Session);
