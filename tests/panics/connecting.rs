//! Connecting and closing, by the slots of the classes.

use std::{cell::RefCell, net::TcpStream, ptr};

use gio::{ffi as gio_ffi, prelude::*};
use glib::{
    object::{IsClass, ObjectType},
    translate::ToGlibPtr,
};
use gsock::{
    SocketConnection, TcpConnection, TcpWrapperConnection, prelude::*,
    subclass::SocketConnectionClass,
};

use crate::{
    scene::{Finish, NONE, Scene, play, play_telling, said},
    streams::{asynchronous, blocking, closing, pollable},
    support::*,
};

#[path = "../cancel_points/derived.rs"]
mod derived;

use derived::Derived;

fn class_of(connection: &SocketConnection) -> &'static SocketConnectionClass {
    // SAFETY: an instance begins with its class, which stays as long as the process.
    unsafe { &**connection.as_ptr().cast::<*const SocketConnectionClass>() }
}

const CONNECT: Finish = |source, result| {
    let mut failure = ptr::null_mut();
    // SAFETY: called with a connection, which begins with its class.
    let class = unsafe { &**source.cast::<*const SocketConnectionClass>() };
    let slot = class.connect_finish.expect("a slot");
    // SAFETY: the arguments of the callback.
    let done = unsafe { slot(source.cast(), result, &raw mut failure) };
    said(done != 0, failure)
};

fn made<T: IsA<SocketConnection> + IsA<glib::Object> + IsClass>() -> T {
    glib::Object::builder()
        .property("socket", ipv4_socket())
        .build()
}

fn connects<T: IsA<SocketConnection> + IsA<glib::Object> + IsClass>(scene: &Scene<'_>) {
    for form in 0..3 {
        let (listener, address) = listener();
        let address = gio_address(address);
        let connection: T = made();
        let base = connection.upcast_ref::<SocketConnection>();
        let class = class_of(base);
        // SAFETY: live arguments.
        unsafe {
            match form {
                0 => {
                    scene.call(|| {
                        let mut failure = ptr::null_mut();
                        let done = class.connect.expect("a slot")(
                            base.as_ptr(),
                            address.upcast_ref::<gio::SocketAddress>().as_ptr(),
                            ptr::null_mut(),
                            &raw mut failure,
                        );
                        said(done != 0, failure)
                    });
                }
                1 => {
                    scene.ask(CONNECT, |callback, data| {
                        class.connect_async.expect("a slot")(
                            base.as_ptr(),
                            address.upcast_ref::<gio::SocketAddress>().as_ptr(),
                            ptr::null_mut(),
                            callback,
                            data,
                        );
                    });
                }
                _ => {
                    scene.await_it(base.connect_future(&address));
                }
            }
        }
        listener.set_nonblocking(true).expect("an option");
        let peer = listener.accept();
        match form {
            0 => drop(scene.call(|| base.close(NONE))),
            _ => closing(scene, base),
        }
        drop(connection);
        if let Ok((mut peer, _)) = peer {
            peer.set_nonblocking(false).expect("an option");
            scene.ends(&mut peer);
        }
    }
}

#[test]
fn a_connection_connects() {
    play(connects::<TcpConnection>);
}

#[test]
fn a_connection_of_a_derived_class_connects() {
    play(connects::<Derived>);
}

#[test]
fn a_connection_of_a_derived_class_is_used() {
    play(|scene| {
        let (mut peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        let connection: Derived = glib::Object::builder().property("socket", &socket).build();
        drop(socket);
        blocking(scene, &connection, &mut peer);
        asynchronous(scene, &connection, &mut peer);
        pollable(scene, &connection, &mut peer);
        drop(connection);
        scene.ends(&mut peer);
    });
}

#[test]
fn a_graceful_close() {
    play(|scene| {
        for form in 0..2 {
            let (connection, mut peer) = scene.connected();
            let tcp: TcpConnection = connection.downcast().expect("of TCP");
            tcp.set_graceful_disconnect(true);
            peer.shutdown(std::net::Shutdown::Write).expect("connected");
            match form {
                0 => drop(scene.call(|| tcp.close(NONE))),
                _ => closing(scene, &tcp),
            }
            drop(tcp);
            scene.ends(&mut peer);
        }
    });
}

fn wrapped(scene: &Scene<'_>) -> (TcpWrapperConnection, SocketConnection, TcpStream) {
    let (connection, peer) = scene.connected();
    let base = gio::SimpleIOStream::new(&connection.input_stream(), &connection.output_stream());
    let wrapper =
        TcpWrapperConnection::new(&base, &connection.socket()).expect("a socket of its kind");
    (wrapper, connection, peer)
}

/// GIO answers that it was cancelled, whatever the connection's class has answered.
#[test]
fn a_cancelled_close() {
    play_telling(
        |place| place.starts_with("reactor::"),
        |scene| {
            let (connection, mut peer) = scene.connected();
            let cancellable = gio::Cancellable::new();
            cancellable.cancel();
            let cancelled: Finish = |source, result| match crate::streams::CLOSE(source, result) {
                Err(failure) if failure.matches(gio::IOErrorEnum::Cancelled) => Ok(()),
                other => other,
            };
            scene.ask(cancelled, |callback, data| {
                // SAFETY: live arguments.
                unsafe {
                    gio_ffi::g_io_stream_close_async(
                        connection.upcast_ref::<gio::IOStream>().as_ptr(),
                        0,
                        cancellable.to_glib_none().0,
                        callback,
                        data,
                    );
                }
            });
            drop(connection);
            scene.ends(&mut peer);
        },
    );
}

#[test]
fn a_wrapper() {
    play(|scene| {
        for form in 0..3 {
            let (wrapper, connection, mut peer) = wrapped(scene);
            match form {
                0 => blocking(scene, &wrapper, &mut peer),
                1 => asynchronous(scene, &wrapper, &mut peer),
                _ => {}
            }
            match form {
                0 => drop(scene.call(|| wrapper.close(NONE))),
                _ => closing(scene, &wrapper),
            }
            drop((wrapper, connection));
            scene.ends(&mut peer);
        }
    });
}

const RECEIVE: Finish = |source, result| {
    // SAFETY: called with a connection.
    let connection: SocketConnection = unsafe {
        glib::translate::from_glib_none(source.cast::<<SocketConnection as ObjectType>::GlibType>())
    };
    // SAFETY: a live result.
    unsafe { connection.receive_raw_finish(result) }.map(drop)
};

const SEND: Finish = |source, result| {
    // SAFETY: called with a connection.
    let connection: SocketConnection = unsafe {
        glib::translate::from_glib_none(source.cast::<<SocketConnection as ObjectType>::GlibType>())
    };
    // SAFETY: a live result.
    unsafe { connection.send_raw_finish(result) }.map(drop)
};

/// Straight at the socket, and by way of a wrapper's streams.
#[test]
fn the_direct_entry() {
    use std::io::Write;
    play(|scene| {
        for is_wrapped in [false, true] {
            let (wrapper, connection, mut peer) = wrapped(scene);
            let used = if is_wrapped {
                wrapper.upcast_ref()
            } else {
                &connection
            };
            let mut buffer = [0; 2];
            for _ in 0..2 {
                peer.write_all(b"xy").expect("room");
                // SAFETY: the memory lives until the callback.
                unsafe {
                    scene.ask(RECEIVE, |callback, data| {
                        used.receive_raw_async(
                            buffer.as_mut_ptr(),
                            2,
                            glib::Priority::DEFAULT,
                            NONE,
                            callback,
                            data,
                        );
                    });
                    scene.ask(SEND, |callback, data| {
                        used.send_raw_async(
                            b"xy".as_ptr(),
                            2,
                            glib::Priority::DEFAULT,
                            NONE,
                            callback,
                            data,
                        );
                    });
                }
            }
            drop((wrapper, connection));
            scene.ends(&mut peer);
        }
    });
}

thread_local! {
    /// What the next callback of `goes_on` does.
    static NEXT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

unsafe extern "C" fn goes_on(
    _: *mut glib::gobject_ffi::GObject,
    _: *mut gio_ffi::GAsyncResult,
    _: glib::ffi::gpointer,
) {
    if let Some(next) = NEXT.take() {
        next();
    }
}

/// Asked for in a callback, in a turn of the engine, which begins with it at once.
#[test]
fn the_direct_entry_in_a_callback() {
    use std::io::Write;
    play(|scene| {
        let (connection, mut peer) = scene.connected();
        let (first, second) = crate::scene::for_ever([0_u8; 4]).split_at_mut(2);
        peer.write_all(b"xyxy").expect("room");
        let receives = |buffer: &'static mut [u8], callback, data| {
            let connection = connection.clone();
            move || {
                let (start, count) = (buffer.as_mut_ptr(), buffer.len());
                let priority = glib::Priority::DEFAULT;
                // SAFETY: the memory lives as long as the process.
                unsafe {
                    connection.receive_raw_async(start, count, priority, NONE, callback, data);
                }
            }
        };
        scene.ask(RECEIVE, |callback, data| {
            NEXT.set(Some(Box::new(receives(second, callback, data))));
            receives(first, Some(goes_on), ptr::null_mut())();
        });
        drop(connection);
        scene.ends(&mut peer);
    });
}

/// Waits that a cancellable ends.
#[test]
fn a_cancelled_read() {
    play(|scene| {
        let (connection, mut peer) = scene.connected();
        let cancellable = gio::Cancellable::new();
        let input = connection.input_stream();
        let canceller = cancellable.clone();
        let soon = glib::source::timeout_source_new(
            std::time::Duration::from_millis(10),
            None,
            glib::Priority::DEFAULT,
            move || {
                canceller.cancel();
                glib::ControlFlow::Break
            },
        );
        soon.attach(Some(scene.context));
        let mut buffer = [0_u8; 1];
        let cancelled: Finish = |source, result| match crate::streams::READ(source, result) {
            Err(failure) if failure.matches(gio::IOErrorEnum::Cancelled) => Ok(()),
            other => other,
        };
        let written = std::cell::Cell::new(false);
        scene.ask(cancelled, |callback, data| {
            // SAFETY: live arguments; the buffer lives until the callback.
            unsafe {
                gio_ffi::g_input_stream_read_async(
                    input.as_ptr(),
                    buffer.as_mut_ptr().cast(),
                    1,
                    0,
                    cancellable.to_glib_none().0,
                    callback,
                    data,
                );
            }
            // Whoever is not told of the cancellation reads what comes then.
            let mut late = peer.try_clone().expect("room");
            let later = glib::source::timeout_source_new(
                std::time::Duration::from_millis(300),
                None,
                glib::Priority::DEFAULT,
                move || {
                    let _ = std::io::Write::write_all(&mut late, b"z");
                    glib::ControlFlow::Break
                },
            );
            later.attach(Some(scene.context));
            written.set(true);
        });
        assert!(written.get());
        drop((input, connection));
        scene.ends(&mut peer);
    });
}
