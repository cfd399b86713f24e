//! Files, on connections of their own.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite, Stream, StreamExt, TryStreamExt, channel::mpsc, stream};
use gio::{Cancellable, IOErrorEnum, prelude::*};
use gsock::IoStreamAdapter;

use super::{
    device::{Device, Packet, Role},
    scene::*,
};
use crate::support::*;

on_both!(
    a_file_arrives_as_it_was_and_both_ends_are_told_how_far_it_is,
    an_empty_file_arrives,
    a_file_that_the_sender_cancels_half_way_ends_at_both_ends,
    a_file_that_the_receiver_cancels_half_way_ends_at_both_ends,
    a_file_that_is_shorter_than_was_told_is_an_error,
    a_file_that_is_larger_than_was_told_is_an_error_and_not_taken,
    a_file_is_not_given_to_a_stranger,
);

const SIZE: usize = 300_000;

fn content(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}

fn memory(bytes: &[u8]) -> gio::InputStream {
    gio::MemoryInputStream::from_bytes(&glib::Bytes::from(bytes)).upcast()
}

/// What was told of how far it is.
#[derive(Clone, Default)]
struct Told(Rc<RefCell<Vec<u64>>>);

impl Told {
    fn tell(&self) -> impl Fn(u64) + use<> {
        let told = self.0.clone();
        move |done| told.borrow_mut().push(done)
    }

    fn last(&self) -> u64 {
        self.0.borrow().last().copied().unwrap_or(0)
    }

    fn assert_whole(&self, size: usize) {
        assert!(self.0.borrow().is_sorted());
        assert_eq!(self.last(), size as u64);
    }
}

/// Sends `bytes` that are said to be `size`; how that ended at both ends, what arrived, what was told of it.
async fn pass<P: Port>(bytes: &[u8], size: usize) -> Passed {
    let mut home = Home::<P>::new();
    let (phone, desktop): (P, P) = home.link(&Device::new("phone")).await;
    let (file, never) = (memory(bytes), Cancellable::new());
    let into = gio::MemoryOutputStream::new_resizable();
    let told = [Told::default(), Told::default()];
    let size = size as u64;
    let sending = phone.upload("a file", size, &file, ports(), &never, told[0].tell());
    let fetching = async {
        let offer = desktop.receive().await?.expect("an offer");
        assert_eq!(offer.body()["filename"], "a file");
        let (written, tell) = (into.clone(), told[1].tell());
        let tell = move |done| {
            // Neither what TLS adds nor what is still on its way is of the file.
            assert_eq!(written.data_size() as u64, done);
            tell(done);
        };
        desktop
            .download(&offer, into.upcast_ref(), &never, tell)
            .await
    };
    let (sent, fetched) = futures::join!(sending, fetching);
    into.close(Cancellable::NONE).expect("memory");
    let arrived = into.steal_as_bytes().to_vec();
    // The link is there for more.
    desktop.send(&ping(1)).expect("room");
    assert_eq!(phone.receive().await, Ok(Some(ping(1))));
    Passed {
        sent,
        fetched,
        arrived,
        told,
    }
}

struct Passed {
    sent: Result<(), glib::Error>,
    fetched: Result<(), glib::Error>,
    arrived: Vec<u8>,
    told: [Told; 2],
}

async fn a_file_arrives_as_it_was_and_both_ends_are_told_how_far_it_is<P: Port>() {
    let bytes = content(SIZE);
    let passed = pass::<P>(&bytes, SIZE).await;
    assert_eq!((passed.sent, passed.fetched), (Ok(()), Ok(())));
    assert!(passed.arrived == bytes);
    for told in passed.told {
        told.assert_whole(SIZE);
    }
}

async fn an_empty_file_arrives<P: Port>() {
    let passed = pass::<P>(&[], 0).await;
    assert_eq!((passed.sent, passed.fetched), (Ok(()), Ok(())));
    assert_eq!(passed.arrived, b"");
}

async fn a_file_that_is_shorter_than_was_told_is_an_error<P: Port>() {
    let passed = pass::<P>(&content(1000), 1001).await;
    assert_fails(passed.sent, IOErrorEnum::PartialInput);
    assert!(passed.fetched.is_err());
    assert!(passed.arrived.len() <= 1000);
}

async fn a_file_that_is_larger_than_was_told_is_an_error_and_not_taken<P: Port>() {
    let passed = pass::<P>(&content(100_000), 1000).await;
    assert_fails(passed.sent, IOErrorEnum::InvalidData);
    assert!(passed.fetched.is_err());
    assert!(passed.arrived.len() <= 1000);

    // A sender that does not look itself.
    let mut home = Home::<P>::new();
    let device = Device::new("phone");
    let (phone, desktop): (P, P) = home.link(&device).await;
    let listener = gio::SocketListener::new();
    let port = listener.add_any_inet_port(glib::Object::NONE);
    let offer = Packet::share("a file", 1000, port.expect("a port"));
    phone.send(&offer).expect("room");
    let sending = async {
        let (connection, _) = listener.accept_future().await?;
        let tls = device.secure(&connection, "desktop", Role::Server).await?;
        write(&tls, content(100_000)).await
    };
    let (into, never) = (gio::MemoryOutputStream::new_resizable(), Cancellable::new());
    let fetching = async {
        let offer = desktop.receive().await?.expect("an offer");
        let into = into.upcast_ref();
        desktop.download(&offer, into, &never, |_| ()).await
    };
    // It may have sent all before it hears.
    let (_sent, fetched) = futures::join!(sending, fetching);
    assert_fails(fetched, IOErrorEnum::InvalidData);
    assert!(into.data_size() <= 1000);
}

/// A file of which there is half, and then nothing until somebody has gone; how that ended at both ends.
async fn cancel<P: Port>(by_sender: bool) -> [Result<(), glib::Error>; 2] {
    let mut home = Home::<P>::new();
    let (phone, desktop): (P, P) = home.link(&Device::new("phone")).await;
    let (adapter, more) = half_a_file();
    let into = gio::MemoryOutputStream::new_resizable();
    let cancellables = [Cancellable::new(), Cancellable::new()];
    let told = Told::default();
    let cancel = {
        let who = cancellables[usize::from(!by_sender)].clone();
        let tell = told.tell();
        move |done: u64| {
            tell(done);
            if done >= SIZE as u64 / 2 {
                who.cancel();
                let _ = more.unbounded_send(());
            }
        }
    };
    let size = 1_000_000_000;
    let fetching = async {
        let offer = desktop.receive().await?.expect("an offer");
        let into = into.upcast_ref();
        desktop
            .download(&offer, into, &cancellables[1], cancel)
            .await
    };
    let half = adapter.input_stream();
    let sending = phone.upload("half", size, &half, ports(), &cancellables[0], |_| ());
    let ends = futures::join!(sending, fetching);
    assert!(told.last() >= SIZE as u64 / 2 && told.last() < size);
    // The link is there for more.
    desktop.send(&ping(1)).expect("room");
    assert_eq!(phone.receive().await, Ok(Some(ping(1))));
    ends.into()
}

/// A file whose bytes are made when they are asked for: the input of this.
fn made(pieces: impl Stream<Item = io::Result<Vec<u8>>> + 'static) -> IoStreamAdapter {
    let bytes = pieces.boxed_local().into_async_read();
    IoStreamAdapter::new(ReadOnly(bytes))
}

/// For what takes both directions.
struct ReadOnly<R>(R);

impl<R: AsyncRead + Unpin> AsyncRead for ReadOnly<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<R> AsyncWrite for ReadOnly<R> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Half a file, and then no end of it, once that is asked for.
fn half_a_file() -> (IoStreamAdapter, mpsc::UnboundedSender<()>) {
    let (go_on, told) = mpsc::unbounded();
    let half = || Ok(content(SIZE / 2));
    let more = told.take(1).flat_map(move |()| stream::repeat_with(half));
    let pieces = stream::once(async move { half() }).chain(more);
    (made(pieces), go_on)
}

async fn a_file_that_the_sender_cancels_half_way_ends_at_both_ends<P: Port>() {
    let [sent, fetched] = cancel::<P>(true).await;
    assert_fails(sent, IOErrorEnum::Cancelled);
    assert_fails(fetched, IOErrorEnum::PartialInput);
}

async fn a_file_that_the_receiver_cancels_half_way_ends_at_both_ends<P: Port>() {
    let [sent, fetched] = cancel::<P>(false).await;
    assert_fails(fetched, IOErrorEnum::Cancelled);
    assert!(sent.is_err());
}

async fn a_file_is_not_given_to_a_stranger<P: Port>() {
    let mut home = Home::<P>::new();
    let (phone, desktop): (P, P) = home.link(&Device::new("phone")).await;
    let never = Cancellable::new();
    let file = memory(b"secret");
    let sending = phone.upload("a file", 6, &file, ports(), &never, |_| ());
    let fetching = async {
        let offer = desktop.receive().await?.expect("an offer");
        let (_, port) = offer.payload()?;
        let client = gio::SocketClient::new();
        let connection = client.connect_to_host_future("127.0.0.1", port).await?;
        let stranger = Device::new("desktop");
        let tls = stranger.secure(&connection, "phone", Role::Client).await?;
        let input = tls.input_stream();
        input.read_bytes_future(6, glib::Priority::DEFAULT).await
    };
    let (sent, fetched) = futures::join!(sending, fetching);
    let refused = sent.expect_err("another certificate");
    assert!(refused.matches(gio::TlsError::BadCertificate), "{refused}");
    assert!(fetched.is_err());
}
