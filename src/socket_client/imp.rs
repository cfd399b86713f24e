//! State of a [`SocketClient`](super::SocketClient).

use std::{
    collections::BTreeSet,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use gio::{
    SocketClientEvent, SocketFamily, SocketProtocol, SocketType, TlsCertificateFlags, prelude::*,
    subclass::prelude::*,
};
use glib::{ParamFlags, ParamSpec, Value, subclass::InitializingType};
use once_cell::sync::Lazy;

use crate::{
    fence::{fence, fence_or},
    living::{self, Living},
    subclass::{SocketClientClass, SocketClientInstance, socket_client},
    vfunc::Owned,
};

/// What the properties say.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) family: SocketFamily,
    pub(super) type_: SocketType,
    pub(super) protocol: SocketProtocol,
    pub(super) local_address: Option<Owned<gio::SocketAddress>>,
    pub(super) timeout: u32,
    pub(super) enable_proxy: bool,
    pub(super) tls: bool,
    pub(super) tls_validation_flags: TlsCertificateFlags,
    /// None stands for the default one, which is not loaded before somebody needs it.
    pub(super) proxy_resolver: Option<Owned<gio::ProxyResolver>>,
    pub(super) connect_timeout_ms: u32,
    pub(super) io_timeout_ms: u32,
    pub(super) attempt_delay_ms: u32,
    pub(super) multipath: bool,
    /// Protocols of proxies that the program itself speaks.
    pub(super) application_proxies: BTreeSet<String>,
}

pub(super) const DEFAULT_ATTEMPT_DELAY: u32 = 250;
/// The least that RFC 8305 allows.
pub(super) const LEAST_ATTEMPT_DELAY: u32 = 10;

impl Default for Settings {
    fn default() -> Self {
        Self {
            family: SocketFamily::Invalid,
            type_: SocketType::Stream,
            protocol: SocketProtocol::Default,
            local_address: None,
            timeout: 0,
            enable_proxy: true,
            tls: false,
            tls_validation_flags: TlsCertificateFlags::VALIDATE_ALL,
            proxy_resolver: None,
            connect_timeout_ms: 0,
            io_timeout_ms: 0,
            attempt_delay_ms: DEFAULT_ATTEMPT_DELAY,
            multipath: false,
            application_proxies: BTreeSet::new(),
        }
    }
}

#[derive(Debug, Default)]
pub struct SocketClient {
    settings: Mutex<Settings>,
    _living: Living<{ living::SOCKET_CLIENT }>,
}

#[glib::object_subclass]
impl ObjectSubclass for SocketClient {
    const NAME: &'static str = "GsockSocketClient";
    type Type = super::SocketClient;
    type ParentType = glib::Object;
    type Instance = SocketClientInstance;
    type Class = SocketClientClass;

    fn type_init(_type: &mut InitializingType<Self>) {
        // What the class names, before it is initialised: see the connection's.
        for type_ in [
            SocketFamily::static_type(),
            SocketType::static_type(),
            SocketProtocol::static_type(),
            gio::SocketAddress::static_type(),
            TlsCertificateFlags::static_type(),
            gio::ProxyResolver::static_type(),
            SocketClientEvent::static_type(),
            gio::SocketConnectable::static_type(),
            gio::IOStream::static_type(),
        ] {
            debug_assert!(type_.is_valid());
        }
    }

    fn class_init(_class: &mut Self::Class) {
        socket_client::declare_event();
    }
}

impl ObjectImpl for SocketClient {
    fn properties() -> &'static [ParamSpec] {
        static PROPERTIES: Lazy<Vec<ParamSpec>> = Lazy::new(|| {
            let construct = ParamFlags::READWRITE | ParamFlags::CONSTRUCT;
            let own = ParamFlags::READWRITE | ParamFlags::EXPLICIT_NOTIFY;
            let milliseconds = |name| glib::ParamSpecUInt::builder(name).flags(own);
            let boolean = |name, default| {
                glib::ParamSpecBoolean::builder(name)
                    .default_value(default)
                    .flags(construct)
                    .build()
            };
            vec![
                glib::ParamSpecEnum::builder_with_default("family", SocketFamily::Invalid)
                    .flags(construct)
                    .build(),
                glib::ParamSpecEnum::builder_with_default("type", SocketType::Stream)
                    .flags(construct)
                    .build(),
                glib::ParamSpecEnum::builder_with_default("protocol", SocketProtocol::Default)
                    .flags(construct)
                    .build(),
                glib::ParamSpecObject::builder::<gio::SocketAddress>("local-address")
                    .flags(construct)
                    .build(),
                glib::ParamSpecUInt::builder("timeout")
                    .flags(construct)
                    .build(),
                boolean("enable-proxy", true),
                boolean("tls", false),
                glib::ParamSpecFlags::builder::<TlsCertificateFlags>("tls-validation-flags")
                    .default_value(TlsCertificateFlags::VALIDATE_ALL)
                    .flags(construct | ParamFlags::DEPRECATED)
                    .build(),
                glib::ParamSpecObject::builder::<gio::ProxyResolver>("proxy-resolver")
                    .flags(construct)
                    .build(),
                milliseconds("connect-timeout-ms").build(),
                milliseconds("io-timeout-ms").build(),
                milliseconds("attempt-delay-ms")
                    .minimum(LEAST_ATTEMPT_DELAY)
                    .default_value(DEFAULT_ATTEMPT_DELAY)
                    .build(),
                glib::ParamSpecBoolean::builder("multipath")
                    .flags(own)
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &Value, pspec: &ParamSpec) {
        fence_or((), || {
            // GObject has checked type and range of the value.
            macro_rules! set {
                ($field:ident) => {
                    if let Ok(value) = value.get() {
                        self.set(|settings| &mut settings.$field, value, pspec.name());
                    }
                };
            }
            match pspec.name() {
                "family" => set!(family),
                "type" => set!(type_),
                "protocol" => set!(protocol),
                "timeout" => set!(timeout),
                "enable-proxy" => set!(enable_proxy),
                "tls" => set!(tls),
                "tls-validation-flags" => set!(tls_validation_flags),
                "connect-timeout-ms" => set!(connect_timeout_ms),
                "io-timeout-ms" => set!(io_timeout_ms),
                "attempt-delay-ms" => set!(attempt_delay_ms),
                "multipath" => set!(multipath),
                "local-address" => {
                    if let Ok(address) = value.get() {
                        self.exchange_local_address(address);
                    }
                }
                "proxy-resolver" => {
                    if let Ok(resolver) = value.get() {
                        self.set_proxy_resolver(resolver);
                    }
                }
                // GObject asks for no others.
                _ => {}
            }
        });
    }

    fn property(&self, _id: usize, pspec: &ParamSpec) -> Value {
        fence(|| {
            if pspec.name() == "proxy-resolver" {
                return self.proxy_resolver_or_default().to_value();
            }
            let settings = self.settings();
            match pspec.name() {
                "family" => settings.family.to_value(),
                "type" => settings.type_.to_value(),
                "protocol" => settings.protocol.to_value(),
                "local-address" => settings
                    .local_address
                    .as_ref()
                    .map(|address| address.get().clone())
                    .to_value(),
                "timeout" => settings.timeout.to_value(),
                "enable-proxy" => settings.enable_proxy.to_value(),
                "tls" => settings.tls.to_value(),
                "tls-validation-flags" => settings.tls_validation_flags.to_value(),
                "connect-timeout-ms" => settings.connect_timeout_ms.to_value(),
                "io-timeout-ms" => settings.io_timeout_ms.to_value(),
                "attempt-delay-ms" => settings.attempt_delay_ms.to_value(),
                "multipath" => settings.multipath.to_value(),
                // GObject asks for no others.
                _ => Value::from_type(pspec.value_type()),
            }
        })
        .unwrap_or_else(|| Value::from_type(pspec.value_type()))
    }
}

impl SocketClient {
    /// Nothing that belongs to somebody else is called or dropped while they are held.
    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        // Whole values are exchanged under it: a panic leaves nothing half done.
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what is plain data, and tells if that is something new.
    pub(super) fn set<T: PartialEq>(
        &self,
        field: impl FnOnce(&mut Settings) -> &mut T,
        value: T,
        name: &str,
    ) {
        let differs = {
            let mut settings = self.settings();
            let field = field(&mut settings);
            let differs = *field != value;
            *field = value;
            differs
        };
        if differs {
            self.obj().notify(name);
        }
    }

    pub(super) fn local_address(&self) -> Option<gio::SocketAddress> {
        let settings = self.settings();
        settings
            .local_address
            .as_ref()
            .map(|address| address.get().clone())
    }

    pub(super) fn exchange_local_address(&self, address: Option<gio::SocketAddress>) {
        let before = mem::replace(&mut self.settings().local_address, address.map(Owned::new));
        drop(before);
    }

    pub(super) fn proxy_resolver(&self) -> Option<gio::ProxyResolver> {
        let settings = self.settings();
        settings
            .proxy_resolver
            .as_ref()
            .map(|resolver| resolver.get().clone())
    }

    pub(super) fn proxy_resolver_or_default(&self) -> gio::ProxyResolver {
        // Loading it runs the code of modules.
        self.proxy_resolver()
            .unwrap_or_else(gio::ProxyResolver::default)
    }

    pub(super) fn set_proxy_resolver(&self, resolver: Option<gio::ProxyResolver>) {
        let before = mem::replace(
            &mut self.settings().proxy_resolver,
            resolver.map(Owned::new),
        );
        drop(before);
    }

    /// Emits the signal. Handlers run on this thread.
    pub(super) fn emit(
        &self,
        event: SocketClientEvent,
        connectable: &gio::SocketConnectable,
        stream: Option<&gio::IOStream>,
    ) {
        socket_client::emit_event(&self.obj(), event, connectable, stream);
    }
}
