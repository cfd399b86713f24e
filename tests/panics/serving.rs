//! Clients, listeners and services, of our classes and of classes that derive from them.

use std::{
    cell::Cell,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    ptr,
    rc::Rc,
};

use gio::prelude::*;
use glib::object::IsClass;
use gsock::{
    SocketClient, SocketListener, SocketService, ThreadedSocketService, prelude::*,
    subclass::SocketServiceClass,
};

use crate::{
    scene::{NONE, Scene, play},
    support::*,
};

mod imp {
    use gsock::subclass::prelude::*;

    #[derive(Debug, Default)]
    pub struct OwnClient;

    #[glib::object_subclass]
    impl ObjectSubclass for OwnClient {
        const NAME: &'static str = "PanicsOwnClient";
        type Type = super::OwnClient;
        type ParentType = gsock::SocketClient;
    }

    impl ObjectImpl for OwnClient {}
    impl SocketClientImpl for OwnClient {}

    #[derive(Debug, Default)]
    pub struct OwnListener;

    #[glib::object_subclass]
    impl ObjectSubclass for OwnListener {
        const NAME: &'static str = "PanicsOwnListener";
        type Type = super::OwnListener;
        type ParentType = gsock::SocketListener;
    }

    impl ObjectImpl for OwnListener {}
    impl SocketListenerImpl for OwnListener {}

    #[derive(Debug, Default)]
    pub struct OwnService;

    #[glib::object_subclass]
    impl ObjectSubclass for OwnService {
        const NAME: &'static str = "PanicsOwnService";
        type Type = super::OwnService;
        type ParentType = gsock::SocketService;
    }

    impl ObjectImpl for OwnService {}
    impl SocketListenerImpl for OwnService {}
    impl SocketServiceImpl for OwnService {}

    #[derive(Debug, Default)]
    pub struct OwnThreaded;

    #[glib::object_subclass]
    impl ObjectSubclass for OwnThreaded {
        const NAME: &'static str = "PanicsOwnThreadedService";
        type Type = super::OwnThreaded;
        type ParentType = gsock::ThreadedSocketService;
    }

    impl ObjectImpl for OwnThreaded {}
    impl SocketListenerImpl for OwnThreaded {}
    impl SocketServiceImpl for OwnThreaded {}
    impl ThreadedSocketServiceImpl for OwnThreaded {}
}

glib::wrapper! {
    pub struct OwnClient(ObjectSubclass<imp::OwnClient>)
        @extends SocketClient;
}

glib::wrapper! {
    pub struct OwnListener(ObjectSubclass<imp::OwnListener>)
        @extends SocketListener;
}

glib::wrapper! {
    pub struct OwnService(ObjectSubclass<imp::OwnService>)
        @extends SocketService, SocketListener;
}

glib::wrapper! {
    pub struct OwnThreaded(ObjectSubclass<imp::OwnThreaded>)
        @extends ThreadedSocketService, SocketService, SocketListener;
}

fn listens(scene: &Scene<'_>, listener: &impl IsA<SocketListener>) -> Option<SocketAddr> {
    let any = gio_address(([127, 0, 0, 1], 0).into());
    let bound = scene.call(|| {
        listener.add_address(
            &any,
            gio::SocketType::Stream,
            gio::SocketProtocol::Default,
            None::<&glib::Object>,
        )
    })?;
    let bound = bound.downcast::<gio::InetSocketAddress>().expect("of TCP");
    Some(SocketAddr::new([127, 0, 0, 1].into(), bound.port()))
}

fn connects_to<
    C: IsA<SocketClient> + IsA<glib::Object> + IsClass,
    L: IsA<SocketListener> + IsA<glib::Object> + IsClass,
>(
    scene: &Scene<'_>,
) {
    let listener: L = glib::Object::new();
    let client: C = glib::Object::new();
    let Some(address) = listens(scene, &listener) else {
        return;
    };
    let address = gio_address(address);
    for form in 0..3 {
        let connection = match form {
            0 => scene.call(|| gsock::SocketClientExt::connect(&client, &address, NONE)),
            1 => {
                let answer = Rc::new(Cell::new(None));
                let place = answer.clone();
                client.connect_async(&address, NONE, move |client, result| {
                    place.set(Some(client.connect_finish(result)));
                });
                // In a callback of Rust's, whose panic leaves nobody to tell but the log.
                let patience = std::time::Instant::now() + std::time::Duration::from_millis(700);
                let mut outcome = None;
                scene.until(|| {
                    outcome = answer.take();
                    outcome.is_some() || std::time::Instant::now() > patience
                });
                outcome.and_then(|outcome| scene.note(outcome))
            }
            _ => scene.await_it(client.connect_future(&address)),
        };
        let Some(connection) = connection else {
            continue;
        };
        let taken = match form {
            0 => scene.call(|| listener.accept(NONE)),
            _ => scene.await_it(listener.accept_future()),
        };
        if let Some((other, _)) = taken {
            scene.call(|| other.close(NONE));
        }
        scene.call(|| connection.close(NONE));
    }
    // A result that nobody takes.
    let connection = scene.call(|| gsock::SocketClientExt::connect(&client, &address, NONE));
    if connection.is_some() {
        let is_over = Rc::new(Cell::new(false));
        let over = is_over.clone();
        listener.accept_async(NONE, move |_, _| over.set(true));
        let patience = std::time::Instant::now() + std::time::Duration::from_millis(700);
        scene.until(|| is_over.get() || std::time::Instant::now() > patience);
    }
    listener.close();
}

#[test]
fn a_client_connects_to_a_listener() {
    play(connects_to::<SocketClient, SocketListener>);
}

#[test]
fn a_client_of_a_derived_class_connects_to_a_listener_of_one() {
    play(connects_to::<OwnClient, OwnListener>);
}

/// Somebody who wants an echo, on a thread of his own.
fn wants_an_echo(address: SocketAddr) -> std::thread::JoinHandle<bool> {
    std::thread::spawn(move || {
        let Ok(mut stream) = TcpStream::connect(address) else {
            return false;
        };
        let limit = Some(std::time::Duration::from_secs(2));
        stream.set_read_timeout(limit).expect("an option");
        let mut byte = [0];
        let _ = stream.write_all(b"x");
        // An end of file, too, is an answer.
        stream.read(&mut byte).is_ok()
    })
}

fn serves<S: IsA<SocketService> + IsA<glib::Object> + IsClass>(scene: &Scene<'_>) {
    let service: S = glib::Object::new();
    let base = service.upcast_ref::<SocketService>();
    base.connect_incoming(|_, connection, _| {
        let _ = connection.output_stream().write(b"y", NONE);
        false
    });
    if let Some(threaded) = service.dynamic_cast_ref::<ThreadedSocketService>() {
        threaded.connect_run(|_, connection, _| {
            let _ = connection.output_stream().write(b"z", NONE);
            false
        });
    }
    if let Some(address) = listens(scene, base) {
        base.start();
        // Where a panic has kept it from accepting, whoever starts it anew has it accept.
        base.stop();
        base.start();
        for _ in 0..2 {
            let client = wants_an_echo(address);
            scene.until(|| client.is_finished());
            assert!(client.join().expect("no panic"), "a client was forgotten");
        }
    }
    let failure = glib::Error::new(gio::IOErrorEnum::Busy, "as a test");
    base.connect_error(|_, _| {});
    base.emit_by_name::<()>("error", &[&failure]);
    // The class' own function, which C may call.
    // SAFETY: an instance begins with its class; live arguments.
    unsafe {
        let class = &**base.as_ptr().cast::<*const SocketServiceClass>();
        class.error.expect("a slot")(
            base.as_ptr(),
            glib::translate::ToGlibPtr::<*const glib::ffi::GError>::to_glib_none(&failure).0,
        );
        let (connection, _peer) = scene.connected();
        class.incoming.expect("a slot")(base.as_ptr(), connection.as_ptr(), ptr::null_mut());
    }
    // What is still at work on another thread goes home then.
    let drained = base.drain_future();
    scene.await_it(async move {
        drained.await;
        Ok(())
    });
    base.close();
}

#[test]
fn a_service() {
    play(serves::<SocketService>);
}

#[test]
fn a_service_of_a_derived_class() {
    play(serves::<OwnService>);
}

#[test]
fn a_threaded_service() {
    play(serves::<ThreadedSocketService>);
}

#[test]
fn a_threaded_service_of_a_derived_class() {
    play(serves::<OwnThreaded>);
}

/// A listener for each thread.
#[test]
fn listeners_on_threads_of_their_own() {
    play(|scene| {
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let threads = 2;
        let started = scene.call(|| {
            gsock::listen_per_thread(&any, threads, |listener| {
                let _ = listener.listen_backlog();
                Ok(())
            })
        });
        if let Some(per_thread) = started {
            drop(per_thread);
        }
    });
}
