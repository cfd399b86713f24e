//! SOCKS 4, 4a and 5, with and without a name and password (RFC 1928, RFC 1929).

use crate::{cases::*, oracle::*, proxies::*, support::*};

const SOCKS4_OK: [u8; 8] = [0, 90, 0, 70, 127, 0, 0, 1];
const METHOD_NONE: [u8; 2] = [5, 0];
const METHOD_LOGIN: [u8; 2] = [5, 2];
const LOGIN_OK: [u8; 2] = [1, 0];
const BY_IPV4: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 0, 70];
const BY_NAME: &[u8] = &[
    5, 0, 0, 3, 8, b'f', b'a', b'r', b'.', b't', b'e', b's', b't', 0, 70,
];
const BY_IPV6: &[u8] = &[
    5, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 70,
];

#[test]
fn no_byte_of_a_socks4_answer_can_be_another_one() {
    on_private_context_within(LIMIT * 8, |_| {
        let mut cases = Vec::new();
        for scheme in ["socks4://", "socks4a://"] {
            // SOCKS 4 looks the name up itself: an address.
            for (at, byte, said) in mutations(&SOCKS4_OK, |at| at < 2) {
                let said = with_far(&said);
                let expected = socks4(&said);
                add(
                    &mut cases,
                    format!("{scheme} byte {at} is {byte:#04x}"),
                    scheme,
                    vec![said],
                    expected,
                );
            }
            add_cuts(&mut cases, scheme, scheme, &[], &SOCKS4_OK);
            add_manners(&mut cases, scheme, scheme, &[&SOCKS4_OK]);
        }
        judge_all("answers of SOCKS 4 and 4a", &cases);
    });
}

#[test]
fn no_byte_of_the_method_of_socks5_can_be_another_one() {
    on_private_context_within(LIMIT * 8, |_| {
        let mut cases = Vec::new();
        for (scheme, right, rest) in [
            ("socks5://", METHOD_NONE, &[BY_IPV4][..]),
            ("socks5://me:secret@", METHOD_LOGIN, &[&LOGIN_OK, BY_IPV4]),
        ] {
            let has_login = scheme.contains('@');
            for (at, byte, said) in mutations(&right, |_| true) {
                let mut answers = vec![said.clone()];
                let expected = match socks5_method(&said, has_login) {
                    Err(failure) => failure,
                    Ok(()) => {
                        let asks = said == METHOD_LOGIN;
                        answers.extend(asks.then(|| LOGIN_OK.to_vec()));
                        answers.push(with_far(BY_IPV4));
                        Expected::Connection(FAR.to_vec())
                    }
                };
                add(
                    &mut cases,
                    format!("{scheme} byte {at} is {byte:#04x}"),
                    scheme,
                    answers,
                    expected,
                );
            }
            add_cuts(&mut cases, scheme, scheme, &[], &right);
            let all: Vec<&[u8]> = [&right[..]]
                .into_iter()
                .chain(rest.iter().copied())
                .collect();
            add_manners(&mut cases, scheme, scheme, &all);
        }
        judge_all("methods of SOCKS 5", &cases);
    });
}

#[test]
fn no_byte_of_what_socks5_says_of_a_login_can_be_another_one() {
    on_private_context_within(LIMIT * 8, |_| {
        let (mut cases, scheme) = (Vec::new(), "socks5://me:secret@");
        for (at, byte, said) in mutations(&LOGIN_OK, |_| true) {
            let mut answers = vec![METHOD_LOGIN.to_vec(), said.clone()];
            let expected = socks5_login(&said).err().unwrap_or_else(|| {
                answers.push(with_far(BY_IPV4));
                Expected::Connection(FAR.to_vec())
            });
            add(
                &mut cases,
                format!("byte {at} is {byte:#04x}"),
                scheme,
                answers,
                expected,
            );
        }
        add_cuts(&mut cases, "login", scheme, &[&METHOD_LOGIN], &LOGIN_OK);
        judge_all("logins of SOCKS 5", &cases);
    });
}

#[test]
fn no_byte_of_what_socks5_has_done_can_be_another_one() {
    on_private_context_within(LIMIT * 8, |_| {
        let (mut cases, scheme) = (Vec::new(), "socks5://");
        for (name, right) in [("IPv4", BY_IPV4), ("a name", BY_NAME), ("IPv6", BY_IPV6)] {
            // Version, outcome and kind of address, and how long a name is.
            let selects = |at| matches!(at, 0 | 1 | 3) || at == 4 && right[3] == 3;
            for (at, byte, said) in mutations(right, selects) {
                let said = with_far(&said);
                let expected = socks5(&said);
                let answers = vec![METHOD_NONE.to_vec(), said];
                add(
                    &mut cases,
                    format!("by {name}, byte {at} is {byte:#04x}"),
                    scheme,
                    answers,
                    expected,
                );
            }
            add_cuts(&mut cases, name, scheme, &[&METHOD_NONE], right);
            add_manners(&mut cases, name, scheme, &[&METHOD_NONE, right]);
        }
        judge_all("outcomes of SOCKS 5", &cases);
    });
}
