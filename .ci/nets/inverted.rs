//! The assertions of a test binary, counted, and one of them turned round on demand.
//!
//! `expectations.sh` puts this file into a scratch copy of the tests, in front of their modules: these macros
//! stand before the standard library's. `EXPECTATIONS=record:FILE` writes a line for each expectation that
//! is looked at, `EXPECTATIONS=invert:SITE#N` turns the N-th look at SITE round and says so in the output.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::Write,
    sync::{Mutex, OnceLock, PoisonError},
};

enum Mode {
    Plain,
    Record(String),
    Invert(String),
}

fn mode() -> &'static Mode {
    static MODE: OnceLock<Mode> = OnceLock::new();
    MODE.get_or_init(|| match std::env::var("EXPECTATIONS") {
        Ok(value) => match value.split_once(':') {
            Some(("record", file)) => Mode::Record(file.to_owned()),
            Some(("invert", which)) => Mode::Invert(which.to_owned()),
            _ => panic!("EXPECTATIONS={value}: neither record: nor invert:"),
        },
        Err(_) => Mode::Plain,
    })
}

/// Whether the expectation is to be taken as met.
pub(crate) fn look(file: &str, line: u32, column: u32, holds: bool) -> bool {
    static LOOKS: OnceLock<Mutex<HashMap<String, u32>>> = OnceLock::new();
    let mut looks = LOOKS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let site = format!("{file}:{line}:{column}");
    let count = looks.entry(site.clone()).or_default();
    *count += 1;
    let name = format!("{site}#{count}");
    match mode() {
        Mode::Plain => holds,
        Mode::Record(file) => {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(file)
                .expect("a file to write to");
            writeln!(file, "{name}").expect("room for a line");
            holds
        }
        Mode::Invert(which) if *which == name => {
            println!("expectation inverted: {name}");
            !holds
        }
        Mode::Invert(_) => holds,
    }
}

/// Waits until something is true; such a look is no expectation of its own.
pub(crate) const WAITS: &str = "not done after";

macro_rules! assert {
    // The time limit of the waits in tests/support.
    ($holds:expr, "not done after {LIMIT:?}" $(,)?) => {
        if !$holds {
            panic!("{} {LIMIT:?}", crate::inverted::WAITS);
        }
    };
    ($holds:expr $(,)?) => {
        if !crate::inverted::look(file!(), line!(), column!(), $holds) {
            panic!("assertion failed: {}", stringify!($holds));
        }
    };
    ($holds:expr, $($message:tt)+) => {
        if !crate::inverted::look(file!(), line!(), column!(), $holds) {
            panic!($($message)+);
        }
    };
}

macro_rules! assert_eq {
    ($left:expr, $right:expr $(,)?) => {
        match (&$left, &$right) {
            (left, right) => {
                if !crate::inverted::look(file!(), line!(), column!(), *left == *right) {
                    panic!("assertion `left == right` failed\n  left: {left:?}\n right: {right:?}");
                }
            }
        }
    };
    ($left:expr, $right:expr, $($message:tt)+) => {
        match (&$left, &$right) {
            (left, right) => {
                if !crate::inverted::look(file!(), line!(), column!(), *left == *right) {
                    panic!(
                        "assertion `left == right` failed: {}\n  left: {left:?}\n right: {right:?}",
                        format_args!($($message)+)
                    );
                }
            }
        }
    };
}

macro_rules! assert_ne {
    ($left:expr, $right:expr $(,)?) => {
        match (&$left, &$right) {
            (left, right) => {
                if !crate::inverted::look(file!(), line!(), column!(), *left != *right) {
                    panic!("assertion `left != right` failed\n  left: {left:?}\n right: {right:?}");
                }
            }
        }
    };
    ($left:expr, $right:expr, $($message:tt)+) => {
        match (&$left, &$right) {
            (left, right) => {
                if !crate::inverted::look(file!(), line!(), column!(), *left != *right) {
                    panic!(
                        "assertion `left != right` failed: {}\n  left: {left:?}\n right: {right:?}",
                        format_args!($($message)+)
                    );
                }
            }
        }
    };
}
