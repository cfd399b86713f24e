//! What the pages for newcomers say: the label of README.md shows what it should.

#![cfg(test)]
#![allow(
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "programs, not a library"
)]
mod support;

#[path = "migrating/gtk.rs"]
mod gtk;
#[path = "migrating/label.rs"]
mod label;

use gio::prelude::*;
use support::*;

#[test]
fn the_label_of_the_readme_shows_the_state_and_keeps_the_address() {
    on_private_context(|context| {
        let (connection, peer) = connected();
        let label = label::label_of(&connection);
        assert_eq!(label.label(), "Connected");
        let address = peer.local_addr().expect("connected").to_string();
        assert_eq!(label.tooltip_text(), Some(address.clone()));
        drop(peer);
        iterate_until(context, || label.label() == "Disconnected");
        connection.close(gio::Cancellable::NONE).expect("open");
        iterate_until(context, || label.label() == "Closed");
        assert_eq!(label.tooltip_text(), Some(address));
    });
}

#[test]
fn the_label_of_the_readme_is_the_one_that_is_tried_here() {
    on_private_context(|_| {
        let readme = include_str!("../README.md");
        let (_, rest) = readme
            .split_once("```rust,ignore\n")
            .expect("the one that is not compiled");
        let (shown, _) = rest.split_once("\n```").expect("its end");
        // The first line says why it is not compiled.
        let shown: Vec<_> = shown.lines().skip(1).map(str::trim).collect();
        let tried: Vec<_> = include_str!("migrating/label.rs")
            .lines()
            .map(str::trim)
            .collect();
        assert!(
            tried.windows(shown.len()).any(|lines| lines == shown),
            "migrating/label.rs does not have the lines of README.md"
        );
    });
}
