//! Connecting to `localhost` by its name, and dropping what was made.

use std::error::Error;

use gio::prelude::*;
use gsock::prelude::*;

use super::unknown;
use crate::measure::{ProcessClocks, Sample};

/// Nothing of these is counted: what is made once.
const WARMUP: u64 = 20;

/// The other end accepts, and notices the end.
pub(crate) fn connect(
    context: &glib::MainContext,
    variant: &str,
    count: u64,
    port: u16,
) -> Result<Sample, Box<dyn Error>> {
    let (who, has_proxies) = match variant.strip_suffix("-direct") {
        Some(who) => (who, false),
        None => (variant, true),
    };
    match who {
        "ours" => {
            let client = gsock::SocketClient::new();
            client.set_enable_proxy(has_proxies);
            each(count, || {
                let connecting = client.connect_to_host_future("localhost", port);
                drop(context.block_on(connecting)?);
                Ok(())
            })
        }
        "ours-sync" => {
            let client = gsock::SocketClient::new();
            client.set_enable_proxy(has_proxies);
            each(count, || {
                let host = "localhost";
                drop(gsock::SocketClientExt::connect_to_host(
                    &client,
                    host,
                    port,
                    gio::Cancellable::NONE,
                )?);
                Ok(())
            })
        }
        "c" => {
            let client = gio::SocketClient::new();
            client.set_enable_proxy(has_proxies);
            each(count, || {
                let connecting =
                    SocketClientExt::connect_to_host_future(&client, "localhost", port);
                drop(context.block_on(connecting)?);
                Ok(())
            })
        }
        "c-sync" => {
            let client = gio::SocketClient::new();
            client.set_enable_proxy(has_proxies);
            each(count, || {
                drop(SocketClientExt::connect_to_host(
                    &client,
                    "localhost",
                    port,
                    gio::Cancellable::NONE,
                )?);
                Ok(())
            })
        }
        "tokio" => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            each(count, || {
                let connecting = tokio::net::TcpStream::connect(("localhost", port));
                drop(runtime.block_on(connecting)?);
                Ok(())
            })
        }
        "std" => each(count, || {
            drop(std::net::TcpStream::connect(("localhost", port))?);
            Ok(())
        }),
        _ => Err(unknown(variant)),
    }
}

/// Names may be looked up on other threads: CPU of the whole process.
fn each(
    count: u64,
    mut connect: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<Sample, Box<dyn Error>> {
    for _ in 0..WARMUP {
        connect()?;
    }
    let clocks = ProcessClocks::start();
    for _ in 0..count {
        connect()?;
    }
    Ok(clocks.stop(count))
}
