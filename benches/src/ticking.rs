//! A clock that goes on by how often it is asked.
//!
//! The tools that count make a program fifty times slower. What a loop may do for a millisecond at a time, and
//! what it does ten times a second, would come that much more often for each operation: it would be the tool
//! that is counted. So in a process that is counted time passes by a microsecond at each look at it. It
//! does not stand still: GTask tells two iterations of a loop apart by it. And it is one time for all clocks, or
//! they would contradict each other.

use std::{
    mem,
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
};

use crate::sys;

type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int;

/// Microseconds, or 0 while the clocks are the system's.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// The C library's own function, once somebody has asked for it.
static REAL: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Has all clocks of this process tick so from now on.
pub(crate) fn tick_by_looks() {
    let now = sys::clock(libc::CLOCK_MONOTONIC) / 1000;
    TICKS.store(now.max(1), Ordering::Relaxed);
}

/// What this program, the crates in it and GLib find in the place of the C library's function.
///
/// # Safety
///
/// That of `clock_gettime(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(id: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    if TICKS.load(Ordering::Relaxed) == 0 {
        // SAFETY: as the caller says.
        return unsafe { real()(id, time) };
    }
    let now = TICKS.fetch_add(1, Ordering::Relaxed);
    let now = libc::timespec {
        tv_sec: (now / 1_000_000) as libc::time_t,
        tv_nsec: (now % 1_000_000 * 1000) as libc::c_long,
    };
    // SAFETY: as the caller says.
    unsafe { time.write(now) };
    0
}

fn real() -> ClockGettime {
    let mut known = REAL.load(Ordering::Relaxed);
    if known.is_null() {
        // SAFETY: a name that ends with a zero.
        known = unsafe { libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr()) };
        assert!(!known.is_null(), "every C library has it");
        REAL.store(known, Ordering::Relaxed);
    }
    // SAFETY: the C library's function of that name has this type.
    unsafe { mem::transmute::<*mut libc::c_void, ClockGettime>(known) }
}
