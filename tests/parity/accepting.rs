//! A listener or a service of GIO's class or of ours, under the same hands.

use std::{
    cell::RefCell,
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use gio::{Cancellable, SocketListenerEvent as Event, prelude::*};
use glib::translate::{ToGlibPtr, from_glib_full, from_glib_none};
use gsock::prelude::*;

use crate::{support::*, tools::*, under::*};

/// By what both classes have in common.
#[derive(Clone, Debug)]
pub(crate) struct Listener(pub(crate) glib::Object);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Blocking,
    Callback,
}

pub(crate) const FORMS: [Form; 2] = [Form::Blocking, Form::Callback];

/// A connection or a socket, and the source object.
pub(crate) type Taken<T> = Result<(T, Option<glib::Object>), glib::Error>;
pub(crate) type Accepted = Taken<gio::IOStream>;

/// GIO's class and ours, each used first on its own thread, wait for each other for ever in GLib 2.74.6: the one's class
/// is made under the lock that a type needs which the other has begun to register.
fn know_what_classes_name() {
    for type_ in [
        gio::Socket::static_type(),
        gio::SocketConnection::static_type(),
        Event::static_type(),
    ] {
        // As often as it takes, and so no expectation.
        if !type_.is_valid() {
            panic!("a type without a name");
        }
    }
}

impl Side {
    pub(crate) fn listener_type(self) -> glib::Type {
        know_what_classes_name();
        match self {
            Self::Gio => gio::SocketListener::static_type(),
            Self::Ours => gsock::SocketListener::static_type(),
        }
    }

    pub(crate) fn service_type(self) -> glib::Type {
        know_what_classes_name();
        match self {
            Self::Gio => gio::SocketService::static_type(),
            Self::Ours => gsock::SocketService::static_type(),
        }
    }

    pub(crate) fn threaded_type(self) -> glib::Type {
        know_what_classes_name();
        match self {
            Self::Gio => gio::ThreadedSocketService::static_type(),
            Self::Ours => gsock::ThreadedSocketService::static_type(),
        }
    }

    pub(crate) fn listener(self) -> Listener {
        Listener(glib::Object::with_type(self.listener_type()))
    }

    pub(crate) fn service(self) -> Listener {
        Listener(glib::Object::with_type(self.service_type()))
    }

    pub(crate) fn threaded(self, max_threads: i32) -> Listener {
        Listener(
            glib::Object::builder_with_type(self.threaded_type())
                .property("max-threads", max_threads)
                .build(),
        )
    }
}

pub(crate) fn ours(listener: &glib::Object) -> &gsock::SocketListener {
    listener.downcast_ref().expect("ours")
}

fn our_service(service: &glib::Object) -> &gsock::SocketService {
    service.downcast_ref().expect("ours")
}

impl Side {
    /// Whether something happens while the context is iterated. Ours, where it does, has the time of any wait.
    pub(crate) fn comes(self, context: &glib::MainContext, happened: impl Fn() -> bool) -> bool {
        let limit = match self {
            Self::Gio => Duration::from_millis(150),
            Self::Ours => LIMIT / 2,
        };
        let end = Instant::now() + limit * slowness();
        iterate_until(context, || happened() || Instant::now() >= end);
        happened()
    }
}

/// Of an error there is no source object. No assertion, which nets write down in a file: there may be no descriptor.
fn must_be_none(source: Option<glib::Object>) {
    if source.is_some() {
        panic!("a source object of an error");
    }
}

/// Finishes by the function for connections.
pub(crate) fn finish(listener: &glib::Object, result: &gio::AsyncResult) -> Accepted {
    if let Some(listener) = listener.downcast_ref::<gio::SocketListener>() {
        // gio-rs has no finish functions.
        let (mut source, mut failure) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: live arguments, and places for the answers.
        unsafe {
            let made = gio::ffi::g_socket_listener_accept_finish(
                listener.to_glib_none().0,
                result.to_glib_none().0,
                &raw mut source,
                &raw mut failure,
            );
            if !failure.is_null() {
                let it: Option<glib::Object> = from_glib_none(source);
                must_be_none(it);
                return Err(from_glib_full(failure));
            }
            let made: gio::SocketConnection = from_glib_full(made);
            return Ok((made.upcast(), from_glib_none(source)));
        }
    }
    let (made, source) = ours(listener).accept_finish(result)?;
    Ok((made.upcast(), source))
}

/// Finishes by the function for sockets.
pub(crate) fn finish_socket(
    listener: &glib::Object,
    result: &gio::AsyncResult,
) -> Taken<gio::Socket> {
    if let Some(listener) = listener.downcast_ref::<gio::SocketListener>() {
        let (mut source, mut failure) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: live arguments, and places for the answers.
        unsafe {
            let made = gio::ffi::g_socket_listener_accept_socket_finish(
                listener.to_glib_none().0,
                result.to_glib_none().0,
                &raw mut source,
                &raw mut failure,
            );
            if !failure.is_null() {
                let it: Option<glib::Object> = from_glib_none(source);
                must_be_none(it);
                return Err(from_glib_full(failure));
            }
            return Ok((from_glib_full(made), from_glib_none(source)));
        }
    }
    ours(listener).accept_socket_finish(result)
}

/// Which of the two operations is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Connection,
    Socket,
}

impl Listener {
    fn gio(&self) -> Option<&gio::SocketListener> {
        self.0.downcast_ref()
    }

    pub(crate) fn type_name(&self) -> String {
        name_of(self.0.type_())
    }

    pub(crate) fn backlog(&self) -> i32 {
        self.0.property("listen-backlog")
    }

    pub(crate) fn set_backlog(&self, backlog: i32) {
        match self.gio() {
            Some(listener) => listener.set_backlog(backlog),
            None => gsock::SocketListenerExt::set_backlog(ours(&self.0), backlog),
        }
    }

    pub(crate) fn add_socket(
        &self,
        socket: &gio::Socket,
        source: Option<&glib::Object>,
    ) -> Result<(), glib::Error> {
        match self.gio() {
            Some(listener) => listener.add_socket(socket, source),
            None => gsock::SocketListenerExt::add_socket(ours(&self.0), socket, source),
        }
    }

    pub(crate) fn add_address(
        &self,
        address: &impl IsA<gio::SocketAddress>,
        source: Option<&glib::Object>,
    ) -> Result<gio::SocketAddress, glib::Error> {
        self.add_address_of(address, gio::SocketType::Stream, source)
    }

    pub(crate) fn add_address_of(
        &self,
        address: &impl IsA<gio::SocketAddress>,
        type_: gio::SocketType,
        source: Option<&glib::Object>,
    ) -> Result<gio::SocketAddress, glib::Error> {
        let protocol = gio::SocketProtocol::Default;
        match self.gio() {
            Some(listener) => listener.add_address(address, type_, protocol, source),
            None => gsock::SocketListenerExt::add_address(
                ours(&self.0),
                address,
                type_,
                protocol,
                source,
            ),
        }
    }

    /// `Ok(false)` is a failure without an error, which gio-rs does not expect.
    pub(crate) fn add_inet_port(
        &self,
        port: u16,
        source: Option<&glib::Object>,
    ) -> Result<bool, glib::Error> {
        match self.gio() {
            Some(listener) => {
                let mut failure = std::ptr::null_mut();
                // SAFETY: live arguments, and a place for an error.
                unsafe {
                    let done = gio::ffi::g_socket_listener_add_inet_port(
                        listener.to_glib_none().0,
                        port,
                        source.to_glib_none().0,
                        &raw mut failure,
                    );
                    if failure.is_null() {
                        Ok(done != glib::ffi::GFALSE)
                    } else {
                        Err(from_glib_full(failure))
                    }
                }
            }
            None => {
                gsock::SocketListenerExt::add_inet_port(ours(&self.0), port, source).map(|()| true)
            }
        }
    }

    pub(crate) fn add_any_inet_port(
        &self,
        source: Option<&glib::Object>,
    ) -> Result<u16, glib::Error> {
        match self.gio() {
            Some(listener) => listener.add_any_inet_port(source),
            None => gsock::SocketListenerExt::add_any_inet_port(ours(&self.0), source),
        }
    }

    pub(crate) fn close(&self) {
        match self.gio() {
            Some(listener) => listener.close(),
            None => gsock::SocketListenerExt::close(ours(&self.0)),
        }
    }

    /// On a port of 127.0.0.1.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen_for(None)
    }

    pub(crate) fn listen_for(&self, source: Option<&glib::Object>) -> SocketAddr {
        let any = gio_address(([127, 0, 0, 1], 0).into());
        std_address(&self.add_address(&any, source).expect("loopback"))
    }

    pub(crate) fn accept(&self, cancellable: Option<&Cancellable>) -> Accepted {
        match self.gio() {
            Some(listener) => listener
                .accept(cancellable)
                .map(|(made, source)| (made.upcast(), source)),
            None => gsock::SocketListenerExt::accept(ours(&self.0), cancellable)
                .map(|(made, source)| (made.upcast(), source)),
        }
    }

    pub(crate) fn accept_socket(&self, cancellable: Option<&Cancellable>) -> Taken<gio::Socket> {
        match self.gio() {
            Some(listener) => listener.accept_socket(cancellable),
            None => gsock::SocketListenerExt::accept_socket(ours(&self.0), cancellable),
        }
    }

    /// The bare result of one of the two operations.
    pub(crate) fn start_raw(
        &self,
        what: What,
        cancellable: Option<&Cancellable>,
        put: impl FnOnce(gio::AsyncResult) + 'static,
    ) {
        type Ready = Box<dyn FnOnce(gio::AsyncResult)>;
        unsafe extern "C" fn done(
            _: *mut glib::gobject_ffi::GObject,
            result: *mut gio::ffi::GAsyncResult,
            data: glib::ffi::gpointer,
        ) {
            // SAFETY: the box made below, called back once; a live result.
            let (ready, result) =
                unsafe { (Box::from_raw(data.cast::<Ready>()), from_glib_none(result)) };
            ready(result);
        }
        if let Some(listener) = self.gio() {
            let ready: Ready = Box::new(put);
            let data = Box::into_raw(Box::new(ready)).cast();
            let listener: *mut gio::ffi::GSocketListener = listener.to_glib_none().0;
            let start = match what {
                What::Connection => gio::ffi::g_socket_listener_accept_async,
                What::Socket => gio::ffi::g_socket_listener_accept_socket_async,
            };
            // SAFETY: live arguments; the callback and its data belong together.
            unsafe { start(listener, cancellable.to_glib_none().0, Some(done), data) };
            return;
        }
        let listener = ours(&self.0);
        let put = |_: &gsock::SocketListener, it: &gio::AsyncResult| put(it.clone());
        match what {
            What::Connection => {
                gsock::SocketListenerExt::accept_async(listener, cancellable, put);
            }
            What::Socket => {
                gsock::SocketListenerExt::accept_socket_async(listener, cancellable, put);
            }
        }
    }

    pub(crate) fn start(&self, cancellable: Option<&Cancellable>) -> Slot<Accepted> {
        let slot = Slot::new();
        let (put, listener) = (slot.put(), self.0.downgrade());
        self.start_raw(What::Connection, cancellable, move |result| {
            let listener = listener.upgrade().expect("the operation keeps it");
            put(finish(&listener, &result));
        });
        slot
    }

    pub(crate) fn run(
        &self,
        form: Form,
        cancellable: Option<&Cancellable>,
        context: &glib::MainContext,
    ) -> Accepted {
        match form {
            Form::Blocking => self.accept(cancellable),
            Form::Callback => self.start(cancellable).wait(context),
        }
    }

    /// The events: `B`inding, `b`ound, `L`istening, `l`istened, each with the family of its socket.
    pub(crate) fn events(&self) -> Rc<RefCell<String>> {
        let seen = Rc::new(RefCell::new(String::new()));
        let letters = seen.clone();
        self.on_event(move |event, socket| {
            letters.borrow_mut().push_str(&letters_of(event, socket));
        });
        seen
    }

    pub(crate) fn on_event(&self, f: impl Fn(Event, &gio::Socket) + 'static) {
        self.0.connect_local("event", false, move |values| {
            f(values[1].get().unwrap(), &values[2].get().unwrap());
            None
        });
    }

    // --- Of a service ----------------------------------------------------------------------------

    pub(crate) fn is_active(&self) -> bool {
        match self.0.downcast_ref::<gio::SocketService>() {
            Some(service) => SocketServiceExt::is_active(service),
            None => gsock::SocketServiceExt::is_active(our_service(&self.0)),
        }
    }

    pub(crate) fn start_service(&self) {
        match self.0.downcast_ref::<gio::SocketService>() {
            Some(service) => SocketServiceExt::start(service),
            None => gsock::SocketServiceExt::start(our_service(&self.0)),
        }
    }

    pub(crate) fn stop_service(&self) {
        match self.0.downcast_ref::<gio::SocketService>() {
            Some(service) => SocketServiceExt::stop(service),
            None => gsock::SocketServiceExt::stop(our_service(&self.0)),
        }
    }

    /// `incoming` or `run`, on whichever thread, as C has it.
    pub(crate) fn on_connection(
        &self,
        signal: &str,
        f: impl Fn(gio::IOStream, Option<glib::Object>) -> bool + 'static,
    ) {
        struct Anywhere<F>(F);
        // SAFETY: the handlers of these tests put what they are called with behind a lock, if anywhere.
        unsafe impl<F> Send for Anywhere<F> {}
        // SAFETY: likewise.
        unsafe impl<F> Sync for Anywhere<F> {}
        impl<F> Anywhere<F> {
            fn get(&self) -> &F {
                &self.0
            }
        }
        let f = Anywhere(f);
        self.0.connect(signal, false, move |values| {
            let answer = f.get()(values[1].get().unwrap(), values[2].get().unwrap());
            Some(answer.to_value())
        });
    }

    /// Stops, and lets what was under way end.
    pub(crate) fn end_service(self, context: &glib::MainContext) {
        self.stop_service();
        iterate_for(context, Duration::from_millis(5));
        self.close();
    }
}

pub(crate) fn letters_of(event: Event, socket: &gio::Socket) -> String {
    let letter = match event {
        Event::Binding => 'B',
        Event::Bound => 'b',
        Event::Listening => 'L',
        Event::Listened => 'l',
        _ => '?',
    };
    let family = match socket.family() {
        gio::SocketFamily::Ipv4 => '4',
        gio::SocketFamily::Ipv6 => '6',
        gio::SocketFamily::Unix => 'u',
        _ => '?',
    };
    String::from_iter([letter, family])
}

/// Without the prefix that tells whose class it is.
pub(crate) fn name_of(type_: glib::Type) -> String {
    type_.name().replacen("Gsock", "G", 1)
}

pub(crate) fn std_address(address: &gio::SocketAddress) -> SocketAddr {
    let address = address.downcast_ref::<gio::InetSocketAddress>();
    let address = address.expect("an internet address");
    let text = address.address().to_str();
    SocketAddr::new(text.parse().expect("a numeric address"), address.port())
}

/// Of the other end of a connection of either class.
pub(crate) fn peer_of(stream: &gio::IOStream) -> SocketAddr {
    let socket: gio::Socket = stream.property("socket");
    std_address(&socket.remote_address().expect("connected"))
}

/// A port that is free in both families, and not one that the kernel gives to those who want any.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).expect("small") * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        if TcpListener::bind(("::", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) fn client_of(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("it listens");
    client
        .set_read_timeout(Some(LIMIT * slowness()))
        .expect("an option");
    client
}

/// A mark to tell source objects apart by.
pub(crate) fn mark() -> glib::Object {
    Cancellable::new().upcast()
}

/// Whether the peer has closed, within the limit of the reads.
pub(crate) fn is_left(client: &mut TcpStream) -> bool {
    matches!(client.read(&mut [0; 1]), Ok(0))
}

/// An integer option of a socket.
pub(crate) fn option_of(socket: &gio::Socket, level: i32, name: i32) -> i32 {
    socket.option(level, name).expect("an option")
}

/// How many connections the kernel is told to keep for it, and how many there are.
pub(crate) fn queue_of(socket: &gio::Socket) -> (u32, u32) {
    use std::os::fd::AsRawFd;
    // SAFETY: all zero is a valid value of the kernel's struct.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut size = size_of_val(&info) as libc::socklen_t;
    // SAFETY: an open descriptor, and room for the answer.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut size,
        )
    };
    assert_eq!(got, 0);
    // Of a listening socket these two say it.
    (info.tcpi_sacked, info.tcpi_unacked)
}
