//! The server and the client on the types of gio-rs.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fs::{self, File, Permissions, TryLockError},
    future::poll_fn,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use futures::future::{Either, join_all, select};
use gio::{IOErrorEnum as E, prelude::*, subclass::prelude::*};
use serde_json::Value;

use super::protocol::{
    Answer, Calls, Handler, Limits, Line, Listener, Message, answer_to, event, gone, lost,
};

const NOBODY: Option<&gio::Cancellable> = gio::Cancellable::NONE;

// --- What is shared ---------------------------------------------------------------------------------------------

#[allow(unreachable_pub, reason = "so does the derive make them")]
mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Queue)]
    pub(crate) struct Queue {
        /// Bytes that the socket has not taken yet.
        #[property(get)]
        pub(super) pending_bytes: Cell<u64>,
        pub(super) limits: Cell<Limits>,
        pub(super) lines: RefCell<VecDeque<Line>>,
        /// How much of the first line the socket has.
        pub(super) sent: Cell<usize>,
        pub(super) wakers: RefCell<Vec<Waker>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Queue {
        const NAME: &'static str = "JsonIpcQueue";
        type Type = super::Queue;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Queue {}
}

glib::wrapper! {
    /// The lines that wait for the peer to read, up to a bound.
    pub(crate) struct Queue(ObjectSubclass<imp::Queue>);
}

impl Queue {
    fn new(limits: Limits) -> Self {
        let queue: Self = glib::Object::new();
        queue.imp().limits.set(limits);
        queue
    }

    /// Takes the line, all of it or nothing.
    fn push(&self, (mut line, fd): Line) -> Result<(), glib::Error> {
        let imp = self.imp();
        let limits = imp.limits.get();
        if line.len() > limits.max_line {
            return Err(glib::Error::new(E::MessageTooLarge, "The line is too long"));
        }
        line.push(b'\n');
        let size = line.len() + usize::from(fd.is_some());
        if self.pending_bytes() as usize + size > limits.max_pending {
            return Err(glib::Error::new(E::WouldBlock, "The queue is full"));
        }
        imp.lines.borrow_mut().push_back((line, fd));
        self.add(size as i64);
        self.wake();
        Ok(())
    }

    fn add(&self, difference: i64) {
        let imp = self.imp();
        imp.pending_bytes
            .set(self.pending_bytes().wrapping_add_signed(difference));
        self.notify_pending_bytes();
    }

    fn wake(&self) {
        for waker in self.imp().wakers.take() {
            waker.wake();
        }
    }

    /// Waits until there is nothing in it, or something.
    async fn becomes(&self, empty: bool) {
        let imp = self.imp();
        poll_fn(|task| {
            if imp.lines.borrow().is_empty() == empty {
                return Poll::Ready(());
            }
            let mut wakers = imp.wakers.borrow_mut();
            if !wakers.iter().any(|waker| waker.will_wake(task.waker())) {
                wakers.push(task.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Writes all that comes, until that fails.
    async fn write_to(&self, connection: &gio::UnixConnection) -> Result<(), glib::Error> {
        let socket = connection.socket();
        loop {
            self.becomes(false).await;
            when_ready(&socket, glib::IOCondition::OUT, || {
                self.write_some(connection)
            })
            .await?;
        }
    }

    /// Writes what there is room for of the first line, or the descriptor that follows it.
    fn write_some(&self, connection: &gio::UnixConnection) -> Result<(), glib::Error> {
        let imp = self.imp();
        let mut lines = imp.lines.borrow_mut();
        let Some((line, fd)) = lines.front() else {
            return Ok(());
        };
        let rest = &line[imp.sent.get()..];
        let count = if rest.is_empty() {
            let fd = fd.as_ref().map_or(-1, AsRawFd::as_raw_fd);
            connection.send_fd(fd, NOBODY)?;
            1
        } else {
            connection.socket().send(rest, NOBODY)?
        };
        imp.sent.set(imp.sent.get() + count);
        if imp.sent.get() == line.len() + usize::from(fd.is_some()) {
            imp.sent.set(0);
            lines.pop_front();
        }
        drop(lines);
        self.add(-(count as i64));
        self.wake();
        Ok(())
    }

    /// The next connection gets the first line from its beginning.
    fn start_over(&self) {
        let sent = self.imp().sent.take();
        self.add(sent as i64);
    }

    fn len(&self) -> usize {
        self.imp().lines.borrow().len()
    }
}

/// Makes the call again whenever the socket is ready for it.
async fn when_ready<T>(
    socket: &gio::Socket,
    condition: glib::IOCondition,
    mut call: impl FnMut() -> Result<T, glib::Error>,
) -> Result<T, glib::Error> {
    loop {
        match call() {
            Err(error) if error.matches(E::WouldBlock) => {
                SocketExtManual::create_source_future(
                    socket,
                    condition,
                    NOBODY,
                    glib::Priority::DEFAULT,
                )
                .await;
            }
            result => return result,
        }
    }
}

/// The next line, or nothing at the end of the file. No byte behind the line is taken from the socket: who reads it loses
/// the descriptor that came with it.
async fn read_line(socket: &gio::Socket, max_line: usize) -> Result<Option<Vec<u8>>, glib::Error> {
    let mut line = Vec::new();
    let mut is_too_long = false;
    let mut chunk = [0; 4096];
    loop {
        let seen = when_ready(socket, glib::IOCondition::IN, || {
            let mut vectors = [gio::InputVector::new(&mut chunk)];
            socket.receive_message(None, &mut vectors, None, libc::MSG_PEEK, NOBODY)
        });
        let (seen, _) = seen.await?;
        if seen == 0 {
            if line.is_empty() && !is_too_long {
                return Ok(None);
            }
            return Err(glib::Error::new(
                E::PartialInput,
                "The peer has ended inside a line",
            ));
        }
        let end = chunk[..seen].iter().position(|&byte| byte == b'\n');
        let wanted = end.map_or(seen, |end| end + 1);
        let taken = when_ready(socket, glib::IOCondition::IN, || {
            socket.receive(&mut chunk[..wanted], NOBODY)
        });
        let taken = taken.await?;
        line.extend_from_slice(&chunk[..taken]);
        let is_whole = line.pop_if(|last| *last == b'\n').is_some();
        if line.len() > max_line {
            is_too_long = true;
            line.clear();
        }
        match (is_whole, is_too_long) {
            (false, _) => {}
            (true, false) => return Ok(Some(line)),
            (true, true) => {
                return Err(glib::Error::new(E::MessageTooLarge, "The line is too long"));
            }
        }
    }
}

async fn receive_fd(connection: &gio::UnixConnection) -> Result<OwnedFd, glib::Error> {
    let socket = connection.socket();
    match when_ready(&socket, glib::IOCondition::IN, || {
        connection.receive_fd(NOBODY)
    })
    .await?
    {
        -1 => Err(glib::Error::new(
            E::BrokenPipe,
            "The peer has ended before the descriptor",
        )),
        // The list takes it, so that it is closed whatever happens.
        fd => gio::UnixFDList::from_array([fd]).get(0),
    }
}

/// One that answers at once, whatever made it.
fn unix(connection: &gio::SocketConnection) -> Result<gio::UnixConnection, glib::Error> {
    connection.socket().set_blocking(false);
    connection
        .clone()
        .downcast()
        .map_err(|_| glib::Error::new(E::NotSupported, "Not a Unix socket"))
}

// --- The server -------------------------------------------------------------------------------------------------

/// Answers the clients of its own user at a path.
pub(crate) struct Server {
    service: gio::SocketService,
    shared: Rc<Shared>,
    _file: OwnFile,
    _lock: Lock,
}

struct Shared {
    limits: Limits,
    handler: Box<Handler>,
    sessions: RefCell<Vec<Rc<Session>>>,
    last_error: RefCell<Option<glib::Error>>,
}

struct Session {
    connection: gio::UnixConnection,
    queue: Queue,
    /// Events for which the queue had no room, and of which the client does not know yet.
    lost: Cell<u64>,
}

/// The file of the socket, for as long as it is the one that was made.
struct OwnFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl OwnFile {
    fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
        let found = fs::symlink_metadata(path)?;
        Ok((found.dev(), found.ino()))
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if Self::identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn of_io(error: &std::io::Error) -> glib::Error {
    let kind = gio::io_error_from_errno(error.raw_os_error().unwrap_or(0));
    glib::Error::new(kind, &error.to_string())
}

fn in_use(path: &Path) -> glib::Error {
    glib::Error::new(E::AddressInUse, &format!("{} is in use", path.display()))
}

/// Keeps other servers away from the path. The file stays, since nobody can remove it without a race.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that is being started may have the file for another moment.
        let _ = self.0.unlock();
    }
}

fn lock(path: &Path) -> Result<Lock, glib::Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(name);
    let file = file.map_err(|error| of_io(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(in_use(path)),
        Err(TryLockError::Error(error)) => Err(of_io(&error)),
    }
}

fn unix_socket() -> Result<gio::Socket, glib::Error> {
    let (family, kind) = (gio::SocketFamily::Unix, gio::SocketType::Stream);
    let socket = gio::Socket::new(family, kind, gio::SocketProtocol::Default)?;
    socket.set_blocking(false);
    Ok(socket)
}

/// Removes a socket that nobody listens on.
fn make_way(path: &Path) -> Result<(), glib::Error> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(of_io(&error)),
        Ok(found) if !found.file_type().is_socket() => return Err(in_use(path)),
        Ok(_) => {}
    }
    // A full queue is somebody too.
    match SocketExt::connect(&unix_socket()?, &gio::UnixSocketAddress::new(path), NOBODY) {
        Err(error) if error.matches(E::ConnectionRefused) => {
            fs::remove_file(path).map_err(|error| of_io(&error))
        }
        _ => Err(in_use(path)),
    }
}

impl Server {
    pub(crate) fn listen(
        path: &Path,
        limits: Limits,
        handler: impl Fn(&str, &Value) -> Result<Answer, String> + 'static,
    ) -> Result<Self, glib::Error> {
        let lock = lock(path)?;
        make_way(path)?;
        let socket = unix_socket()?;
        socket.bind(&gio::UnixSocketAddress::new(path), false)?;
        let identity = OwnFile::identity(path).map_err(|error| of_io(&error))?;
        let file = OwnFile {
            path: path.to_owned(),
            identity,
        };
        // Until it listens nobody can connect, whatever the mode is.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|error| of_io(&error))?;
        socket.listen()?;
        let service = gio::SocketService::new();
        service.add_socket(&socket, glib::Object::NONE)?;
        let shared = Rc::new(Shared {
            limits,
            handler: Box::new(handler),
            sessions: RefCell::default(),
            last_error: RefCell::default(),
        });
        let serving = shared.clone();
        service.connect_incoming(move |_, connection, _| {
            serving.note(serving.clone().serve(connection));
            true
        });
        Ok(Self {
            service,
            shared,
            _file: file,
            _lock: lock,
        })
    }

    /// Tells all clients, but those that do not read: they are told later how many events they have missed.
    pub(crate) fn broadcast(&self, name: &str, data: &Value) {
        let line = event(name, data);
        for session in &*self.shared.sessions.borrow() {
            session.tell(&line);
        }
    }

    pub(crate) fn clients(&self) -> usize {
        self.shared.sessions.borrow().len()
    }

    /// Bytes that wait for clients to read.
    pub(crate) fn pending_bytes(&self) -> u64 {
        let sessions = self.shared.sessions.borrow();
        sessions
            .iter()
            .map(|session| session.queue.pending_bytes())
            .sum()
    }

    pub(crate) fn last_error(&self) -> Option<glib::Error> {
        self.shared.last_error.borrow().clone()
    }

    /// Takes no more clients, and ends when those that are there have what waits for them, or after `limit`.
    pub(crate) async fn close(self, limit: Duration) {
        self.service.stop();
        self.service.close();
        let sessions = self.shared.sessions.borrow().clone();
        let flushes = sessions.iter().map(|session| session.queue.becomes(true));
        // Who does not read gets no more.
        let _ = glib::future_with_timeout(limit, join_all(flushes)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A service that is closed but not stopped goes on for ever.
        self.service.stop();
        self.service.close();
        for session in &*self.shared.sessions.borrow() {
            session.end();
        }
    }
}

impl Shared {
    fn note(&self, outcome: Result<(), glib::Error>) {
        if let Err(error) = outcome {
            *self.last_error.borrow_mut() = Some(error);
        }
    }

    fn serve(self: Rc<Self>, connection: &gio::SocketConnection) -> Result<(), glib::Error> {
        let connection = unix(connection)?;
        let peer = connection.socket().credentials()?.unix_user()?;
        if peer != gio::Credentials::new().unix_user()? {
            return Err(glib::Error::new(
                E::PermissionDenied,
                "A client of another user",
            ));
        }
        let session = Rc::new(Session {
            connection,
            queue: Queue::new(self.limits),
            lost: Cell::default(),
        });
        let told = Rc::downgrade(&session);
        session.queue.connect_pending_bytes_notify(move |_| {
            if let Some(session) = told.upgrade() {
                session.tell_what_is_lost();
            }
        });
        self.sessions.borrow_mut().push(session.clone());
        glib::spawn_future_local(async move {
            let outcome = session.run(&self).await;
            self.sessions
                .borrow_mut()
                .retain(|other| !Rc::ptr_eq(other, &session));
            self.note(outcome);
        });
        Ok(())
    }
}

impl Session {
    async fn run(&self, shared: &Shared) -> Result<(), glib::Error> {
        let reading = pin!(async {
            self.answer_all(shared).await?;
            // The client may have said all that it had to say, and read on.
            self.queue.becomes(true).await;
            Ok(())
        });
        let writing = pin!(self.queue.write_to(&self.connection));
        match select(reading, writing).await {
            Either::Left((outcome, _)) | Either::Right((outcome, _)) => outcome,
        }
    }

    async fn answer_all(&self, shared: &Shared) -> Result<(), glib::Error> {
        let socket = self.connection.socket();
        loop {
            let line = read_line(&socket, shared.limits.max_line).await;
            let line = match &line {
                Ok(None) => return Ok(()),
                Ok(Some(line)) => Ok(&line[..]),
                Err(error) if error.matches(E::MessageTooLarge) => Err(error),
                Err(error) => return Err(error.clone()),
            };
            // A client that asks and does not read loses the connection.
            self.queue
                .push(answer_to(line, &*shared.handler, shared.limits.max_line))?;
        }
    }

    fn tell(&self, line: &[u8]) {
        if self.lost.get() > 0 || self.queue.push((line.to_owned(), None)).is_err() {
            self.lost.set(self.lost.get() + 1);
            self.tell_what_is_lost();
        }
    }

    fn tell_what_is_lost(&self) {
        let count = self.lost.get();
        if count > 0
            && self.queue.pending_bytes() == 0
            && self.queue.push((lost(count), None)).is_ok()
        {
            self.lost.set(0);
        }
    }

    fn end(&self) {
        let _ = self.connection.socket().shutdown(true, true);
    }
}

// --- The client -------------------------------------------------------------------------------------------------

/// Asks a server at a path, and connects to it whenever it is there.
pub(crate) struct Client {
    link: Rc<Link>,
    task: glib::JoinHandle<()>,
}

struct Link {
    limits: Limits,
    queue: Queue,
    calls: RefCell<Calls>,
    is_connected: Cell<bool>,
    last_error: RefCell<Option<glib::Error>>,
    listener: Box<Listener>,
}

impl Client {
    /// `listener` is called for each event.
    pub(crate) fn new(
        path: &Path,
        limits: Limits,
        listener: impl Fn(&str, &Value) + 'static,
    ) -> Self {
        let link = Rc::new(Link {
            limits,
            queue: Queue::new(limits),
            calls: RefCell::default(),
            is_connected: Cell::default(),
            last_error: RefCell::default(),
            listener: Box::new(listener),
        });
        let address = gio::UnixSocketAddress::new(path);
        let connecting = link.clone();
        let task =
            glib::spawn_future_local(async move { connecting.stay_connected(&address).await });
        Self { link, task }
    }

    /// What waits to be sent is its property `pending-bytes`.
    pub(crate) fn queue(&self) -> &glib::Object {
        self.link.queue.upcast_ref()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.link.is_connected.get()
    }

    pub(crate) fn last_error(&self) -> Option<glib::Error> {
        self.link.last_error.borrow().clone()
    }

    /// Queues the request at once. While there is no server it waits for one; once sent it fails when the server goes.
    pub(crate) fn call(
        &self,
        method: &str,
        params: &Value,
    ) -> impl Future<Output = Result<Answer, glib::Error>> + use<> {
        let (id, line, answered) = self.link.calls.borrow_mut().begin(method, params);
        let queued = self.link.queue.push((line, None));
        if queued.is_err() {
            self.link.calls.borrow_mut().give_up(id);
        }
        async move {
            queued?;
            answered.await.unwrap_or_else(|_| Err(gone()))
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
        self.link.calls.borrow_mut().fail_sent(0);
    }
}

impl Link {
    async fn stay_connected(&self, address: &gio::UnixSocketAddress) {
        let client = gio::SocketClient::new();
        let mut delay = self.limits.first_delay;
        loop {
            match client.connect_future(address).await {
                Ok(connection) => {
                    let since = Instant::now();
                    self.is_connected.set(true);
                    let outcome = self.talk(&connection).await;
                    self.is_connected.set(false);
                    *self.last_error.borrow_mut() = outcome.err();
                    self.queue.start_over();
                    self.calls.borrow_mut().fail_sent(self.queue.len());
                    if since.elapsed() > self.limits.longest_delay {
                        delay = self.limits.first_delay;
                    }
                }
                Err(error) => *self.last_error.borrow_mut() = Some(error),
            }
            // Not all clients at once.
            glib::timeout_future(delay.mul_f64(0.5 + 0.5 * glib::random_double())).await;
            delay = (2 * delay).min(self.limits.longest_delay);
        }
    }

    async fn talk(&self, connection: &gio::SocketConnection) -> Result<(), glib::Error> {
        let connection = unix(connection)?;
        let reading = pin!(self.read_all(&connection));
        let writing = pin!(self.queue.write_to(&connection));
        match select(reading, writing).await {
            Either::Left((outcome, _)) | Either::Right((outcome, _)) => outcome,
        }
    }

    async fn read_all(&self, connection: &gio::UnixConnection) -> Result<(), glib::Error> {
        let socket = connection.socket();
        while let Some(line) = read_line(&socket, self.limits.max_line).await? {
            match Message::parse(&line)? {
                Message::Event(name, data) => (self.listener)(&name, &data),
                Message::Answer {
                    id,
                    outcome,
                    has_fd,
                } => {
                    let fd = if has_fd {
                        Some(receive_fd(connection).await?)
                    } else {
                        None
                    };
                    let outcome = outcome.map(|result| Answer { result, fd });
                    self.calls.borrow_mut().end(id, outcome);
                }
            }
        }
        Ok(())
    }
}
