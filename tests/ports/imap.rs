//! The two versions of `examples/imap`.

#[path = "../../examples/imap/gio.rs"]
mod on_gio;
#[path = "../../examples/imap/ours.rs"]
mod ours;
#[path = "../../examples/imap/protocol.rs"]
mod protocol;
#[path = "../../examples/imap/server.rs"]
mod server;

#[path = "imap/scene.rs"]
mod scene;

#[path = "imap/differs.rs"]
mod differs;
#[path = "imap/dropped.rs"]
mod dropped;
#[path = "imap/ends.rs"]
mod ends;
#[path = "imap/talk.rs"]
mod talk;
