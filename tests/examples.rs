//! The examples run by themselves and against a peer of somebody else's, and say so.

#![cfg(test)]

mod support;

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use support::{echo_server, refused_address};

const EXAMPLES: [&str; 7] = [
    "echo",
    "custom_connection",
    "bindings",
    "relay",
    "fd_passing",
    "adopt",
    "client",
];

/// Each ends by itself within 20 seconds.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(30);

fn run(example: &str, peer: Option<String>) -> Output {
    let mut path: PathBuf = std::env::current_exe().expect("the test itself");
    path.pop();
    path.pop();
    path.extend(["examples", example]);
    assert!(
        path.exists(),
        "{} is missing: `cargo build --examples` makes it",
        path.display()
    );
    let mut child = Command::new(path)
        .args(peer)
        .env("G_DEBUG", "fatal-warnings")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("an example runs");
    let end = Instant::now() + EXAMPLE_LIMIT;
    while child.try_wait().expect("our child").is_none() {
        if Instant::now() >= end {
            child.kill().expect("our child");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("our child")
}

#[track_caller]
fn assert_says_ok(example: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{example}: {output:?}");
    assert!(
        said.lines().any(|line| line.starts_with("ok")),
        "{example}: {said}"
    );
}

#[test]
fn each_example_ends_well_by_itself() {
    for example in EXAMPLES {
        assert_says_ok(example, &run(example, None));
    }
}

#[test]
fn each_example_ends_well_with_a_peer_of_somebody_elses() {
    for example in EXAMPLES {
        assert_says_ok(example, &run(example, Some(echo_server().to_string())));
    }
}

#[test]
fn each_example_says_why_there_is_no_connection_and_fails() {
    for example in EXAMPLES {
        let output = run(example, Some(refused_address().to_string()));
        assert_eq!(output.status.code(), Some(1), "{example}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(said.contains("refused"), "{example}: {said}");
    }
}

#[test]
fn the_client_tells_each_step_and_what_came_of_each_address() {
    let output = run("client", Some("--report".to_owned()));
    assert_says_ok("client", &output);
    let said = String::from_utf8_lossy(&output.stderr);
    let mut rest = &*said;
    for step in [
        "Resolving",
        "Resolved",
        "Connecting",
        "Connected",
        "Complete",
        "name: ",
        "refused",
        "connected after",
    ] {
        let at = rest
            .find(step)
            .unwrap_or_else(|| panic!("no {step} where it belongs: {said}"));
        rest = &rest[at + step.len()..];
    }
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("hello"));
}
