//! What stands on a connection: halves, adapters, wrappers, GIO's own streams, and GIO's own class once it is adopted.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::fd::AsFd,
    thread,
};

use gio::{Cancellable, prelude::*};
use gsock::{
    Framed, Framing, IoStreamAdapter, SocketConnection, TcpWrapperConnection, engine, prelude::*,
};

use crate::{
    ends::{Kind, connected, narrow, pair, pattern},
    scene::{Own, Scene, drive, iterate_while, pause, play_the_peer},
};

const NOBODY: Option<&Cancellable> = Cancellable::NONE;
const TCP: Kind = Kind {
    unix: false,
    bare: false,
};

/// Runs a future in the context of the scene.
fn wait<T: 'static>(scene: &Scene<'_>, future: impl Future<Output = T> + 'static) -> T {
    let running = engine::spawn_local(scene.context, future);
    iterate_while(scene.context, || !running.is_finished());
    scene.context.block_on(running).expect("no panic")
}

/// What is read and written in the place of the connection.
type Layer = fn(&Scene<'_>, &SocketConnection) -> gio::IOStream;

fn adapter(scene: &Scene<'_>, connection: &SocketConnection) -> gio::IOStream {
    let adapter = IoStreamAdapter::new(connection.clone());
    scene.note("adapter", &adapter);
    adapter.upcast()
}

fn wrapper(scene: &Scene<'_>, connection: &SocketConnection) -> gio::IOStream {
    let base = gio::SimpleIOStream::new(&connection.input_stream(), &connection.output_stream());
    let wrapper = TcpWrapperConnection::new(&base, &connection.socket()).expect("TCP");
    scene.note("base", &base);
    scene.note("wrapper", &wrapper);
    wrapper.upcast()
}

/// GIO's class around ours.
fn in_gio(scene: &Scene<'_>, connection: &SocketConnection) -> gio::IOStream {
    let outer = connection.to_gio();
    scene.note("GIO's connection", &outer);
    outer.upcast()
}

/// `blocking`, or in the context.
fn read_all(
    scene: &Scene<'_>,
    input: &gio::InputStream,
    blocking: bool,
    all: &mut Vec<u8>,
) -> Result<(), glib::Error> {
    loop {
        let bytes = if blocking {
            input.read_bytes(8, NOBODY)?
        } else {
            wait(scene, input.read_bytes_future(8, glib::Priority::DEFAULT))?
        };
        if bytes.is_empty() {
            return Ok(());
        }
        all.extend_from_slice(&bytes);
    }
}

/// Not a byte is lost, also where a read failed.
fn reads(layer: Layer, blocking: bool) {
    let own = Own {
        calls: &["recv"],
        ..Own::ANY
    };
    drive(own, move |scene| {
        let data = pattern(24);
        let (connection, mut peer) = connected(scene, TCP);
        let stream = layer(scene, &connection);
        let chunks = data.clone();
        let peer = thread::spawn(move || {
            play_the_peer();
            for chunk in chunks.chunks(8) {
                pause();
                peer.write_all(chunk).expect("room");
            }
            peer.shutdown(Shutdown::Write);
            peer
        });
        let mut all = Vec::new();
        let input = stream.input_stream();
        let outcome = scene.under_faults(|| read_all(scene, &input, blocking, &mut all));
        if outcome.is_err() {
            read_all(scene, &input, blocking, &mut all).expect("nothing fails any more");
        }
        assert!(all == data, "{} bytes, or others than were sent", all.len());
        connection.close(NOBODY).expect("open");
        drop(peer.join().expect("no panic"));
        outcome
    });
}

/// What comes is the beginning of what was to be written, and all of it unless a write failed.
fn writes(layer: Layer, blocking: bool) {
    let own = Own {
        calls: &["send", "sendmsg"],
        ..Own::ANY
    };
    drive(own, move |scene| {
        let size = if std::env::var_os("FAULT_SHORT").is_some() {
            300
        } else {
            60_000
        };
        let data = pattern(size);
        let (mut peer, fd) = pair(TCP);
        narrow(&fd);
        let connection = crate::ends::around(scene, TCP, fd);
        let stream = layer(scene, &connection);
        let reading = thread::spawn(move || {
            play_the_peer();
            let mut all = Vec::new();
            let _ = peer.read_to_end(&mut all);
            all
        });
        let output = stream.output_stream();
        let mut done = 0;
        let outcome = scene.under_faults(|| {
            while done < data.len() {
                let bytes = glib::Bytes::from(&data[done..]);
                let count = if blocking {
                    output.write_bytes(&bytes, NOBODY)?
                } else {
                    let writing = output.write_bytes_future(&bytes, glib::Priority::DEFAULT);
                    wait(scene, writing)?
                };
                done += usize::try_from(count).expect("not negative");
            }
            Ok(())
        });
        connection.close(NOBODY).expect("open");
        let all = reading.join().expect("no panic");
        assert!(
            data[..done] == all,
            "{} of {done} bytes, or others",
            all.len()
        );
        outcome
    });
}

/// There and back through halves, in tasks.
fn halves(kind: Kind) {
    let own = Own {
        calls: &["recv", "send"],
        ..Own::ANY
    };
    drive(own, move |scene| {
        let (connection, mut peer) = connected(scene, kind);
        let (mut input, mut output) = connection.halves();
        let echo = thread::spawn(move || {
            play_the_peer();
            let mut buffer = [0; 64];
            while let Ok(count) = peer.read(&mut buffer) {
                pause();
                if count == 0 || peer.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
        });
        let outcome = scene.under_faults(|| {
            wait(scene, async move {
                let mut buffer = [0; 64];
                for _ in 0..3 {
                    output.writable().await?;
                    output.write_all(b"ping pong").await?;
                    let mut got = 0;
                    while got < 9 {
                        input.readable().await?;
                        input.peek(&mut buffer[got..]).await?;
                        let count = input.read(&mut buffer[got..]).await?;
                        assert_ne!(count, 0, "an end of file that nobody sent");
                        got += count;
                    }
                    assert_eq!(&buffer[..9], b"ping pong");
                }
                output.shutdown().await
            })
        });
        connection.close(NOBODY).expect("open");
        echo.join().expect("no panic");
        outcome
    });
}

/// Frames with a descriptor each: whole ones, and no descriptor is left.
fn frames_with_descriptors(blocking: bool) {
    let own = Own {
        calls: &["sendmsg"],
        ..Own::ANY
    };
    drive(own, move |scene| {
        let kind = Kind {
            unix: true,
            bare: true,
        };
        let (connection, mut peer) = connected(scene, kind);
        let framed = Framed::builder()
            .io_stream(&connection)
            .framing(Framing::Lines)
            .read_ahead(false)
            .build();
        scene.note("framed", &framed);
        let outcome = scene.under_faults(|| {
            for _ in 0..3 {
                framed.send_with_fds(&b"one"[..], &[std::io::stdin().as_fd()])?;
                if blocking {
                    framed.flush(NOBODY)?;
                } else {
                    wait(scene, framed.flush_future())?;
                }
            }
            Ok(())
        });
        connection.close(NOBODY).expect("open");
        drop(framed);
        let mut all = Vec::new();
        // What is not taken goes with the socket.
        peer.read_to_end(&mut all).expect("an end of file");
        let whole = b"one\n\0".repeat(3);
        assert!(whole.starts_with(&all), "{all:?}");
        assert!(outcome.is_err() || all == whole, "{all:?}");
        outcome
    });
}

/// GIO's own class on our transport. The process stays so.
fn adopted(blocking: bool) {
    let own = Own {
        calls: &["recv", "send"],
        ..Own::ANY
    };
    drive(own, move |scene| {
        gsock::adopt_gio().expect("it can be done");
        let (mut peer, fd) = pair(TCP);
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        let connection = socket.connection_factory_create_connection();
        scene.note("GIO's connection", &connection);
        let echo = thread::spawn(move || {
            play_the_peer();
            let mut buffer = [0; 8];
            while let Ok(count) = peer.read(&mut buffer) {
                pause();
                if count == 0 || peer.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
        });
        let (input, output) = (connection.input_stream(), connection.output_stream());
        let outcome = scene.under_faults(|| {
            for _ in 0..3 {
                let bytes = glib::Bytes::from_static(b"ping");
                let written = if blocking {
                    output.write_bytes(&bytes, NOBODY)?
                } else {
                    wait(
                        scene,
                        output.write_bytes_future(&bytes, glib::Priority::DEFAULT),
                    )?
                };
                let mut got = Vec::new();
                while got.len() < usize::try_from(written).expect("not negative") {
                    let bytes = if blocking {
                        input.read_bytes(8, NOBODY)?
                    } else {
                        wait(scene, input.read_bytes_future(8, glib::Priority::DEFAULT))?
                    };
                    got.extend_from_slice(&bytes);
                }
                assert!(b"ping".starts_with(&got[..]));
            }
            Ok(())
        });
        connection.close(NOBODY).expect("open");
        drop(socket);
        echo.join().expect("no panic");
        outcome
    });
}

macro_rules! drivers {
    ($($name:ident: $body:expr;)*) => {$(
        #[test]
        fn $name() {
            $body;
        }
    )*};
}

drivers! {
    adapter_read_blocking: reads(adapter, true);
    adapter_read_async: reads(adapter, false);
    adapter_write_blocking: writes(adapter, true);
    adapter_write_async: writes(adapter, false);
    wrapper_read_blocking: reads(wrapper, true);
    wrapper_read_async: reads(wrapper, false);
    wrapper_write_blocking: writes(wrapper, true);
    wrapper_write_async: writes(wrapper, false);
    to_gio_read_blocking: reads(in_gio, true);
    to_gio_read_async: reads(in_gio, false);
    to_gio_write_blocking: writes(in_gio, true);
    to_gio_write_async: writes(in_gio, false);
    adopted_blocking: adopted(true);
    adopted_async: adopted(false);
    halves_tcp: halves(Kind { unix: false, bare: true });
    halves_unix: halves(Kind { unix: true, bare: true });
    framed_descriptors_blocking: frames_with_descriptors(true);
    framed_descriptors_async: frames_with_descriptors(false);
}
