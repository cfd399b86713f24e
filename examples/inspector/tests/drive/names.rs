//! What a screen reader is told, and what a keyboard gets to.

#![allow(
    unsafe_code,
    reason = "the bindings have the functions for this from a later GTK on"
)]

use std::ffi::{c_int, c_void};

use adw::prelude::*;
use glib::translate::{IntoGlib, ToGlibPtr};

use crate::widgets::all;

// SAFETY: as GTK declares them; its enumerations are ints.
unsafe extern "C" {
    fn gtk_test_accessible_has_property(accessible: *mut c_void, property: c_int) -> c_int;
    fn gtk_test_accessible_has_relation(accessible: *mut c_void, relation: c_int) -> c_int;
}

fn has_property(widget: &gtk::Widget, property: gtk::AccessibleProperty) -> bool {
    let pointer: *mut gtk::ffi::GtkWidget = widget.to_glib_none().0;
    // SAFETY: every widget is a GtkAccessible, and this one is alive.
    let has = unsafe { gtk_test_accessible_has_property(pointer.cast(), property.into_glib()) };
    has != 0
}

fn has_relation(widget: &gtk::Widget, relation: gtk::AccessibleRelation) -> bool {
    let pointer: *mut gtk::ffi::GtkWidget = widget.to_glib_none().0;
    // SAFETY: as above.
    let has = unsafe { gtk_test_accessible_has_relation(pointer.cast(), relation.into_glib()) };
    has != 0
}

fn has_label(widget: &gtk::Widget) -> bool {
    has_property(widget, gtk::AccessibleProperty::Label)
        || has_relation(widget, gtk::AccessibleRelation::LabelledBy)
}

/// Whether a screen reader goes on from a row to its value.
pub fn tells_its_value(value: &gtk::Label) -> bool {
    value
        .ancestor(adw::ActionRow::static_type())
        .is_some_and(|row| has_relation(&row, gtk::AccessibleRelation::DescribedBy))
}

/// Parts of GTK's own widgets, which see to their names themselves.
fn is_inside_of_another(widget: &gtk::Widget) -> bool {
    [
        gtk::MenuButton::static_type(),
        gtk::WindowControls::static_type(),
        gtk::DropDown::static_type(),
        adw::EntryRow::static_type(),
        adw::ViewSwitcher::static_type(),
    ]
    .iter()
    .any(|&type_| {
        widget
            .parent()
            .is_some_and(|parent| parent.ancestor(type_).is_some())
    })
}

fn is_used(widget: &gtk::Widget) -> bool {
    widget.is::<gtk::Button>()
        || widget.is::<gtk::MenuButton>()
        || widget.is::<gtk::Entry>()
        || widget.is::<gtk::DropDown>()
        || widget.is::<gtk::Switch>()
        || widget.is::<gtk::ListView>()
}

/// What can be used, and does not get the focus in a walk with the key Tab; and what the walk came by.
pub fn out_of_reach(window: &impl IsA<gtk::Window>) -> (Vec<String>, usize) {
    let window: &gtk::Window = window.upcast_ref();
    let before = GtkWindowExt::focus(window);
    let mut visited: Vec<gtk::Widget> = Vec::new();
    // Longer than any round.
    for _ in 0..200 {
        if !window.child_focus(gtk::DirectionType::TabForward) {
            // The end: from the beginning.
            GtkWindowExt::set_focus(window, gtk::Widget::NONE);
        }
        if let Some(focus) = GtkWindowExt::focus(window)
            && !visited.contains(&focus)
        {
            visited.push(focus);
        }
    }
    GtkWindowExt::set_focus(window, before.as_ref());
    // A label that gets the focus in this way is selected.
    for widget in &visited {
        if let Some(label) = widget.downcast_ref::<gtk::Label>() {
            label.select_region(0, 0);
        }
    }
    let is_reached = |widget: &gtk::Widget| {
        visited
            .iter()
            .any(|it| it == widget || it.is_ancestor(widget))
    };
    let missed = all(window)
        .into_iter()
        .filter(|it| is_used(it) && it.is_mapped() && it.is_sensitive())
        // The window's own buttons have keys of the desktop's.
        .filter(|it| it.ancestor(gtk::WindowControls::static_type()).is_none())
        .filter(|it| !is_inside_of_another(it) && !is_reached(it))
        .map(|it| format!("{} {}", it.type_(), it.buildable_id().unwrap_or_default()))
        .collect();
    (missed, visited.len())
}

/// What can be used, is shown and has no name; and how much was looked at.
pub fn nameless(root: &impl IsA<gtk::Widget>) -> (Vec<String>, usize) {
    let mut looked_at = 0;
    let mut found = Vec::new();
    for widget in all(root) {
        if !is_used(&widget) && !widget.is::<gsock_inspector::plot::Plot>()
            || !widget.is_mapped()
            || is_inside_of_another(&widget)
        {
            continue;
        }
        looked_at += 1;
        let has_words = widget
            .downcast_ref::<gtk::Button>()
            .and_then(ButtonExt::label)
            .is_some_and(|words| !words.is_empty());
        if !has_words && !has_label(&widget) {
            let id = widget.buildable_id().unwrap_or_default();
            found.push(format!("{} {id}", widget.type_()));
        }
    }
    (found, looked_at)
}
