//! Connections as a stream.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use gio::subclass::prelude::*;

use super::{SocketListener, accept::Accept};
use crate::{SocketConnection, error, operation::assert_owns_context};

/// The connections of a listener, until that is closed.
pub(super) struct Incoming {
    listener: SocketListener,
    accept: Option<Accept>,
    has_ended: bool,
}

impl Incoming {
    pub(super) fn new(listener: &SocketListener) -> Self {
        Self {
            listener: listener.clone(),
            accept: None,
            has_ended: false,
        }
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.accept = None;
    }
}

impl Stream for Incoming {
    type Item = Result<SocketConnection, glib::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.has_ended {
            return Poll::Ready(None);
        }
        let imp = this.listener.imp();
        if imp.is_served() {
            this.end();
            return Poll::Ready(Some(Err(error::served())));
        }
        let accept = this.accept.get_or_insert_with(|| {
            assert_owns_context();
            imp.accept(None)
        });
        let polled = accept.poll(cx);
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(accepted)) => Poll::Ready(Some(Ok(accepted.connection().0))),
            Poll::Ready(Err(_)) if imp.is_closed() => {
                this.end();
                Poll::Ready(None)
            }
            Poll::Ready(Err(failure)) => Poll::Ready(Some(Err(failure))),
        }
    }
}
