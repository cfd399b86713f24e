//! Drives the whole application as a user would, against its own listener, and reads its widgets after real
//! traffic: `drive [--pictures FOLDER]`, on a display of its own (`make inspector-test`, `make inspector-shot`).
//!
//! It has no harness: GTK stays on the first thread of a process. What it expects stands in `steps.rs`, one function for
//! each thing that must be true; the first that is not ends it with status 1.

mod names;
mod pictures;
mod steps;
mod tls;
mod widgets;

use std::{
    cell::RefCell,
    path::PathBuf,
    process::ExitCode,
    rc::Rc,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use adw::prelude::*;
use gsock_inspector::{Application, Window, register_resources};

/// Of all of it. A picture that shows half a minute of traffic takes that long.
const LIMIT: Duration = Duration::from_secs(500);

/// What GTK, GLib and gsock have complained of.
static COMPLAINTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let mut folder = None;
    while let Some(word) = words.next() {
        // Whatever else a runner of tests passes is not for us.
        if word == "--pictures" {
            folder = words.next().map(PathBuf::from);
        }
    }
    listen_to_complaints();
    if let Err(failure) = register_resources() {
        eprintln!("drive: {failure}");
        return ExitCode::FAILURE;
    }
    let application = Application::new(gio::ApplicationFlags::NON_UNIQUE);
    let outcome = Rc::new(RefCell::new(None));
    application.connect_activate({
        let outcome = outcome.clone();
        move |application| {
            let application = application.clone();
            let folder = folder.clone();
            let outcome = outcome.clone();
            glib::MainContext::default().spawn_local(async move {
                // A task of its own: it is the task that a panic ends, and not the program.
                let steps = glib::MainContext::default().spawn_local({
                    let application = application.clone();
                    async move { drive(&application, folder).await }
                });
                let ended = glib::future_with_timeout(LIMIT, steps).await;
                outcome.replace(Some(match ended {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) => Err("a step has failed".to_owned()),
                    Err(_) => Err(format!("it has not ended within {LIMIT:?}")),
                }));
                application.quit();
            });
        }
    });
    application.run_with_args::<&str>(&[]);

    let complaints = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
    for complaint in complaints.iter() {
        eprintln!("drive: not expected: {complaint}");
    }
    match &*outcome.borrow() {
        Some(Ok(())) if complaints.is_empty() => ExitCode::SUCCESS,
        Some(Ok(())) => ExitCode::FAILURE,
        Some(Err(what)) => {
            eprintln!("drive: {what}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("drive: there is no display");
            ExitCode::FAILURE
        }
    }
}

async fn drive(application: &Application, folder: Option<PathBuf>) {
    // The handler of the application's own class has run before this one.
    let window = application
        .active_window()
        .and_downcast::<Window>()
        .expect("starting has opened a window");
    if let Some(settings) = gtk::Settings::default() {
        settings.set_gtk_enable_animations(false);
        settings.set_gtk_cursor_blink(false);
        settings.set_gtk_decoration_layout(Some(":close"));
        settings.set_gtk_font_name(Some("Cantarell 11"));
    }
    if let Some(display) = gtk::gdk::Display::default() {
        // Where nothing composes windows, GTK draws a frame around each: it would be 10 pixels narrower than asked for.
        let frameless = gtk::CssProvider::new();
        frameless.load_from_data(
            "window.solid-csd { padding: 0; margin: 0; border: none; box-shadow: none; }",
        );
        gtk::style_context_add_provider_for_display(
            &display,
            &frameless,
            gtk::STYLE_PROVIDER_PRIORITY_USER,
        );
    }
    let album = pictures::Album::new(folder);
    steps::all_steps(application, &window, &album).await;
}

fn listen_to_complaints() {
    glib::log_set_writer_func(|level, fields| {
        let field = |key: &str| fields.iter().find(|it| it.key() == key);
        let text = field("MESSAGE").and_then(|it| it.value_str());
        let text = text.unwrap_or_default();
        // There is no desktop around this display.
        let is_of_the_desktop = ["session bus", "dconf", "portal"]
            .iter()
            .any(|word| text.contains(word));
        let is_complaint = matches!(
            level,
            glib::LogLevel::Warning | glib::LogLevel::Critical | glib::LogLevel::Error
        );
        // libadwaita 1.2 measures the switcher that it is about to hide.
        let is_of_adwaita = text.starts_with("gtk_widget_size_allocate(): attempt to allocate");
        if is_complaint && !is_of_the_desktop && !is_of_adwaita {
            let mut complaints = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
            complaints.push(text.to_owned());
        }
        glib::LogWriterOutput::Handled
    });
}
