//! Making connections of sockets that are there already, and dropping them, which closes the sockets.

use std::{error::Error, hint::black_box, net::TcpStream};

use gio::prelude::*;
use gsock::SocketConnection;

use super::unknown;
use crate::{
    contestants::{gio, gio_socket, ours},
    measure::{Clocks, Sample},
    sockets::connect,
};

pub(crate) fn construct(variant: &str, count: u64, hold: u16) -> Result<Sample, Box<dyn Error>> {
    // The first of a class makes the class.
    let sockets: Vec<TcpStream> = (0..=count)
        .map(|_| connect(hold))
        .collect::<Result<_, _>>()?;
    match variant {
        "ours" => each(sockets, |socket| drop(ours(socket))),
        "ours+streams" => each(sockets, |socket| with_streams(&ours(socket))),
        "c" => each(sockets, |socket| drop(gio(socket))),
        "c+streams" => each(sockets, |socket| with_streams(&gio(socket))),
        "ours-given" => around(sockets, |socket| drop(given(socket))),
        "ours-given+streams" => around(sockets, |socket| with_streams(&given(socket))),
        "c-given" => around(sockets, |socket| drop(of_gio(socket))),
        "c-given+streams" => around(sockets, |socket| with_streams(&of_gio(socket))),
        // What the others find: to be taken off what was counted of them.
        "sockets" => each(sockets, drop),
        "gsockets" => around(sockets, |_| ()),
        _ => Err(unknown(variant)),
    }
}

fn given(socket: &gio::Socket) -> SocketConnection {
    SocketConnection::factory_create_connection(socket)
}

fn of_gio(socket: &gio::Socket) -> gio::SocketConnection {
    socket.connection_factory_create_connection()
}

fn with_streams(connection: &impl IsA<gio::IOStream>) {
    black_box((connection.input_stream(), connection.output_stream()));
}

/// The `GSocket`s are made before and dropped after the measurement.
fn around(sockets: Vec<TcpStream>, make: fn(&gio::Socket)) -> Result<Sample, Box<dyn Error>> {
    let sockets: Vec<gio::Socket> = sockets.into_iter().map(gio_socket).collect();
    each(sockets.iter(), make)
}

fn each<T>(
    sockets: impl IntoIterator<Item = T>,
    make: impl Fn(T),
) -> Result<Sample, Box<dyn Error>> {
    let mut sockets = sockets.into_iter();
    make(sockets.next().ok_or("there is always a first")?);
    let clocks = Clocks::start();
    let mut count = 0;
    for socket in sockets {
        make(socket);
        count += 1;
    }
    Ok(clocks.stop(count))
}
