//! What the groups of tests of faults share: operations as C starts them, what must be gone.

use std::{
    cell::{Cell, RefCell, UnsafeCell},
    future::Future,
    io::{Read, Write},
    net::TcpStream,
    os::fd::{AsRawFd, RawFd},
    pin::Pin,
    ptr,
    rc::Rc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use gio::{IOErrorEnum as E, prelude::*};
use glib::{
    ffi::{GFALSE, gpointer},
    translate::{ToGlibPtr, from_glib_full, from_glib_none},
};
use gsock::{SocketConnection, prelude::*, subclass::SocketConnectionClass};

use crate::support::*;

pub(crate) type Finish =
    fn(*mut glib::gobject_ffi::GObject, *mut gio::ffi::GAsyncResult) -> Outcome;
pub(crate) type Outcome = Result<usize, glib::Error>;

/// An operation that was started through C: how often it called back, and with what.
pub(crate) struct Started {
    calls: Cell<u32>,
    finish: Finish,
    /// Whether the callback leaves the result to the test.
    later: bool,
    outcome: RefCell<Option<Outcome>>,
    result: RefCell<Option<gio::AsyncResult>>,
    task: RefCell<Option<Gone>>,
    buffer: UnsafeCell<Vec<u8>>,
}

thread_local! {
    /// Until the thread ends, so that a callback too many finds its data.
    static STARTED: RefCell<Vec<Rc<Started>>> = const { RefCell::new(Vec::new()) };
}

impl Started {
    pub(crate) fn new(finish: Finish, later: bool, buffer: Vec<u8>) -> Rc<Self> {
        let started = Rc::new(Self {
            calls: Cell::new(0),
            finish,
            later,
            outcome: RefCell::default(),
            result: RefCell::default(),
            task: RefCell::default(),
            buffer: UnsafeCell::new(buffer),
        });
        STARTED.with_borrow_mut(|all| all.push(started.clone()));
        started
    }

    pub(crate) fn data(&self) -> gpointer {
        ptr::from_ref(self).cast_mut().cast()
    }

    pub(crate) fn buffer(&self) -> (*mut u8, usize) {
        // SAFETY: nobody looks at the bytes while the operation has them.
        let buffer = unsafe { &mut *self.buffer.get() };
        (buffer.as_mut_ptr(), buffer.len())
    }

    pub(crate) fn bytes(&self, count: usize) -> Vec<u8> {
        assert_eq!(
            self.calls.get(),
            1,
            "the buffer is the operation's until it ends"
        );
        // SAFETY: the operation has ended.
        unsafe { (&(*self.buffer.get()))[..count].to_vec() }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.calls.get() != 0
    }

    /// What the finish function said in the callback, which came exactly once.
    #[track_caller]
    pub(crate) fn outcome(&self) -> Outcome {
        assert_eq!(self.calls.get(), 1, "callbacks");
        self.outcome.take().expect("finished in the callback")
    }

    #[track_caller]
    pub(crate) fn result(&self) -> gio::AsyncResult {
        assert_eq!(self.calls.get(), 1, "callbacks");
        self.result.take().expect("left to the test")
    }

    pub(crate) fn is_task_gone(&self) -> bool {
        self.task.borrow().as_ref().is_some_and(Gone::is_gone)
    }
}

pub(crate) unsafe extern "C" fn on_ready(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
    data: gpointer,
) {
    // SAFETY: `STARTED` keeps it.
    let started = unsafe { &*data.cast::<Started>() };
    started.calls.set(started.calls.get() + 1);
    // SAFETY: a live result, in its callback.
    let task: gio::AsyncResult = unsafe { from_glib_none(result) };
    *started.task.borrow_mut() = Some(Gone::of(&task));
    if started.later {
        *started.result.borrow_mut() = Some(task);
    } else {
        *started.outcome.borrow_mut() = Some((started.finish)(source, result));
    }
}

/// What a C function said through a return value and a `GError`; exactly one of both.
pub(crate) fn said<T>(
    value: T,
    failed: bool,
    failure: *mut glib::ffi::GError,
) -> Result<T, glib::Error> {
    assert_eq!(
        failed,
        !failure.is_null(),
        "a failure has an error, a success has none"
    );
    if failed {
        // SAFETY: a set error is the caller's to free.
        return Err(unsafe { from_glib_full(failure) });
    }
    Ok(value)
}

pub(crate) fn class_of(connection: &SocketConnection) -> &'static SocketConnectionClass {
    // SAFETY: an instance begins with its class, which stays as long as the process.
    unsafe { &**connection.as_ptr().cast::<*const SocketConnectionClass>() }
}

pub(crate) fn finish_connect(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: called with a connection.
    let done = unsafe {
        let class = &**source.cast::<*const SocketConnectionClass>();
        class.connect_finish.expect("a slot")(source.cast(), result, &raw mut failure)
    };
    said(0, done == GFALSE, failure)
}

pub(crate) fn finish_read(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: called with an input stream.
    let count =
        unsafe { gio::ffi::g_input_stream_read_finish(source.cast(), result, &raw mut failure) };
    said(usize::try_from(count).unwrap_or(0), count < 0, failure)
}

pub(crate) fn finish_write(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: called with an output stream.
    let count =
        unsafe { gio::ffi::g_output_stream_write_finish(source.cast(), result, &raw mut failure) };
    said(usize::try_from(count).unwrap_or(0), count < 0, failure)
}

pub(crate) fn finish_close(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: called with a connection.
    let done =
        unsafe { gio::ffi::g_io_stream_close_finish(source.cast(), result, &raw mut failure) };
    said(0, done == GFALSE, failure)
}

/// The class' own finish of a close, as a subclass in C calls it for its parent.
pub(crate) fn finish_close_slot(
    source: *mut glib::gobject_ffi::GObject,
    result: *mut gio::ffi::GAsyncResult,
) -> Outcome {
    let mut failure = ptr::null_mut();
    // SAFETY: called with a connection.
    let done = unsafe {
        let class = &**source.cast::<*const SocketConnectionClass>();
        class.parent_class.close_finish.expect("a slot")(source.cast(), result, &raw mut failure)
    };
    said(0, done == GFALSE, failure)
}

pub(crate) fn connect_started(
    connection: &SocketConnection,
    address: &impl IsA<gio::SocketAddress>,
    cancellable: Option<&gio::Cancellable>,
    later: bool,
) -> Rc<Started> {
    let started = Started::new(finish_connect, later, Vec::new());
    let slot = class_of(connection).connect_async.expect("a slot");
    // SAFETY: live arguments; the data lives as long as the thread.
    unsafe {
        slot(
            connection.as_ptr(),
            address.as_ref().to_glib_none().0,
            cancellable.to_glib_none().0,
            Some(on_ready),
            started.data(),
        );
    }
    started
}

pub(crate) fn start_connect(
    connection: &SocketConnection,
    address: &impl IsA<gio::SocketAddress>,
    cancellable: Option<&gio::Cancellable>,
) -> Rc<Started> {
    connect_started(connection, address, cancellable, false)
}

pub(crate) fn read_started(
    stream: &gio::InputStream,
    count: usize,
    cancellable: Option<&gio::Cancellable>,
    later: bool,
) -> Rc<Started> {
    let started = Started::new(finish_read, later, vec![0; count]);
    let (buffer, count) = started.buffer();
    // SAFETY: live arguments; buffer and data live as long as the thread.
    unsafe {
        gio::ffi::g_input_stream_read_async(
            stream.to_glib_none().0,
            buffer.cast(),
            count,
            0,
            cancellable.to_glib_none().0,
            Some(on_ready),
            started.data(),
        );
    }
    started
}

pub(crate) fn start_read(
    connection: &SocketConnection,
    count: usize,
    cancellable: Option<&gio::Cancellable>,
) -> Rc<Started> {
    read_started(&connection.input_stream(), count, cancellable, false)
}

pub(crate) fn write_started(
    stream: &gio::OutputStream,
    bytes: Vec<u8>,
    cancellable: Option<&gio::Cancellable>,
    later: bool,
) -> Rc<Started> {
    let started = Started::new(finish_write, later, bytes);
    let (buffer, count) = started.buffer();
    // SAFETY: live arguments; buffer and data live as long as the thread.
    unsafe {
        gio::ffi::g_output_stream_write_async(
            stream.to_glib_none().0,
            buffer.cast(),
            count,
            0,
            cancellable.to_glib_none().0,
            Some(on_ready),
            started.data(),
        );
    }
    started
}

pub(crate) fn start_write(
    connection: &SocketConnection,
    bytes: Vec<u8>,
    cancellable: Option<&gio::Cancellable>,
) -> Rc<Started> {
    write_started(&connection.output_stream(), bytes, cancellable, false)
}

pub(crate) fn close_started(
    connection: &SocketConnection,
    cancellable: Option<&gio::Cancellable>,
    later: bool,
) -> Rc<Started> {
    let started = Started::new(finish_close, later, Vec::new());
    // SAFETY: live arguments; the data lives as long as the thread.
    unsafe {
        gio::ffi::g_io_stream_close_async(
            connection.upcast_ref::<gio::IOStream>().to_glib_none().0,
            0,
            cancellable.to_glib_none().0,
            Some(on_ready),
            started.data(),
        );
    }
    started
}

pub(crate) fn start_close(
    connection: &SocketConnection,
    cancellable: Option<&gio::Cancellable>,
) -> Rc<Started> {
    close_started(connection, cancellable, false)
}

#[track_caller]
pub(crate) fn ended(context: &glib::MainContext, started: &Started) -> Outcome {
    iterate_until(context, || started.has_ended());
    started.outcome()
}

/// The kernel's name of a socket: a number that no other one has, whatever the descriptor.
#[derive(Clone, Debug)]
pub(crate) struct KernelSocket(String);

impl KernelSocket {
    pub(crate) fn of(fd: RawFd) -> Self {
        let name = std::fs::read_link(format!("/proc/self/fd/{fd}")).expect("an open descriptor");
        Self(name.to_string_lossy().into_owned())
    }

    pub(crate) fn of_connection(connection: &SocketConnection) -> Self {
        Self::of(connection.socket().as_raw_fd())
    }

    /// Whether any descriptor of this process is it.
    pub(crate) fn is_open(&self) -> bool {
        let entries = std::fs::read_dir("/proc/self/fd").expect("a directory");
        entries
            .flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .any(|name| name.to_string_lossy() == self.0)
    }
}

/// The kernel's state of a TCP socket; 7 is CLOSE: nothing is connected and nothing in flight.
pub(crate) fn tcp_state(fd: RawFd) -> u8 {
    let mut info = [0_u8; 4];
    let mut len = info.len() as libc::socklen_t;
    // SAFETY: the buffer is as long as said.
    let got = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    assert_eq!(got, 0);
    info[0]
}

pub(crate) const TCP_CLOSE: u8 = 7;

/// Nothing is left in the context that has to run; a source that is always ready would be.
#[track_caller]
pub(crate) fn assert_idle(context: &glib::MainContext) {
    let rest = (0..10_000).position(|_| !context.iteration(false));
    assert!(
        rest.is_some(),
        "something is left in the context, and runs without end"
    );
}

/// What must be gone when all is over.
pub(crate) struct Traces {
    objects: Vec<(&'static str, Gone)>,
    kernel: KernelSocket,
}

impl Traces {
    pub(crate) fn of(connection: &SocketConnection) -> Self {
        let socket = connection.socket();
        Self {
            kernel: KernelSocket::of(socket.as_raw_fd()),
            objects: vec![
                ("connection", Gone::of(connection)),
                ("socket", Gone::of(&socket)),
                ("input stream", Gone::of(&connection.input_stream())),
                ("output stream", Gone::of(&connection.output_stream())),
            ],
        }
    }

    pub(crate) fn and(mut self, name: &'static str, object: &impl IsA<glib::Object>) -> Self {
        self.objects.push((name, Gone::of(object)));
        self
    }

    #[track_caller]
    pub(crate) fn assert_gone(&self, context: &glib::MainContext, operations: &[&Started]) {
        assert_idle(context);
        for (name, gone) in &self.objects {
            assert!(gone.is_gone(), "the {name} is still there");
        }
        for operation in operations {
            assert_eq!(operation.calls.get(), 1, "callbacks");
            assert!(operation.is_task_gone(), "a task is still there");
        }
        assert!(!self.kernel.is_open(), "the descriptor is still open");
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Blocking,
    Async,
    Future,
    C,
}

pub(crate) const FORMS: [Form; 4] = [Form::Blocking, Form::Async, Form::Future, Form::C];

/// Connects in one of the forms, to the end.
pub(crate) fn connect_by(
    form: Form,
    context: &glib::MainContext,
    connection: &SocketConnection,
    address: &impl IsA<gio::SocketAddress>,
) -> Result<(), glib::Error> {
    match form {
        Form::Blocking => connection.connect(address, gio::Cancellable::NONE),
        Form::Async => {
            let outcome = Rc::new(RefCell::new(None));
            let slot = outcome.clone();
            connection.connect_async(
                address,
                gio::Cancellable::NONE,
                move |connection, result| {
                    *slot.borrow_mut() = Some(connection.connect_finish(result));
                },
            );
            iterate_until(context, || outcome.borrow().is_some());
            outcome.take().expect("called back")
        }
        Form::Future => block_on(context, connection.connect_future(address)),
        Form::C => ended(context, &start_connect(connection, address, None)).map(drop),
    }
}

/// Makes a buffer of a socket as small as can be.
pub(crate) fn shrink(fd: RawFd, which: libc::c_int) {
    let least: libc::c_int = 1;
    // SAFETY: the value is as long as said.
    let set = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            which,
            (&raw const least).cast(),
            size_of_val(&least) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
}

/// Writes until the kernel takes no more, and makes sure that it takes none later.
pub(crate) fn fill(connection: &SocketConnection) {
    let output = pollable_output(connection);
    let chunk = vec![b'f'; 256 * 1024];
    let full = loop {
        if let Err(failure) = output.write_nonblocking(&chunk, gio::Cancellable::NONE) {
            break failure;
        }
    };
    assert_eq!(code(&full), E::WouldBlock);
    // TCP would find room for a segment later on; now there is much more queued than may be.
    shrink(connection.socket().as_raw_fd(), libc::SO_SNDBUF);
    let more = output.write_nonblocking(&chunk, gio::Cancellable::NONE);
    assert_fails(more, E::WouldBlock);
}

pub(crate) fn pollable_input(connection: &SocketConnection) -> gio::PollableInputStream {
    connection
        .input_stream()
        .downcast()
        .expect("an interface of it")
}

pub(crate) fn pollable_output(connection: &SocketConnection) -> gio::PollableOutputStream {
    connection
        .output_stream()
        .downcast()
        .expect("an interface of it")
}

/// Bytes go both ways.
#[track_caller]
pub(crate) fn assert_talks(connection: &SocketConnection, peer: &mut TcpStream) {
    let (written, rest) = connection
        .output_stream()
        .write_all(b"ping", gio::Cancellable::NONE)
        .expect("a working connection");
    assert_eq!((written, rest), (4, None));
    let mut buffer = [0; 4];
    peer.read_exact(&mut buffer).expect("four bytes");
    assert_eq!(&buffer, b"ping");
    peer.write_all(b"pong").expect("a working connection");
    let read = connection
        .input_stream()
        .read_all(&mut buffer, gio::Cancellable::NONE);
    assert_eq!(read.expect("a working connection"), (4, None));
    assert_eq!(&buffer, b"pong");
}

/// Bytes come back from an echo server.
#[track_caller]
pub(crate) fn assert_echoes(connection: &SocketConnection) {
    let mut buffer = [0; 4];
    connection
        .output_stream()
        .write_all(b"echo", gio::Cancellable::NONE)
        .expect("a working connection");
    let read = connection
        .input_stream()
        .read_all(&mut buffer, gio::Cancellable::NONE);
    assert_eq!(read.expect("a working connection"), (4, None));
    assert_eq!(&buffer, b"echo");
}

pub(crate) fn read_now(connection: &SocketConnection) -> Result<usize, glib::Error> {
    connection
        .input_stream()
        .read(&mut [0_u8; 16], gio::Cancellable::NONE)
}

pub(crate) fn write_now(connection: &SocketConnection) -> Result<isize, glib::Error> {
    connection
        .output_stream()
        .write(b"data", gio::Cancellable::NONE)
}

/// Every operation of a connection whose socket is closed says so, in every form.
#[track_caller]
pub(crate) fn assert_all_closed(context: &glib::MainContext, connection: &SocketConnection) {
    assert_fails(read_now(connection), E::Closed);
    assert_fails(write_now(connection), E::Closed);
    let input = pollable_input(connection);
    let output = pollable_output(connection);
    let mut buffer = [0; 4];
    assert_fails(
        input.read_nonblocking(&mut buffer, gio::Cancellable::NONE),
        E::Closed,
    );
    assert_fails(
        output.write_nonblocking(b"data", gio::Cancellable::NONE),
        E::Closed,
    );
    assert!(!input.is_readable());
    assert!(!output.is_writable());
    assert_fails(ended(context, &start_read(connection, 4, None)), E::Closed);
    assert_fails(
        ended(context, &start_write(connection, vec![1; 4], None)),
        E::Closed,
    );
    let (_listener, address) = listener();
    for form in FORMS {
        let connected = connect_by(form, context, connection, &gio_address(address));
        assert_fails(connected, E::Closed);
    }
}

pub(crate) fn set_property(object: &SocketConnection, name: &str, value: &glib::Value) {
    let name = std::ffi::CString::new(name).expect("no zero byte");
    // SAFETY: live arguments.
    unsafe {
        glib::gobject_ffi::g_object_set_property(
            object.as_ptr().cast(),
            name.as_ptr(),
            value.to_glib_none().0,
        );
    }
}

/// As `g_object_new (type, "socket", socket, NULL)`.
pub(crate) fn new_in_c(
    type_: glib::Type,
    socket: *mut glib::gobject_ffi::GObject,
) -> SocketConnection {
    use glib::translate::IntoGlib;
    // SAFETY: the arguments are as the property's type wants them, ended by NULL.
    unsafe {
        let object = glib::gobject_ffi::g_object_new(
            type_.into_glib(),
            c"socket".as_ptr(),
            socket,
            ptr::null::<u8>(),
        );
        let object: glib::Object = from_glib_full(object);
        object.downcast().expect("the type asked for")
    }
}

/// As `g_object_set (connection, "socket", socket, NULL)`.
pub(crate) fn set_in_c(connection: &SocketConnection, socket: *mut glib::gobject_ffi::GObject) {
    // SAFETY: the arguments are as the property's type wants them, ended by NULL.
    unsafe {
        glib::gobject_ffi::g_object_set(
            connection.as_ptr().cast(),
            c"socket".as_ptr(),
            socket,
            ptr::null::<u8>(),
        );
    }
}

pub(crate) fn pointer_of(object: &impl IsA<glib::Object>) -> *mut glib::gobject_ffi::GObject {
    object.as_ref().to_glib_none().0
}

pub(crate) const STEPS: std::ops::RangeInclusive<u32> = 0..=10;

pub(crate) fn poll_once<T>(future: &mut Pin<Box<dyn Future<Output = T>>>) -> Poll<T> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn iterate(context: &glib::MainContext, steps: u32) {
    for _ in 0..steps {
        context.iteration(false);
    }
}

/// Starts the class' own asynchronous close, as a subclass in C does for its parent.
pub(crate) fn close_in_slot(
    connection: &SocketConnection,
    cancellable: Option<&gio::Cancellable>,
) -> Rc<Started> {
    let started = Started::new(finish_close_slot, true, Vec::new());
    let slot = class_of(connection)
        .parent_class
        .close_async
        .expect("a slot");
    let stream = connection.upcast_ref::<gio::IOStream>();
    // SAFETY: live arguments; the data lives as long as the thread.
    unsafe {
        slot(
            stream.to_glib_none().0,
            0,
            cancellable.to_glib_none().0,
            Some(on_ready),
            started.data(),
        );
    }
    started
}

/// `CONNECTION_CLOSED`, whose number is `BrokenPipe`'s too.
pub(crate) const CONNECTION_CLOSED: E = E::BrokenPipe;

/// A second has passed, whatever else happened.
#[track_caller]
pub(crate) fn assert_a_second_since(start: Instant) {
    assert!(
        start.elapsed() >= Duration::from_millis(990),
        "{:?}",
        start.elapsed()
    );
}

pub(crate) fn cancelled() -> gio::Cancellable {
    let cancellable = gio::Cancellable::new();
    cancellable.cancel();
    cancellable
}

/// Cancels after a moment, from another thread.
pub(crate) fn cancel_soon(cancellable: &gio::Cancellable) -> thread::JoinHandle<()> {
    let cancellable = cancellable.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(40));
        cancellable.cancel();
    })
}
