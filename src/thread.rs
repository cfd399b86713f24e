//! Telling threads apart, and a context for one of them.

use std::{cell::Cell, fs::File, io};

use crate::error;

thread_local! {
    /// That of this thread, once it is known; 0 before.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// The calling thread's number, which no other thread of the process will have. It is glib's, found faster.
#[inline]
pub(crate) fn here() -> usize {
    match HERE.get() {
        // glib counts from 0, so that this is one more.
        0 => first_look(),
        number => number,
    }
}

/// Has `f` take this thread for the one of another number: a simulation has several in one.
#[cfg(test)]
pub(crate) fn as_another<R>(number: usize, f: impl FnOnce() -> R) -> R {
    struct Back(usize);
    impl Drop for Back {
        fn drop(&mut self) {
            HERE.set(self.0);
        }
    }
    let _back = Back(here());
    HERE.set(number);
    f()
}

#[cold]
fn first_look() -> usize {
    let number = glib::thread_guard::thread_id().wrapping_add(1);
    HERE.set(number);
    number
}

/// A context of one's own. GLib ends the process where no descriptor is left for it.
///
/// # Errors
///
/// `TooManyOpenFiles`.
pub(crate) fn new_context() -> Result<glib::MainContext, glib::Error> {
    try_new_context().map_err(error::from_io)
}

/// Likewise with the kernel's own error.
pub(crate) fn try_new_context() -> io::Result<glib::MainContext> {
    File::open("/dev/null")?;
    Ok(glib::MainContext::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_one_number_and_shares_it_with_none() {
        let number = here();
        assert_eq!(here(), number);
        let others: Vec<usize> = (0..8)
            .map(|_| std::thread::spawn(here))
            .map(|thread| thread.join().unwrap())
            .collect();
        for (at, other) in others.iter().enumerate() {
            assert_ne!(*other, number);
            assert!(!others[..at].contains(other));
        }
    }
}
