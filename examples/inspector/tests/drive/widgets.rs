//! Finding widgets, and waiting for them.

use std::time::{Duration, Instant};

use adw::prelude::*;

/// For a single thing to come true.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not so in {PATIENCE:?}: {what}");
        glib::timeout_future(Duration::from_millis(10)).await;
    }
}

/// A widget and all below it.
pub fn all(root: &impl IsA<gtk::Widget>) -> Vec<gtk::Widget> {
    let mut found = vec![root.clone().upcast()];
    let mut next = root.first_child();
    while let Some(child) = next {
        next = child.next_sibling();
        found.extend(all(&child));
    }
    found
}

/// Those of that name in their template.
pub fn named<T: IsA<gtk::Widget>>(root: &impl IsA<gtk::Widget>, id: &str) -> Vec<T> {
    all(root)
        .into_iter()
        .filter(|widget| widget.buildable_id().is_some_and(|it| it == id))
        .filter_map(|widget| widget.downcast().ok())
        .collect()
}

/// The first of that name in its template.
pub fn find<T: IsA<gtk::Widget>>(root: &impl IsA<gtk::Widget>, id: &str) -> T {
    named(root, id)
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("there is no {id}"))
}

/// What a label says.
pub fn says(root: &impl IsA<gtk::Widget>, id: &str) -> String {
    find::<gtk::Label>(root, id).label().into()
}

/// Presses a button, as a user can: only where it can be pressed.
pub fn press(root: &impl IsA<gtk::Widget>, id: &str) {
    let button: gtk::Button = find(root, id);
    assert!(
        button.is_sensitive() && button.is_mapped(),
        "{id} cannot be pressed"
    );
    button.emit_clicked();
}
