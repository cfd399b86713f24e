//! What must not cost more than it is worth: bytes that come one by one, many who wait.

use std::{
    cell::Cell, future::poll_fn, io::Read, os::unix::net::UnixStream, rc::Rc,
    sync::atomic::Ordering, thread::JoinHandle,
};

use futures::{StreamExt, stream::FuturesUnordered};
use gio::{prelude::*, subclass::prelude::*};
use gsock::{Framed, FramedBuilder, Framing};

use crate::{support::*, tools::*};

mod drip {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A stream of so many bytes, each of which comes alone.
    #[derive(Debug, Default)]
    pub struct Drip {
        pub(super) count: AtomicUsize,
        pub(super) at: AtomicUsize,
        /// Where the next byte should go.
        pub(super) next: AtomicUsize,
        /// How often it went elsewhere.
        pub(super) moves: AtomicUsize,
        pub(super) head: std::sync::OnceLock<Vec<u8>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Drip {
        const NAME: &'static str = "FramedTestDrip";
        type Type = super::Drip;
        type ParentType = gio::InputStream;
    }

    impl ObjectImpl for Drip {}

    impl InputStreamImpl for Drip {
        fn read(
            &self,
            buffer: &mut [u8],
            _cancellable: Option<&gio::Cancellable>,
        ) -> Result<usize, glib::Error> {
            let at = self.at.fetch_add(1, Ordering::Relaxed);
            let count = self.count.load(Ordering::Relaxed);
            if at > count || buffer.is_empty() {
                return Ok(0);
            }
            let head = self.head.get_or_init(Vec::new);
            let place = buffer.as_ptr().addr();
            if self.next.swap(place + 1, Ordering::Relaxed) != place {
                self.moves.fetch_add(1, Ordering::Relaxed);
            }
            buffer[0] = match head.get(at) {
                Some(byte) => *byte,
                None if at == count => b'\n',
                None => b'x',
            };
            Ok(1)
        }
    }
}

glib::wrapper! {
    pub struct Drip(ObjectSubclass<drip::Drip>) @extends gio::InputStream;
}

fn drips(head: &[u8], count: usize) -> (gio::IOStream, Drip) {
    let input: Drip = glib::Object::new();
    input.imp().head.set(head.to_vec()).expect("new");
    input.imp().count.store(count, Ordering::Relaxed);
    let output = gio::MemoryOutputStream::new_resizable();
    let stream = gio::SimpleIOStream::new(&input, &output);
    (stream.upcast(), input)
}

const MANY: usize = 50_000;
/// Room that doubles is made anew so often at most.
const MOST_MOVES: usize = 100;

fn read_in_drips(builder: impl Fn() -> FramedBuilder, head: &[u8], count: usize) {
    for read_ahead in [true, false] {
        let (stream, input) = drips(head, count);
        let framed = builder().io_stream(&stream).read_ahead(read_ahead).build();
        let frame = framed.read_frame(NONE).expect("read").expect("a frame");
        assert_eq!(frame.len(), MANY);
        let moves = input.imp().moves.load(Ordering::Relaxed);
        assert!(moves < MOST_MOVES, "{read_ahead}: {moves}");
    }
}

#[test]
fn a_line_that_comes_byte_by_byte_is_not_copied_for_each() {
    read_in_drips(Framed::builder, b"", MANY);
}

#[test]
fn a_prefixed_frame_that_comes_byte_by_byte_is_not_copied_for_each() {
    let builder = || Framed::builder().framing(Framing::LengthPrefixed);
    read_in_drips(builder, &(MANY as u32).to_be_bytes(), MANY + 4);
}

const CROWD: usize = 2_000;
/// Of each frame, with its end: so large that they go in many steps.
const SIZE: usize = 5_000;

/// Answers how much has come, after the end.
fn slow_peer(mut theirs: UnixStream) -> JoinHandle<usize> {
    std::thread::spawn(move || {
        let (mut all, mut some) = (0, [0; SIZE]);
        loop {
            match theirs.read(&mut some).expect("read") {
                0 => return all,
                count => all += count,
            }
        }
    })
}

/// In turn for room, and all queued at once.
const QUEUES: [u64; 2] = [10_000, u64::MAX];

#[test]
fn a_crowd_of_futures_is_not_woken_for_each_frame() {
    for most in QUEUES {
        on_private_context(move |context| {
            let (ours, mut theirs) = pair();
            let framed = Framed::builder()
                .io_stream(&ours)
                .max_pending_bytes(most)
                .build();
            let frame = glib::Bytes::from_owned(vec![b'x'; SIZE - 1]);
            let polls = Rc::new(Cell::new(0));
            let writes: FuturesUnordered<_> = (0..CROWD)
                .map(|_| {
                    let (mut write, polls) =
                        (framed.write_frame_future(frame.clone()), polls.clone());
                    poll_fn(move |cx| {
                        polls.set(polls.get() + 1);
                        write.as_mut().poll(cx)
                    })
                })
                .collect();
            let done = Rc::new(Cell::new(0));
            let count = done.clone();
            context.spawn_local(writes.for_each(move |written| {
                written.expect("written");
                count.set(count.get() + 1);
                async {}
            }));
            theirs.set_nonblocking(true).expect("set");
            let (mut all, mut some) = (0, [0; SIZE]);
            iterate_until(context, || {
                for _ in 0..20 {
                    all += theirs.read(&mut some).unwrap_or(0);
                }
                done.get() == CROWD && all == CROWD * SIZE
            });
            // Each begins, is called when there is room and when it is done. The first in the line looks more often.
            assert!(polls.get() < 10 * CROWD, "{}", polls.get());
        });
    }
}

#[test]
fn a_crowd_of_calls_is_not_woken_for_each_frame() {
    for most in QUEUES {
        on_private_context(move |context| {
            let (ours, theirs) = pair();
            let framed = Framed::builder()
                .io_stream(&ours)
                .max_pending_bytes(most)
                .build();
            let peer = slow_peer(theirs);
            let frame = glib::Bytes::from_owned(vec![b'x'; SIZE - 1]);
            let done = Rc::new(Cell::new(0));
            for _ in 0..CROWD {
                let done = done.clone();
                framed.write_frame_async(frame.clone(), NONE, move |framed, result| {
                    framed.write_frame_finish(result).expect("written");
                    done.set(done.get() + 1);
                });
            }
            iterate_until(context, || done.get() == CROWD);
            framed.close(NONE).expect("closed");
            assert_eq!(peer.join().expect("read"), CROWD * SIZE);
        });
    }
}

/// Nothing is made for what a prefix merely says.
#[test]
fn the_largest_numbers_are_read_until_the_stream_ends() {
    for length in [u64::MAX, u64::MAX - 7, u64::MAX - 8, 1 << 63, 1 << 40] {
        for most in [u64::MAX, 1 << 20] {
            for read_ahead in [true, false] {
                let mut bytes = length.to_le_bytes().to_vec();
                bytes.extend([b'x'; 200_000]);
                let framed = prefixed(&bytes)
                    .prefix_size(8)
                    .byte_order(gio::DataStreamByteOrder::LittleEndian)
                    .max_frame_size(most)
                    .read_ahead(read_ahead)
                    .build();
                let first = next(&framed);
                if first == "MessageTooLarge" {
                    assert_eq!(next(&framed), "PartialInput");
                } else {
                    assert_eq!((first.as_str(), most), ("PartialInput", u64::MAX));
                }
                assert_eq!(next(&framed), "END");
            }
        }
    }
    let framed = prefixed(&[b'x'; 200_000]).max_frame_size(u64::MAX).build();
    assert_fails(
        framed.read_exact(usize::MAX, NONE),
        gio::IOErrorEnum::PartialInput,
    );
    assert_eq!(next(&framed), "END");
    let framed = lines(&[b'x'; 3_000_000]);
    for expected in ["MessageTooLarge", "PartialInput", "END"] {
        assert_eq!(next(&framed), expected);
    }
}
