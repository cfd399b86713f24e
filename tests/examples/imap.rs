//! A mail session, as a program.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use crate::{assert_says_ok, ended, refused_address, start};

#[test]
fn a_mail_session_is_both_ends_by_itself_in_either_version() {
    for version in [None, Some("--gio")] {
        let output = ended(start("imap", version, Stdio::null()));
        assert_says_ok("imap", &output);
        let said = String::from_utf8_lossy(&output.stdout);
        for line in [
            "in TLS, it can IMAP4rev2",
            "Not a reply:",
            "it is alive: true",
        ] {
            assert!(said.contains(line), "{said}");
        }
    }
}

#[test]
fn a_mail_session_has_its_ends_in_two_processes() {
    let mut server = start("imap", ["server"], Stdio::piped());
    let mut said = BufReader::new(server.stdout.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let words = line.strip_prefix("imap ").expect("how a client gets there");
    let client = ended(start("imap", words.split_whitespace(), Stdio::null()));
    assert_says_ok("imap", &client);
    let certificate = words.split_whitespace().last().expect("a file");
    let refused = refused_address().to_string();
    let client = ended(start(
        "imap",
        ["client", &refused, certificate],
        Stdio::null(),
    ));
    assert_eq!(client.status.code(), Some(1), "{client:?}");
    let why = String::from_utf8_lossy(&client.stderr).to_lowercase();
    assert!(why.contains("refused"), "{why}");
    drop(server.stdin.take());
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    let output = ended(server);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(rest, "ok: served\n");
    assert!(!std::path::Path::new(certificate).exists(), "{certificate}");
}

#[test]
fn a_mail_server_puts_its_certificate_where_it_is_told() {
    let (_, file) = glib::file_open_tmp(Some("imap-test-XXXXXX.pem")).expect("a new file");
    let path = file.to_str().expect("text");
    let mut server = start("imap", ["server", "0", path], Stdio::piped());
    let mut said = BufReader::new(server.stdout.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let words: Vec<_> = line.split_whitespace().skip(1).collect();
    assert_eq!(words.last(), Some(&path));
    assert_says_ok("imap", &ended(start("imap", words, Stdio::null())));
    drop(server.stdin.take());
    let served = ended(server);
    assert!(served.status.success(), "{served:?}");
    std::fs::remove_file(file).expect("it is there");
}
