//! A link as KDE Connect has it, over the loopback: `kde_link [serve | connect PORT]`.
//!
//! Without an argument it is both ends: they link, greet each other, and one fetches a file from the other. `serve` serves until
//! its standard input ends (Ctrl-D).

mod device;
mod ours;

use std::{cell::Cell, error::Error, ops::RangeInclusive, rc::Rc, time::Duration};

use gio::{Cancellable, prelude::*};
use gsock::SocketConnectionExt;
use serde_json::json;

use device::{Device, Packet};
use ours::{Link, Server};

/// Where the protocol has its links, and its files.
const LINKS: RangeInclusive<u16> = 1716..=1764;
const FILES: RangeInclusive<u16> = 1739..=1764;
const SIZE: u64 = 5_000_000;
/// However long it takes, the client ends.
const LIMIT: Duration = Duration::from_secs(20);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    glib::MainContext::default().block_on(async {
        match words[..] {
            [] => {
                let server = serve()?;
                let fetched = within_limit(fetch_from(server.port())).await;
                server.close();
                fetched
            }
            ["serve"] => {
                let server = serve()?;
                let input = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                let ended = gio::spawn_blocking(input).await;
                server.close();
                println!("ok: served");
                ended.map_err(|_| "the standard input")?.map(drop)?;
                Ok(())
            }
            ["connect", port] => within_limit(fetch_from(port.parse()?)).await,
            _ => Err("kde_link [serve | connect PORT]".into()),
        }
    })
}

async fn within_limit(
    client: impl Future<Output = Result<(), Box<dyn Error>>>,
) -> Result<(), Box<dyn Error>> {
    let ended = glib::future_with_timeout(LIMIT, client).await;
    ended.map_err(|_| "it took too long")?
}

/// What is in the file.
fn content() -> Vec<u8> {
    (0..SIZE).map(|at| (at % 251) as u8).collect()
}

fn serve() -> Result<Server, glib::Error> {
    let server = Server::listen(&Device::new("desktop"), LINKS, |link| {
        glib::spawn_future_local(async move {
            let served = match link {
                Ok(link) => answer(&link).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = served {
                eprintln!("desktop: a link has failed: {failure}");
            }
        });
    })?;
    println!("desktop: listening on port {}", server.port());
    Ok(server)
}

/// Sends back what it gets, and the file to who asks for it.
async fn answer(link: &Link) -> Result<(), glib::Error> {
    watch("desktop", link)?;
    while let Some(packet) = link.receive().await? {
        if packet.kind() == Some("example.fetch") {
            let bytes = glib::Bytes::from_owned(content());
            let file = gio::MemoryInputStream::from_bytes(&bytes).upcast();
            let never = Cancellable::new();
            link.upload("a file", SIZE, &file, FILES, &never, |_| ())
                .await?;
        } else {
            link.send(&packet)?;
        }
    }
    Ok(())
}

/// Says who is there, and when that ends.
fn watch(own: &'static str, link: &Link) -> Result<(), glib::Error> {
    let address = SocketConnectableExt::to_string(&link.remote_address()?);
    let state = link.connection().state();
    println!("{own}: linked to {} at {address}, {state:?}", link.peer());
    let peer = link.peer().to_owned();
    link.connect_lost(move || println!("{own}: {peer} is gone"));
    Ok(())
}

async fn fetch_from(port: u16) -> Result<(), Box<dyn Error>> {
    let link = Link::connect(&Device::new("phone"), "127.0.0.1", port).await?;
    watch("phone", &link)?;
    let hello = Packet::new("kdeconnect.ping", json!({ "message": "hello" }));
    link.send(&hello)?;
    let back = link.receive().await?.ok_or("no answer")?;
    println!("phone: {} comes back", back.body()["message"]);

    link.send(&Packet::new("example.fetch", json!({})))?;
    let offer = link.receive().await?.ok_or("no offer")?;
    println!("phone: offered {}", offer.body()["filename"]);
    let quarters = Rc::new(Cell::new(0));
    let progress = move |done: u64| {
        let now = done * 4 / SIZE;
        if now > quarters.replace(now) {
            println!("phone: {} %", now * 25);
        }
    };
    let file = gio::MemoryOutputStream::new_resizable();
    let never = Cancellable::new();
    link.download(&offer, file.upcast_ref(), &never, progress)
        .await?;
    file.close(Cancellable::NONE)?;
    if file.steal_as_bytes() != content() {
        return Err("another file has come".into());
    }
    if !link.is_alive() {
        return Err("the desktop went too soon".into());
    }
    link.close().await?;
    println!("ok: linked, greeted, and fetched {SIZE} bytes through TLS");
    Ok(())
}
