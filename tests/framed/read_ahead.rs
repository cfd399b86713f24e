//! What stays in the stream for who comes next.

use std::{io::Write, thread};

use gio::prelude::*;
use gsock::{Framed, Framing, SocketConnectionExt};

use crate::{support::*, tools::*};

fn careful(stream: &impl IsA<gio::IOStream>, framing: Framing) -> Framed {
    Framed::builder()
        .io_stream(stream)
        .framing(framing)
        .read_ahead(false)
        .build()
}

/// FRAMED-7.
#[test]
fn without_reading_ahead_no_byte_after_the_frame_is_taken() {
    on_private_context(|context| {
        for (framing, frame) in [
            (Framing::Lines, &b"first\r\n"[..]),
            (Framing::JsonLines, b" \n[1]\n"),
            (Framing::LengthPrefixed, b"\0\0\0\x05first"),
        ] {
            for kind in 0..KINDS {
                for is_blocking in [true, false] {
                    let (ours, base, mut theirs) = stream_of(kind);
                    theirs.write_all(frame).expect("written");
                    theirs.write_all(b"rest").expect("written");
                    let framed = careful(&ours, framing);
                    let got = if is_blocking {
                        framed.read_frame(NONE)
                    } else {
                        block_on(context, framed.read_frame_future())
                    };
                    assert!(matches!(got, Ok(Some(_))));
                    assert!(framed.take_buffered().is_empty());
                    let rest = ours.input_stream().read_bytes(4, NONE).expect("there");
                    assert_eq!(&rest[..], b"rest", "{framing:?} {kind}");
                    drop(base);
                }
            }
        }
    });
}

/// FRAMED-7.
#[test]
fn without_reading_ahead_exactly_is_exactly() {
    let (ours, mut theirs) = pair();
    theirs.write_all(b"literalrest").expect("written");
    let framed = careful(&ours, Framing::Lines);
    assert_eq!(&framed.read_exact(7, NONE).expect("there")[..], b"literal");
    assert_eq!(ours.bytes_read(), 7);
}

#[test]
fn a_long_line_is_found_in_steps() {
    for length in [4_095, 4_096, 4_097, 20_000] {
        let (ours, mut theirs) = pair();
        let line = "x".repeat(length);
        let bytes = format!("{line}\nrest");
        theirs.write_all(bytes.as_bytes()).expect("written");
        let framed = careful(&ours, Framing::Lines);
        assert_eq!(next(&framed), line);
        assert_eq!(ours.bytes_read(), length as u64 + 1);
    }
}

#[test]
fn many_small_frames_come_with_one_read() {
    on_private_context(|_| {
        let (ours, mut theirs) = pair();
        theirs
            .write_all(&b"0123456\n".repeat(500))
            .expect("written");
        let framed = Framed::new(&ours, Framing::Lines);
        assert_eq!(next(&framed), "0123456");
        assert_eq!(ours.bytes_read(), 4_000);
        assert_eq!(framed.take_buffered().len(), 4_000 - 8);
        assert!(framed.take_buffered().is_empty());
    });
}

/// FRAMED-7.
#[test]
fn after_a_line_the_same_stream_can_be_given_to_tls() {
    let (ours, theirs) = pair();
    let (server_certificate, is_ok) = certificate();
    let server = thread::spawn(move || {
        let theirs = over(theirs);
        let plain = careful(&theirs, Framing::Lines);
        assert_eq!(next(&plain), "STARTTLS");
        plain.write_frame(b"OK", NONE).expect("written");
        let tls = gio::TlsServerConnection::new(&theirs, Some(&server_certificate.get()));
        let framed = Framed::new(&tls.expect("a backend"), Framing::Lines);
        assert_eq!(next(&framed), "hello");
        framed.write_frame(b"over TLS", NONE).expect("written");
        assert_eq!(next(&framed), "END");
    });
    let framed = careful(&ours, Framing::Lines);
    framed.write_frame(b"STARTTLS", NONE).expect("written");
    assert_eq!(next(&framed), "OK");
    assert!(framed.take_buffered().is_empty());
    let tls = gio::TlsClientConnection::new(&ours, None::<&gio::SocketConnectable>);
    let tls = tls.expect("a backend");
    tls.connect_accept_certificate(move |_, certificate, _| is_ok.is(certificate));
    framed.set_io_stream(Some(&tls));
    framed.set_read_ahead(true);
    framed.write_frame(b"hello", NONE).expect("written");
    assert_eq!(next(&framed), "over TLS");
    framed.close(NONE).expect("closed");
    server.join().expect("served");
}
