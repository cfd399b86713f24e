//! What `SocketListener` has beyond GIO: paths, activation, limits, threads. Apart from the rest, because other processes are
//! started here: on its way each of them has for a moment what another test has open.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "users, backlogs and forks, which std has nothing for"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "system calls between fork(2) and exec(2)"
)]

mod support;

#[path = "listener_extras/activation.rs"]
mod activation;
#[path = "listener_extras/children.rs"]
mod children;
#[path = "listener_extras/identity.rs"]
mod identity;
#[path = "listener_extras/limits.rs"]
mod limits;
#[path = "listener_extras/per_thread.rs"]
mod per_thread;
#[path = "listener_extras/unix_path.rs"]
mod unix_path;
#[path = "listener_extras/unix_path_attacks.rs"]
mod unix_path_attacks;
