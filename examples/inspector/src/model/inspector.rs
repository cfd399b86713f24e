//! All of it.

use std::sync::OnceLock;

use gio::prelude::*;
use glib::subclass::prelude::*;
use gsock::prelude::*;

use super::{Listener, Session, Target};
use crate::show;

mod imp {
    use super::*;

    #[derive(Debug, glib::Properties)]
    #[properties(wrapper_type = super::Inspector)]
    pub struct Inspector {
        #[property(get)]
        sessions: gio::ListStore,
        #[property(get)]
        listener: Listener,
        /// The listener and the sessions, as the side bar shows them.
        #[property(get)]
        places: gio::ListModel,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Inspector {
        const NAME: &'static str = "InspectorModel";
        type Type = super::Inspector;

        fn new() -> Self {
            let sessions = gio::ListStore::new::<Session>();
            let listener = Listener::default();
            let first = gio::ListStore::new::<Listener>();
            first.append(&listener);
            let parts = gio::ListStore::new::<gio::ListModel>();
            parts.append(&first);
            parts.append(&sessions);
            Self {
                sessions,
                listener,
                places: gtk::FlattenListModel::new(Some(parts)).upcast(),
            }
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for Inspector {
        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: OnceLock<Vec<glib::subclass::Signal>> = OnceLock::new();
            SIGNALS.get_or_init(|| {
                vec![
                    glib::subclass::Signal::builder("failed")
                        .param_types([String::static_type()])
                        .build(),
                ]
            })
        }

        fn constructed(&self) {
            self.parent_constructed();
            let inspector = self.obj().downgrade();
            self.listener
                .clients()
                .connect_items_changed(move |_, _, _, _| {
                    if let Some(inspector) = inspector.upgrade() {
                        inspector.introduce();
                    }
                });
        }

        /// What no window shows any more is closed.
        fn dispose(&self) {
            for session in self.sessions.iter::<Session>().flatten() {
                session.close();
            }
            self.listener.stop();
            self.listener.dismiss();
        }
    }
}

glib::wrapper! {
    /// The sessions and the listener.
    pub struct Inspector(ObjectSubclass<imp::Inspector>);
}

impl Default for Inspector {
    fn default() -> Self {
        glib::Object::new()
    }
}

impl Inspector {
    /// Begins to connect, and shows it at once.
    pub fn dial(&self, target: &Target) -> Option<Session> {
        let session = match Session::dial(target) {
            Ok(session) => session,
            Err(failure) => {
                self.fail(failure.message());
                return None;
            }
        };
        session.connect_failed({
            let inspector = self.downgrade();
            move |session, what| {
                if let Some(inspector) = inspector.upgrade() {
                    inspector.fail(&format!("{}: {what}", session.title()));
                }
            }
        });
        session.connect_connected({
            let inspector = self.downgrade();
            move |_| {
                if let Some(inspector) = inspector.upgrade() {
                    inspector.introduce();
                }
            }
        });
        self.sessions().append(&session);
        Some(session)
    }

    /// Closes it and forgets it.
    pub fn remove(&self, session: &Session) {
        session.close();
        if let Some(position) = self.sessions().find(session) {
            self.sessions().remove(position);
        }
    }

    /// Calls `f` with what went wrong, in words for the user.
    pub fn connect_failed(&self, f: impl Fn(&str) + 'static) {
        self.connect_closure(
            "failed",
            false,
            glib::closure_local!(move |_: Self, what: String| f(&what)),
        );
    }

    /// Something went wrong.
    pub fn fail(&self, what: &str) {
        self.emit_by_name::<()>("failed", &[&what]);
    }

    /// The two ends of one connection get to know each other, whichever was there first.
    fn introduce(&self) {
        for client in self.listener().clients().iter::<Session>().flatten() {
            if client.peer().is_some() {
                continue;
            }
            let wanted = show::address(client.connection().and_then(|it| it.remote_address().ok()));
            for session in self.sessions().iter::<Session>().flatten() {
                let own = session.connection().and_then(|it| it.local_address().ok());
                if show::address(own) == wanted {
                    session.set_peer(Some(&client));
                    client.set_peer(Some(&session));
                }
            }
        }
    }
}
