//! Who stands between a client and a service of ours: proxies that the client asks, and relays that nobody sees.

use std::{fs, net::SocketAddr};

use gsock::{SocketClient, prelude::*};

use crate::{
    ours::*,
    plain::nginx,
    servers::{Server, program},
    table::Table,
};

const NO_HOSTS: [&str; 0] = [];

/// By the proxy that `uri` names.
fn through(table: &mut Table, context: &glib::MainContext, uri: &str, what: &str) {
    let service = Ours::new(Work::Echo);
    let client = SocketClient::new();
    let resolver = gio::SimpleProxyResolver::new(Some(uri), NO_HOSTS);
    client.set_proxy_resolver(Some(&resolver));
    assert_all_forms_echo(table, what, service.address, context, &client);
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn microsocks_is_a_proxy() {
    scene("microsocks: proxy", |context, table| {
        let server = Server::microsocks(&["-u", "me", "-P", "secret"]);
        let uri = format!("socks5://me:secret@{}", server.address);
        through(table, context, &uri, "1 MiB and back, by SOCKS 5");
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn dante_is_a_proxy() {
    scene("dante: proxy", |context, table| {
        let server = Server::dante();
        for scheme in ["socks5", "socks4"] {
            let uri = format!("{scheme}://{}", server.address);
            through(
                table,
                context,
                &uri,
                &format!("1 MiB and back, by {scheme}"),
            );
        }
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn tinyproxy_is_a_proxy() {
    scene("tinyproxy: proxy", |context, table| {
        let server = Server::tinyproxy("");
        let uri = format!("http://{}", server.address);
        through(table, context, &uri, "1 MiB and back, by CONNECT");
    });
}

/// Joins who comes to `address` with a service of ours.
fn in_front(table: &mut Table, context: &glib::MainContext, start: impl Fn(SocketAddr) -> Server) {
    for work in [Work::Echo, Work::Threads] {
        let service = Ours::new(work.clone());
        let relay = start(service.address);
        let what = format!("1 MiB and back: {work:?}");
        assert_all_forms_echo(table, &what, relay.address, context, &SocketClient::new());
    }
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn nginx_stands_in_front() {
    scene("nginx: in front of us", |context, table| {
        in_front(table, context, |to| {
            nginx(|address, _| {
                let module = program("nginx");
                let module = std::path::Path::new(module.get_program());
                let module = module.parent().and_then(|folder| folder.parent());
                let module = module
                    .map(|usr| usr.join("lib/nginx/modules/ngx_stream_module.so"))
                    .filter(|file| file.exists());
                // Where the system's is found on PATH it knows where its modules are.
                let module = module.map_or_else(
                    || "modules/ngx_stream_module.so".to_owned(),
                    |file| file.display().to_string(),
                );
                format!(
                    "load_module {module};\nevents {{}}\n\
                     stream {{ server {{ listen {address}; proxy_pass {to}; }} }}\n"
                )
            })
        });
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn haproxy_stands_in_front() {
    scene("haproxy: in front of us", |context, table| {
        in_front(table, context, |to| {
            Server::started(|address| {
                let file = std::env::temp_dir().join(format!("gsock-haproxy-{}", address.port()));
                let lines = [
                    "defaults".to_owned(),
                    " mode tcp".to_owned(),
                    " timeout connect 5s".to_owned(),
                    " timeout client 30s".to_owned(),
                    " timeout server 30s".to_owned(),
                    "listen ours".to_owned(),
                    format!(" bind {address}"),
                    // It looks whether we are there: connects, and goes.
                    format!(" server it {to} check inter 100ms"),
                    String::new(),
                ];
                fs::write(&file, lines.join("\n")).expect("a file");
                let mut command = program("haproxy");
                command.arg("-db").arg("-f").arg(&file);
                (command, Some(file))
            })
        });
    });
}
