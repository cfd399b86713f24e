//! The listener, and who has come.

use std::cell::{Cell, RefCell};

use adw::{prelude::*, subclass::prelude::*};
use glib::subclass::InitializingObject;
use gtk::{CompositeTemplate, TemplateChild};

use crate::{
    model::{Listener, Session},
    rows::ClientRow,
    show::Closures,
};

mod imp {
    use super::*;

    #[derive(Debug, Default, CompositeTemplate, glib::Properties)]
    #[properties(wrapper_type = super::ListenerPage)]
    #[template(resource = "/org/gsock/Inspector/listener-page.ui")]
    pub struct ListenerPage {
        #[property(get, set = Self::set_listener, nullable, explicit_notify)]
        listener: RefCell<Option<Listener>>,
        #[property(get, set)]
        folded: Cell<bool>,
        /// What was typed.
        #[property(get, set)]
        port_text: RefCell<String>,
        #[template_child]
        clients: TemplateChild<gtk::ListBox>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ListenerPage {
        const NAME: &'static str = "InspectorListenerPage";
        type Type = super::ListenerPage;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            debug_assert!(Listener::static_type().is_valid());
            class.bind_template();
            class.bind_template_callbacks();
            Closures::bind_template_callbacks(class);
        }

        fn instance_init(page: &InitializingObject<Self>) {
            page.init_template();
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for ListenerPage {}
    impl WidgetImpl for ListenerPage {}
    impl BinImpl for ListenerPage {}

    impl ListenerPage {
        fn set_listener(&self, listener: Option<Listener>) {
            // The list follows the model by itself.
            self.clients.bind_model(
                listener.as_ref().map(Listener::clients).as_ref(),
                |client| match client.downcast_ref::<Session>() {
                    Some(client) => ClientRow::new(client).upcast(),
                    None => gtk::Separator::default().upcast(),
                },
            );
            self.listener.replace(listener);
            self.obj().notify_listener();
        }
    }

    #[gtk::template_callbacks]
    impl ListenerPage {
        #[template_callback]
        fn on_start(&self) {
            // There is such an action wherever this page is shown.
            let _ = self.obj().activate_action("win.listen", None);
        }

        #[template_callback]
        fn on_stop(&self) {
            if let Some(listener) = self.obj().listener() {
                listener.stop();
            }
        }

        #[template_callback]
        fn on_dismiss(&self) {
            if let Some(listener) = self.obj().listener() {
                listener.dismiss();
            }
        }
    }
}

glib::wrapper! {
    /// Starts and stops `listener`, and shows its clients.
    pub struct ListenerPage(ObjectSubclass<imp::ListenerPage>)
        @extends adw::Bin, gtk::Widget,
        @implements gtk::Buildable, gtk::ConstraintTarget;
}

impl ListenerPage {
    /// The port that was asked for: 0, any that is free, where none was; none where it is no port.
    #[must_use]
    pub fn wanted_port(&self) -> Option<u16> {
        let words = self.port_text();
        if words.is_empty() {
            return Some(0);
        }
        words.trim().parse().ok()
    }
}
