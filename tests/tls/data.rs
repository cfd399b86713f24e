//! Data through TLS: in every form, small and large.

use std::time::Duration;

use gio::{Cancellable, IOErrorEnum, prelude::*};

use crate::{pairs::*, scene::*, support::*, tools::*, under::*};

on_both_to_the_end!(
    megabytes_both_ways_on_threads,
    megabytes_both_ways_by_callbacks,
    megabytes_both_ways_in_futures,
    small_messages_are_not_held_back,
    without_waiting_and_with_sources,
    a_read_that_waits_is_cancelled_and_loses_nothing,
    two_threads_read_and_write_at_once,
    another_thread_goes_on_in_a_context_of_its_own,
);

const MUCH: usize = 3 * 1024 * 1024 + 4_321;

fn megabytes_both_ways_on_threads(side: Side, _: &glib::MainContext) {
    let ends = Ends::new(side);
    let echo = echo_on_thread(ends.server.upcast_ref());
    let sent = payload(MUCH, 41);
    let bytes = sent.clone();
    let writing = on_thread(&ends.client.output_stream(), move |output| {
        write_all(output, &bytes)
    });
    let read = read_exactly(&ends.client.input_stream(), MUCH).unwrap();
    assert!(read == sent);
    writing.join().unwrap().unwrap();
    ends.client.close(Cancellable::NONE).unwrap();
    assert_eq!(echo.join().unwrap(), Ok(MUCH));
}

fn start_write_all(output: &gio::OutputStream, bytes: Vec<u8>) -> Slot<Result<usize, glib::Error>> {
    let slot = Slot::new();
    let put = slot.put();
    output.write_all_async(bytes, DEFAULT, Cancellable::NONE, move |result| {
        put(match result {
            Ok((_, count, None)) => Ok(count),
            Ok((_, _, Some(failure))) | Err((_, failure)) => Err(failure),
        });
    });
    slot
}

fn start_read_all(input: &gio::InputStream, count: usize) -> Slot<Result<Vec<u8>, glib::Error>> {
    let slot = Slot::new();
    let put = slot.put();
    input.read_all_async(vec![0; count], DEFAULT, Cancellable::NONE, move |result| {
        put(match result {
            Ok((mut bytes, count, None)) => {
                bytes.truncate(count);
                Ok(bytes)
            }
            Ok((_, _, Some(failure))) | Err((_, failure)) => Err(failure),
        });
    });
    slot
}

fn megabytes_both_ways_by_callbacks(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let (there, back) = (payload(MUCH, 42), payload(MUCH, 43));
    let writes = [
        start_write_all(&ends.client.output_stream(), there.clone()),
        start_write_all(&ends.server.output_stream(), back.clone()),
    ];
    let at_client = start_read_all(&ends.client.input_stream(), MUCH);
    let at_server = start_read_all(&ends.server.input_stream(), MUCH);
    assert!(at_server.wait(context).unwrap() == there);
    assert!(at_client.wait(context).unwrap() == back);
    for write in writes {
        assert_eq!(write.wait(context), Ok(MUCH));
    }
}

fn megabytes_both_ways_in_futures(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let (client, server) = (ends.client.clone(), ends.server.clone());
    let (there, back) = (payload(MUCH, 44), payload(MUCH, 45));
    let sent = (there.clone(), back.clone());
    let (at_server, at_client) = block_on(context, async move {
        let (wrote_there, wrote_back, at_server, at_client) = futures::join!(
            client.output_stream().write_all_future(sent.0, DEFAULT),
            server.output_stream().write_all_future(sent.1, DEFAULT),
            server
                .input_stream()
                .read_all_future(vec![0; MUCH], DEFAULT),
            client
                .input_stream()
                .read_all_future(vec![0; MUCH], DEFAULT),
        );
        for wrote in [wrote_there, wrote_back] {
            let (_, count, partial) = wrote.plain().unwrap();
            assert_eq!((count, partial), (MUCH, None));
        }
        (at_server.plain().unwrap(), at_client.plain().unwrap())
    });
    assert!(at_server.0 == there);
    assert!(at_client.0 == back);
}

fn small_messages_are_not_held_back(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    for message in [&b"one"[..], b"another", b"3", b"and a last one"] {
        let reading = start_read(&ends.server.input_stream(), 64, None);
        let writing = start_write(&ends.client.output_stream(), message.to_vec(), None);
        assert_eq!(writing.wait(context), Ok(message.len()));
        assert_eq!(reading.wait(context).unwrap(), message);
        let reading = start_read(&ends.client.input_stream(), 64, None);
        let writing = start_write(&ends.server.output_stream(), message.to_vec(), None);
        assert_eq!(writing.wait(context), Ok(message.len()));
        assert_eq!(reading.wait(context).unwrap(), message);
    }
}

fn without_waiting_and_with_sources(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    // What follows a handshake of TLS 1.3 is taken in by the read.
    let nothing = read_now(&ends.client, 8);
    assert_fails(nothing, IOErrorEnum::WouldBlock);
    let input = pollable_input(&ends.client);
    assert!(!input.is_readable());
    let fired = Slot::new();
    let put = std::cell::Cell::new(Some(fired.put()));
    let source = input.create_source(
        Cancellable::NONE,
        Some("TLS"),
        glib::Priority::DEFAULT,
        move |_| {
            if let Some(put) = put.take() {
                put(());
            }
            glib::ControlFlow::Break
        },
    );
    source.attach(Some(context));
    settle(context, Duration::from_millis(20));
    assert!(!fired.is_set());
    let output = pollable_output(&ends.server);
    assert!(output.is_writable());
    assert_eq!(
        output.write_nonblocking(b"told by a source", Cancellable::NONE),
        Ok(16)
    );
    fired.wait(context);
    assert!(input.is_readable());
    assert_eq!(read_now(&ends.client, 4).unwrap(), b"told");
    // The rest is in TLS, which does not say so of itself, and no longer in the socket.
    assert!(!pollable_input(&*ends.client_base).is_readable());
    assert_eq!(read_now(&ends.client, 64).unwrap(), b" by a source");
    assert_fails(read_now(&ends.client, 8), IOErrorEnum::WouldBlock);
}

fn a_read_that_waits_is_cancelled_and_loses_nothing(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let input = ends.client.input_stream();
    let cancellable = Cancellable::new();
    let reading = start_read(&input, 8, Some(&cancellable));
    settle(context, Duration::from_millis(20));
    assert!(!reading.is_set());
    cancellable.cancel();
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    write_all(&ends.server.output_stream(), b"kept").unwrap();
    assert_eq!(start_read(&input, 8, None).wait(context).unwrap(), b"kept");
}

/// G-5, through TLS: the streams of one connection on two threads, at both ends.
fn two_threads_read_and_write_at_once(side: Side, _: &glib::MainContext) {
    const COUNT: usize = 1024 * 1024;
    let ends = Ends::shaken(side);
    let all = [(&ends.client, 46), (&ends.server, 47)].map(|(end, seed)| {
        let writing = on_thread(&end.output_stream(), move |output| {
            write_all(output, &payload(COUNT, seed))
        });
        let reading = on_thread(&end.input_stream(), |input| read_exactly(input, COUNT));
        (writing, reading, seed)
    });
    for ((writing, reading, _), seed) in all.into_iter().zip([47, 46]) {
        writing.join().unwrap().unwrap();
        assert!(reading.join().unwrap().unwrap() == payload(COUNT, seed));
    }
}

/// Handed over between two operations, as programs do that have a thread for each peer.
fn another_thread_goes_on_in_a_context_of_its_own(side: Side, context: &glib::MainContext) {
    let ends = Ends::shaken(side);
    let reading = start_read(&ends.server.input_stream(), 64, None);
    let elsewhere = on_thread(&ends.client, |client| {
        let context = glib::MainContext::new();
        let talk = |context: &glib::MainContext| {
            let wrote = start_write(&client.output_stream(), b"from elsewhere".to_vec(), None);
            let reading = start_read(&client.input_stream(), 64, None);
            (wrote.wait(context), reading.wait(context))
        };
        context
            .with_thread_default(|| talk(&context))
            .expect("a new context has no owner")
    });
    assert_eq!(reading.wait(context).unwrap(), b"from elsewhere");
    let wrote = start_write(&ends.server.output_stream(), b"and back".to_vec(), None);
    assert_eq!(wrote.wait(context), Ok(8));
    let (wrote, read) = elsewhere.join().unwrap();
    assert_eq!(wrote, Ok(14));
    assert_eq!(read.unwrap(), b"and back");
    // And back on the first.
    let reading = start_read(&ends.client.input_stream(), 64, None);
    write_all(&ends.server.output_stream(), b"home").unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"home");
}
