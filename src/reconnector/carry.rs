//! The lasting connection goes on with the socket of a fresh one.

use std::sync::Arc;

use gio::prelude::*;
use glib::subclass::prelude::*;

use super::{
    policy::Moment,
    shared::{Fresh, Shared},
};
use crate::{
    ConnectReportExt, SocketConnection, SocketConnectionExt, home::Home,
    socket_client::keep_report, transport::Transport,
};

/// For how long the operations of before may take to end, once their socket has.
const PATIENCE: Moment = 3_000_000;
const LAST_INTERVAL: Moment = 64_000;

/// What has come of a look at a fresh connection.
pub(super) enum Carried {
    /// There is none.
    Nothing,
    /// Something has changed.
    Done,
    /// The lasting one is busy: to be looked at again then.
    Wait(Moment),
}

impl Shared {
    /// Has the lasting connection go on with the fresh one's socket, if there is one, on any thread.
    pub(super) fn carry_on(&self) -> Carried {
        let now = glib::monotonic_time();
        let (fresh, lasting) = {
            let mut inner = self.inner();
            match &inner.fresh {
                None => return Carried::Nothing,
                Some(fresh) if fresh.again > now => return Carried::Wait(fresh.again),
                Some(_) => {}
            }
            // Who takes it sees to it.
            (inner.fresh.take(), inner.connection())
        };
        let Some(fresh) = fresh else {
            return Carried::Nothing;
        };
        if !self.is_under_way(fresh.ticket) {
            return Carried::Done;
        }
        let made = fresh.connection.get();
        match carry(lasting.as_ref(), made, &self.home) {
            Ok((connection, transport)) => {
                let stream = if made.imp().is_around_a_stream() {
                    made.imp().settle_at(&self.home);
                    made
                } else {
                    &connection
                };
                if !self.connected(fresh.ticket, &connection, stream.upcast_ref()) {
                    // Stopped meanwhile, be it by who has been told of the new socket.
                    let _ = transport.close();
                }
                Carried::Done
            }
            Err(failure)
                if failure.matches(gio::IOErrorEnum::Pending)
                    && now.saturating_sub(fresh.since) < PATIENCE =>
            {
                self.look_again(fresh, now)
            }
            Err(failure) => {
                self.attempted(fresh.ticket, Err(failure));
                Carried::Done
            }
        }
    }

    fn look_again(&self, mut fresh: Fresh, now: Moment) -> Carried {
        let again = now.saturating_add(fresh.interval);
        fresh.again = again;
        fresh.interval = (fresh.interval * 2).min(LAST_INTERVAL);
        let left = {
            let mut inner = self.inner();
            if inner.policy.is_under_way(fresh.ticket) {
                inner.fresh.replace(fresh)
            } else {
                Some(fresh)
            }
        };
        let is_left = left.is_some();
        drop(left);
        if is_left {
            Carried::Done
        } else {
            Carried::Wait(again)
        }
    }
}

/// The connection that goes on: the lasting one, if there is one and it can.
///
/// # Errors
///
/// `Pending` while that is busy; `Failed` where the system refuses.
fn carry(
    lasting: Option<&SocketConnection>,
    fresh: &SocketConnection,
    home: &Home,
) -> Result<(SocketConnection, Arc<Transport>), glib::Error> {
    if let Some(lasting) = lasting {
        // What waits on the old socket ends.
        lasting.imp().hang_up();
        match lasting.imp().take_over(fresh) {
            Ok(transport) => {
                if let Some(report) = fresh.connect_report() {
                    keep_report(lasting, report);
                }
                return Ok((lasting.clone(), transport));
            }
            // It was closed by somebody, or its class cannot carry such a socket.
            Err(failure)
                if failure.matches(gio::IOErrorEnum::Closed)
                    || failure.matches(gio::IOErrorEnum::InvalidArgument) => {}
            Err(failure) => return Err(failure),
        }
    }
    let connection = if fresh.imp().is_around_a_stream() {
        let connection = SocketConnection::factory_create_connection(&fresh.socket());
        connection.imp().resemble(fresh);
        if let Some(report) = fresh.connect_report() {
            keep_report(&connection, report);
        }
        connection
    } else {
        fresh.clone()
    };
    // Where it was made another context may have been thread-default than that of home, be it on the same thread.
    connection.imp().settle_at(home);
    let transport = connection.imp().transport();
    Ok((connection, transport))
}
