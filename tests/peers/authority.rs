//! Certificates: one that is right, and one for each thing that can be wrong.

use std::{cell::Cell, fs, path::PathBuf, rc::Rc};

use gio::{SocketClientEvent, TlsCertificateFlags, prelude::*};
use gsock::{SocketClient, prelude::*};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// What the file of names has at the loopback.
pub(crate) const NAME: &str = "peer.test";

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = glib::base64_encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).expect("base64"));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}

/// Who signs, and the file that says to trust whom it has signed.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) file: PathBuf,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        assert!(
            gio::TlsBackend::default().supports_tls(),
            "GIO has no TLS here: install the package glib-networking (make setup does)"
        );
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2120, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = format!("gsock-{name}-{}.pem", std::process::id());
        let file = std::env::temp_dir().join(file);
        fs::write(&file, pem("CERTIFICATE", certificate.der())).expect("a file");
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    /// For a name, valid up to the year `until`, with its key.
    fn certify(&self, name: &str, until: i32) -> String {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        pem("CERTIFICATE", certificate.der()) + &pem("PRIVATE KEY", key.serialized_der())
    }

    pub(crate) fn right(&self) -> String {
        self.certify(NAME, 2120)
    }

    /// Who trusts it, and what was wrong with the certificate that it saw.
    pub(crate) fn client(&self) -> (SocketClient, Rc<Cell<TlsCertificateFlags>>) {
        let client = SocketClient::new();
        client.set_tls(true);
        let seen = Rc::new(Cell::new(TlsCertificateFlags::empty()));
        let told = seen.clone();
        let database = gio::TlsFileDatabase::new(&self.file).expect("a file of certificates");
        client.connect_event(move |_, event, _, stream| {
            if event == SocketClientEvent::TlsHandshaking {
                let tls = stream.and_then(|stream| stream.downcast_ref::<gio::TlsConnection>());
                let tls = tls.expect("it is about to shake hands");
                tls.set_database(Some(&database));
                let told = told.clone();
                tls.connect_accept_certificate(move |_, _, flags| {
                    told.set(flags);
                    false
                });
            }
        });
        (client, seen)
    }

    /// Each with what is wrong with it.
    pub(crate) fn wrong(&self) -> [(&'static str, TlsCertificateFlags, String); 3] {
        let mut params = CertificateParams::new([NAME.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, NAME);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2120, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        let own = pem("CERTIFICATE", own.der()) + &pem("PRIVATE KEY", key.serialized_der());
        let other = self.certify("other.test", 2120);
        let old = self.certify(NAME, 2021);
        [
            ("for another name", TlsCertificateFlags::BAD_IDENTITY, other),
            ("expired", TlsCertificateFlags::EXPIRED, old),
            ("signed by itself", TlsCertificateFlags::UNKNOWN_CA, own),
        ]
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}
