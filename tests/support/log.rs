//! The log of a test: a warning or a critical message that nobody expects ends the process.
//!
//! It holds from before `main`, on every thread, and however a test is run: nothing has to be called
//! or set for it. What GLib writes by `g_log` and what it writes by `g_log_structured` comes to the
//! same writer here, unless a handler of somebody else's takes it before; so no test sets one.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    cell::RefCell,
    io::Write,
    process,
    sync::{Mutex, PoisonError},
    thread,
};

use glib::{LogField, LogLevel, LogWriterOutput};

thread_local! {
    /// A list for each [`logged`] that this thread is in.
    static EXPECTING: RefCell<Vec<Vec<String>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f`, and answers with the warnings and critical messages that this thread logged in it, each
/// with its domain in front. How many there must be, and which, is for the test to say.
pub fn logged<R>(f: impl FnOnce() -> R) -> (R, Vec<String>) {
    /// Takes the list away, also when `f` panics.
    struct Scope;
    impl Drop for Scope {
        fn drop(&mut self) {
            EXPECTING.with_borrow_mut(Vec::pop);
        }
    }
    EXPECTING.with_borrow_mut(|scopes| scopes.push(Vec::new()));
    let scope = Scope;
    let result = f();
    let lines = EXPECTING.with_borrow_mut(|scopes| scopes.last_mut().map(std::mem::take));
    drop(scope);
    (result, lines.expect("pushed above"))
}

/// What threads that expect nothing log meanwhile, while somebody wants to know.
static ELSEWHERE: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Likewise with those of all other threads: for a test beside which no other one runs.
pub fn logged_anywhere<R>(f: impl FnOnce() -> R) -> (R, Vec<String>) {
    let elsewhere = || ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner);
    *elsewhere() = Some(Vec::new());
    let (result, mut lines) = logged(f);
    lines.extend(elsewhere().take().unwrap_or_default());
    (result, lines)
}

/// How many messages the innermost [`logged`] of this thread has seen.
pub fn logged_so_far() -> i32 {
    EXPECTING.with_borrow(|scopes| scopes.last().map_or(0, |lines| lines.len() as i32))
}

/// Runs `f`, which must log exactly one message, in this crate's domain.
#[track_caller]
pub fn with_one_critical<R>(f: impl FnOnce() -> R) -> R {
    let (result, lines) = logged(f);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("Gsock: "), "{lines:?}");
    result
}

fn write(level: LogLevel, fields: &[LogField<'_>]) -> LogWriterOutput {
    if !matches!(
        level,
        LogLevel::Error | LogLevel::Critical | LogLevel::Warning
    ) {
        return glib::log_writer_default(level, fields);
    }
    let field = |name: &str| {
        let field = fields.iter().find(|field| field.key() == name);
        field.and_then(LogField::value_str).unwrap_or("")
    };
    let line = format!("{}: {}", field("GLIB_DOMAIN"), field("MESSAGE"));
    // GLib itself ends the process after an error.
    if level == LogLevel::Error || !is_expected(&line) {
        end(level, &line);
    }
    LogWriterOutput::Handled
}

fn is_expected(line: &str) -> bool {
    // A thread that is ending expects nothing.
    EXPECTING
        .try_with(|scopes| {
            let mut scopes = scopes.borrow_mut();
            let Some(scope) = scopes.last_mut() else {
                return false;
            };
            scope.push(line.to_owned());
            true
        })
        .unwrap_or(false)
        || is_wanted(line)
}

fn is_wanted(line: &str) -> bool {
    let mut elsewhere = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(lines) = elsewhere.as_mut() else {
        return false;
    };
    lines.push(line.to_owned());
    true
}

fn end(level: LogLevel, line: &str) -> ! {
    let thread = thread::current();
    // Not by a macro: what those print is held back while a test runs, and would be lost.
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(
        stderr,
        "unexpected {level:?} in {}: {line}",
        thread.name().unwrap_or("a thread without a name")
    );
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        let _ = writeln!(stderr, "{backtrace}");
    }
    process::abort();
}

/// The loader calls it before `main`, so that no entry of any test can miss it.
#[used]
#[unsafe(link_section = ".init_array")]
static INSTALL: extern "C" fn() = {
    extern "C" fn install() {
        glib::log_set_writer_func(write);
    }
    install
};
