//! The signal: what is told of a socket that is made, and when.

use std::{cell::RefCell, rc::Rc};

use gio::{SocketFamily, SocketListenerEvent as Event, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketListener, prelude::*};

use crate::{support::*, tools::*};

/// `B b L l` with the family's number for binding, bound, listening, listened.
fn letters(listener: &SocketListener) -> Rc<RefCell<String>> {
    let seen = Rc::new(RefCell::new(String::new()));
    let all = seen.clone();
    listener.connect_event(move |_, event, socket| {
        let letter = match event {
            Event::Binding => 'B',
            Event::Bound => 'b',
            Event::Listening => 'L',
            Event::Listened => 'l',
            _ => '?',
        };
        let family = if socket.family() == SocketFamily::Ipv6 {
            '6'
        } else {
            '4'
        };
        all.borrow_mut().extend([letter, family]);
    });
    seen
}

/// LISTEN-4, LISTEN-7, LISTEN-17, LISTEN-18.
#[test]
fn each_socket_that_is_made_tells_what_is_done_with_it() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        let seen = letters(&listener);
        add_loopback(&listener, NONE);
        assert_eq!(seen.take(), "B4b4L4l4");
        listener.add_any_inet_port(NONE).unwrap();
        assert_eq!(seen.take(), "B6b6L6l6");
        listener.close();
        let listener = SocketListener::new();
        let seen = letters(&listener);
        listener.add_inet_port(free_port(), NONE).unwrap();
        assert_eq!(seen.take(), "B6b6L6l6");
        let (socket, _) = listening_socket();
        listener.add_socket(&socket, NONE).unwrap();
        assert_eq!(seen.take(), "");
    });
}

#[test]
fn where_families_are_apart_both_tell() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        listener.connect_event(|_, event, socket| {
            if event == Event::Binding && socket.family() == SocketFamily::Ipv6 {
                leave_ipv4(socket);
            }
        });
        let seen = letters(&listener);
        listener.add_any_inet_port(NONE).unwrap();
        // Once more from the beginning for each port that is taken in one of them.
        assert!(seen.take().ends_with("B6b6B4b4L6l6L4l4"));
        listener.add_inet_port(free_port(), NONE).unwrap();
        assert_eq!(seen.take(), "B6b6L6l6B4b4L4l4");
    });
}

/// LISTEN-8.
#[test]
fn what_fails_is_the_last_that_is_told_of() {
    on_private_context(|_| {
        let (_other, taken) = listener();
        let listener = SocketListener::new();
        let seen = letters(&listener);
        let add = |address: &gio::InetSocketAddress, type_, protocol| {
            listener.add_address(address, type_, protocol, NONE).is_ok()
        };
        let (any, taken) = (any_loopback_port(), gio_address(taken));
        assert!(!add(&any, SocketType::Stream, SocketProtocol::Udp));
        assert_eq!(seen.take(), "");
        assert!(!add(&taken, SocketType::Stream, SocketProtocol::Default));
        assert_eq!(seen.take(), "B4");
        assert!(!add(&any, SocketType::Datagram, SocketProtocol::Default));
        assert_eq!(seen.take(), "B4b4L4");
    });
}

/// LISTEN-19.
#[test]
fn the_backlog_is_set_when_it_is_in_gio() {
    on_private_context(|_| {
        let listener = SocketListener::new();
        listener.set_backlog(77);
        let seen = Rc::new(RefCell::new(Vec::new()));
        let all = seen.clone();
        listener.connect_event(move |_, _, socket| {
            all.borrow_mut().push(socket.listen_backlog());
        });
        add_loopback(&listener, NONE);
        assert_eq!(seen.take(), [77, 77, 77, 77]);
        listener.add_any_inet_port(NONE).unwrap();
        assert_eq!(seen.take(), [10, 10, 77, 77]);
        listener.add_inet_port(free_port(), NONE).unwrap();
        assert_eq!(seen.take(), [77, 77, 77, 77]);
    });
}

#[test]
fn a_handler_may_set_what_has_to_be_set_before_a_socket_is_bound() {
    on_private_context(|context| {
        let (first, second) = (SocketListener::new(), SocketListener::new());
        for listener in [&first, &second] {
            listener.connect_event(|_, event, socket| {
                if event == Event::Binding {
                    socket
                        .set_option(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
                        .unwrap();
                }
            });
        }
        let address = add_loopback(&first, NONE);
        let same = gio_address(address);
        let shared = second.add_address(&same, SocketType::Stream, SocketProtocol::Default, NONE);
        assert_eq!(std_address(&shared.unwrap()), address);
        first.close();
        let _peer = connect(address);
        accept(Form::Blocking, &second, None, context).unwrap();
    });
}
