//! Where and with what the figures were taken.

use std::{fs, thread};

use crate::sys;

/// What stands above every table. The name of the machine is not in it.
pub(crate) fn header() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let date = glib::DateTime::now_utc().and_then(|now| now.format("%Y-%m-%d %H:%M UTC"));
    format!(
        "CPU {cpu}, {cores} cores | Linux {} | GLib {} | {} | tokio {} | {} | load {}\n",
        kernel.trim(),
        sys::glib_version(),
        env!("BENCHES_RUSTC"),
        tokio_version(),
        date.as_deref().unwrap_or("no date"),
        load.split(' ').next().unwrap_or("unknown"),
    )
}

/// The one of the lock file, which cargo was told to follow.
fn tokio_version() -> &'static str {
    include_str!("../../Cargo.lock")
        .split_once("name = \"tokio\"\nversion = \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("unknown", |(version, _)| version)
}
