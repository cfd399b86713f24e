//! The engine of a main context.

use glib::ffi::{GFALSE, GTRUE, gboolean};
use gsock::engine;

use crate::export::exported;

exported! {
    /// Has a context wait for its sockets by one system call in the place of two.
    try fn gsock_engine_use_poll_function(
        context: glib::MainContext,
        on: bool,
    ) -> gboolean, else GFALSE => {
        engine::use_poll_function(&context, on).map(|()| GTRUE)
    }
}
