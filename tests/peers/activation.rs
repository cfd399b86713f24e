//! systemd-socket-activate: starts a service of ours with the first who comes, and one of somebody else's for each.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use gio::{Cancellable, prelude::*};
use gsock::{SocketClient, SocketService, engine, prelude::*};

use crate::{
    forms::*,
    ours::*,
    servers::{Server, program},
    support::*,
};

/// Says to a process that it is the service.
const SERVICE: &str = "GSOCK_TEST_PEERS_SERVICE";

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn systemd_starts_us() {
    if std::env::var_os(SERVICE).is_some() {
        return on_private_context_within(LIMIT * 4, serve_what_was_inherited);
    }
    scene("systemd-socket-activate: starts us", |context, table| {
        let server = activated(&["-E", "GSOCK_TEST_PEERS_SERVICE=1"], |command| {
            command.arg(std::env::current_exe().expect("the test itself"));
            command.args([
                "--exact",
                "activation::systemd_starts_us",
                "--ignored",
                "--nocapture",
            ]);
        });
        let client = SocketClient::new();
        assert_all_forms_echo(table, "1 MiB and back", server.address, context, &client);
    });
}

/// In the process that systemd-socket-activate has become.
fn serve_what_was_inherited(context: &glib::MainContext) {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    let service = SocketService::new();
    let sockets = service
        .add_systemd_sockets(None, glib::Object::NONE)
        .expect("as many as were given");
    assert_eq!(sockets.len(), 1);
    let tasks = context.clone();
    service.connect_incoming(move |_, connection, _| {
        let connection = connection.clone();
        let talk = async move { send_back(&connection).await };
        drop(engine::spawn_local(&tasks, talk));
        true
    });
    service.start();
    // Whoever has started it ends it.
    while !IS_OVER.load(Ordering::Relaxed) {
        context.iteration(true);
    }
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn systemd_serves() {
    scene(
        "systemd-socket-activate: a cat for each",
        |context, table| {
            let server = activated(&["--accept", "--inetd"], |command| {
                command.arg("/bin/cat");
            });
            let bytes = pattern(1 << 20, 13);
            for form in FORMS {
                table.check(form, "1 MiB and back", || {
                    let to = gio_address(server.address);
                    let made =
                        connect(form, &SocketClient::new(), &to, context).expect("it listens");
                    assert_echoes(form, &made, &bytes, context);
                    made.close(Cancellable::NONE).expect("idle");
                });
            }
        },
    );
}

/// The program that `command` adds gets the socket.
fn activated(words: &[&str], more: impl Fn(&mut Command)) -> Server {
    Server::started(|address| {
        let mut command = program("systemd-socket-activate");
        command.args(["-l", &address.to_string()]);
        command.args(words);
        more(&mut command);
        (command, None)
    })
}
