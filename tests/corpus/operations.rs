//! Calls in any order, on connections, a listener and a client: each is answered once, and nothing is left.

use std::{
    cell::Cell,
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    rc::Rc,
    time::Duration,
};

use futures::FutureExt;
use gio::{Cancellable, prelude::*};
use gsock::{
    Framed, Framing, SocketClient, SocketConnection, SocketListener, TcpConnection, prelude::*,
};

use super::{bytes::Bytes, support::*};

const MOST_OPERATIONS: usize = 48;
const MOST_CONNECTIONS: usize = 6;

#[derive(Default)]
struct State {
    connections: Vec<SocketConnection>,
    peers: Vec<Peer>,
    listener: Option<SocketListener>,
    addresses: Vec<gio::SocketAddress>,
    framed: Vec<Framed>,
    /// What was begun, and what has come to an end.
    begun: u32,
    ended: Rc<Cell<u32>>,
    made: Rc<std::cell::RefCell<Vec<SocketConnection>>>,
    all: Vec<Gone>,
}

enum Peer {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl State {
    fn add(&mut self, connection: SocketConnection, peer: Peer) {
        if self.connections.len() < MOST_CONNECTIONS {
            self.all.push(Gone::of(&connection));
            self.connections.push(connection);
            self.peers.push(peer);
        }
    }

    fn pick(&self, bytes: &mut Bytes<'_>) -> Option<SocketConnection> {
        let count = self.connections.len().max(1);
        self.connections.get(bytes.below(count)).cloned()
    }

    fn ends(&mut self) -> impl FnOnce() + 'static {
        self.begun += 1;
        let ended = self.ended.clone();
        move || ended.set(ended.get() + 1)
    }
}

pub fn one(data: &[u8], context: &glib::MainContext) {
    let mut bytes = Bytes(data);
    let mut state = State::default();
    let cancellable = Cancellable::new();
    let client = SocketClient::new();
    for _ in 0..MOST_OPERATIONS {
        if bytes.is_empty() {
            break;
        }
        step(&mut state, &mut bytes, &client, &cancellable, context);
        let made = std::mem::take(&mut *state.made.borrow_mut());
        for connection in made {
            state.all.push(Gone::of(&connection));
            if state.connections.len() < MOST_CONNECTIONS {
                state.connections.push(connection);
            }
        }
    }
    cancellable.cancel();
    let State {
        begun, ended, all, ..
    } = {
        state.connections.clear();
        state.framed.clear();
        state.listener = None;
        state.peers.clear();
        state
    };
    drop(client);
    iterate_until(context, || ended.get() >= begun);
    iterate_until(context, || all.iter().all(Gone::is_gone));
    assert_eq!(ended.get(), begun);
}

fn step(
    state: &mut State,
    bytes: &mut Bytes<'_>,
    client: &SocketClient,
    cancellable: &Cancellable,
    context: &glib::MainContext,
) {
    let may = Some(cancellable);
    match bytes.below(24) {
        0 => {
            let (peer, fd) = tcp_pair();
            let made = SocketConnection::factory_create_connection_from_fd(fd);
            state.add(made.expect("a socket"), Peer::Tcp(peer));
        }
        1 => {
            let (peer, fd) = UnixStream::pair().expect("a pair");
            let made = SocketConnection::factory_create_connection_from_fd(fd.into());
            state.add(made.expect("a socket"), Peer::Unix(peer));
        }
        2 => {
            let (peer, fd) = tcp_pair();
            let socket = gio::Socket::from_fd(fd).expect("a socket");
            let made = SocketConnection::factory_create_connection(&socket);
            state.add(made, Peer::Tcp(peer));
        }
        operation @ 3..=14 => {
            let Some(connection) = state.pick(bytes) else {
                return;
            };
            on_connection(operation, state, &connection, bytes, may);
        }
        15 => {
            let at = bytes.below(state.connections.len().max(1));
            if at < state.connections.len() {
                state.connections.remove(at);
            }
        }
        16 => {
            let at = bytes.below(state.peers.len().max(1));
            match state.peers.get(at) {
                Some(Peer::Tcp(peer)) if bytes.byte() & 1 == 0 => {
                    let _ = peer.shutdown(Shutdown::Write);
                }
                Some(_) => {
                    if let Peer::Tcp(peer) = state.peers.remove(at) {
                        reset(peer);
                    }
                }
                None => {}
            }
        }
        17 => {
            use std::io::Write;
            let count = 1 + usize::from(bytes.byte()) * 50;
            let at = bytes.below(state.peers.len().max(1));
            match state.peers.get_mut(at) {
                Some(Peer::Tcp(peer)) => {
                    let _ = peer.set_nonblocking(true);
                    let _ = peer.write(&vec![7; count]);
                }
                Some(Peer::Unix(peer)) => {
                    let _ = peer.set_nonblocking(true);
                    let _ = peer.write(&vec![7; count]);
                }
                None => {}
            }
        }
        18 => {
            let listener = state.listener.get_or_insert_with(SocketListener::new);
            let any = gio_address(([127, 0, 0, 1], 0).into());
            let added = listener.add_address(
                &any,
                gio::SocketType::Stream,
                gio::SocketProtocol::Default,
                glib::Object::NONE,
            );
            if state.addresses.len() < 4 {
                state.addresses.extend(added.ok());
            }
        }
        19 => {
            if let Some(listener) = state.listener.clone() {
                let (ends, made) = (state.ends(), state.made.clone());
                listener.accept_async(may, move |listener, result| {
                    if let Ok((connection, _)) = listener.accept_finish(result) {
                        made.borrow_mut().push(connection);
                    }
                    ends();
                });
            }
        }
        20 => {
            let at = bytes.below(state.addresses.len().max(1));
            if let Some(address) = state.addresses.get(at).cloned() {
                let (ends, made) = (state.ends(), state.made.clone());
                client.connect_async(&address, may, move |client, result| {
                    made.borrow_mut().extend(client.connect_finish(result).ok());
                    ends();
                });
            }
        }
        21 => match bytes.below(4) {
            0 => state.listener.iter().for_each(|listener| listener.close()),
            1 => state.listener = None,
            2 => {
                if let (Some(listener), Some(address)) = (&state.listener, state.addresses.pop()) {
                    let _ = listener.remove_address(&address);
                }
            }
            _ => client.set_connect_timeout(Duration::from_millis(u64::from(bytes.byte()))),
        },
        22 => cancellable.cancel(),
        _ => {
            for _ in 0..=bytes.below(8) {
                context.iteration(false);
            }
        }
    }
}

fn on_connection(
    operation: usize,
    state: &mut State,
    connection: &SocketConnection,
    bytes: &mut Bytes<'_>,
    may: Option<&Cancellable>,
) {
    let priority = glib::Priority::DEFAULT;
    let size = 1 + usize::from(bytes.byte()) * 97;
    match operation {
        3 => {
            let output = connection.output_stream();
            let output = output.dynamic_cast::<gio::PollableOutputStream>();
            let _ = output.map(|output| output.write_nonblocking(&vec![1; size], may));
        }
        4 => {
            let mut buffer = vec![0; size];
            let input = connection.input_stream();
            let input = input.dynamic_cast::<gio::PollableInputStream>();
            let _ = input.map(|input| input.read_nonblocking(&mut buffer, may));
        }
        5 => {
            let ends = state.ends();
            let input = connection.input_stream();
            input.read_bytes_async(size, priority, may, move |_| ends());
        }
        6 => {
            let ends = state.ends();
            let output = connection.output_stream();
            output.write_all_async(vec![2; size * 40], priority, may, move |_| ends());
        }
        7 => {
            let ends = state.ends();
            connection.close_async(priority, may, move |_| ends());
        }
        8 => {
            // Whether it waits for the peer is its own business; this one does not.
            if let Some(tcp) = connection.downcast_ref::<TcpConnection>() {
                tcp.set_graceful_disconnect(bytes.byte() & 1 != 0);
                let _ = tcp.set_no_delay(bytes.byte() & 1 != 0);
                let _ = tcp.set_linger_zero(bytes.byte() & 1 != 0);
            }
        }
        9 => {
            let flags = bytes.byte();
            let _ = connection.socket().shutdown(flags & 1 != 0, flags & 2 != 0);
        }
        10 => {
            let socket = connection.socket();
            if bytes.byte() & 3 == 0 {
                let _ = socket.close();
            }
        }
        11 => {
            let _ = connection.state();
            let _ = connection.is_alive();
            let _ = connection.last_error();
            let _ = connection.local_address();
            let _ = connection.remote_address();
            let _ = (connection.bytes_read(), connection.bytes_written());
        }
        12 => {
            let (mut read, mut write) = connection.halves();
            let mut buffer = vec![0; size];
            let _ = read.read(&mut buffer).now_or_never();
            let _ = write.write(&buffer).now_or_never();
        }
        13 => {
            if state.framed.len() < 3 {
                let framed = Framed::new(connection, Framing::Lines);
                let _ = framed.send(&b"a frame"[..]);
                let _ = framed.read_frame_future().now_or_never();
                state.framed.push(framed);
            }
        }
        _ => {
            let ends = state.ends();
            let input = connection.input_stream();
            input.skip_async(size, priority, may, move |_| ends());
        }
    }
}
