//! How things are said: what the closures in the templates call.
//!
//! A template binds a property of a widget to a property of a connection, and what stands between them is one of these.

use gio::prelude::*;
use gsock::{ConnectionState, TcpWrapperConnection, prelude::*};

use crate::model::{Kind, Listener, Session, parse_hex};

/// An address as one writes it, with its port.
#[must_use]
pub fn address(address: Option<gio::SocketAddress>) -> String {
    match address {
        Some(address) => SocketConnectableExt::to_string(&address).into(),
        None => "None yet".into(),
    }
}

/// As it is written in front of a user, and read by programs.
#[must_use]
pub fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// A state in words.
#[must_use]
pub fn state(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Unconnected => "Not Connected",
        ConnectionState::Connecting => "Connecting…",
        ConnectionState::Connected => "Connected",
        ConnectionState::Disconnected => "Disconnected",
        ConnectionState::Closed => "Closed",
        _ => "Unknown",
    }
}

/// A number of bytes.
#[must_use]
pub fn bytes(count: u64) -> String {
    glib::format_size(count).into()
}

/// What is to be sent: the words of the entry in the manner that was chosen beside it.
#[must_use]
pub fn payload(text: &str, manner: u32) -> Option<Vec<u8>> {
    match manner {
        0 => Some(text.into()),
        1 => Some(format!("{text}\n").into()),
        2 => Some(format!("{text}\r\n").into()),
        _ => parse_hex(text),
    }
}

/// The functions that templates name.
#[derive(Debug)]
pub struct Closures;

#[gtk::template_callbacks(functions)]
impl Closures {
    #[template_callback]
    fn state_title(state: ConnectionState) -> String {
        self::state(state).into()
    }

    #[template_callback]
    fn state_detail(state: ConnectionState, failure: Option<glib::Error>) -> String {
        match (state, failure) {
            (ConnectionState::Unconnected, Some(_)) => "Nothing has come of it",
            (ConnectionState::Unconnected, None) => "Nobody is at the other end",
            (ConnectionState::Connecting, _) => "An address is being tried",
            (ConnectionState::Connected, _) => "Bytes may go both ways",
            (ConnectionState::Disconnected, Some(_)) => "The connection was lost",
            (ConnectionState::Disconnected, None) => "The peer has closed the connection",
            (ConnectionState::Closed, _) => "Closed by this program",
            _ => "",
        }
        .into()
    }

    #[template_callback]
    fn state_icon(state: ConnectionState) -> String {
        match state {
            ConnectionState::Connecting => "inspector-connecting-symbolic",
            ConnectionState::Connected => "inspector-connected-symbolic",
            ConnectionState::Disconnected => "inspector-disconnected-symbolic",
            ConnectionState::Closed => "inspector-closed-symbolic",
            _ => "inspector-unconnected-symbolic",
        }
        .into()
    }

    #[template_callback]
    fn state_classes(state: ConnectionState) -> Vec<String> {
        vec!["state".into(), state_class(state).into()]
    }

    #[template_callback]
    fn badge_classes(state: ConnectionState) -> Vec<String> {
        vec!["badge".into(), state_class(state).into()]
    }

    #[template_callback]
    fn address(address: Option<gio::SocketAddress>) -> String {
        self::address(address)
    }

    #[template_callback]
    fn own_port(address: Option<gio::SocketAddress>) -> String {
        match address.and_downcast_ref::<gio::InetSocketAddress>() {
            // Of a socket that nobody has connected yet.
            Some(address) if address.port() == 0 => String::new(),
            Some(address) => address.port().to_string(),
            None => String::new(),
        }
    }

    #[template_callback]
    fn bytes(count: u64) -> String {
        bytes(count)
    }

    #[template_callback]
    fn in_and_out(read: u64, written: u64) -> String {
        format!("{} in, {} out", bytes(read), bytes(written))
    }

    #[template_callback]
    fn failure(failure: Option<glib::Error>) -> String {
        failure.map_or_else(|| "None".into(), |it| it.message().into())
    }

    #[template_callback]
    fn security(tls: bool, stream: Option<gio::IOStream>) -> String {
        let session = stream
            .and_downcast_ref::<TcpWrapperConnection>()
            .map(TcpWrapperConnection::base_io_stream)
            .and_downcast::<gio::TlsConnection>();
        match session {
            Some(session) => encryption(&session),
            None if tls => "None yet".into(),
            None => "None".into(),
        }
    }

    #[template_callback]
    fn can_close(state: ConnectionState) -> bool {
        !matches!(
            state,
            ConnectionState::Closed | ConnectionState::Unconnected
        )
    }

    #[template_callback]
    fn can_kill(peer: Option<Session>, state: ConnectionState) -> bool {
        peer.is_some() && state == ConnectionState::Connected
    }

    #[template_callback]
    fn can_type(state: ConnectionState) -> bool {
        // A peer that has said its last word may still listen.
        matches!(
            state,
            ConnectionState::Connected | ConnectionState::Disconnected
        )
    }

    #[template_callback]
    fn can_send(state: ConnectionState, text: &str, manner: u32) -> bool {
        Self::can_type(state) && payload(text, manner).is_some_and(|bytes| !bytes.is_empty())
    }

    #[template_callback]
    fn entry_classes(text: &str, manner: u32) -> Vec<String> {
        let mut classes = Vec::new();
        if manner == 3 {
            classes.push("monospace".into());
        }
        if payload(text, manner).is_none() {
            classes.push("error".into());
        }
        classes
    }

    #[template_callback]
    fn entry_hint(manner: u32) -> String {
        if manner == 3 {
            "48 65 6c 6c 6f"
        } else {
            "Message"
        }
        .into()
    }

    #[template_callback]
    fn list_or_empty(count: u32) -> String {
        if count == 0 { "empty" } else { "list" }.into()
    }

    #[template_callback]
    fn is_there(count: u32) -> bool {
        count > 0
    }

    #[template_callback]
    fn message_text(text: &str, hex: &str, as_hex: bool) -> String {
        if as_hex { hex } else { text }.into()
    }

    #[template_callback]
    fn message_align(sent: bool) -> gtk::Align {
        if sent {
            gtk::Align::End
        } else {
            gtk::Align::Start
        }
    }

    #[template_callback]
    fn message_classes(sent: bool) -> Vec<String> {
        let way = if sent { "sent" } else { "received" };
        vec!["message".into(), way.into()]
    }

    #[template_callback]
    fn message_caption(sent: bool, length: u64, time: &str) -> String {
        let way = if sent { "Sent" } else { "Received" };
        let unit = if length == 1 { "byte" } else { "bytes" };
        format!("{way} {time} · {length} {unit}")
    }

    #[template_callback]
    fn moment_icon(kind: Kind) -> String {
        match kind {
            Kind::Step => "inspector-step-symbolic",
            Kind::Success => "inspector-connected-symbolic",
            Kind::Ended => "inspector-disconnected-symbolic",
            Kind::Failure => "inspector-failure-symbolic",
        }
        .into()
    }

    #[template_callback]
    fn moment_classes(kind: Kind) -> Vec<String> {
        let class = match kind {
            Kind::Step => "idle",
            Kind::Success => "good",
            Kind::Ended => "ended",
            Kind::Failure => "bad",
        };
        vec!["dot".into(), class.into()]
    }

    #[template_callback]
    fn is_said(text: &str) -> bool {
        !text.is_empty()
    }

    #[template_callback]
    fn place(item: Option<glib::Object>) -> String {
        match item {
            Some(item) if item.is::<Listener>() => "listener",
            Some(_) => "connection",
            None => "empty",
        }
        .into()
    }

    #[template_callback]
    fn as_session(item: Option<glib::Object>) -> Option<Session> {
        item.and_then(|item| item.downcast().ok())
    }

    #[template_callback]
    fn listener_subtitle(listening: bool, port: u32, active: u32) -> String {
        match (listening, active) {
            (false, _) => "Not listening".into(),
            (true, 0) => format!("Port {port}"),
            (true, 1) => format!("Port {port}, one client"),
            (true, count) => format!("Port {port}, {count} clients"),
        }
    }

    #[template_callback]
    fn listener_classes(listening: bool) -> Vec<String> {
        vec![
            "badge".into(),
            if listening { "good" } else { "idle" }.into(),
        ]
    }

    #[template_callback]
    fn loopback(listening: bool, port: u32) -> String {
        if listening {
            format!("127.0.0.1:{port}")
        } else {
            "None".into()
        }
    }

    #[template_callback]
    fn number(count: u64) -> String {
        count.to_string()
    }

    #[template_callback]
    fn small_number(count: u32) -> String {
        count.to_string()
    }

    #[template_callback]
    fn is_target(host: &str, port: &str) -> bool {
        !host.trim().is_empty() && port.trim().parse::<u16>().is_ok_and(|port| port != 0)
    }

    #[template_callback]
    fn port_classes(port: &str) -> Vec<String> {
        let is_wrong = !port.is_empty() && !port.trim().parse::<u16>().is_ok_and(|port| port != 0);
        if is_wrong {
            vec!["error".into()]
        } else {
            Vec::new()
        }
    }
}

/// What was agreed on, and whether it is known with whom.
fn encryption(session: &gio::TlsConnection) -> String {
    let version = match session.protocol_version() {
        gio::TlsProtocolVersion::Tls12 => "TLS 1.2",
        gio::TlsProtocolVersion::Tls13 => "TLS 1.3",
        _ => "TLS",
    };
    if session.peer_certificate_errors().is_empty() {
        version.into()
    } else {
        format!("{version}, certificate not trusted")
    }
}

fn state_class(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Connecting => "busy",
        ConnectionState::Connected => "good",
        ConnectionState::Disconnected => "ended",
        _ => "idle",
    }
}
