//! A listener in a process that may open no more descriptors.

use std::{
    cell::RefCell,
    net::{SocketAddr, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    rc::Rc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use gio::{
    Cancellable, IOErrorEnum as E, SocketFamily, SocketListenerEvent as Event, SocketProtocol,
    SocketType, prelude::*,
};
use gsock::{SocketConnection, SocketListener, UnixPathOptions, listen_per_thread, prelude::*};

use crate::{Full, alone, support::*};

type Outcome = Result<(SocketConnection, Option<glib::Object>), glib::Error>;

fn listening() -> (SocketListener, SocketAddr) {
    let listener = SocketListener::new();
    let any = gio_address(([127, 0, 0, 1], 0).into());
    let (type_, protocol) = (SocketType::Stream, SocketProtocol::Default);
    let address = listener
        .add_address(&any, type_, protocol, None::<&glib::Object>)
        .expect("loopback");
    let address: gio::InetSocketAddress = address.downcast().expect("an internet address");
    (listener, ([127, 0, 0, 1], address.port()).into())
}

fn begin(listener: &SocketListener) -> Rc<RefCell<Option<Outcome>>> {
    let ended = Rc::new(RefCell::new(None));
    let slot = ended.clone();
    listener.accept_async(Cancellable::NONE, move |listener, result| {
        *slot.borrow_mut() = Some(listener.accept_finish(result));
    });
    ended
}

fn is_of(connection: &SocketConnection, peer: &TcpStream) -> bool {
    let remote = connection.remote_address().expect("connected");
    let remote: gio::InetSocketAddress = remote.downcast().expect("an internet address");
    remote.port() == peer.local_addr().expect("connected").port()
}

/// LISTEN-34.
#[test]
fn an_accept_fails_and_the_connection_waits_for_the_next_one() {
    alone(|context| {
        let (listener, address) = listening();
        let waiting = begin(&listener);
        iterate_until(context, || !context.pending());
        let peer = TcpStream::connect(address).expect("it listens");
        let full = Full::now();
        iterate_until(context, || waiting.borrow().is_some());
        let failed = waiting.take().expect("it has ended");
        assert_fails(failed, E::TooManyOpenFiles);
        assert_fails(listener.accept(Cancellable::NONE), E::TooManyOpenFiles);
        let outcome = block_on(context, listener.accept_future());
        assert_fails(outcome, E::TooManyOpenFiles);
        let again = begin(&listener);
        iterate_until(context, || again.borrow().is_some());
        assert_fails(again.take().expect("it has ended"), E::TooManyOpenFiles);
        drop(full);

        let (connection, _) = block_on(context, listener.accept_future()).expect("it waits");
        assert!(is_of(&connection, &peer));
    });
}

#[test]
fn accepts_wait_and_are_closed_and_cancelled_at_the_limit() {
    alone(|context| {
        let (listener, _) = listening();
        let waiting = begin(&listener);
        iterate_until(context, || !context.pending());
        let full = Full::now();
        let cancellable = Cancellable::new();
        let other = cancellable.clone();
        let canceller = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            other.cancel();
        });
        assert_fails(listener.accept(Some(&cancellable)), E::Cancelled);
        canceller.join().expect("no panic");
        assert!(waiting.borrow().is_none());
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let (type_, protocol) = (SocketType::Stream, SocketProtocol::Default);
        let added = listener.add_address(&any, type_, protocol, None::<&glib::Object>);
        assert_fails(added, E::TooManyOpenFiles);
        assert_fails(
            listener.add_any_inet_port(None::<&glib::Object>),
            E::TooManyOpenFiles,
        );
        listener.close();
        iterate_until(context, || waiting.borrow().is_some());
        assert_fails(waiting.take().expect("it has ended"), E::Closed);
        drop(full);
    });
}

#[test]
fn a_stream_that_goes_on_whatever_comes_does_not_do_so_without_end() {
    alone(|context| {
        let (listener, address) = listening();
        let peer = TcpStream::connect(address).expect("it listens");
        let full = Full::now();
        let mut incoming = listener.incoming();
        let outcome = Rc::new(RefCell::new(None));
        let (slot, failures) = (outcome.clone(), Rc::new(RefCell::new(Vec::new())));
        let failed = failures.clone();
        context.spawn_local(async move {
            while let Some(next) = incoming.next().await {
                match next {
                    Ok(connection) => {
                        *slot.borrow_mut() = Some(connection);
                        return;
                    }
                    Err(failure) => failed.borrow_mut().push(code(&failure)),
                }
            }
        });
        let end = Instant::now() + Duration::from_millis(100);
        iterate_until(context, || Instant::now() >= end);
        drop(full);
        iterate_until(context, || outcome.borrow().is_some());
        let connection = outcome.take().expect("it waits");
        assert!(is_of(&connection, &peer));
        // After 0, 10, 30, 70 and 150 ms at the earliest.
        let failures = failures.take();
        assert!((1..20).contains(&failures.len()), "{}", failures.len());
        assert!(
            failures
                .iter()
                .all(|failure| *failure == E::TooManyOpenFiles)
        );
    });
}

const NOTHING: Option<&glib::Object> = None;

#[test]
fn a_port_in_both_families_fails_at_the_limit_as_its_sockets_do() {
    alone(|_| {
        let listener = SocketListener::new();
        let port = refused_address().port();
        let full = Full::now();
        assert_fails(listener.add_inet_port(port, NOTHING), E::TooManyOpenFiles);
        drop(full);
        assert!(listener.addresses().is_empty());
        listener.add_inet_port(port, NOTHING).expect("it is free");
    });
}

/// The first socket takes the last descriptor, and speaks IPv6 only.
#[test]
fn a_port_of_one_family_is_enough_where_there_is_no_descriptor_for_the_other() {
    alone(|_| {
        let listener = SocketListener::new();
        let port = refused_address().port();
        listener.connect_event(|_, event, socket| {
            if event == Event::Binding {
                assert_eq!(socket.family(), SocketFamily::Ipv6);
                socket
                    .set_option(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)
                    .expect("an option of an unbound socket");
            }
        });
        let mut full = Full::now();
        full._fillers.pop();
        listener.add_inet_port(port, NOTHING).expect("a descriptor");
        drop(full);
        let addresses = listener.addresses();
        assert_eq!(addresses.len(), 1);
        assert_eq!(addresses[0].family(), SocketFamily::Ipv6);
        let _peer = TcpStream::connect(("::1", port)).expect("it listens");
        listener.accept(Cancellable::NONE).expect("one has come");
    });
}

/// However far it comes: nothing of its own is left in the folder.
fn path_with_ever_more_descriptors(is_stale: bool) {
    let name = format!("gsock-fd-limit-{}-{is_stale}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).expect("a new folder");
    let path = folder.join("socket");
    if is_stale {
        drop(UnixListener::bind(&path).expect("a free path"));
    }
    let listener = SocketListener::new();
    let options = UnixPathOptions::default();
    let mut free = 0;
    loop {
        let mut full = Full::now();
        full._fillers.truncate(full._fillers.len() - free);
        let added = listener.add_unix_path(&path, &options, NOTHING);
        drop(full);
        if added.is_ok() {
            break;
        }
        assert_fails(added, E::TooManyOpenFiles);
        assert!(listener.addresses().is_empty());
        let mut left = std::fs::read_dir(&folder).expect("a folder");
        assert!(
            left.all(|entry| is_stale && entry.expect("a name").file_name() == "socket"),
            "with {free} descriptors"
        );
        free += 1;
        assert!(free < 20, "it never succeeds");
    }
    // The folder, for the path and for its lock, the lock, and the socket.
    assert!(free >= 4, "{free}");
    let _peer = UnixStream::connect(&path).expect("it listens");
    listener.accept(Cancellable::NONE).expect("one has come");
    listener.close();
    std::fs::remove_dir(&folder).expect("nothing is left in it");
}

#[test]
fn a_path_fails_at_the_limit_and_nothing_is_left_there() {
    alone(|_| path_with_ever_more_descriptors(false));
}

#[test]
fn a_path_that_is_stale_fails_at_the_limit_and_nothing_new_is_left_there() {
    alone(|_| path_with_ever_more_descriptors(true));
}

/// The socket is there, and the thread cannot have a context.
#[test]
fn a_thread_that_finds_no_descriptor_for_its_context_is_given_up() {
    alone(|_| {
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let before = open_descriptors();
        let mut full = Full::now();
        full._fillers.pop();
        let begun = listen_per_thread(&any, 1, |_| panic!("it is not called"));
        assert_fails(begun, E::TooManyOpenFiles);
        drop(full);
        assert!(open_descriptors() <= before);
    });
}
