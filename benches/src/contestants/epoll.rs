//! `epoll_wait`, `recv` and `send` in a loop: what no library can be quicker than.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::{Contestant, Errand, ROOM, SIZE};
use crate::{
    measure::Progress,
    sys::{Epoll, Event},
};

pub(crate) struct Raw {
    epoll: Epoll,
    /// By the keys of the events.
    ends: Vec<(TcpStream, Role)>,
}

enum Role {
    Idle,
    Server,
    Client { left: u64 },
}

impl Raw {
    pub(crate) fn new() -> Self {
        Self {
            epoll: Epoll::new().expect("a descriptor for epoll"),
            ends: Vec::new(),
        }
    }

    fn add(&mut self, socket: TcpStream, role: Role) {
        socket
            .set_nonblocking(true)
            .expect("an open socket has flags");
        self.epoll
            .add(&socket, true, self.ends.len() as u64)
            .expect("epoll takes sockets");
        self.ends.push((socket, role));
    }
}

impl Contestant for Raw {
    fn add_idle(&mut self, socket: TcpStream) {
        self.add(socket, Role::Idle);
    }

    fn add_pair(&mut self, client: TcpStream, server: TcpStream, errand: Errand) {
        self.add(server, Role::Server);
        self.add(
            client,
            Role::Client {
                left: errand.messages,
            },
        );
    }

    fn settle(&mut self) {}

    fn run(&mut self, progress: &'static Progress) {
        let message = [7; SIZE];
        let mut buffer = [0; ROOM];
        let mut events = vec![Event { events: 0, u64: 0 }; 1024];
        progress.begin();
        for (socket, role) in &mut self.ends {
            if matches!(role, Role::Client { .. }) {
                send(socket, &message);
            }
        }
        while !progress.is_done() {
            let events = self.epoll.wait(&mut events).expect("epoll waits");
            for event in events {
                let key = event.u64;
                let (socket, role) = &mut self.ends[key as usize];
                let count = socket.read(&mut buffer).expect("the peer is there");
                match role {
                    Role::Idle => unreachable!("nobody sends anything to them"),
                    Role::Server => send(socket, &buffer[..count]),
                    Role::Client { left } => {
                        assert_eq!(count, SIZE, "so little comes in one piece");
                        *left -= 1;
                        progress.tick();
                        if *left > 0 {
                            send(socket, &message);
                        }
                    }
                }
            }
        }
    }
}

fn send(socket: &mut TcpStream, bytes: &[u8]) {
    let count = socket.write(bytes).expect("the peer is there");
    assert_eq!(count, bytes.len(), "so little always fits");
}
