//! A threaded service while system calls fail: whoever has called is served, or its socket fails for good.

use std::{cell::RefCell, os::fd::AsRawFd, rc::Rc};

use gio::{Cancellable, SocketProtocol, SocketType, prelude::*};
use gsock::{ThreadedSocketService, prelude::*};

use crate::{
    scene::{Own, drive, iterate_while},
    support::gio_address,
};

#[test]
fn threaded_service() {
    let own = Own {
        has_threads: true,
        ..Own::ANY
    };
    drive(own, |scene| {
        let service = ThreadedSocketService::new(2);
        scene.note("service", &service);
        let failures = Rc::new(RefCell::new(Vec::new()));
        let told = failures.clone();
        service.connect_error(move |_, failure| told.borrow_mut().push(failure.clone()));
        service.connect_run(|_, connection, _| {
            let bytes = connection.input_stream().read_bytes(1, Cancellable::NONE);
            if let Ok(bytes) = bytes {
                let _ = connection
                    .output_stream()
                    .write_bytes(&bytes, Cancellable::NONE);
            }
            true
        });
        let address = service
            .add_address(
                &gio_address(([127, 0, 0, 1], 0).into()),
                SocketType::Stream,
                SocketProtocol::Default,
                None::<&glib::Object>,
            )
            .expect("nothing is in its way");
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let caller = gio::Socket::new(
                    address.family(),
                    SocketType::Stream,
                    SocketProtocol::Default,
                );
                let caller = caller.expect("there is such a socket");
                SocketExt::connect(&caller, &address, Cancellable::NONE).expect("it listens");
                caller.send(b"x", Cancellable::NONE).expect("room");
                caller.set_blocking(false);
                caller
            })
            .collect();
        let mut served = 0;
        scene.under_faults(|| {
            // Each is answered, or closed.
            for caller in &callers {
                let mut byte = [0];
                iterate_while(scene.context, || {
                    if !failures.borrow().is_empty() {
                        return false;
                    }
                    // Woken by a timer: what answers is a thread.
                    crate::scene::pause();
                    let waker = glib::source::idle_source_new(None, glib::Priority::LOW, || {
                        glib::ControlFlow::Break
                    });
                    waker.attach(Some(scene.context));
                    match peek(caller, &mut byte) {
                        Some(count) => {
                            served += usize::from(count == 1);
                            false
                        }
                        None => true,
                    }
                });
            }
        });
        service.close();
        scene.context.block_on(service.drain_future());
        let outcome = failures.borrow().first().cloned().map_or(Ok(()), Err);
        assert!(
            outcome.is_err() || served == 2 || scene.suffered(),
            "{served} were served"
        );
        outcome
    });
}

/// How many bytes came, by a call that is the peer's: none at its end; `None` while there is nothing.
fn peek(caller: &gio::Socket, byte: &mut [u8; 1]) -> Option<usize> {
    let fd = caller.as_raw_fd();
    let place = byte.as_mut_ptr().expose_provenance();
    // On a thread of the peer's own, whose calls do not fail.
    std::thread::spawn(move || {
        crate::scene::play_the_peer();
        let place = std::ptr::with_exposed_provenance_mut::<libc::c_void>(place);
        // SAFETY: one byte that the caller keeps until this thread has ended.
        let count = unsafe { libc::recv(fd, place, 1, libc::MSG_DONTWAIT) };
        let errno = std::io::Error::last_os_error().raw_os_error();
        match usize::try_from(count) {
            Ok(count) => Some(count),
            Err(_) if errno == Some(libc::EAGAIN) => None,
            // It was reset.
            Err(_) => Some(0),
        }
    })
    .join()
    .expect("no panic")
}
