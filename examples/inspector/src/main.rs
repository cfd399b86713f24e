//! Starts the inspector.

use adw::prelude::*;
use gsock_inspector::{Application, register_resources};

fn main() -> glib::ExitCode {
    if let Err(failure) = register_resources() {
        eprintln!("gsock-inspector: {failure}");
        return glib::ExitCode::FAILURE;
    }
    Application::new(gio::ApplicationFlags::default()).run()
}
