//! Reading and writing through halves, wrappers and the direct entry.

mod support;

use gsock::{engine, prelude::*};
use std::{
    cell::RefCell,
    io::{Read, Write},
    rc::Rc,
};
use support::*;

#[test]
fn an_echo_goes_through_both_halves() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let (mut reader, mut writer) = connection.halves();
        let task = engine::spawn_local(context, async move {
            let mut buffer = [0; 16];
            for _ in 0..100 {
                writer.write_all(b"ping").await.unwrap();
                let count = reader.read(&mut buffer).await.unwrap();
                assert_eq!(&buffer[..count], b"pong");
            }
            writer.shutdown().await.unwrap();
            assert_eq!(reader.read(&mut buffer).await.unwrap(), 0);
        });
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4];
            for _ in 0..100 {
                peer.read_exact(&mut buffer).unwrap();
                assert_eq!(&buffer, b"ping");
                peer.write_all(b"pong").unwrap();
            }
            assert_eq!(peer.read(&mut buffer).unwrap(), 0);
        });
        context.block_on(task).unwrap();
        thread.join().unwrap();
        assert_eq!(connection.bytes_read(), 400);
    });
}

#[test]
fn the_direct_entry_echoes() {
    on_private_context(|context| {
        let (connection, mut peer) = connected_bare();
        let done = Rc::new(RefCell::new(None));
        let slot = done.clone();
        connection.send_async(
            glib::Bytes::from_static(b"ping"),
            glib::Priority::DEFAULT,
            gio::Cancellable::NONE,
            move |connection, result| {
                assert_eq!(result.unwrap(), 4);
                connection.receive_async(
                    vec![0; 16],
                    glib::Priority::DEFAULT,
                    gio::Cancellable::NONE,
                    move |_, buffer, result| {
                        *slot.borrow_mut() = Some(buffer[..result.unwrap()].to_vec());
                    },
                );
            },
        );
        let mut buffer = [0; 4];
        iterate_for(context, std::time::Duration::from_millis(20));
        peer.read_exact(&mut buffer).unwrap();
        peer.write_all(b"pong").unwrap();
        iterate_until(context, || done.borrow().is_some());
        assert_eq!(done.borrow().as_deref().unwrap(), b"pong");
    });
}
