//! What one peer sends, through streams that a class has put in the place of the socket's.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use gio::prelude::*;

use super::end::End;
use crate::transport::Transport;

const PIECE: usize = 32 * 1024;

/// From one connection to another, until the end of file, which is passed on.
pub(super) struct StreamsWay {
    carrying: Pin<Box<dyn Future<Output = Result<(), glib::Error>>>>,
    delivered: Rc<Cell<u64>>,
}

impl StreamsWay {
    pub(super) fn new(from: &End, to: &End, activity: &Rc<Cell<u64>>) -> Self {
        let delivered = Rc::new(Cell::new(0));
        let carrier = Carrier {
            input: from.input().clone(),
            output: to.output().clone(),
            transport: to.transport().clone(),
            has_plain_output: to.has_plain_output(),
            delivered: delivered.clone(),
            activity: activity.clone(),
        };
        Self {
            carrying: Box::pin(carrier.carry()),
            delivered,
        }
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered.get()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), glib::Error>> {
        self.carrying.as_mut().poll(cx)
    }
}

struct Carrier {
    input: gio::InputStream,
    output: gio::OutputStream,
    transport: Arc<Transport>,
    has_plain_output: bool,
    delivered: Rc<Cell<u64>>,
    activity: Rc<Cell<u64>>,
}

impl Carrier {
    async fn carry(self) -> Result<(), glib::Error> {
        let priority = glib::Priority::DEFAULT;
        loop {
            let read = || self.input.read_bytes_future(PIECE, priority);
            let mut bytes = self.unless_others_move(read).await?;
            if bytes.is_empty() {
                break;
            }
            while !bytes.is_empty() {
                let write = || self.output.write_bytes_future(&bytes, priority);
                // Not negative without an error.
                let count = self.unless_others_move(write).await?.unsigned_abs();
                self.delivered.set(self.delivered.get() + count as u64);
                self.activity.set(self.activity.get().wrapping_add(1));
                bytes = glib::Bytes::from_bytes(&bytes, count.min(bytes.len())..bytes.len());
            }
            if !self.has_plain_output {
                // A stream that keeps something back must not keep an answer back.
                self.output.flush_future(priority).await?;
            }
        }
        if !self.has_plain_output {
            self.output.close_future(priority).await?;
        }
        self.transport.pass_end_on()
    }

    /// Time counts for the whole relay: what has waited for longer than its socket's timeout is begun anew as long
    /// as something moves elsewhere.
    async fn unless_others_move<T, F: Future<Output = Result<T, glib::Error>>>(
        &self,
        begin: impl Fn() -> F,
    ) -> Result<T, glib::Error> {
        loop {
            let before = self.activity.get();
            match begin().await {
                Err(failure)
                    if failure.matches(gio::IOErrorEnum::TimedOut)
                        && self.activity.get() != before => {}
                result => return result,
            }
        }
    }
}
