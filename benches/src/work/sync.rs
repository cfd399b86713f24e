//! Blocking round trips of 64 bytes with a peer in another process. CPU is that of this end. For the counts a
//! peer that has answered before it was asked: whether one had to wait would be chance.

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
};

use gio::prelude::*;
use gsock::SocketConnection;

use super::unknown;
use crate::{
    contestants::{SIZE, gio, gio_socket, ours},
    measure::{Clocks, Sample},
    sockets::{Pairs, connect},
};

const WARMUP: u64 = 20;

pub(crate) fn round_trips(
    variant: &str,
    messages: u64,
    echo: u16,
) -> Result<Sample, Box<dyn Error>> {
    on(connect(echo)?, variant, messages)
}

/// At most some thousand of them: what nobody reads must fit into the sockets' buffers.
pub(crate) fn answered_before(variant: &str, messages: u64) -> Result<Sample, Box<dyn Error>> {
    let (socket, mut peer) = Pairs::new()?.pair()?;
    let answers = (WARMUP + messages) as usize * SIZE;
    peer.write_all(&vec![7; answers])?;
    on(socket, variant, messages)
}

fn on(socket: TcpStream, variant: &str, messages: u64) -> Result<Sample, Box<dyn Error>> {
    let given = |socket| SocketConnection::factory_create_connection(&gio_socket(socket));
    let cancellable = gio::Cancellable::new();
    let with = Some(&cancellable);
    match variant {
        "std" => {
            let mut writer = socket.try_clone()?;
            let mut reader = socket;
            measure(
                messages,
                |bytes| Ok(writer.write(bytes)?),
                |buffer| Ok(reader.read(buffer)?),
            )
        }
        "ours" => streams(messages, &ours(socket), None),
        "ours-given" => streams(messages, &given(socket), None),
        "ours+cancellable" => streams(messages, &ours(socket), with),
        "ours-given+cancellable" => streams(messages, &given(socket), with),
        "c" => streams(messages, &gio(socket), None),
        "c+cancellable" => streams(messages, &gio(socket), with),
        _ => Err(unknown(variant)),
    }
}

fn streams(
    messages: u64,
    connection: &impl IsA<gio::IOStream>,
    cancellable: Option<&gio::Cancellable>,
) -> Result<Sample, Box<dyn Error>> {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    measure(
        messages,
        |bytes| Ok(usize::try_from(output.write(bytes, cancellable)?)?),
        |buffer| Ok(input.read(buffer, cancellable)?),
    )
}

fn measure(
    messages: u64,
    mut write: impl FnMut(&[u8]) -> Result<usize, Box<dyn Error>>,
    mut read: impl FnMut(&mut [u8]) -> Result<usize, Box<dyn Error>>,
) -> Result<Sample, Box<dyn Error>> {
    let message = [7; SIZE];
    let mut buffer = [0; SIZE];
    let mut round_trip = || -> Result<(), Box<dyn Error>> {
        let wrote = write(&message)?;
        assert_eq!(wrote, SIZE, "so little always fits");
        let mut got = 0;
        while got < SIZE {
            let count = read(&mut buffer[got..])?;
            assert_ne!(count, 0, "the peer does not close");
            got += count;
        }
        Ok(())
    };
    for _ in 0..WARMUP {
        round_trip()?;
    }
    let clocks = Clocks::start();
    for _ in 0..messages {
        round_trip()?;
    }
    Ok(clocks.stop(messages))
}
