//! A resolver whose answers stand in the name, connectables of the tests' own, and what both forms of a
//! connect have in common.

use std::{
    cell::{Cell, RefCell},
    io::Read,
    net::{SocketAddr, TcpListener},
    os::fd::AsFd,
    rc::Rc,
    sync::Once,
    thread::{self, JoinHandle},
    time::Duration,
};

use gio::{
    Cancellable, SocketClientEvent as Event, SocketConnectable, ffi as gio_ffi, prelude::*,
    subclass::prelude::*,
};
use glib::{
    ffi::{GError, gpointer},
    gobject_ffi,
    subclass::types::IsImplementable,
    translate::{IntoGlibPtr, ToGlibPtr, from_glib_none},
};
use gsock::{SocketClient, SocketConnection, prelude::*};

use crate::support::*;

// --- A resolver ----------------------------------------------------------------------------------

/// `v6-ok-20.v4-error-0.test`: what IPv6 answers after 20 ms, and IPv4 at once. `ok` is the loopback address of
/// the family, `none` an empty answer, `never` no answer. What begins with `restless` leaves a source behind that is always
/// ready.
pub(crate) fn use_resolver_of_names() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        // So that there is its type.
        drop(gio::Resolver::default());
        glib::Object::new::<NameResolver>().set_default();
    });
}

/// What resolves names where no test has put anything in its place.
pub(crate) fn system_resolver() -> gio::Resolver {
    use_resolver_of_names();
    let type_ = glib::Type::from_name("GThreadedResolver").expect("it was the default once");
    glib::Object::with_type(type_).downcast().unwrap()
}

mod resolver {
    use super::*;

    #[derive(Debug, Default)]
    pub struct NameResolver;

    #[glib::object_subclass]
    impl ObjectSubclass for NameResolver {
        const NAME: &'static str = "GsockTestNameResolver";
        type Type = super::NameResolver;
        type ParentType = gio::Resolver;
    }

    impl ObjectImpl for NameResolver {}
}

glib::wrapper! {
    pub struct NameResolver(ObjectSubclass<resolver::NameResolver>) @extends gio::Resolver;
}

unsafe impl IsSubclassable<resolver::NameResolver> for gio::Resolver {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<resolver::NameResolver>(class);
        let class: *mut glib::Class<Self> = class;
        let class = unsafe { &mut *class.cast::<gio_ffi::GResolverClass>() };
        class.lookup_by_name_with_flags_async = Some(lookup_async);
        class.lookup_by_name_with_flags_finish = Some(lookup_finish);
        class.lookup_by_name_with_flags = Some(lookup);
        class.lookup_by_name_async = Some(lookup_both_async);
        class.lookup_by_name_finish = Some(lookup_finish);
        class.lookup_by_name = Some(lookup_both);
        class.lookup_service_async = Some(service_async);
        class.lookup_service_finish = Some(service_finish);
    }
}

thread_local! {
    static LOOKUPS: Cell<u32> = const { Cell::new(0) };
}

/// How often this thread has asked the resolver for addresses since.
pub(crate) fn lookups() -> u32 {
    LOOKUPS.take()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Ok,
    None,
    Error,
    Never,
}

/// What `name` says of a family: the answer and its delay.
fn answer_of(name: &str, family: &str) -> (Answer, u64) {
    let part = name
        .split('.')
        .find_map(|part| part.strip_prefix(family))
        .unwrap_or("-error-0");
    let mut words = part.split('-').skip(1);
    let answer = match words.next() {
        Some("ok") => Answer::Ok,
        Some("none") => Answer::None,
        Some("never") => Answer::Never,
        _ => Answer::Error,
    };
    (
        answer,
        words.next().and_then(|it| it.parse().ok()).unwrap_or(0),
    )
}

fn addresses(answer: Answer, family: &str) -> Result<Vec<gio::InetAddress>, glib::Error> {
    let address = match (answer, family) {
        (Answer::Error | Answer::Never, _) => {
            let text = format!("no address of {family}");
            return Err(glib::Error::new(gio::ResolverError::NotFound, &text));
        }
        (Answer::None, _) => return Ok(Vec::new()),
        (Answer::Ok, "v6") => "::1",
        (Answer::Ok, _) => "127.0.0.1",
    };
    Ok(vec![gio::InetAddress::from_string(address).unwrap()])
}

unsafe fn list_of(found: Vec<gio::InetAddress>) -> *mut glib::ffi::GList {
    found
        .into_iter()
        .rev()
        .fold(std::ptr::null_mut(), |list, address| {
            let address: *mut gio_ffi::GInetAddress = address.into_glib_ptr();
            unsafe { glib::ffi::g_list_prepend(list, address.cast()) }
        })
}

/// Of an answer that nobody fetches.
unsafe extern "C" fn free_list(list: gpointer) {
    unsafe { gio_ffi::g_resolver_free_addresses(list.cast()) };
}

unsafe fn answer_later(
    resolver: *mut gio_ffi::GResolver,
    name: &str,
    families: &[&str],
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let task = unsafe { gio_ffi::g_task_new(resolver.cast(), cancellable, callback, data) };
    unsafe { gio_ffi::g_task_set_return_on_cancel(task, glib::ffi::GFALSE) };
    let answers: Vec<_> = families
        .iter()
        .map(|family| (*family, answer_of(name, family)))
        .map(|(family, (answer, delay))| (delay, answer, addresses(answer, family)))
        .collect();
    let delay = answers.iter().map(|(delay, ..)| *delay).max().unwrap_or(0);
    let never = answers
        .iter()
        .any(|(_, answer, _)| *answer == Answer::Never);
    let mut found = Ok(Vec::new());
    for (_, _, one) in answers {
        found = match (found, one) {
            (Ok(mut all), Ok(one)) => {
                all.extend(one);
                Ok(all)
            }
            (Ok(all), Err(failure)) if all.is_empty() => Err(failure),
            (Err(_), Ok(one)) => Ok(one),
            (found, _) => found,
        };
    }
    // One that never answers ends when it is cancelled, as any must.
    let cancellable: Option<Cancellable> = unsafe { from_glib_none(cancellable) };
    // As a number, which may be sent.
    let task = task as usize;
    let answer = move || {
        let task = task as *mut gio_ffi::GTask;
        match found.clone() {
            Ok(found) => unsafe {
                gio_ffi::g_task_return_pointer(task, list_of(found).cast(), Some(free_list));
            },
            Err(failure) => unsafe {
                gio_ffi::g_task_return_error(task, failure.into_glib_ptr());
            },
        }
        unsafe { gobject_ffi::g_object_unref(task.cast()) };
    };
    let end = std::time::Instant::now() + Duration::from_millis(delay);
    let source = glib::source::timeout_source_new(
        Duration::from_millis(if never { 2 } else { delay.min(2) }),
        None,
        glib::Priority::DEFAULT,
        {
            let mut answer = Some(answer);
            move || {
                let cancelled = cancellable.as_ref().is_some_and(|it| it.is_cancelled());
                let is_time = !never && std::time::Instant::now() >= end;
                if !(cancelled || is_time) {
                    return glib::ControlFlow::Continue;
                }
                if let Some(answer) = answer.take() {
                    answer();
                }
                glib::ControlFlow::Break
            }
        },
    );
    source.attach(Some(&glib::MainContext::ref_thread_default()));
}

unsafe fn name_of(name: *const std::ffi::c_char) -> String {
    unsafe { std::ffi::CStr::from_ptr(name) }
        .to_string_lossy()
        .into_owned()
}

unsafe extern "C" fn lookup_async(
    resolver: *mut gio_ffi::GResolver,
    name: *const std::ffi::c_char,
    flags: gio_ffi::GResolverNameLookupFlags,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    LOOKUPS.set(LOOKUPS.get() + 1);
    let name = unsafe { name_of(name) };
    if name.starts_with("restless.") {
        // It goes on with something, and nobody can end that.
        let source = glib::source::idle_source_new(None, glib::Priority::DEFAULT, || {
            glib::ControlFlow::Continue
        });
        source.attach(Some(&glib::MainContext::ref_thread_default()));
    }
    let families: &[&str] = match flags {
        gio_ffi::G_RESOLVER_NAME_LOOKUP_FLAGS_IPV6_ONLY => &["v6"],
        gio_ffi::G_RESOLVER_NAME_LOOKUP_FLAGS_IPV4_ONLY => &["v4"],
        _ => &["v6", "v4"],
    };
    unsafe { answer_later(resolver, &name, families, cancellable, callback, data) };
}

unsafe extern "C" fn lookup_both_async(
    resolver: *mut gio_ffi::GResolver,
    name: *const std::ffi::c_char,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    unsafe { lookup_async(resolver, name, 0, cancellable, callback, data) };
}

unsafe extern "C" fn lookup_finish(
    _: *mut gio_ffi::GResolver,
    result: *mut gio_ffi::GAsyncResult,
    error: *mut *mut GError,
) -> *mut glib::ffi::GList {
    unsafe { gio_ffi::g_task_propagate_pointer(result.cast(), error) }.cast()
}

unsafe extern "C" fn lookup(
    _: *mut gio_ffi::GResolver,
    name: *const std::ffi::c_char,
    _flags: gio_ffi::GResolverNameLookupFlags,
    _: *mut gio_ffi::GCancellable,
    error: *mut *mut GError,
) -> *mut glib::ffi::GList {
    LOOKUPS.set(LOOKUPS.get() + 1);
    let name = unsafe { name_of(name) };
    let mut all = Vec::new();
    let mut failure = None;
    for family in ["v6", "v4"] {
        match addresses(answer_of(&name, family).0, family) {
            Ok(found) => all.extend(found),
            Err(it) => failure = Some(it),
        }
    }
    match failure.filter(|_| all.is_empty()) {
        Some(failure) => {
            unsafe { *error = failure.into_glib_ptr() };
            std::ptr::null_mut()
        }
        None => unsafe { list_of(all) },
    }
}

unsafe extern "C" fn lookup_both(
    resolver: *mut gio_ffi::GResolver,
    name: *const std::ffi::c_char,
    cancellable: *mut gio_ffi::GCancellable,
    error: *mut *mut GError,
) -> *mut glib::ffi::GList {
    unsafe { lookup(resolver, name, 0, cancellable, error) }
}

/// `_service._tcp.HOST*PORT.HOST*PORT…`: its targets; none, which is NOT_FOUND, where there is no such word.
unsafe extern "C" fn service_async(
    resolver: *mut gio_ffi::GResolver,
    name: *const std::ffi::c_char,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let task = unsafe { gio_ffi::g_task_new(resolver.cast(), cancellable, callback, data) };
    let name = unsafe { name_of(name) };
    let targets: Vec<gio::SrvTarget> = name
        .split('.')
        .filter_map(|word| word.split_once('x'))
        .filter_map(|(host, port)| Some((host, port.parse().ok()?)))
        .enumerate()
        .map(|(at, (host, port))| {
            // Dots and dashes cannot stand in a part of a name: v4_ok_0 is one.
            let host = format!("{}.test", host.replace('_', "-"));
            gio::SrvTarget::new(&host, port, at as u16, 0)
        })
        .collect();
    if targets.is_empty() {
        let failure = glib::Error::new(gio::ResolverError::NotFound, "no such service");
        unsafe { gio_ffi::g_task_return_error(task, failure.into_glib_ptr()) };
    } else {
        let list = targets
            .iter()
            .rev()
            .fold(std::ptr::null_mut(), |list, target| {
                let target: *mut gio_ffi::GSrvTarget = target.to_glib_full();
                unsafe { glib::ffi::g_list_prepend(list, target.cast()) }
            });
        unsafe { gio_ffi::g_task_return_pointer(task, list.cast(), Some(free_targets)) };
    }
    unsafe { gobject_ffi::g_object_unref(task.cast()) };
}

unsafe extern "C" fn free_targets(list: gpointer) {
    unsafe { gio_ffi::g_resolver_free_targets(list.cast()) };
}

unsafe extern "C" fn service_finish(
    _: *mut gio_ffi::GResolver,
    result: *mut gio_ffi::GAsyncResult,
    error: *mut *mut GError,
) -> *mut glib::ffi::GList {
    unsafe { gio_ffi::g_task_propagate_pointer(result.cast(), error) }.cast()
}

// --- A connectable ---------------------------------------------------------------------------------

/// What an enumerator of a test answers next.
#[derive(Clone, Debug)]
pub enum Next {
    Address(SocketAddr),
    Error(gio::IOErrorEnum),
    End,
}

type Script = Rc<RefCell<std::collections::VecDeque<Next>>>;

/// How long an answer takes, and how many calls of one enumerator have waited at once at most.
#[derive(Clone, Debug)]
pub struct Patience {
    pub(crate) delay: Duration,
    pub(crate) most: Rc<Cell<u32>>,
}

mod enumerator {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Scripted {
        pub script: RefCell<Script>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Scripted {
        const NAME: &'static str = "GsockTestEnumerator";
        type Type = ScriptedEnumerator;
        type ParentType = gio::SocketAddressEnumerator;
    }

    impl ObjectImpl for Scripted {}

    /// Answers later, and counts how many wait for that.
    #[derive(Debug, Default)]
    pub struct Patient {
        pub script: RefCell<Script>,
        pub patience: RefCell<Option<Patience>>,
        pub waiting: Cell<u32>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Patient {
        const NAME: &'static str = "GsockTestPatientEnumerator";
        type Type = PatientEnumerator;
        type ParentType = gio::SocketAddressEnumerator;
    }

    impl ObjectImpl for Patient {}

    #[derive(Debug, Default)]
    pub struct Connectable {
        pub script: RefCell<Script>,
        pub patience: RefCell<Option<Patience>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Connectable {
        const NAME: &'static str = "GsockTestConnectable";
        type Type = ScriptedConnectable;
        type Interfaces = (SocketConnectable,);
    }

    impl ObjectImpl for Connectable {}
}

glib::wrapper! {
    pub struct ScriptedEnumerator(ObjectSubclass<enumerator::Scripted>)
        @extends gio::SocketAddressEnumerator;
}

glib::wrapper! {
    pub struct PatientEnumerator(ObjectSubclass<enumerator::Patient>)
        @extends gio::SocketAddressEnumerator;
}

glib::wrapper! {
    pub struct ScriptedConnectable(ObjectSubclass<enumerator::Connectable>)
        @implements SocketConnectable;
}

unsafe impl IsSubclassable<enumerator::Scripted> for gio::SocketAddressEnumerator {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<enumerator::Scripted>(class);
        let class: *mut glib::Class<Self> = class;
        let class = unsafe { &mut *class.cast::<gio_ffi::GSocketAddressEnumeratorClass>() };
        class.next = Some(next);
    }
}

thread_local! {
    /// That in which an enumerator of this thread was called last.
    static CALLED_IN: RefCell<Option<glib::MainContext>> = const { RefCell::new(None) };
}

pub(crate) fn enumerator_was_called_in() -> Option<glib::MainContext> {
    CALLED_IN.take()
}

unsafe extern "C" fn next(
    enumerator: *mut gio_ffi::GSocketAddressEnumerator,
    _: *mut gio_ffi::GCancellable,
    error: *mut *mut GError,
) -> *mut gio_ffi::GSocketAddress {
    let enumerator: gio::SocketAddressEnumerator = unsafe { from_glib_none(enumerator) };
    let enumerator = enumerator.downcast::<ScriptedEnumerator>().unwrap();
    CALLED_IN.replace(Some(glib::MainContext::ref_thread_default()));
    let script = enumerator.imp().script.borrow().clone();
    let next = script.borrow_mut().pop_front();
    match next {
        Some(Next::Address(address)) => {
            let address: gio::SocketAddress = gio_address(address).upcast();
            address.into_glib_ptr()
        }
        Some(Next::Error(code)) => {
            unsafe { *error = glib::Error::new(code, "of the enumerator").into_glib_ptr() };
            std::ptr::null_mut()
        }
        Some(Next::End) | None => std::ptr::null_mut(),
    }
}

unsafe impl IsSubclassable<enumerator::Patient> for gio::SocketAddressEnumerator {
    fn class_init(class: &mut glib::Class<Self>) {
        Self::parent_class_init::<enumerator::Patient>(class);
        let class: *mut glib::Class<Self> = class;
        let class = unsafe { &mut *class.cast::<gio_ffi::GSocketAddressEnumeratorClass>() };
        class.next_async = Some(patient_next_async);
        class.next_finish = Some(patient_next_finish);
    }
}

unsafe extern "C" fn patient_next_async(
    enumerator: *mut gio_ffi::GSocketAddressEnumerator,
    cancellable: *mut gio_ffi::GCancellable,
    callback: gio_ffi::GAsyncReadyCallback,
    data: gpointer,
) {
    let task = unsafe { gio_ffi::g_task_new(enumerator.cast(), cancellable, callback, data) };
    let enumerator: gio::SocketAddressEnumerator = unsafe { from_glib_none(enumerator) };
    let enumerator = enumerator.downcast::<PatientEnumerator>().unwrap();
    let imp = enumerator.imp();
    let patience = imp.patience.borrow().clone().unwrap();
    imp.waiting.set(imp.waiting.get() + 1);
    let most = patience.most.get().max(imp.waiting.get());
    patience.most.set(most);
    glib::source::timeout_source_new(patience.delay, None, glib::Priority::DEFAULT, {
        // Sent to where it is: sources may go to other threads.
        let (enumerator, task) = (
            glib::thread_guard::ThreadGuard::new(enumerator),
            task as usize,
        );
        move || {
            let task = task as *mut gio_ffi::GTask;
            let imp = enumerator.get_ref().imp();
            imp.waiting.set(imp.waiting.get() - 1);
            let next = imp.script.borrow().borrow_mut().pop_front();
            unsafe {
                match next {
                    Some(Next::Address(address)) => {
                        let address: gio::SocketAddress = gio_address(address).upcast();
                        let address: *mut gio_ffi::GSocketAddress = address.into_glib_ptr();
                        gio_ffi::g_task_return_pointer(task, address.cast(), Some(unref));
                    }
                    Some(Next::Error(code)) => {
                        let failure = glib::Error::new(code, "of the enumerator");
                        gio_ffi::g_task_return_error(task, failure.into_glib_ptr());
                    }
                    Some(Next::End) | None => {
                        gio_ffi::g_task_return_pointer(task, std::ptr::null_mut(), None);
                    }
                }
                gobject_ffi::g_object_unref(task.cast());
            }
            glib::ControlFlow::Break
        }
    })
    .attach(Some(&glib::MainContext::ref_thread_default()));
}

/// Of an answer that nobody fetches.
unsafe extern "C" fn unref(object: gpointer) {
    unsafe { gobject_ffi::g_object_unref(object.cast()) };
}

unsafe extern "C" fn patient_next_finish(
    _: *mut gio_ffi::GSocketAddressEnumerator,
    result: *mut gio_ffi::GAsyncResult,
    error: *mut *mut GError,
) -> *mut gio_ffi::GSocketAddress {
    unsafe { gio_ffi::g_task_propagate_pointer(result.cast(), error) }.cast()
}

unsafe impl IsImplementable<enumerator::Connectable> for SocketConnectable {
    fn interface_init(iface: &mut glib::Interface<Self>) {
        let iface: *mut glib::Interface<Self> = iface;
        let iface = unsafe { &mut *iface.cast::<gio_ffi::GSocketConnectableIface>() };
        iface.enumerate = Some(enumerate);
    }
}

unsafe extern "C" fn enumerate(
    connectable: *mut gio_ffi::GSocketConnectable,
) -> *mut gio_ffi::GSocketAddressEnumerator {
    let connectable: SocketConnectable = unsafe { from_glib_none(connectable) };
    let connectable = connectable.downcast::<ScriptedConnectable>().unwrap();
    // Each begins anew.
    let script = connectable.imp().script.borrow().borrow().clone();
    if let Some(patience) = &*connectable.imp().patience.borrow() {
        let enumerator = glib::Object::new::<PatientEnumerator>();
        let script = Rc::new(RefCell::new(script));
        enumerator.imp().script.replace(script);
        enumerator.imp().patience.replace(Some(patience.clone()));
        return enumerator
            .upcast::<gio::SocketAddressEnumerator>()
            .into_glib_ptr();
    }
    let enumerator = glib::Object::new::<ScriptedEnumerator>();
    enumerator
        .imp()
        .script
        .replace(Rc::new(RefCell::new(script)));
    enumerator
        .upcast::<gio::SocketAddressEnumerator>()
        .into_glib_ptr()
}

/// A connectable with an enumerator that only blocks.
pub(crate) fn scripted(script: impl IntoIterator<Item = Next>) -> ScriptedConnectable {
    let connectable = glib::Object::new::<ScriptedConnectable>();
    let script = Rc::new(RefCell::new(script.into_iter().collect()));
    connectable.imp().script.replace(script);
    connectable
}

/// A connectable whose enumerator takes its time for each answer.
pub(crate) fn scripted_patiently(
    script: impl IntoIterator<Item = Next>,
    delay: Duration,
) -> (ScriptedConnectable, Rc<Cell<u32>>) {
    let connectable = scripted(script);
    let most = Rc::new(Cell::new(0));
    let patience = Patience {
        delay,
        most: most.clone(),
    };
    connectable.imp().patience.replace(Some(patience));
    (connectable, most)
}

// --- Connecting --------------------------------------------------------------------------------------

/// The form of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Blocking,
    Callback,
    Future,
}

pub(crate) const FORMS: [Form; 3] = [Form::Blocking, Form::Callback, Form::Future];

pub(crate) fn connect(
    form: Form,
    client: &SocketClient,
    connectable: &impl IsA<SocketConnectable>,
    cancellable: Option<&Cancellable>,
    context: &glib::MainContext,
) -> Result<SocketConnection, glib::Error> {
    match form {
        Form::Blocking => client.connect(connectable, cancellable),
        Form::Callback => {
            let slot = Rc::new(RefCell::new(None));
            let result = slot.clone();
            client.connect_async(connectable, cancellable, move |client, outcome| {
                result.replace(Some(client.connect_finish(outcome)));
            });
            iterate_until(context, || slot.borrow().is_some());
            slot.take().unwrap()
        }
        Form::Future => {
            assert!(cancellable.is_none(), "a future is dropped");
            block_on(context, client.connect_future(connectable))
        }
    }
}

/// The events of a client as the letters of their names: R and r, C and c, T and t, K for a connection at
/// the end and 0 for none.
pub(crate) fn events(client: &SocketClient) -> Rc<RefCell<String>> {
    let seen = Rc::new(RefCell::new(String::new()));
    let letters = seen.clone();
    client.connect_event(move |_, event, _, stream| {
        letters.borrow_mut().push(letter(event, stream.is_some()));
    });
    seen
}

pub(crate) fn letter(event: Event, has_stream: bool) -> char {
    match event {
        Event::Resolving => 'R',
        Event::Resolved => 'r',
        Event::Connecting => 'C',
        Event::Connected => 'c',
        Event::ProxyNegotiating => 'P',
        Event::ProxyNegotiated => 'p',
        Event::TlsHandshaking => 'T',
        Event::TlsHandshaked => 't',
        Event::Complete if has_stream => 'K',
        Event::Complete => '0',
        other => panic!("an event that there is not: {other:?}"),
    }
}

/// A listener on one of the two loopback addresses, and its port.
pub(crate) fn listener_on(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).expect("loopback has both families");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// Listeners on both, with one port.
pub(crate) fn listeners_of_both_families() -> (TcpListener, TcpListener, u16) {
    // Another process may have the other one's.
    (0..100)
        .find_map(|_| {
            let (six, port) = listener_on("::1");
            let four = TcpListener::bind(("127.0.0.1", port)).ok()?;
            Some((six, four, port))
        })
        .expect("a port that is free in both families")
}

/// A listener of IPv6 with the port of one of IPv4 whose queue is full.
pub(crate) fn listener_beside_a_deaf_one() -> (TcpListener, Deaf) {
    (0..100)
        .find_map(|_| {
            let deaf = deaf_listener();
            let six = TcpListener::bind(("::1", deaf.address.port())).ok()?;
            Some((six, deaf))
        })
        .expect("a port that is free in both families")
}

/// A listener whose queue is full for a while: a connect to it succeeds when the kernel tries again, after a second.
pub(crate) fn slow_listener() -> (SocketAddr, JoinHandle<()>) {
    let socket = ipv4_socket();
    socket
        .bind(&gio_address(([127, 0, 0, 1], 0).into()), false)
        .unwrap();
    socket.set_listen_backlog(0);
    socket.listen().unwrap();
    let bound = socket.local_address().unwrap();
    let port = bound.downcast::<gio::InetSocketAddress>().unwrap().port();
    let address = SocketAddr::new([127, 0, 0, 1].into(), port);
    let queue: Vec<_> = (0..4)
        .map(|_| {
            let filler = ipv4_socket();
            filler.set_blocking(false);
            let _ = SocketExt::connect(&filler, &gio_address(address), Cancellable::NONE);
            filler
        })
        .collect();
    thread::sleep(Duration::from_millis(50));
    drop(queue);
    let listener = TcpListener::from(socket.as_fd().try_clone_to_owned().unwrap());
    listener.set_nonblocking(false).unwrap();
    let accepting = thread::spawn(move || {
        thread::sleep(Duration::from_millis(600));
        // What filled the queue, then the one that is in earnest, which is read from until it goes.
        while let Ok((mut peer, _)) = listener.accept() {
            if peer.read(&mut [0]).is_ok_and(|count| count == 1) {
                return;
            }
        }
    });
    (address, accepting)
}

pub(crate) fn name(name: &str, port: u16) -> gio::NetworkAddress {
    use_resolver_of_names();
    gio::NetworkAddress::new(name, port)
}
