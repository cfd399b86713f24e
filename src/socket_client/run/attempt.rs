//! An address that is being tried, and what it has come to.

use std::{future::Future, pin::Pin};

use gio::prelude::*;

use super::super::race::{Attempt as Number, Moment};
use crate::SocketConnection;

/// The stream is that which a proxy gave.
pub(super) type Ready = Pin<Box<dyn Future<Output = Result<Option<gio::IOStream>, glib::Error>>>>;

/// An address that is being tried.
pub(super) struct Attempt {
    pub(super) number: Number,
    pub(super) address: gio::SocketAddress,
    pub(super) connection: SocketConnection,
    pub(super) begun: Moment,
    /// Its place in the report.
    pub(super) tried: usize,
    pub(super) connected: Option<Moment>,
    /// What it is doing; begun when all is told.
    pub(super) doing: Option<Ready>,
    /// Whom it is to agree with yet, if anybody.
    pub(super) proxy: Option<gio::ProxyAddress>,
    /// What is being negotiated.
    pub(super) negotiation: Option<Negotiation>,
    /// What was negotiated last, or the connection itself.
    pub(super) stream: gio::IOStream,
}

#[derive(Clone, Debug)]
pub(super) enum Negotiation {
    Proxy,
    Tls(gio::TlsClientConnection),
}

/// What an agreement or a handshake has given.
pub(in super::super) enum Layer {
    Proxied(gio::IOStream),
    Encrypted(gio::TlsClientConnection),
}

impl Attempt {
    /// A thread that negotiates may have the stream for a while yet, and nobody need be there to take its answer: the peer
    /// is not to wait for that.
    pub(super) fn give_up(self) {
        let Self {
            connection,
            negotiation,
            doing,
            ..
        } = self;
        drop(doing);
        if negotiation.is_some() {
            let _ = connection.close(gio::Cancellable::NONE);
        }
    }
}
