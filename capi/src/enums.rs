//! The types of the enumerations.

use glib::{ffi::GType, prelude::*, translate::IntoGlib};
use gsock::{ConnectionState, Liveness};

use crate::export::exported;

/// `GsockUnixPathFlags`: what is otherwise than by default, which is the safest.
#[glib::flags(name = "GsockUnixPathFlags")]
pub(crate) enum UnixPathFlags {
    #[flags_value(name = "GSOCK_UNIX_PATH_FLAGS_NONE", nick = "none")]
    NONE = 0,
    #[flags_value(name = "GSOCK_UNIX_PATH_FLAGS_FAIL_IF_STALE", nick = "fail-if-stale")]
    FAIL_IF_STALE = 1,
    #[flags_value(name = "GSOCK_UNIX_PATH_FLAGS_KEEP_FILE", nick = "keep-file")]
    KEEP_FILE = 2,
    #[flags_value(name = "GSOCK_UNIX_PATH_FLAGS_SAME_USER_ONLY", nick = "same-user-only")]
    SAME_USER_ONLY = 4,
}

exported! {
    /// `GSOCK_TYPE_CONNECTION_STATE`.
    fn gsock_connection_state_get_type() -> GType, else 0 => {
        ConnectionState::static_type().into_glib()
    }

    /// `GSOCK_TYPE_LIVENESS`.
    fn gsock_liveness_get_type() -> GType, else 0 => {
        Liveness::static_type().into_glib()
    }

    /// `GSOCK_TYPE_UNIX_PATH_FLAGS`.
    fn gsock_unix_path_flags_get_type() -> GType, else 0 => {
        UnixPathFlags::static_type().into_glib()
    }
}
