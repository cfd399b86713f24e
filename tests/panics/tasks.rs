//! Tasks of an engine, its sources and its poll function.

use std::{cell::Cell, io::Write, rc::Rc, time::Duration};

use gsock::{Framed, Framing, Reconnector, SocketClient, engine, prelude::*};

use crate::{
    scene::{NONE, Scene, play},
    support::*,
};

fn runs(scene: &Scene<'_>) {
    let (connection, mut peer) = scene.connected();
    let (mut reading, mut writing) = connection.halves();
    peer.write_all(b"xy").expect("room");
    let task = engine::spawn_local(scene.context, async move {
        let mut byte = [0];
        reading.read(&mut byte).await?;
        writing.write_all(&byte).await
    });
    let ended = Rc::new(Cell::new(false));
    let end = ended.clone();
    let outcome = scene.await_it(async move {
        let outcome = task.await;
        end.set(true);
        // A panic is a result.
        outcome.unwrap_or_else(|_| Err(glib::Error::new(gio::IOErrorEnum::Failed, "a panic")))
    });
    let _ = outcome;
    assert!(ended.get());
    drop(connection);
    scene.ends(&mut peer);
}

#[test]
fn a_task() {
    play(runs);
}

#[test]
fn a_task_where_the_context_waits_by_the_poller() {
    play(|scene| {
        // A back end without a poller has no such function.
        if engine::use_poll_function(scene.context, true).is_ok() {
            for _ in 0..3 {
                runs(scene);
            }
            engine::use_poll_function(scene.context, false).expect("ours");
        } else {
            runs(scene);
        }
    });
}

#[test]
fn frames() {
    play(|scene| {
        let (connection, mut peer) = scene.connected();
        let framed = Framed::new(&connection, Framing::Lines);
        for _ in 0..2 {
            peer.write_all(b"one\ntwo\n").expect("room");
            scene.await_it(framed.read_frame_future());
            scene.call(|| framed.read_frame(NONE));
            scene.call(|| framed.write_frame(glib::Bytes::from_static(b"three"), NONE));
            while scene.context.iteration(false) {}
        }
        scene.await_it(framed.close_future());
        drop((framed, connection));
        scene.ends(&mut peer);
    });
}

#[test]
fn a_reconnector() {
    play(|scene| {
        let (listener, address) = listener();
        let reconnector = Reconnector::new(&SocketClient::new(), &gio_address(address));
        reconnector.start();
        // Who has lost where to connect to tries until he is stopped.
        let stopped = reconnector.clone();
        let late = glib::source::timeout_source_new(
            Duration::from_secs(1),
            None,
            glib::Priority::DEFAULT,
            move || {
                stopped.stop();
                glib::ControlFlow::Break
            },
        );
        late.attach(Some(scene.context));
        scene.await_it(reconnector.wait_connected_future());
        reconnector.stop();
        late.destroy();
        drop(reconnector);
        while scene.context.iteration(false) {}
        listener.set_nonblocking(true).expect("an option");
        while let Ok((mut peer, _)) = listener.accept() {
            peer.set_nonblocking(false).expect("an option");
            scene.ends(&mut peer);
        }
    });
}
