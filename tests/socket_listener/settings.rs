//! The backlog.

use gio::prelude::*;
use gsock::{SocketListener, prelude::*};

use crate::{support::*, tools::*};

/// LISTEN-2; in C any number is taken, and nobody is told.
#[test]
fn the_backlog_is_kept_in_range_and_changes_are_told() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        let told = notifications(&listener);
        assert_eq!(listener.listen_backlog(), 10);
        for (set, kept) in [(5, 5), (-5, 0), (100_000, 2000), (10, 10)] {
            listener.set_backlog(set);
            assert_eq!(listener.listen_backlog(), kept);
            assert_eq!(listener.property::<i32>("listen-backlog"), kept);
        }
        assert_eq!(told.borrow().len(), 4);
        listener.set_backlog(10);
        assert_eq!(told.borrow().len(), 4);
        listener.set_property("listen-backlog", 20);
        assert_eq!(listener.listen_backlog(), 20);
        assert_eq!(told.borrow().len(), 5);
    });
}

/// LISTEN-3.
#[test]
fn a_closed_listener_keeps_its_backlog() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        listener.close();
        listener.set_backlog(5);
        assert_eq!(listener.listen_backlog(), 10);
    });
}

/// What the kernel says of a listening socket: how many may wait.
fn room(socket: &gio::Socket) -> u32 {
    use std::os::fd::AsRawFd;
    // `tcpi_sacked` of a socket that listens, at 28 bytes.
    let mut info = [0_u32; 16];
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the buffer is as long as said.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    assert_eq!(result, 0);
    info[7]
}

/// LISTEN-3, where C logs a critical message and changes nothing.
#[test]
fn sockets_that_listen_take_a_new_backlog_on_and_others_do_not_begin_to() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        let own = std::rc::Rc::new(std::cell::RefCell::new(None));
        let slot = own.clone();
        listener.connect_event(move |_, _, socket| {
            *slot.borrow_mut() = Some(socket.clone());
        });
        listener.set_backlog(3);
        add_loopback(&listener, NONE);
        let own = own.take().unwrap();
        let (added, _) = listening_socket();
        listener.add_socket(&added, NONE).unwrap();
        let idle = ipv4_socket();
        listener.add_socket(&idle, NONE).unwrap();
        assert_eq!(room(&own), 3);
        listener.set_backlog(7);
        assert_eq!([room(&own), room(&added)], [7, 7]);
        let listens = socket_option(&idle, libc::SOL_SOCKET, libc::SO_ACCEPTCONN);
        assert_eq!(listens, 0);
    });
}
