//! What the system answers seldom, or when somebody else acts at the very moment: calls that answer what a test has them answer.
//! The functions of this file come before the C library's.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "defines functions of the C library's, and starts operations as C does"
)]

mod support;

#[path = "refusals/accepting.rs"]
mod accepting;
#[path = "refusals/connecting.rs"]
mod connecting;
#[path = "refusals/paths.rs"]
mod paths;
#[path = "refusals/relaying.rs"]
mod relaying;

use std::{
    cell::RefCell,
    ffi::{c_char, c_int, c_uint, c_void},
};

/// Is asked of each call, by its name and the number of the option that it is about: an errno for one that fails.
type Script = Box<dyn FnMut(&'static str, c_int) -> Option<c_int>>;

thread_local! {
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// While it lives, the calls of this thread answer what a script says.
struct Scripted;

impl Scripted {
    fn by(script: impl FnMut(&'static str, c_int) -> Option<c_int> + 'static) -> Self {
        SCRIPT.set(Some(Box::new(script)));
        Self
    }

    /// Each call of that name fails, from the first on.
    fn refuse(refused: &'static str, errno: c_int) -> Self {
        Self::by(move |name, _| (name == refused).then_some(errno))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        SCRIPT.take();
    }
}

fn refusal(name: &'static str, option: c_int) -> Option<c_int> {
    // What the script itself calls is nobody's business, and a thread that ends has none any more.
    let mut script = SCRIPT.try_with(RefCell::take).ok()??;
    let refusal = script(name, option);
    let _ = SCRIPT.try_with(|kept| kept.replace(Some(script)));
    refusal
}

macro_rules! before_libcs {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty, about $option:expr;)*) => {$(
        /// # Safety
        ///
        /// As of libc's.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            if let Some(errno) = refusal(stringify!($name), $option) {
                // SAFETY: a function without arguments.
                let place = unsafe { libc::__errno_location() };
                // SAFETY: this thread's own.
                unsafe { *place = errno };
                return -1;
            }
            let name = concat!(stringify!($name), "\0").as_ptr().cast();
            // SAFETY: a name that ends.
            let libcs = unsafe { libc::dlsym(libc::RTLD_NEXT, name) };
            // SAFETY: libc's function, which has this type.
            let libcs = unsafe {
                std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) -> $result>(libcs)
            };
            // SAFETY: as the caller says.
            unsafe { libcs($($argument),*) }
        }
    )*};
}

before_libcs! {
    accept4(fd: c_int, address: *mut c_void, size: *mut libc::socklen_t, flags: c_int) -> c_int, about 0;
    bind(fd: c_int, address: *const c_void, size: libc::socklen_t) -> c_int, about 0;
    chmod(path: *const c_char, mode: libc::mode_t) -> c_int, about 0;
    connect(fd: c_int, address: *const c_void, size: libc::socklen_t) -> c_int, about 0;
    flock(fd: c_int, operation: c_int) -> c_int, about 0;
    fstatat(fd: c_int, path: *const c_char, status: *mut c_void, flags: c_int) -> c_int, about 0;
    getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_void, size: *mut libc::socklen_t) -> c_int,
        about option;
    listen(fd: c_int, backlog: c_int) -> c_int, about 0;
    poll(fds: *mut c_void, count: libc::nfds_t, timeout: c_int) -> c_int, about timeout;
    read(fd: c_int, buffer: *mut c_void, size: usize) -> isize, about 0;
    recv(fd: c_int, buffer: *mut c_void, size: usize, flags: c_int) -> isize, about 0;
    setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_void, size: libc::socklen_t) -> c_int,
        about option;
    splice(from: c_int, at: *mut c_void, to: c_int, there: *mut c_void, size: usize, flags: c_uint) -> isize, about 0;
    unlinkat(fd: c_int, path: *const c_char, flags: c_int) -> c_int, about 0;
}
