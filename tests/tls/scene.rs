//! A certificate authority of the test's own, and both ends of TLS over one connection.

use std::{
    path::PathBuf,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

use gio::{Cancellable, prelude::*};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::{pairs::*, support::*, tools::*, under::*};

/// The name that the certificates are for.
pub(crate) const NAME: &str = "gsock.test";

/// Fails the test where GIO has no TLS.
fn backend() -> gio::TlsBackend {
    let backend = gio::TlsBackend::default();
    assert!(
        backend.supports_tls(),
        "GIO has no TLS here: install the package glib-networking (make setup does)"
    );
    backend
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = glib::base64_encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).expect("base64"));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}

/// Who signs certificates, and the file that says to trust them.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    anchors: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        backend();
        let mut params = CertificateParams::new([]).expect("no names");
        // Two of one name would be taken for each other.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("the authority {number} of a test");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = format!("anchors-{}-{number}.pem", std::process::id());
        let anchors = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
        std::fs::write(&anchors, pem("CERTIFICATE", certificate.der())).expect("a file");
        Self {
            issuer: Issuer::new(params, key),
            anchors,
        }
    }

    /// What a client trusts who trusts this authority.
    pub(crate) fn database(&self) -> gio::TlsDatabase {
        gio::TlsFileDatabase::new(&self.anchors)
            .expect("a file of certificates")
            .upcast()
    }

    /// A certificate for `name`, valid in the years from `from` up to `until`, with its key.
    pub(crate) fn certify_for(&self, name: &str, from: i32, until: i32) -> gio::TlsCertificate {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let both =
            pem("CERTIFICATE", certificate.der()) + &pem("PRIVATE KEY", key.serialized_der());
        gio::TlsCertificate::from_pem(&both).expect("a certificate and its key")
    }

    /// For a server by another library.
    pub(crate) fn config(&self) -> rustls::ServerConfig {
        let mut params = CertificateParams::new([NAME.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2120, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("a key that fits")
    }

    pub(crate) fn certify(&self) -> gio::TlsCertificate {
        self.certify_for(NAME, 2020, 2120)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.anchors);
    }
}

/// TLS as a client, who trusts `authority`.
pub(crate) fn client_over(base: &gio::IOStream, authority: &Authority) -> gio::TlsConnection {
    let client = untrusting_client_over(base);
    client.set_database(Some(&authority.database()));
    client
}

/// TLS as a client who trusts whom the system trusts, which is nobody of a test's.
pub(crate) fn untrusting_client_over(base: &gio::IOStream) -> gio::TlsConnection {
    backend();
    let identity = gio::NetworkAddress::new(NAME, 443);
    let client = gio::TlsClientConnection::new(base, Some(&identity)).expect("a TLS backend");
    client.upcast()
}

pub(crate) fn server_over(
    base: &gio::IOStream,
    certificate: &gio::TlsCertificate,
) -> gio::TlsConnection {
    let server = gio::TlsServerConnection::new(base, Some(certificate)).expect("a TLS backend");
    server.upcast()
}

/// TLS at both ends of one connection, before the handshake.
pub(crate) struct Ends {
    pub(crate) client_base: Under,
    pub(crate) server_base: Under,
    pub(crate) client: gio::TlsConnection,
    pub(crate) server: gio::TlsConnection,
    // The file that the client may read once more.
    _authority: Rc<Authority>,
}

impl Ends {
    pub(crate) fn over(pair: (Under, Under)) -> Self {
        Self::of(Rc::new(Authority::new()), pair)
    }

    pub(crate) fn of(authority: Rc<Authority>, (client_base, server_base): (Under, Under)) -> Self {
        Self {
            client: client_over(&client_base, &authority),
            server: server_over(&server_base, &authority.certify()),
            client_base,
            server_base,
            _authority: authority,
        }
    }

    pub(crate) fn new(side: Side) -> Self {
        Self::over(base_pair(side))
    }

    /// After the handshake.
    pub(crate) fn shaken(side: Side) -> Self {
        let ends = Self::new(side);
        ends.shake_hands();
        ends
    }

    /// The handshake in its blocking form.
    pub(crate) fn shake_hands(&self) {
        let server = on_thread(&self.server, |server| server.handshake(Cancellable::NONE));
        self.client
            .handshake(Cancellable::NONE)
            .expect("a handshake");
        server.join().expect("no panic").expect("a handshake");
    }
}

/// How an operation ended that may fail in TLS as well as in what is under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended<T> {
    With(T),
    Tls(gio::TlsError),
    Io(gio::IOErrorEnum),
}

impl<T> Ended<T> {
    pub(crate) fn of(result: Result<T, glib::Error>) -> Self {
        match result {
            Ok(value) => Self::With(value),
            Err(failure) => failure
                .kind::<gio::TlsError>()
                .map_or_else(|| Self::Io(code(&failure)), Self::Tls),
        }
    }
}
