//! The programs that count.

use std::{
    env,
    error::Error,
    process::{Command, Stdio},
};

use crate::work::TICKING;

/// Counts something of a run of this program with the given arguments.
pub(crate) type Tool = fn(&[String]) -> Result<u64, Box<dyn Error>>;

/// Instructions in user space, of all threads.
pub(crate) fn instructions(arguments: &[String]) -> Result<u64, Box<dyn Error>> {
    let report = run(
        "valgrind",
        &["--tool=callgrind", "--callgrind-out-file=/dev/null"],
        arguments,
    )?;
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    Ok(collected.ok_or("callgrind has collected nothing")?)
}

/// System calls of all threads.
pub(crate) fn calls(arguments: &[String]) -> Result<u64, Box<dyn Error>> {
    let report = run("strace", &["-f", "-c"], arguments)?;
    // % time, seconds, usecs/call, calls, perhaps errors, name
    let calls = report.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_total = words.last() == Some(&"total");
        words.get(3)?.parse::<u64>().ok().filter(|_| !is_total)
    });
    match calls.sum() {
        0 => Err("strace has seen no system call".into()),
        calls => Ok(calls),
    }
}

/// What the tool says on standard error.
fn run(tool: &str, flags: &[&str], arguments: &[String]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(tool)
        .args(flags)
        .arg(env::current_exe()?)
        .args(arguments)
        .env(TICKING, "1")
        .stdout(Stdio::null())
        .output()
        .map_err(|error| format!("{tool}: {error} (`make nets-setup` installs it)"))?;
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(report)
    } else {
        Err(format!("{tool}, {arguments:?}: {}\n{report}", output.status).into())
    }
}
