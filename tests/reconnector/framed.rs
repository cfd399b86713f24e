//! Frames over a connection that is made again.

use std::io::{BufRead, BufReader, Write};

use gio::{Cancellable, prelude::*};
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

/// RECONNECT-2: frames go on through each socket, those too that were sent while there was none.
#[test]
fn frames_go_on_over_the_next_connection() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let framed = Framed::builder()
            .framing(Framing::Lines)
            .keep_queue(true)
            .build();
        scene
            .reconnector
            .bind_property("io-stream", &framed, "io-stream")
            .sync_create()
            .build();
        scene.reconnector.start();
        for round in 0..3 {
            let peer = scene.accept();
            let mut lines = BufReader::new(peer.try_clone().unwrap());
            let mut line = String::new();
            if round > 0 {
                // Written by itself, in the main loop.
                let flushed = framed.flush_future();
                block_on(context, flushed).unwrap();
                lines.read_line(&mut line).unwrap();
                assert_eq!(line, format!("meanwhile {round}\n"));
                line.clear();
            }
            framed.send(format!("here {round}").as_bytes()).unwrap();
            framed.flush(Cancellable::NONE).unwrap();
            lines.read_line(&mut line).unwrap();
            assert_eq!(line, format!("here {round}\n"));
            (&peer).write_all(b"there\n").unwrap();
            let frame = block_on(context, framed.read_frame_future()).unwrap();
            assert_eq!(frame.as_deref(), Some(&b"there"[..]));
            scene.go_away();
            drop((peer, lines));
            scene.until_lost();
            framed
                .send(format!("meanwhile {}", round + 1).as_bytes())
                .unwrap();
            scene.come_back();
        }
    });
}
