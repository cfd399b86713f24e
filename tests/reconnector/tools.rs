//! A connectable that can be pointed elsewhere, a network that can be turned off, and a peer that comes and goes.

use std::{
    cell::{Cell, RefCell},
    net::{SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gio::{SocketConnectable, ffi as gio_ffi, prelude::*, subclass::prelude::*};
use glib::{
    ffi::GError,
    subclass::types::IsImplementable,
    translate::{IntoGlibPtr, from_glib_none},
};
use gsock::{ConnectionState, Reconnector, ReconnectorState as State, SocketClient, prelude::*};

use crate::support::*;

// --- What is connected to ------------------------------------------------------------------------

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Aim {
        /// None: there is no address.
        pub at: Mutex<Option<gio::SocketAddress>>,
        pub asked: Cell<u32>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Aim {
        const NAME: &'static str = "GsockTestAim";
        type Type = super::Aim;
        type Interfaces = (SocketConnectable,);
    }

    impl ObjectImpl for Aim {}

    #[derive(Debug, Default)]
    pub struct AimEnumerator {
        pub next: RefCell<Option<gio::SocketAddress>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for AimEnumerator {
        const NAME: &'static str = "GsockTestAimEnumerator";
        type Type = super::AimEnumerator;
        type ParentType = gio::SocketAddressEnumerator;
    }

    impl ObjectImpl for AimEnumerator {}

    #[derive(Debug, Default)]
    pub struct Monitor {
        pub is_available: AtomicBool,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Monitor {
        const NAME: &'static str = "GsockTestMonitor";
        type Type = super::Monitor;
        type Interfaces = (gio::Initable, gio::NetworkMonitor);
    }

    impl ObjectImpl for Monitor {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: once_cell::sync::Lazy<Vec<glib::ParamSpec>> =
                once_cell::sync::Lazy::new(|| {
                    ["network-available", "network-metered", "connectivity"]
                        .map(|name| {
                            glib::ParamSpecOverride::for_interface::<gio::NetworkMonitor>(name)
                        })
                        .into()
                });
            &PROPERTIES
        }

        fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
            match pspec.name() {
                "network-available" => self.is_available.load(Ordering::SeqCst).to_value(),
                "network-metered" => false.to_value(),
                _ => gio::NetworkConnectivity::Full.to_value(),
            }
        }
    }

    impl InitableImpl for Monitor {
        fn init(&self, _: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            Ok(())
        }
    }
}

glib::wrapper! {
    /// Leads to where it was pointed last. It does not say that this is near.
    pub struct Aim(ObjectSubclass<imp::Aim>) @implements SocketConnectable;
}

glib::wrapper! {
    pub struct AimEnumerator(ObjectSubclass<imp::AimEnumerator>) @extends gio::SocketAddressEnumerator;
}

glib::wrapper! {
    /// Says of the network what it was told to.
    pub struct Monitor(ObjectSubclass<imp::Monitor>) @implements gio::Initable, gio::NetworkMonitor;
}

unsafe impl IsImplementable<imp::Aim> for SocketConnectable {
    fn interface_init(iface: &mut glib::Interface<Self>) {
        let iface: *mut glib::Interface<Self> = iface;
        let iface = unsafe { &mut *iface.cast::<gio_ffi::GSocketConnectableIface>() };
        iface.enumerate = Some(enumerate);
    }
}

unsafe impl IsImplementable<imp::Monitor> for gio::NetworkMonitor {}

unsafe extern "C" fn enumerate(
    connectable: *mut gio_ffi::GSocketConnectable,
) -> *mut gio_ffi::GSocketAddressEnumerator {
    let aim: SocketConnectable = unsafe { from_glib_none(connectable) };
    let aim = aim.downcast::<Aim>().unwrap();
    aim.imp().asked.set(aim.imp().asked.get() + 1);
    let enumerator = glib::Object::new::<AimEnumerator>();
    let address = aim.imp().at.lock().unwrap().clone();
    enumerator.imp().next.replace(address);
    enumerator
        .upcast::<gio::SocketAddressEnumerator>()
        .into_glib_ptr()
}

unsafe impl IsSubclassable<imp::AimEnumerator> for gio::SocketAddressEnumerator {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<imp::AimEnumerator>(class);
        let class: *mut glib::Class<Self> = class;
        let class = unsafe { &mut *class.cast::<gio_ffi::GSocketAddressEnumeratorClass>() };
        class.next = Some(next);
    }
}

unsafe extern "C" fn next(
    enumerator: *mut gio_ffi::GSocketAddressEnumerator,
    _: *mut gio_ffi::GCancellable,
    _: *mut *mut GError,
) -> *mut gio_ffi::GSocketAddress {
    let enumerator: gio::SocketAddressEnumerator = unsafe { from_glib_none(enumerator) };
    let enumerator = enumerator.downcast::<AimEnumerator>().unwrap();
    let next = enumerator.imp().next.take();
    next.map_or(std::ptr::null_mut(), IntoGlibPtr::into_glib_ptr)
}

impl Aim {
    pub(crate) fn nowhere() -> Self {
        glib::Object::new()
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        let aim = Self::nowhere();
        aim.point_at(address);
        aim
    }

    pub(crate) fn point_at(&self, address: SocketAddr) {
        self.point(Some(gio_address(address).upcast()));
    }

    pub(crate) fn point(&self, address: Option<gio::SocketAddress>) {
        *self.imp().at.lock().unwrap() = address;
    }

    /// How often it was asked for an address since the last time.
    pub(crate) fn asked(&self) -> u32 {
        self.imp().asked.take()
    }
}

impl Monitor {
    pub(crate) fn new(is_available: bool) -> Self {
        let monitor = gio::Initable::builder::<Self>();
        let monitor = monitor.build(gio::Cancellable::NONE).unwrap();
        monitor
            .imp()
            .is_available
            .store(is_available, Ordering::SeqCst);
        monitor
    }

    /// As a monitor tells it.
    pub(crate) fn turn(&self, is_available: bool) {
        self.imp()
            .is_available
            .store(is_available, Ordering::SeqCst);
        self.emit_by_name::<()>("network-changed", &[&is_available]);
        self.notify("network-available");
    }
}

// --- The scene -----------------------------------------------------------------------------------

/// So short that no test takes long.
pub(crate) const SOON: Duration = Duration::from_millis(5);

/// A peer, and a reconnector that is to connect to it; what that has told.
pub(crate) struct Scene {
    pub(crate) context: glib::MainContext,
    pub(crate) listener: TcpListener,
    pub(crate) nobody: Nobody,
    pub(crate) aim: Aim,
    pub(crate) reconnector: Reconnector,
    pub(crate) told: Rc<RefCell<Vec<String>>>,
    /// How often it was `disconnected`, and how often the test has waited for that.
    losses: Rc<Cell<u32>>,
    losses_met: Cell<u32>,
}

/// One that tries again soon.
pub(crate) fn eager(connectable: &impl IsA<SocketConnectable>) -> Reconnector {
    eager_with(&SocketClient::new(), connectable)
}

pub(crate) fn eager_with(
    client: &SocketClient,
    connectable: &impl IsA<SocketConnectable>,
) -> Reconnector {
    Reconnector::builder(client, connectable)
        .network_monitor(gio::NetworkMonitor::NONE)
        .initial_delay(SOON)
        .max_delay(4 * SOON)
        .build()
}

/// A port that nobody listens at, and nobody can take meanwhile.
pub(crate) struct Nobody {
    pub(crate) address: SocketAddr,
    _socket: gio::Socket,
}

impl Nobody {
    pub(crate) fn here() -> Self {
        let socket = ipv4_socket();
        let any = gio_address(([127, 0, 0, 1], 0).into());
        socket.bind(&any, false).unwrap();
        let bound = socket.local_address().unwrap();
        let bound = bound.downcast::<gio::InetSocketAddress>().unwrap();
        Self {
            address: SocketAddr::new([127, 0, 0, 1].into(), bound.port()),
            _socket: socket,
        }
    }
}

/// The signals of it, in the order in which they come.
pub(crate) fn told_by(reconnector: &Reconnector) -> Rc<RefCell<Vec<String>>> {
    let told = Rc::new(RefCell::new(Vec::new()));
    let note = || {
        let told = told.clone();
        move |what: String| told.borrow_mut().push(what)
    };
    let noted = note();
    reconnector.connect_attempt(move |_, number| noted(format!("attempt {number}")));
    let noted = note();
    reconnector
        .connect_attempt_failed(move |_, number, _, _| noted(format!("attempt-failed {number}")));
    let noted = note();
    reconnector.connect_connected(move |reconnector, stream| {
        assert_eq!(reconnector.io_stream().as_ref(), Some(stream));
        noted("connected".to_owned());
    });
    let noted = note();
    reconnector.connect_disconnected(move |_, _| noted("disconnected".to_owned()));
    let noted = note();
    reconnector.connect_given_up(move |_, _| noted("given-up".to_owned()));
    told
}

impl Scene {
    pub(crate) fn new(context: &glib::MainContext) -> Self {
        let mut scene = Self::silent(context);
        scene.told = told_by(&scene.reconnector);
        let losses = scene.losses.clone();
        scene
            .reconnector
            .connect_disconnected(move |_, _| losses.set(losses.get() + 1));
        scene
    }

    /// Without handlers.
    pub(crate) fn silent(context: &glib::MainContext) -> Self {
        let (listener, address) = listener();
        let aim = Aim::at(address);
        let reconnector = eager(&aim);
        Self {
            context: context.clone(),
            listener,
            nobody: Nobody::here(),
            told: Rc::default(),
            losses: Rc::default(),
            losses_met: Cell::default(),
            aim,
            reconnector,
        }
    }

    /// Likewise, and connected, with the peer's end.
    pub(crate) fn connected(context: &glib::MainContext) -> (Self, TcpStream) {
        let scene = Self::new(context);
        scene.reconnector.start();
        let peer = scene.accept();
        (scene, peer)
    }

    pub(crate) fn until(&self, done: impl FnMut() -> bool) {
        iterate_until(&self.context, done);
    }

    pub(crate) fn until_state(&self, state: State) {
        self.until(|| self.reconnector.state() == state);
    }

    /// Until the next loss: a state may have passed when somebody looks.
    pub(crate) fn until_lost(&self) {
        let met = self.losses_met.get() + 1;
        self.until(|| self.losses.get() >= met);
        self.losses_met.set(met);
    }

    /// The next connection, at the peer's end, once it is there at both.
    pub(crate) fn accept(&self) -> TcpStream {
        self.until(|| {
            self.reconnector.state() == State::Connected
                && self.connection().state() == ConnectionState::Connected
        });
        let (peer, _) = self.listener.accept().unwrap();
        let limit = Some(LIMIT * slowness());
        peer.set_read_timeout(limit).unwrap();
        peer
    }

    pub(crate) fn connection(&self) -> gsock::SocketConnection {
        self.reconnector.connection().expect("it has connected")
    }

    /// Nobody listens any more.
    pub(crate) fn go_away(&self) {
        self.aim.point_at(self.nobody.address);
    }

    pub(crate) fn come_back(&self) {
        self.aim.point_at(self.listener.local_addr().unwrap());
    }

    /// What was told since the last time.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.take()
    }
}
