//! The rest of what is wrong or odd in GIO's class: mended here, GLib's own, or kept on purpose.

use std::{
    cell::Cell,
    ffi::{CStr, c_int},
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, ThreadId},
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, SocketFamily, SocketType, prelude::*};
use glib::{
    ffi::{GTRUE, gboolean, gpointer},
    subclass::types::ObjectSubclassIsExt,
    translate::{FromGlib, IntoGlib, ToGlibPtr, from_glib_full},
};
use gsock::{SocketConnection, prelude::*};

use crate::{differs::differs, support::*, tools::*, under::*};

#[path = "alone.rs"]
mod alone;

// --- A graceful close ------------------------------------------------------------------------------

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

/// Iterates until it is done, and tells how often.
fn turns(context: &glib::MainContext, done: impl Fn() -> bool) -> usize {
    let mut turns = 0;
    while !done() {
        context.iteration(true);
        turns += 1;
    }
    turns
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
                // Longer than the timeout where nothing must happen, all the time there is where it must.
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
    // SAFETY: an instance begins with its class, which is the counting one: nothing derives from it.
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

// --- A close that GIOStream carries out ------------------------------------------------------------

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
            let (stream, _socket) = counting(side, graceful);
            CLOSES.set(0);
            let closed = Slot::new();
            stream.close_async(DEFAULT, Cancellable::NONE, closed.put());
            closed.wait(context).unwrap();
            assert!(stream.is_closed());
            assert_eq!(CLOSES.get(), 1, "{side:?}, graceful: {graceful}");
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

// --- Connecting ------------------------------------------------------------------------------------

/// ASYNC-8: connected, and said to be cancelled.
#[test]
fn differs_f8_a_connect_cancelled_before_its_finish_has_connected() {
    type Put = Box<dyn FnOnce(Result<(), glib::Error>)>;
    unsafe extern "C" fn called(
        source: *mut glib::gobject_ffi::GObject,
        result: *mut gio::ffi::GAsyncResult,
        data: gpointer,
    ) {
        // SAFETY: the box made below, called back once.
        let (cancellable, put) = *unsafe { Box::from_raw(data.cast::<(Cancellable, Put)>()) };
        cancellable.cancel();
        let mut failure = std::ptr::null_mut();
        // SAFETY: GTask passes its own objects; a set error is ours.
        put(unsafe {
            gio::ffi::g_socket_connection_connect_finish(source.cast(), result, &raw mut failure);
            if failure.is_null() {
                Ok(())
            } else {
                Err(from_glib_full(failure))
            }
        });
    }
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, address) = listener();
                let address = gio_address(address);
                let (socket, cancellable, slot) = (ipv4_socket(), Cancellable::new(), Slot::new());
                match side {
                    Side::Gio => {
                        let connection = socket.connection_factory_create_connection();
                        let put: Put = Box::new(slot.put());
                        let data = Box::new((cancellable.clone(), put));
                        // SAFETY: live arguments; the callback and its data belong together.
                        unsafe {
                            gio::ffi::g_socket_connection_connect_async(
                                connection.to_glib_none().0,
                                address.upcast_ref::<gio::SocketAddress>().to_glib_none().0,
                                cancellable.to_glib_none().0,
                                Some(called),
                                Box::into_raw(data).cast(),
                            );
                        }
                    }
                    Side::Ours => {
                        let (put, with) = (slot.put(), cancellable.clone());
                        SocketConnection::new(&socket).connect_async(
                            &address,
                            Some(&cancellable),
                            move |connection, result| {
                                with.cancel();
                                put(connection.connect_finish(result));
                            },
                        );
                    }
                }
                let outcome = Outcome::from(slot.wait(context));
                assert!(socket.is_connected());
                outcome
            },
            Fails(IOErrorEnum::Cancelled),
            Done,
        );
    });
}

/// SOCK-13, VER-5: two sockets at one address cannot have one peer. CONNECTION_REFUSED from 2.82 on.
#[test]
fn differs_ver_5_an_address_that_is_not_available_refuses_the_connection() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (_listener, address) = listener();
                let here = gio_address(([127, 0, 0, 1], 0).into());
                let first = ipv4_socket();
                first.bind(&here, true).unwrap();
                SocketExt::connect(&first, &gio_address(address), Cancellable::NONE).unwrap();
                let taken = first.local_address().unwrap();
                [true, false].map(|blocking| {
                    let second = ipv4_socket();
                    second.bind(&taken, true).unwrap();
                    let under = side.around(&second);
                    if blocking {
                        Outcome::from(under.connect(address, None))
                    } else {
                        Outcome::from(under.start_connect(address, None).wait(context))
                    }
                })
            },
            [Fails(IOErrorEnum::Failed), Fails(IOErrorEnum::Failed)],
            [
                Fails(IOErrorEnum::ConnectionRefused),
                Fails(IOErrorEnum::ConnectionRefused),
            ],
        );
    });
}

/// VER-5, kept: DESTINATION_UNSET from GLib 2.80 on, a code that callers of older ones do not know.
#[test]
fn ver_5_what_has_no_destination_fails() {
    on_private_context(|_| {
        let send = |side: Side| {
            let socket = gio::Socket::new(
                SocketFamily::Ipv4,
                SocketType::Datagram,
                gio::SocketProtocol::Default,
            )
            .unwrap();
            Outcome::from(write(&side.around(&socket).output(), b"whereto?"))
        };
        assert_gio(send(Side::Gio), Fails(IOErrorEnum::Failed));
        assert_eq!(send(Side::Ours), Fails(IOErrorEnum::Failed));
    });
}

// --- What is told ----------------------------------------------------------------------------------

/// SC-8: a peer that leaves is news to nobody who does not read.
#[test]
fn differs_f10_the_peers_departure_is_notified() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                [false, true].map(|resets| {
                    let (under, peer) = side.connected();
                    let seen = notifications(&*under);
                    if resets {
                        reset(peer);
                    } else {
                        peer.shutdown(Shutdown::Write).unwrap();
                        wait_readable(&*under);
                    }
                    iterate_for(context, Duration::from_millis(50));
                    assert!(under.is_connected());
                    let seen = seen.borrow();
                    (
                        seen.iter().any(|name| name == "state"),
                        seen.iter().any(|name| name == "last-error"),
                    )
                })
            },
            [(false, false), (false, false)],
            [(true, false), (true, true)],
        );
    });
}

/// ASYNC-12: who asks the result which cancellable it had gets none of ours.
#[test]
fn differs_async_12_a_result_names_no_cancellable() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                peer.write_all(b"x").unwrap();
                let (answered, cancellable) = (Slot::new(), Cancellable::new());
                let put = answered.put();
                read_async_in_c(
                    &under.input(),
                    1,
                    Some(&cancellable),
                    move |input, result| {
                        // SAFETY: what a read answers is a GTask.
                        let named = unsafe {
                            gio::ffi::g_task_get_cancellable(
                                ToGlibPtr::<*mut gio::ffi::GAsyncResult>::to_glib_none(result)
                                    .0
                                    .cast(),
                            )
                        };
                        assert_eq!(read_finish(input, result).unwrap(), 1);
                        put(!named.is_null());
                    },
                );
                answered.wait(context)
            },
            true,
            false,
        );
    });
}

// --- The factory -----------------------------------------------------------------------------------

/// A type's name without the prefix of its library.
fn registered(side: Side, family: SocketFamily, type_: SocketType, protocol: i32) -> String {
    let (found, prefix) = match side {
        Side::Gio => (
            gio::SocketConnection::factory_lookup_type(family, type_, protocol),
            "G",
        ),
        Side::Ours => (
            SocketConnection::factory_lookup_type(family, type_, protocol),
            "Gsock",
        ),
    };
    let name = found.name().strip_prefix(prefix);
    name.expect("of this library").to_owned()
}

/// SC-32.
#[test]
fn differs_sc_32_mptcp_has_a_tcp_connection() {
    on_private_context(|context| {
        differs(
            context,
            |side, _| {
                [SocketFamily::Ipv4, SocketFamily::Ipv6]
                    .map(|family| registered(side, family, SocketType::Stream, 262))
            },
            ["SocketConnection", "SocketConnection"].map(str::to_owned),
            ["TcpConnection", "TcpConnection"].map(str::to_owned),
        );
    });
}

on_both!(
    f25_closing_the_output_stream_is_not_told_to_the_peer,
    f28_the_factory_matches_exactly_or_not_at_all,
    f31_what_is_ready_at_once_answers_in_the_next_iteration,
    f31_an_answer_of_low_priority_waits_for_ever_behind_one_that_never_rests,
    st_45_the_priority_of_a_splice_counts_for_nothing,
);

/// SC-32, kept: no protocol stands for another one.
fn f28_the_factory_matches_exactly_or_not_at_all(side: Side, _: &glib::MainContext) {
    let (ipv4, unix) = (SocketFamily::Ipv4, SocketFamily::Unix);
    for (family, type_, protocol, expected) in [
        (ipv4, SocketType::Stream, 0, "TcpConnection"),
        (ipv4, SocketType::Stream, 6, "TcpConnection"),
        (ipv4, SocketType::Stream, -1, "SocketConnection"),
        (ipv4, SocketType::Stream, 132, "SocketConnection"),
        (ipv4, SocketType::Datagram, 0, "SocketConnection"),
        (unix, SocketType::Stream, -1, "SocketConnection"),
        (unix, SocketType::Seqpacket, 0, "SocketConnection"),
        (unix, SocketType::Datagram, 0, "SocketConnection"),
    ] {
        let found = registered(side, family, type_, protocol);
        assert_eq!(found, expected, "{family:?} {type_:?} {protocol}");
    }
}

// --- Kept, and GLib's own --------------------------------------------------------------------------

/// SC-26, kept: a shutdown of the socket does it.
fn f25_closing_the_output_stream_is_not_told_to_the_peer(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let output = under.output();
    let closed = Slot::new();
    output.close_async(DEFAULT, Cancellable::NONE, closed.put());
    closed.wait(context).unwrap();
    assert!(output.is_closed());
    peer.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let nothing = peer.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    under.socket().shutdown(false, true).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
    peer.write_all(b"on").unwrap();
    assert_eq!(read(&under.input(), 8).unwrap(), b"on");
}

/// ASYNC-2, ASYNC-4, kept; ST-42: GIO's own task around a write answers one iteration later.
fn f31_what_is_ready_at_once_answers_in_the_next_iteration(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"ready").unwrap();
    wait_readable(&*under);
    settle(context, Duration::from_millis(10));
    let reading = start_read(&under.input(), 8, None);
    assert!(!reading.is_set());
    assert_eq!(turns(context, || reading.is_set()), 1);

    let cancelled = Cancellable::new();
    cancelled.cancel();
    settle(context, Duration::from_millis(10));
    let reading = start_read(&under.input(), 8, Some(&cancelled));
    assert_eq!(turns(context, || reading.is_set()), 1);
    let writing = start_write(&under.output(), b"no".to_vec(), Some(&cancelled));
    assert_eq!(turns(context, || writing.is_set()), 2);
}

/// A source that is always ready.
fn never_rests(context: &glib::MainContext, priority: glib::Priority) -> glib::Source {
    let busy = glib::source::idle_source_new(None, priority, || glib::ControlFlow::Continue);
    busy.attach(Some(context));
    busy
}

/// ASYNC-7, kept: priorities of a main context mean that.
fn f31_an_answer_of_low_priority_waits_for_ever_behind_one_that_never_rests(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"low").unwrap();
    wait_readable(&*under);
    let busy = never_rests(context, DEFAULT);
    let reading = Slot::new();
    let put = reading.put();
    under.input().read_async(
        vec![0; 8],
        glib::Priority::LOW,
        Cancellable::NONE,
        move |result| put(bytes_of(result)),
    );
    for _ in 0..100 {
        context.iteration(false);
    }
    assert!(!reading.is_set());
    busy.destroy();
    assert_eq!(reading.wait(context).unwrap(), b"low");
}

/// IOS-30, ST-45, GLib's own: what it reads, writes and answers is of the default priority.
fn st_45_the_priority_of_a_splice_counts_for_nothing(side: Side, context: &glib::MainContext) {
    let ((from, mut first), (to, mut second)) = (side.connected(), side.connected());
    first.write_all(b"at once").unwrap();
    first.shutdown(Shutdown::Write).unwrap();
    // Nothing of lower priority gets a turn.
    let busy = never_rests(context, glib::Priority::from(100));
    let spliced = Slot::new();
    to.output().splice_async(
        &from.input(),
        gio::OutputStreamSpliceFlags::CLOSE_TARGET,
        glib::Priority::LOW,
        Cancellable::NONE,
        spliced.put(),
    );
    assert_eq!(spliced.wait(context).unwrap(), 7);
    busy.destroy();
    let mut received = [0; 7];
    second.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"at once");
}

/// SOCK-6, kept: the timeout is a property of `GSocket`, which counts in whole seconds.
#[test]
fn f18_a_timeout_is_of_whole_seconds() {
    on_private_context(|_| {
        for side in [Side::Gio, Side::Ours] {
            let socket = side.unconnected().socket();
            let timeout = socket.find_property("timeout").expect("GSocket's own");
            assert_eq!(timeout.value_type(), glib::Type::U32);
            socket.set_timeout(1);
            assert_eq!(socket.timeout(), 1);
        }
    });
}
