//! A peer that speaks TLS, and a certificate that only the user can say yes to.

use std::{cell::RefCell, rc::Rc};

use adw::prelude::*;
use gsock::{ConnectionState, SocketService, prelude::*};
use gsock_inspector::{
    Application, Window,
    model::{Inspector, Session},
    show,
};

use crate::{
    pictures::Album,
    steps::{a_toast_is_shown, connection, dismiss_toasts, open_dialog, page, view},
    widgets::{find, press, says, until},
};

/// Echoes in TLS, until it goes out of scope.
struct Peer {
    service: SocketService,
    port: u16,
    /// The last that came, after its handshake.
    client: Rc<RefCell<Option<gio::TlsConnection>>>,
}

impl Peer {
    fn new() -> Self {
        let certificate = certificate();
        let service = SocketService::new();
        let port = service
            .add_any_inet_port(glib::Object::NONE)
            .expect("a free port");
        let client = Rc::new(RefCell::new(None));
        let seat = client.clone();
        service.connect_incoming(move |_, connection, _| {
            let tls = gio::TlsServerConnection::new(connection, Some(&certificate))
                .expect("GIO has TLS: make inspector-setup installs it");
            let seat = seat.clone();
            glib::MainContext::default().spawn_local(async move { echo(tls.upcast(), seat).await });
            true
        });
        Self {
            service,
            port,
            client,
        }
    }

    fn hang_up(&self) {
        let client = self.client.take().expect("somebody has come");
        glib::MainContext::default().spawn_local(async move {
            // The other end may be gone already.
            let _ = client.close_future(glib::Priority::DEFAULT).await;
        });
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.service.close();
    }
}

/// A client that does not like the certificate is left to itself.
async fn echo(tls: gio::TlsConnection, seat: Rc<RefCell<Option<gio::TlsConnection>>>) {
    let priority = glib::Priority::DEFAULT;
    if tls.handshake_future(priority).await.is_err() {
        return;
    }
    seat.replace(Some(tls.clone()));
    while let Ok(bytes) = tls.input_stream().read_bytes_future(4096, priority).await
        && !bytes.is_empty()
    {
        let written = tls.output_stream().write_all_future(bytes, priority).await;
        if !matches!(written, Ok((_, _, None))) {
            return;
        }
    }
}

fn certificate() -> gio::TlsCertificate {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let pem = |label: &str, der: &[u8]| {
        let base64 = glib::base64_encode(der);
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    };
    let both = pem("CERTIFICATE", certificate.der()) + &pem("PRIVATE KEY", key.serialized_der());
    gio::TlsCertificate::from_pem(&both).expect("a certificate and its key")
}

/// As a user who turns the switches of those names on.
async fn connect(
    application: &Application,
    window: &Window,
    inspector: &Inspector,
    port: u16,
    switches: &[&str],
) -> Session {
    let dialog = open_dialog(application, window).await;
    find::<adw::EntryRow>(&dialog, "host").set_text("localhost");
    find::<adw::EntryRow>(&dialog, "port").set_text(&port.to_string());
    for name in switches {
        let switch: gtk::Switch = find(&dialog, name);
        assert!(switch.is_sensitive(), "{name} cannot be switched");
        switch.set_active(true);
    }
    let before = inspector.sessions().n_items();
    press(&dialog, "connect");
    until("there is a session", || {
        inspector.sessions().n_items() == before + 1
    })
    .await;
    page(window).session().expect("what is new is shown")
}

fn has_moment(session: &Session, title: &str) -> bool {
    let moments = session.timeline();
    (0..moments.n_items()).any(|index| {
        let moment = moments.item(index);
        moment.is_some_and(|it| it.property::<String>("title") == title)
    })
}

pub async fn a_certificate_that_nobody_trusts_is_refused(
    application: &Application,
    window: &Window,
    inspector: &Inspector,
) {
    let peer = Peer::new();
    view(window, "overview");
    let session = connect(application, window, inspector, peer.port, &["tls"]).await;
    until("it has come to nothing", || has_moment(&session, "Gave up")).await;
    assert!(has_moment(&session, "TLS handshake"));
    assert!(!has_moment(&session, "TLS agreed"));
    assert_eq!(says(&page(window), "encryption"), "None yet");
    assert_ne!(connection(&session).state(), ConnectionState::Connected);
    a_toast_is_shown(window).await;
    inspector.remove(&session);
    dismiss_toasts(window).await;
}

pub async fn bytes_go_encrypted(
    application: &Application,
    window: &Window,
    inspector: &Inspector,
    album: &Album,
) {
    let peer = Peer::new();
    let switches = ["tls", "any_certificate"];
    let session = connect(application, window, inspector, peer.port, &switches).await;
    until("both ends have shaken hands", || {
        session.io_stream().is_some() && peer.client.borrow().is_some()
    })
    .await;
    assert!(has_moment(&session, "TLS agreed"));
    let page = page(window);
    // Whoever has said yes to anything is told so.
    let encryption = says(&page, "encryption");
    assert!(
        encryption.starts_with("TLS 1.") && encryption.ends_with(", certificate not trusted"),
        "{encryption}"
    );
    assert_eq!(says(&page, "state_title"), "Connected");

    view(window, "data");
    find::<gtk::Entry>(&page, "entry").set_text("Nobody else can read this.");
    press(&page, "send");
    until("it has come back", || session.transcript().n_items() == 2).await;

    view(window, "overview");
    let connection = connection(&session);
    // More than that goes over the socket.
    assert!(connection.bytes_read() > 27 && connection.bytes_written() > 27);
    until("the counters are shown", || {
        says(&page, "bytes_in") == show::bytes(connection.bytes_read())
            && says(&page, "bytes_out") == show::bytes(connection.bytes_written())
    })
    .await;
    album.take(window, "tls-light").await;

    peer.hang_up();
    until("`Disconnected` arrives by itself", || {
        connection.state() == ConnectionState::Disconnected
    })
    .await;
    assert_eq!(says(&page, "state_title"), "Disconnected");
    press(&page, "close");
    until("it is closed", || {
        connection.state() == ConnectionState::Closed
    })
    .await;
    inspector.remove(&session);
}
