//! What must not cost more than it is worth: bytes that come one by one.

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
