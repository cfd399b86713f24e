//! All about one connection.

use std::cell::{Cell, RefCell};

use adw::{prelude::*, subclass::prelude::*};
use glib::subclass::InitializingObject;
use gtk::{CompositeTemplate, TemplateChild};

use crate::{
    model::Session,
    plot::Plot,
    rows::{MessageRow, MomentRow},
    show::{self, Closures},
};

mod imp {
    use super::*;

    #[derive(Debug, Default, CompositeTemplate, glib::Properties)]
    #[properties(wrapper_type = super::ConnectionPage)]
    #[template(resource = "/org/gsock/Inspector/connection-page.ui")]
    pub struct ConnectionPage {
        #[property(get, set, nullable)]
        session: RefCell<Option<Session>>,
        /// Whether the list stands behind it, and not beside it.
        #[property(get, set)]
        folded: Cell<bool>,
        /// What is to be sent, and in which manner.
        #[property(get, set)]
        message: RefCell<String>,
        #[property(get, set)]
        manner: Cell<u32>,
        #[template_child]
        pub(super) views: TemplateChild<adw::ViewStack>,
        #[template_child]
        pub(super) entry: TemplateChild<gtk::Entry>,
        #[template_child]
        hex_toggle: TemplateChild<gtk::ToggleButton>,
        #[template_child]
        messages: TemplateChild<gtk::ListView>,
        of_session: glib::BindingGroup,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ConnectionPage {
        const NAME: &'static str = "InspectorConnectionPage";
        type Type = super::ConnectionPage;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            for type_ in [
                Plot::static_type(),
                MessageRow::static_type(),
                MomentRow::static_type(),
                Session::static_type(),
            ] {
                debug_assert!(type_.is_valid());
            }
            class.bind_template();
            class.bind_template_callbacks();
            Closures::bind_template_callbacks(class);
        }

        fn instance_init(page: &InitializingObject<Self>) {
            page.init_template();
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for ConnectionPage {
        fn constructed(&self) {
            self.parent_constructed();
            let page = self.obj();
            self.of_session
                .bind("as-hex", &*self.hex_toggle, "active")
                .sync_create()
                .bidirectional()
                .build();
            page.bind_property("session", &self.of_session, "source")
                .sync_create()
                .build();
            // What is new stands at the end; the list knows where that is when it has taken it in.
            if let Some(messages) = self.messages.model() {
                let list = self.messages.downgrade();
                messages.connect_items_changed(move |_, _, _, _| {
                    let list = list.clone();
                    glib::idle_add_local_once(move || {
                        if let Some(list) = list.upgrade()
                            && let Some(last) =
                                list.model().and_then(|it| it.n_items().checked_sub(1))
                        {
                            // Every list has that action.
                            let _ = list
                                .activate_action("list.scroll-to-item", Some(&last.to_variant()));
                        }
                    });
                });
            }
        }
    }
    impl WidgetImpl for ConnectionPage {}
    impl BinImpl for ConnectionPage {}

    #[gtk::template_callbacks]
    impl ConnectionPage {
        #[template_callback]
        fn on_send(&self) {
            let page = self.obj();
            if let Some(session) = page.session()
                && let Some(bytes) = show::payload(&page.message(), page.manner())
                && !bytes.is_empty()
            {
                session.send(&bytes);
                page.set_message("");
            }
        }

        #[template_callback]
        fn on_close(&self) {
            self.obj().close();
        }

        #[template_callback]
        fn on_kill(&self) {
            self.obj().kill_peer();
        }
    }
}

glib::wrapper! {
    /// What there is to be seen of `session`, in three views.
    pub struct ConnectionPage(ObjectSubclass<imp::ConnectionPage>)
        @extends adw::Bin, gtk::Widget,
        @implements gtk::Buildable, gtk::ConstraintTarget;
}

impl ConnectionPage {
    /// Shows the view of that name.
    pub fn show_view(&self, name: &str) {
        let imp = self.imp();
        imp.views.set_visible_child_name(name);
        if name == "data" {
            imp.entry.grab_focus();
        }
    }

    /// Shows bytes as text or in hexadecimal digits, whichever they are not.
    pub fn toggle_hex(&self) {
        if let Some(session) = self.session() {
            session.set_as_hex(!session.as_hex());
        }
    }

    /// Closes our end.
    pub fn close(&self) {
        if let Some(session) = self.session() {
            session.close();
        }
    }

    /// Closes the other end, where that is ours too.
    pub fn kill_peer(&self) {
        if let Some(peer) = self.session().and_then(|it| it.peer()) {
            peer.close();
        }
    }

    /// Resets the other end, where that is ours too.
    pub fn reset_peer(&self) {
        if let Some(peer) = self.session().and_then(|it| it.peer()) {
            peer.reset();
        }
    }
}
