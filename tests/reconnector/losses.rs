//! How a peer may go away.

use std::{
    cell::RefCell,
    process::{Command, Stdio},
    rc::Rc,
};

use gio::prelude::*;
use gsock::{ReconnectorState as State, TcpConnection, prelude::*};

use crate::{support::*, tools::*};

/// Notes the error of each loss.
fn losses(scene: &Scene) -> Rc<RefCell<Vec<Option<glib::Error>>>> {
    let losses = Rc::new(RefCell::new(Vec::new()));
    let note = losses.clone();
    scene
        .reconnector
        .connect_disconnected(move |_, error| note.borrow_mut().push(error.cloned()));
    losses
}

/// RECONNECT-6: an end of file has no error, and is followed by a new connection.
#[test]
fn a_peer_that_closes_is_connected_to_again() {
    on_private_context(|context| {
        let (scene, mut peer) = Scene::connected(context);
        let losses = losses(&scene);
        for round in 0..3 {
            drop(peer);
            scene.until(|| losses.borrow().len() == round + 1);
            peer = scene.accept();
        }
        assert!(losses.borrow().iter().all(Option::is_none));
        assert!(scene.reconnector.last_error().is_none());
    });
}

/// RECONNECT-6: a reset has one.
#[test]
fn a_peer_that_resets_is_connected_to_again() {
    on_private_context(|context| {
        let (scene, mut peer) = Scene::connected(context);
        let losses = losses(&scene);
        // The next connection may be there when somebody else looks.
        let kept = Rc::new(RefCell::new(Vec::new()));
        let note = kept.clone();
        scene
            .reconnector
            .connect_disconnected(move |reconnector, _| {
                note.borrow_mut().push(reconnector.last_error());
            });
        for round in 0..3 {
            reset(peer);
            scene.until(|| losses.borrow().len() == round + 1);
            peer = scene.accept();
            assert!(
                scene.reconnector.last_error().is_none(),
                "none once connected"
            );
        }
        assert!(losses.borrow().iter().all(Option::is_some));
        assert_eq!(kept.borrow().len(), 3);
        assert!(kept.borrow().iter().all(Option::is_some));
    });
}

/// RECONNECT-6: a peer whose process is killed, and one that nobody has started again yet.
#[test]
fn a_peer_that_is_killed_is_connected_to_when_it_is_there_again() {
    on_private_context(|context| {
        let (scene, peer) = Scene::connected(context);
        let connection = scene.connection();
        // A process that has nothing but the peer's end, and is killed.
        let mut process = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(peer)))
            .spawn()
            .unwrap();
        scene.go_away();
        iterate_for(context, SOON);
        assert_eq!(scene.reconnector.state(), State::Connected);
        process.kill().unwrap();
        process.wait().unwrap();
        scene.until(|| {
            let told = scene.told.borrow();
            told.iter()
                .filter(|told| told.starts_with("attempt-failed"))
                .count()
                >= 3
        });
        let refused = scene.reconnector.last_error().unwrap();
        assert_eq!(code(&refused), gio::IOErrorEnum::ConnectionRefused);
        scene.come_back();
        scene.accept();
        assert_eq!(scene.connection(), connection);
    });
}

/// RECONNECT-6: a peer that does not answer any more, as far as a test can be one: the options that notice it are set
/// in a handler of `connected`, on each socket.
#[test]
fn what_notices_a_silent_peer_is_set_on_each_socket_in_a_handler() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        let set = Rc::new(RefCell::new(Vec::new()));
        let note = set.clone();
        scene.reconnector.connect_connected(move |reconnector, _| {
            let connection = reconnector.connection().and_downcast::<TcpConnection>();
            let connection = connection.unwrap();
            note.borrow_mut().push(connection.socket().is_keepalive());
            connection
                .set_liveness(gsock::Liveness::Interactive)
                .unwrap();
            assert!(connection.socket().is_keepalive());
        });
        scene.reconnector.start();
        for _ in 0..3 {
            drop(scene.accept());
            scene.until_lost();
        }
        scene.accept();
        assert_eq!(*set.borrow(), [false; 4], "a new socket has none");
    });
}

/// RECONNECT-7: what the peer has sent before it went away is read as long as there is no next connection.
#[test]
fn what_has_arrived_before_the_loss_can_be_read() {
    use std::io::Write;
    on_private_context(|context| {
        let (scene, mut peer) = Scene::connected(context);
        scene.go_away();
        peer.write_all(b"the last words").unwrap();
        drop(peer);
        scene.until(|| scene.told.borrow().contains(&"attempt-failed 2".to_owned()));
        let input = scene.connection().input_stream();
        let read = input.read_bytes_future(64, glib::Priority::DEFAULT);
        assert_eq!(&block_on(context, read).unwrap()[..], b"the last words");
        scene.come_back();
        scene.accept();
    });
}

/// RECONNECT-7: a peer that has closed takes in what is written to it once more: nobody is to think that it has arrived.
#[test]
fn what_is_written_after_the_loss_fails() {
    on_private_context(|context| {
        for _ in 0..3 {
            let (scene, peer) = Scene::connected(context);
            scene.go_away();
            drop(peer);
            scene.until_lost();
            let output = scene.connection().output_stream();
            let written = output.write(b"lost", gio::Cancellable::NONE);
            assert_fails(written, gio::IOErrorEnum::BrokenPipe);
        }
    });
}

/// RECONNECT-8: without `reconnect` a loss is the end.
#[test]
fn a_loss_is_the_end_where_nobody_wants_another_connection() {
    on_private_context(|context| {
        let scene = Scene::new(context);
        scene.reconnector.set_reconnect(false);
        scene.go_away();
        scene.reconnector.start();
        // An attempt that fails is made again all the same.
        scene.until(|| scene.told.borrow().contains(&"attempt-failed 2".to_owned()));
        scene.come_back();
        let peer = scene.accept();
        scene.told();
        drop(peer);
        scene.until_state(State::Stopped);
        iterate_for(context, 10 * SOON);
        assert_eq!(scene.told(), ["disconnected"]);
        scene.reconnector.start();
        scene.accept();
    });
}
