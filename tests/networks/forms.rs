//! One thing done in three ways: blocking, with a callback, as a future.

use std::{
    cell::RefCell,
    fmt,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::future::try_join;
use gio::{Cancellable, prelude::*};
use gsock::{SocketClient, SocketConnection, TcpWrapperConnection, prelude::*};

use crate::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Blocking,
    Callback,
    Future,
}

pub(crate) const FORMS: [Form; 3] = [Form::Blocking, Form::Callback, Form::Future];

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking => "blocking",
            Self::Callback => "callback",
            Self::Future => "future",
        })
    }
}

pub(crate) type Outcome<T> = Result<T, glib::Error>;

thread_local! {
    /// Each connection that this thread has made.
    static MADE: RefCell<Vec<Gone>> = const { RefCell::new(Vec::new()) };
}

/// It must be gone at the end, as must what is made by [`connect`].
pub(crate) fn noted(connection: SocketConnection) -> SocketConnection {
    MADE.with_borrow_mut(|made| made.push(Gone::of(&connection)));
    connection
}

pub(crate) fn connect(
    form: Form,
    client: &SocketClient,
    to: &impl IsA<gio::SocketConnectable>,
    context: &glib::MainContext,
) -> Outcome<SocketConnection> {
    let made = match form {
        Form::Blocking => client.connect(to, Cancellable::NONE),
        Form::Callback => called_back(context, |answer| {
            client.connect_async(to, Cancellable::NONE, move |client, result| {
                answer(client.connect_finish(result));
            });
        }),
        Form::Future => block_on(context, client.connect_future(to)),
    };
    made.map(noted)
}

/// What a callback is given, which must be called once.
fn called_back<T: 'static>(
    context: &glib::MainContext,
    start: impl FnOnce(Box<dyn FnOnce(T)>),
) -> T {
    let slot = Rc::new(RefCell::new(None));
    let result = slot.clone();
    start(Box::new(move |value| {
        let before = result.replace(Some(value));
        assert!(before.is_none(), "it was answered before");
    }));
    iterate_until(context, || slot.borrow().is_some());
    slot.take().expect("as was looked for")
}

/// What comes next: nothing is the end.
pub(crate) fn read(
    form: Form,
    connection: &SocketConnection,
    context: &glib::MainContext,
) -> Outcome<Vec<u8>> {
    const ROOM: usize = 65_536;
    let mut buffer = vec![0; ROOM];
    let (mut buffer, count) = match form {
        Form::Blocking => {
            let count = connection
                .input_stream()
                .read(&mut buffer[..], Cancellable::NONE)?;
            (buffer, count)
        }
        Form::Callback => {
            type Read = Result<(Vec<u8>, usize), (Vec<u8>, glib::Error)>;
            let outcome: Read = called_back(context, |answer| {
                let priority = glib::Priority::DEFAULT;
                let input = connection.input_stream();
                input.read_async(buffer, priority, Cancellable::NONE, answer);
            });
            outcome.map_err(|(_, failure)| failure)?
        }
        Form::Future => {
            let mut half = connection.halves().0;
            block_on(context, async move {
                let count = half.read(&mut buffer).await;
                count.map(|count| (buffer, count))
            })?
        }
    };
    buffer.truncate(count);
    Ok(buffer)
}

pub(crate) fn write_all(
    form: Form,
    connection: &SocketConnection,
    bytes: &[u8],
    context: &glib::MainContext,
) -> Outcome<()> {
    let bytes = bytes.to_vec();
    match form {
        Form::Blocking => {
            let output = connection.output_stream();
            let (_, failure) = output.write_all(&bytes, Cancellable::NONE)?;
            failure.map_or(Ok(()), Err)
        }
        Form::Callback => {
            type Written = Result<(Vec<u8>, usize, Option<glib::Error>), (Vec<u8>, glib::Error)>;
            let outcome: Written = called_back(context, |answer| {
                let priority = glib::Priority::DEFAULT;
                let output = connection.output_stream();
                output.write_all_async(bytes, priority, Cancellable::NONE, answer);
            });
            let (_, _, failure) = outcome.map_err(|(_, failure)| failure)?;
            failure.map_or(Ok(()), Err)
        }
        Form::Future => {
            let mut half = connection.halves().1;
            block_on(context, async move { half.write_all(&bytes).await })
        }
    }
}

/// Sends all of it, while it takes in as much: the peer sends back what it gets. Whoever blocks does so in pieces that
/// fit into any buffer, the others do both at once.
pub(crate) fn exchange(
    form: Form,
    connection: &SocketConnection,
    bytes: &[u8],
    context: &glib::MainContext,
) -> Outcome<Vec<u8>> {
    match form {
        Form::Blocking => {
            let mut back = Vec::new();
            for piece in bytes.chunks(8_192) {
                write_all(form, connection, piece, context)?;
                let mut room = vec![0; piece.len()];
                let (count, failure) = connection
                    .input_stream()
                    .read_all(&mut room[..], Cancellable::NONE)?;
                if let Some(failure) = failure {
                    return Err(failure);
                }
                back.extend_from_slice(&room[..count]);
                if count < piece.len() {
                    break;
                }
            }
            Ok(back)
        }
        Form::Callback => exchange_by_callbacks(connection, bytes, context),
        // Beneath TLS are the bytes of TLS, and none of ours.
        Form::Future if connection.is::<TcpWrapperConnection>() => {
            exchange_in_futures_of_streams(connection, bytes, context)
        }
        Form::Future => {
            let (mut reads, mut writes) = connection.halves();
            let bytes = bytes.to_vec();
            block_on(context, async move {
                let mut back = vec![0; bytes.len()];
                let reading = async {
                    let mut count = 0;
                    while count < back.len() {
                        match reads.read(&mut back[count..]).await? {
                            0 => break,
                            more => count += more,
                        }
                    }
                    Ok(count)
                };
                let (count, ()) = try_join(reading, writes.write_all(&bytes)).await?;
                back.truncate(count);
                Ok(back)
            })
        }
    }
}

fn exchange_in_futures_of_streams(
    connection: &SocketConnection,
    bytes: &[u8],
    context: &glib::MainContext,
) -> Outcome<Vec<u8>> {
    let (input, output) = (connection.input_stream(), connection.output_stream());
    let bytes = bytes.to_vec();
    let wanted = bytes.len();
    block_on(context, async move {
        let priority = glib::Priority::DEFAULT;
        let reading = async {
            let read = input.read_all_future(vec![0; wanted], priority).await;
            let (mut back, count, failure) = read.map_err(|(_, failure)| failure)?;
            back.truncate(count);
            failure.map_or(Ok(back), Err)
        };
        let writing = async {
            let written = output.write_all_future(bytes, priority).await;
            let (_, _, failure) = written.map_err(|(_, failure)| failure)?;
            failure.map_or(Ok(()), Err)
        };
        Ok(try_join(reading, writing).await?.0)
    })
}

fn exchange_by_callbacks(
    connection: &SocketConnection,
    bytes: &[u8],
    context: &glib::MainContext,
) -> Outcome<Vec<u8>> {
    let written = Rc::new(RefCell::new(None));
    let slot = written.clone();
    let priority = glib::Priority::DEFAULT;
    let output = connection.output_stream();
    output.write_all_async(bytes.to_vec(), priority, Cancellable::NONE, move |result| {
        let outcome = match result {
            Ok((_, _, None)) => Ok(()),
            Ok((_, _, Some(failure))) | Err((_, failure)) => Err(failure),
        };
        slot.replace(Some(outcome));
    });
    let mut back = Vec::new();
    let reading = loop {
        match read(Form::Callback, connection, context) {
            Ok(more) if more.is_empty() => break Ok(()),
            Ok(more) => back.extend_from_slice(&more),
            Err(failure) => break Err(failure),
        }
        if back.len() >= bytes.len() {
            break Ok(());
        }
    };
    // What cannot be read any more cannot be written for long either.
    iterate_until(context, || written.borrow().is_some());
    reading?;
    written.take().expect("as was looked for")?;
    Ok(back)
}

/// What comes in goes back, until the end of file; then it is closed.
pub(crate) async fn send_back(connection: &SocketConnection) {
    let (mut reads, mut writes) = connection.halves();
    let mut buffer = vec![0; 16_384];
    while let Ok(count @ 1..) = reads.read(&mut buffer).await {
        if writes.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = connection.close(Cancellable::NONE);
}

/// Bytes of which no piece is like another.
pub(crate) fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Fails unless all of it came back as it was.
pub(crate) fn assert_identical(back: &[u8], sent: &[u8]) {
    let at = back
        .iter()
        .zip(sent)
        .position(|(left, right)| left != right);
    assert!(
        back == sent,
        "{} bytes of {}, the first that differs at {at:?}",
        back.len(),
        sent.len()
    );
}

/// Counts how often the loop gets to something else, every 10 ms at most, while `work` waits.
pub(crate) fn ticks_while<R>(context: &glib::MainContext, work: impl FnOnce() -> R) -> (R, u32) {
    let count = Arc::new(AtomicU32::new(0));
    let counter = count.clone();
    let source = glib::source::timeout_source_new(
        Duration::from_millis(10),
        None,
        glib::Priority::DEFAULT,
        move || {
            counter.fetch_add(1, Ordering::Relaxed);
            glib::ControlFlow::Continue
        },
    );
    source.attach(Some(context));
    let result = work();
    source.destroy();
    (result, count.load(Ordering::Relaxed))
}

/// What this process had before.
pub(crate) struct Before {
    descriptors: usize,
}

impl Before {
    /// Also makes what is made once: engines, types, threads.
    pub(crate) fn now(context: &glib::MainContext) -> Self {
        let address = echo_server();
        let nobody = deaf_listener();
        let hasty = SocketClient::new();
        hasty.set_connect_timeout(Duration::from_millis(50));
        let hasty_then = SocketClient::new();
        hasty_then.set_io_timeout(Duration::from_millis(50));
        for form in FORMS {
            let to = gio_address(address);
            let made = connect(form, &SocketClient::new(), &to, context).expect("loopback");
            let back = exchange(form, &made, b"hello", context).expect("loopback");
            assert_eq!(back, b"hello");
            made.close(Cancellable::NONE).expect("idle");
            // What waits has more of its own than what need not.
            let made = connect(form, &hasty_then, &to, context).expect("loopback");
            read(form, &made, context).expect_err("the peer has nothing to say");
            made.close(Cancellable::NONE).expect("idle");
            connect(form, &hasty, &gio_address(nobody.address), context).expect_err("it is deaf");
        }
        drop(nobody);
        MADE.take();
        iterate_for(context, Duration::from_millis(100));
        Self {
            descriptors: open_descriptors(),
        }
    }

    /// Whether connections and descriptors are gone; what is on its way has five seconds.
    pub(crate) fn assert_nothing_is_left(&self, context: &glib::MainContext) {
        let made = MADE.take();
        for _ in 0..500 {
            let objects = made.iter().filter(|gone| !gone.is_gone()).count();
            if objects == 0 && open_descriptors() <= self.descriptors {
                return;
            }
            iterate_for(context, Duration::from_millis(10));
        }
        let objects = made.iter().filter(|gone| !gone.is_gone()).count();
        assert_eq!(objects, 0, "connections of {} are left", made.len());
        let now = open_descriptors();
        assert!(
            now <= self.descriptors,
            "{} descriptors, and {now} after it: {:?}",
            self.descriptors,
            descriptors()
        );
    }
}

fn descriptors() -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    let links = entries
        .flatten()
        .map(|entry| std::fs::read_link(entry.path()));
    links.flatten().collect()
}
