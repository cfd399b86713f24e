//! TLS with OpenSSL and with GnuTLS as programs: verified, and refused, by either side.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use gio::{Cancellable, TlsCertificateFlags, TlsError, prelude::*};
use gsock::{SocketClient, TcpWrapperConnection, prelude::*};

use crate::{
    authority::{Authority, NAME},
    forms::*,
    ours::*,
    servers::{Server, program},
};

/// Lines of text, each as long as what is sent in one piece; `-rev` and `--echo` know of nothing else.
fn lines(count: usize, length: usize) -> Vec<u8> {
    let text = glib::base64_encode(&pattern(count * length, 12));
    let mut all = Vec::new();
    for line in text.as_bytes().chunks(length - 1).take(count) {
        all.extend_from_slice(line);
        all.push(b'\n');
    }
    all
}

fn each_line_reversed(lines: &[u8]) -> Vec<u8> {
    let reversed = lines
        .split_inclusive(|byte| *byte == b'\n')
        .flat_map(|line| {
            let text = &line[..line.len() - 1];
            text.iter().rev().copied().chain([b'\n'])
        });
    reversed.collect()
}

/// A server of theirs, with this certificate, answers `asked` with `answer`.
fn a_client_of_ours_goes_to(
    name: &'static str,
    start: fn(&str) -> Server,
    length: usize,
    answer: fn(&[u8]) -> Vec<u8>,
) {
    scene(name, move |context, table| {
        let authority = Authority::new("an-authority");
        let asked = lines(20, length);
        let server = start(&authority.right());
        let target = gio::NetworkAddress::new(NAME, server.address.port());
        for form in FORMS {
            table.check(form, "verified, and carries", || {
                let (client, seen) = authority.client();
                let made = connect(form, &client, &target, context).expect("it is trusted");
                assert!(made.is::<TcpWrapperConnection>());
                assert_eq!(seen.get(), TlsCertificateFlags::empty());
                let mut back = Vec::new();
                for line in asked.chunks(length) {
                    back.extend(exchange(form, &made, line, context).expect("it answers"));
                }
                assert_identical(&back, &answer(&asked));
                // The last word may find the peer gone.
                let _ = made.close(Cancellable::NONE);
            });
        }
        for (what, flag, certificate) in authority.wrong() {
            let server = start(&certificate);
            let target = gio::NetworkAddress::new(NAME, server.address.port());
            for form in FORMS {
                table.check(form, &format!("refused: {what}"), || {
                    let (client, seen) = authority.client();
                    let refused = connect(form, &client, &target, context);
                    let refused = refused.expect_err("it is not to be trusted");
                    assert!(refused.matches(TlsError::BadCertificate), "{refused:?}");
                    assert_eq!(seen.get(), flag);
                });
            }
        }
        // And with whom the system trusts, which is nobody of these.
        for form in FORMS {
            table.check(form, "refused: by an authority that nobody knows", || {
                let client = SocketClient::new();
                client.set_tls(true);
                let refused = connect(form, &client, &target, context);
                let refused = refused.expect_err("it is not to be trusted");
                assert!(refused.matches(TlsError::BadCertificate), "{refused:?}");
            });
        }
    });
}

/// A server that has its certificate and key in a file.
fn started(certificate: &str, command: impl Fn(&str, &Path) -> Command) -> Server {
    Server::started(|address| {
        let file = format!("gsock-certificate-{}", address.port());
        let file: PathBuf = std::env::temp_dir().join(file);
        fs::write(&file, certificate).expect("a file");
        let port = address.port().to_string();
        (command(&port, &file), Some(file))
    })
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn openssl_serves() {
    a_client_of_ours_goes_to(
        "openssl: s_server",
        Server::openssl,
        8_000,
        each_line_reversed,
    );
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn gnutls_serves() {
    let start = |certificate: &str| {
        started(certificate, |port, file| {
            let mut command = program("gnutls-serv");
            command.args(["--echo", "--quiet", "--port", port]);
            command.arg("--x509certfile").arg(file);
            command.arg("--x509keyfile").arg(file);
            command
        })
    };
    a_client_of_ours_goes_to("gnutls: gnutls-serv", start, 1_000, <[u8]>::to_vec);
}

/// A client of theirs comes to a service of ours.
fn a_client_of_theirs_comes(
    name: &'static str,
    client: fn(port: u16, authority: &Path) -> Command,
) {
    scene(name, move |_, table| {
        let authority = Authority::new("an-authority");
        let sent = lines(40, 1_000);
        let service = Ours::new(Work::Tls(authority.right(), sent.len()));
        for _ in 0..3 {
            table.check("service", "verified, and carries", || {
                let output = answer_of(client(service.address.port(), &authority.file), &sent);
                assert!(
                    output.status.success(),
                    "{:?}",
                    String::from_utf8_lossy(&output.stderr)
                );
                assert_identical(&output.stdout, &sent);
            });
        }
        for (what, _, certificate) in authority.wrong() {
            let service = Ours::new(Work::Tls(certificate, sent.len()));
            // The second one shows that the service has gone on.
            for _ in 0..2 {
                table.check("service", &format!("refused: {what}"), || {
                    let output = answer_of(client(service.address.port(), &authority.file), &sent);
                    assert!(!output.status.success(), "{output:?}");
                    assert!(output.stdout.is_empty(), "{output:?}");
                });
            }
        }
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn openssl_comes() {
    a_client_of_theirs_comes("openssl: s_client", |port, authority| {
        let mut command = program("openssl");
        command.args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-verify_quiet",
        ]);
        command.args(["-verify_hostname", NAME, "-servername", NAME]);
        command.args(["-connect", &format!("127.0.0.1:{port}")]);
        command.arg("-CAfile").arg(authority);
        command
    });
}

#[test]
#[ignore = "wants a network: .ci/nets/peers.sh"]
fn gnutls_comes() {
    a_client_of_theirs_comes("gnutls: gnutls-cli", |port, authority| {
        let mut command = program("gnutls-cli");
        command.args(["--logfile=/dev/null", "--port", &port.to_string()]);
        command.arg("--x509cafile").arg(authority);
        command.arg(NAME);
        command
    });
}
