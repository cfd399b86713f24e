//! The corpora of the fuzz targets, played without a fuzzer: what one has found stays found. Each line
//! "corpus: N inputs: …" is counted by `.ci/nets/fuzz.sh`.

#![cfg(test)]
#![allow(unsafe_code, reason = "messages made by hand, and C's interfaces")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "functions of C's interfaces, called by GIO with live arguments"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "of other tests, and of a crate of its own"
)]

mod support;

#[path = "bad_input/asked.rs"]
mod asked;
#[path = "socket_client/tools.rs"]
mod client_tools;
#[path = "bad_input/oracle.rs"]
mod oracle;
#[path = "unix_connection/messages.rs"]
mod unix_messages;

#[path = "corpus/ancillary.rs"]
mod ancillary;
#[path = "corpus/bytes.rs"]
mod bytes;
#[path = "corpus/frames.rs"]
mod frames;
#[path = "corpus/names.rs"]
mod names;
#[path = "corpus/operations.rs"]
mod operations;
#[path = "corpus/proxies.rs"]
mod proxies;

use support::*;

/// Plays every input of a target; the name of its file is told before, so that it stands last where the process ends.
fn play(target: &'static str, one: fn(&[u8], &glib::MainContext)) {
    on_private_context_within(LIMIT * 8, move |context| {
        let folder = format!(
            "{}/tests/corpus/inputs/{target}",
            env!("CARGO_MANIFEST_DIR")
        );
        let files = std::fs::read_dir(&folder).expect("a folder of inputs");
        let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        for file in &files {
            println!("{}", file.display());
            one(&std::fs::read(file).expect("a file"), context);
        }
        println!("corpus: {} inputs: {target}", files.len());
        assert!(!files.is_empty(), "nothing in {folder}");
    });
}

macro_rules! corpora {
    ($($name:ident: $target:ident,)*) => {$(
        #[test]
        fn $name() {
            play(stringify!($target), $target::one);
        }
    )*};
}

corpora!(
    what_was_found_of_proxies_is_right: proxies,
    what_was_found_of_control_messages_is_right: ancillary,
    what_was_found_of_names_is_right: names,
    what_was_found_of_frames_is_right: frames,
    what_was_found_of_operations_is_right: operations,
);
