//! tokio on one thread.

use std::net::TcpStream as Socket;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
    task::{JoinHandle, yield_now},
};

use super::{Contestant, Errand, IDLE_ROOM, ROOM, SIZE};
use crate::measure::Progress;

/// Tasks of the runtime itself, which are quicker than those of a `LocalSet`, and the intervals that it has
/// by itself: the README says what else was tried.
pub(crate) struct Tokio {
    runtime: Runtime,
    clients: Vec<JoinHandle<()>>,
}

impl Tokio {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime needs a few descriptors");
        Self {
            runtime,
            clients: Vec::new(),
        }
    }

    fn stream(&self, socket: Socket) -> TcpStream {
        socket
            .set_nonblocking(true)
            .expect("an open socket has flags");
        let _runtime = self.runtime.enter();
        TcpStream::from_std(socket).expect("the reactor takes sockets")
    }
}

impl Contestant for Tokio {
    fn add_idle(&mut self, socket: Socket) {
        let mut stream = self.stream(socket);
        self.runtime.spawn(async move {
            let mut buffer = [0; IDLE_ROOM];
            // Its end, when the process ends, is nobody's concern.
            let _ = stream.read(&mut buffer).await;
        });
    }

    fn add_pair(&mut self, client: Socket, server: Socket, errand: Errand) {
        let (client, server) = (self.stream(client), self.stream(server));
        self.runtime.spawn(echo(server));
        self.clients.push(self.runtime.spawn(ask(client, errand)));
    }

    fn settle(&mut self) {
        self.runtime.block_on(async {
            for _ in 0..1000 {
                yield_now().await;
            }
        });
    }

    fn run(&mut self, _progress: &'static Progress) {
        self.runtime.block_on(async {
            for client in &mut self.clients {
                client.await.expect("no client is aborted");
            }
        });
    }
}

async fn ask(mut stream: TcpStream, errand: Errand) {
    let message = [7; SIZE];
    let mut buffer = [0; ROOM];
    errand.progress.begin();
    for _ in 0..errand.messages {
        stream.write_all(&message).await.expect("the peer is there");
        let mut got = 0;
        while got < SIZE {
            let count = stream.read(&mut buffer).await.expect("the peer is there");
            assert_ne!(count, 0, "the peer does not close");
            got += count;
        }
        errand.progress.tick();
    }
    // Closing is not what is measured, and others may still be at work.
    std::mem::forget(stream);
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = [0; ROOM];
    loop {
        let count = stream.read(&mut buffer).await.expect("the peer is there");
        let echo = &buffer[..count];
        stream.write_all(echo).await.expect("the peer is there");
    }
}
