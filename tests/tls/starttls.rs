//! TLS that begins on a connection which has been talking before.

use gio::{Cancellable, prelude::*};
use gsock::{Framed, Framing};

use crate::{pairs::*, scene::*, support::*, tools::*, under::*};

on_both_to_the_end!(
    lines_first_then_tls,
    a_client_that_does_not_wait_for_the_answer_loses_nothing,
    lines_first_then_tls_in_futures,
);

/// One line, byte by byte, so that nothing behind it is taken.
fn read_line(input: &gio::InputStream) -> Result<String, glib::Error> {
    let mut line = Vec::new();
    loop {
        let byte = read_exactly(input, 1)?;
        match byte.first() {
            Some(b'\n') | None => return Ok(String::from_utf8_lossy(&line).into_owned()),
            Some(byte) => line.push(*byte),
        }
    }
}

/// What a server says before TLS, in it, and how much of it there was.
fn serve(base: &gio::IOStream, certificate: &gio::TlsCertificate) -> Result<usize, glib::Error> {
    let (input, output) = (base.input_stream(), base.output_stream());
    write_all(&output, b"* ready\n")?;
    loop {
        let line = read_line(&input)?;
        write_all(&output, format!("OK {line}\n").as_bytes())?;
        if line == "STARTTLS" {
            break;
        }
    }
    let server = server_over(base, certificate);
    server.handshake(Cancellable::NONE)?;
    let (input, output) = (server.input_stream(), server.output_stream());
    let mut sum = 0;
    loop {
        let mut buffer = [0; 30_000];
        let count = input.read(&mut buffer, Cancellable::NONE)?;
        if count == 0 {
            server.close(Cancellable::NONE)?;
            return Ok(sum);
        }
        write_all(&output, &buffer[..count])?;
        sum += count;
    }
}

const COUNT: usize = 300_000;

fn talk_in_tls(client: &gio::TlsConnection) {
    let sent = payload(COUNT, 51);
    let bytes = sent.clone();
    let writing = on_thread(&client.output_stream(), move |output| {
        write_all(output, &bytes)
    });
    let read = read_exactly(&client.input_stream(), COUNT).unwrap();
    assert!(read == sent);
    writing.join().unwrap().unwrap();
    client.close(Cancellable::NONE).unwrap();
}

fn lines_first_then_tls(side: Side, _: &glib::MainContext) {
    let authority = Authority::new();
    let (base, server_base) = base_pair(side);
    let certificate = authority.certify();
    let serving = on_thread(&(server_base, certificate), |(base, certificate)| {
        serve(base, certificate)
    });
    let lines = gio::DataInputStream::new(&base.input_stream());
    lines.set_close_base_stream(false);
    let line = || lines.read_line_utf8(Cancellable::NONE).unwrap().unwrap();
    assert_eq!(line(), "* ready");
    for command in ["CAPABILITY", "NOOP", "STARTTLS"] {
        write_all(&base.output_stream(), format!("{command}\n").as_bytes()).unwrap();
        assert_eq!(line(), format!("OK {command}"));
    }
    // Nobody sends before he is asked: nothing of TLS is in the stream of lines.
    assert_eq!(lines.available(), 0);
    drop(lines);
    assert!(!base.input_stream().is_closed());
    let client = client_over(&base, &authority);
    client.handshake(Cancellable::NONE).unwrap();
    talk_in_tls(&client);
    assert_eq!(serving.join().unwrap(), Ok(COUNT));
}

/// The first bytes of TLS are in the socket behind the line when the server reads it.
fn a_client_that_does_not_wait_for_the_answer_loses_nothing(
    side: Side,
    context: &glib::MainContext,
) {
    let authority = Authority::new();
    let (base, server_base) = base_pair(side);
    write_all(&base.output_stream(), b"STARTTLS\n").unwrap();
    // The answers come in plain text, so that the client must not see them.
    let server_input = server_base.input_stream();
    let client = client_over(&base, &authority);
    let shaken = Slot::new();
    client.handshake_async(DEFAULT, Cancellable::NONE, shaken.put());
    wait_until(|| pollable_input(&*server_base).is_readable());
    settle(context, std::time::Duration::from_millis(20));
    assert_eq!(read_line(&server_input).unwrap(), "STARTTLS");
    let server = server_over(&server_base, &authority.certify());
    let echo = echo_on_thread(server.upcast_ref());
    assert_eq!(shaken.wait(context), Ok(()));
    talk_in_tls(&client);
    assert_eq!(echo.join().unwrap(), Ok(COUNT));
}

fn lines_first_then_tls_in_futures(side: Side, context: &glib::MainContext) {
    let authority = Authority::new();
    let (base, server_base) = base_pair(side);
    let certificate = authority.certify();
    let database = authority.database();
    let serving = on_thread(&(server_base, certificate), |(base, certificate)| {
        serve(base, certificate)
    });
    let (read, sent) = block_on(context, async move {
        let lines = gio::DataInputStream::new(&base.input_stream());
        lines.set_close_base_stream(false);
        assert_eq!(
            lines.read_line_utf8_future(DEFAULT).await.unwrap().unwrap(),
            "* ready"
        );
        let output = base.output_stream();
        let wrote = output.write_all_future(b"STARTTLS\n", DEFAULT).await;
        assert_eq!(wrote.plain().unwrap().1, 9);
        assert_eq!(
            lines.read_line_utf8_future(DEFAULT).await.unwrap().unwrap(),
            "OK STARTTLS"
        );
        drop(lines);
        let client = untrusting_client_over(&base);
        client.set_database(Some(&database));
        client.handshake_future(DEFAULT).await.unwrap();
        let sent = payload(COUNT, 52);
        let (wrote, read) = futures::join!(
            client
                .output_stream()
                .write_all_future(sent.clone(), DEFAULT),
            client
                .input_stream()
                .read_all_future(vec![0; COUNT], DEFAULT),
        );
        assert_eq!(wrote.plain().unwrap().1, COUNT);
        client.close_future(DEFAULT).await.unwrap();
        (read.plain().unwrap().0, sent)
    });
    assert!(read == sent);
    assert_eq!(serving.join().unwrap(), Ok(COUNT));
}

/// What somebody on the way has put behind the line that agrees on TLS is not taken for a word of the peer within it. With
/// read-ahead it is dropped with the stream of before; without, TLS gets it, and fails.
#[test]
fn what_was_said_before_tls_is_not_taken_for_what_is_said_in_it() {
    on_private_context(|_| {
        for (is_client, reads_ahead) in [(true, true), (false, true), (true, false), (false, false)]
        {
            let authority = Authority::new();
            let (ours, theirs) = base_pair(Side::Ours);
            write_all(&theirs.output_stream(), b"STARTTLS\nsaid before\nhalf").unwrap();
            let framed = Framed::new(&*ours, Framing::Lines);
            framed.set_read_ahead(reads_ahead);
            let line = framed.read_frame(Cancellable::NONE).unwrap().unwrap();
            assert_eq!(&*line, b"STARTTLS");
            let (tls, other) = if is_client {
                let other = server_over(&theirs, &authority.certify());
                (client_over(&ours, &authority), other)
            } else {
                let other = client_over(&theirs, &authority);
                (server_over(&ours, &authority.certify()), other)
            };
            let talking = on_thread(&other, |other| {
                other.handshake(Cancellable::NONE)?;
                write_all(&other.output_stream(), b"said within\n")
            });
            framed.set_io_stream(Some(&tls));
            let within = framed.read_frame(Cancellable::NONE);
            if reads_ahead {
                assert_eq!(&*within.unwrap().unwrap(), b"said within", "{is_client}");
                talking.join().unwrap().unwrap();
            } else {
                within.unwrap_err();
                let _ = ours.close(Cancellable::NONE);
                talking.join().unwrap().unwrap_err();
            }
        }
    });
}
