//! What a program sees of the `GSocket` through a connection's reads, writes, waits and timeouts.

use std::{
    cell::Cell,
    ffi::CStr,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, UdpSocket},
    os::{fd::AsRawFd, unix::thread::JoinHandleExt},
    path::Path,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gio::{Cancellable, IOErrorEnum, prelude::*};
use glib::translate::{IntoGlib, from_glib_full};

use crate::{differs::differs, support::*, tools::*, under::*};

on_both!(
    sock_2_the_descriptor_never_blocks_and_is_not_inherited,
    sock_5_a_timeout_comes_before_the_cancellable,
    sock_6_the_socket_tells_only_of_changes,
    sock_10_a_signal_interrupts_no_operation,
    sock_11_a_blocking_wait_ends_with_its_cancellable_or_its_timeout,
    sock_11_a_wait_of_an_operation_ends_with_its_cancellable_or_its_timeout,
    sock_12_the_end_is_zero_and_so_is_our_own_shutdown,
    sock_13_errors_have_their_codes,
    sock_13_a_datagram_has_its_own_errors,
    sock_15_a_peer_that_closes_with_unread_data_resets,
    sock_15_a_reset_is_told_once_and_breaks_the_pipe,
    sock_16_the_message_of_a_transfer_says_what_was_tried,
    sock_22_a_connect_that_fails_leaves_the_socket_open,
    sock_31_a_source_fires_for_errors_and_ends_too,
    sock_32_a_source_fires_when_its_cancellable_is_cancelled,
    sock_32_a_source_fires_when_its_connection_is_closed,
    sock_33_a_source_fires_at_each_timeout,
    sock_33_a_timeout_is_told_once_by_the_direction_that_waited,
    sock_35_a_blocking_wait_of_more_than_4294_seconds_does_not_wrap,
    sock_40_a_shutdown_ends_the_directions_that_it_names,
    sock_40_a_shutdown_needs_an_open_and_connected_socket,
    sock_41_a_socket_closed_underneath_ends_the_streams_operations,
    sock_42_the_last_reference_closes_the_socket_wherever_it_goes,
);

/// An input source that counts how often it fires.
fn counting(
    under: &Under,
    context: &glib::MainContext,
    cancellable: Option<&Cancellable>,
) -> (glib::Source, Rc<Cell<u32>>) {
    let fired = Rc::new(Cell::new(0));
    let count = fired.clone();
    let source = pollable_input(&**under).create_source(cancellable, None, DEFAULT, move |_| {
        count.set(count.get() + 1);
        glib::ControlFlow::Continue
    });
    source.attach(Some(context));
    (source, fired)
}

fn cancelled() -> Cancellable {
    let cancellable = Cancellable::new();
    cancellable.cancel();
    cancellable
}

/// Whatever its flag says, which is the library's own.
fn sock_2_the_descriptor_never_blocks_and_is_not_inherited(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let socket = under.socket();
    let get = |what| {
        // SAFETY: an open descriptor, and no pointers.
        unsafe { libc::fcntl(socket.as_raw_fd(), what) }
    };
    for blocking in [true, false] {
        socket.set_blocking(blocking);
        assert_eq!(get(libc::F_GETFL) & libc::O_NONBLOCK, libc::O_NONBLOCK);
        assert_eq!(get(libc::F_GETFD), libc::FD_CLOEXEC);
    }
}

/// SOCK-33: a source that ran out of time left it behind.
fn sock_5_a_timeout_comes_before_the_cancellable(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    under.socket().set_timeout(1);
    let (source, fired) = counting(&under, context, None);
    iterate_until(context, || fired.get() > 0);
    source.destroy();
    let read = under.input().read([0; 8], Some(&cancelled()));
    assert_fails(read, IOErrorEnum::TimedOut);
    let read = under.input().read([0; 8], Some(&cancelled()));
    assert_fails(read, IOErrorEnum::Cancelled);
    // And the end of the socket before both.
    let (source, fired) = counting(&under, context, None);
    iterate_until(context, || fired.get() > 0);
    source.destroy();
    under.socket().close().unwrap();
    let read = under.input().read([0; 8], Some(&cancelled()));
    assert_fails(read, IOErrorEnum::Closed);
}

/// GIO says that it was not initialised. To ours it is as good as closed.
#[test]
fn differs_sock_5_a_connection_on_a_socket_that_was_never_opened_is_closed() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                // SAFETY: no properties are given, and the object is ours.
                let socket: gio::Socket = unsafe {
                    from_glib_full(
                        glib::gobject_ffi::g_object_new_with_properties(
                            gio::Socket::static_type().into_glib(),
                            0,
                            std::ptr::null_mut(),
                            std::ptr::null(),
                        )
                        .cast::<gio::ffi::GSocket>(),
                    )
                };
                let under = side.around(&socket);
                let output = under.output();
                assert!(!under.is_connected());
                [
                    Outcome::from(read(&under.input(), 8)),
                    read_now(&*under, 8).into(),
                    start_read(&under.input(), 8, None).wait(context).into(),
                    write(&output, b"no").into(),
                    start_write(&output, b"no".to_vec(), None)
                        .wait(context)
                        .into(),
                ]
            },
            [const { Fails(IOErrorEnum::NotInitialized) }; 5],
            [const { Fails(IOErrorEnum::Closed) }; 5],
        );
    });
}

fn sock_6_the_socket_tells_only_of_changes(side: Side, _: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let socket = under.socket();
    let told = notifications(&socket);
    socket.set_blocking(true);
    socket.set_timeout(0);
    socket.set_keepalive(false);
    assert!(told.borrow().is_empty());
    socket.set_blocking(false);
    socket.set_timeout(7);
    socket.set_keepalive(true);
    assert_eq!(*told.borrow(), ["blocking", "timeout", "keepalive"]);
    // In whole seconds.
    assert_eq!(socket.property::<u32>("timeout"), 7);
}

extern "C" fn nothing(_: libc::c_int) {}

/// Sends a thread signals that interrupt its system calls.
fn interrupt(worker: &thread::JoinHandle<Outcome>) {
    // SAFETY: all zero is an action without flags; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
    }
    for _ in 0..10 {
        // SAFETY: a thread that has not been joined.
        unsafe { libc::pthread_kill(worker.as_pthread_t(), libc::SIGUSR1) };
        thread::sleep(Duration::from_millis(3));
    }
}

fn sock_10_a_signal_interrupts_no_operation(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let filled = fill(&*under, &peer);
    let reader = on_thread(&under.input(), |input| Outcome::from(read(input, 8)));
    let writer = on_thread(&under.output(), |output| Outcome::from(write(output, b"w")));
    wait_until(|| under.input().has_pending() && under.output().has_pending());
    a_moment();
    interrupt(&reader);
    interrupt(&writer);
    assert!(!reader.is_finished());
    assert!(!writer.is_finished());
    peer.write_all(b"r").unwrap();
    assert_eq!(reader.join().unwrap(), Bytes(b"r".to_vec()));
    peer.read_exact(&mut vec![0; filled]).unwrap();
    assert_eq!(writer.join().unwrap(), Count(1));
}

fn sock_11_a_blocking_wait_ends_with_its_cancellable_or_its_timeout(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, peer) = side.connected();
    fill(&*under, &peer);
    let cancellable = Cancellable::new();
    let reader = read_on_thread(&under.input(), 8, Some(&cancellable));
    let with = cancellable.clone();
    let writer = on_thread(&under.output(), move |output| {
        output.write(b"no", Some(&with))
    });
    a_moment();
    assert!(!reader.is_finished());
    assert!(!writer.is_finished());
    cancellable.cancel();
    assert_fails(reader.join().unwrap(), IOErrorEnum::Cancelled);
    assert_fails(writer.join().unwrap(), IOErrorEnum::Cancelled);
    under.socket().set_timeout(1);
    let begun = Instant::now();
    let writer = on_thread(&under.output(), |output| write(output, b"no"));
    assert_fails(read(&under.input(), 8), IOErrorEnum::TimedOut);
    assert_fails(writer.join().unwrap(), IOErrorEnum::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(990));
}

fn sock_11_a_wait_of_an_operation_ends_with_its_cancellable_or_its_timeout(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, peer) = side.connected();
    fill(&*under, &peer);
    let cancellable = Cancellable::new();
    let reading = start_read(&under.input(), 8, Some(&cancellable));
    let writing = start_write(&under.output(), b"no".to_vec(), Some(&cancellable));
    iterate_for(context, Duration::from_millis(20));
    assert!(!reading.is_set());
    assert!(!writing.is_set());
    cancellable.cancel();
    assert!(!reading.is_set());
    assert_fails(reading.wait(context), IOErrorEnum::Cancelled);
    assert_fails(writing.wait(context), IOErrorEnum::Cancelled);
    under.socket().set_timeout(1);
    let begun = Instant::now();
    let reading = start_read(&under.input(), 8, None);
    assert_fails(reading.wait(context), IOErrorEnum::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(990));
    let writing = start_write(&under.output(), b"no".to_vec(), None);
    assert_fails(writing.wait(context), IOErrorEnum::TimedOut);
    assert!(!under.socket().is_closed());
}

fn sock_12_the_end_is_zero_and_so_is_our_own_shutdown(side: Side, context: &glib::MainContext) {
    let (under, peer) = side.connected();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(&under.input(), 8).unwrap(), b"");
    assert_eq!(read_now(&*under, 8).unwrap(), b"");
    // The other direction goes on.
    assert_eq!(write(&under.output(), b"x").unwrap(), 1);

    let (under, mut peer) = side.connected();
    let reading = start_read(&under.input(), 8, None);
    iterate_for(context, Duration::from_millis(10));
    under.socket().shutdown(true, false).unwrap();
    assert_eq!(reading.wait(context).unwrap(), b"");
    assert_eq!(read(&under.input(), 8).unwrap(), b"");
    assert_eq!(write(&under.output(), b"x").unwrap(), 1);
    peer.read_exact(&mut [0]).unwrap();
}

fn sock_13_errors_have_their_codes(side: Side, context: &glib::MainContext) {
    let connect = |under: &Under, address: &gio::SocketAddress| {
        Outcome::from(under.connect_to(address, None))
    };
    // ECONNREFUSED.
    let refused = gio_address(refused_address()).upcast();
    assert_eq!(
        connect(&side.unconnected(), &refused),
        Fails(IOErrorEnum::ConnectionRefused)
    );
    // ENOENT.
    let unix = || {
        let socket = gio::Socket::new(
            gio::SocketFamily::Unix,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
        );
        side.around(&socket.unwrap())
    };
    let nowhere = gio::UnixSocketAddress::new(Path::new("/nonexistent/socket"));
    assert_eq!(
        connect(&unix(), nowhere.upcast_ref()),
        Fails(IOErrorEnum::NotFound)
    );
    // EAFNOSUPPORT.
    let six = gio_address(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 9))).upcast();
    assert_eq!(
        connect(&side.unconnected(), &six),
        Fails(IOErrorEnum::NotSupported)
    );
    // EALREADY, then EISCONN.
    let deaf = deaf_listener();
    let under = side.unconnected();
    let connecting = under.start_connect(deaf.address, None);
    let address = gio_address(deaf.address).upcast();
    assert_eq!(connect(&under, &address), Fails(IOErrorEnum::Failed));
    under.close(Cancellable::NONE).unwrap();
    assert_fails(connecting.wait(context), IOErrorEnum::Closed);
    let (under, peer) = side.connected();
    let address = gio_address(peer.local_addr().unwrap()).upcast();
    assert_eq!(connect(&under, &address), Fails(IOErrorEnum::Failed));
    // ECONNRESET, EPIPE.
    reset(peer);
    wait_readable(&*under);
    assert_fails(read(&under.input(), 8), IOErrorEnum::BrokenPipe);
    assert_fails(write(&under.output(), b"no"), IOErrorEnum::BrokenPipe);
    // ENOTCONN.
    assert_fails(
        read(&side.unconnected().input(), 8),
        IOErrorEnum::NotConnected,
    );
    // EINVAL.
    assert_fails(read(&unix().input(), 8), IOErrorEnum::InvalidArgument);
}

/// EMSGSIZE, EDESTADDRREQ, ECONNREFUSED.
fn sock_13_a_datagram_has_its_own_errors(side: Side, _: &glib::MainContext) {
    let peer = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let socket = gio::Socket::new(
        gio::SocketFamily::Ipv4,
        gio::SocketType::Datagram,
        gio::SocketProtocol::Udp,
    );
    let under = side.around(&socket.unwrap());
    assert_fails(write(&under.output(), b"whom?"), IOErrorEnum::Failed);
    under.connect(peer.local_addr().unwrap(), None).unwrap();
    assert_fails(
        write(&under.output(), &[0; 70_000]),
        IOErrorEnum::MessageTooLarge,
    );
    assert_eq!(write(&under.output(), b"you").unwrap(), 3);
    drop(peer);
    assert_eq!(write(&under.output(), b"gone?").unwrap(), 5);
    assert_fails(read(&under.input(), 8), IOErrorEnum::ConnectionRefused);
    assert_fails(read_now(&*under, 8), IOErrorEnum::WouldBlock);
}

fn sock_15_a_peer_that_closes_with_unread_data_resets(side: Side, _: &glib::MainContext) {
    let (under, peer) = side.connected();
    assert_eq!(write(&under.output(), b"unread").unwrap(), 6);
    peer.peek(&mut [0]).unwrap();
    drop(peer);
    wait_readable(&*under);
    assert_fails(read(&under.input(), 8), IOErrorEnum::BrokenPipe);
    assert_eq!(read(&under.input(), 8).unwrap(), b"");
}

fn sock_15_a_reset_is_told_once_and_breaks_the_pipe(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    peer.write_all(b"before").unwrap();
    reset(peer);
    // What came before it can be read.
    wait_readable(&*under);
    assert_eq!(read(&under.input(), 16).unwrap(), b"before");
    assert_fails(read(&under.input(), 8), IOErrorEnum::BrokenPipe);
    assert_eq!(read(&under.input(), 8).unwrap(), b"");
    assert_eq!(read(&under.input(), 8).unwrap(), b"");
    assert_fails(write(&under.output(), b"no"), IOErrorEnum::BrokenPipe);
    assert_fails(write(&under.output(), b"no"), IOErrorEnum::BrokenPipe);
}

fn sock_16_the_message_of_a_transfer_says_what_was_tried(side: Side, _: &glib::MainContext) {
    let text = |errno| {
        // SAFETY: a string of GLib's, which stays.
        let text = unsafe { CStr::from_ptr(glib::ffi::g_strerror(errno)) };
        text.to_str().unwrap()
    };
    let under = side.unconnected();
    let read = read(&under.input(), 8).unwrap_err();
    let (not_connected, broken) = (text(libc::ENOTCONN), text(libc::EPIPE));
    assert!(read.message().ends_with(not_connected));
    assert_ne!(read.message(), not_connected);
    let written = write(&under.output(), b"no").unwrap_err();
    assert!(written.message().ends_with(broken));
    assert_ne!(written.message(), broken);
    let refused = under.connect(refused_address(), None).unwrap_err();
    assert_eq!(refused.message(), text(libc::ECONNREFUSED));
}

fn sock_22_a_connect_that_fails_leaves_the_socket_open(side: Side, context: &glib::MainContext) {
    let (deaf, cancellable) = (deaf_listener(), Cancellable::new());
    let under = side.unconnected();
    let refused = under.connect(refused_address(), None);
    assert_fails(refused, IOErrorEnum::ConnectionRefused);
    assert!(!under.socket().is_closed());
    let under = side.unconnected();
    let connecting = under.start_connect(deaf.address, Some(&cancellable));
    iterate_for(context, Duration::from_millis(10));
    cancellable.cancel();
    assert_fails(connecting.wait(context), IOErrorEnum::Cancelled);
    assert!(!under.socket().is_closed());
    assert!(!under.is_closed());
}

fn sock_31_a_source_fires_for_errors_and_ends_too(side: Side, context: &glib::MainContext) {
    let (under, peer) = side.connected();
    fill(&*under, &peer);
    let fired = Slot::new();
    let mut put = Some(fired.put());
    let source =
        pollable_output(&*under).create_source(Cancellable::NONE, None, DEFAULT, move |output| {
            (put.take().expect("it stops"))(output.is_writable());
            glib::ControlFlow::Break
        });
    source.attach(Some(context));
    let (source, read) = counting(&under, context, None);
    iterate_for(context, Duration::from_millis(20));
    assert!(!fired.is_set());
    assert_eq!(read.get(), 0);
    reset(peer);
    assert!(fired.wait(context));
    iterate_until(context, || read.get() > 0);
    source.destroy();
}

fn sock_32_a_source_fires_when_its_cancellable_is_cancelled(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    let cancellable = Cancellable::new();
    let (source, fired) = counting(&under, context, Some(&cancellable));
    iterate_for(context, Duration::from_millis(20));
    assert_eq!(fired.get(), 0);
    cancellable.cancel();
    assert_eq!(fired.get(), 0);
    iterate_until(context, || fired.get() > 0);
    source.destroy();
    // It has nothing to say to the operations.
    assert_fails(read_now(&*under, 8), IOErrorEnum::WouldBlock);
    let (source, fired) = counting(&under, context, Some(&cancellable));
    iterate_until(context, || fired.get() > 0);
    source.destroy();
}

fn sock_32_a_source_fires_when_its_connection_is_closed(side: Side, context: &glib::MainContext) {
    let (under, _peer) = side.connected();
    let (source, fired) = counting(&under, context, None);
    iterate_for(context, Duration::from_millis(20));
    assert_eq!(fired.get(), 0);
    under.close(Cancellable::NONE).unwrap();
    assert_eq!(fired.get(), 0);
    settle(context, Duration::from_millis(40));
    assert_eq!(fired.get(), 1);
    assert!(!source.is_destroyed());
    source.destroy();
}

fn sock_33_a_source_fires_at_each_timeout(side: Side, context: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    under.socket().set_timeout(1);
    let begun = Instant::now();
    let (source, fired) = counting(&under, context, None);
    iterate_until(context, || fired.get() > 0);
    assert!(begun.elapsed() >= Duration::from_millis(990));
    iterate_until(context, || fired.get() > 1);
    assert!(begun.elapsed() >= Duration::from_millis(1980));
    source.destroy();
    // Told once, and then it is as if nothing had happened.
    assert_fails(read_now(&*under, 8), IOErrorEnum::TimedOut);
    assert_fails(read_now(&*under, 8), IOErrorEnum::WouldBlock);
    peer.write_all(b"x").unwrap();
    assert_eq!(read(&under.input(), 8).unwrap(), b"x");
}

fn sock_33_a_timeout_is_told_once_by_the_direction_that_waited(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    under.socket().set_timeout(1);
    assert_fails(
        start_read(&under.input(), 8, None).wait(context),
        IOErrorEnum::TimedOut,
    );
    // The answer has taken it.
    assert_eq!(write(&under.output(), b"x").unwrap(), 1);
    assert_fails(read_now(&*under, 8), IOErrorEnum::WouldBlock);
    assert!(under.is_connected());
    assert!(!under.input().is_closed());
    peer.write_all(b"y").unwrap();
    assert_eq!(
        start_read(&under.input(), 8, None).wait(context).unwrap(),
        b"y"
    );
}

fn sock_35_a_blocking_wait_of_more_than_4294_seconds_does_not_wrap(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, _peer) = side.connected();
    under.socket().set_timeout(4295);
    let cancellable = Cancellable::new();
    let reader = read_on_thread(&under.input(), 8, Some(&cancellable));
    thread::sleep(Duration::from_millis(150));
    assert!(!reader.is_finished());
    cancellable.cancel();
    assert_fails(reader.join().unwrap(), IOErrorEnum::Cancelled);
}

/// SOCK-11, SOCK-33: something else takes what wakes a read, which has to wait once more.
#[test]
fn differs_f18_a_wait_that_is_taken_up_again_has_no_more_time_than_before() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                under.socket().set_timeout(1);
                let log = Log::default();
                let lines = log.clone();
                // In front of the read.
                let (taken, taker) = (Slot::new(), under.clone());
                let mut put = Some(taken.put());
                let thief = pollable_input(&*under).create_source(
                    Cancellable::NONE,
                    None,
                    side.in_front_of_a_read(),
                    move |_| {
                        (put.take().expect("it stops"))(read_now(&*taker, 8));
                        glib::ControlFlow::Break
                    },
                );
                thief.attach(Some(context));
                let input = under.input();
                input.read_async(vec![0; 8], DEFAULT, Cancellable::NONE, move |result| {
                    assert_fails(result.plain().map(drop), IOErrorEnum::TimedOut);
                    lines.add("timeout");
                });
                // The time that there is from the beginning, and some of what there is afterwards.
                let lines = log.clone();
                let marker = glib::source::timeout_source_new(
                    Duration::from_millis(1300),
                    None,
                    glib::Priority::LOW,
                    move || {
                        lines.add("later");
                        glib::ControlFlow::Break
                    },
                );
                marker.attach(Some(context));
                iterate_for(context, Duration::from_millis(600));
                peer.write_all(b"x").unwrap();
                assert_eq!(taken.wait(context).unwrap(), b"x");
                iterate_until(context, || log.lines().len() == 2);
                log.lines()
            },
            vec!["later", "timeout"],
            vec!["timeout", "later"],
        );
    });
}

fn sock_40_a_shutdown_ends_the_directions_that_it_names(side: Side, _: &glib::MainContext) {
    let (under, mut peer) = side.connected();
    let socket = under.socket();
    socket.shutdown(false, false).unwrap();
    assert!(under.is_connected());
    assert_eq!(write(&under.output(), b"x").unwrap(), 1);
    socket.shutdown(false, true).unwrap();
    // One direction is enough.
    assert!(under.is_connected());
    assert_fails(write(&under.output(), b"no"), IOErrorEnum::BrokenPipe);
    assert_eq!(read_to_end(&mut peer), b"x");
    peer.write_all(b"y").unwrap();
    assert_eq!(read(&under.input(), 8).unwrap(), b"y");
    socket.shutdown(true, false).unwrap();
    assert!(!under.is_connected());
    assert_eq!(read(&under.input(), 8).unwrap(), b"");
    assert!(!under.is_closed());
    assert!(!socket.is_closed());
    under.close(Cancellable::NONE).unwrap();
}

fn sock_40_a_shutdown_needs_an_open_and_connected_socket(side: Side, _: &glib::MainContext) {
    let under = side.unconnected();
    assert_fails(
        under.socket().shutdown(true, true),
        IOErrorEnum::NotConnected,
    );
    under.socket().shutdown(false, false).unwrap();
    under.close(Cancellable::NONE).unwrap();
    assert_fails(under.socket().shutdown(true, true), IOErrorEnum::Closed);
    assert_fails(under.socket().shutdown(false, false), IOErrorEnum::Closed);
}

fn sock_41_a_socket_closed_underneath_ends_the_streams_operations(
    side: Side,
    context: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let (socket, input) = (under.socket(), under.input());
    let reading = start_read(&input, 8, None);
    iterate_for(context, Duration::from_millis(10));
    socket.close().unwrap();
    assert!(socket.is_closed());
    assert!(!under.is_connected());
    assert_eq!(socket.as_raw_fd(), -1);
    assert_eq!(descriptor_of(&input), -1);
    assert!(!reading.is_set());
    assert_fails(reading.wait(context), IOErrorEnum::Closed);
    socket.close().unwrap();
    // The connection is not told.
    assert!(!under.is_closed());
    assert!(!input.is_closed());
    assert_fails(read(&input, 8), IOErrorEnum::Closed);
    assert_fails(write(&under.output(), b"no"), IOErrorEnum::Closed);
    assert_fails(read_now(&*under, 8), IOErrorEnum::Closed);
    assert!(!pollable_input(&*under).is_readable());
    assert_eq!(read_to_end(&mut peer), b"");
    under.close(Cancellable::NONE).unwrap();
}

fn sock_42_the_last_reference_closes_the_socket_wherever_it_goes(
    side: Side,
    _: &glib::MainContext,
) {
    let (under, mut peer) = side.connected();
    let (socket, gone) = (Sent::new(under.socket()), Gone::of(&under.socket()));
    drop(under);
    peer.set_nonblocking(true).unwrap();
    let nothing = peer.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    thread::spawn(move || drop(socket.into_inner()))
        .join()
        .unwrap();
    assert!(gone.is_gone());
    peer.set_nonblocking(false).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
}

/// SOCK-43: a loop that polls meanwhile does not hear of it, nor does the peer.
#[test]
fn differs_f19_a_close_wakes_a_loop_that_another_thread_runs() {
    on_private_context(|context| {
        differs(
            context,
            |side, context| {
                let (under, mut peer) = side.connected();
                let reading = start_read(&under.input(), 8, None);
                settle(context, Duration::from_millis(5));
                let woken = Arc::new(AtomicBool::new(false));
                let (flag, context_of_loop) = (woken.clone(), context.clone());
                let closer = on_thread(&under, move |under| {
                    // Until the loop polls, which is all that it does.
                    thread::sleep(Duration::from_millis(150));
                    under.close(Cancellable::NONE).unwrap();
                    // A while for what must not happen, and all the time there is for what must.
                    let wait = match side {
                        Side::Gio => Duration::from_millis(100),
                        Side::Ours => LIMIT,
                    };
                    peer.set_read_timeout(Some(wait)).unwrap();
                    let told = matches!(peer.read(&mut [0]), Ok(0));
                    if !told {
                        flag.store(true, Ordering::SeqCst);
                        context_of_loop.wakeup();
                    }
                    // It goes last: its end would wake the loop too.
                    (told, peer)
                });
                // Nothing else wakes it.
                while !reading.is_set() && !woken.load(Ordering::SeqCst) {
                    context.iteration(true);
                }
                let by_itself = !woken.load(Ordering::SeqCst);
                let (told, _peer) = closer.join().unwrap();
                (by_itself, told, Outcome::from(reading.wait(context)))
            },
            (false, false, Fails(IOErrorEnum::Closed)),
            (true, true, Fails(IOErrorEnum::Closed)),
        );
    });
}
