//! Closing, gracefully and by GIOStream's own hand, in GIO's class and in ours.

use std::{
    cell::Cell,
    ffi::{CStr, c_int},
    io::Write,
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, ThreadId},
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::{
    ffi::{GTRUE, gboolean, gpointer},
    subclass::types::ObjectSubclassIsExt,
    translate::{FromGlib, IntoGlib},
};

use super::turns;
use crate::{differs::differs, support::*, tools::*, under::*};

// --- A graceful close ---------------------------------------------------------------------------

fn graceful(side: Side) -> (Under, TcpStream) {
    let (under, peer) = side.connected();
    under.set_graceful(true);
    (under, peer)
}

/// VER-2, TCP-15: mended in GLib 2.80.
#[test]
fn differs_ver_2_an_asynchronous_graceful_close_leaves_nothing_behind() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, peer) = graceful(side);
                let gone = Gone::of(&*under);
                drop(peer);
                assert_eq!(under.start_close(None).wait(context), Done);
                drop(under);
                settle(context, Duration::from_millis(50));
                gone.is_gone()
            },
            false,
            true,
        );
    });
}

/// TCP-9: 1 KiB in each iteration.
#[test]
fn differs_f12_a_graceful_close_throws_away_in_bulk_what_still_comes() {
    const KIBIBYTES: usize = 32;
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = graceful(side);
                peer.write_all(&[b'.'; KIBIBYTES * 1024]).unwrap();
                peer.shutdown(Shutdown::Write).unwrap();
                let fd = descriptor_of(&under.input());
                wait_until(|| unread(fd) == KIBIBYTES * 1024);
                let closing = under.start_close(None);
                let turns = turns(context, || closing.is_set());
                assert_eq!(closing.wait(context), Done);
                turns > KIBIBYTES
            },
            true,
            false,
        );
    });
}

/// What has arrived on a descriptor and was not read.
fn unread(fd: c_int) -> usize {
    let mut count: c_int = 0;
    // SAFETY: an open descriptor, and room for the answer.
    let asked = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut count) };
    assert_eq!(asked, 0);
    usize::try_from(count).expect("a count")
}

/// A peer that sends a byte now and then, until it is cut off or told to stop.
struct Trickle {
    stop: Arc<AtomicBool>,
    peer: JoinHandle<()>,
}

impl Trickle {
    fn from(mut peer: TcpStream) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let peer = thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) && peer.write_all(b".").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        Self { stop, peer }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.peer.join().unwrap();
    }
}

/// TCP-6, TCP-10, SOCK-11: the time starts anew at each wait, so that there is no end to it.
#[test]
fn differs_f18_the_timeout_is_one_of_the_whole_operation() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                // A while for what must not happen, and all the time there is for what must.
                let patience = match side {
                    Side::Gio => Duration::from_millis(1500),
                    Side::Ours => LIMIT,
                };
                let [(blocked, first), (waiting, second)] = [graceful(side), graceful(side)];
                for under in [&blocked, &waiting] {
                    under.socket().set_timeout(1);
                }
                let peers = [Trickle::from(first), Trickle::from(second)];
                let closer = on_thread(&*blocked, |stream| {
                    Outcome::from(stream.close(Cancellable::NONE))
                });
                let closing = waiting.start_close(None);
                let end = Instant::now() + patience;
                iterate_until(context, || {
                    (closing.is_set() && closer.is_finished()) || Instant::now() >= end
                });
                let ended = (closer.is_finished(), closing.is_set());
                peers.into_iter().for_each(Trickle::stop);
                (ended, closer.join().unwrap(), closing.wait(context))
            },
            ((false, false), Done, Done),
            (
                (true, true),
                Fails(IOErrorEnum::TimedOut),
                Fails(IOErrorEnum::TimedOut),
            ),
        );
    });
}

thread_local! {
    /// How often `counting_close` ran on this thread.
    static CLOSES: Cell<usize> = const { Cell::new(0) };
    static CHAINS_UP: Cell<bool> = const { Cell::new(true) };
}

/// A `close_fn` that counts, and chains up if it is told to.
unsafe extern "C" fn counting_close(
    stream: *mut gio::ffi::GIOStream,
    cancellable: *mut gio::ffi::GCancellable,
    error: *mut *mut glib::ffi::GError,
) -> gboolean {
    CLOSES.set(CLOSES.get() + 1);
    if !CHAINS_UP.get() {
        return GTRUE;
    }
    // SAFETY: an instance begins with its class, the counting one: nothing derives from that.
    let parent = unsafe {
        let class = (*stream.cast::<glib::gobject_ffi::GTypeInstance>()).g_class;
        &*glib::gobject_ffi::g_type_class_peek_parent(class.cast())
            .cast::<gio::ffi::GIOStreamClass>()
    };
    let close = parent.close_fn.expect("the parent closes");
    // SAFETY: GIO's own arguments, passed on.
    unsafe { close(stream, cancellable, error) }
}

unsafe extern "C" fn counting_class_init(class: gpointer, _: gpointer) {
    // SAFETY: the class struct begins with this one.
    unsafe { (*class.cast::<gio::ffi::GIOStreamClass>()).close_fn = Some(counting_close) };
}

/// A type below the TCP connection of this side that overrides `close_fn` alone, made in C's way.
fn counting_type(side: Side) -> glib::Type {
    static TYPES: [OnceLock<glib::Type>; 2] = [const { OnceLock::new() }; 2];
    let (parent, name): (_, &CStr) = match side {
        Side::Gio => (gio::TcpConnection::static_type(), c"TestCountingGTcp"),
        Side::Ours => (gsock::TcpConnection::static_type(), c"TestCountingGsockTcp"),
    };
    *TYPES[side as usize].get_or_init(|| {
        let _class = glib::Class::<glib::Object>::from_type(parent).expect("a class");
        // SAFETY: all zero is valid; the parent's sizes are known once its class is there.
        let type_ = unsafe {
            let mut sizes: glib::gobject_ffi::GTypeQuery = std::mem::zeroed();
            glib::gobject_ffi::g_type_query(parent.into_glib(), &raw mut sizes);
            glib::gobject_ffi::g_type_register_static_simple(
                parent.into_glib(),
                name.as_ptr(),
                sizes.class_size,
                Some(counting_class_init),
                sizes.instance_size,
                None,
                0,
            )
        };
        // SAFETY: registered just now.
        unsafe { glib::Type::from_glib(type_) }
    })
}

/// A connection of that type, whose peer is gone, and its socket.
fn counting(side: Side, graceful: bool) -> (gio::IOStream, gio::Socket) {
    let (peer, fd) = tcp_pair();
    drop(peer);
    let socket = gio::Socket::from_fd(fd).unwrap();
    let stream = glib::Object::builder_with_type(counting_type(side))
        .property("socket", &socket)
        .property("graceful-disconnect", graceful)
        .build();
    (stream.downcast().unwrap(), socket)
}

/// TCP-11a.
#[test]
fn differs_tcp_11a_an_overridden_close_runs_in_an_asynchronous_graceful_close() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (stream, socket) = counting(side, true);
                CLOSES.set(0);
                let closed = Slot::new();
                stream.close_async(DEFAULT, Cancellable::NONE, closed.put());
                closed.wait(context).unwrap();
                assert!(stream.is_closed());
                assert!(socket.is_closed());
                CLOSES.get()
            },
            0,
            1,
        );
    });
}

// --- A close that GIOStream carries out ---------------------------------------------------------

/// Where each close of a stream ran.
type Closes = Arc<Mutex<Vec<ThreadId>>>;

/// A class of `$parent` whose streams are given, and whose blocking close alone is overridden.
macro_rules! closing_class {
    ($module:ident, $name:literal, $parent:ty, [$($extends:ty),*], [$($impl:ident),*]) => {
        mod $module {
            use std::{cell::{Cell, OnceCell}, thread};

            use gsock::subclass::prelude::*;

            use super::Closes;
            use crate::tools::Sent;

            #[derive(Default)]
            pub(super) struct Closing {
                pub(super) streams: OnceCell<Sent<(gio::InputStream, gio::OutputStream)>>,
                pub(super) closes: OnceCell<Closes>,
                pub(super) alone: Cell<bool>,
            }

            #[glib::object_subclass]
            impl ObjectSubclass for Closing {
                const NAME: &'static str = $name;
                type Type = super::$module::Object;
                type ParentType = $parent;
            }

            impl ObjectImpl for Closing {}
            impl IOStreamImpl for Closing {
                fn input_stream(&self) -> gio::InputStream {
                    self.streams.get().expect("given").get().0.clone()
                }

                fn output_stream(&self) -> gio::OutputStream {
                    self.streams.get().expect("given").get().1.clone()
                }

                fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
                    let closes = self.closes.get().expect("given");
                    closes.lock().expect("no panic").push(thread::current().id());
                    if self.alone.get() {
                        return Ok(());
                    }
                    self.parent_close(cancellable)
                }
            }
            $(impl $impl for Closing {})*

            glib::wrapper! {
                pub(super) struct Object(ObjectSubclass<Closing>) @extends $($extends),*;
            }
        }
    };
}

closing_class!(
    bare,
    "TestClosingStream",
    gio::IOStream,
    [gio::IOStream],
    []
);
closing_class!(
    derived,
    "TestClosingConnection",
    gsock::SocketConnection,
    [gsock::SocketConnection, gio::IOStream],
    [SocketConnectionImpl]
);

/// IOS-21, IOS-22: not at all around streams that close asynchronously by themselves, and else on a
/// worker's thread.
#[test]
fn differs_f23_an_asynchronous_close_runs_an_overridden_close_on_the_callers_thread() {
    type Streams = (gio::InputStream, gio::OutputStream);
    fn closed(side: Side, streams: Streams, context: &glib::MainContext) -> (usize, bool) {
        let (closes, given) = (Closes::default(), Sent::new(streams));
        let stream: gio::IOStream = match side {
            Side::Gio => {
                let stream: bare::Object = glib::Object::new();
                stream.imp().closes.set(closes.clone()).unwrap();
                assert!(stream.imp().streams.set(given).is_ok());
                stream.upcast()
            }
            Side::Ours => {
                let stream: derived::Object = glib::Object::builder()
                    .property("socket", ipv4_socket())
                    .build();
                stream.imp().closes.set(closes.clone()).unwrap();
                assert!(stream.imp().streams.set(given).is_ok());
                stream.upcast()
            }
        };
        let closed = Slot::new();
        stream.close_async(DEFAULT, Cancellable::NONE, closed.put());
        closed.wait(context).unwrap();
        assert!(stream.is_closed());
        let closes = closes.lock().unwrap();
        (
            closes.len(),
            closes
                .iter()
                .all(|thread| *thread == thread::current().id()),
        )
    }
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let of_their_own = (
                    gio::MemoryInputStream::new().upcast(),
                    gio::MemoryOutputStream::new_resizable().upcast(),
                );
                let (under, _peer) = Side::Gio.connected();
                let by_a_worker = (under.input(), under.output());
                (
                    closed(side, of_their_own, context),
                    closed(side, by_a_worker, context),
                )
            },
            ((0, true), (1, false)),
            ((1, true), (1, true)),
        );
    });
}

/// SC-25: whether or not the parent has its part in it.
#[test]
fn sc_25_an_overridden_close_that_does_not_chain_up_runs_once() {
    on_private_context(|context| {
        CHAINS_UP.set(false);
        // GIO's passes it over where it is graceful.
        for (side, graceful) in [(Side::Gio, false), (Side::Ours, false), (Side::Ours, true)] {
            let (stream, socket) = counting(side, graceful);
            CLOSES.set(0);
            let closed = Slot::new();
            stream.close_async(DEFAULT, Cancellable::NONE, closed.put());
            closed.wait(context).unwrap();
            assert!(stream.is_closed());
            assert_eq!(CLOSES.get(), 1, "{side:?}, graceful: {graceful}");
            // What it does not close stays open.
            assert!(!socket.is_closed());
        }
    });
}

/// The same in Rust.
#[test]
fn sc_25_an_overridden_close_in_rust_that_does_not_chain_up_runs_once() {
    on_private_context(|context| {
        let closes = Closes::default();
        let stream: derived::Object = glib::Object::builder()
            .property("socket", ipv4_socket())
            .build();
        stream.imp().closes.set(closes.clone()).unwrap();
        stream.imp().alone.set(true);
        let closed = Slot::new();
        stream.close_async(DEFAULT, Cancellable::NONE, closed.put());
        closed.wait(context).unwrap();
        assert!(stream.is_closed());
        assert_eq!(closes.lock().unwrap().len(), 1);
    });
}
