//! Futures on the halves of gsock's connections, in gsock's tasks or in GLib's.

use std::{future::Future, net::TcpStream};

use gsock::{ReadHalf, SocketConnection, WriteHalf, engine, prelude::*};

use super::{Contestant, Errand, GlibLoop, IDLE_ROOM, ROOM, SIZE};
use crate::measure::Progress;

/// Whose tasks they are.
#[derive(Clone, Copy)]
pub(crate) enum Spawn {
    Own,
    Glib,
}

pub(crate) struct Futures {
    on: GlibLoop,
    spawn: Spawn,
    make: fn(TcpStream) -> SocketConnection,
    keep: bool,
    /// The halves hold the socket and not the object, which belongs to the measurement.
    kept: Vec<SocketConnection>,
}

impl Futures {
    pub(crate) fn new(on: GlibLoop, spawn: Spawn, make: fn(TcpStream) -> SocketConnection) -> Self {
        Self {
            on,
            spawn,
            make,
            keep: true,
            kept: Vec::new(),
        }
    }

    /// The halves are all that stays of a connection.
    pub(crate) fn without_objects(on: GlibLoop, make: fn(TcpStream) -> SocketConnection) -> Self {
        Self {
            keep: false,
            ..Self::new(on, Spawn::Own, make)
        }
    }

    fn halves(&mut self, socket: TcpStream) -> (ReadHalf, WriteHalf) {
        let connection = (self.make)(socket);
        let halves = connection.halves();
        if self.keep {
            self.kept.push(connection);
        }
        halves
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        match self.spawn {
            // A task goes on without its handle.
            Spawn::Own => drop(engine::spawn_local(&self.on.0, future)),
            Spawn::Glib => drop(self.on.0.spawn_local(future)),
        }
    }
}

impl Contestant for Futures {
    fn add_idle(&mut self, socket: TcpStream) {
        let (mut reader, writer) = self.halves(socket);
        self.spawn(async move {
            let mut buffer = [0; IDLE_ROOM];
            // Its end, when the process ends, is nobody's concern.
            let _ = reader.read(&mut buffer).await;
            drop(writer);
        });
    }

    fn add_pair(&mut self, client: TcpStream, server: TcpStream, errand: Errand) {
        let server = self.halves(server);
        self.spawn(echo(server));
        let client = self.halves(client);
        self.spawn(ask(client, errand));
    }

    fn settle(&mut self) {
        self.on.settle();
    }

    fn run(&mut self, progress: &'static Progress) {
        self.on.run(progress);
    }
}

async fn ask((mut reader, mut writer): (ReadHalf, WriteHalf), errand: Errand) {
    let message = [7; SIZE];
    let mut buffer = [0; ROOM];
    errand.progress.begin();
    for _ in 0..errand.messages {
        writer.write_all(&message).await.expect("the peer is there");
        let mut got = 0;
        while got < SIZE {
            let count = reader.read(&mut buffer).await.expect("the peer is there");
            assert_ne!(count, 0, "the peer does not close");
            got += count;
        }
        errand.progress.tick();
    }
    // Closing is not what is measured, and others may still be at work.
    std::future::pending().await
}

async fn echo((mut reader, mut writer): (ReadHalf, WriteHalf)) {
    let mut buffer = [0; ROOM];
    loop {
        let count = reader.read(&mut buffer).await.expect("the peer is there");
        let echo = &buffer[..count];
        writer.write_all(echo).await.expect("the peer is there");
    }
}
