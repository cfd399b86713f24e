//! Certificates that are not as they should be, and who decides about them.

use gio::{Cancellable, TlsCertificateFlags, TlsError, prelude::*};

use crate::{pairs::*, scene::*, tools::*, under::*};

on_both_to_the_end!(
    a_certificate_for_another_name_is_refused,
    a_certificate_of_an_unknown_authority_is_refused,
    a_certificate_that_is_out_of_date_is_refused,
    a_certificate_that_is_not_valid_yet_is_refused,
    the_signal_may_accept_what_is_wrong,
    the_signal_may_refuse_it_too,
    the_signal_comes_on_the_thread_of_the_handshake,
    a_client_without_the_certificate_that_is_required_is_refused,
    a_client_shows_the_certificate_that_is_required,
);

/// The client, and how the handshake ended for it and for the server.
type Shaken = (
    gio::TlsConnection,
    Result<(), glib::Error>,
    Result<(), glib::Error>,
);

/// A handshake of a client who trusts `authority`, with a server of this certificate.
fn shake(
    side: Side,
    authority: &Authority,
    certificate: &gio::TlsCertificate,
    prepare: impl FnOnce(&gio::TlsConnection),
) -> Shaken {
    let (client_base, server_base) = base_pair(side);
    let client = client_over(&client_base, authority);
    let server = server_over(&server_base, certificate);
    prepare(&client);
    let shaking = on_thread(&server, |server| server.handshake(Cancellable::NONE));
    let of_client = client.handshake(Cancellable::NONE);
    // Who refuses goes away.
    if of_client.is_err() {
        let _ = client_base.close(Cancellable::NONE);
    }
    (client, of_client, shaking.join().unwrap())
}

/// With TLS 1.3 the server may have finished before it is told, so that nothing is said of it.
#[track_caller]
fn assert_refused((client, of_client, _): Shaken, why: TlsCertificateFlags) {
    assert_eq!(Ended::of(of_client), Ended::Tls(TlsError::BadCertificate));
    assert_eq!(client.peer_certificate_errors(), why);
}

fn a_certificate_for_another_name_is_refused(side: Side, _: &glib::MainContext) {
    let authority = Authority::new();
    let certificate = authority.certify_for("elsewhere.test", 2020, 2120);
    let shaken = shake(side, &authority, &certificate, |_| ());
    assert_refused(shaken, TlsCertificateFlags::BAD_IDENTITY);
}

fn a_certificate_of_an_unknown_authority_is_refused(side: Side, _: &glib::MainContext) {
    let (trusted, other) = (Authority::new(), Authority::new());
    let shaken = shake(side, &trusted, &other.certify(), |_| ());
    assert_refused(shaken, TlsCertificateFlags::UNKNOWN_CA);
}

fn a_certificate_that_is_out_of_date_is_refused(side: Side, _: &glib::MainContext) {
    let authority = Authority::new();
    let certificate = authority.certify_for(NAME, 2020, 2021);
    let shaken = shake(side, &authority, &certificate, |_| ());
    assert_refused(shaken, TlsCertificateFlags::EXPIRED);
}

fn a_certificate_that_is_not_valid_yet_is_refused(side: Side, _: &glib::MainContext) {
    let authority = Authority::new();
    let certificate = authority.certify_for(NAME, 2110, 2120);
    let shaken = shake(side, &authority, &certificate, |_| ());
    assert_refused(shaken, TlsCertificateFlags::NOT_ACTIVATED);
}

/// Answers `accept` to whoever asks about a certificate, and tells what he was asked.
fn answer(client: &gio::TlsConnection, accept: bool) -> Slot<(String, TlsCertificateFlags)> {
    let asked = Slot::new();
    let put = std::cell::Cell::new(Some(asked.put()));
    client.connect_accept_certificate(move |_, certificate, errors| {
        let name = certificate.subject_name().unwrap();
        (put.take().expect("asked once"))((name.into(), errors));
        accept
    });
    asked
}

fn the_signal_may_accept_what_is_wrong(side: Side, context: &glib::MainContext) {
    let authority = Authority::new();
    let certificate = authority.certify_for("elsewhere.test", 2020, 2021);
    let mut asked = None;
    let (client, of_client, of_server) = shake(side, &authority, &certificate, |client| {
        asked = Some(answer(client, true));
    });
    assert_eq!((of_client, of_server), (Ok(()), Ok(())));
    let (name, told) = asked.unwrap().wait(context);
    assert_eq!(name, "CN=elsewhere.test");
    // One thing that is wrong may hide another.
    assert!(told.intersects(TlsCertificateFlags::BAD_IDENTITY | TlsCertificateFlags::EXPIRED));
    assert_eq!(told, client.peer_certificate_errors());
}

fn the_signal_may_refuse_it_too(side: Side, context: &glib::MainContext) {
    let (trusted, other) = (Authority::new(), Authority::new());
    let mut asked = None;
    let shaken = shake(side, &trusted, &other.certify(), |client| {
        asked = Some(answer(client, false));
    });
    assert_refused(shaken, TlsCertificateFlags::UNKNOWN_CA);
    let (_, told) = asked.unwrap().wait(context);
    assert_eq!(told, TlsCertificateFlags::UNKNOWN_CA);
}

/// The handshake itself is on a worker's thread.
fn the_signal_comes_on_the_thread_of_the_handshake(side: Side, context: &glib::MainContext) {
    let (trusted, other) = (Authority::new(), Authority::new());
    let (client_base, server_base) = base_pair(side);
    let client = client_over(&client_base, &trusted);
    let server = server_over(&server_base, &other.certify());
    let thread = std::thread::current().id();
    let on = Slot::new();
    let put = std::cell::Cell::new(Some(on.put()));
    client.connect_accept_certificate(move |_, _, _| {
        (put.take().expect("asked once"))(std::thread::current().id());
        true
    });
    let shaken = [&server, &client].map(|end| {
        let slot = Slot::new();
        end.handshake_async(DEFAULT, Cancellable::NONE, slot.put());
        slot
    });
    for end in shaken {
        assert_eq!(end.wait(context), Ok(()));
    }
    assert_eq!(on.wait(context), thread);
}

/// Both ends after a handshake in which the server requires a certificate.
fn required(
    side: Side,
    shown: impl FnOnce(&Authority) -> Option<gio::TlsCertificate>,
) -> (Result<(), glib::Error>, gio::TlsConnection) {
    let authority = Authority::new();
    let (client_base, server_base) = base_pair(side);
    let client = client_over(&client_base, &authority);
    if let Some(certificate) = shown(&authority) {
        client.set_certificate(&certificate);
    }
    let server = server_over(&server_base, &authority.certify());
    server.set_database(Some(&authority.database()));
    server.set_property("authentication-mode", gio::TlsAuthenticationMode::Required);
    let shaking = on_thread(&client, |client| {
        // With TLS 1.3 a client has done its part before the server has looked.
        let _ = client.handshake(Cancellable::NONE);
        read_exactly(&client.input_stream(), 1)
    });
    // A server asks about each certificate, also about one with which nothing is wrong.
    server.connect_accept_certificate(|_, _, errors| errors.is_empty());
    let of_server = server.handshake(Cancellable::NONE);
    let _ = server.close(Cancellable::NONE);
    let at_client = shaking.join().unwrap();
    assert_eq!(at_client.is_ok(), of_server.is_ok(), "{at_client:?}");
    (of_server, server)
}

fn a_client_without_the_certificate_that_is_required_is_refused(side: Side, _: &glib::MainContext) {
    let (of_server, server) = required(side, |_| None);
    assert_eq!(
        Ended::of(of_server),
        Ended::Tls(TlsError::CertificateRequired)
    );
    assert_eq!(server.peer_certificate(), None);
}

fn a_client_shows_the_certificate_that_is_required(side: Side, _: &glib::MainContext) {
    let (of_server, server) = required(side, |authority| {
        Some(authority.certify_for("a client", 2020, 2120))
    });
    assert_eq!(of_server, Ok(()));
    let shown = server.peer_certificate().unwrap();
    assert_eq!(shown.subject_name().unwrap(), "CN=a client");
}
