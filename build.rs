//! Names the platform facts that the code asks for, each once, as a cfg. Nothing is generated.

use std::env::var;

/// `poll(2)` reports the peer's FIN (`POLLRDHUP`) without a read.
const PEER_HANGUP: &[&str] = &["linux", "android"];
/// `epoll(7)` watches many descriptors at once.
const EPOLL: &[&str] = &["linux", "android"];
/// `splice(2)` moves bytes between a socket and a pipe.
const SPLICE: &[&str] = &["linux"];
/// `TCP_INFO` tells the state of the protocol machine.
const TCP_STATE: &[&str] = &["linux", "android"];
/// Descriptors and credentials travel as Linux has it: what comes next can be looked at without taking it.
const ANCILLARY: &[&str] = &["linux"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    for (name, systems) in [
        ("epoll", EPOLL),
        ("peer_hangup", PEER_HANGUP),
        ("splice", SPLICE),
        ("tcp_state", TCP_STATE),
        ("ancillary", ANCILLARY),
    ] {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if systems.contains(&system.as_str()) {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
