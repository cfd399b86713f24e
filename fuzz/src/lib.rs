//! What the fuzz targets do with their bytes stands in `tests/corpus/`: `tests/corpus.rs` plays the corpora to it, without a
//! fuzzer.

#![allow(unsafe_code, reason = "messages made by hand, and C's interfaces")]
#![allow(missing_docs, unreachable_pub, dead_code, reason = "no library")]

#[path = "../../tests/bad_input/asked.rs"]
mod asked;
#[path = "../../tests/socket_client/tools.rs"]
mod client_tools;
#[path = "../../tests/bad_input/oracle.rs"]
mod oracle;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../tests/unix_connection/messages.rs"]
mod unix_messages;

#[path = "../../tests/corpus/ancillary.rs"]
pub mod ancillary;
#[path = "../../tests/corpus/bytes.rs"]
mod bytes;
#[path = "../../tests/corpus/frames.rs"]
pub mod frames;
#[path = "../../tests/corpus/names.rs"]
pub mod names;
#[path = "../../tests/corpus/operations.rs"]
pub mod operations;
#[path = "../../tests/corpus/proxies.rs"]
pub mod proxies;

/// Runs `one` on a context of this thread's own, and sees to it that nothing is left there.
pub fn run(one: fn(&[u8], &glib::MainContext), data: &[u8]) {
    thread_local! {
        static CONTEXT: glib::MainContext = glib::MainContext::new();
    }
    CONTEXT.with(|context| {
        context
            .with_thread_default(|| {
                one(data, context);
                let rest = (0..100_000).position(|_| !context.iteration(false));
                assert!(rest.is_some(), "something in the context runs without end");
            })
            .expect("nobody else knows the context");
    });
}
