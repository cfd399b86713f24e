//! What others build on the traits: tokio's codecs through a compatibility layer, and WebSockets.

use async_tungstenite::{
    WebSocketStream, accept_async, client_async,
    tungstenite::{Error, Message},
};
use futures::{AsyncRead, AsyncWrite, SinkExt, StreamExt};
use gio::prelude::*;
use gsock::{TcpConnection, engine, prelude::*};
use tokio_util::{
    codec::{Framed, FramedRead, FramedWrite, LinesCodec},
    compat::{FuturesAsyncReadCompatExt, FuturesAsyncWriteCompatExt, TokioAsyncReadCompatExt},
};

use crate::{polling::*, tools::*};

over_both!(
    a_codec_of_tokio_runs_over_a_connection,
    codecs_of_tokio_run_over_halves_on_another_thread,
    a_codec_of_tokio_runs_in_a_task_of_glib,
    a_websocket_echoes,
    a_websocket_echoes_in_tasks_of_glib,
);

async fn echo_lines<S>(stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, stream) = Framed::new(stream.compat(), LinesCodec::new()).split();
    let mut stream = stream;
    while let Some(line) = stream.next().await {
        sink.send(line.unwrap()).await.unwrap();
    }
    SinkExt::<String>::close(&mut sink).await.unwrap();
}

async fn say_lines<S>(stream: S) -> Vec<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut lines = Framed::new(stream.compat(), LinesCodec::new());
    let mut heard = Vec::new();
    for line in ["first", "", "a third one"] {
        lines.send(line).await.unwrap();
        heard.push(lines.next().await.unwrap().unwrap());
    }
    SinkExt::<String>::close(&mut lines).await.unwrap();
    assert!(lines.next().await.is_none());
    heard
}

fn a_codec_of_tokio_runs_over_a_connection(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let echo = engine::spawn_local(context, echo_lines(other));
    let heard = run(context, say_lines(one));
    assert_eq!(heard, ["first", "", "a third one"]);
    value_of(context.block_on(echo));
}

fn codecs_of_tokio_run_over_halves_on_another_thread(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let (reader, writer) = other.halves();
    let echo = on_thread_of_its_own(
        move || {
            Box::pin(async move {
                let mut lines = FramedRead::new(reader.compat(), LinesCodec::new());
                let mut sink = FramedWrite::new(writer.compat_write(), LinesCodec::new());
                while let Some(line) = lines.next().await {
                    sink.send(line.unwrap()).await.unwrap();
                }
                SinkExt::<String>::close(&mut sink).await.unwrap();
            })
        },
        |()| (),
    );
    let heard = run(context, say_lines(one));
    assert_eq!(heard, ["first", "", "a third one"]);
    echo.join().unwrap();
}

/// And back again: what was made tokio's is one of futures' once more.
fn a_codec_of_tokio_runs_in_a_task_of_glib(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let echo = context.spawn_local(async move { echo_lines(&other).await });
    let heard = context.block_on(say_lines(one.compat().compat()));
    assert_eq!(heard, ["first", "", "a third one"]);
    context.block_on(echo).unwrap();
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> usize {
    let mut socket = accept_async(stream).await.unwrap();
    let mut count = 0;
    while let Some(message) = socket.next().await {
        let message = message.unwrap();
        if message.is_text() || message.is_binary() {
            count += 1;
            socket.send(message).await.unwrap();
        }
    }
    count
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let (mut socket, response) = client_async("ws://localhost/", stream).await.unwrap();
    assert_eq!(response.status(), 101);
    for message in [
        Message::text("a word"),
        Message::binary(payload(1 << 20, 2)),
        Message::text(""),
    ] {
        socket.send(message.clone()).await.unwrap();
        assert!(next(&mut socket).await == Some(message));
    }
    socket.close(None).await.unwrap();
    while let Some(message) = next(&mut socket).await {
        assert!(message.is_close());
    }
}

async fn next<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Option<Message> {
    match socket.next().await? {
        Ok(message) => Some(message),
        Err(Error::ConnectionClosed) => None,
        Err(error) => panic!("{error}"),
    }
}

fn a_websocket_echoes(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let one: TcpConnection = one.downcast().expect("made by the factory");
    // The server's end goes with its task: a client waits for that.
    let server = engine::spawn_local(context, serve(other));
    run(context, ask(one.clone()));
    assert_eq!(value_of(context.block_on(server)), 3);
    assert!(one.bytes_written() > 1 << 20 && one.bytes_read() > 1 << 20);
}

fn a_websocket_echoes_in_tasks_of_glib(make: Make, context: &glib::MainContext) {
    let (one, other) = pair(make);
    let server = context.spawn_local(async move { serve(&other).await });
    context.block_on(ask(&one));
    assert_eq!(context.block_on(server).unwrap(), 3);
    one.close(gio::Cancellable::NONE).unwrap();
}
