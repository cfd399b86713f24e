//! What is of frames, in Rust, as the documentation shows it; see operations.rs.

use std::os::{
    fd::{AsFd, BorrowedFd},
    unix::net::UnixStream,
};

use gio::prelude::*;
use glib::Bytes;
use gsock::{Framed, Framing, SocketConnection, UnixConnection, prelude::*};

use super::{Outcome, in_time};

// {gsock_framed_new gsock_framed_send gsock_framed_flush gsock_framed_read_frame}
fn ask(stream: &gio::IOStream, question: &[u8]) -> Result<Option<Bytes>, glib::Error> {
    let framed = Framed::new(stream, Framing::Lines);
    // Queued; in a main loop it is written by itself.
    framed.send(question)?;
    framed.flush(gio::Cancellable::NONE)?;
    // None is the end.
    framed.read_frame(gio::Cancellable::NONE)
}
// {}

// {gsock_framed_read_frame_async gsock_framed_read_frame_finish}
async fn read_later(framed: &Framed) -> Result<Option<Bytes>, glib::Error> {
    // Dropped, it has lost nothing.
    framed.read_frame_future().await
}
// {}

// {gsock_framed_write_frame}
fn write_now(framed: &Framed, frame: &[u8]) -> Result<(), glib::Error> {
    // Waits for room, and until it is written.
    framed.write_frame(frame, gio::Cancellable::NONE)
}
// {}

// {gsock_framed_write_frame_async gsock_framed_write_frame_finish}
async fn write_later(framed: &Framed, frame: &[u8]) -> Result<(), glib::Error> {
    framed.write_frame_future(frame).await
}
// {}

// {gsock_framed_send_exact gsock_framed_read_exact}
fn send_a_body(framed: &Framed, body: &[u8]) -> Result<(), glib::Error> {
    framed.send(body.len().to_string().as_bytes())?;
    framed.send_exact(body)?;
    framed.flush(gio::Cancellable::NONE)
}

fn read_a_body(framed: &Framed) -> Result<Bytes, Box<dyn std::error::Error>> {
    let line = framed.read_frame(gio::Cancellable::NONE)?;
    let length = std::str::from_utf8(&line.ok_or("the end")?)?.parse()?;
    Ok(framed.read_exact(length, gio::Cancellable::NONE)?)
}
// {}

// {gsock_framed_read_exact_async gsock_framed_read_exact_finish}
async fn read_exactly_later(framed: &Framed, count: usize) -> Result<Bytes, glib::Error> {
    framed.read_exact_future(count).await
}
// {}

// {gsock_framed_take_buffered}
fn nothing_was_sent_ahead(framed: &Framed) -> bool {
    framed.take_buffered().is_empty()
}
// {}

// {gsock_framed_flush_async gsock_framed_flush_finish}
async fn flush_later(framed: &Framed) -> Result<(), glib::Error> {
    framed.flush_future().await
}
// {}

// {gsock_framed_close}
fn close_now(framed: &Framed) -> Result<(), glib::Error> {
    // Writes what is queued first.
    framed.close(gio::Cancellable::NONE)
}
// {}

// {gsock_framed_close_async gsock_framed_close_finish}
async fn close_later(framed: &Framed) -> Result<(), glib::Error> {
    framed.close_future().await
}
// {}

// {gsock_framed_send_with_fds}
fn send_a_file(framed: &Framed, name: &[u8], file: BorrowedFd<'_>) -> Result<(), glib::Error> {
    framed.send_with_fds(name, &[file])
}
// {}

// {GsockFramed:io-stream}
fn go_on_with(framed: &Framed, stream: &gio::IOStream) {
    if framed.io_stream().as_ref() != Some(stream) {
        framed.set_io_stream(Some(stream));
    }
}
// {}

// {GsockFramed:framing :prefix-size :byte-order :crlf}
fn with_short_lengths() -> Framed {
    let order = gio::DataStreamByteOrder::LittleEndian;
    let framed = Framed::builder()
        .framing(Framing::LengthPrefixed)
        .prefix_size(2)
        .byte_order(order)
        .crlf(false)
        .build();
    assert_eq!(framed.framing(), Framing::LengthPrefixed);
    assert_eq!((framed.prefix_size(), framed.byte_order()), (2, order));
    framed
}
// {}

// {GsockFramed:max-frame-size :read-ahead :high-water :low-water :max-pending-bytes :keep-queue}
fn set_bounds(framed: &Framed) {
    framed.set_max_frame_size(2 * framed.max_frame_size());
    framed.set_high_water(framed.max_pending_bytes() / 2);
    framed.set_low_water(framed.high_water() / 2);
    framed.set_max_pending_bytes(4 * framed.low_water());
    // For what follows a frame and is for somebody else, and for a stream that is replaced.
    framed.set_read_ahead(!framed.read_ahead());
    framed.set_keep_queue(!framed.keep_queue());
}
// {}

// {GsockFramed:pending-bytes :pending-frames :congested :last-error}
fn is_at_rest(framed: &Framed) -> bool {
    let queued = (framed.pending_bytes(), framed.pending_frames());
    queued == (0, 0) && !framed.is_congested() && framed.last_error().is_none()
}
// {}

// {GsockFramed::drained GsockFramed::error}
fn hear_of_the_queue(framed: &Framed, drained: impl Fn() + 'static) {
    framed.connect_drained(move |_framed| drained());
    framed.connect_error(|_framed, error| println!("not written: {error}"));
}
// {}

async fn run() -> Outcome {
    let (ours, theirs) = UnixStream::pair()?;
    let ours = SocketConnection::factory_create_connection_from_fd(ours.into())?;
    let theirs = SocketConnection::factory_create_connection_from_fd(theirs.into())?;
    let there = Framed::new(&theirs, Framing::Lines);
    write_now(&there, b"text")?;
    let answer = ask(ours.upcast_ref(), b"question")?;
    assert_eq!(answer.as_deref(), Some(&b"text"[..]));
    let question = there.read_frame(gio::Cancellable::NONE)?;
    assert_eq!(question.as_deref(), Some(&b"question"[..]));

    drop(with_short_lengths());
    let here = Framed::builder().build();
    go_on_with(&here, ours.upcast_ref());
    write_later(&here, b"text").await?;
    assert_eq!(read_later(&there).await?.as_deref(), Some(&b"text"[..]));
    send_a_body(&here, b"text")?;
    assert_eq!(&read_a_body(&there)?[..], b"text");
    send_a_body(&here, b"text")?;
    assert_eq!(read_later(&there).await?.as_deref(), Some(&b"4"[..]));
    assert_eq!(&read_exactly_later(&there, 4).await?[..], b"text");
    assert!(nothing_was_sent_ahead(&there));

    set_bounds(&there);
    send_a_file(&here, b"text", std::io::stdout().as_fd())?;
    flush_later(&here).await?;
    assert_eq!(read_later(&there).await?.as_deref(), Some(&b"text"[..]));
    let theirs = theirs.downcast::<UnixConnection>();
    let theirs = theirs.map_err(|_| "another class")?;
    theirs.receive_fd(gio::Cancellable::NONE)?;

    here.set_high_water(1);
    gio::GioFuture::new(&here, |here, _, send| {
        let send = std::cell::Cell::new(Some(send));
        hear_of_the_queue(here, move || {
            if let Some(send) = send.take() {
                send.resolve(());
            }
        });
        here.send(b"text").expect("there is room");
        assert!(!is_at_rest(here));
    })
    .await;
    assert!(is_at_rest(&here));
    close_later(&here).await?;
    close_now(&there)?;
    Ok(())
}

#[test]
fn the_frames_of_the_documentation_do_what_they_say() {
    in_time(run());
}
