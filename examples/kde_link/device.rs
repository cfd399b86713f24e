//! What both versions of the link share: who a device is and whom it trusts, what a packet looks like, TLS over any
//! `GIOStream`, files.

use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};

use gio::{IOErrorEnum, prelude::*};
use glib::Priority;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};

/// How long a peer may take for each step of a link or of a file's connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// So much of a file is on its way at a time.
const PIECE: usize = 64 * 1024;

/// This computer, as its peers know it, and those peers as it has come to know them.
#[derive(Debug)]
pub(crate) struct Device {
    id: String,
    certificate: gio::TlsCertificate,
    /// The fingerprint that each peer's certificate had the first time.
    known: RefCell<HashMap<String, String>>,
}

/// Who of two devices begins TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Device {
    /// A device with a certificate that it has signed itself.
    pub(crate) fn new(id: &str) -> Rc<Self> {
        Rc::new(Self {
            id: id.to_owned(),
            certificate: self_signed(id),
            known: RefCell::default(),
        })
    }

    /// The packet that says who this is.
    pub(crate) fn identity(&self) -> Packet {
        Packet::new(
            "kdeconnect.identity",
            json!({ "deviceId": self.id, "protocolVersion": 7 }),
        )
    }

    /// Whether `certificate` is the one that the peer had the first time, which this may be.
    fn trusts(&self, peer: &str, certificate: &gio::TlsCertificate) -> bool {
        let Some(der) = certificate.certificate() else {
            return false;
        };
        let Some(print) = glib::compute_checksum_for_data(glib::ChecksumType::Sha256, &der) else {
            return false;
        };
        let mut known = self.known.borrow_mut();
        *known
            .entry(peer.to_owned())
            .or_insert_with(|| print.to_string())
            == print.as_str()
    }

    /// TLS with `peer` over `base`. Each shows the other a certificate.
    ///
    /// # Errors
    ///
    /// `TlsError::BadCertificate` for one that the peer did not have before; those of a handshake.
    pub(crate) async fn secure(
        self: &Rc<Self>,
        base: &impl IsA<gio::IOStream>,
        peer: &str,
        role: Role,
    ) -> Result<gio::TlsConnection, glib::Error> {
        let tls: gio::TlsConnection = match role {
            Role::Client => {
                let tls = gio::TlsClientConnection::new(base, gio::SocketConnectable::NONE)?;
                tls.set_certificate(&self.certificate);
                tls.upcast()
            }
            Role::Server => {
                let tls = gio::TlsServerConnection::new(base, Some(&self.certificate))?;
                tls.set_authentication_mode(gio::TlsAuthenticationMode::Required);
                tls.upcast()
            }
        };
        let (device, peer) = (self.clone(), peer.to_owned());
        tls.connect_accept_certificate(move |_, certificate, _| device.trusts(&peer, certificate));
        tls.handshake_future(Priority::DEFAULT).await?;
        Ok(tls)
    }
}

fn self_signed(name: &str) -> gio::TlsCertificate {
    let mut params = CertificateParams::new([]).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let pem = |label: &str, der: &[u8]| {
        let base64 = glib::base64_encode(der);
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    };
    let both = pem("CERTIFICATE", certificate.der()) + &pem("PRIVATE KEY", key.serialized_der());
    gio::TlsCertificate::from_pem(&both).expect("a certificate and its key")
}

/// What devices tell each other, a line of JSON each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packet(Value);

impl Packet {
    pub(crate) fn new(kind: &str, body: Value) -> Self {
        Self(json!({ "type": kind, "body": body }))
    }

    /// Offers a file of `size` bytes on TCP port `port`.
    pub(crate) fn share(name: &str, size: u64, port: u16) -> Self {
        Self(json!({
            "type": "kdeconnect.share.request",
            "body": { "filename": name },
            "payloadSize": size,
            "payloadTransferInfo": { "port": port },
        }))
    }

    /// # Errors
    ///
    /// `InvalidData` for what is no packet.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, glib::Error> {
        match serde_json::from_slice(line) {
            Ok(value) => {
                let packet = Self(value);
                packet.kind().map(|_| ()).ok_or_else(|| {
                    glib::Error::new(IOErrorEnum::InvalidData, "A packet has no type")
                })?;
                Ok(packet)
            }
            Err(error) => Err(glib::Error::new(
                IOErrorEnum::InvalidData,
                &format!("A packet is no JSON: {error}"),
            )),
        }
    }

    /// One line, without its end.
    pub(crate) fn to_line(&self) -> String {
        self.0.to_string()
    }

    pub(crate) fn kind(&self) -> Option<&str> {
        self.0["type"].as_str()
    }

    pub(crate) fn body(&self) -> &Value {
        &self.0["body"]
    }

    /// Whose identity this is.
    ///
    /// # Errors
    ///
    /// `InvalidData` for nobody's.
    pub(crate) fn peer(&self) -> Result<String, glib::Error> {
        self.body()["deviceId"]
            .as_str()
            .filter(|_| self.kind() == Some("kdeconnect.identity"))
            .map(str::to_owned)
            .ok_or_else(|| glib::Error::new(IOErrorEnum::InvalidData, "That is no identity"))
    }

    /// Size and port of the file that is offered.
    ///
    /// # Errors
    ///
    /// `InvalidData` where none is.
    pub(crate) fn payload(&self) -> Result<(u64, u16), glib::Error> {
        let port = self.0["payloadTransferInfo"]["port"].as_u64();
        self.0["payloadSize"]
            .as_u64()
            .zip(port.and_then(|port| u16::try_from(port).ok()))
            .ok_or_else(|| glib::Error::new(IOErrorEnum::InvalidData, "There is no file in this"))
    }
}

/// # Errors
///
/// `TimedOut`, or that of `step`.
pub(crate) async fn in_time<T>(
    step: impl Future<Output = Result<T, glib::Error>>,
) -> Result<T, glib::Error> {
    glib::future_with_timeout(PATIENCE, step)
        .await
        .unwrap_or_else(|_| {
            Err(glib::Error::new(
                IOErrorEnum::TimedOut,
                "The peer takes too long",
            ))
        })
}

/// Another port of the same computer.
///
/// # Errors
///
/// `NotSupported` where there are no ports.
pub(crate) fn with_port(
    address: &gio::SocketAddress,
    port: u16,
) -> Result<gio::InetSocketAddress, glib::Error> {
    match address.downcast_ref::<gio::InetSocketAddress>() {
        Some(inet) => Ok(gio::InetSocketAddress::new(&inet.address(), port)),
        None => Err(glib::Error::new(
            IOErrorEnum::NotSupported,
            "That address has no port",
        )),
    }
}

pub(crate) async fn write_all(
    output: &gio::OutputStream,
    bytes: Vec<u8>,
) -> Result<(), glib::Error> {
    match output.write_all_future(bytes, Priority::DEFAULT).await {
        Ok((_, _, None)) => Ok(()),
        Ok((_, _, Some(failure))) | Err((_, failure)) => Err(failure),
    }
}

/// Copies what should be `size` bytes, and no more. A splice would tell neither how far it is, nor end where it should.
///
/// # Errors
///
/// `PartialInput` for less than was told, `InvalidData` for more.
pub(crate) async fn copy(
    input: &gio::InputStream,
    output: &gio::OutputStream,
    size: u64,
    progress: impl Fn(u64),
) -> Result<(), glib::Error> {
    let mut done = 0;
    loop {
        let piece = input.read_bytes_future(PIECE, Priority::DEFAULT).await?;
        done += piece.len() as u64;
        if piece.is_empty() || done > size {
            return check_size(size, done);
        }
        write_all(output, piece.to_vec()).await?;
        progress(done);
    }
}

fn check_size(told: u64, done: u64) -> Result<(), glib::Error> {
    match done.cmp(&told) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(glib::Error::new(
            IOErrorEnum::PartialInput,
            "The file ended early",
        )),
        std::cmp::Ordering::Greater => Err(glib::Error::new(
            IOErrorEnum::InvalidData,
            "The file is larger than was told",
        )),
    }
}
