//! The state machine of a connection: each method is a transition, and tells it.

use std::sync::{Arc, atomic::Ordering};

use super::{ConnectionState, KeptAddress, NativeAddress, State, Transport};
use crate::{error, home::change};

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
        // What the failed attempt has left behind is not of the next one.
        self.forget_registrations();
        self.tell(changes);
    }

    /// There is a peer: its address is remembered, and its departure watched for. Answers whether
    /// the socket was still open.
    pub(super) fn become_connected(self: &Arc<Self>) -> bool {
        self.become_connected_to(None)
    }

    /// Likewise, where the peer's address may be known.
    pub(super) fn become_connected_to(self: &Arc<Self>, peer: Option<NativeAddress>) -> bool {
        let Ok(using) = self.enter() else {
            return false;
        };
        // Linux tells it for as long as the descriptor is open, which is for nobody else to say while nobody has it.
        let is_safe = cfg!(any(target_os = "linux", target_os = "android"));
        let local = if is_safe && !self.descriptor.is_lent() {
            None
        } else {
            NativeAddress::local_of(using.fd()).ok()
        };
        let remote = peer.or_else(|| NativeAddress::remote_of(using.fd()).ok());
        drop(using);
        self.become_connected_between(local.map(Into::into), remote.map(Into::into))
    }

    /// Likewise, between these addresses.
    pub(super) fn become_connected_between(
        self: &Arc<Self>,
        local: Option<KeptAddress>,
        remote: Option<KeptAddress>,
    ) -> bool {
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
            self.watch_peer();
        }
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
        if changes & (change::LAST_ERROR | change::STATE) != 0 {
            // For who waits for something else than what has failed, or for this.
            self.wake_all();
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
        self.end_registrations();
        let result = self.descriptor.close();
        self.wake_all();
        self.tell(changes);
        result
    }

    /// Before somebody else may close it: see below.
    pub(super) fn remember_local(&self) {
        let mut state = self.state();
        if state.is != ConnectionState::Unconnected {
            self.remember_addresses(&mut state);
        }
    }

    /// An address outlives the socket, for log lines and labels.
    fn remember_addresses(&self, state: &mut State) {
        if state.local.is_none()
            && let Ok(using) = self.enter()
        {
            state.local = NativeAddress::local_of(using.fd()).ok().map(Into::into);
        }
    }

    /// The connection lets go of the socket without closing it: others may hold it.
    pub(crate) fn detach(&self) {
        self.detached.store(true, Ordering::Release);
        self.state().is = ConnectionState::Closed;
        self.end_registrations();
        self.descriptor.abandon();
        self.wake_all();
    }

    /// After [`detach`](Self::detach), by somebody who cannot give the socket back yet: closes it, if
    /// nobody else holds it.
    pub(crate) fn close_if_alone(&self) {
        self.descriptor.close_if_alone();
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
