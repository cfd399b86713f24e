//! The types of the enumerations.

use glib::{ffi::GType, prelude::*, translate::IntoGlib};
use gsock::{ConnectionState, Liveness};

use crate::export::exported;

exported! {
    /// `GSOCK_TYPE_CONNECTION_STATE`.
    fn gsock_connection_state_get_type() -> GType, else 0 => {
        ConnectionState::static_type().into_glib()
    }

    /// `GSOCK_TYPE_LIVENESS`.
    fn gsock_liveness_get_type() -> GType, else 0 => {
        Liveness::static_type().into_glib()
    }
}
