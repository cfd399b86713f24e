//! The window: a list of places, and the place that was chosen.

use std::cell::RefCell;

use adw::{prelude::*, subclass::prelude::*};
use glib::subclass::InitializingObject;
use gtk::{CompositeTemplate, TemplateChild};

use crate::{
    application::Application,
    connect_dialog::ConnectDialog,
    connection_page::ConnectionPage,
    listener_page::ListenerPage,
    model::{Inspector, Session, Target},
    rows::SidebarRow,
    show::Closures,
};

mod imp {
    use super::*;

    #[derive(Debug, Default, CompositeTemplate, glib::Properties)]
    #[properties(wrapper_type = super::Window)]
    #[template(resource = "/org/gsock/Inspector/window.ui")]
    pub struct Window {
        #[property(get, set, construct_only, nullable)]
        inspector: RefCell<Option<Inspector>>,
        #[template_child]
        pub(super) leaflet: TemplateChild<adw::Leaflet>,
        #[template_child]
        pub(super) selection: TemplateChild<gtk::SingleSelection>,
        #[template_child]
        pub(super) connection_page: TemplateChild<ConnectionPage>,
        #[template_child]
        pub(super) listener_page: TemplateChild<ListenerPage>,
        #[template_child]
        pub(super) toasts: TemplateChild<adw::ToastOverlay>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Window {
        const NAME: &'static str = "InspectorWindow";
        type Type = super::Window;
        type ParentType = adw::ApplicationWindow;

        fn class_init(class: &mut Self::Class) {
            for type_ in [
                ConnectionPage::static_type(),
                ListenerPage::static_type(),
                SidebarRow::static_type(),
                Inspector::static_type(),
            ] {
                debug_assert!(type_.is_valid());
            }
            class.bind_template();
            class.bind_template_callbacks();
            Closures::bind_template_callbacks(class);
            install_actions(class);
        }

        fn instance_init(window: &InitializingObject<Self>) {
            window.init_template();
        }
    }

    fn install_actions(class: &mut <Window as ObjectSubclass>::Class) {
        class.install_action("win.new-connection", None, |window, _, _| {
            ConnectDialog::new(window).present();
        });
        class.install_action("win.show-list", None, |window, _, _| {
            window
                .imp()
                .leaflet
                .navigate(adw::NavigationDirection::Back);
        });
        class.install_action("win.show-content", None, |window, _, _| {
            window.show_content();
        });
        class.install_action("win.show-listener", None, |window, _, _| {
            window.show_listener();
        });
        class.install_action("win.listen", None, |window, _, _| window.listen());
        class.install_action("win.connect-to-listener", None, |window, _, _| {
            window.connect_to_listener();
        });
        class.install_action("win.close-connection", None, |window, _, _| {
            window.imp().connection_page.close();
        });
        class.install_action("win.kill-peer", None, |window, _, _| {
            window.imp().connection_page.kill_peer();
        });
        class.install_action("win.reset-peer", None, |window, _, _| {
            window.imp().connection_page.reset_peer();
        });
        class.install_action("win.remove-connection", None, |window, _, _| {
            window.remove_connection();
        });
        class.install_action(
            "win.show-view",
            Some(glib::VariantTy::STRING),
            |window, _, name| {
                if let Some(name) = name.and_then(glib::Variant::str) {
                    window.imp().connection_page.show_view(name);
                }
            },
        );
        class.install_action("win.hex", None, |window, _, _| {
            window.imp().connection_page.toggle_hex();
        });
    }

    #[glib::derived_properties]
    impl ObjectImpl for Window {
        fn constructed(&self) {
            self.parent_constructed();
            if let Some(inspector) = self.obj().inspector() {
                let toasts = self.toasts.downgrade();
                inspector.connect_failed(move |what| {
                    if let Some(toasts) = toasts.upgrade() {
                        toasts.add_toast(adw::Toast::new(&glib::markup_escape_text(what)));
                    }
                });
            }
        }
    }
    impl WidgetImpl for Window {}
    impl WindowImpl for Window {}
    impl ApplicationWindowImpl for Window {}
    impl AdwApplicationWindowImpl for Window {}

    #[gtk::template_callbacks]
    impl Window {
        #[template_callback]
        fn on_activate(&self) {
            self.obj().show_content();
        }
    }
}

glib::wrapper! {
    /// Shows an [`Inspector`].
    pub struct Window(ObjectSubclass<imp::Window>)
        @extends adw::ApplicationWindow, gtk::ApplicationWindow, gtk::Window, gtk::Widget,
        @implements gio::ActionGroup, gio::ActionMap, gtk::Buildable, gtk::ConstraintTarget,
            gtk::Native, gtk::Root, gtk::ShortcutManager;
}

impl Window {
    /// With nothing in it yet.
    #[must_use]
    pub fn new(application: &Application) -> Self {
        glib::Object::builder()
            .property("application", application)
            .property("inspector", Inspector::default())
            .build()
    }

    /// Begins to connect, and shows how it goes.
    pub fn dial(&self, target: &Target) -> Option<Session> {
        let inspector = self.inspector()?;
        let session = inspector.dial(target)?;
        // Behind the listener, the newest last.
        self.choose(inspector.places().n_items() - 1);
        Some(session)
    }

    /// Shows the place of that number.
    pub fn choose(&self, position: u32) {
        self.imp().selection.set_selected(position);
        self.show_content();
    }

    fn show_content(&self) {
        self.imp()
            .leaflet
            .navigate(adw::NavigationDirection::Forward);
    }

    fn show_listener(&self) {
        self.choose(0);
    }

    fn listen(&self) {
        let Some(inspector) = self.inspector() else {
            return;
        };
        let Some(port) = self.imp().listener_page.wanted_port() else {
            inspector.fail("That is no port");
            return;
        };
        if let Err(failure) = inspector.listener().start(port) {
            inspector.fail(failure.message());
        }
    }

    fn connect_to_listener(&self) {
        let Some(listener) = self.inspector().map(|it| it.listener()) else {
            return;
        };
        if !listener.listening() {
            self.listen();
        }
        if let Ok(port) = u16::try_from(listener.port())
            && listener.listening()
        {
            self.dial(&Target {
                host: "localhost".into(),
                port,
                ..Target::default()
            });
        }
    }

    fn remove_connection(&self) {
        if let Some(inspector) = self.inspector()
            && let Some(session) = self.imp().connection_page.session()
        {
            inspector.remove(&session);
            self.imp().leaflet.navigate(adw::NavigationDirection::Back);
        }
    }
}
