//! The end of a connection that is not to be any more.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use gio::prelude::*;
use glib::subclass::prelude::*;

use super::{calls, policy::Moment};
use crate::{
    SocketConnection,
    home::Home,
    reactor::{Engine, Wait},
    vfunc::Owned,
};

/// How long a stream that lies over the connection may take to say goodbye.
const LIMIT: Moment = 1_000_000;

/// Closes the socket; where another stream lies over it, that one first, at home and for a limited time.
pub(super) fn say(home: &Home, connection: SocketConnection, stream: Option<gio::IOStream>) {
    let above = stream.filter(|stream| stream != connection.upcast_ref::<gio::IOStream>());
    let Some(above) = above.filter(|above| !above.is_closed()) else {
        let _ = connection.imp().transport().close();
        return;
    };
    // Of that connection, which may have another one when the goodbye begins.
    let transport = connection.imp().transport();
    let (above, connection) = (Owned::new(above), Owned::new(connection));
    let farewell = async move {
        {
            let mut closing = pin!(calls::close(above.get()));
            let until = glib::monotonic_time().saturating_add(LIMIT);
            let mut wait = Wait::new();
            poll_fn(|cx| {
                if closing.as_mut().poll(cx).is_ready() || glib::monotonic_time() >= until {
                    return Poll::Ready(());
                }
                wait.until(Some(until), &Engine::current(), cx.waker());
                Poll::Pending
            })
            .await;
        }
        let _ = transport.close();
        drop(connection);
    };
    home.engine.spawn(glib::Priority::DEFAULT, farewell);
}
