//! Services of ours, each on a thread of its own, and clients of others that come to them.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use gio::{Cancellable, prelude::*};
use gsock::{
    SocketClient, SocketConnection, SocketService, ThreadedSocketService, engine, prelude::*, relay,
};

use crate::{forms::*, support::*, table::Table};

/// What a service of ours does with those who come.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Sends back what comes.
    Echo,
    /// Likewise, on a thread for each.
    Threads,
    /// Likewise in TLS, with this certificate; closes after so many bytes.
    Tls(String, usize),
    /// Goes on to there, and joins the two.
    Relay(SocketAddr),
}

/// Serves until it is dropped.
pub(crate) struct Ours {
    pub(crate) address: SocketAddr,
    context: glib::MainContext,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ours {
    pub(crate) fn new(work: Work) -> Self {
        Self::new_after(work, || ())
    }

    /// `first` is done on its thread, before there are sockets.
    pub(crate) fn new_after(work: Work, first: impl FnOnce() + Send + 'static) -> Self {
        let context = glib::MainContext::new();
        let is_over = Arc::<AtomicBool>::default();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn({
            let (context, is_over) = (context.clone(), is_over.clone());
            move || {
                first();
                let serving = || serve(work, &context, &is_over, &tell);
                context.with_thread_default(serving).expect("it is new");
            }
        });
        let port = told.recv().expect("a port");
        Self {
            address: ([127, 0, 0, 1], port).into(),
            context,
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.context.wakeup();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the service panicked");
        }
    }
}

fn serve(work: Work, context: &glib::MainContext, is_over: &AtomicBool, tell: &mpsc::Sender<u16>) {
    let service: SocketService = match &work {
        Work::Threads => {
            let service = ThreadedSocketService::new(16);
            service.connect_run(|_, connection, _| {
                let mut buffer = vec![0; 16_384];
                let (input, output) = (connection.input_stream(), connection.output_stream());
                while let Ok(count @ 1..) = input.read(&mut buffer[..], Cancellable::NONE) {
                    if output
                        .write_all(&buffer[..count], Cancellable::NONE)
                        .is_err()
                    {
                        break;
                    }
                }
                true
            });
            service.upcast()
        }
        _ => SocketService::new(),
    };
    if !matches!(work, Work::Threads) {
        let context = context.clone();
        service.connect_incoming(move |_, connection, _| {
            let (connection, work) = (connection.clone(), work.clone());
            drop(engine::spawn_local(&context, handle(connection, work)));
            true
        });
    }
    let port = service
        .add_any_inet_port(glib::Object::NONE)
        .expect("a port");
    service.start();
    tell.send(port).expect("somebody waits for it");
    while !is_over.load(Ordering::SeqCst) {
        context.iteration(true);
    }
    service.close();
    // What is under way ends in its context: afterwards nobody is there to end it.
    let tick = glib::source::timeout_source_new(
        Duration::from_millis(5),
        None,
        glib::Priority::DEFAULT,
        || glib::ControlFlow::Continue,
    );
    tick.attach(Some(context));
    let end = Instant::now() + LIMIT;
    while service.active_connections() > 0 && Instant::now() < end {
        context.iteration(true);
    }
    tick.destroy();
    while context.iteration(false) {}
}

async fn handle(connection: SocketConnection, work: Work) {
    match work {
        Work::Tls(certificate, count) => {
            // Who refuses the certificate goes away.
            let _ = send_back_in_tls(&connection, &certificate, count).await;
        }
        Work::Relay(to) => {
            let client = SocketClient::new();
            let far = client.connect_future(&gio_address(to)).await;
            let far = far.expect("it listens");
            // Who ends a connection with bytes unread resets it.
            let _ = relay(&connection, &far).await;
            let _ = far.close(Cancellable::NONE);
        }
        Work::Echo | Work::Threads => send_back(&connection).await,
    }
    let _ = connection.close(Cancellable::NONE);
}

async fn send_back_in_tls(
    connection: &SocketConnection,
    certificate: &str,
    mut count: usize,
) -> Outcome<()> {
    let certificate = gio::TlsCertificate::from_pem(certificate)?;
    let tls = gio::TlsServerConnection::new(connection, Some(&certificate))?;
    let tls = tls.upcast::<gio::TlsConnection>();
    let priority = glib::Priority::DEFAULT;
    tls.handshake_future(priority).await?;
    let (input, output) = (tls.input_stream(), tls.output_stream());
    while count > 0 {
        let bytes = input.read_bytes_future(16_384, priority).await?;
        if bytes.is_empty() {
            break;
        }
        count = count.saturating_sub(bytes.len());
        let written = output.write_all_future(bytes, priority).await;
        let (_, _, failure) = written.map_err(|(_, failure)| failure)?;
        failure.map_or(Ok(()), Err)?;
    }
    tls.close_future(priority).await
}

/// What a program of somebody else's answers who is given `input`. One that does not end is ended.
pub(crate) fn answer_of(mut command: Command, input: &[u8]) -> Output {
    let input = input.to_vec();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|failure| panic!("{command:?}: {failure}"));
    let mut pipe = child.stdin.take().expect("piped");
    // It may end without having read all.
    let writer = thread::spawn(move || drop(pipe.write_all(&input)));
    let stdout = all_of(child.stdout.take().expect("piped"));
    let stderr = all_of(child.stderr.take().expect("piped"));
    let end = Instant::now() + LIMIT * 2;
    while child.try_wait().expect("our child").is_none() {
        if Instant::now() >= end {
            child.kill().expect("our child");
        }
        thread::sleep(Duration::from_millis(2));
    }
    writer.join().expect("no panic");
    Output {
        status: child.wait().expect("our child"),
        stdout: stdout.join().expect("no panic"),
        stderr: stderr.join().expect("no panic"),
    }
}

fn all_of(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut said = Vec::new();
        pipe.read_to_end(&mut said).expect("bytes");
        said
    })
}

/// What came back over `connection` is what was sent.
#[track_caller]
pub(crate) fn assert_echoes(
    form: Form,
    connection: &SocketConnection,
    bytes: &[u8],
    context: &glib::MainContext,
) {
    let back = exchange(form, connection, bytes, context).expect("a peer that answers");
    assert_identical(&back, bytes);
}

/// Each form of a client of ours goes there, and gets back what it sends.
pub(crate) fn assert_all_forms_echo(
    table: &mut Table,
    what: &str,
    to: SocketAddr,
    context: &glib::MainContext,
    client: &SocketClient,
) {
    let bytes = pattern(1 << 20, 7);
    for form in FORMS {
        table.check(form, what, || {
            let made = connect(form, client, &gio_address(to), context).expect("it listens");
            assert_echoes(form, &made, &bytes, context);
            made.close(Cancellable::NONE).expect("idle");
        });
    }
}

/// With a peer, in one direction.
pub(crate) fn scene(
    name: &'static str,
    work: impl FnOnce(&glib::MainContext, &mut Table) + Send + 'static,
) {
    assert!(
        std::env::var_os("GSOCK_TEST_PEERS").is_some(),
        "this wants a network of its own, which .ci/nets/peers.sh makes"
    );
    on_private_context_within(Duration::from_secs(40), move |context| {
        let mut table = Table::new(name);
        work(context, &mut table);
        table.end();
    });
}
