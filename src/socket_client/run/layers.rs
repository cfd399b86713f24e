//! What lies over a connection: the agreement with a proxy, and TLS.

use gio::{SocketClientEvent as Event, prelude::*, subclass::prelude::*};

use super::{
    super::{
        answers::{agreement_of, handshake_of},
        opening::{secure, wrap},
        race::{Attempt as Number, Moment, Phase},
    },
    Call, Run,
    attempt::{Layer, Negotiation},
    duration,
    ends::lost,
};
use crate::{error, transport::Speaker, vfunc::handler_panics};

impl Run {
    pub(super) fn upgrade(&mut self, number: Number) {
        let proxy = self
            .attempt(number)
            .and_then(|attempt| attempt.proxy.take());
        self.upgrade_begun = glib::monotonic_time();
        let (begun, phase) = match proxy {
            Some(proxy) => (self.agree(number, &proxy), Phase::Proxy),
            None => (self.secure(number), Phase::Tls),
        };
        if let Err(failure) = begun {
            self.fail(number, phase, failure);
        }
    }

    /// An agreement or a handshake has come to its end.
    pub(super) fn negotiated(
        &mut self,
        number: Number,
        negotiation: Negotiation,
        done: Result<Option<gio::IOStream>, glib::Error>,
        now: Moment,
    ) {
        let took = Some(duration(now.saturating_sub(self.upgrade_begun)));
        let (layer, phase) = match negotiation {
            Negotiation::Proxy => {
                self.report.proxy = took;
                if let Some(attempt) = self.attempt(number) {
                    attempt.connection.imp().transport().end_agreement();
                }
                let layer = match (done, self.attempt(number)) {
                    (Ok(None), Some(attempt)) => Ok(attempt.stream.clone()),
                    (Ok(None), None) => Err(lost()),
                    (Ok(Some(stream)), _) => Ok(stream),
                    (Err(failure), _) => Err(failure),
                };
                (layer.map(Layer::Proxied), Phase::Proxy)
            }
            Negotiation::Tls(tls) => {
                self.report.tls = took;
                (done.map(|_| Layer::Encrypted(tls)), Phase::Tls)
            }
        };
        match layer {
            Ok(layer) => self.calls.push_back(Call::Upgraded(number, layer)),
            Err(failure) => self.fail(number, phase, failure),
        }
    }

    /// A layer is there, and maybe another one is to come.
    pub(super) fn upgraded(&mut self, number: Number, layer: Layer) {
        let (event, stream) = match layer {
            Layer::Proxied(stream) => (Event::ProxyNegotiated, stream),
            Layer::Encrypted(tls) => (Event::TlsHandshaked, tls.upcast()),
        };
        self.emit(event, Some(&stream));
        if let Some(attempt) = self.attempt(number) {
            attempt.stream = stream;
        }
        if event == Event::ProxyNegotiated && self.client.imp().settings().tls {
            return self.upgrade(number);
        }
        match self.wrap(number) {
            Ok(()) => self.race.upgraded(number),
            Err(failure) => self.fail(number, Phase::Tls, failure),
        }
    }

    /// Begins to agree with a proxy.
    fn agree(&mut self, number: Number, address: &gio::ProxyAddress) -> Result<(), glib::Error> {
        let attempt = self.attempt(number).ok_or_else(lost)?;
        let connection = attempt.connection.clone();
        let protocol = address.protocol();
        let proxy = gio::Proxy::default_for_protocol(&protocol).ok_or_else(|| {
            let text = format!("Proxy protocol “{protocol}” is not supported.");
            glib::Error::new(gio::IOErrorEnum::NotSupported, &text)
        })?;
        let speaker = speaker_of(&proxy);
        check_destination(&address.destination_hostname(), speaker)?;
        attempt.negotiation = Some(Negotiation::Proxy);
        let stream: gio::IOStream = connection.upcast();
        self.emit(Event::ProxyNegotiating, Some(&stream));
        let address = address.clone();
        if !self.is_cancelled()
            && let Some(attempt) = self.attempt(number)
        {
            let transport = attempt.connection.imp().transport();
            transport.begin_agreement(speaker);
            attempt.doing = Some(Box::pin(async move {
                agreement_of(&proxy, &stream, &address).await.map(Some)
            }));
        }
        Ok(())
    }

    /// Begins the handshake on a connection.
    fn secure(&mut self, number: Number) -> Result<(), glib::Error> {
        let attempt = self.attempts.iter_mut().find(|it| it.number == number);
        let attempt = attempt.ok_or_else(lost)?;
        let connection = &attempt.connection;
        let tls = secure(&self.client, &self.connectable, connection, &attempt.stream)?;
        attempt.negotiation = Some(Negotiation::Tls(tls.clone()));
        let panics = handler_panics();
        self.emit(Event::TlsHandshaking, Some(tls.upcast_ref()));
        if handler_panics() != panics {
            return Err(error::failed("A handler that was to prepare TLS panicked"));
        }
        // Begun by the next step, unless it was cancelled just now.
        if !self.is_cancelled()
            && let Some(attempt) = self.attempts.iter_mut().find(|it| it.number == number)
        {
            // In the next poll, whose context is the one to wait in.
            attempt.doing = Some(Box::pin(
                async move { handshake_of(&tls).await.map(|()| None) },
            ));
        }
        Ok(())
    }

    /// Puts what was negotiated in the place of the connection below.
    pub(super) fn wrap(&mut self, number: Number) -> Result<(), glib::Error> {
        let attempt = self.attempt(number).ok_or_else(lost)?;
        attempt.connection = wrap(&attempt.connection, &attempt.stream)?;
        Ok(())
    }
}

/// No name has a space or a control character: in the words that some proxies are told it would end one and begin another.
///
/// # Errors
///
/// `InvalidArgument`.
fn check_destination(host: &str, speaker: Speaker) -> Result<(), glib::Error> {
    if host.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(error::invalid(
            "The name has a space or a control character in it, which no proxy is told",
        ));
    }
    // Such as one with a scope, which is this machine's. GIO's SOCKS clients end the process by it.
    let is_address = glib::hostname_is_ip_address(host);
    if speaker == Speaker::Socks && is_address && gio::InetAddress::from_string(host).is_none() {
        return Err(error::invalid("The address means nothing to a proxy"));
    }
    Ok(())
}

fn speaker_of(proxy: &gio::Proxy) -> Speaker {
    match proxy.type_().name() {
        "GSocks4Proxy" | "GSocks4aProxy" | "GSocks5Proxy" => Speaker::Socks,
        "GHttpProxy" => Speaker::Http,
        // That of HTTPS too: what is below TLS says nothing of what is in it.
        _ => Speaker::Any,
    }
}
