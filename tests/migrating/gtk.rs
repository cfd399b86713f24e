//! A label as GTK has it, in what README.md needs of it: GTK is no dependency of the tests.

use std::cell::RefCell;

use gio::{prelude::*, subclass::prelude::*};

mod imp {
    use super::*;

    #[derive(Default, glib::Properties)]
    #[properties(wrapper_type = super::Label)]
    pub struct Label {
        #[property(get, set)]
        label: RefCell<String>,
        #[property(get, set, nullable)]
        tooltip_text: RefCell<Option<String>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Label {
        const NAME: &'static str = "StandInLabel";
        type Type = super::Label;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Label {}
}

glib::wrapper! {
    pub struct Label(ObjectSubclass<imp::Label>);
}

impl Label {
    pub fn new(text: Option<&str>) -> Self {
        glib::Object::builder()
            .property("label", text.unwrap_or_default())
            .build()
    }
}
