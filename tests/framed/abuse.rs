//! What must not cost more than it is worth: bytes that come one by one, many who wait.

use std::{cell::Cell, io::Read, os::unix::net::UnixStream, rc::Rc, thread::JoinHandle};

use futures::{StreamExt, stream::FuturesUnordered};
use gio::{prelude::*, subclass::prelude::*};
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

mod drip {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A stream of so many bytes, each of which comes alone.
    #[derive(Debug, Default)]
    pub struct Drip {
        pub(super) count: AtomicUsize,
        pub(super) at: AtomicUsize,
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

fn drips(head: &[u8], count: usize) -> gio::IOStream {
    let input: Drip = glib::Object::new();
    input.imp().head.set(head.to_vec()).expect("new");
    input
        .imp()
        .count
        .store(count, std::sync::atomic::Ordering::Relaxed);
    let output = gio::MemoryOutputStream::new_resizable();
    gio::SimpleIOStream::new(&input, &output).upcast()
}

/// Copied anew for each byte, it would not end within the limit.
const MANY: usize = 600_000;

fn length(read: Result<Option<glib::Bytes>, glib::Error>) -> usize {
    read.expect("read").expect("a frame").len()
}

#[test]
fn a_line_that_comes_byte_by_byte_is_not_copied_for_each() {
    for read_ahead in [true, false] {
        within(LIMIT, move || {
            let framed = Framed::builder()
                .io_stream(&drips(b"", MANY))
                .read_ahead(read_ahead)
                .build();
            assert_eq!(length(framed.read_frame(NONE)), MANY);
        });
        on_private_context(move |context| {
            const SOME: usize = 50_000;
            let framed = Framed::builder()
                .io_stream(&drips(b"", SOME))
                .read_ahead(read_ahead)
                .build();
            assert_eq!(length(block_on(context, framed.read_frame_future())), SOME);
        });
    }
}

#[test]
fn a_prefixed_frame_that_comes_byte_by_byte_is_not_copied_for_each() {
    for read_ahead in [true, false] {
        within(LIMIT, move || {
            let head = (MANY as u32).to_be_bytes();
            let framed = Framed::builder()
                .io_stream(&drips(&head, MANY + 4))
                .framing(Framing::LengthPrefixed)
                .read_ahead(read_ahead)
                .build();
            assert_eq!(length(framed.read_frame(NONE)), MANY);
        });
    }
}

const CROWD: usize = 10_000;

/// Answers how much has come, after the end.
fn slow_peer(mut theirs: UnixStream) -> JoinHandle<usize> {
    std::thread::spawn(move || {
        let (mut all, mut some) = (0, [0; 500]);
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
            let (ours, theirs) = pair();
            let framed = Framed::builder()
                .io_stream(&ours)
                .max_pending_bytes(most)
                .build();
            let peer = slow_peer(theirs);
            let frame = glib::Bytes::from_owned(vec![b'x'; 99]);
            let writes: FuturesUnordered<_> = (0..CROWD)
                .map(|_| framed.write_frame_future(frame.clone()))
                .collect();
            let count = block_on(
                context,
                writes.fold(0, |count, written| async move {
                    written.expect("written");
                    count + 1
                }),
            );
            assert_eq!(count, CROWD);
            framed.close(NONE).expect("closed");
            assert_eq!(peer.join().expect("read"), CROWD * 100);
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
            let frame = glib::Bytes::from_owned(vec![b'x'; 99]);
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
            assert_eq!(peer.join().expect("read"), CROWD * 100);
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
