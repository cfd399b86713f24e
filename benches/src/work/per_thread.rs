//! Accepting on several threads at one address.

use std::{
    error::Error,
    net::TcpStream,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use gsock::{SocketListener, engine, listen_per_thread, prelude::*};

use super::unknown;
use crate::{
    measure::{ProcessClocks, Sample},
    sockets::connect,
};

/// All of `count` connections wait when the threads begin; each takes those that the kernel has given to it. Making them
/// is not counted.
pub(crate) fn accept(variant: &str, count: u64) -> Result<Sample, Box<dyn Error>> {
    let threads: usize = variant
        .strip_prefix("ours-")
        .and_then(|threads| threads.parse().ok())
        .ok_or_else(|| unknown(variant))?;
    let begin = Arc::new(Barrier::new(threads + 1));
    let left = Arc::new(AtomicU64::new(count));
    let (end, ended) = mpsc::channel();
    let started = begin.clone();
    let start = move |listener: SocketListener| {
        let (begin, left, end) = (started.clone(), left.clone(), end.clone());
        let context = glib::MainContext::ref_thread_default();
        drop(engine::spawn_local(&context, async move {
            // Nobody else has anything to do here.
            begin.wait();
            while let Ok(connection) = listener.accept_future().await {
                drop(connection);
                if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                    let _ = end.send(());
                }
            }
        }));
        Ok(())
    };
    let here = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    let server = listen_per_thread(&gio::InetSocketAddress::new(&here, 0), threads, start)?;
    let port = server.address().port();
    let clients: Vec<TcpStream> = (0..count)
        .map(|_| connect(port))
        .collect::<Result<_, _>>()?;
    let clocks = ProcessClocks::start();
    begin.wait();
    ended.recv()?;
    let sample = clocks.stop(count);
    drop(clients);
    server.stop();
    server.join()?;
    Ok(sample)
}
