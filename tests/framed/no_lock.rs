//! Nothing of the user's runs while a lock is held: whatever that may be, it may use the same object.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::FutureExt;
use gio::{prelude::*, subclass::prelude::*};
use gsock::{Framed, Framing};

use crate::{support::*, tools::*};

/// What anybody may do with one of them, on any thread.
fn use_it(framed: &Framed) {
    let _ = (
        framed.pending_bytes(),
        framed.last_error(),
        framed.io_stream(),
    );
    let _ = framed.take_buffered();
    let _ = framed.send(b"from inside");
}

/// Bytes that use it when they are freed.
struct Payload {
    bytes: Vec<u8>,
    framed: glib::SendWeakRef<Framed>,
    freed: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(framed) = self.framed.upgrade() {
            use_it(&framed);
        }
        self.freed.fetch_add(1, Ordering::Relaxed);
    }
}

struct Payloads {
    framed: glib::SendWeakRef<Framed>,
    made: usize,
    freed: Arc<AtomicUsize>,
}

impl Payloads {
    fn of(framed: &Framed) -> Self {
        Self {
            framed: framed.downgrade().into(),
            made: 0,
            freed: Arc::default(),
        }
    }

    fn make(&mut self, bytes: &[u8]) -> glib::Bytes {
        self.made += 1;
        glib::Bytes::from_owned(Payload {
            bytes: bytes.to_vec(),
            framed: self.framed.clone(),
            freed: self.freed.clone(),
        })
    }

    fn left(&self) -> usize {
        self.made - self.freed.load(Ordering::Relaxed)
    }
}

#[test]
fn bytes_that_use_it_when_they_are_freed_are_freed_without_a_lock() {
    on_private_context(|context| {
        let (ours, theirs) = pair();
        let framed = Framed::builder()
            .io_stream(&ours)
            .framing(Framing::JsonLines)
            .max_frame_size(500_000)
            .max_pending_bytes(1_000_000)
            .build();
        let mut payloads = Payloads::of(&framed);
        // Refused.
        for bad in [&b"no JSON"[..], b"1\n", &[b'1'; 500_001]] {
            framed.send(payloads.make(bad)).expect_err("refused");
            framed
                .write_frame(payloads.make(bad), NONE)
                .expect_err("refused");
        }
        assert_eq!(payloads.left(), 0);
        // Written.
        framed.send(payloads.make(b"1")).expect("queued");
        framed
            .write_frame(payloads.make(b"2"), NONE)
            .expect("written");
        block_on(context, framed.write_frame_future(payloads.make(b"3"))).expect("written");
        iterate_until(context, || framed.pending_frames() == 0);
        assert_eq!(payloads.left(), 0);
        // No room, taken back, replaced, failed, closed, forgotten.
        let large = vec![b'1'; 400_000];
        while framed.send(payloads.make(&large)).is_ok() {
            while context.iteration(false) {}
        }
        let mut writing = framed.write_frame_future(payloads.make(b"4"));
        assert!(writing.as_mut().now_or_never().is_none());
        drop(writing);
        let (second, from_second) = pair();
        framed.set_io_stream(Some(&second));
        while context.iteration(false) {}
        assert_ne!(payloads.left(), 0);
        drop(from_second);
        iterate_until(context, || framed.last_error().is_some());
        assert_eq!(payloads.left(), 0);
        framed.send(payloads.make(b"5")).expect_err("failed");
        framed.set_keep_queue(true);
        framed.set_io_stream(gio::IOStream::NONE);
        framed.send(payloads.make(b"6")).expect("queued");
        assert_eq!(payloads.left(), 1);
        framed.close(NONE).expect_err("not written");
        assert_eq!(payloads.left(), 0);
        framed.send(payloads.make(b"7")).expect_err("closed");
        framed.set_io_stream(gio::IOStream::NONE);
        framed.send(payloads.make(b"8")).expect("queued");
        drop(framed);
        assert_eq!(payloads.left(), 0);
        drop(theirs);
    });
}

mod failing {
    use super::*;

    static FRAMED: std::sync::Mutex<Option<glib::SendWeakRef<Framed>>> =
        std::sync::Mutex::new(None);
    pub(super) static USED: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn let_errors_use(framed: &Framed) {
        *FRAMED.lock().expect("no panic") = Some(framed.downgrade().into());
    }

    fn use_the_same() {
        let framed = FRAMED.lock().expect("no panic").clone();
        if let Some(framed) = framed.and_then(|framed| framed.upgrade()) {
            USED.fetch_add(1, Ordering::Relaxed);
            let _ = (framed.pending_bytes(), framed.is_congested());
        }
    }

    unsafe extern "C" fn init(_: *mut glib::ffi::GError) {}

    unsafe extern "C" fn copy(_: *const glib::ffi::GError, _: *mut glib::ffi::GError) {
        use_the_same();
    }

    unsafe extern "C" fn clear(_: *mut glib::ffi::GError) {
        use_the_same();
    }

    /// An error of a domain that has code of its own for copying and freeing.
    pub(super) fn failure() -> glib::Error {
        static DOMAIN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
        let domain = *DOMAIN.get_or_init(|| {
            // SAFETY: the name and the functions live for good.
            unsafe {
                glib::ffi::g_error_domain_register_static(
                    c"gsock-test-framed".as_ptr(),
                    size_of::<usize>(),
                    Some(init),
                    Some(copy),
                    Some(clear),
                )
            }
        });
        let text = c"as it was told to".as_ptr();
        // SAFETY: a domain that is registered, and a text.
        let error = unsafe { glib::ffi::g_error_new_literal(domain, 1, text) };
        // SAFETY: it is new, and nobody else's.
        unsafe { glib::translate::from_glib_full(error) }
    }

    #[derive(Debug, Default)]
    pub struct FailingInput;

    #[glib::object_subclass]
    impl ObjectSubclass for FailingInput {
        const NAME: &'static str = "FramedTestFailingInput";
        type Type = super::FailingInput;
        type ParentType = gio::InputStream;
    }

    impl ObjectImpl for FailingInput {}

    impl InputStreamImpl for FailingInput {
        fn read(&self, _: &mut [u8], _: Option<&gio::Cancellable>) -> Result<usize, glib::Error> {
            Err(failure())
        }
    }

    #[derive(Debug, Default)]
    pub struct FailingOutput;

    #[glib::object_subclass]
    impl ObjectSubclass for FailingOutput {
        const NAME: &'static str = "FramedTestFailingOutput";
        type Type = super::FailingOutput;
        type ParentType = gio::OutputStream;
    }

    impl ObjectImpl for FailingOutput {}

    impl OutputStreamImpl for FailingOutput {
        fn write(&self, _: &[u8], _: Option<&gio::Cancellable>) -> Result<usize, glib::Error> {
            Err(failure())
        }
    }
}

glib::wrapper! {
    pub struct FailingInput(ObjectSubclass<failing::FailingInput>) @extends gio::InputStream;
}

glib::wrapper! {
    pub struct FailingOutput(ObjectSubclass<failing::FailingOutput>) @extends gio::OutputStream;
}

fn failing_stream() -> gio::IOStream {
    let (input, output): (FailingInput, FailingOutput) = (glib::Object::new(), glib::Object::new());
    gio::SimpleIOStream::new(&input, &output).upcast()
}

#[test]
fn errors_that_use_it_when_they_are_copied_or_freed_are_so_without_a_lock() {
    on_private_context(|context| {
        let framed = Framed::new(&failing_stream(), Framing::Lines);
        failing::let_errors_use(&framed);
        for keep in [false, true] {
            framed.set_keep_queue(keep);
            framed.read_frame(NONE).expect_err("fails");
            framed.read_frame(NONE).expect_err("fails");
            framed.send(b"one").expect("queued");
            framed.flush(NONE).expect_err("fails");
            framed.flush(NONE).expect_err("fails");
            if !keep {
                framed.send(b"two").expect_err("failed");
                framed.write_frame(b"two", NONE).expect_err("failed");
            }
            assert!(framed.last_error().is_some());
            assert!(
                framed
                    .property::<Option<glib::Error>>("last-error")
                    .is_some()
            );
            framed.set_io_stream(Some(&failing_stream()));
            assert!(framed.last_error().is_none());
            framed.set_keep_queue(false);
            // Watched by several.
            let first = framed.write_frame_future(b"three");
            let second = framed.write_frame_future(b"four");
            let both = block_on(context, futures::future::join(first, second));
            both.0.expect_err("fails");
            both.1.expect_err("fails");
            while context.iteration(false) {}
            framed.set_io_stream(Some(&failing_stream()));
            framed.read_frame(NONE).expect_err("fails");
        }
        framed.close(NONE).ok();
        drop(framed);
        assert_ne!(failing::USED.load(Ordering::Relaxed), 0);
    });
}
