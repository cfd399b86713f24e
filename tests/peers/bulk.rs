//! iperf3 through a relay of ours.

use crate::{
    ours::*,
    servers::{Server, program},
};

/// How much one run sends, and what of it must have arrived when it says that it is done.
const SIZE: usize = 32 << 20;
const LEAST: usize = 4 << 20;

// No file, by its option -F: where a write of its own stops in the middle it loses its place in that, behind socat too.
fn iperf3(arguments: &[&str]) -> std::process::Command {
    let mut command = program("iperf3");
    command.args(arguments);
    command
}

fn bytes_of(said: &serde_json::Value, which: &str) -> u64 {
    said["end"][which]["bytes"].as_u64().expect("a number")
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn iperf3_is_relayed() {
    scene("iperf3: through our relay", |_, table| {
        for (column, more) in [
            ("to it", &[][..]),
            ("from it", &["-R"][..]),
            ("four at once", &["-P", "4"][..]),
        ] {
            let server = Server::started(|address| {
                let port = address.port().to_string();
                (iperf3(&["-s", "-B", "127.0.0.1", "-p", &port]), None)
            });
            let relay = Ours::new(Work::Relay(server.address));
            table.check(column, "it is carried, and ends well", || {
                let port = relay.address.port().to_string();
                let size = SIZE.to_string();
                let mut words = vec!["-c", "127.0.0.1", "-p", &port, "-n", &size, "-J"];
                words.extend(more);
                let output = answer_of(iperf3(&words), b"");
                assert!(output.status.success(), "{output:?}");
                let said = serde_json::from_slice(&output.stdout).expect("JSON");
                let (sent, got) = (bytes_of(&said, "sum_sent"), bytes_of(&said, "sum_received"));
                assert!(sent >= SIZE as u64, "{sent}");
                // At its end it does not wait for what is under way.
                assert!(got <= sent && got >= LEAST as u64, "{got} of {sent}");
            });
        }
    });
}
