//! What there is to be seen, without a widget: connections, what happened to each, a listener.

mod inspector;
mod listener;
mod message;
mod moment;
mod session;
mod traffic;

pub use inspector::Inspector;
pub use listener::Listener;
pub use message::{Message, parse_hex};
pub use moment::{Kind, Moment};
pub use session::{Session, Target};
pub use traffic::{INTERVAL, SAMPLES, Traffic};
