//! What is a difference between GIO's class and ours is one between the adopted class and ours too.

use crate::under::*;

/// Runs a scenario on GIO's class, adopted.
#[track_caller]
pub(crate) fn differs<T: PartialEq + std::fmt::Debug>(
    context: &glib::MainContext,
    scenario: impl Fn(Side, &glib::MainContext) -> T,
    gio: T,
    ours: T,
) {
    gsock::adopt_gio().expect("it can be done");
    assert_ne!(gio, ours, "it is no difference");
    assert_gio(scenario(Side::Gio, context), gio);
}
