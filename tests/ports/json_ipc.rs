//! The two versions of `examples/json_ipc`, each with itself and with the other one at the other end.

#[path = "json_ipc/differs.rs"]
mod differs;
#[path = "json_ipc/scene.rs"]
mod scene;

#[path = "../../examples/json_ipc/gio.rs"]
mod on_gio;
#[path = "../../examples/json_ipc/ours.rs"]
mod ours;
#[path = "../../examples/json_ipc/protocol.rs"]
mod protocol;

/// What must be true of each pair, in a module of its own for it.
macro_rules! pair {
    ($name:ident, $server:ident, $client:ident) => {
        mod $name {
            use super::{$client::Client, $server::Server};

            include!("json_ipc/pairs.rs");
        }
    };
}

pair!(gio, on_gio, on_gio);
pair!(gsock, ours, ours);
pair!(gio_serves, on_gio, ours);
pair!(gsock_serves, ours, on_gio);
