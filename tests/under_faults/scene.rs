//! Running an operation with its system calls failing, and what must be true of every one.

use std::{
    cell::RefCell,
    ffi::CStr,
    panic,
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gio::{IOErrorEnum as E, prelude::*};

use crate::support::*;

/// The shim that was loaded before the C library, if one was.
#[derive(Clone, Copy)]
struct Shim {
    window: unsafe extern "C" fn(i32),
    exempt: unsafe extern "C" fn(i32),
    count: unsafe extern "C" fn() -> u32,
    stale_closes: unsafe extern "C" fn() -> u32,
}

fn symbol(name: &CStr) -> Option<*mut libc::c_void> {
    // SAFETY: a name that ends with NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

fn shim() -> Option<Shim> {
    // SAFETY: these are the types of the functions in shim.c.
    unsafe {
        Some(Shim {
            window: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(i32)>(symbol(
                c"fault_window",
            )?),
            exempt: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(i32)>(symbol(
                c"fault_exempt",
            )?),
            count: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn() -> u32>(symbol(
                c"fault_count",
            )?),
            stale_closes: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn() -> u32>(
                symbol(c"fault_stale_closes")?,
            ),
        })
    }
}

/// The system calls of this thread are the peer's from here on: they do not count and do not fail.
pub(crate) fn play_the_peer() {
    if let Some(shim) = shim() {
        // SAFETY: a plain function.
        unsafe { (shim.exempt)(1) };
    }
}

/// Each transfer moves a byte or a few.
pub(crate) fn is_cut_short() -> bool {
    shim().is_some() && std::env::var_os("FAULT_SHORT").is_some()
}

/// Somebody who traces this process makes the call fail, on the first thread that plays.
fn by_tracer() -> bool {
    std::env::var_os("FAULT_BY_TRACER").is_some()
}

/// How many calls have failed by now.
fn suffered() -> u32 {
    // SAFETY: a plain function.
    shim().map_or_else(|| u32::from(by_tracer()), |shim| unsafe { (shim.count)() })
}

/// The fault that this process is to suffer.
pub(crate) struct Fault {
    pub(crate) call: String,
    errno: i32,
}

pub(crate) fn fault() -> Option<Fault> {
    if shim().is_none() && !by_tracer() {
        return None;
    }
    let call = std::env::var("FAULT_CALL").ok()?;
    let errno = std::env::var("FAULT_ERRNO").ok()?.parse().ok()?;
    Some(Fault { call, errno })
}

impl Fault {
    /// The code that the errno has, from GIO's own table but for what newer versions of it changed.
    pub(crate) fn code(&self) -> E {
        match self.errno {
            libc::EADDRNOTAVAIL => E::ConnectionRefused,
            libc::EDESTADDRREQ => E::Failed,
            // SAFETY: a pure function.
            errno => unsafe { glib::translate::from_glib(gio::ffi::g_io_error_from_errno(errno)) },
        }
    }

    /// Not an outcome: the call is to be made again, at once or once the descriptor is ready.
    fn passes(&self, own: &Own) -> bool {
        let again = match self.call.as_str() {
            "connect" => matches!(self.errno, libc::EINTR | libc::EINPROGRESS | libc::EALREADY),
            "recv" | "send" | "sendmsg" | "poll" => {
                matches!(self.errno, libc::EINTR | libc::EAGAIN)
            }
            _ => false,
        };
        again || own.again.contains(&(self.call.as_str(), self.errno))
    }

    /// Either outcome is right: a second connect(2) learns so that the first succeeded; and what close(2)
    /// says is about bytes that were promised before, which only somebody who waits can be told.
    fn may_pass(&self) -> bool {
        self.call == "close" || (self.call.as_str(), self.errno) == ("connect", libc::EISCONN)
    }
}

const PATIENCE: Duration = Duration::from_secs(2);

/// Which calls do an operation's work: when one of these fails for good, so must the operation, with the
/// errno's code.
#[derive(Clone, Copy)]
pub(crate) struct Own {
    pub(crate) calls: &'static [&'static str],
    /// Beyond the usual ones: errors after which the call is to be made again.
    pub(crate) again: &'static [(&'static str, i32)],
    /// A `GSocket` closes its descriptor again when `close(2)` has failed, although the number is free by then.
    /// GLib's own code; Linux closes sockets without an error.
    pub(crate) by_gio: bool,
    /// Who is told of the failure has codes of his own for what it means: GIO's proxies, TLS, who looks for a stale socket.
    pub(crate) codes_of_others: bool,
    /// Threads have a hand in it, which GIO keeps and which keep what wakes them.
    pub(crate) has_threads: bool,
}

impl Own {
    /// Whatever fails, an error with its code is as right as a success.
    pub(crate) const ANY: Self = Self {
        calls: &[],
        again: &[],
        by_gio: false,
        codes_of_others: false,
        has_threads: false,
    };
}

/// What a driver works in: once to warm up, once with the window open around the operation.
pub(crate) struct Scene<'a> {
    pub(crate) context: &'a glib::MainContext,
    armed: bool,
    made: RefCell<Vec<(&'static str, Gone)>>,
}

impl Scene<'_> {
    /// Runs `work` with its system calls counted, and failing if they are to.
    pub(crate) fn under_faults<R>(&self, work: impl FnOnce() -> R) -> R {
        let shim = shim().filter(|_| self.armed);
        let (result, lines) = logged(|| {
            if let Some(shim) = shim {
                // SAFETY: a plain function.
                unsafe { (shim.window)(1) };
            }
            let result = work();
            if let Some(shim) = shim {
                // SAFETY: likewise.
                unsafe { (shim.window)(0) };
            }
            result
        });
        // GLib says what failed in its own loop, and GIO in a GSocket of its own.
        for line in lines {
            let theirs = line.starts_with("GLib: ") || line.starts_with("GLib-GIO: ");
            assert!(theirs && self.suffered(), "{line}");
        }
        result
    }

    /// Whether something has failed by now.
    pub(crate) fn suffered(&self) -> bool {
        self.armed && suffered() > 0
    }

    /// Must be gone when all is over.
    pub(crate) fn note(&self, name: &'static str, object: &impl IsA<glib::Object>) {
        self.made.borrow_mut().push((name, Gone::of(object)));
    }
}

/// Descriptors are the whole process': one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static PANICS: AtomicU32 = AtomicU32::new(0);

/// `scenario` answers how the operation ended, after having looked at the bytes.
pub(crate) fn drive(
    own: Own,
    scenario: impl Fn(&Scene<'_>) -> Result<(), glib::Error> + Sync + Send + 'static,
) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            before(panic);
        }));
    });
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let panics = PANICS.load(Ordering::SeqCst);
    let scenario = Arc::new(scenario);
    // A thread each, so that nothing of the first is there to be used by the second.
    let run = |armed| {
        let scenario = scenario.clone();
        on_private_context(move |context| play(context, own, armed, &*scenario))
    };
    if !by_tracer() {
        run(false).expect("nothing fails yet");
    }
    let counts = |name: &String| {
        !own.has_threads || !name.contains("anon_inode:[event") && !name.contains("pipe:")
    };
    let open = || open_files().into_iter().filter(counts).collect::<Vec<_>>();
    let before = open();
    let outcome = run(true);
    let until = Instant::now() + PATIENCE;
    // What a test before this one has left to a thread may go meanwhile.
    let more = || {
        let mut more = open();
        for file in &before {
            if let Some(at) = more.iter().position(|other| other == file) {
                more.swap_remove(at);
            }
        }
        more
    };
    while own.has_threads && !more().is_empty() && Instant::now() < until {
        pause();
    }
    assert_eq!(
        more(),
        Vec::<String>::new(),
        "what is open more than before"
    );
    assert_eq!(PANICS.load(Ordering::SeqCst), panics, "panics");
    judge(own, outcome);
}

fn play(
    context: &glib::MainContext,
    own: Own,
    armed: bool,
    scenario: &impl Fn(&Scene<'_>) -> Result<(), glib::Error>,
) -> Result<(), glib::Error> {
    let scene = Scene {
        context,
        armed,
        made: RefCell::default(),
    };
    let outcome = scenario(&scene);
    let rest = (0..10_000).position(|_| !context.iteration(false));
    assert!(rest.is_some(), "something runs without end");
    let until = Instant::now() + PATIENCE;
    for (name, gone) in scene.made.take() {
        // A thread that has ended its part gives its references up a moment later.
        while own.has_threads && !gone.is_gone() && Instant::now() < until {
            pause();
            while context.iteration(false) {}
        }
        assert!(gone.is_gone(), "a {name} is left over");
    }
    outcome
}

fn judge(own: Own, outcome: Result<(), glib::Error>) {
    let suffered = suffered();
    // SAFETY: a plain function.
    let stale = shim().map_or(0, |shim| unsafe { (shim.stale_closes)() });
    println!(
        "driver: faults {suffered}, outcome {}",
        match &outcome {
            Ok(()) => "ok".to_owned(),
            Err(failure) => format!("{:?}", failure.kind::<E>()),
        }
    );
    let suffering = fault().filter(|_| suffered > 0);
    if !(own.by_gio
        && suffering
            .as_ref()
            .is_some_and(|fault| fault.call == "close"))
    {
        assert_eq!(stale, 0, "a number was closed that was not open");
    }
    let Some(fault) = suffering else {
        // Nothing failed, though something may have been cut short.
        return outcome.expect("nothing failed");
    };
    let is_own = own.calls.contains(&fault.call.as_str());
    match outcome {
        Ok(()) => assert!(
            !is_own || fault.passes(&own) || fault.may_pass(),
            "it was swallowed"
        ),
        Err(failure) => {
            assert!(!failure.message().is_empty());
            if own.codes_of_others {
                return;
            }
            assert!(!fault.passes(&own), "it was to be tried again: {failure}");
            assert_eq!(code(&failure), fault.code(), "{failure}");
        }
    }
}

/// What each descriptor of this process is, sorted; without the number of the socket.
fn open_files() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("a directory");
    let mut files: Vec<_> = entries
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| !name.ends_with("/fd"))
        .map(|name| match name.split_once(":[") {
            Some(("socket", _)) => "socket".to_owned(),
            _ => name,
        })
        // What GLib opens once and keeps is there after a first run only.
        .filter(|name| name == "socket" || !by_tracer())
        .collect();
    files.sort();
    files
}

/// Iterates until `done`; what waits for ever runs into the limit of the test.
pub(crate) fn iterate_while(context: &glib::MainContext, mut more: impl FnMut() -> bool) {
    while more() {
        context.iteration(true);
    }
}

/// Time for others to have gone on.
pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(1));
}
