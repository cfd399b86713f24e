//! Every extension trait, without its name: gio's prelude has traits of the same names, and both
//! preludes are meant to be imported together.
//!
//! ```
//! use gio::prelude::*;
//! use gsock::prelude::*;
//! ```

pub use crate::{
    ConnectReportExt as _, SocketClientExt as _, SocketConnectionExt as _, SocketListenerExt as _,
    SocketServiceExt as _, TcpConnectionExt as _, TcpWrapperConnectionExt as _,
    ThreadedSocketServiceExt as _, UnixConnectionExt as _,
};
