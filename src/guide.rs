//! What one should know beyond single methods, a page for each concept.
//!
//! * [`three_forms`]: blocking, with a `GAsyncResult`, as a future
//! * [`main_contexts`]: where callbacks and notifications come, and what runs there
//! * [`threads`]: a connection's home, and what may go to other threads
//! * [`state_and_bindings`]: what a connection says of itself
//! * [`deriving`]: classes of one's own, and the factory
//! * [`interop`]: with code that was written for GIO
//! * [`errors`]: domains, codes, and what they mean
//! * [`cancel_safety`]: what is left after a cancellation
//! * [`migrating`]: from gio's own classes, from tokio, from futures over gio-rs
//!
//! There is nothing else in this module.

#[doc = include_str!("../docs/guide/three-forms.md")]
pub mod three_forms {}

#[doc = include_str!("../docs/guide/main-contexts.md")]
pub mod main_contexts {}

#[doc = include_str!("../docs/guide/threads.md")]
pub mod threads {}

#[doc = include_str!("../docs/guide/state-and-bindings.md")]
pub mod state_and_bindings {}

#[doc = include_str!("../docs/guide/deriving.md")]
pub mod deriving {}

#[doc = include_str!("../docs/guide/interop.md")]
pub mod interop {}

#[doc = include_str!("../docs/guide/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/guide/cancel-safety.md")]
pub mod cancel_safety {}

#[doc = include_str!("../docs/migrating.md")]
pub mod migrating {}
