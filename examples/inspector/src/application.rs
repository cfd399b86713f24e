//! The application: what does not belong to one window.

use adw::{prelude::*, subclass::prelude::*};

use crate::window::Window;

/// How the desktop knows it.
pub const ID: &str = "org.gsock.Inspector";

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct Application;

    #[glib::object_subclass]
    impl ObjectSubclass for Application {
        const NAME: &'static str = "InspectorApplication";
        type Type = super::Application;
        type ParentType = adw::Application;
    }

    impl ObjectImpl for Application {}

    impl ApplicationImpl for Application {
        fn activate(&self) {
            self.parent_activate();
            let application = self.obj();
            let window = application
                .active_window()
                .unwrap_or_else(|| Window::new(&application).upcast());
            window.present();
        }

        fn startup(&self) {
            self.parent_startup();
            gtk::Window::set_default_icon_name(ID);
            let application = self.obj();
            application.add_actions();
            for (action, keys) in [
                ("app.quit", &["<Control>q"][..]),
                ("app.new-window", &["<Control><Shift>n"]),
                ("window.close", &["<Control>w"]),
                ("win.new-connection", &["<Control>n"]),
                ("win.show-listener", &["<Control>l"]),
                ("win.listen", &["<Control><Shift>l"]),
                ("win.connect-to-listener", &["<Control>e"]),
                ("win.close-connection", &["<Control>d"]),
                ("win.kill-peer", &["<Control>k"]),
                ("win.reset-peer", &["<Control><Shift>k"]),
                ("win.remove-connection", &["<Control><Shift>d"]),
                ("win.hex", &["<Control>h"]),
                ("win.show-view::overview", &["<Alt>1"]),
                ("win.show-view::data", &["<Alt>2"]),
                ("win.show-view::timeline", &["<Alt>3"]),
            ] {
                application.set_accels_for_action(action, keys);
            }
        }
    }

    impl GtkApplicationImpl for Application {}
    impl AdwApplicationImpl for Application {}
}

glib::wrapper! {
    /// The inspector as the desktop starts it.
    pub struct Application(ObjectSubclass<imp::Application>)
        @extends adw::Application, gtk::Application, gio::Application,
        @implements gio::ActionGroup, gio::ActionMap;
}

impl Application {
    /// Not registered yet, and not the only one of its kind where `flags` say so.
    #[must_use]
    pub fn new(flags: gio::ApplicationFlags) -> Self {
        glib::Object::builder()
            .property("application-id", ID)
            .property("resource-base-path", "/org/gsock/Inspector")
            .property("flags", flags)
            .build()
    }

    fn add_actions(&self) {
        let scheme = gio::ActionEntry::builder("color-scheme")
            .parameter_type(Some(glib::VariantTy::STRING))
            .state("default".to_variant())
            .activate(|application: &Self, action, wanted| {
                let Some(wanted) = wanted else {
                    return;
                };
                action.set_state(wanted);
                application
                    .style_manager()
                    .set_color_scheme(match wanted.str() {
                        Some("light") => adw::ColorScheme::ForceLight,
                        Some("dark") => adw::ColorScheme::ForceDark,
                        _ => adw::ColorScheme::Default,
                    });
            })
            .build();
        let about = gio::ActionEntry::builder("about")
            .activate(|application: &Self, _, _| application.show_about())
            .build();
        let new_window = gio::ActionEntry::builder("new-window")
            .activate(|application: &Self, _, _| Window::new(application).present())
            .build();
        let quit = gio::ActionEntry::builder("quit")
            .activate(|application: &Self, _, _| {
                for window in application.windows() {
                    window.close();
                }
            })
            .build();
        self.add_action_entries([scheme, about, new_window, quit]);
    }

    fn show_about(&self) {
        let about = adw::AboutWindow::builder()
            .application_icon(ID)
            .application_name("Connection Inspector")
            .developer_name("The gsock authors")
            .version(env!("CARGO_PKG_VERSION"))
            .comments("Looks into socket connections. All that it shows is bound to the properties of gsock's objects.")
            .license_type(gtk::License::MitX11)
            .modal(true)
            .build();
        about.set_transient_for(self.active_window().as_ref());
        about.present();
    }
}
