//! How a session ends that does not end well.

use std::time::Duration;

use gio::{IOErrorEnum as E, TlsError};

use super::scene::*;
use crate::support::*;

on_both!(
    a_connect_that_takes_too_long_ends_when_it_is_to,
    a_refused_connect_says_so,
    a_server_that_goes_between_lines_is_gone,
    a_server_that_goes_in_the_middle_of_a_line_has_said_half_a_line,
    a_server_that_goes_in_the_middle_of_a_message_has_sent_half_a_message,
    a_line_without_end_is_too_long,
    a_message_that_is_announced_too_long_is_refused_before_it_comes,
    what_is_no_imap_is_an_error,
    a_server_without_a_greeting_is_left,
    plain_text_behind_the_answer_to_starttls_is_refused,
    a_server_that_refuses_starttls_is_left,
    a_certificate_that_nobody_trusts_is_refused,
    a_server_that_goes_in_the_middle_of_tls_is_an_error,
    leave_is_taken_in_order,
);

fn a_connect_that_takes_too_long_ends_when_it_is_to<S: Session>(context: &glib::MainContext) {
    let deaf = deaf_listener();
    block_on(context, async move {
        let host = deaf.address.to_string();
        let limit = Duration::from_millis(60);
        let failure = S::connect(&host, limit).await.err().unwrap();
        assert_eq!(code(&failure), E::TimedOut);
    });
}

fn a_refused_connect_says_so<S: Session>(context: &glib::MainContext) {
    block_on(context, async move {
        let host = refused_address().to_string();
        let failure = S::connect(&host, SOON).await.err().unwrap();
        assert_eq!(code(&failure), E::ConnectionRefused);
    });
}

/// What comes of a fetch to which the server answers this, and goes. The session is closed then.
#[track_caller]
fn assert_fetch_fails<S: Session>(context: &glib::MainContext, answer: Vec<u8>, expected: E) {
    let (address, playing) = scripted(move |peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 FETCH 1 BODY[]");
        peer.say_if_heard(&answer);
    });
    let (fetched, then, is_alive) = block_on(context, async move {
        let mut session: S = greeted(address).await;
        let fetched = session.fetch(1).await;
        (fetched, session.capability().await, session.is_alive())
    });
    assert_fails(fetched, expected);
    assert!(then.is_err());
    assert!(!is_alive);
    playing.join().unwrap();
}

fn a_server_that_goes_between_lines_is_gone<S: Session>(context: &glib::MainContext) {
    assert_fetch_fails::<S>(context, b"".into(), E::BrokenPipe);
    assert_fetch_fails::<S>(context, b"* 1 EXISTS\r\n".into(), E::BrokenPipe);
}

fn a_server_that_goes_in_the_middle_of_a_line_has_said_half_a_line<S: Session>(
    context: &glib::MainContext,
) {
    for answer in ["*", "a1 OK", "* 1 EXISTS\r\na1 OK\r"] {
        assert_fetch_fails::<S>(context, answer.into(), E::PartialInput);
    }
}

fn a_server_that_goes_in_the_middle_of_a_message_has_sent_half_a_message<S: Session>(
    context: &glib::MainContext,
) {
    for sent in ["", "123", "123456789"] {
        let answer = format!("* 1 FETCH (BODY[] {{10}}\r\n{sent}");
        assert_fetch_fails::<S>(context, answer.into(), E::PartialInput);
    }
}

fn a_line_without_end_is_too_long<S: Session>(context: &glib::MainContext) {
    let answer = vec![b'*'; 3 << 20];
    assert_fetch_fails::<S>(context, answer, E::MessageTooLarge);
}

fn a_message_that_is_announced_too_long_is_refused_before_it_comes<S: Session>(
    context: &glib::MainContext,
) {
    for length in ["1048577", "99999999999"] {
        let answer = format!("* 1 FETCH (BODY[] {{{length}}}\r\n");
        assert_fetch_fails::<S>(context, answer.into(), E::MessageTooLarge);
    }
}

fn what_is_no_imap_is_an_error<S: Session>(context: &glib::MainContext) {
    for answer in [
        &b"a1 PERHAPS so\r\n"[..],
        b"* 1 FETCH (BODY[] {ten}\r\n",
        b"\xff\xfe\r\n",
        b"\r\n",
    ] {
        assert_fetch_fails::<S>(context, answer.into(), E::InvalidData);
    }
}

fn a_server_without_a_greeting_is_left<S: Session>(context: &glib::MainContext) {
    for (greeting, expected) in [
        ("* BYE not now\r\n", E::Failed),
        ("a1 OK\r\n", E::Failed),
        ("* O", E::PartialInput),
        ("", E::BrokenPipe),
    ] {
        let (address, playing) = scripted(move |peer| {
            peer.say(greeting);
            peer.end();
            peer.hear_the_end();
        });
        block_on(context, async move {
            let failure = S::connect(&address.to_string(), SOON).await.err().unwrap();
            assert_eq!(code(&failure), expected, "{failure:?}");
        });
        iterate_until(context, || playing.is_finished());
        playing.join().unwrap();
    }
}

fn plain_text_behind_the_answer_to_starttls_is_refused<S: Session>(context: &glib::MainContext) {
    for injected in ["* CAPABILITY IMAP4rev2\r\n", "a2 OK\r\n", "nothing"] {
        let (address, playing) = scripted(move |peer| {
            peer.say("* OK\r\n");
            assert_eq!(peer.hear(), "a1 STARTTLS");
            peer.say(format!("a1 OK\r\n{injected}"));
            let heard = peer.hear_all();
            // What comes later is taken for TLS, which it is not.
            assert!(heard.first().is_none_or(|first| *first == 22));
        });
        let failure = block_on(context, async move {
            let session: S = greeted(address).await;
            session.start_tls(None).await.err().unwrap()
        });
        let is_refused = failure.matches(E::InvalidData) || failure.matches(TlsError::NotTls);
        assert!(is_refused || failure.matches(TlsError::Misc), "{failure:?}");
        iterate_until(context, || playing.is_finished());
        playing.join().unwrap();
    }
}

fn a_server_that_refuses_starttls_is_left<S: Session>(context: &glib::MainContext) {
    let (address, playing) = scripted(|peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 STARTTLS");
        peer.say("a1 BAD what?\r\n");
        peer.hear_the_end();
    });
    let failure = block_on(context, async move {
        let session: S = greeted(address).await;
        session.start_tls(None).await.err().unwrap()
    });
    assert_eq!(code(&failure), E::Failed);
    iterate_until(context, || playing.is_finished());
    playing.join().unwrap();
}

fn a_certificate_that_nobody_trusts_is_refused<S: Session>(context: &glib::MainContext) {
    let server = start_server();
    block_on(context, async move {
        let host = server.address().to_string();
        let session = S::connect(&host, SOON).await.unwrap();
        let failure = session.start_tls(None).await.err().unwrap();
        assert!(failure.matches(TlsError::BadCertificate), "{failure:?}");
        // Of another server with the same name.
        let session = S::connect(&host, SOON).await.unwrap();
        let other = start_server();
        let failure = session.start_tls(Some(&trust(&other))).await.err().unwrap();
        assert!(failure.matches(TlsError::BadCertificate), "{failure:?}");
    });
}

fn a_server_that_goes_in_the_middle_of_tls_is_an_error<S: Session>(context: &glib::MainContext) {
    let server = start_server();
    block_on(context, async move {
        let mut session: S = known(&server).await;
        // Its connections go with it, and TLS's last word does not come.
        drop(server);
        session.capability().await.unwrap_err();
        session.capability().await.unwrap_err();
        assert!(!session.is_alive());
    });
}

fn leave_is_taken_in_order<S: Session>(context: &glib::MainContext) {
    let (address, playing) = scripted(|peer| {
        peer.say("* OK\r\n");
        assert_eq!(peer.hear(), "a1 LOGOUT");
        peer.say("* BYE\r\na1 OK\r\n");
        peer.hear_a_clean_end();
    });
    block_on(context, async move {
        let session: S = greeted(address).await;
        session.logout().await.unwrap();
    });
    playing.join().unwrap();
}
