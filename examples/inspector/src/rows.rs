//! The rows of the lists: each a template that is bound to one object.

use std::cell::RefCell;

use adw::{prelude::*, subclass::prelude::*};
use glib::subclass::InitializingObject;
use gtk::CompositeTemplate;

use crate::{
    model::{Listener, Message, Moment, Session},
    show::Closures,
};

/// A row with one object, whose template says everything else.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident in $module:ident, $type_name:tt, $template:tt, $property:ident: $object:ty) => {
        mod $module {
            use super::*;

            #[derive(Debug, Default, CompositeTemplate, glib::Properties)]
            #[properties(wrapper_type = super::$name)]
            #[template(resource = $template)]
            pub struct $name {
                #[property(get, set, nullable)]
                $property: RefCell<Option<$object>>,
            }

            #[glib::object_subclass]
            impl ObjectSubclass for $name {
                const NAME: &'static str = $type_name;
                type Type = super::$name;
                type ParentType = adw::Bin;

                fn class_init(class: &mut Self::Class) {
                    class.bind_template();
                    Closures::bind_template_callbacks(class);
                }

                fn instance_init(row: &InitializingObject<Self>) {
                    row.init_template();
                }
            }

            #[glib::derived_properties]
            impl ObjectImpl for $name {}
            impl WidgetImpl for $name {}
            impl BinImpl for $name {}
        }

        glib::wrapper! {
            $(#[$doc])*
            pub struct $name(ObjectSubclass<$module::$name>)
                @extends adw::Bin, gtk::Widget,
                @implements gtk::Buildable, gtk::ConstraintTarget;
        }
    };
}

row! {
    /// A moment of a timeline.
    MomentRow in moment_row, "InspectorMomentRow", "/org/gsock/Inspector/moment-row.ui", moment: Moment
}

row! {
    /// What was sent or received at once.
    MessageRow in message_row, "InspectorMessageRow", "/org/gsock/Inspector/message-row.ui", message: Message
}

mod client_row {
    use super::*;

    #[derive(Debug, Default, CompositeTemplate, glib::Properties)]
    #[properties(wrapper_type = super::ClientRow)]
    #[template(resource = "/org/gsock/Inspector/client-row.ui")]
    pub struct ClientRow {
        #[property(get, set, nullable)]
        session: RefCell<Option<Session>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ClientRow {
        const NAME: &'static str = "InspectorClientRow";
        type Type = super::ClientRow;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
            class.bind_template_instance_callbacks();
            Closures::bind_template_callbacks(class);
        }

        fn instance_init(row: &InitializingObject<Self>) {
            row.init_template();
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for ClientRow {}
    impl WidgetImpl for ClientRow {}
    impl BinImpl for ClientRow {}
}

glib::wrapper! {
    /// A client of the listener.
    pub struct ClientRow(ObjectSubclass<client_row::ClientRow>)
        @extends adw::Bin, gtk::Widget,
        @implements gtk::Buildable, gtk::ConstraintTarget;
}

#[gtk::template_callbacks]
impl ClientRow {
    /// For one client.
    #[must_use]
    pub fn new(session: &Session) -> Self {
        glib::Object::builder().property("session", session).build()
    }

    #[template_callback]
    fn on_kill(&self) {
        if let Some(session) = self.session() {
            session.close();
        }
    }
}

mod sidebar_row {
    use super::*;

    #[derive(Debug, Default, CompositeTemplate, glib::Properties)]
    #[properties(wrapper_type = super::SidebarRow)]
    #[template(resource = "/org/gsock/Inspector/sidebar-row.ui")]
    pub struct SidebarRow {
        /// One of the two below.
        #[property(get, set = Self::set_item, nullable)]
        item: RefCell<Option<glib::Object>>,
        #[property(get, nullable)]
        session: RefCell<Option<Session>>,
        #[property(get, nullable)]
        listener: RefCell<Option<Listener>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SidebarRow {
        const NAME: &'static str = "InspectorSidebarRow";
        type Type = super::SidebarRow;
        type ParentType = adw::Bin;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
            class.bind_template_instance_callbacks();
            Closures::bind_template_callbacks(class);
        }

        fn instance_init(row: &InitializingObject<Self>) {
            row.init_template();
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for SidebarRow {}
    impl WidgetImpl for SidebarRow {}
    impl BinImpl for SidebarRow {}

    impl SidebarRow {
        fn set_item(&self, item: Option<glib::Object>) {
            self.session
                .replace(item.clone().and_then(|it| it.downcast().ok()));
            self.listener
                .replace(item.clone().and_then(|it| it.downcast().ok()));
            self.item.replace(item);
            self.obj().notify_session();
            self.obj().notify_listener();
        }
    }
}

glib::wrapper! {
    /// The listener or a connection, in the side bar.
    pub struct SidebarRow(ObjectSubclass<sidebar_row::SidebarRow>)
        @extends adw::Bin, gtk::Widget,
        @implements gtk::Buildable, gtk::ConstraintTarget;
}

#[gtk::template_callbacks]
impl SidebarRow {
    /// Also on the one that is selected already: in a narrow window the list hides what belongs to it.
    #[template_callback]
    fn on_released(&self) {
        // There is such an action wherever this row is shown.
        let _ = self.activate_action("win.show-content", None);
    }
}
