//! Descriptors that were sent and not received yet.

use std::os::fd::AsFd;

use super::*;

/// Of a user who is not root there may be as many on their way as a process may open: a limit of this process keeps the
/// tests beside it out of the matter. Of root as many as there is room for.
#[test]
fn descriptors_on_their_way_are_limited_by_the_system_and_nothing_leaks() {
    alone(|_| {
        let unix = |stream: std::os::unix::net::UnixStream| {
            let made = SocketConnection::factory_create_connection_from_fd(stream.into());
            made.expect("a socket")
                .downcast::<UnixConnection>()
                .expect("of its kind")
        };
        let (one, other) = std::os::unix::net::UnixStream::pair().expect("descriptors");
        let (one, other) = (unix(one), unix(other));
        let (mut reads, writes) = std::io::pipe().expect("descriptors");
        let limit = Limit::of(300);
        let cancellable = gio::Cancellable::new();
        let stop = cancellable.clone();
        let watch = thread::spawn(move || {
            thread::sleep(Duration::from_millis(500));
            stop.cancel();
        });
        let mut sent = 0;
        let failure = loop {
            match one.send_fds(&[writes.as_fd(); 253], Some(&cancellable)) {
                Ok(()) => sent += 1,
                Err(failure) => break failure,
            }
        };
        assert!(
            matches!(failure.kind(), Some(E::Cancelled | E::Failed)),
            "{failure:?}"
        );
        watch.join().expect("no panic");
        for _ in 0..sent {
            let received = other.receive_fds(253, gio::Cancellable::NONE);
            assert_eq!(received.expect("sent").len(), 253);
        }
        drop((limit, writes));
        // Its end comes once nobody has the other side any more.
        assert_eq!(reads.read(&mut [0]).expect("a pipe"), 0);
    });
}
