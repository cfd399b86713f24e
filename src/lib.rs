#![doc = include_str!("../README.md")]

#[cfg(not(unix))]
compile_error!("gsock works on Unix systems; on Windows use gio's own socket classes");

pub mod engine;
mod error;
mod factory;
#[doc(hidden)]
pub mod fence;
mod fork;
mod framed;
pub mod guide;
mod halves;
mod home;
mod interop;
mod io_stream_adapter;
#[doc(hidden)]
pub mod living;
mod operation;
pub mod prelude;
mod reactor;
mod reconnector;
mod relay;
#[cfg(test)]
mod simulation;
mod socket_client;
mod socket_connection;
mod socket_input_stream;
mod socket_listener;
mod socket_output_stream;
mod socket_service;
#[path = "../subclass/mod.rs"]
pub mod subclass;
mod tcp_connection;
mod tcp_wrapper_connection;
mod thread;
mod threaded_socket_service;
mod transport;
mod unix_connection;
mod vfunc;

#[doc(hidden)]
pub use framed::FramedOperation;
pub use framed::{Framed, FramedBuilder, Framing};
pub use halves::{ReadHalf, WriteHalf};
pub use interop::adopt_gio;
pub use io_stream_adapter::IoStreamAdapter;
pub use reconnector::{Reconnector, ReconnectorBuilder, ReconnectorState};
pub use relay::{Relayed, relay};
pub use socket_client::{Attempt, ConnectReport, ConnectReportExt, SocketClient, SocketClientExt};
pub use socket_connection::{SocketConnection, SocketConnectionExt};
pub use socket_listener::{
    ActivatedSocket, PerThread, SocketListener, SocketListenerExt, UnixPathOptions,
    listen_per_thread,
};
pub use socket_service::{SocketService, SocketServiceExt};
pub use tcp_connection::{KeepaliveParams, Liveness, TcpConnection, TcpConnectionExt};
pub use tcp_wrapper_connection::{TcpWrapperConnection, TcpWrapperConnectionExt};
pub use threaded_socket_service::{ThreadedSocketService, ThreadedSocketServiceExt};
pub use transport::ConnectionState;
#[doc(hidden)]
pub use unix_connection::UnixOperation;
pub use unix_connection::{UnixConnection, UnixConnectionExt};
