//! HTTP CONNECT, in plain text and over TLS.

use crate::{cases::*, oracle::*, proxies::*, support::*};

const ANSWER: &[u8] = b"HTTP/1.1 200 Connection established\r\nVia: us\r\n\r\n";

/// The places that say which version and which status it is.
fn selects(at: usize) -> bool {
    matches!(at, 5..=11)
}

#[test]
fn no_byte_of_an_http_answer_can_be_another_one_where_it_says_something() {
    on_private_context_within(LIMIT * 8, |_| {
        let mut cases = Vec::new();
        for (at, byte, said) in mutations(ANSWER, selects) {
            for scheme in ["http://", "http://me:secret@"] {
                let has_login = scheme.contains('@');
                if has_login && !(9..=11).contains(&at) {
                    continue;
                }
                let said = with_far(&said);
                let expected = http(&said, has_login);
                let label = format!("{scheme} byte {at} is {byte:#04x}");
                add(&mut cases, label, scheme, vec![said], expected);
            }
        }
        add_cuts(&mut cases, "http", "http://", &[], ANSWER);
        add_manners(&mut cases, "http", "http://", &[ANSWER]);
        judge_all("answers of HTTP proxies", &cases);
    });
}

#[test]
fn every_status_of_an_http_answer_is_what_it_says() {
    on_private_context_within(LIMIT * 8, |_| {
        let mut cases = Vec::new();
        for status in (0..1000).step_by(7).chain([200, 403, 404, 407, 502, 503]) {
            for scheme in ["http://", "http://me:secret@"] {
                let said = with_far(format!("HTTP/1.0 {status:03} So\r\n\r\n").as_bytes());
                let expected = http(&said, scheme.contains('@'));
                add(
                    &mut cases,
                    format!("{scheme} {status:03}"),
                    scheme,
                    vec![said],
                    expected,
                );
            }
        }
        judge_all("statuses of HTTP proxies", &cases);
    });
}
