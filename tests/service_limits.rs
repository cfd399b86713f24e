//! A service, or a server of threads, in a process that may open no more descriptors, or make no more threads: nothing is lost, nothing spins,
//! and it goes on when there is room.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "sets the limit, and comes before libc's pthread_create"
)]

mod support;

#[path = "socket_service/tools.rs"]
#[allow(dead_code, reason = "limits need a part of it")]
mod tools;

use std::{
    cell::{Cell, RefCell},
    ffi::{c_int, c_void},
    fs::File,
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use gio::{IOErrorEnum as E, prelude::*};
use gsock::{SocketService, ThreadedSocketService, listen_per_thread, prelude::*};
use support::*;
use tools::*;

// --- Descriptors ---------------------------------------------------------------------------------

/// The limit is the whole process': one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// While it lives, no descriptor can be opened.
struct Full {
    limit: libc::rlimit,
    fillers: Vec<OwnedFd>,
}

impl Full {
    fn now() -> Self {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: a place for the value.
        let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
        assert_eq!(got, 0);
        let low = libc::rlimit {
            rlim_cur: 256,
            ..limit
        };
        // SAFETY: a live value.
        let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const low) };
        assert_eq!(set, 0);
        let mut fillers = vec![OwnedFd::from(File::open("/dev/null").expect("a device"))];
        let full = loop {
            match fillers[0].as_fd().try_clone_to_owned() {
                Ok(filler) => fillers.push(filler),
                Err(full) => break full,
            }
        };
        assert_eq!(full.raw_os_error(), Some(libc::EMFILE));
        Self { limit, fillers }
    }

    /// Somebody who is none of ours closes one.
    fn make_room(&mut self) {
        self.fillers.pop().expect("many");
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        // SAFETY: a live value.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const self.limit) };
    }
}

fn alone(test: impl FnOnce(&glib::MainContext) + Send + 'static) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    on_private_context(test);
}

fn errors(service: &impl IsA<SocketService>) -> Rc<RefCell<Vec<E>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let codes = seen.clone();
    service.connect_error(move |_, failure| codes.borrow_mut().push(code(failure)));
    seen
}

/// SERVICE-13.
#[test]
fn service_13_without_descriptors_it_says_so_once_waits_and_goes_on_when_there_is_room() {
    alone(|context| {
        let service = SocketService::new();
        service.stop();
        let (errors, kept) = (errors(&service), keep(&service));
        let address = listen(&service);
        let mut clients: Vec<_> = (0..3).map(|_| client(address)).collect();
        let mut full = Full::now();
        service.start();
        iterate_until(context, || !errors.borrow().is_empty());
        let busy = busy_iterations(context, Duration::from_millis(400));
        // 10, 20, 40, 80, 160 ms.
        assert!(busy < 20, "{busy} iterations");
        assert_eq!(*errors.borrow(), [E::TooManyOpenFiles]);
        assert!(service.is_active());
        assert!(clients.iter_mut().all(is_quiet));
        full.make_room();
        iterate_until(context, || kept.borrow().len() == 1);
        // And none again.
        iterate_until(context, || errors.borrow().len() == 2);
        drop(full);
        iterate_until(context, || kept.borrow().len() == 3);
        assert_eq!(*errors.borrow(), [E::TooManyOpenFiles; 2]);
        drop(clients);
        service.close();
    });
}

#[test]
fn a_connection_that_is_closed_makes_room_at_once() {
    alone(|context| {
        let service = SocketService::new();
        let (errors, kept) = (errors(&service), keep(&service));
        let address = listen(&service);
        let _first = client(address);
        iterate_until(context, || kept.borrow().len() == 1);
        let _second = client(address);
        let full = Full::now();
        iterate_until(context, || !errors.borrow().is_empty());
        // The wait of now is 640 ms or a second.
        iterate_for(context, Duration::from_millis(700));
        let first = kept.borrow_mut().pop().expect("one");
        first.close(gio::Cancellable::NONE).expect("open");
        drop(first);
        let came = (0..50).any(|_| {
            context.iteration(false);
            !kept.borrow().is_empty()
        });
        assert!(came, "not in fifty iterations");
        drop(full);
        service.close();
    });
}

#[test]
fn stopped_or_closed_without_descriptors_it_ends_all_the_same() {
    alone(|context| {
        for closes in [false, true] {
            let service = SocketService::new();
            let errors = errors(&service);
            let address = listen(&service);
            let _client = client(address);
            let full = Full::now();
            iterate_until(context, || !errors.borrow().is_empty());
            if closes {
                service.close();
            } else {
                service.stop();
            }
            let gone = Gone::of(&service);
            drop(service);
            iterate_until(context, || gone.is_gone());
            drop(full);
        }
    });
}

// --- Threads -------------------------------------------------------------------------------------

thread_local! {
    /// How many threads this one may make.
    static ALLOWED: Cell<usize> = const { Cell::new(usize::MAX) };
}

type Start = extern "C" fn(*mut c_void) -> *mut c_void;
type Create = unsafe extern "C" fn(
    *mut libc::pthread_t,
    *const libc::pthread_attr_t,
    Start,
    *mut c_void,
) -> c_int;

/// It stands before libc's in this program.
///
/// # Safety
///
/// As of libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    data: *mut c_void,
) -> c_int {
    let allowed = ALLOWED.try_with(|allowed| {
        let left = allowed.get();
        allowed.set(left.saturating_sub(1));
        left
    });
    if allowed == Ok(0) {
        return libc::EAGAIN;
    }
    if allowed == Ok(usize::MAX) {
        ALLOWED.set(usize::MAX);
    }
    // SAFETY: a name that ends.
    let libcs = unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr()) };
    // SAFETY: libc's function, which has this type.
    let libcs = unsafe { std::mem::transmute::<*mut c_void, Create>(libcs) };
    // SAFETY: as the caller says.
    unsafe { libcs(thread, attributes, start, data) }
}

fn jobs_that_wait(service: &ThreadedSocketService) -> (Arc<AtomicUsize>, mpsc::Sender<()>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let (release, released) = mpsc::channel();
    let (count, released) = (begun.clone(), Mutex::new(released));
    service.connect_run(move |_, _, _| {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = released.lock().expect("no panic").recv();
        true
    });
    (begun, release)
}

/// THREADED-10.
#[test]
fn threaded_10_a_connection_for_which_no_thread_can_be_made_waits_for_one() {
    alone(|context| {
        let service = ThreadedSocketService::new(2);
        let errors = errors(&service);
        let (begun, release) = jobs_that_wait(&service);
        let address = listen(&service);
        ALLOWED.set(0);
        let mut clients: Vec<_> = (0..3).map(|_| client(address)).collect();
        iterate_until(context, || !errors.borrow().is_empty());
        let busy = busy_iterations(context, Duration::from_millis(100));
        assert!(busy < 20, "{busy} iterations");
        assert_eq!(*errors.borrow(), [E::Failed]);
        assert_eq!(begun.load(Ordering::SeqCst), 0);
        assert!(clients.iter_mut().all(is_quiet));
        // One of the two.
        ALLOWED.set(1);
        iterate_until(context, || begun.load(Ordering::SeqCst) == 1);
        iterate_until(context, || errors.borrow().len() == 2);
        // The one thread goes on with what has waited for the other.
        release.send(()).expect("somebody waits");
        iterate_until(context, || begun.load(Ordering::SeqCst) == 2);
        ALLOWED.set(usize::MAX);
        iterate_until(context, || begun.load(Ordering::SeqCst) == 3);
        drop(release);
        block_on(context, service.drain_future());
        assert!(clients.iter_mut().all(is_at_its_end));
        service.close();
    });
}

/// A thread has a context of its own, which needs one.
#[test]
fn a_connection_that_takes_the_last_descriptor_waits_for_that_of_its_thread() {
    alone(|context| {
        let service = ThreadedSocketService::new(1);
        let errors = errors(&service);
        let (begun, release) = jobs_that_wait(&service);
        drop(release);
        let address = listen(&service);
        // What the context waits with is there from now on.
        iterate_for(context, Duration::from_millis(10));
        service.stop();
        let mut peer = client(address);
        let mut full = Full::now();
        full.make_room();
        service.start();
        iterate_until(context, || !errors.borrow().is_empty());
        assert_eq!(*errors.borrow(), [E::TooManyOpenFiles]);
        assert_eq!(begun.load(Ordering::SeqCst), 0);
        assert!(is_quiet(&mut peer));
        drop(full);
        iterate_until(context, || begun.load(Ordering::SeqCst) == 1);
        block_on(context, service.drain_future());
        assert!(is_at_its_end(&mut peer));
        service.close();
    });
}

#[test]
fn stopped_without_a_thread_it_still_serves_what_was_accepted() {
    alone(|context| {
        let service = ThreadedSocketService::new(1);
        let errors = errors(&service);
        let (begun, release) = jobs_that_wait(&service);
        drop(release);
        let address = listen(&service);
        ALLOWED.set(0);
        let mut peer = client(address);
        iterate_until(context, || !errors.borrow().is_empty());
        service.close();
        let gone = Gone::of(&service);
        drop(service);
        iterate_for(context, Duration::from_millis(30));
        assert!(!gone.is_gone());
        ALLOWED.set(usize::MAX);
        iterate_until(context, || gone.is_gone());
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert!(is_at_its_end(&mut peer));
    });
}

/// Those that were made end, and their sockets with them.
#[test]
fn a_server_of_threads_that_cannot_have_all_of_them_has_none() {
    alone(|_| {
        let any = gio_address(([127, 0, 0, 1], 0).into());
        let before = open_descriptors();
        for allowed in [0, 1] {
            ALLOWED.set(allowed);
            let begun = listen_per_thread(&any, 2, |_| Ok(()));
            ALLOWED.set(usize::MAX);
            assert_fails(begun, E::Failed);
            assert!(open_descriptors() <= before);
        }
    });
}
