//! A pipe made of futures, of which each end remembers one waker for each direction, as streams do.
//!
//! Where an adapter made by `new` answers, no worker thread had a hand in it: there its stream is not supported.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures::{AsyncRead, AsyncWrite};
use gio::prelude::*;

pub(crate) const NONE: Option<&gio::Cancellable> = None;
pub(crate) const DEFAULT: glib::Priority = glib::Priority::DEFAULT;

/// One direction.
#[derive(Debug, Default)]
struct Flow {
    bytes: VecDeque<u8>,
    room: usize,
    has_ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
pub(crate) struct End {
    incoming: Arc<Mutex<Flow>>,
    outgoing: Arc<Mutex<Flow>>,
    /// A close waits until the other end has read all.
    lingers: bool,
}

/// Two ends with room for so many bytes in either direction.
pub(crate) fn pipe(room: usize) -> (End, End) {
    let flow = || {
        Arc::new(Mutex::new(Flow {
            room,
            ..Flow::default()
        }))
    };
    let (one, other) = (flow(), flow());
    let end = |incoming: &Arc<Mutex<Flow>>, outgoing: &Arc<Mutex<Flow>>| End {
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
        lingers: false,
    };
    (end(&one, &other), end(&other, &one))
}

impl End {
    pub(crate) fn lingering(mut self) -> Self {
        self.lingers = true;
        self
    }

    /// How many wakers are remembered.
    pub(crate) fn waiting(&self) -> usize {
        [&self.incoming, &self.outgoing]
            .into_iter()
            .map(|flow| {
                let flow = flow.lock().expect("no panic");
                usize::from(flow.reader.is_some()) + usize::from(flow.writer.is_some())
            })
            .sum()
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut flow = self.incoming.lock().expect("no panic");
        if flow.bytes.is_empty() {
            if flow.has_ended {
                return Poll::Ready(Ok(0));
            }
            flow.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buffer.len().min(flow.bytes.len());
        for (to, from) in buffer.iter_mut().zip(flow.bytes.drain(..count)) {
            *to = from;
        }
        let writer = flow.writer.take();
        drop(flow);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut flow = self.outgoing.lock().expect("no panic");
        if flow.has_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(flow.room - flow.bytes.len());
        if count == 0 {
            flow.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        flow.bytes.extend(&bytes[..count]);
        let reader = flow.reader.take();
        drop(flow);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut flow = self.outgoing.lock().expect("no panic");
        flow.has_ended = true;
        let reader = flow.reader.take();
        let waits = self.lingers && !flow.bytes.is_empty();
        if waits {
            flow.writer = Some(cx.waker().clone());
        }
        drop(flow);
        reader.into_iter().for_each(Waker::wake);
        if waits {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        for flow in [&self.incoming, &self.outgoing] {
            let mut flow = flow.lock().expect("no panic");
            flow.has_ended = true;
            let wakers = [flow.reader.take(), flow.writer.take()];
            drop(flow);
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

/// What an operation has come to, once it has.
pub(crate) type Slot<T> = Rc<RefCell<Option<T>>>;

pub(crate) fn start_read(
    input: &gio::InputStream,
    count: usize,
    cancellable: Option<&gio::Cancellable>,
) -> Slot<Result<Vec<u8>, glib::Error>> {
    let slot = Slot::default();
    let put = slot.clone();
    input.read_async(vec![0; count], DEFAULT, cancellable, move |result| {
        *put.borrow_mut() = Some(
            result
                .map(|(mut buffer, count)| {
                    buffer.truncate(count);
                    buffer
                })
                .map_err(|(_, failure)| failure),
        );
    });
    slot
}

pub(crate) fn pollable_input(stream: &impl IsA<gio::IOStream>) -> gio::PollableInputStream {
    stream
        .input_stream()
        .dynamic_cast()
        .expect("its input can be polled")
}

pub(crate) fn pollable_output(stream: &impl IsA<gio::IOStream>) -> gio::PollableOutputStream {
    stream
        .output_stream()
        .dynamic_cast()
        .expect("its output can be polled")
}
