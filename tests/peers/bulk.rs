//! iperf3 through a relay of ours.

use std::{fs, path::Path};

use crate::{
    forms::*,
    ours::*,
    servers::{Server, program},
};

/// How much one run sends, and what of it must have arrived when it says that it is done.
const SIZE: usize = 32 << 20;
const LEAST: usize = 4 << 20;

fn iperf3(arguments: &[&str], files: Option<&Path>) -> std::process::Command {
    let mut command = program("iperf3");
    command.args(arguments);
    if let Some(file) = files {
        command.arg("-F").arg(file);
    }
    command
}

fn bytes_of(said: &serde_json::Value, which: &str) -> u64 {
    said["end"][which]["bytes"].as_u64().expect("a number")
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn iperf3_is_relayed() {
    scene("iperf3: through our relay", |_, table| {
        let folder = std::env::temp_dir().join(format!("gsock-iperf3-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        let (sent, got) = (folder.join("sent"), folder.join("got"));
        let bytes = pattern(SIZE, 11);
        fs::write(&sent, &bytes).expect("a file");
        for (column, more) in [
            ("to it", &[][..]),
            ("from it", &["-R"][..]),
            ("four at once", &["-P", "4"][..]),
        ] {
            let server = Server::started(|address| {
                let port = address.port().to_string();
                (iperf3(&["-s", "-B", "127.0.0.1", "-p", &port], None), None)
            });
            let relay = Ours::new(Work::Relay(server.address));
            table.check(column, "it is carried, and ends well", || {
                let port = relay.address.port().to_string();
                let size = SIZE.to_string();
                let mut words = vec!["-c", "127.0.0.1", "-p", &port, "-n", &size, "-J"];
                words.extend(more);
                let output = answer_of(iperf3(&words, None), b"");
                assert!(output.status.success(), "{output:?}");
                let said = serde_json::from_slice(&output.stdout).expect("JSON");
                let (sent, got) = (bytes_of(&said, "sum_sent"), bytes_of(&said, "sum_received"));
                assert!(sent >= SIZE as u64, "{sent}");
                // At its end it does not wait for what is under way.
                assert!(got <= sent && got >= LEAST as u64, "{got} of {sent}");
            });
        }
        let server = Server::started(|address| {
            let port = address.port().to_string();
            let words = ["-s", "-B", "127.0.0.1", "-p", &port];
            (iperf3(&words, Some(&got)), None)
        });
        let relay = Ours::new(Work::Relay(server.address));
        table.check("a file", "what arrives is what was sent", || {
            let port = relay.address.port().to_string();
            let words = ["-c", "127.0.0.1", "-p", &port];
            let output = answer_of(iperf3(&words, Some(&sent)), b"");
            assert!(output.status.success(), "{output:?}");
            let arrived = fs::read(&got).expect("a file");
            assert!(arrived.len() >= LEAST, "{}", arrived.len());
            assert_identical(&arrived, &bytes[..arrived.len()]);
        });
        drop((relay, server));
        fs::remove_dir_all(&folder).expect("our folder");
    });
}
