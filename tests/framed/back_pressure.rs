//! A queue that has bounds, and peers that are slow.

use std::{cell::RefCell, io::Read, rc::Rc};

use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

/// FRAMED-8.
#[test]
fn a_full_queue_takes_nothing_until_there_is_room() {
    let framed = Framed::builder()
        .max_pending_bytes(10)
        .keep_queue(true)
        .build();
    // With what ends a line.
    framed.send(b"0123").expect("queued");
    framed.send(b"0123").expect("queued");
    assert_eq!(framed.pending_bytes(), 10);
    for frame in [&b""[..], b"a", b"0123456789"] {
        assert_fails(framed.send(frame), gio::IOErrorEnum::WouldBlock);
    }
    assert_eq!((framed.pending_bytes(), framed.pending_frames()), (10, 2));
    // It asks to be waited for, whatever the high water is.
    assert!(framed.is_congested());
}

/// FRAMED-8.
#[test]
fn a_single_frame_may_be_larger_than_the_queue() {
    let framed = Framed::builder()
        .max_pending_bytes(10)
        .keep_queue(true)
        .build();
    framed.send(b"0123456789").expect("queued");
    assert_fails(framed.send(b""), gio::IOErrorEnum::WouldBlock);
}

/// FRAMED-9.
#[test]
fn a_slow_peer_makes_the_queue_congested_and_a_quick_one_drains_it() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::builder()
            .io_stream(&ours)
            .framing(Framing::LengthPrefixed)
            .build();
        let told = Rc::new(RefCell::new(Vec::new()));
        let notes = told.clone();
        framed.connect_congested_notify(move |framed| {
            notes
                .borrow_mut()
                .push(format!("congested {}", framed.is_congested()));
        });
        let notes = told.clone();
        framed.connect_drained(move |framed| {
            assert!(framed.pending_bytes() <= framed.low_water());
            notes.borrow_mut().push("drained".to_owned());
        });
        let mut sent = 0;
        while framed.send(&[7; 1000]).is_ok() {
            sent += 1;
            if sent % 16 == 0 {
                context.iteration(false);
            }
        }
        assert!(framed.is_congested());
        iterate_until(context, || !told.borrow().is_empty());
        assert_eq!(*told.borrow(), ["congested true"]);
        theirs.set_nonblocking(true).expect("set");
        let mut got = 0;
        let mut buffer = [0; 4096];
        iterate_until(context, || {
            got += theirs.read(&mut buffer).unwrap_or(0);
            got == sent * 1004
        });
        iterate_until(context, || told.borrow().len() == 3);
        assert_eq!(
            *told.borrow(),
            ["congested true", "congested false", "drained"]
        );
        assert_eq!(framed.pending_bytes(), 0);
    });
}

#[test]
fn nothing_is_read_while_nobody_reads_frames() {
    on_private_context(|context| {
        let (ours, theirs) = pair();
        let framed = Framed::new(&ours, Framing::Lines);
        let theirs = Framed::new(&over(theirs), Framing::Lines);
        let mut sent = 0;
        // Until the peer's queue is full, which no kernel takes for ever.
        while theirs.send(&[b'x'; 10_000]).is_ok() {
            sent += 1;
            context.iteration(false);
        }
        assert_eq!(ours.bytes_read_now(), 0);
        let all = async move {
            for _ in 0..sent {
                let frame = framed.read_frame_future().await.expect("read");
                assert_eq!(frame.map(|frame| frame.len()), Some(10_000));
            }
        };
        block_on(context, all);
        iterate_until(context, || theirs.pending_frames() == 0);
    });
}

#[test]
fn who_writes_waits_for_room_in_turn() {
    on_private_context(|context| {
        let (ours, mut theirs) = pair();
        let framed = Framed::builder()
            .io_stream(&ours)
            .max_pending_bytes(4_000)
            .build();
        let ended = Rc::new(RefCell::new(Vec::new()));
        for number in 0..50_u32 {
            let (framed, ended) = (framed.clone(), ended.clone());
            context.spawn_local(async move {
                let frame = format!("{number} {}", "x".repeat(3_000));
                framed
                    .write_frame_future(frame.as_bytes())
                    .await
                    .expect("written");
                ended.borrow_mut().push(number);
            });
        }
        iterate_until(context, || framed.pending_frames() != 0);
        assert!(framed.pending_bytes() <= 4_000);
        theirs.set_nonblocking(true).expect("set");
        let (mut got, mut buffer) = (Vec::new(), [0; 65_536]);
        iterate_until(context, || {
            if let Ok(count) = theirs.read(&mut buffer) {
                got.extend_from_slice(&buffer[..count]);
            }
            got.iter().filter(|byte| **byte == b'\n').count() == 50
        });
        iterate_until(context, || ended.borrow().len() == 50);
        let numbers: Vec<u32> = String::from_utf8(got)
            .expect("text")
            .lines()
            .filter_map(|line| line.split(' ').next()?.parse().ok())
            .collect();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>());
        assert_eq!(*ended.borrow(), numbers);
    });
}

trait Counted {
    fn bytes_read_now(&self) -> u64;
}

impl Counted for gsock::SocketConnection {
    fn bytes_read_now(&self) -> u64 {
        gsock::SocketConnectionExt::bytes_read(self)
    }
}
