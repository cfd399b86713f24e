//! The one fence: what C has called does not unwind into C.
//!
//! Every function that C, GLib or the beginning of a thread of ours calls has its body in one of these. What a panic turns
//! into is for the function to say: an error, or a critical message and the value that C gets instead.
//!
//! With debug assertions a fence can be struck: the environment's `GSOCK_PANIC` has it panic, for `.ci/nets/panics.sh`.

use std::{
    any::{Any, type_name},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs `f`. None after a panic, of which nothing is said here.
#[inline]
pub(crate) fn caught<R, F: FnOnce() -> R>(f: F) -> Option<R> {
    kept(f).ok()
}

/// [`caught`], of a function that has an argument.
#[inline]
pub(crate) fn caught_with<A, R, F: FnOnce(A) -> R>(argument: A, f: F) -> Option<R> {
    forgotten(catch_unwind(AssertUnwindSafe(|| {
        struck(type_name::<F>, || f(argument))
    })))
    .ok()
}

/// Runs `f`. A panic is a critical message.
#[inline]
pub(crate) fn fence<R, F: FnOnce() -> R>(f: F) -> Option<R> {
    let result = caught(f);
    if result.is_none() {
        tell::<F>();
    }
    result
}

/// Likewise, with what there is to answer after a panic.
#[inline]
pub(crate) fn fence_or<R, F: FnOnce() -> R>(otherwise: R, f: F) -> R {
    fence(f).unwrap_or(otherwise)
}

/// Runs `f`, and answers what it panics with: for one who hands that on.
#[inline]
pub(crate) fn handed_on<R, F: FnOnce() -> R>(f: F) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| struck(type_name::<F>, f)))
}

/// For the C library, whose functions have names of their own.
#[doc(hidden)]
#[inline]
pub fn caught_in<R>(function: &'static str, f: impl FnOnce() -> R) -> Option<R> {
    forgotten(catch_unwind(AssertUnwindSafe(|| struck(|| function, f)))).ok()
}

#[inline]
fn kept<R, F: FnOnce() -> R>(f: F) -> Result<R, ()> {
    forgotten(handed_on(f))
}

#[inline]
fn forgotten<R>(result: Result<R, Box<dyn Any + Send>>) -> Result<R, ()> {
    result.map_err(let_go)
}

/// Nearly always it is a text. The destructor of anything else that somebody panics with is somebody's code as well.
#[cold]
fn let_go(payload: Box<dyn Any + Send>) {
    if !payload.is::<String>() && !payload.is::<&'static str>() {
        std::mem::forget(payload);
    }
}

/// The critical message about a panic in a closure.
#[cold]
pub(crate) fn tell<F>() {
    glib::g_critical!("Gsock", "{} panicked", entry(type_name::<F>()));
}

/// `vfunc::input_stream::read`, of a closure in it: without what it is generic over.
fn entry(closure: &str) -> String {
    let closure = closure.replace("->", "");
    // `<a::B<C> as d::E>::f` is `a::B::f`.
    let (whose, rest) = match closure.strip_prefix('<') {
        Some(inner) => match end_of_generics(inner) {
            Some(end) => (
                inner[..end]
                    .rsplit_once(" as ")
                    .map_or(&inner[..end], |it| it.0),
                &inner[end + 1..],
            ),
            None => (inner, ""),
        },
        None => (&*closure, ""),
    };
    let mut name = String::new();
    let mut depth = 0;
    for letter in whose.chars().chain(rest.chars()) {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => name.push(letter),
            _ => {}
        }
    }
    let name = name.replace("::::", "::");
    let name = name.split("::{{closure}}").next().unwrap_or(&name);
    name.strip_prefix("gsock::").unwrap_or(name).to_owned()
}

/// Where what began before `inner` ends.
fn end_of_generics(inner: &str) -> Option<usize> {
    let mut depth = 0;
    inner.char_indices().find_map(|(at, letter)| {
        match letter {
            '<' => depth += 1,
            '>' if depth == 0 => return Some(at),
            '>' => depth -= 1,
            _ => {}
        }
        None
    })
}

#[cfg(not(debug_assertions))]
#[inline]
fn struck<R>(_: impl Fn() -> &'static str, f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(debug_assertions)]
fn struck<R>(name: impl Fn() -> &'static str, f: impl FnOnce() -> R) -> R {
    let blow = blow::on(&name);
    if blow == Some(blow::Moment::Before) {
        panic!("on purpose before {}", entry(name()));
    }
    let result = f();
    if blow == Some(blow::Moment::After) {
        // Nobody has what C would have had.
        drop(result);
        panic!("on purpose after {}", entry(name()));
    }
    result
}

/// What the environment wants: `GSOCK_PANIC=ENTRY`, with `+` for a panic after it has done what it does, with `*` for one
/// each time and not the first time only; all entries that begin with it where it ends with an underscore; or `?`, for the
/// name of each entry that is come by.
#[cfg(debug_assertions)]
mod blow {
    use std::{
        collections::BTreeSet,
        env,
        sync::{
            Mutex, PoisonError,
            atomic::{AtomicBool, Ordering},
        },
    };

    use once_cell::sync::Lazy;

    use super::entry;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Moment {
        Before,
        After,
    }

    enum Wish {
        Names(Mutex<BTreeSet<&'static str>>),
        Blow {
            wanted: String,
            moment: Moment,
            always: bool,
            is_done: AtomicBool,
        },
    }

    static WISH: Lazy<Option<Wish>> = Lazy::new(|| {
        let wish = env::var("GSOCK_PANIC").ok()?;
        if wish == "?" {
            return Some(Wish::Names(Mutex::default()));
        }
        let entry = wish.trim_end_matches(['+', '*']);
        let how = &wish[entry.len()..];
        Some(Wish::Blow {
            wanted: entry.to_owned(),
            moment: if how.contains('+') {
                Moment::After
            } else {
                Moment::Before
            },
            always: how.contains('*'),
            is_done: AtomicBool::new(false),
        })
    });

    #[inline]
    pub(super) fn on(name: impl Fn() -> &'static str) -> Option<Moment> {
        match &*WISH {
            None => None,
            Some(wish) => wish.on(name()),
        }
    }

    impl Wish {
        #[cold]
        fn on(&self, name: &'static str) -> Option<Moment> {
            match self {
                Self::Names(seen) => {
                    let is_new = seen
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(name);
                    if is_new {
                        eprintln!("fence: {}", entry(name));
                    }
                    None
                }
                Self::Blow {
                    wanted,
                    moment,
                    always,
                    is_done,
                } => {
                    // One panic at a time: a second one, in what the first one unwinds, would end the process.
                    let entry = entry(name);
                    let is_meant = if wanted.ends_with('_') {
                        entry.starts_with(wanted)
                    } else {
                        entry == *wanted
                    };
                    if !is_meant || std::thread::panicking() {
                        return None;
                    }
                    (*always || !is_done.swap(true, Ordering::AcqRel)).then_some(*moment)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_name_of_its_function() {
        for (closure, name) in [
            ("gsock::a::b::{{closure}}", "a::b"),
            ("gsock::a::b<gsock::c::D<e::F>>::{{closure}}", "a::b"),
            ("gsock::a::B<T>::c::{{closure}}::{{closure}}", "a::B::c"),
            (
                "<gsock::a::B<gsock::C> as gsock::d::E<F>>::f::{{closure}}",
                "a::B::f",
            ),
            (
                "<gsock::a::B<x::y::{{closure}}, fn() -> T> as d::E>::f<C>::{{closure}}",
                "a::B::f",
            ),
            (
                "<gsock::a::B<x::y::{{closure}}>>::f::{{closure}}",
                "a::B::f",
            ),
            ("gsock::a::<impl gsock::b::C for D>::e::{{closure}}", "a::e"),
        ] {
            assert_eq!(entry(closure), name);
        }
    }

    #[test]
    fn what_somebody_panics_with_is_not_dropped_unless_it_is_a_text() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::process::abort();
            }
        }
        assert!(caught(|| std::panic::panic_any(Bomb)).is_none());
    }
}
