//! Whole lives of connections, a thousand each.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    rc::Rc,
};

use gio::prelude::*;
use gsock::{ConnectionState, TcpConnection, prelude::*};

use crate::counting::*;
use crate::support::*;
use crate::tools::*;

/// The peer is served in between, by the same thread.
fn echo_cycle(
    form: Form,
    context: &glib::MainContext,
    server: &TcpListener,
    address: SocketAddr,
    graceful: bool,
) {
    let made = Made::default();
    let connection = unconnected();
    made.note_connection(&connection);
    let cancellable = gio::Cancellable::new();
    made.note("cancellable", &cancellable);
    let seen = notifications(&connection);
    connect_by(form, context, &connection, &gio_address(address)).expect("it listens");
    let (mut peer, _) = server.accept().expect("somebody called");
    write_by(form, context, &connection, &cancellable);
    let mut buffer = [0; 4];
    peer.read_exact(&mut buffer).expect("four bytes");
    peer.write_all(b"pong").expect("room");
    read_by(form, context, &connection, &cancellable);
    if graceful {
        let tcp = connection.downcast_ref::<TcpConnection>().expect("TCP");
        tcp.set_graceful_disconnect(true);
        peer.shutdown(std::net::Shutdown::Write).expect("connected");
    }
    close_by(form, context, &connection);
    assert!(read_to_end(&mut peer).is_empty());
    assert_eq!(connection.state(), ConnectionState::Closed);
    drop((connection, cancellable));
    made.assert_gone(context);
    // The handler went with its object.
    assert_eq!(Rc::strong_count(&seen), 1);
}

fn echo_cycles(form: Form) {
    counted(move |context, warm_up| {
        let (server, address) = listener();
        for cycle in 0..times(warm_up, 1000) {
            echo_cycle(form, context, &server, address, cycle % 4 == 0);
        }
    });
}

#[test]
fn a_thousand_blocking_cycles_leave_nothing_behind() {
    echo_cycles(Form::Blocking);
}

#[test]
fn a_thousand_cycles_with_callbacks_leave_nothing_behind() {
    echo_cycles(Form::Async);
}

#[test]
fn a_thousand_cycles_of_futures_leave_nothing_behind() {
    echo_cycles(Form::Future);
}

#[test]
fn a_thousand_cycles_in_c_leave_nothing_behind() {
    echo_cycles(Form::C);
}

/// Around bare descriptors, some of which turn into a `GSocket`.
#[test]
fn a_thousand_bare_connections_leave_nothing_behind() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 1000) {
            let form = FORMS[cycle % FORMS.len()];
            let made = Made::default();
            let (connection, mut peer) = connected_bare();
            made.note("connection", &connection);
            let cancellable = gio::Cancellable::new();
            if cycle % 3 == 0 {
                made.note_connection(&connection);
            }
            write_by(form, context, &connection, &cancellable);
            let mut buffer = [0; 4];
            peer.read_exact(&mut buffer).expect("four bytes");
            peer.write_all(b"pong").expect("room");
            read_by(form, context, &connection, &cancellable);
            if cycle % 2 == 0 {
                close_by(form, context, &connection);
            }
            drop(connection);
            made.assert_gone(context);
            assert!(read_to_end(&mut peer).is_empty());
        }
    });
}

/// One object, one socket after the other.
#[test]
fn a_thousand_reconnects_leave_nothing_behind() {
    counted(|context, warm_up| {
        let (server, address) = listener();
        let made = Made::default();
        let connection = unconnected();
        made.note_connection(&connection);
        let cancellable = gio::Cancellable::new();
        for cycle in 0..times(warm_up, 1000) {
            let form = FORMS[cycle % FORMS.len()];
            connect_by(form, context, &connection, &gio_address(address)).expect("it listens");
            let (mut peer, _) = server.accept().expect("somebody called");
            write_by(form, context, &connection, &cancellable);
            let mut buffer = [0; 4];
            peer.read_exact(&mut buffer).expect("four bytes");
            peer.write_all(b"pong").expect("room");
            read_by(form, context, &connection, &cancellable);
            let kernel = KernelSocket::of_connection(&connection);
            let next = ipv4_socket();
            made.note("socket", &next);
            connection.set_socket(&next).expect("nothing is pending");
            assert!(!kernel.is_open(), "nobody else holds it");
            assert!(read_to_end(&mut peer).is_empty());
        }
        drop((connection, cancellable));
        made.assert_gone(context);
    });
}
