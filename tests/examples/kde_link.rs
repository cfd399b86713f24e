//! The link of KDE Connect, as a program.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use crate::{assert_says_ok, ended, run, start};

#[test]
fn the_link_of_kde_connect_is_both_ends_by_itself() {
    let output = run("kde_link", None);
    assert_says_ok("kde_link", &output);
    let said = String::from_utf8_lossy(&output.stdout);
    for line in ["phone: linked to desktop at", "desktop: linked to phone at"] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn the_link_of_kde_connect_has_its_ends_in_two_processes() {
    let mut server = start("kde_link", ["serve"], Stdio::piped());
    let mut said = BufReader::new(server.stdout.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let port = line.trim().rsplit(' ').next().expect("a word").to_owned();
    let client = ended(start("kde_link", ["connect", &port], Stdio::null()));
    assert_says_ok("kde_link", &client);
    drop(server.stdin.take());
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    let output = ended(server);
    assert!(output.status.success(), "{output:?}");
    assert!(rest.ends_with("ok: served\n"), "{rest}");
    assert!(rest.contains("desktop: phone is gone"), "{rest}");
}

#[test]
fn the_link_of_kde_connect_says_why_there_is_none_and_fails() {
    let refused = crate::refused_address().port().to_string();
    let output = ended(start("kde_link", ["connect", &refused], Stdio::null()));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(said.contains("refused"), "{said}");
}
