//! The state machine of a connection: each method is a transition, and tells it.

use std::sync::{Arc, PoisonError, Weak, atomic::Ordering};

use gio::prelude::*;

use super::{ConnectionState, NativeAddress, State, Transport, Use, io::GONE};
use crate::{
    error,
    home::change,
    reactor::{Events, Source},
};

impl Transport {
    /// Unconnected, or a socket that may change its peer: to `Connecting`.
    ///
    /// # Errors
    ///
    /// `Closed`; `Failed` while connecting and once connected, as the system calls answer.
    pub(super) fn begin_connect(&self) -> Result<(), glib::Error> {
        let changes = {
            let mut state = self.state();
            match state.is {
                ConnectionState::Closed => return Err(error::closed()),
                ConnectionState::Connecting => return Err(error::from_errno(libc::EALREADY)),
                ConnectionState::Connected | ConnectionState::Disconnected
                    if self.kind.has_one_peer() =>
                {
                    return Err(error::from_errno(libc::EISCONN));
                }
                _ => {}
            }
            let alive = alive_changes(&state, ConnectionState::Connecting);
            state.is = ConnectionState::Connecting;
            alive | change::STATE
        };
        self.tell(changes);
        Ok(())
    }

    /// A connect has come to nothing.
    pub(super) fn connect_failed(&self, failure: Option<glib::Error>) {
        let changes = {
            let mut state = self.state();
            if state.is != ConnectionState::Connecting {
                return;
            }
            state.is = ConnectionState::Unconnected;
            let told = if failure.is_some() {
                change::LAST_ERROR
            } else {
                0
            };
            if failure.is_some() {
                state.last_error = failure;
            }
            change::STATE | told
        };
        self.tell(changes);
    }

    /// There is a peer: its address is remembered, and its departure watched for. Answers whether
    /// the socket was still open.
    pub(super) fn become_connected(self: &Arc<Self>) -> bool {
        let Ok(using) = self.enter() else {
            return false;
        };
        let local = NativeAddress::local_of(using.fd()).ok();
        let remote = NativeAddress::remote_of(using.fd()).ok();
        let changes = {
            let mut state = self.state();
            if state.is == ConnectionState::Closed {
                return false;
            }
            let error = if state.last_error.take().is_some() {
                change::LAST_ERROR
            } else {
                0
            };
            state.is = ConnectionState::Connected;
            state.local = local;
            state.remote = remote;
            change::STATE | change::ALIVE | change::ADDRESSES | error
        };
        if self.kind.has_one_peer() {
            self.watch_peer(&using);
        }
        drop(using);
        self.tell(changes);
        true
    }

    /// The peer is gone.
    ///
    /// A `guess` is an error that the system was not asked for.
    pub(super) fn lost(&self, failure: Option<glib::Error>, guess: bool) {
        let changes = {
            let mut state = self.state();
            match state.is {
                ConnectionState::Connected | ConnectionState::Disconnected => {}
                _ => return,
            }
            let mut changes = alive_changes(&state, ConnectionState::Disconnected);
            if state.is != ConnectionState::Disconnected {
                changes |= change::STATE;
            }
            state.is = ConnectionState::Disconnected;
            // The first one ended it; a guess gives way to what the system says.
            if failure.is_some() && (state.last_error.is_none() || state.error_is_guess) {
                state.last_error = failure;
                state.error_is_guess = guess;
                changes |= change::LAST_ERROR;
            }
            changes
        };
        self.tell(changes);
    }

    /// Attaches the source that sees the peer's FIN or reset without a read.
    fn watch_peer(self: &Arc<Self>, using: &Use<'_>) {
        let weak: Weak<Self> = Arc::downgrade(self);
        let tag = Arc::new(once_cell::sync::OnceCell::new());
        let its_tag = tag.clone();
        let asked = weak.clone();
        let stranded = move |_: &Source| asked.upgrade().is_some_and(|asked| asked.is_closed());
        let source = Source::with_hook(glib::Priority::DEFAULT, stranded, move |source| {
            let (Some(transport), Some(tag)) = (weak.upgrade(), its_tag.get()) else {
                return false;
            };
            let watching = transport.peer_event(source.query_fd(*tag));
            if watching {
                // From now on only a hang-up can be told from what it saw.
                source.modify_fd(*tag, Events::HANGUP);
            }
            watching
        });
        // A new cell takes its first value.
        let _ = tag.set(source.add_fd(using.fd(), GONE));
        source.attach(&self.notifier.home().context);
        self.replace_watch(Some(source));
        if self.descriptor.is_closed() {
            // Closed meanwhile, by somebody who found no watch yet.
            self.replace_watch(None);
        }
    }

    /// The connection has another home: the peer is watched from there.
    pub(crate) fn move_watch(self: &Arc<Self>) {
        let watching = self
            .watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if watching && let Ok(using) = self.enter() {
            self.watch_peer(&using);
        }
    }

    /// Answers whether to go on watching.
    fn peer_event(&self, events: Events) -> bool {
        if self.is_inherited() {
            return false;
        }
        let Ok(using) = self.enter() else {
            // Somebody closed the GSocket without us; after a close of ours this does nothing.
            let _ = self.close();
            return false;
        };
        if !self.gone(events, &using) {
            // Our own shutdown of the reading side is waited out; a queue of notes, which raises an
            // error without an end, would be reported for ever.
            return !events.has(Events::ERROR);
        }
        // Left for the next read or write to collect; here it only says that there is one.
        let failure = events.has(Events::ERROR).then(|| {
            glib::Error::new(
                error::CONNECTION_CLOSED,
                "The peer reset the connection or stopped answering",
            )
        });
        drop(using);
        self.lost(failure, true);
        false
    }

    pub(super) fn replace_watch(&self, watch: Option<Source>) {
        let mut current = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, watch);
        drop(current);
        if let Some(before) = before {
            before.destroy();
        }
    }

    /// Closes the socket: whoever waits on it, on any thread, ends with `Closed`.
    ///
    /// # Errors
    ///
    /// What `close(2)` answers, when nobody else has to close later.
    pub(crate) fn close(&self) -> Result<(), glib::Error> {
        let changes = {
            let mut state = self.state();
            if state.is == ConnectionState::Closed {
                0
            } else {
                let alive = alive_changes(&state, ConnectionState::Closed);
                self.remember_addresses(&mut state);
                state.is = ConnectionState::Closed;
                alive | change::STATE
            }
        };
        self.replace_watch(None);
        let result = self.descriptor.close();
        self.wake_all();
        self.tell(changes);
        result
    }

    /// An address outlives the socket, for log lines and labels.
    fn remember_addresses(&self, state: &mut State) {
        if state.local.is_none()
            && let Ok(using) = self.enter()
        {
            state.local = NativeAddress::local_of(using.fd()).ok();
        }
    }

    /// The connection lets go of the socket without closing it: others may hold it.
    pub(crate) fn detach(&self) {
        self.detached.store(true, Ordering::Release);
        self.state().is = ConnectionState::Closed;
        self.replace_watch(None);
        self.descriptor.abandon();
        self.wake_all();
        self.drop_timeout_handler();
    }

    /// After [`detach`](Self::detach), by somebody who cannot give the socket back yet: closes it, if
    /// nobody else holds it.
    pub(crate) fn close_if_alone(&self) {
        self.descriptor.close_if_alone();
    }

    pub(super) fn drop_timeout_handler(&self) {
        let handler = self
            .timeout_handler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(handler) = handler {
            self.descriptor
                .with_socket(|socket| socket.disconnect(handler));
        }
    }
}

fn alive_changes(state: &State, next: ConnectionState) -> u32 {
    let alive = |state| state == ConnectionState::Connected;
    if alive(state.is) == alive(next) {
        0
    } else {
        change::ALIVE
    }
}
