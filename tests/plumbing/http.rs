//! HTTP by libsoup's server over connections that it is given.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    thread,
};

use gio::prelude::*;

use crate::{pairs::*, scene::Ends, soup::Server, support::*, tools::*, under::*};

on_both_to_the_end!(
    a_request_is_answered,
    a_request_is_answered_over_unix_sockets,
    much_is_asked_and_answered,
    several_connections_are_served_at_once,
    a_request_is_answered_in_tls,
    a_peer_that_leaves_in_the_middle_is_let_go,
    a_server_that_is_taken_down_closes_what_it_serves,
);

/// Sends one request, and answers the body of what comes back.
fn ask<S: Read + Write>(stream: &mut BufReader<S>, path: &str, body: &[u8], rest: &str) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: gsock.test\r\nContent-Length: {}\r\n{rest}\r\n",
        body.len()
    );
    stream.get_mut().write_all(head.as_bytes()).expect("room");
    stream.get_mut().write_all(body).expect("room");
    let mut length = None;
    let mut status = String::new();
    stream.read_line(&mut status).expect("an answer");
    assert!(status.starts_with("HTTP/1.1 200 "), "{status}");
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a line of the head");
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(count) = line.strip_prefix("content-length:") {
            length = Some(count.trim().parse().expect("a number"));
        }
    }
    let mut answer = vec![0; length.expect("how much it is")];
    stream.read_exact(&mut answer).expect("all of it");
    answer
}

/// What the server says to a request with this body, over a connection of which it knows no socket.
fn answer_to(path: &str, remote: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("{path}\n{remote}\nfalse\n").into_bytes();
    answer.extend(body);
    answer
}

/// Has the server serve it; answers the name of the peer.
fn serve(server: &Server, under: &Under) -> String {
    let local = under.local_address().unwrap();
    let remote = under.remote_address().unwrap().unwrap();
    server.accept(under, &local, &remote).unwrap();
    remote.to_string().into()
}

/// A request after whose answer the server closes.
fn talk<S: Read + Write>(stream: S, remote: &str) {
    let mut stream = BufReader::new(stream);
    let answer = ask(&mut stream, "/a/path", b"a body", "Connection: close\r\n");
    assert_eq!(answer, answer_to("/a/path", remote, b"a body"));
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("a close");
    assert_eq!(rest, b"");
}

fn a_request_is_answered(side: Side, context: &glib::MainContext) {
    let server = Server::new();
    let (under, peer) = connected_of(side);
    let remote = serve(&server, &under);
    let talking = thread::spawn(move || talk(peer, &remote));
    iterate_until(context, || talking.is_finished());
    talking.join().unwrap();
    iterate_until(context, || under.is_closed());
}

fn a_request_is_answered_over_unix_sockets(side: Side, context: &glib::MainContext) {
    let server = Server::new();
    let (peer, ours) = UnixStream::pair().unwrap();
    let under = around(side, ours);
    let remote = serve(&server, &under);
    let talking = thread::spawn(move || talk(peer, &remote));
    iterate_until(context, || talking.is_finished());
    talking.join().unwrap();
    iterate_until(context, || under.is_closed());
}

/// libsoup 3.2.3 answers one request on a connection that it was given as a stream, and closes it; others may go
/// on. What matters is that the class makes no difference.
#[test]
fn a_second_request_on_a_connection_fares_as_over_gios_class() {
    to_the_end(|context| {
        let [gio, ours] = [Side::Gio, Side::Ours].map(|side| {
            let server = Server::new();
            let (under, mut peer) = connected_of(side);
            serve(&server, &under);
            let talking = thread::spawn(move || {
                let mut stream = BufReader::new(peer.try_clone().expect("a descriptor"));
                ask(&mut stream, "/one", b"", "");
                // Where it closes, this may be refused already.
                let second = "GET /two HTTP/1.1\r\nHost: gsock.test\r\nConnection: close\r\n\r\n";
                let _ = peer.write_all(second.as_bytes());
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
                rest.is_empty()
            });
            iterate_until(context, || talking.is_finished());
            talking.join().expect("the first is answered")
        });
        assert_eq!(gio, ours);
    });
}

fn much_is_asked_and_answered(side: Side, context: &glib::MainContext) {
    let server = Server::new();
    let (under, peer) = connected_of(side);
    let remote = serve(&server, &under);
    let body = payload(1_000_000, 81);
    let expected = answer_to("/much", &remote, &body);
    let talking = thread::spawn(move || ask(&mut BufReader::new(peer), "/much", &body, ""));
    iterate_until(context, || talking.is_finished());
    assert!(talking.join().unwrap() == expected);
}

fn several_connections_are_served_at_once(side: Side, context: &glib::MainContext) {
    let server = Server::new();
    let talking: Vec<_> = (0..8)
        .map(|_| {
            let (under, peer) = connected_of(side);
            let remote = serve(&server, &under);
            thread::spawn(move || talk(peer, &remote))
        })
        .collect();
    iterate_until(context, || {
        talking.iter().all(thread::JoinHandle::is_finished)
    });
    for talking in talking {
        talking.join().unwrap();
    }
}

fn a_peer_that_leaves_in_the_middle_is_let_go(side: Side, context: &glib::MainContext) {
    let server = Server::new();
    let ends: [fn(TcpStream); 2] = [|peer| peer.shutdown(Shutdown::Both).unwrap(), reset];
    for end in ends {
        let (under, mut peer) = connected_of(side);
        let gone = Gone::of(&*under);
        serve(&server, &under);
        drop(under);
        peer.write_all(b"POST /half HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
            .unwrap();
        while context.iteration(false) {}
        end(peer);
        iterate_until(context, || gone.is_gone());
    }
}

fn a_server_that_is_taken_down_closes_what_it_serves(side: Side, context: &glib::MainContext) {
    let server = Server::new();
    let (under, mut peer) = connected_of(side);
    serve(&server, &under);
    while context.iteration(false) {}
    server.disconnect();
    iterate_until(context, || under.is_closed());
    assert_eq!(read_to_end(&mut peer), b"");
}

/// All of it at once: the server's end is TLS over the connection, and libsoup has TLS for a stream.
fn a_request_is_answered_in_tls(side: Side, context: &glib::MainContext) {
    let server = Server::new();
    let ends = Ends::new(side);
    let local = ends.server_base.local_address().unwrap();
    let remote = ends.server_base.remote_address().unwrap().unwrap();
    server
        .accept(ends.server.upcast_ref(), &local, &remote)
        .unwrap();
    let expected = answer_to("/secret", &remote.to_string(), b"a body");
    let asking = on_thread(&ends.client, |client| {
        let head = "POST /secret HTTP/1.1\r\nHost: gsock.test\r\nContent-Length: 6\r\nConnection: close\r\n\r\na body";
        write_all(&client.output_stream(), head.as_bytes())?;
        read_exactly(&client.input_stream(), 10_000)
    });
    iterate_until(context, || asking.is_finished());
    let answer = asking.join().unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    assert!(answer.ends_with(&expected));
    iterate_until(context, || ends.server_base.is_closed());
}
