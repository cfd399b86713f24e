//! A listener on each of several threads.

use std::{
    collections::BTreeMap,
    io::Read,
    marker::PhantomData,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{PerThread, SocketListener, listen_per_thread, prelude::*};

use crate::{children, support::*};

/// Tells everybody on which thread he is served.
fn tell_the_thread(listener: SocketListener) -> Result<(), glib::Error> {
    let context = glib::MainContext::ref_thread_default();
    context.spawn_local(async move {
        while let Ok((connection, _)) = listener.accept_future().await {
            let name = thread::current().name().unwrap_or("no name").to_owned();
            let output = connection.output_stream();
            let _ = output.write_all_future(name, glib::Priority::DEFAULT).await;
        }
    });
    Ok(())
}

fn any_port() -> gio::InetSocketAddress {
    gio_address(([127, 0, 0, 1], 0).into())
}

fn ask(address: SocketAddr) -> String {
    let mut said = String::new();
    let mut peer = TcpStream::connect(address).expect("it listens");
    peer.read_to_string(&mut said).expect("an answer");
    said
}

fn end(server: &PerThread) {
    server.stop();
    server.join().expect("no thread has panicked");
}

/// Nobody is left at the address.
fn is_free(address: SocketAddr) -> bool {
    children::none_starting();
    TcpListener::bind(address).is_ok()
}

#[test]
fn all_threads_are_served_from_at_one_port() {
    on_private_context(|_| {
        let server = listen_per_thread(&any_port(), 4, tell_the_thread).expect("loopback");
        assert_ne!(server.address().port(), 0);
        let mut served = BTreeMap::<String, usize>::new();
        for _ in 0..200 {
            *served.entry(ask(server.address())).or_default() += 1;
        }
        let names: Vec<_> = served.keys().map(String::as_str).collect();
        let expected = [
            "gsock-listen-0",
            "gsock-listen-1",
            "gsock-listen-2",
            "gsock-listen-3",
        ];
        assert_eq!(names, expected, "{served:?}");
        end(&server);
        assert!(TcpStream::connect(server.address()).is_err());
        // To end what has ended is nothing.
        end(&server);
    });
}

#[test]
fn each_thread_has_a_context_and_a_listener_of_its_own() {
    on_private_context(|_| {
        let (tell, told) = mpsc::channel();
        let server = listen_per_thread(&any_port(), 3, move |listener| {
            let context = glib::MainContext::ref_thread_default();
            assert!(context.is_owner());
            let addresses: Vec<_> = listener
                .addresses()
                .iter()
                .map(SocketConnectableExt::to_string)
                .collect();
            let place = format!("{:p}", ObjectType::as_ptr(&listener));
            let seen = (thread::current().id(), place, addresses);
            tell.send(seen).expect("the test waits");
            // Whoever does not keep it still has it open: it is the thread's.
            Ok(())
        })
        .expect("loopback");
        let seen: Vec<_> = told.try_iter().collect();
        assert_eq!(seen.len(), 3, "all have run when it returns");
        for (at, (thread, listener, addresses)) in seen.iter().enumerate() {
            let alike = seen[..at]
                .iter()
                .any(|other| other.0 == *thread || other.1 == *listener);
            assert!(!alike, "{seen:?}");
            assert_eq!(*addresses, [server.address().to_string()]);
        }
        let peer = TcpStream::connect(server.address());
        assert!(peer.is_ok());
        end(&server);
    });
}

#[test]
fn ipv6_is_listened_at_too() {
    on_private_context(|_| {
        let any = gio_address((std::net::Ipv6Addr::LOCALHOST, 0).into());
        let server = listen_per_thread(&any, 2, tell_the_thread).expect("loopback");
        assert!(server.address().is_ipv6());
        assert!(ask(server.address()).starts_with("gsock-listen-"));
        end(&server);
    });
}

#[test]
fn an_error_or_a_panic_of_one_is_the_answer_and_all_have_ended() {
    on_private_context(|_| {
        for panics in [false, true] {
            let count = Arc::new(AtomicUsize::new(0));
            let address = Arc::new(Mutex::new(None));
            let (counted, seen) = (count.clone(), address.clone());
            let result = listen_per_thread(&any_port(), 4, move |listener| {
                let at = listener.addresses().remove(0);
                let at = at
                    .downcast::<gio::InetSocketAddress>()
                    .expect("of the internet");
                *seen.lock().expect("no panic under it") = Some(SocketAddr::from(at));
                tell_the_thread(listener)?;
                if counted.fetch_add(1, Ordering::SeqCst) == 2 {
                    // The hook's message is of no use to anybody.
                    if panics {
                        std::panic::resume_unwind(Box::new("one too many"));
                    }
                    return Err(glib::Error::new(E::NotFound, "one too many"));
                }
                Ok(())
            });
            let failure = result.map(drop).expect_err("the third has failed");
            let expected = if panics { E::Failed } else { E::NotFound };
            assert_eq!(code(&failure), expected);
            assert!(failure.message().contains("one too many"), "{failure}");
            let address = address
                .lock()
                .expect("no panic under it")
                .expect("one has run");
            assert!(is_free(address), "{address}");
        }
    });
}

#[test]
fn what_is_spawned_there_is_dropped_there() {
    /// Where it was dropped.
    struct Tells(mpsc::Sender<thread::ThreadId>, PhantomData<*const ()>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }
    on_private_context(|_| {
        let (begun, begins) = mpsc::channel();
        let (ended, ends) = mpsc::channel();
        let server = listen_per_thread(&any_port(), 2, move |_| {
            let _ = begun.send(thread::current().id());
            let held = Tells(ended.clone(), PhantomData);
            glib::MainContext::ref_thread_default().spawn_local(async move {
                let _held = &held;
                std::future::pending::<()>().await;
            });
            Ok(())
        })
        .expect("loopback");
        end(&server);
        drop(server);
        let sorted = |ids: mpsc::Receiver<thread::ThreadId>| {
            let mut ids: Vec<_> = ids.iter().map(|id| format!("{id:?}")).collect();
            ids.sort();
            ids
        };
        assert_eq!(sorted(begins), sorted(ends));
    });
}

/// Also one that keeps its context, and would be kept by it.
#[test]
fn what_waits_for_a_connection_ends_by_itself_after_a_stop() {
    on_private_context(|_| {
        let (ended, ends) = mpsc::channel();
        let (accepted, taken) = mpsc::channel();
        let server = listen_per_thread(&any_port(), 2, move |listener| {
            let (ended, accepted) = (ended.clone(), accepted.clone());
            let context = glib::MainContext::ref_thread_default();
            let own = context.clone();
            context.spawn_local(async move {
                let mut open = Vec::new();
                let failure = loop {
                    match listener.accept_future().await {
                        Ok(one) => {
                            open.push(one);
                            let _ = accepted.send(());
                        }
                        Err(failure) => break failure,
                    }
                };
                drop((open, own));
                let _ = ended.send(code(&failure));
            });
            Ok(())
        })
        .expect("loopback");
        let mut peer = TcpStream::connect(server.address()).expect("it listens");
        taken.recv().expect("somebody accepts");
        end(&server);
        drop(server);
        assert_eq!(ends.iter().collect::<Vec<_>>(), [E::Closed; 2]);
        assert!(read_to_end(&mut peer).is_empty());
    });
}

#[test]
fn it_ends_when_it_is_dropped_and_joins_from_anywhere_but_its_own_threads() {
    on_private_context(|_| {
        let own = Arc::new(Mutex::new(None::<Arc<PerThread>>));
        let (tell, told) = mpsc::channel();
        let inner = own.clone();
        let server = listen_per_thread(&any_port(), 2, move |_| {
            let (inner, tell) = (inner.clone(), tell.clone());
            glib::MainContext::ref_thread_default().spawn_local(async move {
                // As soon as there is one.
                let server = loop {
                    let server = inner.lock().expect("no panic under it").clone();
                    match server {
                        Some(server) => break server,
                        None => glib::timeout_future(std::time::Duration::from_millis(1)).await,
                    }
                };
                let failure = server.join().expect_err("it would wait for itself");
                let _ = tell.send(failure.kind::<E>());
            });
            Ok(())
        })
        .expect("loopback");
        let server = Arc::new(server);
        *own.lock().expect("no panic under it") = Some(server.clone());
        assert_eq!([told.recv(), told.recv()], [Ok(Some(E::Failed)); 2]);
        own.lock().expect("no panic under it").take();
        let address = server.address();
        let joins = server.clone();
        let joining = thread::spawn(move || joins.join());
        server.stop();
        joining
            .join()
            .expect("no panic")
            .expect("no panic there either");

        assert!(is_free(address));
        let server = listen_per_thread(&gio_address(address), 2, tell_the_thread);
        let server = server.expect("the same port");
        assert_eq!(server.address(), address);
        drop(server);
        let end = std::time::Instant::now() + LIMIT;
        while !is_free(address) && std::time::Instant::now() < end {}
        assert!(is_free(address));
    });
}

#[test]
fn what_cannot_be_is_an_error() {
    on_private_context(|_| {
        let never = |_| unreachable!("nothing is started");
        assert_fails(listen_per_thread(&any_port(), 0, never), E::InvalidArgument);
        let path = gio::UnixSocketAddress::new(std::path::Path::new("/tmp/no-such"));
        assert_fails(listen_per_thread(&path, 2, never), E::InvalidArgument);
        // Somebody who does not share.
        let (_listener, address) = listener();
        let result = listen_per_thread(&gio_address(address), 2, never);
        assert_fails(result, E::AddressInUse);
        let elsewhere = gio_address(([192, 0, 2, 1], 0).into());
        assert_fails(
            listen_per_thread(&elsewhere, 2, never),
            E::ConnectionRefused,
        );
    });
}
