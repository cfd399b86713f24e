//! Where to?

use std::cell::RefCell;

use adw::{prelude::*, subclass::prelude::*};
use glib::subclass::InitializingObject;
use gtk::{CompositeTemplate, TemplateChild};

use crate::{model::Target, show::Closures, window::Window};

mod imp {
    use super::*;

    #[derive(Debug, Default, CompositeTemplate, glib::Properties)]
    #[properties(wrapper_type = super::ConnectDialog)]
    #[template(resource = "/org/gsock/Inspector/connect-dialog.ui")]
    pub struct ConnectDialog {
        /// What was typed.
        #[property(get, set)]
        host_text: RefCell<String>,
        #[property(get, set)]
        port_text: RefCell<String>,
        #[template_child]
        tls: TemplateChild<gtk::Switch>,
        #[template_child]
        any_certificate: TemplateChild<gtk::Switch>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ConnectDialog {
        const NAME: &'static str = "InspectorConnectDialog";
        type Type = super::ConnectDialog;
        type ParentType = adw::Window;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
            class.bind_template_callbacks();
            Closures::bind_template_callbacks(class);
        }

        fn instance_init(dialog: &InitializingObject<Self>) {
            dialog.init_template();
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for ConnectDialog {}
    impl WidgetImpl for ConnectDialog {}
    impl WindowImpl for ConnectDialog {}
    impl AdwWindowImpl for ConnectDialog {}

    #[gtk::template_callbacks]
    impl ConnectDialog {
        #[template_callback]
        fn on_connect(&self) {
            // Where it is no port, there is no button to press.
            let dialog = self.obj();
            let Ok(port) = dialog.port_text().trim().parse() else {
                return;
            };
            let window = dialog.transient_for().and_downcast::<Window>();
            let target = Target {
                host: dialog.host_text().trim().into(),
                port,
                tls: self.tls.is_active(),
                any_certificate: self.any_certificate.is_active(),
            };
            dialog.close();
            if let Some(window) = window {
                window.dial(&target);
            }
        }
    }
}

glib::wrapper! {
    /// Asks for a host and a port, and connects.
    pub struct ConnectDialog(ObjectSubclass<imp::ConnectDialog>)
        @extends adw::Window, gtk::Window, gtk::Widget,
        @implements gtk::Buildable, gtk::ConstraintTarget, gtk::Native, gtk::Root, gtk::ShortcutManager;
}

impl ConnectDialog {
    /// Over `window`, which does the rest.
    #[must_use]
    pub fn new(window: &Window) -> Self {
        glib::Object::builder()
            .property("transient-for", window)
            .build()
    }
}
