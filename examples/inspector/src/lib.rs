//! A connection inspector: a GTK application whose widgets are bound to gsock's properties.
//!
//! [`model`] holds what there is to be seen, `resources/` the templates that are bound to it, and
//! [`show`] what stands between a property and a label.

pub mod application;
pub mod connect_dialog;
pub mod connection_page;
pub mod listener_page;
pub mod model;
pub mod plot;
pub mod rows;
pub mod show;
pub mod window;

pub use application::Application;
pub use window::Window;

/// Makes the templates, icons and styles known.
///
/// # Errors
///
/// Where what the build has put into the program cannot be read.
pub fn register_resources() -> Result<(), glib::Error> {
    gio::resources_register_include!("inspector.gresource")
}
