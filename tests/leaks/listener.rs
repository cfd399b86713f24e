//! Listeners: what they make, what they accept, and what waits for it.

use std::{
    cell::RefCell,
    net::{SocketAddr, TcpStream},
    rc::Rc,
};

use gio::{Cancellable, IOErrorEnum as E, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketConnection, SocketListener, prelude::*};

use crate::counting::*;
use crate::support::*;
use crate::tools::assert_idle;

type Outcome = Result<(SocketConnection, Option<glib::Object>), glib::Error>;
type Begun = Rc<RefCell<Option<Outcome>>>;

/// A listener whose sockets are noted, with the object that comes with each connection.
fn listening(made: &Rc<Made>) -> (SocketListener, SocketAddr) {
    let listener = SocketListener::new();
    made.note("listener", &listener);
    let notes = made.clone();
    listener.connect_event(move |_, event, socket| {
        if event == gio::SocketListenerEvent::Binding {
            notes.note("listening socket", socket);
        }
    });
    let source_object = Cancellable::new();
    made.note("source object", &source_object);
    let any = gio_address(([127, 0, 0, 1], 0).into());
    let (type_, protocol) = (SocketType::Stream, SocketProtocol::Default);
    let address = listener
        .add_address(&any, type_, protocol, Some(&source_object))
        .expect("loopback");
    let address: gio::InetSocketAddress = address.downcast().expect("an internet address");
    (listener, ([127, 0, 0, 1], address.port()).into())
}

fn begin(made: &Made, listener: &SocketListener, cancellable: &Cancellable) -> Begun {
    let begun = Begun::default();
    let slot = begun.clone();
    made.note("cancellable", cancellable);
    listener.accept_async(Some(cancellable), move |listener, result| {
        *slot.borrow_mut() = Some(listener.accept_finish(result));
    });
    begun
}

#[test]
fn what_is_accepted_leaves_nothing_behind() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 50) {
            let made = Rc::new(Made::default());
            let (listener, address) = listening(&made);
            for _ in 0..3 {
                let _peer = TcpStream::connect(address).expect("it listens");
                let (connection, _) = listener.accept(Cancellable::NONE).expect("it waits");
                made.note("connection", &connection);
                let _peer = TcpStream::connect(address).expect("it listens");
                let accepting = listener.accept_future();
                let (connection, _) = block_on(context, accepting).expect("it waits");
                made.note_connection(&connection);
                let _peer = TcpStream::connect(address).expect("it listens");
                let begun = begin(&made, &listener, &Cancellable::new());
                iterate_until(context, || begun.borrow().is_some());
            }
            if cycle % 2 == 0 {
                listener.close();
            }
            drop(listener);
            made.assert_gone(context);
        }
    });
}

#[test]
fn what_waits_in_vain_leaves_nothing_behind() {
    counted(|context, warm_up| {
        for cycle in 0..times(warm_up, 50) {
            let made = Rc::new(Made::default());
            let (listener, _) = listening(&made);
            let cancellable = Cancellable::new();
            let begun: Vec<_> = (0..5)
                .map(|_| begin(&made, &listener, &cancellable))
                .collect();
            let mut futures: Vec<_> = (0..5).map(|_| listener.accept_future()).collect();
            let all = futures::future::join_all(futures.iter_mut());
            let waited = context.block_on(futures::future::select(
                all,
                glib::timeout_future(std::time::Duration::from_millis(1)),
            ));
            drop(waited);
            drop(futures);
            let expected = if cycle % 2 == 0 {
                cancellable.cancel();
                E::Cancelled
            } else {
                listener.close();
                E::Closed
            };
            for one in begun {
                iterate_until(context, || one.borrow().is_some());
                assert_fails(one.take().expect("it has ended"), expected);
            }
            drop((listener, cancellable));
            made.assert_gone(context);
        }
    });
}

#[test]
fn addresses_that_come_and_go_leave_nothing_behind() {
    counted(|context, warm_up| {
        let made = Rc::new(Made::default());
        let (listener, _) = listening(&made);
        let begun = begin(&made, &listener, &Cancellable::new());
        for _ in 0..times(warm_up, 50) {
            listener
                .add_any_inet_port(None::<&glib::Object>)
                .expect("a port");
            assert_idle(context);
            let last = listener.addresses().pop().expect("two");
            listener.remove_address(&last).expect("it is there");
        }
        assert_eq!(listener.addresses().len(), 1);
        assert!(begun.borrow().is_none());
        listener.close();
        iterate_until(context, || begun.borrow().is_some());
        drop((listener, begun));
        made.assert_gone(context);
    });
}
