//! Networks that lose, delay, refuse, fall silent: the right error within the time that was set, or all of the data.
//! `.ci/nets/networks.sh` makes a network for each of these tests and runs it there, as a process of its own.

#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "namespaces and TUN devices, which std has nothing for"
)]

mod support;

#[path = "peers/authority.rs"]
#[allow(dead_code, reason = "some is for peers")]
mod authority;
#[path = "networks/carried.rs"]
mod carried;
#[path = "networks/connecting.rs"]
mod connecting;
#[path = "networks/cut.rs"]
mod cut;
#[path = "networks/forms.rs"]
mod forms;
#[path = "networks/link.rs"]
mod link;
#[path = "networks/net.rs"]
mod net;
#[path = "peers/ours.rs"]
#[allow(dead_code, reason = "some is for peers")]
mod ours;
#[path = "networks/scene.rs"]
mod scene;
#[path = "networks/silence.rs"]
mod silence;
#[path = "networks/table.rs"]
mod table;
