//! What the pages for newcomers say: two programs, one on gio-rs' own classes and one after docs/migrating.md, do the
//! same; and the label of README.md shows what it should.

#![cfg(test)]
#![allow(
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "programs, not a library"
)]
#![allow(unsafe_code, reason = "gio-rs gives descriptors as numbers")]

mod support;

#[path = "migrating/after.rs"]
mod after;
#[path = "migrating/before.rs"]
mod before;
#[path = "migrating/gtk.rs"]
mod gtk;
#[path = "migrating/label.rs"]
mod label;

use gio::prelude::*;
use support::*;

mod with_gio {
    use super::before as program;
    include!("migrating/assertions.rs");
}

mod with_gsock {
    use super::after as program;
    include!("migrating/assertions.rs");
}

/// How many lines two texts have in common, in the same order: the longest such sequence.
fn lines_in_common(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.lines().collect();
    let mut longest = vec![0; other.len() + 1];
    for line in one.lines() {
        let mut before = 0;
        for (place, candidate) in other.iter().enumerate() {
            let above = longest[place + 1];
            longest[place + 1] = match *candidate == line {
                true => before + 1,
                false => above.max(longest[place]),
            };
            before = above;
        }
    }
    longest[other.len()]
}

#[test]
fn the_page_says_how_many_lines_of_the_program_have_changed() {
    let numbers = on_private_context(|_| {
        let before = include_str!("migrating/before.rs");
        let after = include_str!("migrating/after.rs");
        let common = lines_in_common(before, after);
        format!(
            "Of {} lines {common} stay, {} go, {} come.",
            before.lines().count(),
            before.lines().count() - common,
            after.lines().count() - common,
        )
    });
    let page = include_str!("../docs/migrating.md");
    assert!(
        page.contains(&numbers),
        "docs/migrating.md does not say: {numbers}"
    );
}

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
