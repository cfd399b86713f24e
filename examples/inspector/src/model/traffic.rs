//! How fast bytes come and go.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::Duration,
};

use glib::{prelude::*, subclass::prelude::*};

/// Between one sample and the next.
pub const INTERVAL: Duration = Duration::from_millis(250);
/// So many are kept: half a minute.
pub const SAMPLES: usize = 120;

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Traffic)]
    pub struct Traffic {
        #[property(get, set)]
        bytes_read: Cell<u64>,
        #[property(get, set)]
        bytes_written: Cell<u64>,
        /// How often a sample was taken.
        #[property(get)]
        pub(super) taken: Cell<u32>,
        /// The counters at the last sample.
        pub(super) before: Cell<(u64, u64)>,
        /// Bytes a second in and out, the newest last.
        pub(super) rates: RefCell<VecDeque<(f64, f64)>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Traffic {
        const NAME: &'static str = "InspectorTraffic";
        type Type = super::Traffic;
    }

    #[glib::derived_properties]
    impl ObjectImpl for Traffic {
        fn constructed(&self) {
            self.parent_constructed();
            let traffic = self.obj().downgrade();
            glib::timeout_add_local(INTERVAL, move || {
                let Some(traffic) = traffic.upgrade() else {
                    return glib::ControlFlow::Break;
                };
                traffic.sample();
                glib::ControlFlow::Continue
            });
        }
    }
}

glib::wrapper! {
    /// The history of two counters, which are bound to those of a connection.
    pub struct Traffic(ObjectSubclass<imp::Traffic>);
}

impl Default for Traffic {
    fn default() -> Self {
        glib::Object::new()
    }
}

impl Traffic {
    /// Bytes a second in and out, the newest last.
    #[must_use]
    pub fn rates(&self) -> Vec<(f64, f64)> {
        self.imp().rates.borrow().iter().copied().collect()
    }

    fn sample(&self) {
        let imp = self.imp();
        let now = (self.bytes_read(), self.bytes_written());
        let before = imp.before.replace(now);
        // Another socket's counters begin at 0.
        let rate =
            |now: u64, before: u64| now.saturating_sub(before) as f64 / INTERVAL.as_secs_f64();
        {
            let mut rates = imp.rates.borrow_mut();
            rates.push_back((rate(now.0, before.0), rate(now.1, before.1)));
            if rates.len() > SAMPLES {
                rates.pop_front();
            }
        }
        imp.taken.set(imp.taken.get().wrapping_add(1));
        self.notify_taken();
    }
}
