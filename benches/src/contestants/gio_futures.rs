//! Futures of gio-rs on GIO's connections, in tasks of GLib's.

use std::net::TcpStream;

use gio::prelude::*;

use super::{Contestant, Errand, GlibLoop, IDLE_ROOM, ROOM, SIZE, gio as connection};
use crate::measure::Progress;

const PRIORITY: glib::Priority = glib::Priority::DEFAULT;

pub(crate) struct Futures(GlibLoop);

impl Futures {
    pub(crate) fn new(on: GlibLoop) -> Self {
        Self(on)
    }
}

impl Contestant for Futures {
    fn add_idle(&mut self, socket: TcpStream) {
        let connection = connection(socket);
        let read = connection
            .input_stream()
            .read_future(vec![0; IDLE_ROOM], PRIORITY);
        let task = self.0.0.spawn_local(async move {
            // Its end, when the process ends, is nobody's concern.
            let _ = read.await;
            drop(connection);
        });
        drop(task);
    }

    fn add_pair(&mut self, client: TcpStream, server: TcpStream, errand: Errand) {
        drop(self.0.0.spawn_local(echo(connection(server))));
        drop(self.0.0.spawn_local(ask(connection(client), errand)));
    }

    fn settle(&mut self) {
        self.0.settle();
    }

    fn run(&mut self, progress: &'static Progress) {
        self.0.run(progress);
    }
}

async fn ask(connection: gio::SocketConnection, errand: Errand) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let mut message = vec![7; SIZE];
    let mut buffer = vec![0; ROOM];
    errand.progress.begin();
    for _ in 0..errand.messages {
        let wrote = output.write_future(message, PRIORITY).await;
        let count;
        (message, count) = wrote.expect("the peer is there");
        assert_eq!(count, SIZE, "so little always fits");
        let mut got = 0;
        while got < SIZE {
            let read = input.read_future(buffer, PRIORITY).await;
            let count;
            (buffer, count) = read.expect("the peer is there");
            assert_ne!(count, 0, "the peer does not close");
            got += count;
        }
        errand.progress.tick();
    }
    std::future::pending().await
}

async fn echo(connection: gio::SocketConnection) {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let mut buffer = vec![0; ROOM];
    loop {
        let read = input.read_future(buffer, PRIORITY).await;
        let (mut echo, count) = read.expect("the peer is there");
        echo.truncate(count);
        let wrote = output.write_future(echo, PRIORITY).await;
        let (echo, count) = wrote.expect("the peer is there");
        assert_eq!(count, echo.len(), "so little always fits");
        buffer = echo;
        buffer.resize(ROOM, 0);
    }
}
