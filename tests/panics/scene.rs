//! What a test of a fence counts: what it has asked for, what was answered, and who was told of a panic.

use std::{
    cell::{Cell, RefCell},
    io::Read,
    net::TcpStream,
    panic, ptr,
    rc::Rc,
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use gio::{IOErrorEnum, ffi as gio_ffi};
use glib::{ffi::gpointer, gobject_ffi::GObject};
use gsock::SocketConnection;

use crate::support::*;

pub(crate) const NONE: Option<&gio::Cancellable> = None;

/// How many panics there were on purpose.
static STRUCK: AtomicUsize = AtomicUsize::new(0);

/// Where the last one was.
static WHERE: Mutex<String> = Mutex::new(String::new());

/// Takes the outcome of an operation in C's form.
pub(crate) type Finish = fn(*mut GObject, *mut gio_ffi::GAsyncResult) -> Result<(), glib::Error>;

pub(crate) struct Scene<'a> {
    pub(crate) context: &'a glib::MainContext,
    asked: Cell<u32>,
    answered: Cell<u32>,
    /// Errors that say that somebody has panicked.
    told: Cell<u32>,
    /// Any others.
    failures: RefCell<Vec<String>>,
}

/// What [`Scene::ask`] hands to C.
struct Call {
    finish: Finish,
    calls: Cell<u32>,
    outcome: RefCell<Option<Result<(), glib::Error>>>,
}

/// How long somebody waits who may have been forgotten.
const PATIENCE: Duration = Duration::from_secs(4);

impl<'a> Scene<'a> {
    pub(crate) fn with<R>(context: &'a glib::MainContext, f: impl FnOnce(&Self) -> R) -> R {
        f(&Self::new(context))
    }

    fn new(context: &'a glib::MainContext) -> Self {
        Self {
            context,
            asked: Cell::new(0),
            answered: Cell::new(0),
            told: Cell::new(0),
            failures: RefCell::default(),
        }
    }

    /// An operation that answers before it returns.
    pub(crate) fn call<T>(&self, call: impl FnOnce() -> Result<T, glib::Error>) -> Option<T> {
        self.asked.set(self.asked.get() + 1);
        let result = call();
        self.answered.set(self.answered.get() + 1);
        self.note(result)
    }

    pub(crate) fn note<T>(&self, result: Result<T, glib::Error>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(failure) if failure.matches(IOErrorEnum::Failed) => {
                self.told.set(self.told.get() + 1);
            }
            Err(failure) => self.failures.borrow_mut().push(format!("{failure:?}")),
        }
        None
    }

    /// An operation that calls back.
    pub(crate) fn ask(
        &self,
        finish: Finish,
        start: impl FnOnce(gio_ffi::GAsyncReadyCallback, gpointer),
    ) -> bool {
        // A second callback must find it.
        let call: &Call = for_ever(Call {
            finish,
            calls: Cell::new(0),
            outcome: RefCell::new(None),
        });
        self.asked.set(self.asked.get() + 1);
        start(Some(called_back), ptr::from_ref(call).cast_mut().cast());
        self.until(|| call.calls.get() > 0);
        // A second callback would be in the context by now.
        while self.context.iteration(false) {}
        assert!(
            call.calls.get() < 2,
            "called back {} times",
            call.calls.get()
        );
        self.answered.set(self.answered.get() + call.calls.get());
        let outcome = call.outcome.take();
        outcome.is_some_and(|outcome| self.note(outcome).is_some())
    }

    /// A future of ours, in a task of its context.
    pub(crate) fn await_it<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, glib::Error>> + 'static,
    ) -> Option<T> {
        self.asked.set(self.asked.get() + 1);
        let slot = Rc::new(RefCell::new(None));
        let place = slot.clone();
        self.context.spawn_local(async move {
            let result = future.await;
            *place.borrow_mut() = Some(result);
        });
        self.until(|| slot.borrow().is_some());
        let result = slot.take()?;
        self.answered.set(self.answered.get() + 1);
        self.note(result)
    }

    /// Iterates until `done`, or for as long as anybody would wait.
    pub(crate) fn until(&self, mut done: impl FnMut() -> bool) -> bool {
        let end = Instant::now() + PATIENCE * slowness();
        let tick = glib::source::timeout_source_new(
            Duration::from_millis(5),
            None,
            glib::Priority::HIGH,
            || glib::ControlFlow::Continue,
        );
        tick.attach(Some(self.context));
        let mut is_done = done();
        while !is_done && Instant::now() < end {
            self.context.iteration(true);
            is_done = done();
        }
        tick.destroy();
        is_done
    }

    /// A connection, which is nobody's but the caller's, and the peer.
    pub(crate) fn connected(&self) -> (SocketConnection, TcpStream) {
        let (peer, fd) = tcp_pair();
        let socket = gio::Socket::from_fd(fd).expect("a socket");
        (SocketConnection::factory_create_connection(&socket), peer)
    }

    /// That whoever had the other end is through with it.
    pub(crate) fn ends(&self, peer: &mut TcpStream) {
        let limit = Some(PATIENCE * slowness());
        peer.set_read_timeout(limit).expect("an option");
        let mut rest = Vec::new();
        while self.context.iteration(false) {}
        let end = peer.read_to_end(&mut rest);
        let is_open = end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!is_open, "a socket was left open");
    }
}

/// What C may come back to for as long as the process is there. It stays known, or it would count as leaked.
pub(crate) fn for_ever<T: 'static>(value: T) -> &'static mut T {
    static ALL: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let value = Box::leak(Box::new(value));
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.push(ptr::from_mut(value).expose_provenance());
    value
}

unsafe extern "C" fn called_back(
    source: *mut GObject,
    result: *mut gio_ffi::GAsyncResult,
    data: gpointer,
) {
    // SAFETY: of `ask`, which leaves it for ever.
    let call = unsafe { &*data.cast::<Call>() };
    call.calls.set(call.calls.get() + 1);
    // Whatever a result can be asked for.
    // SAFETY: a live result.
    unsafe {
        let asked_by = gio_ffi::g_async_result_get_source_object(result);
        assert!(asked_by.is_null() || asked_by == source, "another source");
        if !asked_by.is_null() {
            glib::gobject_ffi::g_object_unref(asked_by.cast());
        }
        let its = gio_ffi::g_async_result_get_user_data(result);
        assert!(its.is_null() || its == data, "other data");
        gio_ffi::g_async_result_is_tagged(result, ptr::null_mut());
    }
    *call.outcome.borrow_mut() = Some((call.finish)(source, result));
}

/// Plays a scene; without a panic on purpose all of it must go well, and with one somebody is told.
pub(crate) fn play(scene: impl FnOnce(&Scene<'_>) + Send + 'static) {
    play_telling(|_| true, scene);
}

/// Likewise, where somebody can be told of panics in some of the fences only.
pub(crate) fn play_telling(
    is_told_of: fn(&str) -> bool,
    scene: impl FnOnce(&Scene<'_>) + Send + 'static,
) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    count_panics();
    let before = STRUCK.load(Ordering::SeqCst);
    // With the end of the context.
    let (counts, lines) = logged_anywhere(|| {
        on_private_context_within(Duration::from_secs(20), move |context| {
            let it = Scene::new(context);
            scene(&it);
            while context.iteration(false) {}
            (
                it.asked.get(),
                it.answered.get(),
                it.told.get(),
                it.failures.take(),
            )
        })
    });
    let (asked, answered, told, failures) = counts;
    let struck = STRUCK.load(Ordering::SeqCst) - before;
    let criticals = lines.iter().filter(|line| line.contains("panic")).count();
    println!(
        "panics: struck {struck}, answered {answered} of {asked}, errors {told}, criticals {criticals}"
    );
    for line in lines.iter().chain(&failures) {
        println!("panics: {line}");
    }
    assert_eq!(answered, asked, "an operation was not answered");
    if struck == 0 {
        assert_eq!(told + criticals as u32, 0, "nobody has panicked");
        assert!(
            lines.is_empty() && failures.is_empty(),
            "{lines:?} {failures:?}"
        );
    } else {
        let place = WHERE.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            told + criticals as u32 > 0 || !is_told_of(&place),
            "nobody was told of a panic"
        );
    }
}

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let said = info.payload().downcast_ref::<String>();
            if let Some(said) = said.filter(|said| said.starts_with("on purpose ")) {
                STRUCK.fetch_add(1, Ordering::SeqCst);
                let name = said.rsplit(' ').next().unwrap_or(said);
                name.clone_into(&mut WHERE.lock().unwrap_or_else(PoisonError::into_inner));
                return;
            }
            before(info);
        }));
    });
}

/// What a C function says by a boolean and an error.
pub(crate) fn said(done: bool, failure: *mut glib::ffi::GError) -> Result<(), glib::Error> {
    if failure.is_null() {
        return done.then_some(()).ok_or_else(|| {
            glib::Error::new(IOErrorEnum::NotFound, "neither a result nor an error")
        });
    }
    // SAFETY: a set error is the caller's to free.
    Err(unsafe { glib::translate::from_glib_full(failure) })
}
