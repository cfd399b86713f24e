//! Deriving from the classes of this crate.
//!
//! ```
//! use gsock::subclass::prelude::*;
//!
//! mod imp {
//!     use super::*;
//!
//!     #[derive(Default)]
//!     pub struct ChattyConnection;
//!
//!     #[glib::object_subclass]
//!     impl ObjectSubclass for ChattyConnection {
//!         const NAME: &'static str = "ChattyConnection";
//!         type Type = super::ChattyConnection;
//!         type ParentType = gsock::TcpConnection;
//!     }
//!
//!     impl ObjectImpl for ChattyConnection {}
//!     impl IOStreamImpl for ChattyConnection {}
//!     impl SocketConnectionImpl for ChattyConnection {
//!         fn connect(
//!             &self,
//!             address: &gio::SocketAddress,
//!             cancellable: Option<&gio::Cancellable>,
//!         ) -> Result<(), glib::Error> {
//!             println!("connecting");
//!             self.parent_connect(address, cancellable)
//!         }
//!     }
//!     impl TcpConnectionImpl for ChattyConnection {}
//! }
//!
//! glib::wrapper! {
//!     pub struct ChattyConnection(ObjectSubclass<imp::ChattyConnection>)
//!         @extends gsock::TcpConnection, gsock::SocketConnection, gio::IOStream;
//! }
//!
//! fn main() {
//!     gsock::SocketConnection::factory_register::<ChattyConnection>(
//!         gio::SocketFamily::Ipv4,
//!         gio::SocketType::Stream,
//!         0,
//!     );
//! }
//! ```

pub(crate) mod socket_client;
pub(crate) mod socket_connection;
pub(crate) mod socket_listener;
pub(crate) mod socket_service;
pub(crate) mod structs;
pub(crate) mod tcp_connection;
pub(crate) mod tcp_wrapper_connection;
pub(crate) mod threaded_socket_service;
pub(crate) mod unix_connection;

pub use socket_client::{SocketClientImpl, SocketClientImplExt};
pub use socket_connection::{SocketConnectionImpl, SocketConnectionImplExt, UnitFuture};
pub use socket_listener::{SocketListenerImpl, SocketListenerImplExt};
pub use socket_service::{SocketServiceImpl, SocketServiceImplExt};
pub use structs::{
    SocketClientClass, SocketClientInstance, SocketConnectionClass, SocketConnectionInstance,
    SocketListenerClass, SocketListenerInstance, SocketServiceClass, SocketServiceInstance,
    TcpConnectionClass, TcpConnectionInstance, TcpWrapperConnectionClass,
    TcpWrapperConnectionInstance, ThreadedSocketServiceClass, ThreadedSocketServiceInstance,
    UnixConnectionClass, UnixConnectionInstance,
};
pub use tcp_connection::TcpConnectionImpl;
pub use tcp_wrapper_connection::TcpWrapperConnectionImpl;
pub use threaded_socket_service::{ThreadedSocketServiceImpl, ThreadedSocketServiceImplExt};
pub use unix_connection::UnixConnectionImpl;

/// What one needs to derive: our traits, gio's and glib's.
pub mod prelude {
    pub use gio::subclass::prelude::*;

    pub use super::{
        SocketClientImpl, SocketClientImplExt, SocketConnectionImpl, SocketConnectionImplExt,
        SocketListenerImpl, SocketListenerImplExt, SocketServiceImpl, SocketServiceImplExt,
        TcpConnectionImpl, TcpWrapperConnectionImpl, ThreadedSocketServiceImpl,
        ThreadedSocketServiceImplExt, UnitFuture, UnixConnectionImpl,
    };
}
