//! One line of a timeline.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use glib::{prelude::*, subclass::prelude::*};

/// How a moment is to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "InspectorKind")]
pub enum Kind {
    /// One of several.
    #[default]
    Step,
    /// It has come to what it was begun for.
    Success,
    /// Something ended that might have gone on.
    Ended,
    /// It has not worked.
    Failure,
}

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Moment)]
    pub struct Moment {
        #[property(get, set, construct_only)]
        title: RefCell<String>,
        #[property(get, set, construct_only)]
        detail: RefCell<String>,
        /// Since the beginning of all, as it is shown.
        #[property(get, set, construct_only)]
        offset: RefCell<String>,
        #[property(get, set, construct_only, builder(Kind::default()))]
        kind: Cell<Kind>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Moment {
        const NAME: &'static str = "InspectorMoment";
        type Type = super::Moment;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Moment {}
}

glib::wrapper! {
    /// Something that happened to a connection, and when.
    pub struct Moment(ObjectSubclass<imp::Moment>);
}

impl Moment {
    /// At `offset` since the beginning.
    #[must_use]
    pub fn new(kind: Kind, title: &str, detail: &str, offset: Duration) -> Self {
        glib::Object::builder()
            .property("kind", kind)
            .property("title", title)
            .property("detail", detail)
            .property("offset", brief(offset))
            .build()
    }
}

/// A time as people say it, with as much of it as matters.
#[must_use]
pub fn brief(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
    }
}
