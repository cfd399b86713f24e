//! socat, ncat and nginx: bytes there and back.

use std::{fs, path::PathBuf};

use gio::{Cancellable, prelude::*};
use gsock::SocketClient;

use crate::{
    forms::*,
    ours::*,
    servers::{Server, program},
    support::*,
};

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn socat_serves() {
    scene("socat: serves", |context, table| {
        let server = Server::socat();
        let client = SocketClient::new();
        assert_all_forms_echo(table, "1 MiB and back", server.address, context, &client);
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn ncat_serves() {
    scene("ncat: serves", |context, table| {
        let server = Server::started(|address| {
            let mut command = program("ncat");
            command.args(["-4", "-l", "-k", "--exec", "/bin/cat", "127.0.0.1"]);
            command.arg(address.port().to_string());
            (command, None)
        });
        // A piece after the other: it reads nothing of its child's while the child reads nothing of its, so that it waits for
        // ever when more is under way.
        let bytes = pattern(1 << 20, 7);
        for form in FORMS {
            table.check(form, "1 MiB and back, in pieces", || {
                let to = gio_address(server.address);
                let made = connect(form, &SocketClient::new(), &to, context).expect("it listens");
                for piece in bytes.chunks(16_384) {
                    assert_echoes(form, &made, piece, context);
                }
                made.close(Cancellable::NONE).expect("idle");
            });
        }
    });
}

fn socat_to(port: u16) -> std::process::Command {
    let mut command = program("socat");
    command.args(["-t30", "STDIO", &format!("TCP4:127.0.0.1:{port}")]);
    command
}

fn ncat_to(port: u16) -> std::process::Command {
    let mut command = program("ncat");
    command.args(["-4", "127.0.0.1", &port.to_string()]);
    command
}

/// A client of somebody else's gets back what it sends, from both kinds of service.
fn comes_to_both(name: &'static str, client: fn(u16) -> std::process::Command) {
    scene(name, move |_, table| {
        let bytes = pattern(2 << 20, 8);
        for (column, work) in [("service", Work::Echo), ("threads", Work::Threads)] {
            let service = Ours::new(work);
            for _ in 0..3 {
                table.check(column, "2 MiB and back", || {
                    let output = answer_of(client(service.address.port()), &bytes);
                    assert!(output.status.success(), "{:?}", output.stderr);
                    assert_identical(&output.stdout, &bytes);
                });
            }
        }
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn socat_comes() {
    comes_to_both("socat: comes", socat_to);
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn ncat_comes() {
    comes_to_both("ncat: comes", ncat_to);
}

/// Takes what it gets until the end.
fn read_all(
    form: Form,
    connection: &gsock::SocketConnection,
    context: &glib::MainContext,
) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let more = read(form, connection, context).expect("a peer that answers");
        if more.is_empty() {
            return all;
        }
        all.extend_from_slice(&more);
    }
}

/// A configuration of nginx's in a folder of its own, where everything is that it writes.
pub(crate) fn nginx(lines: impl Fn(std::net::SocketAddr, &str) -> String) -> Server {
    Server::started(|address| {
        let folder = std::env::temp_dir().join(format!("gsock-nginx-{}", address.port()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        let place = folder.display().to_string();
        let file: PathBuf = folder.join("configuration");
        let head = format!(
            "daemon off; master_process off; user root; pid {place}/pid; error_log /dev/null;\n"
        );
        fs::write(&file, head + &lines(address, &place)).expect("a file");
        let mut command = program("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
        command.args(["-e", "/dev/null"]);
        (command, Some(folder))
    })
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn nginx_serves() {
    scene("nginx: serves", |context, table| {
        let page = pattern(4 << 20, 9);
        let server = nginx(|address, place| {
            fs::write(format!("{place}/page"), &page).expect("a file");
            let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|of| format!("{of}_temp_path {place}/{of};"))
                .join(" ");
            format!(
                "events {{}}\nhttp {{ access_log off; {paths}\n\
                 server {{ listen {address}; root {place}; }} }}\n"
            )
        });
        for form in FORMS {
            table.check(form, "a page of 4 MiB", || {
                let to = gio_address(server.address);
                let made = connect(form, &SocketClient::new(), &to, context).expect("it listens");
                write_all(form, &made, b"GET /page HTTP/1.0\r\n\r\n", context).expect("room");
                let answer = read_all(form, &made, context);
                let head = answer.windows(4).position(|at| at == b"\r\n\r\n");
                let head = head.expect("an answer of HTTP") + 4;
                assert!(answer.starts_with(b"HTTP/1.1 200"), "{:?}", &answer[..head]);
                assert_identical(&answer[head..], &page);
                made.close(Cancellable::NONE).expect("idle");
            });
        }
    });
}
