//! A connection with all that is known of it.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    time::{Duration, Instant},
};

use gio::{SocketClientEvent, prelude::*};
use glib::subclass::prelude::*;
use gsock::{
    ConnectReport, ConnectionState, SocketClient, SocketConnection, TcpConnection, prelude::*,
};

use super::{Kind, Message, Moment, Traffic, moment::brief};
use crate::show;

/// Lines of a transcript; older ones are dropped.
const KEPT: u32 = 1000;
const PIECE: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(15);

/// Where a connection is to go.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// A name or an address.
    pub host: String,
    /// Of the service.
    pub port: u16,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Whether any certificate will do.
    pub any_certificate: bool,
}

mod imp {
    use super::*;

    #[derive(Debug, glib::Properties)]
    #[properties(wrapper_type = super::Session)]
    pub struct Session {
        #[property(get, set, construct_only)]
        title: RefCell<String>,
        /// Whether our own listener has accepted it.
        #[property(get, set, construct_only)]
        incoming: Cell<bool>,
        #[property(get, set, construct_only)]
        tls: Cell<bool>,
        /// Never none: until there is one that is being connected, it is one that nobody has connected.
        /// With TLS the one below it, which is where bytes are counted.
        #[property(get, set, construct, nullable)]
        connection: RefCell<Option<SocketConnection>>,
        /// What is read, written and closed, when it is connected: the connection itself, or what speaks TLS over it.
        #[property(get, set, construct, nullable)]
        io_stream: RefCell<Option<gio::IOStream>>,
        /// The other end, where that is one of ours.
        #[property(get, set, nullable)]
        peer: glib::WeakRef<super::Session>,
        #[property(get)]
        timeline: gio::ListStore,
        #[property(get)]
        transcript: gio::ListStore,
        #[property(get)]
        traffic: Traffic,
        /// Whether the transcript is shown in hexadecimal digits.
        #[property(get, set)]
        as_hex: Cell<bool>,
        pub(super) counters: glib::BindingGroup,
        pub(super) states: OnceCell<glib::SignalGroup>,
        pub(super) began: Cell<Instant>,
        pub(super) to_send: RefCell<VecDeque<glib::Bytes>>,
        pub(super) is_sending: Cell<bool>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Session {
        const NAME: &'static str = "InspectorSession";
        type Type = super::Session;

        fn new() -> Self {
            Self {
                title: RefCell::default(),
                incoming: Cell::default(),
                tls: Cell::default(),
                connection: RefCell::default(),
                io_stream: RefCell::default(),
                peer: glib::WeakRef::new(),
                timeline: gio::ListStore::new::<Moment>(),
                transcript: gio::ListStore::new::<Message>(),
                traffic: Traffic::default(),
                as_hex: Cell::default(),
                counters: glib::BindingGroup::new(),
                states: OnceCell::new(),
                began: Cell::new(Instant::now()),
                to_send: RefCell::default(),
                is_sending: Cell::default(),
            }
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for Session {
        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: std::sync::OnceLock<Vec<glib::subclass::Signal>> =
                std::sync::OnceLock::new();
            SIGNALS.get_or_init(|| {
                vec![
                    // It is there; the other end may be one of ours.
                    glib::subclass::Signal::builder("connected").build(),
                    glib::subclass::Signal::builder("failed")
                        .param_types([String::static_type()])
                        .build(),
                ]
            })
        }

        fn constructed(&self) {
            self.parent_constructed();
            let session = self.obj();
            for name in ["bytes-read", "bytes-written"] {
                self.counters
                    .bind(name, &self.traffic, name)
                    .sync_create()
                    .build();
            }
            session
                .bind_property("connection", &self.counters, "source")
                .sync_create()
                .build();
            let states = self
                .states
                .get_or_init(glib::SignalGroup::new::<SocketConnection>);
            let weak = session.downgrade();
            states.connect_notify_local(Some("state"), move |connection, _| {
                if let Some(session) = weak.upgrade()
                    && let Some(connection) = connection.downcast_ref::<SocketConnection>()
                {
                    session.note_state(connection);
                }
            });
            session
                .bind_property("connection", states, "target")
                .sync_create()
                .build();
        }
    }
}

glib::wrapper! {
    /// One connection: its timeline, what went over it and how fast.
    pub struct Session(ObjectSubclass<imp::Session>);
}

impl Session {
    /// Begins to connect to `target`.
    ///
    /// # Errors
    ///
    /// Where there is not even a socket to be had.
    pub fn dial(target: &Target) -> Result<Self, glib::Error> {
        let socket = gio::Socket::new(
            gio::SocketFamily::Ipv4,
            gio::SocketType::Stream,
            gio::SocketProtocol::Tcp,
        )?;
        let session: Self = glib::Object::builder()
            .property("title", show::host_and_port(&target.host, target.port))
            .property("tls", target.tls)
            .property(
                "connection",
                SocketConnection::factory_create_connection(&socket),
            )
            .build();
        glib::MainContext::default().spawn_local({
            let session = session.clone();
            let target = target.clone();
            async move { session.connect_to(&target).await }
        });
        Ok(session)
    }

    /// Around what a listener has accepted: sends back what comes.
    #[must_use]
    pub fn echo(connection: &SocketConnection) -> Self {
        let session: Self = glib::Object::builder()
            .property("title", show::address(connection.remote_address().ok()))
            .property("incoming", true)
            .property("connection", connection)
            .property("io-stream", connection)
            .build();
        session.note(Kind::Success, "Accepted", "");
        session.begin_to_read();
        session
    }

    /// Calls `f` with what went wrong when nothing has come of connecting.
    pub fn connect_failed(&self, f: impl Fn(&Self, &str) + 'static) {
        self.connect_closure(
            "failed",
            false,
            glib::closure_local!(move |session: Self, what: String| f(&session, &what)),
        );
    }

    /// Calls `f` when it is there.
    pub fn connect_connected(&self, f: impl Fn(&Self) + 'static) {
        self.connect_closure(
            "connected",
            false,
            glib::closure_local!(move |session: Self| f(&session)),
        );
    }

    /// Queues `bytes`, which go out in the order in which they were queued.
    pub fn send(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.record(true, bytes);
        let imp = self.imp();
        imp.to_send.borrow_mut().push_back(glib::Bytes::from(bytes));
        if !imp.is_sending.replace(true) {
            let session = self.clone();
            glib::MainContext::default().spawn_local(async move { session.send_all().await });
        }
    }

    /// Says good-bye: the peer reads the end.
    pub fn close(&self) {
        let own = || self.connection().map(Cast::upcast);
        let Some(stream) = self.io_stream().or_else(own) else {
            return;
        };
        glib::MainContext::default().spawn_local(async move {
            // What there is to be said of it stands in `last-error`.
            let _ = stream.close_future(glib::Priority::DEFAULT).await;
        });
    }

    /// Goes without a word: the peer meets an error.
    pub fn reset(&self) {
        if let Some(connection) = self.connection()
            && let Some(connection) = connection.downcast_ref::<TcpConnection>()
        {
            // Where the socket is gone there is nothing to reset.
            let _ = connection.set_linger_zero(true);
        }
        self.close();
    }

    async fn connect_to(&self, target: &Target) {
        let client = SocketClient::new();
        client.set_tls(target.tls);
        client.set_connect_timeout(PATIENCE);
        let session = self.downgrade();
        let any_certificate = target.any_certificate;
        client.connect_event(move |_, event, connectable, stream| {
            if let Some(session) = session.upgrade() {
                session.note_event(event, connectable, stream);
            }
            // The only moment for a word on certificates.
            if any_certificate
                && event == SocketClientEvent::TlsHandshaking
                && let Some(tls) = stream.and_then(|it| it.downcast_ref::<gio::TlsConnection>())
            {
                tls.connect_accept_certificate(|_, _, _| true);
            }
        });
        let address = gio::NetworkAddress::new(&target.host, target.port);
        match client.connect_with_report(&address).await {
            Ok((connection, report)) => {
                self.note_report(&report);
                let beneath = SocketConnection::beneath(&connection);
                self.set_connection(beneath.as_ref().or(Some(&connection)));
                self.set_io_stream(Some(connection.clone()));
                self.emit_by_name::<()>("connected", &[]);
                self.begin_to_read();
            }
            Err((failure, report)) => {
                self.note_report(&report);
                self.note(Kind::Failure, "Gave up", failure.message());
                self.emit_by_name::<()>("failed", &[&failure.message()]);
            }
        }
    }

    fn begin_to_read(&self) {
        let session = self.clone();
        glib::MainContext::default().spawn_local(async move { session.read_all().await });
    }

    /// Until the peer has nothing more to say. The connection is left open: it is the user who closes it.
    async fn read_all(&self) {
        let Some(stream) = self.io_stream() else {
            return;
        };
        let input = stream.input_stream();
        while let Ok(bytes) = input
            .read_bytes_future(PIECE, glib::Priority::DEFAULT)
            .await
            && !bytes.is_empty()
        {
            self.record(false, &bytes);
            if self.incoming() {
                self.send(&bytes);
            }
        }
    }

    async fn send_all(&self) {
        let imp = self.imp();
        loop {
            let next = imp.to_send.borrow_mut().pop_front();
            let (Some(bytes), Some(stream)) = (next, self.io_stream()) else {
                break;
            };
            let written = stream
                .output_stream()
                .write_all_future(bytes, glib::Priority::DEFAULT)
                .await;
            let failure = match written {
                Ok((_, _, failure)) => failure,
                Err((_, failure)) => Some(failure),
            };
            if let Some(failure) = failure {
                imp.to_send.borrow_mut().clear();
                self.note(Kind::Failure, "Not sent", failure.message());
            }
        }
        imp.is_sending.set(false);
    }

    fn record(&self, sent: bool, bytes: &[u8]) {
        let message = Message::new(sent, bytes);
        self.bind_property("as-hex", &message, "as-hex")
            .sync_create()
            .build();
        let transcript = self.transcript();
        transcript.append(&message);
        if transcript.n_items() > KEPT {
            transcript.remove(0);
        }
    }

    fn note(&self, kind: Kind, title: &str, detail: &str) {
        let offset = self.imp().began.get().elapsed();
        self.timeline()
            .append(&Moment::new(kind, title, detail, offset));
    }

    fn note_event(
        &self,
        event: SocketClientEvent,
        connectable: &gio::SocketConnectable,
        stream: Option<&gio::IOStream>,
    ) {
        let connection = stream.and_then(|it| it.downcast_ref::<SocketConnection>());
        let place = match connection {
            Some(connection) => show::address(connection.remote_address().ok()),
            None => SocketConnectableExt::to_string(connectable).into(),
        };
        let (kind, title) = match event {
            SocketClientEvent::Resolving => (Kind::Step, "Looking up the name"),
            SocketClientEvent::Resolved => (Kind::Step, "Name resolved"),
            SocketClientEvent::Connecting => {
                self.set_connection(connection);
                (Kind::Step, "Connecting")
            }
            SocketClientEvent::Connected => (Kind::Step, "Address reached"),
            SocketClientEvent::ProxyNegotiating => (Kind::Step, "Asking the proxy"),
            SocketClientEvent::ProxyNegotiated => (Kind::Step, "Proxy agreed"),
            SocketClientEvent::TlsHandshaking => (Kind::Step, "TLS handshake"),
            SocketClientEvent::TlsHandshaked => (Kind::Step, "TLS agreed"),
            // Its failure is told with its reason.
            SocketClientEvent::Complete if stream.is_none() => return,
            SocketClientEvent::Complete => (Kind::Success, "Connection complete"),
            _ => return,
        };
        self.note(kind, title, &place);
    }

    /// What each attempt came to, and how long all of it took.
    fn note_report(&self, report: &ConnectReport) {
        for attempt in &report.attempts {
            if let Some(failure) = &attempt.error {
                self.note(
                    Kind::Failure,
                    "Attempt came to nothing",
                    &format!(
                        "{} after {}: {}",
                        show::address(Some(attempt.address.clone())),
                        brief(attempt.took),
                        failure.message()
                    ),
                );
            }
        }
        let mut parts = vec![format!("name {}", brief(report.resolve))];
        if !report.attempts.is_empty() {
            parts.push(format!("connect {}", brief(report.connect)));
        }
        parts.extend(report.proxy.map(|took| format!("proxy {}", brief(took))));
        parts.extend(report.tls.map(|took| format!("TLS {}", brief(took))));
        self.note(Kind::Step, "Time taken", &parts.join(" · "));
    }

    fn note_state(&self, connection: &SocketConnection) {
        let why = connection.last_error();
        let why = why.as_ref().map_or("", glib::Error::message);
        match connection.state() {
            ConnectionState::Disconnected if why.is_empty() => {
                self.note(Kind::Ended, "Disconnected", "The peer has closed it");
            }
            ConnectionState::Disconnected => self.note(Kind::Failure, "Disconnected", why),
            ConnectionState::Closed => self.note(Kind::Ended, "Closed", "By this program"),
            // The client's events say more.
            _ => {}
        }
    }
}
