//! Frames as a stream.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use gio::subclass::prelude::*;
use glib::Bytes;

use super::{Framed, input::Want, reading::Read};
use crate::operation::assert_owns_context;

/// The frames that come, until the stream ends.
pub(super) struct Frames {
    framed: Framed,
    read: Option<Read>,
    has_ended: bool,
}

impl Frames {
    pub(super) fn new(framed: &Framed) -> Self {
        Self {
            framed: framed.clone(),
            read: None,
            has_ended: false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, glib::Error>> {
        if self.read.is_none() {
            assert_owns_context();
            match Read::new(&self.framed.imp().core, Want::Frame) {
                Ok(read) => self.read = Some(read),
                Err(failure) => return Poll::Ready(Err(failure)),
            }
        }
        let Some(read) = &mut self.read else {
            return Poll::Pending;
        };
        let polled = read.poll(cx);
        if polled.is_ready() {
            // Whoever else wants to read may do so between two frames.
            self.read = None;
        }
        polled
    }
}

/// Whether there may be frames after it.
fn is_of_one_frame(failure: &glib::Error) -> bool {
    use gio::IOErrorEnum as E;
    matches!(
        failure.kind(),
        Some(E::InvalidData | E::MessageTooLarge | E::TimedOut)
    )
}

impl Stream for Frames {
    type Item = Result<Bytes, glib::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        self.poll(cx).map(|answer| match answer {
            Ok(Some(frame)) => Some(Ok(frame)),
            Ok(None) => {
                self.has_ended = true;
                None
            }
            Err(failure) => {
                self.has_ended = !is_of_one_frame(&failure);
                Some(Err(failure))
            }
        })
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}
